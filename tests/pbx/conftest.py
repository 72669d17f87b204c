"""One running service for all tests with real SIP."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.pbx import PbxError, find_asterisk
from tests.pbx.town import TABLES, Town, running_town


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


def pytest_configure(config: pytest.Config) -> None:
    config.stash[TABLES] = {}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for title, table in config.stash[TABLES].items():
        if table.rows:
            terminalreporter.section(title)
            for line in table.lines():
                terminalreporter.write_line(line)
