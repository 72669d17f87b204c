"""Who else has a citizen on the telephone, or has just called them: whoever is to call them is warned (C1, C2, C4)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ColumnElement, and_, exists, or_, select
from sqlalchemy.orm import Session, aliased, joinedload

from models.attempts import Attempt
from models.calls import Call, CallState
from models.calltasks import CallTask
from models.leases import live_calls
from models.own_calls import HELD
from models.people import Phone, User


class Doing(StrEnum):
    """What another does with the citizen whom a task is about."""

    CALLS = "calls"
    SPEAKS = "speaks"
    RINGS_US = "rings_us"  # the citizen's own call, which nobody has answered yet
    HAS_CALLED = "has_called"  # and has not recorded what came of it


@dataclass(frozen=True)
class Other:
    """What goes on, since when, and ``who`` does it: None is the machine, or nobody yet."""

    doing: Doing
    since: datetime
    who: str | None = None


def other_with_them(session: Session, task: CallTask, user: User, at: datetime) -> Other | None:
    """What another does with the citizen of this task now, whatever their call is about."""
    if task.number is not None:
        ours = select(Attempt).where(Attempt.number == task.number, *_calls_of_others(Attempt, user))
        attempt = session.scalars(ours.order_by(Attempt.id).options(joinedload(Attempt.user)).limit(1)).first()
        if attempt is not None:
            doing = Doing.SPEAKS if attempt.answered_at else Doing.CALLS
            since = attempt.answered_at or attempt.dialled_at or attempt.planned_at
            return Other(doing, since, attempt.user.name if attempt.user else None)
        theirs = select(Call).where(Call.number == task.number, *live_calls(at)).order_by(Call.id.desc())
        call = session.scalars(theirs.options(joinedload(Call.talking_to).joinedload(Phone.user)).limit(1)).first()
        if call is not None and not (call.talking_to and call.talking_to.user_id == user.id):
            return _of_call(call)
    if task.open and task.held_by_other(user, at):
        return Other(Doing.HAS_CALLED, task.held_until - HELD, task.held_by.name)
    return None


def _of_call(call: Call) -> Other:
    if call.state != CallState.TALKING or call.talking_to is None:
        return Other(Doing.RINGS_US, call.started_at)
    phone = call.talking_to
    return Other(Doing.SPEAKS, call.answered_at or call.started_at, phone.user.name if phone.user else phone.title)


def not_to_be_offered(user: User, at: datetime) -> ColumnElement[bool]:
    """Of tasks: put off to later, on a colleague's screen, or their citizen being called by somebody else."""
    going_on = aliased(Attempt)
    return or_(
        CallTask.due_at > at,
        and_(CallTask.held_by_id.is_not(None), CallTask.held_by_id != user.id, CallTask.held_until > at),
        exists().where(going_on.number == CallTask.number, *_calls_of_others(going_on, user)),
    )


def _calls_of_others(attempt: type[Attempt], user: User) -> tuple[ColumnElement[bool], ...]:
    """Of attempts: those that go on and are not this person's."""
    return attempt.settled_at.is_(None), or_(attempt.user_id.is_(None), attempt.user_id != user.id)
