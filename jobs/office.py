"""The centre's own periodic work: the quarterly report (R 4.6), the terms of personal data and lost files (A3)."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from flask import Flask

from jobs.filestore import remove_old, stored
from jobs.settings import Settings
from jobs.voice import tidy_voice
from models.attachments import unnamed
from models.base import db, transaction
from models.erasure import tidy_index
from models.quarterly import prepare_due
from models.retention import last_run, run_retention

REFUSED_FOR = timedelta(hours=1)  # a file without a row lies so long at most: no form takes as long
LONGEST_PAUSE = timedelta(days=92)


def prepare_quarterly_reports(app: Flask, at: datetime) -> str:
    """Prepare what is to be reported on the last quarter, once. A job of `jobs.rounds`."""
    with app.app_context():
        prepare_due(db.session(), at)
    return ""


def end_terms(app: Flask, at: datetime) -> str:
    """End the holding of all personal data whose term is over. A job of `jobs.rounds`.

    What is erased cannot be brought back: after `LONGEST_PAUSE` it is not done by itself, the clock may be wrong.
    """
    with app.app_context():
        ran = last_run(db.session())
        if ran is not None and at - ran > LONGEST_PAUSE:
            trouble = "Terms of personal data were not ended for a quarter, or the clock is wrong: nothing is erased."
            return trouble
        ended = True
        while ended:
            with transaction() as session:
                ended = any(run_retention(session, at).values())
    return ""


def finish_erasure(settings: Settings, hashes: Iterable[str], at: datetime) -> None:
    """What an erasure that began ``at`` leaves outside of its transaction: the files, the index of words."""
    remove_unnamed(settings, hashes, at)
    with transaction() as session:
        tidy_index(session)


def clear_store(app: Flask, at: datetime) -> str:
    """Take away what lies in the store and no report names. A job of `jobs.rounds`."""
    with app.app_context():
        settings = app.config["SETTINGS"]
        remove_unnamed(settings, stored(settings), at - REFUSED_FOR)
    return ""


def forget_speech(app: Flask, at: datetime) -> str:
    """Delete what was spoken in calls and was not asked for again: streets of reports stand in it. A job of
    `jobs.rounds`."""
    tidy_voice(app.config["SETTINGS"], at)
    return ""


def remove_unnamed(settings: Settings, hashes: Iterable[str], before: datetime) -> None:
    """Of these files take away those that no report names, and that nobody has kept since ``before``."""
    for sha256 in unnamed(db.session(), hashes):
        remove_old(settings, sha256, before.timestamp())
