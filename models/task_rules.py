"""The rules that make calls' tasks and take them back: a task is there as long as its reason is (C1, C2).

Convergent: what should have a task and has none is looked for, and what has one without a reason, so that a break of
any length is made up for, and nothing else in the system needs to know of tasks.
"""

from datetime import datetime, timedelta

from sqlalchemy import Select, exists, select
from sqlalchemy.orm import Session, joinedload

from models.attempts import Attempt, AttemptTask
from models.calling import may_be_dialled
from models.calls import Call
from models.calltasks import (
    CallTask,
    Move,
    Purpose,
    TaskEvent,
    TaskState,
    Why,
    add_task,
    move_task,
)
from models.reports import Report, ReportState
from models.waiting import only_missed
from models.workdays import WorkCalendar

AT_ONCE = 200  # tasks of one rule in one transaction
CHECK_DAYS = 2  # working days within which the applicant is asked
CALL_BACK_WITHIN = timedelta(hours=1)

_OPEN = CallTask.settled_at.is_(None)


def sync_tasks(session: Session, calendar: WorkCalendar, at: datetime) -> int:
    """Make the tasks that are missing and end those without a reason. Returns how many were touched; 0: all is done."""
    rules = (_end_checks, _follow_numbers, _check, _end_call_backs, _call_back)
    return sum(rule(session, calendar, at) for rule in rules)


def _check(session: Session, calendar: WorkCalendar, at: datetime) -> int:
    """What is done and whose applicant was not asked (S 3.2)."""
    asked = exists().where(CallTask.report_id == Report.id, CallTask.purpose == Purpose.STATUS_CHECK, _OPEN)
    query = select(Report).where(Report.state == ReportState.DONE, ~asked).order_by(Report.id).limit(AT_ONCE)
    reports = session.scalars(query).all()
    for report in reports:
        task = add_task(
            session,
            Purpose.STATUS_CHECK,
            at,
            calendar.end_of_working_days(at, CHECK_DAYS),
            report_id=report.id,
            number=report.contact_number,
        )
        if not may_be_dialled(report.contact_number):
            move_task(session, task, Move(TaskEvent.HANDED, why=Why.NO_NUMBER), at)
    return len(reports)


def _end_checks(session: Session, _calendar: WorkCalendar, at: datetime) -> int:
    """Checks of reports that are not done any more: confirmed, refuted, closed by somebody else."""
    query = (
        select(CallTask)
        .join(CallTask.report)
        .where(_OPEN, CallTask.purpose == Purpose.STATUS_CHECK, Report.state != ReportState.DONE)
    )
    return _end(session, query.limit(AT_ONCE), TaskEvent.CANCELLED, Why.REPORT_MOVED, at)


def _follow_numbers(session: Session, _calendar: WorkCalendar, at: datetime) -> int:
    """Tasks of reports whose applicant has another number now; while one is being called it stays."""
    called = exists().where(
        AttemptTask.task_id == CallTask.id, AttemptTask.attempt_id == Attempt.id, Attempt.settled_at.is_(None)
    )
    changed = CallTask.number.is_distinct_from(Report.contact_number)
    query = (
        select(CallTask)
        .join(CallTask.report)
        .where(_OPEN, CallTask.organisation_id.is_(None), changed, ~called)
        .options(joinedload(CallTask.report))
        .limit(AT_ONCE)
    )
    tasks = session.scalars(query).all()
    for task in tasks:
        task.number = task.report.contact_number
        if task.state == TaskState.WAITING and not may_be_dialled(task.number):
            move_task(session, task, Move(TaskEvent.HANDED, why=Why.NO_NUMBER), at)
    return len(tasks)


def _call_back(session: Session, _calendar: WorkCalendar, at: datetime) -> int:
    """Missed calls whose number nobody has spoken with since; of each number one task (C1)."""
    waits = exists().where(CallTask.number == Call.number, CallTask.purpose == Purpose.CALL_BACK, _OPEN)
    had = exists().where(CallTask.call_id == Call.id)
    query = only_missed(select(Call)).where(Call.number.is_not(None), ~waits, ~had)
    made = set()
    for call in session.scalars(query.order_by(Call.id.desc()).limit(AT_ONCE)).all():
        if call.number not in made and may_be_dialled(call.number):
            made.add(call.number)
            add_task(
                session, Purpose.CALL_BACK, at, call.started_at + CALL_BACK_WITHIN, call_id=call.id, number=call.number
            )
    return len(made)


def _end_call_backs(session: Session, _calendar: WorkCalendar, at: datetime) -> int:
    """Call-backs of numbers that wait no more: somebody has spoken with them, or dealt with the draft."""
    still = only_missed(select(Call.number)).where(Call.number.is_not(None))
    query = select(CallTask).where(_OPEN, CallTask.purpose == Purpose.CALL_BACK, CallTask.number.not_in(still))
    return _end(session, query.limit(AT_ONCE), TaskEvent.SETTLED, Why.SPOKEN, at)


def _end(session: Session, query: Select, event: TaskEvent, why: Why, at: datetime) -> int:
    tasks = session.scalars(query).all()
    for task in tasks:
        move_task(session, task, Move(event, why=why), at)
    return len(tasks)
