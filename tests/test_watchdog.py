"""The watchdog tells silence from absence, and its patience is bounded."""

import os
import signal
import socket
import subprocess
import sys
import threading
import xmlrpc.client
from pathlib import Path

import pytest

from jobs.heartbeat import Heart, read_beat
from jobs.settings import Settings
from jobs.watchdog import (
    START_SECONDS,
    Absent,
    Round,
    Silent,
    Supervisor,
    Watch,
    keep_watch,
    probe_agi,
    probe_asterisk,
    probe_heartbeat,
    probe_redis,
    run,
    watches,
)
from tests.helpers import free_port


@pytest.fixture
def silent_port():
    """A server that accepts (the kernel does) and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_silent_server_is_silent(silent_port: int) -> None:
    with pytest.raises(Silent):
        probe_agi(silent_port, 0.05)


def test_an_exchange_is_silent_when_neither_door_answers(silent_port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sip:
        sip.bind(("127.0.0.1", 0))
        with pytest.raises(Silent):
            probe_asterisk(silent_port, sip.getsockname(), 0.05)
        assert sip.recv(2000).startswith(b"OPTIONS sip:")


def test_an_exchange_that_answers_at_one_door_is_not_silent(silent_port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sip:
        sip.bind(("127.0.0.1", 0))

        def answer() -> None:
            _, peer = sip.recvfrom(2000)
            sip.sendto(b"SIP/2.0 401 Unauthorized\r\n\r\n", peer)

        answering = threading.Thread(target=answer)
        answering.start()
        probe_asterisk(silent_port, sip.getsockname(), 5.0)
        answering.join()


def test_an_exchange_whose_manager_port_is_taken_or_closed_is_left_alone() -> None:
    """It rings all the same, or it is still starting: who would end it would end every talk, again and again."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = closed.getsockname()
    probe_asterisk(free_port(), nobody, 5.0)


def test_an_absent_server_is_not_silent(tmp_path: Path) -> None:
    """Starting it is supervisord's work; there is nothing to kill."""
    with pytest.raises(Absent):
        probe_agi(free_port(), 0.05)
    with pytest.raises(Absent):
        probe_redis(tmp_path / "nothing.sock", 0.05)


def test_a_part_started_anew_on_a_full_disk_is_alive(tmp_path: Path) -> None:
    """What its former process wrote cannot be written anew, and is no sign of silence all the same."""
    Heart(tmp_path, "listener").beat()
    written = tmp_path / "listener.json"
    os.utime(written, (0, 0))
    (tmp_path / "listener.json.new").mkdir()  # the new file cannot be written
    Heart(tmp_path, "listener").beat()
    probe_heartbeat(tmp_path, "listener", 60.0)


def test_an_old_heartbeat_is_silence(tmp_path: Path) -> None:
    with pytest.raises(Absent):
        probe_heartbeat(tmp_path, "listener", 0.0)
    Heart(tmp_path, "listener").beat()
    probe_heartbeat(tmp_path, "listener", 60.0)
    with pytest.raises(Silent):
        probe_heartbeat(tmp_path, "listener", -1.0)


def test_a_web_server_that_answers_nobody_is_left_alone_as_long_as_it_beats(settings: Settings) -> None:
    """It may only have much to do: a crowd must not make the watchdog kill it."""
    (web,) = [watch for watch in watches(settings) if watch.part == "web"]
    Heart(settings.run_dir, "web").beat()
    web.probe()
    os.utime(settings.run_dir / "web.json", (0, 0))
    with pytest.raises(Silent):
        web.probe()


class OneProcess(Supervisor):
    """Knows one process, for as long as it lives, as supervisord would."""

    def __init__(self, process: subprocess.Popen, age: float) -> None:
        self._process, self._age = process, age

    def process(self, part: str) -> tuple[int, float] | None:
        return (self._process.pid, self._age) if self._process.poll() is None else None


def test_a_stopped_process_is_killed(silent_port: int) -> None:
    """A server under SIGSTOP holds every caller; only its end frees them."""
    process = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
    os.kill(process.pid, signal.SIGSTOP)
    watch = Watch("agi", lambda: probe_agi(silent_port, 0.05), every=0.01, misses=2)
    assert_killed(process, watch, age=5.0)


def test_a_process_that_hung_while_it_started_is_killed() -> None:
    """It listens nowhere, long after it should have: nobody is held, but nobody is served either."""
    process = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
    port = free_port()
    assert_killed(process, Watch("agi", lambda: probe_agi(port, 0.05), every=0.01), age=START_SECONDS)


def assert_killed(process: subprocess.Popen, watch: Watch, age: float) -> None:
    threading.Thread(target=keep_watch, args=(watch, OneProcess(process, age), Round()), daemon=True).start()
    assert process.wait(10) == -signal.SIGKILL


@pytest.mark.parametrize(
    ("trouble", "age"),
    [(Silent("no answer"), 1.0), (Absent("refused"), 1.0), (Silent("a former process beat last", 1), 20.0)],
)
def test_a_process_just_started_is_left_alone(trouble: Exception, age: float) -> None:
    """Within its grace a part is not killed, or it would never come up; nor for a beat of the one before it."""
    process = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
    asked = threading.Semaphore(0)

    def silent() -> None:
        asked.release()
        raise trouble

    watch = Watch("web", silent, every=0.001, grace=10.0)
    threading.Thread(target=keep_watch, args=(watch, OneProcess(process, age), Round()), daemon=True).start()
    for _ in range(50):
        assert asked.acquire(timeout=10)
    assert process.poll() is None
    process.kill()
    process.wait()


def test_a_clock_set_back_protects_nothing_that_hangs(silent_port: int) -> None:
    """After a blackout the clock may jump; a server that seems to start in the future is killed all the same."""
    process = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
    assert_killed(process, Watch("agi", lambda: probe_agi(silent_port, 0.05), every=0.01), age=-3600.0)


def test_a_round_that_fails_is_followed_by_another() -> None:
    """Nothing that a probe or supervisord does ends the watching."""
    asked = threading.Semaphore(0)

    rounds_left = [None] * 3

    def broken() -> None:
        asked.release()
        if not rounds_left:
            threading.Event().wait()  # the test has seen enough
        rounds_left.pop()
        raise RuntimeError("out of file handles")

    watch = Watch("agi", broken, every=0.001)
    threading.Thread(target=keep_watch, args=(watch, Supervisor(Path("/nowhere")), Round()), daemon=True).start()
    for _ in range(4):
        assert asked.acquire(timeout=10)


def test_a_watchdog_with_a_stuck_watch_ends_to_be_started_anew(settings, monkeypatch) -> None:
    """Its heartbeat alone would hide that nobody asks the AGI server any more."""
    monkeypatch.setattr("jobs.watchdog.watches", lambda settings: [])
    monkeypatch.setattr(Round, "late", lambda rounds: ["agi"])
    settings.run_dir.mkdir()
    run(settings)


def test_a_beat_only_touches_what_did_not_change(tmp_path: Path) -> None:
    """A full disk must not make a living part look dead: an unchanged beat needs no room."""
    heart = Heart(tmp_path, "agi")
    heart.beat()
    (tmp_path / "agi.json").chmod(0o400)
    os.utime(tmp_path / "agi.json", (0, 0))
    inode = (tmp_path / "agi.json").stat().st_ino
    heart.beat()
    assert read_beat(tmp_path, "agi").age < 60
    assert (tmp_path / "agi.json").stat().st_ino == inode
    heart.beat(False, "the database is away")
    beat = read_beat(tmp_path, "agi")
    assert (beat.ok, beat.detail, beat.pid) == (False, "the database is away", os.getpid())


def test_a_supervisord_that_hung_is_asked_again(tmp_path: Path) -> None:
    """One time-out of supervisord must not make the watchdog blind: the next question has a new connection."""
    path = tmp_path / "supervisor.sock"
    asked = []
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()

        def serve() -> None:
            silent, _ = server.accept()
            asked.append(silent)  # kept open, never answered
            talking, _ = server.accept()
            question = b""
            while b"</methodCall>" not in question:
                question += talking.recv(65536)
            body = xmlrpc.client.dumps(({"pid": 42, "now": 10, "start": 4},), methodresponse=True).encode()
            talking.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n" % len(body) + body
            )
            talking.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        before = socket.getdefaulttimeout()
        socket.setdefaulttimeout(0.3)
        try:
            supervisor = Supervisor(path)
            assert supervisor.process("agi") is None
            assert supervisor.process("agi") == (42, 6)
        finally:
            socket.setdefaulttimeout(before)
            thread.join(10)
            asked[0].close()
