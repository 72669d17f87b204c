"""What the strip, the bar and the buttons say a call leads to, and that what came of it is in sight (I5, C1)."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.at_the_desk import bar, form_of, missed_elsewhere, ring
from tests.browser.conftest import hears_events, log_in

pytestmark = pytest.mark.browser


def test_the_strip_on_other_pages_leads_to_what_the_draft_is_by_now(site, desk):
    """Line and number as on the desk; the report may be registered while it still rings here, or while we speak."""
    call, draft = ring(site)
    expect(form_of(desk, draft)).to_be_visible()
    other = desk.context.new_page()
    other.goto("/journal")
    hears_events(other)
    strip, link = other.locator("#strip"), other.locator("#strip a")
    expect(strip).to_contain_text("ДЗВОНИТЬ лінія 5-32-73 +380 67 123 45 67")
    expect(link).to_have_text("Відкрити чернетку F2")
    desk.select_option("#category_id", "1")
    desk.fill("#landmark", "біля школи")
    desk.fill("#text", "Не горить ліхтар")
    desk.keyboard.press("F9")
    expect(desk.locator(".result-number")).to_be_visible()
    expect(link).to_have_text(f"Відкрити повідомлення № {site.draft(draft).number} F2")
    site.exchange.answer(call, 1)
    expect(strip).to_contain_text("РОЗМОВА лінія 5-32-73")
    other.keyboard.press("F2")
    expect(other).to_have_url(f"{site.url}/reports/{draft}")
    expect(strip).to_contain_text("РОЗМОВА")
    expect(link).to_have_count(0)  # it leads to no other place
    site.exchange.hang_up(call)
    expect(strip).to_be_hidden()


def test_the_bar_says_what_f2_leads_to_without_waiting_for_news(site, new_browser):
    """The stream is broken when the draft becomes a report: the button's own answer is enough."""
    context = new_browser()
    context.add_init_script("delete self.SharedWorker")
    page = context.new_page()
    log_in(page, "tsapkova")
    call, draft = ring(site)
    expect(form_of(page, draft)).to_be_visible()
    page.route(re.compile(r"/events(\?|/|$)"), lambda route: route.abort())
    page.goto(f"/drafts/{draft}")
    page.select_option("#category_id", "1")
    page.fill("#landmark", "біля школи")
    page.fill("#text", "Не горить ліхтар")
    page.keyboard.press("F9")
    expect(page.locator(".result-number")).to_be_visible()
    expect(bar(page, call)).to_contain_text(f"Відкрити повідомлення № {site.draft(draft).number}")


def test_the_buttons_stay_in_sight_and_then_the_number_does(site, desk):
    """However low the screen is, however long the lists beside, and however far down the page somebody was."""
    for number in range(20):
        site.exchange.missed(f"05011122{number:02d}")
    desk.set_viewport_size({"width": 1366, "height": 500})
    draft = ring(site)[1]
    expect(form_of(desk, draft)).to_be_visible()
    expect(desk.locator("#missed li")).to_have_count(20)
    expect(desk.locator('[data-act="register"]')).to_be_in_viewport(ratio=1)
    desk.select_option("#category_id", "1")
    desk.fill("#landmark", "біля школи")
    desk.fill("#text", "Не горить ліхтар")
    desk.set_viewport_size({"width": 1366, "height": 768})
    desk.evaluate("scrollTo(0, 330)")  # the button that gets the focus is in sight then, the number above it is not
    desk.keyboard.press("F9")
    expect(desk.locator(".result-number")).to_be_in_viewport(ratio=1)


def test_the_buttons_say_that_they_are_for_after_the_call_back_as_soon_as_a_call_is_missed(site, desk):
    call, draft = ring(site)
    expect(form_of(desk, draft)).to_be_visible()
    expect(desk.locator("#acts-when")).to_be_hidden()
    site.exchange.hang_up(call)
    expect(desk.locator("#acts-when")).to_contain_text("Завершуйте після передзвону: дзвінок зникне з пропущених")
    desk.keyboard.press("Escape")
    expect(desk.locator(f'#missed [data-draft-link="{draft}"]')).to_be_visible()
    other = missed_elsewhere(site)
    desk.click(f'#missed [data-draft-link="{other}"]')
    expect(form_of(desk, other)).to_be_visible()
    desk.keyboard.press("F4")
    expect(desk.locator(".result")).to_contain_text("У списку пропущених цього дзвінка більше немає")
    expect(desk.locator(f'#missed [data-draft-link="{other}"]')).to_have_count(0)
