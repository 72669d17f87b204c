"""What citizens said after the tone: from the exchange's folder to their reports (S 3.2, I2).

The exchange records into ``CC_VAR/pbx/remarks`` by itself, into ``ATTEMPT-TASK.wav`` in a call of the machine and into
``call-UNIQUEID.wav`` when they call out of hours, and nobody is told: so nothing that is dead meanwhile, the database
among it, loses a word. A recording that nobody writes any more is kept once, or thrown away.
"""

import logging
import re
from datetime import datetime, timedelta
from pathlib import Path

from flask import Flask

from jobs.filestore import Checked, keep
from jobs.settings import Settings
from jobs.sound import BadSound, seconds_of, seconds_spoken
from models.attachments import REMARK_NAME, REMARK_TYPE, StoredFile, keep_message, keep_remark
from models.base import database_is_away, db, transaction

QUIET = 10.0  # seconds for which the exchange has written nothing: it writes every two
SHORTEST = 0.5  # seconds of speech; what is shorter says nothing
SHORTEST_MESSAGE = 1.0  # seconds that one out of hours lasts, at the least
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


def keep_remarks(app: Flask, at: datetime) -> str:
    """Keep every recording that is finished with its report. A job of `jobs.rounds`; returns its trouble."""
    settings: Settings = app.config["SETTINGS"]
    detail = ""
    with app.app_context():
        for path in sorted(settings.remarks_dir.glob("*.wav")):
            try:
                if path.stat().st_mtime <= at.timestamp() - QUIET:
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


def _take(settings: Settings, path: Path, at: datetime) -> None:
    """Keep the recording, or find that there is nothing to keep; then it goes. Told twice, it is kept once."""
    content, named, of_call = path.read_bytes(), _NAME.fullmatch(path.name), _CALL.fullmatch(path.name)
    if (named or of_call) and _spoken(content) and (named or seconds_of(content) >= SHORTEST_MESSAGE):
        said_at = datetime.fromtimestamp(path.stat().st_mtime).astimezone()
        sha256, seconds = keep(settings, Checked(content, REMARK_TYPE)), round(seconds_of(content))
        file = StoredFile(sha256, REMARK_TYPE, len(content), REMARK_NAME)
        with transaction() as session:
            if named:
                keep_remark(session, int(named[1]), int(named[2]), file, seconds, said_at)
            elif not keep_message(session, of_call[1], file, seconds, said_at) and at - said_at < WAITED:
                return  # the reconciler writes the call down
    path.unlink()


def _spoken(content: bytes) -> bool:
    try:
        return seconds_spoken(content) >= SHORTEST
    except BadSound:
        return False
