"""What the tests of every area share: free ports, waiting for something, lines with phones, calls."""

import itertools
import os
import random
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TypeVar

from flask import Flask
from sqlalchemy import text
from sqlalchemy.orm import Session

from models.base import db
from models.calls import Call
from models.drafts import report_of_call
from models.intake import Began, record_inbound
from models.lines import Line, RingStep
from models.people import Phone, User
from models.reports import Report

LINES = {"53273": "5-32-73", "53275": "5-32-75", "54286": "5-42-86"}  # one for each administrator, in their order
AREA_CODE = "5448"
START = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)  # a Friday morning

T = TypeVar("T")

# Not the kernel's own range, from which connections take theirs; a part of it for each process of a run.
_PORTS = range(16_000 + int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % 4, 32_000, 4)
_given_ports: set[int] = set()
_calls = itertools.count(1)


def free_port() -> int:
    """A port of the loopback address that nobody listens on, another one each time."""
    while True:
        port = random.choice(_PORTS)
        if port in _given_ports:
            continue
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            _given_ports.add(port)
            return port


def eventually(condition: Callable[[], T], what: str | Callable[[], object], seconds: float = 60.0) -> T:
    """The condition's value once it is true; fails, saying ``what`` was waited for, after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what() if callable(what) else what}"
        time.sleep(0.01)
    return value


def meanwhile(session: Session, other: Callable[[], object]) -> threading.Thread:
    """Begin it in another transaction, and return once that waits for what this one has locked."""
    thread = threading.Thread(target=other)
    thread.start()
    waits = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    eventually(lambda: session.scalar(waits) > 0, "the other waits for the lock")
    return thread


def close_database(app: Flask) -> None:
    """Give all connections of the application back."""
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


def add_lines(session: Session, owners: Sequence[User] = ()) -> None:
    """Three lines and three phones: each line rings its own administrator first, then both others at once.

    ``owners`` are the users of the first phones.
    """
    phones = [Phone(name=f"admin{n}", extension=f"10{n}", secret="s" * 24) for n in (1, 2, 3)]
    for phone, owner in zip(phones, owners, strict=False):
        phone.user = owner
    session.add_all(phones)
    session.flush()
    for own, (digits, number) in enumerate(LINES.items()):
        line = Line(number=number, e164=f"+380{AREA_CODE}{digits}")
        line.ring_steps = [RingStep(step=1, phone=phones[own], seconds=20)]
        line.ring_steps += [RingStep(step=2, phone=phone, seconds=25) for phone in phones if phone is not phones[own]]
        session.add(line)
        session.flush()


def record_call(
    session: Session,
    number: str = "0671234567",
    *,
    uniqueid: str = "",
    line: str = "53273",
    name: str = "",
    at: datetime = START,
) -> tuple[Call, Report]:
    """A citizen called: the call, one of its own without a ``uniqueid``, and its draft."""
    call = record_inbound(session, Began(uniqueid or f"test-{next(_calls)}", line, number, name, at), AREA_CODE)
    session.flush()  # it has its id
    return call, report_of_call(session, call)
