"""Which call is made next, whether a line is free for it, and whether it may still be dialled (C5, C6).

Two steps, each a transaction of its own. `plan_calls` makes attempts of the tasks that are due and leases each a line;
`claim` turns one of them from *planned* to *dialling*, once, after it has asked everything again that may have changed
meanwhile. Who plans and who dials are two processes, and each goes by its own clock: a call is made only where both
agree.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session, selectinload

from models.attempts import (
    DIALLING,
    LIVE_ATTEMPTS,
    Attempt,
    AttemptEvent,
    AttemptState,
    AttemptTask,
    LineSlot,
    NeverByMachine,
    find_attempt,
    machine_is_on,
    move_attempt,
)
from models.base import announce, one_at_a_time
from models.calling import Outcome, Rules, free_again, may_be_dialled
from models.calls import LIVE_STATES, Call
from models.calltasks import CallTask, Move, Purpose, TaskEvent, TaskState, Why, move_task
from models.people import User
from models.reports import ReportState
from models.workdays import WorkCalendar

BY_MACHINE = (Purpose.STATUS_CHECK, Purpose.HAND_OVER)
ANY_HOUR = (Purpose.HAND_OVER,)  # an emergency does not wait for the morning
TOGETHER = 4  # reports that one call asks about
LEASE = timedelta(minutes=10)
PROMPT = timedelta(seconds=30)  # within which what was planned is dialled, or planned anew
_LOOKED_AT = 100  # tasks

# in which state of its report a task's call makes sense
_REPORT_STATES = {
    Purpose.STATUS_CHECK: {ReportState.DONE},
    Purpose.CLARIFICATION: {ReportState.NEW, ReportState.IN_PROGRESS, ReportState.REASONS_GIVEN, ReportState.DONE},
    Purpose.HAND_OVER: {ReportState.NEW, ReportState.IN_PROGRESS},
    Purpose.WARN_OPERATOR: {ReportState.NEW, ReportState.IN_PROGRESS},
}


class Refusal(StrEnum):
    """Why a call is not made."""

    NUMBER = "number"  # not one that is ever dialled
    STOPPED = "stopped"  # machine calls are off
    HOURS = "hours"
    OPTED_OUT = "opted_out"
    BUDGET = "budget"
    NO_LINE = "no_line"
    TRUNK = "trunk"
    ALREADY = "already"  # another call with the number is going on
    TASK_OVER = "task_over"  # settled, cancelled, or its report moved on
    NUMBER_CHANGED = "number_changed"
    STALE = "stale"  # planned too long ago, or one of the two clocks is wrong
    HELD = "held"  # it is on a colleague's screen
    EXCHANGE = "exchange"  # it is away
    VOICE = "voice"  # there is none: nobody is rung up by a silent machine


class Refused(Exception):
    """The call is not made; nothing was dialled."""

    def __init__(self, why: Refusal) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True)
class Lines:
    """How many lines the trunk has, and how many of them stay free for citizens (C6)."""

    capacity: int = 3
    reserved: int = 1


@dataclass(frozen=True)
class Dialler:
    """What the rules go by: the town's rules, its lines, its working calendar."""

    rules: Rules
    lines: Lines
    calendar: WorkCalendar


def plan_calls(session: Session, dialler: Dialler, at: datetime, most: int = 10) -> list[int]:
    """Plan the machine calls that may begin now, the fewest hours left first; their attempts' ids.

    Tasks of which the number is not to be called yet are put off, so that they are not looked at again until then.
    """
    one_at_a_time(session, DIALLING)
    if not machine_is_on(session) or trunk_pauses(session, dialler.rules, at):
        return []
    open_now = dialler.rules.window.is_open(at, dialler.calendar)
    purposes = BY_MACHINE if open_now else ANY_HOUR
    planned: list[int] = []
    while len(planned) < most and free_lines(session, dialler.lines, at) > 0:
        attempt = _plan_next(session, dialler, purposes, at)
        if attempt is None:
            break
        planned.append(attempt.id)
    return planned


def machine_calls_due(session: Session, at: datetime) -> bool:
    """Whether the machine is on and has a task whose time has come. Only reads: it is asked every second."""
    due = select(CallTask.id).where(*_due(at), CallTask.purpose.in_(BY_MACHINE))
    return machine_is_on(session) and session.scalar(due.limit(1)) is not None


def _due(at: datetime) -> tuple[ColumnElement[bool], ...]:
    return CallTask.settled_at.is_(None), CallTask.state == TaskState.WAITING, CallTask.due_at <= at


def _plan_next(session: Session, dialler: Dialler, purposes: Sequence[Purpose], at: datetime) -> Attempt | None:
    due = select(CallTask).where(*_due(at), CallTask.purpose.in_(purposes))
    for task in session.scalars(due.order_by(CallTask.deadline_at, CallTask.id).limit(_LOOKED_AT)):
        if task.held_until is not None and task.held_until > at:
            continue
        tasks = [task, *_others_of(session, task)]
        try:
            check_call(session, dialler, task.number, tasks, at, by=None)
        except Refused as refused:
            _put_off(session, dialler, tasks, refused.why, at)
            continue
        return _make_attempt(session, dialler, task.number, tasks, at)
    return None


def _others_of(session: Session, task: CallTask) -> list[CallTask]:
    """What else is to be asked of the same person: one call covers it (C5)."""
    if task.purpose != Purpose.STATUS_CHECK:
        return []
    query = select(CallTask).where(
        CallTask.settled_at.is_(None),
        CallTask.state == TaskState.WAITING,
        CallTask.purpose == task.purpose,
        CallTask.number == task.number,
        CallTask.id != task.id,
    )
    return list(session.scalars(query.order_by(CallTask.deadline_at, CallTask.id).limit(TOGETHER - 1)))


def _put_off(session: Session, dialler: Dialler, tasks: Sequence[CallTask], why: Refusal, at: datetime) -> None:
    """What the refusal means for the tasks: later, or never by machine."""
    if why in (Refusal.NUMBER, Refusal.OPTED_OUT):
        reason = Why.NO_NUMBER if why == Refusal.NUMBER else Why.OPTED_OUT
        for task in tasks:
            move_task(session, task, Move(TaskEvent.HANDED, why=reason), at)
    elif why == Refusal.BUDGET:
        later = free_again(machine_calls_to(session, tasks[0].number, at), at, dialler.rules)
        for task in tasks:
            task.due_at = max(task.due_at, dialler.rules.window.next_open(later, dialler.calendar))
    elif why in (Refusal.ALREADY, Refusal.TASK_OVER, Refusal.NUMBER_CHANGED):  # `models.task_rules` puts these right
        for task in tasks:
            task.due_at = at + timedelta(minutes=1)


def plan_own_call(session: Session, dialler: Dialler, task: CallTask, user: User, at: datetime) -> Attempt:
    """Plan a call of a person to a citizen: their own phone rings first. Raises `Refused`."""
    one_at_a_time(session, DIALLING)
    if task.held_by_id not in (None, user.id) and task.held_until is not None and task.held_until > at:
        raise Refused(Refusal.HELD)
    tasks = [task, *_others_of(session, task)]
    check_call(session, dialler, task.number, tasks, at, by=user)
    if free_lines(session, dialler.lines, at) < 1:
        raise Refused(Refusal.NO_LINE)
    return _make_attempt(session, dialler, task.number, tasks, at, user)


def check_call(
    session: Session,
    dialler: Dialler,
    number: str | None,
    tasks: Sequence[CallTask],
    at: datetime,
    *,
    by: User | None,
    besides: int | None = None,
) -> None:
    """Raise `Refused` where the number may not be called about these tasks now. ``by`` None: by the machine.

    ``besides`` is the attempt itself, when it is planned already. A person may call at any hour and as often as the
    talk needs: the hours, the budget, the switch and the opt-out bind the machine.
    """
    if not may_be_dialled(number):
        raise Refused(Refusal.NUMBER)
    for task in tasks:
        _check_task(task)
    going_on = select(Attempt.id).where(
        Attempt.number == number, Attempt.settled_at.is_(None), Attempt.id != (besides or 0)
    )
    live = select(Call.id).where(Call.number == number, Call.state.in_(LIVE_STATES))
    if session.scalar(going_on.limit(1)) is not None or session.scalar(live.limit(1)) is not None:
        raise Refused(Refusal.ALREADY)
    if by is not None:
        return
    if not machine_is_on(session):
        raise Refused(Refusal.STOPPED)
    if session.get(NeverByMachine, number) is not None:
        raise Refused(Refusal.OPTED_OUT)
    if tasks[0].purpose in ANY_HOUR:
        return
    if not dialler.rules.window.is_open(at, dialler.calendar):
        raise Refused(Refusal.HOURS)
    if free_again(machine_calls_to(session, number, at, besides), at, dialler.rules) > at:
        raise Refused(Refusal.BUDGET)


def _check_task(task: CallTask) -> None:
    if not task.open:
        raise Refused(Refusal.TASK_OVER)
    if task.report is None or task.purpose not in _REPORT_STATES:
        return
    if task.report.state not in _REPORT_STATES[task.purpose]:
        raise Refused(Refusal.TASK_OVER)
    if task.organisation_id is None and task.number != task.report.contact_number:
        raise Refused(Refusal.NUMBER_CHANGED)


def _make_attempt(
    session: Session,
    dialler: Dialler,
    number: str,
    tasks: Sequence[CallTask],
    at: datetime,
    user: User | None = None,
) -> Attempt:
    attempt = Attempt(
        number=number,
        planned_at=at,
        user_id=user.id if user else None,
        phone_id=user.phone.id if user and user.phone else None,
        state=AttemptState.PLANNED,
    )
    session.add(attempt)
    session.flush()
    session.add_all(
        AttemptTask(attempt_id=attempt.id, task_id=task.id, place=place) for place, task in enumerate(tasks, 1)
    )
    _lease(session, dialler.lines, attempt, at)
    announce(session, "attempt", attempt.id)
    return attempt


def machine_calls_to(session: Session, number: str, at: datetime, besides: int | None = None) -> list[datetime]:
    """When the machine called the number in the last two days; what did not get out of the trunk is no call."""
    query = select(Attempt.dialled_at).where(
        Attempt.number == number,
        Attempt.user_id.is_(None),
        Attempt.planned_at > at - timedelta(days=2),
        Attempt.dialled_at.is_not(None),
        func.coalesce(Attempt.outcome, "") != Outcome.TRUNK_TROUBLE,
        Attempt.id != (besides or 0),
    )
    return list(session.scalars(query))


def trunk_pauses(session: Session, rules: Rules, at: datetime) -> bool:
    """Whether the last machine calls all failed for trouble of the trunk, so that for a while none is made."""
    last = session.execute(
        select(Attempt.outcome, Attempt.settled_at)
        .where(Attempt.settled_at.is_not(None), Attempt.outcome.is_not(None))
        .order_by(Attempt.settled_at.desc())
        .limit(rules.trunk_failures)
    ).all()
    if len(last) < rules.trunk_failures or any(outcome != Outcome.TRUNK_TROUBLE for outcome, _at in last):
        return False
    return at < last[0].settled_at + rules.trunk_pause


# ---- lines


def free_lines(session: Session, lines: Lines, at: datetime) -> int:
    """How many calls of ours may begin: a line is left for the citizen who calls now, whoever talks already (C6)."""
    inbound = session.scalar(select(func.count()).where(Call.state.in_(LIVE_STATES))) or 0
    leased = session.scalar(select(func.count()).where(LineSlot.until > at)) or 0
    return lines.capacity - lines.reserved - inbound - leased


def _lease(session: Session, lines: Lines, attempt: Attempt, at: datetime) -> None:
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


def release_line(session: Session, attempt_id: int) -> None:
    session.execute(update(LineSlot).where(LineSlot.attempt_id == attempt_id).values(attempt_id=None, until=None))


# ---- dialling, once


def claim(session: Session, dialler: Dialler, attempt_id: int, at: datetime) -> Refusal | None:
    """Turn the attempt from *planned* to *dialling*. Returns None to the one who dials it now, once this is committed.

    Else why it is not dialled: it is not planned any more, or the call may no longer be made, and then it is withdrawn.
    """
    one_at_a_time(session, DIALLING)
    attempt = find_attempt(session, attempt_id)
    if attempt is None or attempt.state != AttemptState.PLANNED:
        return Refusal.ALREADY
    tasks = attempt.tasks
    for task in tasks:
        session.refresh(task, with_for_update=True)
        if task.report is not None:
            session.refresh(task.report, ["state", "contact_number"], with_for_update=True)
    try:
        if not -PROMPT <= at - attempt.planned_at <= PROMPT:
            raise Refused(Refusal.STALE)
        check_call(session, dialler, attempt.number, tasks, at, by=attempt.user, besides=attempt.id)
    except Refused as refused:
        withdraw(session, attempt, refused.why, at)
        return refused.why
    move_attempt(session, attempt, AttemptEvent.DIALLED, at)
    attempt.dialled_at = at
    return None


def withdraw(session: Session, attempt: Attempt, why: Refusal, at: datetime) -> None:
    """It is not dialled: its line is free again, and its tasks wait; a minute, when the trouble is ours."""
    attempt.note = why
    if why in (Refusal.STALE, Refusal.EXCHANGE, Refusal.VOICE):
        for task in attempt.tasks:
            task.due_at = max(task.due_at, at + timedelta(minutes=1))
    move_attempt(session, attempt, AttemptEvent.WITHDRAWN, at)
    release_line(session, attempt.id)


def not_dialled_yet(session: Session, at: datetime) -> list[Attempt]:
    """What was planned and that nobody has dialled in time: to be withdrawn, for its job may have got lost."""
    query = select(Attempt).where(
        Attempt.settled_at.is_(None), Attempt.state == AttemptState.PLANNED, Attempt.planned_at < at - PROMPT
    )
    return list(session.scalars(query.with_for_update()))


def live_attempts(session: Session) -> list[Attempt]:
    """All that is planned, rings or talks now, with its tasks, the oldest first."""
    query = select(Attempt).where(Attempt.settled_at.is_(None), Attempt.state.in_(LIVE_ATTEMPTS))
    return list(session.scalars(query.order_by(Attempt.id).options(selectinload(Attempt.parts))))
