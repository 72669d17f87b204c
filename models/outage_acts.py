"""Entering, changing and ending outages: by whom, what cannot be so, and a row of its history for each (C7, S 3.2)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy.orm import Session

from models.acts import CENTRE, EXECUTOR, NotYours
from models.buildings import NoRange, tidy_ranges
from models.outages import Outage, OutageChange, OutageEvent, OutageKind, OutagePlace
from models.people import Organisation, Role, User
from models.places import Street, meant_streets
from models.reference import ChangedMeanwhile
from models.telephone import without_numbers

ENTERED_BY: frozenset[Role] = CENTRE | EXECUTOR  # operators: of their own organisation
LONGEST_TEXT = 500  # characters
LONGEST_PLACES = 4000
LONGEST_BUILDINGS = OutagePlace.__table__.c.buildings.type.length
_FURTHEST = timedelta(days=366)  # ahead of now, and behind it
_CLOCKS = timedelta(minutes=5)  # by which a clock may be wrong


class Wrong(StrEnum):
    """What is wrong with a field of an outage."""

    ORGANISATION = "organisation"  # none, or out of use
    KIND = "kind"
    NO_PLACE = "no_place"
    NOT_BOTH = "not_both"  # streets and the whole city
    NO_STREET = "no_street"  # about: the line
    WHICH_STREET = "which_street"  # more than one is called so; about: the line
    BUILDINGS = "buildings"  # about: what is no range
    NO_TIME = "no_time"
    FAR = "far"
    NOT_YET = "not_yet"  # an emergency that begins later
    NO_END = "no_end"  # of a planned one
    END_FIRST = "end_first"  # the end before the beginning
    END_PAST = "end_past"
    LONG = "long"  # about: how many characters fit
    TELEPHONE = "telephone"


@dataclass(frozen=True)
class Fault:
    """What is wrong with one field; ``about`` is what the sentence names."""

    kind: Wrong
    about: str = ""


class Refused(Exception):
    """The outage cannot be so; ``faults`` says what is wrong with which field."""

    def __init__(self, faults: dict[str, Fault]) -> None:
        super().__init__(", ".join(f"{name}: {fault.kind}" for name, fault in faults.items()))
        self.faults = faults


class OutageIsOver(Exception):
    """Somebody has ended it: it is changed and ended no more."""


@dataclass(frozen=True)
class Details:
    """What is entered of an outage. ``streets`` has one street in a line, with its buildings behind it."""

    organisation: Organisation | None
    kind: OutageKind | None
    planned: bool
    whole_city: bool
    streets: str
    begins_at: datetime | None
    ends_at: datetime | None
    text: str


def enter_outage(session: Session, user: User, details: Details, at: datetime, area_code: str) -> Outage:
    """A new outage with the first row of its history. Raises `NotYours`, `Refused`."""
    places = _check(session, user, details, at, area_code, None)
    outage = Outage(entered_by_id=user.id, entered_at=at, known_at=at)
    _fill(outage, details)
    session.add(outage)
    session.flush()
    _put_places(session, outage, places)
    note_change(session, outage, OutageEvent.ENTERED, user, at)
    return outage


def change_outage(
    session: Session, outage_id: int, revision: int, user: User, details: Details, at: datetime, area_code: str
) -> Outage:
    """Write what differs, a row of the history for each field.

    Raises `NotYours`, `OutageIsOver`, `ChangedMeanwhile` for another revision than the one that was read, `Refused`.
    """
    outage = _lock(session, outage_id, user)
    if outage.revision != revision:
        raise ChangedMeanwhile
    places = _check(session, user, details, at, area_code, outage)
    before = _as_text(outage)
    if details.begins_at < outage.begins_at or (details.planned and not outage.planned):
        outage.known_at = at
    _fill(outage, details)
    _put_places(session, outage, places)
    session.flush()
    after = _as_text(outage)
    changed = [name for name in after if after[name] != before[name]]
    for name in changed:
        note_change(session, outage, OutageEvent.CHANGED, user, at, name, before[name], after[name])
    outage.revision += bool(changed)
    session.flush()
    return outage


def end_outage(session: Session, outage_id: int, user: User, at: datetime) -> Outage:
    """It is over, or will not be. Raises `NotYours`, `OutageIsOver`."""
    outage = _lock(session, outage_id, user)
    outage.ended_at, outage.ended_by_id = at, user.id
    outage.revision += 1
    note_change(session, outage, OutageEvent.ENDED, user, at)
    session.flush()
    return outage


def may_keep(user: User, organisation_id: int | None) -> bool:
    """Whether this person enters, changes and ends the outages of this organisation."""
    if user.role in EXECUTOR:
        return organisation_id is not None and user.organisation_id == organisation_id
    return user.role in CENTRE


def read_places(session: Session, typed: str) -> tuple[dict[Street, str], Fault | None]:
    """The streets that were typed, one in a line with its buildings behind it, as ``{street: buildings}``; and the
    first mistake.

    «Соборна: 12–48, 5а», «вул. Соборна 12–48» and «Соборна» are understood; of a street in two lines all counts.
    """
    found: dict[Street, list[str]] = {}
    for line in filter(None, map(str.strip, typed.splitlines())):
        street, buildings, fault = _read_place(session, line)
        if fault is not None:
            return {}, fault
        found.setdefault(street, []).append(buildings)
    places = {street: "" if "" in all_of else ", ".join(all_of) for street, all_of in found.items()}
    long = next((street for street, buildings in places.items() if len(buildings) > LONGEST_BUILDINGS), None)
    return (places, None) if long is None else ({}, Fault(Wrong.LONG, str(LONGEST_BUILDINGS)))


def _read_place(session: Session, line: str) -> tuple[Street | None, str, Fault | None]:
    """A line's street and buildings. Without a colon the longest beginning that is a street's name is one."""
    fault = Fault(Wrong.NO_STREET, line)
    for name, buildings in _splits(line):
        meant = meant_streets(session, name)
        if len(meant) > 1:
            return None, "", Fault(Wrong.WHICH_STREET, name)
        if meant:
            try:
                return meant[0][0], tidy_ranges(buildings), None
            except NoRange as wrong:
                fault = Fault(Wrong.BUILDINGS, str(wrong))
    return None, "", fault


def _splits(line: str) -> Iterable[tuple[str, str]]:
    if ":" in line:
        name, _colon, buildings = line.partition(":")
        return [(name, buildings)]
    words = line.split()
    return [(" ".join(words[:end]).rstrip(","), " ".join(words[end:])) for end in range(len(words), 0, -1)]


def _check(
    session: Session, user: User, details: Details, at: datetime, area_code: str, before: Outage | None
) -> dict[Street, str]:
    """The places. Raises `NotYours` and `Refused`; what was so ``before`` may stay."""
    organisation = details.organisation
    if organisation is not None and not may_keep(user, organisation.id):
        raise NotYours
    faults: dict[str, Fault] = {}
    if organisation is None or not (organisation.active or (before and before.organisation_id == organisation.id)):
        faults["organisation_id"] = Fault(Wrong.ORGANISATION)
    if details.kind is None:
        faults["kind"] = Fault(Wrong.KIND)
    places, wrong = read_places(session, details.streets)
    if details.whole_city and details.streets.strip():
        wrong = Fault(Wrong.NOT_BOTH)
    elif not details.whole_city and wrong is None and not places:
        wrong = Fault(Wrong.NO_PLACE)
    if wrong is not None:
        faults["streets"] = wrong
    if wrong := _wrong_beginning(details, at):
        faults["begins_at"] = Fault(wrong)
    elif wrong := _wrong_end(details, at, before):
        faults["ends_at"] = Fault(wrong)
    if len(details.text) > LONGEST_TEXT:
        faults["text"] = Fault(Wrong.LONG, str(LONGEST_TEXT))
    elif without_numbers(details.text, area_code) != details.text:
        faults["text"] = Fault(Wrong.TELEPHONE)
    if faults:
        raise Refused(faults)
    return places


def _wrong_beginning(details: Details, at: datetime) -> Wrong | None:
    if details.begins_at is None:
        return Wrong.NO_TIME
    if abs(details.begins_at - at) > _FURTHEST:
        return Wrong.FAR
    return Wrong.NOT_YET if not details.planned and details.begins_at > at + _CLOCKS else None


def _wrong_end(details: Details, at: datetime, before: Outage | None) -> Wrong | None:
    if details.ends_at is None:
        return Wrong.NO_END if details.planned else None
    if details.ends_at <= details.begins_at:
        return Wrong.END_FIRST
    if abs(details.ends_at - at) > _FURTHEST:
        return Wrong.FAR
    stays = before is not None and before.ends_at == details.ends_at
    return Wrong.END_PAST if details.ends_at <= at and not stays else None


def _lock(session: Session, outage_id: int, user: User) -> Outage:
    outage = session.get_one(Outage, outage_id, with_for_update=True, populate_existing=True)
    if not may_keep(user, outage.organisation_id):
        raise NotYours
    if outage.ended_at is not None:
        raise OutageIsOver
    return outage


def _fill(outage: Outage, details: Details) -> None:
    outage.organisation_id = details.organisation.id
    outage.kind, outage.planned, outage.whole_city = details.kind, details.planned, details.whole_city
    outage.begins_at, outage.ends_at, outage.text = details.begins_at, details.ends_at, details.text


def _put_places(session: Session, outage: Outage, places: dict[Street, str]) -> None:
    """The same street keeps its row, so that no two rows of one street meet."""
    there = {place.street_id: place for place in outage.places}
    outage.places = [there.get(street.id) or OutagePlace(street_id=street.id, street=street) for street in places]
    for place in outage.places:
        place.buildings = places[place.street]
    session.flush()
    session.expire(outage, ["organisation"])  # loaded earlier, it would be the former one


def _as_text(outage: Outage) -> dict[str, str]:
    """Each field as the history keeps it: codes, moments in ISO form, the names of streets and organisations."""
    return {
        "organisation": outage.organisation.name,
        "kind": str(outage.kind),
        "planned": "planned" if outage.planned else "emergency",
        "where": outage.where,
        "begins_at": outage.begins_at.isoformat(timespec="minutes"),
        "ends_at": outage.ends_at.isoformat(timespec="minutes") if outage.ends_at else "",
        "text": outage.text,
    }


def note_change(
    session: Session,
    outage: Outage,
    event: OutageEvent,
    user: User,
    at: datetime,
    field: str = "",
    before: str = "",
    after: str = "",
) -> None:
    """A row of the outage's history."""
    session.add(
        OutageChange(outage_id=outage.id, at=at, user_id=user.id, event=event, field=field, before=before, after=after)
    )
