"""Striking a person out of free text: their telephones however they are written, and their names. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations

GONE = "•••"  # stands where something was struck out
_BETWEEN = r"[\s().\-–/]*"  # of the digits of a telephone
_APOSTROPHE = "['’ʼ`´]?"
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
    def digits(self) -> list[str]:
        """The digits that are in every text with one of the numbers, once what may stand between them is taken away."""
        return sorted({self._local_digits(number) or _national(number) for number in self.numbers})

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
    beginning = rf"\+?(?:0{_BETWEEN}0{_BETWEEN})?(?:3{_BETWEEN})?(?:8{_BETWEEN})?\(?(?:0{_BETWEEN})?"
    return re.compile(rf"(?<!\d){beginning if len(digits) == _NATIONAL else ''}{_BETWEEN.join(digits)}(?!\d)")


def _name(name: str) -> re.Pattern[str]:
    """The words of a name in any order."""
    words = [_word(word) for word in name.split()]
    orders: Iterable[tuple[str, ...]] = permutations(words) if len(words) <= _MOST_WORDS else [tuple(words)]
    return re.compile("|".join(rf"(?<!\w){'[ ,]+'.join(order)}(?!\w)" for order in orders), re.IGNORECASE)


def _word(word: str) -> str:
    letters = re.split("['’ʼ`´]", word)
    return _APOSTROPHE.join(map(re.escape, letters))
