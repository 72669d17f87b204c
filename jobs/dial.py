"""Dials one attempt, once: an RQ job that carries its number and nothing else (C5).

The exchange is reached first, then the attempt is claimed and that is committed, then the call is begun. Whatever ends
between the two last steps leaves an attempt that is *dialling* and was perhaps never dialled: it is found out by what
the exchange says (`jobs.lost`), and never dialled again.
"""

import logging
from contextlib import closing

from flask import current_app
from sqlalchemy.orm import Session

from jobs.ami import Manager, ManagerException
from jobs.attemptfacts import channel_id
from jobs.callrules import load_dialler
from jobs.settings import Settings, load_secrets
from jobs.voice import NoVoice, speak
from models.attempts import Attempt, AttemptState, End, find_attempt
from models.base import db, now, transaction
from models.calling import as_dialled
from models.dialling import Refusal, claim, withdraw
from models.lines import Line
from models.settling import AttemptLeg, Sign, note_leg
from models.status_questions import prompts_of, questions_of
from models.workdays import KYIV

RING_MILLISECONDS = 30_000
CONGESTION = 42  # Q.850: what the exchange refuses to begin is a trouble of the trunk

log = logging.getLogger(__name__)


def dial(attempt_id: int) -> None:
    """Dial the attempt if it is still to be dialled; else nothing happens."""
    settings: Settings = current_app.config["SETTINGS"]
    try:
        try:
            manager = log_in_to_dial(settings)
        except ManagerException as error:
            log.warning("the exchange cannot be reached (%s): a call was not made", type(error).__name__)
            _withdraw(attempt_id, Refusal.EXCHANGE)
            return
        with closing(manager):
            if _can_speak(settings, attempt_id):
                _dial(settings, manager, attempt_id)
    finally:
        db.session.remove()


def _can_speak(settings: Settings, attempt_id: int) -> bool:
    """Have all spoken that the call may have to say; a call that would be silent is withdrawn."""
    session = db.session()
    attempt = session.get(Attempt, attempt_id)
    if attempt is None or not attempt.by_machine:
        return True
    questions = questions_of(session, attempt_id)
    session.rollback()
    try:
        for prompt in prompts_of(questions, settings.profile.town, now().astimezone(KYIV).date()):
            speak(settings, prompt)
    except NoVoice as error:
        log.warning("%s", error)
        _withdraw(attempt_id, Refusal.VOICE)
        return False
    return True


def _dial(settings: Settings, manager: Manager, attempt_id: int) -> None:
    with transaction() as session:
        dialler = load_dialler(session, settings)
        refusal = claim(session, dialler, attempt_id, now())
        call = _originate(session, settings, session.get_one(Attempt, attempt_id)) if refusal is None else {}
    if refusal is not None:
        log.info("attempt %d is not dialled: %s", attempt_id, refusal)
        return
    try:
        answer = manager.send_action(call)
    except ManagerException as error:  # it may ring: that is found out
        log.warning("attempt %d: the exchange did not say whether it rings (%s)", attempt_id, type(error).__name__)
        return
    if answer.get_header("Response") == "Error":
        log.warning("attempt %d: the exchange refused to begin the call", attempt_id)
        with transaction() as session:
            gone = AttemptLeg(attempt_id, End.THEIRS, Sign.GONE, now(), CONGESTION)
            note_leg(session, gone, dialler.rules, dialler.calendar)


def _originate(session: Session, settings: Settings, attempt: Attempt) -> dict[str, str]:
    """The action that begins the call: a fixed context, and the attempt's number as the channel's id."""
    line = line_of(session, attempt)
    back = as_dialled(line.e164) if line is not None else ""
    if attempt.by_machine:
        channel, context, shown = f"PJSIP/trunk/{sip_address(settings, attempt.number)}", "status-check", back
    else:
        channel, context, shown = f"PJSIP/{attempt.phone.name}", "own-call", as_dialled(attempt.number)
    return {
        "Action": "Originate",
        "Channel": channel,
        "ChannelId": channel_id(settings.profile.systemname, attempt.id),
        "Context": context,
        "Exten": "s",
        "Priority": "1",
        "CallerID": f"<{shown}>",
        "Timeout": str(RING_MILLISECONDS),
        "Async": "true",
    }


def line_of(session: Session, attempt: Attempt) -> Line | None:
    """The line that the citizen calls back when they see who has called: the one they had called, else the first."""
    for task in attempt.tasks:
        if task.report is not None and task.report.line is not None:
            return task.report.line
        if task.call is not None and task.call.line is not None:
            return task.call.line
    return session.query(Line).order_by(Line.number).first()


def sip_address(settings: Settings, number: str) -> str:
    """Where the trunk is asked for the number: ``sip:0671234567@gateway:5060``."""
    return f"sip:{as_dialled(number)}@{settings.trunk_host}:{settings.trunk_port}"


def _withdraw(attempt_id: int, why: Refusal) -> None:
    with transaction() as session:
        attempt = find_attempt(session, attempt_id)
        if attempt is not None and attempt.state == AttemptState.PLANNED:
            withdraw(session, attempt, why, now())


def log_in_to_dial(settings: Settings) -> Manager:
    """A connection as the dialling user. Raises `ManagerException`."""
    manager = Manager(connect_seconds=2.0, action_seconds=3.0)
    try:
        manager.connect("127.0.0.1", settings.ami_port)
        manager.login("dial", load_secrets(settings)["ami_dial"])
    except BaseException:
        manager.close()
        raise
    return manager
