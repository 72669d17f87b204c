"""The machine asks a citizen whether the work is done: one key a report, each kept at once (C3).

Contract with the dialplan: where `DIAL` is set it puts the citizen through to these phones, else it hangs up. A key is
told to the exchange's CEL file before it is told to the database, so that no answer is lost while that is away.
"""

import time
from collections.abc import Sequence
from datetime import datetime

from agi.channel import Channel
from agi.database import Work
from jobs.attemptfacts import KEY_EVENT, attempt_of
from jobs.callfacts import KeyPressed
from jobs.pbx import route
from jobs.phones import free_phones
from jobs.settings import Settings
from jobs.voice import speak
from models import status_script as script
from models.base import db, now
from models.people import Role
from models.spoken import Sentence
from models.status_questions import ANSWERS, Question, questions_of
from models.status_script import Key
from models.workdays import KYIV

DIAL = "CC_DIAL"
READ_SECONDS = 3.0  # that the citizen waits in silence for the database
PROMPTS = 3  # that one question gets
REPEATS = 3  # with the key that asks for them
PAUSE_MILLISECONDS = 5000  # for the answer, once the prompt is over
SETTLE_MILLISECONDS = 400  # in which a second key belongs to the first
_ANY_KEY = "0123456789*#"


def status_check(channel: Channel, work: Work) -> None:
    """Ask about each report of the attempt, and tell the dialplan whom to dial when a person is wanted."""
    attempt_id = attempt_of(channel.env.get("agi_uniqueid", ""))
    if attempt_id is None:
        return
    questions = work.read(lambda: questions_of(db.session(), attempt_id), time.monotonic() + READ_SECONDS)
    if questions:
        _Call(channel, work, attempt_id).ask_all(questions)


class _Call:
    """One call, from the greeting to the good-bye."""

    def __init__(self, channel: Channel, work: Work, attempt_id: int) -> None:
        self._channel, self._work, self._attempt_id = channel, work, attempt_id
        self._settings: Settings = work.settings
        self._town = self._settings.profile.town

    def ask_all(self, questions: Sequence[Question]) -> None:
        today = datetime.now(KYIV).date()
        self._say(script.greeting(self._town, len(questions)))
        for place, question in enumerate(questions):
            key = self._ask(script.question(question.asked, today, following=place > 0))
            if key is None:
                self._say(script.gives_up())
                return
            self._keep(question, key)
            if key == Key.PERSON:
                self._put_through()
                return
            self._say(script.answered(key))
            if key == Key.NOT_ME:
                return
        self._say(script.goodbye())

    def _ask(self, question: list[Sentence]) -> Key | None:
        """The key that answers; None when none came."""
        prompt, prompts, repeats = question, 0, 0
        while prompts < PROMPTS and repeats <= REPEATS:
            pressed = self._say(prompt) or self._channel.wait_for_digit(PAUSE_MILLISECONDS)
            self._let_settle(pressed)
            if pressed in ANSWERS:
                return Key(pressed)
            if pressed == Key.AGAIN:
                prompt, repeats = question, repeats + 1
            else:
                prompt, prompts = script.wrong_key() if pressed else script.no_input(), prompts + 1
        return None

    def _say(self, sentences: list[Sentence]) -> str:
        """Say it until a key is pressed: the key, or "" when none was."""
        for path in speak(self._settings, sentences):
            pressed = self._channel.stream_file(str(path.with_suffix("")), _ANY_KEY)
            if pressed:
                return pressed
        return ""

    def _let_settle(self, pressed: str) -> None:
        """A second key pressed with the first one answers no further question."""
        while pressed:
            pressed = self._channel.wait_for_digit(SETTLE_MILLISECONDS)

    def _keep(self, question: Question, key: Key) -> None:
        self._channel.appexec("CELGenUserEvent", f"{KEY_EVENT},{question.task_id}:{key}")
        self._work.tell(KeyPressed(self._attempt_id, question.task_id, key, now()))

    def _put_through(self) -> None:
        phones = self._work.read(
            lambda: free_phones(db.session(), self._settings, (Role.DISPATCHER, Role.ADMINISTRATOR)),
            time.monotonic() + READ_SECONDS,
        )
        if phones:
            self._say(script.answered(Key.PERSON))
            self._channel.set_variable(DIAL, route([(phones, 20)]).partition(",")[0])
        else:
            self._say(script.nobody_free())
