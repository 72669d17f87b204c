"""Filters of the journal that somebody keeps under a name, alone or for everybody (W11).

What was typed into the search box is kept with them, but never a telephone: each search by one leaves a trace with
who searched (A3), and a filter that a whole shift opens would bring it back for years after it is erased elsewhere.
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint, func, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from models.base import Base, UTCDateTime, insert_new, now
from models.people import Role, User
from models.search import alphabetical
from models.telephone import SIGNS, without_numbers

SHARERS = frozenset({Role.ADMINISTRATOR, Role.SUPERVISOR})
MOST_SAVED = 30  # filters of one person
LONGEST_NAME = 64  # characters
_TELEPHONE, _BETWEEN_DIGITS = re.compile(r"\d{4}"), re.compile(f"[+{SIGNS}]")  # four digits are enough to search by


class SavedFilter(Base):
    """``asked``: the values of the journal's fields by their names, as JSON; "text" is what was searched for."""

    __tablename__ = "saved_filters"
    __table_args__ = (UniqueConstraint("user_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    name: Mapped[str] = mapped_column(String(LONGEST_NAME))
    shared: Mapped[bool] = mapped_column(default=False)
    asked: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)

    user: Mapped[User] = relationship()

    @property
    def values(self) -> dict[str, str]:
        return json.loads(self.asked)

    def asks(self, values: Mapping[str, str], text: str) -> bool:
        """Whether these values of the journal's fields are just what was kept."""
        return self.values == {name: value for name, value in {**values, "text": text}.items() if value}


class NameTaken(Exception):
    """This person has a filter with this name."""


class TooMany(Exception):
    """This person keeps `MOST_SAVED` filters already."""


class HoldsTelephone(Exception):
    """The text looks like a telephone."""


class NameHoldsTelephone(Exception):
    """A telephone stands in the name that was given."""


class MayNotShare(Exception):
    """This role keeps filters for itself alone."""


def save_filter(
    session: Session, user: User, name: str, values: Mapping[str, str], *, shared: bool, area_code: str, at: datetime
) -> SavedFilter:
    """Keep these values of the journal's fields under a name.

    Raises `MayNotShare`, `HoldsTelephone`, `NameHoldsTelephone`, `TooMany` or `NameTaken`; then nothing is kept.
    """
    if shared and user.role not in SHARERS:
        raise MayNotShare
    if _TELEPHONE.search(_BETWEEN_DIGITS.sub("", values.get("text", ""))):
        raise HoldsTelephone
    if without_numbers(name, area_code) != name:
        raise NameHoldsTelephone
    if session.scalar(select(func.count()).where(SavedFilter.user_id == user.id)) >= MOST_SAVED:
        raise TooMany
    asked = json.dumps({field: value for field, value in values.items() if value}, ensure_ascii=False)
    saved = insert_new(session, SavedFilter, user_id=user.id, name=name, shared=shared, asked=asked, created_at=at)
    if saved is None:
        raise NameTaken
    return saved


def visible_filters(session: Session, user: User) -> list[SavedFilter]:
    """The person's own and those shared with everybody, by name."""
    query = select(SavedFilter).join(SavedFilter.user).where(_visible_to(user))
    return sorted(session.scalars(query), key=lambda saved: (alphabetical(saved.name), saved.id))


def visible_filter(session: Session, user: User, filter_id: int) -> SavedFilter | None:
    """The filter, unless it is somebody's own; those of people who left are nobody's."""
    query = select(SavedFilter).join(SavedFilter.user).where(SavedFilter.id == filter_id, _visible_to(user))
    return session.scalar(query)


def delete_filter(session: Session, user: User, filter_id: int) -> SavedFilter | None:
    """Delete a filter of one's own; None when it is not, or gone."""
    saved = session.scalar(select(SavedFilter).where(SavedFilter.id == filter_id, SavedFilter.user_id == user.id))
    if saved is not None:
        session.delete(saved)
    return saved


def _visible_to(user: User):
    return or_(SavedFilter.user_id == user.id, SavedFilter.shared & User.active)
