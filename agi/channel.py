"""One conversation with Asterisk over AGI: pyst2's commands on a transport that survives whatever arrives."""

import re
import socket
import time
from typing import Any

from asterisk.agi import AGI, AGIHangup, AGIInvalidCommand, AGIUnknownError, AGIUsageError

ENVIRONMENT_LINES = 200
ENVIRONMENT_BYTES = 64 * 1024
REPLY_BYTES = 64 * 1024
COMMAND_BYTES = 8000  # Asterisk reads 8,192 and would take the rest for a command of its own

_ENDS_A_LINE = str.maketrans("", "", "\r\n\x00")
_TOKEN = re.compile(r"[\w./:#*=+-]+", re.ASCII)
_RESULT = re.compile(r"200 result=([^\s(]*)(?: \((.*)\))?(?: endpos=(\d+))?\s*", re.DOTALL)
_CLOSED = re.compile(r"\)(?: endpos=\d+)?\s*\Z")


class HungUp(AGIHangup):
    """The call is gone, the time is over, or the other side stopped speaking AGI: a normal end of every script."""


class _Quoted(str):
    """A command's argument that is quoted already."""


class Channel(AGI):
    """The AGI conversation on ``connection``; its environment is in ``env`` (of a doubled key, the first value).

    ``deadline`` is a moment of `time.monotonic`; no read and no write lasts longer. A script that speaks longer may
    move it. Every command of pyst2 works, except ``database_get``, which quotes twice. They raise `HungUp`; pyst2's
    ``AGIError`` when Asterisk refuses the command or answers what is not AGI; and ValueError for a command line of
    more than `COMMAND_BYTES`.
    """

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        # AGI.__init__ is left out on purpose: it takes SIGHUP, which only a main thread may, and writes to stderr
        self.deadline = deadline
        self.env: dict[str, str] = {}
        self._connection = connection
        self._received = bytearray()
        self._get_agi_env()

    def time_left(self, spare: float = 0.0) -> float:
        """Seconds until ``spare`` seconds before the deadline; never below zero."""
        return max(0.0, self.deadline - spare - time.monotonic())

    def execute(self, command: str, *args: object) -> dict[str, tuple[str, str]]:
        """Send one command and wait for its result, ``{"result": (value, data)}``."""
        self.send_command(command, *args)
        return self.get_result()

    def send_command(self, command: str, *args: object) -> None:
        """Send one command as exactly one line, whatever its arguments hold."""
        words = [command.translate(_ENDS_A_LINE), *(self._argument(arg) for arg in args)]
        line = " ".join(word for word in words if word).encode("utf-8", "replace") + b"\n"
        if len(line) > COMMAND_BYTES:
            raise ValueError(f"an AGI command of {len(line)} bytes: at most {COMMAND_BYTES} fit on a line")
        try:
            self._connection.settimeout(self._remaining())
            self._connection.sendall(line)
        except OSError as error:
            raise HungUp("the connection broke") from error

    def get_result(self, stdin: Any = None) -> dict[str, tuple[str, str]]:
        """Read the reply to one command. ``stdin`` is there for pyst2's signature alone."""
        line = self._reply_line()
        if line.startswith("200 result="):
            return self._result(line)
        if line.startswith("510"):
            raise AGIInvalidCommand("Asterisk does not know this command")
        if line.startswith("511"):
            raise HungUp("the channel is dead")
        if line.startswith("520"):
            if line.startswith("520-"):
                self._skip_usage()
            raise AGIUsageError("Asterisk refused the arguments of this command")
        raise AGIUnknownError("the reply is not AGI")

    def _quote(self, string: object) -> str:
        """The text in quotes for a command line: ``\\`` and ``"`` escaped, line ends and NUL left out."""
        text = str(string).translate(_ENDS_A_LINE).replace("\\", "\\\\").replace('"', '\\"')
        return _Quoted(f'"{text}"')

    def _argument(self, arg: object) -> str:
        """pyst2 leaves some arguments unquoted, file names and caller ids among them: quote what needs it."""
        text = str(arg)
        return text if not text or isinstance(arg, _Quoted) or _TOKEN.fullmatch(text) else self._quote(text)

    def _get_agi_env(self) -> None:
        left = ENVIRONMENT_BYTES
        for _ in range(ENVIRONMENT_LINES):
            line = self._line(left)
            left -= len(line)
            text = line.decode("utf-8", "replace").rstrip("\r\n")
            if not text:
                return
            key, colon, value = text.partition(":")
            if colon:
                self.env.setdefault(key.strip(), value.strip())
        raise HungUp("the environment does not end")

    def _result(self, line: str) -> dict[str, tuple[str, str]]:
        """Take ``200 result=1 (value) endpos=0`` apart; a value with line ends goes on over several lines."""
        if " (" in line:
            parts, left = [line], REPLY_BYTES
            while not _CLOSED.search(parts[-1]):
                left -= len(parts[-1]) + 1
                parts.append(self._line(left).decode("utf-8", "replace").rstrip("\r\n"))
            line = "\n".join(parts)
        match = _RESULT.fullmatch(line)
        if match is None:
            raise AGIUnknownError("the reply is not AGI")
        value, data, endpos = match.groups(default="")
        if value == "-1":
            raise HungUp("the channel is gone")
        result = {"result": (value, data)}
        return result | {"endpos": (endpos, "")} if endpos else result

    def _skip_usage(self) -> None:
        left = REPLY_BYTES
        while left > 0:
            line = self._reply_line()
            if line.startswith("520"):
                return
            left -= len(line) + 1
        raise HungUp("the reply does not end")

    def _reply_line(self) -> str:
        line = self._line(REPLY_BYTES).decode("utf-8", "replace").rstrip("\r\n")
        if line == "HANGUP":
            raise HungUp("the caller hung up")
        return line

    def _line(self, limit: int) -> bytes:
        """The next line with its end, of at most ``limit`` bytes."""
        while (end := self._received.find(b"\n")) < 0:
            if len(self._received) >= limit:
                raise HungUp("a line does not end")
            try:
                self._connection.settimeout(self._remaining())
                received = self._connection.recv(16 * 1024)
            except OSError as error:
                raise HungUp("the connection broke") from error
            if not received:
                raise HungUp("the connection was closed")
            self._received += received
        if end >= limit:
            raise HungUp("a line is too long")
        line = bytes(self._received[: end + 1])
        del self._received[: end + 1]
        return line

    def _remaining(self) -> float:
        remaining = self.time_left()
        if not remaining:
            raise HungUp("the time is over")
        return remaining
