"""After "not done" the citizen may say what: the exchange records it, and `jobs.remarks` keeps it with the report (C3).

Nothing is told to the database, and nothing waits for it: a hang-up in the middle keeps what was said until then.
"""

from pathlib import Path

from agi.channel import Channel
from agi.talk import ANY_KEY, Talk
from jobs.settings import Settings
from jobs.voice import tone_of
from models import status_script as script

LONGEST = 60  # seconds that may be spoken
SILENCE = 4  # seconds without a word that end it
FIRST = 5  # seconds after which is asked whether anything came: a line may send nothing while nobody speaks
SOMETHING = 1.5  # seconds: of silence the exchange leaves one
_SAMPLES = 8000  # a second


def record_remark(channel: Channel, talk: Talk, settings: Settings, path: Path) -> None:
    """Offer to speak after the tone, and record it into ``path``; any key ends it, pressed at once it records nothing.

    The call's deadline moves by what may be spoken. Raises `HungUp`, and `NoVoice` before anything is recorded.
    """
    tone = tone_of(settings)
    pressed = talk.say(script.leave_words()) or channel.stream_file(str(tone.with_suffix("")), ANY_KEY)
    if pressed:
        talk.let_settle(pressed)
        return
    pressed, something = record_words(channel, path, LONGEST)
    talk.let_settle(pressed)
    if something:
        talk.tell(script.words_kept())


def record_words(channel: Channel, path: Path, longest: int) -> tuple[str, bool]:
    """Record at most ``longest`` seconds into ``path``: the key that ended it, "" for silence or the time, and whether
    anything was said. The call's deadline moves by what may be spoken."""
    channel.deadline += longest + SILENCE
    pressed, recorded = _record(channel, path, FIRST, 0)
    if not pressed and recorded > SOMETHING * _SAMPLES:
        pressed, recorded = _record(channel, path, longest - FIRST, recorded)
    return pressed, recorded > SOMETHING * _SAMPLES


def _record(channel: Channel, path: Path, seconds: int, begins: int) -> tuple[str, int]:
    """Record from the sample ``begins`` on: the key that ended it, "" for silence or the time, and the last sample."""
    answer = channel.execute(
        "RECORD FILE", path.with_suffix(""), "wav", ANY_KEY, seconds * 1000, begins, f"s={SILENCE}"
    )
    ended, how = answer["result"]
    ends, _ = answer.get("endpos", ("0", ""))
    # when the time is over Asterisk answers the milliseconds that it had left to wait, mostly 0: no key
    return chr(int(ended)) if how == "dtmf" else "", int(ends)
