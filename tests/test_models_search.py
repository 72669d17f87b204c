"""Words that reports are found by (W11)."""

import pytest

from models.people import Organisation
from models.places import Street
from models.reports import Report
from models.search import search_text, search_words


def test_search_text_holds_all_that_a_report_is_found_by():
    """W11"""
    report = Report(
        number="2026-0412",
        text="Об’їзд: «яма», вул.Київська",
        landmark="біля під'їзду №3",
        building="12-а",
        applicant_name="Олена К.",
        street=Street(name="вулиця Героїв Роменщини", former_names="Леніна; 1-го Травня"),
        executor=Organisation(name="КП «Міськсвітло»"),
    )
    assert search_text(report) == (
        "2026 0412 обїзд яма вул київська вулиця героїв роменщини леніна 1 го травня 12 а біля підїзду 3"
        " олена к кп міськсвітло"
    )


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("ліхтарі на Київській", ["ліхтар", "на", "київськ"]),
        ("об'їзд ОБ’ЇЗД обʼїзд", ["обїзд", "обїзд", "обїзд"]),
        ("вода води", ["вода", "води"]),
        ('"ліхтар" OR NEAR(*)', ["ліхтар", "or", "near"]),
        ("!!! — «»", []),
        ("а б в г ґ д е є ж", ["а", "б", "в", "г", "ґ", "д", "е", "є"]),
    ],
)
def test_search_words_are_beginnings_without_endings(typed, words):
    assert search_words(typed) == words
