"""The listed telephone lines, and whose phones ring for them."""

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base
from models.people import Phone


class Line(Base):
    """One listed number (R order 2). ``number`` is as people read it, ``e164`` as networks do."""

    __tablename__ = "lines"

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(String(16), unique=True)
    e164: Mapped[str] = mapped_column(String(20), unique=True)
    title: Mapped[str] = mapped_column(String(128), default="")

    ring_steps: Mapped[list["RingStep"]] = relationship(back_populates="line", order_by="RingStep.step")

    @property
    def digits(self) -> str:
        """The extension in the dialplan: the local digits, ``53273``."""
        return self.number.replace("-", "")


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
    phone: Mapped[Phone] = relationship(lazy="joined", innerjoin=True)  # a call's ring order in one query


def ring_order(line: Line) -> list[tuple[list[Phone], int]]:
    """The line's ring order: for each step the phones that ring at once, and for how many seconds."""
    steps: dict[int, tuple[list[Phone], int]] = {}
    for ring in line.ring_steps:
        phones, seconds = steps.get(ring.step, ([], 0))
        steps[ring.step] = ([*phones, ring.phone], max(seconds, ring.seconds))
    return [steps[step] for step in sorted(steps)]
