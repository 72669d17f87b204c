"""Calls by hand, one after another: a real Chromium, a real SIP phone on the desk, real SIP citizens (C1, C2)."""

import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select, update

from jobs.demo_users import DEMO_USERS
from models.base import db, transaction
from models.calltasks import CallTask
from models.people import Phone, User
from models.reports import Report, ReportState
from tests.helpers import eventually
from tests.pbx.chromium import screen_of
from tests.pbx.citizens import Citizens, invited
from tests.pbx.town import Town
from tests.table_fixtures import Table

TABLE = "Calls by hand"
pytestmark = [pytest.mark.pbx, pytest.mark.browser, pytest.mark.long]

LOGIN, PASSWORD, _NAME, _ROLE = DEMO_USERS[3]  # the dispatcher
PHONE = "admin3"
MOST_KEYS = 3
CALLER = "+380501239901"


class Hand:
    """The dispatcher's hand on the keyboard: counts the keys but for typed words, and how long it waits."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.keys, self.waited, self.begun = 0, 0.0, time.monotonic()

    def press(self, key: str) -> None:
        self.keys += 1
        self.page.keyboard.press(key)

    def wait(self, text: str) -> None:
        """Until the page says so of the call."""
        begun = time.monotonic()
        expect(self.page.locator(".call-way")).to_contain_text(text, timeout=30_000)
        self.waited += time.monotonic() - begun

    def count(self, table: Table, what: str) -> None:
        whole = time.monotonic() - self.begun
        table.add(call=what, keys=self.keys, waiting_s=f"{self.waited:.1f}", whole_s=f"{whole:.1f}")
        assert self.keys <= MOST_KEYS


@pytest.fixture
def citizens(town: Town) -> Iterator[Citizens]:
    """The town's citizens; the dispatcher has a desk phone of their own, which lifts by itself."""
    citizens = Citizens(town)
    with citizens.app.app_context():
        former = db.session.scalars(select(Phone.user_id).where(Phone.name == PHONE)).one()
        own = db.session.scalars(select(User.id).where(User.login == LOGIN)).one()
    give_phone(citizens, own)
    town.start_phones(ring_ms=300, talk_ms=60_000, only=(PHONE,))
    yield citizens
    give_phone(citizens, former)
    eventually(lambda: town.channels() == 0, "channels gone", 30)


def give_phone(citizens: Citizens, user_id: int) -> None:
    with citizens.app.app_context(), transaction() as session:
        session.execute(update(Phone).where(Phone.name == PHONE).values(user_id=user_id))


def tasks_of(citizens: Citizens, reports: list[int]) -> list[int]:
    """The checks of these reports, once the rules have made them."""

    def found() -> list[int] | None:
        with citizens.app.app_context():
            query = select(CallTask.id).where(CallTask.report_id.in_(reports)).order_by(CallTask.id)
            tasks = list(db.session.scalars(query))
        return tasks if len(tasks) == len(reports) else None

    return eventually(found, "the checks", 30)


def phone_is_there(page: Page) -> None:
    """The page of the checks, once the exchange has told that the phone is registered."""

    def connected() -> bool:
        page.goto("/checks")
        return page.locator(".check-dial .field-error").count() == 0

    eventually(connected, "the phone is connected", 30)


def states_of(citizens: Citizens, reports: list[int]) -> list[str]:
    with citizens.app.app_context():
        return list(db.session.scalars(select(Report.state).where(Report.id.in_(reports)).order_by(Report.id)))


def test_three_checks_in_a_row(town: Town, citizens: Citizens, table: Table) -> None:
    """S 3.2: done, not done, busy. Each at most three keys; the next one is there without one."""
    reports = [report for _ in range(3) for report in citizens.done()]
    tasks = tasks_of(citizens, reports)
    with screen_of(town, LOGIN, PASSWORD) as page:
        phone_is_there(page)
        for task, answer, words, home, ends in (
            (tasks[0], "1", "", {"ring_ms": 1000, "talk_ms": 2000}, "відповіли"),
            (tasks[1], "2", "Так і не горить", {"ring_ms": 1000, "talk_ms": 2000}, "відповіли"),
            (tasks[2], "6", "", {"refusal": "486 Busy Here"}, "зайнято"),
        ):
            hand = Hand(page)
            expect(page.locator("[data-task]")).to_have_attribute("data-task", str(task))
            eventually(
                lambda: not page.reload() or page.locator(".check-dial .field-error").count() == 0, "a phone", 30
            )
            with citizens.at_home(**home) as folder:
                hand.press("Enter")
                if "refusal" not in home:
                    hand.wait("розмова")
                hand.wait(ends)
                assert len(set(invited(folder))) == 1
            hand.press(answer)
            if words:
                page.locator("#words").press_sequentially(words)
                hand.press("Control+Enter")
            page.wait_for_url("**/checks")
            hand.count(table, f"check, {answer}")
        assert states_of(citizens, reports) == [ReportState.CLOSED, ReportState.IN_PROGRESS, ReportState.DONE]


def test_a_missed_caller_is_called_back_and_reports(town: Town, citizens: Citizens, table: Table) -> None:
    """C1: two keys from the list to the draft of their call; the talk settles the call-back."""
    town.start_phones(ring_ms=60_000, talk_ms=1000, only=("admin1",))
    caller, _folder = town.call([(CALLER, "53273")], rate=1, talk_ms=500, patience_ms=2000)
    caller.wait(60)
    query = "SELECT id FROM call_tasks WHERE purpose = 'call_back' AND number = :number"
    task = eventually(lambda: town.value(query, number=CALLER), "the call-back", 30)
    with screen_of(town, LOGIN, PASSWORD) as page:
        phone_is_there(page)
        page.goto(f"/calls?task={task}")
        hand = Hand(page)
        with citizens.at_home(ring_ms=1000, talk_ms=2000) as folder:
            hand.press("Enter")
            hand.wait("розмова")
            hand.wait("відповіли")
            assert len(set(invited(folder))) == 1
        hand.press("1")
        page.wait_for_url("**/drafts/*")
        hand.count(table, "call-back, 1")
        expect(page.locator("#draft-form")).to_be_visible()
        expect(page.locator("#draft")).to_contain_text("99 01")
    assert town.value("SELECT state FROM call_tasks WHERE id = :task", task=task) == "settled"
    waits = "SELECT count(*) FROM calls WHERE number = :number AND settled_by_attempt_id IS NULL"
    assert town.value(waits, number=CALLER) == 0
