"""A whole running service for tests: every part under its supervisor, on its own ports, with SIP peers to drive it."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from xmlrpc.client import Fault, ServerProxy

from sqlalchemy import create_engine, text
from supervisor.xmlrpc import SupervisorTransport

from jobs.pbx import find_asterisk
from jobs.serve import unwell
from jobs.settings import CHECKOUT, Settings, load_settings
from jobs.sipp import CITIZEN_HOST, free_udp_port, register_phone, start_citizen, start_phone
from tests.helpers import free_port

STATUS_LINE = "5-11-11"
_STAMP = re.compile(rb"^-{10,} (\d{4}-\S+Z)\n", re.MULTILINE)


@dataclass
class SipMessage:
    """One message of a SIPp trace: when (epoch seconds), whether it was sent, and its text."""

    at: float
    sent: bool
    text: bytes

    def header(self, name: bytes) -> bytes:
        found = re.search(rb"^" + name + rb":\s*(.*?)\r?$", self.text, re.MULTILINE | re.IGNORECASE)
        return found.group(1) if found else b""

    @property
    def method(self) -> bytes:
        return self.text.split(b" ", 1)[0]

    @property
    def caller(self) -> str:
        """The user part of the From address."""
        found = re.search(rb"sips?:([^@>;]*)", self.header(b"From"))
        return found.group(1).decode("utf-8", "replace") if found else ""


def read_trace(folder: Path) -> list[SipMessage]:
    """All messages that SIPp traced into this folder, oldest first."""
    messages = []
    for path in folder.glob("*_messages.log"):
        content = path.read_bytes()
        stamps = list(_STAMP.finditer(content))
        ends = [stamp.start() for stamp in stamps[1:]] + [len(content)]
        for stamp, end in zip(stamps, ends, strict=False):
            body = content[stamp.end() : end]
            head, _, message = body.partition(b":\n\n")
            at = datetime.fromisoformat(stamp.group(1).decode()).timestamp()
            messages.append(SipMessage(at, b"sent" in head, message.lstrip(b"\n")))
    return sorted(messages, key=lambda message: message.at)


@dataclass
class Town:
    """The service under test. ``var`` is its folder; use it as a context through `running_town`."""

    settings: Settings
    environ: dict[str, str]
    process: subprocess.Popen | None = None
    phones: dict[str, subprocess.Popen] = field(default_factory=dict)
    _runs: int = 0

    @property
    def var(self) -> Path:
        return self.settings.var

    # ---- the service

    def start(self, seconds: float = 180, until: str = "READY") -> list[str]:
        """Start everything; returns what it printed, up to the line that begins with ``until``."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "jobs.serve"], cwd=CHECKOUT, env=self.environ, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        printed = []
        deadline = time.monotonic() + seconds
        for line in self.process.stdout:
            printed.append(line.rstrip())
            if line.startswith(until):
                return printed
            assert time.monotonic() < deadline, printed
        raise AssertionError(f"the service did not start: {printed}")

    def stop(self) -> None:
        for phone in self.phones.values():
            phone.kill()
            phone.wait()
        if self.process is not None:
            self.process.terminate()
            self.process.wait(30)
            self.process.stdout.close()

    def supervisor(self) -> ServerProxy:
        transport = SupervisorTransport(None, None, f"unix://{self.settings.supervisor_socket}")
        return ServerProxy("http://127.0.0.1", transport=transport).supervisor

    def pid(self, part: str) -> int:
        """The part's process id, 0 while it does not run."""
        try:
            return self.supervisor().getProcessInfo(part)["pid"]
        except (OSError, Fault):
            return 0

    def kill(self, part: str, number: signal.Signals = signal.SIGKILL) -> int:
        """Send a signal to the part's process; returns its pid."""
        pid = self.pid(part)
        os.kill(pid, number)
        return pid

    def stop_part(self, part: str) -> None:
        self.supervisor().stopProcess(part)

    def start_part(self, part: str) -> None:
        self.supervisor().startProcess(part)

    def asterisk(self, command: str) -> str:
        """What Asterisk's console says to ``command``."""
        line = find_asterisk().command(self.settings, "-rx", command)
        return subprocess.run(line, capture_output=True, text=True, timeout=20, check=False).stdout

    def channels(self) -> int:
        found = re.search(r"(\d+) active channels?", self.asterisk("core show channels count"))
        return int(found.group(1)) if found else -1

    def unwell(self) -> list[str]:
        """The parts that are not well and what they say; the desk phones, which the tests start and stop, left out."""
        return [str(part) for part in unwell(self.settings) if part["part"] != "phones"]

    # ---- the database, read from outside

    def rows(self, query: str, **values: object) -> list[dict]:
        """Read the site's database."""
        engine = create_engine(self.settings.database_url)
        try:
            with engine.connect() as connection:
                return [dict(row) for row in connection.execute(text(query), values).mappings()]
        finally:
            engine.dispose()

    def value(self, query: str, **values: object) -> object:
        rows = self.rows(query, **values)
        return next(iter(rows[0].values())) if rows else None

    # ---- telephones

    def folder(self, name: str) -> Path:
        self._runs += 1
        return self.var / "sip" / f"{self._runs:03d}-{name}"

    def start_phones(
        self, *, ring_ms: int, talk_ms: int, only: tuple[str, ...] = (), trace: bool = True
    ) -> dict[str, Path]:
        """Let the desk phones ring and answer like this; returns each one's trace folder."""
        folders = {}
        traced = ("-trace_msg",) if trace else ()
        for row in self.rows("SELECT name, secret FROM phones ORDER BY name"):
            name = row["name"]
            if only and name not in only:
                continue
            if name in self.phones:
                self.phones[name].kill()
                self.phones[name].wait()
            folder = self.folder(name)
            port = free_udp_port()
            self.phones[name] = start_phone(self.settings, port, folder, *traced, ring_ms=ring_ms, talk_ms=talk_ms)
            register_phone(self.settings, name, row["secret"], port, folder / "register")
            folders[name] = folder
        return folders

    def call(
        self,
        callers: list[tuple[str, str]],
        *,
        rate: float,
        talk_ms: int,
        patience_ms: int = 60_000,
        trace: bool = True,
    ) -> tuple[subprocess.Popen, Path]:
        """Start citizens: ``callers`` are (number, line digits); returns the SIPp process and its trace folder."""
        folder = self.folder("citizens")
        folder.mkdir(parents=True)
        listed = folder / "callers.csv"
        listed.write_text("SEQUENTIAL\n" + "".join(f"{number};{line}\n" for number, line in callers))
        period = 1000 if rate >= 1 else int(1000 / rate)
        process = start_citizen(
            self.settings, folder, "-inf", str(listed), "-m", str(len(callers)), "-r", str(max(1, int(rate))),
            "-rp", str(period), "-l", "1000", *(("-trace_msg",) if trace else ()),
            caller="<sip:[field0]@127.0.0.2>", line="[field1]", talk_ms=talk_ms, patience_ms=patience_ms,
        )  # fmt: skip
        return process, folder

    def rings(self, folders: dict[str, Path]) -> dict[str, list[tuple[float, str]]]:
        """Which phones were rung for whom: caller -> [(when, phone)], from what the phones received."""
        heard: dict[str, list[tuple[float, str]]] = {}
        for phone, folder in folders.items():
            for message in read_trace(folder):
                if message.method == b"INVITE" and not message.sent:
                    heard.setdefault(message.caller, []).append((message.at, phone))
        return heard


def percentile(values: list[float], part: float) -> float:
    """The value below which ``part`` of all values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def invites(folder: Path) -> dict[str, float]:
    """When each citizen's first INVITE left: caller -> epoch seconds."""
    sent: dict[str, float] = {}
    for message in read_trace(folder):
        if message.method == b"INVITE" and message.sent:
            sent.setdefault(message.caller, message.at)
    return sent


def town_environ(var: Path) -> dict[str, str]:
    """The environment of a service of its own: its folder and free ports."""
    start = 10_000 + (os.getpid() % 20) * 1000  # as many ports for audio as a site has by default
    chosen = {
        "CC_VAR": str(var),
        "CC_ENV": "demo",
        "CC_WEB_PORT": str(free_port()),
        "CC_AMI_PORT": str(free_port()),
        "CC_AGI_PORT": str(free_port()),
        "CC_SIP_PORT": str(free_udp_port()),
        "CC_TRUNK_PORT": str(free_udp_port(CITIZEN_HOST)),
        "CC_CALL_HOURS": "00:00-24:00",  # whenever the tests run
        "CC_CALL_SUNDAYS": "yes",
        "CC_STATUS_LINE": STATUS_LINE,
        "CC_RTP_START": str(start),
        "CC_RTP_END": str(start + 999),
    }
    return {name: value for name, value in os.environ.items() if not name.startswith("CC_")} | chosen


@contextmanager
def running_town(var: Path, **environ: str) -> Iterator[Town]:
    """A service that runs, without the simulated phones (tests bring their own)."""
    values = town_environ(var) | environ
    town = Town(load_settings(values), values)
    try:
        town.start()
        town.stop_part("phones")
        yield town
    finally:
        town.stop()
