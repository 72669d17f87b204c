"""Working days: deadlines by the calendar in Kyiv (S 2.3, W14)."""

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.workdays import KYIV, WorkCalendar


def kyiv(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=KYIV)


PEACE = WorkCalendar(martial_law_until=date(2026, 12, 31))


@pytest.mark.parametrize(
    ("calendar", "start", "days", "end"),
    [
        (WorkCalendar(), "2026-11-20 09:00", 1, "2026-11-23 18:00"),  # Friday to Monday
        (WorkCalendar(), "2026-11-20 09:00", 5, "2026-11-27 18:00"),
        (WorkCalendar(), "2026-11-21 12:00", 1, "2026-11-23 18:00"),  # taken on a Saturday
        (WorkCalendar(), "2026-11-23 23:30", 1, "2026-11-24 18:00"),
        (WorkCalendar(), "2026-03-27 10:00", 2, "2026-03-31 18:00"),  # the clocks go forward
        (WorkCalendar(), "2026-10-23 10:00", 2, "2026-10-27 18:00"),  # and back
        (WorkCalendar(), "2026-12-24 10:00", 1, "2026-12-25 18:00"),  # holidays are suspended under martial law
        (WorkCalendar(), "2026-12-31 10:00", 1, "2027-01-01 18:00"),
        (PEACE, "2026-12-31 10:00", 1, "2027-01-04 18:00"),  # New Year's Day is free again, then a week-end
        (PEACE, "2026-12-24 10:00", 1, "2026-12-25 18:00"),  # martial law ends in the middle of the year
        (
            PEACE,
            "2027-04-30 10:00",
            1,
            "2027-05-05 18:00",
        ),  # 1 May and Easter on a week-end: Monday and Tuesday are off
        (PEACE, "2027-12-24 10:00", 1, "2027-12-28 18:00"),
    ],
)
def test_terms_end_on_working_days_in_kyiv(calendar, start, days, end):
    """S 2.3, W14"""
    assert calendar.end_of_working_days(kyiv(start), days) == kyiv(end)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2026-11-24 09:00", "2026-12-24 18:00"),
        ("2026-11-26 09:00", "2026-12-28 18:00"),  # a Saturday: the Monday after it
        ("2026-12-02 09:00", "2027-01-04 18:00"),  # New Year's Day in peace, and the week-end
    ],
)
def test_a_term_in_days_that_ends_on_a_free_day_ends_on_the_next_working_one(start, end):
    """R 4.4: thirty days."""
    assert PEACE.end_of_days(kyiv(start), 30) == kyiv(end)


def test_the_citys_own_days_come_first():
    """W14: a day off moved to a Saturday."""
    moved = WorkCalendar(exceptions={date(2026, 11, 20): False, date(2026, 11, 21): True})
    assert moved.end_of_working_days(kyiv("2026-11-19 10:00"), 1) == kyiv("2026-11-21 18:00")
    assert moved.end_of_working_days(kyiv("2026-11-19 10:00"), 2) == kyiv("2026-11-23 18:00")


def test_holidays_before_martial_law_were_free():
    assert not WorkCalendar().is_workday(date(2021, 8, 24))
    assert WorkCalendar().is_workday(date(2022, 8, 24))


@given(
    st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1)),
    st.integers(1, 60),
    st.dates(date(2024, 1, 1), date(2030, 1, 1)),
)
def test_counting_forth_and_back_agrees(start, days, last_day):
    """W14: over New Year, both changes of the clocks, and the end of martial law."""
    calendar, began = WorkCalendar(last_day), start.replace(tzinfo=KYIV)
    end = calendar.end_of_working_days(began, days)
    assert calendar.is_workday(end.date())
    assert calendar.working_days_between(began, end) == days
    assert calendar.working_days_between(began, end - timedelta(days=1)) == days - 1
    assert (end.hour, end.minute) == (18, 0)
