"""Tables of what tests measured, printed below the results whatever the outcome, also when several processes test."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

_ROW = "table row"


@dataclass(frozen=True)
class Table:
    """Rows under one title."""

    title: str
    record: Callable[[str, object], None]  # pytest's record_property

    def add(self, **row: object) -> None:
        self.record(_ROW, (self.title, {name: str(value) for name, value in row.items()}))


@pytest.fixture
def table(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> Table:
    """The table that the module names in ``TABLE``."""
    return Table(request.module.TABLE, record_property)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    tables: dict[str, list[dict[str, str]]] = {}
    for report in [one for kind in ("passed", "failed") for one in terminalreporter.getreports(kind)]:
        for name, value in report.user_properties:
            if name == _ROW and report.when == "call":
                tables.setdefault(value[0], []).append(value[1])
    for title, rows in tables.items():
        terminalreporter.section(title)
        cells = [list(rows[0]), *(list(row.values()) for row in rows)]
        widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
        for row in cells:
            terminalreporter.write_line("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)))
