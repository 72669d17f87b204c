"""Numbers of buildings, and the ranges in which an enterprise names them: «12–48», «парні», «5а». Pure.

A number without a letter stands for all that is built under it, so «12–12» and «12» hold «12а» and «12/3»; one with a
letter or a fraction stands for that building alone. A building's parity is its number's.
"""

import re
from dataclasses import dataclass

from models.search import alphabetical
from models.spoken import in_cyrillic

_BUILDING = re.compile(
    r"(?:(?:буд(?:инок)?|№)\.?\s*)?(\d{1,4})(?!\d)\s*(?:[-–—]?\s*([а-щьюяґєії])(?![а-щьюяґєії\d]))?\s*(.*)", re.DOTALL
)
_DASH = re.compile(r"(?<!^)\s*[-–—]\s*(?=\d)")
_PARITIES = {"парні": 0, "парний": 0, "непарні": 1, "непарний": 1}
_BETWEEN = re.compile("[,;\n]")
_BLOCK = re.compile(r"^(?:корпус|корп|к)\.?(?=\d)")
_PART = re.compile(r"(?:/|к)\d{1,4}[а-щьюяґєії]?")  # of a building: its fraction or its block


class NoRange(ValueError):
    """This is neither a building, nor a range of them; the message is what was typed."""


@dataclass(frozen=True)
class Building:
    """A building by its number, its letter, and what stands behind them: the fraction, the block."""

    number: int
    letter: str = ""
    rest: str = ""

    @property
    def place(self) -> tuple[int, str]:
        """Where it stands in its street: after 12 comes 12а, then 12б."""
        return self.number, alphabetical(self.letter)


@dataclass(frozen=True)
class Range:
    """Buildings from one to another, both with it; None: without an end on this side. ``parity`` 0 takes even ones."""

    first: Building | None = None
    last: Building | None = None
    parity: int | None = None

    def __contains__(self, building: Building) -> bool:
        if self.parity is not None and building.number % 2 != self.parity:
            return False
        if self.first is not None and self.first == self.last and (self.first.letter or self.first.rest):
            return building == self.first
        if self.first is not None and building.place < self.first.place:
            return False
        if self.last is None:
            return True
        return building.number <= self.last.number if not self.last.letter else building.place <= self.last.place


def read_building(typed: str) -> Building | None:
    """The building that was typed, «12», «12А», «12-а», «буд. 12/3»; None for what has no number of its own."""
    found = _BUILDING.fullmatch(_plain(typed))
    if found is None:
        return None
    return Building(int(found[1]), found[2] or "", _BLOCK.sub("к", "".join(found[3].split())))


def read_ranges(typed: str) -> list[Range]:
    """The ranges that were typed, a comma between two; none: the whole street. Raises `NoRange`.

    «парні» and «непарні» stand alone, or before or after a range: «12–48 парні».
    """
    return [_range(part.strip()) for part in _BETWEEN.split(typed) if part.strip()]


def falls_into(building: str, ranges: str) -> bool:
    """Whether the building, as it was typed, is one of those; where there are no ranges, every one of the street is.

    A building that cannot be understood is in no range, and ranges that cannot be understood hold nothing.
    """
    if not ranges.strip():
        return True
    found = read_building(building)
    try:
        return found is not None and any(found in one for one in read_ranges(ranges))
    except NoRange:
        return False


def tidy_ranges(typed: str) -> str:
    """The ranges as people write them: «12–48, парні 2–10, 5а». Raises `NoRange`."""
    return ", ".join(map(_written, read_ranges(typed)))


def _range(part: str) -> Range:
    words = _plain(part).split()
    parities = [_PARITIES[word] for word in words if word in _PARITIES]
    rest = " ".join(word for word in words if word not in _PARITIES)
    if len(parities) > 1 or not (parities or rest):
        raise NoRange(part)
    parity = parities[0] if parities else None
    if not rest:
        return Range(parity=parity)
    ends = _DASH.split(rest)
    first, last = read_building(ends[0]), read_building(ends[-1])
    if len(ends) > 2 or first is None or last is None or not all(_known(end) for end in (first, last)):
        raise NoRange(part)
    if len(ends) == 2 and (first.rest or last.rest or _last_place(last) < first.place):
        raise NoRange(part)
    return Range(first, last, parity)


def _known(end: Building) -> bool:
    return not end.rest or _PART.fullmatch(end.rest) is not None


def _last_place(building: Building) -> tuple[int, str]:
    return building.place if building.letter else (building.number, "\uffff")


def _written(one: Range) -> str:
    parity = {None: "", 0: "парні", 1: "непарні"}[one.parity]
    ends = [f"{end.number}{end.letter}{end.rest}" for end in (one.first, one.last) if end is not None]
    return " ".join(filter(None, (parity, "–".join(dict.fromkeys(ends)))))


def _plain(typed: str) -> str:
    return " ".join(in_cyrillic(typed).lower().split())
