"""Who may be calling: known, perhaps with the reason, never a silent guess (I4)."""

from datetime import timedelta

import pytest
from flask import current_app
from sqlalchemy.orm import Session

from models.base import db, transaction
from models.callers import (
    NobodyNamed,
    caller_of,
    deny_caller,
    earlier_calls,
    identify_caller,
    open_reports,
)
from models.drafts import (
    TakenByAnother,
    attach_draft,
    claim_draft,
    end_draft,
    save_draft,
)
from models.people import Person, PersonNumber, User
from models.reports import Report, ReportEvent
from models.search import telephone_word
from tests.desk_fixtures import new_draft, user_id
from tests.helpers import AREA_CODE
from tests.web_fixtures import register

OLENA = "+380671234567"


def registered(name: str, **about: str) -> Report:
    """A report that somebody registered after a call, for an applicant of this name."""
    return db.session.get_one(Report, register(current_app, "Не горить ліхтар", applicant_name=name, **about))


def person_with_number(name: str, number: str = OLENA) -> int:
    with transaction() as session:
        person = Person(name=name)
        session.add(person)
        session.flush()
        session.add(PersonNumber(person_id=person.id, number=number))
    return person.id


def known_by(session: Session, number: str) -> list[Person]:
    return list(session.scalars(db.select(Person).join(PersonNumber).where(PersonNumber.number == number)))


def test_an_unknown_number_is_nobody(exchange, session):
    """I4, zammad#2143: an unknown number is not shown as somebody."""
    caller = caller_of(session, new_draft(exchange, session), AREA_CODE)
    assert (caller.number, caller.known, caller.perhaps, caller.person) == (OLENA, [], [], None)


@pytest.mark.parametrize("received", ["", "anonymous", "abc", "12"])
def test_a_withheld_number_is_said_to_be_one(exchange, session, received):
    """I4: two anonymous callers have nothing in common."""
    new_draft(exchange, session, received)
    draft = new_draft(exchange, session, received)
    caller = caller_of(session, draft, AREA_CODE)
    assert (caller.number, caller.known, caller.perhaps) == (None, [], [])
    assert open_reports(session, None) == []
    assert earlier_calls(session, draft) == []


def test_all_persons_of_a_familys_landline_are_offered(exchange, session):
    """I4, Znuny4OTRS-CTI#3: one number, several people; a person with only a number is found as well."""
    for name in ("Петро Коваль", "Олена Коваль"):
        person_with_number(name, "+380544853111")
    caller = caller_of(session, new_draft(exchange, session, "5-31-11"), AREA_CODE)
    assert [person.name for person in caller.known] == ["Олена Коваль", "Петро Коваль"]
    assert caller.person is None  # nobody has chosen yet


def test_names_of_earlier_reports_are_perhaps_with_the_reason(exchange, session):
    """I4: «за 2 повідомленнями», the most frequent first; one name in two spellings is one."""
    registered("Петро Коваль", street="Сумська")
    registered("Олена Коваль")
    registered("олена  коваль")
    registered("Чужа Людина", number="0509990000")
    perhaps = caller_of(session, new_draft(exchange, session), AREA_CODE).perhaps
    assert [(one.name.lower(), one.reports) for one in perhaps] == [("олена  коваль", 2), ("петро коваль", 1)]
    assert perhaps[1].place == "Сумська, 12"


@pytest.mark.parametrize("called_from", ["0661112233", "anonymous"])
def test_another_telephone_is_searched_too(exchange, session, me, called_from):
    """Beside the caller's own number, and where it is withheld: who may have it, and their open reports."""
    report = registered("Олена Коваль")
    person_with_number("Петро Коваль")
    draft = new_draft(exchange, session, called_from)
    with transaction():
        save_draft(session, draft, me, {"other_phone": "(067) 123-45-67"}, 0, AREA_CODE)
    caller = caller_of(session, draft, AREA_CODE)
    assert not caller.anybody
    assert caller.other.number == OLENA
    assert [person.name for person in caller.other.known] == ["Петро Коваль"]
    assert [one.name for one in caller.other.perhaps] == ["Олена Коваль"]
    assert open_reports(session, caller.other.number) == [report]


def test_a_draft_is_found_by_the_other_telephone_at_once(exchange, session, me):
    """A hidden caller is reached at the telephone that was typed, also when it is typed anew."""
    draft = new_draft(exchange, session, "anonymous")
    for revision, typed in enumerate(["067 123 45 67", "2-12-34"]):
        with transaction():
            save_draft(session, draft, me, {"other_phone": typed}, revision, AREA_CODE)
    assert draft.contact_number == "+380544821234"
    assert draft.search_text == f"{telephone_word(draft.contact_number)} {telephone_word('21234')}"


@pytest.mark.parametrize("typed", ["", "через сусідку", "067 123 45 67"])
def test_no_other_telephone_is_searched_where_there_is_none(exchange, session, me, typed):
    draft = new_draft(exchange, session)
    with transaction():
        save_draft(session, draft, me, {"other_phone": typed}, 0, AREA_CODE)
    assert caller_of(session, draft, AREA_CODE).other is None


def test_who_is_known_by_another_telephone_does_not_get_the_one_called_from(exchange, session, me):
    """She calls from a neighbour's: hers stays hers, and the neighbour's is not given to her."""
    registered("Олена Коваль")
    petro = person_with_number("Петро Коваль")
    for person_id, name in ((petro, ""), (None, "Олена Коваль")):
        draft = new_draft(exchange, session, "0661112233")
        with transaction():
            save_draft(session, draft, me, {"other_phone": "0671234567"}, 0, AREA_CODE)
            identify_caller(session, draft, me, person_id=person_id, name=name, area_code=AREA_CODE)
    assert {person.name for person in known_by(session, OLENA)} == {"Петро Коваль", "Олена Коваль"}
    assert known_by(session, "+380661112233") == []


def test_a_known_person_is_not_also_perhaps(exchange, session):
    registered("Олена Коваль")
    person_with_number("Олена Коваль")
    caller = caller_of(session, new_draft(exchange, session), AREA_CODE)
    assert [person.name for person in caller.known] == ["Олена Коваль"]
    assert caller.perhaps == []


def test_one_click_links_the_number_to_the_person(exchange, session, me):
    """zammad#2144: the next call from this number is known, and the draft has the name."""
    registered("Олена Коваль")
    draft = new_draft(exchange, session)
    with transaction():
        person = identify_caller(session, draft, me, person_id=None, name="Олена Коваль", area_code=AREA_CODE)
    assert (draft.person_id, draft.applicant_name, draft.owner_id) == (person.id, "Олена Коваль", me.id)
    assert caller_of(session, draft, AREA_CODE).person == person
    assert caller_of(session, new_draft(exchange, session), AREA_CODE).known == [person]
    assert session.scalars(db.select(PersonNumber)).one().confirmed_by_id == me.id


def test_linking_twice_makes_one_person_and_one_link(exchange, session, me):
    for _time in range(2):
        with transaction():
            identify_caller(
                session, new_draft(exchange, session), me, person_id=None, name="Олена Коваль", area_code=AREA_CODE
            )
    assert len(known_by(session, OLENA)) == 1
    assert len(session.scalars(db.select(Person)).all()) == 1


def test_another_person_clears_the_choice_but_not_what_was_confirmed(exchange, session, me):
    person_id = person_with_number("Олена Коваль")
    draft = new_draft(exchange, session)
    with transaction():
        identify_caller(session, draft, me, person_id=person_id, name="", area_code=AREA_CODE)
    with transaction():
        deny_caller(session, draft, me)
    caller = caller_of(session, draft, AREA_CODE)
    assert (draft.person_id, draft.applicant_name, caller.person, caller.other_person) == (None, "", None, True)
    assert [row.event for row in draft.history] == ["created", "taken", "identified", "other_person"]
    assert len(known_by(session, OLENA)) == 1


def test_another_person_takes_back_the_number_that_this_draft_gave(exchange, session, me):
    """A press beside the right name must not make a stranger known for ever."""
    draft = new_draft(exchange, session)
    with transaction():
        identify_caller(session, draft, me, person_id=None, name="Олена Коваль", area_code=AREA_CODE)
    with transaction():
        deny_caller(session, draft, me)
    assert known_by(session, OLENA) == []


def test_another_person_keeps_a_name_that_was_typed(exchange, session, me):
    draft = new_draft(exchange, session)
    with transaction():
        save_draft(session, draft, me, {"applicant_name": "Марія"}, 0, AREA_CODE)
    with transaction():
        deny_caller(session, draft, me)
    assert draft.applicant_name == "Марія"


def test_who_calls_is_decided_by_the_drafts_owner_alone(exchange, session, me):
    colleague = session.get_one(User, user_id("sorokina"))
    draft = new_draft(exchange, session)
    with transaction():
        claim_draft(session, draft, colleague)
    with pytest.raises(TakenByAnother), transaction():
        identify_caller(session, draft, me, person_id=None, name="Олена", area_code=AREA_CODE)
    assert session.scalars(db.select(Person)).all() == []


@pytest.mark.parametrize("name", [" ", "Хтось"])
def test_identifying_nobody_or_somebody_of_another_number_is_an_error(exchange, session, me, name):
    """No name is told to who counts the ids up."""
    stranger = person_with_number("Таємна Людина", "+380509990000")
    draft = new_draft(exchange, session)
    for person_id in (999, stranger):
        with pytest.raises(NobodyNamed), transaction():
            identify_caller(session, draft, me, person_id=person_id, name=name, area_code=AREA_CODE)
    with pytest.raises(NobodyNamed), transaction():
        identify_caller(session, draft, me, person_id=None, name=" ", area_code=AREA_CODE)
    assert (draft.person_id, draft.applicant_name) == (None, "")


def test_open_reports_come_first_and_closed_ones_do_not(exchange, session):
    """zammad#3107: "is it about this one?" shows what is still being worked on, newest first."""
    first, second, closed = (registered("Олена") for _number in range(3))
    with transaction():
        closed.state = "closed"
    assert [report.id for report in open_reports(session, OLENA)] == [second.id, first.id]


def test_a_report_with_another_contact_number_is_still_the_callers(exchange, session):
    report = registered("Олена")
    with transaction():
        report.contact_number = "+380501112233"
    assert open_reports(session, OLENA) == [report]
    assert open_reports(session, "+380501112233") == [report]


def test_earlier_calls_tell_what_came_of_them(exchange, session, me):
    """I4: report, consultation, added to a report, missed; the newest first, without the present one."""
    report = registered("Олена")
    consulted, added = new_draft(exchange, session), new_draft(exchange, session)
    with transaction():
        end_draft(session, consulted, me, ReportEvent.CONSULTED)
        attach_draft(session, added, me, report)
    missed_id = exchange.missed("0671234567", timedelta())[0]
    calls = earlier_calls(session, new_draft(exchange, session))
    assert [(one.call.id, one.report.state) for one in calls] == [
        (missed_id, "draft"),
        (added.call_id, "attached"),
        (consulted.call_id, "consultation"),
        (report.call_id, "new"),
    ]
    assert calls[1].report.attached_to == report
