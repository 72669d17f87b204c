"""The machine hands an emergency over to the duty of an enterprise: one key accepts it (I8)."""

import time

from agi.asking import Asker
from agi.channel import Channel
from agi.database import Work
from agi.talk import TALK_WAIT
from jobs.attemptfacts import attempt_of
from models import status_script as script
from models.base import db
from models.duty_calls import hand_over_of
from models.status_script import HandoverKey

ANSWERS = (HandoverKey.ACCEPT, HandoverKey.PERSON)


def hand_over(channel: Channel, work: Work) -> None:
    """Read the emergency to the duty and keep the key; tell the dialplan whom to dial when a person is wanted."""
    attempt_id = attempt_of(channel.env.get("agi_uniqueid", ""))
    if attempt_id is None:
        return
    asker = Asker(channel, work, attempt_id)
    _hand_over(asker)
    asker.through()


def _hand_over(asker: Asker) -> None:
    """The call, from the greeting to what the key means."""
    work = asker.work
    asker.talk.tell(script.handover_greeting(asker.town))
    area_code, until = work.settings.profile.area_code, time.monotonic() + TALK_WAIT
    told = work.read(lambda: hand_over_of(db.session(), asker.attempt_id, area_code), until)
    if told is None or told.emergency is None:
        asker.talk.tell(script.handover_away() if told is None else script.handover_over())
        return
    question = script.handover_report(told.emergency) + script.handover_keys(told.emergency)
    key = asker.ask(told.task_id, question, ANSWERS, script.handover_wrong_key, script.handover_no_input)
    if key == HandoverKey.PERSON:
        asker.put_through()
    else:
        asker.talk.tell(script.handover_answered(key == HandoverKey.ACCEPT))
