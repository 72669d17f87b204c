"""Work on a registered report, from *new* to *closed*: what each act changes (W1-W8). Who may says `models.acts`."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.acts import Act, NotYours, check_act, missed_by_operators
from models.attachments import AttachmentKind, StoredFile, keep_files
from models.base import announce, now
from models.deadlines import DeadlineKind, apply_effects, move_due, note_warning
from models.executions import Execution, execution_of, executions_of
from models.free_days import load_calendar
from models.machine import IllegalMove
from models.people import Organisation, User
from models.reports import UNDONE, HistoryEvent, HistoryRow, Report, ReportEvent, ReportState, move, note_history
from models.search import make_findable
from models.workdays import KYIV

SENT_TWICE = timedelta(minutes=1)  # the same note within it is one
# the applicant's word, given by a key to a machine that asked; in the language of the records
BY_KEY = "Заявник підтвердив клавішею телефону."
NOT_DONE_BY_KEY = "Заявник натиснув клавішу «не виконано»."
PARTLY_BY_KEY = "Заявник натиснув клавішу «виконано частково»."


class PlannedTooLate(Exception):
    """The planned day is after the term, which ends at ``due``."""

    def __init__(self, due: datetime) -> None:
        super().__init__(due)
        self.due = due


class ExecutorAlready(IllegalMove):
    """The organisation has its part in the report already, or leads it."""


def begin_work(session: Session, report: Report, user: User | None, at: datetime) -> None:
    """The report was just registered: its executor is assigned, and its deadlines begin (R 4.2, R 4.3, S 2.3)."""
    calendar = load_calendar(session)
    apply_effects(session, report, ReportEvent.REGISTERED, calendar, at)
    _assign(session, report, report.executor_id, user, at, note=False)


def inform_head(session: Session, report: Report, user: User, at: datetime | None = None) -> None:
    """The operator says that the head of the organisation knows of the report (R 4.2)."""
    at, part = at or now(), _part(session, report, user, Act.INFORM_HEAD)
    part.informed_at = at
    _record(session, report, HistoryEvent.HEAD_INFORMED, user, at, organisation=part.organisation_id)


def head_informed_by_letter(session: Session, report: Report, organisation_id: int, at: datetime) -> None:
    """A letter about the report has gone to the head of the organisation: the system has told them (R 4.2)."""
    part = execution_of(session, report, organisation_id)
    if part is not None and part.informed_at is None:
        part.informed_at = at
        _record(session, report, HistoryEvent.HEAD_INFORMED, None, at, organisation=organisation_id)


def found_urgent(session: Session, report: Report, user: User, at: datetime) -> None:
    """The report turns out to be an emergency: whose part is not done is told anew, by an emergency's letter (I8)."""
    if report.state not in UNDONE:
        return
    for part in executions_of(session, report):
        if part.informed_at is not None and part.completed_at is None:
            part.informed_at = None
            apply_effects(session, report, HistoryEvent.URGENT, load_calendar(session), at, part.organisation_id)
    note_history(session, report, HistoryEvent.URGENT, user, at=at)


def accept(session: Session, report: Report, user: User, at: datetime | None = None) -> None:
    """The operator takes the report to work; the first who does makes it *in progress* (R 4.3)."""
    _accepted(session, report, _part(session, report, user, Act.ACCEPT), user, "", at or now())


def accepted_by_telephone(
    session: Session, report: Report, organisation_id: int, note: str, at: datetime, user: User | None = None
) -> bool:
    """The duty of the organisation takes the report to work by telephone, as `accept` does: by a key, or by what they
    told ``user`` (I8).

    ``note`` says whose telephone it was. Returns whether there was anything to accept: not what is accepted already.
    """
    session.refresh(report, ["state", "revision"], with_for_update=True)
    part = execution_of(session, report, organisation_id)
    if part is not None:
        session.refresh(part)
    if part is None or part.accepted_at is not None or report.state not in UNDONE:
        return False
    _accepted(session, report, part, user, note, at)
    return True


def plan(session: Session, report: Report, user: User, planned: datetime, at: datetime | None = None) -> None:
    """The operator says for which day their part is planned; the applicant is told (R 4.4, W5).

    Raises `PlannedTooLate` for a day after the term.
    """
    at, part = at or now(), _part(session, report, user, Act.PLAN)
    day = planned.astimezone(KYIV).date()
    if report.due_at is not None and day > report.due_at.astimezone(KYIV).date():
        raise PlannedTooLate(report.due_at)
    part.planned_at = planned
    note_history(session, report, HistoryEvent.PLANNED, user, f"на {day:%d.%m.%Y}", at=at)
    announce(session, "report", report.id)


def complete(
    session: Session,
    report: Report,
    user: User,
    done: str,
    at: datetime | None = None,
    *,
    photos: Sequence[StoredFile] = (),
) -> None:
    """The operator says what was done, with ``photos`` of it (R 4.5); the report is *done* once all executors are.

    Raises `TooManyFiles`.
    """
    at, part = at or now(), _part(session, report, user, Act.COMPLETE, done)
    keep_files(session, report, user, photos, AttachmentKind.AFTER, at)
    part.completed_at, part.done = at, done
    session.flush()
    if any(other.completed_at is None for other in executions_of(session, report)):
        note_history(session, report, HistoryEvent.PART_COMPLETED, user, done, at=at)
        announce(session, "report", report.id)
    else:
        _move(session, report, ReportEvent.COMPLETED, user, done, at)


def give_reasons(session: Session, report: Report, user: User, reasons: str, at: datetime | None = None) -> None:
    """The executor says to the control body why it cannot be solved (R 4.4)."""
    at, part = at or now(), _part(session, report, user, Act.GIVE_REASONS, reasons)
    part.reasons_at = at
    _move(session, report, ReportEvent.REASONS_GIVEN, user, reasons, at)


def close_unsolved(session: Session, report: Report, user: User, why: str, at: datetime | None = None) -> None:
    """The control body accepts the reasons (R 4.4)."""
    check_act(session, report, user, Act.CLOSE_UNSOLVED, why)
    _take_reasons_off(session, report)
    _move(session, report, ReportEvent.CLOSED_UNSOLVED, user, why, at or now())


def return_to_work(
    session: Session, report: Report, user: User, why: str, due: datetime, at: datetime | None = None
) -> None:
    """The control body sends it back to work, to be done until ``due``."""
    check_act(session, report, user, Act.RETURN, why)
    at = at or now()
    _take_reasons_off(session, report)
    _move(session, report, ReportEvent.RETURNED, user, why, at)
    move_due(session, report, DeadlineKind.WORK, due, user, why, at)


def confirm(session: Session, report: Report, user: User, words: str = "", at: datetime | None = None) -> None:
    """The applicant says that it is done (S 3.2)."""
    check_act(session, report, user, Act.CONFIRM, words)
    _move(session, report, ReportEvent.CONFIRMED, user, words, at or now())


def refute(session: Session, report: Report, user: User, words: str, at: datetime | None = None) -> None:
    """The applicant says, in these words, that it is not done: back to work, within a new term (S 3.2)."""
    check_act(session, report, user, Act.REFUTE, words)
    _begin_parts_anew(session, report)
    _move(session, report, ReportEvent.REFUTED, user, words, at or now())


def confirmed_by_telephone(session: Session, report: Report, at: datetime) -> None:
    """The applicant has said by a key of the telephone that it is done (S 3.2). Raises `IllegalMove`."""
    _move(session, report, ReportEvent.CONFIRMED, None, BY_KEY, at)


def refuted_by_telephone(session: Session, report: Report, *, partly: bool, at: datetime) -> None:
    """The applicant has said by a key that it is not done, or only ``partly``: back to work. Raises `IllegalMove`."""
    _begin_parts_anew(session, report)
    _move(session, report, ReportEvent.REFUTED, None, PARTLY_BY_KEY if partly else NOT_DONE_BY_KEY, at)


def close(session: Session, report: Report, user: User, why: str, at: datetime | None = None) -> None:
    """Done, and closed without the applicant's answer (R 4.5); the history says so."""
    check_act(session, report, user, Act.CLOSE, why)
    _move(session, report, ReportEvent.CLOSED, user, why, at or now())


def reassign(
    session: Session, report: Report, user: User, to: Organisation, why: str, at: datetime | None = None
) -> None:
    """Another organisation becomes the executor instead of the leading one.

    For it the report is new, also when it had a part in it. The report itself is *new* again, unless another executor
    has taken it to work: who is at work can go on. Raises `ExecutorAlready` for the one that leads.
    """
    check_act(session, report, user, Act.REASSIGN, why)
    if to.id == report.executor_id:
        raise ExecutorAlready("report", report.state, Act.REASSIGN)
    at = at or now()
    for part in executions_of(session, report):
        if part.organisation_id in (report.executor_id, to.id):
            apply_effects(session, report, HistoryEvent.RELEASED, load_calendar(session), at, part.organisation_id)
            note_history(session, report, HistoryEvent.RELEASED, user, part.organisation.name, at=at)
            session.delete(part)
    session.flush()
    report.executor_id = to.id
    others_at_work = any(part.accepted_at is not None for part in executions_of(session, report))
    _move(session, report, ReportEvent.LEAD_CHANGED if others_at_work else ReportEvent.REASSIGNED, user, why, at)
    _assign(session, report, to.id, user, at)
    make_findable(session, report)


def add_executor(
    session: Session, report: Report, user: User, organisation: Organisation, at: datetime | None = None
) -> None:
    """One more organisation has a part in the report (W15). Raises `ExecutorAlready` for one that has a part."""
    check_act(session, report, user, Act.ADD_EXECUTOR)
    if execution_of(session, report, organisation.id) is not None:
        raise ExecutorAlready("report", report.state, Act.ADD_EXECUTOR)
    _assign(session, report, organisation.id, user, at or now())


def warn(session: Session, report: Report, user: User, how: str, at: datetime | None = None) -> None:
    """The administrator has warned the operators of those deadlines that they have missed (R 4.3)."""
    at = at or now()
    check_act(session, report, user, Act.WARN, at=at)
    for deadline in missed_by_operators(session, report, at):
        note_warning(session, deadline, user, how, at)
    note_history(session, report, HistoryEvent.WARNED, user, how, at=at)
    announce(session, "report", report.id)


def add_files(
    session: Session,
    report: Report,
    user: User,
    files: Sequence[StoredFile],
    kind: AttachmentKind,
    at: datetime | None = None,
) -> None:
    """Photos and documents are added to the report. Raises `TooManyFiles`."""
    check_act(session, report, user, Act.ADD_FILES)
    keep_files(session, report, user, files, kind, at or now())


def add_note(
    session: Session, report: Report, user: User, text: str, *, public: bool, at: datetime | None = None
) -> None:
    """Write a note into the report's history; a public one is for the applicant, too.

    The same words by the same person within a minute are one note: the button was pressed twice.
    """
    check_act(session, report, user, Act.PUBLIC_NOTE if public else Act.NOTE, text)
    event, at = HistoryEvent.PUBLIC_NOTE if public else HistoryEvent.NOTE, at or now()
    same = select(HistoryRow.id).where(
        HistoryRow.report_id == report.id,
        HistoryRow.event == event,
        HistoryRow.user_id == user.id,
        HistoryRow.note == text,
        HistoryRow.at > at - SENT_TWICE,
    )
    if session.scalar(same.limit(1)) is None:
        note_history(session, report, event, user, text, at=at)
        announce(session, "report", report.id)


def _part(session: Session, report: Report, user: User, act: Act, words: str | None = None) -> Execution:
    """The part of this person's organisation, once the act is checked."""
    check_act(session, report, user, act, words)
    part = execution_of(session, report, user.organisation_id)
    if part is None:
        raise NotYours(act)
    return part


def _accepted(session: Session, report: Report, part: Execution, user: User | None, note: str, at: datetime) -> None:
    part.accepted_at = at
    if report.state == ReportState.NEW:
        _move(session, report, ReportEvent.ACCEPTED, user, note, at, part.organisation_id)
    else:
        _record(session, report, HistoryEvent.PART_ACCEPTED, user, at, organisation=part.organisation_id, note=note)


def _take_reasons_off(session: Session, report: Report) -> None:
    """They are decided on; what was planned before them counts no longer."""
    for part in executions_of(session, report):
        part.reasons_at = part.planned_at = None


def _begin_parts_anew(session: Session, report: Report) -> None:
    """Nobody's part is done, and no day is planned for it yet."""
    for part in executions_of(session, report):
        part.completed_before, part.planned_before = part.completed_at, part.planned_at
        part.completed_at = part.planned_at = None


def _move(
    session: Session,
    report: Report,
    event: ReportEvent,
    user: User | None,
    note: str,
    at: datetime,
    organisation_id: int | None = None,
) -> None:
    """A move, and what it does to the deadlines: of the report, or of this executor."""
    move(session, report, event, user, note, at)
    apply_effects(session, report, event, load_calendar(session), at, organisation_id)


def _record(
    session: Session,
    report: Report,
    event: HistoryEvent,
    user: User | None,
    at: datetime,
    *,
    organisation: int,
    note: str = "",
) -> None:
    """A row of history that moves nothing, and what it does to the deadlines of this executor."""
    apply_effects(session, report, event, load_calendar(session), at, organisation)
    note_history(session, report, event, user, note, at=at)
    announce(session, "report", report.id)


def _assign(
    session: Session, report: Report, organisation_id: int | None, user: User | None, at: datetime, note: bool = True
) -> None:
    if organisation_id is None:
        return
    part = Execution(report_id=report.id, organisation_id=organisation_id, assigned_at=at)
    session.add(part)
    session.flush()
    apply_effects(session, report, HistoryEvent.ASSIGNED, load_calendar(session), at, organisation_id)
    if note:
        note_history(session, report, HistoryEvent.ASSIGNED, user, part.organisation.name, at=at)
        announce(session, "report", report.id)
