"""Working days. Pure: the calendar is handed in, there is no clock here."""

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import holidays

KYIV = ZoneInfo("Europe/Kyiv")
END_OF_DAY = time(18, 0)


def ukrainian_workday(day: date) -> bool:
    """Whether people work on ``day``: not at week-ends, nor on holidays (which are suspended under martial law)."""
    return day.weekday() < 5 and day not in _holidays_of(day.year)


def add_working_days(start: datetime, days: int, is_workday: Callable[[date], bool] = ukrainian_workday) -> datetime:
    """The end (18:00 in Kyiv) of the ``days``-th working day after the day of ``start`` (S 2.3)."""
    day = start.astimezone(KYIV).date()
    while days > 0:
        day += timedelta(days=1)
        days -= is_workday(day)
    return datetime.combine(day, END_OF_DAY, KYIV)


@cache
def _holidays_of(year: int) -> holidays.HolidayBase:
    return holidays.country_holidays("UA", years=year)
