"""Calls: what the exchange tells us, kept so that the order in which it arrives does not matter.

The AGI script, the AMI listener and the CEL reconciler all report the same call, early, late or twice. A call is
found by the unique id of its inbound trunk channel; times are kept as the earliest (or latest) known; and the
state follows from the table below, in which every doubled or late event is a row.
"""

from collections.abc import Collection
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ColumnElement, ForeignKey, Index, String, false, or_, select, update
from sqlalchemy import text as sql
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship, selectinload

from models.base import Base, UTCDateTime, announce, insert_new
from models.hours import OutOfHours, branch_at
from models.lines import Line
from models.machine import next_state
from models.people import Phone
from models.workdays import WorkCalendar


class CallState(StrEnum):
    RINGING = "ringing"
    TALKING = "talking"
    ENDED = "ended"
    MISSED = "missed"
    AFFECTED = "affected"  # heard that there is an outage, and left before anybody's phone rang (C7)


LIVE_STATES = (CallState.RINGING, CallState.TALKING)
ERASED = "erased"  # stands instead of the number received once that was taken out (A3)
NUMBER_HELD = sql(f"number_received <> '{ERASED}'")


class CallEvent(StrEnum):
    ANSWERED = "answered"
    HUNG_UP = "hung_up"
    LEFT = "left"  # while an outage was announced, or by a key after it


CALL_TABLE: dict[tuple[CallState, CallEvent], CallState] = {
    (CallState.RINGING, CallEvent.ANSWERED): CallState.TALKING,
    (CallState.RINGING, CallEvent.HUNG_UP): CallState.MISSED,
    (CallState.TALKING, CallEvent.ANSWERED): CallState.TALKING,  # a transfer, a pickup, or the event twice
    (CallState.TALKING, CallEvent.HUNG_UP): CallState.ENDED,
    (CallState.ENDED, CallEvent.ANSWERED): CallState.ENDED,  # late
    (CallState.ENDED, CallEvent.HUNG_UP): CallState.ENDED,  # doubled
    (CallState.MISSED, CallEvent.ANSWERED): CallState.ENDED,  # late: a person did speak
    (CallState.MISSED, CallEvent.HUNG_UP): CallState.MISSED,  # doubled
    (CallState.RINGING, CallEvent.LEFT): CallState.AFFECTED,
    (CallState.MISSED, CallEvent.LEFT): CallState.AFFECTED,  # the hang-up was told first
    (CallState.AFFECTED, CallEvent.HUNG_UP): CallState.AFFECTED,
    (CallState.AFFECTED, CallEvent.LEFT): CallState.AFFECTED,  # doubled
    (CallState.AFFECTED, CallEvent.ANSWERED): CallState.ENDED,  # a person did speak
    (CallState.TALKING, CallEvent.LEFT): CallState.TALKING,
    (CallState.ENDED, CallEvent.LEFT): CallState.ENDED,
}


class Call(Base):
    """An inbound call to a line (I1)."""

    __tablename__ = "calls"
    __table_args__ = (
        Index("ix_calls_number_started", "number", "started_at"),
        Index("ix_calls_held", "started_at", sqlite_where=NUMBER_HELD, postgresql_where=NUMBER_HELD),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    uniqueid: Mapped[str] = mapped_column(String(64), unique=True)
    line_id: Mapped[int | None] = mapped_column(ForeignKey("lines.id"))
    number_received: Mapped[str] = mapped_column(String(128), default="")
    number: Mapped[str | None] = mapped_column(String(20))  # E.164, None when it cannot be understood
    caller_name: Mapped[str] = mapped_column(String(128), default="")
    state: Mapped[CallState] = mapped_column(String(16), default=CallState.RINGING, index=True)
    started_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)
    answered_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    answered_by_id: Mapped[int | None] = mapped_column(ForeignKey("phones.id"))  # who answered first
    talking_to_id: Mapped[int | None] = mapped_column(ForeignKey("phones.id"))  # who has the call, after transfers
    ended_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    cause: Mapped[int | None]  # Q.850 hangup cause
    recovered: Mapped[bool] = mapped_column(default=False)  # first heard of from the CEL file
    # they hear of an outage (C7), or out of hours the hours (I2), before any phone rings
    announced: Mapped[bool] = mapped_column(default=False, server_default=false())
    # the later contact, in or out (C1)
    settled_by_id: Mapped[int | None] = mapped_column(ForeignKey("calls.id"))
    settled_by_attempt_id: Mapped[int | None] = mapped_column(ForeignKey("call_attempts.id"))
    settled_by_user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))  # by whose word

    line: Mapped[Line | None] = relationship()
    answered_by: Mapped[Phone | None] = relationship(foreign_keys=[answered_by_id])
    talking_to: Mapped[Phone | None] = relationship(foreign_keys=[talking_to_id])
    legs: Mapped[list["CallLeg"]] = relationship(back_populates="call")

    @hybrid_property
    def settled(self) -> bool:
        """Whether there was a later contact with the number, or somebody says that none is needed (C1)."""
        settled_by = (self.settled_by_id, self.settled_by_attempt_id, self.settled_by_user_id)
        return any(one is not None for one in settled_by)

    @settled.inplace.expression
    @classmethod
    def _settled(cls) -> ColumnElement[bool]:
        settled_by = (cls.settled_by_id, cls.settled_by_attempt_id, cls.settled_by_user_id)
        return or_(*(one.is_not(None) for one in settled_by))

    @property
    def listens(self) -> bool:
        """Whether they hear of an outage (C7) or the hours (I2) now, or leave a message, and no phone rings yet or any
        more."""
        return self.announced and self.state == CallState.RINGING and all(leg.ended_at for leg in self.legs)

    def asked_for_duty(self, calendar: WorkCalendar) -> bool:
        """Whether the line was closed, and a key after the hours rang the duty phone alone (I2)."""
        line = self.line
        if not self.announced or line is None or line.duty_phone_id is None or line.out_of_hours != OutOfHours.MESSAGE:
            return False
        alone = {leg.phone_id for leg in self.legs} == {line.duty_phone_id}
        return alone and not branch_at(line, self.started_at, calendar).open


class CallLeg(Base):
    """One phone that rang for a call; found by the unique id of its own channel."""

    __tablename__ = "call_legs"

    id: Mapped[int] = mapped_column(primary_key=True)
    call_id: Mapped[int] = mapped_column(ForeignKey("calls.id"), index=True)
    uniqueid: Mapped[str] = mapped_column(String(64), unique=True)
    phone_id: Mapped[int | None] = mapped_column(ForeignKey("phones.id"))
    rang_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    answered_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    call: Mapped[Call] = relationship(back_populates="legs")
    phone: Mapped[Phone | None] = relationship()


def earliest(known: datetime | None, told: datetime) -> datetime:
    return told if known is None else min(known, told)


def latest(known: datetime | None, told: datetime) -> datetime:
    return told if known is None else max(known, told)


def find_call(session: Session, uniqueid: str) -> Call | None:
    """The call whose inbound trunk channel has this unique id, locked until the transaction ends.

    Two processes may tell different facts of one call at once; SQLite has taken its only write lock already.
    """
    return find_calls(session, {uniqueid}).get(uniqueid)


def find_calls(session: Session, uniqueids: set[str]) -> dict[str, Call]:
    """The calls with these unique ids, with their legs, locked in one order until the transaction ends."""
    query = select(Call).where(Call.uniqueid.in_(uniqueids)).order_by(Call.id).options(selectinload(Call.legs))
    return {call.uniqueid: call for call in session.scalars(query.with_for_update())}


def note_ringing(session: Session, call: Call, leg_uniqueid: str, phone: Phone | None, at: datetime) -> None:
    """A phone rings for ``call``. Doubled and late reports change nothing but the earliest time."""
    leg = _find_or_make_leg(session, call, leg_uniqueid, phone)
    leg.rang_at = earliest(leg.rang_at, at)
    announce(session, "call", call.id)


def note_leg_ended(session: Session, call: Call, leg_uniqueid: str, phone: Phone | None, at: datetime) -> None:
    """A phone stopped ringing, or hung up. Heard of before the ringing, it is kept: a late ring opens nothing again.

    The end of dialling and the hang-up prove the same end, some milliseconds apart: the earliest counts. Screens hear
    of it while the call rings: who rings is of no interest once somebody speaks.
    """
    leg = _find_or_make_leg(session, call, leg_uniqueid, phone)
    leg.ended_at = earliest(leg.ended_at, at)
    if call.state == CallState.RINGING:
        announce(session, "call", call.id)


def _find_or_make_leg(session: Session, call: Call, uniqueid: str, phone: Phone | None) -> CallLeg:
    for leg in call.legs:
        if leg.uniqueid == uniqueid:
            return leg
    leg = insert_new(session, CallLeg, call_id=call.id, uniqueid=uniqueid, phone_id=phone.id if phone else None)
    if leg is None:  # it rang for another call first, or another process was quicker (PostgreSQL)
        return session.scalars(select(CallLeg).where(CallLeg.uniqueid == uniqueid)).one()
    call.legs.append(leg)
    return leg


def note_answered(session: Session, call: Call, leg_uniqueid: str, phone: Phone | None, at: datetime) -> bool:
    """A person lifted the receiver. The first who did is ``answered_by``, the latest ``talking_to``.

    Returns whether this is news: told again, it changes nothing but the earliest time.
    """
    leg = _find_or_make_leg(session, call, leg_uniqueid, phone)
    news = leg.answered_at is None
    leg.rang_at = earliest(leg.rang_at, at)
    leg.answered_at = earliest(leg.answered_at, at)
    answered = [known for known in {leg, *call.legs} if known.answered_at is not None]
    answered.sort(key=lambda leg: (leg.answered_at, leg.uniqueid))
    call.answered_at, call.answered_by_id = answered[0].answered_at, answered[0].phone_id
    call.talking_to_id = answered[-1].phone_id
    move_call(session, call, CallEvent.ANSWERED)
    settle_missed(session, call)
    return news


def note_hung_up(session: Session, call: Call, at: datetime, cause: int | None) -> None:
    """The citizen's channel is gone: the call is over, and was missed if no person spoke.

    An end without a cause is a guess (`close_lost_calls`); it gives way to what the exchange says.
    """
    guessed_before = call.ended_at is not None and call.cause is None
    if cause is not None and guessed_before:
        call.ended_at = at
    elif cause is not None or call.cause is None:
        call.ended_at = latest(call.ended_at, at)
    call.cause = call.cause if cause is None else cause
    move_call(session, call, CallEvent.HUNG_UP)
    if call.state == CallState.MISSED and call.number is not None:
        session.flush()  # `settle_missed` looks for it
        later = session.scalar(
            select(Call)
            .where(Call.number == call.number, Call.started_at > call.started_at, Call.answered_at.is_not(None))
            .limit(1)
        )
        if later is not None:
            call.settled_by_id = later.id


def move_call(session: Session, call: Call, event: CallEvent) -> None:
    """Move the call by the table; raises `IllegalMove` for what the table does not list."""
    call.state = next_state("call", CALL_TABLE, CallState(call.state), event)
    announce(session, "call", call.id)


def settle_missed(session: Session, call: Call) -> None:
    """A person has spoken with this number: its earlier missed calls need no call-back any more (C1)."""
    if call.number is None:
        return
    session.execute(
        update(Call)
        .where(
            Call.number == call.number,
            Call.state == CallState.MISSED,
            ~Call.settled,
            Call.started_at <= call.started_at,
            Call.id != call.id,
        )
        .values(settled_by_id=call.id)
    )


def close_lost_calls(session: Session, systemname: str, live_uniqueids: Collection[str], at: datetime) -> None:
    """End every call and every ring of this exchange that we believe live, and that it did not know at ``at``.

    The hang-up never came (a cut connection, a restart of the exchange); without this a call stays "live" for months.
    ``systemname`` is what the exchange puts before its unique ids: another site's calls are not ours to end.
    """
    session.flush()
    ours = Call.uniqueid.startswith(f"{systemname}-", autoescape=True)
    query = select(Call).where(Call.state.in_(LIVE_STATES), Call.started_at < at, ours).order_by(Call.id)
    believed = session.scalars(query.with_for_update()).all()  # another process may be told of an answer now
    for call in believed:
        if call.uniqueid not in live_uniqueids:
            note_hung_up(session, call, at, None)
    ringing = {call.id: call for call in believed if call.state == CallState.RINGING}
    for leg in session.scalars(
        select(CallLeg).where(CallLeg.call_id.in_(ringing), CallLeg.ended_at.is_(None), CallLeg.rang_at < at)
    ).all():
        if leg.uniqueid not in live_uniqueids:
            note_leg_ended(session, ringing[leg.call_id], leg.uniqueid, None, at)
