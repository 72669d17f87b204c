"""Whoever forbids a call while it is about to be dialled: after that nobody is called (C5). On both databases."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import update
from sqlalchemy.orm import Session

from jobs.app import bare_app
from jobs.settings import Settings
from models.attempts import Attempt, AttemptState, switch_machine
from models.base import db, transaction
from models.dialling import claim
from models.leases import Lines
from models.people import User
from models.reports import Report
from models.settling import Sign, never_by_machine
from tests.call_fixtures import Calls
from tests.helpers import close_database

RACES = 25  # of each kind, on each database; a day of calls holds two hundred, two minutes apart

pytestmark = pytest.mark.long


@dataclass
class Race:
    """One attempt that is planned, and the report that it is about."""

    attempt: int
    report: int
    number: str


FORBIDS: dict[str, Callable[[Session, Calls, Race], object]] = {
    "the report is closed": lambda session, _calls, race: session.execute(
        update(Report).where(Report.id == race.report).values(state="closed")
    ),
    "the number is gone": lambda session, _calls, race: session.execute(
        update(Report).where(Report.id == race.report).values(contact_number=None)
    ),
    "they say no": lambda session, calls, race: never_by_machine(session, race.number, calls.at),
    "the machine is stopped": lambda session, calls, _race: switch_machine(
        session, session.get_one(User, calls.chief), calls.at, on=False
    ),
}


@pytest.fixture(params=["settings", "postgres_settings"], ids=["sqlite", "postgresql"])
def town(request: pytest.FixtureRequest) -> Iterator[Flask]:
    settings: Settings = request.getfixturevalue(request.param)
    app = bare_app(settings)
    yield app
    close_database(app)


@pytest.mark.parametrize("how", FORBIDS)
def test_no_call_after_it_was_forbidden(how: str, town: Flask) -> None:
    with town.app_context():
        calls = Calls(db.session(), Lines(capacity=2, reserved=0))
        db.session.remove()
    late, outcomes = 0, set()
    for place in range(RACES):
        race = plan(town, calls, f"+38067{5_000_000 + place}")
        gate, seen = threading.Barrier(2), []
        threads = [
            threading.Thread(target=dial, args=(town, calls, race, gate)),
            threading.Thread(target=forbid, args=(town, calls, race, gate, FORBIDS[how], seen)),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        with town.app_context():
            state = db.session.get_one(Attempt, race.attempt).state
            if state == AttemptState.DIALLING:  # answered, and not spoken to: the next try is tomorrow
                for sign in (Sign.UP, Sign.GONE):
                    calls.hear(race.attempt, sign)
            db.session.remove()
        outcomes.add(state)
        # it was still planned once the call was forbidden, and was dialled all the same
        late += seen == [AttemptState.PLANNED] and state == AttemptState.DIALLING
        calls.pass_by(minutes=2)
    assert late == 0
    assert outcomes <= {AttemptState.DIALLING, AttemptState.CANCELLED}


def plan(town: Flask, calls: Calls, number: str) -> Race:
    with town.app_context():
        calls.session = db.session()
        with transaction() as session:
            switch_machine(session, session.get_one(User, calls.chief), calls.at, on=True)
        report = calls.done(number).id
        calls.sync()
        (attempt,) = calls.plan(most=1)
        db.session.remove()
    return Race(attempt, report, number)


def dial(town: Flask, calls: Calls, race: Race, gate: threading.Barrier) -> None:
    with town.app_context():
        gate.wait()
        with transaction() as session:
            claim(session, calls.dialler, race.attempt, calls.at + timedelta(seconds=1))
        db.session.remove()


def forbid(
    town: Flask, calls: Calls, race: Race, gate: threading.Barrier, act: Callable, seen: list[AttemptState]
) -> None:
    with town.app_context():
        gate.wait()
        with transaction() as session:
            act(session, calls, race)
            session.flush()
            seen.append(session.get_one(Attempt, race.attempt).state)
        db.session.remove()
