"""Mistakes in the form at the desk: where the cursor lands, what is said, and that nothing is lost (I5)."""

import re

import pytest
from playwright.sync_api import expect
from sqlalchemy.orm import Session

from models.base import now, transaction
from models.drafts import register_draft, save_draft
from models.people import Person, PersonNumber, User
from models.reports import Report
from tests.browser.at_the_desk import bar, form_of, ring, saved
from tests.browser.conftest import log_in
from tests.desk_fixtures import Site, user_id
from tests.helpers import AREA_CODE, eventually

pytestmark = pytest.mark.browser


def test_a_link_to_a_wrong_field_leads_there_and_the_form_stays(site, desk):
    call, draft = ring(site)
    site.exchange.answer(call, 1)
    expect(desk.locator("#category_id")).to_be_focused()
    desk.fill("#landmark", "біля школи")
    desk.keyboard.press("F9")
    expect(desk.locator(".error-summary")).to_be_visible()
    form = form_of(desk, draft).element_handle()
    desk.route("**/save", lambda route: route.abort())
    desk.fill("#building", "4")
    desk.click('.error-summary a[href="#text"]')
    expect(desk.locator("#text")).to_be_focused()
    desk.keyboard.type("Не горить ліхтар")
    desk.go_back()
    expect(desk).to_have_url(re.compile("^[^#]*$"))
    assert form.evaluate("form => form.isConnected")
    assert desk.input_value("#building") == "4"
    assert desk.input_value("#text") == "Не горить ліхтар"


def test_a_single_mistake_is_said_once_at_its_field_and_the_cursor_is_there(site, desk):
    call, draft = ring(site)
    site.exchange.answer(call, 1)
    expect(desk.locator("#category_id")).to_be_focused()
    desk.select_option("#category_id", "1")
    desk.fill("#landmark", "біля школи")
    before = desk.locator("#text").bounding_box()
    desk.keyboard.press("F9")
    expect(desk.locator("#text")).to_be_focused()
    expect(desk.locator("#text")).to_have_attribute("aria-invalid", "true")
    said = desk.locator("#text-error").inner_text().removeprefix("▲").strip()
    assert desk.locator("#pane").inner_text().count(said) == 1
    assert desk.locator("#text").bounding_box()["y"] - before["y"] < 40


def test_several_mistakes_are_listed_in_few_rows_and_the_cursor_is_at_the_first(site, desk):
    call, draft = ring(site)
    site.exchange.answer(call, 1)
    expect(desk.locator("#category_id")).to_be_focused()
    before = desk.locator("#category_id").bounding_box()
    desk.keyboard.press("F9")
    expect(desk.locator(".error-summary h2")).to_have_text("Заповніть 3 поля")
    expect(desk.locator("#category_id")).to_be_focused()
    assert desk.locator("#category_id").bounding_box()["y"] - before["y"] < 160


def test_each_mistake_that_is_mended_leaves_the_list_and_the_list_goes_with_the_last(site, desk):
    call, draft = ring(site)
    site.exchange.answer(call, 1)
    expect(desk.locator("#category_id")).to_be_focused()
    desk.fill("#street", "Невідома")
    desk.keyboard.press("F9")
    summary = desk.locator(".error-summary")
    expect(summary.locator("h2")).to_have_text("Потрібно виправити 3 поля")
    desk.fill("#street", "Соборна")
    expect(summary.locator("h2")).to_have_text("Потрібно виправити 2 поля")
    expect(summary).not_to_contain_text("вулиці")
    desk.select_option("#category_id", "1")
    expect(summary.locator("li")).to_have_count(1)
    desk.fill("#text", "Не горить")
    expect(summary).to_have_count(0)
    expect(desk.locator(".field-wrong")).to_have_count(0)


def test_a_landmark_mends_a_street_that_is_missing(site, desk):
    call, draft = ring(site)
    site.exchange.answer(call, 1)
    expect(desk.locator("#category_id")).to_be_focused()
    desk.keyboard.press("F9")
    expect(desk.locator(".error-summary li")).to_have_count(3)
    desk.fill("#landmark", "біля школи")
    expect(desk.locator(".error-summary li")).to_have_count(2)
    expect(desk.locator("#street-error")).to_have_count(0)


def test_a_telephone_that_cannot_be_called_is_told_once_it_is_left_and_until_it_is_changed(site, desk):
    call, draft = ring(site)
    site.exchange.answer(call, 1)
    expect(desk.locator("#category_id")).to_be_focused()
    note = desk.locator("#phone-note")
    desk.locator("#other_phone").press_sequentially("12")
    desk.keyboard.press("Enter")
    expect(note).to_contain_text("перевірте цифри")
    desk.reload()
    expect(note).to_contain_text("перевірте цифри")
    desk.fill("#other_phone", "через сусідку")
    desk.keyboard.press("Enter")
    expect(note).to_be_empty()
    assert site.draft(draft).other_phone == "через сусідку"


def test_who_registers_is_reminded_of_the_one_known_person_until_somebody_says_who_calls(site, desk):
    with site.app.app_context(), transaction() as session:
        add_person(session, "Олена Кириченко", "+380671234567", user_id("tsapkova"))
    call, draft = ring(site)
    site.exchange.answer(call, 1)
    hint = desk.locator(".name-hint")
    expect(hint).to_have_text("Олена Кириченко? Alt 1 — так, Alt 0 — інша особа.")
    desk.keyboard.press("Alt+0")
    expect(hint).to_be_hidden()
    desk.reload()
    expect(hint).to_have_count(0)


def test_the_key_adds_to_the_report_that_is_repeated_and_not_to_the_newest(site, desk):
    repeated, newest = (report_of(site, category) for category in (1, 2))
    call, draft = ring(site)
    site.exchange.answer(call, 1)
    expect(desk.locator(f'.open-report[data-report="{newest}"] kbd')).to_be_visible()
    expect(desk.locator("#repeat")).to_be_hidden()
    desk.select_option("#category_id", "1")
    desk.fill("#landmark", "біля школи")
    expect(desk.locator("#repeat")).to_contain_text("Те саме? Додати до нього F6")
    expect(desk.locator(".open-report kbd:visible")).to_have_count(0)
    desk.keyboard.press("F6")
    expect(desk.locator(".result-number")).to_be_visible()
    assert site.draft(draft).attached_to_id == repeated


def report_of(site: Site, category: int) -> int:
    """A report of the caller's, near the school."""
    call, draft = site.exchange.call()
    with site.app.app_context(), transaction() as session:
        report, me = session.get_one(Report, draft), session.get_one(User, user_id("tsapkova"))
        values = {"category_id": category, "landmark": "біля школи", "text": "Те саме"}
        save_draft(session, report, me, values, 0, AREA_CODE)
        register_draft(session, report, me)
    site.exchange.hang_up(call)
    return draft


def add_person(session: Session, name: str, number: str, confirmed_by: int) -> None:
    person = Person(name=name)
    session.add(person)
    session.flush()
    session.add(PersonNumber(person_id=person.id, number=number, confirmed_by_id=confirmed_by, confirmed_at=now()))


def test_on_a_telephone_the_first_wrong_field_and_the_rarer_endings_are_in_sight(site, new_browser):
    page = new_browser(viewport={"width": 390, "height": 844}).new_page()
    log_in(page, "tsapkova")
    call, draft = ring(site)
    expect(form_of(page, draft)).to_be_visible()
    site.exchange.answer(call, 1)
    expect(page.locator("#category_id")).to_be_focused()
    page.fill("#text", "Не горить ліхтар")
    saved(page)
    site.exchange.hang_up(call)
    expect(bar(page, call)).to_have_count(0)
    page.click('[data-act="register"]')
    expect(page.locator("#category_id")).to_be_focused()
    expect(page.locator("#category_id")).to_be_in_viewport(ratio=1)
    page.click("#other-endings summary")
    for act in ("wrong_number", "attach_typed", "hand_over"):
        button = page.locator(f'#other-endings [data-act="{act}"]').first
        assert button.bounding_box()["y"] > page.locator("#text").bounding_box()["y"]  # and not above the page
        button.scroll_into_view_if_needed()
        expect(button).to_be_in_viewport(ratio=0.9)
    page.click('#other-endings [data-act="wrong_number"]')
    eventually(lambda: site.draft(draft).state == "wrong_number", "it was a wrong number")
