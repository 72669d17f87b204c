"""A citizen writes from their telephone, the desk registers it, the citizen looks it up (I9, W10)."""

import re
from datetime import timedelta

import pytest
from playwright.sync_api import expect

from models.base import now
from tests.picture_fixtures import photo
from webui.form_token import FormPage

pytestmark = pytest.mark.browser


def test_a_report_with_a_photo_comes_from_a_telephone_and_is_followed_there(site, new_browser, desk):
    citizen = new_browser(viewport={"width": 390, "height": 844}).new_page()
    citizen.goto("/povidomyty")
    citizen.fill("#text", "Не горить ліхтар біля під’їзду")
    citizen.fill("#street", "Соборна")
    citizen.fill("#building", "12")
    citizen.fill("#other_phone", "067 123-45-67")
    photos = {"name": "ліхтар.jpg", "mimeType": "image/jpeg", "buffer": photo(gps=True)}
    citizen.set_input_files("#files", [photos])
    assert citizen.evaluate("document.documentElement.scrollWidth <= innerWidth")
    with site.app.app_context():  # the page was opened a while ago: nobody writes so quickly
        seal = FormPage("k" * 32, now() - timedelta(minutes=1)).seal()
    citizen.locator('[name="page"]').evaluate("(field, seal) => { field.value = seal; }", seal)
    citizen.fill("#text", " ")
    citizen.get_by_role("button", name="Надіслати").click()
    expect(citizen.locator("#text")).to_be_focused()
    expect(citizen.locator("#text")).to_be_in_viewport()
    expect(citizen.locator(".error-summary")).to_contain_text("Виберіть фото ще раз")
    citizen.fill("#text", "Не горить ліхтар біля під’їзду")
    citizen.set_input_files("#files", [photos])
    citizen.get_by_role("button", name="Надіслати").click()
    expect(citizen.locator("h1")).to_contain_text("Повідомлення прийнято")
    number, pin = citizen.locator(".receipt dd").all_inner_texts()

    expect(desk.locator('#counts [data-count="online"]')).to_have_text("1")
    desk.click("#online [data-draft-link]")
    expect(desk.locator("#text")).to_have_value("Не горить ліхтар біля під’їзду")
    shown = desk.locator("#side .files img")
    expect(shown).to_have_count(1)
    expect(shown).not_to_have_js_property("naturalWidth", 0)
    desk.select_option("#category_id", "1")
    desk.keyboard.press("F9")
    expect(desk.locator(".result-pin")).to_contain_text(pin)
    registered = re.search(r"\d{4}-\d+", desk.locator(".result-number").inner_text())[0]
    expect(desk.locator('#counts [data-count="online"]')).to_be_hidden()

    citizen.goto("/stan")
    citizen.fill("#number", number)
    citizen.fill("#pin", pin)
    citizen.get_by_role("button", name="Показати стан").click()
    expect(citizen.locator("#told")).to_contain_text(registered)
    expect(citizen.locator(".told-state")).to_contain_text("передано виконавцеві")
    assert citizen.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_draft_without_a_call_is_begun_by_the_keyboard_alone(site, desk):
    desk.keyboard.press("Alt+9")
    expect(desk.locator("#new-draft button").first).to_be_focused()
    desk.keyboard.press("Enter")
    expect(desk.locator("#draft-form")).to_be_visible()
    expect(desk.locator("#draft-head")).to_contain_text("Особистий прийом")
