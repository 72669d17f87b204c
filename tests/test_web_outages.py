"""The pages of outages: entered, changed, ended, asked after; at intake, on the shift's sheet, for all (C7, I4)."""

import re
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from models.base import db, now, transaction
from models.calls import Call
from models.calltasks import CallTask
from models.outage_calls import OutageCaller, note_heard
from models.outages import Outage
from models.people import Organisation
from models.places import Street
from models.reports import Report, ReportState
from models.shifts import ShiftSheet
from models.workdays import KYIV
from tests.desk_fixtures import Exchange
from tests.outage_fixtures import enter
from tests.test_web_checks import woken  # noqa: F401
from tests.web_fixtures import logged_in, register

HOUR = timedelta(hours=1)


def field(at) -> str:
    return at.astimezone(KYIV).strftime("%Y-%m-%dT%H:%M")


def values(**other: str) -> dict[str, str]:
    at = now()
    known = {
        "kind": "water", "cause": "emergency", "streets": "Соборна 12–48", "begins_at": field(at - HOUR / 2),
        "ends_at": field(at + 5 * HOUR), "text": "Прорвало трубу",
    }  # fmt: skip
    return known | other


def send(web: Flask, login: str = "operator", path: str = "/outages/new", **other: str) -> TestResponse:
    return logged_in(web, login).post(path, values(**other), page="/me")


def made(web: Flask, **other: object) -> int:
    with web.app_context(), transaction() as session:
        return enter(session, **other).id


def outage(web: Flask, outage_id: int) -> Outage:
    with web.app_context():
        found = db.session.get_one(Outage, outage_id, populate_existing=True)
        db.session.expunge(found)
        return found


def words(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page).replace("\u00a0", " ").split())


# ---- entering


def test_an_operator_enters_one_of_the_own_organisation(web: Flask):
    """Whatever the form says of the organisation."""
    with web.app_context():
        other = db.session.scalars(select(Organisation.id).where(Organisation.name == "КП «Комунальник»")).one()
    answer = send(web, organisation_id=str(other))
    assert answer.status_code == 302
    page = logged_in(web, "operator").get(answer.location).text
    assert "КП «Міськсвітло»" in page
    assert "Вода · аварія" in words(page)
    assert "Соборна: 12–48" in page
    assert "Хто дзвонив" not in page  # the callers are the centre's
    assert "Вода · аварія" in words(logged_in(web, "kerivnyk").get("/outages").text)


def test_a_dispatcher_chooses_the_organisation(web: Flask):
    answer = send(web, "dyspetcher", organisation_id="")
    assert answer.status_code == 422
    assert 'id="organisation_id-error"' in answer.text
    assert send(web, "dyspetcher", organisation_id="2").status_code == 302
    assert logged_in(web, "operator").get("/outages/1").status_code == 404


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"streets": "Собрна 5"}, "Можливо: Соборна"),
        ({"streets": "Соборна: 5–1"}, "«5–1» — це не будинок"),
        ({"streets": ""}, "Напишіть вулиці"),
        ({"whole_city": "on"}, "Або вулиці, або все місто"),
        ({"cause": "planned", "ends_at": ""}, "очікуваний кінець"),
        ({"begins_at": "вчора"}, "Виберіть день і час"),
        ({"text": "Питання 0671112233"}, "Не пишіть тут телефону"),
        ({"streets": "я" * 4001}, "Задовгий текст"),
    ],
)
def test_a_mistake_is_one_sentence_and_what_was_typed_stays(web: Flask, wrong: dict[str, str], sentence: str):
    all_typed = values(**wrong)
    answer = send(web, **all_typed)
    assert answer.status_code == 422
    assert sentence in words(answer.text)
    assert answer.text.count('class="field-error"') == 1
    for typed in all_typed.values():
        assert typed in answer.text or typed == "on"


def test_a_change_that_met_another_shows_both(web: Flask):
    outage_id = made(web)
    path = f"/outages/{outage_id}/change"
    assert 'value="0"' in logged_in(web, "operator").get(path).text
    assert send(web, path=path, revision="0", text="Міняють трубу").status_code == 302
    answer = send(web, "dyspetcher", path, organisation_id="1", revision="0", text="Копають")
    assert answer.status_code == 409
    assert "Копають" in answer.text
    assert "Міняють трубу" in answer.text
    assert outage(web, outage_id).text == "Міняють трубу"
    history = words(logged_in(web, "dyspetcher").get(f"/outages/{outage_id}").text)
    assert "змінено: Текст Прорвало трубу → Міняють трубу" in history


def test_one_that_was_ended_meanwhile_keeps_what_it_is(web: Flask):
    outage_id = made(web)
    browser = logged_in(web, "operator")
    assert browser.post(f"/outages/{outage_id}/end", page="/me").status_code == 302
    assert browser.post(f"/outages/{outage_id}/end", page="/me").status_code == 409
    answer = send(web, path=f"/outages/{outage_id}/change", revision="1", text="Копають")
    assert answer.status_code == 409
    assert "Копають" in answer.text
    assert browser.get(f"/outages/{outage_id}/change").location == f"/outages/{outage_id}"


def test_another_organisations_is_not_there_for_an_operator(web: Flask):
    send(web, "dyspetcher", organisation_id="2")
    browser = logged_in(web, "operator")
    for path in ("/outages/1", "/outages/1/change"):
        assert browser.get(path).status_code == 404
    for path in ("/outages/1/end", "/outages/1/change"):
        assert browser.post(path, values(revision="0"), page="/me").status_code == 404
    assert "Вода" not in words(browser.get("/outages").text)
    assert outage(web, 1).ended_at is None


def test_late_ones_are_listed_for_who_keeps_order(web: Flask):
    """A5: by the town's terms."""
    made(web, begins_at=now() - 3 * HOUR)
    for login, listed in (("tsapkova", True), ("nachalnyk", True), ("dyspetcher", False), ("operator", False)):
        page = words(logged_in(web, login).get("/outages").text)
        assert ("Внесено запізно" in page) is listed, login
        assert ("▲ 2 год" in page) is listed, login


# ---- residents


def test_residents_see_what_is_now_and_what_comes(web: Flask):
    """Neither who entered it, nor what is over or may be over."""
    made(web, whole_city=True, text="Немає тиску")
    made(web, planned=True, begins_at=now() + 30 * HOUR, ends_at=now() + 40 * HOUR, text="Миття мереж")
    over = made(web, text="Давно минуло")
    with web.app_context(), transaction() as session:
        session.get_one(Outage, over).ends_at = now() - HOUR / 6
    page = web.test_client().get("/vidkliuchennia").text
    assert "Немає тиску" in page
    assert "все місто" in page
    assert "Миття мереж" in page
    assert "Давно минуло" not in page
    assert "Операторська" not in page
    assert "/outages/" not in page


# ---- intake


def street(web: Flask, name: str) -> int:
    with web.app_context():
        return db.session.scalars(select(Street.id).where(Street.name == name)).one()


def line_of(page: str) -> str:
    return words(page.split('id="outages"')[1].split('class="draft-acts"')[0].split(">", 1)[1])


def test_the_form_tells_of_the_outage_at_the_callers_address(web: Flask):
    """I4: in one line with its text, before anything is typed."""
    made(web)
    register(web, "Темно", number="0671112233", street="Соборна", building="14")
    _call, draft = Exchange(web).call("0671112233")
    line = line_of(logged_in(web, "tsapkova").get(f"/drafts/{draft}").text)
    assert "Вода · аварія" in line
    assert "Прорвало трубу" in line
    _call, other = Exchange(web).call("0671112244")
    assert "Вода" not in line_of(logged_in(web, "tsapkova").get(f"/drafts/{other}").text)


def test_the_form_tells_of_the_outage_at_the_typed_address(web: Flask):
    made(web)
    _call, draft = Exchange(web).call("0671112233")
    browser = logged_in(web, "tsapkova")

    def save(revision: int, **fields: str) -> str:
        headers = {"X-CSRFToken": browser.token("/me")}
        body = {"revision": revision, "fields": fields}
        answer = browser.client.post(f"/drafts/{draft}/save", json=body, headers=headers).json
        return words(answer["outages"])

    assert "Вода" in save(0, street="Соборна")  # which building is not said yet
    assert "Вода" in save(1, building="12а")
    assert "Вода" not in save(2, building="11")


def test_a_talk_about_it_counts_for_the_outage_and_is_taken_back(web: Flask):
    outage_id = made(web, whole_city=True)
    _call, draft = Exchange(web).call("0671112233")
    browser = logged_in(web, "tsapkova")
    browser.post(f"/drafts/{draft}/outage", {"outage": str(outage_id)}, page="/me")
    page = browser.get(f"/drafts/{draft}").text
    assert re.search(r'(\s|&#32;)<span class="tone-done text-nowrap">✓(&nbsp;|\u00a0)дзвонять про це', page)
    assert "дзвонять про це" in line_of(page)
    assert "Цапкова" in browser.get(f"/outages/{outage_id}").text.split('id="called"')[1].split('id="history"')[0]
    browser.post(f"/drafts/{draft}/outage", {"not_outage": str(outage_id)}, page="/me")
    assert "дзвонять про це" not in line_of(browser.get(f"/drafts/{draft}").text)
    assert browser.post(f"/drafts/{draft}/outage", {"outage": "999"}, page="/me").status_code == 400
    assert browser.post(f"/drafts/{draft}/outage", page="/me").status_code == 400


def test_the_next_shift_is_told(web: Flask):
    """A6"""
    made(web)
    browser = logged_in(web, "tsapkova")
    assert "Вода · аварія" in words(browser.get("/shift").text.split('id="outages"')[1].split("</section>")[0])
    sheet = browser.post("/shift", {"remarks": ""}, page="/me").location
    assert "Соборна: 12–48" in browser.get(sheet).text


def test_a_sheet_of_before_has_no_outages(web: Flask):
    browser = logged_in(web, "tsapkova")
    sheet = browser.post("/shift", {"remarks": ""}, page="/me").location
    with web.app_context(), transaction() as session:
        stored = session.scalars(select(ShiftSheet)).one()
        stored.frozen = re.sub(r'"outages": \{[^}]*\}, ', "", stored.frozen)
    page = browser.get(sheet)
    assert page.status_code == 200
    assert 'id="outages"' not in page.text


# ---- afterwards


@pytest.fixture
def over(web: Flask) -> int:
    """One that is over; a caller heard of it and left."""
    outage_id = made(web)
    call_id, _draft = Exchange(web).call("0671112233")
    with web.app_context(), transaction() as session:
        note_heard(session, session.get_one(Call, call_id), outage_id, now(), left=True)
    Exchange(web).hang_up(call_id)
    assert logged_in(web, "dyspetcher").post(f"/outages/{outage_id}/ask", page="/me").status_code == 409
    logged_in(web, "operator").post(f"/outages/{outage_id}/end", page="/me")
    return outage_id


def test_one_click_asks_those_who_called(web: Flask, over: int):
    browser = logged_in(web, "dyspetcher")
    page = browser.get(f"/outages/{over}").text
    assert "Запитати, чи відновлено (1)" in words(page)
    assert "1112233" not in re.sub(r"\D", "", page)  # A3
    browser.post(f"/outages/{over}/ask", page="/me")
    page = browser.get(f"/outages/{over}").text
    assert "Запитати, чи відновлено" not in words(page)
    assert "У черзі" in words(page)
    assert logged_in(web, "operator").post(f"/outages/{over}/ask", page="/me").status_code == 403


@pytest.mark.parametrize("said", ["restored", "not_restored"])
def test_one_key_answers(web: Flask, over: int, said: str):
    """C7: what is not back is a draft at once."""
    browser = logged_in(web, "dyspetcher")
    browser.post(f"/outages/{over}/ask", page="/me")
    with web.app_context():
        task_id = db.session.scalars(select(CallTask.id)).one()
    page = words(browser.get(f"/calls?task={task_id}").text)
    assert "Чи є у вас вода?" in page
    assert "1 Відновлено" in page
    assert "після відключення" in page
    answer = browser.post(f"/calls/{task_id}/answer", {"said": said, "anyway": said}, page="/me")
    with web.app_context():
        drafts = db.session.scalars(select(Report.id).where(Report.state == ReportState.DRAFT)).all()
        assert db.session.scalars(select(OutageCaller.restored)).one() is (said == "restored")
    assert answer.location == (f"/drafts/{drafts[0]}" if said == "not_restored" else "/calls")
    assert browser.get(f"/tasks/{task_id}").status_code == 200


def test_who_left_is_told_apart_from_the_missed(web: Flask, over: int):
    browser = logged_in(web, "tsapkova")
    with web.app_context():
        call, draft = db.session.execute(select(Report.call_id, Report.id)).one()
    assert "поклали слухавку" in browser.get(f"/desk/calls/{call}").json["note"].lower()
    assert browser.get(f"/drafts/{draft}").status_code == 200
    assert "0671112233" not in browser.get("/desk/lists").text


def test_to_end_an_outage_is_asked_once_and_is_not_the_main_button(web):
    """It cannot be undone; the question needs no script."""
    outage_id = made(web)
    page = logged_in(web, "operator").get(f"/outages/{outage_id}").text
    question = re.search(r'<details class="asks-once">.*?</details>', page, re.DOTALL)[0]
    assert "відкрити його знову не можна" in question
    assert f'action="/outages/{outage_id}/end"' in question
    assert "btn-primary" not in page.replace(question, "").split("<section")[1]
