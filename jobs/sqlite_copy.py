"""A copy of a SQLite database while others write into it, and whether a copy is whole."""

import errno
import os
import sqlite3
from contextlib import closing
from pathlib import Path

from jobs.archive import BackupTrouble, Tell

_PAGES = 2000  # copied at once
_READ_AGAIN = 30.0  # seconds that a lock is waited for


def copy_database(source: Path, target: Path, tell: Tell) -> None:
    """Copy the database as it is at this moment; writers go on meanwhile. Raises `BackupTrouble` and `OSError`.

    One reading transaction holds the moment from the first page to the last, so that nobody's writing makes the copy
    begin anew.
    """
    try:
        with closing(_connect(source)) as held, closing(sqlite3.connect(target)) as copy:
            held.execute("BEGIN")
            held.execute("SELECT count(*) FROM sqlite_master")
            held.backup(copy, pages=_PAGES, progress=lambda _status, left, whole: tell("database", whole - left, whole))
    except sqlite3.Error as error:
        raise _told(source, error) from error
    if not is_sound(target):
        raise BackupTrouble(f"{source} is damaged and is not backed up: stop the service and restore the last backup.")


def is_sound(file: Path) -> bool:
    """Whether all of the database can be read, and belongs together."""
    try:
        with closing(_connect(file)) as connection:
            return connection.execute("PRAGMA integrity_check(1)").fetchall() == [("ok",)]
    except sqlite3.Error:
        return False


def revision_in(file: Path) -> str:
    """The migration that the copy is at; "" when it has no tables."""
    with closing(_connect(file)) as connection:
        try:
            return connection.execute("SELECT version_num FROM alembic_version").fetchone()[0]
        except (sqlite3.Error, TypeError):
            return ""


def into_one_file(file: Path) -> None:
    """Bring what stands in the write-ahead log into the database's own file, and take the log away."""
    with closing(_connect(file)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")


def _connect(file: Path) -> sqlite3.Connection:
    """Open a database that is there."""
    uri = f"{file.absolute().as_uri()}?mode=rw"
    return sqlite3.connect(uri, uri=True, isolation_level=None, timeout=_READ_AGAIN)


def _told(source: Path, error: sqlite3.Error) -> Exception:
    if error.sqlite_errorname == "SQLITE_FULL":
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return BackupTrouble(f"{source} cannot be copied ({error}): see whether it is there and this user may write it.")
