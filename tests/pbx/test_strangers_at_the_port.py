"""Strangers at the telephone port: odd and broken SIP messages, scans, strange registrations. Good calls go on (I7)."""

import random
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from hashlib import md5

import pytest

from jobs.ami import log_in
from jobs.sipp import CITIZEN_HOST
from jobs.strangers import NO_ACCOUNT, REFUSED
from tests.helpers import eventually
from tests.pbx.town import Town, invites

pytestmark = pytest.mark.pbx

SCANS = 5000
A_SECOND = 500  # messages of a scan
DAMAGED = 500
CALLS = 40  # at 2/s
SDP = b"v=0\r\no=x 1 1 IN IP4 127.0.0.3\r\ns=-\r\nc=IN IP4 127.0.0.3\r\nt=0 0\r\nm=audio 49217 RTP/AVP 8\r\n"


def message(method: str = "INVITE", *, uri: str = "sip:53273@127.0.0.1", version: str = "SIP/2.0", **headers) -> bytes:
    """A request with the usual headers; another value stands instead of theirs, None leaves one out."""
    number = random.randrange(10**9)
    usual = {
        "Via": f"SIP/2.0/UDP 127.0.0.3:5060;rport;branch=z9hG4bK{number}",
        "Max-Forwards": "70",
        "From": f"<sip:stranger{number}@127.0.0.3>;tag={number}",
        "To": f"<{uri}>",
        "Call-ID": f"{number}@127.0.0.3",
        "CSeq": f"1 {method}",
        "Contact": "<sip:stranger@127.0.0.3:5060>",
        "Content-Type": "application/sdp",
        "Content-Length": str(len(SDP)),
    } | {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"{method} {uri} {version}"]
    for name, value in usual.items():
        lines += [f"{name}: {one}" for one in (value if isinstance(value, list) else [value]) if one is not None]
    return "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + SDP


def answer(status: str, *headers: str) -> bytes:
    """A response that nobody has asked for."""
    via = "Via: SIP/2.0/UDP 127.0.0.3;branch=z9hG4bK2398ndaoe"
    lines = [f"SIP/2.0 {status}", via, "Call-ID: unasked", "CSeq: 9292394834772304023312 INVITE", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def odd_messages() -> list[bytes]:
    """What RFC 4475 has a parser suffer: by its sections, valid and not."""
    folded = "<sip:a@127.0.0.3>\r\n ;\r\n\t tag  =  98asjd8"
    return [
        # 3.1.1: valid, and unusual
        message(From=folded, CSeq="0009\r\n  INVITE", Max_Forwards="0068", Subject=""),
        message("!interesting-Method0123456789_*+`.%indeed'~", uri="sip:1_unusual.URI~(to-be!sure)&isn't+it@127.0.0.1"),
        message(uri="sip:%75se%72%00@127.0.0.1"),
        message("REGISTER", Contact="<sip:%00%00@127.0.0.3>", To="<sip:null-%00-null@127.0.0.1>"),
        message("RE%47IST%45R"),
        message("OPTIONS", From='"I have spaces"<sip:a@127.0.0.3>;tag=1', To='"\\"quoted\\""<sip:b@127.0.0.1>'),
        message(Subject="x" * 3000, Call_ID="longreq." + "x" * 500, From=f'"{"I have a name" * 90}"<sip:a@b>;tag=1'),
        message("REGISTER", Contact=[f"<sip:user{place}@127.0.0.3>" for place in range(200)]),
        message(uri="sips:53273@127.0.0.1"),
        message("MESSAGE", Content_Type="multipart/mixed;boundary=7a9cbec02ceef655"),
        answer("200 = 2**3 * 5**2 но сто девяносто девять"),
        answer("100 "),
        # 3.1.2: invalid
        message(Via="SIP/2.0/UDP 127.0.0.3;;,;,,", Contact='"Joe" <sip:joe@127.0.0.3>;;;;'),
        message(Content_Length="9999"),
        message(Content_Length="-999"),
        message("REGISTER", CSeq="36893488147419103232 REGISTER", Max_Forwards="300", Expires="1" + "0" * 23),
        answer("503 Service Unavailable", "Retry-After: 949302838503028349304023988", "Warning: 1812 overture"),
        message(To='"Mr. J. User <sip:j.user@example.com>'),
        message(uri="<sip:53273@127.0.0.1>"),
        message(uri="sip:53273@127.0.0.1; lr"),
        message(version="SIP/2.0  "),
        message("OPTIONS", uri="sip:user@127.0.0.1?Route=%3Csip:example.com%3E"),
        message(Date="Fri, 01 Jan 2010 16:00:00 EST"),
        message("REGISTER", Contact="sip:user@example.com?Route=%3Csip:sip.example.com%3E"),
        message("OPTIONS", To="<sip: t.watson @ example.org >", From="Bell, Alexander <sip:a@b>;tag=43"),
        message(version="SIP/7.0", Via="SIP/7.0/UDP c.example.com;branch=z9hG4bKkdjuw"),
        message("OPTIONS", CSeq="8 INVITE"),
        message("NEWMETHOD", CSeq="34234.5 NEWMETHOD"),
        message("OPTIONS", Via="SIP/2.0/UDP 127.0.0.3;branch=z9hG4bK"),
        answer("4294967301 better not break the receiver"),
        # 3.3: of the application's layer
        message(Call_ID=None, From=None, To=None, CSeq=None),
        message("OPTIONS", uri="nobodyKnowsThisScheme:totallyopaquecontent"),
        message("OPTIONS", uri="soap.beep://127.0.0.3:3002"),
        message("REGISTER", To="isbn:2983792873", From="<http://www.example.com>;tag=3234233"),
        message("OPTIONS", Require="nothingSupportsThis, norThis", Proxy_Require="noProxiesSupportThis"),
        message(Content_Type="application/unknownformat"),
        message("REGISTER", Authorization="NoOneKnowsThisScheme opaque-data=here"),
        message(Call_ID=["first", "second"], CSeq=["5 INVITE", "9 X"], From=["<sip:a@b>;tag=1", "<sip:c@d>;tag=2"]),
        message(Max_Forwards="0"),
        message("REGISTER", Contact="*", Expires="1"),
        message(Accept="text/nobodyKnowsThis", Content_Type=None, Content_Length="0"),
        message("INVITE", Via=None),
        b"", b"\r\n\r\n", b"\x00" * 1400, b"\xff" * 1400, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"INVITE",
    ]  # fmt: skip


def damaged_messages(chance: random.Random) -> Iterator[bytes]:
    """An INVITE and a REGISTER with bytes changed, left out and doubled at random."""
    for place in range(DAMAGED):
        spoilt = bytearray(message(("INVITE", "REGISTER")[place % 2]))
        for _ in range(chance.randint(1, 12)):
            at = chance.randrange(len(spoilt))
            act = chance.randrange(3)
            if act == 0:
                spoilt[at] = chance.randrange(256)
            elif act == 1:
                del spoilt[at : at + chance.randint(1, 40)]
            else:
                spoilt[at:at] = spoilt[at : at + chance.randint(1, 40)]
        yield bytes(spoilt)


def scan_messages(chance: random.Random) -> Iterator[bytes]:
    """What scanners send: registrations and calls of guessed accounts, the phones' own names among them."""
    for place in range(SCANS):
        account = chance.choice(["100", "1000", "admin", "admin1", "test", f"{chance.randrange(10**4)}"])
        method = ("REGISTER", "OPTIONS", "INVITE")[place % 3]
        wrong = f'Digest username="{account}", realm="asterisk", nonce="1", uri="sip:x", response="{"0" * 32}"'
        yield message(
            method,
            uri=f"sip:{chance.choice(['00380671234567', '101', '53273'])}@127.0.0.1",
            From=f"<sip:{account}@127.0.0.1>;tag={place}",
            Authorization=chance.choice([None, wrong]),
        )


def send(town: Town, host: str, messages: list[bytes], done: threading.Event) -> None:
    """Send the messages, `A_SECOND` of them a second, whatever is answered."""
    pause = threading.Event()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind((host, 0))
        for place, one in enumerate(messages):
            sender.sendto(one, ("127.0.0.1", town.settings.sip_port))
            if place % (A_SECOND // 10) == 0:
                pause.wait(0.1)
    done.set()


def try_password(town: Town, account: str, password: str) -> str:
    """Register as a phone does: without the password, then with it, as the answer asks. The second answer's status."""
    uri, call = "sip:127.0.0.1", f"{random.randrange(10**9)}@127.0.0.1"
    usual = {
        "uri": uri,
        "From": f"<sip:{account}@127.0.0.1>;tag=1",
        "To": f"<sip:{account}@127.0.0.1>",
        "Call_ID": call,
    }
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.bind(("127.0.0.1", 0))
        phone.settimeout(1)

        def asked(place: int, **headers: str) -> str:
            via = f"SIP/2.0/UDP 127.0.0.1:{phone.getsockname()[1]};rport;branch=z9hG4bK{place}{call[:9]}"
            one = message("REGISTER", **usual, Via=via, CSeq=f"{place} REGISTER", **headers)

            def answer() -> str:
                """RFC 3261, 17.1.2.2: a request that gets no answer is sent again."""
                phone.sendto(one, ("127.0.0.1", town.settings.sip_port))
                try:
                    return phone.recv(4096).decode()
                except TimeoutError:
                    return ""

            return eventually(answer, "an answer", 30)

        given = dict(re.findall(r'(realm|nonce|opaque)="([^"]*)"', asked(1)))
        opened, of_request = (
            md5(text.encode()).hexdigest() for text in (f"{account}:{given['realm']}:{password}", f"REGISTER:{uri}")
        )
        proof = md5(f"{opened}:{given['nonce']}:00000001:x:auth:{of_request}".encode()).hexdigest()
        told = {"username": account, **given, "uri": uri, "response": proof, "cnonce": "x"}
        digest = ", ".join(f'{name}="{value}"' for name, value in told.items())
        return asked(2, Authorization=f"Digest {digest}, algorithm=MD5, qop=auth, nc=00000001").splitlines()[0]


def test_the_exchange_names_the_phone_whose_password_is_wrong(town: Town) -> None:
    """By it `jobs.strangers` knows our own; of an account that it does not have it tells three times."""
    with closing(log_in(town.settings, "listen")) as manager:
        for account in ("admin1", "former1"):
            assert "401" in try_password(town, account, "wrong")
        told: list[tuple[str, str]] = []

        def all_told() -> bool:
            event = manager.next_event(0.2)
            if event is not None and event.name in REFUSED:
                told.append((event.name, event.get_header("AccountID")))
            return len(told) == 4

        eventually(all_told, lambda: told, 10)
    missing = ("InvalidAccountID", "former1")
    assert sorted(told[1:]) == [("ChallengeResponseFailed", NO_ACCOUNT), missing, missing]
    assert told[0] == ("ChallengeResponseFailed", "admin1")


def test_odd_and_broken_messages_and_scans_disturb_no_good_call(town: Town) -> None:
    chance = random.Random(4475)
    messages = [*odd_messages(), *damaged_messages(chance), *scan_messages(chance)]
    phones = town.start_phones(ring_ms=100, talk_ms=200)
    asterisk, listener = town.pid("asterisk"), town.pid("listener")
    ended = [threading.Event(), threading.Event()]
    # strangers send all of it; the odd ones come from the trunk's address, too, as a broken gateway would send them
    senders = [
        threading.Thread(target=send, args=(town, "127.0.0.1", messages, ended[0])),
        threading.Thread(target=send, args=(town, CITIZEN_HOST, odd_messages(), ended[1])),
    ]
    for sender in senders:
        sender.start()
    callers = [(f"+38067{5_100_000 + place}", ("53273", "53275", "54286")[place % 3]) for place in range(CALLS)]
    citizens, folder = town.call(callers, rate=2, talk_ms=100)
    assert citizens.wait(CALLS / 2 + 60) == 0
    for sender in senders:
        sender.join(60)
    assert all(one.is_set() for one in ended)

    rang = town.rings(phones)
    assert [caller for caller in invites(folder) if caller not in rang] == []
    assert (town.pid("asterisk"), town.pid("listener")) == (asterisk, listener)
    told = "Чужі намагаються увійти через телефонний порт, їм відмовлено; дзвінки йдуть далі."
    eventually(lambda: any(told in part for part in town.unwell()), lambda: f"the scan is told: {town.unwell()}", 30)
    numbers = "SELECT count(DISTINCT number) FROM calls WHERE number LIKE '+38067510%'"
    eventually(lambda: town.value(numbers) == CALLS, "all good calls are written down", 30)
    eventually(lambda: town.channels() == 0, "channels gone", 60)
    town.stop_part("listener")  # which counts them: for the tests that come after this one
    town.start_part("listener")
    eventually(lambda: not town.unwell(), town.unwell, 60)
