"""The pages of the work on reports in a real Chromium: all stands on the screen, however long the words are."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from sqlalchemy import select, update

from models import work
from models.base import now, transaction
from models.calls import Call, CallState
from models.deadlines import Deadline
from models.people import User
from models.reports import Report
from models.task_rules import sync_tasks
from models.workdays import WorkCalendar
from tests.browser.test_sound import WATCH
from tests.desk_fixtures import PASSWORD, Site, user_id
from tests.helpers import eventually
from tests.outage_fixtures import enter
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
    expect(page.locator("#at-work")).to_be_visible()
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
    width_of, over, height = page.evaluate(  # one of the pressing counts: its word stands there, as its neighbours' do
        "for (const name of ['emergencies', 'online', 'to_warn'])"
        " document.querySelector(`#counts [data-count='${name}']`).closest('a').hidden = name !== 'to_warn';"
        "[document.querySelector('#counts [data-count=to_warn]').closest('a').querySelector('.count-name').offsetWidth,"
        " document.documentElement.scrollWidth - innerWidth, document.querySelector('.topbar').offsetHeight]"
    )
    assert width_of > 20
    assert over <= 0
    assert height < 50
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


@pytest.mark.parametrize("login", ["operator", "kerivnyk"])
def test_a_new_report_comes_to_the_open_page_of_the_enterprise_by_itself_with_a_sound(
    site: Site, new_browser, login: str
) -> None:
    """R 4.1, I8: counted on top, the emergency above the lists; another organisation's report is told of to nobody."""
    browser = new_browser()
    browser.add_init_script(WATCH)
    page = browser.new_page()
    page.goto("/login")
    page.fill("#login", login)
    page.fill("#password", PASSWORD)
    page.press("#password", "Enter")
    page.wait_for_url(lambda address: "login" not in address)
    page.goto("/work")
    expect(page.locator("html")).to_have_attribute("data-events", "open")
    page.click("h1")
    expect(page.locator(".count-new")).to_be_hidden()
    register(site.app, "Немає води", category=2, number="0509998876")
    report = register(site.app, "Порив труби", number="0509998877", emergency=True)
    expect(page.locator('[data-count="new"]')).to_have_text("1")
    expect(page.locator(".count-new")).to_be_visible()
    expect(page.locator(".pressing")).to_contain_text("АВАРІЙНЕ")
    expect(page.locator("#day tbody tr")).to_have_count(1)
    eventually(lambda: page.evaluate("tones") == 2, lambda: "two tones", seconds=10)
    with site.app.app_context(), transaction() as session:
        work.accept(session, session.get_one(Report, report), session.get_one(User, user_id("operator")))
    expect(page.locator(".pressing")).to_have_count(0)
    expect(page.locator(".count-new")).to_be_hidden()
    expect(page.locator('section[aria-labelledby="at-work"] tbody tr')).to_have_count(1)
    assert page.evaluate("tones") == 2


def test_on_a_telephone_the_answers_stand_below_the_script_and_no_key_is_named(site: Site, new_browser) -> None:
    """C2: before the facts; a telephone has no Alt and no F3."""
    report = register(site.app, LONG)
    with site.app.app_context(), transaction() as session:
        operator = session.get_one(User, user_id("operator"))
        work.accept(session, session.get_one(Report, report), operator)
        work.complete(session, session.get_one(Report, report), operator, "Полагоджено. " * 20)
        session.execute(update(Call).values(state=CallState.ENDED))  # who speaks with us now is not called
        sync_tasks(session, WorkCalendar(), now())
    page = logged_in(new_browser, "dyspetcher", viewport={"width": 390, "height": 844}, has_touch=True)
    page.goto("/checks")
    script, keys, facts = (page.locator(f".check {part}").bounding_box() for part in (".script", ".answers", ".facts"))
    assert script["y"] < keys["y"] < facts["y"]
    assert keys["y"] - script["y"] - script["height"] < 30
    expect(page.locator(".answer-keys kbd").first).to_be_hidden()
    draft = site.exchange.call()[1]
    page.goto(f"/drafts/{draft}")
    expect(page.locator("#emergency")).to_be_visible()
    expect(page.locator(".tick kbd")).to_be_hidden()


def test_what_is_asked_once_stretches_no_button_beside_it(site: Site, desk: Page) -> None:
    with site.app.app_context(), transaction() as session:
        outage = enter(session).id
    desk.goto(f"/outages/{outage}")
    button = desk.get_by_role("link", name="Змінити")
    height = button.bounding_box()["height"]
    desk.locator(".asks-once > summary").click()
    expect(desk.locator(".asks-once form")).to_be_visible()
    assert button.bounding_box()["height"] == height
