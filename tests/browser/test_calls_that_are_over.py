"""What the desk says of calls that are over: whose draft it is, and whom to call back (C1)."""

from datetime import timedelta

import pytest
from playwright.sync_api import expect

from jobs.remarks import keep_remarks, message_path
from models.base import db, now, transaction
from models.drafts import claim_draft
from models.people import User
from models.reports import Report
from tests.browser.at_the_desk import bar, form_of, missed_elsewhere, ring
from tests.desk_fixtures import user_id
from tests.helpers import eventually
from tests.speech_fixtures import tone

pytestmark = pytest.mark.browser


def test_escape_leaves_the_field_and_then_puts_the_draft_aside(site, desk):
    call, draft = ring(site)
    site.exchange.answer(call, 1)
    expect(desk.locator("#category_id")).to_be_focused()
    desk.locator("#text").press_sequentially("Яма")
    desk.keyboard.press("Escape")
    expect(desk.locator("#text")).not_to_be_focused()
    expect(form_of(desk, draft)).to_be_visible()
    desk.keyboard.press("Escape")
    expect(desk.locator(".desk-empty")).to_be_visible()
    eventually(lambda: site.draft(draft).text == "Яма", "what was typed is saved")


def test_a_draft_whose_call_is_over_says_so_while_the_next_one_rings(site, desk):
    first, draft = ring(site)
    site.exchange.answer(first, 1)
    expect(desk.locator("#category_id")).to_be_focused()
    expect(desk.locator("#who-title")).to_have_text("Хто дзвонить")
    desk.locator("#text").press_sequentially("Яма")
    site.exchange.hang_up(first)
    second, _other = ring(site, "0501112233")
    expect(bar(desk, second)).to_contain_text("Відкрити чернетку")
    expect(form_of(desk, draft)).to_be_visible()
    expect(desk.locator("#draft-head h2")).to_contain_text("Чернетка завершеного дзвінка")
    expect(desk.locator("#who-title")).to_have_text("Хто дзвонив")


def test_a_missed_call_is_first_taken_and_then_finished(site, desk):
    draft = missed_elsewhere(site)
    desk.click(f'#missed [data-draft-link="{draft}"]')
    acts = desk.locator(".draft-acts > .btn")
    expect(acts.first).to_have_text("Взяти F7")
    pale = acts.nth(1).evaluate("button => getComputedStyle(button).backgroundColor")
    assert acts.first.evaluate("button => getComputedStyle(button).backgroundColor") != pale
    desk.keyboard.press("F7")
    expect(acts.first).to_have_text("Зареєструвати F9")
    eventually(lambda: site.draft(draft).owner_id is not None, "the draft is mine")
    expect(desk.locator("#draft-head")).to_contain_text("Передзвоніть")


def test_the_list_of_missed_calls_shows_who_works_on_one_as_soon_as_it_is_taken(site, desk):
    draft = missed_elsewhere(site)
    row = desk.locator(f'#missed [data-draft-link="{draft}"]')
    expect(row).to_be_visible()
    with site.app.app_context(), transaction() as session:
        claim_draft(session, session.get_one(Report, draft), session.get_one(User, user_id("cherniavska")))
    expect(row).to_contain_text("у роботі: Чернявська С. І.")


def test_a_message_plays_while_its_text_is_typed(site, desk):
    """It comes some seconds after the call, into the open draft too, and nothing that happens then stops it (I2)."""
    draft = missed_elsewhere(site)
    desk.click(f'#missed [data-draft-link="{draft}"]')
    desk.keyboard.press("F7")
    expect(desk.locator("#text")).to_be_enabled()
    leave_message(site, draft)
    sound = desk.locator("#messages audio")
    expect(sound).to_have_count(1)
    expect(desk.locator("#missed")).to_contain_text("є голосове повідомлення")
    sound.evaluate("sound => sound.play()")
    desk.locator("#text").press_sequentially("Тече кран на Соборній")
    eventually(lambda: site.draft(draft).text == "Тече кран на Соборній", "what was typed is saved")
    ring(site, "0501112233")
    expect(desk.locator(".bar")).to_be_visible()
    assert sound.evaluate("sound => !sound.paused && sound.currentTime > 0")


def leave_message(site, draft: int) -> None:
    with site.app.app_context():
        path = message_path(site.settings, db.session.get_one(Report, draft).call.uniqueid)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(tone(60.0, rate=8000))
        assert keep_remarks(site.app, now() + timedelta(seconds=60)) == ""
