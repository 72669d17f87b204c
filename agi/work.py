"""The database work of the AGI scripts, done by a few threads, so that no call ever waits for it longer than it may.

Reading and writing are kept apart: a write that waits for the database's lock holds up no ring order. One thread
writes: calls that come together take their turns here instead of fighting for the lock.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, TypeVar

from flask import Flask
from sqlalchemy.exc import InterfaceError, OperationalError

from models.base import database_is_away

T = TypeVar("T")

READERS = 2  # threads
WAITING_READS = 250  # further ones are skipped at once: nobody would wait for them
WAITING_WRITES = 2000  # further ones are left to the reconciler
PATIENCE = 60.0  # seconds for which a write is tried again while the database is away
YIELD = 0.05  # seconds at most for which a write lets those that wait for a ring order go first
PAUSE = 0.2  # seconds between two tries
QUIET = 10.0  # seconds for which the same line is not logged again: a busy minute must not fill the log

log = logging.getLogger(__name__)


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
    """Database jobs of calls. Each runs in a fresh application context, with a session of its own.

    ``patience`` is how many seconds a write goes on trying while the database is locked or away.
    """

    def __init__(
        self,
        app: Flask,
        *,
        readers: int = READERS,
        reads: int = WAITING_READS,
        writes: int = WAITING_WRITES,
        patience: float = PATIENCE,
    ) -> None:
        self.area_code: str = app.config["SETTINGS"].profile.area_code
        self._app = app
        self._patience = patience
        self._readers = Workers("agi-read", readers, reads)
        self._writer = Workers("agi-write", 1, writes)
        self._stopping = threading.Event()
        self._troubles = {"read": "", "write": ""}
        self._logged: dict[tuple[str, str], float] = {}

    @property
    def trouble(self) -> str:
        """What is wrong with the database, for the heartbeat; empty when the last jobs went well."""
        return " ".join(text for text in self._troubles.values() if text)

    @property
    def unwritten(self) -> int:
        """How many writes wait or are being tried."""
        return self._writer.unfinished

    def read(self, job: Callable[[], T], until: float) -> T | None:
        """The job's result, or None when it is not there by ``until`` (a moment of `time.monotonic`) or failed."""
        try:
            future = self._readers.submit(lambda: self._in_context(job))
        except queue.Full:
            self._note("read", "Too many calls wait for the database: the dialplan's own ring order is used.")
            return None
        try:
            result = future.result(max(0.0, until - time.monotonic()))
        except TimeoutError:
            future.cancel()
            self._note("read", "The database answers too slowly: the dialplan's own ring order is used.")
        except Exception as error:
            self._note("read", f"The ring order cannot be read ({reason(error)}): the dialplan's own is used.")
        else:
            self._note("read", "")
            return result
        return None

    def write(self, job: Callable[[], None]) -> "Future[None]":
        """Do the job soon, once, in the order of arrival, whether or not anybody waits for the future.

        While the database is locked or away it is tried again; a job that fails for good, or that finds too many
        waiting, is left to the reconciler, and one line says so.
        """
        try:
            return self._writer.submit(lambda: self._write(job))
        except queue.Full:
            self._note("write", "Too many drafts wait for the database: the reconciler makes the others.")
            skipped: Future[None] = Future()
            skipped.set_result(None)
            return skipped

    def finish(self, until: float) -> int:
        """Let waiting writes end, without further tries of failed ones; how many are left at ``until``."""
        self._stopping.set()
        while self.unwritten and time.monotonic() < until:
            time.sleep(0.01)
        left = self.unwritten
        self._readers.stop()
        self._writer.stop()
        return left

    def _write(self, job: Callable[[], None]) -> None:
        give_up = time.monotonic() + self._patience
        self._let_readers_pass()
        while True:
            try:
                self._in_context(job)
            except Exception as error:
                self._note("write", f"Drafts are not written ({reason(error)}): the reconciler makes those missing.")
                if not database_is_away(error) or self._stopping.is_set() or time.monotonic() > give_up:
                    log.warning("A draft was left to the reconciler.")
                    return
                self._stopping.wait(PAUSE)
            else:
                self._note("write", "")
                return

    def _let_readers_pass(self) -> None:
        """When many call at once, all phones ring before the drafts are written."""
        until = time.monotonic() + YIELD
        while self._readers.unfinished and time.monotonic() < until:
            time.sleep(0.001)

    def _in_context(self, job: Callable[[], T]) -> T:
        with self._app.app_context():
            return job()

    def _note(self, kind: str, text: str) -> None:
        if text == self._troubles[kind]:
            return
        self._troubles[kind] = text
        line = text or "The database answers again."
        at = time.monotonic()
        if at - self._logged.get((kind, line), -QUIET) >= QUIET:
            self._logged[(kind, line)] = at
            log.warning("%s", line)


def reason(error: Exception) -> str:
    """The error in a few words, never with the values of a statement: those are personal data."""
    if isinstance(error, (OperationalError, InterfaceError)):
        return str(error.orig).partition("\n")[0]
    return type(error).__name__
