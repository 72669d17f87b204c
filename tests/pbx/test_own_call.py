"""A person of ours calls a citizen: their own phone rings, then the citizen's, each once (C2)."""

import pytest
from sqlalchemy import select

from jobs.callrules import load_dialler
from jobs.queues import enqueue_dial
from models.attempts import Attempt
from models.base import db, now, transaction
from models.calling import Outcome
from models.calltasks import CallTask
from models.dialling import plan_own_call
from models.people import Phone
from tests.helpers import eventually
from tests.pbx.citizens import Citizens, invited
from tests.pbx.town import Town

pytestmark = pytest.mark.pbx

TALK_MS = 2000


def planned(citizens: Citizens, report_id: int) -> int:
    """The user of the phone admin1 is about to call the report's applicant: the attempt's id."""
    with citizens.app.app_context():
        query = select(CallTask).where(CallTask.report_id == report_id)
        eventually(lambda: db.session.scalars(query).first() or db.session.rollback(), "the task")
        with transaction() as session:
            task = session.scalars(query).one()
            user = session.scalars(select(Phone).where(Phone.name == "admin1")).one().user
            dialler = load_dialler(session, citizens.town.settings)
            return plan_own_call(session, dialler, task, user, now()).id


def call(citizens: Citizens, report_id: int) -> int:
    """The user of the phone admin1 calls the report's applicant: the attempt's id."""
    attempt_id = planned(citizens, report_id)
    enqueue_dial(citizens.town.settings, attempt_id)
    return attempt_id


def ended(citizens: Citizens, attempt_id: int) -> Attempt:
    def settled() -> bool:
        with citizens.app.app_context():
            return db.session.get_one(Attempt, attempt_id).settled_at is not None

    eventually(settled, "the call ends", 60)
    with citizens.app.app_context():
        attempt = db.session.get_one(Attempt, attempt_id)
        db.session.expunge(attempt)
        return attempt


def test_own_phone_first_then_the_citizen(town: Town) -> None:
    citizens = Citizens(town)
    town.start_phones(ring_ms=300, talk_ms=60_000, only=("admin1",))
    (report,) = citizens.done()
    with citizens.at_home(ring_ms=1000, talk_ms=TALK_MS) as folder:
        attempt = ended(citizens, call(citizens, report))
        assert len(set(invited(folder))) == 1
    assert attempt.outcome == Outcome.ANSWERED
    assert attempt.dialled_at <= attempt.lifted_at <= attempt.ringing_at <= attempt.answered_at <= attempt.settled_at
    eventually(lambda: town.channels() == 0, "channels gone")


def test_a_phone_that_nobody_lifts_rings_no_citizen(town: Town) -> None:
    citizens = Citizens(town)
    town.start_phones(ring_ms=90_000, talk_ms=1000, only=("admin1",))
    (report,) = citizens.done()
    with citizens.at_home() as folder:
        attempt = ended(citizens, call(citizens, report))
        assert invited(folder) == []
    assert (attempt.outcome, attempt.lifted_at, attempt.answered_at) == (Outcome.OUR_PHONE, None, None)


def test_a_busy_citizen_is_told_as_busy(town: Town) -> None:
    citizens = Citizens(town)
    town.start_phones(ring_ms=100, talk_ms=60_000, only=("admin1",))
    (report,) = citizens.done()
    with citizens.at_home(refusal="486 Busy Here"):
        attempt = ended(citizens, call(citizens, report))
    assert (attempt.outcome, attempt.answered_at) == (Outcome.BUSY, None)
    assert attempt.lifted_at is not None
