"""What a person at the desk sees, and the calls that come."""

from playwright.sync_api import Locator, Page, Route, expect

from tests.desk_fixtures import Site, user_id


def bar(page: Page, call: int) -> Locator:
    return page.locator(f'#live .bar[data-call="{call}"]')


def form_of(page: Page, draft: int) -> Locator:
    return page.locator(f'#draft-form[data-draft="{draft}"]')


def saved(page: Page) -> None:
    expect(page.locator("#save-state")).to_have_text("збережено ✓")


def ring(site: Site, number: str = "0671234567", line: str = "53273", phone: int = 1) -> tuple[int, int]:
    call, draft = site.exchange.call(number, line)
    site.exchange.ring(call, phone)
    return call, draft


def missed_elsewhere(site: Site) -> int:
    """The draft of a call that nobody answered and that did not ring here."""
    call, draft = site.exchange.call("0501112233", line="53275")
    site.exchange.hang_up(call)
    return draft


def kept_texts(page: Page) -> list[str]:
    return page.evaluate("Object.keys(localStorage).filter((key) => key.startsWith('cc-draft:'))")


def refuse(route: Route, status: int, message: str) -> None:
    """Answer a page's script as `webui.errors` does."""
    route.fulfill(status=status, json={"error": "refused", "message": message})


def id_of(site: Site, login: str) -> int:
    with site.app.app_context():
        return user_id(login)
