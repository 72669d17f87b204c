"""Kills the parts that hang; supervisord starts them again. A part that died is supervisord's own business.

Promise 1 of the design rests on this: a FastAGI server that accepts and stays silent holds every caller for ever,
and only its end frees them. So it is asked several times a second, and killed when it does not answer in time.
Imports no database and no web: it must start at once and stay small.
"""

import logging
import os
import secrets
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError
from xmlrpc.client import Error, ServerProxy

from supervisor.xmlrpc import SupervisorTransport

from jobs.heartbeat import Heart, read_beat
from jobs.logs import write_log
from jobs.ping import Absent, Silent, probe_agi
from jobs.settings import Settings, load_settings

AGI_SECONDS = 1.0  # how long the AGI server may be silent; a caller waits at most this, a round and the kill
AGI_ROUND_SECONDS = 0.2
START_SECONDS = 30.0  # a process that is not there to be asked after this time hung while it started

log = logging.getLogger("watchdog")


def probe_asterisk(ami_port: int, where: tuple[str, int], seconds: float) -> None:
    """Raise `Silent` when the exchange takes a SIP OPTIONS and answers nothing, nor greets at its manager port.

    To end the exchange ends every talk. So one answer is enough, and where nobody listens it is left alone: it may ring
    although its manager port is taken, or be long in starting.
    """
    with suppress(OSError), socket.create_connection(("127.0.0.1", ami_port), seconds) as connection:
        connection.settimeout(seconds)
        if connection.recv(16):
            return
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.settimeout(seconds)
        phone.connect(where)
        here = "{}:{}".format(*phone.getsockname())
        word = secrets.token_hex(8)
        phone.send(
            f"OPTIONS sip:watchdog@{where[0]} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bK{word}\r\n"
            f"From: <sip:watchdog@{here}>;tag={word}\r\nTo: <sip:watchdog@{where[0]}>\r\nCall-ID: {word}\r\n"
            "CSeq: 1 OPTIONS\r\nMax-Forwards: 1\r\nContent-Length: 0\r\n\r\n".encode()
        )
        try:
            phone.recv(16)
        except TimeoutError:
            raise Silent(f"no answer for {seconds} s") from None


def probe_redis(path: Path, seconds: float) -> None:
    """Ask Redis for a PONG. Raises `Silent` like `probe_agi`."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(seconds)
        try:
            connection.connect(str(path))
            connection.sendall(b"PING\r\n")
            connection.recv(16)
        except TimeoutError:
            raise Silent(f"no answer for {seconds} s") from None
        except OSError as error:
            raise Absent(error.strerror) from None


def probe_heartbeat(run_dir: Path, part: str, seconds: float) -> None:
    """Raise `Silent` when the part's last heartbeat is older than ``seconds``, `Absent` when none ever came."""
    beat = read_beat(run_dir, part)
    if beat is None:
        raise Absent("no heartbeat yet")
    if beat.age > seconds:
        raise Silent(f"no heartbeat for {beat.age:.0f} s", beat.pid)


def probe_rounds(run_dir: Path, seconds: float) -> None:
    """Like `probe_heartbeat`, of all that `jobs.rounds` does side by side."""
    for part in ("rounds", "reconcile", "calls", "worker", "plan"):
        probe_heartbeat(run_dir, part, seconds)


@dataclass(frozen=True)
class Watch:
    """One part to look after: asked every ``every`` seconds, killed after ``misses`` silences in a row."""

    part: str
    probe: Callable[[], None]
    every: float
    misses: int = 1
    grace: float = 0.0  # seconds that a process just started is left alone
    run_dir: Path | None = None  # where it writes the heartbeat that tells its pid, if it writes one


def watches(settings: Settings) -> list[Watch]:
    """What is watched, and how patiently."""
    run = settings.run_dir
    listed = [
        Watch("agi", lambda: probe_agi(settings.agi_port, AGI_SECONDS), every=AGI_ROUND_SECONDS, run_dir=run),
        # by its heartbeat, for an answer comes late from one that has much to do
        Watch("web", lambda: probe_heartbeat(run, "web", 15.0), every=1.0, grace=20.0),
        Watch("listener", lambda: probe_heartbeat(run, "listener", 10.0), every=1.0, grace=15.0),
        Watch("rounds", lambda: probe_rounds(run, 30.0), every=5.0, grace=45.0),
    ]
    sip = ("127.0.0.1" if settings.bind == "0.0.0.0" else settings.bind, settings.sip_port)
    exchange = Watch("asterisk", lambda: probe_asterisk(settings.ami_port, sip, 3.0), every=3.0, misses=3, grace=30.0)
    listed.append(exchange)
    if settings.private_redis:
        listed.append(Watch("redis", lambda: probe_redis(settings.redis_socket, 1.0), every=2.0, misses=3))
    return listed


class Supervisor:
    """What supervisord knows of its processes."""

    def __init__(self, socket_path: Path) -> None:
        self._url = f"unix://{socket_path}"

    def process(self, part: str) -> tuple[int, float] | None:
        """The part's pid and age in seconds, or None when it does not run (or supervisord does not answer)."""
        told = self._ask("getProcessInfo", part)
        return (told["pid"], told["now"] - told["start"]) if told and told["pid"] else None

    def start_all(self) -> bool:
        """Have every part started that does not run; returns whether supervisord took the order."""
        return self._ask("startAllProcesses", False) is not None

    def _ask(self, question: str, *arguments: object) -> Any:
        """supervisord's answer, or None without one.

        Each question has a connection of its own: one that timed out once can never be asked again.
        """
        transport = SupervisorTransport(None, None, self._url)
        try:
            return getattr(ServerProxy("http://127.0.0.1", transport=transport).supervisor, question)(*arguments)
        except (OSError, HTTPException, Error, ExpatError):
            return None
        finally:
            transport.close()


class Round:
    """When each watch last finished asking, so that a watch that hangs is seen from outside."""

    def __init__(self) -> None:
        self._finished: dict[str, float] = {}

    def finish(self, part: str) -> None:
        self._finished[part] = time.monotonic()

    def late(self) -> list[str]:
        """The parts that nobody has asked for half a minute."""
        return [part for part, at in self._finished.items() if time.monotonic() - at > 30.0]


def pid_of_its_own(watch: Watch) -> tuple[int, float] | None:
    """The AGI server's pid and age from its heartbeat: quicker than asking supervisord, which may hang, too.

    None unless the process is that server still, and a child of the supervisord that started us.
    """
    beat = read_beat(watch.run_dir, watch.part) if watch.run_dir else None
    if beat is None:
        return None
    try:
        command = Path(f"/proc/{beat.pid}/cmdline").read_bytes()
        status = Path(f"/proc/{beat.pid}/status").read_text()
    except OSError:
        return None
    ours = b"agi.server" in command and f"PPid:\t{os.getppid()}\n" in status
    return (beat.pid, time.time() - beat.started) if ours else None


def look(watch: Watch, supervisor: Supervisor, missed: int) -> int:
    """Ask the part once; kill its process when it hangs. Returns how many silences in a row there were."""
    try:
        watch.probe()
    except (Silent, Absent) as trouble:
        missed += 1
        grace = watch.grace if isinstance(trouble, Silent) else START_SECONDS
        process = None
        if missed >= watch.misses:
            process = pid_of_its_own(watch) or supervisor.process(watch.part)
        if process is not None and isinstance(trouble, Silent) and trouble.pid not in (None, process[0]):
            grace = max(grace, START_SECONDS)  # it was a former process that beat: this one starts
        # an age below zero: the clock was set back meanwhile, and the process is older than that
        if process is not None and not 0 <= process[1] < grace:
            _kill(process[0])
            log.warning("%s (process %d): %s; killed, to be started again", watch.part, process[0], trouble)
            return 0
        return missed
    return 0


def keep_watch(watch: Watch, supervisor: Supervisor, rounds: Round) -> None:
    """Ask the part for ever. Whatever goes wrong in one round, there is a next one."""
    missed = 0
    while True:
        try:
            missed = look(watch, supervisor, missed)
        except Exception:
            log.exception("%s could not be asked", watch.part)
        rounds.finish(watch.part)
        time.sleep(watch.every)


def run(settings: Settings) -> None:
    """Watch until supervisord ends this process; each part has a thread, so that one's silence delays no other.

    Returns when a thread is stuck, for supervisord to start all of them anew.
    """
    rounds = Round()
    for watch in watches(settings):
        rounds.finish(watch.part)
        supervisor = Supervisor(settings.supervisor_socket)
        threading.Thread(target=keep_watch, args=(watch, supervisor, rounds), name=watch.part, daemon=True).start()
    heart = Heart(settings.run_dir, "watchdog")
    while not (late := rounds.late()):
        heart.beat()
        time.sleep(1.0)
    log.error("nobody asks %s: the watchdog starts anew", ", ".join(late))


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def main() -> None:
    write_log()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    socket.setdefaulttimeout(5.0)  # supervisord, too, may hang
    run(load_settings())


if __name__ == "__main__":
    main()
