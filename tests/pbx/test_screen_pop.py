"""From a citizen's SIP call to a registered report, in a real Chromium, with nothing in between made up."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from jobs.demo_users import DEMO_USERS
from jobs.settings import CHECKOUT
from tests.helpers import eventually
from tests.pbx.chromium import hears_events, screen_of
from tests.pbx.town import Town

pytestmark = [pytest.mark.pbx, pytest.mark.browser]

LOGIN, PASSWORD, NAME, _ROLE = DEMO_USERS[0]
LINE = "53273"  # the first administrator's
PICTURE = CHECKOUT / "tests" / "artifacts" / "desk-with-a-real-call.png"


@pytest.fixture
def desk(town: Town) -> Iterator[Page]:
    """The first administrator's desk, hearing events; no phone of theirs answers by itself for a minute."""
    town.start_phones(ring_ms=60_000, talk_ms=60_000)
    with screen_of(town, LOGIN, PASSWORD) as page:
        yield page
    eventually(lambda: town.channels() == 0, "channels gone", 30)


def form_of(town: Town, page: Page, number: str) -> tuple[Locator, int]:
    """The form of this caller's draft, once it is on the screen, and the draft's id."""
    query = "SELECT reports.id FROM reports JOIN calls ON calls.id = call_id WHERE calls.number = :number"
    draft = eventually(lambda: town.value(query, number=number), "the draft", 10)
    form = page.locator(f'#draft-form[data-draft="{draft}"]')
    expect(form).to_be_visible(timeout=20_000)
    return form, draft


def state_of(town: Town, draft: int) -> str:
    return town.value("SELECT state FROM reports WHERE id = :draft", draft=draft)


def test_a_real_call_becomes_a_registered_report(town: Town, desk: Page) -> None:
    """I1, I3, I5: the form is there while it rings; typing is left alone; reload and second tab; register → number."""
    first, _ = town.call([("+380501230001", LINE)], rate=1, talk_ms=500, patience_ms=40_000)
    form, draft = form_of(town, desk, "+380501230001")
    expect(desk.locator(".bar-ringing")).to_contain_text("+380 50 123 00 01")
    assert town.value("SELECT state FROM calls WHERE number = '+380501230001'") == "ringing"
    PICTURE.parent.mkdir(exist_ok=True)
    desk.screenshot(path=PICTURE)

    desk.locator("#text").press_sequentially("Не горить ліхтар")
    second, _ = town.call([("+380501230002", LINE)], rate=1, talk_ms=500, patience_ms=8000)
    expect(desk.locator(".bar", has_text="+380 50 123 00 02")).to_be_visible()
    desk.locator("#text").press_sequentially(" біля школи")
    expect(desk.locator("#text")).to_be_focused()
    expect(form).to_be_visible()
    assert desk.input_value("#text") == "Не горить ліхтар біля школи"
    expect(desk.locator("#save-state")).to_have_attribute("data-state", "saved")

    desk.reload()
    hears_events(desk)
    assert desk.input_value("#text") == "Не горить ліхтар біля школи"
    tab = desk.context.new_page()
    tab.goto(f"/drafts/{draft}")
    expect(tab.locator("#text")).to_have_value("Не горить ліхтар біля школи")
    tab.close()

    desk.select_option("#category_id", index=1)
    desk.fill("#landmark", "школа № 1")
    desk.keyboard.press("F9")
    expect(desk.locator(".result-number")).to_have_text(re.compile(r"№\s\d{4}-\d{4}"))
    assert state_of(town, draft) == "new"
    assert town.value("SELECT count(*) FROM report_history WHERE report_id = :draft", draft=draft) >= 2
    assert (first.wait(60), second.wait(60)) == (0, 0)


def test_a_consultation_by_one_key(town: Town, desk: Page) -> None:
    """I6: seven calls of ten are consultations."""
    citizens, _ = town.call([("+380501230003", LINE)], rate=1, talk_ms=500, patience_ms=6000)
    _form, draft = form_of(town, desk, "+380501230003")
    desk.keyboard.press("F4")
    expect(desk.locator(".result")).to_be_visible()
    eventually(lambda: state_of(town, draft) == "consultation", "the draft is a consultation", 10)
    citizens.wait(60)


def test_answered_elsewhere_closes_it(town: Town, desk: Page) -> None:
    """I3: three phones ring, a colleague lifts the receiver, and the form goes from the others' screens."""
    town.start_phones(ring_ms=4000, talk_ms=60_000, only=("admin2",))
    citizens, _ = town.call([("+380501230004", "99999")], rate=1, talk_ms=3000)
    form, _draft = form_of(town, desk, "+380501230004")
    expect(form).to_have_count(0, timeout=20_000)
    expect(desk.locator("#pane")).to_contain_text("Чернявська")
    owner = "SELECT users.login FROM reports JOIN calls ON calls.id = call_id JOIN users ON users.id = owner_id"
    assert town.value(f"{owner} WHERE calls.number = '+380501230004'") == DEMO_USERS[1][0]
    assert citizens.wait(60) == 0
