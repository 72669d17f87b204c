"""Calls that people make by hand, whatever they are about: whose screen a task is on, and what came of the call
(C1, C2, C4)."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import ColumnElement, exists, func, select
from sqlalchemy.orm import Session, aliased, joinedload, selectinload

from models.attempts import Attempt, AttemptState, AttemptTask, why_given_up
from models.calling import NOT_DIALLED, Outcome, next_try
from models.calltasks import CallTask, CallTaskEvent, Move, TaskEvent, move_task
from models.dialling import Dialler, Refusal, Refused
from models.people import User
from models.reports import HistoryEvent, note_history

SHOWN = 50
HELD = timedelta(minutes=15)  # for which a task stays on the screen of who calls
LONGEST_DELAY = timedelta(days=14)  # to which a call can be put off
WITHOUT_CALL = "Записано без дзвінка звідси."  # in the language of the records


class Said(StrEnum):
    """What came of a person's call, by one key each."""

    # the applicant of a report that is done
    DONE = "done"
    NOT_DONE = "not_done"
    PARTLY = "partly"
    OTHER = "other"  # other words
    NEVER = "never"  # no machine calls
    # whose call we had missed
    REGISTER = "register"  # they report something
    CONSULTED = "consulted"
    ABOUT = "about"  # they called about a report of theirs
    WRONG_NUMBER = "wrong_number"
    # of whom something was asked
    ANSWER = "answer"
    # who called about an outage that is over
    RESTORED = "restored"
    NOT_RESTORED = "not_restored"
    # everybody
    LATER = "later"  # call at another time
    NOT_REACHED = "not_reached"
    NOT_NEEDED = "not_needed"  # nobody is to be called


NEEDS_WORDS = frozenset({Said.NOT_DONE, Said.PARTLY, Said.OTHER, Said.ANSWER, Said.NOT_NEEDED})
MOVES_REPORT = frozenset({Said.DONE, Said.NOT_DONE, Said.PARTLY})
NEEDS_NO_CALL = frozenset({Said.LATER, Said.NOT_NEEDED})  # a person may choose it by themselves
NEEDS_NO_TALK = NEEDS_NO_CALL | {Said.NOT_REACHED}


@dataclass(frozen=True)
class Told:
    """What a person recorded after a call: the key, and what it asks for.

    ``later`` is the time that they named, ``about`` the report they spoke of; ``public`` words are for the applicant,
    too; ``seen`` is how many questions stood on their page.
    """

    said: Said
    words: str = ""
    later: datetime | None = None
    about: int | None = None
    public: bool = False
    seen: int | None = None


class WrongTime(Exception):
    """The time for another call lies in the past, or too far ahead."""


class NobodyYet(Exception):
    """The person's own phone rings still: nobody was reached who could have said anything."""


def hold(tasks: Collection[CallTask], user: User, at: datetime) -> None:
    """This person is calling about the tasks: neither the machine nor a colleague calls meanwhile."""
    for task in tasks:
        task.held_by_id, task.held_until = user.id, at + HELD


def wait_for_line(session: Session, task: CallTask, user: User, at: datetime) -> None:
    """This person is about to call: the next free line is theirs, for this task; one at a time, and none that a
    colleague has in hand."""
    if task.held_by_other(user, at):
        return
    for other in session.scalars(select(CallTask).where(CallTask.held_by_id == user.id, CallTask.settled_at.is_(None))):
        if not has_called(session, other, user):
            other.let_go()
    hold([task], user, at)


def leave_to_who_calls(session: Session, task: CallTask, user: User) -> None:
    """Raise `Refused` while a colleague's call about the task goes on: what comes of it they will know."""
    others = select(Attempt.id).join(Attempt.parts).where(AttemptTask.task_id == task.id)
    others = others.where(Attempt.settled_at.is_(None), Attempt.user_id.is_not(None), Attempt.user_id != user.id)
    if session.scalar(others.limit(1)) is not None:
        raise Refused(Refusal.HELD)


def has_called(session: Session, task: CallTask, user: User, said: Said | None = None) -> bool:
    """Whether this person called about the task since somebody last recorded what had come of a call; for what only the
    citizen can have ``said``, whether somebody has answered. What was recorded and taken back was not recorded.

    A call in which nothing but their own phone rang reached nobody, and is none. Raises `NobodyYet` while it rings.
    """
    attempt = own_attempt(session, task.id, user)
    if attempt is None or attempt.state == AttemptState.CANCELLED or attempt.outcome in NOT_DIALLED:
        return False
    if attempt.settled_at is None and not (attempt.lifted_at or attempt.ringing_at or attempt.answered_at):
        raise NobodyYet
    if said is not None and said not in NEEDS_NO_TALK and attempt.answered_at is None:
        return False
    last = session.scalar(select(func.max(CallTaskEvent.at)).where(*_recorded(task), ~_taken_back(task)))
    return last is None or attempt.planned_at > last


def last_recorded(session: Session, task: CallTask) -> int:
    """The id of the last event in which a person recorded what had come of a call about the task; 0 for none."""
    return session.scalar(select(func.max(CallTaskEvent.id)).where(*_recorded(task))) or 0


def _recorded(task: CallTask) -> tuple[ColumnElement[bool], ...]:
    """Of events: what a person recorded about the task, and no call by itself has told."""
    return CallTaskEvent.task_id == task.id, CallTaskEvent.user_id.is_not(None), CallTaskEvent.attempt_id.is_(None)


def _taken_back(task: CallTask) -> ColumnElement[bool]:
    """Of events: an answer that a person took back, and its taking back (`models.taken_back`)."""
    back = aliased(CallTaskEvent)
    by_person = exists().where(
        back.task_id == task.id,
        back.event == TaskEvent.REOPENED,
        back.user_id.is_not(None),
        back.id >= CallTaskEvent.id,
    )
    return CallTaskEvent.event.in_((TaskEvent.SETTLED, TaskEvent.REOPENED)) & by_person


def waits(task: CallTask, at: datetime) -> bool:
    """Whether it is not yet the time for the next call."""
    return task.open and task.due_at > at


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


def live_talk(session: Session, user: User) -> Attempt | None:
    """The call of ours on which this person speaks with a citizen now, whatever became of its task."""
    query = select(Attempt).where(Attempt.settled_at.is_(None), Attempt.answered_at.is_not(None))
    return session.scalars(query.where(Attempt.user_id == user.id).order_by(Attempt.id.desc()).limit(1)).first()


def tries_of(session: Session, task_ids: Collection[int]) -> dict[int, list[Attempt]]:
    """The calls that were made about each of these tasks, in order."""
    tries: dict[int, list[Attempt]] = {}
    made = select(AttemptTask).where(AttemptTask.task_id.in_(task_ids)).order_by(AttemptTask.attempt_id)
    for row in session.scalars(made.options(joinedload(AttemptTask.attempt).joinedload(Attempt.user))):
        if row.attempt.dialled_at is not None:
            tries.setdefault(row.task_id, []).append(row.attempt)
    return tries


def put_off(session: Session, dialler: Dialler, task: CallTask, user: User, told: Told, at: datetime) -> None:
    """They were not reached, or named a time (`Said.NOT_REACHED`, `Said.LATER`): the task waits. Raises `WrongTime`."""
    if told.said == Said.NOT_REACHED:
        _not_reached(session, dialler, task, user, at)
        return
    if told.later is None or not at < told.later < at + LONGEST_DELAY:
        raise WrongTime
    task.due_at = told.later
    move_task(session, task, Move(TaskEvent.POSTPONED, user), at)


def _not_reached(session: Session, dialler: Dialler, task: CallTask, user: User, at: datetime) -> None:
    """The next call by the rules; after as many tries as there may be, a person decides.

    Each call in vain counts, the machine's, too, and also one from a telephone that the exchange does not know.
    """
    tried = session.execute(
        select(Attempt.outcome, Attempt.user_id)
        .join(Attempt.parts)
        .where(AttemptTask.task_id == task.id, Attempt.outcome.not_in((Outcome.ANSWERED, *NOT_DIALLED)))
        .order_by(Attempt.id)
    ).all()
    outcomes = [Outcome(outcome) for outcome, _user in tried]
    said_so = select(func.count()).where(
        CallTaskEvent.task_id == task.id,
        CallTaskEvent.event == TaskEvent.TRIED,
        CallTaskEvent.user_id.is_not(None),
        CallTaskEvent.attempt_id.is_(None),
    )
    by_persons = sum(user_id is not None for _outcome, user_id in tried)
    outcomes += [Outcome.NO_ANSWER] * ((session.scalar(said_so) or 0) + 1 - by_persons)
    then = next_try(outcomes, at, dialler.rules, dialler.calendar)
    if then is None:
        move_task(session, task, Move(TaskEvent.HANDED, user, why_given_up(outcomes[-1])), at)
    else:
        task.due_at = then
        move_task(session, task, Move(TaskEvent.TRIED, user), at)


def note_without_call(session: Session, task: CallTask, user: User, at: datetime) -> None:
    """The applicant's answer was recorded though nobody was called from here: the report's history does not read like a
    talk (C2). The note stands in nobody's way who takes the answer back."""
    note_history(session, task.report, HistoryEvent.NOTE, user, WITHOUT_CALL, at=at)
