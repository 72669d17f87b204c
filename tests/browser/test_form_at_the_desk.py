"""The form in a real Chromium: filled, ended and taken by keyboard, with what is known beside it (I4, I5, I6)."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from models.base import transaction
from models.callers import identify_caller
from models.drafts import hand_over_draft, register_draft, save_draft
from models.people import User
from models.reports import Report
from tests.browser.at_the_desk import bar, form_of, id_of, missed_elsewhere, ring, saved
from tests.browser.conftest import hears_events, log_in
from tests.desk_fixtures import PASSWORD, user_id
from tests.helpers import AREA_CODE, eventually

pytestmark = pytest.mark.browser
PICTURE = Path(__file__).parent.parent / "artifacts" / "desk.png"  # the README's picture is made of this


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


def test_a_consultation_is_one_key_and_can_be_undone(site, desk):
    """I6: 70 % of calls."""
    call, draft = ring(site)
    site.exchange.answer(call, 1)
    expect(desk.locator("#category_id")).to_be_focused()
    desk.keyboard.press("F4")
    expect(desk.locator(".result")).to_contain_text("Консультацію надано")
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
    expect(desk.locator("#side")).to_contain_text("Запитайте, на який номер передзвонити")
    expect(desk.locator("#category_id")).to_be_focused()
    desk.focus("#other_phone")
    desk.keyboard.type("050 111-22-33")
    desk.keyboard.press("Tab")
    expect(desk.locator("#side")).to_contain_text("можливо: Марія Лисенко")
    desk.keyboard.press("Alt+1")
    expect(desk.locator(".who-said")).to_have_text("✓ Марія Лисенко")
    expect(desk.locator("#applicant_name")).to_have_value("Марія Лисенко")


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
    desk.click(f'[data-act="hand_over"][value="{id_of(site, "cherniavska")}"]')
    expect(desk.locator("#pane")).to_contain_text("Чернетку передано: Чернявська С. І.")
    other.reload()
    expect(other.locator("#text")).to_be_enabled()
    expect(other.locator("#text")).to_have_value("Моє")


def test_a_new_draft_without_a_call_has_the_focus_and_no_late_answer_replaces_it(site, desk):
    call, draft = ring(site)
    expect(form_of(desk, draft)).to_be_visible()
    desk.keyboard.press("F4")
    expect(desk.locator("[data-reopen]")).to_be_visible()
    held: list[Route] = []
    desk.route("**/reopen", lambda route: held.append(route))
    with desk.expect_request("**/reopen"):
        desk.locator("[data-reopen] button").click()
    desk.keyboard.press("Alt+9")
    desk.keyboard.press("Enter")
    expect(desk.locator("#category_id")).to_be_focused()
    new = desk.locator("#draft").get_attribute("data-draft")
    expect(desk).to_have_url(f"{site.url}/drafts/{new}")
    with desk.expect_response("**/reopen"), desk.expect_response("**/desk/live"):
        held[0].continue_()
    expect(form_of(desk, int(new))).to_be_visible()
    expect(desk.locator("#category_id")).to_be_focused()


def test_the_arrows_go_through_a_menu_and_a_question_mark_helps_in_a_list_of_choices(site, desk):
    call, draft = ring(site)
    expect(form_of(desk, draft)).to_be_visible()
    desk.focus("#other-endings > summary")
    desk.keyboard.press("ArrowDown")
    expect(desk.locator('[data-act="redirected"]')).to_be_focused()
    desk.keyboard.press("ArrowDown")
    expect(desk.locator('[data-act="wrong_number"]')).to_be_focused()
    desk.keyboard.press("ArrowUp")
    expect(desk.locator('[data-act="redirected"]')).to_be_focused()
    desk.keyboard.press("Escape")
    desk.focus("#category_id")
    desk.keyboard.press("?")
    expect(desk.locator("#keys")).to_be_visible()


def test_a_draft_handed_over_from_the_bar_says_to_whom(site, desk):
    call, draft = ring(site)
    site.exchange.answer(call, 1)
    expect(desk.locator("#text")).to_be_enabled()
    desk.click(".bar-menu > summary")
    desk.click(".bar-menu button:has-text('Сорокіна')")
    expect(desk.locator("#pane")).to_contain_text("Чернетку передано: Сорокіна В. В.")
    assert site.draft(draft).owner_id == id_of(site, "sorokina")
    with site.app.app_context(), transaction() as session:
        hand_over_draft(
            session,
            *(
                session.get_one(*one)
                for one in (
                    (Report, draft),
                    (User, id_of(site, "sorokina")),
                    (User, id_of(site, "tsapkova")),
                )
            ),
        )
    expect(desk.locator("#pane")).to_contain_text("Сорокіна В. В. передає вам чернетку")


def test_the_correction_of_a_report_helps_with_the_street_as_the_desk_does(site, desk):
    """A former name gives way, one that is almost ours is offered, one that is none becomes a landmark.

    Enter goes on to the next field, and saves in the last one.
    """
    draft = ring(site)[1]
    expect(form_of(desk, draft)).to_be_visible()
    desk.select_option("#category_id", "1")
    for field, value in (("street", "Київська"), ("building", "12"), ("text", "Темно")):
        desk.fill(f"#{field}", value)
    desk.keyboard.press("F9")
    expect(desk.locator(".result-number")).to_be_visible()
    desk.goto(f"/reports/{draft}/correct")
    street, offers = desk.locator("#street"), desk.locator("#street-offers")
    street.fill("леніна")
    street.press("Tab")
    expect(street).to_have_value("Соборна")
    expect(desk.locator("#street-note")).to_contain_text("Леніна")
    street.fill("Собрна")
    street.press("Tab")
    offers.get_by_role("button", name="Соборна").click()
    expect(street).to_have_value("Соборна")
    expect(offers).to_be_hidden()
    street.fill("Невідома")
    street.press("Tab")
    offers.locator("[data-as-landmark]").click()
    expect(desk.locator("#landmark")).to_have_value("Невідома 12")
    desk.press("#landmark", "Enter")
    expect(desk.locator("#applicant_name")).to_be_focused()
    desk.press("#reason", "Enter")
    expect(desk).to_have_url(f"{site.url}/reports/{draft}")
    assert site.draft(draft).landmark == "Невідома 12"


def test_enter_takes_the_only_street_that_fits_and_goes_on(site, desk):
    call, draft = ring(site)
    site.exchange.answer(call, 1)
    expect(desk.locator("#category_id")).to_be_focused()
    street = desk.locator("#street")
    for typed, taken in (("Соб", "Соборна"), ("луначар", "Сумська"), ("маз", "Гетьмана Мазепи"), ("с", "с")):
        street.fill(typed)
        street.press("Enter")
        expect(street).to_have_value(taken)
        expect(desk.locator("#building")).to_be_focused()
    street.fill("кол")  # «колишня» is a word of the page's, no street's
    street.press("Enter")
    expect(street).to_have_value("кол")
    street.fill("Киї")
    street.press("Enter")
    saved(desk)
    eventually(lambda: site.draft(draft).street_id == 1, "the street is saved")


def test_a_key_says_that_it_is_an_emergency(site, desk):
    call, draft = ring(site)
    site.exchange.answer(call, 1)
    expect(desk.locator("#category_id")).to_be_focused()
    desk.locator("#text").press_sequentially("Обірвано дріт")
    desk.keyboard.press("F3")
    expect(desk.locator("#emergency")).to_be_checked()
    expect(desk.locator("#text")).to_be_focused()
    eventually(lambda: site.draft(draft).emergency, "it is saved")


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
    eventually(lambda: in_one_row(desk), "the buttons stand in one row")
    desk.click('[data-act="claim"]')
    eventually(lambda: site.draft(draft).owner_id is not None, "the draft is mine")


def in_one_row(desk: Page) -> bool:
    """From the first button to «Відкласти»."""
    first, last = desk.locator('[data-act="register"]'), desk.locator(".draft-acts [data-close]")
    return abs(first.bounding_box()["y"] - last.bounding_box()["y"]) < 5


def test_the_list_shows_what_is_saved_while_somebody_types_on(site, desk):
    call, draft = ring(site)
    site.exchange.answer(call, 1)
    expect(desk.locator("#drafts")).to_contain_text("ще не заповнено")
    desk.fill("#text", "Яма на дорозі")
    expect(desk.locator("#drafts")).to_contain_text("Яма на дорозі")
    expect(desk.locator("#drafts")).not_to_contain_text("ще не заповнено")


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


def test_the_key_of_a_report_stays_on_it_when_another_ones_is_told_at_the_address(site, desk):
    """F6 stands on one button, the one that it presses; an address that is typed moves it to no stranger's report."""

    def report(number: str, **values: object) -> int:
        draft_id = ring(site, number)[1]
        with site.app.app_context(), transaction() as session:
            user, draft = session.get_one(User, user_id("tsapkova")), session.get_one(Report, draft_id)
            save_draft(session, draft, user, {"text": "Темно", **values}, draft.revision, AREA_CODE)
            register_draft(session, draft, user)
        return draft_id

    own = report("0671234567", category_id=2, landmark="біля школи")
    report("0501112233", category_id=1, street_id=1, building="12")
    desk.goto("/")
    hears_events(desk)
    call, draft = ring(site)
    site.exchange.answer(call, 1)
    shown = desk.locator("[data-attach-key]:visible")
    expect(shown).to_have_count(1)
    desk.fill("#street", "Київська")
    desk.fill("#building", "12")
    expect(desk.locator("#same-place .same-one")).to_be_visible()
    expect(shown).to_have_count(1)
    expect(desk.locator(f'.open-report[data-report="{own}"] [data-attach-key]')).to_be_visible()
    desk.locator("#same-place .same-one a").focus()
    expect(desk.locator("#same-place [data-attach-key]")).to_be_visible()
    expect(shown).to_have_count(1)
    desk.locator("#text").focus()
    expect(desk.locator("#same-place [data-attach-key]")).to_be_hidden()
    desk.keyboard.press("F6")
    expect(desk.locator(".result-number")).to_be_visible()
    assert site.draft(draft).attached_to_id == own


def test_the_place_is_filled_in_by_one_key(site, desk):
    """A street that is almost one of ours, one that is none, the address known from an earlier call; F6 adds to what is
    told of the same building already, and a wrong ending is undone by a key."""
    told = ring(site, "0501112233")[1]
    expect(form_of(desk, told)).to_be_visible()
    with site.app.app_context(), transaction() as session:
        user, draft = session.get_one(User, user_id("tsapkova")), session.get_one(Report, told)
        identify_caller(session, draft, user, person_id=None, name="Олена Коваль", area_code=AREA_CODE)
        values = {"category_id": 1, "street_id": 1, "building": "12", "flat": "5", "text": "Темно"}
        save_draft(session, draft, user, values, draft.revision, AREA_CODE)
        register_draft(session, draft, user)
        number = draft.number
    desk.goto("/")
    hears_events(desk)
    call, draft = ring(site, "0501112233")
    site.exchange.answer(call, 1)
    expect(form_of(desk, draft)).to_be_visible()
    expect(desk.locator("#category_id")).to_be_focused()
    desk.fill("#street", "Собрна")
    desk.fill("#building", "4")
    expect(desk.locator("#street-offers")).to_be_visible()
    desk.keyboard.press("Alt+ArrowDown")
    desk.keyboard.press("Enter")
    expect(desk.locator("#street")).to_have_value("Соборна")
    expect(desk.locator("#building")).to_be_focused()
    expect(desk.locator("#street-offers")).to_be_hidden()
    desk.fill("#street", "Невідома")
    desk.press("#street", "Tab")
    desk.get_by_role("button", name="записати як орієнтир").click()
    expect(desk.locator("#landmark")).to_have_value("Невідома 4")
    expect(desk.locator("#street")).to_have_value("")
    expect(desk.locator("#building")).to_have_value("")
    desk.keyboard.press("Alt+Digit2")
    for field, value in (("street", "Київська"), ("building", "12"), ("flat", "5")):
        expect(desk.locator(f"#{field}")).to_have_value(value)
    expect(desk.locator("#same-place")).to_contain_text(number)
    expect(desk.locator("#side .open-report [data-attach-key]")).to_be_visible()
    expect(desk.locator("#same-place [data-attach-key]")).to_be_hidden()
    desk.keyboard.press("F6")
    expect(desk.locator(".result-number")).to_contain_text(number)
    desk.keyboard.press("Control+KeyZ")
    expect(form_of(desk, draft)).to_be_visible()
    expect(desk.locator("#landmark")).to_have_value("Невідома 4")
