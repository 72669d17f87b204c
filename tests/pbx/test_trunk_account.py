"""A SIP provider that wants an account: we log in, its calls reach their lines, ours are let through (I7)."""

import re
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing
from hashlib import md5
from pathlib import Path

import pytest

from jobs.ami import log_in
from jobs.app import bare_app
from jobs.heartbeat import read_beat
from jobs.pbx import find_asterisk, rendered
from jobs.read_back import console, first_mismatch
from jobs.sipp import CITIZEN_HOST, start_citizen
from models.base import db
from models.plan import read_plan
from models.plan_acts import phone_secrets
from tests.helpers import eventually
from tests.pbx.town import Town, running_town

pytestmark = pytest.mark.pbx

USER, PASSWORD, REALM = "romny-center", "Gu7-xq.Q2", "provider"
CALLS_FROM = "127.0.0.3"  # the provider's calls come from another address than the one that registers us


def digest(method: str, uri: str, nonce: str) -> str:
    """RFC 2617, without qop."""
    who, what = f"{USER}:{REALM}:{PASSWORD}", f"{method}:{uri}"
    parts = md5(who.encode()).hexdigest(), nonce, md5(what.encode()).hexdigest()
    return md5(":".join(parts).encode()).hexdigest()


class Provider:
    """The provider's server: it registers who knows the password, and wants it for each call of ours, too."""

    def __init__(self, port: int) -> None:
        self.refuses, self.silent = False, False
        self.contacts: list[str] = []
        self.invited: list[str] = []  # the numbers that were called by who had logged in
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((CITIZEN_HOST, port))
        self._socket.settimeout(0.2)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while not self._stop.is_set():
            try:
                said, sender = self._socket.recvfrom(65536)
            except TimeoutError:
                continue
            method = said.split(b" ", 1)[0].decode()
            if method in ("REGISTER", "INVITE", "OPTIONS") and not self.silent:
                self._socket.sendto(self._answer(method, said.decode()), sender)

    def _answer(self, method: str, said: str) -> bytes:
        heads = {name.lower(): value for name, _, value in (row.partition(": ") for row in said.split("\r\n"))}
        more = ""
        if method == "OPTIONS":
            status = "200 OK"
        elif self.refuses:
            status = "403 Forbidden"
        elif not (
            login := re.search(r'nonce="(\w+)".*uri="([^"]+)".*response="(\w+)"', heads.get("authorization", ""))
        ):
            status, more = (
                "401 Unauthorized",
                f'WWW-Authenticate: Digest realm="{REALM}", nonce="a1b2", algorithm=MD5\r\n',
            )
        elif login[3] != digest(method, login[2], login[1]):
            status = "403 Forbidden"
        elif method == "REGISTER":
            status, more = "200 OK", f"Contact: {heads['contact']};expires=60\r\n"
            self.contacts.append(heads["contact"])
        else:
            status = "486 Busy Here"
            self.invited.append(re.match(r"INVITE sip:(\w+)@", said)[1])
        rows = [f"{name}: {heads[name.lower()]}" for name in ("Via", "From", "To", "Call-ID", "CSeq")]
        rows[2] += "" if ";tag=" in rows[2] else ";tag=p1"
        return (f"SIP/2.0 {status}\r\n" + "\r\n".join(rows) + f"\r\n{more}Content-Length: 0\r\n\r\n").encode()

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self._socket.close()


@pytest.fixture(scope="module")
def town() -> Iterator[Town]:
    account = {"CC_TRUNK_USER": USER, "CC_TRUNK_PASSWORD": PASSWORD, "CC_TRUNK_CALLS_FROM": CALLS_FROM}
    with tempfile.TemporaryDirectory(prefix="cc-") as folder:
        Path(folder).chmod(0o755)  # Asterisk runs under its own account
        with running_town(Path(folder), **account) as running:
            yield running


@pytest.fixture
def provider(town: Town) -> Iterator[Provider]:
    provider = Provider(town.settings.trunk_port)
    yield provider
    provider.close()


def told(town: Town) -> str:
    return read_beat(town.settings.run_dir, "trunk").detail


def registered(town: Town, provider: Provider) -> None:
    town.asterisk("pjsip send register trunk")
    eventually(lambda: provider.contacts, lambda: told(town), 30)
    eventually(lambda: told(town) == "", lambda: told(town), 30)


def test_without_an_answer_the_page_of_parts_says_so_and_the_registration_is_tried_again(town: Town) -> None:
    eventually(lambda: "does not answer our registration" in told(town), lambda: told(town), 60)
    provider = Provider(town.settings.trunk_port)
    try:
        eventually(lambda: told(town) == "", lambda: told(town), 60)  # by itself
        assert f"sip:{USER}@" in provider.contacts[0]
    finally:
        provider.close()


@pytest.mark.parametrize(
    ("account", "to"),
    [(USER, "+380544853275"), (USER, "0544853275"), ("53275", "53275")],
    ids=["the line stands in To", "without the country", "the line is called itself"],
)
def test_a_call_of_the_provider_reaches_its_line(town: Town, provider: Provider, account: str, to: str) -> None:
    registered(town, provider)
    phones = town.start_phones(ring_ms=100, talk_ms=300)
    number = f"+3806711{'53275' if account != USER else len(to)}00000"[:13]
    caller = f"<sip:{number}@{CALLS_FROM}>"
    process = start_citizen(
        town.settings, town.folder("provider"), "-m", "1", caller=caller, line=to, account=account, host=CALLS_FROM
    )
    assert process.wait(60) == 0
    line = "SELECT lines.number FROM calls JOIN lines ON lines.id = line_id WHERE calls.number = :number"
    eventually(lambda: town.value(line, number=number) == "5-32-75", "the line's call")
    assert town.rings(phones)[number]


@pytest.mark.parametrize(
    "to",
    ['"Romny: line, 2" <sip:0544853275@127.0.0.1>', "<sip:0544853275;phone-context=+380@127.0.0.1>"],
    ids=["a colon and a comma in the name", "a parameter"],
)
def test_the_number_is_read_from_any_form_of_the_header(town: Town, provider: Provider, to: str) -> None:
    registered(town, provider)
    phones = town.start_phones(ring_ms=100, talk_ms=300)
    number = f"+3806712{len(to):05}"
    process = start_citizen(
        town.settings, town.folder("provider"), "-m", "1", caller=f"<sip:{number}@{CALLS_FROM}>", line="0544853275",
        account=USER, to=to, host=CALLS_FROM,
    )  # fmt: skip
    assert process.wait(60) == 0
    line = "SELECT lines.number FROM calls JOIN lines ON lines.id = line_id WHERE calls.number = :number"
    eventually(lambda: town.value(line, number=number) == "5-32-75", "the line's call")
    assert town.rings(phones)[number]


def test_a_call_to_the_account_alone_rings_everybody(town: Town, provider: Provider) -> None:
    registered(town, provider)
    phones = town.start_phones(ring_ms=100, talk_ms=300)
    number = "+380671199999"
    process = start_citizen(
        town.settings, town.folder("provider"), "-m", "1", caller=f"<sip:{number}@{CALLS_FROM}>", line=USER,
        account=USER, host=CALLS_FROM,
    )  # fmt: skip
    assert process.wait(60) == 0
    assert {phone for _at, phone in town.rings(phones)[number]} == set(phones)


def test_a_call_of_ours_logs_in(town: Town, provider: Provider) -> None:
    registered(town, provider)
    where = f"sip:0671234567@{CITIZEN_HOST}:{town.settings.trunk_port}"
    with closing(log_in(town.settings, user="dial")) as manager:
        call = {"Action": "Originate", "Channel": f"PJSIP/trunk/{where}", "Application": "Hangup", "Async": "yes"}
        manager.send_action(call)
    eventually(lambda: provider.invited == ["0671234567"], "our call, with the password", 30)


def test_who_is_refused_is_told_of_and_let_in_again(town: Town, provider: Provider) -> None:
    registered(town, provider)
    provider.refuses = True
    town.asterisk("pjsip send register trunk")
    eventually(lambda: "refuses our registration" in told(town), lambda: told(town), 30)
    provider.refuses = False
    registered(town, provider)


def test_a_plan_is_read_back_with_an_account(town: Town) -> None:
    asterisk = find_asterisk()
    with bare_app(town.settings).app_context():
        session = db.session()
        files = rendered(read_plan(session), phone_secrets(session), town.settings, asterisk)
    assert first_mismatch(files, console(town.settings, asterisk)) == ""
