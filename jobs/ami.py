"""The exchange's manager interface (AMI): pyst2's `Manager` with a transport of its own.

From pyst2 come the message and event classes, the exceptions and the action helpers. Its transport is replaced:
a buffered reader (`jobs.amiwire`), answers matched by ActionID, a limit on every wait, a ping that notices a silent
exchange, and events in a bounded queue. One object is one connection; to connect again, make a new one.
"""

import itertools
import logging
import queue
import secrets
import socket
import threading
import time
from contextlib import suppress
from typing import Any

from asterisk import manager as pyst2
from asterisk.manager import Event, ManagerAuthException, ManagerException, ManagerMsg, ManagerSocketException

from jobs.amiwire import action_text, heard_lines
from jobs.settings import Settings, load_secrets

__all__ = [
    "Event",
    "Manager",
    "ManagerAuthException",
    "ManagerException",
    "ManagerSocketException",
    "Message",
    "NoAnswer",
]

LIST_LENGTH = 50_000  # events that one answer may consist of

log = logging.getLogger(__name__)


class NoAnswer(ManagerException):
    """The exchange did not answer an action in time."""


class Message(ManagerMsg):
    """One message, from its lines without their ends; whatever they hold, reading them does no harm.

    Of a repeated header the first value counts, `get_all` has them all. Channel variables are a dictionary under
    their header's name. Lines that are no headers are kept in ``data``.
    """

    def parse(self, response: list[str]) -> None:
        self._repeated: dict[str, list[str]] = {}  # of those headers alone that stand twice
        data, headers = [], self.headers
        for line in response:
            name, colon, value = line.partition(":")
            name, value = name.strip(), value.strip()
            if not colon or not name:
                data.append(line)
            elif name.endswith("ChanVariable"):
                variable, _, content = value.partition("=")
                headers.setdefault(name, {})[variable.strip()] = content.strip()
            elif name in headers:
                self._repeated.setdefault(name, [headers[name]]).append(value)
            else:
                headers[name] = value
        self.data = "\n".join(data)

    def get_all(self, name: str) -> list[str]:
        """Every value of a header, in order."""
        return self._repeated.get(name) or [self.headers[name]] * (name in self.headers)

    @property
    def doubtful(self) -> bool:
        """Whether a header stands twice: what Asterisk says of a channel has each once, so a caller wrote the other.

        Asterisk writes a caller's number as it came, with the line breaks that ``%0d%0a`` in a SIP address stands for.
        """
        return bool(self._repeated)


class _Waiter:
    """Somebody who waits for the answer to one action."""

    def __init__(self, wants_list: bool) -> None:
        self.wants_list = wants_list
        self.response: Message | None = None
        self.listed: list[Event] = []
        self.done = threading.Event()


class Manager(pyst2.Manager):
    """A connection to the exchange. Any number of threads may send actions; one takes the events.

    ``connect`` and every action helper raise `ManagerSocketException` when the connection is gone, `NoAnswer`
    after ``action_seconds`` without an answer, and ``ValueError`` for a header that cannot be sent: a line break or
    NUL in it, or a line longer than Asterisk reads. `Originate` splits its variables at commas: who sends one
    escapes them. Callbacks (``register_event``) are not offered: take the events with `next_event`.
    """

    def __init__(
        self,
        *,
        connect_seconds: float = 3.0,
        action_seconds: float = 3.0,
        ping_seconds: float = 5.0,
        queue_size: int = 20_000,
    ) -> None:
        self.title = ""
        self.version = ""
        self._connect_seconds = connect_seconds
        self._action_seconds = action_seconds
        self._ping_seconds = ping_seconds
        self._sock: socket.socket | None = None
        self._greeted = threading.Event()
        self._closed = threading.Event()
        self._reason = ""
        self._events: queue.Queue[Event | None] = queue.Queue(queue_size)
        self._waiters: dict[str, _Waiter] = {}
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._serial = itertools.count(1)
        self._secret = secrets.token_hex(8)  # an answer that a caller made up does not know it

    # ---- the connection ----
    def connect(self, host: str, port: int = 5038) -> None:
        """Connect and hear the greeting; logging in is the caller's next step."""
        if self._sock is not None:
            raise ManagerException("one object is one connection: make a new one")
        try:
            self._sock = socket.create_connection((host, port), self._connect_seconds)
        except OSError as error:
            self._reason = str(error)
            self._closed.set()
            raise ManagerSocketException(f"cannot connect: {error}") from error
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sock.settimeout(1.0)
        threading.Thread(target=self._read, name="ami-reader", daemon=True).start()
        if not self._greeted.wait(self._connect_seconds):
            self._die("no greeting")
        self._check_open()
        threading.Thread(target=self._ping_on, name="ami-ping", daemon=True).start()

    def connected(self) -> bool:
        """Whether the connection stands; False for ever once it broke."""
        return self._sock is not None and not self._closed.is_set()

    def close(self) -> None:
        """End the connection; who waits for an answer hears of it at once."""
        self._die("closed")

    def _check_open(self) -> None:
        if not self.connected():
            raise ManagerSocketException(self._reason or "not connected")

    def _die(self, reason: str) -> None:
        with self._lock:
            if self._closed.is_set():
                return
            self._reason = reason
            self._closed.set()
            waiters = list(self._waiters.values())
        if self._sock is not None:
            with suppress(OSError):  # the other side may have been first
                self._sock.shutdown(socket.SHUT_RDWR)  # wakes the reader, which closes it
        self._greeted.set()
        for waiter in waiters:
            waiter.done.set()
        with suppress(queue.Full):  # nobody waits at a full queue
            self._events.put_nowait(None)  # wakes who waits for an event

    # ---- actions ----
    def send_action(self, cdict: dict[str, Any] | None = None, **kwargs: Any) -> Message:
        """Send one action and return its answer. A list as a value sends the header once for each item."""
        return self._ask({**(cdict or {}), **kwargs}, wants_list=False).response

    def list_action(self, cdict: dict[str, Any]) -> list[Event]:
        """Send an action that is answered by a list, and return the list's events without the closing one.

        Raises `ManagerException` with the exchange's own words when it refuses.
        """
        waiter = self._ask(cdict, wants_list=True)
        if waiter.response.get_header("Response") == "Error":
            raise ManagerException(waiter.response.get_header("Message", "refused"))
        return waiter.listed

    def _ask(self, headers: dict[str, Any], wants_list: bool) -> _Waiter:
        action_id = f"{self._secret}-{next(self._serial)}"
        text = action_text({**headers, "ActionID": action_id})
        waiter = _Waiter(wants_list)
        with self._lock:
            self._waiters[action_id] = waiter
        try:
            self._check_open()
            self._send(text)
            answered = waiter.done.wait(self._action_seconds)
            if not answered:
                raise NoAnswer(f"no answer in {self._action_seconds:g} s")
            if waiter.response is None or (wants_list and not self.connected()):
                self._check_open()
            return waiter
        finally:
            with self._lock:
                del self._waiters[action_id]

    def _send(self, text: bytes) -> None:
        try:
            with self._sending:
                self._sock.sendall(text)
        except OSError as error:  # half an action may be on its way: nothing more can be said here
            self._die(f"cannot send: {error}")
            raise ManagerSocketException(self._reason) from error

    def _ping_on(self) -> None:
        missed = 0
        while not self._closed.wait(self._ping_seconds):
            try:
                self.ping()
                missed = 0
            except NoAnswer:
                missed += 1
            except ManagerException:
                return
            if missed == 2:
                self._die("the exchange has fallen silent")

    # ---- what is heard ----
    def next_event(self, seconds: float) -> Event | None:
        """The next event in order, or None when none came in ``seconds``.

        Once the connection is gone and every event was taken, raises `ManagerSocketException` with the reason.
        """
        deadline = time.monotonic() + seconds
        while True:
            try:
                event = self._events.get(timeout=0 if self._closed.is_set() else max(0, deadline - time.monotonic()))
            except queue.Empty:
                if self._closed.is_set():
                    raise ManagerSocketException(self._reason) from None
                return None
            if event is not None:
                return event

    def _read(self) -> None:
        reason = "the exchange closed the connection"
        try:
            lines = heard_lines(self._sock, self._closed)
            title, _, self.version = next(lines, "").partition("/")
            self.title = title.strip()
            self._greeted.set()
            gathered: list[str] = []
            for line in lines:
                if line:
                    gathered.append(line)
                elif gathered:
                    if gathered[0].startswith(("Event:", "Response:")):
                        self._take(Message(gathered))
                    else:  # the rest of a message into which somebody put an empty line
                        log.warning("a piece of a message from the exchange was left out")
                    gathered = []
        except OSError as error:
            reason = str(error)
        except _TooMuch as error:
            reason = str(error)
        except Exception as error:  # a fault of ours must end the connection, not leave it deaf
            log.exception("the reader failed")
            reason = f"the reader failed: {type(error).__name__}"
        self._die(reason)
        self._sock.close()

    def _take(self, message: Message) -> None:
        waiter = self._waiters.get(message.get_header("ActionID", ""))
        if not message.has_header("Event"):
            if waiter is not None:
                waiter.response = message
                if not waiter.wants_list or message.get_header("EventList") != "start":
                    waiter.done.set()
        elif waiter is not None and waiter.wants_list and waiter.response is not None:
            if message.get_header("EventList") == "Complete":
                waiter.done.set()
            elif len(waiter.listed) >= LIST_LENGTH:
                raise _TooMuch("a list from the exchange has no end")
            else:
                waiter.listed.append(Event(message))
        else:
            try:
                self._events.put_nowait(Event(message))
            except queue.Full:
                raise _TooMuch("events came faster than they were taken") from None


class _TooMuch(Exception):
    """More was said than is kept; connecting anew and reading the present state is the cure."""


def log_in(settings: Settings, user: str) -> Manager:
    """A connection as one of the two users of ours, ``listen`` or ``dial``. Raises `ManagerException`."""
    manager = Manager(connect_seconds=2.0, action_seconds=3.0)
    try:
        manager.connect("127.0.0.1", settings.ami_port)
        manager.login(user, load_secrets(settings)[f"ami_{user}"])
    except BaseException:
        manager.close()
        raise
    return manager
