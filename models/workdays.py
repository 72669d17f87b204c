"""Working days (W14). Pure: the calendar is handed in, there is no clock and no database here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

KYIV = ZoneInfo("Europe/Kyiv")
END_OF_DAY = time(18, 0)
MARTIAL_LAW_BEGAN = date(2022, 3, 15)  # from then on no holiday is free (law 2136-IX, article 6)


@dataclass(frozen=True)
class WorkCalendar:
    """On which days people work.

    ``martial_law_until`` is its last day, None while nobody knows it: until then there are no free holidays.
    ``exceptions`` are the city's own days, True for one that is worked; they come before every other rule.
    """

    martial_law_until: date | None = None
    exceptions: Mapping[date, bool] = field(default_factory=dict)

    def is_workday(self, day: date) -> bool:
        if day in self.exceptions:
            return self.exceptions[day]
        return day.weekday() < 5 and (self._martial_law(day) or day not in _free_days(day.year))

    def is_holiday(self, day: date) -> bool:
        """Whether the day is a holiday by name, or a free day of the city's own: nobody is rung up, worked or not."""
        return self.exceptions.get(day) is False or day in _holidays(day.year)

    def is_free_holiday(self, day: date) -> bool:
        """Whether the common rule gives the day free as a holiday: under martial law there is none."""
        return not self._martial_law(day) and day in _free_days(day.year)

    def end_of_working_days(self, start: datetime, days: int) -> datetime:
        """18:00 in Kyiv of the ``days``-th working day after the day of ``start`` (S 2.3)."""
        day = start.astimezone(KYIV).date()
        while days > 0:
            day += timedelta(days=1)
            days -= self.is_workday(day)
        return datetime.combine(day, END_OF_DAY, KYIV)

    def end_of_days(self, start: datetime, days: int) -> datetime:
        """18:00 in Kyiv of the ``days``-th day after the day of ``start``; of the next working day if it is free.

        A term that ends on a free day ends on the next working one (Civil Code of Ukraine, article 254).
        """
        day = start.astimezone(KYIV).date() + timedelta(days=days)
        while not self.is_workday(day):
            day += timedelta(days=1)
        return datetime.combine(day, END_OF_DAY, KYIV)

    def working_days_between(self, start: datetime, end: datetime) -> int:
        """How many working days lie after the day of ``start`` up to and including the day of ``end``, in Kyiv."""
        first, last = start.astimezone(KYIV).date(), end.astimezone(KYIV).date()
        return sum(self.is_workday(first + timedelta(days=ahead)) for ahead in range(1, (last - first).days + 1))

    def _martial_law(self, day: date) -> bool:
        return day >= MARTIAL_LAW_BEGAN and (self.martial_law_until is None or day <= self.martial_law_until)


@cache
def _holidays(year: int) -> frozenset[date]:
    """The year's holidays by name. Since 2022 the library counts them as days of work: martial law has no end in it."""
    import holidays  # only now: 7 MB in each part, and most never count days

    category = "public" if year < MARTIAL_LAW_BEGAN.year else "workday"
    return frozenset(holidays.country_holidays("UA", years=year, categories=(category,), observed=False))


@cache
def _free_days(year: int) -> frozenset[date]:
    """The year's holidays, and the days off for those that fall on a week-end (Labour Code, article 67)."""
    named = _holidays(year)
    free = set(named)
    for day in sorted(named):
        if day.weekday() >= 5:
            while day.weekday() >= 5 or day in free:
                day += timedelta(days=1)
            free.add(day)
    return frozenset(free)
