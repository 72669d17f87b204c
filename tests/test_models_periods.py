"""Periods and quarters of days in Kyiv, and Kyiv's hours inside a query."""

from datetime import UTC, date, datetime

import pytest
from sqlalchemy import literal, select

from jobs.app import bare_app
from models.base import UTCDateTime, db
from models.kyiv_time import kyiv_hour
from models.periods import Period, Quarter, month_of, quarter_of, read_quarter
from models.workdays import KYIV
from tests.helpers import close_database
from tests.summary_fixtures import kyiv


@pytest.mark.parametrize(
    ("day", "quarter", "first", "last"),
    [
        (date(2026, 1, 1), Quarter(2026, 1), date(2026, 1, 1), date(2026, 3, 31)),
        (date(2024, 2, 29), Quarter(2024, 1), date(2024, 1, 1), date(2024, 3, 31)),
        (date(2026, 6, 30), Quarter(2026, 2), date(2026, 4, 1), date(2026, 6, 30)),
        (date(2026, 7, 1), Quarter(2026, 3), date(2026, 7, 1), date(2026, 9, 30)),
        (date(2026, 12, 31), Quarter(2026, 4), date(2026, 10, 1), date(2026, 12, 31)),
    ],
)
def test_the_quarter_of_a_day(day, quarter, first, last):
    assert quarter_of(day) == quarter
    assert quarter.period == Period(first, last)


def test_a_quarter_is_due_on_the_fifth_of_the_next_month():
    """R 4.6"""
    assert Quarter(2026, 3).due_at == kyiv("2026-10-05 18:00")
    assert Quarter(2026, 4).due_at == kyiv("2027-01-05 18:00")


def test_the_quarter_before():
    assert Quarter(2027, 1).before == Quarter(2026, 4)
    assert Quarter(2026, 3).before == Quarter(2026, 2)


def test_a_period_begins_and_ends_at_midnight_in_kyiv():
    """Through the change of the clock in October: the quarter begins in summer time and ends in winter time."""
    period = Quarter(2026, 4).period
    assert period.begin.astimezone(UTC) == datetime(2026, 9, 30, 21, tzinfo=UTC)
    assert period.end.astimezone(UTC) == datetime(2026, 12, 31, 22, tzinfo=UTC)


def test_months():
    assert month_of(date(2024, 2, 10)) == Period(date(2024, 2, 1), date(2024, 2, 29))
    assert month_of(date(2026, 12, 31)) == Period(date(2026, 12, 1), date(2026, 12, 31))


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("2026Q3", Quarter(2026, 3)),
        (" 2026q1 ", Quarter(2026, 1)),
        ("2026-4", Quarter(2026, 4)),
        ("2026Q5", None),
        ("2026Q0", None),
        ("26Q3", None),
        ("2026Q33", None),
        ("", None),
        ("третій", None),
    ],
)
def test_a_typed_quarter(typed, read):
    assert read_quarter(typed) == read


@pytest.mark.parametrize("database", ["settings", "postgres_settings"])
def test_the_database_knows_the_hour_in_kyiv(request, database):
    """Both changes of the clock, and midnight."""
    app = bare_app(request.getfixturevalue(database))
    moments = [
        datetime(2026, 3, 29, 0, 59, tzinfo=UTC),
        datetime(2026, 3, 29, 1, 0, tzinfo=UTC),
        datetime(2026, 10, 25, 0, 59, tzinfo=UTC),
        datetime(2026, 10, 25, 1, 0, tzinfo=UTC),
        datetime(2026, 12, 31, 22, 0, 0, 1, tzinfo=UTC),
    ]
    with app.app_context():
        found = [db.session.scalar(select(kyiv_hour(literal(moment, UTCDateTime)))) for moment in moments]
        assert db.session.scalar(select(kyiv_hour(literal(None, UTCDateTime)))) is None
    close_database(app)
    assert found == ["2026-03-29 02", "2026-03-29 04", "2026-10-25 03", "2026-10-25 03", "2027-01-01 00"]
    assert found == [moment.astimezone(KYIV).strftime("%Y-%m-%d %H") for moment in moments]
