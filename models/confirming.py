"""What is done and waits for the applicant's word: whom the dispatcher asks (S 3.2)."""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from models.executions import Execution
from models.lists import Listed, first_of
from models.moves import last_moves
from models.reports import HistoryRow, Report, ReportState

SHOWN = 50


@dataclass(frozen=True)
class ToConfirm:
    """A report that is done, when the last of its executors said so, and what each of them did."""

    report: Report
    done: HistoryRow
    parts: list[Execution]


def to_confirm(session: Session, most: int = SHOWN) -> Listed[ToConfirm]:
    """The reports that are done and that no applicant was asked of yet, the longest waiting first."""
    done_at = (
        select(func.max(Execution.completed_at))
        .where(Execution.report_id == Report.id)
        .correlate(Report)
        .scalar_subquery()
    )
    found = first_of(
        session,
        select(Report)
        .where(Report.state == ReportState.DONE)
        .options(
            joinedload(Report.category), joinedload(Report.street), joinedload(Report.executor), joinedload(Report.call)
        )
        .order_by(done_at, Report.id),
        select(Report.id).where(Report.state == ReportState.DONE),
        most,
    )
    moves = last_moves(session, [report.id for report in found.rows])
    parts: dict[int, list[Execution]] = {}
    query = select(Execution).where(Execution.report_id.in_(moves)).order_by(Execution.completed_at)
    for part in session.scalars(query.options(joinedload(Execution.organisation))):
        parts.setdefault(part.report_id, []).append(part)
    rows = [
        ToConfirm(report, moves[report.id], parts.get(report.id, [])) for report in found.rows if report.id in moves
    ]
    return Listed(rows, found.count)


def count_to_confirm(session: Session) -> int:
    """How many wait for the applicant's word."""
    return session.scalar(select(func.count()).where(Report.state == ReportState.DONE)) or 0
