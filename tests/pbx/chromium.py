"""A real Chromium in front of a running town."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.pbx.town import Town

CHROMIUM = Path("/usr/bin/chromium")
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run",
)  # fmt: skip


@contextmanager
def screen_of(town: Town, login: str, password: str) -> Iterator[Page]:
    """The first page of this person, hearing events."""
    if not CHROMIUM.exists():
        pytest.fail(f"{CHROMIUM} is missing: run script/setup --test")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=QUIET)
        context = browser.new_context(
            viewport={"width": 1366, "height": 768},
            locale="uk-UA",
            base_url=f"http://127.0.0.1:{town.settings.web_port}",
        )
        context.set_default_timeout(20_000)
        page = context.new_page()
        page.goto("/login")
        page.fill("#login", login)
        page.fill("#password", password)
        page.press("#password", "Enter")
        hears_events(page)
        yield page
        browser.close()


def hears_events(page: Page) -> None:
    expect(page.locator("html")).to_have_attribute("data-events", "open", timeout=20_000)
