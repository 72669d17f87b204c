"""Numbers of reports: given once, begun anew each year, read in every form in which people type them."""

from datetime import UTC, datetime

import pytest

from models.base import transaction
from models.reports import ReportCounter, next_number, read_number


def test_numbers_begin_anew_each_year(app):
    with transaction() as session:
        assert [next_number(session, year) for year in (2026, 2026, 2027, 2026)] == [
            "2026-0001", "2026-0002", "2027-0001", "2026-0003",
        ]  # fmt: skip
        session.get_one(ReportCounter, 2026).last = 9999
        session.flush()
        assert next_number(session, 2026) == "2026-10000"


@pytest.mark.parametrize(
    ("typed", "number"),
    [
        ("2026-0412", "2026-0412"),
        (" № 2026/412 ", "2026-0412"),
        ("2026–12345", "2026-12345"),
        ("412", "2027-0412"),
        ("", None),
        ("12а", None),
        ("26-0412", None),
        ("1234567", None),
    ],
)
def test_a_typed_report_number_is_read_one_way(typed, number):
    assert read_number(typed, 2027) == number


def test_a_number_without_a_year_is_of_the_year_in_kyiv(monkeypatch):
    monkeypatch.setattr("models.reports.now", lambda: datetime(2026, 12, 31, 22, 30, tzinfo=UTC))
    assert read_number("7") == "2027-0007"
