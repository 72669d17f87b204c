"""What became of one task: its moves, and the calls that were made about it, each with its times (C1-C5)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, selectinload

from models.attempts import Attempt, AttemptTask
from models.calls import Call
from models.calltasks import CallTask, CallTaskEvent, TaskEvent
from models.reports import HistoryRow, Report


@dataclass(frozen=True)
class Made:
    """One call about the task: to the citizen, or planned and withdrawn."""

    attempt: Attempt
    key: str  # that answered this task's question; "" when none did

    @property
    def at(self) -> datetime:
        return self.attempt.dialled_at or self.attempt.planned_at

    @property
    def rang(self) -> timedelta | None:
        """How long it rang at the citizen's; None when it did not."""
        begun, ended = self.attempt.ringing_at, self.attempt.answered_at or self.attempt.settled_at
        return max(ended - begun, timedelta()) if begun and ended else None

    @property
    def talked(self) -> timedelta | None:
        """How long the citizen's receiver was off the hook; None when it was not lifted."""
        begun, ended = self.attempt.answered_at, self.attempt.settled_at
        return max(ended - begun, timedelta()) if begun and ended else None


def find_task(session: Session, task_id: int) -> CallTask | None:
    """The task with its moves and what it is about."""
    query = select(CallTask).where(CallTask.id == task_id)
    return session.scalar(
        query.options(
            joinedload(CallTask.report).options(joinedload(Report.category), joinedload(Report.street)),
            joinedload(CallTask.call).joinedload(Call.line),
            joinedload(CallTask.organisation),
            joinedload(CallTask.asked_by),
            selectinload(CallTask.events).joinedload(CallTaskEvent.user),
        )
    )


def calls_made(session: Session, task_id: int) -> list[Made]:
    """The calls about the task, the first one first."""
    query = select(AttemptTask).where(AttemptTask.task_id == task_id).order_by(AttemptTask.attempt_id)
    loading = joinedload(AttemptTask.attempt).joinedload(Attempt.user)
    return [Made(row.attempt, row.key) for row in session.scalars(query.options(loading))]


def said_with(session: Session, task: CallTask) -> dict[int, list[HistoryRow]]:
    """What was recorded in the same act as each move of the task, by the move's id: the answer, with their words.

    Of a call-back it stands in the records of that number's calls.
    """
    moves = [move for move in task.events if move.event != TaskEvent.CREATED]
    about = HistoryRow.report_id == task.report_id
    if task.report_id is None:
        theirs = (Call.number == task.number, Call.number.is_not(None))  # a number that is withheld is a stranger's
        about = HistoryRow.report_id.in_(select(Report.id).join(Report.call).where(*theirs))
    query = select(HistoryRow).where(about, HistoryRow.at.in_({move.at for move in moves})).order_by(HistoryRow.id)
    rows = session.scalars(query).all()
    return {move.id: [row for row in rows if (row.at, row.user_id) == (move.at, move.user_id)] for move in moves}


def tasks_about(session: Session, report_id: int) -> Sequence[CallTask]:
    """All tasks of the report with their moves, the first one first."""
    query = select(CallTask).where(CallTask.report_id == report_id).order_by(CallTask.id)
    loading = (joinedload(CallTask.asked_by), selectinload(CallTask.events).joinedload(CallTaskEvent.user))
    return session.scalars(query.options(*loading)).all()
