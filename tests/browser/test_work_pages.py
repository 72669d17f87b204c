"""The pages of the work on reports in a real Chromium: all stands on the screen, however long the words are."""

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from models.base import transaction
from models.people import User
from tests.desk_fixtures import PASSWORD, Site, user_id
from tests.web_fixtures import register

pytestmark = pytest.mark.browser
LONG = "Прорвало трубу на дорозі, вода тече до під’їзду, заливає підвал і гаражі, люди не можуть вийти. " * 4


def logged_in(new_browser: Callable[..., BrowserContext], login: str, **options: object) -> Page:
    page = new_browser(**options).new_page()
    page.goto("/login")
    page.fill("#login", login)
    page.fill("#password", PASSWORD)
    page.press("#password", "Enter")
    page.wait_for_url(lambda address: "login" not in address)
    return page


@pytest.mark.parametrize("width", [390, 1366])
def test_a_long_report_leaves_the_button_and_the_deadlines_whole(site: Site, new_browser, width: int) -> None:
    report = register(site.app, LONG, emergency=True)
    page = logged_in(new_browser, "operator", viewport={"width": width, "height": 768})
    page.goto("/work")
    for part in (".task-act button", ".task-due"):
        box = page.locator(part).bounding_box()
        frame = page.locator(".list-frame").bounding_box()
        assert frame["x"] <= box["x"], part
        assert box["x"] + box["width"] <= frame["x"] + frame["width"] <= width, part
    assert all(row.bounding_box()["height"] < 30 for row in page.locator(".task-due .deadline").all())
    page.click(".task-act button")
    assert page.locator("#at-work").is_visible()
    assert page.locator(f'section[aria-labelledby="at-work"] a[href="/reports/{report}"]').count() == 1


@pytest.mark.parametrize("width", [1366, 1536, 1920])
def test_the_bar_on_top_is_one_row_whatever_stands_in_it(site: Site, new_browser, width: int) -> None:
    with site.app.app_context(), transaction() as session:
        session.get_one(User, user_id("nachalnyk")).name = "Захарченко-Нечуйвітер Людмила Володимирівна"
    page = logged_in(new_browser, "nachalnyk", viewport={"width": width, "height": 768})
    page.goto("/personal-data/log")
    expect(page.locator("#counts [data-count]")).to_have_count(5)
    page.evaluate(
        "document.querySelectorAll('#counts [data-count]').forEach((count) => {"
        " count.textContent = '12'; count.closest('a').hidden = false; })"
    )
    assert page.locator(".topbar").bounding_box()["height"] < 50
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    name = page.locator(".topbar > .menu").bounding_box()
    assert name["x"] + name["width"] <= width
