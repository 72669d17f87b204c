"""What summaries and the quarterly report cost over the reports of `bench_journal`, with history and deadlines."""

from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import Connection

from models.base import db, now
from models.deadlines import RULES, DeadlineKind
from models.periods import Period, quarter_of
from models.quarterly_figures import count_figures
from models.reports import ReportEvent
from models.summary import summarise
from models.workdays import KYIV

WANTED_MS = 3000
_DAYS = {DeadlineKind.INFORM_HEAD: 1, DeadlineKind.ACCEPT: 2, DeadlineKind.WORK: 5, DeadlineKind.REASONS: 30}
_HISTORY = (ReportEvent.REGISTERED, ReportEvent.ACCEPTED, ReportEvent.COMPLETED)
_DONE = "state IN ('done', 'closed')"


def fill_work(connection: Connection) -> None:
    """Four deadlines, three rows of history and an executor's part for each report that is there."""

    def after(days: str) -> str:
        if connection.dialect.name == "sqlite":
            return f"datetime(registered_at, '+' || ({days}) || ' days')"
        return f"registered_at + ({days}) * interval '1 day'"

    for kind, days in _DAYS.items():
        connection.exec_driver_sql(
            "INSERT INTO deadlines (report_id, kind, clause, began_at, due_at, met_at) "
            f"SELECT id, '{kind}', '{RULES[kind].clause}', registered_at, {after(str(days))}, "
            f"CASE WHEN {_DONE} THEN {after('id % 7')} END FROM reports WHERE number IS NOT NULL ORDER BY id"
        )
    for event in _HISTORY:
        connection.exec_driver_sql(
            "INSERT INTO report_history (report_id, at, event, from_state, to_state, note) "
            f"SELECT id, registered_at, '{event}', '', state, '' FROM reports WHERE number IS NOT NULL ORDER BY id"
        )
    connection.exec_driver_sql(
        "INSERT INTO executions (report_id, organisation_id, assigned_at, done) "
        "SELECT id, executor_id, registered_at, '' FROM reports WHERE number IS NOT NULL ORDER BY id"
    )


def cases() -> dict[str, Callable[[], object]]:
    """A quarter as the quarterly report and as the summary count it, and a summary of everything."""
    at = now()
    today = at.astimezone(KYIV).date()
    quarter = quarter_of(today).before
    everything = Period(today - timedelta(days=4 * 365), today)
    return {
        "quarterly report": lambda: count_figures(db.session(), quarter, None, at),
        "summary of a quarter": lambda: summarise(db.session(), quarter.period, at),
        "summary of all years": lambda: summarise(db.session(), everything, at),
    }
