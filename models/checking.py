"""Status checks as people make them: the list by hours left, and what the applicant's answer means (C2, S 3.2)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from sqlalchemy import exists, func, select, union
from sqlalchemy.orm import Session, joinedload

from models import work
from models.acts import WordsMissing
from models.attempts import Attempt, AttemptTask
from models.calling import Outcome
from models.calltasks import CallTask, CallTaskEvent, Move, Purpose, TaskEvent, Why, move_task
from models.dialling import Dialler
from models.executions import Execution
from models.lists import Listed, first_of
from models.machine import IllegalMove
from models.own_calls import MOVES_REPORT, NEEDS_WORDS, SHOWN, Said, Told, leave_to_who_calls, put_off, tries_of
from models.people import User
from models.reports import IS_ANSWER, HistoryRow, Report, ReportEvent, ReportState, not_taken_back
from models.settling import never_by_machine
from models.with_them import not_to_be_offered
from models.workdays import KYIV

PARTLY = "Виконано частково"  # in the language of the records, before the applicant's words


@dataclass(frozen=True)
class Check:
    """A report whose applicant is to be asked, what each executor says was done, and the calls so far."""

    task: CallTask
    parts: list[Execution]
    tries: list[Attempt]


def due_checks(session: Session, user: User, at: datetime, most: int = SHOWN) -> Listed[Check]:
    """The checks that are open, the fewest hours left first, of the same term the urgent; last those that ``user`` is
    not to make now."""
    ids = select(CallTask.id).where(CallTask.purpose == Purpose.STATUS_CHECK, CallTask.settled_at.is_(None))
    rows = select(CallTask).where(CallTask.purpose == Purpose.STATUS_CHECK, CallTask.settled_at.is_(None))
    pressing = exists().where(Report.id == CallTask.report_id, Report.emergency)
    rows = rows.order_by(not_to_be_offered(user, at), CallTask.deadline_at, ~pressing, CallTask.id).options(
        joinedload(CallTask.held_by),
        joinedload(CallTask.report).options(
            joinedload(Report.category), joinedload(Report.street), joinedload(Report.call)
        ),
    )
    found = first_of(session, rows, ids, most)
    return Listed(_checks(session, found.rows), found.count)


def check_of(session: Session, task_id: int) -> Check | None:
    """One check that is still open; None for any other task."""
    task = session.get(CallTask, task_id)
    if task is None or not task.open or task.purpose != Purpose.STATUS_CHECK or task.report is None:
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
    tries = tries_of(session, [task.id for task in tasks])
    return [Check(task, parts.get(task.report_id, []), tries.get(task.id, [])) for task in tasks]


def answer(session: Session, dialler: Dialler, task: CallTask, user: User, told: Told, at: datetime) -> None:
    """What the applicant said, or that they were not reached: the report moves, or the task waits on.

    Raises `WordsMissing`, `WrongTime`, `NotYours`, and `IllegalMove` where the report is not *done* any more, the key
    is none of a check's, or there is no number that the machine is not to call.
    """
    said, words, report = told.said, told.words, task.report
    if not task.open:
        raise IllegalMove("task", task.state, said)
    if said in NEEDS_WORDS and not words.strip():
        raise WordsMissing(said)
    task.let_go()
    if said in (Said.LATER, Said.NOT_REACHED):
        put_off(session, dialler, task, user, told, at)
    elif said == Said.DONE:
        work.confirm(session, report, user, words, at)
    elif said in (Said.NOT_DONE, Said.PARTLY):
        work.refute(session, report, user, f"{PARTLY}: {words}" if said == Said.PARTLY else words, at)
    elif said == Said.OTHER:
        work.add_note(session, report, user, words, public=False, at=at)
        task.due_at = dialler.rules.window.next_open(at + timedelta(days=1), dialler.calendar)
        move_task(session, task, Move(TaskEvent.TALKED, user), at)
    elif said == Said.NEVER and task.number is not None:
        never_by_machine(session, task.number, at, user_id=user.id)
        move_task(session, task, Move(TaskEvent.HANDED, user, Why.OPTED_OUT), at)
    else:
        raise IllegalMove("task", task.state, said)
    if said in MOVES_REPORT:
        move_task(session, task, Move(TaskEvent.SETTLED, user, Why.ANSWERED), at)


def leave_to_who_asks(session: Session, report: Report, user: User) -> None:
    """Raise `Refused` while a colleague's call to ask about this report goes on: what comes of it they will know."""
    asked = (CallTask.report_id == report.id, CallTask.purpose == Purpose.STATUS_CHECK, CallTask.settled_at.is_(None))
    for task in session.scalars(select(CallTask).where(*asked)):
        leave_to_who_calls(session, task, user)


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
            select(HistoryRow.event, func.count())
            .where(HistoryRow.at >= since, IS_ANSWER, not_taken_back())
            .group_by(HistoryRow.event)
        ).all()
    )
    in_vain = (
        select(Attempt.number)
        .join(Attempt.parts)
        .join(AttemptTask.task)
        .where(
            Attempt.settled_at >= since,
            Attempt.outcome.in_(_IN_VAIN),
            Attempt.answered_at.is_(None),
            CallTask.purpose == Purpose.STATUS_CHECK,
        )
    )
    by_word = (
        select(CallTask.number)
        .join(CallTaskEvent, CallTaskEvent.task_id == CallTask.id)
        .where(
            CallTaskEvent.at >= since,
            CallTaskEvent.event == TaskEvent.TRIED,
            CallTaskEvent.user_id.is_not(None),
            CallTaskEvent.attempt_id.is_(None),
            CallTask.purpose == Purpose.STATUS_CHECK,
        )
    )
    return Today(
        confirmed=moved.get(ReportEvent.CONFIRMED, 0),
        refuted=moved.get(ReportEvent.REFUTED, 0),
        not_reached=session.scalar(select(func.count()).select_from(union(in_vain, by_word).subquery())) or 0,
    )


_IN_VAIN: Collection[Outcome] = (Outcome.BUSY, Outcome.NO_ANSWER, Outcome.REJECTED, Outcome.BAD_NUMBER)
