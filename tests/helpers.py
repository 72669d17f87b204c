"""What the tests of every area share: free ports, waiting for something, lines with phones, calls."""

import socket
import time
from collections.abc import Callable
from typing import TypeVar

from flask import Flask

from models.base import db

T = TypeVar("T")

_given_ports: set[int] = set()


def free_port() -> int:
    """A port of the loopback address that nobody listens on, another one each time."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        if port not in _given_ports:
            _given_ports.add(port)
            return port


def eventually(condition: Callable[[], T], what: str | Callable[[], object], seconds: float = 60.0) -> T:
    """The condition's value once it is true; fails, saying ``what`` was waited for, after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what() if callable(what) else what}"
        time.sleep(0.01)
    return value


def close_database(app: Flask) -> None:
    """Give all connections of the application back."""
    with app.app_context():
        db.session.remove()
        db.engine.dispose()
