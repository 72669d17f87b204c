"""Working days: deadlines by the calendar in Kyiv (S 2.3, W14)."""

from datetime import date, datetime

import pytest

from models.workdays import KYIV, add_working_days, ukrainian_workday


@pytest.mark.parametrize(
    ("start", "days", "end"),
    [
        ("2026-11-20 09:00", 1, "2026-11-23 18:00"),  # Friday to Monday
        ("2026-11-20 09:00", 5, "2026-11-27 18:00"),
        ("2026-11-21 12:00", 1, "2026-11-23 18:00"),  # taken on a Saturday
        ("2026-11-23 23:30", 1, "2026-11-24 18:00"),
        ("2026-03-27 10:00", 2, "2026-03-31 18:00"),  # over the change of the clocks
        ("2026-12-24 10:00", 1, "2026-12-25 18:00"),  # holidays are suspended under martial law
    ],
)
def test_deadlines_are_working_days_in_kyiv(start, days, end):
    """S 2.3, W14"""
    began = datetime.fromisoformat(start).replace(tzinfo=KYIV)
    assert add_working_days(began, days) == datetime.fromisoformat(end).replace(tzinfo=KYIV)


def test_the_calendar_can_be_handed_in():
    """W14: the city's own day off."""
    began = datetime(2026, 11, 19, 10, tzinfo=KYIV)
    off = date(2026, 11, 20)
    end = add_working_days(began, 1, lambda day: ukrainian_workday(day) and day != off)
    assert end.date() == date(2026, 11, 23)
    assert not ukrainian_workday(date(2021, 8, 24))
