"""At 1366×768, with an emergency on top and all hints there: no field is covered, and F3 is seen (I4, I8)."""

import pytest
from playwright.sync_api import Page, expect

from models.base import transaction
from tests.browser.at_the_desk import form_of, ring, saved
from tests.desk_fixtures import Site
from tests.helpers import eventually
from tests.outage_fixtures import enter
from tests.test_web_duty import set_numbers, sync
from tests.web_fixtures import register

pytestmark = pytest.mark.browser


def told_already(site: Site) -> None:
    """An emergency with the duty's numbers on top; at Київська, 12 an outage and two open reports, one the caller's."""
    set_numbers(site.app, "+380671234599")
    register(site.app, "Порив труби", number="0509998877", line="54286", street="Сумська", emergency=True)
    sync(site.app)
    for text, number in (("Темно біля дому", "0671234567"), ("Не горить ліхтар", "0509998866")):
        register(site.app, text, number=number)
    with site.app.app_context(), transaction() as session:
        enter(session, streets="Київська 2–48")


def seen(page: Page, selector: str) -> None:
    """The element comes into sight as a whole, and not under the strip of the buttons."""

    def in_sight() -> bool:
        box, strip = page.locator(selector).bounding_box(), page.locator(".draft-end").bounding_box()
        return box["y"] >= 0 and box["y"] + box["height"] <= strip["y"]

    eventually(in_sight, f"{selector} is in sight")


def test_the_field_in_hand_is_above_the_buttons_and_the_hints_stand_beside_the_form(site: Site, desk: Page) -> None:
    told_already(site)
    call, draft = ring(site)
    site.exchange.answer(call, 1)
    expect(form_of(desk, draft)).to_be_visible()
    expect(desk.locator("#category_id")).to_be_focused()
    strip = desk.locator(".draft-end").bounding_box()
    desk.select_option("#category_id", "1")
    desk.fill("#street", "Київська")
    desk.fill("#building", "12")
    desk.fill("#text", "Темно")
    saved(desk)
    expect(desk.locator("#repeat")).to_be_visible()
    expect(desk.locator("#same-place .same-one")).to_be_visible()
    expect(desk.locator(".outage-one")).to_be_visible()
    assert desk.locator(".draft-end").bounding_box() == strip
    form, hints = desk.locator("#draft").bounding_box(), desk.locator("#place-hints").bounding_box()
    assert hints["x"] >= form["x"] + form["width"]
    assert hints["y"] + hints["height"] <= 768
    desk.locator("#category_id").focus()
    for _field in range(8):
        seen(desk, "#draft-form :focus")
        desk.keyboard.press("Tab")
    desk.locator("#category_id").focus()
    desk.keyboard.press("F3")
    expect(desk.locator("#emergency")).to_be_checked()
    seen(desk, ".line-of:has(#emergency)")
    expect(desk.locator(".foot-emergency")).to_be_visible()
    desk.keyboard.press("F3")
    expect(desk.locator(".foot-emergency")).to_be_hidden()


def test_with_mistakes_named_the_field_in_hand_and_the_tick_are_seen(site: Site, desk: Page) -> None:
    told_already(site)
    call, draft = ring(site)
    site.exchange.answer(call, 1)
    expect(form_of(desk, draft)).to_be_visible()
    expect(desk.locator("#category_id")).to_be_focused()
    desk.keyboard.press("F9")
    expect(desk.locator("#category_id")).to_have_attribute("aria-invalid", "true")
    for field in ("#category_id", "#street", "#text", "#other_phone", "#applicant_name"):
        desk.locator(field).focus()
        seen(desk, field)
    desk.locator("#category_id").focus()
    desk.keyboard.press("F3")
    seen(desk, ".line-of:has(#emergency)")


def test_on_a_telephone_the_hints_follow_the_form(site: Site, desk: Page) -> None:
    desk.set_viewport_size({"width": 390, "height": 844})
    told_already(site)
    call, draft = ring(site)
    site.exchange.answer(call, 1)
    expect(form_of(desk, draft)).to_be_visible()
    desk.fill("#street", "Київська")
    desk.fill("#building", "12")
    expect(desk.locator("#same-place .same-one")).to_have_count(2)
    form, hints, more = (desk.locator(part).bounding_box() for part in ("#draft", "#place-hints", "#side-more"))
    assert form["y"] < hints["y"] < more["y"]
    assert desk.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
