"""What presses now: emergencies that nobody has accepted, and operators who are to be warned (I8, W4)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session, contains_eager, joinedload

from models.base import UTCDateTime
from models.deadlines import Deadline, DeadlineKind, DeadlineStep, StepKind, open_deadlines
from models.executions import Execution
from models.lists import Listed, first_of
from models.people import User
from models.reports import UNDONE, HistoryEvent, HistoryRow, Report

SHOWN = 20  # rows of one list
JUST = timedelta(minutes=1)  # so long a screen that showed an emergency tells that it was accepted
MOST = 100  # the counts on every screen go no further


def unaccepted_emergencies(
    session: Session, most: int = SHOWN, organisation_id: int | None = None
) -> Listed[Execution]:
    """The executors' parts of emergencies that nobody has taken to work, of all or of one organisation, the longest
    waiting first (I8)."""
    whose = [] if organisation_id is None else [Execution.organisation_id == organisation_id]
    query = (
        unaccepted(select(Execution))
        .where(*whose)
        .options(
            joinedload(Execution.organisation),
            joinedload(Execution.report).options(joinedload(Report.category), joinedload(Report.street)),
        )
    )
    query = query.order_by(_became_emergency(), Execution.id)
    return first_of(session, query, unaccepted(select(Execution.id)).where(*whose), most)


def just_accepted(session: Session, at: datetime) -> Sequence[Execution]:
    """The parts of emergencies that were taken to work a moment ago."""
    query = (
        select(Execution)
        .join(Execution.report)
        .where(Report.emergency, Execution.accepted_at > at - JUST)
        .options(joinedload(Execution.organisation), contains_eager(Execution.report))
    )
    return session.scalars(query.order_by(Execution.id).limit(SHOWN)).all()


def emergency_since(session: Session, reports: Iterable[Report]) -> dict[int, datetime]:
    """Since when each of these is an emergency for the town, whoever was to deal with it: registered as one, or found
    to be one (I8)."""
    query = select(Report.id, _became_emergency()).where(Report.id.in_({report.id for report in reports}))
    return dict(session.execute(query).all())


def _became_emergency() -> ColumnElement[datetime]:
    found = select(func.max(HistoryRow.at)).where(
        HistoryRow.report_id == Report.id, HistoryRow.event == HistoryEvent.URGENT
    )
    return func.coalesce(found.scalar_subquery(), Report.registered_at, Report.created_at, type_=UTCDateTime())


def to_warn(session: Session, at: datetime, most: int = SHOWN) -> Listed[Deadline]:
    """What was *new* for too long and whose operator no person has warned since, the oldest first (R 4.3)."""
    query = new_too_long(select(Deadline), at).options(
        joinedload(Deadline.organisation),
        joinedload(Deadline.report).options(
            joinedload(Report.category), joinedload(Report.street), joinedload(Report.executor)
        ),
    )
    query = query.order_by(Deadline.due_at, Deadline.id)
    return first_of(session, query, new_too_long(select(Deadline.id), at), most)


@dataclass(frozen=True)
class Pressing:
    """How many there are of each; at most `MOST`."""

    emergencies: int = 0
    to_warn: int = 0


def count_pressing(session: Session, at: datetime) -> Pressing:
    """For the counts on every screen."""
    return Pressing(
        emergencies=_count(session, unaccepted(select(Execution.id))),
        to_warn=_count(session, new_too_long(select(Deadline.id), at)),
    )


def count_new(session: Session, organisation_id: int) -> int:
    """How many reports wait to be taken to work by this organisation; at most `MOST`."""
    waiting = select(Execution.id).join(Report, Report.id == Execution.report_id)
    waiting = waiting.where(
        Execution.organisation_id == organisation_id, Execution.accepted_at.is_(None), Report.state.in_(UNDONE)
    )
    return _count(session, waiting)


def new_by_organisation(session: Session) -> tuple[tuple[int, int], ...]:
    """How many reports wait to be taken to work by each organisation for which any does: ``((organisation, n), …)``."""
    waiting = select(Execution.organisation_id, func.count()).join(Report, Report.id == Execution.report_id)
    waiting = waiting.where(Execution.accepted_at.is_(None), Report.state.in_(UNDONE))
    rows = session.execute(waiting.group_by(Execution.organisation_id))
    return tuple((organisation, min(count, MOST)) for organisation, count in rows)


def unaccepted(query: Select) -> Select:
    """The parts of emergencies that are not accepted; ``query`` selects from `Execution`."""
    return query.join(Report, Report.id == Execution.report_id).where(
        Report.emergency, Report.state.in_(UNDONE), Execution.accepted_at.is_(None)
    )


def new_too_long(query: Select, at: datetime | ColumnElement[datetime]) -> Select:
    """What was *new* for too long at ``at``, its operator not warned by a person; ``query`` selects from `Deadline`."""
    warned = select(DeadlineStep.id).where(
        DeadlineStep.deadline_id == Deadline.id,
        DeadlineStep.kind == StepKind.WARNED,
        DeadlineStep.user_id.is_not(None),  # the system's own letters warn nobody in the administrator's place
        DeadlineStep.at >= Deadline.due_at,
    )
    return query.where(
        Deadline.kind == DeadlineKind.ACCEPT,
        Deadline.running,
        Deadline.due_at < at,
        ~warned.exists(),
    )


def who_warned(session: Session, report: Report, organisation_id: int) -> User | None:
    """The person who has warned the operator of this organisation, who has not accepted the report yet (R 4.3)."""
    steps = (
        step
        for deadline in open_deadlines(session, report, (DeadlineKind.ACCEPT,))
        if (deadline.organisation_id or report.executor_id) == organisation_id
        for step in deadline.steps
        if step.kind == StepKind.WARNED and step.user_id is not None
    )
    last = max(steps, key=lambda step: step.at, default=None)
    return last.user if last else None


def _count(session: Session, rows: Select) -> int:
    return session.scalar(select(func.count()).select_from(rows.limit(MOST).subquery())) or 0
