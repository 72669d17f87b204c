"""Who calls a closed line hears the hours, may leave a message, or reaches the duty phone by a key (I2).

Contract with the dialplan (``agi://127.0.0.1:PORT/out_of_hours``, the line's digits as the first argument, and "alone"
as the second when the duty phone did not answer): it has a default for the two variables set here, `HEARD` and `DUTY`.
Whatever fails before the tone, nothing is set and the phone rings as in hours; so it does when this server is away or
hangs. Nothing is spoken here: what `jobs.speech` has not made yet is not said. The exchange records by itself, and
`jobs.remarks` keeps it with the draft: a hang-up in the middle keeps what was said until then. The call stays one that
nobody answered, so that it is called back.
"""

import logging
import time

from agi.channel import Channel
from agi.database import Work
from agi.remark import record_words
from agi.talk import ANY_KEY, RING_WAIT, Talk
from jobs.pbx import route
from jobs.remarks import message_path
from jobs.voice import NoVoice, ready, tone_of
from models import status_script as script
from models.base import now
from models.hours import opens_at
from models.plan import DUTY_SECONDS, MESSAGE_SECONDS

HEARD = "CC_HEARD"  # "yes": they were told all, and the call ends
DUTY = "CC_DUTY"  # the duty phone, as `jobs.pbx.route` writes it

log = logging.getLogger(__name__)


def out_of_hours(channel: Channel, work: Work) -> None:
    """Answer, tell the hours, and record a message after the tone, or tell the dialplan to ring the duty phone."""
    digits, alone = channel.env.get("agi_arg_1", ""), channel.env.get("agi_arg_2", "") == "alone"
    line, at = work.line(digits, time.monotonic() + RING_WAIT), now()
    path = message_path(work.settings, channel.env.get("agi_uniqueid", ""))
    if not line.closed(at) or path is None:
        return
    duty = "" if alone else line.timetable.duty
    if alone:
        told = script.closed_duty_away()
    else:
        opens = opens_at(line.timetable, at, line.calendar)
        told = script.closed_told(line.timetable.hours, opens, at, work.settings.profile.town)
    said = [*told, *(script.closed_duty() if duty else []), *script.closed_message()]
    try:
        ready(work.settings, [*said, *script.closed_end(True), *script.closed_end(False)])
        tone = tone_of(work.settings)
    except NoVoice as error:
        log.warning("%s", error)
        return
    channel.answer()
    talk = Talk(channel, work.settings, ready)
    pressed = talk.say(said)
    if pressed != script.ClosedKey.DUTY or not duty:
        talk.let_settle(pressed)
        pressed = channel.stream_file(str(tone.with_suffix("")), ANY_KEY)
    if pressed == script.ClosedKey.DUTY and duty:
        channel.set_variable(DUTY, route([([duty], DUTY_SECONDS)]))
        return
    pressed, something = record_words(channel, path, MESSAGE_SECONDS)
    channel.set_variable(HEARD, "yes")
    talk.let_settle(pressed)
    talk.tell(script.closed_end(something))
