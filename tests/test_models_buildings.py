"""Which buildings an outage is about: numbers, letters and fractions in ranges (C7)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.buildings import Building, NoRange, falls_into, read_building, read_ranges, tidy_ranges

NUMBERS = st.integers(1, 400)
LETTERS = st.sampled_from(["", "а", "А", "б", "г", "a", " а", "-а", "/3", "/12"])


@pytest.mark.parametrize(
    ("building", "ranges", "inside"),
    [
        ("12", "12–48", True),
        ("48", "12–48", True),
        ("11", "12–48", False),
        ("49", "12–48", False),
        ("12а", "12–12", True),
        ("12А", "10–20", True),
        ("48б", "12–48", True),
        ("12/3", "12", True),
        ("12/3", "12-12", True),
        ("12/3", "13–20", False),
        ("12", "12/3", False),
        ("12/3", "12/3", True),
        ("5а", "5а", True),
        ("5", "5а", False),
        ("5б", "5а", False),
        ("5A", "5а", True),  # the Latin letter
        ("5-а", "5а", True),
        ("буд. 5 а", "5 А", True),
        ("12", "12а–12г", False),
        ("12ґ", "12а–12г", False),  # behind г
        ("12в", "12а–12г", True),
        ("12", "парні", True),
        ("13", "парні", False),
        ("13/2", "непарні", True),
        ("14", "парні 12–48", True),
        ("15", "12–48 парні", False),
        ("50", "парні 12–48", False),
        ("7", "12–48, 5а; 7", True),
        ("7 корп. 2", "7к2", True),
        ("7к3", "7 корп 2", False),
        ("", "12–48", False),
        ("біля школи", "парні", False),
        ("", "", True),
        ("біля школи", "  ", True),
        ("12", "щось", False),
    ],
)
def test_the_edges(building: str, ranges: str, inside: bool):
    assert falls_into(building, ranges) is inside


@pytest.mark.parametrize(
    "typed", ["щось", "48–12", "12–", "12–20–30", "парні непарні", "12345", "12 хата", "12/3–16", "від 5", "12б–12а"]
)
def test_what_is_no_range_is_refused(typed: str):
    with pytest.raises(NoRange, match=typed.split()[0][:3]):
        read_ranges(f"1–3, {typed}")


@given(NUMBERS, NUMBERS, NUMBERS, LETTERS, st.sampled_from(["-", "–", " — "]))
def test_a_range_holds_what_has_a_number_between_its_edges(number, one, other, letter, dash):
    first, last = sorted((one, other))
    assert falls_into(f"{number}{letter}", f"{first}{dash}{last}") is (first <= number <= last)


@given(NUMBERS, LETTERS)
def test_every_building_is_even_or_odd_and_not_both(number, letter):
    building = f"{number}{letter}"
    assert falls_into(building, "парні") is (number % 2 == 0)
    assert falls_into(building, "непарні") is not falls_into(building, "парні")


@given(NUMBERS, LETTERS)
def test_a_building_is_in_itself_and_in_its_number(number, letter):
    building = f"{number}{letter}"
    assert falls_into(building, building)
    assert falls_into(building, str(number))
    assert falls_into(building, f"{number}–{number}")


@given(st.text(max_size=20), st.text(max_size=20))
def test_nothing_that_is_typed_breaks_it(building, ranges):
    assert falls_into(building, ranges) in (True, False)


@given(st.lists(st.tuples(NUMBERS, NUMBERS, st.sampled_from(["", "парні ", "непарні "])), min_size=1, max_size=4))
def test_tidy_ranges_say_the_same(parts):
    typed = "; ".join(f"{word}{min(one, two)} - {max(one, two)}" for one, two, word in parts)
    assert read_ranges(tidy_ranges(typed)) == read_ranges(typed)
    assert tidy_ranges(tidy_ranges(typed)) == tidy_ranges(typed)


def test_how_they_are_written():
    assert tidy_ranges("12 - 48,  ПАРНІ 2-10;5A, 7 корп. 2, парні") == "12–48, парні 2–10, 5а, 7к2, парні"
    assert read_building("№ 12 / 3") == Building(12, "", "/3")
    assert read_building("школа") is None
