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
