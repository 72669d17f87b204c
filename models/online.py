"""Reports that citizens send by the web form: each is a draft at once, and the applicant gets an intake number (I9)."""

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import ForeignKey, Index, String, func, select
from sqlalchemy.orm import Mapped, Session, joinedload, mapped_column, relationship

from models.base import Base, UTCDateTime, announce, insert_new
from models.drafts import DRAFT_FIELDS, reachable_at
from models.pins import give_pin
from models.reports import Report, ReportEvent, ReportState, Source, note_history
from models.search import make_findable

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
FROM_ONE_ADDRESS = 10  # drafts an hour; a whole house may share an address
FROM_ALL = 120  # drafts an hour
_CODES = 10_000_000  # intake numbers; they begin with 9, so that none is the number of a report
_TRIES = 5


class OnlineIntake(Base):
    """How a report came by the web form: its intake number, and what tells a doubled form and a crowd of them.

    ``sender`` is a keyed hash of the address that it came from; ``form_key`` tells the page and what stood on it.
    """

    __tablename__ = "online_intakes"
    __table_args__ = (Index("ix_online_intakes_at", "at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    report_id: Mapped[int] = mapped_column(ForeignKey("reports.id"), unique=True)
    code: Mapped[str] = mapped_column(String(8), unique=True)
    form_key: Mapped[str] = mapped_column(String(32), unique=True)
    sender: Mapped[str] = mapped_column(String(32))
    at: Mapped[datetime] = mapped_column(UTCDateTime)

    report: Mapped[Report] = relationship()


class TooManyReports(Exception):
    """More drafts than an hour may bring, from one address or from all together."""


class AlreadyReceived(Exception):
    """The same words about the same place, with the same telephone, came from the same address within a day; ``at``:
    when."""

    def __init__(self, at: datetime) -> None:
        super().__init__()
        self.at = at


def receive_online(
    session: Session, values: dict[str, object], *, form_key: str, sender: str, area_code: str, at: datetime
) -> OnlineIntake:
    """Make a draft of what the web form holds (``values``: some of `DRAFT_FIELDS`), for the desk to register.

    A form that is sent twice makes one draft. Raises `TooManyReports` and `AlreadyReceived`.
    """
    known = session.scalar(select(OnlineIntake).where(OnlineIntake.form_key == form_key))
    if known is not None:
        return known
    _refuse_crowd(session, sender, at)
    _refuse_repeated(session, sender, values, at)
    fields = {name: value for name, value in values.items() if name in DRAFT_FIELDS}
    draft = Report(state=ReportState.DRAFT, source=Source.ONLINE, created_at=at, **fields)
    session.add(draft)
    note_history(session, draft, ReportEvent.CREATED, None, at=at, before="")
    session.flush()
    draft.contact_number = reachable_at(draft, area_code)
    give_pin(draft)
    make_findable(session, draft)
    announce(session, "intake", draft.id)
    for _ in range(_TRIES):
        row = {"report_id": draft.id, "code": _new_code(), "form_key": form_key, "sender": sender, "at": at}
        if (intake := insert_new(session, OnlineIntake, **row)) is not None:
            return intake
    raise AlreadyReceived(at)  # another process took this form a moment ago (PostgreSQL)


def find_intake(session: Session, code: str) -> Report | None:
    """The draft, or the report by now, with this intake number."""
    query = select(OnlineIntake).where(OnlineIntake.code == code).options(joinedload(OnlineIntake.report))
    intake = session.scalar(query)
    return intake.report if intake else None


def readable_code(code: str) -> str:
    """An intake number as people read it: ``9482-1035``."""
    return f"{code[:4]}-{code[4:]}"


def _new_code() -> str:
    return f"9{secrets.randbelow(_CODES):07d}"


def _refuse_crowd(session: Session, sender: str, at: datetime) -> None:
    lately = select(func.count()).select_from(OnlineIntake).where(OnlineIntake.at > at - HOUR)
    if session.scalar(lately) >= FROM_ALL or session.scalar(lately.where(OnlineIntake.sender == sender)) >= (
        FROM_ONE_ADDRESS
    ):
        raise TooManyReports


def _refuse_repeated(session: Session, sender: str, values: Mapping[str, object], at: datetime) -> None:
    """A whole house may share an address: neighbours who write the same are told apart by place and telephone."""
    texts = ("text", "street_typed", "building", "flat", "landmark", "other_phone")
    same = [getattr(Report, name) == values.get(name, "") for name in texts]
    same.append(Report.street_id == values.get("street_id"))
    before = session.scalar(
        select(OnlineIntake.at)
        .join(OnlineIntake.report)
        .where(OnlineIntake.at > at - DAY, OnlineIntake.sender == sender, *same)
        .limit(1)
    )
    if before is not None:
        raise AlreadyReceived(before)
