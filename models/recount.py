"""Open deadlines when the working calendar changes (W14): which would move, and moving them.

The length of a term stays, its end moves. What a person decided stays as it is: a day that the control body set is no
count of days. No deadline is moved into the past: nobody can keep one that was late when it came.
"""

from dataclasses import dataclass
from datetime import date, datetime, time

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, selectinload

from models.deadlines import RULES, Deadline, StepKind, recount_due
from models.people import User
from models.reports import Report
from models.workdays import KYIV, WorkCalendar


@dataclass(frozen=True)
class Shift:
    """An open deadline, and when it would be due."""

    deadline: Deadline
    due_at: datetime


def find_shifts(session: Session, before: WorkCalendar, then: WorkCalendar, touched: date, at: datetime) -> list[Shift]:
    """The deadlines that run at ``at`` and end otherwise by the calendar ``then``, the nearest first.

    ``touched`` is the first day on which the calendars differ: what is due before it cannot move.
    """
    query = (
        select(Deadline)
        .where(
            Deadline.running,
            Deadline.due_at >= datetime.combine(touched, time(), KYIV),
        )
        .options(
            joinedload(Deadline.report).options(joinedload(Report.category), joinedload(Report.executor)),
            joinedload(Deadline.organisation),
            selectinload(Deadline.steps),
        )
        .order_by(Deadline.due_at, Deadline.id)
    )
    shifts = (Shift(deadline, recounted(deadline, before, then)) for deadline in session.scalars(query))
    return [shift for shift in shifts if shift.due_at != shift.deadline.due_at and shift.due_at > at]


def recounted(deadline: Deadline, before: WorkCalendar, then: WorkCalendar) -> datetime:
    """When the deadline is due by another calendar; as now where it is no count of days by the calendar ``before``."""
    rule, began, due = RULES[deadline.kind], deadline.began_at, deadline.due_at
    decided = any(step.kind == StepKind.MOVED for step in deadline.steps)
    if rule.working:
        days = before.working_days_between(began, due)
        counted, end = before.end_of_working_days(began, days), then.end_of_working_days(began, days)
    else:
        counted, end = before.end_of_days(began, rule.days or 0), then.end_of_days(began, rule.days or 0)
    return due if decided or counted != due else end


def move_deadlines(session: Session, shifts: list[Shift], by: User, note: str, at: datetime) -> None:
    """Give the deadlines their new moments, each with a step that says so."""
    for shift in shifts:
        recount_due(session, shift.deadline, shift.due_at, by, note, at)
    session.flush()
