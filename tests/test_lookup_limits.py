"""A PIN is guessed no quicker by telephone than online, for both count together (W10)."""

from collections.abc import Iterator

import pytest

from agi.database import Work
from jobs.lookup_limits import LookupLimits
from jobs.settings import Settings
from tests.desk_fixtures import Site


@pytest.fixture
def redis_url(settings: Settings) -> Iterator[str]:
    """The address of a real Redis."""
    site = Site(settings)
    site.start_redis()
    yield settings.redis_url
    site.stop()


def test_tries_from_everywhere_count_together(redis_url: str) -> None:
    """Two processes of one site, however the number is written; another number has tries of its own."""
    online, by_telephone = (LookupLimits(redis_url, "secret") for _ in range(2))
    tries = [
        limits.may_try(typed)
        for _ in range(6)
        for limits, typed in ((online, "2026-0412"), (by_telephone, "№ 2026/412"))
    ]
    assert tries == [True] * 10 + [False] * 2
    assert by_telephone.may_try("2026-0413")
    assert LookupLimits(redis_url, "another site").may_try("2026-0412")


def test_what_is_no_number_takes_nobodys_tries(redis_url: str) -> None:
    limits = LookupLimits(redis_url, "secret")
    assert all(limits.may_try("мій номер") for _ in range(20))


def test_one_telephone_asks_sixty_times_an_hour(redis_url: str) -> None:
    limits = LookupLimits(redis_url, "secret")
    assert [limits.may_call("+380671234567") for _ in range(61)] == [True] * 60 + [False]
    assert limits.may_call("+380671234568")


def test_without_redis_it_is_counted_all_the_same(app) -> None:
    """Each process by itself."""
    work = Work(app)
    assert [work.lookup_limits.may_try("412") for _ in range(11)] == [True] * 10 + [False]
    work.finish(0.0)
