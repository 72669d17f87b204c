"""Reference data (A2): who keeps which of it, what can be wrong with an entry, and the trace of every change.

What is particular to streets, kinds and organisations stands in `models.directories`, to users in `models.accounts`,
to the calendar in `models.free_days`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

from sqlalchemy import ForeignKey, Index, String, Text, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, joinedload, mapped_column, relationship

from models.base import Base, UTCDateTime
from models.people import Organisation, Phone, Role, User
from models.places import Category, Street

Entry = TypeVar("Entry", Category, Organisation, Street, User)


class Subject(StrEnum):
    CATEGORY = "category"
    ORGANISATION = "organisation"
    STREET = "street"
    USER = "user"
    CALENDAR = "calendar"


_TECHNICAL = frozenset({Role.TECHNICAL_ADMINISTRATOR})
_KEEPERS = frozenset({Role.ADMINISTRATOR, Role.SUPERVISOR})

# who changes what (R order 4, S 6.13), and who sees it
KEPT_BY: dict[Subject, frozenset[Role]] = {
    Subject.CATEGORY: _KEEPERS,
    Subject.ORGANISATION: _KEEPERS,
    Subject.STREET: _KEEPERS,
    Subject.USER: _TECHNICAL,
    Subject.CALENDAR: _KEEPERS,
}
SEEN_BY: dict[Subject, frozenset[Role]] = {
    Subject.CATEGORY: _KEEPERS | _TECHNICAL,
    Subject.ORGANISATION: _KEEPERS | _TECHNICAL,
    Subject.STREET: _KEEPERS | _TECHNICAL,
    Subject.USER: _TECHNICAL | {Role.SUPERVISOR},
    Subject.CALENDAR: _KEEPERS | _TECHNICAL,
}


class FaultKind(StrEnum):
    MISSING = "missing"  # about: how many characters fit
    NO_NAME = "no_name"  # of a person; about: how many characters fit
    TOO_LONG = "too_long"  # about: how many characters fit
    TAKEN = "taken"  # about: the entry that is called so
    CHOOSE = "choose"
    NUMBER = "number"  # about: the least and the most
    EMAIL = "email"
    DUTY_NUMBER = "duty_number"  # none that is ever dialled; about: what was typed
    DUTY_MANY = "duty_many"  # about: how many fit
    LOGIN = "login"
    RESPONSIBLE = "responsible"  # about: the kinds that the organisation is responsible for
    NEEDS_ORGANISATION = "needs_organisation"
    HAS_NO_ORGANISATION = "has_no_organisation"
    PHONE_TAKEN = "phone_taken"  # about: whose it is
    YOURSELF = "yourself"
    LAST_TECHNICAL = "last_technical"
    YES_NO = "yes_no"
    REPEATED = "repeated"  # about: the line of the file where it stands already
    ALIKE = "alike"  # about: the street that may be meant
    FORMER = "former"  # about: the street that was called so
    DAY_TAKEN = "day_taken"
    NO_DAY = "no_day"
    DAY_FAR = "day_far"


@dataclass(frozen=True)
class Fault:
    """What is wrong with one field. ``about`` is what the sentence names."""

    kind: FaultKind
    about: str = ""


class Refused(Exception):
    """The entry cannot be so; ``faults`` says what is wrong with which field."""

    def __init__(self, faults: Mapping[str, Fault]) -> None:
        super().__init__(", ".join(f"{name}: {fault.kind}" for name, fault in faults.items()))
        self.faults = dict(faults)


class ChangedMeanwhile(Exception):
    """Somebody changed the entry since it was read."""


class ReferenceChange(Base):
    """One changed field of an entry: who, when, from what to what. Rows are only ever added."""

    __tablename__ = "reference_changes"
    __table_args__ = (Index("ix_reference_changes_subject_subject_id", "subject", "subject_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(UTCDateTime)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))  # None: from the command line
    subject: Mapped[Subject] = mapped_column(String(16))
    subject_id: Mapped[int | None]  # None: of the calendar
    name: Mapped[str] = mapped_column(String(160))  # the entry's, before the change
    field: Mapped[str] = mapped_column(String(32))  # "added" for a new entry, "removed" for a day of the calendar
    before: Mapped[str] = mapped_column(Text, default="")
    after: Mapped[str] = mapped_column(Text, default="")

    user: Mapped[User | None] = relationship()


def tidy(text: str) -> str:
    """What was typed, without control characters and with one space between words."""
    return " ".join("".join(char for char in text if char.isprintable() or char.isspace()).split())


def check_name(name: str, longest: int, missing: FaultKind = FaultKind.MISSING) -> Fault | None:
    """What is wrong with a name of at most ``longest`` characters."""
    if not name:
        return Fault(missing, str(longest))
    return Fault(FaultKind.TOO_LONG, str(longest)) if len(name) > longest else None


def lock_entry(session: Session, table: type[Entry], row_id: int, revision: int | None) -> Entry | None:
    """The entry, kept from others until the transaction ends; None when there is none.

    Raises `ChangedMeanwhile` when its revision is another than the one that was read; None asks for no revision.
    """
    row = session.get(table, row_id, with_for_update=True, populate_existing=True)
    if row is not None and revision is not None and row.revision != revision:
        raise ChangedMeanwhile
    return row


def write_entry(
    session: Session, subject: Subject, row: Entry, values: Mapping[str, Any], by: User | None, at: datetime
) -> bool:
    """Give the entry its values, each with its trace: whether anything changed. A row without an id is added.

    Raises `Refused` when another process has just added one of the same name.
    """
    if row.id is None:
        for name, value in values.items():
            setattr(row, name, value)
        session.add(row)
        try:
            session.flush()
        except IntegrityError:
            raise Refused({"login" if subject == Subject.USER else "name": Fault(FaultKind.TAKEN)}) from None
        note_added(session, subject, row, values, by, at)
        return True
    changed = {name: value for name, value in values.items() if getattr(row, name) != value}
    for name, value in changed.items():
        note_change(session, subject, row, name, getattr(row, name), value, by, at)
    for name, value in changed.items():
        setattr(row, name, value)
    row.revision += bool(changed)
    session.flush()
    return bool(changed)


def note_added(
    session: Session, subject: Subject, row: Entry, values: Mapping[str, Any], by: User | None, at: datetime
) -> None:
    """The trace of a new entry, and of each value that it was given."""
    note_change(session, subject, row, "added", None, None, by, at)
    for name, value in values.items():
        if name not in ("name", "password_hash") and value not in (None, "", True, [], ()):
            note_change(session, subject, row, name, None, value, by, at)


def note_change(
    session: Session,
    subject: Subject,
    row: Entry | None,
    field: str,
    before: object,
    after: object,
    by: User | None,
    at: datetime,
    name: str = "",
) -> None:
    """The trace of one changed field; without ``row`` of the calendar's day ``name``."""
    session.add(
        ReferenceChange(
            at=at,
            user_id=by.id if by else None,
            subject=subject,
            subject_id=row.id if row else None,
            name=row.name if row else name,
            field=field,
            before=as_text(before),
            after=as_text(after),
        )
    )


def as_text(value: object) -> str:
    """A value as a change keeps it: names of rows, "yes" and "no", "" for nothing."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(map(as_text, value))  # in their order
    if isinstance(value, list):
        return "; ".join(sorted(as_text(one) for one in value))
    return value.name if isinstance(value, Organisation | User | Phone) else str(value)


def find_changes(
    session: Session,
    subjects: Sequence[Subject],
    subject_id: int | None = None,
    before: int | None = None,
    limit: int = 50,
) -> list[ReferenceChange]:
    """The newest changes of these subjects, or of one entry; with ``before`` those older than this change."""
    query = select(ReferenceChange).where(ReferenceChange.subject.in_(subjects))
    if subject_id is not None:
        query = query.where(ReferenceChange.subject_id == subject_id)
    if before is not None:
        query = query.where(ReferenceChange.id < before)
    newest = query.options(joinedload(ReferenceChange.user)).order_by(ReferenceChange.id.desc()).limit(limit)
    return list(session.scalars(newest))
