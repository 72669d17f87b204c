"""Bringing a database out of a backup up to the present: the program's version, calls, drafts.

All of it before the database is put in its place, and while the exchange stands: so what its file of calls tells of
attempts that the backup does not know is read before any new attempt has such a number.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from flask import Flask
from sqlalchemy import func, select

from jobs.celfile import Place
from jobs.database import prepare_database
from jobs.reconcile import Reconciler, mark_name
from jobs.settings import Settings
from models.base import db, now, transaction
from models.calls import Call
from models.marks import Mark
from models.restored import hand_due_over, last_attempt, lose_all, presume_dialled, skip_attempts


@dataclass(frozen=True)
class Aftermath:
    """How many calls of citizens were found that came after the backup, and calls of ours that a person decides on."""

    found: int
    lost: int


def bring_up(app: Flask, backed_up: list[Path], here: list[Path]) -> Aftermath:
    """Bring the application's database up to the present.

    The exchange's files of calls, in order: those that came with the backup and are lost here, and those that are here.
    """
    settings: Settings = app.config["SETTINGS"]
    prepare_database(app)
    with app.app_context():
        try:
            known = last_attempt(db.session())
            told, complete = _told_of(settings, [*backed_up, *here]), _go_back_to_it(settings, here)
            before = _count_calls()
            with transaction() as session:
                presume_dialled(session)
            _line_up(settings, [*backed_up, *here])
            reconciler = Reconciler(app, stopped=True)
            while reconciler.read_on():
                pass
            at = now()
            with transaction() as session:
                lost = lose_all(session, at)
                if told > known or not complete:
                    lost += hand_due_over(session, at)
                if told > known:
                    skip_attempts(session, told, at)
            return Aftermath(_count_calls() - before, lost)
        finally:
            db.session.remove()
            db.engine.dispose()


def _told_of(settings: Settings, cel_files: list[Path]) -> int:
    """The highest number of an attempt in the files."""
    written = re.compile(rf'"{re.escape(settings.profile.systemname)}-att-([1-9]\d{{0,9}})"'.encode())
    told = 0
    for path in cel_files:
        with path.open("rb") as file:
            told = max([told, *(int(found[1]) for line in file for found in written.finditer(line))])
    return told


def _go_back_to_it(settings: Settings, here: list[Path]) -> bool:
    """Whether the files tell all that came after the backup: the place up to which it had read is in one of them.

    Before the first call there was no place.
    """
    mark = db.session.get(Mark, mark_name(settings))
    return any(mark is None or Place.parse(mark.value).is_in(path) for path in here)


def _line_up(settings: Settings, cel_files: list[Path]) -> None:
    """Show the files to the reconciler side by side, as if the last were the present one."""
    folder = settings.cel_file.parent
    folder.mkdir(parents=True)
    for number, path in enumerate(cel_files[:-1], 1):
        (folder / f"{settings.cel_file.name}.{number}").symlink_to(path)
    for path in cel_files[-1:]:
        settings.cel_file.symlink_to(path)


def _count_calls() -> int:
    return db.session.scalar(select(func.count(Call.id))) or 0
