"""One call, one draft, one number a report: whatever several processes do at once, on both databases."""

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from jobs.app import bare_app
from jobs.settings import Settings
from models.base import db, transaction
from models.calls import Call, CallState, find_call, note_answered, note_hung_up
from models.drafts import TakenByAnother, claim_draft, register_draft
from models.intake import Began, record_calls
from models.lines import Line
from models.people import Organisation, Role, User
from models.places import Category, Street
from models.reports import HistoryRow, Report, ReportState
from tests.helpers import AREA_CODE, START, close_database, record_call

AT_ONCE = 8


@pytest.fixture(params=["sqlite", "postgresql"])
def any_database(request: pytest.FixtureRequest) -> Settings:
    """Settings with a migrated database: SQLite, then PostgreSQL."""
    return request.getfixturevalue("settings" if request.param == "sqlite" else "postgres_settings")


def run_at_once(settings: Settings, act: Callable[[Flask, int], object]) -> list[object]:
    """``act`` in as many threads as there are, each with an application of its own, started together."""
    gate = multiprocessing.get_context("spawn").Barrier(AT_ONCE)
    apps = [bare_app(settings, lock_seconds=30) for _ in range(AT_ONCE)]

    def run(place: int) -> object:
        with apps[place].app_context():
            gate.wait(30)
            try:
                return act(apps[place], place)
            finally:
                db.session.remove()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        results = list(pool.map(run, range(AT_ONCE)))
    for app in apps:
        close_database(app)
    return results


def record_in_process(settings: Settings, gate, place: int) -> None:
    """What each process of the test below does: AGI, listener and reconciler, all for the same twenty calls."""
    app = bare_app(settings, lock_seconds=30)
    with app.app_context():
        gate.wait(120)
        for call in range(20):
            with transaction() as session:
                found, _draft = record_call(session, uniqueid=f"romny-{call}.1")
                if place % 2:
                    note_answered(session, found, f"romny-{call}.2", None, START + timedelta(seconds=5))
    close_database(app)


def test_eight_processes_record_the_same_calls_once(any_database):
    """I1: one call, one draft, one leg; on the database's own word."""
    context = multiprocessing.get_context("spawn")
    gate = context.Barrier(AT_ONCE)
    processes = [
        context.Process(target=record_in_process, args=(any_database, gate, place)) for place in range(AT_ONCE)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(240)
    assert [process.exitcode for process in processes] == [0] * AT_ONCE
    app = bare_app(any_database)
    with app.app_context():
        count = {
            table.__tablename__: db.session.scalar(select(func.count()).select_from(table))
            for table in (Call, Report, HistoryRow)
        }
        assert count == {"calls": 20, "reports": 20, "report_history": 20}
        assert {call.state for call in db.session.scalars(select(Call))} == {CallState.TALKING}
    close_database(app)


@pytest.fixture
def drafts(any_database) -> list[int]:
    """Complete drafts, ready to be registered; with the users user0 … user7."""
    app = bare_app(any_database)
    with app.app_context():
        with transaction() as session:
            organisation = Organisation(name="КП «Міськсвітло»")
            category = Category(name="Освітлення", organisation=organisation)
            street = Street(name="вулиця Київська")
            users = [
                User(login=f"user{n}", name=f"U{n}", password_hash="x", role=Role.ADMINISTRATOR) for n in range(AT_ONCE)
            ]
            session.add_all([category, street, *users])
            session.flush()
            made = []
            for place in range(AT_ONCE * 5):
                draft = record_call(session, uniqueid=f"romny-{place}.1")[1]
                draft.category_id, draft.text, draft.street_id = category.id, "не горить ліхтар", street.id
                draft.building, draft.executor_id = str(place), organisation.id
                made.append(draft.id)
        db.session.remove()
    close_database(app)
    return made


def test_who_comes_second_still_tells_what_they_know(app):
    with transaction() as session:
        session.add(Line(number="5-32-73", e164="+380544853273"))
        first, draft = record_call(session, "", uniqueid="romny-9.1", line="99999")
        second, same = record_call(session, uniqueid="romny-9.1", name="Olena")
        assert (second, same) == (first, draft)
        assert (second.line.number, second.number, second.caller_name) == ("5-32-73", "+380671234567", "Olena")


def test_report_numbers_are_given_once_without_gaps(any_database, drafts):
    """I5: eight administrators register at the same time."""

    def register(_app: Flask, place: int) -> list[str]:
        given = []
        for draft_id in drafts[place::AT_ONCE]:
            with transaction() as session:
                user = session.scalars(select(User).where(User.login == f"user{place}")).one()
                draft = session.get_one(Report, draft_id)
                register_draft(session, draft, user)
                given.append(draft.number)
        return given

    numbers = sorted(number for given in run_at_once(any_database, register) for number in given)
    year = numbers[0][:4]
    assert numbers == [f"{year}-{place:04d}" for place in range(1, len(drafts) + 1)]


def test_of_eight_who_claim_a_draft_one_gets_it_and_the_others_hear_who(any_database, drafts):
    """I3"""

    def claim(_app: Flask, place: int) -> tuple[str, str]:
        with transaction() as session:
            user = session.scalars(select(User).where(User.login == f"user{place}")).one()
            try:
                claim_draft(session, session.get_one(Report, drafts[0]), user)
            except TakenByAnother as taken:
                return "told", taken.owner.login
            return "got", user.login

    results = run_at_once(any_database, claim)
    got = [login for word, login in results if word == "got"]
    assert len(got) == 1
    assert {login for word, login in results if word == "told"} == set(got)


def test_the_call_is_kept_as_received_and_never_stops(app):
    """I1: control characters, half characters and four thousand letters."""
    with transaction() as session:
        session.add(Line(number="5-32-73", e164="+380544853273"))
        call, draft = record_call(session, line="+380544853273", name="Ім'я\r\nX: y \ud800 ☎" + "я" * 4000)
        assert (call.number, draft.contact_number) == ("+380671234567", "+380671234567")
        assert call.line.number == draft.line.number == "5-32-73"
        assert "\n" not in call.caller_name
        assert len(call.caller_name) <= 128
        strange, _draft = record_call(session, "anonymous", line="99999")
        assert (strange.number, strange.number_received, strange.line_id) == (None, "anonymous", None)


@pytest.mark.parametrize("dialled", ["53273", "5-32-73", "0544853273", "380544853273", "+380544853273"])
def test_the_line_is_known_in_all_its_forms(app, dialled):
    """I1"""
    with transaction() as session:
        session.add(Line(number="5-32-73", e164="+380544853273"))
        session.add(Line(number="5-32-75", e164="+380544853275"))
        session.flush()
        assert record_call(session, line=dialled)[0].line.number == "5-32-73"


def test_a_call_that_ends_before_it_is_answered_is_missed_and_has_its_draft(app):
    """I1, C1"""
    with transaction() as session:
        call, draft = record_call(session, uniqueid="romny-1.1")
        note_hung_up(session, call, START + timedelta(seconds=12), 16)
        assert (call.state, draft.state) == (CallState.MISSED, ReportState.DRAFT)
        assert find_call(session, "romny-1.1") is call


def test_calls_that_are_told_together_have_one_draft_each_however_often_they_are_told(any_database):
    app = bare_app(any_database)
    with app.app_context():
        with transaction() as session:
            older, _draft = record_call(session, uniqueid="romny-1.1", number="", at=START)
        begun = [
            Began("romny-1.1", "53273", "0671234567", "", START),
            Began("romny-2.1", "53275", "0501234567", "", START + timedelta(seconds=2)),
            Began("romny-3.1", "999", "", "", START),
            Began("romny-2.1", "53275", "", "Олена", START + timedelta(seconds=1)),
        ]
        with transaction() as session:
            known = {"romny-1.1": session.get_one(Call, older.id)}
            calls = record_calls(session, begun, AREA_CODE, known)
        told = [
            (calls[one].number, calls[one].caller_name, calls[one].started_at - START)
            for one in ("romny-1.1", "romny-2.1", "romny-3.1")
        ]
        assert told == [
            ("+380671234567", "", timedelta()),
            ("+380501234567", "Олена", timedelta(seconds=1)),
            (None, "", timedelta()),
        ]
        drafts = select(Report.contact_number).join(Call, Call.id == Report.call_id).order_by(Call.uniqueid)
        assert db.session.scalars(drafts).all() == ["+380671234567", "+380501234567", None]
        assert db.session.scalar(select(func.count(HistoryRow.id))) == 3
        db.session.remove()
    close_database(app)


def test_two_that_tell_the_same_calls_in_another_order_wait_for_each_other_and_never_both(any_database):
    def record(_app: Flask, place: int) -> list[Exception]:
        troubles = []
        for batch in range(10):
            begun = [Began(f"romny-{batch}.{one}", "53273", "0671234567", "", START) for one in range(20)]
            try:
                with transaction() as session:
                    record_calls(session, begun[:: -1 if place % 2 else 1], AREA_CODE, {})
            except DBAPIError as error:
                troubles.append(error)
        return troubles

    assert run_at_once(any_database, record) == [[]] * AT_ONCE
