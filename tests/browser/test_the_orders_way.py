"""The order's way of a report, from the call to *closed*, walked by everybody it names (R 4.1-4.5, S 3.2, S 3.3)."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect
from sqlalchemy import select, update

from models.base import db, now, transaction
from models.deadlines import Deadline, DeadlineKind, DeadlineStep, StepKind
from models.reports import HistoryRow, Report
from models.workdays import KYIV, WorkCalendar
from tests.browser.at_the_desk import bar, id_of, ring
from tests.browser.conftest import log_in
from tests.desk_fixtures import PASSWORD, Site
from tests.web_fixtures import register

pytestmark = pytest.mark.browser


def enter(new_browser: Callable[..., BrowserContext], login: str, begins: str) -> Page:
    """Somebody outside of the centre logs in, and stands where their work begins."""
    page = new_browser().new_page()
    page.goto("/login")
    page.fill("#login", login)
    page.fill("#password", PASSWORD)
    page.press("#password", "Enter")
    page.wait_for_url(f"**{begins}")
    return page


def record(page: Page, act: str, words: str = "", due: str = "") -> None:
    """Do one act on the report's page that is open."""
    button = page.locator(f'button[name="act"][value="{act}"]')
    opens = page.locator("details.act", has=button)
    if opens.count():
        opens.locator("summary").click()
    if words:
        page.fill(f"#{act}-words", words)
    if due:
        page.fill(f"#{act}-due", due)
    button.click()


def is_now(page: Page, state: str) -> None:
    """The report's page says this state, by itself or read anew."""
    expect(page.locator(".page-head .badge-state")).to_contain_text(state)


def row_of(page: Page, number: str, section: str) -> Locator:
    """The report's row in one of the page's sections, by its heading's id."""
    return page.locator(f'section[aria-labelledby="{section}"] tr', has_text=number)


def stored(site: Site, report: int) -> Report:
    return site.draft(report)


def let_time_pass(site: Site, report: int, kind: DeadlineKind) -> None:
    """As if the deadline had been due three hours ago."""
    with site.app.app_context(), transaction() as session:
        passed = update(Deadline).where(Deadline.report_id == report, Deadline.kind == kind)
        session.execute(passed.values(due_at=now() - timedelta(hours=3)))


def warners(site: Site, report: int) -> list[int]:
    """Who has warned of the report's deadline to take it to work."""
    query = (
        select(DeadlineStep.user_id)
        .join(Deadline)
        .where(Deadline.report_id == report, Deadline.kind == DeadlineKind.ACCEPT, DeadlineStep.kind == StepKind.WARNED)
    )
    with site.app.app_context():
        return list(db.session.scalars(query))


def told(site: Site, report: int) -> list[str]:
    """The report's history, event by event, from its registration on."""
    with site.app.app_context():
        query = select(HistoryRow.event).where(HistoryRow.report_id == report).order_by(HistoryRow.id)
        events = list(db.session.scalars(query))
        return events[events.index("registered") :]


def test_from_the_call_to_closed_by_everybody_whom_the_order_names(
    site: Site, desk: Page, new_browser: Callable[..., BrowserContext]
) -> None:
    # R 2.2: the administrator answers and registers
    call, report = ring(site)
    site.exchange.answer(call, 1)
    expect(desk.locator("#category_id")).to_be_focused()
    desk.select_option("#category_id", "1")
    desk.fill("#street", "Київська")
    desk.fill("#building", "12")
    desk.fill("#text", "Не горить ліхтар")
    desk.keyboard.press("F9")
    expect(desk.locator(".result-number")).to_be_visible()
    site.exchange.hang_up(call)
    expect(bar(desk, call)).to_have_count(0)
    number = stored(site, report).number
    unsolvable = register(site.app, "Потрібен новий стовп")

    # R 4.3: new for more than two working days; the administrator warns the operator, with one click
    let_time_pass(site, report, DeadlineKind.ACCEPT)
    desk.goto("/monitoring")
    waits = row_of(desk, number, "to-warn")
    expect(waits).to_be_visible()
    waits.get_by_role("button", name="Оператора попереджено").click()
    expect(waits).to_have_count(0)
    assert warners(site, report) == [id_of(site, "tsapkova")]

    # R 4.1-4.4: the operator's day; what cannot be solved is said to the control body, one of the two too late
    operator = enter(new_browser, "operator", "/work")
    row_of(operator, number, "new").get_by_role("button", name="Взяти в роботу").click()
    expect(row_of(operator, number, "at-work")).to_be_visible()
    let_time_pass(site, unsolvable, DeadlineKind.REASONS)
    for one in (report, unsolvable):
        operator.goto(f"/reports/{one}")
        if one == unsolvable:
            record(operator, "accept")
            is_now(operator, "В роботі")
        record(operator, "give_reasons", "Немає опори, коштів у кошторисі немає")
        is_now(operator, "Подано причини")
    expect(operator.locator('section[aria-labelledby="deadlines"]')).to_contain_text("▲ виконано із запізненням")

    # R 4.4: the control body sends one back with another date, and closes the other; nobody else could
    control = enter(new_browser, "kontrol", "/decisions")
    expect(control.locator("h1 .tally")).to_have_text("2")
    control.click(f'a[href="/reports/{report}"]')
    day = WorkCalendar().end_of_days(now(), 20).date()
    record(control, "return", "Встановити на наявній опорі", day.isoformat())
    is_now(control, "В роботі")
    assert stored(site, report).due_at.astimezone(KYIV).date() == day
    control.goto(f"/reports/{unsolvable}")
    record(control, "close_unsolved", "Включити до програми на наступний рік")
    is_now(control, "Закрито")
    control.goto("/decisions")
    expect(control.locator("h1 .tally")).to_have_text("0")

    # R 4.5, S 3.2: done; the applicant says no; done again; the applicant says yes
    dispatcher = new_browser().new_page()
    log_in(dispatcher, "dyspetcher")
    for done, act, said, then in (
        ("Встановлено ліхтар", "refute", "Знову темно", "В роботі"),
        ("Замінено дріт", "confirm", "", "Закрито"),
    ):
        operator.goto(f"/reports/{report}")
        record(operator, "complete", done)
        is_now(operator, "Виконано")
        dispatcher.goto(f"/reports/{report}")
        is_now(dispatcher, "Виконано")
        record(dispatcher, act, said)
        is_now(dispatcher, then)

    # R 4.2: the head reads all of it, and changes nothing
    head = enter(new_browser, "kerivnyk", "/work")
    head.goto(f"/reports/{report}")
    is_now(head, "Закрито")
    expect(head.locator(".acts")).to_have_count(0)
    timeline = head.locator(".timeline").inner_text()
    words = ("Немає опори", "Встановити на наявній опорі", "Встановлено ліхтар", "Знову темно", "Замінено дріт")
    places = [timeline.index(said) for said in words]
    assert places == sorted(places)

    # S 3.3: the supervisor sees what is late, and who has not met their deadline
    late = register(site.app, "Немає води", category=2)
    let_time_pass(site, late, DeadlineKind.WORK)
    supervisor = new_browser().new_page()
    log_in(supervisor, "nachalnyk")
    supervisor.goto("/monitoring")
    expect(row_of(supervisor, stored(site, late).number, "overdue")).to_contain_text("Міськводоканал")
    expect(row_of(supervisor, "Міськводоканал", "by-organisation").locator("td").first).to_have_text("1")
    expect(row_of(supervisor, number, "overdue")).to_have_count(0)

    way = ["registered", "warned", "accepted", "reasons_given", "returned", "completed", "refuted", "completed"]
    assert told(site, report) == [*way, "confirmed"]
