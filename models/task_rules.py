"""The rules that make calls' tasks and take them back: a task is there as long as its reason is (C1, C2, I8, W4).

Convergent: what should have a task and has none is looked for, and what has one without a reason, so that a break of
any length is made up for, and nothing else in the system needs to know of tasks.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, and_, bindparam, exists, func, or_, select
from sqlalchemy.orm import Session, joinedload

from models.attempts import Attempt, AttemptTask
from models.base import UTCDateTime
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
    is_promised,
    move_task,
    promised,
)
from models.clarifications import talk_with
from models.deadlines import Deadline
from models.duty_calls import deadline_of, duty_numbers
from models.executions import Execution, execution_of
from models.missed import only_missed
from models.pressing import new_too_long, unaccepted, who_warned
from models.reports import (
    IS_ANSWER,
    OPEN_STATES,
    REGISTERED_STATES,
    UNDONE,
    HistoryEvent,
    HistoryRow,
    Report,
    ReportState,
    not_taken_back,
    note_history,
)
from models.workdays import WorkCalendar

AT_ONCE = 50  # tasks of one rule in one transaction: drafts wait for it
CHECK_DAYS = 2  # working days within which the applicant is asked
CALL_BACK_WITHIN = timedelta(hours=1)

_AT = bindparam("at", type_=UTCDateTime)
_OPEN = CallTask.settled_at.is_(None)


@dataclass(frozen=True)
class TaskRule:
    """What the rule is about, at the moment that is bound to `_AT`, and what is done with each row of it."""

    query: Select
    act: Callable[[Session, WorkCalendar, Any, datetime], None]


def sync_tasks(session: Session, calendar: WorkCalendar, at: datetime, rules: Sequence[TaskRule] | None = None) -> int:
    """Make the tasks that are missing and end those without a reason, by these rules or by all. Returns how many were
    touched; 0: all is done."""
    touched = 0
    for rule in RULES if rules is None else rules:
        for found in session.scalars(rule.query.limit(AT_ONCE), {"at": at}).all():
            row = _still_so(session, rule, found, at)
            if row is not None:
                rule.act(session, calendar, row, at)
                touched += 1
        session.flush()
    return touched


def _still_so(session: Session, rule: TaskRule, found: Any, at: datetime) -> Any | None:
    """The row, locked, when the rule is about it still: another transaction may have changed it since it was found."""
    table, row_id = type(found), found.id
    if session.get(table, row_id, with_for_update=True, populate_existing=True) is None:
        return None
    return session.scalars(rule.query.where(table.id == row_id), {"at": at}).first()


def out_of_step(session: Session, at: datetime, rules: Sequence[TaskRule]) -> bool:
    """Whether `sync_tasks` has something to do. Only reads: it is asked every few seconds."""
    return any(session.scalars(rule.query.limit(1), {"at": at}).first() is not None for rule in rules)


def _make_check(session: Session, calendar: WorkCalendar, report: Report, at: datetime) -> None:
    task = add_task(
        session,
        Purpose.STATUS_CHECK,
        at,
        calendar.end_of_working_days(at, CHECK_DAYS),
        report_id=report.id,
        number=report.contact_number,
    )
    _leave_to_person_without_number(session, task, at)


def _end_check(session: Session, _calendar: WorkCalendar, task: CallTask, at: datetime) -> None:
    """Who asked the machine for a person is called by one all the same, unless a person has their answer already."""
    if is_promised(session, task) and not _has_answered(session, task):
        talk_with(session, task.report, task.number, at)
    move_task(session, task, Move(TaskEvent.CANCELLED, why=Why.REPORT_MOVED), at)


def _has_answered(session: Session, task: CallTask) -> bool:
    """Whether the applicant has answered since they were to be asked."""
    answers = select(HistoryRow.id).where(
        HistoryRow.report_id == task.report_id, IS_ANSWER, HistoryRow.at >= task.created_at, not_taken_back()
    )
    return session.scalar(answers.limit(1)) is not None


def _end_question(session: Session, _calendar: WorkCalendar, task: CallTask, at: datetime) -> None:
    """Nobody works on the report any more; its history tells that nothing is asked."""
    if task.report.state in REGISTERED_STATES:
        note_history(session, task.report, HistoryEvent.CLARIFICATION_CALLED_OFF, None, at=at)
    move_task(session, task, Move(TaskEvent.CANCELLED, why=Why.REPORT_MOVED), at)


def _follow_number(session: Session, _calendar: WorkCalendar, task: CallTask, at: datetime) -> None:
    task.number = task.report.contact_number
    _leave_to_person_without_number(session, task, at)


def _leave_to_person_without_number(session: Session, task: CallTask, at: datetime) -> None:
    if task.state == TaskState.WAITING and not may_be_dialled(task.number):
        move_task(session, task, Move(TaskEvent.HANDED, why=Why.NO_NUMBER), at)


def _make_call_back(session: Session, _calendar: WorkCalendar, call: Call, at: datetime) -> None:
    """Of each number one task, for its latest call; a number that is never dialled has one that a person ends."""
    waits = select(CallTask.id).where(CallTask.number == call.number, CallTask.purpose == Purpose.CALL_BACK, _OPEN)
    if session.scalar(waits.limit(1)) is not None:
        return
    waiting = only_missed(select(Call.id)).where(Call.number == call.number)
    formers = select(CallTask).where(CallTask.call_id.in_(waiting)).order_by(CallTask.id.desc())
    query = formers.limit(1).with_for_update().execution_options(populate_existing=True)
    former = session.scalars(query).first()
    if former is not None and former.open:  # somebody else was faster
        return
    if former is not None:  # a draft was opened again
        move_task(session, former, Move(TaskEvent.REOPENED), at)
        _leave_to_person_without_number(session, former, at)
        return
    task = add_task(
        session, Purpose.CALL_BACK, at, call.started_at + CALL_BACK_WITHIN, call_id=call.id, number=call.number
    )
    _leave_to_person_without_number(session, task, at)


def _end_call_back(session: Session, _calendar: WorkCalendar, task: CallTask, at: datetime) -> None:
    move_task(session, task, Move(TaskEvent.SETTLED, why=Why.SPOKEN), at)


def _make_hand_over(session: Session, _calendar: WorkCalendar, part: Execution, at: datetime) -> None:
    numbers = duty_numbers(session, part.organisation_id)
    task = add_task(
        session,
        Purpose.HAND_OVER,
        at,
        deadline_of(duty_numbers(session, part.organisation_id, by_machine=True), at),
        report_id=part.report_id,
        organisation_id=part.organisation_id,
        number=next(iter(numbers), None),
    )
    _leave_to_person_without_number(session, task, at)


def _too_late(session: Session, _calendar: WorkCalendar, task: CallTask, at: datetime) -> None:
    move_task(session, task, Move(TaskEvent.HANDED, why=Why.LATE), at)


def _make_warning(session: Session, _calendar: WorkCalendar, deadline: Deadline, at: datetime) -> None:
    organisation_id = deadline.organisation_id or deadline.report.executor_id
    task = add_task(
        session,
        Purpose.WARN_OPERATOR,
        at,
        deadline.due_at,
        report_id=deadline.report_id,
        organisation_id=organisation_id,
        number=next(iter(duty_numbers(session, organisation_id)), None),
    )
    _leave_to_person_without_number(session, task, at)


def _end_duty_call(session: Session, _calendar: WorkCalendar, task: CallTask, at: datetime) -> None:
    """It was accepted on screen, its operator was warned, or the report is another's, closed, no emergency any more."""
    part = execution_of(session, task.report, task.organisation_id)
    if part is not None and part.accepted_at is not None:
        move = Move(TaskEvent.SETTLED, why=Why.ACCEPTED)
    elif task.purpose == Purpose.WARN_OPERATOR and (who := who_warned(session, task.report, task.organisation_id)):
        move = Move(TaskEvent.SETTLED, who, Why.WARNED)
    else:
        move = Move(TaskEvent.CANCELLED, why=Why.REPORT_MOVED)
    move_task(session, task, move, at)


def _has_task(purpose: Purpose, about: Any) -> Any:
    return exists().where(about, CallTask.purpose == purpose, _OPEN)


_BEING_CALLED = exists().where(
    AttemptTask.task_id == CallTask.id, AttemptTask.attempt_id == Attempt.id, Attempt.settled_at.is_(None)
)

_WHOSE = func.coalesce(Deadline.organisation_id, Report.executor_id)
_NEW_TOO_LONG = new_too_long(select(Deadline).join(Report, Report.id == Deadline.report_id), _AT)

RULES = (
    # emergencies that are accepted, or are none for this organisation any more
    TaskRule(
        select(CallTask)
        .where(
            _OPEN,
            CallTask.purpose == Purpose.HAND_OVER,
            ~unaccepted(select(Execution.id))
            .where(Execution.report_id == CallTask.report_id, Execution.organisation_id == CallTask.organisation_id)
            .exists(),
        )
        .options(joinedload(CallTask.report)),
        _end_duty_call,
    ),
    # the machine is off, or has no line: an emergency does not wait for it
    TaskRule(
        select(CallTask).where(
            _OPEN,
            CallTask.purpose == Purpose.HAND_OVER,
            CallTask.state == TaskState.WAITING,
            CallTask.deadline_at < _AT,
            ~_BEING_CALLED,
        ),
        _too_late,
    ),
    # emergencies that an executor has not accepted (I8)
    TaskRule(
        unaccepted(select(Execution))
        .where(
            ~_has_task(
                Purpose.HAND_OVER,
                and_(CallTask.report_id == Execution.report_id, CallTask.organisation_id == Execution.organisation_id),
            )
        )
        .order_by(Execution.id),
        _make_hand_over,
    ),
    # operators who were warned, or need not be
    TaskRule(
        select(CallTask)
        .where(
            _OPEN,
            CallTask.purpose == Purpose.WARN_OPERATOR,
            ~_NEW_TOO_LONG.where(Deadline.report_id == CallTask.report_id, CallTask.organisation_id == _WHOSE).exists(),
        )
        .options(joinedload(CallTask.report)),
        _end_duty_call,
    ),
    # what was new for too long (R 4.3)
    TaskRule(
        _NEW_TOO_LONG.where(
            _WHOSE.is_not(None),
            Report.state.in_(UNDONE),
            ~_has_task(
                Purpose.WARN_OPERATOR, and_(CallTask.report_id == Report.id, CallTask.organisation_id == _WHOSE)
            ),
        ).order_by(Deadline.id),
        _make_warning,
    ),
    # reports that are not done any more: confirmed, refuted or closed by somebody else
    TaskRule(
        select(CallTask)
        .join(CallTask.report)
        .where(_OPEN, CallTask.purpose == Purpose.STATUS_CHECK, Report.state != ReportState.DONE),
        _end_check,
    ),
    # what was to be clarified, of a report that nobody works on any more. Who called about an outage, or asked for a
    # person themselves, is called all the same, unless nothing is known of them any more.
    TaskRule(
        select(CallTask)
        .join(CallTask.report)
        .where(
            _OPEN,
            CallTask.purpose == Purpose.CLARIFICATION,
            or_(
                and_(Report.state.not_in(OPEN_STATES), CallTask.outage_id.is_(None), ~promised()),
                and_(CallTask.number.is_(None), or_(CallTask.outage_id.is_not(None), Report.state.not_in(OPEN_STATES))),
            ),
        ),
        _end_question,
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
        _make_check,
    ),
    # somebody has spoken with the number, or dealt with its draft
    TaskRule(
        select(CallTask).where(
            _OPEN,
            CallTask.purpose == Purpose.CALL_BACK,
            CallTask.number.is_(None)  # erased
            | CallTask.number.not_in(only_missed(select(Call.number)).where(Call.number.is_not(None))),
        ),
        _end_call_back,
    ),
    # missed calls whose number nobody has spoken with since (C1)
    TaskRule(
        only_missed(select(Call))
        .where(Call.number.is_not(None), ~_has_task(Purpose.CALL_BACK, CallTask.number == Call.number))
        .order_by(Call.id.desc()),
        _make_call_back,
    ),
)
