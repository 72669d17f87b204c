"""Outages: who enters, changes and ends them, whom they concern, who called about one, and who is asked after it (C7,
A5), on both databases."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask import Flask, current_app
from sqlalchemy import select

from jobs.app import bare_app
from models.acts import NotYours, WordsMissing
from models.base import db, now, transaction
from models.callbacks import answer
from models.callers import likely_places
from models.calling import Rules
from models.calls import Call, CallState, note_hung_up
from models.calltasks import CallTask, Purpose, TaskState
from models.clarifications import ask_applicant
from models.dialling import Dialler
from models.leases import Lines
from models.machine import IllegalMove
from models.outage_acts import OutageIsOver, Refused, change_outage, end_outage
from models.outage_calls import (
    BACK,
    NOT_BACK,
    NotOver,
    OutageCaller,
    about_outages,
    ask_callers,
    note_about,
    note_heard,
    to_ask,
    who_called,
)
from models.outages import (
    EntryTerms,
    Outage,
    OutageState,
    announced,
    late_entries,
    open_outages,
    outages_at,
    to_tell,
)
from models.own_calls import Said, Told
from models.people import Organisation, User
from models.places import Street
from models.reference import ChangedMeanwhile
from models.reports import HistoryRow, Report, ReportState
from models.task_rules import sync_tasks
from models.waiting import count_missed, forsaken_drafts
from models.workdays import WorkCalendar
from tests.desk_fixtures import Exchange, fill_desks, user_id
from tests.helpers import AREA_CODE
from tests.outage_fixtures import details, enter
from tests.web_fixtures import register

HOUR = timedelta(hours=1)
TERMS = EntryTerms(planned=timedelta(hours=24), emergency=timedelta(minutes=60))
NUMBER, OTHER = "0671112233", "0671112244"


@pytest.fixture(params=["settings", "postgres_settings"])
def town(request: pytest.FixtureRequest) -> Iterator[Flask]:
    """People at their desks, on either database."""
    app = bare_app(request.getfixturevalue(request.param))
    with app.app_context():
        fill_desks()
        yield app
        db.session.remove()
        db.engine.dispose()


def user(login: str) -> User:
    return db.session.get_one(User, user_id(login))


def entered(**values: object) -> int:
    with transaction() as session:
        return enter(session, **values).id


def changed(outage_id: int, login: str = "operator", revision: int = 0, **values: object) -> Outage:
    with transaction() as session:
        return change_outage(
            session, outage_id, revision, user(login), details(session, **values), now(), AREA_CODE
        )  # fmt: skip


def ended(outage_id: int) -> None:
    with transaction() as session:
        end_outage(session, outage_id, user("operator"), now())


def history(outage_id: int) -> list[tuple[str, str, str, str]]:
    outage = db.session.get_one(Outage, outage_id, populate_existing=True)
    return [(row.event, row.field, row.before, row.after) for row in outage.changes]


def street(name: str) -> int:
    return db.session.scalars(select(Street.id).where(Street.name == name)).one()


# ---- entering


def test_each_change_has_a_row_that_says_who_and_what(town: Flask):
    """S 3.2: entered, changed and ended, by whom."""
    outage_id = entered(streets="вул. Соборна: 48–50, 5A\nЛеніна 12-48 парні", planned=False)
    outage = db.session.get_one(Outage, outage_id)
    assert outage.where == "Соборна: 48–50, 5а, парні 12–48"  # the former name is the same street
    assert outage.state(now()) == OutageState.ACTIVE
    values = {"begins_at": outage.begins_at, "ends_at": outage.ends_at}
    changed(outage_id, "dyspetcher", streets="Соборна\nСумська", text="Міняють трубу", **values)
    ended(outage_id)
    assert history(outage_id) == [
        ("entered", "", "", ""),
        ("changed", "where", "Соборна: 48–50, 5а, парні 12–48", "Соборна; Сумська"),
        ("changed", "text", "Прорвало трубу", "Міняють трубу"),
        ("ended", "", "", ""),
    ]
    outage = db.session.get_one(Outage, outage_id, populate_existing=True)
    assert [row.user.login for row in outage.changes] == ["operator", "dyspetcher", "dyspetcher", "operator"]
    assert (outage.ended_by.login, outage.state(now())) == ("operator", OutageState.ENDED)
    with pytest.raises(OutageIsOver):
        changed(outage_id, revision=2)
    with pytest.raises(OutageIsOver):
        ended(outage_id)


def test_what_did_not_change_leaves_no_row(town: Flask):
    outage_id = entered()
    outage = db.session.get_one(Outage, outage_id)
    changed(outage_id, begins_at=outage.begins_at, ends_at=outage.ends_at)
    assert len(history(outage_id)) == 1
    assert db.session.get_one(Outage, outage_id, populate_existing=True).revision == 0


def test_two_who_change_it_notice_each_other(town: Flask):
    outage_id = entered()
    changed(outage_id, text="Перша")
    with pytest.raises(ChangedMeanwhile):
        changed(outage_id, text="Друга")


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        ({"organisation": None}, {"organisation_id": "organisation"}),
        ({"kind": None}, {"kind": "kind"}),
        ({"streets": " \n "}, {"streets": "no_place"}),
        ({"streets": "Соборна", "whole_city": True}, {"streets": "not_both"}),
        ({"streets": "Соборна 12–48\nНемає такої 5"}, {"streets": "no_street"}),
        ({"streets": "Соборна: 48–12"}, {"streets": "buildings"}),
        ({"streets": f"Соборна: {', '.join(map(str, range(1, 200)))}"}, {"streets": "long"}),
        ({"begins_at": None}, {"begins_at": "no_time"}),
        ({"begins_at": now() + 2 * HOUR}, {"begins_at": "not_yet"}),  # an emergency
        ({"begins_at": now() - timedelta(days=900)}, {"begins_at": "far"}),
        ({"ends_at": now() + timedelta(days=900)}, {"ends_at": "far"}),
        ({"planned": True, "ends_at": None}, {"ends_at": "no_end"}),
        ({"ends_at": now() - 2 * HOUR}, {"ends_at": "end_first"}),
        ({"begins_at": now() - 2 * HOUR, "ends_at": now() - HOUR}, {"ends_at": "end_past"}),
        ({"text": "я" * 501}, {"text": "long"}),
        ({"text": "Дзвоніть 067 111 22 33"}, {"text": "telephone"}),
    ],
)
def test_what_cannot_be_so_is_refused(app: Flask, wrong: dict, fault: dict):
    fill_desks()
    with pytest.raises(Refused) as refused:
        entered(**wrong)
    assert {name: str(one.kind) for name, one in refused.value.faults.items()} == fault
    assert db.session.scalars(select(Outage)).all() == []


def test_an_operator_keeps_the_own_organisations_alone(town: Flask):
    other = db.session.scalars(select(Organisation).where(Organisation.name == "КП «Комунальник»")).one()
    with pytest.raises(NotYours):
        entered(organisation=other)
    with pytest.raises(NotYours):
        entered(login="kerivnyk")
    with pytest.raises(NotYours):
        entered(login="kontrol")
    theirs = entered(login="dyspetcher", organisation=other)
    own = entered()
    with pytest.raises(NotYours):
        changed(theirs)
    with pytest.raises(NotYours):
        ended(theirs)
    with pytest.raises(NotYours):  # nor is one's own given to another
        changed(own, organisation=other)
    assert [one.id for one in open_outages(db.session(), user("operator"))] == [own]
    assert {one.id for one in open_outages(db.session(), user("nachalnyk"))} == {own, theirs}


# ---- late


def test_what_was_entered_too_late_is_listed(town: Flask):
    """A5: a planned one less than a day before, an emergency more than an hour after its beginning."""
    at = now()
    ahead = {"planned": True, "ends_at": at + timedelta(days=9)}
    entered(begins_at=at - 0.9 * HOUR)
    late = entered(begins_at=at - 1.5 * HOUR)
    entered(begins_at=at + 25 * HOUR, **ahead)
    short = entered(begins_at=at + 22 * HOUR, **ahead)
    moved = entered(begins_at=at + 50 * HOUR, **ahead)
    changed(moved, begins_at=at + 20 * HOUR, **ahead)
    later = entered(begins_at=at + 26 * HOUR, **ahead)
    with transaction() as session:  # entered a day and a half ago, and put off now: nobody is surprised
        outage = session.get_one(Outage, later)
        outage.entered_at = outage.known_at = at - 36 * HOUR
    changed(later, begins_at=at + 27 * HOUR, **ahead)
    found = {outage.id: span for outage, span in late_entries(db.session(), TERMS, at - timedelta(days=30))}
    assert {one: round(span / HOUR, 1) for one, span in found.items()} == {late: 0.5, short: 2.0, moved: 4.0}
    assert late_entries(db.session(), TERMS, at + HOUR) == []


# ---- whom it concerns


def test_an_address_has_its_own_before_the_whole_citys(town: Flask):
    city = entered(whole_city=True, begins_at=now() - timedelta(minutes=5))
    own = entered(streets="Соборна: 12–48")
    entered(planned=True, begins_at=now() + HOUR, streets="Соборна")
    at = now()
    assert [one.id for one in outages_at(db.session(), street("Соборна"), "12а", at)] == [own, city]
    assert [one.id for one in outages_at(db.session(), street("Соборна"), "11", at)] == [city]
    assert [one.id for one in outages_at(db.session(), None, "", at)] == [city]
    told = announced(db.session(), at)
    assert to_tell(told, [(street("Соборна"), "48/2")], at).id == own
    assert to_tell(told, [(street("Соборна"), "49")], at).id == city
    assert to_tell(told, [], at).id == city
    ended(city)
    assert to_tell(announced(db.session(), at), [(street("Сумська"), "12")], at) is None


def test_callers_hear_nothing_before_it_begins_or_once_its_expected_end_has_passed(town: Flask):
    at = now()
    entered(planned=True, begins_at=at + HOUR, ends_at=at + 3 * HOUR, streets="Соборна")
    told, places = announced(db.session(), at + 2 * HOUR), [(street("Соборна"), "1")]
    assert [to_tell(told, places, at + hours * HOUR) is not None for hours in (0, 1, 2, 3, 4)] == [
        False, True, True, False, False,
    ]  # fmt: skip
    assert open_outages(db.session())[0].overdue(at + 4 * HOUR)


def test_a_number_belongs_to_the_last_three_buildings_that_were_reported_from_it(town: Flask):
    """Newest first; a street that was named alone is the same place as its building."""

    def places(number: str = "+380671112233") -> list[tuple[str, str]]:
        names = dict(db.session.execute(select(Street.id, Street.name)).all())
        return [(names[street_id], building) for street_id, building in likely_places(db.session(), number)]

    assert places() == []
    register(town, "Не горить", number=NUMBER, street="Соборна", building="12А")
    register(town, "Знову", number=NUMBER, street="Соборна", building="12 а")
    register(town, "Знову", number=NUMBER, street="Соборна", building="")
    assert places() == [("Соборна", "12 а")]
    register(town, "Не там", number=NUMBER, street="Сумська", building="7")
    register(town, "І не там", number=NUMBER, street="Київська", building="3")
    assert places() == [("Київська", "3"), ("Сумська", "7"), ("Соборна", "12 а")]
    register(town, "Знову не там", number=NUMBER, street="Київська", building="5")
    assert places() == [("Київська", "5"), ("Київська", "3"), ("Сумська", "7")]
    Exchange(town).call(OTHER)  # a draft tells nothing yet
    assert places("+380671112244") == []
    register(town, "Вулиця", number=OTHER, street="Сумська", building="")
    assert places("+380671112244") == [("Сумська", "")]


def test_who_has_reported_from_two_buildings_hears_of_the_one_that_is_hit(town: Flask):
    """Of both: of the newer one. The whole city's, which is theirs in any case, comes before that of an older one."""
    at = now()
    own = entered(streets="Соборна: 12–48")
    register(town, "Удома", number=NUMBER, street="Соборна", building="12")
    register(town, "У батьків", number=NUMBER, street="Сумська", building="7")

    def heard_of() -> int:
        return to_tell(announced(db.session(), at), likely_places(db.session(), "+380671112233"), at).id

    assert heard_of() == own
    entered(streets="Сумська: 9–21")  # not theirs
    assert heard_of() == own
    newer = entered(streets="Сумська: 1–7")
    assert heard_of() == newer
    ended(newer)
    city = entered(whole_city=True, begins_at=at - HOUR)
    assert heard_of() == city
    ended(city)
    assert heard_of() == own


# ---- who called


def heard(outage_id: int, number: str = NUMBER, *, left: bool = False, hung_up_first: bool = False) -> int:
    """A citizen calls and hears it: the draft's id."""
    call_id, draft_id = Exchange(current_app).call(number)
    with transaction() as session:
        call = session.get_one(Call, call_id)
        if hung_up_first:
            note_hung_up(session, call, now(), 16)
        for leaves in dict.fromkeys((False, left)):
            note_heard(session, call, outage_id, now(), left=leaves)
    Exchange(current_app).hang_up(call_id)
    return draft_id


@pytest.mark.parametrize("hung_up_first", [False, True])
def test_who_leaves_over_it_is_affected_and_not_missed(town: Flask, hung_up_first: bool):
    """C7: nobody calls them back; the call is a consultation, and counts for the outage."""
    outage_id = entered()
    draft_id = heard(outage_id, left=True, hung_up_first=hung_up_first)
    draft = db.session.get_one(Report, draft_id, populate_existing=True)
    assert (draft.call.state, draft.state) == (CallState.AFFECTED, ReportState.CONSULTATION)
    with transaction() as session:
        sync_tasks(session, WorkCalendar(), now())
    assert (count_missed(db.session()), db.session.scalars(select(CallTask)).all()) == (0, [])
    assert forsaken_drafts(db.session()).count == 0
    assert [(one.row.report_id, one.row.left) for one in who_called(db.session(), outage_id)] == [(draft_id, True)]


def test_who_stays_and_is_not_answered_is_missed(town: Flask):
    outage_id = entered()
    draft_id = heard(outage_id)
    assert db.session.get_one(Report, draft_id).call.state == CallState.MISSED
    assert count_missed(db.session()) == 1
    assert [one.row.left for one in who_called(db.session(), outage_id)] == [False]


def test_a_draft_that_somebody_works_on_stays_theirs(town: Flask):
    outage_id = entered()
    call_id, draft_id = Exchange(town).call(NUMBER)
    with transaction() as session:
        session.get_one(Report, draft_id).owner_id = user_id("tsapkova")
        note_heard(session, session.get_one(Call, call_id), outage_id, now(), left=True)
    assert db.session.get_one(Report, draft_id).state == ReportState.DRAFT


def test_an_outage_that_is_not_there_changes_nothing(town: Flask):
    draft_id = heard(999, left=True)
    assert db.session.get_one(Report, draft_id).call.state == CallState.MISSED


def test_a_person_says_that_a_report_is_about_it_and_takes_it_back(town: Flask):
    outage_id = entered()
    report_id = register(town, "Немає води")

    def say(about: bool) -> set[int]:
        with transaction() as session:
            report = session.get_one(Report, report_id)
            note_about(session, report, outage_id, user("tsapkova"), now(), about=about)
        return about_outages(db.session(), report_id)

    assert (say(True), say(True), say(False)) == ({outage_id}, {outage_id}, set())


# ---- is it back?


def asked(outage_id: int, login: str = "dyspetcher") -> int:
    with transaction() as session:
        return ask_callers(session, outage_id, user(login), now())


def tasks() -> list[CallTask]:
    return list(db.session.scalars(select(CallTask).order_by(CallTask.id).execution_options(populate_existing=True)))


def told(task_id: int, said: Said, words: str = "") -> int | None:
    dialler = Dialler(Rules(), Lines(capacity=3, reserved=1), WorkCalendar())
    with transaction() as session:
        task = session.get_one(CallTask, task_id)
        return answer(session, dialler, task, user("dyspetcher"), Told(said, words), now())


@pytest.fixture
def over(town: Flask) -> int:
    """An outage that is over: three calls of one number, one of another, one that is withheld."""
    outage_id = entered()
    for number in (NUMBER, NUMBER, OTHER, "anonymous"):
        heard(outage_id, number, left=True)
    with transaction() as session:
        report = session.get_one(Report, register(town, "Немає води", number=NUMBER))
        note_about(session, report, outage_id, user("tsapkova"), now(), about=True)
    with pytest.raises(NotOver):
        asked(outage_id)
    ended(outage_id)
    return outage_id


def test_each_number_is_asked_once_however_often_it_called(over: int):
    """C7, C5: one click; a second one asks nobody again."""
    assert len(to_ask(db.session(), over)) == 2
    assert (asked(over), asked(over)) == (2, 0)
    made = tasks()
    assert {task.number for task in made} == {"+380671112233", "+380671112244"}
    assert {(task.purpose, task.outage_id) for task in made} == {(Purpose.CLARIFICATION, over)}
    assert made[0].report.number is not None  # of the number that called often the newest
    with transaction() as session:
        sync_tasks(session, WorkCalendar(), now())
    assert all(task.open for task in tasks())  # though a consultation is no open report
    assert history(over)[-1] == ("asked", "", "", "2")
    with pytest.raises(NotYours):
        asked(over, "operator")


def test_it_is_back(over: int):
    asked(over)
    task = tasks()[-1]
    assert told(task.id, Said.RESTORED) is None
    (row,) = db.session.scalars(select(OutageCaller).where(OutageCaller.report_id == task.report_id))
    assert (tasks()[-1].state, row.restored) == (TaskState.SETTLED, True)
    notes = select(HistoryRow.note).where(HistoryRow.report_id == task.report_id)
    assert BACK in db.session.scalars(notes).all()
    with pytest.raises(IllegalMove):
        told(task.id, Said.RESTORED)


def test_it_is_not_back(over: int):
    """A draft with number and place is there at once."""
    asked(over)
    task = tasks()[0]
    draft = db.session.get_one(Report, told(task.id, Said.NOT_RESTORED))
    assert (draft.state, draft.contact_number, draft.text) == (ReportState.DRAFT, task.number, NOT_BACK)
    assert (draft.owner.login, draft.street.name, draft.building) == ("dyspetcher", "Київська", "12")
    (row,) = db.session.scalars(select(OutageCaller).where(OutageCaller.report_id == task.report_id))
    assert row.restored is False


def test_other_words_and_that_nobody_is_to_be_called(over: int):
    asked(over)
    first, second = tasks()
    for said in (Said.ANSWER, Said.NOT_NEEDED):
        with pytest.raises(WordsMissing):
            told(first.id, said)
    told(first.id, Said.ANSWER, "Є, але іржава")
    told(second.id, Said.NOT_NEEDED, "Дзвонив сусід")
    assert [task.state for task in tasks()] == [TaskState.SETTLED, TaskState.CANCELLED]
    notes = db.session.scalars(select(HistoryRow.note).where(HistoryRow.report_id == first.report_id)).all()
    assert "Заявник уточнив: Є, але іржава" in notes


def test_who_is_to_be_asked_something_already_is_called_once(over: int):
    report = to_ask(db.session(), over)
    registered = next(one for one in report if one.number)
    with transaction() as session:
        ask_applicant(session, session.get_one(Report, registered.id), user("tsapkova"), "Який поверх?", now())
    asked(over)
    (both,) = [task for task in tasks() if task.report_id == registered.id]
    assert both.words == "Який поверх?\n\nВідключення води завершено. Чи є у вас вода?"


def test_an_erased_number_is_asked_nothing(over: int):
    asked(over)
    with transaction() as session:
        for task in session.scalars(select(CallTask)):
            task.number = task.report.contact_number = None
        sync_tasks(session, WorkCalendar(), now())
    assert {task.state for task in tasks()} == {TaskState.CANCELLED}
