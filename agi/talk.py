"""What the machine says to a citizen and which keys it hears: any key ends what is being said."""

from collections.abc import Callable, Iterable
from pathlib import Path

from agi.channel import Channel
from jobs.settings import Settings
from jobs.voice import speak
from models.spoken import Sentence

Speaking = Callable[[Settings, Iterable[Sentence]], list[Path]]
ANY_KEY = "0123456789*#"
PAUSE_MILLISECONDS = 5000  # for the answer, once the prompt is over
SETTLE_MILLISECONDS = 400  # in which a second key belongs to the first
TALK_WAIT = 3.0  # seconds for which who listens waits in silence for the database
RING_WAIT = 0.3  # seconds for which who hears it ring waits for the database
PROMPTS = 3  # that one question gets
REPEATS = 3  # with the key that asks for them


class Talk:
    """The machine's side of one call. ``speaking`` gives the sounds of sentences; without it, `speak`."""

    def __init__(self, channel: Channel, settings: Settings, speaking: Speaking | None = None) -> None:
        self._channel, self._settings, self._speaking = channel, settings, speaking

    def say(self, sentences: list[Sentence]) -> str:
        """Say it until a key is pressed: the key, or "" when none was. Raises `NoVoice`."""
        for path in (self._speaking or speak)(self._settings, sentences):
            pressed = self._channel.stream_file(str(path.with_suffix("")), ANY_KEY)
            if pressed:
                return pressed
        return ""

    def tell(self, sentences: list[Sentence]) -> None:
        """Say it until a key is pressed: that key, and what is pressed with it, answer nothing. Raises `NoVoice`."""
        self.let_settle(self.say(sentences))

    def sounds(self, sentences: list[Sentence]) -> str:
        """Where it is, as the application Playback takes it. Raises `NoVoice`."""
        return "&".join(str(path.with_suffix("")) for path in speak(self._settings, sentences))

    def ask(self, sentences: list[Sentence]) -> str:
        """Say it, and wait for a key: the key, or "" when none was pressed."""
        return self.say(sentences) or self._channel.wait_for_digit(PAUSE_MILLISECONDS)

    def let_settle(self, pressed: str) -> None:
        """A second key pressed with the first one answers no further question."""
        while pressed:
            pressed = self._channel.wait_for_digit(SETTLE_MILLISECONDS)
