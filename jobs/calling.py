"""The periodic jobs of our own calls: tasks by their rules, machine calls that are due, and calls that got lost."""

import logging
import socket
import time
from contextlib import closing, suppress
from datetime import datetime

import redis
from flask import Flask
from sqlalchemy.orm import Session

from jobs.ami import ManagerException, log_in
from jobs.attemptfacts import attempt_of
from jobs.callrules import load_dialler
from jobs.celfile import FRESH
from jobs.ping import ANSWER_SECONDS, Absent, Silent, probe_agi
from jobs.queues import enqueue_dial
from jobs.reconcile import Reconciler
from jobs.settings import Settings
from jobs.voice import NoVoice, find_voice, speak
from models import duty_calls
from models.attempts import AttemptState
from models.base import database_is_away, db, now, transaction
from models.dialling import (
    Refusal,
    live_attempts,
    machine_calls_due,
    not_dialled_yet,
    plan_calls,
    withdraw,
    withdraw_planned,
)
from models.leases import renew_lines
from models.settling import lose
from models.spoken import Sentence
from models.status_questions import prompts_of, questions_of
from models.task_rules import RULES, out_of_step, sync_tasks
from models.workdays import KYIV

log = logging.getLogger(__name__)


def make_tasks(app: Flask, at: datetime) -> str:
    """Make the tasks that are missing and end those without a reason. Returns the trouble of the rules that fail.

    Each rule is followed by itself, so that one that fails hinders no other.
    """
    detail = ""
    with app.app_context():
        for rule in RULES:
            try:
                while out_of_step(db.session(), at, [rule]):
                    with transaction() as session:
                        calendar = load_dialler(session, app.config["SETTINGS"]).calendar
                        sync_tasks(session, calendar, at, [rule])
            except Exception as error:
                if database_is_away(error):
                    raise
                log.exception("a rule of calls' tasks broke off: %s", rule.act.__name__)
                detail = "A rule that makes calls' tasks breaks off, see the log of rounds."
    return detail


def plan_machine_calls(app: Flask, at: datetime) -> str:
    """Plan the machine calls that may begin now and wake the dialler for each. Returns the trouble, if any."""
    settings: Settings = app.config["SETTINGS"]
    with app.app_context():
        try:
            _withdraw_stale(at)
            dialler = load_dialler(db.session(), settings)
            if not machine_calls_due(db.session(), dialler, at):
                return ""
            try:
                find_voice()
            except NoVoice as error:
                log.warning("%s", error)
                return "There is no Ukrainian voice: machine calls wait."
            if not _exchange_listens(settings):
                return "Asterisk's manager interface is away: calls to citizens wait."
            try:
                probe_agi(settings.agi_port, ANSWER_SECONDS)
            except (Absent, Silent):
                return "The AGI server does not answer: machine calls wait."
            with transaction() as session:
                planned = plan_calls(session, dialler, at)
            silent = 0
            for attempt_id in planned:  # one after the other: the first is an emergency, and waits for nobody's prompts
                if _can_speak(settings, attempt_id):
                    enqueue_dial(settings, attempt_id)
                else:
                    silent += 1
            if silent:
                return "Some machine calls cannot be spoken and wait: see the log of rounds."
        except redis.RedisError:
            return "Redis does not answer: calls to citizens wait."
    return ""


def _can_speak(settings: Settings, attempt_id: int) -> bool:
    """Have all spoken that the call may have to say; a call that would be silent is withdrawn."""
    session = db.session()
    prompts = _prompts(settings, session, attempt_id)
    session.rollback()
    try:
        for prompt in prompts:
            speak(settings, prompt)
    except NoVoice as error:
        log.warning("%s", error)
        with transaction() as session:
            withdraw_planned(session, attempt_id, Refusal.VOICE, now())
        return False
    return True


def _prompts(settings: Settings, session: Session, attempt_id: int) -> list[list[Sentence]]:
    """All that may be said in the call."""
    town = settings.profile.town
    told = duty_calls.hand_over_of(session, attempt_id, settings.profile.area_code)
    if told is not None:
        return duty_calls.prompts_of(told, town)
    return prompts_of(questions_of(session, attempt_id), town, now().astimezone(KYIV).date())


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

    def find(self, at: datetime) -> None:
        """Give up the calls that nobody can tell of."""
        settings: Settings = self._app.config["SETTINGS"]
        with self._app.app_context():
            dialled = {one.id for one in live_attempts(db.session()) if one.state != AttemptState.PLANNED}
            db.session.rollback()
            known = _channels(settings) if dialled else set()
            if known is None:
                return
            if dialled & known:
                with transaction() as session:
                    renew_lines(session, dialled & known, at)
            noticed = time.time()
            gone = dialled - known
            self._gone_since = {one: self._gone_since.get(one, noticed) for one in gone}
            for one, since in self._gone_since.items():
                if self._reconciler.read_at > since + FRESH:
                    with transaction() as session:
                        lose(session, one, at)


def _channels(settings: Settings) -> set[int] | None:
    """The attempts whose calls the exchange knows now; none when it does not run, None when it does not answer."""
    if not _exchange_listens(settings):
        return set()
    try:
        with closing(log_in(settings, "listen")) as manager:
            listed = manager.list_action({"Action": "CoreShowChannels"})
    except ManagerException:
        return None
    ids = [(event.get_header("Uniqueid", ""), event.get_header("Linkedid", "")) for event in listed]
    return {found for found in (attempt_of(*pair) for pair in ids) if found is not None}
