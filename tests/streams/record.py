"""Records the streams in this folder anew: real calls between small SIP phones over a private Asterisk.

``python tests/streams/record.py --asterisk-root DIR`` renders the service's own configuration to a temporary folder,
starts Asterisk on it, plays every scenario below, and writes what the manager interface and the CEL file said.
Caller numbers are made up; channel ids and times are the exchange's own.
"""

import argparse
import hashlib
import json
import re
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from jobs import pbx
from jobs.app import bare_app
from jobs.database import prepare_database
from jobs.settings import Settings, load_secrets, load_settings
from models.base import db, transaction
from models.lines import Line, RingStep
from models.people import Phone

HERE = Path(__file__).resolve().parent
CITIZEN, DESK = "127.0.0.2", "127.0.0.3"
SIP_PORT, AMI_PORT, AGI_PORT = 15060, 15038, 14573
NUMBER = "0671234567"
QUIET = 0.4  # seconds in which nothing more is said: the scenario's step is over


def header(message: str, name: str) -> str:
    found = re.search(rf"(?mi)^{name}\s*:\s*(.*?)\r?$", message)
    return found.group(1) if found else ""


class SipPhone:
    """One SIP user agent over UDP: enough to register, call, answer, refer and hang up; no sound."""

    def __init__(self, ip: str, port: int, name: str, secret: str = "") -> None:
        self.ip, self.port, self.name, self.secret = ip, port, name, secret
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((ip, port))
        self.socket.settimeout(0.2)
        self.serial = int(time.time() * 1000) % 10**8
        self.dialogs: dict[str, dict] = {}
        self.replies: dict[tuple[str, str], str] = {}
        self.heard = threading.Condition()
        self.open = True
        self.thread = threading.Thread(target=self._listen, daemon=True)
        self.thread.start()

    # ---- what a person does ----
    def register(self) -> None:
        self._request_outside("REGISTER", f"sip:127.0.0.1:{SIP_PORT}", self.name, "Expires: 3600\r\n")

    def call(self, number: str) -> str:
        """Begin a call; returns its Call-ID at once."""
        call_id = self._new_id()
        self.dialogs[call_id] = {"calling": True, "state": "calling", "number": number}
        threading.Thread(target=self._invite, args=(number, call_id), daemon=True).start()
        return call_id

    def wait_ringing(self) -> str:
        return self._wait(lambda: next((c for c, d in self.dialogs.items() if d["state"] == "ringing"), None))

    def wait_state(self, call_id: str, state: str) -> None:
        self._wait(lambda: self.dialogs[call_id]["state"] == state or None)

    def answer(self, call_id: str) -> None:
        self._send(self._response(self.dialogs[call_id]["invite"], "200 OK", self._sdp()))
        self.dialogs[call_id]["state"] = "up"

    def cancel(self, call_id: str) -> None:
        dialog = self.dialogs[call_id]
        invite = dialog["invite"]
        lines = [f"CANCEL {invite.split()[1]} SIP/2.0"]
        lines += [f"{name}: {header(invite, name)}" for name in ("Via", "From", "To", "Call-ID", "Max-Forwards")]
        number = header(invite, "CSeq").split()[0]
        self._send("\r\n".join([*lines, f"CSeq: {number} CANCEL", "Content-Length: 0", "", ""]))

    def hang_up(self, call_id: str) -> None:
        self._in_dialog(call_id, "BYE")
        self.dialogs[call_id]["state"] = "over"

    def transfer_blind(self, call_id: str, extension: str) -> None:
        self._in_dialog(call_id, "REFER", f"Refer-To: <sip:{extension}@127.0.0.1:{SIP_PORT}>\r\n")

    def transfer_attended(self, call_id: str, consultation: str) -> None:
        other = self.dialogs[consultation]
        replaces = f"{consultation}%3Bto-tag%3D{other['their_tag']}%3Bfrom-tag%3D{other['my_tag']}"
        target = f"<sip:{other['number']}@127.0.0.1:{SIP_PORT}?Replaces={replaces}>"
        self._in_dialog(call_id, "REFER", f"Refer-To: {target}\r\n")

    def close(self) -> None:
        self.open = False
        self.thread.join()
        self.socket.close()

    # ---- how it is said ----
    def _new_id(self) -> str:
        self.serial += 1
        return f"{self.serial}-{self.name}"

    def _sdp(self) -> str:
        return (
            f"v=0\r\no=- 1 1 IN IP4 {self.ip}\r\ns=-\r\nc=IN IP4 {self.ip}\r\nt=0 0\r\n"
            f"m=audio {self.port + 1000} RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n"
        )

    def _request(self, method: str, uri: str, from_: str, to: str, call_id: str, cseq: int, extra="", body="") -> str:
        kind = "Content-Type: application/sdp\r\n" if body else ""
        return (
            f"{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {self.ip}:{self.port};branch=z9hG4bK{self._new_id()}\r\n"
            f"From: {from_}\r\nTo: {to}\r\nCall-ID: {call_id}\r\nCSeq: {cseq} {method}\r\nMax-Forwards: 70\r\n"
            f"Contact: <sip:{self.name}@{self.ip}:{self.port}>\r\n{extra}{kind}"
            f"Content-Length: {len(body)}\r\n\r\n{body}"
        )

    def _credentials(self, challenge: str, method: str, uri: str, name: str) -> str:
        parts = dict(re.findall(r'(\w+)="?([^",]+)"?', header(challenge, "WWW-Authenticate")))

        def md5(text: str) -> str:
            return hashlib.md5(text.encode()).hexdigest()

        known = md5(f"{self.name}:{parts['realm']}:{self.secret}")
        proof = md5(f"{known}:{parts['nonce']}:00000001:abc:auth:{md5(f'{method}:{uri}')}")
        return (
            f'Authorization: Digest username="{self.name}", realm="{parts["realm"]}", nonce="{parts["nonce"]}", '
            f'uri="{uri}", response="{proof}", algorithm=MD5, qop=auth, nc=00000001, cnonce="abc"'
            + (f', opaque="{parts["opaque"]}"' if "opaque" in parts else "")
            + "\r\n"
        )

    def _request_outside(self, method: str, uri: str, user: str, extra: str = "") -> None:
        call_id, who = self._new_id(), f"<sip:{self.name}@127.0.0.1>"
        self._send(self._request(method, uri, f"{who};tag=1", f"<sip:{user}@127.0.0.1>", call_id, 1, extra))
        first = self._final(call_id, f"1 {method}")
        if " 401 " in first.split("\r\n")[0]:
            extra += self._credentials(first, method, uri, user)
            self._send(self._request(method, uri, f"{who};tag=1", f"<sip:{user}@127.0.0.1>", call_id, 2, extra))
            first = self._final(call_id, f"2 {method}")
        assert " 200 " in first.split("\r\n")[0], first

    def _invite(self, number: str, call_id: str) -> None:
        dialog, uri = self.dialogs[call_id], f"sip:{number}@127.0.0.1:{SIP_PORT}"
        tag = self._new_id()
        from_, to = f'"Citizen" <sip:{self.name}@{self.ip}>;tag={tag}', f"<{uri}>"
        dialog |= {"my_tag": tag, "from": from_, "uri": uri, "cseq": 10}
        extra = ""
        for cseq in (1, 2):
            dialog["invite"] = self._request("INVITE", uri, from_, to, call_id, cseq, extra, self._sdp())
            self._send(dialog["invite"])
            final = self._final(call_id, f"{cseq} INVITE", seconds=60)
            if " 401 " in final.split("\r\n")[0]:
                self._ack(final, uri)
                extra = self._credentials(final, "INVITE", uri, self.name)
                continue
            break
        self._ack(final, uri)
        dialog["to"] = header(final, "To")
        dialog["their_tag"] = dialog["to"].partition("tag=")[2]
        with self.heard:
            dialog["state"] = "up" if " 200 " in final.split("\r\n")[0] else "over"
            self.heard.notify_all()

    def _ack(self, final: str, uri: str) -> None:
        number = header(final, "CSeq").split()[0]
        via = header(final, "Via") if " 200 " not in final.split("\r\n")[0] else ""
        via = via or f"SIP/2.0/UDP {self.ip}:{self.port};branch=z9hG4bK{self._new_id()}"
        self._send(
            f"ACK {uri} SIP/2.0\r\nVia: {via}\r\nFrom: {header(final, 'From')}\r\nTo: {header(final, 'To')}\r\n"
            f"Call-ID: {header(final, 'Call-ID')}\r\nCSeq: {number} ACK\r\nMax-Forwards: 70\r\n"
            "Content-Length: 0\r\n\r\n"
        )

    def _in_dialog(self, call_id: str, method: str, extra: str = "") -> None:
        dialog = self.dialogs[call_id]
        if dialog["calling"]:
            from_, to, uri = dialog["from"], dialog["to"], dialog["uri"]
        else:
            invite = dialog["invite"]
            from_, to = f"{header(invite, 'To')};tag={self.name}", header(invite, "From")
            uri = re.search(r"<(.*?)>", header(invite, "Contact")).group(1)
        for known in (extra, None):
            dialog["cseq"] = dialog.get("cseq", 10) + 1
            self._send(self._request(method, uri, from_, to, call_id, dialog["cseq"], extra))
            final = self._final(call_id, f"{dialog['cseq']} {method}")
            if known is None or " 401 " not in final.split("\r\n")[0]:
                break
            extra += self._credentials(final, method, uri, self.name)
        assert re.match(r"SIP/2.0 (2|481)", final), final

    def _response(self, request: str, status: str, body: str = "") -> str:
        names = ("Via", "From", "To", "Call-ID", "CSeq", "Record-Route")
        lines = [f"{name}: {header(request, name)}" for name in names if header(request, name)]
        lines = [f"{line};tag={self.name}" if line.startswith("To:") and "tag=" not in line else line for line in lines]
        kind = ["Content-Type: application/sdp"] if body else []
        contact = f"Contact: <sip:{self.name}@{self.ip}:{self.port}>"
        lines = [f"SIP/2.0 {status}", *lines, contact, *kind, f"Content-Length: {len(body)}"]
        return "\r\n".join([*lines, "", body])

    def _send(self, message: str) -> None:
        self.socket.sendto(message.encode(), ("127.0.0.1", SIP_PORT))

    def _final(self, call_id: str, cseq: str, seconds: float = 10) -> str:
        return self._wait(lambda: self.replies.get((call_id, cseq)), seconds)

    def _wait(self, look: Callable, seconds: float = 20):
        with self.heard:
            assert self.heard.wait_for(lambda: look() is not None, seconds), f"{self.name}: nothing came"
            return look()

    def _listen(self) -> None:
        while self.open:
            try:
                message = self.socket.recv(65535).decode(errors="replace")
            except TimeoutError:
                continue
            except OSError:
                return
            with self.heard:
                self._understand(message)
                self.heard.notify_all()

    def _understand(self, message: str) -> None:
        call_id, first = header(message, "Call-ID"), message.split("\r\n")[0]
        if first.startswith("SIP/2.0"):
            if not first.startswith("SIP/2.0 1"):
                self.replies[(call_id, header(message, "CSeq"))] = message
            elif call_id in self.dialogs and self.dialogs[call_id]["state"] == "calling" and " 18" in first:
                self.dialogs[call_id] |= {"state": "hears ringing", "to": header(message, "To")}
                self.dialogs[call_id]["their_tag"] = header(message, "To").partition("tag=")[2]
            return
        method = first.split()[0]
        if method == "INVITE" and call_id not in self.dialogs:
            self.dialogs[call_id] = {"calling": False, "state": "ringing", "invite": message}
            self._send(self._response(message, "180 Ringing"))
        elif method == "INVITE" and self.dialogs[call_id]["state"] == "up":
            self._send(self._response(message, "200 OK", self._sdp()))
        elif method == "CANCEL":
            self._send(self._response(message, "200 OK"))
            if self.dialogs[call_id]["state"] == "ringing":
                self._send(self._response(self.dialogs[call_id]["invite"], "487 Request Terminated"))
                self.dialogs[call_id]["state"] = "over"
        elif method in ("BYE", "NOTIFY", "OPTIONS", "UPDATE", "INFO", "PRACK"):
            self._send(self._response(message, "200 OK"))
            if method == "BYE" and call_id in self.dialogs:
                self.dialogs[call_id]["state"] = "over"


class Town:
    """A citizen and three desk phones on a running exchange."""

    def __init__(self, secrets: dict[str, str]) -> None:
        self.citizen = SipPhone(CITIZEN, 16100, NUMBER)
        self.phones = {
            name: SipPhone(DESK, 16200 + 10 * place, name, secret)
            for place, (name, secret) in enumerate(secrets.items())
        }
        for phone in self.phones.values():
            phone.register()

    def close(self) -> None:
        for phone in (self.citizen, *self.phones.values()):
            phone.close()


# ---- the scenarios: line 53273 rings admin1, then admin2 and admin3 at once; 54286 rings all three at once ----
def talk(town: Town) -> tuple[str, str]:
    """The citizen calls 53273 and admin1 answers: the Call-IDs of both ends."""
    call = town.citizen.call("53273")
    leg = town.phones["admin1"].wait_ringing()
    town.phones["admin1"].answer(leg)
    town.citizen.wait_state(call, "up")
    time.sleep(QUIET)
    return call, leg


def answered(town: Town) -> None:
    call, _leg = talk(town)
    town.citizen.hang_up(call)


def answered_second_step(town: Town) -> None:
    call = town.citizen.call("53273")
    town.phones["admin1"].wait_ringing()
    phone = town.phones["admin3"]
    leg = phone.wait_ringing()
    phone.answer(leg)
    town.citizen.wait_state(call, "up")
    time.sleep(QUIET)
    phone.hang_up(leg)


def abandoned(town: Town) -> None:
    call = town.citizen.call("53273")
    town.phones["admin1"].wait_ringing()
    town.citizen.cancel(call)


def no_answer(town: Town) -> None:
    call = town.citizen.call("53275")
    town.phones["admin2"].wait_ringing()
    town.citizen.wait_state(call, "over")


def transferred_blind(town: Town) -> None:
    first, second = town.phones["admin1"], town.phones["admin2"]
    _call, leg = talk(town)
    first.transfer_blind(leg, "102")
    leg = second.wait_ringing()
    second.answer(leg)
    time.sleep(QUIET)
    second.hang_up(leg)


def transferred_blind_unanswered(town: Town) -> None:
    first, second = town.phones["admin1"], town.phones["admin2"]
    call, leg = talk(town)
    first.transfer_blind(leg, "102")
    second.wait_ringing()
    time.sleep(QUIET)
    town.citizen.hang_up(call)


def transferred_attended(town: Town) -> None:
    first, second = town.phones["admin1"], town.phones["admin2"]
    call, leg = talk(town)
    asking = first.call("102")
    second_leg = second.wait_ringing()
    second.answer(second_leg)
    first.wait_state(asking, "up")
    time.sleep(QUIET)
    first.transfer_attended(leg, asking)
    time.sleep(QUIET)
    town.citizen.hang_up(call)


def transferred_into_older_talk(town: Town) -> None:
    """Two colleagues talk already when the citizen calls: the link id of the older talk wins."""
    first, second = town.phones["admin1"], town.phones["admin2"]
    talk = first.call("102")
    second.answer(second.wait_ringing())
    first.wait_state(talk, "up")
    time.sleep(QUIET)
    call, leg = talk(town)
    first.transfer_attended(leg, talk)
    time.sleep(QUIET)
    town.citizen.hang_up(call)


def transferred_while_ringing(town: Town) -> None:
    """The first colleague does not wait until the second one has answered."""
    first, second = town.phones["admin1"], town.phones["admin2"]
    call, leg = talk(town)
    asking = first.call("102")
    second_leg = second.wait_ringing()
    first.wait_state(asking, "hears ringing")
    first.transfer_attended(leg, asking)
    time.sleep(QUIET)
    second.answer(second_leg)
    time.sleep(QUIET)
    town.citizen.hang_up(call)


def picked_up(town: Town) -> None:
    call = town.citizen.call("53273")
    town.phones["admin1"].wait_ringing()
    town.phones["admin2"].call("*8")
    town.citizen.wait_state(call, "up")
    time.sleep(QUIET)
    town.citizen.hang_up(call)


def three_at_once(town: Town) -> None:
    call = town.citizen.call("54286")
    legs = [(phone, phone.wait_ringing()) for phone in town.phones.values()]
    together = threading.Barrier(len(legs))

    def lift(phone: SipPhone, leg: str) -> None:
        together.wait()
        phone.answer(leg)

    lifting = [threading.Thread(target=lift, args=pair) for pair in legs]
    for thread in lifting:
        thread.start()
    town.citizen.wait_state(call, "up")
    time.sleep(QUIET)
    town.citizen.hang_up(call)


def among_colleagues(town: Town) -> None:
    """No citizen takes part: nothing of it may become a call."""
    talk = town.phones["admin1"].call("102")
    second = town.phones["admin2"]
    second.answer(second.wait_ringing())
    town.phones["admin1"].wait_state(talk, "up")
    time.sleep(QUIET)
    town.phones["admin1"].hang_up(talk)


SCENARIOS = (
    answered,
    answered_second_step,
    abandoned,
    no_answer,
    transferred_blind,
    transferred_blind_unanswered,
    transferred_attended,
    transferred_into_older_talk,
    transferred_while_ringing,
    picked_up,
    three_at_once,
    among_colleagues,
)


def fill(session) -> dict[str, str]:
    """Three phones and three lines; returns each phone's secret."""
    phones = [Phone(name=f"admin{n}", extension=f"10{n}", secret=f"secret-{n}") for n in (1, 2, 3)]
    numbers = ("5-32-73", "5-32-75", "5-42-86")
    lines = [Line(number=number, e164=f"+3805448{number.replace('-', '')}") for number in numbers]
    session.add_all([*phones, *lines])
    session.flush()
    order = {0: [(1, 0, 4), (2, 1, 20), (2, 2, 20)], 1: [(1, 1, 2)], 2: [(1, 0, 20), (1, 1, 20), (1, 2, 20)]}
    for line, steps in order.items():
        for step, phone, seconds in steps:
            session.add(RingStep(line_id=lines[line].id, step=step, phone_id=phones[phone].id, seconds=seconds))
    session.flush()
    return {phone.name: phone.secret for phone in phones}


@contextmanager
def exchange(settings: Settings, asterisk: pbx.Asterisk) -> Iterator[dict[str, str]]:
    """A running Asterisk on the rendered configuration; yields the phones' secrets."""
    app = bare_app(settings)
    prepare_database(app)
    with app.app_context():
        with transaction() as session:
            secrets = fill(session)
        with patch("os.geteuid", return_value=1000):  # the files stay with whoever records
            pbx.render(db.session(), settings, asterisk)
    running = subprocess.Popen(asterisk.command(settings, "-f"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", settings.ami_port), 1).close()
                break
            except OSError:
                assert time.monotonic() < deadline, "Asterisk does not start"
                time.sleep(0.2)
        time.sleep(1)
        yield secrets
    finally:
        running.terminate()
        running.wait(20)


def listen(settings: Settings) -> tuple[socket.socket, bytearray]:
    """Log in as the listening user; what is said gathers in the second value."""
    connection = socket.create_connection(("127.0.0.1", settings.ami_port), 5)
    connection.settimeout(None)
    secret = load_secrets(settings)["ami_listen"]
    connection.sendall(f"Action: Login\r\nActionID: login\r\nUsername: listen\r\nSecret: {secret}\r\n\r\n".encode())
    heard = bytearray()

    def read() -> None:
        while chunk := connection.recv(65536):
            heard.extend(chunk)

    threading.Thread(target=read, daemon=True).start()
    return connection, heard


def wait_quiet(*sizes: Callable[[], int], seconds: float = 1.0) -> None:
    before, since = None, time.monotonic()
    while time.monotonic() - since < seconds:
        now = [size() for size in sizes]
        if now != before:
            before, since = now, time.monotonic()
        time.sleep(0.05)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--asterisk-root", type=Path, required=True)
    parser.add_argument("only", nargs="*")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cc-record-") as folder:
        environ = {
            "CC_VAR": folder,
            "CC_SIP_PORT": str(SIP_PORT),
            "CC_AMI_PORT": str(AMI_PORT),
            "CC_AGI_PORT": str(AGI_PORT),
            "CC_RTP_START": "20000",
            "CC_RTP_END": "20400",
            "CC_TRUNK_HOST": CITIZEN,
        }
        settings = load_settings(environ)
        with exchange(settings, pbx.Asterisk(wanted.asterisk_root)) as secrets:
            _connection, heard = listen(settings)
            for scenario in SCENARIOS:
                if wanted.only and scenario.__name__ not in wanted.only:
                    continue
                town = Town(secrets)
                wait_quiet(lambda: len(heard))
                said, logged = len(heard), settings.cel_file.stat().st_size if settings.cel_file.exists() else 0
                scenario(town)
                wait_quiet(lambda: len(heard), lambda: settings.cel_file.stat().st_size)
                (HERE / f"{scenario.__name__}.ami").write_bytes(bytes(heard[said:]))
                (HERE / f"{scenario.__name__}.cel").write_bytes(settings.cel_file.read_bytes()[logged:])
                print(json.dumps({"scenario": scenario.__name__, "ami": len(heard) - said}), flush=True)
                town.close()


if __name__ == "__main__":
    main()
