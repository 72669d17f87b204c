"""Who is calling: known or perhaps, with the reason, and never a silent guess (I4).

*Known* are the persons whom somebody confirmed to have this number; a family's landline has several. *Perhaps* are
the names given in earlier reports from this number. Which of them it is today only a person can say.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, delete, or_, select
from sqlalchemy.orm import Session, joinedload

from models.base import now
from models.buildings import read_building
from models.calls import Call
from models.drafts import claim_draft
from models.people import Person, PersonNumber, User
from models.reports import OPEN_STATES, REGISTERED_STATES, HistoryEvent, HistoryRow, Report, ReportState, note_history
from models.search import plain, search_text
from models.telephone import to_e164

_LOOKED_AT = 40  # for each number that many of the newest reports, of all of them together, are asked for names
ADDRESSES = 2  # of one person that are offered for the form
PLACES = 3  # of one number, at which an outage may be theirs


class NobodyNamed(Exception):
    """Who calls was said without a person who is known to have the number, and without a name."""


@dataclass(frozen=True)
class Perhaps:
    """A name that ``reports`` earlier reports from this number gave; ``place`` is what the newest was about."""

    name: str
    reports: int
    place: str


@dataclass(frozen=True)
class EarlierCall:
    """An earlier call of the number, with the report or draft that came of it (None: there is none)."""

    call: Call
    report: Report | None


@dataclass(frozen=True)
class Whose:
    """Who may have a number; None for one that is withheld or cannot be understood."""

    number: str | None
    known: list[Person] = field(default_factory=list)
    perhaps: list[Perhaps] = field(default_factory=list)

    @property
    def anybody(self) -> bool:
        return bool(self.known or self.perhaps)


@dataclass(frozen=True)
class Caller(Whose):
    """What is known about the one who calls, by their own number, and by the ``other`` telephone that they gave.

    ``person`` is set once somebody said who it is; ``other_person`` once somebody said that it is none of the
    ``known`` and ``perhaps``.
    """

    other: Whose | None = None
    person: Person | None = None
    other_person: bool = False


def numbers_of(draft: Report, area_code: str) -> tuple[str | None, str | None]:
    """The caller's own number and the other telephone that was typed, where it is one and not the same."""
    own = draft.call.number if draft.call else draft.contact_number
    other = to_e164(draft.other_phone, area_code)
    return own, other if other != own else None


def caller_of(session: Session, draft: Report, area_code: str) -> Caller:
    """Who the caller of this draft may be. ``area_code`` makes a local telephone number understood."""
    return callers_of(session, [draft], area_code)[draft.id]


def callers_of(session: Session, drafts: Sequence[Report], area_code: str) -> dict[int, Caller]:
    """Who the callers of these drafts may be, by the draft's id: three queries, however many drafts."""
    numbers = {draft.id: numbers_of(draft, area_code) for draft in drafts}
    wanted = {number for both in numbers.values() for number in both if number is not None}
    said = dict(
        session.execute(
            select(HistoryRow.report_id, HistoryRow.event)
            .where(
                HistoryRow.report_id.in_(numbers),
                HistoryRow.event.in_((HistoryEvent.IDENTIFIED, HistoryEvent.OTHER_PERSON)),
            )
            .order_by(HistoryRow.id)  # the last one counts
        ).all()
    )
    known: dict[str | None, list[Person]] = {}
    named: dict[str | None, list[Report]] = {}
    if wanted:
        rows = session.execute(
            select(PersonNumber.number, Person)
            .join(Person)
            .where(PersonNumber.number.in_(wanted))
            .order_by(Person.name, Person.id)
        )
        for number, person in rows:
            known.setdefault(number, []).append(person)
        named = _named_reports(session, wanted)

    def whose(number: str | None, draft: Report) -> Whose:
        persons = known.get(number, [])
        return Whose(number, persons, _perhaps([one for one in named.get(number, []) if one.id != draft.id], persons))

    callers = {}
    for draft in drafts:
        own, other = (whose(number, draft) for number in numbers[draft.id])
        callers[draft.id] = Caller(
            own.number,
            own.known,
            own.perhaps,
            other=other if other.number else None,
            person=draft.person,
            other_person=said.get(draft.id) == HistoryEvent.OTHER_PERSON,
        )
    return callers


def _named_reports(session: Session, numbers: set[str]) -> dict[str, list[Report]]:
    """The newest reports of these numbers that gave an applicant's name, newest first."""
    rows = session.execute(
        select(Report, Call.number)
        .outerjoin(Call, Call.id == Report.call_id)
        .where(
            _of_numbers(numbers),
            Report.state.in_((*REGISTERED_STATES, ReportState.ATTACHED, ReportState.CONSULTATION)),
            Report.applicant_name != "",
        )
        .options(joinedload(Report.street))
        .order_by(Report.id.desc())
        .limit(_LOOKED_AT * len(numbers))
    )
    named: dict[str, list[Report]] = {}
    for report, called_from in rows:
        for number in {report.contact_number, called_from} & numbers:
            named.setdefault(number, []).append(report)
    return named


def _perhaps(reports: list[Report], known: list[Person]) -> list[Perhaps]:
    """The names in these reports, the most frequent first; without the known ones."""
    known_names = {_name_key(person.name) for person in known}
    found: dict[str, list[Report]] = {}
    for report in reports:
        name = _name_key(report.applicant_name)
        if name not in known_names:
            found.setdefault(name, []).append(report)
    by_frequency = sorted(found.values(), key=len, reverse=True)
    return [Perhaps(same[0].applicant_name, len(same), same[0].place) for same in by_frequency]


def known_addresses(session: Session, caller: Caller) -> list[Report]:
    """The newest report of each address of the one who calls, newest first, `ADDRESSES` at most: of the person who was
    named, else of the only one who is known; also what came from their own number counts."""
    person = caller.person or (caller.known[0] if len(caller.known) == 1 and not caller.other_person else None)
    if person is None:
        return []
    theirs = Report.person_id == person.id
    if caller.number is not None and person in caller.known:
        theirs = or_(theirs, Report.contact_number == caller.number)
    query = select(Report).where(
        theirs, Report.state != ReportState.DRAFT, Report.street_id.is_not(None), Report.anonymised_at.is_(None)
    )
    newest = query.options(joinedload(Report.street)).order_by(Report.id.desc()).limit(_LOOKED_AT)
    found: dict[tuple[int, object], Report] = {}
    for report in session.scalars(newest):
        found.setdefault((report.street_id, read_building(report.building) or report.building.strip()), report)
    return list(found.values())[:ADDRESSES]


def likely_places(session: Session, number: str) -> list[tuple[int, str]]:
    """The streets with buildings that the caller's number belongs to, of all that was ever reported from it the last
    `PLACES`, newest first (C7): nobody knows at which of them they are today, and each may be theirs."""
    rows = session.execute(
        select(Report.street_id, Report.building)
        .where(
            Report.contact_number == number,
            Report.street_id.is_not(None),
            Report.state.in_((*REGISTERED_STATES, ReportState.ATTACHED, ReportState.CONSULTATION)),
            Report.anonymised_at.is_(None),
        )
        .order_by(Report.id.desc())
        .limit(_LOOKED_AT)
    ).all()
    places: dict[tuple[int, object], str] = {}
    for street, building in rows:
        places.setdefault((street, read_building(building) or building.strip()), building)
    whole = {street for street, building in places if building}  # who named only the street meant the same place
    return [(street, said) for (street, building), said in places.items() if building or street not in whole][:PLACES]


def open_reports(session: Session, number: str | None, limit: int = 12) -> list[Report]:
    """The reports of this number that are still being worked on, newest first: "is it about this one?"."""
    if number is None:
        return []
    return list(
        session.scalars(
            select(Report)
            .where(_of_numbers({number}), Report.state.in_(OPEN_STATES))
            .options(joinedload(Report.category), joinedload(Report.street), joinedload(Report.executor))
            .order_by(Report.id.desc())
            .limit(limit)
        )
    )


def earlier_calls(session: Session, draft: Report, limit: int = 8) -> list[EarlierCall]:
    """The number's earlier calls and what came of each, newest first."""
    if draft.call is None or draft.call.number is None:
        return []
    rows = session.execute(
        select(Call, Report)
        .outerjoin(Report, Report.call_id == Call.id)
        .where(Call.number == draft.call.number, Call.started_at <= draft.call.started_at, Call.id != draft.call.id)
        .options(joinedload(Report.attached_to), joinedload(Report.category))
        .order_by(Call.started_at.desc())
        .limit(limit)
    )
    return [EarlierCall(call, report) for call, report in rows]


def identify_caller(
    session: Session, draft: Report, user: User, *, person_id: int | None, name: str, area_code: str
) -> Person:
    """Somebody said who calls: remember it in the draft, and that this number is that person's.

    Either one of those who may have one of the draft's numbers (``person_id``), or a ``name``, for whom a person is
    made when none of that name has the number. A name that only the other telephone is known by gets that one, and
    not the number that was called from. Raises `TakenByAnother`, `IllegalMove`, and `NobodyNamed` when it is neither.
    """
    claim_draft(session, draft, user)
    caller, at = caller_of(session, draft, area_code), now()
    both = [whose for whose in (caller, caller.other) if whose is not None and whose.number is not None]
    known = [person for whose in both for person in whose.known]
    if person_id is not None:  # nobody else's name is told to who counts the ids up
        person = next((one for one in known if one.id == person_id), None)
    else:
        person = next((one for one in known if _name_key(one.name) == _name_key(name)), None)
    if person is None:
        if person_id is not None or not name.strip():
            raise NobodyNamed
        person = Person(name=name.strip())
        session.add(person)
        session.flush()
        by_name = (whose for whose in both if any(_name_key(one.name) == _name_key(name) for one in whose.perhaps))
        whose = next(by_name, caller)
        if whose.number is not None:
            session.add(
                PersonNumber(person_id=person.id, number=whose.number, confirmed_by_id=user.id, confirmed_at=at)
            )
    draft.person_id, draft.applicant_name = person.id, person.name
    _note_who_calls(session, draft, user, HistoryEvent.IDENTIFIED, at)
    return person


def deny_caller(session: Session, draft: Report, user: User) -> None:
    """It is somebody else: the draft forgets the person, and their name where nobody typed another.

    The number is theirs no more when it was this draft that said so; what was confirmed in other calls stays.
    Raises `TakenByAnother`, `IllegalMove`.
    """
    claim_draft(session, draft, user)
    # a number and the row that says who calls have one time when they were written together
    said_here = select(HistoryRow.at).where(
        HistoryRow.report_id == draft.id, HistoryRow.event == HistoryEvent.IDENTIFIED
    )
    session.execute(
        delete(PersonNumber)
        .where(PersonNumber.person_id == draft.person_id, PersonNumber.confirmed_at.in_(said_here))
        .execution_options(synchronize_session=False)
    )
    if draft.person is not None and draft.applicant_name == draft.person.name:
        draft.applicant_name = ""
    draft.person_id = None
    _note_who_calls(session, draft, user, HistoryEvent.OTHER_PERSON, now())


def _of_numbers(numbers: set[str]) -> ColumnElement[bool]:
    """Reports whose applicant can be reached at one of the numbers, or that began with a call from one."""
    called = select(Call.id).where(Call.number.in_(numbers))
    return or_(Report.contact_number.in_(numbers), Report.call_id.in_(called))


def _note_who_calls(session: Session, draft: Report, user: User, event: HistoryEvent, at: datetime) -> None:
    draft.revision += 1
    draft.search_text = search_text(draft)
    note_history(session, draft, event, user, at=at)


def _name_key(name: str) -> str:
    return " ".join(plain(name).split())
