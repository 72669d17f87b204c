"""The pages of calls by hand: their keys, with whatever field has the focus (C1, C2)."""

import re
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from models.attempts import switch_machine
from models.base import db, now, transaction
from models.calling import Rules
from models.calls import CallState
from models.calltasks import CallTask, TaskState
from models.dialling import Dialler, plan_own_call
from models.leases import Lines
from models.people import User
from models.reports import Report, ReportState
from models.task_rules import sync_tasks
from models.workdays import WorkCalendar
from tests.browser.at_the_desk import form_of, missed_elsewhere, saved
from tests.browser.conftest import hears_events
from tests.desk_fixtures import Site, user_id
from tests.web_fixtures import register

pytestmark = pytest.mark.browser


def press(desk: Page, key: str) -> None:
    """A key, once the page is whole: its scripts hear keys from then on."""
    desk.wait_for_load_state()
    desk.keyboard.press(key)


def test_enter_in_a_field_records_what_was_asked_for_and_nothing_else(site: Site, desk: Page) -> None:
    """And not the first key of the page, which says that they have spoken."""
    draft = missed_elsewhere(site)
    with site.app.app_context(), transaction() as session:
        sync_tasks(session, WorkCalendar(), now())
    desk.goto("/calls")
    press(desk, "8")
    expect(desk.locator('[for="words"]')).to_have_text("Причина")
    press(desk, "Escape")
    press(desk, "5")
    desk.fill("#later-day", f"{now() + timedelta(days=60):%Y-%m-%d}")
    desk.press("#later-day", "Enter")
    expect(desk.locator(".notice-wrong")).to_contain_text("два тижні")
    expect(desk.locator("#later")).to_be_focused()
    with site.app.app_context():
        assert db.session.scalars(select(CallTask.state)).one() == TaskState.WAITING
    press(desk, "Escape")
    press(desk, "8")
    desk.fill("#words", "Уже розв’язано")
    desk.press("#words", "Control+Enter")
    expect(desk.locator("#content")).to_contain_text("Зараз дзвонити нікому")
    with site.app.app_context():
        assert db.session.scalars(select(CallTask.state)).one() == TaskState.CANCELLED
        assert db.session.get_one(Report, draft).state == ReportState.DROPPED


def test_the_key_of_a_new_report_leads_into_the_form(site: Site, desk: Page) -> None:
    """C1: what is typed next stands there, as at a call that comes in."""
    draft = missed_elsewhere(site)
    with site.app.app_context(), transaction() as session:
        sync_tasks(session, WorkCalendar(), now())
    desk.goto("/calls")
    press(desk, "1")
    expect(desk.locator('[data-doubt="register"]')).to_be_visible()
    press(desk, "1")
    expect(form_of(desk, draft)).to_be_visible()
    expect(desk.locator("#category_id")).to_be_focused()
    desk.select_option("#category_id", "1")
    saved(desk)
    desk.reload()
    expect(desk.locator("#street")).to_be_focused()


def done(site: Site) -> int:
    """A report that is done: the task to ask its applicant, who has hung up."""
    report = register(site.app, "Не горить ліхтар")
    with site.app.app_context(), transaction() as session:
        found = session.get_one(Report, report)
        found.state, found.call.state = ReportState.DONE, CallState.ENDED
        sync_tasks(session, WorkCalendar(), now())
        return session.scalars(select(CallTask.id).where(CallTask.report_id == report)).one()


def test_an_answer_without_a_call_is_recorded_by_the_same_key_again(site: Site, desk: Page) -> None:
    """Esc takes the question back, and what was typed stays."""
    task = done(site)
    desk.goto("/checks")
    press(desk, "3")
    expect(desk.locator('[data-key="3"]')).to_have_attribute("aria-pressed", "true")
    desk.locator("#words").press_sequentially("Горить один")
    press(desk, "Control+Enter")
    expect(desk.locator("[data-doubt]")).to_be_visible()
    expect(desk.locator('[data-doubt] [name="anyway"]')).to_be_focused()
    press(desk, "Escape")
    expect(desk.locator("[data-doubt]")).to_be_hidden()
    expect(desk.locator("#words")).to_be_focused()
    expect(desk.locator("#words")).to_have_value("Горить один")
    press(desk, "Escape")
    press(desk, "1")
    expect(desk.locator('[data-doubt="done"]')).to_be_visible()
    expect(desk.locator('[data-key="1"]')).to_have_attribute("aria-pressed", "true")
    press(desk, "1")
    expect(desk.locator("#content")).to_contain_text("Зараз запитувати нікого")
    with site.app.app_context():
        assert db.session.get_one(CallTask, task).state == TaskState.SETTLED


def test_a_wrong_key_is_taken_back_by_a_key(site: Site, desk: Page) -> None:
    """The check is there again, and the right key records; then by Tab and Enter."""
    task = done(site)
    desk.goto("/checks")
    press(desk, "2")
    desk.locator("#words").press_sequentially("Не та клавіша")
    press(desk, "Control+Enter")
    expect(desk.locator('[data-doubt] [name="anyway"]')).to_be_focused()
    press(desk, "Enter")
    notice = desk.locator(".notice-undo")
    expect(notice).to_contain_text("Записано: №")
    expect(desk.locator("#content")).to_contain_text("Зараз запитувати нікого")
    press(desk, "8")
    expect(desk.locator(".notice-ok")).to_contain_text("знову чекає на відповідь заявника")
    expect(desk.locator(f'.check[data-task="{task}"]')).to_be_visible()
    press(desk, "1")
    expect(desk.locator('[data-doubt="done"]')).to_be_visible()
    press(desk, "1")
    expect(notice).to_contain_text("Записано: №")
    with site.app.app_context():
        report = db.session.get_one(CallTask, task).report
        assert report.state == ReportState.CLOSED
    desk.goto(f"/reports/{report.id}")
    button = desk.get_by_role("button", name="Скасувати відповідь")
    button.focus()
    press(desk, "Enter")
    expect(desk.locator(".notice-ok")).to_contain_text("знову чекає на відповідь заявника")
    with site.app.app_context():
        assert db.session.get_one(CallTask, task).state == TaskState.WAITING


def test_key_8_says_why_it_takes_nothing_back(site: Site, desk: Page) -> None:
    """After «not reached» the check waits in the list, and the right key is pressed there."""
    task = done(site)
    desk.goto("/checks")
    press(desk, "6")
    expect(desk.locator("[data-doubt]")).to_be_visible()
    press(desk, "6")
    expect(desk.locator(".notice-ok")).to_contain_text("не додзвонилися")
    why = desk.locator("[data-nothing-back]")
    expect(why).to_be_hidden()
    press(desk, "8")
    expect(why).to_contain_text("після 4, 5, 6 чи 9 перевірка лишилася у списку нижче")
    desk.locator(f'.tasks a[href="/checks?task={task}"]').click()
    expect(desk.locator(f'.check[data-task="{task}"] [data-key="1"]')).to_be_visible()


def test_a_digit_of_the_words_answers_nothing(site: Site, desk: Page) -> None:
    """After a refusal the cursor is back in the words; and where it is not, a digit leads there."""
    task = done(site)
    desk.goto("/checks")
    press(desk, "2")
    press(desk, "Control+Enter")
    expect(desk.locator(".notice-wrong")).to_contain_text("слова заявника")
    expect(desk.locator("#words")).to_be_focused()
    desk.locator("h1").click()
    press(desk, "1")
    expect(desk.locator("#words")).to_be_focused()
    desk.keyboard.type(" раз")
    expect(desk.locator("#words")).to_have_value("1 раз")
    with site.app.app_context():
        assert db.session.get_one(CallTask, task).state == TaskState.WAITING


def test_enter_records_a_doubtful_answer(site: Site, desk: Page) -> None:
    done(site)
    desk.goto("/checks")
    press(desk, "1")
    expect(desk.locator('[data-doubt] [name="anyway"]')).to_be_focused()
    press(desk, "Enter")
    expect(desk.locator("#content")).to_contain_text("Зараз запитувати нікого")


def test_the_time_of_another_call_is_filled_in_and_a_quick_choice_records(site: Site, desk: Page) -> None:
    """Esc goes back to the keys; a digit in the field is none of them."""
    task = done(site)
    desk.goto("/checks")
    press(desk, "5")
    expect(desk.locator("#later")).to_be_focused()  # the hour, which is changed most
    expect(desk.locator("#later")).to_have_value(re.compile(r"\d\d:00"))
    expect(desk.locator("#later-day")).to_have_value(re.compile(r"\d{4}-\d\d-\d\d"))
    press(desk, "3")
    expect(desk.locator("#later")).to_be_visible()
    press(desk, "Escape")
    expect(desk.locator("#later")).to_be_hidden()
    expect(desk.locator('[data-key="5"]')).to_be_focused()
    expect(desk.locator('[data-key="5"]')).to_have_attribute("aria-pressed", "false")
    press(desk, "3")
    expect(desk.locator("#words")).to_be_focused()
    press(desk, "Escape")
    press(desk, "5")
    before = now()
    desk.get_by_role("button", name="за годину").click()
    expect(desk.locator("#content")).to_contain_text("не раніше")
    with site.app.app_context():
        found = db.session.get_one(CallTask, task)
        assert found.state == TaskState.WAITING
        assert timedelta(minutes=58) < found.due_at - before <= timedelta(minutes=61)


def test_the_number_is_shown_in_place(site: Site, desk: Page) -> None:
    done(site)
    desk.goto("/checks")
    press(desk, "3")
    desk.locator("#words").press_sequentially("Горить один")
    desk.locator("h1").click()
    press(desk, "0")
    expect(desk.locator("#whom")).to_contain_text("+380 67 123 45 67")
    expect(desk.locator("#words")).to_have_value("Горить один")


def test_what_others_do_is_shown_at_once(site: Site, desk: Page) -> None:
    """The red button, and a colleague who begins to call the same citizen."""
    task = done(site)
    desk.goto("/checks")
    hears_events(desk)
    with site.app.app_context(), transaction() as session:
        switch_machine(session, session.get_one(User, user_id("nachalnyk")), now(), on=True)
    expect(desk.locator("#checks-bar")).to_contain_text("Автодзвінки ввімкнено")
    with site.app.app_context(), transaction() as session:
        found, user = session.get_one(CallTask, task), session.get_one(User, user_id("dyspetcher"))
        plan_own_call(session, Dialler(Rules(), Lines(3, 1), WorkCalendar()), found, user, now())
    expect(desk.locator("#other")).to_contain_text("Диспетчерська Д. Д. зараз телефонує на цей номер")


def test_an_act_takes_the_focus_and_gives_it_back(site: Site, desk: Page) -> None:
    report = register(site.app, "Не горить світло")
    desk.goto(f"/reports/{report}")
    button = desk.get_by_text("Уточнити в заявника", exact=False).first
    button.focus()
    press(desk, "Enter")
    expect(desk.locator("#ask-words")).to_be_focused()
    press(desk, "Escape")
    expect(desk.locator("#ask-words")).to_be_hidden()
    expect(button).to_be_focused()
