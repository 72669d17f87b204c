"""What presses now: emergencies that nobody has accepted, and operators who are to be warned (I8, W4)."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, joinedload

from models.deadlines import Deadline, DeadlineKind, DeadlineStep, StepKind
from models.executions import Execution
from models.lists import Listed, first_of
from models.reports import UNDONE, Report

SHOWN = 20  # rows of one list
MOST = 100  # the counts on every screen go no further


def unaccepted_emergencies(session: Session, most: int = SHOWN) -> Listed[Execution]:
    """The executors' parts of emergencies that nobody has taken to work, the longest waiting first (I8)."""
    query = _unaccepted(select(Execution)).options(
        joinedload(Execution.organisation),
        joinedload(Execution.report).options(joinedload(Report.category), joinedload(Report.street)),
    )
    query = query.order_by(Execution.assigned_at, Execution.id)
    return first_of(session, query, _unaccepted(select(Execution.id)), most)


def to_warn(session: Session, at: datetime, most: int = SHOWN) -> Listed[Deadline]:
    """What was *new* for too long and whose operator no person has warned since, the oldest first (R 4.3)."""
    query = _to_warn(select(Deadline), at).options(
        joinedload(Deadline.organisation),
        joinedload(Deadline.report).options(
            joinedload(Report.category), joinedload(Report.street), joinedload(Report.executor)
        ),
    )
    query = query.order_by(Deadline.due_at, Deadline.id)
    return first_of(session, query, _to_warn(select(Deadline.id), at), most)


@dataclass(frozen=True)
class Pressing:
    """How many there are of each; at most `MOST`."""

    emergencies: int = 0
    to_warn: int = 0


def count_pressing(session: Session, at: datetime) -> Pressing:
    """For the counts on every screen."""
    return Pressing(
        emergencies=_count(session, _unaccepted(select(Execution.id))),
        to_warn=_count(session, _to_warn(select(Deadline.id), at)),
    )


def count_new(session: Session, organisation_id: int) -> int:
    """How many reports wait to be taken to work by this organisation; at most `MOST`."""
    waiting = select(Execution.id).join(Report, Report.id == Execution.report_id)
    waiting = waiting.where(
        Execution.organisation_id == organisation_id, Execution.accepted_at.is_(None), Report.state.in_(UNDONE)
    )
    return _count(session, waiting)


def _unaccepted(query: Select) -> Select:
    return query.join(Report, Report.id == Execution.report_id).where(
        Report.emergency, Report.state.in_(UNDONE), Execution.accepted_at.is_(None)
    )


def _to_warn(query: Select, at: datetime) -> Select:
    warned = select(DeadlineStep.id).where(
        DeadlineStep.deadline_id == Deadline.id,
        DeadlineStep.kind == StepKind.WARNED,
        DeadlineStep.user_id.is_not(None),  # the system's own letters warn nobody in the administrator's place
        DeadlineStep.at >= Deadline.due_at,
    )
    return query.where(
        Deadline.kind == DeadlineKind.ACCEPT,
        Deadline.met_at.is_(None),
        Deadline.cancelled_at.is_(None),
        Deadline.paused_at.is_(None),
        Deadline.due_at < at,
        ~warned.exists(),
    )


def _count(session: Session, rows: Select) -> int:
    return session.scalar(select(func.count()).select_from(rows.limit(MOST).subquery())) or 0
