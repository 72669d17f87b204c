"""What a form does when its button is pressed twice, and where the focus is when it comes back refused."""

import pytest
from playwright.sync_api import Page, Route, expect

from models.base import db
from models.reports import HistoryEvent, Report
from tests.helpers import eventually
from tests.web_fixtures import register

pytestmark = pytest.mark.browser


def posts(page: Page) -> list[str]:
    """The addresses of the forms that the page sends from now on."""
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    return sent


def test_a_button_that_is_pressed_twice_sends_its_form_once(site, desk):
    report = register(site.app, "Не горить ліхтар")
    desk.goto(f"/reports/{report}")
    desk.get_by_text("Примітка…").click()
    desk.fill("#note-words", "Дзвонили двічі")
    sent = posts(desk)
    held: list[Route] = []
    desk.route("**/act", lambda route: held.append(route))  # the server is slow
    twice = """button => new Promise((done) => {
      button.click();
      setTimeout(() => done(button.click()), 100);  // a person's second click
    })"""
    desk.locator('button[name="act"][value="note"]').evaluate(twice)
    held[0].continue_()
    expect(desk.locator("main")).to_contain_text("Дзвонили двічі")
    assert sent == [f"{site.url}/reports/{report}/act"]
    with site.app.app_context():
        events = [row.event for row in db.session.get_one(Report, report).history]
    assert events.count(HistoryEvent.NOTE) == 1


def test_a_form_that_was_sent_can_be_sent_again_when_the_page_comes_back(site, new_browser):
    """From the browser's memory, where it stands as it was left."""
    page = new_browser().new_page()
    page.goto("/stan")
    page.route("**/stan", lambda route: route.abort("aborted"))  # stopped: the page stays
    page.fill("#number", "2026-0412")
    page.fill("#pin", "123456")
    sent = posts(page)
    show = page.get_by_role("button", name="Показати стан")
    show.click()
    eventually(lambda: page.evaluate("1") and sent, "it is sent")
    expect(page.locator("form[data-sent]")).to_have_count(1)
    page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
    show.click()
    eventually(lambda: page.evaluate("1") and len(sent) == 2, "it is sent again")


def test_a_draft_without_a_call_is_made_once(site, desk):
    sent = posts(desk)
    desk.locator("#new-draft button").first.evaluate("button => { button.click(); button.click(); }")
    expect(desk.locator("#draft-form")).to_be_visible()
    assert sent == [f"{site.url}/drafts/new"]
    with site.app.app_context():
        assert db.session.scalar(db.select(db.func.count()).select_from(Report)) == 1


def test_a_list_is_saved_as_often_as_it_is_asked_for_and_a_refusal_has_the_focus(site, desk):
    register(site.app, "Не горить ліхтар")
    desk.goto("/journal")
    desk.get_by_text("Зберегти у файл…").click()
    for _again in range(2):
        with desk.expect_download():
            desk.locator('button[value="csv"]').click()
    desk.check('[name="personal"]')
    desk.locator('button[value="csv"]').press("Enter")
    expect(desk.locator("[data-error-summary]")).to_be_focused()
    desk.keyboard.press("Tab")
    expect(desk.locator('[data-error-summary] a[href="#reason"]')).to_be_focused()
