"""Mistakes in the form at the desk: where the cursor lands, what is said, and that nothing is lost (I5)."""

import pytest
from playwright.sync_api import expect

from tests.browser.at_the_desk import form_of, ring

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
    desk.wait_for_function("location.hash === ''")
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
    assert desk.locator("#category_id").bounding_box()["y"] - before["y"] < 120
