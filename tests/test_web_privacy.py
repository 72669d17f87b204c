"""Pages about personal data: the log, one person's data, the terms; and what an operator sees (A3)."""

import io
import json
import re
import zipfile
from datetime import timedelta

from flask import Flask
from sqlalchemy import func, select

from models.base import db, now, transaction
from models.calls import Call, CallState
from models.lookup import note_heard
from models.people import AccessLog, Role
from models.reports import Report
from models.retention import run_retention
from models.workdays import KYIV
from tests.desk_fixtures import Exchange, user_id
from tests.privacy_fixtures import NAME, fill_olena, make_old
from tests.web_fixtures import logged_in, register, stored_user
from webui.privacy import REASON_WORDS, reason_words

WHOM = {"telephone": "067 123 45 67", "name": ""}
PERSON = "/personal-data/person"


def reasons(web: Flask, subject: str) -> list[str]:
    with web.app_context():
        query = select(AccessLog.reason).where(AccessLog.subject == subject).order_by(AccessLog.id)
        return list(db.session.scalars(query))


def test_the_log_says_who_looked_at_what_when_and_why(web: Flask):
    report = register(web, "Яма")
    logged_in(web, "operator").post(f"/reports/{report}/number", {"purpose": "visit"}, page="/me")
    logged_in(web, "tsapkova").post("/journal", {"text": "45-67"}, page="/me")
    page = logged_in(web, "nachalnyk").get("/personal-data/log").text
    rows = re.findall(r"<tr>(.*?)</tr>", page.split("<tbody>")[1], re.DOTALL)
    assert "пошук за 4 цифрами" in rows[0].replace("\u00a0", " ")
    assert "Операторська" in rows[1]
    assert "домовитися" in rows[1]
    assert f'href="/reports/{report}"' in rows[1]
    assert "1234567" not in re.sub(r"\D", "", "".join(rows))
    assert reasons(web, "log") == ["the access log"]


def test_the_log_is_filtered_by_user_day_and_subject(web: Flask):
    report = register(web, "Яма")
    for login in ("operator", "tsapkova"):
        logged_in(web, login).get(f"/reports/{report}")
    with web.app_context(), transaction() as session:
        old = now() - timedelta(days=3)
        session.add(AccessLog(user_id=user_id("sorokina"), at=old, subject="call", subject_id=1, reason="desk"))
        number, operator = session.get_one(Report, report).number, user_id("operator")
    head = logged_in(web, "nachalnyk")

    def listed(query: str) -> str:
        answer = head.get(f"/personal-data/log?{query}")
        assert answer.status_code == 200
        return answer.text.partition("<tbody>")[2].partition("</tbody>")[0]

    assert "Операторська" in listed(f"user={operator}")
    assert "Цапкова" not in listed(f"user={operator}")
    day = old.astimezone(KYIV).date().isoformat()
    assert "Сорокіна" in listed(f"day={day}")
    assert "Операторська" not in listed(f"day={day}")
    assert "Сорокіна" in listed("subject=call")
    assert "Операторська" not in listed("subject=call")
    assert "Цапкова" in listed(f"report={number}")
    assert "Сорокіна" not in listed(f"report={number}")
    assert listed("subject=erasure") == ""


def test_a_filter_that_cannot_be_meant_is_named_and_kept(web: Flask):
    head = logged_in(web, "nachalnyk")
    for query, field in (
        ("user=999", "user"),
        ("day=2026-13-01", "day"),
        ("subject=x", "subject"),
        ("report=я", "report"),
    ):
        answer = head.get(f"/personal-data/log?{query}")
        assert answer.status_code == 422
        assert f'<a href="#{field}">' in answer.text


def test_every_page_of_the_log_is_reached_and_none_twice(web: Flask):
    """Also where many looks have one time."""
    at = now() - timedelta(days=1)
    with web.app_context(), transaction() as session:
        who = user_id("tsapkova")
        session.add_all(AccessLog(user_id=who, at=at, subject="call", subject_id=n, reason="desk") for n in range(120))
        from models.accesses import LogFilter, find_looks

        seen, page = [], find_looks(session, LogFilter(user_id=who))
        seen += [row.id for row in page.rows]
        assert page.newer is None
        while page.older is not None:
            page = find_looks(session, LogFilter(user_id=who), before=page.older)
            seen += [row.id for row in page.rows]
        assert len(seen) == len(set(seen)) == 120
        back = find_looks(session, LogFilter(user_id=who), after=page.newer)
        assert [row.id for row in back.rows] == seen[50:100]


def test_a_persons_data_are_shown_masked_and_the_search_is_recorded(web: Flask):
    ids = fill_olena(web)
    head = logged_in(web, "nachalnyk")
    answer = head.post(PERSON, WHOM, page="/me")
    assert answer.status_code == 200
    body = answer.text.split('id="held"')[1]
    assert f'href="/reports/{ids["closed"]}"' in body
    assert "671234567" not in re.sub(r"\D", "", re.sub(r'<input type="hidden"[^>]*>', "", body))
    assert reasons(web, "search") == ["a person's data"]
    assert reasons(web, "person") == ["a person's data"]
    with web.app_context():
        assert db.session.scalar(select(AccessLog.subject_id).where(AccessLog.subject == "search")) == 12


def test_what_cannot_be_searched_for_is_said_beside_the_field(web: Flask):
    head = logged_in(web, "nachalnyk")
    for typed in ({"telephone": "", "name": ""}, {"telephone": "12 яблук"}, {"name": "я" * 200}):
        answer = head.post(PERSON, typed, page="/me")
        assert answer.status_code == 422
        assert "field-error" in answer.text
        assert all(value in answer.text for value in typed.values())
    assert "Нічого не зберігається" in head.post(PERSON, {"telephone": "0990000000"}, page="/me").text


def test_the_export_holds_everything_in_two_forms(web: Flask):
    fill_olena(web)
    answer = logged_in(web, "nachalnyk").post(f"{PERSON}/export", WHOM, page="/me")
    assert answer.mimetype == "application/zip"
    assert "067" not in answer.headers["Content-Disposition"]
    with zipfile.ZipFile(io.BytesIO(answer.data)) as packed:
        page, data = packed.read("dani.html").decode(), json.loads(packed.read("dani.json"))
    assert [len(data[part]) for part in ("reports", "calls", "persons")] == [3, 3, 1]
    for word in ("Коли дадуть світло", "(067) 123-45-67", NAME, "Замінено"):
        assert word in page
        assert word in json.dumps(data, ensure_ascii=False)
    assert not re.search(r"%\(\w+\)|\{\{|None<|<script", page)
    assert "a person's data: export" in reasons(web, "report")


def test_an_erasure_asks_for_a_reason_and_a_second_word(web: Flask):
    ids = fill_olena(web)
    head = logged_in(web, "nachalnyk")
    answer = head.post(f"{PERSON}/erase", WHOM, page="/me")
    assert answer.status_code == 422
    assert 'href="#reason"' in answer.text
    assert 'href="#sure"' in answer.text
    kept = head.post(f"{PERSON}/erase", {**WHOM, "reason": "Заява № 5"}, page="/me")
    assert "Заява № 5" in kept.text
    with web.app_context():
        assert db.session.get_one(Report, ids["closed"]).applicant_name == NAME
    erased = head.post(f"{PERSON}/erase", {**WHOM, "reason": "Заява № 5", "sure": "on"}, page="/me")
    assert (erased.status_code, erased.location) == (302, PERSON)
    page = head.get(f"/reports/{ids['closed']}").text
    assert "Заява № 5" in page
    assert NAME not in page
    assert "номер вилучено" in page
    assert "Коли дадуть світло" not in head.get(f"/reports/{ids['consultation']}").text


def test_what_is_open_keeps_its_applicant_and_the_page_says_so(web: Flask):
    ids = fill_olena(web)
    _call, draft = Exchange(web).call("0671234567")
    form = {**WHOM, "reason": "Заява", "sure": "on"}
    answer = logged_in(web, "nachalnyk").post(f"{PERSON}/erase", form, page="/me")
    assert answer.status_code == 409
    assert f'href="/reports/{draft}"' in answer.text
    with web.app_context():
        assert db.session.get_one(Report, ids["closed"]).applicant_name == NAME


def test_the_terms_with_what_is_due_and_when_it_last_ran(web: Flask):
    fill_olena(web)
    make_old(web, 6)
    head = logged_in(web, "nachalnyk")
    page = head.get("/personal-data/retention").text
    assert "Ще не виконувалося" in page
    with web.app_context(), transaction() as session:
        run_retention(session, now())
    page = head.get("/personal-data/retention").text
    assert "Ще не виконувалося" not in page
    assert "Востаннє" in page
    assert "5 років" in page.replace("\u00a0", " ")


def test_a_record_whose_data_were_taken_out_is_no_draft_again(web: Flask):
    """The button is not there, and who has an old page is told why."""
    draft_id = Exchange(web).missed("0671234567")[1]
    make_old(web, 2)
    with web.app_context(), transaction() as session:
        run_retention(session, now())
    browser = logged_in(web, "tsapkova")
    assert "Скасувати" not in browser.get(f"/drafts/{draft_id}").text
    answer = browser.post(f"/drafts/{draft_id}/reopen", page="/me")
    assert answer.status_code == 409
    assert "чернеткою він більше не стане" in answer.text


def test_an_operator_sees_no_number_of_others_who_called(web: Flask):
    """Item 1: no other citizen's number, not even masked; nor a way to their call."""
    report = register(web, "Не горить ліхтар")
    other = "+380501112299"
    _call, draft = Exchange(web).call(other)
    with web.app_context():
        number = db.session.get_one(Report, report).number
    desk = logged_in(web, "tsapkova")
    desk.post(f"/drafts/{draft}/attach", {"attach_to": number, "revision": "0"}, page="/me")
    assert "99</span>" in desk.get(f"/reports/{report}").text
    for login in ("operator", "kerivnyk", "kontrol"):
        page = logged_in(web, login).get(f"/reports/{report}").text
        assert "99</span>" not in page
        assert f"/reports/{draft}" not in page


def test_the_people_of_an_organisation_say_why_they_need_the_number(web: Flask):
    report = register(web, "Яма, дзвонити 067 123 45 67 або сусідці 093 999 88 77")
    browser = logged_in(web, "operator")
    page = browser.get(f"/reports/{report}").text
    assert page.count('name="purpose"') == 3
    assert "067 123 45 67" not in page  # nor what was typed into the text
    assert "+380\u00a067\u00a0123" not in page
    shown = browser.post(f"/reports/{report}/number", {"purpose": "details"}, page="/me").text
    assert "+380\u00a067\u00a0123\u00a045\u00a067" in shown
    assert "067 123 45 67" in shown
    assert "093 999 88 77" not in shown  # another citizen's
    assert "number on the report's page: details" in reasons(web, "report")


def test_the_centre_sees_numbers_in_texts_by_a_click_that_leaves_a_trace(web: Flask):
    """Also where no number but that in the text is known, in notes and in the landmark."""
    report = register(web, "Яма, дзвонити сусідці 093 999 88 77", number="anonymous", landmark="гараж, 095 111 22 33")
    browser = logged_in(web, "tsapkova")
    browser.post(f"/reports/{report}/act", {"act": "note", "words": "Дзвонила з 067 555 44 33"}, page="/me")
    typed = ("093 999 88 77", "095 111 22 33", "067 555 44 33")
    page = browser.get(f"/reports/{report}").text
    assert not [number for number in typed if number in page]
    shown = browser.post(f"/reports/{report}/number", page="/me").text
    assert [number for number in typed if number in shown] == list(typed)
    assert "number on the report's page" in reasons(web, "report")


def test_the_lists_mask_every_number(web: Flask):
    """The desk's lists, the journal, the monitoring, an organisation's day: no whole number on load."""
    register(web, "Яма, запасний 050 111 22 33", other_phone="0501112233", landmark="гараж, 050 111 22 33")
    Exchange(web).missed("0931112244")
    fill_olena(web)
    with web.app_context():
        live = db.session.scalars(select(Call.id).where(Call.state == CallState.RINGING)).all()
    for call in live:  # a live call's number stands on the desk in full
        Exchange(web).hang_up(call)
    for login, addresses in (
        ("tsapkova", ("/", "/desk/lists", "/journal", "/monitoring", "/shift", "/reports/1")),
        ("operator", ("/work", "/reports/1")),
        ("kontrol", ("/decisions", "/reports/1")),
    ):
        browser = logged_in(web, login)
        for address in addresses:
            page = browser.get(address).text  # with its titles
            for digits in ("501112233", "931112244", "939998877"):
                assert digits not in re.sub(r"[^\d]", "", page), (login, address)


def test_who_is_switched_off_is_out_of_these_pages_at_once(web: Flask):
    head = logged_in(web, "nachalnyk")
    assert head.get("/personal-data/log").status_code == 200
    token = head.token("/me")
    stored_user(web, "nachalnyk", active=False)
    assert head.get("/personal-data/log").status_code in (302, 401)
    answer = head.client.post(f"{PERSON}/export", data={"csrf_token": token, **WHOM})
    assert answer.status_code in (302, 400, 401)
    stored_user(web, "nachalnyk", active=True, role=Role.ADMINISTRATOR)
    assert logged_in(web, "nachalnyk").get("/personal-data/log").status_code == 403


def test_the_number_is_in_no_address_and_looks_are_not_lost(web: Flask):
    fill_olena(web)
    head = logged_in(web, "nachalnyk")
    page = head.post(PERSON, WHOM, page="/me").text
    addresses = re.findall(r'(?:href|action)="([^"]*)"', page)
    assert not any("67" in re.sub(r"\D", "", address) and "123" in address for address in addresses)
    with web.app_context():
        looked = db.session.scalar(select(func.count()).where(AccessLog.reason == "a person's data"))
    assert looked == 3 + 1 + 1


def test_every_reason_has_words(web: Flask):
    with web.test_request_context():
        for reason in REASON_WORDS:
            assert reason_words(reason.replace("#", "3")) != reason
        assert reason_words("Заява № 5") == "Заява № 5"


def test_a_look_by_telephone_stands_in_the_log_and_in_the_persons_export(web: Flask):
    """W10: nobody of ours looked."""
    report = register(web, "Яма")
    with web.app_context(), transaction() as session:
        note_heard(session, report, "by telephone: own number", now())
    head = logged_in(web, "nachalnyk")
    row = head.get("/personal-data/log").text.split("<tbody>")[1].split("</tr>")[0]
    assert "заявник, телефоном" in row
    assert "зі свого номера" in row
    with zipfile.ZipFile(io.BytesIO(head.post(f"{PERSON}/export", WHOM, page="/me").data)) as packed:
        assert "заявник, телефоном" in packed.read("dani.html").decode()
