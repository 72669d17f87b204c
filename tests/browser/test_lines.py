"""The technical administrator adds a line, breaks the plan, is refused, applies a good one, and goes back (I2)."""

import threading
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from jobs.apply_plan import Applier
from jobs.pbx import render
from models.base import db, now, transaction
from models.hours import Hours
from models.lines import Timetable, ring_order, timetable
from models.plan_acts import note_present
from tests.desk_fixtures import PASSWORD, Site
from tests.plan_fixtures import NOWHERE, FakeExchange, tried

pytestmark = pytest.mark.browser


@pytest.fixture
def exchange(site: Site) -> Iterator[FakeExchange]:
    """The town's exchange, which runs by version 1, and the periodic job beside it."""
    exchange = FakeExchange(site.settings)
    with site.app.app_context():
        with transaction() as session:
            note_present(session, None, now()).settled_at = now()
            render(session, site.settings, NOWHERE)
        db.session.remove()
    exchange.start()
    applier, over = Applier(site.app, exchange, NOWHERE, tried), threading.Event()

    def look_again() -> None:
        while not over.wait(0.2):
            applier.look(now())

    beside = threading.Thread(target=look_again)
    beside.start()
    yield exchange
    over.set()
    beside.join()


@pytest.fixture
def page(exchange: FakeExchange, new_browser: Callable[..., BrowserContext]) -> Page:
    page = new_browser().new_page()
    page.goto("/login")
    page.fill("#login", "tekhnik")
    page.fill("#password", PASSWORD)
    page.press("#password", "Enter")
    page.wait_for_url(lambda url: "/login" not in url)
    page.get_by_role("link", name="Лінії й телефони").first.click()
    return page


def rings(site: Site, digits: str) -> list[tuple[list[str], int]]:
    with site.app.app_context():
        return ring_order(db.session(), digits)


def apply(page: Page, reason: str) -> None:
    page.fill("#reason", reason)
    page.get_by_role("button", name="Застосувати").click()


def in_force(page: Page, version: int) -> None:
    """The page looks again by itself until the version is in force."""
    expect(page.locator("#outcome")).to_contain_text(f"версія {version}")
    expect(page.locator("#outcome")).to_contain_text("Діє")
    expect(page.locator("[data-applying]")).to_have_count(0)


def test_a_plan_is_changed_broken_refused_applied_and_taken_back(
    site: Site, exchange: FakeExchange, page: Page
) -> None:
    # a phone, and a fourth line at which it rings first
    page.get_by_role("link", name="Додати телефон").click()
    for field, value in (("#name", "admin4"), ("#extension", "104"), ("#title", "Тел. 4")):
        page.fill(field, value)
    page.select_option("#user", "dyspetcher")
    page.get_by_role("button", name="Зберегти в чернетку").click()
    page.get_by_role("link", name="Додати лінію").click()
    page.fill("#number", "5-11-12")
    page.fill("#title", "Гаряча; System(id)")
    page.check("#step-1-admin4")
    page.press("#title", "Enter")
    expect(page.locator("#title-error")).to_contain_text("не можуть стояти в налаштуваннях станції: ; ( ).")
    expect(page.locator("#title")).to_have_value("Гаряча; System(id)")
    expect(page.locator("#step-1-admin4")).to_be_checked()
    page.fill("#title", "Гаряча лінія")
    page.press("#title", "Enter")
    draft = page.locator(".draft-plan")
    expect(draft).to_contain_text("Лінія 5-11-12: додано «Гаряча лінія»")
    expect(draft).to_contain_text("Телефон 104: додано «Тел. 4»")

    # the ring order of the first line, by keyboard
    page.get_by_role("link", name="5-32-73", exact=True).click()
    page.focus("#add-step")
    page.keyboard.press("Enter")
    expect(page.locator("#step-3")).to_be_focused()
    for _ in range(4):  # past the three others
        page.keyboard.press("Tab")
    page.keyboard.press("Space")
    expect(page.locator("#step-3-admin4")).to_be_checked()
    page.keyboard.press("Tab")
    page.keyboard.press("Control+A")
    page.keyboard.type("30")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # earlier
    expect(page.locator("#step-2")).to_be_focused()
    expect(page.locator("#step-2-seconds")).to_have_value("30")
    page.locator("#step-2-seconds").press("Enter")
    expect(draft).to_contain_text("дзвонитиме 101 (20) → 104 (30) → 102 + 103 (25)")

    # broken on purpose: a phone that does not exist, sent past the form
    page.get_by_role("link", name="5-32-75", exact=True).click()
    page.evaluate("document.getElementById('step-1-admin2').value = 'admin9'")
    page.get_by_role("button", name="Зберегти в чернетку").click()
    page.get_by_role("link", name="Перевірити").click()
    faults = page.locator("#faults")
    expect(faults).to_contain_text("Лінія 5-32-75, крок 1: телефону admin9 немає: виберіть інший або додайте його.")
    apply(page, "Навмисно")
    expect(faults).to_contain_text("телефону admin9 немає")
    expect(page.locator("#reason")).to_have_value("Навмисно")
    expect(page.locator("#outcome")).to_contain_text("версія 1")
    assert rings(site, "51112") == []

    # mended and applied
    page.get_by_role("link", name="5-32-75", exact=True).click()
    page.uncheck("#step-1-unknown-1")
    page.check("#step-1-admin2")
    page.get_by_role("button", name="Зберегти в чернетку").click()
    page.get_by_role("link", name="Перевірити").click()
    expect(faults).to_contain_text("Помилок немає")
    apply(page, "Гаряча лінія для опалення")
    in_force(page, 2)
    expect(page.get_by_role("list", name="Шлях дзвінка на 5-11-12")).to_contain_text("Тел. 4")
    assert rings(site, "51112") == [(["admin4"], 20)]
    assert rings(site, "53273") == [(["admin1"], 20), (["admin4"], 30), (["admin2", "admin3"], 25)]
    assert "exten => 51112,1,Goto(inbound,51112,1)" in exchange.holds()["extensions.conf"]

    # the phone's card, and back to the former version
    page.get_by_role("link", name="104 Тел. 4").click()
    page.get_by_role("link", name="Картка для налаштування").click()
    expect(page.locator(".phone-card")).to_contain_text("admin4")
    page.get_by_role("link", name="Версії плану").click()
    page.get_by_role("button", name="Повернутися до версії 1").click()
    in_force(page, 3)
    assert rings(site, "53273") == [(["admin1"], 20), (["admin2", "admin3"], 25)]
    assert rings(site, "51112") == []
    assert "[admin4](phone)" in exchange.holds()["pjsip.conf"]  # calls that began before may ring there still


def test_hours_are_given_and_the_way_of_a_call_is_looked_at(site: Site, exchange: FakeExchange, page: Page) -> None:
    page.get_by_role("link", name="5-32-73", exact=True).click()
    closing, duty = page.locator("#workdays"), page.locator("#duty")
    expect(closing).to_be_hidden()  # what would have no effect is not there
    page.uncheck("#always")
    expect(closing).to_be_visible()
    expect(duty).to_be_hidden()
    page.select_option("#out_of_hours", "message")
    expect(duty).to_be_visible()
    page.select_option("#duty", "admin3")
    page.fill("#workdays", "22:00-06:00")
    page.press("#workdays", "Enter")
    expect(page.locator("#workdays-error")).to_contain_text("закінчуються раніше, ніж починаються")
    expect(duty).to_have_value("admin3")
    page.fill("#workdays", "8:00-17:00")
    page.press("#workdays", "Enter")
    expect(page.locator(".draft-plan")).to_contain_text("клавіша 1 викликатиме черговий телефон 103")

    page.get_by_role("link", name="5-32-73", exact=True).click()
    way = page.get_by_role("list", name="Шлях дзвінка на 5-32-73")
    page.fill("#at", "2026-11-29T03:00")
    page.get_by_role("button", name="Показати").click()
    expect(page.locator(".way-moment")).to_contain_text("неділя, 29.11 03:00")
    expect(way).to_contain_text("тоді неробочий час")
    expect(way).to_contain_text("вихідний, увесь день неробочий")
    expect(way).to_contain_text("у чернетку, і передзвін")
    page.fill("#at", "2026-11-30T08:00")
    page.press("#at", "Enter")
    expect(way).to_contain_text("тоді робочий час")
    expect(way).to_contain_text("робочий день, 08:00–17:00")
    page.locator(".way-moment").get_by_role("link", name="Зараз").click()
    expect(way).to_contain_text("зараз")

    page.goto("/lines")
    apply(page, "Години роботи")
    in_force(page, 2)
    with site.app.app_context():
        assert timetable(db.session(), "53273") == Timetable(Hours("08:00–17:00"), "admin3")


def test_an_exchange_that_refuses_is_told_on_the_page(site: Site, exchange: FakeExchange, page: Page) -> None:
    exchange.deaf = True
    page.get_by_role("link", name="5-32-73", exact=True).click()
    page.fill("#step-1-seconds", "40")
    page.get_by_role("button", name="Зберегти в чернетку").click()
    apply(page, "Довше")
    expect(page.locator(".notice-wrong")).to_contain_text("Версію 2 не застосовано, діє попередня.")
    expect(page.locator("#outcome")).to_contain_text("версія 1")
    assert rings(site, "53273")[0] == (["admin1"], 20)


def test_the_pages_fit_a_small_screen(site: Site, page: Page) -> None:
    page.set_viewport_size({"width": 320, "height": 640})
    for address in (
        "/lines",
        "/lines/line/53273",
        "/lines/line/53273?at=2026-11-29T03:00",
        "/lines/phones/admin1",
        "/lines/phones/admin1/card",
        "/lines/versions",
    ):
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, address
