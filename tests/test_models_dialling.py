"""Which call is made, whether a line is free, and that each is dialled at most once (C3, C5, C6)."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from models import work
from models.attempts import (
    ATTEMPT_TABLE,
    NOTE_STOPPED,
    Attempt,
    AttemptEvent,
    AttemptState,
    End,
    LineSlot,
    NeverByMachine,
    machine_outcomes,
    switch_machine,
)
from models.base import now, transaction
from models.calling import Outcome, uses_try
from models.calls import Call, CallState
from models.calltasks import TASK_TABLE, CallTask, CallTaskEvent, Move, Purpose, TaskEvent, TaskState, Why, move_task
from models.clarifications import WANTS_PERSON, answer_question
from models.dialling import DIALLED_WITHIN, Refusal, Refused, plan_own_call, why_not, withdraw, withdraw_planned
from models.erasure import anonymise_report
from models.kept import unlocked
from models.leases import LEASE, free_lines, renew_lines
from models.machine import IllegalMove
from models.own_calls import Said, Told, hold, wait_for_line
from models.people import Phone, User
from models.reports import Report, ReportEvent, ReportState, note_history
from models.settling import AttemptLeg, Sign, answer_by_key, lose, never_by_machine, not_all_known, note_leg
from models.status_questions import questions_of
from models.status_script import Key
from models.taken_back import answer_to_take_back, take_back
from models.task_rules import RULES, _end_check, _still_so
from tests.call_fixtures import MORNING, Calls
from tests.helpers import record_call


def leased(calls: Calls) -> int:
    return calls.session.scalar(select(func.count()).where(LineSlot.until > calls.at))


def ring(calls: Calls, number: str, state: CallState = CallState.RINGING) -> int:
    """A citizen calls one of the lines."""
    with transaction() as session:
        call = Call(uniqueid=f"romny-{number}-{now().timestamp()}", number=number, state=state, started_at=calls.at)
        session.add(call)
        session.flush()
        return call.id


# ---- tasks


def test_a_report_that_is_done_has_one_task(calls):
    calls.done()
    assert calls.sync() == 1
    assert calls.sync() == 0
    (task,) = calls.tasks()
    assert (task.state, task.number, task.report.number) == (TaskState.WAITING, "+380671234567", "2026-0001")
    assert task.deadline_at == calls.dialler.calendar.end_of_working_days(calls.at, 2)
    assert [row.event for row in task.events] == [TaskEvent.CREATED]


@pytest.mark.parametrize("number", [None, "+380900123456", "+48601234567"])
def test_a_number_that_is_never_dialled_is_a_persons_task(number, calls):
    calls.done(number)
    calls.sync()
    (task,) = calls.tasks()
    assert (task.state, task.why) == (TaskState.PERSON, Why.NO_NUMBER)
    assert calls.plan() == []


def test_a_task_ends_with_its_reason(calls):
    report = calls.done()
    calls.sync()
    with transaction() as session:
        session.get_one(Report, report.id).state = ReportState.CLOSED
    calls.sync()
    (task,) = calls.tasks()
    assert (task.state, task.why, task.settled_at) == (TaskState.CANCELLED, Why.REPORT_MOVED, calls.at)
    with transaction() as session:
        session.get_one(Report, report.id).state = ReportState.DONE
    calls.sync()
    assert len(calls.tasks()) == 2  # done again, asked again


def test_a_task_follows_the_applicants_number(calls):
    report = calls.done()
    calls.sync()
    with transaction() as session:
        session.get_one(Report, report.id).contact_number = "+380501112233"
    calls.sync()
    assert calls.tasks()[0].number == "+380501112233"


def test_missed_calls_of_one_number_are_one_task_and_a_talk_ends_it(calls):
    with transaction() as session:
        for minutes in (30, 20):
            call, _draft = record_call(session, "0671234567", at=calls.at - timedelta(minutes=minutes))
            call.state = CallState.MISSED
    calls.sync()
    (task,) = calls.tasks(Purpose.CALL_BACK)
    assert (task.number, task.state) == ("+380671234567", TaskState.WAITING)
    assert calls.plan() == []  # a person calls back
    with transaction() as session:
        for call in session.scalars(select(Call)):
            call.settled_by_id = call.id
    calls.sync()
    (task,) = calls.tasks(Purpose.CALL_BACK)
    assert (task.state, task.why) == (TaskState.SETTLED, Why.SPOKEN)
    assert calls.sync() == 0


def test_a_draft_whose_ending_is_undone_is_called_back_again(calls):
    with transaction() as session:
        call, draft = record_call(session, "0671234567", at=calls.at - timedelta(minutes=30))
        call.state = CallState.MISSED
        ids = call.id, draft.id
    calls.sync()
    for state in (ReportState.DROPPED, ReportState.DRAFT):
        with transaction() as session:
            session.get_one(Report, ids[1]).state = state
        calls.sync()
    assert [task.state for task in calls.tasks(Purpose.CALL_BACK)] == [TaskState.WAITING]


@pytest.mark.parametrize("state", sorted(TaskState))
@pytest.mark.parametrize("event", sorted(set(TaskEvent) - {TaskEvent.CREATED}))
def test_a_task_moves_by_its_table_alone_and_each_move_leaves_a_row(state, event, calls):
    calls.done()
    calls.sync()
    with transaction() as session:
        task = session.scalars(select(CallTask)).one()
        task.state = TaskState(state)
        rows = session.scalar(select(func.count(CallTaskEvent.id)))
        if (state, event) in TASK_TABLE:
            move_task(session, task, Move(TaskEvent(event)), calls.at)
            session.flush()
            assert task.state == TASK_TABLE[(state, event)]
            assert session.scalar(select(func.count(CallTaskEvent.id))) == rows + 1
        else:
            with pytest.raises(IllegalMove):
                move_task(session, task, Move(TaskEvent(event)), calls.at)
            assert task.state == state


def test_every_state_and_event_of_an_attempt_is_decided():
    for state in (AttemptState.DIALLING, AttemptState.TALKING, AttemptState.SETTLED, AttemptState.UNKNOWN):
        for event in (AttemptEvent.ANSWERED, AttemptEvent.ENDED, AttemptEvent.LOST):
            assert (state, event) in ATTEMPT_TABLE  # the exchange tells them early, late and twice


# ---- planning


def test_one_call_covers_all_reports_of_a_person(calls):
    for _ in range(4):
        calls.done()
    calls.done("+380501112233")
    calls.sync()
    first, second = (calls.attempt(attempt_id) for attempt_id in calls.plan())
    assert sorted(len(attempt.parts) for attempt in (first, second)) == [1, 4]
    assert {first.number, second.number} == {"+380671234567", "+380501112233"}


def test_the_fewest_hours_left_come_first(calls):
    for number in ("+380671111111", "+380672222222", "+380673333333"):
        calls.done(number)
    calls.sync()
    with transaction() as session:
        session.get_one(CallTask, calls.tasks()[2].id).deadline_at = calls.at + timedelta(hours=1)
    planned = [calls.attempt(attempt_id).number for attempt_id in calls.plan()]
    assert planned == ["+380673333333", "+380671111111"]


def test_who_found_us_busy_is_called_again_in_ten_minutes_and_then_in_an_hour(calls):
    """No phone rang: the two hours between calls that disturb do not count (C5)."""
    calls.done()
    calls.sync()
    called = []
    for _ in range(120):
        for attempt in calls.dial():
            called.append((calls.at - MORNING).total_seconds() / 60)
            calls.hear(attempt, Sign.GONE, 17)
        calls.pass_by(minutes=1)
    assert called == [0, 10, 70]


def test_a_line_stays_free_for_the_citizen_who_calls(calls):
    for place in range(9):
        calls.done(f"+38067000000{place}")
    calls.sync()
    assert len(calls.plan()) == 2
    assert calls.plan() == []
    assert leased(calls) == 2
    assert free_lines(calls.session, calls.dialler.lines, calls.at) == 0


def test_who_calls_takes_a_line_that_ours_do_not_get(calls):
    ring(calls, "+380501112233")
    for place in range(3):
        calls.done(f"+38067000000{place}")
    calls.sync()
    assert len(calls.plan()) == 1


def test_a_line_is_free_again_after_the_call_or_when_nobody_knows_of_it_any_more(calls):
    calls.done()
    calls.sync()
    (attempt,) = calls.dial()
    calls.hear(attempt, Sign.GONE, 17)
    assert leased(calls) == 0
    calls.done("+380501112233")
    calls.sync()
    calls.dial()
    calls.pass_by(seconds=LEASE.total_seconds() + 1)
    assert leased(calls) == 0


def test_a_talk_of_any_length_keeps_its_line(calls):
    calls.done()
    calls.sync()
    (attempt,) = calls.dial()
    for _ in range(4):
        calls.pass_by(seconds=LEASE.total_seconds() * 0.6)
        with transaction() as session:
            renew_lines(session, {attempt}, calls.at)
    assert leased(calls) == 1


@pytest.mark.parametrize("hour", [8, 20, 23])
def test_nobody_is_called_out_of_hours(hour, calls):
    calls.done()
    calls.sync()
    calls.at = calls.at.replace(hour=hour)
    assert calls.plan() == []


def test_without_the_switch_nothing_is_planned_and_what_is_planned_is_not_dialled(calls):
    calls.done()
    calls.sync()
    (attempt,) = calls.plan()
    with transaction() as session:
        switch_machine(session, calls.supervisor, calls.at, on=False)
    assert calls.claim(attempt) == Refusal.STOPPED
    assert (calls.attempt(attempt).state, leased(calls)) == (AttemptState.CANCELLED, 0)
    calls.done("+380501112233")
    calls.sync()
    assert calls.plan() == []


def test_who_said_no_is_not_called_by_a_machine(calls):
    calls.done()
    calls.sync()
    with transaction() as session:
        never_by_machine(session, "+380671234567", calls.at)
    assert calls.plan() == []
    (task,) = calls.tasks()
    assert (task.state, task.why) == (TaskState.PERSON, Why.OPTED_OUT)


def test_a_number_is_called_twice_a_day_at_most(calls):
    hours = []
    for _ in range(14):
        calls.done()
        calls.sync()
        with transaction() as session:
            for task in session.scalars(select(CallTask)):
                task.due_at = min(task.due_at, calls.at)
        for attempt in calls.dial():
            hours.append(calls.at.hour)
            calls.hear(attempt, Sign.GONE, 19)
        calls.pass_by(minutes=40)
    assert hours == [10, 12]


def test_who_calls_us_now_is_not_called(calls):
    calls.done()
    calls.sync()
    ring(calls, "+380671234567")
    assert calls.plan() == []


def test_a_task_on_a_colleagues_screen_is_not_the_machines(calls):
    calls.done()
    calls.sync()
    with transaction() as session:
        task = session.scalars(select(CallTask)).one()
        task.held_by_id, task.held_until = calls.supervisor.id, calls.at + timedelta(minutes=5)
    assert calls.plan() == []


def test_one_call_asks_nothing_that_a_colleague_holds_or_that_was_put_off(calls):
    for _ in range(3):
        calls.done()
    calls.sync()
    with transaction() as session:
        due, held, later = session.scalars(select(CallTask).order_by(CallTask.id))
        held.held_by_id, held.held_until = calls.chief, calls.at + timedelta(minutes=5)
        later.due_at = calls.at + timedelta(days=1)
        ids = [due.id]
    (attempt,) = calls.plan()
    assert [task.id for task in calls.attempt(attempt).tasks] == ids


def test_a_call_that_is_not_made_holds_nothing(calls):
    calls.done()
    calls.sync()
    with transaction() as session:
        task = session.scalars(select(CallTask)).one()
        attempt = plan_own_call(session, calls.dialler, task, calls.supervisor, calls.at)
        hold(attempt.tasks, calls.supervisor, calls.at)
        withdraw(session, attempt, Refusal.EXCHANGE, calls.at)
    assert calls.tasks()[0].held_by_id is None


def test_a_call_of_an_exchange_that_is_gone_takes_no_line_for_ever(calls):
    calls.done()
    calls.sync()
    for number in ("+380501112233", "+380501112234"):
        ring(calls, number)
    assert calls.plan() == []
    calls.pass_by(hours=5)
    assert len(calls.plan()) == 1


def test_a_trunk_in_trouble_is_left_alone_for_a_while(calls):
    for place in range(8):
        calls.done(f"+38067000000{place}")
    calls.sync()
    failed = 0
    while dialled := calls.dial():
        for attempt in dialled:
            calls.hear(attempt, Sign.GONE, 38)
            failed += 1
        calls.pass_by(seconds=1)
    assert failed in (5, 6)  # two lines at once
    assert all(task.state == TaskState.WAITING for task in calls.tasks())
    calls.pass_by(minutes=16)
    assert len(calls.plan()) == 1  # whether it is well again is tried with one


# ---- dialling, once


@pytest.mark.parametrize(
    ("signs", "cause", "outcome"),
    [
        ([], None, Outcome.TRUNK_TROUBLE),
        ([], 19, Outcome.TRUNK_TROUBLE),
        ([], 17, Outcome.BUSY),  # somebody has said so
        ([Sign.RINGS], 19, Outcome.NO_ANSWER),
    ],
)
def test_behind_a_trunk_that_says_nothing_nobody_was_called(signs, cause, outcome, calls):
    """A gateway without power: not a try, and the breaker counts it."""
    calls.done()
    calls.sync()
    (attempt,) = calls.dial()
    for sign in signs:
        calls.hear(attempt, sign)
    with transaction() as session:
        gone = AttemptLeg(attempt, End.THEIRS, Sign.GONE, calls.at, cause, trunk_silent=True)
        note_leg(session, gone, calls.dialler.rules, calls.dialler.calendar)
    assert calls.attempt(attempt).outcome == outcome


def test_an_attempt_is_dialled_once(calls):
    calls.done()
    calls.sync()
    (attempt,) = calls.plan()
    assert [calls.claim(attempt) for _ in range(2)] == [None, Refusal.NOT_PLANNED]
    assert calls.attempt(attempt).state == AttemptState.DIALLING


CHANGES = {
    Refusal.TASK_OVER: lambda session, _calls: setattr(session.scalars(select(Report)).one(), "state", "closed"),
    Refusal.NUMBER_CHANGED: lambda session, _calls: setattr(
        session.scalars(select(Report)).one(), "contact_number", "+380501112233"
    ),
    Refusal.OPTED_OUT: lambda session, calls: never_by_machine(session, "+380671234567", calls.at),
    Refusal.STOPPED: lambda session, calls: switch_machine(session, calls.supervisor, calls.at, on=False),
}


@pytest.mark.parametrize("why", CHANGES)
def test_what_changed_since_it_was_planned_is_not_dialled(why, calls):
    calls.done()
    calls.sync()
    (attempt,) = calls.plan()
    with transaction() as session:
        CHANGES[why](session, calls)
    assert calls.claim(attempt) == why
    assert (calls.attempt(attempt).state, leased(calls)) == (AttemptState.CANCELLED, 0)
    assert calls.claim(attempt) == Refusal.NOT_PLANNED


@pytest.mark.parametrize("wrong", [timedelta(hours=1), timedelta(hours=-1), DIALLED_WITHIN + timedelta(seconds=1)])
def test_a_clock_that_is_wrong_dials_nothing(wrong, calls):
    """Who plans and who dials go each by their own clock: both have to agree."""
    calls.done()
    calls.sync()
    (attempt,) = calls.plan()
    assert calls.claim(attempt, clock=wrong) == Refusal.STALE


# ---- how it ended


@pytest.mark.parametrize(
    ("cause", "outcome", "state", "later"),
    [
        (17, Outcome.BUSY, TaskState.WAITING, timedelta(minutes=10)),
        (19, Outcome.NO_ANSWER, TaskState.WAITING, timedelta(hours=4, minutes=30)),
        (21, Outcome.REJECTED, TaskState.WAITING, timedelta(days=1, hours=4, minutes=30)),
        (1, Outcome.BAD_NUMBER, TaskState.PERSON, None),
        (28, Outcome.BAD_NUMBER, TaskState.PERSON, None),
    ],
)
def test_what_follows_from_a_cause(cause, outcome, state, later, calls):
    calls.done()
    calls.sync()
    (attempt,) = calls.dial()
    calls.hear(attempt, Sign.RINGS)
    calls.hear(attempt, Sign.GONE, cause)
    calls.hear(attempt, Sign.GONE, cause)  # told twice
    (task,) = calls.tasks()
    assert (calls.attempt(attempt).outcome, task.state) == (outcome, state)
    if later is not None:
        assert task.due_at == calls.at + later
    assert [row.event for row in task.events].count(TaskEvent.TRIED) + (state == TaskState.PERSON) == 1


def test_a_machine_that_answers_confirms_nothing(calls):
    calls.done()
    calls.sync()
    (attempt,) = calls.dial()
    calls.hear(attempt, Sign.UP)
    calls.hear(attempt, Sign.GONE, 16)
    (task,) = calls.tasks()
    assert (calls.attempt(attempt).outcome, task.state) == (Outcome.NO_INPUT, TaskState.WAITING)
    assert task.report.state == ReportState.DONE


def test_after_three_tries_a_person_decides(calls):
    calls.done()
    calls.sync()
    for _ in range(3):
        calls.at = max(calls.at, calls.tasks()[0].due_at)
        (attempt,) = calls.dial()
        calls.hear(attempt, Sign.GONE, 19)
    (task,) = calls.tasks()
    assert (task.state, task.why) == (TaskState.PERSON, Why.TRIES_OVER)
    assert task.report.state == ReportState.DONE  # unreachable is never confirmed


@pytest.mark.parametrize(
    ("key", "report", "why"),
    [
        (Key.DONE, ReportState.CLOSED, Why.ANSWERED),
        (Key.NOT_DONE, ReportState.IN_PROGRESS, Why.ANSWERED),
        (Key.PARTLY, ReportState.IN_PROGRESS, Why.ANSWERED),
        (Key.NOT_ME, ReportState.DONE, Why.OPTED_OUT),
        (Key.PERSON, ReportState.DONE, Why.ASKED_FOR_PERSON),
    ],
)
def test_what_a_key_means(key, report, why, calls):
    calls.done()
    calls.sync()
    (attempt,) = calls.dial()
    calls.hear(attempt, Sign.UP)
    for _ in range(2):  # pressed twice
        with transaction() as session:
            answer_by_key(session, attempt, calls.tasks()[0].id, key, calls.at)
    calls.hear(attempt, Sign.GONE, 16)
    (task,) = calls.tasks()
    assert (task.report.state, task.why) == (report, why)
    assert (calls.attempt(attempt).outcome, calls.attempt(attempt).keys) == (Outcome.ANSWERED, key)
    assert task.state == (TaskState.SETTLED if why == Why.ANSWERED else TaskState.PERSON)


@pytest.mark.parametrize(("key", "why"), [(Key.NOT_ME, Why.OPTED_OUT), (Key.PERSON, Why.ASKED_FOR_PERSON)])
def test_what_they_want_counts_though_the_report_was_closed_meanwhile(key, why, calls):
    """They heard that no machine calls again, or that a person will: it holds for all that is left to ask."""
    calls.done()
    calls.done()
    calls.sync()
    (attempt,) = calls.dial()
    calls.hear(attempt, Sign.UP)
    first, second = calls.tasks()
    with transaction() as session:
        session.execute(update(Report).where(Report.id == first.report_id).values(state=ReportState.CLOSED))
    calls.sync()
    with transaction() as session:
        answer_by_key(session, attempt, first.id, key, calls.at)
    calls.hear(attempt, Sign.GONE, 16)
    first, second = calls.tasks()
    assert (first.state, second.state, second.why) == (TaskState.CANCELLED, TaskState.PERSON, why)
    assert (calls.session.get(NeverByMachine, "+380671234567") is not None) == (key == Key.NOT_ME)


def test_who_asks_for_a_person_is_called_though_nothing_is_left_to_ask(calls):
    """They heard that a person will call: it stands among the calls of the administrators until one has."""
    calls.done()
    calls.sync()
    (attempt,) = calls.dial()
    calls.hear(attempt, Sign.UP)
    (check,) = calls.tasks()
    with transaction() as session:
        session.execute(update(Report).where(Report.id == check.report_id).values(state=ReportState.CLOSED))
    calls.sync()
    for _told in range(2):
        with transaction() as session:
            answer_by_key(session, attempt, check.id, Key.PERSON, calls.at)
    calls.hear(attempt, Sign.GONE, 16)
    calls.sync()
    (check,), (talk,) = calls.tasks(), calls.tasks(Purpose.CLARIFICATION)
    assert (check.state, talk.purpose, talk.open) == (TaskState.CANCELLED, Purpose.CLARIFICATION, True)
    assert (talk.number, talk.words) == ("+380671234567", WANTS_PERSON)
    assert why_not(calls.session, talk) is None
    with transaction() as session:
        user = session.get_one(User, calls.chief)
        told = Told(Said.ANSWER, "Пояснили, що зроблено")
        answer_question(session, calls.dialler, session.get_one(CallTask, talk.id), user, told, calls.at)
    (talk,) = calls.tasks(Purpose.CLARIFICATION)
    assert (talk.state, talk.why) == (TaskState.SETTLED, Why.ANSWERED)


def test_a_stranger_is_asked_nothing_and_confirms_nothing(calls):
    """The telephone is corrected while it rings: whoever lifts the receiver is not the applicant (A3)."""
    calls.done()
    calls.sync()
    (attempt,) = calls.dial()
    calls.hear(attempt, Sign.RINGS)
    with transaction() as session:
        session.execute(update(Report).values(contact_number="+380501112233"))
    calls.hear(attempt, Sign.UP)
    with transaction() as session:
        assert questions_of(session, attempt) == []
        answer_by_key(session, attempt, calls.tasks()[0].id, Key.DONE, calls.at)
    calls.hear(attempt, Sign.GONE, 16)
    calls.sync()
    (task,) = calls.tasks()
    assert (task.report.state, task.state, task.number) == (ReportState.DONE, TaskState.WAITING, "+380501112233")


def test_a_call_that_the_red_button_ends_asks_nothing_more(calls):
    calls.done()
    calls.sync()
    (attempt,) = calls.dial()
    with transaction() as session:
        session.get_one(Attempt, attempt).note = NOTE_STOPPED
        assert questions_of(session, attempt) == []


def test_who_heard_nothing_is_not_rung_again_at_once(calls):
    """Our scripts were away when they lifted the receiver: no try, and the two hours hold all the same."""
    calls.done()
    calls.sync()
    (attempt,) = calls.dial()
    calls.hear(attempt, Sign.UP)
    calls.hear(attempt, Sign.GONE, 41)
    assert calls.attempt(attempt).outcome == Outcome.TRUNK_TROUBLE
    calls.pass_by(minutes=90)
    assert calls.plan() == []
    calls.pass_by(minutes=31)
    assert calls.plan()


def test_an_answer_that_is_told_late_does_not_move_the_end(calls):
    calls.done()
    calls.sync()
    (attempt,) = calls.dial()
    answered = calls.at
    calls.pass_by(seconds=40)
    calls.hear(attempt, Sign.GONE, 16)
    ended, calls.at = calls.at, answered
    calls.hear(attempt, Sign.UP)
    assert (calls.attempt(attempt).answered_at, calls.attempt(attempt).settled_at) == (answered, ended)


def test_a_key_of_a_call_that_was_never_made_confirms_nothing(calls):
    calls.done()
    calls.sync()
    (attempt,) = calls.plan()
    with transaction() as session:
        withdraw(session, session.get_one(Attempt, attempt), Refusal.EXCHANGE, calls.at)
        assert questions_of(session, attempt) == []
        answer_by_key(session, attempt, session.scalars(select(CallTask.id)).one(), Key.DONE, calls.at)
    assert (calls.attempt(attempt).keys, calls.tasks()[0].report.state) == ("", ReportState.DONE)


def test_the_second_question_of_a_call_may_stay_without_an_answer(calls):
    calls.done()
    calls.done()
    calls.sync()
    (attempt,) = calls.dial()
    first, second = calls.tasks()
    calls.hear(attempt, Sign.UP)
    with transaction() as session:
        answer_by_key(session, attempt, first.id, Key.DONE, calls.at)
    calls.hear(attempt, Sign.GONE, 16)
    first, second = calls.tasks()
    assert (first.report.state, second.report.state) == (ReportState.CLOSED, ReportState.DONE)
    assert second.state == TaskState.WAITING  # and not a person's: it has two tries left


@pytest.mark.parametrize(
    ("cause", "note", "ended"), [(41, "", Outcome.TRUNK_TROUBLE), (16, NOTE_STOPPED, Outcome.STOPPED)]
)
@pytest.mark.parametrize("keys", [0, 1])
def test_what_our_trouble_or_the_red_button_left_unasked_uses_no_try(keys, cause, note, ended, calls):
    """As it is when nothing was asked: the second report's applicant has not kept silent."""
    calls.done()
    calls.done()
    calls.sync()
    (attempt,) = calls.dial()
    calls.hear(attempt, Sign.UP)
    answered = calls.tasks()[:keys]
    with transaction() as session:
        session.get_one(Attempt, attempt).note = note
        for task in answered:
            answer_by_key(session, attempt, task.id, Key.DONE, calls.at)
    calls.hear(attempt, Sign.GONE, cause)
    second = calls.tasks()[1]
    assert machine_outcomes(calls.session, second) == [ended]
    assert not uses_try(ended)
    assert second.due_at - calls.at < timedelta(minutes=10)


@pytest.mark.parametrize(
    ("key", "state"),
    [(Key.DONE, ReportState.CLOSED), (Key.NOT_DONE, ReportState.IN_PROGRESS), (Key.PARTLY, ReportState.IN_PROGRESS)],
)
@pytest.mark.parametrize("synced", [False, True], ids=["at once", "after the rules"])
def test_the_key_of_who_listens_counts_though_a_colleague_closes_it_meanwhile(calls, key, state, synced):
    """A report is done when the citizen says so."""
    report = calls.done()
    calls.sync()
    (attempt,) = calls.dial()
    with transaction() as session:
        session.get_one(Report, report.id).state = ReportState.CLOSED
    if synced:
        calls.sync()
    with transaction() as session:
        answer_by_key(session, attempt, calls.tasks()[0].id, key, calls.at)
    task = calls.tasks()[0]
    assert task.report.state == state
    assert not task.open


@pytest.mark.parametrize("closing", ["unsolved", "later"])
def test_a_key_opens_nothing_that_was_closed_as_unsolvable_or_after_the_call(calls, closing):
    report = calls.done()
    calls.sync()
    (attempt,) = calls.dial()
    calls.hear(attempt, Sign.UP)
    calls.hear(attempt, Sign.GONE, 16)
    event = ReportEvent.CLOSED_UNSOLVED if closing == "unsolved" else ReportEvent.CONFIRMED
    with transaction() as session:
        stored = session.get_one(Report, report.id)
        stored.state = ReportState.CLOSED
        at = calls.at + timedelta(hours=1) if closing == "later" else calls.at
        note_history(session, stored, event, None, "", at=at)
    with transaction() as session:
        answer_by_key(session, attempt, calls.tasks()[0].id, Key.NOT_DONE, calls.at)
    assert calls.tasks()[0].report.state == ReportState.CLOSED


def test_a_key_that_is_told_after_the_hang_up_counts(calls):
    """Two processes tell of them."""
    calls.done()
    calls.sync()
    (attempt,) = calls.dial()
    calls.hear(attempt, Sign.UP)
    calls.hear(attempt, Sign.GONE, 16)
    with transaction() as session:
        answer_by_key(session, attempt, calls.tasks()[0].id, Key.DONE, calls.at)
    assert (calls.attempt(attempt).outcome, calls.tasks()[0].state) == (Outcome.ANSWERED, TaskState.SETTLED)


def test_an_answer_that_is_told_after_the_hang_up_counts(calls):
    calls.done()
    calls.sync()
    (attempt,) = calls.dial()
    calls.hear(attempt, Sign.GONE, 16)
    assert calls.attempt(attempt).outcome == Outcome.NO_ANSWER
    assert not_all_known(calls.session, {attempt}) == {attempt}
    calls.hear(attempt, Sign.UP)
    assert calls.attempt(attempt).outcome == Outcome.NO_INPUT
    assert not_all_known(calls.session, {attempt}) == set()


def test_the_reason_why_a_person_decides_stays(calls):
    calls.done()
    calls.sync()
    (attempt,) = calls.dial()
    with transaction() as session:
        task = session.scalars(select(CallTask)).one()
        move_task(session, task, Move(TaskEvent.HANDED, why=Why.OPTED_OUT), calls.at)
    calls.hear(attempt, Sign.GONE, 19)
    assert (calls.tasks()[0].state, calls.tasks()[0].why) == (TaskState.PERSON, Why.OPTED_OUT)


def test_a_call_that_got_lost_goes_to_a_person_and_is_never_dialled_again(calls):
    calls.done()
    calls.sync()
    (attempt,) = calls.dial()
    with transaction() as session:
        lose(session, attempt, calls.at)
    (task,) = calls.tasks()
    assert (calls.attempt(attempt).state, task.state, task.why) == (
        AttemptState.UNKNOWN,
        TaskState.PERSON,
        Why.UNKNOWN,
    )
    assert leased(calls) == 0
    calls.pass_by(days=1)
    assert calls.plan() == []
    calls.hear(attempt, Sign.GONE, 17)  # the truth comes late: the attempt has it, the task stays with its person
    assert (calls.attempt(attempt).outcome, calls.tasks()[0].state) == (Outcome.BUSY, TaskState.PERSON)


# ---- by a person


def test_a_persons_call_settles_the_missed_calls_of_the_number(calls):
    with transaction() as session:
        call, _draft = record_call(session, "0671234567", at=calls.at - timedelta(minutes=30))
        call.state = CallState.MISSED
        session.add(Phone(name="desk1", extension="201", secret="x", user_id=calls.supervisor.id))
    calls.sync()
    with transaction() as session:
        task = session.scalars(select(CallTask)).one()
        attempt = plan_own_call(session, calls.dialler, task, calls.supervisor, calls.at).id
    calls.claim(attempt)
    calls.hear(attempt, Sign.UP, end=End.OURS)
    calls.hear(attempt, Sign.RINGS)
    calls.hear(attempt, Sign.UP)
    calls.sync()
    (task,) = calls.tasks(Purpose.CALL_BACK)
    assert (task.state, task.why) == (TaskState.SETTLED, Why.SPOKEN)
    calls.hear(attempt, Sign.GONE, 16)
    calls.hear(attempt, Sign.GONE, 16, end=End.OURS)
    assert calls.attempt(attempt).outcome == Outcome.ANSWERED


def test_an_answer_told_again_does_not_settle_what_was_put_off_meanwhile(calls):
    """A voicemail lifted: the dispatcher records "not reached" with the receiver in the hand, then the file is read."""
    with transaction() as session:
        call, draft = record_call(session, "0671234567", at=calls.at - timedelta(minutes=30))
        call.state = CallState.MISSED
    calls.sync()
    attempt = own_call(calls)
    for end in (End.OURS, End.THEIRS):
        calls.hear(attempt, Sign.UP, end=end)
    with transaction() as session:
        session.scalars(select(Call)).one().settled_by_attempt_id = None
    calls.hear(attempt, Sign.UP)
    assert not calls.session.scalars(select(Call)).one().settled


def test_who_was_put_through_to_a_person_needs_no_call_back(calls):
    """C1: any later talk."""
    calls.done()
    calls.sync()
    (attempt,) = calls.dial()
    calls.hear(attempt, Sign.UP)
    with transaction() as session:
        call, _draft = record_call(session, "0671234567", at=calls.at - timedelta(minutes=30))
        call.state = CallState.MISSED
    calls.hear(attempt, Sign.UP, end=End.OURS)
    assert calls.session.scalars(select(Call)).one().settled


def test_a_persons_call_covers_all_that_is_open_of_the_applicant(calls):
    """Also what the machine has given up, and what it would ask later; not what has moved on (C5)."""
    for _ in range(4):
        calls.done()
    calls.sync()
    given_up, later, moved, _first = calls.tasks()
    with transaction() as session:
        move = Move(TaskEvent.HANDED, why=Why.TRIES_OVER)
        move_task(session, session.get_one(CallTask, given_up.id), move, calls.at)
        session.get_one(CallTask, later.id).due_at = calls.at + timedelta(days=1)
        session.execute(update(Report).where(Report.id == moved.report_id).values(state=ReportState.CLOSED))
    covered = {task.id for task in calls.attempt(own_call(calls, calls.tasks()[3].id)).tasks}
    assert covered == {task.id for task in calls.tasks()} - {moved.id}


def own_call(calls: Calls, task_id: int | None = None) -> int:
    """A person's call that is being dialled; its attempt's id."""
    with transaction() as session:
        task = session.get_one(CallTask, task_id) if task_id else session.scalars(select(CallTask)).one()
        attempt = plan_own_call(session, calls.dialler, task, session.get_one(User, calls.chief), calls.at).id
    calls.claim(attempt)
    return attempt


@pytest.mark.parametrize(("lifted", "outcome"), [(False, Outcome.OUR_PHONE), (True, Outcome.NOT_CALLED)])
def test_where_our_own_phone_is_all_that_rang_it_is_no_try(lifted, outcome, calls):
    calls.done()
    calls.sync()
    attempt = own_call(calls)
    if lifted:
        calls.hear(attempt, Sign.UP, end=End.OURS)
    calls.hear(attempt, Sign.GONE, 19, end=End.OURS)
    assert calls.attempt(attempt).outcome == outcome
    assert calls.tasks()[0].state == TaskState.WAITING


def test_a_person_may_call_at_any_hour_and_two_may_not_call_the_same_citizen(calls):
    calls.done()
    calls.sync()
    calls.at = calls.at.replace(hour=21)
    with transaction() as session:
        task = session.scalars(select(CallTask)).one()
        plan_own_call(session, calls.dialler, task, calls.supervisor, calls.at)
    with pytest.raises(Refused) as refused, transaction() as session:
        plan_own_call(session, calls.dialler, session.get_one(CallTask, task.id), calls.supervisor, calls.at)
    assert refused.value.why == Refusal.ALREADY


def test_who_calls_takes_one_line(calls):
    """Three clicks while one's own phone rings would leave no line to anybody."""
    for number in ("+380671234567", "+380671234568"):
        calls.done(number)
    calls.sync()
    first, second = (task.id for task in calls.tasks())
    own_call(calls, first)
    with pytest.raises(Refused) as refused:
        own_call(calls, second)
    assert refused.value.why == Refusal.OWN_CALL
    assert leased(calls) == 1


# ---- personal data


def test_an_anonymised_report_leaves_no_number_in_its_calls(calls):
    calls.done()
    calls.sync()
    (attempt,) = calls.dial()
    calls.hear(attempt, Sign.UP)
    with transaction() as session:
        answer_by_key(session, attempt, calls.tasks()[0].id, Key.NOT_ME, calls.at)
    calls.hear(attempt, Sign.GONE, 16)
    with transaction() as session, unlocked(session):
        report = session.scalars(select(Report)).one()
        anonymise_report(session, report, None, "term", texts=False, at=calls.at)
    (task,) = calls.tasks()
    assert (task.number, task.words) == (None, "")
    assert (calls.attempt(attempt).number, calls.attempt(attempt).outcome) == ("", Outcome.ANSWERED)
    assert calls.session.get(NeverByMachine, "+380671234567") is not None  # has a term of its own: no is still no


def test_the_next_line_is_for_the_person_who_calls_one_after_another(calls):
    for number in ("+380671234567", "+380671234568", "+380671234569"):
        calls.done(number)
    calls.sync()
    with transaction() as session:
        task = session.scalars(select(CallTask).order_by(CallTask.id)).first()
        task.held_by_id, task.held_until = calls.chief, calls.at + timedelta(minutes=5)
    assert len(calls.plan()) == 1  # of two lines that ours may take
    calls.pass_by(minutes=6)
    assert len(calls.plan()) == 1


def test_what_the_red_button_ends_uses_no_try(calls):
    calls.done()
    calls.sync()
    (attempt,) = calls.dial()
    calls.hear(attempt, Sign.UP)
    with transaction() as session:
        session.get_one(Attempt, attempt).note = NOTE_STOPPED
    calls.hear(attempt, Sign.GONE, 16)
    assert calls.attempt(attempt).outcome == Outcome.STOPPED
    assert (calls.tasks()[0].state, calls.tasks()[0].due_at) == (TaskState.WAITING, calls.at)


def test_what_a_person_takes_in_hand_after_it_was_planned_the_machine_does_not_dial(calls: Calls) -> None:
    calls.done()
    calls.sync()
    (planned,) = calls.plan()
    calls.pass_by(seconds=3)
    with transaction() as session:
        task = session.scalars(select(CallTask)).one()
        wait_for_line(session, task, session.get_one(User, calls.chief), calls.at)
    assert calls.claim(planned) == Refusal.HELD
    assert calls.attempt(planned).state == AttemptState.CANCELLED
    calls.pass_by(minutes=16)
    assert len(calls.dial()) == 1


def test_what_cannot_be_spoken_for_long_is_planned_ever_more_seldom(calls: Calls) -> None:
    calls.done()
    calls.sync()
    pauses = []
    for _ in range(7):
        (planned,) = calls.plan()
        with transaction() as session:
            withdraw_planned(session, planned, Refusal.VOICE, calls.at)
        (task,) = calls.tasks()
        pauses.append((task.due_at - calls.at) / timedelta(minutes=1))
        calls.at = task.due_at
    assert pauses == [1, 2, 4, 8, 16, 30, 30]


def test_a_rule_looks_once_more_at_what_another_has_changed_since_it_was_found(calls: Calls) -> None:
    """The check of a report that is closed is ended, unless the answer was taken back since."""
    report_id = calls.done().id
    calls.sync()
    with transaction() as session:
        work.confirm(session, session.get_one(Report, report_id), session.get_one(User, calls.chief), "", calls.at)
    ending = next(rule for rule in RULES if rule.act is _end_check)
    (found,) = calls.session.scalars(ending.query, {"at": calls.at}).all()
    calls.session.rollback()
    with transaction() as session:
        user = session.get_one(User, calls.chief)
        answer = answer_to_take_back(session, report_id, user, calls.at)
        take_back(session, session.get_one(Report, report_id), answer, user, calls.at)
    with transaction() as session:
        assert _still_so(session, ending, found, calls.at) is None
    (task,) = calls.tasks()
    assert (task.state, task.held_by_id) == (TaskState.WAITING, calls.chief)
