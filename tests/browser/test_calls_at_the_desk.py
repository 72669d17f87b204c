"""Calls come to the desk in a real Chromium: forms open and close, nobody is disturbed, connections break (I3)."""

import time

import pytest
from playwright.sync_api import Page, Route, expect

from models.base import db
from models.reports import Report
from tests.browser.at_the_desk import bar, form_of, id_of, missed_elsewhere, refuse, ring, saved
from tests.browser.conftest import hears_events, log_in
from tests.helpers import eventually

pytestmark = pytest.mark.browser


def left_alone(page: Page) -> None:
    """The open draft was not touched for so long that it gives way."""
    page.evaluate("Date.now = ((real) => () => real() + 21_000)(Date.now)")


def two_looks(page: Page, call: int) -> None:
    """The desk looks once a second whether a draft can open, when its clocks go on."""
    for _second in range(2):
        shown = bar(page, call).locator(".bar-clock").inner_text()
        expect(bar(page, call).locator(".bar-clock")).not_to_have_text(shown)


def test_a_call_opens_its_draft_and_becomes_a_registered_report(site, desk):
    """The whole way: it rings, the form is there before the receiver is lifted, F9 gives the number (I1, I3, I5)."""
    call, draft = ring(site)
    expect(form_of(desk, draft)).to_be_visible()
    expect(desk).to_have_url(f"{site.url}/drafts/{draft}")
    expect(bar(desk, call)).to_contain_text("+380 67 123 45 67")
    expect(bar(desk, call)).to_contain_text("лінія 5-32-73")
    eventually(lambda: desk.title().startswith("☎"), "the title says that it rings")
    expect(desk.locator('#lines [data-line="53273"]')).to_have_attribute("data-state", "ringing")

    site.exchange.answer(call, 1)
    expect(desk.locator("#category_id")).to_be_focused()
    eventually(lambda: site.draft(draft).owner_id is not None, "the draft is mine")
    desk.keyboard.press("ArrowDown")
    expect(desk.locator("#executor_id")).to_have_value("1")
    for text in ("Леніна", "4", "7"):
        desk.keyboard.press("Tab")
        desk.keyboard.type(text)
    desk.keyboard.press("Enter")  # goes on, presses nothing
    expect(desk.locator("#landmark")).to_be_focused()
    desk.keyboard.press("Tab")
    desk.keyboard.type("Не горить ліхтар біля під’їзду")
    saved(desk)
    desk.keyboard.press("F9")
    expect(desk.locator(".result-number")).to_have_text("№ 2026-0001".replace("2026", str(time.gmtime().tm_year)))
    expect(desk.locator(".result")).to_contain_text("строк до")
    expect(desk.locator(".result-facts")).to_contain_text("Соборна, 4, кв. 7")
    expect(desk.locator("#side")).not_to_contain_text("буде нове повідомлення")
    found = site.draft(draft)
    assert (found.state, found.building, found.flat, found.text) == ("new", "4", "7", "Не горить ліхтар біля під’їзду")
    expect(bar(desk, call)).to_contain_text(f"Відкрити повідомлення № {found.number}")
    desk.keyboard.press("Escape")
    expect(desk.locator(".desk-empty")).to_be_visible()
    desk.keyboard.press("F2")  # the citizen asks once more for the number
    expect(desk.locator(".result-number")).to_have_text(f"№ {found.number}")
    site.exchange.hang_up(call)
    expect(bar(desk, call)).to_have_count(0)
    desk.keyboard.press("Escape")
    expect(desk.locator(".desk-empty")).to_be_visible()


def test_typing_is_not_interrupted_by_a_second_call(site, desk):
    """Rocket.Chat#3470: the focus, the caret and the field's place stay; F2 goes to the new call when I want it."""
    first, draft = ring(site)
    site.exchange.answer(first, 1)
    field = desk.locator("#text")
    field.press_sequentially("Не горить ліхтар")
    field.evaluate("field => field.setSelectionRange(3, 3)")
    place = field.bounding_box()
    second, other_draft = ring(site, "0501112233")
    expect(bar(desk, second)).to_be_visible()
    expect(bar(desk, second)).to_contain_text("F2")
    desk.keyboard.type("дуже ")
    assert field.input_value() == "Не дуже горить ліхтар"
    assert field.evaluate("field => field.selectionStart") == 8
    assert field.bounding_box() == place
    expect(field).to_be_focused()
    expect(desk).to_have_url(f"{site.url}/drafts/{draft}")
    desk.keyboard.press("F2")
    expect(form_of(desk, other_draft)).to_be_visible()
    expect(desk.locator("#category_id")).to_be_focused()
    assert site.draft(draft).text == "Не дуже горить ліхтар"
    expect(desk.locator("#drafts")).to_contain_text("Не дуже горить")


def test_a_third_and_fourth_call_move_nothing(site, desk):
    """yaai#100: many calls are many bars in the room that is kept for them."""
    draft = ring(site)[1]
    expect(form_of(desk, draft)).to_be_visible()
    top = desk.locator("#draft").bounding_box()
    for number in range(3):
        call, draft = ring(site, f"050111220{number}")
        expect(bar(desk, call)).to_have_count(1)
        expect(form_of(desk, draft)).to_be_visible()
    assert desk.locator("#draft").bounding_box() == top


def test_answered_elsewhere_closes_an_untouched_form_and_says_who(site, desk):
    call, draft = ring(site)
    expect(form_of(desk, draft)).to_be_visible()
    site.exchange.ring(call, 2)
    site.exchange.answer(call, 2)
    expect(desk.locator("#pane")).to_contain_text("Дзвінок прийнято: Чернявська С. І.")
    expect(form_of(desk, draft)).to_have_count(0)
    expect(bar(desk, call)).to_have_count(0)
    expect(desk).to_have_url(f"{site.url}/")
    assert site.draft(draft).owner_id == id_of(site, "cherniavska")


def test_answered_elsewhere_keeps_a_form_that_was_typed_in(site, desk):
    call, draft = ring(site)
    desk.locator("#text").press_sequentially("Почала писати")
    saved(desk)
    site.exchange.answer(call, 2)
    expect(desk.locator("#draft-notice")).to_contain_text("Дзвінок прийнято: Чернявська С. І.")
    assert desk.locator("#text").input_value() == "Почала писати"
    expect(desk.locator("#draft-head")).to_contain_text("Чернявська С. І.")


def test_a_call_on_another_line_opens_nothing_here(site, desk):
    """zammad#2177: the pop is for whom it rings."""
    call, _draft = site.exchange.call(line="53275")
    expect(desk.locator('#lines [data-line="53275"]')).to_have_attribute("data-state", "ringing")
    expect(bar(desk, call)).to_have_count(0)
    expect(desk.locator(".desk-empty")).to_be_visible()


def test_a_form_that_was_put_aside_does_not_come_back(site, desk):
    """yaai#15: closed ones stay closed."""
    call, draft = ring(site)
    expect(form_of(desk, draft)).to_be_visible()
    desk.keyboard.press("Escape")
    expect(desk.locator(".desk-empty")).to_be_visible()
    site.exchange.ring(call, 2)
    desk.reload()
    hears_events(desk)
    expect(bar(desk, call)).to_be_visible()
    expect(form_of(desk, draft)).to_have_count(0)


def test_a_reload_and_a_second_tab_show_the_same(site, desk):
    call, draft = ring(site)
    site.exchange.answer(call, 1)
    desk.fill("#text", "Яма на дорозі")
    desk.fill("#street", "Невідома вулиця")
    saved(desk)
    desk.reload()
    assert desk.input_value("#text") == "Яма на дорозі"
    assert desk.input_value("#street") == "Невідома вулиця"
    expect(bar(desk, call)).to_contain_text("РОЗМОВА")
    second = desk.context.new_page()
    second.goto(f"/drafts/{draft}")
    hears_events(second)
    assert second.input_value("#text") == "Яма на дорозі"
    desk.fill("#text", "Яма на дорозі біля школи")
    expect(second.locator("#text")).to_have_value("Яма на дорозі біля школи")
    second.fill("#building", "12")
    expect(desk.locator("#building")).to_have_value("12")
    second.click('[data-act="register"]')
    expect(second.locator("#category_id")).to_be_focused()


def test_a_call_opens_in_one_tab_only(site, desk):
    """Zammad, NethServer#7753: not in every tab; the one looked at last."""
    desk.goto("/journal")
    hears_events(desk)
    second = desk.context.new_page()
    second.goto("/")
    hears_events(second)
    third = desk.context.new_page()
    third.goto("/")
    hears_events(third)
    third.bring_to_front()
    call, draft = ring(site)
    expect(form_of(third, draft)).to_be_visible()
    expect(bar(second, call)).to_be_visible()
    expect(second.locator(".desk-empty")).to_have_count(1)
    expect(desk.locator("#strip a")).to_have_attribute("href", f"/drafts/{draft}")


def test_a_draft_is_made_only_once_by_all_this(site, desk):
    """Opening, reloading and typing make no second draft (yaai#15)."""
    call, draft = ring(site)
    expect(form_of(desk, draft)).to_be_visible()
    desk.reload()
    desk.fill("#text", "Яма")
    saved(desk)
    with site.app.app_context():
        assert db.session.scalars(db.select(Report.id)).all() == [draft]


def test_a_draft_opens_by_itself_after_one_failed_answer(site, desk):
    desk.route("**/drafts/*", lambda route: refuse(route, 503, "База даних не відповідає"), times=1)
    call, draft = ring(site)
    expect(form_of(desk, draft)).to_be_visible()


def test_a_call_that_came_while_somebody_typed_opens_when_the_desk_is_free(site, desk):
    earlier = missed_elsewhere(site)
    desk.click(f'#missed [data-draft-link="{earlier}"]')
    expect(desk.locator("#category_id")).to_be_focused()
    desk.locator("#text").press_sequentially("Передзвонила")
    saved(desk)
    call, draft = ring(site)
    expect(bar(desk, call)).to_be_visible()
    expect(form_of(desk, earlier)).to_be_visible()
    desk.click("[data-close]")
    expect(form_of(desk, draft)).to_be_visible()
    desk.keyboard.press("Escape")
    expect(desk.locator(".desk-empty")).to_be_visible()
    two_looks(desk, call)
    expect(desk.locator(".desk-empty")).to_be_visible()


def test_an_open_draft_that_nobody_types_into_gives_way_to_the_next_call(site, desk):
    earlier = missed_elsewhere(site)
    desk.click(f'#missed [data-draft-link="{earlier}"]')
    expect(desk.locator("#category_id")).to_be_focused()
    first, draft = ring(site)
    expect(form_of(desk, draft)).to_be_visible()
    desk.locator("#text").press_sequentially("Яма")
    saved(desk)
    second, other = ring(site, "0501112233")
    expect(bar(desk, second)).to_be_visible()
    site.exchange.hang_up(first)
    expect(bar(desk, first)).to_have_count(0)
    expect(form_of(desk, draft)).to_be_visible()
    left_alone(desk)
    expect(form_of(desk, other)).to_be_visible()
    assert site.draft(draft).text == "Яма"


def test_who_types_while_the_form_is_opened_anew_goes_on(site, desk):
    """The receiver is lifted, the network is slow, and the first words are typed already."""
    first, draft = ring(site)
    expect(form_of(desk, draft)).to_be_visible()
    held = []
    desk.route("**/claim", lambda route: held.append(route))
    with desk.expect_request("**/claim"):
        site.exchange.answer(first, 1)
    field = desk.locator("#text")
    field.press_sequentially("Не горить ")
    with desk.expect_response("**/claim"):
        held[0].continue_()
    saved(desk)
    expect(desk.locator("#draft")).to_have_attribute("data-owned", "true")
    expect(field).to_be_focused()
    expect(field).to_have_value("Не горить ")


def test_a_half_written_draft_keeps_the_screen_while_its_own_call_goes_on(site, desk):
    """However long the pen rests: the words that come next belong to the same citizen. A second call that was answered
    on the same telephone is said, and its draft opens when it is asked for."""
    first, draft = ring(site)
    site.exchange.answer(first, 1)
    field = desk.locator("#text")
    field.press_sequentially("Не горить ")
    saved(desk)
    left_alone(desk)
    second, other = ring(site, "0501112233")
    expect(bar(desk, second)).to_contain_text("F2")
    two_looks(desk, first)
    expect(form_of(desk, draft)).to_be_visible()
    place = field.bounding_box()
    site.exchange.answer(second, 1)
    expect(desk.locator("#other-call")).to_be_visible()
    expect(desk.locator("#other-call")).to_contain_text("Це чернетка іншого дзвінка")
    two_looks(desk, first)
    expect(field).to_be_focused()
    assert field.bounding_box() == place
    desk.keyboard.type("ліхтар")
    expect(field).to_have_value("Не горить ліхтар")
    eventually(lambda: site.draft(other).owner_id is not None, "the second draft is mine")
    desk.keyboard.press("F2")
    expect(form_of(desk, other)).to_be_visible()
    expect(desk.locator("#category_id")).to_be_focused()
    expect(desk.locator("#other-call")).to_be_hidden()
    assert site.draft(draft).text == "Не горить ліхтар"


def test_an_answered_call_opens_its_draft_when_the_former_one_is_over_and_left_alone(site, desk):
    first, draft = ring(site)
    site.exchange.answer(first, 1)
    desk.locator("#text").press_sequentially("Яма")
    saved(desk)
    second, other = ring(site, "0501112233")
    site.exchange.answer(second, 1)
    expect(desk.locator("#other-call")).to_be_visible()
    left_alone(desk)
    site.exchange.hang_up(first)
    expect(form_of(desk, other)).to_be_visible()
    expect(desk.locator("#other-call")).to_be_hidden()


def test_a_talk_that_ended_while_another_draft_had_the_screen_is_one_key_away(site, desk):
    """Nothing of the second talk is written yet: F2 opens its draft, and what was typed in the first is kept."""
    first, draft = ring(site)
    site.exchange.answer(first, 1)
    field = desk.locator("#text")
    field.press_sequentially("Не горить ліхтар")
    second, other = ring(site, "0501112233")
    site.exchange.answer(second, 1)
    expect(desk.locator("#other-call")).to_be_visible()
    key = desk.locator(f'#drafts [data-draft-link="{other}"] kbd')
    expect(key).to_be_hidden()  # the bar leads to it
    field.press_sequentially(" біля школи")
    for call in (first, second):
        site.exchange.hang_up(call)
        expect(bar(desk, call)).to_have_count(0)
    expect(key).to_be_visible()
    expect(desk.locator(f'#drafts [data-draft-link="{draft}"] kbd')).to_have_count(0)
    desk.keyboard.press("F2")
    expect(form_of(desk, other)).to_be_visible()
    expect(desk.locator("#category_id")).to_be_focused()
    expect(key).to_be_hidden()
    assert site.draft(draft).text == "Не горить ліхтар біля школи"
    desk.locator("#text").press_sequentially("Яма")
    saved(desk)
    desk.click(f'#drafts [data-draft-link="{draft}"]')
    expect(form_of(desk, draft)).to_be_visible()
    desk.keyboard.press("F2")  # nothing is left: to the form
    expect(desk.locator("#category_id")).to_be_focused()
    expect(form_of(desk, draft)).to_be_visible()


def test_of_two_talks_the_key_takes_the_one_that_was_answered_last(site, desk):
    earlier = missed_elsewhere(site)
    first, _draft = ring(site)
    second, other = ring(site, "0991112233")
    for call in (first, second):
        site.exchange.answer(call, 1)
        expect(bar(desk, call)).to_have_attribute("data-talking", "true")
    desk.click(f'#missed [data-draft-link="{earlier}"]')
    expect(form_of(desk, earlier)).to_be_visible()
    expect(bar(desk, second).locator("[data-take]")).to_be_visible()
    expect(desk.locator("#other-call kbd")).to_be_visible()
    desk.keyboard.press("F2")
    expect(form_of(desk, other)).to_be_visible()


def test_a_key_that_changes_nothing_counts_as_work_on_the_draft(site, desk):
    """A short field is full: what is typed further is not taken, and yet somebody types."""
    earlier = missed_elsewhere(site)
    desk.click(f'#missed [data-draft-link="{earlier}"]')
    flat = desk.locator("#flat")
    flat.fill("4" * 16)
    saved(desk)
    left_alone(desk)
    flat.press("4")
    call, _draft = ring(site)
    expect(bar(desk, call)).to_be_visible()
    two_looks(desk, call)
    expect(form_of(desk, earlier)).to_be_visible()
    expect(flat).to_be_focused()


def test_the_lifted_receiver_opens_its_draft_or_the_page_says_that_it_is_another(site, desk):
    first, draft = ring(site)
    expect(form_of(desk, draft)).to_be_visible()
    desk.locator("#text").press_sequentially("Яма")
    saved(desk)
    second, other = ring(site, "0501112233")
    expect(bar(desk, second)).to_be_visible()
    site.exchange.hang_up(first)
    expect(bar(desk, first)).to_have_count(0)
    left_alone(desk)
    site.exchange.answer(second, 1)
    expect(form_of(desk, other)).to_be_visible()
    expect(desk.locator("#category_id")).to_be_focused()
    expect(desk.locator("#other-call")).to_be_hidden()
    eventually(lambda: site.draft(other).owner_id is not None, "the second draft is mine")
    desk.click(f'#drafts [data-draft-link="{draft}"]')
    warning = desk.locator("#other-call")
    expect(warning).to_be_visible()
    expect(warning).to_contain_text("Це чернетка іншого дзвінка")
    assert warning.bounding_box()["y"] < desk.locator("#category_id").bounding_box()["y"]
    warning.get_by_role("button").click()
    expect(form_of(desk, other)).to_be_visible()


def test_a_closed_stream_stays_closed(desk):
    """Neither the network's return nor a question that was under way opens it again (events would come twice)."""
    opened = desk.evaluate(
        """async () => {
          const desk = document.querySelector("script[src$='desk.js']").src;
          const { Stream } = await import(desk.replace("desk.js", "stream.js"));
          const Real = EventSource;
          let opened = 0;
          self.EventSource = class extends Real { constructor(url) { super(url); opened += 1; } };
          const stream = new Stream(() => {});
          const failing = stream.failed();
          stream.close();
          await failing;
          stream.retryAt = 0;
          stream.tick();
          dispatchEvent(new Event("online"));
          self.EventSource = Real;
          return opened;
        }"""
    )
    assert opened == 1


def test_news_of_the_next_draft_are_not_lost_behind_a_slow_answer(site, desk):
    first, draft = ring(site)
    site.exchange.answer(first, 1)
    expect(desk.locator("#category_id")).to_be_focused()
    eventually(lambda: site.draft(draft).owner_id is not None, "the draft is mine")
    held: list[Route] = []
    desk.route(f"**/desk/side/{draft}", lambda route: held.append(route))
    site.exchange.hang_up(first)
    expect(bar(desk, first)).to_have_count(0)
    eventually(lambda: desk.evaluate("1") and held, "the first draft's side is asked for")
    second, other = ring(site, "0501112233")
    expect(bar(desk, second)).to_be_visible()
    desk.keyboard.press("F2")
    expect(form_of(desk, other)).to_be_visible()
    site.exchange.hang_up(second)
    expect(bar(desk, second)).to_have_count(0)
    with desk.expect_response(f"**/desk/side/{other}"):
        held[0].continue_()
    assert len(held) == 1


def test_of_two_calls_that_ring_the_key_takes_the_one_that_is_not_open(site, desk):
    first, draft = ring(site)
    expect(form_of(desk, draft)).to_be_visible()
    expect(bar(desk, first).locator("[data-take]")).to_be_visible()
    desk.locator("#building").press_sequentially("4")  # so that the second call does not open by itself
    second, other = ring(site, "0501112233")
    expect(bar(desk, second).locator("[data-take]")).to_be_visible()
    expect(bar(desk, first).locator("[data-take]")).to_be_hidden()
    desk.keyboard.press("F2")
    expect(form_of(desk, other)).to_be_visible()
    eventually(lambda: site.draft(other).owner_id is not None, "the second draft is mine")
    expect(bar(desk, first).locator("[data-take]")).to_be_visible()
    expect(bar(desk, second).locator("[data-take]")).to_be_hidden()


def test_who_speaks_can_write_though_a_colleague_typed_while_it_rang(site, desk, new_browser):
    """I3: the colleague's words are in the draft; the one who typed is told, and keeps nobody's form."""
    call, draft = ring(site)
    form_of(desk, draft)
    desk.fill("#text", "Не горить")
    saved(desk)
    colleague, third = (new_browser().new_page() for _ in range(2))
    log_in(colleague, "sorokina")
    log_in(third, "cherniavska")
    for phone in (2, 3):
        site.exchange.ring(call, phone)
    expect(form_of(colleague, draft)).to_be_visible()
    site.exchange.answer(call, 3)
    expect(colleague.locator("#text")).to_be_enabled()
    expect(colleague.locator("#text")).to_have_value("Не горить")
    expect(desk.locator("#draft")).to_contain_text("Сорокіна")
    colleague.fill("#text", "Не горить ліхтар")
    saved(colleague)
    assert site.draft(draft).text == "Не горить ліхтар"
    expect(form_of(third, draft)).to_be_hidden()
    later, theirs = ring(site, "0501112233", line="53275", phone=2)
    expect(form_of(third, theirs)).to_be_visible()
    site.exchange.answer(later, 2)
    expect(third.locator("#text")).to_be_enabled()


def test_what_a_button_brought_stands_until_a_key_while_the_next_citizen_waits(site, desk):
    """The first has hung up and the second speaks: the mistakes, and then the number with its PIN, can be read."""
    first, draft = ring(site)
    site.exchange.answer(first, 1)
    desk.locator("#text").press_sequentially("Не горить ліхтар")
    saved(desk)
    second, other = ring(site, "0501112233")
    site.exchange.hang_up(first)
    site.exchange.answer(second, 1)
    expect(desk.locator("#other-call")).to_be_visible()
    desk.keyboard.press("F9")
    expect(desk.locator("#category_id")).to_have_attribute("aria-invalid", "true")
    left_alone(desk)
    two_looks(desk, second)
    expect(form_of(desk, draft)).to_be_visible()
    desk.select_option("#category_id", "1")
    desk.fill("#landmark", "біля школи")
    desk.keyboard.press("F9")
    expect(desk.locator(".result-pin")).to_be_visible()
    left_alone(desk)
    two_looks(desk, second)
    expect(desk.locator(".result-pin")).to_be_visible()
    expect(bar(desk, second)).to_contain_text("F2")
    desk.keyboard.press("F2")
    expect(form_of(desk, other)).to_be_visible()
