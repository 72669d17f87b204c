"""A stand-in for the exchange's manager interface that plays recorded streams, and what the tests ask of the result."""

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from flask import Flask
from sqlalchemy import func, select

from jobs.listener import Listener
from jobs.settings import Settings
from models.base import db, transaction
from models.calls import Call, CallLeg
from models.people import Phone, Role, User
from models.reports import Report
from tests.helpers import eventually
from tests.streams.record import fill

STREAMS = Path(__file__).resolve().parent / "streams"
GREETING = b"Asterisk Call Manager/11.0.0\r\n"


def messages(stream: bytes) -> list[bytes]:
    """The recorded messages, each with its closing empty line."""
    return [message + b"\r\n\r\n" for message in stream.split(b"\r\n\r\n") if message.strip()]


def recorded(name: str, call: str) -> list[bytes]:
    """A recorded scenario's events, its unique ids renamed so that it is a call of its own."""
    return messages((STREAMS / f"{name}.ami").read_bytes().replace(b"romny-", f"romny-{call}-".encode()))


def marker(call: str) -> list[bytes]:
    """A tiny call that ends at once: when it is in the database, all that was played before it was heard."""
    head = (
        "Event: {}\r\nTimestamp: 1795447249.1\r\nChannel: PJSIP/trunk-0000ffff\r\nContext: inbound\r\nExten: 53275\r\n"
        f"CallerIDNum: 0509999999\r\nUniqueid: {call}\r\nLinkedid: {call}\r\nCause: 16\r\n\r\n"
    )
    return [head.format("Newchannel").encode(), head.format("Hangup").encode()]


class Exchange:
    """Listens where Asterisk would, answers the actions, and says what it is told to say."""

    def __init__(self, port: int) -> None:
        self._server = socket.create_server(("127.0.0.1", port))
        self.port = self._server.getsockname()[1]
        self.channels: list[bytes] = []  # what CoreShowChannels lists
        self.actions: list[str] = []
        self.logins = 0
        self.silent = False
        self.answer: Callable[[dict[str, str]], bytes | None] = lambda action: None
        self._connection: socket.socket | None = None
        self._sending = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def say(self, *said: bytes) -> None:
        with self._sending:
            self._connection.sendall(b"".join(said))

    def drop(self) -> None:
        """Cut the present connection, and know nothing of any channel from then on."""
        self._connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)  # wakes who accepts
        self._server.close()
        if self._connection is not None:
            self._connection.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.sendall(GREETING)
            self._connection = connection
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        heard = b""
        while True:
            try:
                chunk = connection.recv(65536)
            except OSError:
                return
            if not chunk:
                return
            *actions, heard = (heard + chunk).split(b"\r\n\r\n")
            for action in actions:
                headers = dict(line.split(": ", 1) for line in action.decode().split("\r\n"))
                self.actions.append(headers["Action"])
                answer = None if self.silent else self.answer(headers) or self._usual(headers)
                if answer:
                    with self._sending:
                        connection.sendall(answer)
                if headers["Action"] == "Login":
                    self.logins += 1

    def _usual(self, action: dict[str, str]) -> bytes:
        tag = f"ActionID: {action['ActionID']}\r\n".encode()
        if action["Action"] in ("CoreShowChannels", "DeviceStateList"):
            listed = self.channels
            if action["Action"] == "DeviceStateList":
                listed = [b"Event: DeviceStateChange\r\nDevice: PJSIP/admin1\r\nState: NOT_INUSE\r\n"]
            items = b"".join(item + tag + b"\r\n" for item in listed)
            start = b"Response: Success\r\n" + tag + b"EventList: start\r\n\r\n"
            return start + items + b"Event: Complete\r\n" + tag + b"EventList: Complete\r\n\r\n"
        return b"Response: Success\r\n" + tag + b"Message: Fine\r\n\r\n"


def fill_town(app: Flask) -> None:
    """Lines, phones, and Alice (admin1), Bob (admin2) and Charlie (admin3)."""
    with app.app_context(), transaction() as session:
        fill(session)
        for phone, name in (("admin1", "Alice"), ("admin2", "Bob"), ("admin3", "Charlie")):
            user = User(login=name.lower(), name=name, password_hash="-", role=Role.ADMINISTRATOR)
            session.add(user)
            session.flush()
            session.scalars(select(Phone).where(Phone.name == phone)).one().user_id = user.id


@contextmanager
def listening(app: Flask, settings: Settings) -> Iterator[tuple[Exchange, Listener]]:
    """A listener connected to a stand-in exchange."""
    exchange = Exchange(settings.ami_port)
    listener = Listener(app, settings)
    thread = threading.Thread(target=listener.run, daemon=True)
    thread.start()
    try:
        eventually(lambda: "DeviceStateList" in exchange.actions, "the listener's first questions")
        yield exchange, listener
    finally:
        listener.stop.set()
        thread.join(10)
        exchange.close()
        assert not thread.is_alive()


def find(call: str) -> Call | None:
    """The call as it is in the database at this moment."""
    db.session.rollback()
    return db.session.scalar(select(Call).where(Call.uniqueid.startswith(f"romny-{call}-") | (Call.uniqueid == call)))


def outcome(call: str) -> tuple:
    """What must not depend on how the call was heard of: state, who answered, line, number, number of drafts."""
    found = find(call)
    if found is None:
        return ("none",)
    drafts = db.session.scalar(select(func.count()).select_from(Report).where(Report.call_id == found.id))
    return (
        str(found.state),
        found.answered_by.name if found.answered_by else None,
        found.line.number if found.line else None,
        found.number,
        drafts,
    )


def times_of(leg: CallLeg) -> tuple[datetime | None, datetime | None, datetime | None]:
    return leg.rang_at, leg.answered_at, leg.ended_at


def everything(call: str) -> tuple:
    """The outcome, every time and every leg."""
    found = find(call)
    if found is None:
        return ("none",)
    legs = sorted(
        (re.sub(r"^romny-\w+-", "", leg.uniqueid), leg.phone.name if leg.phone else "", *times_of(leg))
        for leg in found.legs
    )
    talking_to = found.talking_to.name if found.talking_to else None
    times = (found.started_at, found.answered_at, found.ended_at)
    return (*outcome(call), talking_to, found.caller_name, found.cause, *times, legs)
