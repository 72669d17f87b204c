"""The periodic jobs of our own calls: tasks by their rules, machine calls that are due, and calls that got lost."""

import logging
import socket
import time
from contextlib import closing, suppress
from datetime import datetime

import redis
from flask import Flask

from jobs.ami import ManagerException
from jobs.attemptfacts import attempt_of
from jobs.callrules import load_dialler
from jobs.celfile import FRESH
from jobs.listener import log_in
from jobs.queues import enqueue_dial
from jobs.reconcile import Reconciler
from jobs.settings import Settings
from jobs.voice import NoVoice, find_voice
from models.attempts import AttemptState
from models.base import db, transaction
from models.dialling import Refusal, live_attempts, machine_calls_due, not_dialled_yet, plan_calls, withdraw
from models.settling import lose
from models.task_rules import out_of_step, sync_tasks

log = logging.getLogger(__name__)


def make_tasks(app: Flask, at: datetime) -> str:
    """Make the tasks that are missing and end those without a reason. Returns no trouble."""
    with app.app_context():
        try:
            while out_of_step(db.session()):
                with transaction() as session:
                    sync_tasks(session, load_dialler(session, app.config["SETTINGS"]).calendar, at)
        finally:
            db.session.remove()
    return ""


def plan_machine_calls(app: Flask, at: datetime) -> str:
    """Plan the machine calls that may begin now and wake the dialler for each. Returns the trouble, if any."""
    settings: Settings = app.config["SETTINGS"]
    with app.app_context():
        try:
            _withdraw_stale(at)
            if not machine_calls_due(db.session(), at):
                return ""
            try:
                find_voice()
            except NoVoice as error:
                log.warning("%s", error)
                detail = "There is no Ukrainian voice: machine calls wait."
                return detail
            if not _exchange_listens(settings):
                detail = "Asterisk's manager interface is away: calls to citizens wait."
                return detail
            with transaction() as session:
                planned = plan_calls(session, load_dialler(session, settings), at)
            for attempt_id in planned:
                enqueue_dial(settings, attempt_id)
        except redis.RedisError:
            detail = "Redis does not answer: calls to citizens wait."
            return detail
        finally:
            db.session.remove()
    return ""


def _withdraw_stale(at: datetime) -> None:
    """What was planned and not dialled in time: its job got lost, or the dialler hangs. Its tasks are planned anew."""
    if not any(attempt.state == AttemptState.PLANNED for attempt in live_attempts(db.session())):
        return
    with transaction() as session:
        for attempt in not_dialled_yet(session, at):
            withdraw(session, attempt, Refusal.STALE, at)


def _exchange_listens(settings: Settings) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", settings.ami_port), 0.3):
        return True
    return False


class Lost:
    """Finds the calls of ours that the exchange knows nothing of, and of which its CEL file tells no end.

    A call that is not among the exchange's channels has ended, and the file says how, once it is read up to that
    moment. What it does not tell by then nobody will.
    """

    def __init__(self, app: Flask, reconciler: Reconciler) -> None:
        self._app, self._reconciler = app, reconciler
        self._gone_since: dict[int, float] = {}

    def find(self, at: datetime) -> str:
        """Give up the calls that nobody can tell of. Returns no trouble."""
        settings: Settings = self._app.config["SETTINGS"]
        with self._app.app_context():
            try:
                dialled = {one.id for one in live_attempts(db.session()) if one.state != AttemptState.PLANNED}
                db.session.rollback()
                known = _channels(settings) if dialled else set()
                if known is None:
                    return ""
                noticed = time.time()
                gone = dialled - known
                self._gone_since = {one: self._gone_since.get(one, noticed) for one in gone}
                for one, since in self._gone_since.items():
                    if self._reconciler.read_at > since + FRESH:
                        with transaction() as session:
                            lose(session, one, at)
            finally:
                db.session.remove()
        return ""


def _channels(settings: Settings) -> set[int] | None:
    """The attempts whose calls the exchange knows now; none when it does not run, None when it does not answer."""
    if not _exchange_listens(settings):
        return set()
    try:
        with closing(log_in(settings)) as manager:
            listed = manager.list_action({"Action": "CoreShowChannels"})
    except ManagerException:
        return None
    ids = [(event.get_header("Uniqueid", ""), event.get_header("Linkedid", "")) for event in listed]
    return {found for found in (attempt_of(*pair) for pair in ids) if found is not None}
