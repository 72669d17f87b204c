"""The directories on the smallest screen, and with the keyboard alone (A2)."""

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.browser.conftest import log_in
from tests.desk_fixtures import Site
from tests.web_fixtures import register

pytestmark = pytest.mark.browser


def test_directories_fit_a_small_screen_and_need_no_mouse(
    site: Site, new_browser: Callable[..., BrowserContext]
) -> None:
    register(site.app, "Не горить ліхтар")
    page = new_browser(viewport={"width": 320, "height": 640}).new_page()
    log_in(page, "nachalnyk")
    for address in ("categories", "categories/1", "organisations/1", "streets", "calendar", "streets/import", "users"):
        page.goto(f"/reference/{address}")
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, address
    page.goto("/reference/streets")
    page.keyboard.press("/")
    expect(page.locator("#q")).to_be_focused()
    page.goto("/reference/streets/new")
    page.focus("#name")
    page.keyboard.press("Enter")
    expect(page.locator("#name-error")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    page.focus("#name")
    page.keyboard.type("вулиця Нова")
    page.keyboard.press("Tab")
    page.keyboard.type("Піонерська")
    for _ in range(2):
        page.keyboard.press("Tab")
    expect(page.locator("#active")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".notice-ok")).to_be_visible()
    expect(page.get_by_text("Піонерська")).to_be_visible()
