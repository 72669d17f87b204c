"""The manager interface (AMI) on the wire: an action as it is sent, and what is heard, line by line."""

import logging
import socket
import threading
from collections.abc import Iterator
from typing import Any

LINE_SENT = 1024  # bytes with the line's end; Asterisk throws longer ones away
LINE_HEARD = 65536  # bytes; what is longer is left out of its message
_FORBIDDEN = ("\r", "\n", "\0")

log = logging.getLogger(__name__)


def action_text(headers: dict[str, Any]) -> bytes:
    """The action as it is sent; a list as a value sends the header once for each item.

    Raises ``ValueError`` for what would become a second header or be thrown away.
    """
    lines = []
    for name, value in headers.items():
        for item in value if isinstance(value, list) else [value]:
            text = f"{name}: {item}"
            if ":" in name or any(mark in text for mark in _FORBIDDEN):
                raise ValueError(f"the header {name!r} cannot hold a line break or NUL")
            line = text.encode("utf-8", "replace") + b"\r\n"
            if len(line) > LINE_SENT:
                raise ValueError(f"the header {name!r} is longer than {LINE_SENT} bytes")
            lines.append(line)
    return b"".join([*lines, b"\r\n"])


def heard_lines(sock: socket.socket, closed: threading.Event) -> Iterator[str]:
    """Every line without its end, until the other side closes or ``closed`` is set. Raises `OSError`.

    Only CR LF ends a line; an overlong one is left out. The socket's time limit is how soon ``closed`` is noticed.
    """
    rest, overlong = b"", False
    while not closed.is_set():
        try:
            chunk = sock.recv(65536)
        except TimeoutError:
            continue
        if not chunk:
            return
        *lines, rest = (rest + chunk).split(b"\r\n")
        for line in lines:
            if overlong or len(line) > LINE_HEARD:
                log.warning("an overlong line from the exchange was left out")
                overlong = False
            else:
                yield line.decode("utf-8", "replace")
        if len(rest) > LINE_HEARD:
            rest, overlong = rest[-1:], True  # the last byte may be half of the line's end
