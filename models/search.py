"""Words: those that a report is found by, and those that are looked for."""

import re
import unicodedata
from typing import TYPE_CHECKING

from sqlalchemy.orm import Session

if TYPE_CHECKING:
    from models.reports import Report

_APOSTROPHES = re.compile("['’ʼ`´]")
_WORD = re.compile(r"[^\W_]+")
_SHORTEST_TAIL, _LONGEST_TAIL = 4, 9  # digits; nine tell a number apart however its beginning is written
_REPORT_NUMBER = re.compile(r"20\d\d\s*[-/]\s*\d{1,6}")
_TELEPHONE_WORD = re.compile(r"t\d")
_LATIN_KEYS = "qwertyuiop[]asdfghjkl;'zxcvbnm,./`{}:\"<>~"
_THEIR_LETTERS = "йцукенгшщзхїфівапролджєячсмитьбю.'хїжєбю'"
_ENDING = re.compile("(ами|ями|ого|ому|ими|ій|ий|ою|ею|ів|їв|ах|ях|ам|ям|ом|ем|[аеиіїйоуюяь])$")


def plain(text: str) -> str:
    """Lower case, one form of every letter, no apostrophes: «Об’їзд» and «обʼїзд» become the same word."""
    return _APOSTROPHES.sub("", unicodedata.normalize("NFC", text).lower())


_ALPHABET = {letter: place for place, letter in enumerate("абвгґдеєжзиіїйклмнопрстуфхцчшщьюя", ord("а"))}


def alphabetical(text: str) -> str:
    """A key that puts words in the order of the Ukrainian alphabet: Unicode misplaces ґ, є, і and ї."""
    return text.lower().translate({ord(letter): place for letter, place in _ALPHABET.items()})


def make_findable(session: Session, report: "Report") -> None:
    """Write what was set, and the words that the report is found by (W11)."""
    session.flush()
    session.expire(report, ["category", "street", "executor"])  # loaded earlier, they would be the former ones
    report.search_text = search_text(report)
    session.flush()


def search_text(report: "Report") -> str:
    """All that a report is found by (W11): number, text, place, a street's former and other names too, applicant,
    executor, and its telephones (`telephone_word`).

    Plain words, one space between; only words, because the two databases cut punctuation in different ways
    («вул.Київська» is a host name to one).
    """
    parts = (
        report.number,
        report.text,
        report.street.name if report.street else "",
        report.street.former_names if report.street else "",
        report.street.other_names if report.street else "",
        report.building,
        report.landmark,
        report.applicant_name,
        report.executor.name if report.executor else "",
        telephone_word(report.contact_number or ""),
        *map(telephone_word, re.findall(r"[\d\s()+.\-]+", report.other_phone or "")),
    )
    return " ".join(words_of(*(part for part in parts if part)))


def words_of(*texts: str) -> list[str]:
    """The plain words of these texts, as the full-text index keeps them."""
    return _WORD.findall(plain(" ".join(texts)))


def in_ukrainian_layout(typed: str) -> str:
    """What the same keys write in the Ukrainian layout: «cj,jhyf» → «соборна»; "" where it was not the other one."""
    if not re.search("[A-Za-z]", typed) or re.search("[А-яҐґЄєІіЇї]", typed):
        return ""
    return typed.lower().translate(str.maketrans(_LATIN_KEYS, _THEIR_LETTERS))


def search_words(typed: str) -> list[str]:
    """The beginnings of words to look for: «ліхтарі на Київській» → ``ліхтар``, ``на``, ``київськ``.

    Ukrainian endings of long words are cut, so that one case of a noun finds the others. What looks like a
    `telephone_word`, or holds one where a database cuts words otherwise, is left out: telephones are looked for by
    `telephone_beginning` alone, which leaves a trace (A3).
    """
    words = [word for word in _WORD.findall(plain(typed)) if not _TELEPHONE_WORD.search(word)]
    return [_ENDING.sub("", word) if len(word) > 4 else word for word in words][:8]


def telephone_word(number: str) -> str:
    """A telephone as a word that begins with its last digits: ``+380671234567`` → ``t765432176083``; "" for none.

    The full-text index finds words by their beginning, and people remember how a number ends. No other word
    begins like it.
    """
    digits = re.sub(r"\D", "", number)
    return f"t{digits[::-1]}" if digits else ""


def telephone_beginning(typed: str) -> str | None:
    """The beginning of the `telephone_word` that was meant by a telephone or its last digits (four at least).

    None for other words, and for a report's whole number (``2026-0412``).
    """
    digits = re.sub(r"\D", "", typed)
    if len(digits) < _SHORTEST_TAIL or not re.fullmatch(r"[\d\s()+.\-/]+", typed):
        return None
    return None if _REPORT_NUMBER.fullmatch(typed.strip()) else telephone_word(digits[-_LONGEST_TAIL:])


def has_telephone(report: "Report", beginning: str) -> bool:
    """Whether one of the report's telephones is among those meant by this `telephone_beginning`."""
    return f" {beginning}" in f" {report.search_text}"
