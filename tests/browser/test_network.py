"""What the desk does when the network breaks: it catches up by itself, and shows what happened meanwhile (I3)."""

import signal
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import psutil
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from models.base import db, transaction
from models.drafts import claim_draft, end_draft, register_draft, save_draft
from models.people import User
from models.reports import Report, ReportEvent
from tests.browser.at_the_desk import bar, form_of, ring, saved
from tests.browser.conftest import hears_events, log_in
from tests.desk_fixtures import Site
from tests.helpers import AREA_CODE, eventually

pytestmark = pytest.mark.browser
_RESET = struct.pack("ii", 1, 0)  # close at once: the other end gets a reset


class Network:
    """Between browser and server. `go_deaf` leaves all open connections open and silent, as a lost network does; `cut`
    resets them and refuses new ones until `mend`."""

    def __init__(self, port: int) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self._target = port
        self._generation = 0
        self._down = False
        self._open: set[socket.socket] = set()
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def open(self) -> int:
        """How many connections of the browser are open."""
        return len(self._open)

    def go_deaf(self) -> None:
        self._generation += 1

    def cut(self) -> None:
        self._down = True
        for browser in list(self._open):
            with suppress(OSError):  # it ends by itself at this moment
                browser.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                browser.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        self._down = False

    def close(self) -> None:
        self._server.close()

    def _accept(self) -> None:
        while True:
            try:
                browser, _address = self._server.accept()
            except OSError:
                return
            try:
                server = None if self._down else socket.create_connection(("127.0.0.1", self._target))
            except OSError:  # the web has ended
                server = None
            if server is None:
                browser.close()
                continue
            self._open.add(browser)
            for source, goal in ((browser, server), (server, browser)):
                threading.Thread(target=self._pass, args=(source, goal, self._generation), daemon=True).start()

    def _pass(self, source: socket.socket, goal: socket.socket, generation: int) -> None:
        try:
            while data := source.recv(65536):
                if generation == self._generation:
                    goal.sendall(data)
            if generation == self._generation:
                goal.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        for end in (source, goal):
            self._open.discard(end)
            if self._down:
                end.close()


@pytest.fixture
def network(site: Site) -> Iterator[Network]:
    network = Network(site.settings.web_port)
    yield network
    network.close()


@pytest.fixture
def page(network: Network, new_browser: Callable[..., BrowserContext]) -> Page:
    """Tsapkova at her desk, behind the network."""
    page = new_browser(base_url=f"http://127.0.0.1:{network.port}").new_page()
    log_in(page, "tsapkova")
    return page


def meanwhile(site: Site, draft: int, do: Callable) -> None:
    """Cherniavska works on the draft."""
    with site.app.app_context(), transaction() as session:
        she = session.scalars(db.select(User).where(User.login == "cherniavska")).one()
        report = session.get_one(Report, draft)
        claim_draft(session, report, she)
        do(session, report, she)


def cut(network: Network, page: Page) -> None:
    network.cut()
    expect(page.locator("html")).to_have_attribute("data-events", "away")


def mend(network: Network, page: Page) -> None:
    network.mend()
    expect(page.locator("html")).to_have_attribute("data-events", "open")


def test_after_a_sleep_the_page_catches_up_at_once(site, network, page):
    """A laptop wakes: its connections are dead without saying so. The new one comes in seconds, not after 25."""
    browsers = [one for one in psutil.Process().children(recursive=True) if "chrom" in one.name()]
    assert browsers
    eventually(lambda: network.open == 1, "only the stream is left open")
    network.go_deaf()
    begun = time.monotonic()
    for one in browsers:
        one.send_signal(signal.SIGSTOP)
    try:
        call, draft = ring(site)
        eventually(lambda: time.monotonic() - begun > 8, "eight seconds of sleep")
    finally:
        for one in browsers:
            one.send_signal(signal.SIGCONT)
    expect(bar(page, call)).to_be_visible(timeout=6_000)
    expect(form_of(page, draft)).to_be_visible(timeout=6_000)


@pytest.mark.parametrize("hidden", [True, False])
def test_a_hidden_tab_whose_clock_is_slowed_keeps_its_stream(site, new_browser, hidden):
    """Where tabs share no worker. The clock of one that somebody looks at jumps only when the machine slept."""
    context = new_browser()
    context.add_init_script(
        """delete self.SharedWorker;
        self.streams = 0;
        self.EventSource = class extends EventSource {
          constructor(url) {
            super(url);
            self.streams += 1;
          }
        };"""
    )
    page = context.new_page()
    page.clock.install()
    log_in(page, "tsapkova")
    page.evaluate("hidden => Object.defineProperty(document, 'hidden', { get: () => hidden })", hidden)
    assert page.evaluate("streams") == 1
    page.clock.run_for(2_000)
    page.clock.fast_forward(8_000)
    assert page.evaluate("streams") == (1 if hidden else 2)


def test_answered_elsewhere_and_ended_during_a_break_closes_the_form_and_says_who(site, network, page):
    """The state after the break knows nothing of that call any more: it is told by the last event's id."""
    call, draft = ring(site)
    expect(form_of(page, draft)).to_be_visible()
    cut(network, page)
    site.exchange.ring(call, 2)
    site.exchange.answer(call, 2)
    meanwhile(site, draft, lambda *_: None)
    site.exchange.hang_up(call)
    expect(form_of(page, draft)).to_be_visible()
    mend(network, page)
    expect(page.locator("#pane")).to_contain_text("Дзвінок прийнято: Чернявська С. І.")
    expect(form_of(page, draft)).to_have_count(0)
    expect(bar(page, call)).to_have_count(0)
    expect(page).to_have_url(f"http://127.0.0.1:{network.port}/")


def test_a_draft_that_was_finished_elsewhere_during_a_break_shows_its_result(site, network, page):
    call, draft = ring(site)
    expect(form_of(page, draft)).to_be_visible()
    cut(network, page)
    site.exchange.answer(call, 2)
    meanwhile(site, draft, lambda session, report, she: end_draft(session, report, she, ReportEvent.CONSULTED))
    site.exchange.hang_up(call)
    mend(network, page)
    expect(page.locator("[data-finished]")).to_contain_text("Консультацію надано")
    expect(form_of(page, draft)).to_have_count(0)


def test_a_report_that_was_registered_during_a_break_stands_beside_the_callers_draft(site, network, page):
    """The same citizen called on another line; the draft that is open here is not of that call."""
    first, other = site.exchange.call(line="53275")
    call, draft = ring(site)
    expect(form_of(page, draft)).to_be_visible()
    expect(page.locator("#side")).not_to_contain_text("біля школи")
    cut(network, page)

    def register(session, report, she):
        fields = {"category_id": 1, "text": "Яма біля школи", "landmark": "біля школи", "executor_id": 1}
        save_draft(session, report, she, fields, report.revision, AREA_CODE)
        register_draft(session, report, she)

    meanwhile(site, other, register)
    site.exchange.hang_up(first)
    mend(network, page)
    expect(page.locator("#side")).to_contain_text("біля школи")


def test_what_was_typed_stays_when_a_colleague_answered_during_a_break(site, network, page):
    call, draft = ring(site)
    page.locator("#text").press_sequentially("Почала писати")
    expect(page.locator("#save-state")).to_have_text("збережено ✓")
    cut(network, page)
    site.exchange.answer(call, 2)
    site.exchange.hang_up(call)
    mend(network, page)
    expect(page.locator("#draft-notice")).to_contain_text("Дзвінок прийнято: Чернявська С. І.")
    assert page.locator("#text").input_value() == "Почала писати"


def test_after_a_break_that_nobody_remembers_the_page_asks_what_became_of_what_it_shows(site, network, page):
    """Redis began anew meanwhile: the present state comes alone."""
    call, draft = ring(site)
    expect(form_of(page, draft)).to_be_visible()
    cut(network, page)
    site.kill("redis")
    site.exchange.answer(call, 2)
    meanwhile(site, draft, lambda session, report, she: end_draft(session, report, she, ReportEvent.CONSULTED))
    site.exchange.hang_up(call)
    missed = site.exchange.missed("0501112233")[1]
    site.start_redis()
    mend(network, page)
    expect(page.locator("[data-finished]")).to_contain_text("Консультацію надано")
    expect(page.locator(f'#missed [data-draft-link="{missed}"]')).to_be_visible()


def test_a_browser_that_shares_no_worker_between_its_tabs_works_as_well(site, network, new_browser):
    """Each tab has a stream of its own then: the draft opens, what is typed is saved, and a break is made up for."""
    context = new_browser(base_url=f"http://127.0.0.1:{network.port}")
    context.add_init_script("delete self.SharedWorker")
    page = context.new_page()
    log_in(page, "tsapkova")
    assert page.evaluate("typeof SharedWorker") == "undefined"
    call, draft = ring(site)
    expect(form_of(page, draft)).to_be_visible()
    page.fill("#text", "Яма біля школи")
    saved(page)
    assert site.draft(draft).text == "Яма біля школи"
    cut(network, page)
    page.locator("#text").press_sequentially(" і садка")
    site.exchange.answer(call, 1)
    site.exchange.hang_up(call)
    mend(network, page)
    expect(page.locator("#draft-head")).to_contain_text("Чернетка завершеного дзвінка")
    saved(page)
    assert site.draft(draft).text == "Яма біля школи і садка"
    second = context.new_page()
    second.goto("/journal")
    hears_events(second)
    second.click(".topbar > details[data-menu] > summary")
    second.click("[data-logout]")
    expect(page.locator("html")).to_have_attribute("data-events", "login")
