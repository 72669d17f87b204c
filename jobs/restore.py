"""Bringing a backup back: checked, made ready beside the present state, then put in its place by renames.

1. Whatever a restore that was broken off has still to do is done, and that is all.
2. The service stands, the backup is whole, of this kind of database, of this town, of no newer version.
3. All is made ready in ``CC_VAR/restoring`` (and in a database beside the present one): files, database, the program's
   version of it, and what happened since (`jobs.aftermath`). Killed here, the old state is whole.
4. The journal is written, and all is put in place (`jobs.swap`). Killed here, the next run does the rest.
"""

import fcntl
import json
import os
import shutil
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from alembic.script import ScriptDirectory
from sqlalchemy import NullPool, create_engine, make_url, select
from sqlalchemy.exc import DBAPIError

from jobs import postgresql
from jobs.aftermath import Aftermath, bring_up
from jobs.app import bare_app
from jobs.archive import Archive, BackupTrouble, Tell, reading
from jobs.backup import (
    DATABASE,
    SECRETS,
    adding_up,
    cel_files,
    check_database,
    database_file,
    kind_of,
    product_version,
    silent,
)
from jobs.files import write_whole
from jobs.settings import CHECKOUT, Settings
from jobs.sqlite_copy import into_one_file
from jobs.swap import Plan, Step, carry_out, read_journal, write_journal
from models.base import now
from models.people import AccessLog
from models.workdays import KYIV

_PLACES = ("attachments", "prompts", "pbx/remarks", SECRETS)  # under CC_VAR, each put aside and restored as a whole
_STOP = "stop it first (Ctrl-C where script/server runs, or systemctl stop contact-center)"


@dataclass(frozen=True)
class Restored:
    """What is to be told afterwards; ``finished``: it had been broken off, and the file was not looked at."""

    said: tuple[str, ...]
    finished: bool = False


def restore(settings: Settings, file: Path, tell: Tell = silent) -> Restored:
    """Bring the state back that the backup holds. The present one is put aside.

    Raises `BackupTrouble`, `DatabaseTrouble`, `SettingsError` and `OSError`: the present state is as it was then.
    """
    with _alone(settings):
        half_done = read_journal(settings)
        if half_done is not None:
            carry_out(settings, half_done)
            return Restored(half_done.said, finished=True)
        with reading(file, tell) as backup:
            _refuse_others(settings, file, backup.manifest)
            plan = _make_ready(settings, file, backup, tell)
        write_journal(settings, plan)
        try:
            carry_out(settings, plan)
        except postgresql.InUse:  # somebody has connected just now; nothing was touched
            settings.restore_journal.unlink()
            _clear(settings)
            raise
        return Restored(plan.said)


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """Hold ``CC_VAR`` as the service does while it runs. Raises `BackupTrouble` when that or another restore does."""
    settings.run_dir.mkdir(parents=True, exist_ok=True)
    owner = settings.var.stat().st_uid
    if owner != os.geteuid():
        raise BackupTrouble(f"{settings.var} belongs to another account (uid {owner}): run the restore as that one.")
    running = BackupTrouble(f"The service, or another restore, runs with {settings.var}: {_STOP}, then restore.")
    with (settings.run_dir / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise running from None
        if _answers(settings.supervisor_socket):  # `jobs.serve` was killed, and what it had started still ends
            raise running
        before = os.umask(0o027)  # what is written here is personal data
        try:
            yield
        finally:
            os.umask(before)


def _answers(where: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as peer, suppress(OSError):
        peer.connect(str(where))
        return True
    return False


def _refuse_others(settings: Settings, file: Path, manifest: Mapping[str, Any]) -> None:
    """Raise `BackupTrouble` for a backup that does not belong here."""
    kind = kind_of(settings.database_url)
    known = {script.revision for script in ScriptDirectory(str(CHECKOUT / "migrations")).walk_revisions()}
    if manifest["revision"] not in known or _numbers(manifest["product"]) > _numbers(product_version()):
        raise BackupTrouble(
            f"{file} comes from a newer version of the program ({manifest['product']}, revision "
            f"{manifest['revision'] or 'none'}): install that version, then restore."
        )
    if manifest["database"] != kind:
        raise BackupTrouble(
            f"{file} holds a database of {manifest['database']}, and CC_DATABASE_URL is one of {kind}: set it to "
            "the other kind."
        )
    if manifest["profile"] != settings.profile.name:
        raise BackupTrouble(f"{file} is of another town: CC_PROFILE must be {manifest['profile']}.")
    if manifest["env"] == "demo" and settings.env == "production":
        raise BackupTrouble(f"{file} holds the demo town, which is not for production: this is CC_ENV=production.")
    if kind == "postgresql" and postgresql.others_in(settings.database_url):
        raise postgresql.in_use(make_url(settings.database_url))


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".") if part.isdecimal())


# ---- making ready


def _ready(settings: Settings) -> Path:
    return settings.var / "restoring"


def _database_ready(settings: Settings) -> Path:
    """Where a SQLite database is made ready: on the disk on which its place is."""
    place = database_file(settings)
    inside = place.is_relative_to(settings.var)
    return _ready(settings) / place.name if inside else place.with_name(f"{place.name}.restoring")


def _clear(settings: Settings) -> None:
    """Take away what a restore that came to nothing has made."""
    shutil.rmtree(_ready(settings), ignore_errors=True)
    if kind_of(settings.database_url) == "postgresql":
        postgresql.drop_beside(settings.database_url, _name_beside(settings, "restoring"))
    else:
        for ending in ("", "-wal", "-shm"):
            Path(f"{_database_ready(settings)}{ending}").unlink(missing_ok=True)


def _name_beside(settings: Settings, ending: str) -> str:
    ending = f"_{ending}"
    return (make_url(settings.database_url).database or "")[: 63 - len(ending)] + ending  # as long as a name may be


def _make_ready(settings: Settings, file: Path, backup: Archive, tell: Tell) -> Plan:
    """Make all ready beside the present state; what to do with it. Nothing is left when that fails."""
    _clear(settings)
    try:
        folder = _ready(settings)
        folder.mkdir(mode=0o700)
        _extract(backup, folder / "backup", tell)
        tell("database", 0, 1)
        at = datetime.fromisoformat(backup.manifest["made_at"])
        since = _bring_database_up(settings, file, backup.manifest)
        return _plan(settings, at, _told(settings, at, since))
    except BaseException:
        with suppress(BackupTrouble, OSError):
            _clear(settings)
        raise


def _extract(backup: Archive, folder: Path, tell: Tell) -> None:
    moved = adding_up(tell, sum(kept.size for kept in backup.files))
    for kept in backup.files:
        path = folder / kept.name
        path.parent.mkdir(parents=True, exist_ok=True)
        mode = 0o600 if kept.name == SECRETS else 0o640
        with open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode), "wb") as target:
            backup.extract(kept, target, moved)
        os.utime(path, (kept.mtime, kept.mtime))
    secrets = folder / SECRETS
    if secrets.exists():  # who was logged in is not any more: their number may become somebody else's
        kept_secrets = json.loads(secrets.read_text())
        kept_secrets.pop("web", None)
        write_whole({secrets: json.dumps(kept_secrets)}, mode=0o600)


def _bring_database_up(settings: Settings, file: Path, manifest: Mapping[str, Any]) -> Aftermath:
    folder, kind = _ready(settings) / "backup", manifest["database"]
    check_database(file, manifest, folder / DATABASE)
    if kind == "sqlite":
        ready = _database_ready(settings)
        (folder / DATABASE).rename(ready)
        url = f"sqlite:///{ready}"
    else:
        url = postgresql.load_beside(settings.database_url, folder / DATABASE, _name_beside(settings, "restoring"))
    work = replace(settings, var=_ready(settings) / "work", database_url=url)
    work.var.mkdir()
    if (folder / SECRETS).exists():
        shutil.copy2(folder / SECRETS, work.var)
    here = cel_files(settings)
    beginnings = {_beginning(path) for path in here}
    backed_up = [path for path in cel_files(replace(settings, var=folder)) if _beginning(path) not in beginnings]
    since = bring_up(bare_app(work), backed_up, here)
    if kind == "sqlite":
        into_one_file(ready)
    return since


def _beginning(path: Path) -> bytes:
    """The first line: when the file began, and with which call."""
    with path.open("rb") as file:
        return file.readline()


def _plan(settings: Settings, at: datetime, said: Sequence[str]) -> Plan:
    stamp, aside = _free_name(settings)
    folder = _ready(settings) / "backup"
    steps, database = [], None
    if kind_of(settings.database_url) == "sqlite":
        place = database_file(settings)
        inside = place.is_relative_to(settings.var)
        former = aside / place.name if inside else place.with_name(f"{place.name}.{aside.name}")
        for ending in ("-wal", "-shm"):  # first: they must never lie beside the other database
            steps.append(Step(f"{place}{ending}", f"{former}{ending}", None))
        steps.append(Step(str(place), str(former), str(_database_ready(settings))))
        where = str(former.parent if inside else former)
    else:
        former_name = _name_beside(settings, f"before_{stamp.replace('-', '_')}")
        database = Step(
            make_url(settings.database_url).database or "", former_name, _name_beside(settings, "restoring")
        )
        where = former_name
    for name in _PLACES:
        ready = folder / name
        steps.append(Step(str(settings.var / name), str(aside / name), str(ready) if ready.exists() else None))
    asides = str(aside) if where == str(aside) else f"{aside} and the database {where}"
    said = (
        f"Restored in {settings.var} is the state of {at.astimezone(KYIV):%Y-%m-%d %H:%M}. The former one is in "
        f"{asides}: delete it when all is well, for personal data are in it.",
        *said,
    )
    return Plan(str(_ready(settings)), str(aside), tuple(steps), database, said)


def _free_name(settings: Settings) -> tuple[str, Path]:
    """A moment by which nothing is called yet, and the folder that is called by it."""
    moment = now().astimezone(KYIV)
    while True:
        stamp = f"{moment:%Y%m%d-%H%M%S}"
        folder = settings.var / f"before-restore-{stamp}"
        if not folder.exists():
            return stamp, folder
        moment += timedelta(seconds=1)


# ---- what to do afterwards


def _told(settings: Settings, at: datetime, since: Aftermath) -> list[str]:
    said = [
        f"Calls of citizens that came after it and were found in the exchange's file: {since.found}; their drafts are "
        "there. What people entered after it is lost, except in the former state.",
    ]
    if since.lost:
        said.append(
            f"Calls of ours of which nobody knows whether they were made: {since.lost}. A person decides on each, no "
            "machine dials it again."
        )
    erased = _erasures_since(settings, at)
    if erased is None:
        said.append("Who was erased since is back: run contact-center personal-data erase again for each of them.")
    elif erased:
        moments = ", ".join(f"{moment.astimezone(KYIV):%Y-%m-%d %H:%M}" for moment in erased)
        said.append(
            f"Persons who were erased since are back ({len(erased)}: {moments}): run contact-center personal-data "
            "erase again for each of them."
        )
    said.append("What came to the end of its term since is erased again by itself, or at once by contact-center "
                "personal-data retention.")  # fmt: skip
    said.append(
        "Passwords, and who is switched off, are as they were then: see contact-center user list. Everybody logs in "
        "again."
    )
    said.append("Now start the service: script/server, or systemctl start contact-center.")
    return said


def _erasures_since(settings: Settings, at: datetime) -> list[datetime] | None:
    """When persons were erased after the backup, by the present database; None when it cannot be read."""
    engine = create_engine(settings.database_url, poolclass=NullPool)
    asked = select(AccessLog.at).where(AccessLog.subject == "erasure", AccessLog.at >= at).order_by(AccessLog.at)
    try:
        if engine.dialect.name == "sqlite" and not database_file(settings).exists():
            return None
        with engine.connect() as connection:
            return list(connection.scalars(asked))
    except DBAPIError:
        return None
