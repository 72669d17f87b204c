"""What is held about one person: found by a telephone, a name, or both (A3).

A family has one landline: with a name besides the number only what bears that name, or none, is this person's.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session, joinedload, selectinload

from models.attachments import Attachment
from models.calls import Call
from models.lines import Line
from models.people import AccessLog, Person, PersonNumber
from models.personal_calls import OurCalls, exported_calls, our_calls_to
from models.redaction import Traces
from models.reports import OPEN_STATES, HistoryEvent, HistoryRow, Report, ReportState
from models.search import plain, telephone_word
from models.telephone import to_e164

_LOCAL_DIGITS = 5
_MANY = 500  # ids in one query
_LOOKS = 1000  # rows of the access log that an export tells


@dataclass(frozen=True)
class Sought:
    """Whom to look for: a number in E.164, a name, or both."""

    number: str | None = None
    name: str = ""

    @property
    def anybody(self) -> bool:
        return bool(self.number or self.name)


@dataclass(frozen=True)
class Held:
    """All that is held about the one who was ``sought``. ``names`` are those that the number was given with."""

    sought: Sought
    persons: list[Person] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)  # drafts and calls that ended otherwise among them
    calls: list[Call] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    files: list[Attachment] = field(default_factory=list)  # of the reports
    ours: OurCalls = field(default_factory=OurCalls)

    @property
    def anything(self) -> bool:
        return bool(self.persons or self.reports or self.calls or self.ours.anything)

    @property
    def open(self) -> list[Report]:
        """What is still worked on."""
        return [report for report in self.reports if report.state in (ReportState.DRAFT, *OPEN_STATES)]


def held_about(session: Session, sought: Sought) -> Held:
    """Everything of this person, the newest report first. Looks through all reports: seconds at a million of them."""
    persons = _persons(session, sought)
    calls = _calls(session, sought) if sought.number else []
    found = {report.id: report for report in _reports(session, sought, persons, calls)}
    names = {_key(report.applicant_name): report.applicant_name for report in found.values() if report.applicant_name}
    names |= {_key(person.name): person.name for person in persons}
    if sought.number and sought.name:
        key, of_name = _key(sought.name), {person.id for person in persons if _key(person.name) == _key(sought.name)}
        persons = [person for person in persons if person.id in of_name]
        found = {
            row: report
            for row, report in found.items()
            if report.person_id in of_name or (report.person_id is None and _key(report.applicant_name) in ((), key))
        }
        calls = [call for call in calls if call.id in {report.call_id for report in found.values()}]
    known = {call.id for call in calls}
    calls += [report.call for report in found.values() if report.call is not None and report.call_id not in known]
    held = Held(
        sought,
        persons,
        sorted(found.values(), key=lambda report: report.id, reverse=True),
        sorted(calls, key=lambda call: call.started_at, reverse=True),
        sorted(names.values()),
        [
            file
            for part in _parts(sorted(found))
            for file in session.scalars(
                select(Attachment).where(Attachment.report_id.in_(part)).order_by(Attachment.id)
            )
        ],
    )
    alone = None if sought.name else sought.number
    numbers = traces_of(session, held).numbers
    return replace(held, ours=our_calls_to(session, alone, numbers, found, [call.id for call in held.calls]))


def traces_of(session: Session, held: Held) -> Traces:
    """The numbers and names that tell who it is."""
    found = Traces(
        frozenset({held.sought.number} - {None}),
        frozenset({held.sought.name, *(person.name for person in held.persons)} - {""}),
        local_beginning(session),
    )
    for person in held.persons:
        found |= Traces(frozenset(one.number for one in person.numbers))
    for report in held.reports:
        found |= traces_in(report, found.local)
    return found


def traces_in(report: Report, local: str) -> Traces:
    """The numbers and names that one report gives for its applicant."""
    other = to_e164(report.other_phone, local.removeprefix("+380"))
    numbers = {report.contact_number, report.call.number if report.call else None, other} - {None}
    names = {report.applicant_name, report.person.name if report.person else ""} - {""}
    return Traces(frozenset(numbers), frozenset(names), local)


def local_beginning(session: Session) -> str:
    """How numbers of the own town begin, as its lines do: ``+3805448``; "" before there are lines."""
    line = session.scalar(select(Line.e164).order_by(Line.id).limit(1))
    return line[:-_LOCAL_DIGITS] if line else ""


def exported(session: Session, held: Held) -> dict[str, object]:
    """All of it as plain values, for the person to read or to take elsewhere (law 2297-VI, article 8).

    Colleagues stand in it by their role: their names are not this person's data.
    """
    return {
        "persons": [
            {
                "name": person.name,
                "numbers": [one.number for one in person.numbers],
                "building": person.building,
                "flat": person.flat,
            }
            for person in held.persons
        ],
        "reports": [_exported_report(report, {one.id for one in held.reports}) for report in held.reports],
        "calls": [
            {
                "started_at": call.started_at,
                "line": call.line.number if call.line else None,
                "number": call.number or call.number_received,
                "caller_name": call.caller_name,
                "state": str(call.state),
                "answered_at": call.answered_at,
                "ended_at": call.ended_at,
            }
            for call in held.calls
        ],
        "files": [
            {
                "report": file.report.number,
                "kind": str(file.kind),
                "name": file.name,
                "at": file.at,
                "sha256": file.sha256,
            }
            for file in held.files
        ],
        **exported_calls(held.ours),
        "looks": [
            {"at": at, "role": role, "subject": subject, "reason": reason}
            for at, role, subject, reason in _looks(session, held)
        ],
    }


def _exported_report(report: Report, own: set[int]) -> dict[str, object]:
    """``own`` are this person's records: what others told of the same is theirs, and colleagues' notes are nobody's."""
    return {
        "number": report.number,
        "state": str(report.state),
        "source": str(report.source),
        "created_at": report.created_at,
        "registered_at": report.registered_at,
        "category": report.category.name if report.category else None,
        "text": report.text,
        "place": report.place or report.street_typed,
        "executor": report.executor.name if report.executor else None,
        "applicant_name": report.applicant_name,
        "contact_number": report.contact_number,
        "other_phone": report.other_phone,
        "history": [
            {
                "at": row.at,
                "event": row.event,
                "state": row.to_state,
                "note": row.note,
                "by": str(row.user.role) if row.user else None,
            }
            for row in report.history
            if row.event != HistoryEvent.NOTE and (row.told_by_id is None or row.told_by_id in own)
        ],
    }


def _looks(session: Session, held: Held) -> list[tuple[datetime, str, str, str]]:
    """Who looked at this person's data: when, of which role ("": themselves), at what and why; the newest first."""
    found = []
    for subject, rows in (
        ("report", held.reports),
        ("call", held.calls),
        ("task", held.ours.tasks),
        ("person", held.persons),
    ):
        ids = [row.id for row in rows]
        for begin in range(0, len(ids), _MANY):
            query = select(AccessLog).where(
                AccessLog.subject == subject, AccessLog.subject_id.in_(ids[begin : begin + _MANY])
            )
            rows_found = session.scalars(query.options(joinedload(AccessLog.user))).all()
            found += [(row.at, str(row.user.role) if row.user else "", row.subject, row.reason) for row in rows_found]
    return sorted(found, reverse=True)[:_LOOKS]


def _persons(session: Session, sought: Sought) -> list[Person]:
    """Those who have the number; without one those of the name."""
    query = select(Person).options(selectinload(Person.numbers)).order_by(Person.name, Person.id)
    if sought.number:
        numbers = select(PersonNumber.person_id).where(PersonNumber.number == sought.number)
        return list(session.scalars(query.where(Person.id.in_(numbers))))
    wanted = _key(sought.name)  # the database knows no lower case of Ukrainian letters
    ids = [row for row, name in session.execute(select(Person.id, Person.name)) if _key(name) == wanted]
    return [person for part in _parts(ids) for person in session.scalars(query.where(Person.id.in_(part)))]


def _calls(session: Session, sought: Sought) -> list[Call]:
    query = select(Call).where(Call.number == sought.number).options(joinedload(Call.line))
    return list(session.scalars(query))


def _reports(session: Session, sought: Sought, persons: list[Person], calls: list[Call]) -> list[Report]:
    """The reports of these persons and calls, of the number, and of the name where there is no number."""
    ids: set[int] = set()
    for part in _parts([person.id for person in persons]):
        ids.update(session.scalars(select(Report.id).where(Report.person_id.in_(part))))
    for part in _parts([call.id for call in calls]):
        ids.update(session.scalars(select(Report.id).where(Report.call_id.in_(part))))
    if sought.number:
        ids.update(session.scalars(select(Report.id).where(Report.contact_number == sought.number)))
        ids.update(session.scalars(_with_word(telephone_word(sought.number[-9:]))))
    else:
        named = select(Report.id, Report.applicant_name).where(Report.applicant_name != "")
        named = named.where(*(Report.search_text.contains(word, autoescape=True) for word in _key(sought.name)))
        ids.update(row for row, name in session.execute(named) if _key(name) == _key(sought.name))
    loading = (
        *(joinedload(one) for one in (Report.call, Report.category, Report.street, Report.executor, Report.person)),
        selectinload(Report.history).joinedload(HistoryRow.user),
    )
    return [
        report
        for part in _parts(sorted(ids))
        for report in session.scalars(select(Report).where(Report.id.in_(part)).options(*loading))
    ]


def _with_word(word: str) -> Select:
    """Reports with a telephone that ends so, typed in whatever way."""
    return select(Report.id).where(
        or_(Report.search_text.startswith(word, autoescape=True), Report.search_text.contains(f" {word}"))
    )


def _parts(ids: list[int]) -> list[list[int]]:
    return [ids[begin : begin + _MANY] for begin in range(0, len(ids), _MANY)]


def _key(name: str) -> tuple[str, ...]:
    """Names are the same with their words in any order."""
    return tuple(sorted(plain(name).split()))
