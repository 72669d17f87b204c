"""Making a backup while everything runs, saying whether one is whole, and remembering when the last was made.

In it is what cannot be made anew: the database, the files of reports, what citizens said and nobody has taken yet, the
town's recorded sentences, the secrets, and the exchange's files of calls.
"""

import fcntl
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO

from sqlalchemy import make_url

from jobs import sqlite_copy
from jobs.archive import BackupTrouble, Tell, Writer, reading, writing
from jobs.celfile import earlier_files
from jobs.files import write_whole
from jobs.settings import Settings, refuse_half_restored, shown
from models.base import now

DATABASE = "database"  # its name in a backup, whatever kind it is
SECRETS = "secrets.json"
CEL_FOLDER = "pbx/log/cel-custom"
_STAMP = "backup.json"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LastBackup:
    """When the last backup was made, how large it is in bytes."""

    at: datetime
    size: int


def silent(_what: str, _done: int, _whole: int) -> None:
    """Tells nobody how far it is."""


def product_version() -> str:
    return version("contact-center")


def kind_of(url: str) -> str:
    """``sqlite`` or ``postgresql``."""
    return make_url(url).get_backend_name()


def database_file(settings: Settings) -> Path:
    """Where the SQLite database lies."""
    return Path(make_url(settings.database_url).database or "").absolute()


# ---- making one


def back_up(settings: Settings, file: Path, tell: Tell = silent) -> None:
    """Make a backup of all as it is at this moment. It has its name once it is whole, and only its owner reads it.

    Raises `BackupTrouble` and `OSError`; nothing is left then.
    """
    refuse_half_restored(settings)
    file = file.absolute()
    _refuse_present(file)
    with _unfinished(file) as folder:
        draft = folder / "backup"
        with open(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600), "wb") as target:
            _write(settings, folder, target, tell)
            target.flush()
            os.fsync(target.fileno())
        _refuse_present(file)
        size = draft.stat().st_size
        draft.rename(file)
        _sync(file.parent)
    _note(settings, size)


def _write(settings: Settings, folder: Path, target: BinaryIO, tell: Tell) -> None:
    made_at = now()
    spoken = _files(settings, ("pbx/remarks", "*.wav"))  # before the database, which takes them over meanwhile
    snapshot, kind = folder / DATABASE, kind_of(settings.database_url)
    _refuse_small_disk(settings, folder, kind)
    with writing(target) as backup:
        for name, path in spoken:
            _add(backup, name, path, lambda _size: None)
        if kind == "sqlite":
            sqlite_copy.copy_database(database_file(settings), snapshot, tell)
            revision = sqlite_copy.revision_in(snapshot)
        else:
            from jobs import postgresql  # its driver is large, and rarely needed

            tell("database", 0, 1)
            revision = postgresql.revision_in(settings.database_url)
            postgresql.dump_database(settings.database_url, snapshot)
        if not revision:
            raise BackupTrouble("The database has no tables yet: run contact-center database upgrade.")
        # after the database: what it names is there
        others = _files(settings, ("attachments", "??/*"), ("prompts", "*.wav"), (".", SECRETS))
        calls = [(f"{CEL_FOLDER}/{path.name}", path) for path in cel_files(settings)]
        moved = adding_up(tell, _size(snapshot) + sum(_size(path) for _name, path in (*others, *calls)))
        _add(backup, DATABASE, snapshot, moved, packed=kind == "sqlite")
        for name, path in others:
            _add(backup, name, path, moved)
        for name, path in calls:
            _add(backup, name, path, moved, packed=True)
        backup.add_manifest(
            {
                "product": product_version(),
                "revision": revision,
                "made_at": made_at.isoformat(timespec="seconds"),
                "database": kind,
                "profile": settings.profile.name,
                "env": settings.env,
                "settings": shown(settings),
            }
        )


def adding_up(tell: Tell, whole: int) -> Callable[[int], None]:
    """Tells how far it is, from how long each piece is."""
    done = 0

    def moved(size: int) -> None:
        nonlocal done
        done += size
        tell("files", done, max(done, whole))

    return moved


def _add(backup: Writer, name: str, path: Path, moved: Callable[[int], None], *, packed: bool = False) -> None:
    try:
        source = path.open("rb")
    except FileNotFoundError:  # erased, taken over or put aside meanwhile
        return
    with source:
        backup.add(name, source, os.fstat(source.fileno()).st_mtime, moved, packed=packed)


def cel_files(settings: Settings) -> list[Path]:
    """The exchange's files of calls, the oldest first."""
    return [path for path in (*earlier_files(settings.cel_file), settings.cel_file) if path.exists()]


def _files(settings: Settings, *patterns: tuple[str, str]) -> list[tuple[str, Path]]:
    """What lies in these folders under ``CC_VAR``, with its name there; a file half written is none."""
    return [
        (path.relative_to(settings.var).as_posix(), path)
        for folder, pattern in patterns
        for path in sorted((settings.var / folder).glob(pattern))
        if path.is_file() and path.suffix != ".new"
    ]


def _size(path: Path) -> int:
    with suppress(FileNotFoundError):
        return path.stat().st_size
    return 0


def _refuse_small_disk(settings: Settings, folder: Path, kind: str) -> None:
    """Rather than fill the disk on which the service may write, too. Raises `BackupTrouble`."""
    if kind == "sqlite":  # its copy, and what becomes of that in the backup
        database = 2 * _size(database_file(settings))
    else:
        from jobs import postgresql

        database = postgresql.size_of(settings.database_url)
    kept = _files(settings, ("attachments", "??/*"), ("prompts", "*.wav"))
    needed, free = database + sum(_size(path) for _name, path in kept), shutil.disk_usage(folder).free
    if needed > free:
        raise BackupTrouble(
            f"The disk of {folder.parent} is too full for a backup, which may take {_megabytes(needed)} MB while "
            f"{_megabytes(free)} MB are free: free some space, or choose another disk."
        )


def _megabytes(size: int) -> int:
    return -(-size // 2**20)


def _refuse_present(file: Path) -> None:
    if file.exists() or file.is_symlink():
        raise BackupTrouble(f"{file} is there already and is not overwritten: choose another name.")


@contextmanager
def _unfinished(file: Path) -> Iterator[Path]:
    """A folder beside the file, which its owner alone sees, for one process; what a killed one left in it goes."""
    folder = file.with_name(f".{file.name}.unfinished")
    folder.mkdir(mode=0o700, exist_ok=True)
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupTrouble(f"Another backup is just being written to {file}: wait for it.") from None
        try:
            for left in folder.iterdir():
                left.unlink()
            yield folder
        finally:
            shutil.rmtree(folder)
    finally:
        os.close(held)


def _sync(folder: Path) -> None:
    """Let a new name in the folder survive a power cut."""
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(held)
    finally:
        os.close(held)


# ---- looking at one


def check_backup(file: Path, tell: Tell = silent) -> Mapping[str, Any]:
    """Read all of a backup, its database, too: what it says of itself. Raises `BackupTrouble` when it is not whole."""
    with reading(file, tell) as backup, _own_folder(file.parent) as folder:
        moved = adding_up(tell, sum(kept.size for kept in backup.files))
        for kept in backup.files:
            with (folder / DATABASE if kept.name == DATABASE else Path(os.devnull)).open("wb") as target:
                backup.extract(kept, target, moved)
        check_database(file, backup.manifest, folder / DATABASE)
        return backup.manifest


def check_database(backup: Path, manifest: Mapping[str, Any], file: Path) -> None:
    """Raise `BackupTrouble` when the database out of a backup cannot be read, or is not what the manifest says."""
    if not file.exists():
        sound = False
    elif manifest["database"] == "sqlite":
        sound = sqlite_copy.is_sound(file) and sqlite_copy.revision_in(file) == manifest["revision"]
    else:
        from jobs.postgresql import is_sound

        sound = is_sound(file)
    if not sound:
        raise BackupTrouble(f"The database in {backup} cannot be read: take another backup.")


@contextmanager
def _own_folder(beside: Path) -> Iterator[Path]:
    """A folder that its owner alone sees: beside the backup, where there is room for it, or where it may be."""
    where = beside if os.access(beside, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix=".backup-check-", dir=where) as folder:
        yield Path(folder)


# ---- when the last was made


def _note(settings: Settings, size: int) -> None:
    """Remember for the health page that a backup was made."""
    stamp = {"at": now().isoformat(timespec="seconds"), "size": size}
    try:
        write_whole({settings.var / _STAMP: json.dumps(stamp)}, mode=0o644)  # whoever made it, the page reads it
    except OSError as error:
        log.warning("the backup is made, and it cannot be noted: %s", error.strerror)


def last_backup(settings: Settings) -> LastBackup | None:
    """The last backup that was made whole; None when there was none."""
    try:
        stamp = json.loads((settings.var / _STAMP).read_text())
        return LastBackup(datetime.fromisoformat(stamp["at"]), int(stamp["size"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
