"""The web server: waitress, which gives a request a thread only once all of it has arrived.

Who sends half a request, or is slow to read the answer, holds a connection and no thread. Added here: a request must
arrive within a time in all, however it drips; an answer that nobody reads is given up; and a new connection always
finds a place, because those that have waited longest without a whole request give theirs up. When too many requests
wait for a thread, the next is answered with 503 at once. A request whose length can be understood in two ways is
refused: a proxy in front may have understood the other.

It beats (`jobs.heartbeat`) as long as it gets on with its work, so that the watchdog tells one that hangs from one
that has much to do.
"""

import logging
import re
import signal
import sys
import time

from flask_babel import gettext as _
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.server import TcpWSGIServer
from waitress.task import ThreadedTaskDispatcher
from waitress.utilities import Error, RequestEntityTooLarge

from jobs.heartbeat import Heart
from jobs.logs import write_log
from jobs.settings import load_settings
from webui import create_app
from webui.errors import too_long_page
from webui.events import ALL_STREAMS
from webui.uploads import UPLOAD_BYTES, UPLOAD_PATHS

THREADS = ALL_STREAMS + 60  # each stream of events holds one
CONNECTIONS = 1000
KEPT_FREE = 100  # of them, for who comes now
REQUEST_SECONDS = 10.0  # from the first byte of a request to its last
UPLOAD_SECONDS = 180.0  # the same for one with photos, from a telephone far out
UPLOADS = 20  # requests with photos on their way at once: each may need 32 MB of the disk
LONGEST_BODY = 2 * 1024 * 1024  # bytes: twice what the application takes, so that it is the one to refuse
SILENT_SECONDS = 10.0  # of a connection without a request, or with an answer that nobody reads
QUEUED = 4  # requests sent ahead on one connection; browsers send none
WAITING = 100  # connections whose request waits for a thread
TURN_SECONDS = 0.0005  # a tenth of Python's: what reads from the network takes turns with all busy threads
STOP_SECONDS = 2.0  # for the answers under way
_LENGTHS = re.compile(rb"^(transfer-encoding|content-length):", re.IGNORECASE | re.MULTILINE)


class Request(HTTPRequestParser):
    """A request on its way, which knows when it began."""

    def __init__(self, adj: object, too_long: Error) -> None:
        super().__init__(adj)
        self._too_long = too_long
        self.began = time.monotonic()
        self.brings_files = False

    @property
    def late(self) -> bool:
        return self.began < time.monotonic() - (UPLOAD_SECONDS if self.brings_files else REQUEST_SECONDS)

    def received(self, data: bytes) -> int:
        consumed = super().received(data)
        longest = max(self.content_length, self.body_bytes_received)
        if self.headers_finished and self.error is None and not self.brings_files and longest >= LONGEST_BODY:
            self.error = self._too_long
            self.completed = True
        elif isinstance(self.error, RequestEntityTooLarge):
            self.error = self._too_long
        return consumed

    def parse_header(self, header_plus: bytes) -> None:
        """Read the request's head. What raises `ParsingError` is answered with 400, and the connection ended."""
        if len({name.lower() for name in _LENGTHS.findall(header_plus)}) > 1:
            raise ParsingError("Two lengths")
        try:
            super().parse_header(header_plus)
        except ValueError as error:  # a broken address, a length of thousands of digits
            raise ParsingError("Invalid head") from error
        if "TRANSFER_ENCODING" in self.headers:  # left there by a version that knows none
            raise ParsingError("Transfer-Encoding is of HTTP/1.1")
        self.brings_files = self.command == "POST" and UPLOAD_PATHS.fullmatch(self.path) is not None
        if self.body_rcv is None:  # all has come: who waited for a sign to go on would wait for ever
            self.expect_continue = False


class Crowded(Error):
    """The answer when too many requests wait: the same for all, for nobody has looked yet who asks for what."""

    def to_response(self, ident: str | None = None) -> tuple[str, list[tuple[str, str]], bytes]:
        headers = {"Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store", "Retry-After": "5"}
        return "503 Service Unavailable", list(headers.items()), self.body.encode()


class TooLong(RequestEntityTooLarge):
    """The answer to a request that is too long to be taken: a page in the words of the product."""

    def to_response(self, ident: str | None = None) -> tuple[str, list[tuple[str, str]], bytes]:
        headers = {"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store"}
        return f"{self.code} {self.reason}", list(headers.items()), self.body.encode()


class Connection(HTTPChannel):
    def parser_class(self, adj: object) -> Request:
        return Request(adj, self.server.too_long)

    def received(self, data: bytes) -> bool:
        heard = super().received(data)
        if len(self.requests) > QUEUED:  # many answers that nobody reads would hold the thread
            self.will_close = True
        elif self.server.task_dispatcher.turns_away(self):
            self.requests[0].error = self.server.crowded
            super().service()  # an error's answer needs no thread: it waits for nothing
        return heard

    def service(self) -> None:
        """Answer the request, in a thread."""
        super().service()
        self.server.task_dispatcher.last_answer = time.monotonic()


class Dispatcher(ThreadedTaskDispatcher):
    last_answer = 0.0  # when a thread last finished one

    def turns_away(self, connection: Connection) -> bool:
        """Take the connection out of the queue if too many wait; False when it may wait, or has its thread.

        A connection's next request, sent ahead, always waits: there are no more of those than threads.
        """
        with self.lock:
            if len(self.queue) <= WAITING or connection not in self.queue:
                return False
            self.queue.remove(connection)
            return True

    def shutdown(self, cancel_pending: bool = True, timeout: float = STOP_SECONDS) -> bool:
        """Streams of events never end by themselves: they are not waited for as long as waitress would."""
        return super().shutdown(cancel_pending, timeout)


class Server(TcpWSGIServer):
    channel_class = Connection

    def __init__(
        self, application: object, heart: Heart, crowded: Crowded, too_long: TooLong, **options: object
    ) -> None:
        self.crowded, self.too_long = crowded, too_long
        self._heart, self._last_beat = heart, 0.0
        super().__init__(application, **options)

    def maintenance(self, now: float) -> None:
        """Once a second: end who is silent, who does not read the answer, and whose request takes too long to come.

        It beats, unless requests wait and not one was answered since the last beat.
        """
        if not self.task_dispatcher.queue or self.task_dispatcher.last_answer >= self._last_beat:
            self._heart.beat()
            self._last_beat = time.monotonic()
        uploads = 0
        for connection in self.active_channels.values():
            idle = not connection.requests or connection.total_outbufs_len
            if idle and connection.last_activity < now - SILENT_SECONDS:
                connection.will_close = True
            if connection.request is not None:
                uploads += connection.request.brings_files
                if connection.request.late or (connection.request.brings_files and uploads > UPLOADS):
                    connection.will_close = True

    def handle_accept(self) -> None:
        """Let in all who have come: with one at each look at the connections, a crowd would keep others waiting."""
        known = -1
        while known < len(self.active_channels) < CONNECTIONS:
            known = len(self.active_channels)
            super().handle_accept()

    def readable(self) -> bool:
        """Asked before each look at the connections; makes room for a new one."""
        excess = len(self.active_channels) - (CONNECTIONS - KEPT_FREE)
        if excess > 0:
            waiting = [connection for connection in self.active_channels.values() if not connection.requests]
            for connection in waiting[:excess]:  # the oldest first
                connection.will_close = True
        return super().readable()


def main() -> None:
    sys.setswitchinterval(TURN_SECONDS)
    write_log()
    logging.getLogger("waitress").setLevel(logging.ERROR)  # not who went away, nor each time that there is a crowd
    settings = load_settings()
    dispatcher = Dispatcher()
    dispatcher.set_thread_count(THREADS)
    app = create_app(settings)
    with app.test_request_context():
        crowded = Crowded(
            _("Too many requests at once: nothing was saved. Wait a minute and try again; calls ring meanwhile.")
        )
        too_long = TooLong(too_long_page(app))
    server = Server(
        app,
        Heart(settings.run_dir, "web"),
        crowded,
        too_long,
        dispatcher=dispatcher,
        host=settings.web_host,
        port=settings.web_port,
        asyncore_use_poll=True,  # select() knows no more than 1024 files
        connection_limit=CONNECTIONS,
        cleanup_interval=1,
        max_request_header_size=64 * 1024,
        max_request_body_size=UPLOAD_BYTES + LONGEST_BODY,  # with files; without them `Request` knows a lower one
        inbuf_overflow=64 * 1024,  # a longer body waits in a file
        log_socket_errors=False,
        clear_untrusted_proxy_headers=not settings.proxies,  # the application reads them behind a proxy
        ident=None,
    )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server.run()


if __name__ == "__main__":
    main()
