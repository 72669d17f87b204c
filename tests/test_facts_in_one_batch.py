"""What is told at once, or in another order: nothing that one fact changes is lost by the next one (C1, S 3.2)."""

from datetime import timedelta

import pytest
from flask import Flask

from jobs.callfacts import CallEnded, KeyPressed, apply
from models.attempts import Attempt, AttemptState, End
from models.base import transaction
from models.calls import Call
from models.calltasks import CallTaskEvent, TaskState, Why
from models.intake import Began
from models.people import Role, User
from models.settling import AttemptLeg, Sign
from tests.call_fixtures import Calls
from tests.helpers import AREA_CODE, START


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


@pytest.mark.parametrize("late", [False, True], ids=["in order", "told late"])
def test_a_missed_call_is_settled_by_our_talk_whichever_is_told_first(app: Flask, late: bool) -> None:
    with transaction() as session:
        user = User(login="a", name="a", password_hash="x", role=Role.DISPATCHER)
        session.add(user)
        session.flush()
        attempt = Attempt(
            number="+380671234567", user_id=user.id, state=AttemptState.DIALLING, planned_at=START, dialled_at=START
        )
        session.add(attempt)
        session.flush()
        talk = AttemptLeg(attempt.id, End.THEIRS, Sign.UP, START + timedelta(minutes=5))
    missed = [
        Began("romny-1.1", "53273", "0671234567", "", START),
        CallEnded("romny-1.1", START + timedelta(seconds=20), 19),
    ]
    for fact in [talk, *missed] if late else [*missed, talk]:
        with transaction() as session:
            apply(session, [fact], AREA_CODE)
    with transaction() as session:
        assert session.query(Call).one().settled
