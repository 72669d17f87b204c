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

from flask import Flask

from jobs.ami import Manager, ManagerException
from jobs.amifacts import facts_to_tell, read_present
from jobs.app import bare_app
from jobs.callmemory import Legs, Teller
from jobs.factwriter import FIRST_PAUSE, LONGEST_PAUSE, Writer
from jobs.files import write_whole
from jobs.heartbeat import Heart
from jobs.logs import write_log
from jobs.settings import Settings, SettingsError, load_secrets

PHONES_EVERY = 3.0  # seconds
PRESENT_EVERY = 60.0  # seconds

log = logging.getLogger(__name__)


class Listener:
    """Keeps one connection to the exchange, and a new one when it breaks."""

    def __init__(self, app: Flask, settings: Settings, *, connect: Callable[[Settings], Manager] | None = None) -> None:
        self._settings = settings
        self._connect = connect or log_in
        self._heart = Heart(settings.run_dir, "listener")
        self._legs, self._teller = Legs(), Teller()
        self._writer = Writer(app, settings.profile.area_code)
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
        while not self.stop.is_set():
            event = manager.next_event(0.25)
            if event is not None and (facts := facts_to_tell(event, self._legs, self._teller)):
                self._writer.put(facts)
            if time.monotonic() >= self._next_beat:
                self._beat("")
            if time.monotonic() >= phones_due:
                phones_due = time.monotonic() + PHONES_EVERY
                try:
                    write_phones(self._settings, manager)
                except (ManagerException, OSError) as error:  # calls are heard all the same
                    log.warning("the state of the phones is not known: %s", error)
            if time.monotonic() >= present_due:
                present_due = time.monotonic() + PRESENT_EVERY
                try:  # an event that got lost shall not keep a call alive for ever
                    self._read_present(manager)
                except ManagerException as error:
                    log.warning("the exchange's channels are not known: %s", error)

    def _read_present(self, manager: Manager) -> None:
        self._writer.put(read_present(manager, self._legs, self._teller, self._settings.profile.systemname))

    def _beat(self, away: str) -> None:
        detail = away or self._writer.trouble
        self._heart.beat(not detail, detail)
        self._next_beat = time.monotonic() + 1


def log_in(settings: Settings) -> Manager:
    """A connection as the reading user. Raises `ManagerException`."""
    manager = Manager(connect_seconds=2.0, action_seconds=2.0)
    try:
        manager.connect("127.0.0.1", settings.ami_port)
        manager.login("listen", load_secrets(settings)["ami_listen"])
    except BaseException:
        manager.close()
        raise
    return manager


def write_phones(settings: Settings, manager: Manager) -> None:
    """Write the state of every desk phone to ``run_dir/phones.json``, for the health page.

    ``{"at": seconds since the epoch, "phones": {"admin1": "NOT_INUSE", …}}``; a phone that is not registered is
    ``UNAVAILABLE``.
    """
    phones = {}
    for event in manager.list_action({"Action": "DeviceStateList"}):
        technology, _, name = event.get_header("Device", "").partition("/")
        if technology == "PJSIP" and name != "trunk":
            phones[name] = event.get_header("State", "")
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
