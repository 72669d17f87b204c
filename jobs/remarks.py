"""What citizens said after the tone: from the exchange's folder to their reports (S 3.2, I2).

The exchange records into ``CC_VAR/pbx/remarks`` by itself, into ``ATTEMPT-TASK.wav`` in a call of the machine and into
``call-UNIQUEID.wav`` when they call out of hours, and nobody is told: so nothing that is dead meanwhile, the database
among it, loses a word. A recording is kept once, or thrown away, when its call has ended: that nothing is written into
it may be a pause, for there are lines that send nothing while nobody speaks.
"""

import logging
import re
from datetime import datetime, timedelta
from pathlib import Path

from flask import Flask

from jobs.filestore import Checked, keep
from jobs.settings import Settings
from jobs.sound import BadSound, is_spoken, seconds_of, with_true_length
from models.attachments import (
    REMARK_NAME,
    REMARK_TYPE,
    StoredFile,
    keep_message,
    keep_remark,
    message_is_over,
    remark_is_over,
)
from models.base import database_is_away, db, transaction
from models.plan import MESSAGE_SECONDS

REMARK_SECONDS = 60  # that may be spoken about one report
SHORTEST_SPEECH = 0.5  # seconds; who speaks for less has said nothing
# seconds after the last word for which a call may still go on of which nobody tells how it ended
STILL_SPOKEN = max(MESSAGE_SECONDS, REMARK_SECONDS) + 60.0
WAITED = timedelta(days=1)  # for a call that nobody has written down yet
_NAME = re.compile(r"([1-9]\d{0,9})-([1-9]\d{0,9})\.wav", re.ASCII)
_CALL = re.compile(r"call-(\w[\w.-]*)\.wav", re.ASCII)

log = logging.getLogger(__name__)


def remark_path(settings: Settings, attempt_id: int, task_id: int) -> Path:
    """Where the exchange records what the citizen says about a task in an attempt's call."""
    return settings.remarks_dir / f"{attempt_id}-{task_id}.wav"


def message_path(settings: Settings, call: str) -> Path | None:
    """Where the exchange records what is said in the call with this unique id; None for what is no such id."""
    path = settings.remarks_dir / f"call-{call[:64]}.wav"
    return path if _CALL.fullmatch(path.name) else None


def says_something(path: Path) -> bool:
    """Whether what was recorded until now is worth keeping: by this rule it is kept, and its speaker is answered.

    Raises OSError where it cannot be read.
    """
    return _worth_keeping(_recorded(path))


def keep_remarks(app: Flask, at: datetime) -> str:
    """Keep every recording that is finished with its report. A job of `jobs.rounds`; returns its trouble."""
    settings: Settings = app.config["SETTINGS"]
    detail = ""
    with app.app_context():
        for path in sorted(settings.remarks_dir.glob("*.wav")):
            try:
                if _over(path, at):
                    _take(settings, path, at)
            except OSError as error:
                detail = (
                    f"What a citizen said cannot be kept ({error.strerror}): make room, or see who owns the folder."
                )
            except Exception as error:  # one that breaks hinders no other
                if database_is_away(error):
                    raise
                log.exception("the recording %s cannot be kept", path.name)
                detail = "A recording of a citizen cannot be kept, see the log of rounds."
            finally:
                db.session.remove()
    return detail


def _over(path: Path, at: datetime) -> bool:
    """Whether nobody can speak into it any more: its call has ended, or must have, whoever did not tell of it."""
    if path.stat().st_mtime <= at.timestamp() - STILL_SPOKEN:
        return True
    if named := _NAME.fullmatch(path.name):
        return remark_is_over(db.session(), int(named[1]))
    of_call = _CALL.fullmatch(path.name)
    return of_call is not None and message_is_over(db.session(), of_call[1])


def _take(settings: Settings, path: Path, at: datetime) -> None:
    """Keep the recording, or find that there is nothing to keep; then it goes. Told twice, it is kept once."""
    content, named, of_call = _recorded(path), _NAME.fullmatch(path.name), _CALL.fullmatch(path.name)
    if (named or of_call) and _worth_keeping(content):
        said_at = datetime.fromtimestamp(path.stat().st_mtime).astimezone()
        sha256, seconds = keep(settings, Checked(content, REMARK_TYPE)), round(seconds_of(content))
        file = StoredFile(sha256, REMARK_TYPE, len(content), REMARK_NAME)
        with transaction() as session:
            if named:
                keep_remark(session, int(named[1]), int(named[2]), file, seconds, said_at)
            elif not keep_message(session, of_call[1], file, seconds, said_at) and at - said_at < WAITED:
                return  # the reconciler writes the call down
    path.unlink()


def _recorded(path: Path) -> bytes:
    return with_true_length(path.read_bytes())


def _worth_keeping(content: bytes) -> bool:
    try:
        return is_spoken(content, SHORTEST_SPEECH)
    except BadSound:
        return False
