"""The listed telephone lines, and whose phones ring for them."""

import re

from sqlalchemy import ForeignKey, String, UniqueConstraint, bindparam, func, or_, select, true
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from models.base import Base
from models.people import Phone


class Line(Base):
    """One listed number (R order 2). ``number`` is as people read it, ``e164`` as networks do."""

    __tablename__ = "lines"

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(String(16), unique=True)
    e164: Mapped[str] = mapped_column(String(20), unique=True)
    title: Mapped[str] = mapped_column(String(128), default="")
    active: Mapped[bool] = mapped_column(default=True, server_default=true())

    ring_steps: Mapped[list["RingStep"]] = relationship(back_populates="line", order_by="RingStep.step")

    @property
    def digits(self) -> str:
        """The extension in the dialplan: the local digits, ``53273``."""
        return self.number.replace("-", "")

    @property
    def dids(self) -> tuple[str, ...]:
        """The forms of its number under which the trunk may deliver a call: local, national, international."""
        return dialled_forms(self.digits, self.e164)


def dialled_forms(digits: str, e164: str) -> tuple[str, ...]:
    """The forms in which a number is dialled: local, national, international."""
    forms = (digits, e164.removeprefix("+38"), e164.removeprefix("+"), e164)
    return tuple(dict.fromkeys(forms))  # where the local form is the national one, each once


_LINE = select(Line).where(
    or_(
        func.replace(Line.number, "-", "") == bindparam("digits"),
        Line.e164 == "+" + bindparam("digits"),
        Line.e164 == "+38" + bindparam("digits"),
    )
)


def find_line(session: Session, dialled: str) -> Line | None:
    """The line that this is one of the `Line.dids` of, however it is punctuated."""
    return session.scalar(_LINE, {"digits": re.sub(r"\D", "", dialled)})


class RingStep(Base):
    """A phone that rings for a line in step ``step`` (1 first); phones of one step ring at once (I2)."""

    __tablename__ = "ring_steps"
    __table_args__ = (UniqueConstraint("line_id", "step", "phone_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    line_id: Mapped[int] = mapped_column(ForeignKey("lines.id"))
    step: Mapped[int]
    phone_id: Mapped[int] = mapped_column(ForeignKey("phones.id"))
    seconds: Mapped[int] = mapped_column(default=20)

    line: Mapped[Line] = relationship(back_populates="ring_steps")
    phone: Mapped[Phone] = relationship()


_RING_ORDER = (
    select(RingStep.step, RingStep.seconds, Phone.name)
    .join_from(RingStep, Line)
    .join(Phone)
    .where(func.replace(Line.number, "-", "") == bindparam("digits"), Line.active, Phone.active)
    .order_by(RingStep.step, RingStep.id)
)


def ring_order(session: Session, digits: str) -> list[tuple[list[str], int]]:
    """The ring order of the line with these `Line.digits`: for each step the names of the phones that ring at once,
    and for how many seconds. Empty for a line that is not ours, or that rings nowhere."""
    steps: dict[int, tuple[list[str], int]] = {}
    for step, seconds, phone in session.execute(_RING_ORDER, {"digits": digits}):
        phones, longest = steps.get(step, ([], 0))
        steps[step] = ([*phones, phone], max(longest, seconds))
    return list(steps.values())
