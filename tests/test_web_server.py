"""The web server as it runs: half a request, however it comes, holds nobody else up, and streams stay open."""

import http.client
import resource
import socket
import threading
import time
from collections.abc import Iterator

import psutil
import pytest

from tests.desk_fixtures import Site
from tests.helpers import eventually
from tests.stream_fixtures import listen
from webui.server import CONNECTIONS, QUEUED, REQUEST_SECONDS, SILENT_SECONDS, STOP_SECONDS, THREADS

ANSWER = 2.0  # seconds for a good request, whatever else comes
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


def seconds_for_a_page(site: Site) -> float:
    begun = time.monotonic()
    web = http.client.HTTPConnection("127.0.0.1", site.settings.web_port, timeout=30)
    web.request("GET", "/login", headers={"Accept": "text/html"})
    answer = web.getresponse()
    assert answer.status == 200
    assert b"</html>" in answer.read()
    web.close()
    return time.monotonic() - begun


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
    begun = time.monotonic()
    crowd = Crowd(site, [half for half in HALVES.values() for _one in range(THREADS // 2)])
    assert len(crowd.open) > 2 * THREADS
    assert crowd.ended() == 0
    slowest = max(seconds_for_a_page(site) for _page in range(20))
    assert slowest < ANSWER
    assert time.monotonic() - begun < REQUEST_SECONDS  # all of it while the crowd is there
    eventually(lambda: crowd.ended() == len(crowd.open), "all of them are ended", seconds=SILENT_SECONDS + 5)
    crowd.close()
    assert not stream.ended
    call, _draft = site.exchange.call()
    eventually(lambda: stream.last_of_call(call), "the stream still hears a call", seconds=2)


def test_more_connections_than_there_is_room_for_leave_room_for_a_new_one(site):
    crowd = Crowd(site, [HALVES["nothing"], HALVES["half a head"]] * (CONNECTIONS // 2 + 50))
    assert len(crowd.open) > CONNECTIONS
    assert seconds_for_a_page(site) < ANSWER
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
    assert max(seconds_for_a_page(site) for _page in range(5)) < ANSWER
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
    assert max(seconds_for_a_page(site) for _page in range(5)) < ANSWER
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


def test_it_stops_soon_when_it_is_told_to(site):
    stream = listen(site, "tsapkova")
    begun = time.monotonic()
    assert site.end("web") == 0
    assert time.monotonic() - begun < STOP_SECONDS + 3
    eventually(lambda: stream.ended, "its streams end")
