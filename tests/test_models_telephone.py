"""Numbers as exchanges and people give them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.telephone import masked, readable, to_e164, without_numbers

ROMNY = "5448"


@pytest.mark.parametrize(
    ("received", "e164"),
    [
        ("0671234567", "+380671234567"),
        ("+380671234567", "+380671234567"),
        ("380671234567", "+380671234567"),
        ("80671234567", "+380671234567"),
        ("8 067 123-45-67", "+380671234567"),
        ("(067) 123 45 67", "+380671234567"),
        ("067/123.45.67", "+380671234567"),
        ("671234567", "+380671234567"),
        ("00380671234567", "+380671234567"),
        (" 0671234567 ", "+380671234567"),
        ("5-32-73", "+380544853273"),
        ("53273", "+380544853273"),
        ("0544853273", "+380544853273"),
        ("(05448) 5-32-73", "+380544853273"),
        ("+48221234567", "+48221234567"),
        ("0048221234567", "+48221234567"),
    ],
)
def test_usual_forms_are_understood(received, e164):
    assert to_e164(received, ROMNY) == e164


@pytest.mark.parametrize(
    "received",
    [
        "", " ", "anonymous", "101", "102", "103", "112", "1" * 40, "380" * 20, "call me", "067CALLNOW",
        "0671234567;ext=1", "12", "+", "+0", "0671234567\r\nX: y", "${SHELL(id)}", "☎ 0671234567",
    ],
)  # fmt: skip
def test_what_means_nothing_is_none(received):
    assert to_e164(received, ROMNY) is None


@given(st.text(max_size=60))
def test_no_text_raises_and_each_result_is_e164(received):
    number = to_e164(received, ROMNY)
    assert number is None or (number[0] == "+" and number[1:].isdecimal() and len(number) <= 16)


@given(st.integers(100_000_000, 999_999_999))
def test_all_forms_of_one_number_are_the_same_number(subscriber):
    forms = (f"0{subscriber}", f"80{subscriber}", f"380{subscriber}", f"+380{subscriber}", f"00380{subscriber}")
    assert len({to_e164(form, ROMNY) for form in forms}) == 1


def test_numbers_read_as_people_read_them():
    assert readable("+380671234567", area_code=ROMNY) == "+380 67 123 45 67"
    assert readable("+380544853273", area_code=ROMNY) == "5-32-73"
    assert readable("+380544853273") == "+380 54 485 32 73"
    assert readable(None, " anonymous ") == "anonymous"
    assert readable(None) == ""


@pytest.mark.parametrize("number", ["+380671234567", "+48221234567", "+380544853273"])
def test_a_masked_number_keeps_its_middle_to_itself(number):
    """A3"""
    assert number[6:-2] not in masked(number).replace(" ", "")
    assert masked(number).endswith(number[-2:])
    assert masked(None, "5") == "•"


@pytest.mark.parametrize("typed", ["0671234567", "(067) 123-45-67", "8 067 123 45 67", "+380 67 123 45 67"])
def test_a_telephone_in_a_text_is_masked(typed):
    assert without_numbers(f"Дзвонити {typed}, після шостої", ROMNY) == "Дзвонити +380 67 ••• •• 67, після шостої"
    assert without_numbers(f"Дзвонити {typed}.", ROMNY, {"+380671234567"}) == f"Дзвонити {typed}."


@pytest.mark.parametrize(
    "text",
    ["№ 2026-0412", "лінія 5-32-73", "24.11.2026 09:00", "лічильник 00412345678901234", "буд. 10, 12, 14, 16, 8", ""],
)
def test_what_is_no_telephone_stays_in_a_text(text):
    assert without_numbers(text, ROMNY) == text
