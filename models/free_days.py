"""The city's own working calendar: its exceptions, and the last day of martial law (W14, A2).

A change is looked at before it is made: `after` gives the calendar as it would be, `models.recount` the open deadlines
that it would move.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from sqlalchemy import String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.base import Base, insert_new
from models.marks import Mark
from models.people import User
from models.reference import ChangedMeanwhile, Fault, FaultKind, Refused, Subject, note_change, tidy
from models.workdays import MARTIAL_LAW_BEGAN, WorkCalendar

_MARTIAL_LAW = "martial_law_until"  # the mark that keeps its last day
LONGEST_NOTE = 160  # characters
FARTHEST = timedelta(days=5 * 366)  # a day further off is a slip of the keyboard


class DayException(Base):
    """A day that is worked, or free, against the common rule: a moved day off, the city's own day."""

    __tablename__ = "day_exceptions"

    day: Mapped[date] = mapped_column(primary_key=True)
    worked: Mapped[bool]
    note: Mapped[str] = mapped_column(String(160), default="")


@dataclass(frozen=True)
class DayChange:
    """A day becomes an exception, or with ``worked`` None is one no longer."""

    day: date
    worked: bool | None
    note: str = ""


@dataclass(frozen=True)
class MartialLawChange:
    """Martial law ends with another ``last`` day; ``known`` is the one that stood on the page."""

    last: date | None
    known: date | None


CalendarChange = DayChange | MartialLawChange


def load_calendar(session: Session) -> WorkCalendar:
    """The calendar by which deadlines are counted now."""
    mark = session.get(Mark, _MARTIAL_LAW)
    exceptions = {row.day: row.worked for row in session.scalars(select(DayException))}
    return WorkCalendar(date.fromisoformat(mark.value) if mark else None, exceptions)


def after(calendar: WorkCalendar, change: CalendarChange) -> WorkCalendar:
    """The calendar as it is after the change."""
    if isinstance(change, MartialLawChange):
        return replace(calendar, martial_law_until=change.last)
    others = {day: worked for day, worked in calendar.exceptions.items() if day != change.day}
    return replace(calendar, exceptions=others if change.worked is None else others | {change.day: change.worked})


def first_touched(calendar: WorkCalendar, change: CalendarChange) -> date:
    """A day before which the change touches nothing."""
    if isinstance(change, MartialLawChange):
        return min(day for day in (calendar.martial_law_until, change.last, date.max) if day)
    return change.day


def check_change(session: Session, change: CalendarChange, today: date) -> None:
    """Raise `Refused` for a change that cannot be meant, `ChangedMeanwhile` for one of a page that is old."""
    if isinstance(change, MartialLawChange):
        if change.last and not MARTIAL_LAW_BEGAN <= change.last <= today + FARTHEST:
            raise Refused({"last": Fault(FaultKind.DAY_FAR)})
        if load_calendar(session).martial_law_until != change.known:
            raise ChangedMeanwhile
        return
    known = session.get(DayException, change.day)
    if change.worked is None:
        if known is None:
            raise ChangedMeanwhile
        return
    if not today - FARTHEST <= change.day <= today + FARTHEST:
        raise Refused({"day": Fault(FaultKind.DAY_FAR)})
    if len(change.note) > LONGEST_NOTE:
        raise Refused({"note": Fault(FaultKind.TOO_LONG, str(LONGEST_NOTE))})
    if known is not None:
        raise Refused({"day": Fault(FaultKind.DAY_TAKEN)})


def make_change(session: Session, change: CalendarChange, by: User, at: datetime, today: date) -> None:
    """Change the calendar and leave a trace; deadlines stay as they are. Raises as `check_change`."""
    check_change(session, change, today)
    if isinstance(change, MartialLawChange):
        note_change(session, Subject.CALENDAR, None, _MARTIAL_LAW, change.known, change.last, by, at)
        mark = session.get(Mark, _MARTIAL_LAW)
        if change.last is None:
            if mark is not None:
                session.delete(mark)
        elif mark is None:
            session.add(Mark(name=_MARTIAL_LAW, value=change.last.isoformat()))
        else:
            mark.value = change.last.isoformat()
    elif change.worked is None:
        known = session.get_one(DayException, change.day)
        _note_day(session, change.day, (known.worked, None), (known.note, ""), by, at)
        session.delete(known)
    else:
        values = {"day": change.day, "worked": change.worked, "note": tidy(change.note)}
        if insert_new(session, DayException, **values) is None:  # another has added it in this moment
            raise Refused({"day": Fault(FaultKind.DAY_TAKEN)})
        _note_day(session, change.day, (None, change.worked), ("", values["note"]), by, at)
    session.flush()


def _note_day(
    session: Session, day: date, worked: tuple[bool | None, bool | None], note: tuple[str, str], by: User, at: datetime
) -> None:
    note_change(session, Subject.CALENDAR, None, "worked", *worked, by, at, day.isoformat())
    if any(note):
        note_change(session, Subject.CALENDAR, None, "note", *note, by, at, day.isoformat())


def exceptions_from(session: Session, first: date) -> list[DayException]:
    """The exceptions from this day on, the nearest first."""
    return list(session.scalars(select(DayException).where(DayException.day >= first).order_by(DayException.day)))
