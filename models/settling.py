"""How an attempt went and what follows from it: told by the exchange, in any order, doubled or late (C3, C5)."""

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.acts import closed_unsolved
from models.attempts import (
    DIALLING_LOCK,
    LIVE_ATTEMPTS,
    Attempt,
    AttemptEvent,
    AttemptState,
    AttemptTask,
    End,
    NeverByMachine,
    find_attempt,
    how_it_ended,
    machine_outcomes,
    move_attempt,
    why_given_up,
)
from models.base import announce, insert_new, one_at_a_time
from models.calling import NETWORK_OUT_OF_ORDER, NOT_DIALLED, Outcome, Rules, next_try, outcome_of
from models.calls import Call, CallState, earliest
from models.calltasks import Move, Purpose, TaskEvent, TaskState, Why, move_task
from models.clarifications import talk_with
from models.duty_calls import answer_hand_over, try_next
from models.leases import release_line
from models.reports import HistoryRow, Report, ReportEvent, ReportState
from models.status_script import HandoverKey, Key
from models.work import confirmed_by_telephone, refuted_by_telephone
from models.workdays import WorkCalendar


class Sign(StrEnum):
    """What the exchange tells of one end of an attempt's call."""

    RINGS = "rings"
    UP = "up"
    GONE = "gone"


@dataclass(frozen=True)
class AttemptLeg:
    """One end of an attempt's call rings, is up, or is gone; ``cause`` is the Q.850 cause of its end.

    ``trunk_silent``: the gateway or provider did not answer the exchange then.
    """

    attempt_id: int
    end: End
    sign: Sign
    at: datetime
    cause: int | None = None
    trunk_silent: bool = False


def note_leg(session: Session, leg: AttemptLeg, rules: Rules, calendar: WorkCalendar) -> None:
    """Keep what one end of the call did; once the citizen's end is gone, or ours was never lifted, it is settled."""
    attempt = find_attempt(session, leg.attempt_id)
    if attempt is None or attempt.state in (AttemptState.PLANNED, AttemptState.CANCELLED):
        return
    if leg.sign == Sign.RINGS and leg.end == End.THEIRS:
        attempt.ringing_at = earliest(attempt.ringing_at, leg.at)
    elif leg.sign == Sign.UP and leg.end == End.OURS:
        news = attempt.lifted_at is None
        attempt.lifted_at = earliest(attempt.lifted_at, leg.at)
        if news and attempt.by_machine and attempt.answered_at is not None:  # they asked for a person
            settle_called_back(session, attempt)
    elif leg.sign == Sign.UP:
        news = attempt.answered_at is None
        attempt.answered_at = earliest(attempt.answered_at, leg.at)
        move_attempt(session, attempt, AttemptEvent.ANSWERED, leg.at)
        if attempt.state == AttemptState.SETTLED:  # told late
            attempt.outcome = _outcome(attempt)
        if news and not attempt.by_machine:  # told again, it does not undo what was recorded meanwhile
            settle_called_back(session, attempt)
    elif leg.sign == Sign.GONE and leg.end == End.THEIRS:
        attempt.cause = _cause(attempt, leg) if attempt.cause is None else attempt.cause
        _end(session, attempt, _outcome(attempt), leg.at, rules, calendar)
    elif leg.sign == Sign.GONE and attempt.ringing_at is None and attempt.answered_at is None:
        # our own end went before the citizen's rang; where theirs was dialled all the same, its own end comes later
        outcome = Outcome.OUR_PHONE if attempt.lifted_at is None else Outcome.NOT_CALLED
        _end(session, attempt, outcome, leg.at, rules, calendar)
    announce(session, "board", 0)


def _cause(attempt: Attempt, leg: AttemptLeg) -> int | None:
    """Why the citizen's end is gone: where nothing rang behind a trunk that says nothing, the trunk is out of order."""
    rang = attempt.ringing_at is not None or attempt.answered_at is not None
    vain = outcome_of(leg.cause, answered=False, key=False) in (Outcome.NO_ANSWER, Outcome.UNKNOWN)
    return NETWORK_OUT_OF_ORDER if leg.trunk_silent and vain and not rang else leg.cause


def _outcome(attempt: Attempt) -> Outcome:
    spoke = not attempt.by_machine and attempt.answered_at is not None
    answered, key = attempt.answered_at is not None, bool(attempt.keys) or spoke
    return how_it_ended(attempt.cause, attempt.note, answered=answered, key=key)


def _end(
    session: Session, attempt: Attempt, outcome: Outcome, at: datetime, rules: Rules, calendar: WorkCalendar
) -> None:
    was = AttemptState(attempt.state)
    move_attempt(session, attempt, AttemptEvent.ENDED, at)
    if was == AttemptState.SETTLED and attempt.outcome not in NOT_DIALLED:
        return  # told twice
    attempt.outcome = outcome
    release_line(session, attempt.id)
    if was in LIVE_ATTEMPTS:  # of one that was unknown a person decides already
        _follow_up(session, attempt, at, rules, calendar)


def _follow_up(session: Session, attempt: Attempt, at: datetime, rules: Rules, calendar: WorkCalendar) -> None:
    """Plan the next call of the tasks that were not answered, or hand them to a person, by the rule of the outcome."""
    for part in _locked_parts(session, attempt):
        task = part.task
        if not task.open or part.key:
            continue
        if not attempt.by_machine:
            move_task(session, task, Move(TaskEvent.TRIED, attempt.user, attempt_id=attempt.id), at)
            continue
        if task.purpose == Purpose.HAND_OVER:
            try_next(session, task, attempt, at)
            continue
        outcomes = machine_outcomes(session, task)
        later = next_try(outcomes, at, rules, calendar, random.random())
        if task.state == TaskState.PERSON:  # it has its reason
            move_task(session, task, Move(TaskEvent.TRIED, attempt_id=attempt.id), at)
        elif later is None:
            given_up = Move(TaskEvent.HANDED, why=why_given_up(outcomes[-1]), attempt_id=attempt.id)
            move_task(session, task, given_up, at)
        else:
            task.due_at = later
            move_task(session, task, Move(TaskEvent.TRIED, attempt_id=attempt.id), at)


def _locked_parts(session: Session, attempt: Attempt) -> Sequence[AttemptTask]:
    """What the attempt asks about; its tasks as they stand now, so that nobody settles them meanwhile."""
    session.flush()  # what the same batch of facts has changed already is not read away
    for part in sorted(attempt.parts, key=lambda part: part.task_id):
        session.refresh(part.task, with_for_update=True)
    return attempt.parts


def not_all_known(session: Session, attempts: Collection[int]) -> set[int]:
    """Of these attempts those of which it is not known how they ended, or that they were answered."""
    lacks = Attempt.state.in_((*LIVE_ATTEMPTS, AttemptState.UNKNOWN)) | Attempt.answered_at.is_(None)
    return set(session.scalars(select(Attempt.id).where(Attempt.id.in_(attempts), lacks))) if attempts else set()


def lose(session: Session, attempt_id: int, at: datetime) -> None:
    """Nobody knows how the call ended, or whether it was made: a person decides, and it is not dialled again."""
    attempt = find_attempt(session, attempt_id)
    if attempt is None or attempt.state not in (AttemptState.DIALLING, AttemptState.TALKING):
        return
    move_attempt(session, attempt, AttemptEvent.LOST, at)
    attempt.outcome = Outcome.UNKNOWN
    release_line(session, attempt.id)
    for part in _locked_parts(session, attempt):
        if part.task.open and not part.key:
            move_task(session, part.task, Move(TaskEvent.HANDED, why=Why.UNKNOWN, attempt_id=attempt.id), at)


# ---- answers


def answer_by_key(session: Session, attempt_id: int, task_id: int, key: str, at: datetime) -> None:
    """Who was called has pressed the key that answers this task's question: what it means (S 3.2, I8).

    It is one of `HandoverKey` where an emergency is handed over, and of `Key` else; no other key means anything.
    """
    attempt = find_attempt(session, attempt_id)
    if attempt is None or not attempt.by_machine or attempt.dialled_at is None:
        return  # no citizen can have pressed it
    part = next((part for part in attempt.parts if part.task_id == task_id), None)
    if part is None or part.key:
        return
    handed_over = part.task.purpose == Purpose.HAND_OVER
    if key not in [*(HandoverKey if handed_over else Key)]:
        return
    part.key = key
    attempt.keys = (attempt.keys + key)[:32]
    if attempt.outcome == Outcome.NO_INPUT:  # the hang-up was told first
        attempt.outcome = Outcome.ANSWERED
    task = part.task
    session.refresh(task, with_for_update=True)
    if handed_over:
        if task.open:
            answer_hand_over(session, attempt, task, HandoverKey(key), at)
    elif key in (Key.NOT_ME, Key.PERSON):
        _ask_no_more(session, attempt, part, key, at)
    else:
        report = session.get_one(Report, task.report_id, with_for_update=True, populate_existing=True)
        if report.contact_number != attempt.number:  # a stranger's key; `models.task_rules` has the applicant called
            return
        if key != Key.DONE and (report.state == ReportState.DONE or _closed_meanwhile(session, report, attempt)):
            refuted_by_telephone(session, report, partly=key == Key.PARTLY, at=at)
        elif report.state == ReportState.DONE and task.open:
            confirmed_by_telephone(session, report, at)
        if task.open:
            move_task(session, task, Move(TaskEvent.SETTLED, why=Why.ANSWERED, attempt_id=attempt.id), at)


def _closed_meanwhile(session: Session, report: Report, attempt: Attempt) -> bool:
    """Whether a colleague closed it while the applicant listened: what they say themselves counts, and they are told
    that it does. What the control body has closed as not solvable stays so, and what was closed after the call, too.
    """
    if report.state != ReportState.CLOSED or closed_unsolved(session, report):
        return False
    closed_at = session.scalar(
        select(func.max(HistoryRow.at)).where(
            HistoryRow.report_id == report.id, HistoryRow.event.in_((ReportEvent.CONFIRMED, ReportEvent.CLOSED))
        )
    )
    return closed_at is None or attempt.settled_at is None or closed_at <= attempt.settled_at


def _ask_no_more(session: Session, attempt: Attempt, part: AttemptTask, key: Key, at: datetime) -> None:
    """They want no machine, or a person: all that is open of the call is a person's, whichever question it was at.

    Who wants a person is called by one, as they were told, also when nothing is left to ask.
    """
    if key == Key.NOT_ME:
        never_by_machine(session, attempt.number, at, attempt_id=attempt.id)
    why = Why.OPTED_OUT if key == Key.NOT_ME else Why.ASKED_FOR_PERSON
    handed = False
    for other in _locked_parts(session, attempt):
        if other.task.open and other.key in ("", key):
            move_task(session, other.task, Move(TaskEvent.HANDED, why=why, attempt_id=attempt.id), at)
            other.key, handed = key, True
    if key == Key.PERSON and not handed:
        talk_with(session, part.task.report, attempt.number, at)


def never_by_machine(
    session: Session, number: str, at: datetime, *, attempt_id: int | None = None, user_id: int | None = None
) -> None:
    """The machine does not call this number again, whatever it is about."""
    one_at_a_time(session, DIALLING_LOCK)
    insert_new(session, NeverByMachine, number=number, at=at, attempt_id=attempt_id, user_id=user_id)


def settle_told_late(session: Session, call: Call) -> None:
    """A missed call that is told of after a person of ours has spoken with its number (C1)."""
    if call.state != CallState.MISSED or call.settled or call.number is None:
        return
    session.flush()
    talk = select(Attempt.id).where(
        Attempt.number == call.number, Attempt.user_id.is_not(None), Attempt.answered_at >= call.started_at
    )
    call.settled_by_attempt_id = session.scalar(talk.order_by(Attempt.id).limit(1))


def settle_called_back(session: Session, attempt: Attempt) -> None:
    """A person of ours speaks with the number: what they had missed of it needs no call-back any more (C1)."""
    missed = session.scalars(
        select(Call).where(
            Call.number == attempt.number,
            Call.state == CallState.MISSED,
            ~Call.settled,
            Call.started_at <= attempt.answered_at,
        )
    ).all()
    for call in missed:
        call.settled_by_attempt_id = attempt.id
        announce(session, "call", call.id)
