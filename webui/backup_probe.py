"""Whether there is a backup: when the last was made, and whether it is older than the settings expect."""

from datetime import timedelta

from flask_babel import lazy_gettext as _

from jobs.backup import LastBackup, last_backup
from jobs.heartbeat import read_beat
from jobs.settings import Settings
from models.base import now
from models.workdays import KYIV
from webui.findings import Finding
from webui.troubles import in_words

MAKING = timedelta(hours=2)  # a daily backup is not made to the minute, and takes its time


def probe_backup(settings: Settings) -> Finding:
    """A backup that is expected and missing needs a person; where none is expected it is only told."""
    last, beat = last_backup(settings), read_beat(settings.run_dir, "backup")
    if beat is not None and not beat.ok:
        return Finding(False, in_words(beat.detail), _("See the folder in CC_BACKUP_DIR and its disk."), beat.since)
    if settings.backup_days and (last is None or now() - last.at > timedelta(days=settings.backup_days) + MAKING):
        return Finding(
            False, _told(last), _("Make one at once, “contact-center backup FILE”, and see why none was made.")
        )
    if settings.backup_days or last is not None:
        return Finding(True, _told(last))
    return Finding(True, _told(last), _("Set CC_BACKUP_DIR to a folder on another disk, and restart the service."))


def _told(last: LastBackup | None) -> object:
    if last is None:
        return _("No backup was made yet.")
    return _("The last one was made on %(at)s.", at=last.at.astimezone(KYIV).strftime("%d.%m.%Y %H:%M"))
