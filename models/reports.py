"""Reports: their states and moves, the history of each, and the numbers they are given."""

import re
from contextlib import suppress
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ColumnElement, ForeignKey, Index, String, Text, TextClause, exists, select, update
from sqlalchemy import text as sql
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column, relationship

from models.base import Base, UTCDateTime, announce, now
from models.calls import Call
from models.lines import Line
from models.machine import IllegalMove, next_state
from models.people import Organisation, Person, User
from models.places import Category, Street
from models.workdays import KYIV


class ReportState(StrEnum):
    DRAFT = "draft"
    NEW = "new"
    IN_PROGRESS = "in_progress"
    REASONS_GIVEN = "reasons_given"  # the executor says why it cannot be solved; the control body decides (R 4.4)
    DONE = "done"
    CLOSED = "closed"
    # how a draft may end otherwise (I6)
    CONSULTATION = "consultation"
    ATTACHED = "attached"
    REDIRECTED = "redirected"
    WRONG_NUMBER = "wrong_number"
    NUISANCE = "nuisance"
    DROPPED = "dropped"


class ReportEvent(StrEnum):
    CREATED = "created"
    REGISTERED = "registered"
    ACCEPTED = "accepted"
    COMPLETED = "completed"
    CONFIRMED = "confirmed"  # the applicant says so
    CLOSED = "closed"  # without the applicant's answer
    REFUTED = "refuted"
    # who recorded the applicant's answer had pressed the wrong key (`models.taken_back`)
    CONFIRM_TAKEN_BACK = "confirm_taken_back"
    REFUTE_TAKEN_BACK = "refute_taken_back"
    LATE_REFUTE_TAKEN_BACK = "late_refute_taken_back"  # of a report that was closed before
    REASONS_GIVEN = "reasons_given"
    CLOSED_UNSOLVED = "closed_unsolved"
    RETURNED = "returned"
    REASSIGNED = "reassigned"
    LEAD_CHANGED = "lead_changed"  # another executor leads, while others are at work
    CONSULTED = "consulted"
    ATTACHED = "attached"
    REDIRECTED = "redirected"
    WRONG_NUMBER = "wrong_number"
    NUISANCE = "nuisance"
    DROPPED = "dropped"
    FORGOTTEN = "forgotten"  # nobody finished it until the term of its data ended (A3)
    REOPENED = "reopened"


class HistoryEvent(StrEnum):
    """What the history tells besides the moves: the state stays as it is."""

    TAKEN = "taken"
    TAKEN_OVER = "taken_over"  # from a colleague who is not there any more
    HANDED_OVER = "handed_over"
    IDENTIFIED = "identified"  # somebody said who calls
    OTHER_PERSON = "other_person"  # somebody said that it is none of those who were named
    APPLICANT_CALLED = "applicant_called"
    APPLICANT_TOLD_AGAIN = "applicant_told_again"  # not by a call
    CALL_DETACHED = "call_detached"
    ASSIGNED = "assigned"  # an organisation became an executor
    RELEASED = "released"  # and is one no longer
    HEAD_INFORMED = "head_informed"  # R 4.2
    PART_ACCEPTED = "part_accepted"  # one of the executors took it to work
    PLANNED = "planned"  # the operator named the day (W5)
    PART_COMPLETED = "part_completed"  # one of them is done, others are not
    WARNED = "warned"  # R 4.3
    CORRECTED = "corrected"  # what was taken down wrongly
    URGENT = "urgent"  # it is an emergency now: the heads are to be told anew (I8)
    NOTE = "note"  # for those who work here
    PUBLIC_NOTE = "public_note"  # for the applicant, too
    FILE_ADDED = "file_added"  # a photo or a document
    CLARIFICATION_ASKED = "clarification_asked"  # the applicant is to be called (R 4.4)
    CLARIFICATION_CALLED_OFF = "clarification_called_off"
    REMARK = "remark"  # the applicant left spoken words
    ANONYMISED = "anonymised"  # the applicant's data were taken out: their term ended, or they were erased (A3)


REPORT_TABLE: dict[tuple[ReportState, ReportEvent], ReportState] = {
    (ReportState.DRAFT, ReportEvent.REGISTERED): ReportState.NEW,
    (ReportState.DRAFT, ReportEvent.CONSULTED): ReportState.CONSULTATION,
    (ReportState.DRAFT, ReportEvent.ATTACHED): ReportState.ATTACHED,
    (ReportState.DRAFT, ReportEvent.REDIRECTED): ReportState.REDIRECTED,
    (ReportState.DRAFT, ReportEvent.WRONG_NUMBER): ReportState.WRONG_NUMBER,
    (ReportState.DRAFT, ReportEvent.NUISANCE): ReportState.NUISANCE,
    (ReportState.DRAFT, ReportEvent.DROPPED): ReportState.DROPPED,
    (ReportState.DRAFT, ReportEvent.FORGOTTEN): ReportState.DROPPED,
    # undo: an ending chosen by mistake goes back to the draft
    (ReportState.CONSULTATION, ReportEvent.REOPENED): ReportState.DRAFT,
    (ReportState.ATTACHED, ReportEvent.REOPENED): ReportState.DRAFT,
    (ReportState.REDIRECTED, ReportEvent.REOPENED): ReportState.DRAFT,
    (ReportState.WRONG_NUMBER, ReportEvent.REOPENED): ReportState.DRAFT,
    (ReportState.NUISANCE, ReportEvent.REOPENED): ReportState.DRAFT,
    (ReportState.DROPPED, ReportEvent.REOPENED): ReportState.DRAFT,
    # the order's states (R 4.3, 4.5)
    (ReportState.NEW, ReportEvent.ACCEPTED): ReportState.IN_PROGRESS,
    (ReportState.IN_PROGRESS, ReportEvent.COMPLETED): ReportState.DONE,
    (ReportState.DONE, ReportEvent.CONFIRMED): ReportState.CLOSED,
    (ReportState.DONE, ReportEvent.CLOSED): ReportState.CLOSED,
    (ReportState.DONE, ReportEvent.REFUTED): ReportState.IN_PROGRESS,
    (ReportState.CLOSED, ReportEvent.REFUTED): ReportState.IN_PROGRESS,  # the applicant calls later: it is not done
    # undo: the applicant said something else
    (ReportState.CLOSED, ReportEvent.CONFIRM_TAKEN_BACK): ReportState.DONE,
    (ReportState.IN_PROGRESS, ReportEvent.REFUTE_TAKEN_BACK): ReportState.DONE,
    (ReportState.IN_PROGRESS, ReportEvent.LATE_REFUTE_TAKEN_BACK): ReportState.CLOSED,
    # what cannot be solved: only the control body closes it (R 4.4)
    (ReportState.IN_PROGRESS, ReportEvent.REASONS_GIVEN): ReportState.REASONS_GIVEN,
    (ReportState.REASONS_GIVEN, ReportEvent.CLOSED_UNSOLVED): ReportState.CLOSED,
    (ReportState.REASONS_GIVEN, ReportEvent.RETURNED): ReportState.IN_PROGRESS,
    # another executor: new for them
    (ReportState.NEW, ReportEvent.REASSIGNED): ReportState.NEW,
    (ReportState.IN_PROGRESS, ReportEvent.REASSIGNED): ReportState.NEW,
    (ReportState.IN_PROGRESS, ReportEvent.LEAD_CHANGED): ReportState.IN_PROGRESS,
}

AT_WORK = (ReportState.NEW, ReportState.IN_PROGRESS)  # the term for the work runs
UNDONE = (*AT_WORK, ReportState.REASONS_GIVEN)  # while one executor's reasons are weighed, another may still begin
OPEN_STATES = (*UNDONE, ReportState.DONE)
REGISTERED_STATES = (*OPEN_STATES, ReportState.CLOSED)


class Source(StrEnum):
    TELEPHONE = "telephone"
    ONLINE = "online"  # the web form
    LETTER = "letter"  # an e-mail, taken down by hand
    VIDEO = "video"
    VISIT = "visit"


_TYPED_NUMBER = re.compile(r"(?:№\s*)?(?:(\d{4})\s*[-–/]\s*)?(\d{1,6})")


def _only(column: str) -> dict[str, TextClause]:
    """For an index over the rows alone that have a value in this column."""
    return {"sqlite_where": sql(f"{column} IS NOT NULL"), "postgresql_where": sql(f"{column} IS NOT NULL")}


_REGISTERED = _only("number")
IS_ANSWER = sql("event IN ('confirmed', 'refuted')")  # the applicants', by which an index finds those of a day
COUNTED = (  # what summaries count by, in the order of their index
    "created_at", "state", "executor_id", "category_id", "street_id", "line_id", "source", "repeat_of_id",
    "registered_at", "id",
)  # fmt: skip


class Report(Base):
    """A report about a problem in the city, or the draft it begins as (R 2.5). Ids rise with the time of creation."""

    __tablename__ = "reports"
    __table_args__ = (
        Index("ix_reports_created_at_id", "created_at", "id"),
        Index("ix_reports_contact_number_id", "contact_number", "id"),
        Index("ix_reports_street_id_id", "street_id", "id"),
        # Summaries: everything that is counted over a period, read from the index.
        Index("ix_reports_summary", *COUNTED),
        # A report's page: the calls added to it, the reports that repeat it.
        Index("ix_reports_attached_to_id", "attached_to_id", **_only("attached_to_id")),
        Index("ix_reports_repeat_of_id", "repeat_of_id", **_only("repeat_of_id")),
        # Personal data: whose they are, and which are still held.
        Index("ix_reports_person_id", "person_id", **_only("person_id")),
        Index(
            "ix_reports_held",
            "state",
            "created_at",
            sqlite_where=sql("anonymised_at IS NULL"),
            postgresql_where=sql("anonymised_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str | None] = mapped_column(String(16), unique=True)  # "2026-0412", given on registration
    state: Mapped[ReportState] = mapped_column(String(16), default=ReportState.DRAFT)
    source: Mapped[Source] = mapped_column(String(16), default=Source.TELEPHONE)
    call_id: Mapped[int | None] = mapped_column(ForeignKey("calls.id"), unique=True)
    line_id: Mapped[int | None] = mapped_column(ForeignKey("lines.id"))
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"), index=True)  # who works on the draft
    revision: Mapped[int] = mapped_column(default=0)  # raised by every save, so that two savers notice each other

    category_id: Mapped[int | None] = mapped_column(ForeignKey("categories.id"))
    text: Mapped[str] = mapped_column(Text, default="")
    street_id: Mapped[int | None] = mapped_column(ForeignKey("streets.id"))
    street_typed: Mapped[str] = mapped_column(String(128), default="", server_default="")  # while no street matches
    building: Mapped[str] = mapped_column(String(16), default="")
    flat: Mapped[str] = mapped_column(String(16), default="")
    landmark: Mapped[str] = mapped_column(String(256), default="")
    executor_id: Mapped[int | None] = mapped_column(ForeignKey("organisations.id"))
    emergency: Mapped[bool] = mapped_column(default=False)

    person_id: Mapped[int | None] = mapped_column(ForeignKey("persons.id"))
    applicant_name: Mapped[str] = mapped_column(String(128), default="")
    contact_number: Mapped[str | None] = mapped_column(String(20))  # E.164; the caller's own, else the other phone
    other_phone: Mapped[str] = mapped_column(String(64), default="")

    repeat_of_id: Mapped[int | None] = mapped_column(ForeignKey("reports.id"))
    attached_to_id: Mapped[int | None] = mapped_column(ForeignKey("reports.id"))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)
    saved_at: Mapped[datetime | None] = mapped_column(UTCDateTime)  # typed into, or changed hands
    registered_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    due_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    search_text: Mapped[str] = mapped_column(Text, default="")
    pin: Mapped[str | None] = mapped_column(String(6))  # with it the applicant asks for the state (`models.lookup`)
    anonymised_at: Mapped[datetime | None] = mapped_column(UTCDateTime)  # the applicant's data were taken out (A3)

    call: Mapped[Call | None] = relationship()
    line: Mapped[Line | None] = relationship()
    owner: Mapped[User | None] = relationship()
    category: Mapped[Category | None] = relationship()
    street: Mapped[Street | None] = relationship()
    executor: Mapped[Organisation | None] = relationship()
    person: Mapped[Person | None] = relationship()
    repeat_of: Mapped["Report | None"] = relationship(foreign_keys=[repeat_of_id], remote_side=[id])
    attached_to: Mapped["Report | None"] = relationship(foreign_keys=[attached_to_id], remote_side=[id])
    history: Mapped[list["HistoryRow"]] = relationship(
        order_by="HistoryRow.id", back_populates="report", foreign_keys="HistoryRow.report_id"
    )

    @property
    def spot(self) -> str:
        """Where it is without the flat, which is the applicant's: what may be told where no look is recorded."""
        street = self.street.name if self.street else self.street_typed
        return ", ".join(part for part in (street, self.building, self.landmark) if part)

    @property
    def address(self) -> str:
        """Street, building and flat, in one line."""
        street, flat = self.street.name if self.street else self.street_typed, f"кв. {self.flat}" if self.flat else ""
        return ", ".join(part for part in (street, self.building, flat) if part)

    @property
    def place(self) -> str:
        """Where it is, in one line: street, building, flat, landmark."""
        return ", ".join(part for part in (self.address, self.landmark) if part)

    @property
    def running_due(self) -> datetime | None:
        """Until when the work is to be done, while its term runs: not while the control body decides, nor once done."""
        return self.due_at if self.state in AT_WORK else None

    def overdue(self, at: datetime) -> bool:
        """Whether the work is late and its term runs still."""
        return self.running_due is not None and self.running_due < at

    @property
    def gist(self) -> str:
        """What a draft is about, by what is filled in: its kind, the text, the name, the place; "" when nothing is."""
        return (self.category.name if self.category else "") or self.text or self.applicant_name or self.spot

    @hybrid_property
    def nobodys(self) -> bool:
        """Whether the draft waits for somebody to work on it: without an owner, or of a person switched off."""
        return self.owner is None or not self.owner.active

    @nobodys.inplace.expression
    @classmethod
    def _nobodys(cls) -> ColumnElement[bool]:
        return cls.owner_id.is_(None) | cls.owner_id.in_(select(User.id).where(~User.active))

    def open_to(self, user: User) -> bool:
        """Whether the user may work on the draft: one's own, or nobody's."""
        return self.owner_id == user.id or self.nobodys


class HistoryRow(Base):
    """One event of a report: who, when, why, from which state to which (W1).

    Rows are only ever added (`models.kept`).
    """

    __tablename__ = "report_history"
    __table_args__ = (
        Index("ix_report_history_report_id_event", "report_id", "event"),
        Index("ix_report_history_answers", "at", "event", sqlite_where=IS_ANSWER, postgresql_where=IS_ANSWER),
        Index("ix_report_history_told_by_id", "told_by_id", **_only("told_by_id")),
        Index("ix_report_history_takes_back_id", "takes_back_id", **_only("takes_back_id")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    report_id: Mapped[int] = mapped_column(ForeignKey("reports.id"))
    at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))  # None: the system
    event: Mapped[str] = mapped_column(String(32))
    from_state: Mapped[str] = mapped_column(String(16), default="")
    to_state: Mapped[str] = mapped_column(String(16), default="")
    note: Mapped[str] = mapped_column(Text, default="")
    told_by_id: Mapped[int | None] = mapped_column(ForeignKey("reports.id"))  # the record whose words the note repeats
    takes_back_id: Mapped[int | None] = mapped_column(ForeignKey("report_history.id"))  # the answer that counts no more

    report: Mapped[Report] = relationship(back_populates="history", foreign_keys=[report_id])
    user: Mapped[User | None] = relationship()


def not_taken_back() -> ColumnElement[bool]:
    """Of history rows: no later one takes this one back."""
    later = aliased(HistoryRow)
    return ~exists().where(later.takes_back_id == HistoryRow.id)


def stands() -> ColumnElement[bool]:
    """Of history rows: neither taken back nor one that takes another back. Both together changed nothing."""
    return HistoryRow.takes_back_id.is_(None) & not_taken_back()


class ReportCounter(Base):
    """The last report number given in a year."""

    __tablename__ = "report_counters"

    year: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    last: Mapped[int] = mapped_column(default=0)


def move(
    session: Session,
    report: Report,
    event: ReportEvent,
    user: User | None,
    note: str = "",
    at: datetime | None = None,
    *,
    takes_back: HistoryRow | None = None,
) -> None:
    """Move the report by the table and write its history row (W1).

    The update is guarded by the present state: when another session moved the report meanwhile, `IllegalMove`
    is raised, as it is for a move that the table does not list. It raises the revision: a save that was under way
    notices. ``takes_back`` is the row that counts no more.
    """
    before = ReportState(report.state)
    after = next_state("report", REPORT_TABLE, before, event)
    moved = session.execute(
        update(Report)
        .where(Report.id == report.id, Report.state == before)
        .values(state=after, revision=Report.revision + 1)
        .execution_options(synchronize_session=False)
    )
    if moved.rowcount != 1:
        raise IllegalMove("report", before, event)
    session.refresh(report, ["state", "revision"])
    note_history(session, report, event, user, note, at=at, before=before, takes_back=takes_back)
    announce(session, "report", report.id)
    if report.call_id is not None:
        announce(session, "call", report.call_id)
    elif ReportState.DRAFT in (before, after):
        announce(session, "intake", report.id)


def note_history(
    session: Session,
    report: Report,
    event: ReportEvent | HistoryEvent,
    user: User | None,
    note: str = "",
    *,
    at: datetime | None = None,
    before: str | None = None,
    told_by: Report | None = None,
    takes_back: HistoryRow | None = None,
) -> None:
    """Write one row of the report's history (W1), once the report is in its new state.

    ``before`` is the state that it left, "" for a new one; without it nothing moved. ``user`` None is the system.
    ``told_by`` is the other record whose words the note repeats: they go when that one's are erased.
    """
    session.add(
        HistoryRow(
            report=report,
            at=at or now(),
            user_id=user.id if user else None,
            event=event,
            from_state=report.state if before is None else before,
            to_state=report.state,
            note=note,
            told_by_id=told_by.id if told_by else None,
            takes_back_id=takes_back.id if takes_back else None,
        )
    )


def read_number(typed: str, year: int | None = None) -> str | None:
    """The report number that was typed, or None: ``2026-0412``, ``№ 2026/412``, or ``412`` for that of ``year``.

    Without ``year`` the present one in Kyiv is meant: numbers begin anew with it.
    """
    matched = _TYPED_NUMBER.fullmatch(typed.strip())
    if matched is None:
        return None
    return f"{int(matched[1] or year or now().astimezone(KYIV).year)}-{int(matched[2]):04d}"


def find_report(session: Session, typed: str) -> Report | None:
    """The registered report with the number that was typed, as `read_number` reads it."""
    number = read_number(typed)
    return session.scalar(select(Report).where(Report.number == number)) if number else None


def next_number(session: Session, year: int) -> str:
    """The next report number of the year, ``2026-0412``; never given twice."""
    count = update(ReportCounter).where(ReportCounter.year == year).values(last=ReportCounter.last + 1)
    if session.execute(count).rowcount == 0:
        with suppress(IntegrityError), session.begin_nested():  # another process may be first (PostgreSQL)
            session.add(ReportCounter(year=year, last=0))
        session.execute(count)
    return f"{year}-{session.get_one(ReportCounter, year, populate_existing=True).last:04d}"
