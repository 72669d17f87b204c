"""Pages about warnings: the letters, who is to be warned, emergencies, one's own address (W3, W4, I8)."""

import re
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select, update

from models.base import db, now, transaction
from models.deadlines import Deadline, DeadlineStep
from models.executions import Execution
from models.outbox import Letter, LetterState, letter_refused, take_letter, write_letter
from models.people import User
from models.reports import HistoryEvent, Report, note_history
from tests.desk_fixtures import user_id
from tests.web_fixtures import logged_in, register, stored_user

PAGE = {"Accept": "text/html", "Sec-Fetch-Dest": "document"}


def letter(web: Flask, key: str = "one", refused: str = "") -> int:
    """A letter to the operator; with ``refused`` one that the mail server will not take."""
    with web.app_context(), transaction() as session:
        written = write_letter(session, key, "Строк виконання минув", "№ 2026-0412", now(), user_id=user_id("operator"))
        if refused:
            letter_refused(session, take_letter(session, written.id, now()), refused)
        return written.id


def state_of(web: Flask, letter_id: int) -> str:
    with web.app_context():
        return db.session.scalar(select(Letter.state).where(Letter.id == letter_id))


def test_a_refused_letter_is_shown_with_its_reason_and_sent_again_by_a_click(web):
    failed = letter(web, refused="550 5.1.1 no such user")
    waiting = letter(web, "two")
    browser = logged_in(web, "tekhnik")
    page = browser.get("/letters").text
    assert "550 5.1.1 no such user" in page
    assert page.count("Надіслати ще раз") == 1
    assert browser.post(f"/letters/{failed}/again", page="/me").status_code == 302
    assert state_of(web, failed) == LetterState.QUEUED
    browser.post(f"/letters/{failed}/again", page="/me")  # a second click
    assert "хтось встиг раніше" in browser.get("/letters").text
    assert state_of(web, waiting) == LetterState.QUEUED
    assert browser.post("/letters/999/again", page="/me").status_code == 404


def test_the_page_of_letters_says_what_keeps_warnings_away(web):
    page = logged_in(web, "tsapkova").get("/letters").text
    assert "поштового сервера не задано" in page
    assert re.search(r"тож листами там нікого не попереджають:\s*КП «Міськсвітло»\.", page)
    stored_user(web, "kerivnyk", email="kerivnyk@romny.example")
    assert "тож листами там нікого" not in logged_in(web, "tsapkova").get("/letters").text


@pytest.mark.parametrize("login", ["operator", "kerivnyk", "kontrol", "dyspetcher"])
def test_letters_are_not_for(web, login):
    assert logged_in(web, login).get("/letters").status_code == 403


def test_older_letters_are_a_click_away(web):
    for place in range(60):
        letter(web, f"letter-{place}")
    browser = logged_in(web, "nachalnyk")
    older = re.search(r'href="(/letters\?[^"]+)"', browser.get("/letters").text)[1].replace("&amp;", "&")
    assert browser.get(older).text.count("<summary>Строк виконання") == 10


def late(web: Flask, report_id: int) -> None:
    with web.app_context(), transaction() as session:
        session.execute(
            update(Deadline)
            .where(Deadline.report_id == report_id, Deadline.kind == "accept")
            .values(due_at=now() - timedelta(hours=1))
        )


def test_one_click_records_that_the_operator_was_warned(web):
    """W4, R 4.3"""
    report = register(web, "Не горить ліхтар")
    browser = logged_in(web, "tsapkova")
    assert 'id="to-warn"' not in browser.get("/monitoring").text
    late(web, report)
    assert 'id="to-warn"' in browser.get("/monitoring").text
    assert 'data-count="to_warn">1<' in browser.get("/desk/frame").json["counts"]
    only_look = logged_in(web, "dyspetcher").get("/monitoring").text
    assert 'id="to-warn"' in only_look
    assert 'value="warn"' not in only_look
    assert "Операторська О. О. (оператор)" in only_look  # no telephone is known
    assert "натисніть кнопку" not in only_look
    assert "адміністратор телефонує операторові" in only_look
    answer = browser.post(f"/reports/{report}/act", {"act": "warn", "back": "/monitoring"}, page="/me", headers=PAGE)
    assert answer.location == "/monitoring"
    assert 'id="to-warn"' not in browser.get("/monitoring").text
    with web.app_context():
        step = db.session.scalars(select(DeadlineStep).where(DeadlineStep.kind == "warned")).first()
        assert step.user_id == user_id("tsapkova")


def test_an_emergency_stands_on_top_of_the_desk_until_it_is_accepted(web):
    """I8: number, place, executor, how long it waits; and how long it took."""
    report = register(web, "Порив труби", emergency=True)
    with web.app_context(), transaction() as session:
        assigned = now() - timedelta(minutes=30)
        part = session.scalars(select(Execution)).one()
        part.assigned_at = part.report.registered_at = assigned
    desk = logged_in(web, "tsapkova")
    strip = desk.get("/").text.split('id="emergencies"')[1].split('id="desk"')[0]
    for said in ("АВАРІЙНЕ", "Київська, 12", "КП «Міськсвітло»", f'data-since="{int(assigned.timestamp())}"'):
        assert said in strip
    assert 'data-count="emergencies">1<' in desk.get("/desk/frame").json["counts"]
    assert "чекає, щоб узяли" in logged_in(web, "operator").get("/work").text
    assert "чекає, щоб узяли" in desk.get(f"/reports/{report}").text
    form = {
        "act": "accept",
        "revision": re.search(r'name="revision" value="(\d+)"', desk.get(f"/reports/{report}").text)[1],
    }
    logged_in(web, "operator").post(f"/reports/{report}/act", form, page="/me")
    strip = desk.get("/desk/emergencies").text
    assert "аварію прийнято" in strip
    assert "АВАРІЙНЕ" not in strip
    with web.app_context(), transaction() as session:
        session.scalars(select(Execution)).one().accepted_at = assigned + timedelta(minutes=12)
    assert desk.get("/desk/emergencies").text.strip() == ""  # it was told of for a moment
    assert "узято в роботу через 12\u00a0хв" in desk.get(f"/reports/{report}").text
    assert re.search(r'count-urgent"[^>]*hidden', desk.get("/desk/frame").json["counts"])


def test_an_emergency_waits_from_when_it_became_one_for_the_town_whoever_is_to_deal_with_it(web):
    """I8: another executor begins no new waiting; who came to it later has their own time beside."""
    report = register(web, "Порив труби", emergency=True)
    became, assigned, found = (now() - timedelta(minutes=minutes) for minutes in (50, 20, 5))
    with web.app_context(), transaction() as session:
        part = session.scalars(select(Execution)).one()
        part.report.registered_at, part.assigned_at = became, assigned
    own, whole = f'data-since="{int(assigned.timestamp())}"', f'data-since="{int(became.timestamp())}"'
    pages = (("tsapkova", "/desk/emergencies"), ("tsapkova", f"/reports/{report}"), ("operator", "/work"))
    for login, page in pages:
        shown = logged_in(web, login).get(page).text
        assert whole in shown
        assert f'цей виконавець: <span class="clock" {own}' in shown
    with web.app_context(), transaction() as session:
        user = session.get_one(User, user_id("tsapkova"))
        note_history(session, session.get_one(Report, report), HistoryEvent.URGENT, user, at=found)
    for login, page in pages:  # nobody knew of it before
        shown = logged_in(web, login).get(page).text
        assert f'data-since="{int(found.timestamp())}"' in shown
        assert "цей виконавець" not in shown


def test_an_emergency_is_first_among_what_is_due(web):
    ordinary, urgent = register(web, "Яма"), register(web, "Порив труби", emergency=True)
    for report in (ordinary, urgent):
        late(web, report)
    numbers = re.findall(
        r'href="/reports/(\d+)"', logged_in(web, "tsapkova").get("/monitoring").text.split('id="overdue"')[1]
    )
    assert numbers[0] == str(urgent)


def test_the_organisation_s_people_see_how_many_are_new_on_every_page(web):
    register(web, "Яма")
    register(web, "Немає води", category=2)  # another organisation's
    assert re.search(r'class="count-new"[^>]*><span data-count="new">1<', logged_in(web, "operator").get("/me").text)
    assert "count-new" not in logged_in(web, "tsapkova").get("/me").text


def test_everybody_sets_their_own_address(web):
    browser = logged_in(web, "operator")
    wrong = browser.post("/me/email", {"email": "operator@romny"}, page="/me")
    assert wrong.status_code == 422
    assert 'value="operator@romny"' in wrong.text
    assert "Запишіть адресу як name@town.gov.ua" in wrong.text
    for typed, kept in ((" operator@romny.example ", "operator@romny.example"), ("", "")):
        assert browser.post("/me/email", {"email": typed}, page="/me").status_code == 302
        assert stored_user(web, "operator").email == kept
    with web.app_context():
        assert set(db.session.scalars(select(User.email))) == {""}


@pytest.mark.parametrize(
    "typed", ["a@b.ua\r\nBcc: x@y.ua", "a b@c.ua", "@c.ua", "a@-c.ua", "a..b@c.ua", "я@c.ua", "a" * 200 + "@c.ua"]
)
def test_what_is_no_address_is_refused(web, typed):
    assert logged_in(web, "operator").post("/me/email", {"email": typed}, page="/me").status_code == 422
