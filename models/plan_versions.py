"""Versions of the telephone plan: every one kept with who, when, why and what differs; one is applied at any time.

What is edited is one draft, everybody's. How versions move stands in `models.plan_acts`.
"""

from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import ForeignKey, String, Text, select
from sqlalchemy.orm import Mapped, Session, joinedload, mapped_column, relationship

from models.base import Base, UTCDateTime
from models.machine import next_state
from models.people import User
from models.plan import (
    ANNOUNCEMENT_SECONDS,
    DUTY_SECONDS,
    MESSAGE_SECONDS,
    TRIED_AGAIN_SECONDS,
    Difference,
    Plan,
    PlanPhone,
    differences_from_json,
    from_json,
)
from models.plan_checks import LONGEST

LONGEST_REASON = 500  # characters
# For so long a call may ring by the order of before (``extensions.conf``): it may be told of an outage first, then of
# the hours, ring at the duty phone, be told that nobody lifts the receiver there, and be left by the script in the
# middle of a message; where all are busy it is tried again, and then it rings for as long as a ring order may last.
_LONGEST_WAY = 3 * ANNOUNCEMENT_SECONDS + DUTY_SECONDS + MESSAGE_SECONDS + TRIED_AGAIN_SECONDS + LONGEST
STILL_RUNG = timedelta(seconds=_LONGEST_WAY + 15)  # some seconds pass between them


class PlanState(StrEnum):
    DRAFT = "draft"
    REFUSED = "refused"  # a draft that was to be applied with a fault
    APPLYING = "applying"
    APPLIED = "applied"
    ROLLED_BACK = "rolled_back"
    SUPERSEDED = "superseded"
    DROPPED = "dropped"


class PlanEvent(StrEnum):
    BEGUN = "begun"
    CHANGED = "changed"
    FAULTY = "faulty"
    ORDERED = "ordered"
    DONE = "done"
    FAILED = "failed"
    FOUND = "found"  # the tables are so already
    REPLACED = "replaced"
    GIVEN_UP = "given_up"


PLAN_TABLE: dict[tuple[PlanState, PlanEvent], PlanState] = {
    (PlanState.DRAFT, PlanEvent.CHANGED): PlanState.DRAFT,
    (PlanState.DRAFT, PlanEvent.FAULTY): PlanState.REFUSED,
    (PlanState.DRAFT, PlanEvent.ORDERED): PlanState.APPLYING,
    (PlanState.DRAFT, PlanEvent.GIVEN_UP): PlanState.DROPPED,
    (PlanState.DRAFT, PlanEvent.FOUND): PlanState.APPLIED,  # of the first version, and of changes by other ways
    (PlanState.REFUSED, PlanEvent.CHANGED): PlanState.DRAFT,
    (PlanState.REFUSED, PlanEvent.FAULTY): PlanState.REFUSED,  # ordered once more with its fault
    (PlanState.REFUSED, PlanEvent.ORDERED): PlanState.APPLYING,  # what was missing is there by now
    (PlanState.REFUSED, PlanEvent.GIVEN_UP): PlanState.DROPPED,
    (PlanState.APPLYING, PlanEvent.DONE): PlanState.APPLIED,
    (PlanState.APPLYING, PlanEvent.FAILED): PlanState.ROLLED_BACK,
    (PlanState.APPLIED, PlanEvent.REPLACED): PlanState.SUPERSEDED,
}
# what can be applied anew by a click: what was applied once, and what was rolled back for a trouble that may be over
RETURNABLE = frozenset({PlanState.SUPERSEDED, PlanState.ROLLED_BACK})
# of which there is one at most: what stands in the unique column
_SLOTS = {
    PlanState.DRAFT: "draft",
    PlanState.REFUSED: "draft",
    PlanState.APPLYING: "applying",
    PlanState.APPLIED: "applied",
}


class Trouble(StrEnum):
    """Why a version was rolled back. What stands behind each is the version's ``trouble_about``."""

    BROKEN_OFF = "broken_off"  # the program ended in the middle
    FILES = "files"  # they cannot be written: what the system says
    CONFIGURATION = "configuration"  # what cannot stand in it
    NOT_REACHED = "not_reached"  # a call to it does not meet what the plan says: the number
    NOT_TRIED = "not_tried"  # there is no exchange on which to try it: why
    AWAY = "away"  # the exchange does not answer
    NOT_READ = "not_read"  # the exchange has something else than what was written: what
    CHANGED = "changed"  # the plan was changed meanwhile by another way
    DATABASE = "database"  # its own reason


class PlanVersion(Base):
    """One version. ``document`` as `models.plan.to_json` writes it, ``changes`` what differs from the one before.

    ``begun_at``: since when it is brought to the exchange. ``settled_at``: when the exchange had read the whole of it
    and no former phone any more; an applied one without it is still looked after.
    """

    __tablename__ = "plan_versions"

    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))  # None: the command line, or a start
    at: Mapped[datetime] = mapped_column(UTCDateTime)
    reason: Mapped[str] = mapped_column(Text, default="")
    document: Mapped[str] = mapped_column(Text)
    changes: Mapped[str] = mapped_column(Text, default="[]")
    state: Mapped[PlanState] = mapped_column(String(16), default=PlanState.DRAFT)
    slot: Mapped[str | None] = mapped_column(String(8), unique=True)
    previous_id: Mapped[int | None] = mapped_column(ForeignKey("plan_versions.id"))
    trouble: Mapped[str] = mapped_column(String(16), default="")
    trouble_about: Mapped[str] = mapped_column(Text, default="")
    revision: Mapped[int] = mapped_column(default=0)  # raised by each change of a draft
    begun_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    settled_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    author: Mapped[User | None] = relationship()
    history: Mapped[list["PlanHistory"]] = relationship(order_by="PlanHistory.id")

    @property
    def plan(self) -> Plan:
        return from_json(self.document)

    @property
    def differences(self) -> list[Difference]:
        return differences_from_json(self.changes)


class PlanHistory(Base):
    """What happened to a version: who, when, from which state to which. Rows are only added."""

    __tablename__ = "plan_history"

    id: Mapped[int] = mapped_column(primary_key=True)
    version_id: Mapped[int] = mapped_column(ForeignKey("plan_versions.id"), index=True)
    at: Mapped[datetime] = mapped_column(UTCDateTime)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    event: Mapped[PlanEvent] = mapped_column(String(16))
    from_state: Mapped[str] = mapped_column(String(16))
    to_state: Mapped[str] = mapped_column(String(16))

    user: Mapped[User | None] = relationship()


def applied_version(session: Session) -> PlanVersion | None:
    """The one by which calls ring; None only before the first start."""
    return _in_slot(session, "applied")


def still_rung(session: Session, at: datetime) -> list[PlanPhone]:
    """The phones that the applied plan does not use any more and calls may still ring at, by the order of before."""
    lately = PlanHistory.at.between(at - STILL_RUNG, at + STILL_RUNG)  # a clock that was set back keeps none for ever
    query = select(PlanVersion).join(PlanVersion.history).where(PlanHistory.event == PlanEvent.REPLACED, lately)
    former = session.scalars(query.order_by(PlanHistory.id)).all()
    applied = applied_version(session) if former else None
    if applied is None:
        return []
    staying = {phone.name for phone in applied.plan.active_phones}
    found = {phone.name: phone for version in former for phone in version.plan.active_phones}
    return [phone for name, phone in found.items() if name not in staying]


def open_draft(session: Session) -> PlanVersion | None:
    return _in_slot(session, "draft")


def applying_version(session: Session) -> PlanVersion | None:
    return _in_slot(session, "applying")


def last_ordered(session: Session) -> PlanVersion | None:
    """The newest version that was to be applied, whatever became of it."""
    ended = (PlanState.APPLYING, PlanState.APPLIED, PlanState.ROLLED_BACK, PlanState.SUPERSEDED)
    query = select(PlanVersion).where(PlanVersion.state.in_(ended))
    return session.scalar(query.order_by(PlanVersion.id.desc()).limit(1))


def list_versions(session: Session, limit: int) -> list[PlanVersion]:
    """The newest versions, without drafts that were given up."""
    query = select(PlanVersion).where(PlanVersion.state != PlanState.DROPPED).options(joinedload(PlanVersion.author))
    return list(session.scalars(query.order_by(PlanVersion.id.desc()).limit(limit)))


def note(session: Session, version: PlanVersion, event: PlanEvent, by: User | None, at: datetime, before: str) -> None:
    """The row of its history: it was in the state ``before``, "" for a new one."""
    row = PlanHistory(version_id=version.id, at=at, user_id=by.id if by else None, event=event)
    row.from_state, row.to_state = before, version.state
    session.add(row)


def move(session: Session, version: PlanVersion, event: PlanEvent, by: User | None, at: datetime) -> None:
    """The version's next state, with its row. Raises `models.machine.IllegalMove`; of two versions that would both be
    applied, or on their way, the second is refused by the database."""
    before = version.state
    version.state = next_state("telephone plan", PLAN_TABLE, PlanState(before), event)
    version.slot = _SLOTS.get(version.state)
    note(session, version, event, by, at, before)
    session.flush()


def _in_slot(session: Session, slot: str) -> PlanVersion | None:
    return session.scalar(select(PlanVersion).where(PlanVersion.slot == slot))
