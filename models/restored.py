"""What a database out of a backup must be told about calls of ours: time went on after it was made.

What it has planned was perhaps dialled, what rang has ended, and calls were made of which it knows nothing. The rule is
that of every call that gets lost: found out where it can be, and never dialled again by itself (C5).
"""

from datetime import datetime

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from models.attempts import Attempt, AttemptEvent, AttemptState, move_attempt
from models.calltasks import CallTask, Move, TaskEvent, TaskState, Why, move_task
from models.dialling import BY_MACHINE, live_attempts
from models.settling import lose

NOT_KNOWN = "not_known"  # the note of the attempt that stands for those which the backup does not know


def presume_dialled(session: Session) -> None:
    """What was planned when the backup was made was dialled, for all that is known."""
    for attempt in live_attempts(session):
        if attempt.state == AttemptState.PLANNED:
            move_attempt(session, attempt, AttemptEvent.DIALLED, attempt.planned_at)
            attempt.dialled_at = attempt.planned_at


def lose_all(session: Session, at: datetime) -> int:
    """Give up the calls that went on when the backup was made and of which nobody told the end: how many."""
    lost = live_attempts(session)
    for attempt in lost:
        lose(session, attempt.id, at)
    return len(lost)


def last_attempt(session: Session) -> int:
    """The number of the last attempt that the database knows."""
    return session.scalar(select(func.max(Attempt.id))) or 0


def hand_due_over(session: Session, at: datetime) -> int:
    """The machine's tasks that were due by ``at`` may have been called about since: a person decides. How many."""
    due = select(CallTask).where(
        CallTask.settled_at.is_(None),
        CallTask.state == TaskState.WAITING,
        CallTask.due_at <= at,
        CallTask.purpose.in_(BY_MACHINE),
    )
    tasks = session.scalars(due.with_for_update()).all()
    for task in tasks:
        move_task(session, task, Move(TaskEvent.HANDED, why=Why.UNKNOWN), at)
    return len(tasks)


def skip_attempts(session: Session, told: int, at: datetime) -> None:
    """Let no new attempt have a number up to ``told``: the exchange's file tells of others with these."""
    session.add(Attempt(id=told, number="", state=AttemptState.CANCELLED, planned_at=at, settled_at=at, note=NOT_KNOWN))
    session.flush()
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT setval(pg_get_serial_sequence('call_attempts', 'id'), :told)"), {"told": told})
