"""The board: every line of the trunk in one of four ways, every open task counted once (C5, C6)."""

from datetime import datetime, timedelta

from sqlalchemy import select, update

from models.attempts import Attempt, switch_machine
from models.base import transaction
from models.board import LineUse, PurposeNow, WaitsFor, lines_now, machine_now, next_machine_calls, tasks_now
from models.calling import Outcome
from models.calls import Call, CallState
from models.calltasks import CallTask, Move, Purpose, TaskEvent, Why, move_task
from models.people import User
from models.settling import Sign, answer_by_key
from models.status_script import Key
from models.task_history import calls_made, find_task
from tests.call_fixtures import Calls
from tests.test_models_dialling import ring

FREE, RESERVED, INBOUND, OUTBOUND = LineUse.FREE, LineUse.RESERVED, LineUse.INBOUND, LineUse.OUTBOUND


def uses(calls: Calls) -> list[LineUse]:
    calls.session.rollback()
    return [line.use for line in lines_now(calls.session, calls.dialler.lines, calls.at)]


def checks(calls: Calls) -> PurposeNow:
    calls.session.rollback()
    return next(row for row in tasks_now(calls.session, calls.at) if row.purpose == Purpose.STATUS_CHECK)


def coming(calls: Calls) -> list[tuple[int, datetime, WaitsFor]]:
    calls.session.rollback()
    machine = machine_now(calls.session, calls.dialler, calls.at)
    found = next_machine_calls(calls.session, calls.dialler, machine, calls.at)
    return [(one.task.id, one.at, one.waits_for) for one in found]


def test_every_line_is_free_inbound_outbound_or_kept_for_citizens(calls):
    assert uses(calls) == [FREE, FREE, RESERVED]
    calls.done()
    calls.sync()
    (attempt,) = calls.dial()
    assert uses(calls) == [OUTBOUND, FREE, RESERVED]
    call = ring(calls, "+380501112233")
    assert uses(calls) == [INBOUND, OUTBOUND, RESERVED]
    ring(calls, "+380501112234")
    assert uses(calls) == [INBOUND, INBOUND, OUTBOUND]
    ring(calls, "+380501112235")  # more than there are lines: all are told
    assert uses(calls) == [INBOUND, INBOUND, INBOUND, OUTBOUND]
    with transaction() as session:
        session.get_one(Call, call).state = CallState.ENDED
    calls.hear(attempt, Sign.GONE, 17)
    assert uses(calls) == [INBOUND, INBOUND, RESERVED]


def test_every_task_is_counted_once(calls):
    for last in range(5):
        calls.done(f"+38067123456{last}")
    calls.sync()
    first, second, third, *_ = calls.tasks()
    with transaction() as session:
        session.get_one(CallTask, third.id).due_at = calls.at + timedelta(hours=1)
        move_task(session, session.get_one(CallTask, second.id), Move(TaskEvent.HANDED, why=Why.BAD_NUMBER), calls.at)
    assert checks(calls) == PurposeNow(Purpose.STATUS_CHECK, due=3, calling=0, person=1, later=1, done=0)
    called = calls.dial()
    assert len(called) == 2
    assert checks(calls) == PurposeNow(Purpose.STATUS_CHECK, due=1, calling=2, person=1, later=1, done=0)
    with transaction() as session:
        answer_by_key(session, called[0], first.id, Key.DONE, calls.at)
    calls.hear(called[0], Sign.GONE, 16)
    assert checks(calls) == PurposeNow(Purpose.STATUS_CHECK, due=1, calling=1, person=1, later=1, done=1)
    calls.pass_by(days=1)
    assert checks(calls).done == 0


def test_the_next_machine_calls_and_when(calls):
    """Those whose time has come by their deadlines, the others by their time; none before the hours for calls begin."""
    for last in range(3):
        calls.done(f"+38067123456{last}")
    calls.sync()
    tasks = calls.tasks()
    with transaction() as session:
        session.get_one(CallTask, tasks[0].id).due_at = calls.at + timedelta(hours=3)
        session.get_one(CallTask, tasks[2].id).deadline_at = calls.at + timedelta(hours=1)

    later = calls.at + timedelta(hours=3)
    assert coming(calls) == [
        (tasks[2].id, calls.at, WaitsFor.NOTHING),
        (tasks[1].id, calls.at, WaitsFor.NOTHING),
        (tasks[0].id, later, WaitsFor.TIME),
    ]
    calls.pass_by(hours=11)  # 21:00
    morning = calls.at + timedelta(hours=12)
    assert [(at, why) for _id, at, why in coming(calls)] == [(morning, WaitsFor.HOURS)] * 3
    assert machine_now(calls.session, calls.dialler, calls.at).opens_at == morning


def test_a_machine_call_is_said_to_wait_for_what_holds_it_now(calls):
    """A free line is of no use while machine calls are stopped, or while the trunk is left alone."""
    for last in range(3):
        calls.done(f"+38050123456{last}")
    calls.sync()
    calls.dial()  # two: the third line stays free for citizens
    assert [why for _id, _at, why in coming(calls)] == [WaitsFor.LINE]
    for attempt in calls.session.scalars(select(Attempt.id)):
        calls.hear(attempt, Sign.GONE, 16)
    for last in range(5):
        calls.pass_by(minutes=1)
        calls.done(f"+38067123456{last}")
        calls.sync()
        (attempt,) = calls.plan(most=1)
        assert calls.claim(attempt) is None
        calls.hear(attempt, Sign.GONE, 34)
    paused = calls.at + calls.dialler.rules.trunk_pause
    assert (paused, WaitsFor.TRUNK) in [(at, why) for _id, at, why in coming(calls)]
    calls.pass_by(hours=9, minutes=50)  # 19:50
    with transaction() as session:
        failed = Attempt.outcome == Outcome.TRUNK_TROUBLE
        session.execute(update(Attempt).where(failed).values(settled_at=calls.at))
    assert {why for _id, _at, why in coming(calls)} == {WaitsFor.HOURS}  # the pause ends when they have
    with transaction() as session:
        switch_machine(session, session.get_one(User, calls.chief), calls.at, on=False)
    assert {why for _id, _at, why in coming(calls)} == {WaitsFor.SWITCH}


def test_what_stops_the_machine_is_told(calls):
    """The red button with who pressed it, and the trunk's breaker with its end."""
    now = machine_now(calls.session, calls.dialler, calls.at)
    assert (now.on, now.switch.user.login, now.opens_at, now.paused_until) == (True, "chief", None, None)
    for last in range(5):
        calls.done(f"+38067123456{last}")
        calls.sync()
        (attempt,) = calls.dial()
        calls.hear(attempt, Sign.GONE, 34)
    paused = machine_now(calls.session, calls.dialler, calls.at).paused_until
    assert paused == calls.at + calls.dialler.rules.trunk_pause
    with transaction() as session:
        switch_machine(session, session.get_one(User, calls.chief), calls.at, on=False)
    assert not machine_now(calls.session, calls.dialler, calls.at).on


def test_a_calls_history_tells_how_long_it_rang_and_was_talked(calls):
    calls.done()
    calls.sync()
    (task,) = calls.tasks()
    (attempt,) = calls.dial()
    calls.hear(attempt, Sign.RINGS)
    calls.pass_by(seconds=7)
    calls.hear(attempt, Sign.UP)
    calls.pass_by(seconds=12)
    with transaction() as session:
        answer_by_key(session, attempt, task.id, Key.NOT_DONE, calls.at)
    calls.hear(attempt, Sign.GONE, 16)
    calls.session.rollback()
    (made,) = calls_made(calls.session, task.id)
    assert (made.rang, made.talked, made.key) == (timedelta(seconds=7), timedelta(seconds=12), "2")
    found = find_task(calls.session, task.id)
    assert [(row.event, row.to_state) for row in found.events] == [("created", "waiting"), ("settled", "settled")]
    assert find_task(calls.session, 999) is None
