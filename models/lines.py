"""The listed telephone lines, and whose phones ring for them."""

import re
from dataclasses import dataclass

from sqlalchemy import ForeignKey, String, UniqueConstraint, and_, bindparam, func, or_, select, true
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from models.base import Base
from models.hours import Hours, OutOfHours
from models.people import Phone


class Line(Base):
    """One listed number (R order 2). ``number`` is as people read it, ``e164`` as networks do.

    Both hours are None for a line that is open at any time, else as `models.hours.Hours` has them.
    """

    __tablename__ = "lines"

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(String(16), unique=True)
    e164: Mapped[str] = mapped_column(String(20), unique=True)
    title: Mapped[str] = mapped_column(String(128), default="")
    active: Mapped[bool] = mapped_column(default=True, server_default=true())
    workday_hours: Mapped[str | None] = mapped_column(String(11))
    other_hours: Mapped[str | None] = mapped_column(String(11))
    out_of_hours: Mapped[OutOfHours] = mapped_column(String(8), default=OutOfHours.RING, server_default="ring")
    duty_phone_id: Mapped[int | None] = mapped_column(ForeignKey("phones.id"))  # rung by a key out of hours

    ring_steps: Mapped[list["RingStep"]] = relationship(back_populates="line", order_by="RingStep.step")
    duty_phone: Mapped[Phone | None] = relationship()

    @property
    def hours(self) -> Hours | None:
        """None for any time."""
        if self.workday_hours is None and self.other_hours is None:
            return None
        return Hours(self.workday_hours or "", self.other_hours or "")

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
    .join(Phone, Phone.id == RingStep.phone_id)
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


@dataclass(frozen=True)
class Timetable:
    """The hours of a line that takes messages out of them; ``duty`` is the phone that a key rings, or ""."""

    hours: Hours
    duty: str = ""


_TIMETABLE = (
    select(Line.workday_hours, Line.other_hours, Phone.name)
    .outerjoin(Phone, and_(Phone.id == Line.duty_phone_id, Phone.active))
    .where(
        func.replace(Line.number, "-", "") == bindparam("digits"),
        Line.active,
        Line.out_of_hours == OutOfHours.MESSAGE,
        or_(Line.workday_hours.is_not(None), Line.other_hours.is_not(None)),
    )
)


def timetable(session: Session, digits: str) -> Timetable | None:
    """By what the line with these `Line.digits` takes messages; None for one that rings at any time."""
    found = session.execute(_TIMETABLE, {"digits": digits}).first()
    return Timetable(Hours(found[0] or "", found[1] or ""), found[2] or "") if found else None


def timetables(session: Session) -> list[Timetable]:
    """Those of all lines that take messages."""
    lines = session.scalars(select(Line).where(Line.active, Line.out_of_hours == OutOfHours.MESSAGE))
    return [found for line in lines.all() if (found := timetable(session, line.digits)) is not None]
