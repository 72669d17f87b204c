"""Striking a person out of free text (A3)."""

import pytest

from models.redaction import GONE, Traces

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
