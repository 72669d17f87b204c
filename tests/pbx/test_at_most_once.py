"""Whatever is killed while citizens are being called, nobody is called twice for one attempt, and none is lost (C5)."""

import random
import signal
from collections import Counter
from collections.abc import Sequence

import psycopg
import pytest
from sqlalchemy import func, select
from sqlalchemy.engine import make_url

from models.attempts import Attempt, AttemptState, AttemptTask
from models.base import db
from models.calltasks import CallTask, TaskState
from models.reports import Report
from tests.helpers import eventually
from tests.pbx.citizens import Citizens, invited_numbers
from tests.pbx.town import Town
from tests.table_fixtures import Table

pytestmark = [pytest.mark.pbx, pytest.mark.long]

TABLE = "At most once, while parts are killed"
CITIZENS = 14
KILLED = ("rounds", "listener", "rounds", "redis", "asterisk", "rounds", "agi")
DATABASE = "database"  # every connection to it; of PostgreSQL alone
REPAIRED = 60  # seconds in which every attempt is settled or shown as unknown


def test_nobody_is_called_twice(town: Town, table: Table) -> None:
    found = kill_while_calling(Citizens(town), CITIZENS, KILLED)
    table.add(**found)
    assert (found["rang twice"], found["lost"], found["late"]) == (0, 0, 0)


def kill_while_calling(citizens: Citizens, count: int, killed: Sequence[str], chance_of: int = 4) -> dict[str, int]:
    """Call so many citizens and kill the parts in turn meanwhile; what was counted.

    The citizens are busy: each call is short, and another one is due in ten minutes only.
    """
    town, chance = citizens.town, random.Random(chance_of)
    reports = [citizens.done()[0] for _ in range(count)]
    of_ours = CallTask.report_id.in_(reports)

    def attempts() -> list[Attempt]:
        with citizens.app.app_context():
            found = db.session.scalars(select(Attempt).join(Attempt.parts).join(AttemptTask.task).where(of_ours)).all()
            db.session.expunge_all()
            return list(found)

    with citizens.at_home(refusal="486 Busy Here", ring_ms=300) as folder, citizens.machine_calls():
        for part in killed:
            wanted = len(attempts()) + chance.randint(1, 2)
            eventually(
                lambda wanted=wanted: len(attempts()) >= wanted or all_tried(citizens, reports), "calls go on", 90
            )
            kill(town, part)
        eventually(lambda: all_tried(citizens, reports), "everybody is called, or given to a person", 300)
        eventually(lambda: not town.unwell(), town.unwell, 120)
        live = [one for one in attempts() if one.settled_at is None]
        if live:
            eventually(lambda: all(one.settled_at for one in attempts()), "every attempt is settled", REPAIRED)
        heard = invited_numbers(folder)
    made = attempts()
    dialled = Counter(one.number for one in made if one.dialled_at is not None)
    states = Counter(AttemptState(one.state) for one in made)
    ended = (AttemptState.SETTLED, AttemptState.UNKNOWN, AttemptState.CANCELLED)
    return {
        "citizens": count,
        "kills": len(killed),
        "attempts": len(made),
        "dialled": sum(dialled.values()),
        "invites": sum(heard.values()),
        "unknown": states[AttemptState.UNKNOWN],
        "rang twice": sum(heard[number] > dialled[number] for number in heard),
        "lost": count - len({*dialled, *with_a_person(citizens, reports)}),
        "late": sum(states[state] for state in set(states) - set(ended)),
    }


def kill(town: Town, part: str) -> None:
    """SIGKILL for the part, if it runs; for the database the end of all its connections."""
    if part != DATABASE:
        if town.pid(part):
            town.kill(part, signal.SIGKILL)
        return
    url = make_url(town.settings.database_url)
    about = f"host={url.query['host']} user={url.username} dbname={url.database}"
    with psycopg.connect(about, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()",
            (url.database,),
        )


def all_tried(citizens: Citizens, reports: list[int]) -> bool:
    """Whether every applicant has been called, or is given to a person."""
    with citizens.app.app_context():
        tried = (
            select(CallTask.report_id)
            .join(AttemptTask, AttemptTask.task_id == CallTask.id)
            .join(Attempt, Attempt.id == AttemptTask.attempt_id)
            .where(Attempt.dialled_at.is_not(None))
        )
        waiting = (
            select(func.count(Report.id))
            .outerjoin(CallTask, CallTask.report_id == Report.id)
            .where(
                Report.id.in_(reports),
                Report.id.not_in(tried),
                CallTask.state.is_(None) | (CallTask.state == TaskState.WAITING),
            )
        )
        return db.session.scalar(waiting) == 0


def with_a_person(citizens: Citizens, reports: list[int]) -> set[str]:
    """The numbers of the applicants whose task a person has."""
    with citizens.app.app_context():
        query = select(CallTask.number).where(CallTask.report_id.in_(reports), CallTask.state == TaskState.PERSON)
        return set(db.session.scalars(query))
