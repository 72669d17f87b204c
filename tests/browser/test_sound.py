"""The sound of a call: it comes once the browser allows it, and until then the page says why it does not."""

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.at_the_desk import form_of, ring
from tests.browser.conftest import hears_events, log_in
from tests.helpers import eventually

pytestmark = pytest.mark.browser
# Every sound of the page, and what plays it.
WATCH = """
  self.contexts = [];
  self.tones = 0;
  const Real = AudioContext;
  self.AudioContext = class extends Real {
    constructor() { super(); contexts.push(this); }
    createOscillator() { tones += 1; return super.createOscillator(); }
  };
"""
# What the browser's own rule does to a page that nobody has touched. It cannot be had here: to the browser, whatever a
# test asks the page counts as the person's touch.
UNTOUCHED = """
  let touched = false;
  Object.defineProperty(navigator, "userActivation", { get: () => ({ hasBeenActive: touched }) });
  for (const name of ["keydown", "pointerdown"]) addEventListener(name, () => { touched = true; }, true);
  const Allowed = AudioContext;
  self.AudioContext = class extends Allowed {
    constructor() { super(); if (!touched) this.suspend(); }
    resume() { return touched ? super.resume() : new Promise(() => {}); }
  };
"""
WHY = "Щоб чути звук дзвінка, натисніть клавішу або клацніть на цій сторінці."


@pytest.fixture
def context(new_browser: Callable[..., BrowserContext]) -> BrowserContext:
    context = new_browser()
    context.add_init_script(WATCH)
    return context


@pytest.fixture
def untouched(site, context: BrowserContext, new_browser: Callable[..., BrowserContext]) -> Page:
    """The desk in a browser in which nobody has pressed or clicked anything yet: the session comes from elsewhere."""
    context.add_init_script(UNTOUCHED)
    elsewhere = new_browser()
    log_in(elsewhere.new_page(), "tsapkova")
    context.add_cookies(elsewhere.cookies())
    elsewhere.close()
    page = context.new_page()
    page.goto("/")
    hears_events(page)
    return page


def sounds(page: Page) -> tuple[str, int]:
    return page.evaluate("[contexts.map((one) => one.state).join(), tones]")


def test_a_call_sounds_for_who_has_typed_or_clicked(site, context):
    page = context.new_page()
    log_in(page, "tsapkova")
    page.click("#content")
    _call, draft = ring(site)
    expect(form_of(page, draft)).to_be_visible()
    eventually(lambda: sounds(page) == ["running", 2], lambda: f"two tones: {sounds(page)}", seconds=10)
    expect(page.locator("#strip")).to_be_hidden()


def test_where_nobody_has_touched_the_page_it_says_why_there_is_no_sound_and_makes_it_after_the_first_key(
    site, untouched
):
    ring(site)
    expect(untouched.locator("#strip")).to_have_text(WHY)
    assert sounds(untouched)[1] == 0
    untouched.keyboard.press("Shift")
    expect(untouched.locator("#strip")).to_be_hidden()
    eventually(lambda: sounds(untouched) == ["running", 2], lambda: f"two tones: {sounds(untouched)}", seconds=10)


def test_where_no_sound_can_be_played_it_says_that(site, context):
    context.add_init_script("AudioContext.prototype.resume = () => new Promise(() => {})")
    page = context.new_page()
    log_in(page, "tsapkova")
    page.click("#content")
    ring(site)
    expect(page.locator("#strip")).to_contain_text("чи має цей комп’ютер гучномовець")


def test_a_call_that_is_over_makes_no_sound_afterwards(site, untouched):
    call, _draft = ring(site)
    expect(untouched.locator("#strip")).to_have_text(WHY)
    site.exchange.hang_up(call)
    expect(untouched.locator("#live .bar")).to_have_count(0)
    expect(untouched.locator("#strip")).to_be_hidden()
    untouched.mouse.click(5, 300)
    assert sounds(untouched)[1] == 0


def test_who_has_switched_the_sound_off_hears_none_and_reads_nothing_of_it(site, context):
    page = context.new_page()
    log_in(page, "tsapkova")
    page.click(".topbar > details[data-menu] > summary")
    page.click("button[name=sound][value=off]")
    hears_events(page)
    _call, draft = ring(site)
    expect(form_of(page, draft)).to_be_visible()
    assert sounds(page) == ["", 0]
    expect(page.locator("#strip")).to_be_hidden()
