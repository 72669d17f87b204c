"""The pages of the work on reports in a real Chromium: all stands on the screen, however long the words are."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from sqlalchemy import select

from models.base import transaction
from models.deadlines import Deadline
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
    heights = [row.bounding_box()["height"] for row in page.locator(".task-due .deadline").all()]
    assert heights
    assert max(heights) < 30
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


@pytest.mark.parametrize("width", [390, 1366])
def test_on_a_telephone_the_monitoring_is_folded_by_organisation(site: Site, new_browser, width: int) -> None:
    """The first organisation with something overdue is open; the wide page has its table."""
    reports = [register(site.app, "Темно", category=category, number=f"06712345{n}{category}")
               for category in (1, 2) for n in range(5)]  # fmt: skip
    with site.app.app_context(), transaction() as session:
        for deadline in session.scalars(select(Deadline).where(Deadline.report_id.in_(reports))):
            deadline.due_at -= timedelta(days=60)
    page = logged_in(new_browser, "nachalnyk", viewport={"width": width, "height": 844})
    page.goto("/monitoring")
    overdue = page.locator('section[aria-labelledby="overdue"]')
    expect(overdue.locator("table")).to_be_visible(visible=width > 600)
    expect(overdue.locator(".folded")).to_be_visible(visible=width < 600)
    assert overdue.locator("details").count() == 2
    assert overdue.locator("details[open]").count() == 1
    assert page.locator(".folded details[open]").count() == 2  # and whom to warn
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    if width < 600:
        assert overdue.bounding_box()["height"] < 1000  # of ten reports
        closed = overdue.locator("details:not([open])")
        closed.locator("summary").click()
        expect(overdue.locator("details a").last).to_be_visible()
