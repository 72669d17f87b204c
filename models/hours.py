"""When a line is open, by the town's calendar, and what a call meets at any moment (I2). Pure: no clock, no database.

Hours are those of the wall clock in Kyiv: an hour that a change of the clock leaves out or repeats is one like others.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Protocol

from models.workdays import KYIV, WorkCalendar

END_OF_DAY = 24 * 60  # minutes: hours may last until "24:00"
FARTHEST = 60  # days within which a line opens again, or nobody says when
_RANGE = re.compile(r"([0-9]{1,2})(?::([0-9]{2}))?\s*[-–—]\s*([0-9]{1,2})(?::([0-9]{2}))?")


class OutOfHours(StrEnum):
    """What a call meets while its line is closed."""

    RING = "ring"  # it rings all the same
    MESSAGE = "message"  # a machine says the hours and takes a message


class Day(StrEnum):
    """What the calendar says of a day."""

    WORKING = "working"
    DAY_OFF = "day_off"
    HOLIDAY = "holiday"


@dataclass(frozen=True)
class Hours:
    """Hours on working days and on other days, each ``08:00–17:00`` as `tidy_range` writes it, "" for closed."""

    workdays: str = ""
    other_days: str = ""


class HasHours(Protocol):
    """A line. Without hours it is open at any time."""

    @property
    def hours(self) -> Hours | None: ...


@dataclass(frozen=True)
class Branch:
    """Whether a line is open at a moment, and why: what day it is, and the ``hours`` of that day (None: any time)."""

    open: bool
    day: Day
    hours: str | None


def branch_at(line: HasHours, moment: datetime, calendar: WorkCalendar) -> Branch:
    """Which way a call goes that comes at this moment: hours hold from their first minute to before their last one.

    Hours that cannot be read close nothing: a call rings.
    """
    at = moment.astimezone(KYIV)
    day = day_kind(at.date(), calendar)
    if line.hours is None:
        return Branch(True, day, None)
    hours = _hours_of(line.hours, day)
    if not hours:
        return Branch(False, day, hours)
    found = read_range(hours)
    minute = at.hour * 60 + at.minute
    return Branch(found is None or found[0] <= minute < found[1], day, hours)


def opens_at(line: HasHours, moment: datetime, calendar: WorkCalendar) -> datetime | None:
    """When a line that is closed at this moment opens next, in Kyiv's time; None for not within `FARTHEST` days."""
    at = moment.astimezone(KYIV)
    if line.hours is None:
        return None
    for ahead in range(FARTHEST + 1):
        day = at.date() + timedelta(days=ahead)
        found = read_range(_hours_of(line.hours, day_kind(day, calendar)))
        if found is not None and (ahead or found[0] > at.hour * 60 + at.minute):
            return datetime.combine(day, time(*divmod(found[0], 60)), KYIV)
    return None


def day_kind(day: date, calendar: WorkCalendar) -> Day:
    """A week-end is a day off, unless the town has set it; every other day that is not worked is a holiday."""
    if calendar.is_workday(day):
        return Day.WORKING
    of_its_own = day in calendar.exceptions or calendar.is_free_holiday(day)
    return Day.DAY_OFF if day.weekday() >= 5 and not of_its_own else Day.HOLIDAY


def read_range(text: str) -> tuple[int, int] | None:
    """Its minutes from the beginning of the day; None for what is no range of hours of one day."""
    found = _RANGE.fullmatch(text.strip())
    if found is None:
        return None
    from_hour, from_minute, to_hour, to_minute = map(int, found.groups("0"))
    if max(from_minute, to_minute) > 59:
        return None
    begins, ends = from_hour * 60 + from_minute, to_hour * 60 + to_minute
    return (begins, ends) if begins < ends <= END_OF_DAY else None


def is_backwards(text: str) -> bool:
    """Whether these are hours that would end before they begin, over midnight."""
    found = _RANGE.fullmatch(text.strip())
    if found is None:
        return False
    told = [*map(int, found.groups("0"))]
    return told[:2] >= told[2:] and max(told[0], told[2]) < 24 and max(told[1], told[3]) < 60


def tidy_range(text: str) -> str:
    """``8-17`` and ``8:00-17:00`` as ``08:00–17:00``; what is no range as it was typed."""
    found = read_range(text)
    return "–".join(f"{at // 60:02}:{at % 60:02}" for at in found) if found else text.strip()


def _hours_of(hours: Hours, day: Day) -> str:
    return hours.workdays if day == Day.WORKING else hours.other_days
