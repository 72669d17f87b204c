"""The web server: waitress, which gives a request a thread only once all of it has arrived.

Who sends half a request, or is slow to read the answer, holds a connection and no thread. Added here: a request must
arrive within a time in all, however it drips; an answer that nobody reads is given up; and a new connection always
finds a place, because those that have waited longest without a whole request give theirs up.
"""

import logging
import signal
import sys
import time

from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import TcpWSGIServer
from waitress.task import ThreadedTaskDispatcher

from jobs.logs import write_log
from jobs.settings import load_settings
from webui import create_app
from webui.events import ALL_STREAMS

THREADS = ALL_STREAMS + 60  # each stream of events holds one
CONNECTIONS = 1000
KEPT_FREE = 100  # of them, for who comes now
REQUEST_SECONDS = 10.0  # from the first byte of a request to its last
SILENT_SECONDS = 10.0  # of a connection without a request, or with an answer that nobody reads
QUEUED = 4  # requests sent ahead on one connection; browsers send none
STOP_SECONDS = 2.0  # for the answers under way


class Request(HTTPRequestParser):
    """A request on its way, which knows when it began."""

    def __init__(self, adj: object) -> None:
        super().__init__(adj)
        self.began = time.monotonic()


class Connection(HTTPChannel):
    parser_class = Request

    def received(self, data: bytes) -> bool:
        heard = super().received(data)
        if len(self.requests) > QUEUED:  # many answers that nobody reads would hold the thread
            self.will_close = True
        return heard


class Dispatcher(ThreadedTaskDispatcher):
    def shutdown(self, cancel_pending: bool = True, timeout: float = STOP_SECONDS) -> bool:
        """Streams of events never end by themselves: they are not waited for as long as waitress would."""
        return super().shutdown(cancel_pending, timeout)


class Server(TcpWSGIServer):
    channel_class = Connection

    def maintenance(self, now: float) -> None:
        """Once a second: end who is silent, who does not read the answer, and whose request takes too long to come."""
        late = time.monotonic() - REQUEST_SECONDS
        for connection in self.active_channels.values():
            idle = not connection.requests or connection.total_outbufs_len
            if idle and connection.last_activity < now - SILENT_SECONDS:
                connection.will_close = True
            if connection.request is not None and connection.request.began < late:
                connection.will_close = True

    def readable(self) -> bool:
        """Asked before each look at the connections; makes room for a new one."""
        excess = len(self.active_channels) - (CONNECTIONS - KEPT_FREE)
        if excess > 0:
            waiting = [connection for connection in self.active_channels.values() if not connection.requests]
            for connection in waiting[:excess]:  # the oldest first
                connection.will_close = True
        return super().readable()


def main() -> None:
    write_log()
    logging.getLogger("waitress").setLevel(logging.ERROR)  # not who went away, nor each time that there is a crowd
    settings = load_settings()
    dispatcher = Dispatcher()
    dispatcher.set_thread_count(THREADS)
    server = Server(
        create_app(settings),
        dispatcher=dispatcher,
        host=settings.web_host,
        port=settings.web_port,
        asyncore_use_poll=True,  # select() knows no more than 1024 files
        connection_limit=CONNECTIONS,
        cleanup_interval=1,
        max_request_header_size=64 * 1024,
        max_request_body_size=2 * 1024 * 1024,  # twice what the application takes, so that it is the one to refuse
        inbuf_overflow=64 * 1024,  # a longer body waits in a file
        log_socket_errors=False,
        clear_untrusted_proxy_headers=not settings.proxies,  # the application reads them behind a proxy
        ident=None,
    )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server.run()


if __name__ == "__main__":
    main()
