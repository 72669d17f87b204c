"""Taking a person's data out of what must stay: the report remains for the city, the person does not (A3).

Kept are what was wrong, where, who did what and when: the statistics do not change. Taken out are name, telephones
and flat, the call's number and name, who it was; and in every text the numbers and names themselves. With ``texts``
the applicant's words go as a whole, where they tell by themselves who it is; so do those of a call that became no
report.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Column, ColumnElement, String, Table, delete, select, text, update
from sqlalchemy.orm import Session

from models.attachments import files_of
from models.attempts import Attempt, AttemptTask, NeverByMachine
from models.base import Base, announce
from models.calls import ERASED, Call
from models.calltasks import CallTask
from models.deadlines import Deadline, DeadlineStep
from models.executions import Execution
from models.kept import unlocked
from models.people import AccessLog, Person, PersonNumber, User
from models.personal import Held, Sought, held_about, local_beginning, traces_in, traces_of
from models.redaction import GONE, Traces
from models.reports import HistoryEvent, HistoryRow, Report, ReportEvent, note_history
from models.saved_filters import LONGEST_NAME, SavedFilter
from models.search import make_findable

MANY = 500  # rows in one statement
# their notes are names of organisations and colleagues, and numbers of reports: nothing of the applicant
_NOTES_OF_OURS = frozenset(
    {
        HistoryEvent.ASSIGNED,
        HistoryEvent.RELEASED,
        HistoryEvent.HANDED_OVER,
        HistoryEvent.TAKEN_OVER,
        HistoryEvent.ANONYMISED,
        ReportEvent.ATTACHED,
    }
)
# tables with texts that are never about an applicant
_OURS = frozenset(
    {
        "users",
        "phones",
        "lines",
        "plan_versions",
        "organisations",
        "categories",
        "streets",
        "marks",
        "day_exceptions",
    }
)
_ROOM_FOR_ID = LONGEST_NAME - 12
_SHORTEST_TEXT = 64  # characters; shorter columns hold codes and numbers
# who is called the same is somebody else: in these only telephones are looked for
_OTHERS_NAMES = frozenset({"reports.applicant_name", "persons.name", "calls.caller_name"})
Place = tuple[str, str, int]  # table, column, row


class StillOpen(Exception):
    """Something of this person is still worked on; their number is needed for it."""

    def __init__(self, reports: list[Report]) -> None:
        super().__init__(f"{len(reports)} open reports or drafts")
        self.reports = reports


def find_mentions(session: Session, traces: Traces) -> list[Place]:
    """Where else one of the numbers or names stands in a text, anywhere in the database.

    Reads every text once, seconds at a million reports: ask before the transaction that erases.
    """
    found: list[Place] = []
    for table, column in _texts():
        struck = _struck_from(traces, column)
        if struck.suspect:
            (key,) = table.primary_key.columns
            suspects = select(key, column).where(column.regexp_match(struck.suspect))
            found += [
                (table.name, column.name, row) for row, held in session.execute(suspects) if struck.redact(held) != held
            ]
    return found


def erase_person(
    session: Session,
    sought: Sought,
    user: User,
    reason: str,
    *,
    texts: bool,
    mentions: Iterable[Place],
    at: datetime,
) -> Held:
    """Take this person out of everything that is held, with a history row for each report: what was held.

    ``mentions`` are those of `find_mentions`. Raises `StillOpen` while a report or a draft of theirs is worked on.
    """
    held = held_about(session, sought)
    if held.open:
        raise StillOpen(held.open)
    traces = traces_of(session, held)
    reason = traces.redact(reason)
    with unlocked(session):
        for report in held.reports:
            anonymise_report(session, report, user, reason, texts=texts, traces=traces, at=at)
        erase_numbers(session, [call.id for call in held.calls])
        forget_tasks(session, [task.id for task in held.ours.tasks])
        forget_attempts(session, [attempt.id for attempt in held.ours.attempts])
        session.execute(delete(NeverByMachine).where(NeverByMachine.number.in_(traces.numbers)))
        delete_persons(session, [person.id for person in held.persons])
        session.flush()
        for table, column, row in mentions:
            _redact(session, Base.metadata.tables[table], column, row, traces)
    about = len(held.reports)
    session.add(AccessLog(user_id=user.id, at=at, subject="erasure", subject_id=about, reason=reason[:64]))
    session.flush()
    return held


def tidy_index(session: Session) -> None:
    """Let SQLite's words of reports forget what was taken out: it keeps them in its old parts until those are merged.

    In a transaction of its own, after the erasure.
    """
    if session.get_bind().dialect.name == "sqlite":
        session.execute(text("INSERT INTO report_words(report_words) VALUES('optimize')"))


def anonymise_report(
    session: Session,
    report: Report,
    user: User | None,
    reason: str,
    *,
    texts: bool,
    at: datetime,
    traces: Traces | None = None,
) -> None:
    """Take the applicant out of the report and of its call; ``user`` None is the end of its term.

    ``traces`` are further ones of the same person. Inside `unlocked`.
    """
    traces = (traces or Traces()) | traces_in(report, local_beginning(session))
    texts = texts or report.number is None
    _redact_notes(session, report, texts, traces)
    report.text = "" if texts else traces.redact(report.text)
    report.landmark = "" if report.number is None else traces.redact(report.landmark)
    report.street_typed = traces.redact(report.street_typed)
    _forget_files(session, report, everything=user is not None)
    report.applicant_name = report.other_phone = report.flat = ""
    report.contact_number = report.person_id = None
    report.anonymised_at = at
    if report.call_id is not None:
        erase_numbers(session, [report.call_id])
    _forget_our_calls(session, CallTask.report_id == report.id)
    note_history(session, report, HistoryEvent.ANONYMISED, user, reason, at=at)
    make_findable(session, report)
    announce(session, "report", report.id)


def erase_numbers(session: Session, calls: Collection[int]) -> None:
    """Take numbers and names out of these calls; that there was a call, when and with whom of us stays."""
    for part in _parts(calls):
        session.execute(
            update(Call)
            .where(Call.id.in_(part))
            .values(number=None, number_received=ERASED, caller_name="")
            .execution_options(synchronize_session="fetch")
        )
        _forget_our_calls(session, CallTask.call_id.in_(part))


def _forget_our_calls(session: Session, about: ColumnElement[bool]) -> None:
    """Take the number out of these tasks and the attempts at them: that somebody was called stays, not who."""
    tasks = session.scalars(select(CallTask.id).where(about, CallTask.organisation_id.is_(None))).all()
    forget_tasks(session, tasks)
    for part in _parts(tasks):
        attempts = select(AttemptTask.attempt_id).where(AttemptTask.task_id.in_(part))
        forget_attempts(session, session.scalars(attempts).all())


def forget_tasks(session: Session, tasks: Collection[int]) -> None:
    """Take out of these tasks whom they are to be made to, and what was to be asked."""
    for part in _parts(tasks):
        session.execute(update(CallTask).where(CallTask.id.in_(part)).values(number=None, words=""))


def forget_attempts(session: Session, attempts: Collection[int]) -> None:
    """Take the number out of these attempts."""
    for part in _parts(attempts):
        session.execute(update(Attempt).where(Attempt.id.in_(part)).values(number=""))


def delete_persons(session: Session, persons: Collection[int]) -> None:
    """Forget these persons and whose numbers are theirs."""
    for part in _parts(persons):
        for report in session.scalars(select(Report).where(Report.person_id.in_(part))):
            report.person_id = None
        session.flush()
        session.execute(delete(PersonNumber).where(PersonNumber.person_id.in_(part)))
        session.execute(delete(Person).where(Person.id.in_(part)))


def _redact_notes(session: Session, report: Report, texts: bool, traces: Traces) -> None:
    """What people wrote about the report: its history, what was done, the steps of its deadlines."""
    rows = session.scalars(select(HistoryRow).where(HistoryRow.report_id == report.id, HistoryRow.note != "")).all()
    for row in rows:
        row.note = "" if texts and row.event not in _NOTES_OF_OURS else traces.redact(row.note)
    # another report's history has the words of who told of it again
    for row in session.scalars(select(HistoryRow).where(HistoryRow.told_by_id == report.id, HistoryRow.note != "")):
        row.note = "" if texts else traces.redact(row.note)
    for part in session.scalars(select(Execution).where(Execution.report_id == report.id)):
        part.done = traces.redact(part.done)
    steps = select(DeadlineStep).join(Deadline).where(Deadline.report_id == report.id, DeadlineStep.note != "")
    for step in session.scalars(steps):
        step.note = traces.redact(step.note)


def _forget_files(session: Session, report: Report, *, everything: bool) -> None:
    """No file is read for traces, so all go on request; at the end of a term those that the applicant sent.

    What colleagues added then stays as the proof of their work, without its name. The store is the caller's.
    """
    for file in files_of(session, report):
        if everything or file.user_id is None:
            session.delete(file)
        else:
            file.name = GONE
    named = select(HistoryRow).where(HistoryRow.report_id == report.id, HistoryRow.event == HistoryEvent.FILE_ADDED)
    for row in session.scalars(named):
        row.note = GONE


def _redact(session: Session, table: Table, column: str, row: int, traces: Traces) -> None:
    """Strike the traces out of one text, as it is now; a report's words for the search follow."""
    (key,) = table.primary_key.columns
    found = session.scalar(select(table.c[column]).where(key == row).with_for_update()) or ""
    struck = _struck_from(traces, table.c[column]).redact(found)
    if struck == found:
        return
    if table.name == SavedFilter.__tablename__ and column == "name":
        struck = f"{struck[:_ROOM_FOR_ID]} {row}"  # two of one person must not become the same
    if table.name == Report.__tablename__:
        report = session.get_one(Report, row, populate_existing=True)
        setattr(report, column, struck)
        make_findable(session, report)
    else:
        session.execute(update(table).where(key == row).values({column: struck}))


def _struck_from(traces: Traces, column: Column) -> Traces:
    """What is looked for outside of the person's own records: of the names those that others hardly bear, too."""
    names = () if str(column) in _OTHERS_NAMES else (name for name in traces.names if len(name.split()) > 1)
    return replace(traces, names=frozenset(names))


def _texts() -> Iterator[tuple[Table, Column]]:
    """Every column that people's words may stand in: also those of tables that this file does not know."""
    for table in Base.metadata.sorted_tables:
        if table.name in _OURS or len(table.primary_key.columns) != 1:
            continue
        for column in table.columns:
            if not isinstance(column.type, String) or column.unique:  # a unique one is a name that we gave
                continue
            length = column.type.length
            if (length is None or length >= _SHORTEST_TEXT) and column.name != "search_text":  # made of the others
                yield table, column


def _parts(ids: Collection[int]) -> Iterator[list[int]]:
    rows = sorted(ids)
    return (rows[begin : begin + MANY] for begin in range(0, len(rows), MANY))
