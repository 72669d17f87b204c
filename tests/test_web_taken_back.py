"""An answer that was recorded by a wrong key is taken back with one click, without a script (S 3.2)."""

import re
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select

from models.acts import Act
from models.base import db, now, transaction
from models.calltasks import CallTask, TaskState
from models.lookup import look_up
from models.pins import give_pin
from models.reports import HistoryRow, Report, ReportState
from models.taken_back import WITHIN
from models.task_rules import sync_tasks
from models.work import refuted_by_telephone
from tests.test_web_checks import CALENDAR, SPOKEN, answer, begin, done, give_phone, say, task_of, woken
from tests.test_web_work import act
from tests.web_fixtures import logged_in

__all__ = ["woken"]

BUTTON = "Скасувати відповідь"


def form_on(page: str) -> dict[str, str]:
    """What the button on this page would send, with its address."""
    (form,) = re.findall(r'<form method="post" action="(/reports/\d+/take-back)".*?</form>', page, re.DOTALL) or [""]
    if not form:
        return {}
    body = re.search(rf'action="{form}".*?</form>', page, re.DOTALL)[0]
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', body))
    fields.pop("csrf_token")
    return {"action": form, **fields}


def press(web: Flask, form: dict[str, str], login: str = "dyspetcher"):
    sent = dict(form)
    return logged_in(web, login).post(sent.pop("action"), sent, page="/me")


def after(web: Flask, task_id: int, said: str, **values: str) -> dict[str, str]:
    """The form of the button on the page that comes after this answer."""
    browser = logged_in(web, "dyspetcher")
    sent = browser.post(f"/checks/{task_id}/answer", {"anyway": said, **values}, page="/me")
    page = browser.get(sent.location).text
    assert page.count("Записано: №") == 1
    assert BUTTON not in browser.get("/checks").text  # it stands with the notice
    return form_on(page)


def rows_of(web: Flask, report_id: int) -> int:
    with web.app_context():
        return db.session.scalar(select(func.count()).where(HistoryRow.report_id == report_id))


@pytest.mark.parametrize(("said", "words"), [("done", ""), ("not_done", "Темно"), ("partly", "Один із двох")])
def test_from_the_notice_the_check_is_there_again(web, said, words):
    other, task_id = done(web, "Стовп", "0501112233"), done(web)
    report = task_of(web, task_id).report_id
    form = after(web, task_id, said, words=words)
    browser = logged_in(web, "dyspetcher")
    address = form.pop("action")
    sent = browser.post(address, form, page="/me")
    assert sent.location == f"/checks?task={task_id}"
    page = browser.get(sent.location).text
    assert "Скасовано: №\u00a0" in page
    assert f'data-task="{task_id}"' in page
    found = task_of(web, task_id)
    assert (found.state, found.report.state, found.open) == (TaskState.WAITING, ReportState.DONE, True)
    assert f'data-task="{task_id}"' in browser.get("/checks").text  # it comes first, before
    assert task_of(web, other).open
    history = logged_in(web, "tsapkova").get(f"/reports/{report}").text
    assert "відповідь скасовано: її записали помилково" in history
    bar = re.search(r'id="checks-bar".*?</p>', page, re.DOTALL)[0]
    assert re.findall(r"<b>(\d+)</b>", bar)[:2] == ["0", "0"]


@pytest.mark.parametrize(("said", "words"), [("other", "Не бачила"), ("not_reached", ""), ("never", "")])
def test_what_moves_no_report_has_no_button(web, said, words):
    assert after(web, done(web), said, words=words) == {}


def test_after_a_call_from_here_the_right_key_is_not_asked_about(web, woken):
    """They have called, pressed the wrong key, taken it back: the right one records at once."""
    task_id = done(web)
    give_phone(web)
    begin(web, task_id, woken, *SPOKEN)
    browser = logged_in(web, "dyspetcher")
    sent = browser.post(f"/checks/{task_id}/answer", {"said": "not_done", "words": "Ні"}, page="/me")
    form = form_on(browser.get(sent.location).text)
    assert press(web, form).status_code == 302
    assert say(web, task_id, "done").location == "/checks"
    assert task_of(web, task_id).report.state == ReportState.CLOSED


def test_a_form_of_before_records_nothing_after_it_was_taken_back(web):
    """Back in the browser and Enter: the wrong answer does not come again."""
    task_id = done(web)
    page = logged_in(web, "dyspetcher").get(f"/checks?task={task_id}").text
    seen = re.search(r'name="seen" value="(\d+)"', page)[1]
    press(web, after(web, task_id, "not_done", words="Ні", seen=seen))
    assert answer(web, task_id, "not_done", words="Ні", seen=seen).status_code == 409
    assert task_of(web, task_id).report.state == ReportState.DONE


def test_on_the_reports_page_it_stands_beside_its_row(web):
    task_id = done(web)
    report = task_of(web, task_id).report_id
    act(web, "dyspetcher", report, Act.REFUTE, words="Темно")
    page = logged_in(web, "dyspetcher").get(f"/reports/{report}").text
    row = re.search(r"<li>(?:(?!</li>).)*заявник каже, що не виконано.*?</li>", page, re.DOTALL)[0]
    assert BUTTON in row
    for login in ("tsapkova", "nachalnyk", "operator", "kerivnyk", "kontrol"):
        assert BUTTON not in logged_in(web, login).get(f"/reports/{report}").text
    with web.app_context(), transaction() as session:
        sync_tasks(session, CALENDAR, now())
    assert press(web, form_on(page)).location == f"/reports/{report}"
    again = logged_in(web, "dyspetcher").get(f"/reports/{report}").text
    assert BUTTON not in again
    now_running, earlier = re.search(r'id="deadlines".*?</section>', again, re.DOTALL)[0].split("former-title")
    assert "✓" in now_running  # the term that was met, not the one that the mistake began
    assert "✓" not in earlier
    assert task_of(web, task_id).open


def refused(web: Flask, form: dict[str, str], sentence: str, login: str = "dyspetcher") -> None:
    report = int(re.search(r"\d+", form["action"])[0])
    before = rows_of(web, report)
    answered = press(web, form, login)
    assert answered.status_code == 409
    assert sentence in answered.text.replace("\u00a0", " ")
    assert rows_of(web, report) == before


@pytest.mark.parametrize("asked", [True, False], ids=["from the checks", "from the report"])
def test_why_not_is_said_in_a_sentence_and_nothing_is_changed(web, monkeypatch, asked):
    task_id = done(web)
    report = task_of(web, task_id).report_id
    form = after(web, task_id, "not_done", words="Темно")
    form = form if asked else {name: value for name, value in form.items() if name != "asked"}
    refused(web, form, "лише той, хто її записав", "nachalnyk")
    later = now() + WITHIN + timedelta(seconds=5)
    with monkeypatch.context() as patched:
        patched.setattr("webui.checks.now", lambda: later)
        patched.setattr("webui.reports.now", lambda: later)
        refused(web, form, "лише протягом 10 хвилин")
        assert BUTTON not in logged_in(web, "dyspetcher").get(f"/reports/{report}").text
    assert BUTTON in logged_in(web, "dyspetcher").get(f"/reports/{report}").text
    act(web, "operator", report, Act.COMPLETE, words="Доробили")
    refused(web, form, "сталося щось інше")
    assert BUTTON not in logged_in(web, "dyspetcher").get(f"/reports/{report}").text


def test_a_button_that_is_pressed_twice_takes_back_once(web):
    form = after(web, done(web), "done")
    assert press(web, form).status_code == 302
    refused(web, form, "уже скасовано")


def test_an_answer_by_key_and_what_is_none_are_not_taken_back(web):
    task_id = done(web)
    report = task_of(web, task_id).report_id
    with web.app_context(), transaction() as session:
        refuted_by_telephone(session, session.get_one(Report, report), partly=False, at=now())
        rows = select(HistoryRow.id).where(HistoryRow.report_id == report).order_by(HistoryRow.id)
        *_others, done_row, by_key = session.scalars(rows)
    assert BUTTON not in logged_in(web, "dyspetcher").get(f"/reports/{report}").text
    address = f"/reports/{report}/take-back"
    refused(web, {"action": address, "answer": str(by_key)}, "лише той, хто її записав")
    for none in (str(done_row), "999999", "x", ""):
        assert press(web, {"action": address, "answer": none}).status_code == 404
    assert press(web, {"action": "/reports/999999/take-back", "answer": str(by_key)}).status_code == 404
    assert logged_in(web, "operator").post(address, {"answer": str(by_key)}, page="/me").status_code == 403
    assert logged_in(web, "dyspetcher").client.post(address, data={"answer": str(by_key)}).status_code == 400


def test_the_applicant_sees_the_state_of_before(web):
    """By number and PIN: done, with no term that runs."""
    task_id = done(web)
    report = task_of(web, task_id).report_id
    with web.app_context(), transaction() as session:
        found = session.get_one(Report, report)
        give_pin(found)
        number, pin = found.number, found.pin
        before = look_up(session, number, pin)
    press(web, after(web, task_id, "not_done", words="Темно"))
    with web.app_context():
        assert look_up(db.session(), number, pin) == before
        assert db.session.scalar(select(func.count()).select_from(CallTask).where(CallTask.report_id == report)) == 1
