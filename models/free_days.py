"""The city's own working calendar: its exceptions, and the last day of martial law (W14, A2)."""

from datetime import date

from sqlalchemy import String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.base import Base
from models.marks import Mark
from models.workdays import WorkCalendar

_MARTIAL_LAW = "martial_law_until"  # the mark that keeps its last day


class DayException(Base):
    """A day that is worked, or free, against the common rule: a moved day off, the city's own day."""

    __tablename__ = "day_exceptions"

    day: Mapped[date] = mapped_column(primary_key=True)
    worked: Mapped[bool]
    note: Mapped[str] = mapped_column(String(160), default="")


def load_calendar(session: Session) -> WorkCalendar:
    """The calendar by which deadlines are counted now."""
    mark = session.get(Mark, _MARTIAL_LAW)
    exceptions = {row.day: row.worked for row in session.scalars(select(DayException))}
    return WorkCalendar(date.fromisoformat(mark.value) if mark else None, exceptions)
