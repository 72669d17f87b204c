"""What a person gets when it does not work: one sentence on what to do, and what was typed."""

import html
import re
import sqlite3
from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from jobs.settings import Settings
from models.base import db
from models.reports import Report
from tests.desk_fixtures import Exchange
from tests.helpers import close_database
from tests.web_fixtures import Browser, filled_web, logged_in
from webui.access import public

SECRET = "0671234567"


def lose_database(web: Flask, settings: Settings) -> None:
    close_database(web)
    for path in settings.var.glob("contact-center.sqlite3*"):
        path.unlink()


def sent_again(page: str) -> tuple[str, dict[str, str]]:
    """Where the page's form goes, and what it carries."""
    fields = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', page)
    return re.search(r'<form method="post" action="([^"]+)"', page)[1], {
        name: html.unescape(value) for name, value in fields
    }


def failing(error: Exception) -> Callable[[], str]:
    @public
    def view() -> str:
        raise error

    return view


def test_database_away_says_so_and_what_to_do(settings: Settings) -> None:
    web = filled_web(settings)
    browser = logged_in(web, "tsapkova")
    lose_database(web, settings)
    answer = browser.get("/journal?state=new")
    assert answer.status_code == 503
    assert "База даних не відповідає" in answer.text
    assert "Зачекайте хвилину" in answer.text
    assert 'href="/journal?state=new"' in answer.text
    script = browser.get("/journal", **{"Sec-Fetch-Dest": "empty"})
    assert (script.status_code, script.json["error"]) == (503, "database")


def test_a_form_that_met_a_locked_database_can_be_sent_again_from_the_answer(web: Flask, settings: Settings) -> None:
    draft = Exchange(web).call()[1]
    browser = logged_in(web, "tsapkova")
    typed = {
        "revision": "0",
        "category_id": "1",
        "street": "Київська",
        "building": "12",
        "text": 'Яма "біля" школи\nдруге <рядок>',
        "applicant_name": "О’Коваль",
    }
    with sqlite3.connect(settings.var / "contact-center.sqlite3", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        answer = browser.post(f"/drafts/{draft}/register", typed, page="/me")
        other.execute("ROLLBACK")
    assert answer.status_code == 503
    assert "Набране збережено на цій сторінці" in answer.text
    goal, fields = sent_again(answer.text)
    assert goal == f"/drafts/{draft}/register"
    assert {name: fields[name] for name in typed} == typed
    assert browser.client.post(goal, data=fields).status_code == 302
    with web.app_context():
        registered = db.session.get_one(Report, draft)
        assert (registered.state, registered.text, registered.applicant_name) == (
            "new",
            typed["text"],
            typed["applicant_name"],
        )


def test_a_password_is_not_kept_and_the_way_leads_back_to_its_form(settings: Settings) -> None:
    web = filled_web(settings)
    browser = Browser(web)
    token = browser.token()
    lose_database(web, settings)
    answer = browser.client.post("/login", data={"csrf_token": token, "login": "tsapkova", "password": "my secret"})
    assert answer.status_code == 503
    assert "my secret" not in answer.text
    assert 'href="/login"' in answer.text


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (PoolTimeout(), 503),
        (IntegrityError("INSERT", {"number": SECRET}, Exception(f"Key (number)=({SECRET}) already exists")), 500),
        (ValueError(f"what is {SECRET}?"), 500),
    ],
)
def test_a_fault_shows_nothing_of_it(settings: Settings, error: Exception, status: int) -> None:
    web = filled_web(settings)
    web.add_url_rule("/failing", "failing", failing(error))
    answer = Browser(web).get("/failing")
    assert answer.status_code == status
    assert ("Сталася помилка в системі" in answer.text) is (status == 500)
    assert SECRET not in answer.text
    close_database(web)


def test_words_for_a_report_that_is_not_ours_any_more_are_shown_again(web: Flask) -> None:
    """It was given to another enterprise while the operator wrote; whether there is such a report stays untold."""
    browser = logged_in(web, "operator")
    form = {"act": "complete", "words": "Замінили лампу й дріт", "revision": "1"}
    answer = browser.post("/reports/999/act", form, page="/me", headers={"Accept": "text/html"})
    assert answer.status_code == 404
    assert "Замінили лампу й дріт" in answer.text


def test_a_page_whose_trace_cannot_be_kept_is_not_shown_and_the_database_is_blamed(
    web: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(*_look: object) -> None:
        raise OperationalError("INSERT", {}, Exception("database is locked"))

    draft = Exchange(web).call(SECRET)[1]
    browser = logged_in(web, "tsapkova")
    monkeypatch.setattr("webui.access.log_looks", locked)
    answer = browser.get(f"/drafts/{draft}")
    assert answer.status_code == 503
    assert "База даних не відповідає" in answer.text
    assert SECRET not in answer.text
