"""Photos and documents of a report: before the work, after it, others (R 4.5); and what its applicant said (S 3.2).

What a file is was found out from its content before it comes here (`jobs.pictures`); its bytes lie in the file store
under their hash (`jobs.filestore`), never under the name that was given.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint, and_, or_, select
from sqlalchemy.orm import Mapped, Session, joinedload, mapped_column, relationship

from models.attempts import Attempt, AttemptTask
from models.base import Base, UTCDateTime, announce, insert_new
from models.calls import Call, CallState
from models.people import User
from models.reports import HistoryEvent, HistoryRow, Report, ReportState, note_history

MOST_FILES = 10  # of one report
LONGEST_NAME = 160  # characters
_AT_ONCE = 500  # hashes in one query


class AttachmentKind(StrEnum):
    BEFORE = "before"
    AFTER = "after"
    OTHER = "other"
    REMARK = "remark"  # spoken words of the applicant, recorded in a call of the machine
    MESSAGE = "message"  # spoken words of the caller, recorded when they called out of hours


SPOKEN = (AttachmentKind.REMARK, AttachmentKind.MESSAGE)

REMARK_NAME = "слова заявника"
REMARK_TYPE = "audio/wav"


class TooManyFiles(Exception):
    """The report would have more than `MOST_FILES`; ``room``: how many still fit."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room


@dataclass(frozen=True)
class StoredFile:
    """A file that lies in the store: its hash, what it is, how large, and how whoever sent it called it."""

    sha256: str
    type: str  # image/jpeg, image/png, image/webp, application/pdf, audio/wav
    size: int  # bytes
    name: str


class Attachment(Base):
    """One file of a report: what it shows, who added it and when. Without a user it came by the web form.

    A remark came by the call of an attempt, where it answered the question of a task; a message by the report's own
    call. They last so many ``seconds``.
    """

    __tablename__ = "attachments"
    __table_args__ = (
        UniqueConstraint("report_id", "sha256"),
        Index("uq_attachments_remark", "attempt_id", "task_id", unique=True),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    report_id: Mapped[int] = mapped_column(ForeignKey("reports.id"))
    kind: Mapped[AttachmentKind] = mapped_column(String(8))
    name: Mapped[str] = mapped_column(String(LONGEST_NAME))
    type: Mapped[str] = mapped_column(String(32))
    size: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    at: Mapped[datetime] = mapped_column(UTCDateTime)
    attempt_id: Mapped[int | None] = mapped_column(ForeignKey("call_attempts.id"))
    task_id: Mapped[int | None] = mapped_column(ForeignKey("call_tasks.id"))
    seconds: Mapped[int | None]

    report: Mapped[Report] = relationship()
    user: Mapped[User | None] = relationship()

    @property
    def picture(self) -> bool:
        return self.type.startswith("image/")

    @property
    def spoken(self) -> bool:
        return self.kind in SPOKEN


def keep_files(
    session: Session, report: Report, user: User | None, files: Sequence[StoredFile], kind: AttachmentKind, at: datetime
) -> None:
    """Add the files to the report, each with a row of its history (W1); the same file twice is one.

    Who may is the caller's to ask (`models.work`); until the transaction ends nobody else adds one. Raises
    `TooManyFiles`.
    """
    session.refresh(report, ["revision"], with_for_update=True)
    added = select(Attachment.sha256).where(Attachment.report_id == report.id, Attachment.kind.not_in(SPOKEN))
    there = set(session.scalars(added))
    new = {file.sha256: file for file in files if file.sha256 not in there}
    if len(there) + len(new) > MOST_FILES:
        raise TooManyFiles(MOST_FILES - len(there))
    for file in new.values():
        row = {"sha256": file.sha256, "type": file.type, "size": file.size, "name": file.name}
        user_id = user.id if user else None
        session.add(Attachment(report_id=report.id, user_id=user_id, kind=kind, at=at, **row))
        note_history(session, report, HistoryEvent.FILE_ADDED, user, file.name, at=at)
    if new:
        session.flush()
        announce(session, "report", report.id)


def remark_is_over(session: Session, attempt_id: int) -> bool:
    """Whether the call in which the applicant may speak is known to have ended."""
    return session.scalar(select(Attempt.settled_at).where(Attempt.id == attempt_id)) is not None


def message_is_over(session: Session, uniqueid: str) -> bool:
    """Whether the caller's call is known to have ended."""
    return session.scalar(select(Call.ended_at).where(Call.uniqueid == uniqueid)) is not None


def keep_remark(session: Session, attempt_id: int, task_id: int, file: StoredFile, seconds: int, at: datetime) -> bool:
    """Keep what the applicant said at ``at`` in the attempt's call with the report of the task, once, with a row of
    its history; whether it was kept now. Not where the applicant's data were taken out meanwhile (A3).
    """
    part = session.get(AttemptTask, (attempt_id, task_id))
    report = part.task.report if part is not None else None
    if report is None or report.anonymised_at is not None:
        return False
    row = insert_new(
        session, Attachment, report_id=report.id, kind=AttachmentKind.REMARK, name=file.name, type=file.type,
        size=file.size, sha256=file.sha256, at=at, attempt_id=attempt_id, task_id=task_id, seconds=seconds,
    )  # fmt: skip
    if row is None:
        return False
    note_history(session, report, HistoryEvent.REMARK, None, at=at)
    announce(session, "report", report.id)
    return True


def keep_message(session: Session, uniqueid: str, file: StoredFile, seconds: int, at: datetime) -> bool:
    """Keep what the caller said at ``at`` in the call with this unique id with its draft, or what became of it, once,
    with a row of its history; False when there is no such call yet. Not where the data were taken out meanwhile (A3).
    """
    report = session.scalar(select(Report).join(Call, Call.id == Report.call_id).where(Call.uniqueid == uniqueid))
    if report is None:
        return False
    if report.anonymised_at is not None:
        return True
    row = insert_new(
        session, Attachment, report_id=report.id, kind=AttachmentKind.MESSAGE, name=file.name, type=file.type,
        size=file.size, sha256=file.sha256, at=at, seconds=seconds,
    )  # fmt: skip
    if row is not None:
        note_history(session, report, HistoryEvent.REMARK, None, at=at)
        announce(session, "report", report.id)
        announce(session, "call", report.call_id)
    return True


def messages_of(session: Session, draft: Report) -> list[Attachment]:
    """What the caller of this draft said out of hours, the latest first: in its call, and in others that were missed
    and whose drafts nobody has ended, whoever has called back meanwhile."""
    of_theirs = Report.id == draft.id
    if draft.call is not None and draft.call.state == CallState.MISSED and draft.call.number is not None:
        others = select(Call.id).where(Call.number == draft.call.number, Call.state == CallState.MISSED)
        of_theirs = or_(of_theirs, and_(Report.call_id.in_(others), Report.state == ReportState.DRAFT))
    query = select(Attachment).join(Report, Report.id == Attachment.report_id)
    query = query.where(Attachment.kind == AttachmentKind.MESSAGE, of_theirs)
    return list(session.scalars(query.order_by(Attachment.at.desc(), Attachment.id.desc())))


def hand_messages_on(session: Session, earlier: Report, draft: Report, at: datetime) -> None:
    """What the caller said in the call of the ``earlier`` draft belongs to this later one from now on, and to what
    becomes of it, with a row of its history."""
    there = select(Attachment.sha256).where(Attachment.report_id == draft.id)
    theirs = Attachment.report_id == earlier.id, Attachment.kind == AttachmentKind.MESSAGE
    for file in session.scalars(select(Attachment).where(*theirs, Attachment.sha256.not_in(there))):
        file.report_id = draft.id
        note_history(session, draft, HistoryEvent.REMARK, None, at=at)


def take_messages_back(session: Session, draft: Report, calls: Sequence[int]) -> None:
    """What the caller said in this draft's own call, and was handed on to the draft of another of these ``calls``, is
    this one's again; a registered report keeps it."""
    said = select(HistoryRow.at).where(HistoryRow.report_id == draft.id, HistoryRow.event == HistoryEvent.REMARK)
    theirs = select(Attachment).join(Attachment.report).where(Report.call_id.in_(calls), Report.id != draft.id)
    for file in session.scalars(theirs.where(Attachment.kind == AttachmentKind.MESSAGE, Attachment.at.in_(said))):
        if file.report.number is None:  # as a condition, SQLite would walk all drafts by it
            file.report_id = draft.id


def files_of(session: Session, report: Report) -> list[Attachment]:
    """The report's files in the order in which they came."""
    query = select(Attachment).where(Attachment.report_id == report.id).options(joinedload(Attachment.user))
    return list(session.scalars(query.order_by(Attachment.id)))


def unnamed(session: Session, hashes: Iterable[str]) -> set[str]:
    """Those of the hashes that no report names."""
    found = sorted(set(hashes))
    left = set(found)
    for begin in range(0, len(found), _AT_ONCE):
        part = found[begin : begin + _AT_ONCE]
        left.difference_update(session.scalars(select(Attachment.sha256).where(Attachment.sha256.in_(part))))
    return left
