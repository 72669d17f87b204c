"""Every page of every role: axe finds no violation of WCAG A or AA, and nothing scrolls sideways on 320 px."""

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page, expect

from models.people import Role
from tests.desk_fixtures import PASSWORD, Site
from tests.helpers import close_database
from tests.matrix_fixtures import WHO, things_of
from tests.test_web_matrix import CENTRE, IN, MISSING, expected, things_asked_for
from webui import create_app

pytestmark = [pytest.mark.browser, pytest.mark.long]

RULES = {"resultTypes": ["violations"], "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
# What is read by scripts and programs, parts of a page that stand in a whole one elsewhere, and files.
NO_PAGES = frozenset(
    {
        *("static", "health.health", "health.parts", "events.events", "events.alive", "reference_import.template"),
        *("attachments.show", "attachments.show_small", "quarterly.document", "live.call_note"),
        *("desk.frame", "desk.lists", "desk.side", "live.live", "live.strip", "overview.overview"),
        *("pressing.emergencies", "checks.state", "checks.at_present", "board.parts", "work.day_lists"),
    }
)


def pages_of(site: Site, role: Role | None) -> list[str]:
    """The addresses of all pages that are there for this role, those of one kind once, in a town full of things."""
    web = create_app(site.settings)
    things = things_of(web)
    addresses = [
        address
        for rule in web.url_map.iter_rules()
        if "GET" in rule.methods and rule.endpoint not in NO_PAGES
        for which, address in things_asked_for(rule, things, role)
        if which != MISSING and expected(rule.endpoint, which, role) == IN
    ]
    close_database(web)
    return addresses


def violations(page: Page, where: str) -> list[str]:
    """What axe has to say about the page as it stands."""
    found = Axe().run(page, options=RULES).response["violations"]
    return [
        f"{where} {one['id']}: {node['html'][:200]} {node['failureSummary']}" for one in found for node in one["nodes"]
    ]


@pytest.mark.parametrize("role", [*Role, None])
def test_pages_are_for_everybody(site: Site, new_browser: Callable[..., BrowserContext], role: Role | None) -> None:
    addresses = pages_of(site, role)
    assert len(addresses) >= 4
    page = new_browser(reduced_motion="reduce").new_page()
    if role:
        page.goto("/login")
        page.fill("#login", WHO[role])
        page.fill("#password", PASSWORD)
        page.press("#password", "Enter")
        page.wait_for_url(lambda url: "/login" not in url)
    found = []
    for place, address in enumerate(addresses):
        page.set_viewport_size({"width": 1366, "height": 768})
        page.goto(address)
        if role in CENTRE:
            expect(page.locator("html")).to_have_attribute("data-events", "open")
        page.evaluate("document.querySelectorAll('details:not([data-menu])').forEach((part) => (part.open = true))")
        found += violations(page, address)
        page.set_viewport_size({"width": 320, "height": 640})
        if place < 2:
            page.emulate_media(color_scheme="dark")
            found += violations(page, f"{address} (dark, 320 px)")
            page.emulate_media(color_scheme="light")
        if page.evaluate("document.documentElement.scrollWidth - innerWidth") > 0:
            found.append(f"{address} scrolls sideways")
    assert not found, "\n".join(found)


def test_a_page_that_is_not_for_everybody_is_found(site: Site, new_browser: Callable[..., BrowserContext]) -> None:
    page = new_browser().new_page()
    page.goto("/login")
    page.evaluate("document.documentElement.removeAttribute('lang')")
    (found,) = violations(page, "/login")
    assert "html-has-lang" in found
