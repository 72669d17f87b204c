"""An emergency that nobody has accepted comes to the desk by itself, and goes when it is accepted (I8)."""

import pytest
from playwright.sync_api import expect

from models import work
from models.base import transaction
from models.people import User
from models.reports import Report
from tests.browser.at_the_desk import form_of, missed_elsewhere
from tests.browser.conftest import hears_events
from tests.desk_fixtures import user_id
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
    expect(desk.locator(".count-urgent")).to_be_hidden()


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
