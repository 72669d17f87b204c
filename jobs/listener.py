"""``python -m jobs.listener``: hears over the manager interface what happens to calls, and writes it down.

Two threads beside those of the connection: this one listens, has what it hears translated (`jobs.amifacts`) and says
that it lives; the writer puts the facts into the database, in order, and keeps them while the database is away.
"""

import json
import logging
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from functools import partial

from flask import Flask

from jobs.ami import Manager, ManagerException, log_in
from jobs.amifacts import facts_to_tell, read_present
from jobs.app import bare_app
from jobs.callfacts import Fact
from jobs.callmemory import Legs, Teller
from jobs.factwriter import FIRST_PAUSE, LONGEST_PAUSE, Writer
from jobs.files import write_whole
from jobs.heartbeat import Heart
from jobs.logs import write_log
from jobs.settings import Settings, SettingsError
from jobs.strangers import Strangers
from jobs.trunk import Trunk
from models.settling import AttemptLeg

PHONES_EVERY = 3.0  # seconds
PRESENT_EVERY = 60.0  # seconds

log = logging.getLogger(__name__)


class Listener:
    """Keeps one connection to the exchange, and a new one when it breaks."""

    def __init__(self, app: Flask, settings: Settings, *, connect: Callable[[Settings], Manager] | None = None) -> None:
        self._settings = settings
        self._connect = connect or partial(log_in, user="listen")
        self._heart, self._at_the_door = Heart(settings.run_dir, "listener"), Heart(settings.run_dir, "strangers")
        self._trunk, self._of_trunk = Trunk(settings), Heart(settings.run_dir, "trunk")
        self._legs, self._teller, self._strangers = Legs(), Teller(), Strangers()
        self._writer = Writer(app, settings.profile.area_code)
        self._phones: frozenset[str] = frozenset()  # by their names
        self._next_beat = 0.0
        self.stop = threading.Event()

    def run(self) -> None:
        """Listen until ``stop`` is set."""
        pause = FIRST_PAUSE
        while not self.stop.is_set():
            try:
                with closing(self._connect(self._settings)) as manager:
                    self._read_present(manager)
                    log.info("listening")
                    pause = FIRST_PAUSE
                    self._follow(manager)
            except ManagerException as error:
                log.warning("no connection to the exchange: %s", error)
                self._beat(f"Asterisk's manager interface is away ({error}): see whether Asterisk runs.")
                self.stop.wait(pause)
                pause = min(LONGEST_PAUSE, pause * 2)
        self._writer.close()

    def _follow(self, manager: Manager) -> None:
        phones_due, present_due = 0.0, time.monotonic() + PRESENT_EVERY
        self._trunk.forget()
        while not self.stop.is_set():
            event = manager.next_event(0.25)
            if event is not None and event.name == "ContactStatus":
                self._trunk.note_contact(event)
            if event is not None:
                self._strangers.note(event.name, time.monotonic(), event.get_header("AccountID"), self._phones)
            if event is not None and (facts := facts_to_tell(event, self._legs, self._teller)):
                self._writer.put(list(map(self._with_trunk, facts)))
            if time.monotonic() >= self._next_beat:
                self._beat("")
            if time.monotonic() >= phones_due:
                phones_due = time.monotonic() + PHONES_EVERY
                try:
                    states = device_states(manager)
                    trunk = states.pop("trunk", None)
                    self._phones = frozenset(states)
                    write_phones(self._settings, states)
                    self._trunk.look(manager, trunk)
                except (ManagerException, OSError) as error:  # calls are heard all the same
                    log.warning("the state of the phones is not known: %s", error)
            if time.monotonic() >= present_due:
                present_due = time.monotonic() + PRESENT_EVERY
                try:  # an event that got lost shall not keep a call alive for ever
                    self._read_present(manager)
                except ManagerException as error:
                    log.warning("the exchange's channels are not known: %s", error)

    def _with_trunk(self, fact: Fact) -> Fact:
        """What is told of a call of ours, with whether the trunk answers."""
        return replace(fact, trunk_silent=self._trunk.silent) if isinstance(fact, AttemptLeg) else fact

    def _read_present(self, manager: Manager) -> None:
        self._writer.put(read_present(manager, self._legs, self._teller, self._settings.profile.systemname))

    def _beat(self, away: str) -> None:
        detail = away or self._writer.trouble
        self._heart.beat(not detail, detail)
        unseen = away or self._strangers.trouble(time.monotonic())  # while it is away nobody tells of them
        self._at_the_door.beat(not unseen, unseen)
        closed = away or self._trunk.trouble()
        self._of_trunk.beat(not closed, closed)
        self._next_beat = time.monotonic() + 1


def device_states(manager: Manager) -> dict[str, str]:
    """The state of every desk phone and of the trunk, by name; one that does not answer is ``UNAVAILABLE``."""
    states = {}
    for event in manager.list_action({"Action": "DeviceStateList"}):
        technology, _, name = event.get_header("Device", "").partition("/")
        if technology == "PJSIP":
            states[name] = event.get_header("State", "")
    return states


def write_phones(settings: Settings, phones: dict[str, str]) -> None:
    """Write the state of every desk phone to ``run_dir/phones.json``, for the health page and the pages of calls.

    ``{"at": seconds since the epoch, "phones": {"admin1": "NOT_INUSE", …}}``.
    """
    told = json.dumps({"at": time.time(), "phones": phones})
    write_whole({settings.run_dir / "phones.json": told}, lasting=False)


def main() -> int:
    write_log()
    try:
        app = bare_app()
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    listener = Listener(app, app.config["SETTINGS"])
    for wanted in (signal.SIGTERM, signal.SIGINT):
        signal.signal(wanted, lambda *_: listener.stop.set())
    listener.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
