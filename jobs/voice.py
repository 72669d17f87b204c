"""What the machine says on the telephone, spoken before anybody is dialled: sentences into sounds that Asterisk plays.

A sentence is played as the town recorded it (``CC_VAR/prompts/NAME.wav``), else it is spoken by RHVoice, else by
espeak-ng. Sounds are kept under a hash, for addresses are said in them: no text becomes a name, an argument or a log.
"""

import hashlib
import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from jobs.files import one_at_a_time, write_whole
from jobs.pbx import SERVICE_USER
from jobs.settings import Settings
from jobs.sound import BadSound, for_telephone, seconds_of, tone
from models.spoken import Sentence

LONGEST = 20.0  # seconds that a program may speak; ten seconds of speech take it half of one
KEPT = timedelta(days=7)  # since it was last asked for
_RHVOICE_DATA = "/usr/share/RHVoice"
_RHVOICE_NAME = "natalia"  # under the LGPL; Anatol's, too, is so slow that questions would become too long
_LEAST = 0.02  # seconds of sound a letter: of less the program left words out, as RHVoice does without a word
_MADE = b"1"  # another number when the same sentence is to sound otherwise
_OUT = "{out}"  # in a voice's command, where its sound is to be


class NoVoice(Exception):
    """A sentence cannot be spoken, so nobody is to be dialled; the message is one sentence that says what to do."""


@dataclass(frozen=True)
class Voice:
    """A program that speaks Ukrainian: it takes the text from its standard input and writes a WAV file."""

    name: str
    command: tuple[str, ...]


def installed_voices() -> list[Voice]:
    """The Ukrainian voices of this machine, the best one first."""
    found = []
    if program := shutil.which("RHVoice-test"):
        data = Path(os.environ.get("RHVOICE_DATA_PATH", _RHVOICE_DATA)) / "voices"
        if (data / _RHVOICE_NAME / "voice.info").is_file():  # of an unknown voice the program says nothing
            found.append(Voice("RHVoice", (program, "-p", _RHVOICE_NAME, "-o", _OUT)))
    if program := shutil.which("espeak-ng"):
        found.append(Voice("espeak-ng", (program, "-b", "1", "-v", "uk", "-s", "160", "--stdin", "-w", _OUT)))
    return found


def find_voice() -> Voice:
    """The best Ukrainian voice of this machine. Raises `NoVoice` when there is none."""
    if voices := installed_voices():
        return voices[0]
    raise NoVoice(
        "No Ukrainian voice is installed: run script/setup as root, or apt-get install espeak-ng "
        "(better, from Debian's non-free: rhvoice rhvoice-ukrainian)."
    )


def speak(settings: Settings, sentences: Iterable[Sentence], voice: Voice | None = None) -> list[Path]:
    """The sound of each sentence, whole and ready for Asterisk: 8 kHz, mono, 16 bits, -18 dBFS.

    What was spoken already is not spoken again. ``voice`` is the one that `find_voice` finds where none is given.
    Raises `NoVoice` when one of them has no sound: then nothing is to be dialled.
    """
    sounds: list[Path] = []
    try:
        _make_folder(settings)
        for sentence in sentences:
            if recording := _recording(settings, sentence):
                sounds.append(_recorded(settings, recording))
            else:
                voice = voice or find_voice()
                sounds.append(_spoken(settings, sentence.text, voice))
    except OSError as error:
        raise NoVoice(
            f"Speech cannot be kept in {settings.sounds_dir} ({error.strerror}): make room there, "
            "or give the folder back to the service's user."
        ) from error
    return sounds


def ready(settings: Settings, sentences: Iterable[Sentence]) -> list[Path]:
    """The same sounds, of what is spoken already: nobody waits for a program. Raises `NoVoice` where one is missing."""
    voice, sounds = None, []
    try:
        for sentence in sentences:
            if recording := _recording(settings, sentence):
                source = [b"recorded", recording.read_bytes()]
            else:
                voice = voice or find_voice()
                source = [voice.name.encode(), sentence.text.encode()]
            sounds.append(_file_of(settings, source))
            if not _asked_for(sounds[-1]):
                raise NoVoice("This is not spoken yet: the periodic jobs do it within seconds (part rounds).")
    except OSError as error:
        raise NoVoice(f"Speech in {settings.sounds_dir} cannot be read ({error.strerror}).") from error
    return sounds


def tone_of(settings: Settings) -> Path:
    """The tone after which a citizen may speak. Raises `NoVoice` when it cannot be kept."""
    try:
        _make_folder(settings)
        return _kept(settings, [b"tone"], tone)
    except OSError as error:
        raise NoVoice(f"The tone cannot be kept in {settings.sounds_dir} ({error.strerror}).") from error


def tidy_voice(settings: Settings, at: datetime, kept: timedelta = KEPT) -> int:
    """Delete the sounds that nobody asked for in the last ``kept``; how many there were."""
    if not settings.sounds_dir.is_dir():
        return 0
    before, deleted = (at - kept).timestamp(), 0
    with one_at_a_time(settings.sounds_dir):
        for path in settings.sounds_dir.iterdir():
            if path.stat().st_mtime >= before:
                continue
            if path.is_dir():  # of a program that was broken off with us
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()
                deleted += 1
    return deleted


def _make_folder(settings: Settings) -> None:
    """The folder of the sounds: Asterisk's account reads what is in it, and changes nothing."""
    folder = settings.sounds_dir
    folder.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        try:
            group = pwd.getpwnam(SERVICE_USER).pw_gid
        except KeyError:
            raise NoVoice(f"There is no account {SERVICE_USER}, which plays the speech: run script/setup.") from None
        os.chown(folder, 0, group)
        folder.chmod(0o2750)  # so that each file in it is of this group


def _recording(settings: Settings, sentence: Sentence) -> Path | None:
    """Where the sentence lies as the town recorded it; None when it did not."""
    path = settings.prompts_dir / f"{sentence.prompt}.wav"
    return path if sentence.prompt and path.exists() else None


def _recorded(settings: Settings, recording: Path) -> Path:
    """The sound of a recording; of another one when that is replaced."""
    try:
        content = recording.read_bytes()
    except OSError as error:
        raise NoVoice(f"{recording} cannot be read ({error.strerror}): give it to the service's user.") from error

    def make() -> bytes:
        try:
            return for_telephone(content)
        except BadSound as error:
            raise NoVoice(f"{recording} {error}: record it again, or take it away.") from error

    return _kept(settings, [b"recorded", content], make)


def _spoken(settings: Settings, text: str, voice: Voice) -> Path:
    return _kept(settings, [voice.name.encode(), text.encode()], lambda: _say(settings, text, voice))


def _kept(settings: Settings, source: Iterable[bytes], make: Callable[[], bytes]) -> Path:
    """The file of what is made from ``source``; ``make`` makes it where it is not there yet."""
    path = _file_of(settings, source)
    if _asked_for(path):  # who plays it waits for nobody who speaks
        return path
    with one_at_a_time(settings.sounds_dir):  # no more than one program speaks at a time
        if not _asked_for(path):
            write_whole({path: make()})
    return path


def _file_of(settings: Settings, source: Iterable[bytes]) -> Path:
    named = hashlib.sha256(b"\0".join([_MADE, *source])).hexdigest()
    return settings.sounds_dir / f"{named}.wav"


def _asked_for(path: Path) -> bool:
    """Whether the sound is there; `tidy_voice` leaves it then."""
    with suppress(PermissionError, FileNotFoundError):
        os.utime(path)
    return path.exists()


def _say(settings: Settings, text: str, voice: Voice) -> bytes:
    """What the program says. Raises `NoVoice` when it fails, hangs, or says too little."""
    with TemporaryDirectory(prefix="speaking-", dir=settings.sounds_dir) as folder:
        out = Path(folder) / "out.wav"
        command = [str(out) if part == _OUT else part for part in voice.command]
        try:
            ended = subprocess.run(
                command, input=_typed(text).encode(), timeout=LONGEST, check=False,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,  # it may say the text there
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise NoVoice(f"{voice.name} did not end within {LONGEST:.0f} s: install it anew.") from None
        except OSError as error:
            raise NoVoice(f"{voice.name} cannot be started ({error.strerror}): install it anew.") from error
        if ended.returncode != 0 or not out.is_file():
            raise NoVoice(f"{voice.name} fails (exit code {ended.returncode}): install it anew.")
        try:
            sound = for_telephone(out.read_bytes())
        except BadSound as error:
            raise NoVoice(f"What {voice.name} said {error}: make room on the disk, or install it anew.") from error
    if seconds_of(sound) < _LEAST * sum(map(str.isalpha, text)):
        raise NoVoice(f"{voice.name} left words out: record this prompt, or install another voice.")
    return sound


def _typed(text: str) -> str:
    """The text as every program reads it: its own apostrophe, no command such as "[[", one line."""
    plain = re.sub("[’ʼ`]", "'", text)
    return " ".join(re.sub(r"[^\w\s.,:;!?'—–-]", " ", plain).split()) + "\n"
