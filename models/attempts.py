"""Attempts to reach a citizen: each is dialled at most once, and settled by what the exchange tells (C5).

What moves an attempt stands in `ATTEMPT_TABLE`. It is dialled by whoever turns it from *planned* to *dialling*, and
that can be done once; one that got lost becomes *unknown*, and is never dialled again.
"""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String, select
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from models.base import Base, UTCDateTime, announce, one_at_a_time
from models.calling import Outcome, outcome_of
from models.calls import earliest
from models.calltasks import CallTask, Why
from models.lines import Line
from models.machine import next_state
from models.people import Phone, User


class AttemptState(StrEnum):
    PLANNED = "planned"
    DIALLING = "dialling"
    TALKING = "talking"
    SETTLED = "settled"
    UNKNOWN = "unknown"
    CANCELLED = "cancelled"


NOTE_STOPPED = "stopped"  # the note of an attempt whose call the red button ends
DIALLING_LOCK = 0xD1A1  # the lock of who plans and dials, and of who forbids it
LIVE_ATTEMPTS = (AttemptState.PLANNED, AttemptState.DIALLING, AttemptState.TALKING)


class AttemptEvent(StrEnum):
    DIALLED = "dialled"
    ANSWERED = "answered"  # by the citizen's end
    ENDED = "ended"
    LOST = "lost"  # nobody told how it ended, and the exchange knows nothing of it
    WITHDRAWN = "withdrawn"  # before it was dialled


ATTEMPT_TABLE: dict[tuple[AttemptState, AttemptEvent], AttemptState] = {
    (AttemptState.PLANNED, AttemptEvent.DIALLED): AttemptState.DIALLING,
    (AttemptState.PLANNED, AttemptEvent.WITHDRAWN): AttemptState.CANCELLED,
    (AttemptState.DIALLING, AttemptEvent.ANSWERED): AttemptState.TALKING,
    (AttemptState.DIALLING, AttemptEvent.ENDED): AttemptState.SETTLED,
    (AttemptState.DIALLING, AttemptEvent.LOST): AttemptState.UNKNOWN,
    (AttemptState.TALKING, AttemptEvent.ANSWERED): AttemptState.TALKING,  # doubled
    (AttemptState.TALKING, AttemptEvent.ENDED): AttemptState.SETTLED,
    (AttemptState.TALKING, AttemptEvent.LOST): AttemptState.UNKNOWN,
    (AttemptState.SETTLED, AttemptEvent.ANSWERED): AttemptState.SETTLED,  # late
    (AttemptState.SETTLED, AttemptEvent.ENDED): AttemptState.SETTLED,  # doubled
    (AttemptState.SETTLED, AttemptEvent.LOST): AttemptState.SETTLED,
    (AttemptState.UNKNOWN, AttemptEvent.ANSWERED): AttemptState.UNKNOWN,
    (AttemptState.UNKNOWN, AttemptEvent.ENDED): AttemptState.SETTLED,  # the truth came late
    (AttemptState.UNKNOWN, AttemptEvent.LOST): AttemptState.UNKNOWN,
    (AttemptState.CANCELLED, AttemptEvent.WITHDRAWN): AttemptState.CANCELLED,  # doubled
}


class End(StrEnum):
    """Whose end of an attempt's call a channel is."""

    OURS = "ours"  # the desk phone of who calls, or to which the machine puts somebody through
    THEIRS = "theirs"


class Attempt(Base):
    """One call to one number, by a person (``user``, from their ``phone``) or by the machine (no user)."""

    __tablename__ = "call_attempts"
    __table_args__ = (
        Index("ix_call_attempts_number_planned", "number", "planned_at"),
        Index(
            "ix_call_attempts_live",
            "planned_at",
            sqlite_where=sql("settled_at IS NULL"),
            postgresql_where=sql("settled_at IS NULL"),
        ),
        Index("ix_call_attempts_settled_at", "settled_at"),
        Index(
            "ix_call_attempts_number_held",
            "planned_at",
            sqlite_where=sql("number <> ''"),
            postgresql_where=sql("number <> ''"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(String(20))  # E.164
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    phone_id: Mapped[int | None] = mapped_column(ForeignKey("phones.id"))
    state: Mapped[AttemptState] = mapped_column(String(16), default=AttemptState.PLANNED)
    outcome: Mapped[Outcome | None] = mapped_column(String(16))
    cause: Mapped[int | None]  # Q.850, of the citizen's channel
    planned_at: Mapped[datetime] = mapped_column(UTCDateTime)
    dialled_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    lifted_at: Mapped[datetime | None] = mapped_column(UTCDateTime)  # our own phone
    ringing_at: Mapped[datetime | None] = mapped_column(UTCDateTime)  # the citizen's
    answered_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    settled_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    keys: Mapped[str] = mapped_column(String(32), default="")  # what was pressed, in order
    note: Mapped[str] = mapped_column(String(32), default="")  # why it was withdrawn, or that we ended it

    user: Mapped[User | None] = relationship()
    phone: Mapped[Phone | None] = relationship()
    parts: Mapped[list["AttemptTask"]] = relationship(back_populates="attempt", order_by="AttemptTask.place")

    @property
    def by_machine(self) -> bool:
        return self.user_id is None

    @property
    def tasks(self) -> list[CallTask]:
        return [part.task for part in self.parts]


class AttemptTask(Base):
    """A task that an attempt is about: one call covers all that is to be asked of one person (C5)."""

    __tablename__ = "call_attempt_tasks"

    attempt_id: Mapped[int] = mapped_column(ForeignKey("call_attempts.id"), primary_key=True)
    task_id: Mapped[int] = mapped_column(ForeignKey("call_tasks.id"), primary_key=True, index=True)
    place: Mapped[int]
    key: Mapped[str] = mapped_column(String(1), default="")  # the answer

    attempt: Mapped[Attempt] = relationship(back_populates="parts")
    task: Mapped[CallTask] = relationship()


class LineSlot(Base):
    """One line of the trunk that a call of ours may take, leased to an attempt until ``until`` (C6)."""

    __tablename__ = "line_slots"

    slot: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    attempt_id: Mapped[int | None] = mapped_column(ForeignKey("call_attempts.id"), unique=True)
    until: Mapped[datetime | None] = mapped_column(UTCDateTime)


class NeverByMachine(Base):
    """A number that does not want to be called by a machine."""

    __tablename__ = "never_by_machine"

    number: Mapped[str] = mapped_column(String(20), primary_key=True)
    at: Mapped[datetime] = mapped_column(UTCDateTime)
    attempt_id: Mapped[int | None] = mapped_column(ForeignKey("call_attempts.id"))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))


class MachineSwitch(Base):
    """Somebody switched the machine's calls on or off; the last row counts, and without one they are off."""

    __tablename__ = "machine_switches"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(UTCDateTime)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    on: Mapped[bool]

    user: Mapped[User] = relationship()


def find_attempt(session: Session, attempt_id: int) -> Attempt | None:
    """The attempt, locked until the transaction ends; SQLite has taken its only write lock already."""
    return session.scalar(select(Attempt).where(Attempt.id == attempt_id).with_for_update())


def move_attempt(session: Session, attempt: Attempt, event: AttemptEvent, at: datetime) -> None:
    """Move the attempt by `ATTEMPT_TABLE`. Raises `IllegalMove` for what the table does not list."""
    attempt.state = next_state("attempt", ATTEMPT_TABLE, AttemptState(attempt.state), event)
    if event not in (AttemptEvent.DIALLED, AttemptEvent.ANSWERED):  # an answer that is told late ends nothing
        attempt.settled_at = earliest(attempt.settled_at, at)
    announce(session, "board", 0)


def line_to_call_back(session: Session, attempt: Attempt) -> Line | None:
    """The line that the citizen calls back when they see who has called: the one they had called, else the first."""
    for task in attempt.tasks:
        if task.report is not None and task.report.line is not None:
            return task.report.line
        if task.call is not None and task.call.line is not None:
            return task.call.line
    return session.scalar(select(Line).where(Line.active).order_by(Line.number).limit(1))


def machine_outcomes(session: Session, task: CallTask) -> list[Outcome]:
    """How the machine's attempts at this task ended, in order; of several questions in one call each has its own.

    One without a key in a call that was answered ended as the call would have without the other keys: where our
    trouble or the red button broke it off, nobody kept silent.
    """
    session.flush()
    query = (
        select(Attempt.outcome, Attempt.cause, Attempt.note, AttemptTask.key)
        .join(Attempt.parts)
        .where(AttemptTask.task_id == task.id)
        .where(Attempt.user_id.is_(None), Attempt.outcome.is_not(None))
    )
    return [
        how_it_ended(cause, note, answered=True) if outcome == Outcome.ANSWERED and not key else Outcome(outcome)
        for outcome, cause, note, key in session.execute(query.order_by(Attempt.id))
    ]


def how_it_ended(cause: int | None, note: str, *, answered: bool, key: bool = False) -> Outcome:
    """`outcome_of`, where we may have ended the call ourselves."""
    return Outcome.STOPPED if note == NOTE_STOPPED and not key else outcome_of(cause, answered=answered, key=key)


def why_given_up(last: Outcome) -> Why:
    """Why a person decides, where nobody is called again after this outcome."""
    return {Outcome.BAD_NUMBER: Why.BAD_NUMBER, Outcome.UNKNOWN: Why.UNKNOWN}.get(last, Why.TRIES_OVER)


def last_switch(session: Session) -> MachineSwitch | None:
    return session.scalar(select(MachineSwitch).order_by(MachineSwitch.id.desc()).limit(1))


def machine_is_on(session: Session) -> bool:
    switch = last_switch(session)
    return switch is not None and switch.on


def switch_machine(session: Session, user: User, at: datetime, *, on: bool) -> None:
    """Switch the machine's calls on, or stop them all; nothing that is planned is dialled after a stop (C5)."""
    one_at_a_time(session, DIALLING_LOCK)
    session.add(MachineSwitch(at=at, user_id=user.id, on=on))
    announce(session, "board", 0)
