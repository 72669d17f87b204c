"""Who was promised a call is called, whatever becomes of the report; nobody is asked the same twice (C4, C7, S 3.2)."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select, text

from jobs.callfacts import Began, CallEnded, apply
from jobs.settings import Settings
from models.acts import Act
from models.attempts import Attempt, AttemptState, AttemptTask
from models.base import db, now, transaction
from models.calltasks import (
    CallTask,
    Move,
    Purpose,
    TaskEvent,
    TaskState,
    Why,
    add_task,
    lock_question,
    move_task,
    open_question,
)
from models.clarifications import WANTS_PERSON, ask_applicant, talk_with
from models.dialling import why_not
from models.drafts import end_draft
from models.erasure import anonymise_report
from models.kept import unlocked
from models.missed import waits_for_us
from models.outage_acts import end_outage
from models.outage_calls import QUESTIONS, OutageCaller, answer_restored, ask_callers, note_about, to_ask
from models.outages import Announced, OutageKind, to_tell
from models.people import User
from models.reports import HistoryEvent, Report, ReportEvent, ReportState
from models.settling import answer_by_key
from models.shifts import figures_now
from models.status_script import Key
from models.task_rules import sync_tasks
from tests.helpers import AREA_CODE, START, close_database, meanwhile
from tests.outage_fixtures import enter
from tests.test_web_checks import CALENDAR, done, task_of
from tests.test_web_taken_back import after, press
from tests.test_web_work import act
from tests.web_fixtures import filled_web, logged_in, register


def user_of(session, login: str) -> User:
    return session.scalar(select(User).where(User.login == login))


def ask(web: Flask, report_id: int) -> None:
    with web.app_context(), transaction() as session:
        ask_applicant(session, session.get_one(Report, report_id), user_of(session, "tsapkova"), "Який будинок?", now())


def sync(web: Flask) -> None:
    with web.app_context(), transaction() as session:
        sync_tasks(session, CALENDAR, now())


def outage_of(web: Flask, report_id: int) -> int:
    """An outage of the water, about which the report's applicant called."""
    with web.app_context(), transaction() as session:
        outage_id = enter(session, login="nachalnyk", kind=OutageKind.WATER).id
        report = session.get_one(Report, report_id)
        note_about(session, report, outage_id, user_of(session, "tsapkova"), now(), about=True)
        return outage_id


def question(web: Flask, report_id: int) -> str | None:
    """The words of what the applicant is to be asked."""
    with web.app_context():
        task = open_question(db.session(), report_id)
        return task.words if task else None


def question_task(web: Flask, report_id: int) -> CallTask | None:
    with web.app_context():
        return open_question(db.session(), report_id)


def test_a_question_that_ended_with_an_answer_is_asked_again_once_the_answer_is_taken_back(web: Flask) -> None:
    task_id = done(web)
    report_id = task_of(web, task_id).report_id
    ask(web, report_id)
    form = after(web, task_id, "done")
    sync(web)
    assert question(web, report_id) is None
    press(web, form)
    sync(web)
    assert question(web, report_id) == "Який будинок?"
    with web.app_context():
        told = [row.event for row in db.session.get_one(Report, report_id).history]
        told = [event for event in told if event != "note"][-4:]
    assert told == ["confirmed", "clarification_called_off", "confirm_taken_back", "clarification_asked"]


@pytest.mark.parametrize("new", ["Який будинок?", WANTS_PERSON, QUESTIONS[OutageKind.WATER]])
def test_a_question_that_is_asked_again_joins_the_one_that_was_asked_meanwhile(web: Flask, new: str) -> None:
    """Of a report one question is open at a time, and nobody is asked the same twice in one call."""
    task_id = done(web)
    report_id = task_of(web, task_id).report_id
    outage_id = outage_of(web, report_id)
    ask(web, report_id)
    form = after(web, task_id, "done")
    sync(web)
    with web.app_context(), transaction() as session:
        report = session.get_one(Report, report_id)
        if new == WANTS_PERSON:
            talk_with(session, report, report.contact_number, now())
        elif new == QUESTIONS[OutageKind.WATER]:
            end_outage(session, outage_id, user_of(session, "nachalnyk"), now())
            ask_callers(session, outage_id, user_of(session, "dyspetcher"), now())
        else:
            asked = {"report_id": report_id, "number": report.contact_number, "words": new}
            add_task(session, Purpose.CLARIFICATION, now(), now(), **asked)
    assert question(web, report_id) == new
    assert press(web, form).status_code == 302
    sync(web)
    assert question(web, report_id) == (new if new == "Який будинок?" else f"{new}\n\nЯкий будинок?")
    with web.app_context():
        report = db.session.get_one(Report, report_id)
        told = [row.note for row in report.history if row.event == HistoryEvent.CLARIFICATION_ASKED]
        assert told.count("Який будинок?") == (1 if new == "Який будинок?" else 2)
        assert report.state == ReportState.DONE


@pytest.mark.parametrize("asked", [False, True], ids=["alone", "with an administrator's question"])
def test_who_asked_for_a_person_is_called_also_when_the_report_is_closed(web: Flask, asked: bool) -> None:
    report_id = task_of(web, done(web)).report_id
    if asked:
        ask(web, report_id)
    with web.app_context(), transaction() as session:
        report = session.get_one(Report, report_id)
        talk_with(session, report, report.contact_number, now())
    act(web, "tsapkova", report_id, Act.CLOSE, words="Закрито")
    sync(web)
    assert "заявник попросив розмови" in question(web, report_id)


def asks_for_person(web: Flask, task_id: int) -> None:
    """The applicant presses the key for a person in the machine's call about the check."""
    with web.app_context(), transaction() as session:
        task = session.get_one(CallTask, task_id)
        attempt = Attempt(
            number=task.number, planned_at=now(), dialled_at=now(), answered_at=now(), state=AttemptState.TALKING
        )
        attempt.parts = [AttemptTask(task_id=task_id, place=1)]
        session.add(attempt)
        session.flush()
        answer_by_key(session, attempt.id, task_id, Key.PERSON, now())
        attempt.state, attempt.settled_at = AttemptState.SETTLED, now()


@pytest.mark.parametrize("answered", [False, True], ids=["closed without an answer", "answered a person since"])
def test_who_pressed_the_key_for_a_person_at_the_check_is_called_too(web: Flask, answered: bool) -> None:
    task_id = done(web)
    report_id = task_of(web, task_id).report_id
    asks_for_person(web, task_id)
    act(web, "tsapkova", report_id, Act.CONFIRM if answered else Act.CLOSE, words="Закрито")
    sync(web)
    assert (question(web, report_id) is None) is answered


def not_reached(web: Flask, page: str, task_id: int, times: int = 3) -> None:
    browser = logged_in(web, "dyspetcher")
    for _ in range(times):
        kept = browser.post(f"/{page}/{task_id}/answer", {"anyway": "not_reached"}, page="/me")
        assert kept.status_code == 302
        sync(web)


@pytest.mark.parametrize("asked", [False, True], ids=["alone", "with an administrator's question"])
@pytest.mark.parametrize("closed_first", [False, True], ids=["then closed", "closed before"])
def test_a_promise_outlives_the_calls_in_vain_and_the_report(web: Flask, asked: bool, closed_first: bool) -> None:
    """Three calls in vain, and a person decides: it stands in the list, and they may still be called."""
    report_id = task_of(web, done(web)).report_id
    if asked:
        ask(web, report_id)
    with web.app_context(), transaction() as session:
        report = session.get_one(Report, report_id)
        talk_with(session, report, report.contact_number, now())
    task_id = question_task(web, report_id).id
    if not closed_first:
        not_reached(web, "calls", task_id)
    act(web, "tsapkova", report_id, Act.CLOSE, words="Закрито")
    sync(web)
    if closed_first:
        not_reached(web, "calls", task_id)
    task = question_task(web, report_id)
    assert (task.id, task.state, task.why) == (task_id, TaskState.PERSON, Why.TRIES_OVER)
    assert WANTS_PERSON in task.words
    with web.app_context():
        assert why_not(db.session(), db.session.get_one(CallTask, task_id)) is None
        (row,) = figures_now(db.session(), now())["promised"]["rows"]
        assert (row["id"], row["by"]) == (task_id, "")
    logged_in(web, "dyspetcher").post(f"/calls/{task_id}/answer", {"anyway": "answer", "words": "Так"}, page="/me")
    sync(web)
    assert question(web, report_id) is None


@pytest.mark.parametrize("talked", [False, True], ids=["never reached", "spoken with"])
def test_a_promise_at_the_check_outlives_the_calls_in_vain_but_not_a_talk(web: Flask, talked: bool) -> None:
    task_id = done(web)
    report_id = task_of(web, task_id).report_id
    asks_for_person(web, task_id)
    not_reached(web, "checks", task_id)
    assert (task_of(web, task_id).state, task_of(web, task_id).why) == (TaskState.PERSON, Why.TRIES_OVER)
    if talked:
        words = {"anyway": "other", "words": "Ще подивиться"}
        logged_in(web, "dyspetcher").post(f"/checks/{task_id}/answer", words, page="/me")
    act(web, "tsapkova", report_id, Act.CLOSE, words="Закрито")
    sync(web)
    assert question(web, report_id) == (None if talked else WANTS_PERSON)


@pytest.fixture
def asked_on_postgres(postgres_settings: Settings) -> Iterator[tuple[Flask, int]]:
    """On PostgreSQL, where two write at once: a report of whose applicant something is asked."""
    web = filled_web(postgres_settings)
    report_id = task_of(web, done(web)).report_id
    ask(web, report_id)
    yield web, report_id
    close_database(web)


def test_a_promise_that_comes_while_a_colleague_answers_the_question_is_kept(
    asked_on_postgres: tuple[Flask, int],
) -> None:
    """The question's row is locked: once it is settled, the promise is a call of its own."""
    web, report_id = asked_on_postgres

    def promise() -> None:
        with web.app_context(), transaction() as session:
            report = session.get_one(Report, report_id)
            talk_with(session, report, report.contact_number, now())

    with web.app_context(), transaction() as session:
        task = lock_question(session, report_id)
        move_task(session, task, Move(TaskEvent.SETTLED, user_of(session, "dyspetcher"), Why.ANSWERED), now())
        session.flush()
        other = meanwhile(session, promise)
    other.join(20)
    assert question(web, report_id) == WANTS_PERSON


def test_a_question_after_an_outage_that_is_added_while_a_promise_comes_leaves_its_words(
    asked_on_postgres: tuple[Flask, int],
) -> None:
    web, report_id = asked_on_postgres
    outage_id = outage_of(web, report_id)
    with web.app_context(), transaction() as session:
        end_outage(session, outage_id, user_of(session, "nachalnyk"), now())

    def add() -> None:
        with web.app_context(), transaction() as session:
            ask_callers(session, outage_id, user_of(session, "dyspetcher"), now())

    with web.app_context(), transaction() as session:
        report = session.get_one(Report, report_id)
        talk_with(session, report, report.contact_number, now())
        session.flush()
        other = meanwhile(session, add)
    other.join(20)
    assert question(web, report_id) == f"Який будинок?\n\n{WANTS_PERSON}\n\n{QUESTIONS[OutageKind.WATER]}"


@pytest.mark.parametrize("wanted", [Act.ASK, Act.CALL_OFF])
def test_the_reports_page_locks_the_question_before_the_report_as_everybody_does(
    asked_on_postgres: tuple[Flask, int], wanted: Act
) -> None:
    """Else each of two would wait for what the other has locked."""
    web, report_id = asked_on_postgres
    answers = []

    def send() -> None:
        answers.append(act(web, "tsapkova", report_id, wanted, words="Який під'їзд?").status_code)

    with web.app_context(), transaction() as session:
        lock_question(session, report_id)
        other = meanwhile(session, send)
        session.execute(text("SET LOCAL lock_timeout = '2s'"))
        session.get_one(Report, report_id, with_for_update=True)
    other.join(20)
    assert answers == [302]


@pytest.mark.parametrize("seen", [False, True], ids=["made after the page was loaded", "seen on the page"])
@pytest.mark.parametrize("where", ["report", "calls", "calls, closed"])
def test_a_promise_is_called_off_only_by_who_has_seen_it(web: Flask, where: str, seen: bool) -> None:
    report_id = task_of(web, done(web)).report_id
    ask(web, report_id)
    asked, browser = question_task(web, report_id), logged_in(web, "tsapkova")
    address = f"/reports/{report_id}" if where == "report" else f"/calls?task={asked.id}"

    def promise() -> None:
        with web.app_context(), transaction() as session:
            report = session.get_one(Report, report_id)
            talk_with(session, report, report.contact_number, now())

    if seen:
        promise()
    loaded = browser.get(address).text
    if not seen:
        promise()
    if where == "calls, closed":
        act(web, "dyspetcher", report_id, Act.CLOSE, words="Закрито")
    form = {"questions": re.search(r'name="questions" value="(\d+)"', loaded)[1], "words": "Знайшли самі"}
    if where == "report":
        assert act(web, "tsapkova", report_id, Act.CALL_OFF, **form).status_code == 302
    else:
        kept = browser.post(f"/calls/{asked.id}/answer", {"anyway": "not_needed", **form}, page="/me")
        assert kept.status_code == 302
    assert task_of(web, asked.id).state == TaskState.CANCELLED
    act(web, "tsapkova", report_id, Act.CLOSE, words="Закрито")
    sync(web)
    assert question(web, report_id) == (None if seen else WANTS_PERSON)


def test_of_whom_nothing_is_known_any_more_nobody_is_promised_a_call(web: Flask) -> None:
    report_id = task_of(web, done(web)).report_id
    with web.app_context(), transaction() as session:
        report = session.get_one(Report, report_id)
        talk_with(session, report, report.contact_number, now())
    act(web, "tsapkova", report_id, Act.CLOSE, words="Закрито")
    with web.app_context(), transaction() as session, unlocked(session):
        anonymise_report(session, session.get_one(Report, report_id), None, "строк", texts=True, at=now())
    sync(web)
    assert question(web, report_id) is None


def test_who_called_about_two_outages_is_asked_about_each_once(web: Flask) -> None:
    report_id = register(web, "Немає води і світла", number="0671234567")
    with web.app_context(), transaction() as session:
        outages = [
            enter(session, login="nachalnyk", kind=kind).id for kind in (OutageKind.WATER, OutageKind.ELECTRICITY)
        ]
        for outage_id in outages:
            report = session.get_one(Report, report_id)
            note_about(session, report, outage_id, user_of(session, "tsapkova"), now(), about=True)
    with web.app_context(), transaction() as session:
        for outage_id in outages:
            end_outage(session, outage_id, user_of(session, "nachalnyk"), now())
    browser = logged_in(web, "dyspetcher")
    for outage_id in (*outages, outages[1], outages[1]):
        browser.post(f"/outages/{outage_id}/ask", page="/me")
    words = question(web, report_id)
    assert (words.count("води"), words.count("світла")) == (1, 1)
    with web.app_context(), transaction() as session:
        task = session.scalars(select(CallTask).where(CallTask.report_id == report_id)).one()
        answer_restored(session, task, user_of(session, "dyspetcher"), now(), restored=True)
    with web.app_context():
        assert [to_ask(db.session(), outage_id) for outage_id in outages] == [[], []]
        answers = select(OutageCaller.outage_id, OutageCaller.restored).order_by(OutageCaller.outage_id)
        assert [tuple(row) for row in db.session.execute(answers)] == [(outages[0], True), (outages[1], True)]


@pytest.mark.parametrize("said", ["restored", "not_restored"])
@pytest.mark.parametrize(
    ("promised", "rest"),
    [(False, "Який будинок?"), (True, WANTS_PERSON), (True, f"Який будинок?\n\n{WANTS_PERSON}")],
    ids=["an administrator's question", "a promise", "both"],
)
def test_a_key_about_the_outage_answers_nothing_else(web: Flask, said: str, promised: bool, rest: str) -> None:
    report_id = task_of(web, done(web)).report_id
    outage_id = outage_of(web, report_id)
    if rest != WANTS_PERSON:
        ask(web, report_id)
    with web.app_context(), transaction() as session:
        end_outage(session, outage_id, user_of(session, "nachalnyk"), now())
        ask_callers(session, outage_id, user_of(session, "dyspetcher"), now())
        report = session.get_one(Report, report_id)
        if promised:
            talk_with(session, report, report.contact_number, now())
    asked = question_task(web, report_id)
    browser = logged_in(web, "dyspetcher")
    browser.post(f"/calls/{asked.id}/answer", {"anyway": said}, page="/me")
    sync(web)
    left = question_task(web, report_id)
    assert (left.words, left.outage_id, left.deadline_at) == (rest, None, asked.deadline_at)
    assert (left.number, left.asked_by_id) == (asked.number, asked.asked_by_id)
    assert task_of(web, asked.id).why == Why.ANSWERED
    with web.app_context():
        assert db.session.scalars(select(OutageCaller.restored)).one() is (said == "restored")
        assert to_ask(db.session(), outage_id) == []
    page = browser.get("/calls").text
    assert f'data-task="{left.id}"' in page
    assert 'value="restored"' not in page
    act(web, "tsapkova", report_id, Act.CLOSE, words="Закрито")
    sync(web)
    assert question(web, report_id) == (rest if promised else None)


def test_an_outage_at_a_former_address_hides_none_of_the_whole_city() -> None:
    at = now()
    city = Announced(1, OutageKind.GAS, False, True, at - timedelta(minutes=5), None, "Газ", ())
    works = Announced(2, OutageKind.REPAIR_WORKS, True, False, at - timedelta(hours=5), None, "Ремонт", ((7, ""),))
    assert to_tell([city, works], [(5, "1"), (7, "3")], at) is city
    assert to_tell([city, works], [(7, "3"), (5, "1")], at) is works
    assert to_tell([works], [(5, "1"), (7, "3")], at) is works


@pytest.mark.parametrize("late", [False, True], ids=["while it rang", "after it"])
def test_a_talk_recorded_while_it_rang_of_a_call_that_nobody_answered_was_none(web: Flask, late: bool) -> None:
    began = Began("romny-1.1", "53273", "0671234567", "", START)
    over = CallEnded("romny-1.1", START + timedelta(seconds=20), 19)
    with web.app_context():
        with transaction() as session:
            apply(session, [began, over] if late else [began], AREA_CODE)
        with transaction() as session:
            draft = session.scalars(select(Report).where(Report.state == ReportState.DRAFT)).one()
            at = over.at + timedelta(minutes=1 if late else -1)
            end_draft(session, draft, user_of(session, "tsapkova"), ReportEvent.CONSULTED, at=at)
        for _ in range(2):  # told again by the file of calls
            with transaction() as session:
                apply(session, [over], AREA_CODE)
        assert waits_for_us(db.session(), "+380671234567") is not late


def test_nobody_records_an_answer_on_the_reports_page_while_a_colleague_asks_for_it(web: Flask) -> None:
    task_id = done(web)
    report_id = task_of(web, task_id).report_id
    with web.app_context(), transaction() as session:
        task, user = session.get_one(CallTask, task_id), user_of(session, "dyspetcher")
        attempt = Attempt(
            number=task.number, user_id=user.id, planned_at=now(), dialled_at=now(), state=AttemptState.TALKING
        )
        attempt.parts = [AttemptTask(task_id=task_id, place=1)]
        session.add(attempt)
    refused = act(web, "tsapkova", report_id, Act.CONFIRM)
    assert refused.status_code == 422
    assert "Цьому заявникові телефонує колега." in refused.text
    with web.app_context():
        assert db.session.get_one(Report, report_id).state == ReportState.DONE
    assert act(web, "dyspetcher", report_id, Act.CONFIRM).status_code == 302
