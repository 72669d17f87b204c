"""All reports that the journal's filters find, for a file: a page at a time, as the journal itself reads them (W11)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.journal import find_reports
from models.journal_filters import JournalFilter
from models.reports import HistoryRow, Report, ReportState, stands

MOST_ROWS = 50_000  # of one file
_PAGE = 500


@dataclass(frozen=True)
class JournalRow:
    """A report as a file has it. ``done_at`` and ``closed_at`` are the last times, None while it is neither."""

    report: Report
    done_at: datetime | None
    closed_at: datetime | None
    overdue: bool


def journal_rows(session: Session, wanted: JournalFilter, at: datetime, most: int = MOST_ROWS) -> Iterator[JournalRow]:
    """The newest ``most`` of the reports, the newest first.

    ``session`` is this file's alone: after each page its reports are forgotten and its transaction ends, so that a
    long file neither fills the memory nor keeps the database from tidying up.
    """
    before, left = None, most
    while left > 0:
        page = find_reports(session, wanted, before=before, limit=min(_PAGE, left))
        moved = _moved(session, [report.id for report in page.rows])
        for report in page.rows:
            state = report.state
            done = moved.get((report.id, ReportState.DONE)) if state in (ReportState.DONE, ReportState.CLOSED) else None
            closed = moved.get((report.id, ReportState.CLOSED)) if state == ReportState.CLOSED else None
            yield JournalRow(report, done, closed, report.overdue(at))
        session.rollback()
        session.expunge_all()
        if page.older is None:
            return
        before, left = page.older, left - len(page.rows)


def _moved(session: Session, report_ids: list[int]) -> dict[tuple[int, str], datetime]:
    """When each of these reports last became done, and closed."""
    rows = session.execute(
        select(HistoryRow.report_id, HistoryRow.to_state, func.max(HistoryRow.at))
        .where(
            HistoryRow.report_id.in_(report_ids),
            HistoryRow.to_state.in_((ReportState.DONE, ReportState.CLOSED)),
            HistoryRow.from_state != HistoryRow.to_state,
            stands(),
        )
        .group_by(HistoryRow.report_id, HistoryRow.to_state)
    )
    return {(report_id, state): at for report_id, state, at in rows}
