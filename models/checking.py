"""Status checks as people make them: the list by hours left, and what the applicant's answer means (C2, S 3.2)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload, selectinload

from models import work
from models.acts import Act, WordsMissing
from models.attempts import Attempt, AttemptTask
from models.calling import Outcome, next_try
from models.calltasks import CallTask, Move, Purpose, TaskEvent, TaskState, Why, move_task
from models.dialling import Dialler
from models.executions import Execution
from models.lists import Listed, first_of
from models.people import User
from models.reports import ANSWERS, HistoryRow, Report, ReportEvent, ReportState
from models.settling import never_by_machine
from models.workdays import KYIV

SHOWN = 50
HELD = timedelta(minutes=15)  # for which a task stays on the screen of who calls
LONGEST_DELAY = timedelta(days=14)  # to which a call can be put off


class Said(StrEnum):
    """What came of a person's call, by one key each."""

    DONE = "done"
    NOT_DONE = "not_done"
    PARTLY = "partly"
    OTHER = "other"  # other words
    LATER = "later"  # call at another time
    NOT_REACHED = "not_reached"
    NEVER = "never"  # no machine calls


NEEDS_WORDS = frozenset({Said.NOT_DONE, Said.PARTLY, Said.OTHER})


class WrongTime(Exception):
    """The time for another call lies in the past, or too far ahead."""


@dataclass(frozen=True)
class Check:
    """A report whose applicant is to be asked, what each executor says was done, and the calls so far."""

    task: CallTask
    parts: list[Execution]
    tries: list[Attempt]


def due_checks(session: Session, most: int = SHOWN) -> Listed[Check]:
    """The checks that are open, the fewest hours left first."""
    ids = select(CallTask.id).where(CallTask.purpose == Purpose.STATUS_CHECK, CallTask.settled_at.is_(None))
    rows = select(CallTask).where(CallTask.purpose == Purpose.STATUS_CHECK, CallTask.settled_at.is_(None))
    rows = rows.order_by(CallTask.deadline_at, CallTask.id).options(
        joinedload(CallTask.held_by),
        joinedload(CallTask.report).options(
            joinedload(Report.category), joinedload(Report.street), joinedload(Report.call)
        ),
    )
    found = first_of(session, rows, ids, most)
    return Listed(_checks(session, found.rows), found.count)


def check_of(session: Session, task_id: int) -> Check | None:
    """One check with the others of the same person left out; None for another kind of task."""
    task = session.get(CallTask, task_id)
    if task is None or task.purpose != Purpose.STATUS_CHECK or task.report is None:
        return None
    return _checks(session, [task])[0]


def count_checks(session: Session) -> int:
    """How many wait for the applicant's word."""
    return session.scalar(select(func.count()).where(Report.state == ReportState.DONE)) or 0


def _checks(session: Session, tasks: Sequence[CallTask]) -> list[Check]:
    parts: dict[int, list[Execution]] = {}
    of_reports = select(Execution).where(Execution.report_id.in_([task.report_id for task in tasks]))
    query = of_reports.order_by(Execution.completed_at).options(joinedload(Execution.organisation))
    for part in session.scalars(query):
        parts.setdefault(part.report_id, []).append(part)
    tries: dict[int, list[Attempt]] = {}
    made = select(AttemptTask).where(AttemptTask.task_id.in_([task.id for task in tasks]))
    for row in session.scalars(made.order_by(AttemptTask.attempt_id).options(joinedload(AttemptTask.attempt))):
        if row.attempt.dialled_at is not None:
            tries.setdefault(row.task_id, []).append(row.attempt)
    return [Check(task, parts.get(task.report_id, []), tries.get(task.id, [])) for task in tasks]


def hold(session: Session, task: CallTask, user: User, at: datetime) -> None:
    """The task is on this person's screen: neither the machine nor a colleague calls meanwhile."""
    task.held_by_id, task.held_until = user.id, at + HELD


def own_attempt(session: Session, task_id: int, user: User) -> Attempt | None:
    """The last call that this person made about the task."""
    query = (
        select(Attempt)
        .join(Attempt.parts)
        .where(AttemptTask.task_id == task_id, Attempt.user_id == user.id)
        .order_by(Attempt.id.desc())
        .options(selectinload(Attempt.parts))
    )
    return session.scalars(query.limit(1)).first()


def answer(
    session: Session,
    dialler: Dialler,
    task: CallTask,
    user: User,
    said: Said,
    at: datetime,
    *,
    words: str = "",
    later: datetime | None = None,
) -> None:
    """What the applicant said, or that they were not reached: the report moves, or the task waits on.

    Raises `WordsMissing`, `WrongTime`, `IllegalMove` where the report is not *done* any more, and `NotYours`.
    """
    if said in NEEDS_WORDS and not words.strip():
        raise WordsMissing(Act.REFUTE)
    task.held_by_id = task.held_until = None
    report = task.report
    if said == Said.DONE:
        work.confirm(session, report, user, words, at)
    elif said in (Said.NOT_DONE, Said.PARTLY):
        work.refute(session, report, user, f"{PARTLY}: {words}" if said == Said.PARTLY else words, at)
    elif said == Said.OTHER:
        work.add_note(session, report, user, words, public=False, at=at)
    if said in (Said.DONE, Said.NOT_DONE, Said.PARTLY):
        move_task(session, task, Move(TaskEvent.SETTLED, user, Why.ANSWERED), at)
    elif said == Said.NEVER:
        never_by_machine(session, task.number, at, user_id=user.id)
        move_task(session, task, Move(TaskEvent.HANDED, user, Why.OPTED_OUT), at)
    elif said == Said.NOT_REACHED:
        _not_reached(session, dialler, task, user, at)
    else:
        if said == Said.LATER and (later is None or not at < later < at + LONGEST_DELAY):
            raise WrongTime
        task.due_at = later or dialler.rules.window.next_open(at + timedelta(days=1), dialler.calendar)
        move_task(session, task, Move(TaskEvent.POSTPONED, user), at)


PARTLY = "Виконано частково"  # in the language of the records, before the applicant's words


def _not_reached(session: Session, dialler: Dialler, task: CallTask, user: User, at: datetime) -> None:
    tried = session.scalars(
        select(Attempt.outcome)
        .join(Attempt.parts)
        .where(AttemptTask.task_id == task.id, Attempt.outcome.is_not(None))
        .order_by(Attempt.id)
    )
    outcomes = [Outcome(outcome) for outcome in tried if outcome != Outcome.ANSWERED] or [Outcome.NO_ANSWER]
    then = next_try(outcomes, at, dialler.rules, dialler.calendar)
    if then is None:
        move_task(session, task, Move(TaskEvent.HANDED, user, Why.TRIES_OVER), at)
    else:
        task.due_at = then
        move_task(session, task, Move(TaskEvent.TRIED, user), at)


@dataclass(frozen=True)
class Today:
    """What came of today's checks."""

    confirmed: int
    refuted: int
    not_reached: int


def todays_checks(session: Session, at: datetime) -> Today:
    """How many applicants confirmed and refuted today in Kyiv, and how many were called in vain."""
    since = datetime.combine(at.astimezone(KYIV).date(), time(), KYIV)
    moved = dict(
        session.execute(
            select(HistoryRow.event, func.count()).where(HistoryRow.at >= since, ANSWERS).group_by(HistoryRow.event)
        ).all()
    )
    in_vain = select(func.count(Attempt.number.distinct())).where(
        Attempt.settled_at >= since, Attempt.outcome.in_(_IN_VAIN), Attempt.answered_at.is_(None)
    )
    return Today(
        confirmed=moved.get(ReportEvent.CONFIRMED, 0),
        refuted=moved.get(ReportEvent.REFUTED, 0),
        not_reached=session.scalar(in_vain) or 0,
    )


_IN_VAIN: Collection[Outcome] = (Outcome.BUSY, Outcome.NO_ANSWER, Outcome.REJECTED, Outcome.BAD_NUMBER)


def waits(task: CallTask, at: datetime) -> bool:
    """Whether it is not yet the time for the next call."""
    return task.state == TaskState.WAITING and task.due_at > at
