"""Puts facts about calls into the database, in order, and keeps them while the database is away."""

import logging
import threading
import time
from collections import deque
from contextlib import suppress

from flask import Flask

from jobs.callfacts import Told, apply
from models.base import database_is_away, db, transaction

FACTS_KEPT = 20_000  # while the database is away
BATCH = 200  # facts in one transaction
GATHER = 0.03  # seconds for which facts are gathered: twenty in one transaction cost little more than one
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0  # seconds between tries

log = logging.getLogger(__name__)


class Writer:
    """Puts facts into the database, in order, from a thread of its own."""

    def __init__(self, app: Flask, area_code: str, *, kept: int = FACTS_KEPT) -> None:
        self._app, self._area_code, self._kept = app, area_code, kept
        self._facts: deque[Told] = deque()
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._busy_since: float | None = None
        self._trouble = ""
        self.refused = 0
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()

    def put(self, facts: list[Told]) -> None:
        """Take facts over. When the queue is full the older ones are kept; the reconciler finds the others."""
        with self._changed:
            room = max(0, self._kept - len(self._facts))
            self._facts.extend(facts[:room])
            if len(facts) > room:
                if self.refused == 0:
                    log.error("too many facts wait for the database: newer ones are left to the reconciler")
                self.refused += len(facts) - room
            self._changed.notify()

    @property
    def trouble(self) -> str:
        """Why nothing can be written at present; empty when all is well."""
        since = self._busy_since
        if not self._trouble and since is not None and time.monotonic() - since > 3:
            return "the database does not answer"
        return self._trouble

    @property
    def waiting(self) -> int:
        return len(self._facts)

    def close(self, seconds: float = 3.0) -> None:
        """Write what waits, for at most ``seconds``, and end."""
        with self._changed:
            self._changed.wait_for(lambda: not self._facts, seconds)
        self._stop.set()
        with self._changed:
            self._changed.notify_all()
        self._thread.join(seconds)

    def _run(self) -> None:
        pause = FIRST_PAUSE
        with self._app.app_context():
            while not self._stop.is_set():
                with self._changed:
                    self._changed.wait_for(lambda: self._facts or self._stop.is_set())
                self._stop.wait(GATHER)
                with self._changed:
                    batch = [self._facts[place] for place in range(min(BATCH, len(self._facts)))]
                if not batch:
                    continue
                self._busy_since = time.monotonic()
                done = self._write(batch)
                self._busy_since = None
                if done:
                    pause, self._trouble = FIRST_PAUSE, ""
                    with self._changed:
                        for _ in range(done):
                            self._facts.popleft()
                        self._changed.notify_all()
                else:
                    self._stop.wait(pause)
                    pause = min(LONGEST_PAUSE, pause * 2)

    def _write(self, batch: list[Told]) -> int:
        """How many facts of the batch are done with: all, the first when it is to blame, none when to try again."""
        try:
            with transaction() as session:
                apply(session, batch, self._area_code)
            return len(batch)
        except Exception as error:
            if database_is_away(error):
                if not self._trouble:
                    log.warning("the database cannot be written (%s): facts wait", type(error).__name__)
                self._trouble = "the database cannot be written"
                return 0
            if len(batch) > 1:
                return self._write(batch[:1])
            log.error("a fact was left out: %s from %s", type(error).__name__, type(batch[0]).__name__)
            return 1
        finally:
            with suppress(Exception):  # a connection that cannot be given back is thrown away
                db.session.remove()
