"""The watchdog tells silence from absence, and its patience is bounded."""

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from jobs.heartbeat import Heart
from jobs.watchdog import (
    AGI_ROUND_SECONDS,
    AGI_SECONDS,
    START_SECONDS,
    Absent,
    Silent,
    Supervisor,
    Watch,
    keep_watch,
    probe_agi,
    probe_heartbeat,
    probe_redis,
    probe_web,
)
from tests.conftest import free_port


@pytest.fixture
def silent_port():
    """A server that accepts (the kernel does) and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_silent_server_is_silent(silent_port: int) -> None:
    with pytest.raises(Silent):
        probe_agi(silent_port, 0.05)
    with pytest.raises(Silent):
        probe_web("127.0.0.1", silent_port, 0.05)


def test_an_absent_server_is_not_silent(tmp_path: Path) -> None:
    """Starting it is supervisord's work; there is nothing to kill."""
    with pytest.raises(Absent):
        probe_agi(free_port(), 0.05)
    with pytest.raises(Absent):
        probe_web("127.0.0.1", free_port(), 0.05)
    with pytest.raises(Absent):
        probe_redis(tmp_path / "nothing.sock", 0.05)


def test_an_old_heartbeat_is_silence(tmp_path: Path) -> None:
    with pytest.raises(Absent):
        probe_heartbeat(tmp_path, "listener", 0.0)
    Heart(tmp_path, "listener").beat()
    probe_heartbeat(tmp_path, "listener", 60.0)
    with pytest.raises(Silent):
        probe_heartbeat(tmp_path, "listener", -1.0)


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
    threading.Thread(target=keep_watch, args=(watch, OneProcess(process, age)), daemon=True).start()
    assert process.wait(10) == -signal.SIGKILL


@pytest.mark.parametrize("trouble", [Silent("no answer"), Absent("refused")])
def test_a_process_just_started_is_left_alone(trouble: Exception) -> None:
    """Within its grace a part is not killed, or it would never come up."""
    process = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
    asked = threading.Semaphore(0)

    def silent() -> None:
        asked.release()
        raise trouble

    watch = Watch("web", silent, every=0.001, grace=10.0)
    threading.Thread(target=keep_watch, args=(watch, OneProcess(process, 1.0)), daemon=True).start()
    for _ in range(50):
        assert asked.acquire(timeout=10)
    assert process.poll() is None
    process.kill()
    process.wait()


def test_the_slowest_rescue_fits_the_promise() -> None:
    """A caller waits at most a probe, a pause and the kill: well below two seconds (design, promise 1)."""
    assert AGI_SECONDS + AGI_ROUND_SECONDS <= 1.3
