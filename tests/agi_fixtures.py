"""The Asterisk side of an AGI conversation over a real socket, and a town with lines and phones for it to call."""

import re
import socket

from models.base import db, transaction
from tests.helpers import add_lines

PATIENCE = 60.0  # seconds a test waits for something before it fails
COMMAND = re.compile(r'SET VARIABLE "(\w+)" "(.*)"')


def fill_town() -> None:
    """Lines and phones."""
    with transaction() as session:
        add_lines(session)
    db.session.remove()


def environment(
    uniqueid: str = "romny-1795447350.7",
    number: str | bytes = "0671234567",
    name: str | bytes = "unknown",
    line: str = "53273",
    script: str = "inbound",
) -> bytes:
    """What Asterisk sends first, in its order."""

    def raw(text: str | bytes) -> bytes:
        return text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")

    return (
        b"agi_network: yes\n"
        + f"agi_network_script: {script}\nagi_request: agi://127.0.0.1:4573/{script}\n".encode()
        + f"agi_channel: PJSIP/trunk-00000007\nagi_language: uk\nagi_type: PJSIP\nagi_uniqueid: {uniqueid}\n".encode()
        + b"agi_version: 22.10.1\nagi_callerid: "
        + raw(number)
        + b"\nagi_calleridname: "
        + raw(name)
        + b"\nagi_context: inbound\nagi_extension: "
        + line.encode()
        + b"\nagi_priority: 4\nagi_threadid: 140\nagi_arg_1: "
        + line.encode()
        + b"\n\n"
    )


class Asterisk:
    """One AGI connection, as Asterisk holds it."""

    def __init__(self, port: int, said: bytes = b"") -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self._lines = self.socket.makefile("rb")
        self.say(said)

    def say(self, said: bytes) -> None:
        self.socket.sendall(said)

    def command(self) -> str:
        """The next command, without its line end; empty when the server closed the connection."""
        try:
            return self._lines.readline().decode().rstrip("\n")
        except ConnectionResetError:
            return ""

    def converse(self) -> dict[str, str]:
        """Obey every command until the server closes; the channel variables that were set, in order."""
        variables: dict[str, str] = {}
        while command := self.command():
            name, value = COMMAND.fullmatch(command).groups()
            variables[name] = value
            self.say(b"200 result=1\n")
        self.close()
        return variables

    def close(self) -> None:
        self._lines.close()
        self.socket.close()


def call(port: int, **about: str | bytes) -> dict[str, str]:
    """One whole call; the channel variables that the script set."""
    return Asterisk(port, environment(**about)).converse()
