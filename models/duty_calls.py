"""Calls to the duty of an enterprise: an emergency is handed over by one key (I8), an operator is warned (W4).

The numbers are called in their order, all of them, and then once more; after that a person decides. Which one's turn
it is follows from the calls that were made, so that another list of numbers holds from the next call on.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from models.attempts import Attempt, AttemptTask, NeverByMachine, machine_outcomes
from models.calling import NOT_DIALLED, may_be_dialled, uses_try
from models.calltasks import CallTask, Move, Purpose, TaskEvent, TaskState, Why, move_task
from models.executions import Execution
from models.people import DutyNumber, User
from models.personal import traces_in
from models.pressing import unaccepted
from models.redaction import GONE
from models.reports import Report
from models.spoken import Sentence
from models.status_script import (
    Emergency,
    HandoverKey,
    Key,
    answered,
    handover_answered,
    handover_away,
    handover_greeting,
    handover_keys,
    handover_no_input,
    handover_over,
    handover_report,
    handover_wrong_key,
    nobody_free,
)
from models.telephone import without_numbers
from models.work import accepted_by_telephone

DUTY = (Purpose.HAND_OVER, Purpose.WARN_OPERATOR)
ROUNDS = 2
BETWEEN = timedelta(minutes=1)  # two calls of one emergency
A_CALL = timedelta(minutes=3)  # with what follows it; what takes longer than all of them is a person's
# in the language of the records
BY_TELEPHONE = "телефоном"
ACCEPTED_BY_WORD = "Прийнято телефоном зі слів чергового, {name}"
ACCEPTED_BY_KEY = "Прийнято телефоном: черговий номер {place}, {name}"


def duty_numbers(session: Session, organisation_id: int | None, *, by_machine: bool = False) -> list[str]:
    """The organisation's duty numbers in their order; ``by_machine`` those that a machine may call."""
    query = select(DutyNumber.number).where(DutyNumber.organisation_id == organisation_id)
    if by_machine:
        query = query.where(DutyNumber.number.not_in(select(NeverByMachine.number)))
    return [number for number in session.scalars(query.order_by(DutyNumber.place)) if may_be_dialled(number)]


def is_awaited(session: Session, task: CallTask) -> bool:
    """Whether the organisation has not accepted its part in the report, which for a hand-over is an emergency."""
    emergencies = task.purpose == Purpose.HAND_OVER
    parts = unaccepted(select(Execution.id)) if emergencies else select(Execution.id)
    query = parts.where(
        Execution.report_id == task.report_id,
        Execution.organisation_id == task.organisation_id,
        Execution.accepted_at.is_(None),
    )
    return session.scalar(query) is not None


def deadline_of(numbers: Collection[str], at: datetime) -> datetime:
    """Until when all of the numbers are called as often as they are to be."""
    return at + A_CALL * ROUNDS * max(1, len(numbers))


# ---- whose turn it is


def aim(session: Session, task: CallTask, at: datetime) -> bool:
    """Give the hand-over the number whose turn it is. Without any that a machine may call it goes to a person."""
    numbers = duty_numbers(session, task.organisation_id, by_machine=True)
    if not numbers:
        why = Why.OPTED_OUT if duty_numbers(session, task.organisation_id) else Why.NO_NUMBER
        move_task(session, task, Move(TaskEvent.HANDED, why=why), at)
        return False
    task.number = numbers[_made(session, task) % len(numbers)]
    return True


def try_next(session: Session, task: CallTask, attempt: Attempt, at: datetime) -> None:
    """The call brought no key: the next number a minute later, and a person once all were called twice (I8)."""
    numbers = duty_numbers(session, task.organisation_id, by_machine=True)
    if task.state == TaskState.PERSON or _made(session, task) >= ROUNDS * len(numbers):
        move_task(session, task, Move(TaskEvent.HANDED, why=Why.TRIES_OVER, attempt_id=attempt.id), at)
    else:
        task.due_at = at + BETWEEN
        move_task(session, task, Move(TaskEvent.TRIED, attempt_id=attempt.id), at)


def _made(session: Session, task: CallTask) -> int:
    """How many calls of the machine have rung at the duty: what a trouble of the trunk stopped is no call."""
    return sum(uses_try(outcome) for outcome in machine_outcomes(session, task))


def aim_own_call(session: Session, task: CallTask) -> None:
    """The number that a person's call about the task is made to: the first, and after each call the next one."""
    numbers = duty_numbers(session, task.organisation_id)
    made = (
        select(Attempt.id)
        .join(Attempt.parts)
        .where(AttemptTask.task_id == task.id, Attempt.user_id.is_not(None), Attempt.dialled_at.is_not(None))
        .where(func.coalesce(Attempt.outcome, "").not_in(NOT_DIALLED))
    )
    task.number = numbers[len(session.scalars(made).all()) % len(numbers)] if numbers else None


# ---- what is said, and the key


@dataclass(frozen=True)
class HandOver:
    """What the call is about; ``emergency`` None when nothing is to be handed over any more, or not to this number."""

    task_id: int
    emergency: Emergency | None


def hand_over_of(session: Session, attempt_id: int, area_code: str) -> HandOver | None:
    """The emergency that this attempt hands over; None for an attempt about anything else."""
    attempt = session.get(Attempt, attempt_id)
    task = next((one for one in attempt.tasks if one.purpose == Purpose.HAND_OVER), None) if attempt else None
    if task is None:
        return None
    awaited = task.open and is_awaited(session, task) and attempt.number in duty_numbers(session, task.organisation_id)
    return HandOver(task.id, _emergency(task.report, area_code) if awaited else None)


def prompts_of(told: HandOver, town: str) -> list[list[Sentence]]:
    """All that may be said in the call: it is spoken and kept before the call is made."""
    said = [handover_report(told.emergency), handover_keys(told.emergency)] if told.emergency else []
    said += [handover_greeting(town), handover_wrong_key(), handover_no_input(), handover_over(), handover_away()]
    said += [answered(Key.PERSON), nobody_free()]
    return [*said, handover_answered(True), handover_answered(False)]


def _emergency(report: Report, area_code: str) -> Emergency:
    """The report as it is read: without the applicant's name and number, which may stand in its texts, too (A3)."""
    traces = traces_in(report, f"+380{area_code}")

    def clean(text: str) -> str:
        struck = traces.redact(without_numbers(text, area_code, put=lambda _number: GONE))
        return " ".join(struck.replace(GONE, " ").split())

    return Emergency(
        number=report.number,
        subject=report.category.name if report.category else "",
        text=clean(report.text),
        street=report.street.name if report.street else "",
        building=report.building,
        flat=report.flat,
        landmark=clean(report.landmark),
    )


def answer_hand_over(session: Session, attempt: Attempt, task: CallTask, key: HandoverKey, at: datetime) -> None:
    """The duty has pressed a key: the emergency is accepted as an operator accepts it on screen, or a person is wanted.

    A number that is none of theirs any more accepts nothing. What was accepted or closed meanwhile stays as it is, and
    `models.task_rules` ends the task.
    """
    if key == HandoverKey.PERSON:
        move_task(session, task, Move(TaskEvent.HANDED, why=Why.ASKED_FOR_PERSON, attempt_id=attempt.id), at)
    elif key == HandoverKey.ACCEPT and attempt.number in (numbers := duty_numbers(session, task.organisation_id)):
        note = ACCEPTED_BY_KEY.format(place=numbers.index(attempt.number) + 1, name=task.organisation.name)
        if accepted_by_telephone(session, task.report, task.organisation_id, note, at):
            move_task(session, task, Move(TaskEvent.SETTLED, why=Why.ACCEPTED, attempt_id=attempt.id), at)


# ---- for the pages


def open_tasks(session: Session, purpose: Purpose, reports: Collection[int]) -> dict[tuple[int, int], CallTask]:
    """The open tasks of these reports, by report and organisation."""
    query = select(CallTask).where(
        CallTask.purpose == purpose, CallTask.settled_at.is_(None), CallTask.report_id.in_(reports)
    )
    return {(task.report_id, task.organisation_id): task for task in session.scalars(query)} if reports else {}


def with_numbers(session: Session, organisations: Collection[int]) -> set[int]:
    """Those of the organisations that have a duty number."""
    query = select(DutyNumber.organisation_id).where(DutyNumber.organisation_id.in_(organisations))
    return set(session.scalars(query))


def duty_task(session: Session, task_id: int) -> CallTask | None:
    """The task, when it is one of a call to an organisation's duty."""
    task = session.get(CallTask, task_id)
    return task if task is not None and task.purpose in DUTY and task.organisation_id is not None else None


def task_at_hand(session: Session, user: User, at: datetime) -> CallTask | None:
    """The call to a duty that is on this person's screen."""
    query = select(CallTask).where(
        CallTask.settled_at.is_(None),
        CallTask.purpose.in_(DUTY),
        CallTask.held_by_id == user.id,
        CallTask.held_until > at,
    )
    return session.scalars(query.order_by(CallTask.held_until.desc()).limit(1)).first()


def accepted_by_word(session: Session, task: CallTask, user: User, at: datetime) -> bool:
    """The duty has told this person that they take the emergency: it is accepted as by their key (I8).

    Returns whether it was still to be accepted.
    """
    task.let_go()
    note = ACCEPTED_BY_WORD.format(name=task.organisation.name)
    if not accepted_by_telephone(session, task.report, task.organisation_id, note, at, user):
        return False
    move_task(session, task, Move(TaskEvent.SETTLED, user, Why.ACCEPTED), at)
    return True


def last_talks(session: Session, tasks: Collection[CallTask]) -> dict[int, Attempt]:
    """The last call in which a person of ours spoke with the duty, by task."""
    query = (
        select(AttemptTask.task_id, Attempt)
        .join(AttemptTask.attempt)
        .where(AttemptTask.task_id.in_([task.id for task in tasks]))
        .where(Attempt.user_id.is_not(None), Attempt.answered_at.is_not(None))
        .order_by(Attempt.id)
        .options(joinedload(Attempt.user))
    )
    return dict(session.execute(query).all())


def not_reached(session: Session, task: CallTask, user: User, at: datetime) -> None:
    """The person who called reached nobody who could be told; the task waits on."""
    task.let_go()
    move_task(session, task, Move(TaskEvent.TRIED, user, Why.NOT_REACHED), at)
