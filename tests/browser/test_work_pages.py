"""The pages of the work on reports in a real Chromium: all stands on the screen, however long the words are."""

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.desk_fixtures import PASSWORD, Site
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
