"""Striking a person out of free text (A3)."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.redaction import GONE, Traces
from models.telephone import to_e164, without_numbers

OLENA = Traces(frozenset({"+380671234567", "+380544853274"}), frozenset({"Олена Коваль"}), "+3805448")


@pytest.mark.parametrize(
    "written",
    [
        "0671234567",
        "+380671234567",
        "+380 67 123 45 67",
        "(067) 123-45-67",
        "8 067 123 45 67",
        "38067.123.45.67",
        "00380671234567",
        "067\u00a0123\u00a045\u00a067",
        "067/123-45-67",
        "5-32-74",
        "53274",
        "05448 5-32-74",
        "Олена Коваль",
        "Коваль Олена",
        "КОВАЛЬ, олена",
    ],
)
def test_however_it_is_written(written):
    redacted = OLENA.redact(f"Телефон {written}: яма біля будинку 12")
    assert GONE in redacted
    assert redacted.endswith(": яма біля будинку 12")
    assert not any(digits in redacted.replace(" ", "") for digits in ("1234567", "123-45", "32-74", "53274"))
    assert "коваль" not in redacted.lower()


SIGNS = ["", " ", "-", "–", "—", "\u2011", ",", "_", "\t", "\u2009", "\u202f", "\u200b", ".", "/", "－", " - "]
FULL_WIDTH = str.maketrans("0123456789", "０１２３４５６７８９")


@given(st.lists(st.sampled_from(SIGNS), min_size=9, max_size=9), st.booleans())
def test_whatever_sign_is_between_the_digits_all_three_see_it(signs, wide):
    """A3: what is masked, what is struck out and what an erasure looks for are the same telephones."""
    written = "".join(digit + sign for digit, sign in zip("0671234567", [*signs, ""], strict=True))
    written = written.translate(FULL_WIDTH) if wide else written
    assert OLENA.redact(f"тел. {written}; яма") == f"тел. {GONE}; яма"
    assert re.search(OLENA.suspect, f"тел. {written}; яма")
    assert without_numbers(f"тел. {written}; яма", "5448") == "тел. +380 67 ••• •• 67; яма"
    assert to_e164(written, "5448") == "+380671234567"


@pytest.mark.parametrize(
    "text",
    [
        "лічильник 90671234567",
        "5-32-745",
        "15-32-74",
        "вулиця Коваля",
        "Оленачка Коваль",
        "№ 2026-0412",
        "067 123 45 68",
    ],
)
def test_what_only_looks_like_it_stays(text):
    assert OLENA.redact(text) == text


def test_an_apostrophe_may_be_any():
    assert Traces(names=frozenset({"Дем'ян Об’їзд"})).redact("каже Демʼян Об'їзд.") == f"каже {GONE}."


def test_without_traces_nothing_is_touched():
    assert Traces().redact("0671234567, Олена") == "0671234567, Олена"
