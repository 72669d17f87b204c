"""Putting what a restore has made ready in its place, and what was there aside: by renames that a journal lists.

Before the journal is written nothing was touched. Once it is there, what was broken off is finished by the next run:
each step looks whether it was done. Nothing else uses the data meanwhile (`jobs.app.bare_app` refuses).
"""

import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from jobs.archive import BackupTrouble
from jobs.files import write_whole
from jobs.settings import Settings


@dataclass(frozen=True)
class Step:
    """What lies at ``place`` goes to ``aside``, and what was made ready at ``ready`` takes its place, if anything."""

    place: str
    aside: str
    ready: str | None


@dataclass(frozen=True)
class Plan:
    """All that is to be put in place. ``database`` is a PostgreSQL database's step, by names; ``said``: what is to be
    told afterwards."""

    ready: str  # the folder in which all was made ready
    aside: str  # the folder of the former state
    steps: tuple[Step, ...]
    database: Step | None
    said: tuple[str, ...]


def write_journal(settings: Settings, plan: Plan) -> None:
    """From here on the restore is carried out, whatever happens."""
    os.sync()  # what was made ready survives a power cut
    write_whole({settings.restore_journal: json.dumps(asdict(plan), ensure_ascii=False)})


def read_journal(settings: Settings) -> Plan | None:
    """What a restore that was broken off has still to do, if one was. Raises `BackupTrouble` for an unreadable one."""
    try:
        told = json.loads(settings.restore_journal.read_text())
        steps = tuple(Step(**step) for step in told.pop("steps"))
        database = told.pop("database")
        said = tuple(told.pop("said"))
        return Plan(steps=steps, database=Step(**database) if database else None, said=said, **told)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise BackupTrouble(f"{settings.restore_journal} is damaged: ask who maintains the program.") from error


def carry_out(settings: Settings, plan: Plan) -> None:
    """Put all in place, and forget the journal. Done before in part or as a whole, the rest is done.

    Raises `jobs.postgresql.InUse`, with nothing touched, when somebody is connected to a PostgreSQL database.
    """
    if plan.database is not None and plan.database.ready is not None:
        from jobs.postgresql import swap

        swap(settings.database_url, plan.database.ready, plan.database.aside)
    Path(plan.aside).mkdir(mode=0o700, exist_ok=True)
    for step in plan.steps:
        _take(Path(step.place), Path(step.aside), Path(step.ready) if step.ready else None)
    shutil.rmtree(plan.ready, ignore_errors=True)
    os.sync()
    settings.restore_journal.unlink()


def _take(place: Path, aside: Path, ready: Path | None) -> None:
    if ready is not None and not os.path.lexists(ready):
        return  # it is in its place
    if os.path.lexists(place) and not os.path.lexists(aside):
        aside.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        place.rename(aside)
    if ready is not None:
        place.parent.mkdir(parents=True, exist_ok=True)
        ready.rename(place)
