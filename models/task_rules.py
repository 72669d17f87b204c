"""The rules that make calls' tasks and take them back: a task is there as long as its reason is (C1, C2).

Convergent: what should have a task and has none is looked for, and what has one without a reason, so that a break of
any length is made up for, and nothing else in the system needs to know of tasks.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, exists, select
from sqlalchemy.orm import Session, joinedload

from models.attempts import Attempt, AttemptTask
from models.calling import may_be_dialled
from models.calls import Call
from models.calltasks import CallTask, Move, Purpose, TaskEvent, TaskState, Why, add_task, move_task
from models.reports import Report, ReportState
from models.waiting import only_missed
from models.workdays import WorkCalendar

AT_ONCE = 50  # tasks of one rule in one transaction: drafts wait for it
CHECK_DAYS = 2  # working days within which the applicant is asked
CALL_BACK_WITHIN = timedelta(hours=1)

_OPEN = CallTask.settled_at.is_(None)


@dataclass(frozen=True)
class TaskRule:
    """What the rule is about, and what is done with each row of it."""

    query: Select
    act: Callable[[Session, WorkCalendar, Any, datetime], None]


def sync_tasks(session: Session, calendar: WorkCalendar, at: datetime) -> int:
    """Make the tasks that are missing and end those without a reason. Returns how many were touched; 0: all is done."""
    touched = 0
    for rule in RULES:
        rows: Sequence[Any] = session.scalars(rule.query.limit(AT_ONCE)).all()
        for row in rows:
            rule.act(session, calendar, row, at)
        session.flush()
        touched += len(rows)
    return touched


def out_of_step(session: Session) -> bool:
    """Whether `sync_tasks` has something to do. Only reads: it is asked every few seconds."""
    return any(session.scalars(rule.query.limit(1)).first() is not None for rule in RULES)


def _check(session: Session, calendar: WorkCalendar, report: Report, at: datetime) -> None:
    task = add_task(
        session,
        Purpose.STATUS_CHECK,
        at,
        calendar.end_of_working_days(at, CHECK_DAYS),
        report_id=report.id,
        number=report.contact_number,
    )
    _hand_over_without_number(session, task, at)


def _end_check(session: Session, _calendar: WorkCalendar, task: CallTask, at: datetime) -> None:
    move_task(session, task, Move(TaskEvent.CANCELLED, why=Why.REPORT_MOVED), at)


def _follow_number(session: Session, _calendar: WorkCalendar, task: CallTask, at: datetime) -> None:
    task.number = task.report.contact_number
    _hand_over_without_number(session, task, at)


def _hand_over_without_number(session: Session, task: CallTask, at: datetime) -> None:
    if task.state == TaskState.WAITING and not may_be_dialled(task.number):
        move_task(session, task, Move(TaskEvent.HANDED, why=Why.NO_NUMBER), at)


def _call_back(session: Session, _calendar: WorkCalendar, call: Call, at: datetime) -> None:
    """Of each number one task, for its latest call; a number that is never dialled has one that a person ends."""
    waits = select(CallTask.id).where(CallTask.number == call.number, CallTask.purpose == Purpose.CALL_BACK, _OPEN)
    if session.scalar(waits.limit(1)) is not None:
        return
    task = add_task(
        session, Purpose.CALL_BACK, at, call.started_at + CALL_BACK_WITHIN, call_id=call.id, number=call.number
    )
    _hand_over_without_number(session, task, at)


def _end_call_back(session: Session, _calendar: WorkCalendar, task: CallTask, at: datetime) -> None:
    move_task(session, task, Move(TaskEvent.SETTLED, why=Why.SPOKEN), at)


def _has_task(purpose: Purpose, about: Any) -> Any:
    return exists().where(about, CallTask.purpose == purpose, _OPEN)


_BEING_CALLED = exists().where(
    AttemptTask.task_id == CallTask.id, AttemptTask.attempt_id == Attempt.id, Attempt.settled_at.is_(None)
)

RULES = (
    # reports that are not done any more: confirmed, refuted or closed by somebody else
    TaskRule(
        select(CallTask)
        .join(CallTask.report)
        .where(_OPEN, CallTask.purpose == Purpose.STATUS_CHECK, Report.state != ReportState.DONE),
        _end_check,
    ),
    # the applicant has another number now; while one is being called it stays
    TaskRule(
        select(CallTask)
        .join(CallTask.report)
        .where(
            _OPEN,
            CallTask.organisation_id.is_(None),
            CallTask.number.is_distinct_from(Report.contact_number),
            ~_BEING_CALLED,
        )
        .options(joinedload(CallTask.report)),
        _follow_number,
    ),
    # what is done, and whose applicant was not asked (S 3.2)
    TaskRule(
        select(Report)
        .where(Report.state == ReportState.DONE, ~_has_task(Purpose.STATUS_CHECK, CallTask.report_id == Report.id))
        .order_by(Report.id),
        _check,
    ),
    # somebody has spoken with the number, or dealt with its draft
    TaskRule(
        select(CallTask).where(
            _OPEN,
            CallTask.purpose == Purpose.CALL_BACK,
            CallTask.number.not_in(only_missed(select(Call.number)).where(Call.number.is_not(None))),
        ),
        _end_call_back,
    ),
    # missed calls whose number nobody has spoken with since (C1)
    TaskRule(
        only_missed(select(Call))
        .where(Call.number.is_not(None), ~_has_task(Purpose.CALL_BACK, CallTask.number == Call.number))
        .order_by(Call.id.desc()),
        _call_back,
    ),
)
