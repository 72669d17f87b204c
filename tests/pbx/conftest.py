"""One running service for all tests with real SIP."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.pbx import PbxError, find_asterisk
from tests.pbx.town import Town, running_town


@pytest.fixture(scope="session")
def town() -> Iterator[Town]:
    """The service with the demo town's data, real Asterisk and all; its desk phones are the tests' to start."""
    try:
        find_asterisk()
    except PbxError as error:
        pytest.fail(str(error))
    with tempfile.TemporaryDirectory(prefix="cc-") as folder:
        Path(folder).chmod(0o755)  # Asterisk runs under its own account
        with running_town(Path(folder)) as running:
            yield running


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of one file run on one exchange, one after the other; those that only wait for a citizen need not."""
    for item in items:
        if item.path.parent == Path(__file__).parent and not item.get_closest_marker("anywhere"):
            item.add_marker(pytest.mark.xdist_group(item.path.name))
