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

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session, selectinload

from models.attempts import (
    DIALLING_LOCK,
    LIVE_ATTEMPTS,
    Attempt,
    AttemptEvent,
    AttemptState,
    AttemptTask,
    NeverByMachine,
    find_attempt,
    machine_is_on,
    move_attempt,
)
from models.base import announce, one_at_a_time
from models.calling import NOT_DIALLED, Outcome, Rules, free_again, may_be_dialled
from models.calls import Call
from models.calltasks import CallTask, Move, Purpose, TaskEvent, TaskState, Why, is_promised, move_task
from models.duty_calls import aim, duty_numbers, is_awaited
from models.leases import Lines, free_lines, lease_line, live_calls, release_line
from models.missed import waits_for_us
from models.people import User
from models.reports import UNDONE, ReportState
from models.workdays import WorkCalendar

BY_MACHINE = (Purpose.HAND_OVER, Purpose.STATUS_CHECK)
ANY_HOUR = (Purpose.HAND_OVER,)  # an emergency does not wait for the morning
TOGETHER = 4  # reports that one call asks about
DIALLED_WITHIN = timedelta(seconds=30)  # else what was planned is planned anew
_LOOKED_AT = 100  # tasks

# in which state of its report a task's call makes sense
_REPORT_STATES = {
    Purpose.STATUS_CHECK: {ReportState.DONE},
    Purpose.CLARIFICATION: {ReportState.NEW, ReportState.IN_PROGRESS, ReportState.REASONS_GIVEN, ReportState.DONE},
    Purpose.HAND_OVER: set(UNDONE),
    Purpose.WARN_OPERATOR: set(UNDONE),
}


class Refusal(StrEnum):
    """Why a call is not made."""

    NUMBER = "number"  # not one that is ever dialled
    STOPPED = "stopped"  # machine calls are off
    HOURS = "hours"
    OPTED_OUT = "opted_out"
    BUDGET = "budget"
    NO_LINE = "no_line"
    ALREADY = "already"  # another call with the number is going on
    TASK_OVER = "task_over"  # settled, cancelled, or its report moved on
    NUMBER_CHANGED = "number_changed"
    NOT_PLANNED = "not_planned"  # another job dials it, or it is over: told to the job alone
    STALE = "stale"  # planned too long ago, or one of the two clocks is wrong
    HELD = "held"  # it is on a colleague's screen
    OWN_CALL = "own_call"  # who calls has a call that goes on
    EXCHANGE = "exchange"  # it is away, or the scripts that speak for us
    VOICE = "voice"  # there is none: nobody is rung up by a silent machine


OUR_TROUBLE = (Refusal.STALE, Refusal.EXCHANGE, Refusal.VOICE)
LATELY, LONGEST_PAUSE = timedelta(hours=2), timedelta(minutes=30)


class Refused(Exception):
    """The call is not made; nothing was dialled."""

    def __init__(self, why: Refusal) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True)
class Dialler:
    """What the rules go by: the town's rules, its lines, its working calendar."""

    rules: Rules
    lines: Lines
    calendar: WorkCalendar


def plan_calls(session: Session, dialler: Dialler, at: datetime, most: int = 10) -> list[int]:
    """Plan the machine calls that may begin now; their attempts' ids. Emergencies first, the fewest hours left first.

    Tasks of which the number is not to be called yet are put off, so that they are not looked at again until then.
    """
    one_at_a_time(session, DIALLING_LOCK)
    if not machine_is_on(session) or trunk_pauses(session, dialler.rules, at):
        return []
    most = 1 if trunk_failed(session, dialler.rules) else most  # whether it is well again is tried with one call
    planned: list[int] = []
    for purpose in _purposes(dialler, at):
        for_persons = 0 if purpose in ANY_HOUR else who_calls(session, at)
        while len(planned) < most and free_lines(session, dialler.lines, at) > for_persons:
            attempt = _plan_next(session, dialler, purpose, at)
            if attempt is None:
                break
            planned.append(attempt.id)
    return planned


def _purposes(dialler: Dialler, at: datetime) -> Sequence[Purpose]:
    """What machine calls may be about now, emergencies first."""
    return BY_MACHINE if dialler.rules.window.is_open(at, dialler.calendar) else ANY_HOUR


def who_calls(session: Session, at: datetime) -> int:
    """How many people are calling one after another and speak with nobody now: the next line is theirs."""
    speaks = select(Attempt.user_id).where(Attempt.settled_at.is_(None), Attempt.user_id.is_not(None))
    query = select(func.count(CallTask.held_by_id.distinct())).where(
        CallTask.settled_at.is_(None), CallTask.held_until > at, CallTask.held_by_id.not_in(speaks)
    )
    return session.scalar(query) or 0


def machine_calls_due(session: Session, dialler: Dialler, at: datetime) -> bool:
    """Whether `plan_calls` may have something to plan. Only reads: it is asked every second, also all night."""
    due = select(CallTask.id).where(*_due(at), CallTask.purpose.in_(_purposes(dialler, at)))
    return (
        machine_is_on(session)
        and session.scalar(due.limit(1)) is not None
        and not trunk_pauses(session, dialler.rules, at)
        and free_lines(session, dialler.lines, at) > 0
    )


def _due(at: datetime) -> tuple[ColumnElement[bool], ...]:
    return CallTask.settled_at.is_(None), CallTask.state == TaskState.WAITING, CallTask.due_at <= at


def _plan_next(session: Session, dialler: Dialler, purpose: Purpose, at: datetime) -> Attempt | None:
    due = select(CallTask).where(*_due(at), CallTask.purpose == purpose)
    for task in session.scalars(due.order_by(CallTask.deadline_at, CallTask.id).limit(_LOOKED_AT)):
        if task.held(at):
            continue
        if task.purpose == Purpose.HAND_OVER and not aim(session, task, at):
            continue
        tasks = [task, *_others_of(session, task, at)]
        try:
            check_call(session, dialler, task.number, tasks, at, by=None)
        except Refused as refused:
            _put_off(session, dialler, tasks, refused.why, at)
            continue
        return _make_attempt(session, dialler, task.number, tasks, at)
    return None


def _others_of(session: Session, task: CallTask, at: datetime, user: User | None = None) -> list[CallTask]:
    """What else is to be asked of the same person now: one call covers it (C5).

    A person asks also what the machine has given up, and what it would ask later.
    """
    if task.purpose != Purpose.STATUS_CHECK:
        return []
    query = select(CallTask).where(
        CallTask.settled_at.is_(None),
        CallTask.purpose == task.purpose,
        CallTask.number == task.number,
        CallTask.id != task.id,
        CallTask.held_until.is_(None) | (CallTask.held_until <= at) | (CallTask.held_by_id == (user.id if user else 0)),
    )
    if user is None:
        query = query.where(*_due(at))
    found = session.scalars(query.order_by(CallTask.deadline_at, CallTask.id).limit(TOGETHER - 1))
    return [other for other in found if why_not(session, other) is None]


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
    one_at_a_time(session, DIALLING_LOCK)
    if task.held_by_other(user, at):
        raise Refused(Refusal.HELD)
    tasks = [task, *_others_of(session, task, at, user)]
    check_call(session, dialler, task.number, tasks, at, by=user)
    own = select(Attempt.id).where(Attempt.user_id == user.id, Attempt.settled_at.is_(None))
    if session.scalar(own.limit(1)) is not None:  # one person speaks with one citizen, and takes one line
        raise Refused(Refusal.OWN_CALL)
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
        if (refusal := why_not(session, task)) is not None:
            raise Refused(refusal)
    going_on = select(Attempt.id).where(
        Attempt.number == number, Attempt.settled_at.is_(None), Attempt.id != (besides or 0)
    )
    live = select(Call.id).where(Call.number == number, *live_calls(at))
    if session.scalar(going_on.limit(1)) is not None or session.scalar(live.limit(1)) is not None:
        raise Refused(Refusal.ALREADY)
    if by is not None:
        return
    if any(task.held(at) for task in tasks):  # a person has taken it in hand since it was planned
        raise Refused(Refusal.HELD)
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


def why_not(session: Session, task: CallTask) -> Refusal | None:
    """Why nobody is to be called about the task any more, at its number; None when it still makes sense."""
    if not task.open:
        return Refusal.TASK_OVER
    if task.purpose == Purpose.CALL_BACK and not waits_for_us(session, task.number):
        return Refusal.TASK_OVER
    if task.report is None or task.purpose not in _REPORT_STATES:
        return None
    if task.report.state not in _REPORT_STATES[task.purpose] and not _wanted_all_the_same(session, task):
        return Refusal.TASK_OVER
    if task.organisation_id is not None and not is_awaited(session, task):
        return Refusal.TASK_OVER
    of_whom = duty_numbers(session, task.organisation_id) if task.organisation_id else [task.report.contact_number]
    return None if task.number in of_whom else Refusal.NUMBER_CHANGED


def _wanted_all_the_same(session: Session, task: CallTask) -> bool:
    """Whether the applicant is called whatever became of the report."""
    return task.purpose == Purpose.CLARIFICATION and (task.outage_id is not None or is_promised(session, task))


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
    lease_line(session, dialler.lines, attempt, at)
    announce(session, "board", 0)
    return attempt


def machine_calls_to(session: Session, number: str, at: datetime, besides: int | None = None) -> list[datetime]:
    """When the machine rang the number in the last two days: what did not get out of the trunk, and what found it
    busy, has disturbed nobody."""
    query = select(Attempt.dialled_at).where(
        Attempt.number == number,
        Attempt.user_id.is_(None),
        Attempt.planned_at > at - timedelta(days=2),
        Attempt.dialled_at.is_not(None),
        func.coalesce(Attempt.outcome, "").not_in((Outcome.TRUNK_TROUBLE, Outcome.BUSY))
        | Attempt.answered_at.is_not(None),
        Attempt.id != (besides or 0),
    )
    return list(session.scalars(query))


def trunk_pauses(session: Session, rules: Rules, at: datetime) -> bool:
    """Whether the last calls over the trunk all failed for its trouble, so that for a while the machine makes none."""
    failed_at = trunk_failed(session, rules)
    return failed_at is not None and at < failed_at + rules.trunk_pause


def trunk_failed(session: Session, rules: Rules) -> datetime | None:
    """When the last of so many calls over the trunk failed that all failed for its trouble; None where one did not."""
    last = session.execute(
        select(Attempt.outcome, Attempt.settled_at)
        .where(Attempt.settled_at.is_not(None), Attempt.outcome.is_not(None), Attempt.outcome.not_in(NOT_DIALLED))
        .order_by(Attempt.settled_at.desc())
        .limit(rules.trunk_failures)
    ).all()
    if len(last) < rules.trunk_failures or any(outcome != Outcome.TRUNK_TROUBLE for outcome, _at in last):
        return None
    return last[0].settled_at


# ---- dialling, once


def claim(session: Session, dialler: Dialler, attempt_id: int, at: datetime) -> Refusal | None:
    """Turn the attempt from *planned* to *dialling*. Returns None to the one who dials it now, once this is committed.

    Else why it is not dialled: it is not planned any more, or the call may no longer be made, and then it is withdrawn.
    """
    one_at_a_time(session, DIALLING_LOCK)
    attempt = find_attempt(session, attempt_id)
    if attempt is None or attempt.state != AttemptState.PLANNED:
        return Refusal.NOT_PLANNED
    tasks = attempt.tasks
    for task in tasks:
        session.refresh(task, with_for_update=True)
        if task.report is not None:
            session.refresh(task.report, ["state", "contact_number"], with_for_update=True)
    try:
        if not -DIALLED_WITHIN <= at - attempt.planned_at <= DIALLED_WITHIN:
            raise Refused(Refusal.STALE)
        check_call(session, dialler, attempt.number, tasks, at, by=attempt.user, besides=attempt.id)
    except Refused as refused:
        withdraw(session, attempt, refused.why, at)
        return refused.why
    move_attempt(session, attempt, AttemptEvent.DIALLED, at)
    attempt.dialled_at = at
    return None


def withdraw_planned(session: Session, attempt_id: int, why: Refusal, at: datetime) -> None:
    """Withdraw the attempt unless it is being dialled, or over, already."""
    attempt = find_attempt(session, attempt_id)
    if attempt is not None and attempt.state == AttemptState.PLANNED:
        withdraw(session, attempt, why, at)


def withdraw(session: Session, attempt: Attempt, why: Refusal, at: datetime) -> None:
    """It is not dialled: its line is free again, and its tasks wait; a minute and longer, when the trouble is ours."""
    attempt.note = why
    for task in attempt.tasks:
        if attempt.user_id is not None and task.held_by_id == attempt.user_id:
            task.let_go()
    if why in OUR_TROUBLE:
        pause = _pause_after(session, attempt, at)
        for task in attempt.tasks:
            task.due_at = max(task.due_at, at + pause)
    move_attempt(session, attempt, AttemptEvent.WITHDRAWN, at)
    release_line(session, attempt.id)


def _pause_after(session: Session, attempt: Attempt, at: datetime) -> timedelta:
    """A minute, and twice as long each time that the number was not dialled for our trouble lately; half an hour at
    most: what lasts leaves no row a minute."""
    before = select(func.count(Attempt.id)).where(
        Attempt.number == attempt.number,
        Attempt.planned_at > at - LATELY,
        Attempt.state == AttemptState.CANCELLED,
        Attempt.note.in_(OUR_TROUBLE),
        Attempt.id != attempt.id,
    )
    return min(timedelta(minutes=2 ** min(session.scalar(before) or 0, 5)), LONGEST_PAUSE)


def not_dialled_yet(session: Session, at: datetime) -> list[Attempt]:
    """What was planned and that nobody has dialled in time: to be withdrawn, for its job may have got lost."""
    query = select(Attempt).where(
        Attempt.settled_at.is_(None), Attempt.state == AttemptState.PLANNED, Attempt.planned_at < at - DIALLED_WITHIN
    )
    return list(session.scalars(query.with_for_update()))


def live_attempts(session: Session) -> list[Attempt]:
    """All that is planned, rings or talks now, with its tasks, the oldest first."""
    query = select(Attempt).where(Attempt.settled_at.is_(None), Attempt.state.in_(LIVE_ATTEMPTS))
    return list(session.scalars(query.order_by(Attempt.id).options(selectinload(Attempt.parts))))
