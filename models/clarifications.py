"""Asking the applicant: what a report lacks is asked by telephone, and the answer stands in the report (C4, R 4.4)."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.acts import Act, WordsMissing, check_act
from models.base import announce
from models.calling import may_be_dialled
from models.calltasks import CallTask, Move, Purpose, TaskEvent, Why, add_task, lock_question, move_task
from models.dialling import Dialler, Refusal, Refused
from models.free_days import load_calendar
from models.machine import IllegalMove
from models.own_calls import Said, Told, put_off
from models.people import User
from models.reports import OPEN_STATES, HistoryEvent, Report, note_history
from models.work import add_note

ASKED_WITHIN = 1  # working days: no document sets a term
ANSWERED = "Заявник уточнив"  # in the language of the records, before the applicant's words
WANTS_PERSON = "Під час автоматичного дзвінка заявник попросив розмови з людиною."  # also in that language


def ask_applicant(session: Session, report: Report, user: User, question: str, at: datetime) -> CallTask:
    """The applicant is to be called and asked this; a further question adds to the call that is still to be made.

    Raises `Refused` for a number that is never dialled, and what `check_act` does.
    """
    check_act(session, report, user, Act.ASK, question)
    if not may_be_dialled(report.contact_number):
        raise Refused(Refusal.NUMBER)
    task = lock_question(session, report.id)
    if task is None:
        deadline = load_calendar(session).end_of_working_days(at, ASKED_WITHIN)
        task = add_task(
            session,
            Purpose.CLARIFICATION,
            at,
            deadline,
            report_id=report.id,
            number=report.contact_number,
            asked_by_id=user.id,
            words=question,
        )
    elif question in task.questions:
        return task  # sent twice
    else:
        task.ask_also(question)
    note_history(session, report, HistoryEvent.CLARIFICATION_ASKED, user, question, at=at)
    announce(session, "report", report.id)
    return task


def talk_with(session: Session, report: Report, number: str, at: datetime) -> None:
    """The applicant asked the machine for a person: one is to call them, also when the report was closed meanwhile.

    Not who has that number by now, where it is the applicant's no more.
    """
    task = lock_question(session, report.id)
    if report.contact_number != number or (task is not None and WANTS_PERSON in task.questions):
        return
    if task is None:
        deadline = load_calendar(session).end_of_working_days(at, ASKED_WITHIN)
        task = add_task(
            session, Purpose.CLARIFICATION, at, deadline, report_id=report.id, number=number, words=WANTS_PERSON
        )  # fmt: skip
    else:
        task.ask_also(WANTS_PERSON)
    move_task(session, task, Move(TaskEvent.HANDED, why=Why.ASKED_FOR_PERSON), at)
    note_history(session, report, HistoryEvent.CLARIFICATION_ASKED, None, WANTS_PERSON, at=at)
    announce(session, "report", report.id)


def call_question_off(
    session: Session, report: Report, user: User, why: str, at: datetime, seen: int | None = None
) -> None:
    """The applicant need not be asked any more what stood on the user's page: the first ``seen`` questions, or all.

    Raises what `check_act` does.
    """
    check_act(session, report, user, Act.CALL_OFF, why)
    task = lock_question(session, report.id)
    if task is not None:
        _cancel_seen(session, task, user, seen, at)
    note_history(session, report, HistoryEvent.CLARIFICATION_CALLED_OFF, user, why, at=at)
    announce(session, "report", report.id)


def answer_question(session: Session, dialler: Dialler, task: CallTask, user: User, told: Told, at: datetime) -> None:
    """What the applicant answered, as a note in the report, or that they were not reached.

    Raises `WordsMissing`, `WrongTime`, `NotYours`, and `IllegalMove` for a call that is over or a key that is none of
    its.
    """
    if not task.open:
        raise IllegalMove("task", task.state, told.said)
    task.let_go()
    if told.said in (Said.LATER, Said.NOT_REACHED):
        put_off(session, dialler, task, user, told, at)
    elif task.outage_id is not None or task.report.state not in OPEN_STATES:
        _answer_of_any_report(session, task, user, told, at)
    elif told.said == Said.NOT_NEEDED:
        call_question_off(session, task.report, user, told.words, at, told.seen)
    elif told.said != Said.ANSWER:
        raise IllegalMove("task", task.state, told.said)
    elif not told.words.strip():
        raise WordsMissing(told.said)
    else:
        add_note(session, task.report, user, f"{ANSWERED}: {told.words}", public=told.public, at=at)
        move_task(session, task, Move(TaskEvent.SETTLED, user, Why.ANSWERED), at)


def _answer_of_any_report(session: Session, task: CallTask, user: User, told: Told, at: datetime) -> None:
    """About an outage, in other words than by the keys of `models.outage_calls`, or from who wanted a person. What it
    is about may be closed, or no report at all, so `models.acts` is not asked."""
    if told.said not in (Said.ANSWER, Said.NOT_NEEDED):
        raise IllegalMove("task", task.state, told.said)
    if not told.words.strip():
        raise WordsMissing(told.said)
    if told.said == Said.ANSWER:
        note_history(session, task.report, HistoryEvent.NOTE, user, f"{ANSWERED}: {told.words}", at=at)
        move_task(session, task, Move(TaskEvent.SETTLED, user, Why.ANSWERED), at)
    else:
        note_history(session, task.report, HistoryEvent.CLARIFICATION_CALLED_OFF, user, told.words, at=at)
        _cancel_seen(session, task, user, told.seen, at)
    announce(session, "report", task.report_id)


def _cancel_seen(session: Session, task: CallTask, user: User, seen: int | None, at: datetime) -> None:
    """The call is cancelled; what was added to it since the user's page was made is asked all the same."""
    move_task(session, task, Move(TaskEvent.CANCELLED, user, Why.NOT_NEEDED), at)
    rest = task.questions[seen:] if seen is not None else []
    if rest:
        ask_the_rest(session, task, rest, at, promise=WANTS_PERSON in rest)


def ask_the_rest(session: Session, task: CallTask, rest: Sequence[str], at: datetime, *, promise: bool) -> CallTask:
    """These questions of a call that is over are asked in one of their own; a ``promise`` stays one."""
    session.flush()  # of a report one question is open at a time
    left = add_task(
        session, Purpose.CLARIFICATION, at, task.deadline_at,
        report_id=task.report_id, number=task.number, asked_by_id=task.asked_by_id, words="\n\n".join(rest),
    )  # fmt: skip
    if promise:
        move_task(session, left, Move(TaskEvent.HANDED, why=Why.ASKED_FOR_PERSON), at)
    return left


def count_questions(session: Session) -> int:
    """How many applicants are to be asked something."""
    asked = select(func.count()).where(CallTask.purpose == Purpose.CLARIFICATION, CallTask.settled_at.is_(None))
    return session.scalar(asked) or 0
