"""Calls that are to be made to citizens: tasks with a purpose and a deadline, and a row for every move (C1-C5)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ColumnElement, ForeignKey, Index, Select, String, Text, exists, or_, select
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column, relationship

from models.base import Base, UTCDateTime, announce
from models.calls import Call
from models.machine import next_state
from models.people import Organisation, User
from models.reports import Report


class Purpose(StrEnum):
    STATUS_CHECK = "status_check"  # done: is it so? (S 3.2)
    CALL_BACK = "call_back"  # we missed a call (C1)
    CLARIFICATION = "clarification"  # the administrator asks the applicant (R 4.4)
    HAND_OVER = "hand_over"  # an emergency, to the enterprise's duty number (I8)
    WARN_OPERATOR = "warn_operator"  # new for too long (R 4.3)


class TaskState(StrEnum):
    WAITING = "waiting"  # for its moment, its line, its call
    PERSON = "person"  # no machine calls any more: a person decides
    SETTLED = "settled"
    CANCELLED = "cancelled"


OPEN_TASKS = (TaskState.WAITING, TaskState.PERSON)


class TaskEvent(StrEnum):
    CREATED = "created"
    TRIED = "tried"  # a call ended, and its task goes on
    POSTPONED = "postponed"  # they named a time, or a person chose one
    TALKED = "talked"  # what they said answers nothing: they are asked again by the rules
    HANDED = "handed"  # to a person
    SETTLED = "settled"
    CANCELLED = "cancelled"  # there is no reason for the call any more
    REOPENED = "reopened"  # it was over too early: a machine had answered, or its draft was opened again


class Why(StrEnum):
    """Why a person decides, or why the task is over."""

    NO_NUMBER = "no_number"  # none that may be dialled
    TRIES_OVER = "tries_over"
    BAD_NUMBER = "bad_number"
    UNKNOWN = "unknown"  # whether it rang: it is not dialled again by itself
    ASKED_FOR_PERSON = "asked_for_person"
    OPTED_OUT = "opted_out"  # they do not want to be called by a machine
    ANSWERED = "answered"
    SPOKEN = "spoken"  # there was a talk with the number, or its draft was ended
    REPORT_MOVED = "report_moved"  # its report is not in the state that asks for the call
    ACCEPTED = "accepted"
    WARNED = "warned"  # a person has warned the operator
    NOT_REACHED = "not_reached"  # says who called
    LATE = "late"  # the machine could not make its calls in time: it is off, or has no line
    NOT_NEEDED = "not_needed"  # somebody says so


TASK_TABLE: dict[tuple[TaskState, TaskEvent], TaskState] = {
    (TaskState.WAITING, TaskEvent.TRIED): TaskState.WAITING,
    (TaskState.WAITING, TaskEvent.POSTPONED): TaskState.WAITING,
    (TaskState.WAITING, TaskEvent.TALKED): TaskState.WAITING,
    (TaskState.WAITING, TaskEvent.HANDED): TaskState.PERSON,
    (TaskState.WAITING, TaskEvent.SETTLED): TaskState.SETTLED,
    (TaskState.WAITING, TaskEvent.CANCELLED): TaskState.CANCELLED,
    (TaskState.PERSON, TaskEvent.TRIED): TaskState.PERSON,
    (TaskState.PERSON, TaskEvent.POSTPONED): TaskState.PERSON,
    (TaskState.PERSON, TaskEvent.TALKED): TaskState.PERSON,
    (TaskState.PERSON, TaskEvent.HANDED): TaskState.PERSON,  # told once more, with another reason
    (TaskState.PERSON, TaskEvent.SETTLED): TaskState.SETTLED,
    (TaskState.PERSON, TaskEvent.CANCELLED): TaskState.CANCELLED,
    # late: its call ended after it was settled otherwise
    (TaskState.SETTLED, TaskEvent.TRIED): TaskState.SETTLED,
    (TaskState.CANCELLED, TaskEvent.TRIED): TaskState.CANCELLED,
    (TaskState.SETTLED, TaskEvent.REOPENED): TaskState.WAITING,
    (TaskState.CANCELLED, TaskEvent.REOPENED): TaskState.WAITING,
}

_OPEN = sql("settled_at IS NULL")
_SETTLED = sql("settled_at IS NOT NULL")
_BY_WORD = sql("user_id IS NOT NULL AND attempt_id IS NULL")  # somebody told of it, and no call from here


class CallTask(Base):
    """A call that is to be made, whoever makes it. ``due_at`` is when it may next be tried, ``deadline_at`` until when
    it is to be settled: the one with the fewest hours left comes first."""

    __tablename__ = "call_tasks"
    __table_args__ = (
        # of each report, call and organisation at most one open task of a purpose
        Index(
            "uq_call_tasks_report",
            "purpose",
            "report_id",
            "organisation_id",
            unique=True,
            sqlite_where=sql("settled_at IS NULL AND report_id IS NOT NULL AND organisation_id IS NOT NULL"),
            postgresql_where=sql("settled_at IS NULL AND report_id IS NOT NULL AND organisation_id IS NOT NULL"),
        ),
        Index(
            "uq_call_tasks_applicant",
            "purpose",
            "report_id",
            unique=True,
            sqlite_where=sql("settled_at IS NULL AND report_id IS NOT NULL AND organisation_id IS NULL"),
            postgresql_where=sql("settled_at IS NULL AND report_id IS NOT NULL AND organisation_id IS NULL"),
        ),
        Index("uq_call_tasks_call", "call_id", unique=True),
        Index("ix_call_tasks_due", "state", "deadline_at", "id", sqlite_where=_OPEN, postgresql_where=_OPEN),
        Index("ix_call_tasks_number", "number", sqlite_where=_OPEN, postgresql_where=_OPEN),
        Index("ix_call_tasks_report_id", "report_id"),
        Index(
            "ix_call_tasks_outage_id",
            "outage_id",
            sqlite_where=sql("outage_id IS NOT NULL"),
            postgresql_where=sql("outage_id IS NOT NULL"),
        ),
        Index("ix_call_tasks_open", "purpose", "state", "due_at", sqlite_where=_OPEN, postgresql_where=_OPEN),
        Index(
            "ix_call_tasks_settled",
            "settled_at",
            "purpose",
            "state",
            sqlite_where=_SETTLED,
            postgresql_where=_SETTLED,
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    purpose: Mapped[Purpose] = mapped_column(String(16))
    state: Mapped[TaskState] = mapped_column(String(16), default=TaskState.WAITING)
    number: Mapped[str | None] = mapped_column(String(20))  # E.164
    report_id: Mapped[int | None] = mapped_column(ForeignKey("reports.id"))
    call_id: Mapped[int | None] = mapped_column(ForeignKey("calls.id"))  # the missed one
    organisation_id: Mapped[int | None] = mapped_column(ForeignKey("organisations.id"))
    outage_id: Mapped[int | None] = mapped_column(ForeignKey("outages.id"))  # that is over: is it back? (C7)
    asked_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))  # None: a rule
    words: Mapped[str] = mapped_column(Text, default="")  # what is to be asked, or said
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    due_at: Mapped[datetime] = mapped_column(UTCDateTime)
    deadline_at: Mapped[datetime] = mapped_column(UTCDateTime)
    why: Mapped[Why | None] = mapped_column(String(20))
    held_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))  # whose screen it is on
    held_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    settled_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    report: Mapped[Report | None] = relationship()
    call: Mapped[Call | None] = relationship()
    organisation: Mapped[Organisation | None] = relationship()
    asked_by: Mapped[User | None] = relationship(foreign_keys=[asked_by_id])
    held_by: Mapped[User | None] = relationship(foreign_keys=[held_by_id])
    events: Mapped[list["CallTaskEvent"]] = relationship(back_populates="task", order_by="CallTaskEvent.id")

    @property
    def open(self) -> bool:
        return self.settled_at is None

    @property
    def questions(self) -> list[str]:
        """What is to be asked in this call, one after the other."""
        return self.words.split("\n\n") if self.words else []

    def ask_also(self, question: str) -> None:
        """This is to be asked in the same call, after all else."""
        self.words = f"{self.words}\n\n{question}"

    def held(self, at: datetime) -> bool:
        """Whether somebody has it in hand: then neither the machine nor a colleague calls."""
        return self.held_until is not None and self.held_until > at

    def held_by_other(self, user: User, at: datetime) -> bool:
        """Whether somebody else than this person has it in hand."""
        return self.held(at) and self.held_by_id != user.id

    def let_go(self) -> None:
        """Nobody has it in hand any more."""
        self.held_by_id = self.held_until = None


class CallTaskEvent(Base):
    """One event of a task: who, when, why, from which state to which. Rows are only ever added (`models.kept`)."""

    __tablename__ = "call_task_events"
    __table_args__ = (Index("ix_call_task_events_by_word", "at", sqlite_where=_BY_WORD, postgresql_where=_BY_WORD),)

    id: Mapped[int] = mapped_column(primary_key=True)
    task_id: Mapped[int] = mapped_column(ForeignKey("call_tasks.id"), index=True)
    at: Mapped[datetime] = mapped_column(UTCDateTime)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))  # None: the system
    event: Mapped[TaskEvent] = mapped_column(String(16))
    from_state: Mapped[str] = mapped_column(String(16))
    to_state: Mapped[str] = mapped_column(String(16))
    why: Mapped[Why | None] = mapped_column(String(20))
    attempt_id: Mapped[int | None] = mapped_column(ForeignKey("call_attempts.id"))

    task: Mapped[CallTask] = relationship(back_populates="events")
    user: Mapped[User | None] = relationship()


@dataclass(frozen=True)
class Move:
    """What moves a task: the event, with who, why, and which attempt it came of."""

    event: TaskEvent
    user: User | None = None
    why: Why | None = None
    attempt_id: int | None = None


def add_task(session: Session, purpose: Purpose, at: datetime, deadline_at: datetime, **values: object) -> CallTask:
    """A new task, due at once, with the first row of its history."""
    task = CallTask(
        **{"purpose": purpose, "created_at": at, "due_at": at, "deadline_at": deadline_at, "state": TaskState.WAITING}
        | values
    )
    session.add(task)
    session.flush()
    _note(session, task, "", Move(TaskEvent.CREATED), at)
    return task


def open_question(session: Session, report_id: int) -> CallTask | None:
    """The call in which the report's applicant is to be asked something, while it is to be made (C4)."""
    return session.scalar(_question_of(report_id))


def lock_question(session: Session, report_id: int) -> CallTask | None:
    """As `open_question`, for who changes it: as it stands now, and nobody else settles it or adds to it meanwhile. A
    call's task is locked before its report."""
    session.flush()  # what this transaction has changed already is not read away
    return session.scalar(_question_of(report_id).with_for_update().execution_options(populate_existing=True))


def _question_of(report_id: int) -> Select:
    asked = (CallTask.report_id == report_id, CallTask.purpose == Purpose.CLARIFICATION, CallTask.settled_at.is_(None))
    return select(CallTask).where(*asked)


def promised() -> ColumnElement[bool]:
    """Of tasks: who was called asked the machine for a person and heard that one will call, and none has spoken with
    them since. It holds however often they are not reached."""
    promise, talk = aliased(CallTaskEvent), aliased(CallTaskEvent)
    talked = exists().where(
        talk.task_id == promise.task_id,
        talk.id > promise.id,
        or_(talk.event == TaskEvent.TALKED, talk.why == Why.OPTED_OUT),
    )
    asked = (promise.event == TaskEvent.HANDED, promise.why == Why.ASKED_FOR_PERSON)
    return exists().where(promise.task_id == CallTask.id, *asked, ~talked)


def is_promised(session: Session, task: CallTask) -> bool:
    """Whether this task is one of the `promised`."""
    return session.scalar(select(CallTask.id).where(CallTask.id == task.id, promised())) is not None


def move_task(session: Session, task: CallTask, move: Move, at: datetime) -> None:
    """Move the task, which is locked, by `TASK_TABLE`. Raises `IllegalMove` for what the table does not list."""
    before = task.state
    task.state = next_state("task", TASK_TABLE, TaskState(task.state), move.event)
    task.why = move.why or task.why
    if move.event == TaskEvent.REOPENED:
        task.settled_at = task.why = None
    if task.state in (TaskState.SETTLED, TaskState.CANCELLED):
        task.settled_at = task.settled_at or at
        task.let_go()
    _note(session, task, before, move, at)


def _note(session: Session, task: CallTask, before: str, move: Move, at: datetime) -> None:
    session.add(
        CallTaskEvent(
            task_id=task.id,
            at=at,
            user_id=move.user.id if move.user else None,
            event=move.event,
            from_state=before,
            to_state=task.state,
            why=move.why,
            attempt_id=move.attempt_id,
        )
    )
    if task.purpose == Purpose.HAND_OVER:
        announce(session, "report", task.report_id)  # how it goes stands on top of the desk
    announce(session, "board", 0)
