"""The FastAGI server: ``python -m agi.server``. Asterisk calls ``agi://127.0.0.1:PORT/<script>``.

A call that waits to ring (``inbound``) is answered or closed within `DEADLINE`, whatever the database does; the scripts
that speak have the time that `SCRIPTS` gives them. Asterisk would wait for a silent server for ever, so the watchdog
asks for the script ``ping`` and kills a server that does not say ``pong``.
"""

import errno
import logging
import signal
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from agi.channel import Channel, HungUp
from agi.database import Work
from agi.hand_over import hand_over
from agi.inbound import inbound, rehearse, try_database
from agi.out_of_hours import out_of_hours
from agi.outage import outage
from agi.own_call import own_call
from agi.status_check import status_check
from agi.status_line import status_line
from jobs.app import bare_app
from jobs.heartbeat import Heart
from jobs.logs import write_log
from jobs.settings import SettingsError, load_settings
from models.plan import ANNOUNCEMENT_SECONDS

DEADLINE = 0.4  # seconds from accepting a connection to its end
CONNECTIONS = 250  # at once; further ones are closed at once, and the dialplan's defaults ring
LOCK_SECONDS = 2.0  # one try of a write waits this long for SQLite's lock
FINISH_SECONDS = 2.0  # what SIGTERM leaves to the calls and drafts in hand
TALK_SECONDS = 300.0  # that who was called may take for all questions, what they say after the tone left out


@dataclass(frozen=True)
class Script:
    """What is run for a name, and the seconds that it may take; None: as a call that waits to ring, `DEADLINE`."""

    run: Callable[[Channel, Work], None]
    seconds: float | None = None


SCRIPTS = {
    "inbound": Script(inbound),
    "own_call": Script(own_call, 3.0),
    "hand_over": Script(hand_over, TALK_SECONDS),
    "out_of_hours": Script(out_of_hours, ANNOUNCEMENT_SECONDS),
    "outage": Script(outage, ANNOUNCEMENT_SECONDS),
    "status_check": Script(status_check, TALK_SECONDS),
    "status_line": Script(status_line, TALK_SECONDS),
}

log = logging.getLogger(__name__)


class AgiServer(socketserver.TCPServer):
    """Listens on ``127.0.0.1:port`` and gives each call a thread of its own. Raises OSError when it cannot listen."""

    allow_reuse_address = True
    request_queue_size = CONNECTIONS

    def __init__(self, port: int, work: Work, *, connections: int = CONNECTIONS, deadline: float = DEADLINE) -> None:
        self._work = work
        self._connections = connections
        self._deadline = deadline
        self._open = 0
        self._changed = threading.Condition()
        self._unknown: set[str] = set()
        super().__init__(("127.0.0.1", port), socketserver.BaseRequestHandler)

    def process_request(self, request: socket.socket, client_address: object) -> None:
        deadline = time.monotonic() + self._deadline
        with self._changed:
            full = self._open >= self._connections
            self._open += not full
        if full:
            log.warning("%d calls at once: a further one rings by the dialplan's defaults.", self._connections)
            self.shutdown_request(request)
            return
        try:
            threading.Thread(target=self._converse, args=(request, deadline), name="agi-call", daemon=True).start()
        except RuntimeError:  # the system gives no further thread
            self._leave(request)
            raise

    def handle_error(self, request: object, client_address: object) -> None:
        log.error("A call could not be served: %s", sys.exc_info()[0].__name__)

    def finish(self, until: float) -> None:
        """Stop accepting, and let running conversations end until ``until`` (a moment of `time.monotonic`)."""
        self.shutdown()
        self.server_close()
        with self._changed:
            self._changed.wait_for(lambda: self._open == 0, max(0.0, until - time.monotonic()))

    def _converse(self, request: socket.socket, deadline: float) -> None:
        try:
            channel = Channel(request, deadline)
            name = channel.env.get("agi_network_script", "").partition("?")[0]
            if name == "ping":
                with suppress(OSError):  # who asked is gone
                    request.sendall(b"pong\n")
            elif name in SCRIPTS:
                script = SCRIPTS[name]
                if script.seconds is not None:
                    channel.deadline = time.monotonic() + script.seconds
                script.run(channel, self._work)
            elif name not in self._unknown and len(self._unknown) < 20:
                self._unknown.add(name)
                log.warning("There is no AGI script %.40r: the dialplan asks for one of another version.", name)
        except HungUp:
            pass  # the caller left, or the peer: what was known is kept already
        except Exception as error:  # its text may hold what the caller sent
            log.error("A script ended early: %s", type(error).__name__)
        finally:
            self._leave(request)

    def _leave(self, request: socket.socket) -> None:
        self.shutdown_request(request)
        with self._changed:
            self._open -= 1
            self._changed.notify_all()


def main() -> None:
    """Serve until SIGTERM. Exits with 1 and one sentence when a setting is wrong or the port is taken."""
    write_log()
    ends = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)  # before the first thread: only this one takes them
    try:
        settings = load_settings()
        app = bare_app(settings, lock_seconds=LOCK_SECONDS)
        heart = Heart(settings.run_dir, "agi")
    except SettingsError as error:
        sys.exit(str(error))
    except OSError as error:
        sys.exit(
            f"{settings.var} (CC_VAR) cannot be used ({error.strerror}): choose a folder that this user may write."
        )
    work = Work(app)
    rehearse(app)
    try:
        server = AgiServer(settings.agi_port, work)
    except OSError as error:
        sys.exit(port_trouble(settings.agi_port, error))
    threading.Thread(target=server.serve_forever, args=(0.1,), name="agi-accept", daemon=True).start()
    log.info("Listening on 127.0.0.1:%d.", settings.agi_port)
    while True:
        heart.beat(not work.trouble, work.trouble)
        if signal.sigtimedwait(ends, 1.0):
            break
        if work.trouble:
            try_database(work)
    until = time.monotonic() + FINISH_SECONDS
    server.finish(until)
    if left := work.finish(until):
        log.warning("%d calls were not written down: the reconciler does it.", left)
    log.info("Stopped.")


def port_trouble(port: int, error: OSError) -> str:
    """One sentence that says what to do."""
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} (CC_AGI_PORT) is taken: stop the program that listens there, or choose another port."
    return f"Port {port} (CC_AGI_PORT) cannot be opened ({error.strerror}): choose another port."


if __name__ == "__main__":
    main()
