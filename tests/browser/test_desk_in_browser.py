"""The administrator's desk in a real Chromium: calls come in, people type, connections break (I3, I5, I6)."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from models.base import db
from models.reports import Report
from tests.browser.at_the_desk import bar, form_of, ring, saved
from tests.browser.conftest import hears_events, log_in
from tests.desk_fixtures import PASSWORD, Site, user_id
from tests.helpers import eventually

pytestmark = pytest.mark.browser
PICTURE = Path(__file__).parent.parent / "artifacts" / "desk.png"  # the README's picture is made of this
NewBrowser = Callable[[], BrowserContext]


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
    expect(bar(desk, call)).to_contain_text(f"Повідомлення № {found.number}")
    desk.keyboard.press("Escape")
    expect(desk.locator(".desk-empty")).to_be_visible()
    desk.keyboard.press("F2")  # the citizen asks once more for the number
    expect(desk.locator(".result-number")).to_have_text(f"№ {found.number}")
    site.exchange.hang_up(call)
    expect(bar(desk, call)).to_have_count(0)
    desk.keyboard.press("Escape")
    expect(desk.locator(".desk-empty")).to_be_visible()


def test_a_street_by_its_former_name_shows_its_present_one_at_once_by_keyboard_alone(site, desk):
    call, draft = ring(site)
    site.exchange.answer(call, 1)
    expect(desk.locator("#category_id")).to_be_focused()
    place = desk.locator("#building").bounding_box()
    desk.keyboard.press("Tab")
    desk.keyboard.type("леніна")
    note = desk.locator("#street-note")
    expect(note).to_have_text("✓ Соборна, колишня Леніна")  # while it is still being typed
    assert desk.input_value("#street") == "леніна"
    desk.keyboard.press("Tab")
    expect(desk.locator("#street")).to_have_value("Соборна")
    expect(note).to_have_text("✓ Соборна, колишня Леніна")
    assert desk.locator("#building").bounding_box() == place
    assert site.draft(draft).street_id is not None
    desk.keyboard.press("Shift+Tab")
    desk.keyboard.type("Невід")
    saved(desk)
    expect(note).to_be_empty()
    desk.keyboard.press("Tab")
    expect(note).to_contain_text("Такої вулиці немає")
    desk.reload()
    expect(note).to_contain_text("Такої вулиці немає")


def test_the_strip_on_other_pages_leads_to_what_the_draft_is_by_now(site, desk):
    """The call still rings here (a colleague's telephone took part), and its report is registered."""
    draft = ring(site)[1]
    expect(form_of(desk, draft)).to_be_visible()
    other = desk.context.new_page()
    other.goto("/journal")
    hears_events(other)
    link = other.locator("#strip a")
    expect(link).to_have_text("Відкрити чернетку")
    desk.select_option("#category_id", "1")
    desk.fill("#landmark", "біля школи")
    desk.fill("#text", "Не горить ліхтар")
    desk.keyboard.press("F9")
    expect(desk.locator(".result-number")).to_be_visible()
    expect(link).to_have_text("Відкрити повідомлення")
    other.keyboard.press("F2")
    expect(other).to_have_url(f"{site.url}/reports/{draft}")


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
    expect(desk.locator("#pane")).to_contain_text("На дзвінок відповідає: Чернявська С. І.")
    expect(form_of(desk, draft)).to_have_count(0)
    expect(bar(desk, call)).to_have_count(0)
    expect(desk).to_have_url(f"{site.url}/")
    assert site.draft(draft).owner_id is None


def test_answered_elsewhere_keeps_a_form_that_was_typed_in(site, desk):
    call, draft = ring(site)
    desk.locator("#text").press_sequentially("Почала писати")
    site.exchange.answer(call, 2)
    expect(desk.locator("#draft-notice")).to_contain_text("На дзвінок відповідає: Чернявська С. І.")
    assert desk.locator("#text").input_value() == "Почала писати"
    saved(desk)
    assert site.draft(draft).text == "Почала писати"


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
    expect(second.locator("[data-error-summary]")).to_be_focused()


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


def test_a_consultation_is_one_key_and_can_be_undone(site, desk):
    """I6: 70 % of calls."""
    call, draft = ring(site)
    site.exchange.answer(call, 1)
    expect(desk.locator("#category_id")).to_be_focused()
    desk.keyboard.press("F4")
    expect(desk.locator(".result")).to_contain_text("Консультація")
    assert site.draft(draft).state == "consultation"
    desk.click("[data-reopen] button")
    expect(form_of(desk, draft)).to_be_visible()
    assert site.draft(draft).state == "draft"


@pytest.mark.parametrize(
    ("key", "state"), [("Alt+5", "redirected"), ("Alt+6", "wrong_number"), ("Alt+7", "nuisance"), ("Alt+8", "dropped")]
)
def test_each_other_ending_has_a_key(site, desk, key, state):
    call, draft = ring(site)
    site.exchange.answer(call, 1)
    expect(desk.locator("#category_id")).to_be_focused()
    desk.keyboard.press(key)
    expect(desk.locator("[data-finished]")).to_be_visible()
    assert site.draft(draft).state == state


def test_the_callers_open_reports_come_first(site, desk):
    """zammad#3107: known by one key, and "is it about this one?" by another."""
    call, earlier = ring(site)
    site.exchange.answer(call, 1)
    desk.select_option("#category_id", "1")
    desk.fill("#street", "Київська")
    desk.fill("#building", "12")
    desk.fill("#text", "Не горить ліхтар")
    desk.fill("#applicant_name", "Олена Коваль")
    desk.keyboard.press("F9")
    expect(desk.locator(".result-number")).to_be_visible()
    site.exchange.hang_up(call)
    expect(bar(desk, call)).to_have_count(0)
    desk.keyboard.press("Escape")

    call, draft = ring(site)
    site.exchange.answer(call, 1)
    expect(desk.locator("#category_id")).to_be_focused()
    expect(desk.locator("#side")).to_contain_text("можливо: Олена Коваль")
    desk.keyboard.press("Alt+1")
    expect(desk.locator("#applicant_name")).to_have_value("Олена Коваль")
    expect(desk.locator(".who-said")).to_have_text("✓ Олена Коваль")
    desk.select_option("#category_id", "1")
    desk.fill("#street", "Київська")
    desk.fill("#building", "12")
    desk.fill("#text", "Ліхтар досі не горить, діти йдуть зі школи в темряві")
    expect(desk.locator("#repeat")).to_contain_text("повторює")
    saved(desk)
    expect(desk.locator("#drafts")).to_contain_text("Вуличне освітлення")
    desk.screenshot(path=PICTURE)
    desk.keyboard.press("F6")
    expect(desk.locator("[data-finished]")).to_be_visible()
    assert (site.draft(draft).state, site.draft(draft).attached_to_id) == ("attached", earlier)


def test_another_telephone_is_searched_as_soon_as_it_is_typed(site, desk):
    """A hidden caller gives a telephone: whose it may be stands beside, and one key says so."""
    earlier = site.exchange.call("0501112233")[1]
    site.draft(earlier, state="consultation", applicant_name="Марія Лисенко")
    call, draft = ring(site, "anonymous")
    site.exchange.answer(call, 1)
    expect(desk.locator("#side")).to_contain_text("Запитайте телефон для передзвону")
    desk.focus("#other_phone")
    desk.keyboard.type("050 111-22-33")
    desk.keyboard.press("Tab")
    expect(desk.locator("#side")).to_contain_text("можливо: Марія Лисенко")
    desk.keyboard.press("Alt+1")
    expect(desk.locator(".who-said")).to_have_text("✓ Марія Лисенко")
    expect(desk.locator("#applicant_name")).to_have_value("Марія Лисенко")


def test_nothing_is_lost_when_the_server_dies_while_somebody_types(site, desk):
    """Nothing typed is ever lost: it is kept here, said so, and sent when the server is back."""
    call, draft = ring(site)
    site.exchange.answer(call, 1)
    desk.fill("#text", "Перше речення.")
    saved(desk)
    site.kill("web")
    desk.locator("#text").press_sequentially(" Друге речення.")
    expect(desk.locator("#save-state")).to_have_text("не збережено — тримаю в цьому браузері")
    expect(desk.locator("#strip")).to_contain_text("Дзвінки все одно дзвонять")
    desk.keyboard.press("F9")
    expect(desk.locator("#draft-notice")).to_contain_text("Немає зв’язку")
    assert desk.input_value("#text") == "Перше речення. Друге речення."
    assert site.draft(draft).text == "Перше речення."
    missed = site.exchange.missed("0501112233")[1]
    site.start_web()
    saved(desk)
    assert site.draft(draft).text == "Перше речення. Друге речення."
    expect(desk.locator("#strip")).to_be_hidden()
    expect(desk.locator(f'#missed [data-draft-link="{missed}"]')).to_be_visible()


def test_nothing_is_lost_when_the_page_goes_before_it_was_saved(site, desk):
    """The server dies, the page is closed, the laptop is switched on again: the text comes back and is sent."""
    call, draft = ring(site)
    site.exchange.answer(call, 1)
    desk.fill("#text", "Перше.")
    saved(desk)
    site.kill("web")
    desk.locator("#text").press_sequentially(" Друге.")
    desk.close(run_before_unload=False)
    site.start_web()
    again = desk.context.new_page()
    again.goto("/")  # not even the draft's own page: what waits is sent all the same
    hears_events(again)
    eventually(lambda: site.draft(draft).text == "Перше. Друге.", "it is sent after all")


def test_nothing_is_lost_by_logging_out_while_typing(site, desk):
    """Logged out in another tab: kept here, not shown to the next user, sent after the same user's login."""
    call, draft = ring(site)
    site.exchange.answer(call, 1)
    desk.fill("#text", "Перше.")
    saved(desk)
    site.exchange.hang_up(call)
    other = desk.context.new_page()
    other.goto("/journal")
    other.click(".topbar details[data-menu] > summary")
    other.click("[data-logout]")
    expect(other.locator("#login")).to_be_visible()
    desk.locator("#text").press_sequentially(" Друге.")
    expect(desk.locator("#strip a")).to_have_attribute("href", "/login")
    expect(desk.locator("#save-state")).to_have_text("не збережено — тримаю в цьому браузері")
    expect(desk.locator("#strip")).not_to_contain_text("збережено")
    assert desk.input_value("#text") == "Перше. Друге."
    assert site.draft(draft).text == "Перше."

    log_in(other, "sorokina")
    other.goto(f"/drafts/{draft}")
    assert other.input_value("#text") == "Перше."
    desk.locator("#text").press_sequentially(" Третє.")
    expect(desk.locator("#draft-notice")).to_contain_text("працює інша особа")
    assert site.draft(draft).text == "Перше."

    other.context.clear_cookies()
    desk.close()
    log_in(other, "tsapkova")
    eventually(lambda: site.draft(draft).text == "Перше. Друге. Третє.", "it is sent for the one who typed it")


def test_two_browsers_type_into_one_field_and_the_person_chooses(site, desk, new_browser):
    """Both texts are shown; nothing is overwritten before somebody chose."""
    call, draft = ring(site)
    site.exchange.answer(call, 1)
    eventually(lambda: site.draft(draft).owner_id is not None, "the draft is mine")
    home = new_browser().new_page()
    log_in(home, "tsapkova")
    home.goto(f"/drafts/{draft}")
    desk.fill("#text", "за столом")
    saved(desk)
    home.fill("#building", "7")
    home.fill("#text", "вдома")
    box = home.locator(".conflict")
    expect(box).to_contain_text("за столом")
    expect(box).to_contain_text("вдома")
    assert site.draft(draft).text == "за столом"
    box.locator('[data-keep="ours"]').click()
    saved(home)
    assert (site.draft(draft).text, site.draft(draft).building) == ("вдома", "7")


def test_a_colleagues_draft_cannot_be_typed_into(site, desk, new_browser):
    call, draft = ring(site)
    site.exchange.answer(call, 1)
    desk.fill("#text", "Моє")
    saved(desk)
    other = new_browser().new_page()
    log_in(other, "cherniavska")
    other.goto(f"/drafts/{draft}")
    expect(other.locator("#text")).to_be_disabled()
    expect(other.locator("#draft-notice")).to_contain_text("З цією чернеткою працює Цапкова О. П.")
    desk.keyboard.press("F8")
    desk.click(f'[data-act="hand_over"][value="{_id(site, "cherniavska")}"]')
    expect(desk.locator("#pane")).to_contain_text("Чернетку передано")
    other.reload()
    expect(other.locator("#text")).to_be_enabled()
    expect(other.locator("#text")).to_have_value("Моє")


def test_the_form_works_without_scripts(site, chromium):
    draft = ring(site)[1]
    context = chromium.new_context(java_script_enabled=False, base_url=site.url, locale="uk-UA")
    page = context.new_page()
    page.goto("/login")
    page.fill("#login", "tsapkova")
    page.fill("#password", PASSWORD)
    page.press("#password", "Enter")
    page.goto(f"/drafts/{draft}")
    page.fill("#text", "Яма на дорозі")
    page.press("#street", "Enter")  # presses no button
    page.click('[data-act="register"]')
    expect(page.locator(".error-summary")).to_contain_text("Виберіть")
    assert page.input_value("#text") == "Яма на дорозі"
    page.select_option("#category_id", "1")
    page.fill("#landmark", "біля школи")
    page.click('[data-act="register"]')
    expect(page.locator(".result-number")).to_be_visible()
    context.close()
    assert site.draft(draft).state == "new"


def _id(site: Site, login: str) -> int:
    with site.app.app_context():
        return user_id(login)


def test_a_draft_is_made_only_once_by_all_this(site, desk):
    """Opening, reloading and typing make no second draft (yaai#15)."""
    call, draft = ring(site)
    expect(form_of(desk, draft)).to_be_visible()
    desk.reload()
    desk.fill("#text", "Яма")
    saved(desk)
    with site.app.app_context():
        assert db.session.scalars(db.select(Report.id)).all() == [draft]


def test_who_oversees_sees_the_lines_change_and_keeps_what_is_open(site, new_browser):
    page = new_browser().new_page()
    log_in(page, "nachalnyk")
    line = page.locator(".lines-now tr", has_text="5-32-75")
    expect(line).to_contain_text("вільна")
    call, draft = ring(site, line="53275", phone=2)
    expect(line).to_contain_text("Дзвонить")
    expect(line).to_contain_text("Чернявська С. І.")
    site.exchange.answer(call, 2)
    expect(line).to_contain_text("Розмова")
    expect(line).to_contain_text("00:0")
    site.exchange.hang_up(call)
    expect(line).to_contain_text("вільна")
    expect(page.locator(".today tr:last-child td").first).to_have_text("1")
    missed = missed_elsewhere(site)
    page.click(f'#missed [data-draft-link="{missed}"]')
    expect(form_of(page, missed)).to_be_visible()
    ring(site, line="54286", phone=3)
    expect(page.locator('#lines [data-line="54286"]')).to_have_attribute("data-state", "ringing")
    expect(form_of(page, missed)).to_be_visible()
    page.click("[data-close]")
    expect(page.locator(".lines-now")).to_contain_text("Сорокіна В. В.")  # not as it was before


def test_on_a_telephone_who_calls_stands_above_the_form(site, new_browser):
    page = new_browser(viewport={"width": 390, "height": 844}).new_page()
    log_in(page, "tsapkova")
    draft = ring(site)[1]
    expect(form_of(page, draft)).to_be_visible()
    call, who, form, more = (
        page.locator(part).bounding_box() for part in (".bar", ".who-calls", "#draft", "#side-more")
    )
    assert call["y"] < who["y"] < form["y"] < more["y"]
    page.click("[data-close]")
    tops = [page.locator(part).bounding_box()["y"] for part in ("#live", ".desk-empty", "#missed")]
    assert tops == sorted(tops)
    assert who["height"] < 200
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def missed_elsewhere(site: Site) -> int:
    """The draft of a call that nobody answered and that did not ring here."""
    call, draft = site.exchange.call("0501112233", line="53275")
    site.exchange.hang_up(call)
    return draft


def kept_texts(page: Page) -> list[str]:
    return page.evaluate("Object.keys(localStorage).filter((key) => key.startsWith('cc-draft:'))")


def refuse(route: Route, status: int, message: str) -> None:
    """Answer a page's script as `webui.errors` does."""
    route.fulfill(status=status, json={"error": "refused", "message": message})


def test_a_draft_opens_by_itself_after_one_failed_answer(site, desk):
    desk.route("**/drafts/*", lambda route: refuse(route, 503, "База даних не відповідає"), times=1)
    call, draft = ring(site)
    expect(form_of(desk, draft)).to_be_visible()


def test_a_call_that_came_while_a_field_had_the_focus_opens_when_the_desk_is_free(site, desk):
    earlier = missed_elsewhere(site)
    desk.click(f'#missed [data-draft-link="{earlier}"]')
    expect(desk.locator("#category_id")).to_be_focused()
    call, draft = ring(site)
    expect(bar(desk, call)).to_be_visible()
    expect(form_of(desk, earlier)).to_be_visible()
    desk.click("[data-close]")
    expect(form_of(desk, draft)).to_be_visible()
    desk.keyboard.press("Escape")
    expect(desk.locator(".desk-empty")).to_be_visible()
    for _second in range(2):  # the desk looks once a second, when its clocks go on
        shown = bar(desk, call).locator(".bar-clock").inner_text()
        expect(bar(desk, call).locator(".bar-clock")).not_to_have_text(shown)
    expect(desk.locator(".desk-empty")).to_be_visible()


def test_the_executor_follows_the_category_after_a_reload_too_until_somebody_chooses(site, desk):
    call, draft = ring(site)
    site.exchange.answer(call, 1)
    expect(desk.locator("#category_id")).to_be_focused()
    desk.select_option("#category_id", "1")
    saved(desk)
    desk.reload()
    expect(desk.locator("#executor_id")).to_have_value("1")
    desk.select_option("#category_id", "2")
    expect(desk.locator("#executor_id")).to_have_value("2")
    desk.select_option("#executor_id", "3")
    saved(desk)
    desk.reload()
    desk.select_option("#category_id", "1")
    expect(desk.locator("#executor_id")).to_have_value("3")


@pytest.mark.parametrize("opens_another", [True, False])
def test_a_late_answer_of_a_closed_form_touches_nothing(site, desk, opens_another):
    """It neither writes into the draft that is open now, nor fails where there is none."""
    first, draft = ring(site)
    site.exchange.answer(first, 1)
    expect(desk.locator("#category_id")).to_be_focused()
    held: list[Route] = []
    desk.route(f"**/drafts/{draft}/save", lambda route: held.append(route))
    with desk.expect_request(f"**/drafts/{draft}/save"):
        desk.fill("#text", "Яма")
    if opens_another:
        other = missed_elsewhere(site)
        desk.click(f'#missed [data-draft-link="{other}"]')
        expect(form_of(desk, other)).to_be_visible()
    else:
        desk.click("[data-close]")
        expect(desk.locator(".desk-empty")).to_be_visible()
    answer = {"revision": 9, "errors": {"flat": "Задовго"}, "repeat": {"number": "2026-0001", "url": "/reports/1"}}
    held[0].fulfill(json=answer)
    eventually(lambda: not kept_texts(desk), "the answer came: nothing waits in the browser")
    expect(desk.locator("#pane")).not_to_contain_text("2026-0001")
    expect(desk.locator("#pane")).not_to_contain_text("Задовго")


def test_a_refusal_is_one_sentence_and_replaces_nothing(site, desk):
    earlier = missed_elsewhere(site)
    desk.route(f"**/drafts/{earlier}", lambda route: refuse(route, 404, "Такої сторінки немає"), times=1)
    desk.click(f'#missed [data-draft-link="{earlier}"]')
    expect(desk.locator("#pane > .notice")).to_have_text(
        "Такої сторінки немає. Нічого не змінено, а введене збережено. Перезавантажте сторінку й спробуйте ще раз."
    )
    expect(desk.locator(".desk-empty")).to_be_visible()

    call, draft = ring(site)
    expect(form_of(desk, draft)).to_be_visible()
    site.exchange.answer(call, 1)
    expect(bar(desk, call)).to_contain_text("До форми")
    desk.fill("#text", "Яма")
    saved(desk)
    desk.route("**/desk/side/*", lambda route: refuse(route, 403, "Не для вашої посади"))
    desk.route("**/desk/live", lambda route: refuse(route, 429, "Забагато спроб"))
    desk.route("**/register", lambda route: refuse(route, 413, "Забагато тексту"))
    with desk.expect_response("**/desk/side/*"), desk.expect_response("**/desk/live"):
        site.exchange.hang_up(call)
    desk.keyboard.press("F9")
    expect(desk.locator("#draft-notice")).to_contain_text("Забагато тексту. Нічого не змінено")
    assert desk.input_value("#text") == "Яма"
    assert "{" not in desk.locator("#desk").inner_text()
    expect(desk.locator("#side")).to_contain_text("Цей номер ще не відомий")


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


def test_a_text_that_is_refused_for_good_is_offered_to_discard_and_sent_no_more(site, desk):
    call, draft = ring(site)
    site.exchange.answer(call, 1)
    expect(desk.locator("#category_id")).to_be_focused()
    eventually(lambda: site.draft(draft).owner_id is not None, "the draft is mine")
    desk.route("**/save", lambda route: route.abort())
    desk.fill("#text", "Яма біля школи")
    desk.click("[data-close]")
    expect(desk.locator(".desk-empty")).to_be_visible()
    site.exchange.hang_up(call)
    site.draft(draft, owner_id=_id(site, "cherniavska"))
    desk.unroute("**/save")
    with desk.expect_response("**/save") as answer:
        desk.reload()
    assert answer.value.status == 409
    refused = desk.locator("#refused")
    expect(refused).to_contain_text("Яма біля школи")
    assert refused.get_by_role("button").bounding_box()["height"] < 40  # a word in one piece

    sent: list[str] = []
    desk.on("request", lambda request: request.url.endswith("/save") and sent.append(request.url))
    desk.reload()
    hears_events(desk)
    expect(refused).to_contain_text("Яма біля школи")
    refused.get_by_role("button", name="Відкинути").click()
    expect(refused).to_have_count(0)
    desk.reload()
    hears_events(desk)
    expect(refused).to_have_count(0)
    assert sent == []


def test_texts_do_not_wait_in_the_browser_for_ever(site, desk):
    """Fourteen days; those of other users of this browser too."""
    desk.evaluate(
        """(me) => {
          const kept = (days) => JSON.stringify({ fields: { text: "Яма" }, base: {}, revision: 0, refused: true,
            at: Date.now() - days * 24 * 3600 * 1000 });
          localStorage.setItem(`cc-draft:${me}:901`, kept(15));
          localStorage.setItem(`cc-draft:${me}:902`, kept(13));
          localStorage.setItem("cc-draft:999:903", kept(15));
        }""",
        _id(site, "tsapkova"),
    )
    desk.reload()
    eventually(lambda: [key.split(":")[2] for key in kept_texts(desk)] == ["902"], "only the newer one is left")


def test_the_buttons_stand_in_one_row_while_it_rings(site, desk):
    """The desks' screens are 1366 points wide."""
    draft = ring(site)[1]
    expect(form_of(desk, draft)).to_be_visible()
    expect(desk.locator('[data-act="claim"]')).to_be_hidden()  # the bar has that button
    assert in_one_row(desk)


def test_a_missed_calls_draft_can_be_taken_from_its_row_of_buttons(site, desk):
    call, draft = ring(site)
    expect(form_of(desk, draft)).to_be_visible()
    site.exchange.hang_up(call)
    expect(bar(desk, call)).to_have_count(0)
    expect(desk.locator('[data-act="claim"]')).to_be_visible()
    assert in_one_row(desk)
    desk.click('[data-act="claim"]')
    eventually(lambda: site.draft(draft).owner_id is not None, "the draft is mine")


def in_one_row(desk: Page) -> bool:
    """From the first button to «Відкласти»."""
    first, last = desk.locator('[data-act="register"]'), desk.locator(".draft-acts [data-close]")
    return abs(first.bounding_box()["y"] - last.bounding_box()["y"]) < 5


def test_of_two_calls_that_ring_the_key_takes_the_one_that_is_not_open(site, desk):
    first, draft = ring(site)
    expect(form_of(desk, draft)).to_be_visible()
    expect(bar(desk, first).locator("[data-take]")).to_be_visible()
    desk.focus("#text")  # so that the second call does not open by itself
    second, other = ring(site, "0501112233")
    expect(bar(desk, second).locator("[data-take]")).to_be_visible()
    expect(bar(desk, first).locator("[data-take]")).to_be_hidden()
    desk.keyboard.press("F2")
    expect(form_of(desk, other)).to_be_visible()
    eventually(lambda: site.draft(other).owner_id is not None, "the second draft is mine")
    assert site.draft(draft).owner_id is None
    expect(bar(desk, first).locator("[data-take]")).to_be_visible()
    expect(bar(desk, second).locator("[data-take]")).to_be_hidden()


def test_the_list_shows_what_is_saved_while_somebody_types_on(site, desk):
    call, draft = ring(site)
    site.exchange.answer(call, 1)
    expect(desk.locator("#drafts")).to_contain_text("ще нічого не набрано")
    desk.fill("#text", "Яма на дорозі")
    expect(desk.locator("#drafts")).to_contain_text("Яма на дорозі")
    expect(desk.locator("#drafts")).not_to_contain_text("ще нічого не набрано")


def test_a_journals_filter_applies_when_it_is_chosen_and_with_the_button_by_keyboard(site, desk):
    desk.goto("/journal")
    desk.select_option("#category", "2")
    expect(desk.get_by_text("Показати все")).to_be_visible()
    expect(desk.locator("#category")).to_have_value("2")
    desk.click(".filters a")
    expect(desk.get_by_text("Показати все")).to_have_count(0)
    desk.focus("#category")
    desk.keyboard.press("ArrowDown")
    desk.keyboard.press("ArrowDown")
    expect(desk.locator("#category")).to_have_value("2")
    expect(desk.get_by_text("Показати все")).to_have_count(0)
    desk.click(".search button")
    expect(desk.get_by_text("Показати все")).to_be_visible()
