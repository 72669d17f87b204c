"""Who calls from where there is an outage hears of it, and may leave or stay: then the phone rings (C7).

Contract with the dialplan (``agi://127.0.0.1:PORT/outage``, the outage's id as the first argument): it has a default
for the one variable set here, `LEFT`. Whatever fails, nothing is set and the phone rings; so it does when this server
is away or hangs. Nothing is spoken here: what `jobs.speech` has not made yet is not said.
"""

import logging
import time

from agi.channel import Channel, HungUp
from agi.database import Work
from agi.talk import RING_WAIT, Talk
from jobs.callfacts import OutageHeard
from jobs.voice import NoVoice, ready
from models.base import db, now
from models.outages import announced
from models.status_script import OutageKey, outage_keys, outage_told

LEFT = "CC_LEFT"
KEY_MILLISECONDS = 2000  # for a key, once all is said
HEARD_SECONDS = 3.0  # who hangs up sooner cannot have understood what it is about

log = logging.getLogger(__name__)


def outage(channel: Channel, work: Work) -> None:
    """Answer, tell of the outage, and tell the dialplan when the citizen is content with that.

    Who hangs up after some seconds of it is content, too: nobody is to call them back.
    """
    wanted, call = channel.env.get("agi_arg_1", ""), channel.env.get("agi_uniqueid", "")
    found = work.read(lambda: announced(db.session(), now()), time.monotonic() + RING_WAIT)
    told = next((one for one in found or [] if str(one.id) == wanted and one.told_at(now())), None)
    if told is None:
        return
    said = [*outage_told(told, work.settings.profile.town), *outage_keys()]
    try:
        ready(work.settings, said)
    except NoVoice as error:
        log.warning("%s", error)
        return
    talk = Talk(channel, work.settings, ready)
    channel.answer()
    begun = time.monotonic()
    try:
        work.tell(OutageHeard(call, told.id, now()))
        pressed = talk.say(said) or channel.wait_for_digit(KEY_MILLISECONDS)
        if pressed == OutageKey.LEAVE:
            channel.set_variable(LEFT, "yes")
    except HungUp:
        content = channel.time_left() > 0 and time.monotonic() - begun >= HEARD_SECONDS
        work.tell(OutageHeard(call, told.id, now(), left=content))
        raise
    if pressed == OutageKey.LEAVE:
        work.tell(OutageHeard(call, told.id, now(), left=True))
