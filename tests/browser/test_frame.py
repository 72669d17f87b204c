"""The frame in a real Chromium: nothing scrolls sideways, nothing breaks the policy, keys and menu work."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from jobs.settings import Settings
from tests.desk_fixtures import PASSWORD, Site
from tests.web_fixtures import close, filled_web, register

pytestmark = pytest.mark.browser
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
FLAGS += ["--disable-sync", "--no-first-run"]


@pytest.fixture
def site(settings: Settings) -> Iterator[Site]:
    app = filled_web(settings)
    for text in ("Не горить ліхтар біля під’їзду, ввечері страшно ходити", "Немає води"):
        register(app, text, applicant_name="Олександра Костянтинівна Нечуй-Левицька", flat="123")
    close(app)
    site = Site(settings)
    site.start_redis()
    site.start_web()
    yield site
    site.stop()


@pytest.fixture
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        yield browser
        browser.close()


def log_in(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/login")
    page.fill("#login", "tsapkova")
    page.fill("#password", PASSWORD)
    page.press("#password", "Enter")
    page.wait_for_url(f"{site.url}/")


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (390, "dark"), (1366, "light"), (1366, "dark")])
def test_pages_fit_and_keep_to_the_policy(site: Site, chromium: Browser, width: int, scheme: str) -> None:
    page = chromium.new_page(viewport={"width": width, "height": 768}, color_scheme=scheme)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    log_in(page, site)
    for address in ("/", "/journal", "/reports/1", "/status", "/me"):
        page.goto(site.url + address)
        page.click("details[data-menu] summary")
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, address
        dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(18, 22, 20)"
        assert dark is (scheme == "dark"), address
    assert complaints == []


def test_keys_and_menu_by_keyboard_alone(site: Site, chromium: Browser) -> None:
    page = chromium.new_page()
    log_in(page, site)
    page.goto(f"{site.url}/journal")
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
    page.focus("details[data-menu] summary")
    page.keyboard.press("Enter")
    page.click("button[name=theme][value=dark]")
    assert page.get_attribute("html", "data-bs-theme") == "dark"
    page.focus("details[data-menu] summary")
    page.keyboard.press("Enter")
    page.click("button[name=language][value=en]")
    assert page.text_content("h1") == "Journal of reports"


def test_the_self_test_says_that_news_reach_this_browser(site: Site, chromium: Browser) -> None:
    page = chromium.new_page()
    log_in(page, site)
    page.goto(f"{site.url}/status")
    page.wait_for_selector("#event-check.part-ok", timeout=10_000)
    page.route("**/events", lambda route: route.abort())
    page.reload()
    page.wait_for_selector("#event-check.part-bad", timeout=15_000)


def test_printing_leaves_the_list_alone(site: Site, chromium: Browser) -> None:
    page = chromium.new_page()
    log_in(page, site)
    page.goto(f"{site.url}/journal")
    page.emulate_media(media="print")
    assert not page.is_visible(".topbar")
    assert not page.is_visible(".filters")
    assert page.is_visible(".list")
