"""What a caller calls himself reaches us as bytes from a stranger: it rings, and nothing of it is executed."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jobs.sipp import CITIZEN_HOST
from tests.helpers import eventually
from tests.pbx.town import Town

pytestmark = pytest.mark.pbx

MARK = "cc-hostile-was-here"
NAMES: list[bytes] = [
    b"", b"anonymous", b"admin1", b"101", b"unknown", b"asterisk", b"status will follow", b"hangup", b"HANGUP",
    b"200 result=1", b"a;b", b"a&b", b"PJSIP/admin1&PJSIP/admin2", b"${SHELL(touch /tmp/" + MARK.encode() + b")}",
    b"$(touch /tmp/" + MARK.encode() + b")", b"`touch /tmp/" + MARK.encode() + b"`", b"${EVAL(${CC_ROUTE})}",
    b"it's", b'\\"quoted\\"', b"back\\\\slash", b"a,b,c", b"a|b", b"%s%n%x", b"../../etc/passwd", b"<script>1</script>",
    b"' OR 1=1 --", b"=cmd|' /C calc'!A0", "Олена 🙂 Кравчук".encode(), "Їжак".encode(), "Олена".encode("cp1251"),
    b"\xff\xfe\xfd", b"\xc3", "\u202egnirts".encode(), "\u0000".encode().replace(b"\x00", b"%00"),
    b"a\\r\\nAction: Originate", b"Event: Hangup", b"--END COMMAND--", b"x" * 80, b"x" * 1000, b"x" * 4000,
]  # fmt: skip
NUMBERS: list[bytes] = [
    b"", b"anonymous", b"123", b"0" * 40, b"9" * 40, b"abcdef", b"0671234567", b"+380671234567", b"%3B%26", b"*31#",
    b"1;ext=5", b"1&2", b"$%7BSHELL(id)%7D", b"hangup", b"0671234567%0d%0aX",
]  # fmt: skip


def hostile_callers() -> list[tuple[bytes, bytes]]:
    """Three hundred pairs of name and number: every name and every number at least once."""
    pairs = [(name, NUMBERS[position % len(NUMBERS)]) for position, name in enumerate(NAMES)]
    pairs += [(NAMES[position % len(NAMES)], number) for position, number in enumerate(NUMBERS)]
    position = 0
    while len(pairs) < 300:
        pairs.append((NAMES[(position * 7) % len(NAMES)], NUMBERS[(position * 11 + 3) % len(NUMBERS)]))
        position += 1
    return pairs


def invite(town: Town, index: int, name: bytes, number: bytes, line: str, port: int) -> bytes:
    """An INVITE as a careless or hostile gateway would send it."""
    shown = b'"' + name + b'" ' if name else b""
    address = b"sip:" + number + b"@127.0.0.2" if number else b"sip:127.0.0.2"
    sdp = (
        b"v=0\r\no=x 1 1 IN IP4 127.0.0.2\r\ns=-\r\nc=IN IP4 127.0.0.2\r\nt=0 0\r\nm=audio 40000 RTP/AVP 8\r\n"
        b"a=rtpmap:8 PCMA/8000\r\n"
    )
    target = f"sip:{line}@127.0.0.1:{town.settings.sip_port}".encode()
    via = f"SIP/2.0/UDP 127.0.0.2:{port};branch=z9hG4bKhostile{index}".encode()
    return b"\r\n".join(
        (
            b"INVITE " + target + b" SIP/2.0",
            b"Via: " + via,
            b"From: " + shown + b"<" + address + f">;tag=h{index}".encode(),
            b"To: <" + target + b">",
            f"Call-ID: hostile-{index}@127.0.0.2".encode(),
            b"CSeq: 1 INVITE",
            f"Contact: <sip:x@127.0.0.2:{port}>".encode(),
            b"Max-Forwards: 70",
            b"Content-Type: application/sdp",
            f"Content-Length: {len(sdp)}".encode(),
            b"",
            sdp,
        )
    )


class Stranger:
    """One socket on the trunk's address that sends INVITEs and ends the calls once they rang."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((CITIZEN_HOST, 0))
        self.socket.settimeout(0.2)
        self.port = self.socket.getsockname()[1]
        self.answers: dict[int, set[int]] = {}
        self._invites: dict[int, bytes] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def send(self, index: int, name: bytes, number: bytes, line: str) -> None:
        self._invites[index] = invite(self.town, index, name, number, line, self.port)
        self._to_exchange(self._invites[index])

    def _to_exchange(self, message: bytes) -> None:
        self.socket.sendto(message, ("127.0.0.1", self.town.settings.sip_port))

    def _read(self) -> None:
        while not self._stop.is_set():
            try:
                answer = self.socket.recv(65536)
            except TimeoutError:
                continue
            status, headers = answer.split(b" ", 2)[1], answer.split(b"\r\n")
            index = int(next(row for row in headers if b"hostile-" in row).split(b"hostile-")[1].split(b"@")[0])
            if b"INVITE" in next(row for row in headers if row.lower().startswith(b"cseq")):
                self.answers.setdefault(index, set()).add(int(status))
                if int(status) >= 200:
                    to = next(row for row in headers if row.lower().startswith(b"to:"))
                    self._to_exchange(self._request(index, b"ACK", to))

    def _request(self, index: int, method: bytes, to: bytes | None = None) -> bytes:
        rows = self._invites[index].split(b"\r\n\r\n")[0].split(b"\r\n")
        kept = [method + rows[0][6:]]
        for row in rows[1:]:
            if row.startswith((b"Via", b"From", b"Call-ID", b"Max")) or row.startswith(b" "):
                kept.append(row)
            elif row.startswith(b"To"):
                kept.append(to or row)
        return b"\r\n".join((*kept, b"CSeq: 1 " + method, b"Content-Length: 0", b"", b""))

    def cancel(self, index: int) -> None:
        self._to_exchange(self._request(index, b"CANCEL"))

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self.socket.close()


@contextmanager
def stranger(town: Town) -> Iterator[Stranger]:
    caller = Stranger(town)
    try:
        yield caller
    finally:
        caller.close()


def test_hostile_callers_ring_and_run_nothing(town: Town) -> None:
    """I1: 300 hostile caller ids all ring; nothing is executed; the listener hears the next call."""
    town.start_phones(ring_ms=30_000, talk_ms=300)
    known = town.value("SELECT max(id) FROM calls") or 0
    pairs = hostile_callers()
    with stranger(town) as caller:
        for index, (name, number) in enumerate(pairs):
            caller.send(index, name, number, ("53273", "53275", "54286")[index % 3])
            eventually(lambda index=index: 180 in caller.answers.get(index, ()), f"ringing for {name!r} {number!r}", 5)
            eventually(
                lambda index=index: (
                    town.value("SELECT count(*) FROM call_legs WHERE call_id > :known", known=known) > index
                ),
                f"a phone rings for {name!r} {number!r}",
                10,
            )
            caller.cancel(index)
            if index % 20 == 19:
                eventually(lambda: town.channels() == 0, "channels gone", 20)
    rows = town.rows(
        "SELECT id, (SELECT count(*) FROM reports WHERE call_id = calls.id) AS drafts FROM calls WHERE id > :known",
        known=known,
    )
    assert len(rows) == len(pairs)
    assert {row["drafts"] for row in rows} == {1}
    assert not list(Path("/tmp").glob(f"{MARK}*"))
    town.start_phones(ring_ms=200, talk_ms=200)
    citizens, _ = town.call([("+380671110000", "53273")], rate=1, talk_ms=200)
    assert citizens.wait(30) == 0
    eventually(
        lambda: town.value("SELECT state FROM calls WHERE number = '+380671110000'") == "ended",
        "the listener hears the next call",
        10,
    )
