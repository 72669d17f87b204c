"""Who calls and who is called while a plan is tried (`jobs.trial`): the trunk, the desk phones, and the scripts."""

import itertools
import re
import select
import socket
import socketserver
import threading
import time
from contextlib import suppress
from dataclasses import dataclass

from jobs.pbx import route
from jobs.sipp import CITIZEN_HOST
from models.plan import DUTY_SECONDS

CALL_SECONDS = 10.0  # until a call is over, or a script has said its part
RETRANSMIT_SECONDS = 0.5  # T1
MESSAGE = "(message)"  # met instead of a phone
_TRUNK = CITIZEN_HOST.encode()
_SDP = b"v=0\r\no=x 1 1 IN IP4 %b\r\ns=-\r\nc=IN IP4 %b\r\nt=0 0\r\nm=audio 9 RTP/AVP 8\r\n" % (_TRUNK, _TRUNK)
_COPIED = (b"via:", b"from:", b"to:", b"call-id:", b"cseq:")  # from a request into its answer


class Telephones:
    """The trunk and all desk phones of an exchange on this machine, each at one socket.

    A phone refuses with 480: the exchange takes the next step at once, and the call is over after the last one. Phones
    that are busy would be tried again for half a minute.
    """

    def __init__(self, sip_port: int) -> None:
        self._exchange = ("127.0.0.1", sip_port)
        self._trunk, self._phones = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        self._trunk.bind((CITIZEN_HOST, 0))
        self._phones.bind(("127.0.0.1", 0))
        self._calls = itertools.count(1)
        self._rung: set[bytes] = set()  # what Asterisk sends once more belongs to no later call

    @property
    def trunk_port(self) -> int:
        return self._trunk.getsockname()[1]

    @property
    def phones_port(self) -> int:
        return self._phones.getsockname()[1]

    def close(self) -> None:
        self._trunk.close()
        self._phones.close()

    def call(self, dialled: str, line: str, met: list[str]) -> bool:
        """Call a number from the trunk: whether the call has come to its end in time. Each phone that rings and shows
        this ``line`` is added to ``met``."""
        call = b"trial-%d" % next(self._calls)
        target = b"sip:%b@127.0.0.1:%d" % (dialled.encode(), self._exchange[1])
        until, again, heard = time.monotonic() + CALL_SECONDS, 0.0, False
        while (at := time.monotonic()) < until:
            if not heard and at >= again:  # RFC 3261, 17.1.1.2: until there is any answer
                self._send(b"INVITE", target, call, b"<%b>" % target, body=_SDP)
                again = at + RETRANSMIT_SECONDS
            for ready in select.select((self._phones, self._trunk), (), (), RETRANSMIT_SECONDS)[0]:
                message = ready.recv(65536)
                heard |= _header(message, b"Call-ID") == call
                if ready is self._trunk:
                    if self._ends(message, target, call):
                        return True
                elif phone := self._rings(message, line):
                    met.append(phone)
        return False

    def _rings(self, message: bytes, line: str) -> str:
        """The phone that is rung by this message with this line, once for each of the calls to it; else ""."""
        found = re.match(rb"INVITE sip:([\w-]+)@", message)
        self._answer(self._phones, message, b"480 Temporarily Unavailable" if found else b"200 OK")
        call, shown = _header(message, b"Call-ID"), re.match(rb'"?(\d+)"? ?<', _header(message, b"From"))
        if not found or call in self._rung:
            return ""
        self._rung.add(call)
        return found[1].decode() if shown and shown[1] == line.encode() else "?"

    def _ends(self, message: bytes, target: bytes, call: bytes) -> bool:
        """Whether the call is over with this message: nobody has answered it."""
        self._answer(self._trunk, message, b"200 OK")
        if _header(message, b"Call-ID") != call or not re.match(rb"SIP/2.0 [3-6]", message):
            return False
        self._send(b"ACK", target, call, _header(message, b"To"))
        return True

    def _send(self, method: bytes, target: bytes, call: bytes, to: bytes, body: bytes = b"") -> None:
        host = b"%b:%d" % (_TRUNK, self.trunk_port)
        rows = (
            b"%b %b SIP/2.0" % (method, target),
            b"Via: SIP/2.0/UDP %b;branch=z9hG4bK%b" % (host, call),
            b"Max-Forwards: 70",
            b"From: <sip:0671234567@%b>;tag=%b" % (host, call),
            b"To: " + to,
            b"Call-ID: " + call,
            b"CSeq: 1 " + method,
            b"Contact: <sip:0671234567@%b>" % host,
            b"Content-Type: application/sdp",
            b"Content-Length: %d" % len(body),
            b"",
            body,
        )
        self._trunk.sendto(b"\r\n".join(rows), self._exchange)

    def _answer(self, here: socket.socket, message: bytes, status: bytes) -> None:
        """Answer a message, if it is a request that has an answer."""
        if message.startswith((b"SIP/2.0", b"ACK")):
            return
        rows = [row for row in message.split(b"\r\n")[1:] if row.lower().startswith(_COPIED)]
        rows = [row + b";tag=t" if row.lower().startswith(b"to:") and b";tag=" not in row else row for row in rows]
        here.sendto(b"\r\n".join((b"SIP/2.0 " + status, *rows, b"Content-Length: 0", b"", b"")), self._exchange)


def _header(message: bytes, name: bytes) -> bytes:
    found = re.search(rb"^%b: *(.*?)\r?$" % name, message, re.MULTILINE | re.IGNORECASE)
    return found[1] if found else b""


@dataclass(frozen=True)
class Says:
    """What the scripts say of a line: who rings, whether it is closed, and the duty phone that the caller's key rings,
    "" for who leaves a message."""

    digits: str
    steps: tuple[tuple[tuple[str, ...], int], ...]
    closed: bool
    duty: str


class Scripts(socketserver.ThreadingTCPServer):
    """In the place of `agi.server`: nobody is there until `open`. ``met`` gets a message that is taken."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Script, bind_and_activate=False)
        self.server_bind()  # the port is ours, and refuses whoever comes
        self._thread = threading.Thread(target=self.serve_forever, args=(0.1,), name="scripts", daemon=True)
        self.says: Says | None = None
        self.met: list[str] = []

    def open(self) -> None:
        """Be there from now on."""
        self.server_activate()
        self._thread.start()

    def close(self) -> None:
        if self._thread.is_alive():
            self.shutdown()
        self.server_close()

    def commands(self, script: str, digits: str, alone: bool) -> list[str]:
        """What `agi.inbound` and `agi.out_of_hours` tell the exchange; but that they answer the call first, and the
        exchange would wait for half a second each time until something is heard."""
        says = self.says
        if says is None or digits != says.digits:
            return []
        if script == "inbound":
            steps = [(list(phones), seconds) for phones, seconds in says.steps]
            closed = ['SET VARIABLE "CC_CLOSED" "yes"'] if says.closed else []
            return [f'SET VARIABLE "CC_ROUTE" "{route(steps)}"', *closed]
        if script != "out_of_hours":
            return []
        if says.duty and not alone:
            return [f'SET VARIABLE "CC_DUTY" "{route([([says.duty], DUTY_SECONDS)])}"']
        self.met.append(MESSAGE)
        return ['SET VARIABLE "CC_HEARD" "yes"']


class _Script(socketserver.StreamRequestHandler):
    timeout = CALL_SECONDS
    server: Scripts

    def handle(self) -> None:
        with suppress(OSError):
            env = {}
            while row := self.rfile.readline().decode(errors="replace").strip():
                name, _colon, env[name] = row.partition(": ")
            said = env.get("agi_network_script", ""), env.get("agi_arg_1", ""), "agi_arg_2" in env
            for command in self.server.commands(*said):
                self.wfile.write(f"{command}\n".encode())
                self.rfile.readline()
