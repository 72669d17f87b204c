"""A real Chromium in front of a running site."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.desk_fixtures import PASSWORD, Site

CHROMIUM = Path("/usr/bin/chromium")
# fmt: off
QUIET = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run",
]
# fmt: on
expect.set_options(timeout=15_000)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip(f"no {CHROMIUM}: install the package chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def new_browser(chromium: Browser, site: Site) -> Iterator[Callable[..., BrowserContext]]:
    """Makes browsers of their own (their own cookies and storage); no script error and no refused style passes.

    What is given besides wins over the usual screen and language.
    """
    contexts: list[BrowserContext] = []
    errors: list[str] = []

    def make(**options: object) -> BrowserContext:
        usual = {"viewport": {"width": 1366, "height": 768}, "locale": "uk-UA", "base_url": site.url}
        context = chromium.new_context(**usual | options)
        context.on("weberror", lambda error: errors.append(str(error.error)))
        context.on(
            "console",
            lambda message: errors.append(message.text) if "Content Security Policy" in message.text else None,
        )
        context.set_default_timeout(15_000)
        contexts.append(context)
        return context

    yield make
    for context in contexts:
        context.close()
    assert errors == []


def log_in(page: Page, login: str) -> None:
    """Log in and wait until the page hears events."""
    page.goto("/login")
    page.fill("#login", login)
    page.fill("#password", PASSWORD)
    page.press("#password", "Enter")
    hears_events(page)


def hears_events(page: Page) -> None:
    expect(page.locator("html")).to_have_attribute("data-events", "open")
    expect(page.locator("#lines [data-line]")).to_have_count(3)


@pytest.fixture
def desk(new_browser: Callable[..., BrowserContext]) -> Page:
    """Tsapkova at her desk: the line 5-32-73 rings on her phone, ``admin1``, first."""
    page = new_browser().new_page()
    log_in(page, "tsapkova")
    return page
