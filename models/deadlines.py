"""Deadlines as data: each with its clause, its start, its pauses, the moment it is due, and who was warned (W3-W9).

What begins a deadline and what ends it stands in two tables. "Overdue" is computed, never stored.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ColumnElement, ForeignKey, Index, String, Text, and_, select
from sqlalchemy import text as sql
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, Session, joinedload, mapped_column, relationship, selectinload

from models.base import Base, UTCDateTime
from models.people import Organisation, User
from models.reports import HistoryEvent, Report, ReportEvent
from models.workdays import WorkCalendar


class DeadlineKind(StrEnum):
    INFORM_HEAD = "inform_head"  # the operator tells the head of a new report
    ACCEPT = "accept"  # no longer in the state "new"
    WORK = "work"  # the work itself, by the category
    REASONS = "reasons"  # what cannot be solved: reasons to the control body


@dataclass(frozen=True)
class Rule:
    """How long a deadline runs, and which clause says so. ``days`` None: as many as the category allows."""

    clause: str
    days: int | None
    working: bool
    each_executor: bool  # one for each organisation, or one for the report


RULES = {
    DeadlineKind.INFORM_HEAD: Rule("R 4.2", days=1, working=True, each_executor=True),
    DeadlineKind.ACCEPT: Rule("R 4.3", days=2, working=True, each_executor=True),
    DeadlineKind.WORK: Rule("S 2.3", days=None, working=True, each_executor=False),
    DeadlineKind.REASONS: Rule("R 4.4", days=30, working=False, each_executor=False),
}


@dataclass(frozen=True)
class Effect:
    """What an event does to the deadlines of its report, or of one of its executors."""

    begins: tuple[DeadlineKind, ...] = ()
    meets: tuple[DeadlineKind, ...] = ()
    pauses: tuple[DeadlineKind, ...] = ()
    cancels: tuple[DeadlineKind, ...] = ()


EFFECTS: dict[ReportEvent | HistoryEvent, Effect] = {
    ReportEvent.REGISTERED: Effect(begins=(DeadlineKind.WORK, DeadlineKind.REASONS)),
    ReportEvent.COMPLETED: Effect(
        meets=(DeadlineKind.WORK,),
        cancels=(DeadlineKind.REASONS, DeadlineKind.INFORM_HEAD),  # there is nothing to give reasons for, or to assign
    ),
    # work that was not done is to be done within a new term
    ReportEvent.REFUTED: Effect(begins=(DeadlineKind.WORK, DeadlineKind.REASONS)),
    # they did not say so: the work counts as done when it was done
    ReportEvent.REFUTE_TAKEN_BACK: Effect(cancels=(DeadlineKind.WORK, DeadlineKind.REASONS)),
    ReportEvent.LATE_REFUTE_TAKEN_BACK: Effect(cancels=(DeadlineKind.WORK, DeadlineKind.REASONS)),
    # while the control body thinks, nobody can work
    ReportEvent.REASONS_GIVEN: Effect(meets=(DeadlineKind.REASONS,), pauses=(DeadlineKind.WORK,)),
    ReportEvent.CLOSED_UNSOLVED: Effect(cancels=(DeadlineKind.WORK, DeadlineKind.INFORM_HEAD, DeadlineKind.ACCEPT)),
    ReportEvent.RETURNED: Effect(begins=(DeadlineKind.REASONS,)),  # the work's new date is the control body's
    # of one executor
    ReportEvent.ACCEPTED: Effect(meets=(DeadlineKind.ACCEPT,)),  # the first of them
    HistoryEvent.ASSIGNED: Effect(begins=(DeadlineKind.INFORM_HEAD, DeadlineKind.ACCEPT)),
    HistoryEvent.HEAD_INFORMED: Effect(meets=(DeadlineKind.INFORM_HEAD,)),
    HistoryEvent.URGENT: Effect(begins=(DeadlineKind.INFORM_HEAD,)),
    HistoryEvent.PART_ACCEPTED: Effect(meets=(DeadlineKind.ACCEPT,)),  # the others
    HistoryEvent.RELEASED: Effect(cancels=(DeadlineKind.INFORM_HEAD, DeadlineKind.ACCEPT)),
}


class Deadline(Base):
    """One deadline of a report, or of one organisation that works on it."""

    __tablename__ = "deadlines"
    __table_args__ = (
        Index(
            "ix_deadlines_running",
            *("due_at", "id", "organisation_id", "report_id"),  # the daily monitoring counts by it alone
            sqlite_where=sql("met_at IS NULL AND cancelled_at IS NULL AND paused_at IS NULL"),
            postgresql_where=sql("met_at IS NULL AND cancelled_at IS NULL AND paused_at IS NULL"),
        ),
        # A report's deadlines; and all that summaries count of them, read from the index.
        Index(
            "ix_deadlines_report_id_kind",
            *("report_id", "kind", "organisation_id", "due_at", "met_at", "paused_at", "cancelled_at"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    report_id: Mapped[int] = mapped_column(ForeignKey("reports.id"))
    organisation_id: Mapped[int | None] = mapped_column(ForeignKey("organisations.id"))  # None: of the report
    kind: Mapped[DeadlineKind] = mapped_column(String(16))
    clause: Mapped[str] = mapped_column(String(16))
    began_at: Mapped[datetime] = mapped_column(UTCDateTime)
    due_at: Mapped[datetime] = mapped_column(UTCDateTime)
    paused_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    met_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    cancelled_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    report: Mapped[Report] = relationship()
    organisation: Mapped[Organisation | None] = relationship()
    steps: Mapped[list["DeadlineStep"]] = relationship(back_populates="deadline", order_by="DeadlineStep.id")

    @hybrid_property
    def open(self) -> bool:
        """Whether it is still to be met, running or paused."""
        return self.met_at is None and self.cancelled_at is None

    @open.inplace.expression
    @classmethod
    def _open(cls) -> ColumnElement[bool]:
        return and_(cls.met_at.is_(None), cls.cancelled_at.is_(None))

    @hybrid_property
    def running(self) -> bool:
        """Whether it is open and its time goes on; `ix_deadlines_running` holds these."""
        return self.open and self.paused_at is None

    @running.inplace.expression
    @classmethod
    def _running(cls) -> ColumnElement[bool]:
        return and_(cls.met_at.is_(None), cls.cancelled_at.is_(None), cls.paused_at.is_(None))

    @property
    def moved(self) -> bool:
        """Whether somebody set another due moment: it is no count of days any more."""
        return any(step.kind == StepKind.MOVED for step in self.steps)

    def late(self, at: datetime) -> bool:
        """Whether it ended, or stands still, after it was due; or was due before ``at`` and still runs."""
        return (self.met_at or self.paused_at or self.cancelled_at or at) > self.due_at


class StepKind(StrEnum):
    PAUSED = "paused"
    MOVED = "moved"  # another due moment: after a pause, or decided
    RECOUNTED = "recounted"  # the working calendar changed
    CORRECTED = "corrected"  # the report is of another category
    WARNED = "warned"


class DeadlineStep(Base):
    """What happened to a deadline while it ran. Rows are only ever added."""

    __tablename__ = "deadline_steps"

    id: Mapped[int] = mapped_column(primary_key=True)
    deadline_id: Mapped[int] = mapped_column(ForeignKey("deadlines.id"), index=True)
    at: Mapped[datetime] = mapped_column(UTCDateTime)
    kind: Mapped[StepKind] = mapped_column(String(16))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))  # who did it; None: the system
    due_at: Mapped[datetime | None] = mapped_column(UTCDateTime)  # as it was until then
    note: Mapped[str] = mapped_column(Text, default="")

    deadline: Mapped[Deadline] = relationship(back_populates="steps")
    user: Mapped[User | None] = relationship()


def due_moment(kind: DeadlineKind, began: datetime, category_days: int, calendar: WorkCalendar) -> datetime:
    """When a deadline of this kind that began then is due. ``category_days``: what the category allows for the work."""
    rule = RULES[kind]
    days = category_days if rule.days is None else rule.days
    end = calendar.end_of_working_days if rule.working else calendar.end_of_days
    return end(began, days)


def apply_effects(
    session: Session,
    report: Report,
    event: ReportEvent | HistoryEvent,
    calendar: WorkCalendar,
    at: datetime,
    organisation_id: int | None = None,
) -> None:
    """Begin, meet, pause and cancel the deadlines that ``event`` touches, as `EFFECTS` says.

    With ``organisation_id`` those of this executor alone. An event that is not in the table touches none.
    """
    effect = EFFECTS.get(event, Effect())
    for deadline in open_deadlines(session, report, (*effect.meets, *effect.pauses, *effect.cancels), organisation_id):
        if deadline.kind in effect.meets:
            deadline.met_at = at
        elif deadline.kind in effect.cancels:
            deadline.cancelled_at = at
        elif deadline.paused_at is None:
            deadline.paused_at = at
            _note(session, deadline, StepKind.PAUSED, None, at)
    for kind in effect.begins:
        due = due_moment(kind, at, report.category.working_days, calendar)
        begun = Deadline(
            report_id=report.id,
            organisation_id=organisation_id,
            kind=kind,
            clause=RULES[kind].clause,
            began_at=at,
            due_at=_within_work(kind, due, report, at),
        )
        session.add(begun)
        if kind == DeadlineKind.WORK:
            report.due_at = begun.due_at
    session.flush()


def move_due(
    session: Session, report: Report, kind: DeadlineKind, due: datetime, user: User | None, note: str, at: datetime
) -> None:
    """Give the report's open deadline of this kind another due moment; a pause ends."""
    for deadline in open_deadlines(session, report, (kind,)):
        _note(session, deadline, StepKind.MOVED, user, at, note)
        deadline.due_at, deadline.paused_at = due, None
    if kind == DeadlineKind.WORK:
        report.due_at = due
    session.flush()


def recount_due(
    session: Session,
    deadline: Deadline,
    due: datetime,
    user: User | None,
    note: str,
    at: datetime,
    why: StepKind = StepKind.RECOUNTED,
) -> None:
    """Give an open deadline another due moment because the working calendar (W14) or the category changed."""
    _note(session, deadline, why, user, at, note)
    deadline.due_at = due
    if deadline.kind == DeadlineKind.WORK:
        deadline.report.due_at = due


def count_by_category(session: Session, report: Report, calendar: WorkCalendar, user: User, at: datetime) -> None:
    """The report is of another category now: count its open terms for the work and to take it to work from their
    beginnings anew (S 2.3).

    What somebody decided stays. A term that would have passed already ends with the next working day: nobody can keep
    one that was late when it came.
    """
    for kind in (DeadlineKind.WORK, DeadlineKind.ACCEPT):
        for deadline in open_deadlines(session, report, (kind,)):
            began, soonest = deadline.began_at, calendar.end_of_working_days(at, 1)
            due = _within_work(kind, due_moment(kind, began, report.category.working_days, calendar), report, began)
            if due <= at < deadline.due_at:
                due = min(soonest, deadline.due_at)
            if due != deadline.due_at and not deadline.moved:
                recount_due(session, deadline, due, user, report.category.name, at, StepKind.CORRECTED)
    session.flush()


def note_warning(session: Session, deadline: Deadline, user: User | None, note: str, at: datetime) -> None:
    """Record that somebody was warned of this deadline (R 4.3)."""
    _note(session, deadline, StepKind.WARNED, user, at, note)
    session.flush()


def all_deadlines(session: Session, report: Report) -> list[Deadline]:
    """Every deadline that the report has or had, with its steps, as they began."""
    query = select(Deadline).where(Deadline.report_id == report.id).order_by(Deadline.began_at, Deadline.id)
    return list(session.scalars(query.options(joinedload(Deadline.organisation), selectinload(Deadline.steps))))


def open_deadlines(
    session: Session, report: Report, kinds: Collection[DeadlineKind], organisation_id: int | None = None
) -> list[Deadline]:
    """The deadlines of these kinds that are still to be met; with ``organisation_id`` those of this executor."""
    query = select(Deadline).where(
        Deadline.report_id == report.id,
        Deadline.kind.in_(kinds),
        Deadline.open,
    )
    if organisation_id is not None:
        query = query.where(Deadline.organisation_id == organisation_id)
    return list(session.scalars(query.order_by(Deadline.id)))


def _within_work(kind: DeadlineKind, due: datetime, report: Report, began: datetime) -> datetime:
    """The term to take a report to work ends with that of the work at the latest, unless that had passed before it
    began."""
    if kind == DeadlineKind.ACCEPT and report.due_at is not None and report.due_at > began:
        return min(due, report.due_at)
    return due


def _note(
    session: Session, deadline: Deadline, kind: StepKind, user: User | None, at: datetime, note: str = ""
) -> None:
    step = DeadlineStep(deadline=deadline, at=at, kind=kind, user_id=user.id if user else None, note=note)
    step.due_at = deadline.due_at
    session.add(step)
