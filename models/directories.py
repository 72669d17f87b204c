"""Streets, kinds of problems and organisations: what each entry must be (A2)."""

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from models.addresses import NoAddress, read_address
from models.calling import may_be_dialled
from models.people import Organisation, Role, User
from models.places import Category, Street, split_names, street_key
from models.reference import Entry, Fault, FaultKind, Refused, Subject, check_name, tidy, write_entry
from models.reports import Report
from models.search import plain, words_of

LONGEST_NAME = {Category: 128, Organisation: 160, Street: 128}  # characters
LONGEST_NAMES = 256  # characters of all former, or of all other names of a street
MOST_DAYS, MOST_POSITION = 365, 9999
MOST_DUTY_NUMBERS = 5  # each is called twice: of more the last would hear of an emergency too late
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
    duty_numbers: Sequence[str] | None = None,
) -> Organisation:
    """Add an organisation, or change one and who controls it (R order 4). Raises `Refused` for one that cannot be so.

    ``duty_numbers`` (E.164) are called in this order when an emergency is handed over (I8); None leaves those that are
    there. One that is switched off gets no new reports; it finishes those that it has.
    """
    name, email = tidy(name), tidy(email)
    others = [one.name for one in session.scalars(select(Organisation)) if one is not organisation]
    faults = _name_faults(name, Organisation, [other for other in others if name_key(other) == name_key(name)])
    if fault := email_fault(email):
        faults["email"] = fault
    if fault := duty_fault(duty_numbers or ()):
        faults["duty_numbers"] = fault
    ends = organisation is not None and organisation.active and not active
    if ends and (kinds := responsible_for(session, organisation)):
        faults["active"] = Fault(FaultKind.RESPONSIBLE, ", ".join(f"«{kind}»" for kind in kinds))
    if any(user.role != Role.CONTROL_BODY for user in controlled_by):
        faults["controlled_by"] = Fault(FaultKind.CHOOSE)
    members = sorted(controlled_by, key=lambda user: user.id)
    if organisation is not None and set(members) == set(organisation.controlled_by):
        members = organisation.controlled_by  # in whatever order they were read
    values = {"name": name, "email": email, "active": active, "controlled_by": members}
    if duty_numbers is not None:
        values["duty_numbers"] = tuple(dict.fromkeys(duty_numbers))
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


def duty_fault(numbers: Sequence[str]) -> Fault | None:
    """What is wrong with an organisation's duty numbers: one that is never dialled, or too many of them."""
    wrong = next((number for number in numbers if not may_be_dialled(number)), None)
    if wrong is not None:
        return Fault(FaultKind.DUTY_NUMBER, wrong)
    return Fault(FaultKind.DUTY_MANY, str(MOST_DUTY_NUMBERS)) if len(numbers) > MOST_DUTY_NUMBERS else None


def split_numbers(typed: str) -> list[str]:
    """The telephones of a list, each once, as they were typed: a comma, a semicolon or a line between two."""
    return list(dict.fromkeys(one for part in re.split(r"[,;\n]", typed) if (one := tidy(part))))


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
