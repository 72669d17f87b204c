"""The red button ends machine calls that ring or talk, at once, and no other call (C5)."""

import pytest
from sqlalchemy import select

from jobs.red_button import stop_machine_calls
from models.attempts import Attempt, AttemptState, machine_is_on
from models.base import db
from models.calling import Outcome
from models.calltasks import CallTask
from models.people import Role, User
from tests.helpers import eventually
from tests.pbx.citizens import Citizens
from tests.pbx.test_own_call import call, ended
from tests.pbx.town import Town

pytestmark = pytest.mark.pbx


def test_what_rings_and_what_talks_is_ended_and_a_persons_call_goes_on(town: Town) -> None:
    citizens = Citizens(town)
    town.start_phones(ring_ms=100, talk_ms=120_000, only=("admin1",))
    with citizens.at_home(ring_ms=500, talk_ms=120_000):
        (asked,) = citizens.done()
        own = call(citizens, asked)
        eventually(lambda: state_of(citizens, own) == AttemptState.TALKING, "a person of ours speaks", 30)
        (report,) = citizens.done()
        citizens.switch(on=True)
        eventually(lambda: talks(citizens, report), "the machine speaks", 60)
        assert press(citizens) == 1
        became = citizens.asked(report, 10)
        assert (became.outcome, became.keys, became.task) == (Outcome.STOPPED, "", "waiting")
        assert state_of(citizens, own) == AttemptState.TALKING
        town.asterisk("channel request hangup all")
        assert ended(citizens, own).outcome == Outcome.ANSWERED


def test_what_rings_is_ended(town: Town) -> None:
    citizens = Citizens(town)
    (report,) = citizens.done()
    with citizens.at_home(ring_ms=60_000):
        citizens.switch(on=True)
        eventually(lambda: rings(citizens, report), "the citizen's telephone rings", 60)
        assert press(citizens) == 1
        assert citizens.asked(report, 10).outcome == Outcome.STOPPED
    eventually(lambda: town.channels() == 0, "channels gone")


def press(citizens: Citizens) -> int | None:
    """The supervisor presses the button: how many calls were ended."""
    with citizens.app.app_context():
        supervisor = db.session.scalars(select(User.id).where(User.role == Role.SUPERVISOR)).first()
        ended = stop_machine_calls(citizens.town.settings, supervisor)
        assert not machine_is_on(db.session())
        return ended


def state_of(citizens: Citizens, attempt_id: int) -> AttemptState:
    with citizens.app.app_context():
        return db.session.get_one(Attempt, attempt_id).state


def machine_calls(citizens: Citizens, report_id: int) -> list[Attempt]:
    with citizens.app.app_context():
        query = select(Attempt).join(Attempt.parts).join(CallTask).where(CallTask.report_id == report_id)
        return list(db.session.scalars(query.where(Attempt.dialled_at.is_not(None))))


def talks(citizens: Citizens, report_id: int) -> bool:
    return any(one.state == AttemptState.TALKING for one in machine_calls(citizens, report_id))


def rings(citizens: Citizens, report_id: int) -> bool:
    return any(one.ringing_at is not None for one in machine_calls(citizens, report_id))
