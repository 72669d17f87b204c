"""The trunk's lines: which our calls have taken, and how many are left, one of them for the citizen who calls (C6)."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from models.attempts import Attempt, LineSlot
from models.calls import LIVE_STATES, Call

LEASE = timedelta(minutes=10)  # renewed while the call goes on; what nobody knows of any more gives its line back
LONGEST_TALK = timedelta(hours=4)


@dataclass(frozen=True)
class Lines:
    """How many lines the trunk has, and how many of them stay free for citizens (C6)."""

    capacity: int = 3
    reserved: int = 1


def free_lines(session: Session, lines: Lines, at: datetime) -> int:
    """How many calls of ours may begin: a line is left for the citizen who calls now, whoever talks already (C6)."""
    inbound = session.scalar(select(func.count()).where(*live_calls(at))) or 0
    leased = session.scalar(select(func.count()).where(LineSlot.until > at)) or 0
    return lines.capacity - lines.reserved - inbound - leased


def live_calls(at: datetime) -> tuple[ColumnElement[bool], ...]:
    """Calls of citizens that go on; one whose end nobody ever tells, of an exchange that is gone, takes no line."""
    return Call.state.in_(LIVE_STATES), Call.started_at > at - LONGEST_TALK


def lease_line(session: Session, lines: Lines, attempt: Attempt, at: datetime) -> None:
    """The attempt takes a line, for `LEASE` at first."""
    slots = session.scalars(select(LineSlot).order_by(LineSlot.slot).with_for_update()).all()
    known = {slot.slot for slot in slots}
    free = [slot for slot in slots if slot.until is None or slot.until <= at]
    if free:
        slot = free[0]
    else:
        slot = LineSlot(slot=next(number for number in range(1, lines.capacity + 2) if number not in known))
        session.add(slot)
    slot.attempt_id, slot.until = attempt.id, at + LEASE
    session.flush()


def renew_lines(session: Session, attempt_ids: Collection[int], at: datetime) -> None:
    """The calls of these attempts go on, however long: their lines stay theirs."""
    going_on = LineSlot.attempt_id.in_(attempt_ids), LineSlot.until < at + LEASE / 2
    session.execute(update(LineSlot).where(*going_on).values(until=at + LEASE))


def release_line(session: Session, attempt_id: int) -> None:
    """The attempt's call is over, or not made: its line is free."""
    session.execute(update(LineSlot).where(LineSlot.attempt_id == attempt_id).values(attempt_id=None, until=None))
