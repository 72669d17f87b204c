"""``python -m jobs.listener``: hears over the manager interface what happens to calls, and writes it down.

Two threads beside those of the connection: this one listens, translates and says that it lives; the writer puts the
facts into the database, in order, and keeps them while the database is away.
"""

import json
import logging
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta

from flask import Flask

from jobs.ami import Event, Manager, ManagerException
from jobs.app import bare_app
from jobs.callfacts import (
    TRUNK,
    Answered,
    Began,
    Fact,
    HungUp,
    LegEnded,
    Rang,
    StillLive,
    Told,
    Tracker,
    citizen_began,
    moment,
    phone_of,
)
from jobs.factwriter import FIRST_PAUSE, LONGEST_PAUSE, Writer
from jobs.files import write_whole
from jobs.heartbeat import Heart
from jobs.logs import write_log
from jobs.settings import Settings, SettingsError, load_secrets
from models.base import now

HEARD = {"Newchannel", "Newstate", "DialBegin", "DialEnd", "BridgeEnter", "BridgeLeave", "Pickup", "AttendedTransfer"}
HEARD |= {"Hangup"}
PHONES_EVERY = 3.0  # seconds
PRESENT_EVERY = 60.0  # seconds

log = logging.getLogger(__name__)


def understand(event: Event, tracker: Tracker) -> list[Fact]:
    """The facts in one event; most events hold none. Nothing that an event may contain raises."""
    if event.name not in HEARD or event.message.doubtful:
        return []
    said = {name: value for name, value in event.headers.items() if isinstance(value, str)}
    channel, uniqueid, at = said.get("Channel", ""), said.get("Uniqueid", ""), moment(said.get("Timestamp", ""))
    facts: list[Fact] = []
    if (began := _citizen(said)) is not None:
        facts += tracker.hear(began, tell=False)
    if event.name in ("DialBegin", "DialEnd") and channel.startswith(TRUNK):
        leg, phone = said.get("DestUniqueid", ""), phone_of(said.get("DestChannel", ""))
        if leg and phone:
            tracker.belongs(leg, uniqueid, at)
            if event.name == "DialBegin":
                facts += tracker.tell(Rang(uniqueid, leg, phone, at))
            elif said.get("DialStatus") == "ANSWER":
                facts += tracker.tell(Answered(uniqueid, leg, phone, at))
            else:
                facts += tracker.tell(LegEnded(uniqueid, leg, phone, at))
    elif (
        event.name in ("BridgeEnter", "BridgeLeave") or f"{event.name} {said.get('ChannelStateDesc')}" == "Newstate Up"
    ):
        call, phone = tracker.call_of(uniqueid, said.get("Linkedid", ""), at), phone_of(channel)
        if phone and call != uniqueid:
            facts += tracker.tell(Answered(call, uniqueid, phone, at))
    elif event.name == "Pickup":
        call = tracker.call_of(said.get("TargetUniqueid", ""), said.get("TargetLinkedid", ""), at)
        if phone := phone_of(channel):
            tracker.belongs(uniqueid, call, at)
            facts += tracker.tell(Answered(call, uniqueid, phone, at))
    elif event.name == "AttendedTransfer":
        for citizen, colleague in (("Transferee", "TransferTarget"), ("TransferTarget", "Transferee")):
            call, leg = said.get(f"{citizen}Uniqueid", ""), said.get(f"{colleague}Uniqueid", "")
            phone = phone_of(said.get(f"{colleague}Channel", ""))
            if said.get(f"{citizen}Channel", "").startswith(TRUNK) and phone:
                tracker.belongs(leg, call, at)
                facts += tracker.tell(Answered(call, leg, phone, at))
    elif event.name == "Hangup" and channel.startswith(TRUNK):
        cause = said.get("Cause", "")
        facts += tracker.tell(HungUp(uniqueid, at, int(cause) if cause.isdecimal() else None))
    elif event.name == "Hangup" and (phone := phone_of(channel)):
        call = tracker.call_of(uniqueid, said.get("Linkedid", ""), at)
        if call != uniqueid:
            facts += tracker.tell(LegEnded(call, uniqueid, phone, at))
    return facts


def _citizen(said: dict[str, str]) -> Began | None:
    return citizen_began(
        channel=said.get("Channel", ""),
        uniqueid=said.get("Uniqueid", ""),
        linkedid=said.get("Linkedid", ""),
        context=said.get("Context", ""),
        exten=said.get("Exten", ""),
        number=said.get("CallerIDNum", ""),
        name=said.get("CallerIDName", ""),
        at=moment(said.get("Timestamp", "")),
    )


def read_present(manager: Manager, tracker: Tracker, systemname: str) -> list[Told]:
    """What the exchange says of the present moment (``CoreShowChannels``), as facts; after it events go on from here.

    Calls that we believe live and that are not among its channels are over: their hang-up was missed.
    """
    asked = now()
    channels = [
        {name: value for name, value in event.headers.items() if isinstance(value, str)}
        for event in manager.list_action({"Action": "CoreShowChannels"})
        if not event.message.doubtful
    ]
    facts: list[Told] = []
    bridges: dict[str, str] = {}
    for said in channels:
        if said.get("Channel", "").startswith(TRUNK) and said.get("BridgeId"):
            bridges[said["BridgeId"]] = said.get("Uniqueid", "")
        began = _citizen({**said, "Timestamp": str((asked - _duration(said.get("Duration", ""))).timestamp())})
        if began is not None:
            facts += tracker.hear(began, tell=True)
    for said in channels:
        leg, phone = said.get("Uniqueid", ""), phone_of(said.get("Channel", ""))
        call = bridges.get(said.get("BridgeId", "")) or tracker.call_of(leg, said.get("Linkedid", ""), asked)
        if phone and call != leg:
            tracker.belongs(leg, call, asked)
            fact = Answered if said.get("BridgeId") else Rang
            facts += tracker.tell(fact(call, leg, phone, asked))
    return [*facts, StillLive(systemname, frozenset(said.get("Uniqueid", "") for said in channels), asked)]


def _duration(text: str) -> timedelta:
    """``00:01:05`` as a time span; none when it cannot be read."""
    parts = text.split(":")
    if len(parts) != 3 or not all(part.isdecimal() for part in parts):
        return timedelta()
    hours, minutes, seconds = (min(int(part), 100_000) for part in parts)
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)


class Listener:
    """Keeps one connection to the exchange, and a new one when it breaks."""

    def __init__(self, app: Flask, settings: Settings, *, connect: Callable[[Settings], Manager] | None = None) -> None:
        self._settings = settings
        self._connect = connect or log_in
        self._heart = Heart(settings.run_dir, "listener")
        self._tracker = Tracker()
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
                self._wait(pause)
                pause = min(LONGEST_PAUSE, pause * 2)
        self._writer.close()

    def _follow(self, manager: Manager) -> None:
        phones_due, present_due = 0.0, time.monotonic() + PRESENT_EVERY
        while not self.stop.is_set():
            event = manager.next_event(0.25)
            if event is not None and (facts := understand(event, self._tracker)):
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
        self._writer.put(read_present(manager, self._tracker, self._settings.profile.systemname))

    def _wait(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not self.stop.wait(min(0.5, max(0.0, deadline - time.monotonic()))) and time.monotonic() < deadline:
            if time.monotonic() >= self._next_beat:
                self._beat("Asterisk's manager interface is away: see whether Asterisk runs.")

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
