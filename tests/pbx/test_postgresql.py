"""The whole service on PostgreSQL: nothing but one setting differs. It runs beside the one on SQLite."""

import re
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from postgres_fixtures import new_database, postgres_server  # noqa: F401

from jobs.demo_users import DEMO_USERS
from tests.helpers import eventually
from tests.pbx.screen import Screen
from tests.pbx.town import Town, running_town

pytestmark = [pytest.mark.pbx, pytest.mark.long]

CALLS = 15


def test_calls_become_drafts_on_postgresql(town: Town, postgres_server: Path) -> None:  # noqa: F811
    """I1 on PostgreSQL, with a second copy of the service on other ports running at the same time."""
    with tempfile.TemporaryDirectory(prefix="cc-") as var:
        Path(var).chmod(0o755)
        with running_town(Path(var), CC_DATABASE_URL=new_database(postgres_server)) as other:
            known = other.value("SELECT max(id) FROM calls")
            here = town.value("SELECT max(id) FROM calls")
            other.start_phones(ring_ms=300, talk_ms=300)
            login, password, _name, _role = DEMO_USERS[0]
            with closing(Screen(f"http://127.0.0.1:{other.settings.web_port}", login, password).log_in()) as screen:
                screen.listen()
                callers = [(f"+38063{8_000_000 + position}", "53273") for position in range(CALLS)]
                citizens, _ = other.call(callers, rate=2, talk_ms=300)
                assert citizens.wait(60) == 0
                ended = "SELECT count(*) FROM calls WHERE id > :known AND state = 'ended'"
                eventually(lambda: other.value(ended, known=known) == CALLS, "every call ended", 20)
                assert len(screen.rang_here()) == CALLS
                journal = screen.get("/journal")
            drafts = "SELECT count(*) FROM reports WHERE call_id > :known"
            assert other.value(drafts, known=known) == CALLS
            assert re.search(r"\d{4}-\d{4}", journal), "the journal lists reports"
            assert town.value("SELECT max(id) FROM calls") == here
            assert not other.unwell()
