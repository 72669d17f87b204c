"""Real SIP peers for the demo town and for trying lines: SIPp as a desk phone and as a citizen."""

import hashlib
import shutil
import socket
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path

import jinja2

from jobs.pbx import Asterisk, private_root
from jobs.settings import CHECKOUT, Settings

_PCAP_HEAD, _UDP_HEADS = 24, 14 + 20 + 8  # bytes before the first packet, and before the RTP of each
_RTP_HEAD = 12
SPEECH, SILENCE = "speech", "silence"
_NO_SOUND = b"\xd5"  # in A-law
CITIZEN_HOST = "127.0.0.2"  # the demo trunk's address: citizens are told from phones by it


class SipError(Exception):
    """A simulated phone or citizen could not do its part; the message says why and what to do."""


def free_udp_port(host: str = "127.0.0.1") -> int:
    """An even UDP port that nobody uses (media goes to even ports, RFC 3550)."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((host, 0))
            port = probe.getsockname()[1]
        if port % 2 == 0:
            return port


def scenario(kind: str, /, **values: object) -> str:
    """The SIPp scenario ``jobs/sipp/<kind>.xml`` with its values filled in."""
    folder = jinja2.FileSystemLoader(CHECKOUT / "jobs" / "sipp")
    templates = jinja2.Environment(loader=folder, undefined=jinja2.StrictUndefined, autoescape=False)
    return templates.get_template(f"{kind}.xml").render(values)


def sipp_program() -> list[str]:
    """How SIPp is run here: the private root's, else the system's. Raises `SipError` when there is none."""
    if (private_root() / "usr/bin/sipp").exists():
        return Asterisk(private_root()).program("usr/bin/sipp")
    if found := shutil.which("sipp"):
        return [found]
    raise SipError("SIPp is not installed: run script/setup.")


def start_sipp(settings: Settings, text: str, folder: Path, *arguments: str, host: str, port: int) -> subprocess.Popen:
    """Start SIPp on a scenario. Its files (logs, errors, message traces) go to ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    content = text.encode("utf-8", "surrogateescape")  # a test may send bytes that are no UTF-8
    path = folder / f"{hashlib.sha256(content).hexdigest()[:12]}.xml"
    path.write_bytes(content)
    command = [
        "setpriv", "--pdeathsig", "KILL", "--",  # a phone does not outlive who plays it
        *sipp_program(), f"127.0.0.1:{settings.sip_port}", "-sf", str(path), "-i", host, "-p", str(port),
        "-mi", host, "-mp", str(free_udp_port(host)), "-nostdin", "-nd", *arguments,
    ]  # fmt: skip
    return subprocess.Popen(
        command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT
    )


def register_phone(
    settings: Settings, name: str, secret: str, contact_port: int, folder: Path, expires: int = 3600
) -> None:
    """Register desk phone ``name`` with the exchange, reachable at ``contact_port``. Raises `SipError`."""
    text = scenario("register", name=name, secret=secret, contact_port=contact_port, expires=expires)
    process = start_sipp(
        settings, text, folder, "-m", "1", "-timeout", "5", "-timeout_error", host="127.0.0.1", port=free_udp_port()
    )
    try:
        code = process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        code = process.wait()
    if code != 0:
        raise SipError(f"phone {name} could not register: is the exchange running on port {settings.sip_port}?")


def start_phone(
    settings: Settings, port: int, folder: Path, *arguments: str, ring_ms: int, talk_ms: int
) -> subprocess.Popen:
    """A desk phone at ``port`` that answers after ``ring_ms`` and hangs up after ``talk_ms`` more, call after call."""
    text = scenario("phone", ring_ms=ring_ms, talk_ms=talk_ms)
    return start_sipp(settings, text, folder, *arguments, host="127.0.0.1", port=port)


def start_called(
    settings: Settings,
    folder: Path,
    *arguments: str,
    refusal: str = "",
    rings: bool = True,
    early_media: bool = False,
    ring_ms: int = 500,
    talk_ms: int = 60_000,
    talks: Sequence[int] = (),
    keys: Sequence[tuple[int, str]] = (),
) -> subprocess.Popen:
    """The town's telephones at the trunk's port: whoever is called rings for ``ring_ms`` and lifts the receiver.

    Then each key is pressed, so many milliseconds after the one before it, and after ``talk_ms`` more the citizen hangs
    up; with ``talks`` each call has a time of its own, in turn. Instead of a key `SPEECH` is seven seconds of it, and
    `SILENCE` of that; between them nothing is sent. With ``refusal``, a SIP status in words, nobody lifts it.
    """
    if talks:
        folder.mkdir(parents=True, exist_ok=True)
        listed = folder / "talks.csv"
        listed.write_text("SEQUENTIAL\n" + "".join(f"{milliseconds}\n" for milliseconds in talks))
        arguments = (*arguments, "-inf", str(listed))
    text = scenario(
        "called",
        refusal=refusal,
        rings=rings,
        early_media=early_media,
        ring_ms=ring_ms,
        talk_ms=talk_ms,
        talks=bool(talks),
        keys=_tones(folder, keys),
    )
    return start_sipp(settings, text, folder, *arguments, host=CITIZEN_HOST, port=settings.trunk_port)


def _tones(folder: Path, keys: Sequence[tuple[int, str]]) -> list[tuple[int, Path]]:
    return [(wait_ms, _tone(folder, key, place)) for place, (wait_ms, key) in enumerate(keys, 1)]


def _tone(folder: Path, key: str, place: int) -> Path:
    """The sound of a key, of speech or of silence, as SIPp has recorded it, for the ``place``-th one of a call.

    Its packets get times of their own: of two keys with falling times the exchange takes the second for an old one.
    """
    root = private_root() if (private_root() / "usr/bin/sipp").exists() else Path("/")
    names = {"*": "dtmf_2833_star", "#": "dtmf_2833_pound", SPEECH: "g711a", SILENCE: "g711a"}
    name = names.get(key, f"dtmf_2833_{key}")
    recorded = bytearray((root / f"usr/share/sip-tester/{name}.pcap").read_bytes())
    at = _PCAP_HEAD
    while at < len(recorded):
        (length,) = struct.unpack_from("<I", recorded, at + 8)
        rtp = at + 16 + _UDP_HEADS
        sequence, moment = struct.unpack_from("!HI", recorded, rtp + 2)
        struct.pack_into("!HI", recorded, rtp + 2, (sequence + 500 * place) % 2**16, moment + 1_000_000 * place)
        at += 16 + length
        if key == SILENCE:
            recorded[rtp + _RTP_HEAD : at] = _NO_SOUND * (at - rtp - _RTP_HEAD)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"key-{place}.pcap"
    path.write_bytes(recorded)
    return path


def start_citizen(
    settings: Settings,
    folder: Path,
    *arguments: str,
    caller: str,
    line: str,
    patience_ms: int = 60_000,
    talk_ms: int = 20_000,
    keys: Sequence[tuple[int, str]] = (),
    account: str = "",
    to: str = "",
    host: str = CITIZEN_HOST,
) -> subprocess.Popen:
    """A citizen calls ``line`` (digits); ``caller`` is the whole From address, ``<sip:0671234567@town>``.

    Gives up after ``patience_ms`` of ringing, hangs up after ``talk_ms`` of talk. Each key is pressed so many
    milliseconds after the one before it. With ``account`` the provider calls that, and the line stands in To alone,
    which is ``to`` as a whole, if given. One call, from ``host``, unless arguments say more.
    """
    values = {
        "caller": caller,
        "line": line,
        "patience_ms": patience_ms,
        "talk_ms": talk_ms,
        "account": account,
        "to": to,
    }
    text = scenario("citizen", **values, keys=_tones(folder, keys))
    return start_sipp(settings, text, folder, *arguments, host=host, port=free_udp_port(host))
