"""Striking a person out of free text: their telephones however they are written, and their names. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations

from models.telephone import SIGNS

GONE = "•••"  # stands where something was struck out
_BETWEEN = f"[{SIGNS}]*"  # of the digits of a telephone
_FULL_WIDTH = 0xFF10  # the digit nought
_NO_LETTERS = "[^0-9A-Za-zА-яЄєІіЇїҐґ]*"  # whatever the signs are: for the databases
_ANY = ".?"  # one character or none
_APOSTROPHES = re.compile("['’ʼ`´]")
_APOSTROPHE = f"{_APOSTROPHES.pattern}?"
_SHORTEST_NAME = 3  # letters
_MOST_WORDS = 4  # of a name, in any order
_NATIONAL = 9  # digits


@dataclass(frozen=True)
class Traces:
    """What tells who somebody is: numbers in E.164, names as they were given.

    ``local``: how the numbers of the own town begin, ``+3805448``; people write those by their last five digits.
    """

    numbers: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    local: str = ""

    def __or__(self, other: "Traces") -> "Traces":
        return Traces(self.numbers | other.numbers, self.names | other.names, self.local or other.local)

    def redact(self, text: str) -> str:
        """The text with all of it struck out."""
        for pattern in self._patterns:
            text = pattern.sub(GONE, text)
        return text

    @cached_property
    def suspect(self) -> str:
        """What is in every text with one of the numbers or names: a pattern that both databases read; "" for nothing.

        Neither knows the lower case of Ukrainian letters, nor all of `SIGNS`: it also finds what need not be struck.
        """
        numbers = {self._local_digits(number) or _national(number) for number in self.numbers}
        words = {max(name.split(), key=len) for name in self.names if len(name.strip()) >= _SHORTEST_NAME}
        found = [_NO_LETTERS.join(map(_digit, digits)) for digits in sorted(numbers)]
        return "|".join(found + [_letters(word) for word in sorted(words)])

    @cached_property
    def _patterns(self) -> list[re.Pattern[str]]:
        found = [_telephone(_national(number)) for number in self.numbers]
        found += [_telephone(local) for number in self.numbers if (local := self._local_digits(number))]
        found += [_name(name) for name in self.names if len(name.strip()) >= _SHORTEST_NAME]
        return found

    def _local_digits(self, number: str) -> str:
        return number.removeprefix(self.local) if self.local and number.startswith(self.local) else ""


def _national(number: str) -> str:
    return re.sub(r"\D", "", number)[-_NATIONAL:]


def _telephone(digits: str) -> re.Pattern[str]:
    """These digits with anything between them, after any of the ways to begin a number."""
    nought, three, eight = (_digit(one) for one in "038")
    beginning = (
        rf"[+\uff0b]?(?:{nought}{_BETWEEN}{nought}{_BETWEEN})?(?:{three}{_BETWEEN})?(?:{eight}{_BETWEEN})?"
        rf"[(\uff08]?(?:{nought}{_BETWEEN})?"
    )
    number = _BETWEEN.join(map(_digit, digits))
    return re.compile(rf"(?<!\d){beginning if len(digits) == _NATIONAL else ''}{number}(?!\d)")


def _digit(digit: str) -> str:
    return f"[{digit}{chr(_FULL_WIDTH + int(digit))}]"


def _letters(word: str) -> str:
    """The word in whatever case, without what the apostrophe is."""
    return _ANY.join(
        "".join(f"[{letter.lower()}{letter.upper()}]" if letter.isalnum() else _ANY for letter in part)
        for part in _APOSTROPHES.split(word)
    )


def _name(name: str) -> re.Pattern[str]:
    """The words of a name in any order."""
    words = [_word(word) for word in name.split()]
    orders: Iterable[tuple[str, ...]] = permutations(words) if len(words) <= _MOST_WORDS else [tuple(words)]
    return re.compile("|".join(rf"(?<!\w){'[ ,]+'.join(order)}(?!\w)" for order in orders), re.IGNORECASE)


def _word(word: str) -> str:
    return _APOSTROPHE.join(map(re.escape, _APOSTROPHES.split(word)))
