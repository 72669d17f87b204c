"""How well our own calls use the lines: on a real exchange, with a simulated town that is called."""

import sys
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from sqlalchemy import func, insert, select, update

from models.attempts import Attempt, LineSlot
from models.base import db, now, transaction
from models.calls import LIVE_STATES, Call
from models.calltasks import CallTask, Purpose, TaskState
from models.reports import Report, ReportState
from tests.helpers import eventually
from tests.pbx.citizens import Citizens, invited_numbers
from tests.pbx.test_at_most_once import DATABASE, kill_while_calling
from tests.pbx.town import percentile, read_trace, running_town
from tests.postgres_fixtures import new_database, private_server

LINES, RESERVED = 3, 1
DUE, TALK_MS, INBOUND = 200, 5_000, 12
WAITING = 100_000
KILLED_CITIZENS, KILLS = 150, 40
WANTED_USE, WANTED_SECONDS = 0.95, 2.0


def say(text: str) -> None:
    print(text, flush=True)


class Watch:
    """Looks ten times a second how many lines are taken by our calls, and how many by citizens who call."""

    def __init__(self, citizens: Citizens) -> None:
        self._citizens, self._stop = citizens, threading.Event()
        self.seen: list[tuple[int, int]] = []
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        with self._citizens.app.app_context():
            while not self._stop.wait(0.1):
                leased = db.session.scalar(select(func.count()).where(LineSlot.until > now())) or 0
                inbound = db.session.scalar(select(func.count()).where(Call.state.in_(LIVE_STATES))) or 0
                self.seen.append((leased, inbound))
                db.session.remove()

    def end(self) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def used(self) -> float:
        """Which part of the time that ours were allowed to take lines they took them, while calls were left to make."""
        taken = sum(leased for leased, _inbound in self.seen)
        allowed = sum(max(leased, LINES - RESERVED - inbound, 0) for leased, inbound in self.seen)
        return taken / max(allowed, 1)

    @property
    def most(self) -> int:
        return max(leased for leased, _inbound in self.seen)


def attempts_of(citizens: Citizens) -> list[Attempt]:
    with citizens.app.app_context():
        found = list(db.session.scalars(select(Attempt).order_by(Attempt.id)))
        db.session.expunge_all()
        return found


def open_checks(citizens: Citizens) -> int:
    with citizens.app.app_context():
        return db.session.scalar(
            select(func.count()).where(
                CallTask.purpose == Purpose.STATUS_CHECK,
                CallTask.settled_at.is_(None),
                CallTask.state == TaskState.WAITING,
                CallTask.due_at <= now(),
            )
        )


def many_due(citizens: Citizens) -> list[tuple[str, str, str]]:
    """200 calls are due, three lines, one of them kept for citizens, who call meanwhile."""
    for _ in range(DUE):
        citizens.done()
    eventually(lambda: open_checks(citizens) >= DUE, "the tasks", 60)
    town = citizens.town
    town.start_phones(ring_ms=300, talk_ms=4000, trace=False)
    watch: Watch | None = None
    with citizens.at_home(ring_ms=400, talk_ms=TALK_MS) as folder:
        with citizens.machine_calls():
            eventually(lambda: len(attempts_of(citizens)) > 1, "the first calls", 30)
            watch, began = Watch(citizens), time.monotonic()
            callers = [(f"+38050{number:07d}", "53273") for number in range(INBOUND)]
            inbound, _trace = town.call(callers, rate=0.1, talk_ms=3000, patience_ms=20_000)
            last = -1
            while (left := open_checks(citizens)) > LINES and time.monotonic() - began < 1500:
                if left // 20 != last:
                    last = left // 20
                    say(f"  {left} calls are left; lines used {watch.used:.3f}")
                threading.Event().wait(0.5)
            watch.end()
            refused = inbound.wait(60)
            eventually(lambda: open_checks(citizens) == 0, "the last calls", 120)
            eventually(lambda: all(one.settled_at for one in attempts_of(citizens)), "the last calls end", 60)
        calls = invited_numbers(folder)
    return [
        (
            "200 due: use of the lines",
            f"{watch.used:.3f}",
            f"wanted {WANTED_USE}; of {LINES - RESERVED} less who calls",
        ),
        ("most of ours at once", f"{watch.most}", f"allowed {LINES - RESERVED}"),
        ("citizens' calls refused", f"{refused}", f"of {INBOUND}"),
        ("called more than once", f"{sum(count > 1 for count in calls.values())}", f"of {len(calls)}"),
    ]


def invite_after_due(citizens: Citizens, count: int) -> list[float]:
    """Seconds from the moment at which each of ``count`` tasks becomes due to its INVITE, a line being free."""
    waits = []
    for _ in range(count):
        number = f"+38063{len(attempts_of(citizens)):07d}"
        (report,) = citizens.done(number)
        task = CallTask.report_id == report

        def waiting(task=task) -> bool:
            with citizens.app.app_context():
                return db.session.scalar(select(CallTask.id).where(task)) is not None

        with citizens.app.app_context(), transaction() as session:  # the rule makes it; it is due in a moment
            session.execute(update(Report).where(Report.id == report).values(state=ReportState.IN_PROGRESS))
        due = now() + timedelta(seconds=1)
        with citizens.app.app_context(), transaction() as session:
            session.execute(update(Report).where(Report.id == report).values(state=ReportState.DONE))
            session.add(
                CallTask(
                    purpose=Purpose.STATUS_CHECK, report_id=report, number=number, created_at=due, due_at=due,
                    deadline_at=due,
                )
            )  # fmt: skip
        assert waiting()
        with citizens.at_home(refusal="486 Busy Here", rings=False) as folder:
            eventually(lambda number=number, folder=folder: invited_numbers(folder)[number], "the call", 30)
            eventually(lambda: all(one.settled_at for one in attempts_of(citizens)), "its end", 30)
            invite = next(one.at for one in read_trace(folder) if one.method == b"INVITE" and not one.sent)
        waits.append(invite - due.timestamp())
    return waits


def attempts_a_minute(citizens: Citizens, seconds: int = 30) -> float:
    """How many calls a minute are begun when everybody is busy at once."""
    for _ in range(seconds * 20):
        citizens.done()
    eventually(lambda: open_checks(citizens) >= seconds * 20, "the tasks", 180)
    with citizens.at_home(refusal="486 Busy Here", rings=False), citizens.machine_calls():
        known, began = len(attempts_of(citizens)), time.monotonic()
        eventually(lambda: len(attempts_of(citizens)) > known + 2, "the first calls", 30)
        known, began = len(attempts_of(citizens)), time.monotonic()
        threading.Event().wait(seconds)
        made = len(attempts_of(citizens)) - known
        took = time.monotonic() - began
    eventually(lambda: all(one.settled_at for one in attempts_of(citizens)), "their ends", 60)
    with citizens.app.app_context(), transaction() as session:  # what is left
        session.execute(update(Report).where(Report.state == ReportState.DONE).values(state=ReportState.CLOSED))
    eventually(lambda: open_checks(citizens) == 0, "the tasks end", 180)
    return made * 60 / took


def wait_by_the_hundred_thousand(citizens: Citizens) -> None:
    """Tasks that are due tomorrow, and as many reports."""
    at = now()
    with citizens.app.app_context(), transaction() as session:
        first = (session.scalar(select(func.max(Report.id))) or 0) + 1
        session.execute(
            insert(Report),
            [
                {"id": first + place, "number": f"2098-{place:06d}", "state": ReportState.DONE,
                 "contact_number": f"+38068{place:07d}", "registered_at": at, "created_at": at, "text": ""}
                for place in range(WAITING)
            ],
        )  # fmt: skip
        session.execute(
            insert(CallTask),
            [
                {"purpose": Purpose.STATUS_CHECK, "state": TaskState.WAITING, "report_id": first + place,
                 "number": f"+38068{place:07d}", "created_at": at, "due_at": at + timedelta(days=1), "words": "",
                 "deadline_at": at + timedelta(hours=1)}
                for place in range(WAITING)
            ],
        )  # fmt: skip


def measured(citizens: Citizens, measure: Callable[[], list[float]]) -> float:
    with citizens.machine_calls():
        return percentile(measure(), 0.95)


def kills(folder: Path) -> list[tuple[str, str, str]]:
    """150 calls, 40 kills, on PostgreSQL, whose connections are killed with the rest."""
    parts = ("rounds", "listener", "redis", "agi", DATABASE, "asterisk", "rounds", "web")
    with private_server() as server, running_town(folder, CC_DATABASE_URL=new_database(server)) as town:
        found = kill_while_calling(Citizens(town), KILLED_CITIZENS, [parts[turn % len(parts)] for turn in range(KILLS)])
    return [(f"under {KILLS} kills: {name}", f"{value}", "") for name, value in found.items()]


def lines(folder: Path) -> list[tuple[str, str, str]]:
    """How soon, how many and how well: on SQLite."""
    with running_town(folder) as town:
        citizens = Citizens(town)
        say("from due to INVITE …")
        few = measured(citizens, lambda: invite_after_due(citizens, 20))
        say("calls a minute …")
        rate = attempts_a_minute(citizens)
        say("200 calls are due …")
        rows = many_due(citizens)
        say(f"{WAITING} tasks wait …")
        wait_by_the_hundred_thousand(citizens)
        many = measured(citizens, lambda: invite_after_due(citizens, 20))
        slower = attempts_a_minute(citizens)
    return [
        *rows,
        ("due to INVITE, p95", f"{few:.2f} s", f"wanted {WANTED_SECONDS} s; a line is free"),
        ("with 100,000 tasks waiting", f"{many:.2f} s", f"{many / few:.2f} of that"),
        ("calls begun a minute", f"{rate:.0f}", f"all are busy; {LINES - RESERVED} lines"),
        ("with 100,000 tasks waiting", f"{slower:.0f}", f"{slower / rate:.2f} of that"),
    ]


def main() -> None:
    wanted = sys.argv[1:] or ["kills", "lines"]
    rows: list[tuple[str, str, str]] = []
    for name in wanted:
        with tempfile.TemporaryDirectory(prefix="cc-") as folder:
            Path(folder).chmod(0o755)
            rows += {"kills": kills, "lines": lines}[name](Path(folder))
    for name, value, note in rows:
        say(f"{name:<32}{value:>12}   {note}")


if __name__ == "__main__":
    main()
