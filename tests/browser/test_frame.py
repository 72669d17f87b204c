"""The frame in a real Chromium: nothing scrolls sideways, nothing breaks the policy, keys and menu work."""

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from sqlalchemy import update

from models.base import now, transaction
from models.calls import Call, CallState
from models.reports import Report, ReportState
from models.workdays import KYIV
from tests.browser.conftest import log_in
from tests.desk_fixtures import Site
from tests.web_fixtures import register
from webui.journal import PAGE

pytestmark = pytest.mark.browser


@pytest.fixture
def desk(site: Site, new_browser: Callable[[], BrowserContext]) -> Callable[..., Page]:
    """Opens Tsapkova's desk in a browser of its own, in a town with reports, whose calls are over."""
    for text in ("Не горить ліхтар біля під’їзду, ввечері страшно ходити", "Немає води"):
        register(site.app, text, applicant_name="Олександра Костянтинівна Нечуй-Левицька", flat="123")
    with site.app.app_context(), transaction() as session:
        session.execute(update(Call).values(state=CallState.ENDED))

    def open_desk(**options: object) -> Page:
        page = new_browser(**options).new_page()
        log_in(page, "tsapkova")
        return page

    return open_desk


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (390, "dark"), (1366, "light"), (1366, "dark")])
def test_pages_fit_and_keep_to_the_policy(desk: Callable[..., Page], width: int, scheme: str) -> None:
    page = desk(viewport={"width": width, "height": 768}, color_scheme=scheme)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    for address in ("/", "/journal", "/reports/1", "/status", "/me"):
        page.goto(address)
        page.click(".topbar > details[data-menu] > summary")
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, address
        dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(18, 22, 20)"
        assert dark is (scheme == "dark"), address
    assert complaints == []


@pytest.mark.parametrize("width", [390, 320])
def test_on_a_telephone_the_bar_is_low_however_much_waits(desk: Callable[..., Page], width: int) -> None:
    """Two rows; on the smallest three."""
    page = desk(viewport={"width": width, "height": 768})
    page.evaluate("""document.querySelectorAll("#counts .count").forEach((count) => {
        count.hidden = false;
        count.querySelector("b").textContent = "9";
    })""")
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert page.locator(".topbar").bounding_box()["height"] < (100 if width == 390 else 150)
    page.click(".topbar > details > summary")
    expect(page.locator(".menu-who")).to_contain_text("Цапкова О. П.")


def test_keys_and_menu_by_keyboard_alone(desk: Callable[..., Page]) -> None:
    page = desk()
    page.goto("/journal")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.focus("#text")
    page.keyboard.type("?")
    assert page.input_value("#text") == "?"
    assert not page.is_visible("#keys")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("?")
    assert page.is_visible("#keys")
    page.keyboard.press("Escape")
    assert not page.is_visible("#keys")
    page.focus(".topbar > details[data-menu] > summary")
    page.keyboard.press("Enter")
    page.click("button[name=theme][value=dark]")
    assert page.get_attribute("html", "data-bs-theme") == "dark"
    page.focus(".topbar > details[data-menu] > summary")
    page.keyboard.press("Enter")
    page.click("button[name=language][value=en]")
    assert page.text_content("h1") == "Journal of reports"


def help_of(page: Page) -> list[str]:
    page.keyboard.press("?")
    keys = page.locator("#keys kbd").all_inner_texts()
    page.keyboard.press("Escape")
    return keys[:-1]  # the last stands on the button that closes it


def test_the_help_shows_the_keys_of_the_page_and_those_of_every_page(desk: Callable[..., Page]) -> None:
    page = desk()
    everywhere = ["Tab", "?", "Esc"]
    assert help_of(page)[:2] == ["F2", "F9"]
    assert help_of(page)[-3:] == everywhere
    for address, own in (("/status", []), ("/reports/1", ["Ctrl P"])):
        page.goto(address)
        assert help_of(page) == [*own, "F2", *everywhere]
    page.goto("/journal")
    assert help_of(page) == ["/", "Enter", "Alt PgUp", "Alt PgDn", "Ctrl P", "F2", *everywhere]


def test_the_journal_is_walked_by_keyboard_alone(site: Site, desk: Callable[..., Page]) -> None:
    with site.app.app_context(), transaction() as session:
        session.add_all([Report(number=f"2001-{n:04d}", state=ReportState.NEW, search_text="яма") for n in range(PAGE)])
    page = desk()
    page.goto("/journal")
    page.keyboard.press("/")
    expect(page.locator("#text")).to_be_focused()
    page.keyboard.type("яма")
    page.keyboard.press("Enter")
    page.wait_for_url("**/journal?q=*")
    assert page.locator(".journal tbody tr").count() == PAGE
    page.goto("/journal")
    page.keyboard.press("Alt+PageDown")
    page.wait_for_url("**/journal?before=*")
    assert page.locator(".journal tbody tr").count() == 2
    page.keyboard.press("Alt+PageUp")
    page.wait_for_url("**/journal?after=*")
    page.keyboard.press("F2")
    page.wait_for_url(f"{site.url}/")


def test_the_self_test_says_that_news_reach_this_browser(desk: Callable[..., Page]) -> None:
    page = desk()
    page.goto("/status")
    page.wait_for_selector("#event-check.part-ok", timeout=10_000)
    page.route("**/events", lambda route: route.abort())
    page.reload()
    page.wait_for_selector("#event-check.part-bad", timeout=15_000)


def test_printing_leaves_the_list_alone(desk: Callable[..., Page]) -> None:
    page = desk()
    page.goto("/journal")
    page.emulate_media(media="print")
    assert not page.is_visible(".topbar")
    assert not page.is_visible(".filters")
    assert page.is_visible(".list")


def test_a_journals_filter_applies_when_it_is_chosen_and_with_the_button_by_keyboard(desk: Callable[..., Page]) -> None:
    page = desk()
    page.goto("/journal")
    page.select_option("#category", "2")
    expect(page.get_by_text("Показати все")).to_be_visible()
    expect(page.locator("#category")).to_have_value("2")
    page.click(".filters a")
    expect(page.get_by_text("Показати все")).to_have_count(0)
    page.focus("#category")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#category")).to_have_value("2")
    expect(page.get_by_text("Показати все")).to_have_count(0)
    page.click(".search button")
    expect(page.get_by_text("Показати все")).to_be_visible()


def test_the_journal_on_paper_is_whole(site: Site, desk: Callable[..., Page]) -> None:
    page = desk(viewport={"width": 1032, "height": 700})
    page.goto("/journal?state=new")
    page.emulate_media(media="print")
    table = page.locator(".journal")
    expect(table.locator("thead th")).to_have_count(6)
    assert table.evaluate("table => table.getBoundingClientRect().right - innerWidth") <= 0
    cut = """[...document.querySelectorAll(".journal :is(th, td, span)")].filter(
      (part) => getComputedStyle(part).display !== "inline" && part.scrollWidth > part.clientWidth + 1)"""
    assert page.evaluate(f"{cut}.map((part) => part.textContent)") == []
    when = table.locator("tbody time").first
    assert not when.locator("span").is_visible()
    assert str(now().astimezone(KYIV).year) in when.evaluate("time => getComputedStyle(time, '::before').content")
    expect(page.locator(".paper").filter(has_text="Відібрано: Нове")).to_be_visible()
