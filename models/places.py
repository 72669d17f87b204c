"""Streets and categories: where something is wrong, and what."""

import re

from sqlalchemy import ForeignKey, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from models.base import Base
from models.people import Organisation
from models.search import plain

_TYPE = re.compile(r"^(вул(иця)?|просп(ект)?|пров(улок)?|пл(оща)?|бульв(ар)?|б-р|пр-т|узвіз)\b\.?\s*")
_WHOLE_TYPES = {
    "вул": "вулиця",
    "просп": "проспект",
    "пр-т": "проспект",
    "пров": "провулок",
    "пл": "площа",
    "бульв": "бульвар",
    "б-р": "бульвар",
}


class Street(Base):
    """A street with its former and its other names, so that a caller may use the one they know."""

    __tablename__ = "streets"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(128), unique=True)
    former_names: Mapped[str] = mapped_column(String(256), default="")
    other_names: Mapped[str] = mapped_column(String(256), default="", server_default="")  # as people call it, too
    active: Mapped[bool] = mapped_column(default=True)
    revision: Mapped[int] = mapped_column(default=0, server_default="0")

    @property
    def formerly(self) -> list[str]:
        """The former names, one by one."""
        return split_names(self.former_names)

    @property
    def otherwise(self) -> list[str]:
        """The other names, one by one."""
        return split_names(self.other_names)


class Category(Base):
    """A kind of problem: who is responsible, and how many working days the work may take."""

    __tablename__ = "categories"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(128), unique=True)
    organisation_id: Mapped[int] = mapped_column(ForeignKey("organisations.id"))
    working_days: Mapped[int] = mapped_column(default=10)
    position: Mapped[int] = mapped_column(default=0)
    active: Mapped[bool] = mapped_column(default=True)
    revision: Mapped[int] = mapped_column(default=0, server_default="0")

    organisation: Mapped[Organisation] = relationship()


def meant_streets(session: Session, typed: str) -> list[tuple[Street, str]]:
    """The streets that are called so, else those that were or that people call so: each with that name, or with "".

    With or without «вул.», in any case of letters. More than one when a street and a square have one name.
    """
    wanted = bare_key(typed)
    if not wanted:
        return []
    streets = session.scalars(select(Street).where(Street.active).order_by(Street.name)).all()
    now = [(street, "") for street in streets if bare_key(street.name) == wanted]
    if now:
        return now
    named = {street: [*street.formerly, *street.otherwise] for street in streets}
    found = {street: [name for name in names if bare_key(name) == wanted] for street, names in named.items()}
    return [(street, names[0]) for street, names in found.items() if names]


def split_names(names: str) -> list[str]:
    """Several names in one text, one by one."""
    return [name.strip() for name in re.split("[,;]", names) if name.strip()]


def street_key(name: str) -> str:
    """A street's name without what people write differently: «вул. Київська» and «Вулиця  Київська» are one."""
    words = " ".join(plain(name).split())
    kind = _TYPE.match(words)
    if kind is None:
        return words
    return f"{_WHOLE_TYPES.get(kind[1], kind[1])} {words[kind.end() :]}"


def bare_key(name: str) -> str:
    """The same without its «вулиця» or «площа»."""
    return " ".join(_TYPE.sub("", plain(name).strip()).split())
