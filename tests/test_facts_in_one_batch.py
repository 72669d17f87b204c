"""What one call of ours tells at once: nothing that one fact changes is lost by the next one (S 3.2)."""

import pytest
from flask import Flask

from jobs.callfacts import KeyPressed, apply
from models.attempts import End
from models.base import transaction
from models.calltasks import CallTaskEvent, TaskState, Why
from models.settling import AttemptLeg, Sign
from tests.call_fixtures import Calls
from tests.helpers import AREA_CODE


@pytest.mark.parametrize(
    ("key", "became"), [("1", (TaskState.SETTLED, Why.ANSWERED)), ("0", (TaskState.PERSON, Why.ASKED_FOR_PERSON))]
)
def test_a_key_and_the_hang_up_behind_it(app: Flask, calls: Calls, key: str, became: tuple[TaskState, Why]) -> None:
    calls.done()
    calls.sync()
    (attempt,) = calls.dial()
    (task,) = calls.tasks()
    facts = [
        AttemptLeg(attempt, End.THEIRS, Sign.UP, calls.at),
        KeyPressed(attempt, task.id, key, calls.at),
        AttemptLeg(attempt, End.THEIRS, Sign.GONE, calls.at, 16),
    ]
    with transaction() as session:
        apply(session, facts, AREA_CODE)
    (task,) = calls.tasks()
    assert (task.state, task.why) == became
    with transaction() as session:
        last = session.query(CallTaskEvent).order_by(CallTaskEvent.id.desc()).first()
        assert last.to_state == task.state
