"""The database work of the AGI scripts, done by a few threads, so that no call ever waits for it longer than it may.

Reading and writing are kept apart: a write that waits for the database's lock holds up no ring order. One thread
writes: calls that come together are written together instead of fighting for the lock.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, TypeVar

from flask import Flask

from jobs.callfacts import Told
from jobs.factwriter import Trouble, Writer
from jobs.lookup_limits import LookupLimits
from jobs.settings import Settings
from models.base import db, now, reason
from models.callers import likely_places
from models.free_days import load_calendar
from models.hours import branch_at
from models.lines import Timetable, ring_order, timetable
from models.outages import Announced, announced, to_tell
from models.telephone import to_e164
from models.workdays import WorkCalendar

T = TypeVar("T")
Steps = list[tuple[list[str], int]]

READERS = 2  # threads
WAITING_READS = 250  # further ones are skipped at once: nobody would wait for them
WAITING_WRITES = 2000  # further ones are left to the reconciler
YIELD = 0.05  # seconds at most for which a write lets those that wait for a ring order go first
FRESH = 1.0  # seconds for which a ring order is used again: calls that come together ask once

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reached:
    """A line as a call finds it: its ring order (None: not known), and by what it takes messages out of hours."""

    steps: Steps | None
    timetable: Timetable | None = None
    calendar: WorkCalendar = WorkCalendar()

    def closed(self, at: datetime) -> bool:
        """Whether a call of this moment is told the hours; never while it is not known for certain (promise 1)."""
        return self.timetable is not None and not branch_at(self.timetable, at, self.calendar).open


def read_line(digits: str) -> Reached:
    """The line with these `Line.digits`; the calendar is read for a line that takes messages alone."""
    session = db.session()
    steps, hours = ring_order(session, digits), timetable(session, digits)
    return Reached(steps, hours, load_calendar(session)) if hours else Reached(steps)


class Workers:
    """Threads that work off a queue of at most ``waiting`` jobs."""

    def __init__(self, name: str, threads: int, waiting: int) -> None:
        self._jobs: queue.Queue[tuple[Callable[[], Any], Future] | None] = queue.Queue(waiting)
        self._threads = threads
        for number in range(threads):
            threading.Thread(target=self._work, name=f"{name}-{number}", daemon=True).start()

    def submit(self, job: Callable[[], T]) -> "Future[T]":
        """Queue the job; raises `queue.Full` when too many wait."""
        future: Future[T] = Future()
        self._jobs.put_nowait((job, future))
        return future

    @property
    def unfinished(self) -> int:
        """How many jobs wait or run."""
        return self._jobs.unfinished_tasks

    def stop(self) -> None:
        """Let each thread end after the jobs that wait now."""
        with suppress(queue.Full):
            for _ in range(self._threads):
                self._jobs.put_nowait(None)

    def _work(self) -> None:
        while (work := self._jobs.get()) is not None:
            job, future = work
            try:
                if future.set_running_or_notify_cancel():
                    future.set_result(job())
            except Exception as error:
                future.set_exception(error)
            finally:
                self._jobs.task_done()


class Work:
    """Database jobs of calls. Each read runs in a fresh application context, with a session of its own."""

    def __init__(
        self, app: Flask, *, readers: int = READERS, reads: int = WAITING_READS, writes: int = WAITING_WRITES
    ) -> None:
        self._app = app
        self._readers = Workers("agi-read", readers, reads)
        area_code = app.config["SETTINGS"].profile.area_code
        self._writer = Writer(app, area_code, kept=writes, gather=0.0, hold=self._let_readers_pass)
        self._trouble = Trouble(log)
        self._announced: tuple[float, list[Announced]] = (-FRESH, [])
        self._lines: dict[str, tuple[float, Reached]] = {}  # by the digits that the dialplan knows: its lines

    @property
    def trouble(self) -> str:
        """What is wrong with the database, for the heartbeat; empty when the last jobs went well."""
        return " ".join(text for text in (self._trouble.text, self._writer.trouble) if text)

    def read(self, job: Callable[[], T], until: float) -> T | None:
        """The job's result, or None when it is not there by ``until`` (a moment of `time.monotonic`) or failed."""
        try:
            future = self._readers.submit(lambda: self._in_context(job))
        except queue.Full:
            self._trouble.note("Too many calls wait for the database: they go on without it.")
            return None
        try:
            result = future.result(max(0.0, until - time.monotonic()))
        except TimeoutError:
            future.cancel()
            self._trouble.note("The database answers too slowly: calls go on without it.")
        except Exception as error:
            self._trouble.note(f"The database cannot be read ({reason(error)}): calls go on without it.")
        else:
            self._trouble.note("")
            return result
        return None

    def line(self, digits: str, until: float) -> Reached:
        """The line as it is now, or was a second ago. While it cannot be read it rings as was last known, whatever its
        hours, and of a line that was never asked for nothing is known."""
        read_at, known = self._lines.get(digits, (0.0, Reached(None)))
        if known.steps is not None and time.monotonic() - read_at < FRESH:
            return known
        found = self.read(lambda: read_line(digits), until)
        if found is None:
            found = Reached(known.steps)  # and for a second no call of a known line waits again
        self._lines[digits] = time.monotonic(), found
        return found

    def outage(self, received: str, until: float) -> int | None:
        """The id of the outage that who calls from this number is told of (C7); None for none, and while the database
        is slow or away. Where nothing is announced, nobody is looked for."""
        read_at, outages = self._announced
        if time.monotonic() - read_at >= FRESH:
            outages = self.read(lambda: announced(db.session(), now()), until) or []
            self._announced = time.monotonic(), outages
        places, number = [], None
        if any(one.places for one in outages):
            number = to_e164(received, self.settings.profile.area_code)
        if number is not None:
            places = self.read(lambda: likely_places(db.session(), number), until) or []
        found = to_tell(outages, places, now())
        return found.id if found else None

    def tell(self, fact: Told) -> "Future[None]":
        """Have the fact written down soon, whether or not anybody waits for the future; see `Writer`."""
        return self._writer.put([fact])

    @cached_property
    def lookup_limits(self) -> LookupLimits:
        """How often a PIN may be tried, counted with the web's tries."""
        return LookupLimits(self.settings.redis_url, self._app.secret_key)

    @property
    def settings(self) -> Settings:
        return self._app.config["SETTINGS"]

    def finish(self, until: float) -> int:
        """Write what waits; how many calls are left unwritten at ``until``."""
        left = self._writer.close(max(0.0, until - time.monotonic()))
        self._readers.stop()
        return left

    def _let_readers_pass(self) -> None:
        """When many call at once, all phones ring before the drafts are written."""
        until = time.monotonic() + YIELD
        while self._readers.unfinished and time.monotonic() < until:
            time.sleep(0.001)

    def _in_context(self, job: Callable[[], T]) -> T:
        with self._app.app_context():
            return job()
