"""Dials one attempt, once: an RQ job that carries its number and nothing else (C5).

The exchange is reached first, then the attempt is claimed and that is committed, then the call is begun. Whatever ends
between the two last steps leaves an attempt that is *dialling* and was perhaps never dialled: it is found out by what
the exchange says (`jobs.calling.Lost`), and never dialled again.
"""

import logging
from contextlib import closing

from flask import current_app
from sqlalchemy.orm import Session

from jobs.ami import Manager, ManagerException, log_in
from jobs.attemptfacts import channel_id
from jobs.callrules import load_dialler
from jobs.ping import ANSWER_SECONDS, Absent, Silent, probe_agi
from jobs.settings import Settings
from models.attempts import Attempt, End, line_to_call_back
from models.base import db, now, transaction
from models.calling import as_dialled
from models.calltasks import Purpose
from models.dialling import Refusal, claim, withdraw_planned
from models.settling import AttemptLeg, Sign, note_leg

RING_MILLISECONDS = 30_000
CONGESTION = 42  # Q.850: what the exchange refuses to begin is a trouble of the trunk
# where a machine call goes on, by what it is about
CONTEXTS = {Purpose.STATUS_CHECK: "status-check", Purpose.HAND_OVER: "hand-over"}

log = logging.getLogger(__name__)


def dial(attempt_id: int) -> None:
    """Dial the attempt if it is still to be dialled; else nothing happens."""
    if type(attempt_id) is not int or not 0 < attempt_id < 2**31:  # somebody else's job: what it holds is not logged
        return
    settings: Settings = current_app.config["SETTINGS"]
    try:
        try:
            probe_agi(settings.agi_port, ANSWER_SECONDS)  # else whoever lifts the receiver hears nothing
            manager = log_in(settings, "dial")
        except (ManagerException, Absent, Silent) as error:
            log.warning("the exchange or our scripts cannot be reached (%s): no call was made", type(error).__name__)
            with transaction() as session:
                withdraw_planned(session, attempt_id, Refusal.EXCHANGE, now())
            return
        with closing(manager):
            _dial(settings, manager, attempt_id)
    finally:
        db.session.remove()


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
            end = End.THEIRS if session.get_one(Attempt, attempt_id).by_machine else End.OURS
            gone = AttemptLeg(attempt_id, end, Sign.GONE, now(), CONGESTION)
            note_leg(session, gone, dialler.rules, dialler.calendar)


def _originate(session: Session, settings: Settings, attempt: Attempt) -> dict[str, str]:
    """The action that begins the call: a fixed context, and the attempt's number as the channel's id."""
    line = line_to_call_back(session, attempt)
    back = as_dialled(line.e164) if line is not None else ""
    if attempt.by_machine:
        context = CONTEXTS[Purpose(attempt.tasks[0].purpose)]
        channel, shown = f"PJSIP/trunk/{sip_address(settings, attempt.number)}", back
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


def sip_address(settings: Settings, number: str) -> str:
    """Where the trunk is asked for the number: ``sip:0671234567@gateway:5060``."""
    return f"sip:{as_dialled(number)}@{settings.trunk_host}:{settings.trunk_port}"
