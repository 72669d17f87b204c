"""When a line is open: hours to the minute, days by the calendar, through both changes of the clock (I2)."""

from dataclasses import dataclass
from datetime import UTC, date, datetime

import pytest

from models.calls import Call, CallLeg, CallState
from models.hours import Branch, Day, Hours, branch_at, is_backwards, opens_at, read_range, tidy_range
from models.hours_spoken import say_hours, say_opening
from models.workdays import KYIV, WorkCalendar


@dataclass(frozen=True)
class OfHours:
    hours: Hours | None = None


OFFICE = OfHours(Hours("08:00–17:00"))
DAILY = OfHours(Hours("08:00–20:00", "09:00–15:00"))
ROUND_THE_CLOCK = OfHours(Hours("00:00–24:00", "00:00–24:00"))
WAR, PEACE = WorkCalendar(), WorkCalendar(martial_law_until=date(2026, 1, 31))


def kyiv(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=KYIV)


@pytest.mark.parametrize(
    ("at", "open_"),
    [
        ("2026-11-27 07:59:59", False),
        ("2026-11-27 08:00:00", True),
        ("2026-11-27 16:59:59", True),
        ("2026-11-27 17:00:00", False),
        ("2026-11-28 10:00:00", False),  # Saturday
        ("2026-11-29 03:00:00", False),  # Sunday
    ],
)
def test_hours_hold_to_the_minute(at: str, open_: bool) -> None:
    assert branch_at(OFFICE, kyiv(at), WAR).open is open_


def test_why_is_told() -> None:
    assert branch_at(OfHours(), kyiv("2026-11-29 03:00"), WAR) == Branch(True, Day.DAY_OFF, None)
    assert branch_at(OFFICE, kyiv("2026-11-29 03:00"), WAR) == Branch(False, Day.DAY_OFF, "")
    assert branch_at(OFFICE, kyiv("2026-11-27 03:00"), WAR) == Branch(False, Day.WORKING, "08:00–17:00")
    assert branch_at(DAILY, kyiv("2026-11-29 10:00"), WAR) == Branch(True, Day.DAY_OFF, "09:00–15:00")
    assert branch_at(ROUND_THE_CLOCK, kyiv("2026-11-29 23:59:59"), WAR).open


def test_under_martial_law_a_holiday_is_a_working_day() -> None:
    independence_day = kyiv("2026-08-24 10:00")  # a Monday
    assert branch_at(OFFICE, independence_day, WAR) == Branch(True, Day.WORKING, "08:00–17:00")
    assert branch_at(OFFICE, independence_day, PEACE) == Branch(False, Day.HOLIDAY, "")
    sunday = kyiv("2026-06-28 10:00")  # Constitution Day
    assert branch_at(OFFICE, sunday, WAR).day == Day.DAY_OFF
    assert branch_at(OFFICE, sunday, PEACE).day == Day.HOLIDAY
    assert branch_at(OFFICE, kyiv("2026-06-29 10:00"), PEACE).day == Day.HOLIDAY  # off for it


def test_the_towns_own_days_come_first() -> None:
    calendar = WorkCalendar(exceptions={date(2026, 11, 27): False, date(2026, 11, 28): True})
    assert branch_at(OFFICE, kyiv("2026-11-27 10:00"), calendar) == Branch(False, Day.HOLIDAY, "")
    assert branch_at(OFFICE, kyiv("2026-11-28 10:00"), calendar) == Branch(True, Day.WORKING, "08:00–17:00")


@pytest.mark.parametrize(
    ("at", "open_"),
    [
        # 29 March 2026, a Sunday: at three the clocks go to four
        (datetime(2026, 3, 29, 0, 29, tzinfo=UTC), False),  # 02:29
        (datetime(2026, 3, 29, 0, 30, tzinfo=UTC), True),  # 02:30
        (datetime(2026, 3, 29, 0, 59, 59, tzinfo=UTC), True),  # a moment before four
        (datetime(2026, 3, 29, 1, 0, tzinfo=UTC), False),  # 04:00
        # 25 October 2026, a Sunday: at four the clocks go back to three
        (datetime(2026, 10, 24, 23, 29, tzinfo=UTC), False),  # 02:29
        (datetime(2026, 10, 25, 0, 29, tzinfo=UTC), True),  # 03:29, and for the second time:
        (datetime(2026, 10, 25, 1, 29, tzinfo=UTC), True),
        (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), False),  # 03:30
        (datetime(2026, 10, 25, 1, 30, tzinfo=UTC), False),
    ],
)
def test_changes_of_the_clock(at: datetime, open_: bool) -> None:
    night = OfHours(Hours("", "02:30–03:30"))
    assert branch_at(night, at, WAR).open is open_


def test_the_offices_first_minute_on_the_monday_after_a_change() -> None:
    for monday, utc_hour in ((date(2026, 3, 30), 5), (date(2026, 10, 26), 6)):
        at = datetime(monday.year, monday.month, monday.day, utc_hour, tzinfo=UTC)
        assert branch_at(OFFICE, at, WAR).open
        assert not branch_at(OFFICE, at.replace(hour=utc_hour - 1, minute=59, second=59), WAR).open


@pytest.mark.parametrize(
    ("at", "calendar", "opens"),
    [
        ("2026-11-27 03:00", WAR, "2026-11-27 08:00"),
        ("2026-11-27 17:00", WAR, "2026-11-30 08:00"),
        ("2026-11-29 03:00", WAR, "2026-11-30 08:00"),
        ("2026-10-24 12:00", WAR, "2026-10-26 08:00"),  # over the change of the clock
        ("2026-12-31 18:00", WAR, "2027-01-01 08:00"),
        ("2026-12-31 18:00", PEACE, "2027-01-04 08:00"),
    ],
)
def test_when_it_opens_next(at: str, calendar: WorkCalendar, opens: str) -> None:
    assert opens_at(OFFICE, kyiv(at), calendar) == kyiv(opens)


def test_who_never_opens_says_no_day() -> None:
    assert opens_at(OfHours(Hours()), kyiv("2026-11-27 03:00"), WAR) is None
    assert opens_at(OfHours(), kyiv("2026-11-27 03:00"), WAR) is None


def test_ranges_are_read_as_people_type_them() -> None:
    assert read_range("8:00 - 17:30") == (480, 1050)
    assert tidy_range(" 8:00-17:00 ") == tidy_range("8-17") == tidy_range("8:00–17") == "08:00–17:00"
    assert tidy_range("0:00–24:00") == "00:00–24:00"
    wrong = ["", "8", "8–", "8-25", "17:00–08:00", "08:00–08:00", "08:60–09:00", "08:00–24:01", "08:00–25:00", "×"]
    assert [read_range(text) for text in wrong] == [None] * len(wrong)
    assert [is_backwards(text) for text in ("22:00-06:00", "08:00–08:00", "08:00–17:00", "08:00–25:00", "x")] == [
        True, True, False, False, False,
    ]  # fmt: skip


def test_hours_as_they_are_said() -> None:
    assert say_hours(Hours("08:00–17:00", "09:30–24:00")) == [
        "Працюємо у робочі дні з восьмої години до сімнадцятої години, у вихідні та свята з дев’ятої години"
        " тридцяти хвилин до опівночі."
    ]
    assert say_hours(Hours("00:00–24:00")) == ["Працюємо у робочі дні цілодобово."]
    assert say_hours(Hours("", "10:00–14:00")) == [
        "Працюємо у вихідні та свята з десятої години до чотирнадцятої години."
    ]
    assert say_hours(Hours("щодня")) == []


def test_the_opening_as_it_is_said() -> None:
    sunday = kyiv("2026-11-29 03:00")
    assert say_opening(kyiv("2026-11-30 08:00"), sunday) == ["Найближчий робочий час: понеділок, восьма година."]
    assert say_opening(kyiv("2026-12-07 08:22"), sunday) == [
        "Найближчий робочий час: понеділок, сьомого грудня, восьма година двадцять дві хвилини."
    ]
    assert say_opening(None, sunday) == []


def test_who_leaves_a_message_after_the_duty_did_not_answer_listens() -> None:
    call = Call(announced=True, state=CallState.RINGING)
    assert call.listens
    call.legs.append(CallLeg(uniqueid="romny-duty.1", rang_at=kyiv("2026-11-29 03:00")))
    assert not call.listens
    call.legs[0].ended_at = kyiv("2026-11-29 03:01")
    assert call.listens
