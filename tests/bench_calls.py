"""What a call costs: measured against a FastAGI server that does nothing, on the same Asterisk, in one run."""

import socketserver
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psutil

from jobs.demo_users import DEMO_USERS
from tests.helpers import eventually
from tests.pbx.screen import Screen
from tests.pbx.town import Town, invites, percentile, running_town

LINES = ("53273", "53275", "54286")
LADDER = (*range(100, 200, 20), *range(200, 500, 10))  # calls a second that are tried
PARTS = ("agi", "listener", "rounds", "web", "watchdog", "redis")
_first = 0


def say(text: str) -> None:
    print(text, flush=True)


def numbers(count: int) -> list[tuple[str, str]]:
    """Callers that nobody has seen before."""
    global _first
    _first += count
    return [(f"+38050{_first + position:07d}", LINES[position % 3]) for position in range(count)]


class _Nothing(socketserver.StreamRequestHandler):
    """Reads the environment and leaves: the dialplan's defaults ring."""

    def handle(self) -> None:
        while self.rfile.readline().strip():
            pass


@contextmanager
def nothing_instead_of_us(town: Town) -> Iterator[None]:
    """Asterisk alone: all our parts stopped, a FastAGI server that does nothing in their place."""
    stopped = [part for part in PARTS if part != "redis" and town.pid(part)]
    for part in stopped:
        town.stop_part(part)
    socketserver.ThreadingTCPServer.allow_reuse_address = True
    socketserver.ThreadingTCPServer.request_queue_size = 250
    server = socketserver.ThreadingTCPServer(("127.0.0.1", town.settings.agi_port), _Nothing)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        for part in stopped:
            town.start_part(part)
        eventually(lambda: not town.unwell(), town.unwell, 60)


def holds(town: Town, rate: int, seconds: int = 8) -> bool:
    """Whether ``rate`` calls a second for ``seconds`` all succeed, each 200 ms long."""
    callers = numbers(rate * seconds)
    citizens, _folder = town.call(callers, rate=rate, talk_ms=200, patience_ms=8000, trace=False)
    try:
        code = citizens.wait(seconds * 3 + 20)
    except subprocess.TimeoutExpired:
        citizens.kill()
        code = citizens.wait()
    eventually(lambda: town.channels() == 0, "channels gone", 60)
    return code == 0


def highest_rate(town: Town, name: str, ladder: Iterable[int], settled: Callable[[], bool] = lambda: True) -> int:
    """The highest rung of the ladder without a failed call; says how long ``settled`` took after each rung."""
    best = 0
    for rate in ladder:
        if not holds(town, rate):
            say(f"  {name}: {rate}/s fails")
            break
        best = rate
        ended = time.monotonic()
        eventually(settled, "everything is written down", 120)
        say(f"  {name}: {rate}/s holds; written down {time.monotonic() - ended:.1f} s after the last call")
    return best


def ring_waits(town: Town, rate: int, count: int) -> list[float]:
    """Seconds from each INVITE to the phone's INVITE."""
    phones = town.start_phones(ring_ms=100, talk_ms=300)
    citizens, folder = town.call(numbers(count), rate=rate, talk_ms=200)
    citizens.wait(count / rate + 60)
    sent, heard = invites(folder), town.rings(phones)
    eventually(lambda: town.channels() == 0, "channels gone", 30)
    return [heard[caller][0][0] - at for caller, at in sent.items() if caller in heard]


def screen_waits(town: Town, count: int) -> list[float]:
    """Seconds from each INVITE to the event on the stream of the administrator it rings for, at 2/s."""
    town.start_phones(ring_ms=600, talk_ms=300)
    screens = []
    for login, password, _name, role in DEMO_USERS:
        if role == "administrator":
            screens.append(Screen(f"http://127.0.0.1:{town.settings.web_port}", login, password).log_in().listen())
    citizens, folder = town.call(numbers(count), rate=2, talk_ms=200)
    citizens.wait(count / 2 + 60)
    sent = invites(folder)
    ids = {row["number"]: row["id"] for row in town.rows("SELECT id, number FROM calls WHERE number LIKE '+38050%'")}
    shown: dict[int, float] = {}
    for screen in screens:
        with closing(screen):
            shown |= screen.rang_here()
    return [shown[ids[caller]] - at for caller, at in sent.items() if ids.get(caller) in shown]


def memory_mb(town: Town) -> float:
    """Memory of everything but Asterisk, in MB (proportional: shared pages are counted once)."""
    supervisord = psutil.Process(town.process.pid)
    asterisk = town.pid("asterisk")
    running = [supervisord, *supervisord.children(recursive=True)]
    pss = (process.memory_full_info().pss for process in running if process.pid != asterisk)
    return sum(pss) / 1e6


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


def main() -> None:
    rows: list[tuple[str, str, str]] = []
    with tempfile.TemporaryDirectory(prefix="cc-") as folder:
        Path(folder).chmod(0o755)
        with running_town(Path(folder)) as town:
            say("INVITE to ring, 5/s …")
            ours = ring_waits(town, 5, 100)
            say("INVITE to screen, 2/s …")
            screens = screen_waits(town, 60)
            memory = memory_mb(town)
            town.start_phones(ring_ms=1, talk_ms=5000, trace=False)
            say("calls per second, with everything running …")
            live = "SELECT count(*) FROM calls WHERE state IN ('ringing', 'talking')"
            ours_rate = highest_rate(town, "ours", LADDER, lambda: town.value(live) == 0)
            eventually(lambda: not town.unwell(), town.unwell, 120)
            with nothing_instead_of_us(town):
                say("the same against a server that does nothing …")
                town.start_phones(ring_ms=1, talk_ms=5000, trace=False)
                bare_rate = highest_rate(town, "nothing", LADDER)
                bare = ring_waits(town, 5, 100)
            say("second start …")
            town.stop()
            began = time.monotonic()
            subprocess.run(["script/setup"], check=True)
            town.phones.clear()
            town.start()
            second_start = time.monotonic() - began
    added = percentile(ours, 0.95) - percentile(bare, 0.95)
    rows += [
        ("calls/s without failure", f"{ours_rate}", f"{ours_rate / max(bare_rate, 1):.2f} of {bare_rate}, wanted 0.70"),
        ("INVITE to ring, p95 added", milliseconds(added), f"{milliseconds(percentile(ours, 0.95))} against "
         f"{milliseconds(percentile(bare, 0.95))} (wanted 30 ms)"),
        ("INVITE to screen, p95", milliseconds(percentile(screens, 0.95)), f"{len(screens)} calls (wanted 150 ms)"),
        ("memory without Asterisk", f"{memory:.0f} MB", "wanted 400 MB"),
        ("second start to READY", f"{second_start:.1f} s", "wanted 15 s"),
    ]  # fmt: skip
    for name, value, note in rows:
        say(f"{name:<28}{value:>12}   {note}")


if __name__ == "__main__":
    main()
