"""When a citizen may be called, and what follows from how a call ended: pure, the clock is handed in (C5)."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.calling import (
    NOT_DIALLED,
    Outcome,
    Rules,
    Window,
    as_dialled,
    free_again,
    may_be_dialled,
    next_try,
    outcome_of,
)
from models.workdays import KYIV, WorkCalendar

CALENDAR, RULES, WINDOW = WorkCalendar(), Rules(), Window()


def kyiv(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=KYIV)


@pytest.mark.parametrize(
    ("cause", "answered", "key", "outcome"),
    [
        (16, True, True, Outcome.ANSWERED),
        (16, True, False, Outcome.NO_INPUT),  # a machine answers, too
        (16, False, False, Outcome.NO_ANSWER),  # we gave up
        (17, False, False, Outcome.BUSY),
        (18, False, False, Outcome.NO_ANSWER),
        (19, False, False, Outcome.NO_ANSWER),
        (20, False, False, Outcome.NO_ANSWER),
        (21, False, False, Outcome.REJECTED),
        (1, False, False, Outcome.BAD_NUMBER),
        (22, False, False, Outcome.BAD_NUMBER),
        (28, False, False, Outcome.BAD_NUMBER),
        *((cause, False, False, Outcome.TRUNK_TROUBLE) for cause in (27, 34, 38, 41, 42, 44)),
        (127, False, False, Outcome.NO_ANSWER),
        (None, False, False, Outcome.UNKNOWN),
        (38, True, True, Outcome.ANSWERED),  # a key is a proof, however the call ended
    ],
)
def test_how_a_call_ended(cause, answered, key, outcome):
    assert outcome_of(cause, answered=answered, key=key) == outcome


@pytest.mark.parametrize(
    ("at", "is_open"),
    [
        ("2026-11-26 08:59:59", False),
        ("2026-11-26 09:00", True),
        ("2026-11-26 19:59:59", True),
        ("2026-11-26 20:00", False),
        ("2026-11-28 12:00", True),  # a Saturday
        ("2026-11-29 12:00", False),  # a Sunday
        ("2026-08-24 12:00", False),  # Independence Day, worked under martial law or not
        ("2026-03-29 09:00", False),  # the clocks change on Sundays
        ("2026-03-30 09:00", True),
        ("2026-10-26 08:59:59", False),
        ("2026-10-26 09:00", True),
    ],
)
def test_the_hours(at, is_open):
    assert WINDOW.is_open(kyiv(at), CALENDAR) == is_open
    assert WINDOW.is_open(kyiv(at).astimezone(UTC), CALENDAR) == is_open


def test_both_changes_of_the_clock_keep_kyivs_hours():
    """On the day before and on the day after: the same hour in Kyiv is another one in UTC."""
    every_day = Window(on_sundays=True)
    for before, after in (("2026-03-28", "2026-03-29"), ("2026-10-24", "2026-10-25")):
        opens = [every_day.next_open(kyiv(f"{day} 00:30"), CALENDAR).astimezone(UTC) for day in (before, after)]
        assert opens[1] - opens[0] != timedelta(days=1)
        assert [moment.astimezone(KYIV).hour for moment in opens] == [9, 9]


@pytest.mark.parametrize(
    ("at", "opens"),
    [
        ("2026-11-26 12:00", "2026-11-26 12:00"),
        ("2026-11-26 07:00", "2026-11-26 09:00"),
        ("2026-11-26 20:00", "2026-11-27 09:00"),
        ("2026-11-28 21:00", "2026-11-30 09:00"),  # over Sunday
        ("2026-08-23 12:00", "2026-08-25 09:00"),  # over Sunday and a holiday
    ],
)
def test_when_it_opens(at, opens):
    assert WINDOW.next_open(kyiv(at), CALENDAR) == kyiv(opens)


@pytest.mark.parametrize(
    ("at", "hour", "morning"),
    [
        ("2026-11-25 10:10", "2026-11-25 11:00", "2026-11-26 09:00"),
        ("2026-11-25 06:10", "2026-11-25 09:00", "2026-11-26 09:00"),
        ("2026-11-25 19:10", "2026-11-26 09:00", "2026-11-26 09:00"),  # the end is not included
        ("2026-11-28 19:40", "2026-11-30 09:00", "2026-11-30 09:00"),  # over Sunday
        ("2026-08-22 12:00", "2026-08-22 13:00", "2026-08-25 09:00"),  # over Sunday and a holiday
    ],
)
def test_the_times_that_are_offered_for_another_call(at, hour, morning):
    assert (WINDOW.next_hour(kyiv(at), CALENDAR), WINDOW.next_morning(kyiv(at), CALENDAR)) == (
        kyiv(hour),
        kyiv(morning),
    )


def test_where_sundays_are_days_of_calls_they_are_offered():
    every_day = Window(on_sundays=True)
    assert every_day.next_morning(kyiv("2026-11-28 12:00"), CALENDAR) == kyiv("2026-11-29 09:00")


def test_a_free_day_of_the_city_is_no_day_for_calls():
    calendar = WorkCalendar(exceptions={date(2026, 11, 26): False})
    assert WINDOW.next_open(kyiv("2026-11-26 12:00"), calendar) == kyiv("2026-11-27 09:00")


def test_a_calendar_without_a_day_for_calls_is_an_error():
    never = WorkCalendar(exceptions={date(2026, 11, 1) + timedelta(days=day): False for day in range(100)})
    with pytest.raises(ValueError, match="no day"):
        WINDOW.next_open(kyiv("2026-11-26 12:00"), never)


@pytest.mark.parametrize(
    ("outcomes", "last", "then"),
    [
        ([Outcome.ANSWERED], "2026-11-26 10:00", None),
        ([Outcome.NO_INPUT], "2026-11-26 10:00", "2026-11-27 14:30"),  # next day, other half
        ([Outcome.NO_INPUT], "2026-11-26 16:00", "2026-11-27 09:00"),
        ([Outcome.NO_INPUT], "2026-11-28 16:00", "2026-11-30 09:00"),  # Sunday is no day for calls
        ([Outcome.BUSY], "2026-11-26 10:00", "2026-11-26 10:10"),
        ([Outcome.BUSY] * 2, "2026-11-26 10:10", "2026-11-26 11:10"),
        ([Outcome.BUSY] * 3, "2026-11-26 11:10", None),
        ([Outcome.BUSY], "2026-11-26 19:55", "2026-11-27 09:00"),
        ([Outcome.NO_ANSWER], "2026-11-26 10:00", "2026-11-26 14:30"),  # two hours, and the other half of the day
        ([Outcome.NO_ANSWER], "2026-11-26 13:30", "2026-11-26 15:30"),
        ([Outcome.NO_ANSWER], "2026-11-26 15:00", "2026-11-27 09:00"),
        ([Outcome.REJECTED], "2026-11-26 10:00", "2026-11-27 14:30"),  # once
        ([Outcome.REJECTED] * 2, "2026-11-27 14:30", None),
        ([Outcome.BAD_NUMBER], "2026-11-26 10:00", None),
        ([Outcome.UNKNOWN], "2026-11-26 10:00", None),
        ([Outcome.TRUNK_TROUBLE] * 7, "2026-11-26 10:00", "2026-11-26 10:02"),  # uses up no try
        ([Outcome.BUSY, Outcome.NO_ANSWER, Outcome.NO_INPUT], "2026-11-26 10:00", None),  # budgets do not add up
        ([Outcome.BUSY, Outcome.TRUNK_TROUBLE, Outcome.NO_ANSWER], "2026-11-26 10:00", "2026-11-26 14:30"),
    ],
)
def test_when_it_is_tried_again(outcomes, last, then):
    assert next_try(outcomes, kyiv(last), RULES, CALENDAR) == (kyiv(then) if then else None)


def test_what_the_trunk_put_off_comes_spread():
    last = kyiv("2026-11-26 10:00")
    moments = {next_try([Outcome.TRUNK_TROUBLE], last, RULES, CALENDAR, jitter) for jitter in (0.0, 0.5, 1.0)}
    assert moments == {last + timedelta(minutes=minutes) for minutes in (2, 3, 4)}


@given(
    st.lists(st.sampled_from(sorted(Outcome)), min_size=1, max_size=12),
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)),
)
def test_no_order_of_outcomes_leads_to_more_than_three_tries_or_out_of_the_hours(outcomes, last):
    outcomes, last = [Outcome(one) for one in outcomes], last.replace(tzinfo=KYIV)
    used = [one for one in outcomes if one not in (Outcome.TRUNK_TROUBLE, *NOT_DIALLED, Outcome.STOPPED)]
    then = next_try(outcomes, last, RULES, CALENDAR)
    if then is not None:
        assert len(used) < RULES.most_tries
        assert WINDOW.is_open(then, CALENDAR)
        assert then >= last


@pytest.mark.parametrize(
    ("calls", "at", "free"),
    [
        ([], "2026-11-26 10:00", "2026-11-26 10:00"),
        (["2026-11-26 09:00"], "2026-11-26 10:00", "2026-11-26 11:00"),  # two hours apart
        (["2026-11-26 09:00"], "2026-11-26 12:00", "2026-11-26 12:00"),
        (["2026-11-26 09:00", "2026-11-26 12:00"], "2026-11-26 15:00", "2026-11-27 00:00"),  # two a day
        (["2026-11-25 09:00", "2026-11-25 12:00"], "2026-11-26 09:00", "2026-11-26 09:00"),
        (["2026-11-25 23:30", "2026-11-26 00:30"], "2026-11-26 10:00", "2026-11-26 10:00"),  # days are Kyiv's
    ],
)
def test_one_number_is_not_called_more_often_than_that(calls, at, free):
    assert free_again([kyiv(call) for call in calls], kyiv(at), RULES) == kyiv(free)


@pytest.mark.parametrize(
    ("number", "may"),
    [
        ("+380671234567", True),
        ("+380544853273", True),
        ("+380445551234", True),
        (None, False),
        ("", False),
        ("+380900123456", False),  # premium
        ("+380800500500", False),  # a service
        ("+38053273", False),
        ("+48601234567", False),
        ("+79161234567", False),
        ("+380101", False),
        ("112", False),
        ("0671234567", False),  # not E.164
        ("+38067123456;rm", False),
    ],
)
def test_what_is_ever_dialled(number, may):
    assert may_be_dialled(number) == may


def test_how_it_is_dialled():
    assert as_dialled("+380671234567") == "0671234567"
