"""What a person records after a call that reached nobody (C1, C2, C5)."""

from datetime import timedelta

import pytest
from sqlalchemy import event

from models.attempts import End
from models.base import db, transaction
from models.calltasks import CallTask, TaskState, Why
from models.checking import todays_checks
from models.dialling import plan_own_call
from models.own_calls import Said, Told, hold, put_off, wait_for_line
from models.people import Role, User
from models.settling import Sign
from tests.call_fixtures import Calls


def not_reached(calls: Calls) -> tuple[TaskState, Why | None]:
    """The supervisor called from another telephone, in vain: the task's state and reason then."""
    with transaction() as session:
        task = session.get_one(CallTask, calls.tasks()[0].id)
        put_off(session, calls.dialler, task, session.get_one(User, calls.chief), Told(Said.NOT_REACHED), calls.at)
    (task,) = calls.tasks()
    return task.state, task.why


@pytest.mark.parametrize(("causes", "left"), [([], 3), ([19], 2), ([19, 19], 1), ([17, 19], 1)])
def test_calls_from_another_telephone_count_beside_the_machines(causes, left, calls):
    """Three tries in all, whoever made them; then a person decides."""
    calls.done()
    calls.sync()
    for cause in causes:
        calls.at = max(calls.at, calls.tasks()[0].due_at)
        (attempt,) = calls.dial()
        calls.hear(attempt, Sign.GONE, cause)
    found = [not_reached(calls) for _ in range(left)]
    assert found == [(TaskState.WAITING, None)] * (left - 1) + [(TaskState.PERSON, Why.TRIES_OVER)]


def test_a_call_in_vain_leaves_the_reason_why_a_person_decides(calls):
    calls.done()
    calls.sync()
    (attempt,) = calls.dial()
    calls.hear(attempt, Sign.GONE, 1)
    assert not_reached(calls) == (TaskState.PERSON, Why.BAD_NUMBER)


def holders(calls: Calls) -> list[int | None]:
    return [task.held_by_id for task in calls.tasks()]


def wait(calls: Calls, place: int) -> None:
    """The supervisor clicked "call", and no line was free."""
    task_id = calls.tasks()[place].id
    with transaction() as session:
        task = session.get_one(CallTask, task_id)
        wait_for_line(session, task, session.get_one(User, calls.chief), calls.at)


def test_who_waits_for_a_line_has_one_call_in_hand_and_takes_none_from_a_colleague(calls):
    for number in ("+380671234567", "+380671234568", "+380671234569"):
        calls.done(number)
    calls.sync()
    last = calls.tasks()[2].id
    with transaction() as session:
        colleague = User(login="other", name="other", password_hash="x", role=Role.SUPERVISOR)
        session.add(colleague)
        session.flush()
        hold([session.get_one(CallTask, last)], colleague, calls.at)
        other = colleague.id
    for place in (0, 1, 2):
        wait(calls, place)
    assert holders(calls) == [None, calls.chief, other]
    calls.at += timedelta(hours=1)
    wait(calls, 2)
    assert holders(calls) == [None, None, calls.chief]


def test_a_call_of_which_the_end_is_not_recorded_stays_in_hand_while_they_wait_for_a_line(calls):
    for number in ("+380671234567", "+380671234568"):
        calls.done(number)
    calls.sync()
    first = calls.tasks()[0].id
    with transaction() as session:
        task, chief = session.get_one(CallTask, first), session.get_one(User, calls.chief)
        attempt = plan_own_call(session, calls.dialler, task, chief, calls.at).id
        hold([task], chief, calls.at)
    calls.claim(attempt)
    calls.hear(attempt, Sign.UP, end=End.OURS)
    for sign in (Sign.RINGS, Sign.UP, Sign.GONE):
        calls.hear(attempt, sign, 16)
    wait(calls, 1)
    assert holders(calls) == [calls.chief, calls.chief]


def test_the_tries_that_somebody_told_of_today_are_read_by_their_index(calls):
    """The page of checks shows their count: it does not read the events of all tasks for it."""
    calls.done()
    calls.sync()
    not_reached(calls)
    statements = []
    event.listen(db.engine, "before_cursor_execute", lambda *args: statements.append((args[2], args[3])))
    assert todays_checks(calls.session, calls.at).not_reached == 1
    sql, values = next(found for found in statements if "call_task_events" in found[0])
    plan = [row[3] for row in calls.session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values)]
    of_events = [step for step in plan if "call_task_events" in step]
    assert of_events == ["SEARCH call_task_events USING INDEX ix_call_task_events_by_word (at>?)"]
