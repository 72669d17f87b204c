"""The applicant's answer that was recorded by mistake is taken back by who recorded it: undo instead of a question.

For `WITHIN`, while nothing else has happened to the report. Then it is as it was before the answer, which counts
nowhere any more (`models.reports.not_taken_back`). Answers by a key of the telephone are the applicant's own: they
stay.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.alerts import write_anew_without
from models.calltasks import OPEN_TASKS, CallTask, Move, Purpose, TaskEvent, TaskState, Why, lock_question, move_task
from models.deadlines import Deadline, DeadlineKind, apply_effects
from models.executions import executions_of
from models.free_days import load_calendar
from models.own_calls import hold
from models.people import User
from models.reports import HistoryEvent, HistoryRow, Report, ReportEvent, ReportState, move, note_history

WITHIN = timedelta(minutes=10)
# which answer, given in which state, is taken back by which event
TAKEN_BACK_BY: dict[tuple[str, str], ReportEvent] = {
    (ReportEvent.CONFIRMED, ReportState.DONE): ReportEvent.CONFIRM_TAKEN_BACK,
    (ReportEvent.REFUTED, ReportState.DONE): ReportEvent.REFUTE_TAKEN_BACK,
    (ReportEvent.REFUTED, ReportState.CLOSED): ReportEvent.LATE_REFUTE_TAKEN_BACK,
}
# what may have happened since: it only adds words
_ADDS_WORDS = frozenset(
    {
        HistoryEvent.NOTE,
        HistoryEvent.PUBLIC_NOTE,
        HistoryEvent.FILE_ADDED,
        HistoryEvent.REMARK,
        HistoryEvent.APPLICANT_CALLED,
        HistoryEvent.APPLICANT_TOLD_AGAIN,
        HistoryEvent.CALL_DETACHED,
        HistoryEvent.CLARIFICATION_ASKED,
        HistoryEvent.CLARIFICATION_CALLED_OFF,
    }
)


class Obstacle(StrEnum):
    """Why an answer cannot be taken back."""

    ANOTHER = "another"  # another person recorded it
    ALREADY = "already"  # it is taken back
    ACTED = "acted"  # something else has happened since
    LATE = "late"


class NotTakenBack(Exception):
    """The answer stays; nothing was changed."""

    def __init__(self, why: Obstacle) -> None:
        super().__init__(why)
        self.why = why


def is_answer(row: HistoryRow) -> bool:
    """Whether the row is an applicant's answer."""
    return (row.event, row.from_state) in TAKEN_BACK_BY


def to_take_back(history: Iterable[HistoryRow], user: User, at: datetime) -> HistoryRow | None:
    """The answer that this person can take back at ``at``, of a report with this ``history`` in its order."""
    acts = [row for row in history if row.event not in _ADDS_WORDS]
    last = acts[-1] if acts else None
    return last if last is not None and is_answer(last) and _obstacle(last, last, user, at) is None else None


def answer_to_take_back(session: Session, report_id: int, user: User, at: datetime) -> HistoryRow | None:
    """As `to_take_back`, of the report with this id."""
    last = _last_act(session, report_id)
    return to_take_back([last], user, at) if last is not None else None


def take_back(session: Session, report: Report, answer: HistoryRow, user: User, at: datetime) -> CallTask | None:
    """The report is as it was before this ``answer``, and who took it back has the applicant's check before them.

    Returns the check, None where there is none. Raises `NotTakenBack`. The tasks are locked before their report, as
    everywhere.
    """
    task = _check_of(session, report.id) if answer.from_state == ReportState.DONE else None
    questions = _questions_ended(session, report.id, answer.at)
    lock_question(session, report.id)  # to which their words may be added
    session.refresh(report, ["state", "revision", "due_at"], with_for_update=True)
    obstacle = _obstacle(answer, _last_act(session, report.id), user, at)
    if obstacle is not None:
        raise NotTakenBack(obstacle)
    event = TAKEN_BACK_BY[answer.event, answer.from_state]
    move(session, report, event, user, at=at, takes_back=answer)
    if answer.event == ReportEvent.REFUTED:
        apply_effects(session, report, event, load_calendar(session), at)
        write_anew_without(session, report, at)
        report.due_at = _former_due(session, report)
        for part in executions_of(session, report):
            session.refresh(part)
            part.completed_at, part.planned_at = part.completed_before, part.planned_before
            part.completed_before = part.planned_before = None
    if task is not None:
        _ask_again(session, task, user, at)
    for question in questions:
        _ask_anew(session, report, question, user, at)
    session.flush()
    return task


def _obstacle(answer: HistoryRow, last: HistoryRow | None, user: User, at: datetime) -> Obstacle | None:
    if answer.user_id != user.id:
        return Obstacle.ANOTHER
    if last is None or last.id != answer.id:
        return Obstacle.ALREADY if last is not None and last.takes_back_id == answer.id else Obstacle.ACTED
    return Obstacle.LATE if at > answer.at + WITHIN else None


def _last_act(session: Session, report_id: int) -> HistoryRow | None:
    acts = select(HistoryRow).where(HistoryRow.report_id == report_id, HistoryRow.event.not_in(_ADDS_WORDS))
    return session.scalars(acts.order_by(HistoryRow.id.desc()).limit(1)).first()


def _former_due(session: Session, report: Report) -> datetime | None:
    """When the work was due that was met: the last term that nobody cancelled."""
    terms = select(Deadline.due_at).where(
        Deadline.report_id == report.id, Deadline.kind == DeadlineKind.WORK, Deadline.cancelled_at.is_(None)
    )
    return session.scalar(terms.order_by(Deadline.id.desc()).limit(1)) or report.due_at


def _check_of(session: Session, report_id: int) -> CallTask | None:
    """The report's last status check, as it stands now, so that nobody moves it meanwhile."""
    tasks = select(CallTask).where(CallTask.report_id == report_id, CallTask.purpose == Purpose.STATUS_CHECK)
    last = tasks.order_by(CallTask.settled_at.is_not(None), CallTask.id.desc()).limit(1)
    return session.scalar(last.with_for_update().execution_options(populate_existing=True))


def _questions_ended(session: Session, report_id: int, since: datetime) -> Sequence[CallTask]:
    """What was to be asked of the applicant, and was called off by the rule because of the answer (R 4.4)."""
    ended = select(CallTask).where(
        CallTask.report_id == report_id,
        CallTask.purpose == Purpose.CLARIFICATION,
        CallTask.state == TaskState.CANCELLED,
        CallTask.why == Why.REPORT_MOVED,
        CallTask.settled_at >= since,
    )
    last = ended.order_by(CallTask.id.desc()).limit(1)  # of a report one is open at a time
    return session.scalars(last.with_for_update().execution_options(populate_existing=True)).all()


def _ask_anew(session: Session, report: Report, question: CallTask, user: User, at: datetime) -> None:
    """What was called off because of the answer is to be asked after all: in the call that is to be made by now, where
    there is one."""
    other, words = lock_question(session, report.id), question.questions
    if other is None:
        move_task(session, question, Move(TaskEvent.REOPENED, user), at)
    else:
        words = [one for one in words if one not in other.questions]
        for one in words:
            other.ask_also(one)
    if words:
        asked = "\n\n".join(words)
        note_history(session, report, HistoryEvent.CLARIFICATION_ASKED, question.asked_by, asked, at=at)


def _ask_again(session: Session, task: CallTask, user: User, at: datetime) -> None:
    """The check goes on, on this person's screen: no machine calls meanwhile, and none that a person had to make."""
    if not task.open:
        ended = [move for move in task.events if move.from_state in OPEN_TASKS and move.to_state not in OPEN_TASKS][-1]
        handed = [move.why for move in task.events if move.event == TaskEvent.HANDED]
        move_task(session, task, Move(TaskEvent.REOPENED, user), at)
        if ended.from_state == TaskState.PERSON:
            move_task(session, task, Move(TaskEvent.HANDED, why=handed[-1]), at)
    hold([task], user, at)
