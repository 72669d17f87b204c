"""Words that reports are found by (W11)."""

import pytest

from models.people import Organisation
from models.places import Street
from models.reports import Report
from models.search import alphabetical, search_text, search_words, telephone_beginning


def test_names_stand_in_the_order_of_the_ukrainian_alphabet():
    names = [
        "вулиця Івана Франка",
        "вулиця Аптекарська",
        "вулиця Їжакова",
        "вулиця Ґанок",
        "вулиця Гоголя",
        "вулиця Єсенія",
    ]
    assert [name.split()[1] for name in sorted(names, key=alphabetical)] == [
        "Аптекарська",
        "Гоголя",
        "Ґанок",
        "Єсенія",
        "Івана",
        "Їжакова",
    ]


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
        ("T7654 лампа Т8", ["ламп", "т8"]),
        ("\U0001e900t7654 кt7654", []),
        ("а б в г ґ д е є ж", ["а", "б", "в", "г", "ґ", "д", "е", "є"]),
    ],
)
def test_search_words_are_beginnings_without_endings(typed, words):
    assert search_words(typed) == words


@pytest.mark.parametrize(
    ("typed", "beginning"),
    [
        ("45-67", "t7654"),
        ("+380 67 123 45 67", "t765432176"),
        ("567", None),
        ("2026-0412", None),
        ("2026 / 412", None),
        ("20-26-04", "t406202"),
        ("t7654", None),
        ("4567 Коваль", None),
    ],
)
def test_a_telephone_is_looked_for_by_its_last_digits(typed, beginning):
    """A report's whole number is none, however many digits it has."""
    assert telephone_beginning(typed) == beginning
