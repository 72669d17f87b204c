"""Puts facts about calls into the database, in order, and keeps them while the database is away."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress

from flask import Flask

from jobs.callfacts import Told, apply
from models.base import database_is_away, db, reason, transaction

FACTS_KEPT = 20_000  # while the database is away
BATCH = 50  # facts in one transaction: others wait for the database's lock meanwhile
GATHER = 0.03  # seconds for which facts are gathered: twenty in one transaction cost little more than one
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 1.0  # seconds between tries
SLOW = 3.0  # seconds after which a transaction is a trouble
QUIET = 10.0  # seconds for which the same line is not logged again: a busy minute must not fill the log

log = logging.getLogger(__name__)


class Trouble:
    """What is wrong at present, in one sentence (``text``, empty when all is well); logged when it comes and goes."""

    def __init__(self, logger: logging.Logger) -> None:
        self.text = ""
        self._logger = logger
        self._logged: dict[str, float] = {}

    def note(self, text: str) -> None:
        """This is wrong now; an empty text when all is well again."""
        if text == self.text:
            return
        self.text = text
        line = text or "The database answers again."
        at = time.monotonic()
        if at - self._logged.get(line, -QUIET) >= QUIET:
            self._logged[line] = at
            self._logger.warning("%s", line)


class Writer:
    """Puts facts into the database, in order, from a thread of its own.

    What comes in within ``gather`` seconds, or while a transaction is under way, is written in one transaction;
    ``hold`` is called before each and may wait for something that is more urgent.
    """

    def __init__(
        self,
        app: Flask,
        area_code: str,
        *,
        kept: int = FACTS_KEPT,
        gather: float = GATHER,
        hold: Callable[[], None] = lambda: None,
    ) -> None:
        self._app, self._area_code, self._kept = app, area_code, kept
        self._gather, self._hold = gather, hold
        self._facts: deque[tuple[Told, Future[None] | None]] = deque()
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._busy_since: float | None = None
        self._trouble = Trouble(log)
        self.refused = 0
        self._full = False  # and that was logged
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()

    def put(self, facts: list[Told]) -> "Future[None]":
        """Take facts over; the future is done once they are written, or left to the reconciler.

        When the queue is full the older ones are kept.
        """
        done: Future[None] = Future()
        with self._changed:
            taken = facts[: max(0, self._kept - len(self._facts))]
            self._facts.extend((fact, None) for fact in taken[:-1])
            self._facts.extend((fact, done) for fact in taken[-1:])
            if len(facts) > len(taken):
                if not self._full:
                    self._full = True
                    log.error("too many facts wait for the database: newer ones are left to the reconciler")
                self.refused += len(facts) - len(taken)
            self._changed.notify_all()
        if not taken:
            done.set_result(None)
        return done

    @property
    def trouble(self) -> str:
        """Why nothing can be written at present; empty when all is well."""
        since = self._busy_since
        if not self._trouble.text and since is not None and time.monotonic() - since > SLOW:
            return "The database does not answer: calls wait to be written down."
        return self._trouble.text

    @property
    def waiting(self) -> int:
        return len(self._facts)

    def close(self, seconds: float = 3.0) -> int:
        """Write what waits, for at most ``seconds``, and end; returns how many facts are left."""
        until = time.monotonic() + seconds
        with self._changed:
            self._changed.wait_for(lambda: not self._facts, seconds)
        self._stop.set()
        with self._changed:
            self._changed.notify_all()
        self._thread.join(max(0.1, until - time.monotonic()))
        return len(self._facts)

    def _run(self) -> None:
        pause = FIRST_PAUSE
        with self._app.app_context():
            while not self._stop.is_set():
                with self._changed:
                    self._changed.wait_for(lambda: self._facts or self._stop.is_set())
                self._stop.wait(self._gather)
                self._hold()
                with self._changed:
                    batch = [self._facts[place][0] for place in range(min(BATCH, len(self._facts)))]
                self._busy_since = time.monotonic()
                done = self._write(batch)
                self._busy_since = None
                if done:
                    pause = FIRST_PAUSE
                    self._trouble.note("")
                    self._forget(done)
                elif batch:
                    self._stop.wait(pause)
                    pause = min(LONGEST_PAUSE, pause * 2)

    def _forget(self, count: int) -> None:
        with self._changed:
            for _ in range(count):
                _fact, done = self._facts.popleft()
                if done is not None:
                    done.set_result(None)
            self._full = self._full and bool(self._facts)
            self._changed.notify_all()

    def _write(self, batch: list[Told]) -> int:
        """How many facts at the start of the batch are done with, written or not to be written; 0 is to try again."""
        if not batch:
            return 0
        try:
            with transaction() as session:
                apply(session, batch, self._area_code)
            return len(batch)
        except Exception as error:
            if database_is_away(error):
                self._trouble.note(f"The database cannot be written ({reason(error)}): calls wait to be written down.")
                return 0
            if len(batch) == 1:
                log.error("%s was left to the reconciler: %s", type(batch[0]).__name__, type(error).__name__)
                return 1
        finally:
            with suppress(Exception):  # a connection that cannot be given back is thrown away
                db.session.remove()
        done = 0  # one of them is to blame: the others shall not suffer
        while done < len(batch) and self._write(batch[done : done + 1]):
            done += 1
        return done
