"""The board: the trunk's lines now, what is to be called, and whether the machine calls (C5, C6)."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, time
from enum import StrEnum

from sqlalchemy import case, exists, func, or_, select
from sqlalchemy.orm import Session, joinedload, selectinload

from models.attempts import Attempt, AttemptTask, LineSlot, MachineSwitch, last_switch
from models.calling import Outcome
from models.calls import Call
from models.calltasks import OPEN_TASKS, CallTask, Purpose, TaskState
from models.dialling import ANY_HOUR, BY_MACHINE, Dialler, trunk_pauses, who_calls
from models.leases import Lines, free_lines, live_calls
from models.reports import Report
from models.workdays import KYIV

SHOWN = 5  # of the next machine calls


class LineUse(StrEnum):
    INBOUND = "inbound"
    OUTBOUND = "outbound"
    FREE = "free"
    RESERVED = "reserved"  # free, and kept for a citizen who calls


@dataclass(frozen=True)
class LineNow:
    """One line of the trunk, with the citizen's call or the call of ours that has it."""

    use: LineUse
    call: Call | None = None
    attempt: Attempt | None = None


def lines_now(session: Session, lines: Lines, at: datetime) -> list[LineNow]:
    """Every line of the trunk: the calls that go on, then what is free, and last what stays free for citizens.

    A line has no name of its own at the trunk: it is as many as are taken. More calls than lines are all told.
    """
    calls = select(Call).where(*live_calls(at)).order_by(Call.started_at, Call.id)
    leased = select(Attempt).join(LineSlot, LineSlot.attempt_id == Attempt.id).where(LineSlot.until > at)
    leased = leased.order_by(LineSlot.slot).options(
        joinedload(Attempt.user), selectinload(Attempt.parts).joinedload(AttemptTask.task)
    )
    taken = [LineNow(LineUse.INBOUND, call=call) for call in session.scalars(calls.options(joinedload(Call.line)))]
    taken += [LineNow(LineUse.OUTBOUND, attempt=attempt) for attempt in session.scalars(leased)]
    rest = max(0, lines.capacity - len(taken))
    kept = min(rest, lines.reserved)
    return [*taken, *[LineNow(LineUse.FREE)] * (rest - kept), *[LineNow(LineUse.RESERVED)] * kept]


@dataclass(frozen=True)
class PurposeNow:
    """How many tasks of a purpose there are: each open one is counted once."""

    purpose: Purpose
    due: int  # their time has come
    calling: int  # a call is going on
    person: int  # a person decides
    later: int
    done: int  # settled today in Kyiv


def tasks_now(session: Session, at: datetime) -> list[PurposeNow]:
    """The tasks by purpose, every purpose a row."""
    came = case((CallTask.due_at <= at, 1), else_=0)
    by = (CallTask.purpose, CallTask.state, came)
    waiting = select(*by, func.count()).where(CallTask.settled_at.is_(None), CallTask.state.in_(OPEN_TASKS))
    going_on = select(*by, func.count(CallTask.id.distinct())).where(
        CallTask.settled_at.is_(None),
        AttemptTask.task_id == CallTask.id,
        AttemptTask.attempt_id == Attempt.id,
        Attempt.settled_at.is_(None),
    )
    settled = select(CallTask.purpose, func.count()).where(
        CallTask.settled_at >= datetime.combine(at.astimezone(KYIV).date(), time(), KYIV),
        CallTask.state == TaskState.SETTLED,
    )
    counted, calling = Counter[tuple[str, str, int]](), Counter[str]()
    for purpose, state, due, count in session.execute(waiting.group_by(*by)):
        counted[purpose, state, due] = count
    for purpose, state, due, count in session.execute(going_on.group_by(*by)):
        counted[purpose, state, due] -= count
        calling[purpose] += count
    done = dict(session.execute(settled.group_by(CallTask.purpose)).all())
    return [
        PurposeNow(
            purpose=purpose,
            due=max(0, counted[purpose, TaskState.WAITING, 1]),
            calling=calling[purpose],
            person=counted[purpose, TaskState.PERSON, 0] + counted[purpose, TaskState.PERSON, 1],
            later=counted[purpose, TaskState.WAITING, 0],
            done=done.get(purpose, 0),
        )
        for purpose in Purpose
    ]


@dataclass(frozen=True)
class MachineNow:
    """Whether the machine calls: ``switch`` is who switched it last, None where nobody ever did."""

    switch: MachineSwitch | None
    opens_at: datetime | None  # None: it is the time for calls now
    paused_until: datetime | None  # by the trunk's breaker

    @property
    def on(self) -> bool:
        return self.switch is not None and self.switch.on


def machine_now(session: Session, dialler: Dialler, at: datetime) -> MachineNow:
    """The switch, the hours and the trunk's breaker."""
    rules, paused = dialler.rules, None
    if trunk_pauses(session, rules, at):
        failed = select(func.max(Attempt.settled_at)).where(Attempt.outcome == Outcome.TRUNK_TROUBLE)
        paused = session.scalar(failed.where(Attempt.settled_at > at - rules.trunk_pause)) + rules.trunk_pause
    opens = rules.window.next_open(at, dialler.calendar)
    return MachineNow(last_switch(session), opens if opens > at else None, paused)


class WaitsFor(StrEnum):
    """What a machine call waits for."""

    SWITCH = "switch"  # machine calls are stopped
    HOURS = "hours"
    TRUNK = "trunk"  # its breaker
    TIME = "time"  # its own
    LINE = "line"
    NOTHING = "nothing"  # it begins at the dialler's next look


@dataclass(frozen=True)
class NextCall:
    """A task that the machine may call about from ``at`` on, and what it waits for."""

    task: CallTask
    at: datetime
    waits_for: WaitsFor


def next_machine_calls(
    session: Session, dialler: Dialler, machine: MachineNow, at: datetime, most: int = SHOWN
) -> list[NextCall]:
    """The tasks that the machine would call about next, by the hours and the order of the dialler."""
    going_on = exists().where(
        AttemptTask.task_id == CallTask.id, AttemptTask.attempt_id == Attempt.id, Attempt.settled_at.is_(None)
    )
    line_is_free = free_lines(session, dialler.lines, at) > who_calls(session, at)
    found = []
    for purpose in BY_MACHINE:
        query = select(CallTask).where(
            CallTask.settled_at.is_(None),
            CallTask.purpose == purpose,
            CallTask.state == TaskState.WAITING,
            or_(CallTask.held_until.is_(None), CallTask.held_until <= at),
            ~going_on,
        )
        query = query.limit(most).options(joinedload(CallTask.report).joinedload(Report.category))
        due = query.where(CallTask.due_at <= at).order_by(CallTask.deadline_at, CallTask.id)
        later = query.where(CallTask.due_at > at).order_by(CallTask.due_at, CallTask.id)
        for task in (*session.scalars(due), *session.scalars(later)):
            found.append(_next_call(task, dialler, machine, line_is_free, at))
    return sorted(found, key=lambda one: (one.at, one.task.deadline_at, one.task.id))[:most]


def _next_call(task: CallTask, dialler: Dialler, machine: MachineNow, line_is_free: bool, at: datetime) -> NextCall:
    own = max(task.due_at, at)
    tried = begins = max(own, machine.paused_until or at)
    if task.purpose not in ANY_HOUR:
        begins = dialler.rules.window.next_open(tried, dialler.calendar)
    if not machine.on:
        return NextCall(task, begins, WaitsFor.SWITCH)
    if begins > tried:
        return NextCall(task, begins, WaitsFor.HOURS)
    if tried > own:
        return NextCall(task, begins, WaitsFor.TRUNK)
    if own > at:
        return NextCall(task, begins, WaitsFor.TIME)
    return NextCall(task, begins, WaitsFor.NOTHING if line_is_free else WaitsFor.LINE)
