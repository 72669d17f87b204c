"""An emergency that nobody has accepted comes to the desk by itself, and goes when it is accepted (I8)."""

import re
from datetime import timedelta

import pytest
from playwright.sync_api import expect

from models import work
from models.base import db, now, transaction
from models.executions import execution_of
from models.people import User
from models.reports import Report
from tests.browser.at_the_desk import form_of, missed_elsewhere, ring
from tests.browser.conftest import hears_events, log_in
from tests.desk_fixtures import user_id
from tests.test_web_duty import set_numbers, sync
from tests.web_fixtures import register

pytestmark = pytest.mark.browser


def test_it_stands_on_top_until_it_is_accepted_and_takes_nobodys_focus(site, desk):
    draft = missed_elsewhere(site)
    desk.goto(f"/drafts/{draft}")
    expect(form_of(desk, draft)).to_be_visible()
    desk.locator("#text").press_sequentially("Яма")
    report = register(site.app, "Порив труби", number="0509998877", line="54286", emergency=True)
    strip = desk.locator("#emergencies .pressing")
    expect(strip).to_contain_text("Київська, 12")
    expect(strip.locator(".clock")).to_contain_text(":")
    expect(desk.locator('#counts [data-count="emergencies"]')).to_have_text("1")
    expect(desk.locator("#text")).to_be_focused()
    with site.app.app_context(), transaction() as session:
        operator = session.get_one(User, user_id("operator"))
        work.accept(session, session.get_one(Report, report), operator)
    expect(strip).to_have_count(0)
    expect(desk.locator("#emergencies .accepted-now")).to_contain_text("аварію прийнято: КП «Міськсвітло»")
    expect(desk.locator(".count-urgent")).to_be_hidden()
    desk.reload()
    hears_events(desk)
    expect(desk.locator("#emergencies .accepted-now")).to_have_count(0)  # it was told


def test_who_has_registered_it_calls_the_duty_from_what_became_of_the_draft(site, desk):
    """The panel and the strip on top say the same, and the button comes with the task."""
    set_numbers(site.app, "+380671234599")
    call, draft = ring(site)
    site.exchange.answer(call, 1)
    expect(desk.locator("#category_id")).to_be_focused()
    desk.select_option("#category_id", "1")
    desk.fill("#street", "Київська")
    desk.fill("#building", "12")
    desk.fill("#text", "Іскрить дріт")
    desk.keyboard.press("F3")
    desk.keyboard.press("F9")
    told = desk.locator("#emergency-told")
    expect(told).to_contain_text("Автодзвінки зупинено: зателефонуйте черговим самі +380 67 123 45 99")
    expect(told).not_to_contain_text("Листа не надіслано")
    sync(site.app)
    expect(told.get_by_role("button", name="Зателефонувати черговим")).to_be_visible()
    expect(desk.locator("#emergencies .pressing")).to_contain_text("автодзвінки зупинено")
    with site.app.app_context(), transaction() as session:
        work.accept(session, session.get_one(Report, draft), session.get_one(User, user_id("operator")))
    expect(told).to_contain_text("аварію прийнято")
    expect(desk.locator("#emergencies .accepted-now")).to_be_visible()


def test_one_that_waits_for_days_says_so_in_days_and_hours(site, desk):
    """The server's words, and the script's, which counts on."""
    report = register(site.app, "Порив труби", number="0509998877", line="54286", emergency=True)
    with site.app.app_context(), transaction() as session:
        found = session.get_one(Report, report)
        found.registered_at = now() - timedelta(hours=63, minutes=38)
        execution_of(session, found, found.executor_id).assigned_at = found.registered_at
    said = desk.request.get("/").text().replace("\u00a0", " ")
    assert re.search(r'class="clock" data-since="\d+">2 дні 15 год<', said)
    desk.goto("/")
    clock = desk.locator("#emergencies .clock")
    expect(clock).to_have_text("2 дні 15 год")
    clock.evaluate("clock => (clock.dataset.since -= 3 * 24 * 3600 + 9 * 3600)")
    expect(clock).to_have_text("6 днів")


def test_a_tab_that_is_opened_later_counts_it_too(site, desk):
    """It is told what this browser has heard so far, with the counts of reports and of the web form."""
    register(site.app, "Порив труби", number="0509998877", line="54286", emergency=True)
    expect(desk.locator('#counts [data-count="emergencies"]')).to_have_text("1")
    later = desk.context.new_page()
    later.goto("/journal")
    hears_events(later)
    expect(later.locator('#counts [data-count="emergencies"]')).to_have_text("1")
    expect(later.locator(".count-urgent")).to_be_visible()
    assert later.locator('#counts [data-count="drafts"]').inner_text() == "0"


def test_who_accepted_it_is_asked_once_and_stays_while_another_emergency_comes(site, new_browser):
    """I8: on a telephone's screen, too, where the two buttons do not touch; by the keyboard alone."""
    page = new_browser(viewport={"width": 390, "height": 844}).new_page()
    set_numbers(site.app, "+380671234599")
    log_in(page, "tsapkova")
    report = register(site.app, "Порив труби", number="0509998877", line="54286", emergency=True)
    sync(site.app)
    strip = page.locator("#emergencies .pressing")
    page.reload()
    asks = strip.locator(".asks-once > summary")
    call = strip.locator('form[action$="/call"] button').bounding_box()
    box = asks.bounding_box()
    assert box["y"] >= call["y"] + call["height"] + 4 or box["x"] >= call["x"] + call["width"] + 4
    asks.press("Enter")
    expect(page.locator(".asks-once [name=who]").first).to_be_focused()
    page.keyboard.type("Петренко")
    register(site.app, "Обірвано дріт", number="0509998866", line="54286", emergency=True)
    expect(strip).to_have_count(2)
    expect(page.locator(".asks-once [name=who]").first).to_be_focused()
    expect(page.locator(".asks-once [name=who]").first).to_have_value("Петренко")
    page.keyboard.press("Enter")
    expect(strip).to_have_count(1)
    with site.app.app_context():
        assert db.session.get_one(Report, report).state == "in_progress"
