"""The web server as it runs: half a request, however it comes, holds nobody else up, and streams stay open."""

import http.client
import resource
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

import psutil
import pytest
from waitress import wasyncore
from waitress.adjustments import Adjustments

from jobs.watchdog import probe_heartbeat
from tests.desk_fixtures import Site
from tests.helpers import eventually
from tests.stream_fixtures import listen
from webui import server
from webui.server import (
    CONNECTIONS,
    LONGEST_BODY,
    QUEUED,
    REQUEST_SECONDS,
    SILENT_SECONDS,
    THREADS,
    UPLOAD_SECONDS,
    Crowded,
    Dispatcher,
    Request,
    Server,
    TooLong,
)
from webui.uploads import UPLOAD_BYTES

ANSWER = SILENT_SECONDS - 2  # by when a good request is answered: before those who hold the server up are ended
HALVES = {
    "nothing": b"",
    "half a line": b"GET /logi",
    "half a head": b"GET /login HTTP/1.1\r\nHost: x\r\nX-Slow: ",
    "half a body": b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nlogin=",
    "half a chunk": b"POST /login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\nlogin=",
    "half of a second one": b"GET /static/icon.svg HTTP/1.1\r\nHost: x\r\n\r\nGET /logi",
}


@pytest.fixture(autouse=True)
def many_files() -> Iterator[None]:
    """For as many connections, here and in the server that is started."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def connect(site: Site) -> socket.socket:
    return socket.create_connection(("127.0.0.1", site.settings.web_port), 10)


def get_a_page(site: Site) -> None:
    """Fails when nothing comes for `ANSWER` seconds."""
    web = http.client.HTTPConnection("127.0.0.1", site.settings.web_port, timeout=ANSWER)
    web.request("GET", "/login", headers={"Accept": "text/html"})
    answer = web.getresponse()
    assert answer.status == 200
    assert b"</html>" in answer.read()
    web.close()


class Crowd:
    """Connections that send a half and then a byte more every half second, until the server ends them."""

    def __init__(self, site: Site, beginnings: list[bytes]) -> None:
        self.open: list[socket.socket] = []
        self._dripping = threading.Event()
        for beginning in beginnings:
            peer = connect(site)
            peer.sendall(beginning)
            peer.setblocking(False)
            self.open.append(peer)
        self._drips = [bool(beginning) for beginning in beginnings]
        threading.Thread(target=self._drip, daemon=True).start()

    def _drip(self) -> None:
        while not self._dripping.wait(0.5):
            for peer, drips in zip(self.open, self._drips, strict=True):
                try:
                    if drips:
                        peer.send(b"x")
                except OSError:
                    pass  # ended by the server

    def ended(self) -> int:
        """How many the server has ended."""
        return sum(map(has_ended, self.open))

    def close(self) -> None:
        self._dripping.set()
        for peer in self.open:
            peer.close()


def has_ended(peer: socket.socket) -> bool:
    try:
        while peer.recv(65536):
            pass
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def test_half_sent_requests_hold_nobody_up_and_are_ended_while_streams_stay(site):
    """More than there are threads, of every kind, dripping so that they are never silent."""
    stream = listen(site, "tsapkova")
    crowd = Crowd(site, [half for half in HALVES.values() for _one in range(THREADS // 2)])
    assert len(crowd.open) > 2 * THREADS
    get_a_page(site)
    assert crowd.ended() == 0  # while the crowd was there
    for _page in range(4):
        get_a_page(site)
    eventually(lambda: crowd.ended() == len(crowd.open), "all of them are ended", seconds=SILENT_SECONDS + 5)
    crowd.close()
    assert not stream.ended
    call, _draft = site.exchange.call()
    eventually(lambda: stream.last_of_call(call), "the stream still hears a call", seconds=2)


def test_more_connections_than_there_is_room_for_leave_room_for_a_new_one(site):
    crowd = Crowd(site, [HALVES["nothing"], HALVES["half a head"]] * (CONNECTIONS // 2 + 50))
    assert len(crowd.open) > CONNECTIONS
    get_a_page(site)
    crowd.close()


def test_answers_that_nobody_reads_hold_nobody_up(site):
    page = b"GET /static/vendor/bootstrap/bootstrap.min.css HTTP/1.1\r\nHost: x\r\n\r\n"
    deaf = []
    for _one in range(THREADS + 40):
        peer = socket.socket()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.connect(("127.0.0.1", site.settings.web_port))
        peer.sendall(page * QUEUED)
        deaf.append(peer)
    for _page in range(5):
        get_a_page(site)
    web = psutil.Process(site.pid("web"))
    assert len(web.net_connections("tcp")) > THREADS
    eventually(lambda: len(web.net_connections("tcp")) < 5, "they are given up", seconds=SILENT_SECONDS + 10)
    for peer in deaf:
        peer.close()


def test_requests_far_ahead_of_their_answers_end_the_connection(site):
    peer = connect(site)
    peer.sendall(b"GET /static/icon.svg HTTP/1.1\r\nHost: x\r\n\r\n" * (QUEUED + 1))
    peer.setblocking(False)
    eventually(lambda: has_ended(peer), "the server ends it", seconds=2)


def test_connections_that_are_left_open_after_their_answer_hold_nobody_up(site):
    kept = []
    for ending in (b"Connection: close\r\n\r\n", b"\r\n"):
        for _one in range(50):
            peer = connect(site)
            peer.sendall(b"GET /static/icon.svg HTTP/1.1\r\nHost: x\r\n" + ending)
            kept.append(peer)
    assert {peer.recv(12) for peer in kept} == {b"HTTP/1.1 200"}
    for _page in range(5):
        get_a_page(site)
    assert len(psutil.Process(site.pid("web")).net_connections("tcp")) > 50  # those that may ask once more
    for peer in kept:
        peer.close()


def test_a_slow_but_whole_request_is_answered(site):
    peer = connect(site)
    for piece in b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\nAccept: text/html\r\n\r\nlogin=".split(b" "):
        peer.sendall(piece + b" " if not piece.endswith(b"=") else piece)
        time.sleep(0.1)  # this is what is tried
    assert peer.recv(12) == b"HTTP/1.1 400"  # no token: the application has read it
    peer.close()


def test_too_long_a_body_is_refused_and_the_connection_ended(site):
    peer = connect(site)
    peer.sendall(b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n")
    answer = b""
    while data := peer.recv(4096):
        answer += data
    assert answer.startswith(b"HTTP/1.1 413")
    assert "виберіть менший файл" in answer.decode()


@pytest.mark.parametrize(
    "lengths",
    [
        b"Content-Length: 6\r\nTransfer-Encoding: chunked",
        b"transfer-encoding: chunked\r\nX: y\r\ncontent-length: 6",
        b"Content-Length: 6\r\nTransfer-Encoding:",
        b"Content-Length: 6\r\nContent-Length: 7",
        b"Content-Length: " + b"9" * 5000,
    ],
)
def test_a_length_that_can_be_understood_in_two_ways_is_refused_and_the_connection_ended(site, lengths):
    """Behind a proxy that understood the other, the rest would be somebody else's request."""
    smuggled = b"0\r\n\r\nGET /static/icon.svg HTTP/1.1\r\nHost: x\r\n\r\n"
    answer = all_of(site, b"POST /login HTTP/1.1\r\nHost: x\r\n" + lengths + b"\r\n\r\n" + smuggled)
    assert answer.split(b" ")[1] == b"400"
    assert b"Connection: close" in answer
    assert answer.count(b"HTTP/1.") == 1


def test_heads_that_cannot_be_read_are_refused_and_not_logged(site):
    for head in (
        b"POST /login HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked",
        b"GET http://[/ HTTP/1.1\r\nHost: x",
    ):
        assert all_of(site, head + b"\r\n\r\n").split(b" ")[1] == b"400"
    assert "Error" not in (site.settings.var / "web.log").read_text()


def test_who_asks_for_a_sign_to_go_on_with_nothing_is_answered(site):
    head = b"GET /static/icon.svg HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\n\r\n"
    assert all_of(site, head).startswith(b"HTTP/1.1 200")


def all_of(site: Site, request: bytes) -> bytes:
    """What comes until the server ends the connection."""
    with connect(site) as peer:
        peer.sendall(request)
        return read(peer)


def read(peer: socket.socket) -> bytes:
    answer = b""
    while data := peer.recv(4096):
        answer += data
    return answer


class Hold:
    """An application whose answers wait to be let go; it counts the server's beats, too."""

    def __init__(self) -> None:
        self.begun, self.go, self.beats = threading.Event(), threading.Event(), 0

    def __call__(self, _environ: dict, start_response: Callable) -> list[bytes]:
        self.begun.set()
        self.go.wait(60)
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    def beat(self) -> None:
        self.beats += 1


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Hold, Callable[[], socket.socket], list[socket.socket]]]:
    """A server whose only thread has a request while two more wait, which are as many as may; and how to ask it."""
    monkeypatch.setattr(server, "WAITING", 2)
    hold, dispatcher = Hold(), Dispatcher()
    dispatcher.set_thread_count(1)
    small = Server(
        hold,
        hold,
        Crowded("пізніше"),
        TooLong("завелике"),
        dispatcher=dispatcher,
        host="127.0.0.1",
        port=0,
        cleanup_interval=0,
    )
    running = threading.Thread(target=small.run, daemon=True)
    running.start()
    peers: list[socket.socket] = []

    def ask() -> socket.socket:
        peers.append(socket.create_connection(("127.0.0.1", int(small.effective_port)), 10))
        peers[-1].sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        return peers[-1]

    ask()
    eventually(hold.begun.is_set, "the thread has a request")
    waiting = [ask(), ask()]
    eventually(lambda: len(dispatcher.queue) == 2, "two more wait")
    yield hold, ask, waiting
    hold.go.set()
    small.trigger.pull_trigger(lambda: wasyncore.close_all(small._map))
    running.join(10)
    dispatcher.shutdown()
    for peer in peers:
        peer.close()


def test_when_too_many_requests_wait_the_next_is_refused_at_once_and_those_are_answered(full):
    hold, ask, waiting = full
    refused = read(ask())
    assert refused.startswith(b"HTTP/1.1 503 ")
    assert refused.endswith("пізніше".encode())
    hold.go.set()
    assert [read(peer)[:12] for peer in waiting] == [b"HTTP/1.1 200"] * 2
    assert read(ask()).startswith(b"HTTP/1.1 200")


def test_it_beats_while_it_gets_on_and_not_while_requests_wait_for_ever(full):
    """What is refused is no progress."""
    hold, ask, _waiting = full
    before = hold.beats
    assert before > 0
    for _one in range(5):
        read(ask())
    assert hold.beats == before
    hold.go.set()
    eventually(lambda: hold.beats > before, "it beats again")


def test_a_crowd_that_reads_no_answers_does_not_make_it_look_dead(site):
    """Hundreds of connections with four requests each: each has a page or is told to wait, the watchdog sees it work.

    How many have to wait is a matter of the machine: a fast one may answer all.
    """
    crowd = [connect(site) for _one in range(850)]
    for peer in crowd:
        peer.sendall(b"GET /login HTTP/1.1\r\nHost: x\r\n\r\n" * QUEUED)
        peer.setblocking(False)

    def works_again() -> bool:
        probe_heartbeat(site.settings.run_dir, "web", 15.0)
        try:
            get_a_page(site)
        except (AssertionError, OSError, http.client.HTTPException):
            return False
        return True

    def answers() -> Counter[str]:
        return Counter(beginning(peer, len("HTTP/1.1 200")) for peer in crowd)

    eventually(works_again, "there is a page again")
    eventually(lambda: not answers()["not answered"], "nobody waits without an answer")
    assert answers()["HTTP/1.1 200"] > 0
    assert set(answers()) <= {"HTTP/1.1 200", "HTTP/1.1 503", "closed"}
    for peer in crowd:
        peer.close()


def beginning(peer: socket.socket, length: int) -> str:
    """What has come by now on a connection that does not wait."""
    try:
        return peer.recv(length, socket.MSG_PEEK).decode() or "closed"
    except BlockingIOError:
        return "not answered"
    except ConnectionError:
        return "closed"


def test_it_stops_soon_when_it_is_told_to(site):
    stream = listen(site, "tsapkova")
    assert site.end("web") == 0
    eventually(lambda: stream.ended, "its streams end")


def request_of(first_line: str, length: int) -> Request:
    request = Request(Adjustments(max_request_body_size=UPLOAD_BYTES + LONGEST_BODY), TooLong("завелике"))
    request.received(f"{first_line} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode())
    return request


@pytest.mark.parametrize(
    ("first_line", "length", "taken"),
    [
        ("POST /povidomyty", UPLOAD_BYTES, True),
        ("POST /reports/12/act", UPLOAD_BYTES, True),
        ("POST /povidomyty", UPLOAD_BYTES + LONGEST_BODY, False),
        ("GET /povidomyty", LONGEST_BODY, False),
        ("POST /stan", LONGEST_BODY, False),
        ("POST /drafts/12/save", LONGEST_BODY, False),
        ("POST /login?next=/povidomyty", LONGEST_BODY, False),
        ("POST /stan", LONGEST_BODY - 1, True),
    ],
)
def test_long_requests_are_for_the_addresses_with_files(first_line: str, length: int, taken: bool) -> None:
    request = request_of(first_line, length)
    assert (request.error is None) is taken
    assert request.completed is not taken


def test_a_request_without_a_length_ends_where_one_with_it_does() -> None:
    request = Request(Adjustments(max_request_body_size=UPLOAD_BYTES + LONGEST_BODY), TooLong("завелике"))
    request.received(b"POST /stan HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    while request.error is None and request.body_bytes_received < 2 * LONGEST_BODY:
        request.received(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
    assert request.error is not None
    assert request.body_bytes_received < LONGEST_BODY + 0x20000


def test_photos_get_the_time_that_a_slow_telephone_needs_and_nothing_else_does() -> None:
    photos, login = request_of("POST /povidomyty", 5_000_000), request_of("POST /login", 100)
    for request in (photos, login):
        assert not request.late
        request.began -= REQUEST_SECONDS + 1
    assert (photos.late, login.late) == (False, True)
    photos.began -= UPLOAD_SECONDS
    assert photos.late
