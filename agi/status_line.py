"""A citizen hears the state of their report by telephone: of their own number, or by report number and PIN (W10).

Contract with the dialplan. On the status line: `TOLD` is set last, and whom it was not set for people answer. With the
argument `OFFER`, of a caller for whom nobody lifted the receiver: the call is not even answered when nothing can be
told, and what is set means nothing.
"""

import logging
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

from agi.channel import Channel
from agi.database import Work
from agi.inbound import known_in
from agi.talk import PAUSE_MILLISECONDS, PROMPTS, REPEATS, TALK_WAIT, Talk
from jobs.callfacts import StateHeard
from jobs.voice import NoVoice, speak
from models import status_script as script
from models.base import db, now
from models.lookup import Told, look_up, number_by_keys, told_to_caller
from models.pins import PIN_DIGITS
from models.spoken import Sentence
from models.status_script import END_OF_DIGITS, LineKey
from models.telephone import to_e164
from models.workdays import KYIV

TOLD = "CC_TOLD"
OFFER = "offer"
TRIES = 3  # with number and PIN in one call
LONGEST_NUMBER = 12  # keys
OWN_NUMBER, NUMBER_AND_PIN = "by telephone: own number", "by telephone: number and PIN"

T = TypeVar("T")

log = logging.getLogger(__name__)


def status_line(channel: Channel, work: Work) -> None:
    """Answer and tell the state of reports, if the database and a voice are there."""
    caller = to_e164(known_in(channel.env, "agi_callerid"), work.settings.profile.area_code)
    call = _Call(channel, work, caller)
    own = call.read(lambda: told_to_caller(db.session(), caller))
    offered = channel.env.get("agi_arg_1") == OFFER
    if own is None:
        return
    try:
        call.prepare(own, offered=offered)
    except NoVoice as error:
        log.warning("%s", error)
        return
    channel.answer()
    if offered and not call.wanted():
        return
    if call.serve(own, greet=not offered):
        channel.set_variable(TOLD, "yes")


class _Call:
    """One call to the status line."""

    def __init__(self, channel: Channel, work: Work, caller: str | None) -> None:
        self._channel, self._work, self._caller = channel, work, caller
        self._settings = work.settings
        self._talk = Talk(channel, work.settings)
        self._today = datetime.now(KYIV).date()

    def read(self, job: Callable[[], T]) -> T | None:
        return self._work.read(job, time.monotonic() + TALK_WAIT)

    def prepare(self, own: Sequence[Told], *, offered: bool) -> None:
        """Have all spoken that the call may have to say, while the citizen hears ringing. Raises `NoVoice`.

        Reports that are asked for by number and PIN are the exception: which, is not known yet.
        """
        first = script.status_offer() if offered else script.status_greeting(self._settings.profile.town)
        for prompt in (first, *map(self._said_of, own), *script.status_prompts()):
            speak(self._settings, prompt)

    def wanted(self) -> bool:
        """Whether the citizen for whom nobody lifted the receiver wants to hear the state of a report."""
        pressed = self._talk.ask(script.status_offer())
        self._talk.let_settle(pressed)
        return pressed == LineKey.YES

    def serve(self, own: Sequence[Told], *, greet: bool) -> bool:
        """Tell what is wanted; False when the citizen wants a person."""
        pressed = self._talk.say(script.status_greeting(self._settings.profile.town)) if greet else ""
        self._talk.let_settle(pressed)
        if pressed == LineKey.PERSON:
            return False
        pressed = self._tell_own(own) if own else LineKey.YES
        if pressed == LineKey.PERSON:
            return False
        if pressed == LineKey.YES:
            self._ask_for_others([] if own else script.status_none())
        self._talk.say(script.status_goodbye())
        return True

    def _tell_own(self, own: Sequence[Told]) -> str:
        """The caller's own reports; the key that was pressed then, "" for none."""
        prompt = [sentence for told in own for sentence in self._said_of(told)]
        for told in own:
            self._note(told, OWN_NUMBER)
        for _ in range(1 + REPEATS):
            pressed = self._talk.ask([*prompt, *script.status_more()])
            self._talk.let_settle(pressed)
            if pressed != LineKey.AGAIN:
                return pressed
        return ""

    def _ask_for_others(self, first: list[Sentence]) -> None:
        """Ask for report numbers and PINs; of wrong ones, three end it, and so do too many within the hour.

        ``first`` is said before; who knows what comes may type the number meanwhile.
        """
        wrong = 0
        while wrong < TRIES:
            number = number_by_keys(self._digits([*first, *script.status_number()], LONGEST_NUMBER))
            pin = self._digits(script.status_pin(), PIN_DIGITS) if number else ""
            if not pin:
                return
            limits = self._work.lookup_limits
            if not limits.may_call(self._caller or "") or not limits.may_try(number):
                self._talk.say(script.status_too_often())
                return
            found = self.read(lambda number=number, pin=pin: [look_up(db.session(), number, pin)])
            if found is None:
                self._talk.say(script.status_away())
                return
            (told,) = found
            if told is None:
                wrong, first = wrong + 1, script.status_wrong()
                continue
            first = []
            self._note(told, NUMBER_AND_PIN)
            pressed = self._talk.ask([*self._said_of(told), *script.status_more()])
            self._talk.let_settle(pressed)
            if pressed != LineKey.YES:
                return
        self._talk.say(script.status_wrong())

    def _digits(self, prompt: list[Sentence], most: int) -> str:
        """What was typed, at most so many keys, up to `END_OF_DIGITS`; "" when nothing was, time after time."""
        for _ in range(PROMPTS):
            typed, pressed = "", self._talk.ask(prompt)
            while pressed and pressed != END_OF_DIGITS and len(typed) < most:
                typed += pressed
                pressed = self._channel.wait_for_digit(PAUSE_MILLISECONDS)
            if typed.strip(LineKey.AGAIN):
                return typed
        return ""

    def _said_of(self, told: Told) -> list[Sentence]:
        day = told.planned_at or told.due_at
        until = day.astimezone(KYIV).date() if day else None
        planned = told.planned_at is not None
        return script.status_line(told.number, told.state, until, self._today, told.kind, planned=planned)

    def _note(self, told: Told, reason: str) -> None:
        self._work.tell(StateHeard(told.report_id, reason, now()))
