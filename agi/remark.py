"""After "not done" the citizen may say what: the exchange records it, and `jobs.remarks` keeps it with the report (C3).

Nothing is told to the database, and nothing waits for it: a hang-up in the middle keeps what was said until then.
"""

from pathlib import Path

from agi.channel import Channel
from agi.talk import ANY_KEY, Talk
from jobs.remarks import REMARK_SECONDS, says_something
from jobs.settings import Settings
from jobs.voice import tone_of
from models import status_script as script

SILENCE = 4  # seconds without a word that end it
BEGINS = 10  # seconds after the tone in which something must be said; silence in them is found after eight


def record_remark(channel: Channel, talk: Talk, settings: Settings, path: Path) -> None:
    """Offer to speak after the tone, and record it into ``path``; any key ends it, pressed at once it records nothing.

    The call's deadline moves by what may be spoken. Raises `HungUp`, and `NoVoice` before anything is recorded.
    """
    tone = tone_of(settings)
    pressed = talk.say(script.leave_words()) or channel.stream_file(str(tone.with_suffix("")), ANY_KEY)
    if pressed:
        talk.let_settle(pressed)
        return
    pressed, something = record_words(channel, path, REMARK_SECONDS)
    talk.let_settle(pressed)
    if something:
        talk.tell(script.words_kept())


def record_words(channel: Channel, path: Path, longest: int) -> tuple[str, bool]:
    """Record at most ``longest`` seconds into ``path``: the key that ended it, "" for silence or the time, and whether
    it is certain that there is something to keep. The call's deadline moves by what may be spoken.

    Who is silent at first is waited for; a line may send nothing while nobody speaks, and no silence is found there.
    """
    channel.deadline += longest + SILENCE
    pressed, said, spent, begins = "", False, 0, 0
    while not pressed and (seconds := (BEGINS if said is False else longest) - spent) > 0:
        pressed, left, begins = _record(channel, path, seconds, begins)
        said, spent = _says_something(path), spent + seconds - left
        if left and said is not False:
            break
    return pressed, bool(said)


def _record(channel: Channel, path: Path, seconds: int, begins: int) -> tuple[str, int, int]:
    """Record from the sample ``begins`` on: the key that ended it, "" for silence or the time, how many whole seconds
    were left, none when it was the time, and the last sample."""
    answer = channel.execute(
        "RECORD FILE", path.with_suffix(""), "wav", ANY_KEY, seconds * 1000, begins, f"s={SILENCE}"
    )
    ended, how = answer["result"]
    ends, _ = answer.get("endpos", ("0", ""))
    if how == "dtmf":
        return chr(int(ended)), 0, int(ends)
    return "", int(ended) // 1000, int(ends)  # without a key Asterisk answers the milliseconds that were left to wait


def _says_something(path: Path) -> bool | None:
    """As `says_something`; None where it cannot be read: nobody is cut off at once, nor told that it is kept."""
    try:
        return says_something(path)
    except OSError:
        return None
