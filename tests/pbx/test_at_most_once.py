"""Whatever is killed while citizens are being called, nobody is called twice for one attempt, and none is lost (C5)."""

import random
import signal
from collections import Counter

import pytest
from sqlalchemy import func, select

from models.attempts import Attempt, AttemptState, AttemptTask
from models.base import db
from models.calltasks import CallTask, TaskState
from models.reports import Report
from tests.helpers import eventually
from tests.pbx.citizens import Citizens, invited_numbers
from tests.pbx.town import TABLES, Table, Town

pytestmark = [pytest.mark.pbx, pytest.mark.long]

CITIZENS = 14
KILLED = ("rounds", "listener", "rounds", "redis", "rounds", "agi")


def test_nobody_is_called_twice(town: Town, request: pytest.FixtureRequest) -> None:
    """The citizens are busy: each call is short, and another one is due in ten minutes only."""
    citizens, chance = Citizens(town), random.Random(4)
    reports = [citizens.done()[0] for _ in range(CITIZENS)]

    def attempts() -> list[Attempt]:
        with citizens.app.app_context():
            found = db.session.scalars(select(Attempt).join(Attempt.parts).join(AttemptTask.task).where(of_ours)).all()
            db.session.expunge_all()
            return list(found)

    of_ours = CallTask.report_id.in_(reports)
    known = len(attempts())
    with citizens.at_home(refusal="486 Busy Here", ring_ms=300) as folder, citizens.machine_calls():
        for part in KILLED:
            wanted = len(attempts()) + chance.randint(1, 2)
            eventually(
                lambda wanted=wanted: len(attempts()) >= wanted or all_tried(citizens, reports), "calls go on", 60
            )
            if town.pid(part):
                town.kill(part, signal.SIGKILL)
        eventually(lambda: all_tried(citizens, reports), "everybody is called, or given to a person", 180)
        eventually(lambda: not [one for one in attempts() if one.settled_at is None], "every attempt is settled", 90)
        heard = invited_numbers(folder)
    made = attempts()
    dialled = Counter(one.number for one in made if one.dialled_at is not None)
    states = Counter(AttemptState(one.state) for one in made)
    table = request.config.stash[TABLES].setdefault("At most once, while parts are killed", Table())
    table.add(citizens=CITIZENS, kills=len(KILLED), attempts=len(made), dialled=sum(dialled.values()),
              invites=sum(heard.values()), unknown=states[AttemptState.UNKNOWN])  # fmt: skip
    assert known == 0
    assert all(heard[number] <= dialled[number] for number in heard), "an attempt rang twice"
    assert set(states) <= {AttemptState.SETTLED, AttemptState.UNKNOWN, AttemptState.CANCELLED}


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
