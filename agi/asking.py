"""What the machine's calls share: a prompt is said until a key is pressed, one key answers, a person is one key away.

Contract with the dialplan: where `DIAL` is set it puts who was called through to these phones, else it hangs up; where
nobody lifts the receiver it plays `SORRY`. Without `SAID`, the last thing that is set, the call was our trouble. A key
is told to the exchange's CEL file before it is told to the database, so that no answer is lost while that is away.
"""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from agi.channel import Channel
from agi.database import Work
from agi.talk import PROMPTS, REPEATS, TALK_WAIT, Talk
from jobs.attemptfacts import KEY_EVENT
from jobs.callfacts import KeyPressed
from jobs.pbx import together
from jobs.phones import free_phones
from models import status_script as script
from models.base import db, now
from models.people import Role
from models.spoken import Sentence
from models.status_script import Key

DIAL, SORRY, SAID = "CC_DIAL", "CC_SORRY", "CC_SAID"


@dataclass(frozen=True)
class Asker:
    """Asks on the channel of one attempt, and keeps the keys that answer."""

    channel: Channel
    work: Work
    attempt_id: int

    @property
    def town(self) -> str:
        return self.work.settings.profile.town

    @property
    def talk(self) -> Talk:
        return Talk(self.channel, self.work.settings)

    def ask(
        self,
        task_id: int,
        question: list[Sentence],
        answers: Collection[str],
        wrong_key: Callable[[], list[Sentence]],
        no_input: Callable[[], list[Sentence]],
    ) -> str:
        """The key of ``answers`` that was pressed, kept as the task's answer at once; "" when none was.

        `Key.AGAIN` says the question once more.
        """
        prompt, prompts, repeats = question, 0, 0
        while prompts < PROMPTS and repeats <= REPEATS:
            pressed = self.talk.ask(prompt)
            if pressed in answers:
                self._keep(task_id, pressed)
            self.talk.let_settle(pressed)
            if pressed in answers:
                return pressed
            if pressed == Key.AGAIN:
                prompt, repeats = question, repeats + 1
            else:
                prompt, prompts = wrong_key() if pressed else no_input(), prompts + 1
        return ""

    def put_through(self) -> None:
        """Who was called wants a person of ours: one who is free, else a call is promised."""
        phones = self.work.read(
            lambda: free_phones(db.session(), self.work.settings, (Role.DISPATCHER, Role.ADMINISTRATOR)),
            time.monotonic() + TALK_WAIT,
        )
        self.talk.tell(script.answered(Key.PERSON) if phones else script.nobody_free())
        if phones:
            self.channel.set_variable(SORRY, self.talk.sounds(script.nobody_free()))
            self.channel.set_variable(DIAL, together(phones))

    def through(self) -> None:
        """All is said that was to be said."""
        self.channel.set_variable(SAID, "yes")

    def _keep(self, task_id: int, key: str) -> None:
        try:
            self.channel.appexec("CELGenUserEvent", f"{KEY_EVENT},{task_id}:{key}")
        finally:  # they may have hung up
            self.work.tell(KeyPressed(self.attempt_id, task_id, key, now()))
