"""How an attempt went and what follows from it: told by the exchange, in any order, doubled or late (C3, C5)."""

import random
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.attempts import (
    DIALLING,
    LIVE_ATTEMPTS,
    Attempt,
    AttemptEvent,
    AttemptState,
    AttemptTask,
    End,
    NeverByMachine,
    find_attempt,
    move_attempt,
)
from models.base import announce, insert_new, one_at_a_time
from models.calling import Outcome, Rules, next_try, outcome_of
from models.calls import Call, CallState, earliest
from models.calltasks import CallTask, Move, TaskEvent, TaskState, Why, move_task
from models.dialling import release_line
from models.reports import Report, ReportState
from models.status_script import Key
from models.work import confirmed_by_telephone, refuted_by_telephone
from models.workdays import WorkCalendar


class Sign(StrEnum):
    """What the exchange tells of one end of an attempt's call."""

    RINGS = "rings"
    UP = "up"
    GONE = "gone"


@dataclass(frozen=True)
class AttemptLeg:
    """One end of an attempt's call rings, is up, or is gone; ``cause`` is the Q.850 cause of its end."""

    attempt_id: int
    end: End
    sign: Sign
    at: datetime
    cause: int | None = None


def note_leg(session: Session, leg: AttemptLeg, rules: Rules, calendar: WorkCalendar) -> None:
    """Keep what one end of the call did; once the citizen's end is gone, or ours was never lifted, it is settled."""
    attempt = find_attempt(session, leg.attempt_id)
    if attempt is None or attempt.state in (AttemptState.PLANNED, AttemptState.CANCELLED):
        return
    if leg.sign == Sign.RINGS and leg.end == End.THEIRS:
        attempt.ringing_at = earliest(attempt.ringing_at, leg.at)
    elif leg.sign == Sign.UP and leg.end == End.OURS:
        attempt.lifted_at = earliest(attempt.lifted_at, leg.at)
    elif leg.sign == Sign.UP:
        attempt.answered_at = earliest(attempt.answered_at, leg.at)
        move_attempt(session, attempt, AttemptEvent.ANSWERED, leg.at)
        if not attempt.by_machine:
            settle_number(session, attempt)
    elif leg.sign == Sign.GONE and leg.end == End.THEIRS:
        attempt.cause = leg.cause if attempt.cause is None else attempt.cause
        _end(session, attempt, _outcome(attempt), leg.at, rules, calendar)
    elif leg.sign == Sign.GONE and attempt.ringing_at is None and attempt.answered_at is None:
        # our own end went before the citizen's rang; where theirs was dialled all the same, its own end comes later
        _end(session, attempt, Outcome.OUR_PHONE, leg.at, rules, calendar)
    announce(session, "attempt", attempt.id)


def _outcome(attempt: Attempt) -> Outcome:
    spoke = not attempt.by_machine and attempt.answered_at is not None
    return outcome_of(attempt.cause, answered=attempt.answered_at is not None, key=bool(attempt.keys) or spoke)


def _end(
    session: Session, attempt: Attempt, outcome: Outcome, at: datetime, rules: Rules, calendar: WorkCalendar
) -> None:
    was = AttemptState(attempt.state)
    move_attempt(session, attempt, AttemptEvent.ENDED, at)
    if was == AttemptState.SETTLED and attempt.outcome != Outcome.OUR_PHONE:
        return  # told twice
    attempt.outcome = outcome
    release_line(session, attempt.id)
    if was in LIVE_ATTEMPTS:  # of one that was unknown a person decides already
        _follow_up(session, attempt, at, rules, calendar)


def _follow_up(session: Session, attempt: Attempt, at: datetime, rules: Rules, calendar: WorkCalendar) -> None:
    """Plan the next call of the tasks that were not answered, or hand them to a person, by the rule of the outcome."""
    for part in attempt.parts:
        task = part.task
        if not task.open or part.key:
            continue
        if not attempt.by_machine:
            move_task(session, task, Move(TaskEvent.TRIED, attempt.user, attempt_id=attempt.id), at)
            continue
        outcomes = outcomes_of(session, task)
        later = next_try(outcomes, at, rules, calendar, random.random())
        if later is None or task.state == TaskState.PERSON:
            why = {Outcome.BAD_NUMBER: Why.BAD_NUMBER, Outcome.UNKNOWN: Why.UNKNOWN}.get(outcomes[-1], Why.TRIES_OVER)
            move_task(session, task, Move(TaskEvent.HANDED, why=why, attempt_id=attempt.id), at)
        else:
            task.due_at = later
            move_task(session, task, Move(TaskEvent.TRIED, attempt_id=attempt.id), at)


def outcomes_of(session: Session, task: CallTask) -> list[Outcome]:
    """How the machine's attempts at this task ended, in order."""
    session.flush()
    query = (
        select(Attempt.outcome)
        .join(Attempt.parts)
        .where(AttemptTask.task_id == task.id)
        .where(Attempt.user_id.is_(None), Attempt.outcome.is_not(None))
    )
    return [Outcome(outcome) for outcome in session.scalars(query.order_by(Attempt.id))]


def unsettled(session: Session, attempts: Collection[int]) -> set[int]:
    """Of these attempts those of which it is not known how they ended."""
    live = Attempt.state.in_((*LIVE_ATTEMPTS, AttemptState.UNKNOWN))
    return set(session.scalars(select(Attempt.id).where(Attempt.id.in_(attempts), live))) if attempts else set()


def lose(session: Session, attempt_id: int, at: datetime) -> None:
    """Nobody knows how the call ended, or whether it was made: a person decides, and it is not dialled again."""
    attempt = find_attempt(session, attempt_id)
    if attempt is None or attempt.state not in (AttemptState.DIALLING, AttemptState.TALKING):
        return
    move_attempt(session, attempt, AttemptEvent.LOST, at)
    attempt.outcome = Outcome.UNKNOWN
    release_line(session, attempt.id)
    for part in attempt.parts:
        if part.task.open and not part.key:
            move_task(session, part.task, Move(TaskEvent.HANDED, why=Why.UNKNOWN, attempt_id=attempt.id), at)


# ---- answers


def answer_by_key(session: Session, attempt_id: int, task_id: int, key: Key, at: datetime) -> None:
    """The citizen has pressed the key that answers this task's question: what it means for the report (S 3.2)."""
    attempt = find_attempt(session, attempt_id)
    part = next((part for part in attempt.parts if part.task_id == task_id), None) if attempt else None
    if part is None or part.key:
        return
    part.key = key
    attempt.keys = (attempt.keys + key)[:32]
    task = part.task
    if not task.open:
        return
    if key in (Key.DONE, Key.NOT_DONE, Key.PARTLY):
        report = session.get_one(Report, task.report_id, with_for_update=True, populate_existing=True)
        if report.state == ReportState.DONE:
            if key == Key.DONE:
                confirmed_by_telephone(session, report, at)
            else:
                refuted_by_telephone(session, report, partly=key == Key.PARTLY, at=at)
        move_task(session, task, Move(TaskEvent.SETTLED, why=Why.ANSWERED, attempt_id=attempt.id), at)
        return
    if key == Key.NOT_ME:
        never_by_machine(session, attempt.number, at, attempt_id=attempt.id)
    why = Why.OPTED_OUT if key == Key.NOT_ME else Why.ASKED_FOR_PERSON
    for other in attempt.parts:
        if other.task.open and other.key in ("", key):
            move_task(session, other.task, Move(TaskEvent.HANDED, why=why, attempt_id=attempt.id), at)
            other.key = key


def never_by_machine(
    session: Session, number: str, at: datetime, *, attempt_id: int | None = None, user_id: int | None = None
) -> None:
    """The machine does not call this number again, whatever it is about."""
    one_at_a_time(session, DIALLING)
    insert_new(session, NeverByMachine, number=number, at=at, attempt_id=attempt_id, user_id=user_id)


def settle_number(session: Session, attempt: Attempt) -> None:
    """A person of ours speaks with the number: its missed calls need no call-back any more (C1)."""
    missed = session.scalars(
        select(Call).where(
            Call.number == attempt.number, Call.state == CallState.MISSED, Call.settled_by_attempt_id.is_(None)
        )
    ).all()
    for call in missed:
        call.settled_by_attempt_id = attempt.id
        announce(session, "call", call.id)
