"""Periods of days in Kyiv, and the quarters of R 4.6. Pure: the day is handed in."""

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from models.workdays import END_OF_DAY, KYIV

DUE_DAY = 5  # of the month after the quarter (R 4.6)
_QUARTER = re.compile(r"(20\d\d)[Q-]([1-4])", re.IGNORECASE)


@dataclass(frozen=True)
class Period:
    """Days in Kyiv, both included."""

    first: date
    last: date

    @property
    def begin(self) -> datetime:
        """Its first moment."""
        return datetime.combine(self.first, time(), KYIV)

    @property
    def end(self) -> datetime:
        """The first moment after it."""
        return datetime.combine(self.last + timedelta(days=1), time(), KYIV)


def month_of(day: date) -> Period:
    """The month in which the day lies."""
    following = (day.replace(day=28) + timedelta(days=4)).replace(day=1)
    return Period(day.replace(day=1), following - timedelta(days=1))


@dataclass(frozen=True, order=True)
class Quarter:
    """A quarter of a year; ``number`` is 1 to 4."""

    year: int
    number: int

    def __str__(self) -> str:
        return f"{self.year}Q{self.number}"

    @property
    def period(self) -> Period:
        first = date(self.year, 3 * self.number - 2, 1)
        return Period(first, month_of(date(self.year, 3 * self.number, 1)).last)

    @property
    def due_at(self) -> datetime:
        """Until when the control body is to have its report: the 5th of the next month, 18:00 (R 4.6)."""
        return datetime.combine(self.period.last + timedelta(days=DUE_DAY), END_OF_DAY, KYIV)

    @property
    def before(self) -> "Quarter":
        """The quarter before this one."""
        return quarter_of(self.period.first - timedelta(days=1))


def quarter_of(day: date) -> Quarter:
    """The quarter in which the day lies."""
    return Quarter(day.year, (day.month + 2) // 3)


def read_quarter(typed: str) -> Quarter | None:
    """The quarter that was typed, ``2026Q3`` or ``2026-3``; None for anything else."""
    matched = _QUARTER.fullmatch(typed.strip())
    return Quarter(int(matched[1]), int(matched[2])) if matched else None
