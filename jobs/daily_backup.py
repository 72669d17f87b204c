"""A backup every night in `CC_BACKUP_DIR`, and the oldest deleted."""

import logging
from datetime import datetime
from pathlib import Path

from flask import Flask

from jobs.archive import BackupTrouble
from jobs.backup import back_up
from jobs.settings import Settings
from models.workdays import KYIV

FIRST_HOUR = 3  # in Kyiv, from which a day's backup is made: few call then
_DAILY = "contact-center-????-??-??.zip"

log = logging.getLogger(__name__)


def back_up_daily(app: Flask, at: datetime) -> str:
    """Make the day's backup in `CC_BACKUP_DIR` and delete the oldest. A job of `jobs.rounds`; returns its trouble."""
    settings: Settings = app.config["SETTINGS"]
    folder, here = settings.backup_dir, at.astimezone(KYIV)
    if folder is None or here.hour < FIRST_HOUR:
        return ""
    file = folder / f"contact-center-{here:%Y-%m-%d}.zip"
    try:
        if not file.exists():
            back_up(settings, file)
            _forget_old(folder, settings.backup_keep)
    except BackupTrouble as error:
        log.warning("%s", error)
        detail = "The daily backup cannot be made: see the log of rounds."
        return detail
    except OSError as error:
        detail = f"The daily backup cannot be written ({error.strerror}): see the disk and the folder in CC_BACKUP_DIR."
        return detail
    return ""


def _forget_old(folder: Path, keep: int) -> None:
    for old in sorted(folder.glob(_DAILY))[:-keep]:
        old.unlink()
