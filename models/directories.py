"""Streets, kinds of problems and organisations: what each entry must be (A2)."""

import re
from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from models.addresses import NoAddress, read_address
from models.people import Organisation, Role, User
from models.places import Category, Street, split_names, street_key
from models.reference import Entry, Fault, FaultKind, Refused, Subject, check_name, tidy, write_entry
from models.reports import Report
from models.search import plain, words_of

LONGEST_NAME = {Category: 128, Organisation: 160, Street: 128}  # characters
LONGEST_NAMES = 256  # characters of all former, or of all other names of a street
MOST_DAYS, MOST_POSITION = 365, 9999
_QUOTES = re.compile('[«»“”„"]')


def save_street(
    session: Session,
    street: Street | None,
    by: User | None,
    at: datetime,
    *,
    name: str,
    former_names: str,
    other_names: str,
    active: bool,
) -> Street:
    """Add a street, or change one. Raises `Refused` for one that cannot be so."""
    name, values = tidy(name), {"former_names": joined(former_names), "other_names": joined(other_names)}
    others = [one for one in session.scalars(select(Street)) if one is not street]
    faults = _name_faults(name, Street, [one.name for one in others if street_key(one.name) == street_key(name)])
    faults |= long_names(values)
    values = {"name": name, **values, "active": active}
    known = street_words(street) if street else set()
    saved = _written(session, Subject.STREET, street or Street(), faults, values, by, at)
    keep_findable(session, saved, known)
    return saved


def street_words(street: Street) -> set[str]:
    """The words by which reports of this street are found."""
    return set(words_of(street.name, street.former_names, street.other_names))


def keep_findable(session: Session, street: Street, known: set[str]) -> None:
    """Let the street's reports be found by its new names, too; ``known`` are the `street_words` of before (W11)."""
    if new := sorted(street_words(street) - known):
        of_street = update(Report).where(Report.street_id == street.id)
        session.execute(
            of_street.values(search_text=Report.search_text + " " + " ".join(new)),
            execution_options={"synchronize_session": False},
        )


def joined(names: str) -> str:
    """Several names, as they are stored: one comma between, each once."""
    return ", ".join(dict.fromkeys(tidy(name) for name in split_names(names)))


def long_names(values: dict[str, str]) -> dict[str, Fault]:
    """The faults of a street's lists of names."""
    fault = Fault(FaultKind.TOO_LONG, str(LONGEST_NAMES))
    return {field: fault for field, names in values.items() if len(names) > LONGEST_NAMES}


def save_category(
    session: Session,
    category: Category | None,
    by: User | None,
    at: datetime,
    *,
    name: str,
    organisation: Organisation | None,
    working_days: int | None,
    position: int | None,
    active: bool,
) -> Category:
    """Add a kind of problem, or change one. Reports of a kind that is switched off keep it; new ones do not get it.

    Another term holds for reports registered from then on. Raises `Refused` for one that cannot be so.
    """
    name = tidy(name)
    others = [one.name for one in session.scalars(select(Category)) if one is not category]
    faults = _name_faults(name, Category, [other for other in others if name_key(other) == name_key(name)])
    if organisation is None or (active and not organisation.active):
        faults["organisation"] = Fault(FaultKind.CHOOSE)
    if working_days is None or not 1 <= working_days <= MOST_DAYS:
        faults["working_days"] = Fault(FaultKind.NUMBER, f"1–{MOST_DAYS}")
    if position is None or not 0 <= position <= MOST_POSITION:
        faults["position"] = Fault(FaultKind.NUMBER, f"0–{MOST_POSITION}")
    values = {
        "name": name,
        "organisation": organisation,
        "working_days": working_days,
        "position": position,
        "active": active,
    }
    return _written(session, Subject.CATEGORY, category or Category(), faults, values, by, at)


def save_organisation(
    session: Session,
    organisation: Organisation | None,
    by: User | None,
    at: datetime,
    *,
    name: str,
    email: str,
    active: bool,
    controlled_by: Collection[User],
) -> Organisation:
    """Add an organisation, or change one and who controls it (R order 4). Raises `Refused` for one that cannot be so.

    One that is switched off gets no new reports; it finishes those that it has.
    """
    name, email = tidy(name), tidy(email)
    others = [one.name for one in session.scalars(select(Organisation)) if one is not organisation]
    faults = _name_faults(name, Organisation, [other for other in others if name_key(other) == name_key(name)])
    if fault := email_fault(email):
        faults["email"] = fault
    ends = organisation is not None and organisation.active and not active
    if ends and (kinds := responsible_for(session, organisation)):
        faults["active"] = Fault(FaultKind.RESPONSIBLE, ", ".join(f"«{kind}»" for kind in kinds))
    if any(user.role != Role.CONTROL_BODY for user in controlled_by):
        faults["controlled_by"] = Fault(FaultKind.CHOOSE)
    members = sorted(controlled_by, key=lambda user: user.id)
    if organisation is not None and set(members) == set(organisation.controlled_by):
        members = organisation.controlled_by  # in whatever order they were read
    values = {"name": name, "email": email, "active": active, "controlled_by": members}
    return _written(session, Subject.ORGANISATION, organisation or Organisation(), faults, values, by, at)


def responsible_for(session: Session, organisation: Organisation) -> list[str]:
    """The names of the kinds, of those that are used, whose executor the organisation becomes."""
    query = select(Category.name).where(Category.organisation_id == organisation.id, Category.active)
    return list(session.scalars(query.order_by(Category.name)))


def email_fault(email: str) -> Fault | None:
    """What is wrong with an address; an empty one is none, and not wrong."""
    try:
        read_address(email)
    except NoAddress:
        return Fault(FaultKind.EMAIL)
    return None


def name_key(name: str) -> str:
    """A name without what people write differently: case, quotes, apostrophes, spaces."""
    return " ".join(_QUOTES.sub(" ", plain(name)).split())


def _name_faults(name: str, table: type, taken: list[str]) -> dict[str, Fault]:
    fault = check_name(name, LONGEST_NAME[table]) or (Fault(FaultKind.TAKEN, taken[0]) if taken else None)
    return {"name": fault} if fault else {}


def _written(
    session: Session,
    subject: Subject,
    row: Entry,
    faults: Mapping[str, Fault],
    values: Mapping[str, object],
    by: User | None,
    at: datetime,
) -> Entry:
    if faults:
        raise Refused(faults)
    write_entry(session, subject, row, values, by, at)
    return row
