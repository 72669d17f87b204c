"""Streets and categories: where something is wrong, and what."""

import re
from collections.abc import Sequence
from difflib import get_close_matches

from sqlalchemy import ForeignKey, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from models.base import Base
from models.people import Organisation
from models.search import in_ukrainian_layout, plain

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


_SHORTEST_BEGINNING = 3  # letters
_ALIKE = 0.7  # of 1: one letter wrong in a word of five


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

    With or without «вул.», in any case of letters, also with the keyboard in the Latin layout. More than one when a
    street and a square have one name and it is not typed which.
    """
    wanted = bare_key(typed)
    if not wanted:
        return []
    streets = _active_streets(session)
    now = [(street, "") for street in streets if bare_key(street.name) == wanted]
    if now:
        exact = [(street, "") for street, _none in now if _with_type(street.name) == street_key(typed)]
        return exact or now
    named = {street: [*street.formerly, *street.otherwise] for street in streets}
    found = {street: [name for name in names if bare_key(name) == wanted] for street, names in named.items()}
    known = [(street, names[0]) for street, names in found.items() if names]
    turned = "" if known else in_ukrainian_layout(typed)
    return meant_streets(session, turned) if turned else known


def nearest_streets(session: Session, typed: str, most: int = 3) -> list[Street]:
    """The streets whose name, former or other name begins like what was typed or is written almost so, the nearest
    first; a single word of a name counts, too."""
    wanted = bare_key(in_ukrainian_layout(typed) or typed)
    if len(wanted) < _SHORTEST_BEGINNING:
        return []
    by_key: dict[str, list[Street]] = {}
    for street in _active_streets(session):
        for name in (street.name, *street.formerly, *street.otherwise):
            key = bare_key(name)
            for part in {key, *(word for word in key.split() if len(word) > _SHORTEST_BEGINNING)}:
                by_key.setdefault(part, []).append(street)
    begin = sorted(key for key in by_key if key.startswith(wanted))
    near = get_close_matches(wanted, by_key, n=2 * most, cutoff=_ALIKE)
    return list(dict.fromkeys(street for key in (*begin, *near) for street in by_key[key]))[:most]


def _active_streets(session: Session) -> Sequence[Street]:
    return session.scalars(select(Street).where(Street.active).order_by(Street.name)).all()


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


def _with_type(name: str) -> str:
    """The `street_key` of a name in the list: one without a type is a street's."""
    key = street_key(name)
    return key if _TYPE.match(key) else f"вулиця {key}"


def bare_key(name: str) -> str:
    """The same without its «вулиця» or «площа»."""
    return " ".join(_TYPE.sub("", plain(name).strip()).split())
