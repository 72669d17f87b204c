"""Asking every part of the service whether it works: all at once, each with a short time-out, at most once a second.

A probe returns a `Finding`: whether the part works, what was seen, and what to do. The sentences are translated when
they are shown; none of them names an address, a path, a person or a version.
"""

import logging
import shutil
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

import redis
from flask import Flask
from flask_babel import lazy_gettext as _
from sqlalchemy import NullPool, create_engine, make_url, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from jobs.heartbeat import read_beat
from jobs.notify import connect
from jobs.phones import phone_states, reachable
from jobs.settings import Settings
from models.base import db
from models.lines import Line, RingStep
from models.people import Phone
from webui.backup_probe import probe_backup
from webui.findings import Finding
from webui.mail_probe import probe_mail
from webui.troubles import in_words

PARTS = (
    "database",
    "redis",
    "asterisk",
    "agi",
    "listener",
    "trunk",
    "strangers",
    "reconcile",
    "phones",
    "rounds",
    "calls",
    "worker",
    "plan",
    "mail",
    "watchdog",
    "backup",
    "disk",
)
ANSWER_SECONDS = 0.5  # for each single answer
ALL_SECONDS = 2.0  # for all parts together
CACHED_SECONDS = 1.0
BEAT_SECONDS = 10.0  # parts beat every second: an older beat means that the part hangs
FREE_BYTES = 500 * 1024 * 1024
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PartState:
    """A part as it was at the last look, and since when it has been so (seconds since the epoch)."""

    part: str
    ok: bool
    since: float
    detail: object
    todo: object
    stops_calls: bool = False


def probe_database(settings: Settings) -> Finding:
    """Can it be opened, are the tables there, can it be written?"""
    url = make_url(settings.database_url)
    if url.get_backend_name() == "sqlite":
        url = url.set(database=f"file:{url.database}?mode=rw", query={"uri": "true"})
        options: dict[str, object] = {"timeout": ANSWER_SECONDS}
    else:
        options = {"connect_timeout": 1, "options": "-c statement_timeout=500"}
    engine = create_engine(url, poolclass=NullPool, connect_args=options)
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1 FROM users LIMIT 1"))
            connection.rollback()
            if engine.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            elif connection.scalar(text("SELECT pg_is_in_recovery()")):
                return Finding(False, _("It can only be read."), _("Connect to the main server, not to its copy."))
            connection.rollback()
    except SQLAlchemyError as error:
        if "locked" in str(error.__cause__):
            return Finding(
                False,
                _("Somebody else holds it locked."),
                _("Wait a minute; if it lasts, end the program that keeps it open (a backup, a database browser)."),
            )
        return Finding(
            False,
            _("It does not answer or cannot be written."),
            _("See whether the disk is full and whether the database server runs; calls ring meanwhile."),
        )
    return Finding(True, _("It answers and can be written."))


def probe_redis(settings: Settings) -> Finding:
    try:
        connect(settings.redis_url, reply_seconds=ANSWER_SECONDS).ping()
    except (redis.RedisError, OSError):
        return Finding(
            False,
            _("It does not answer: screens follow calls a second late."),
            _("Restart the service; nothing is lost, because everything is in the database."),
        )
    return Finding(True, _("It answers."))


def probe_asterisk(settings: Settings) -> Finding:
    """The manager port greets everybody who connects."""
    greeting = _first_line(settings.ami_port)
    if greeting is None:
        detail, todo = _("No call can come."), _("Restart the service at once.")
        return Finding(False, detail, todo, stops_calls=True)
    if not greeting.startswith(b"Asterisk Call Manager"):
        return Finding(
            False,
            _("Something else answers at its port, or it hangs."),
            _("Restart the service; if it lasts, choose another CC_AMI_PORT."),
            stops_calls=True,
        )
    return Finding(True, _("It runs."))


def probe_agi(settings: Settings) -> Finding:
    """The script server answers a ping within the time a call would wait for it."""
    answer = _first_line(settings.agi_port, b"agi_network: yes\nagi_network_script: ping\n\n")
    if answer is not None and answer.strip() == b"pong":
        return _heard(settings, "agi", _("It answers."))
    return Finding(
        False,
        _("It does not answer: calls ring, and their drafts come up to a minute late."),
        _("The watchdog restarts it within seconds; if it lasts, restart the service."),
    )


def probe_listener(settings: Settings) -> Finding:
    return _heard(settings, "listener", _("It hears the exchange."))


def probe_trunk(settings: Settings) -> Finding:
    return _heard(settings, "trunk", _("The way to the town is open."))


def probe_strangers(settings: Settings) -> Finding:
    return _heard(settings, "strangers", _("Nobody tries to get in at the telephone port."))


def probe_reconcile(settings: Settings) -> Finding:
    return _heard(settings, "reconcile", _("It compares calls with drafts every half a minute."))


def probe_rounds(settings: Settings) -> Finding:
    return _heard(settings, "rounds", _("It warns and sends letters."))


def probe_calls(settings: Settings) -> Finding:
    return _heard(settings, "calls", _("It plans calls to citizens."))


def probe_worker(settings: Settings) -> Finding:
    return _heard(settings, "worker", _("It dials what is planned."))


def probe_plan(settings: Settings) -> Finding:
    return _heard(settings, "plan", _("It brings lines and phones to the exchange."))


def probe_watchdog(settings: Settings) -> Finding:
    return _heard(settings, "watchdog", _("It watches the others."))


def probe_disk(settings: Settings) -> Finding:
    free = shutil.disk_usage(settings.var).free
    megabytes = free // 1024**2
    if megabytes < 10 * 1024:
        detail = _("%(size)d MB are free.", size=megabytes)
    else:
        detail = _("%(size)d GB are free.", size=megabytes // 1024)
    return Finding(free >= FREE_BYTES, detail, "" if free >= FREE_BYTES else _("Free some space before it is full."))


def probe_phones(settings: Settings, app: Flask) -> Finding:
    """Every line must have a phone that can ring; a single phone that is away is only told."""
    states = phone_states(settings)
    if states is None:
        return Finding(
            False,
            _("It is not known which phones are connected."),
            _("See whether the exchange and the listener work; they tell it."),
        )
    with app.app_context(), Session(db.engine) as session:
        names = dict(session.execute(select(Phone.id, Phone.name).where(Phone.active)).all())
        rings: dict[int, list[str]] = {}
        steps = select(RingStep.line_id, RingStep.phone_id).join(RingStep.line).where(Line.active)
        for line_id, phone_id in session.execute(steps.join(RingStep.phone).where(Phone.active)):
            rings.setdefault(line_id, []).append(names[phone_id])
    here = {name for name in names.values() if reachable(states.get(name))}
    silent = [line for line, phones in rings.items() if not here.intersection(phones)]
    detail = _("%(here)d of %(all)d are connected.", here=len(here), all=len(names))
    if silent:
        return Finding(
            False,
            detail,
            _("A line has no phone that can ring: switch the phones on and see whether they are in the network."),
            stops_calls=True,
        )
    return Finding(True, detail)


class Watch:
    """Looks at all parts at once and remembers since when each is as it is. One a process."""

    def __init__(self, app: Flask) -> None:
        settings = app.config["SETTINGS"]
        self._probes: dict[str, Callable[[], Finding]] = {
            "database": lambda: probe_database(settings),
            "redis": lambda: probe_redis(settings),
            "asterisk": lambda: probe_asterisk(settings),
            "agi": lambda: probe_agi(settings),
            "listener": lambda: probe_listener(settings),
            "trunk": lambda: probe_trunk(settings),
            "strangers": lambda: probe_strangers(settings),
            "reconcile": lambda: probe_reconcile(settings),
            "phones": lambda: probe_phones(settings, app),
            "rounds": lambda: probe_rounds(settings),
            "calls": lambda: probe_calls(settings),
            "worker": lambda: probe_worker(settings),
            "plan": lambda: probe_plan(settings),
            "mail": lambda: probe_mail(settings, app),
            "watchdog": lambda: probe_watchdog(settings),
            "backup": lambda: probe_backup(settings),
            "disk": lambda: probe_disk(settings),
        }
        self._lock = threading.Lock()
        self._running: dict[str, Future[Finding]] = {}
        self._seen: dict[str, PartState] = {}
        self._looked = float("-inf")
        self._pool: ThreadPoolExecutor | None = None

    def look(self) -> list[PartState]:
        """All parts as they are now (at most a second ago). Never takes much longer than two seconds."""
        with self._lock:
            if time.monotonic() - self._looked >= CACHED_SECONDS:
                self._ask_all()
                self._looked = time.monotonic()
            return [self._seen[part] for part in PARTS]

    def _ask_all(self) -> None:
        if self._pool is None:  # not before the first look: a pool does not survive a fork
            self._pool = ThreadPoolExecutor(len(PARTS), thread_name_prefix="probe")
        for part in PARTS:  # a probe that still hangs from the last look is not started again
            if part not in self._running:
                self._running[part] = self._pool.submit(self._probes[part])
        wait(self._running.values(), ALL_SECONDS)
        for part in PARTS:
            self._remember(part, self._take(part))

    def _take(self, part: str) -> Finding:
        if self._running[part].done():
            try:
                return self._running.pop(part).result()
            except Exception:  # a probe that breaks must not hide the others
                log.exception("the probe of %s broke", part)
        return Finding(False, _("It gives no answer."), _("Restart the service; calls ring while the exchange runs."))

    def _remember(self, part: str, finding: Finding) -> None:
        before = self._seen.get(part)
        since = finding.since
        if since is None:
            since = before.since if before and before.ok == finding.ok else time.time()
        self._seen[part] = PartState(part, finding.ok, since, finding.detail, finding.todo, finding.stops_calls)


def _heard(settings: Settings, part: str, well: object) -> Finding:
    """What the part's last heartbeat says."""
    beat = read_beat(settings.run_dir, part)
    todo = _("The service restarts it by itself; if it lasts a minute, restart the service.")
    if beat is None:
        return Finding(False, _("It has not been started."), _("Start the service with script/server."))
    if beat.age > BEAT_SECONDS:
        return Finding(False, _("It hangs or has ended."), todo, beat.at)
    if not beat.ok:
        return Finding(False, in_words(beat.detail), _("Mend what is marked above; it goes on then."), beat.since)
    return Finding(True, well, "", beat.since)


def _first_line(port: int, request: bytes = b"") -> bytes | None:
    """What the server at the port says first; empty when it says nothing, None when nobody listens."""
    try:
        with socket.create_connection(("127.0.0.1", port), ANSWER_SECONDS) as peer:
            peer.settimeout(ANSWER_SECONDS)
            try:
                peer.sendall(request)
                return peer.recv(200)
            except OSError:
                return b""
    except OSError:
        return None
