"""How reports came to the state that they are in: the last move of each, with who made it, when and in which words."""

from collections.abc import Collection

from sqlalchemy import ColumnElement, ScalarSelect, func, select
from sqlalchemy.orm import Session, joinedload

from models.reports import HistoryRow, Report, stands


def last_moves(session: Session, report_ids: Collection[int]) -> dict[int, HistoryRow]:
    """The history's row that brought each of these reports to its present state, by the report's id; what was taken
    back brought none anywhere."""
    last = (
        select(func.max(HistoryRow.id))
        .where(HistoryRow.report_id.in_(report_ids), _moved())
        .group_by(HistoryRow.report_id)
    )
    rows = session.scalars(select(HistoryRow).where(HistoryRow.id.in_(last)).options(joinedload(HistoryRow.user)))
    return {row.report_id: row for row in rows}


def last_event() -> ScalarSelect[str]:
    """The event of that move, for a query of reports."""
    moves = select(HistoryRow.event).where(HistoryRow.report_id == Report.id, _moved())
    return moves.order_by(HistoryRow.id.desc()).limit(1).correlate(Report).scalar_subquery()


def _moved() -> ColumnElement[bool]:
    """Of history rows: the report came into another state by it, and it stands."""
    return (HistoryRow.from_state != HistoryRow.to_state) & stands()
