"""A citizen's call rings as long as Asterisk runs (design, promise 1), and loses no draft (promise 2)."""

import itertools
import os
import signal
import socketserver
import sqlite3
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from tests.helpers import eventually
from tests.pbx.town import Town, invites, percentile, running_town
from tests.table_fixtures import Table

pytestmark = [pytest.mark.pbx, pytest.mark.long, pytest.mark.alone]

TABLE = "Ring without us"

CALLS = 50
RATE = 2
LINES = ("53273", "53275", "54286")
LATEST_RING = 2.0  # seconds from INVITE to the phone, whatever is broken
LATEST_RING_SLOW = 0.7  # where the AGI server runs but its database does not answer
RECOVERY_SECONDS = 60
_faults = itertools.count(1)  # each has callers of its own


class _Garbage(socketserver.BaseRequestHandler):
    """An AGI server that has lost its mind."""

    def handle(self) -> None:
        self.request.settimeout(2)
        try:
            self.request.recv(4096)
            self.request.sendall(b'\x00\xff SET VARIABLE CC_ROUTE "SIP/evil\n200 result=0\n' + os.urandom(200) + b"\n")
            self.request.recv(4096)
        except OSError:
            return


@contextmanager
def agi_absent(town: Town) -> Iterator[None]:
    town.stop_part("agi")
    yield
    town.start_part("agi")


@contextmanager
def signalled(town: Town, part: str, number: signal.Signals) -> Iterator[None]:
    """Once a second the part's process gets the signal, for as long as the calls come."""
    over = threading.Event()

    def signal_again() -> None:
        while not over.wait(1.0):
            pid = town.pid(part)
            if pid:
                os.kill(pid, number)

    thread = threading.Thread(target=signal_again)
    thread.start()
    yield
    over.set()
    thread.join()


@contextmanager
def agi_garbage(town: Town) -> Iterator[None]:
    town.stop_part("agi")
    socketserver.ThreadingTCPServer.allow_reuse_address = True
    with socketserver.ThreadingTCPServer(("127.0.0.1", town.settings.agi_port), _Garbage) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield
        server.shutdown()
        thread.join()
    town.start_part("agi")


@contextmanager
def database_locked(town: Town) -> Iterator[None]:
    connection = sqlite3.connect(town.var / "contact-center.sqlite3", isolation_level=None, timeout=10)
    connection.execute("BEGIN IMMEDIATE")
    yield
    connection.execute("ROLLBACK")
    connection.close()


@contextmanager
def disk_full(disk: Path) -> Iterator[None]:
    """Not another byte can be written on ``disk``."""
    filler = os.open(disk / "filler", os.O_CREAT | os.O_WRONLY)
    try:
        while True:
            os.write(filler, bytes(4096))
    except OSError:
        os.close(filler)
    yield
    (disk / "filler").unlink()


FAULTS: dict[str, tuple[Callable[[Town], AbstractContextManager], float]] = {
    "AGI server absent": (agi_absent, LATEST_RING),
    "AGI server stopped (SIGSTOP)": (lambda town: signalled(town, "agi", signal.SIGSTOP), LATEST_RING),
    "AGI server killed in the middle": (lambda town: signalled(town, "agi", signal.SIGKILL), LATEST_RING),
    "AGI server answers garbage": (agi_garbage, LATEST_RING),
    "database locked": (database_locked, LATEST_RING_SLOW),
    "Redis killed": (lambda town: signalled(town, "redis", signal.SIGKILL), LATEST_RING),
    "listener killed": (lambda town: signalled(town, "listener", signal.SIGKILL), LATEST_RING),
    "web killed": (lambda town: signalled(town, "web", signal.SIGKILL), LATEST_RING),
}


def call_through(town: Town, table: Table, name: str, fault: AbstractContextManager, latest: float) -> None:
    """Fifty calls while ``fault`` lasts: all ring in time, and all have one draft a minute after the repair."""
    phones = town.start_phones(ring_ms=200, talk_ms=300)
    start = 1000 * next(_faults)
    callers = [(f"+38067{5_000_000 + start + position}", LINES[position % 3]) for position in range(CALLS)]
    with fault:
        citizens, folder = town.call(callers, rate=RATE, talk_ms=300, patience_ms=15_000)
        citizens.wait(CALLS / RATE + 60)
    repaired = time.monotonic()
    sent, heard = invites(folder), town.rings(phones)
    waits = [heard[caller][0][0] - sent[caller] for caller, _ in callers if caller in heard]

    def drafts() -> int:
        numbers = {caller for caller, _ in callers}
        rows = town.rows("SELECT calls.number FROM calls JOIN reports ON reports.call_id = calls.id")
        return sum(row["number"] in numbers for row in rows)

    def recovered() -> bool:
        try:
            return drafts() >= CALLS
        except OperationalError:
            return False

    eventually(recovered, f"{name}: {CALLS} drafts", RECOVERY_SECONDS)
    took = time.monotonic() - repaired
    table.add(
        fault=name, calls=CALLS, rang=len(waits), p95_ms=round(percentile(waits, 0.95) * 1000),
        max_ms=round(max(waits) * 1000), drafts=drafts(), recovered_s=round(took, 1),
    )  # fmt: skip
    assert len(waits) == CALLS, f"{CALLS - len(waits)} calls rang no phone"
    assert max(waits) <= latest
    assert drafts() == CALLS
    eventually(lambda: town.channels() == 0, "channels gone", 20)
    eventually(lambda: not town.unwell(), town.unwell, 60)


@pytest.mark.parametrize("name", FAULTS)
def test_it_rings_without(town: Town, table: Table, name: str) -> None:
    fault, latest = FAULTS[name]
    call_through(town, table, name, fault(town), latest)


def test_it_rings_with_a_full_disk(table: Table, tmp_path: Path) -> None:
    """The disk of the database is full: the phone rings, and the drafts follow once there is room."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.decode().strip()}")
    try:
        with tempfile.TemporaryDirectory(prefix="cc-") as var:
            Path(var).chmod(0o755)
            with running_town(Path(var), CC_DATABASE_URL=f"sqlite:///{disk}/contact-center.sqlite3") as town:
                call_through(town, table, "disk of the database full", disk_full(disk), LATEST_RING)
    finally:
        subprocess.run(["umount", str(disk)], check=True)
