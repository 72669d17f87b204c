"""Streets and categories: where something is wrong, and what."""

import re

from sqlalchemy import ForeignKey, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from models.base import Base
from models.people import Organisation
from models.search import plain

_TYPE = re.compile(r"^(вул(иця)?|просп(ект)?|пров(улок)?|пл(оща)?|бульв(ар)?|б-р|пр-т|узвіз)\b\.?\s*")


class Street(Base):
    """A street with its former names, so that a caller may use the one they know."""

    __tablename__ = "streets"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(128), unique=True)
    former_names: Mapped[str] = mapped_column(String(256), default="")
    active: Mapped[bool] = mapped_column(default=True)

    @property
    def formerly(self) -> list[str]:
        """The former names, one by one."""
        return [name.strip() for name in re.split("[,;]", self.former_names) if name.strip()]


class Category(Base):
    """A kind of problem: who is responsible, and how many working days the work may take."""

    __tablename__ = "categories"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(128), unique=True)
    organisation_id: Mapped[int] = mapped_column(ForeignKey("organisations.id"))
    working_days: Mapped[int] = mapped_column(default=10)
    position: Mapped[int] = mapped_column(default=0)
    active: Mapped[bool] = mapped_column(default=True)

    organisation: Mapped[Organisation] = relationship()


def meant_streets(session: Session, typed: str) -> list[tuple[Street, str]]:
    """The streets that are called so now, else those that were: each with its former name, or with "".

    With or without «вул.», in any case of letters. More than one when a street and a square have one name.
    """
    wanted = _key(typed)
    if not wanted:
        return []
    streets = session.scalars(select(Street).where(Street.active).order_by(Street.name)).all()
    now = [(street, "") for street in streets if _key(street.name) == wanted]
    return now or [(street, name) for street in streets for name in street.formerly if _key(name) == wanted]


def _key(name: str) -> str:
    return " ".join(_TYPE.sub("", plain(name).strip()).split())
