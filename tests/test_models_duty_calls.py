"""Calls to the duty of an enterprise: its numbers in their order, acceptance by one key, a person else (I8, W4)."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from jobs.app import bare_app
from jobs.callfacts import KeyPressed, apply
from models import duty_calls, work
from models.attempts import Attempt, AttemptState, End, switch_machine
from models.base import db, transaction
from models.calling import Outcome
from models.calltasks import CallTask, CallTaskEvent, Purpose, TaskEvent, TaskState, Why
from models.deadlines import Deadline, DeadlineKind
from models.dialling import Refusal, Refused, plan_own_call
from models.duty_calls import BETWEEN, aim_own_call, hand_over_of, prompts_of
from models.erasure import anonymise_report
from models.executions import Execution
from models.kept import unlocked
from models.leases import Lines
from models.people import Organisation, Phone, Role, User
from models.pressing import to_warn
from models.reports import HistoryEvent, HistoryRow, Report, ReportEvent, ReportState
from models.settling import Sign, answer_by_key, lose, never_by_machine
from models.status_script import HandoverKey, Key
from tests.call_fixtures import Calls
from tests.helpers import AREA_CODE

FIRST, SECOND, THIRD = "+380544850001", "+380671112233", "+380502223344"
NIGHT = 3  # o'clock


def duty(calls: Calls, *numbers: str) -> None:
    with transaction() as session:
        session.get_one(Organisation, calls.executor).duty_numbers = numbers


def reported(calls: Calls, *, emergency: bool = True, **values: object) -> int:
    """One more registered report of the organisation."""
    report = calls.done("+380679998877")
    with transaction() as session:
        row = session.get_one(Report, report.id)
        row.state, row.emergency = ReportState.NEW, emergency
        for name, value in values.items():
            setattr(row, name, value)
        work.begin_work(session, row, None, calls.at)
    return report.id


def task_of(calls: Calls, purpose: Purpose = Purpose.HAND_OVER) -> CallTask:
    (task,) = calls.tasks(purpose)
    return task


def press(calls: Calls, attempt: int, key: HandoverKey) -> None:
    with transaction() as session:
        answer_by_key(session, attempt, task_of(calls).id, key, calls.at)


def in_vain(calls: Calls, cause: int = 19) -> str:
    """The machine calls and nobody accepts: the number that was called."""
    (attempt,) = calls.dial()
    calls.hear(attempt, Sign.GONE, cause)
    return calls.attempt(attempt).number


def history(calls: Calls, report_id: int) -> list[tuple[str, str, int | None]]:
    calls.session.rollback()
    rows = calls.session.scalars(select(HistoryRow).where(HistoryRow.report_id == report_id).order_by(HistoryRow.id))
    return [(row.event, row.note, row.user_id) for row in rows]


def operator_of(calls: Calls) -> User:
    with transaction() as session:
        user = User(login="op", name="op", password_hash="x", role=Role.OPERATOR, organisation_id=calls.executor)
        session.add(user)
    return user


# ---- the task


def test_an_emergency_that_is_not_accepted_is_handed_over_at_any_hour(calls):
    """I8: a task at once, and a call also at night."""
    duty(calls, FIRST, SECOND)
    calls.at = calls.at.replace(hour=NIGHT)
    report = reported(calls)
    reported(calls, emergency=False)
    calls.sync()
    assert calls.sync() == 0
    task = task_of(calls)
    assert (task.report_id, task.organisation_id, task.number) == (report, calls.executor, FIRST)
    (attempt,) = calls.dial()
    assert calls.attempt(attempt).number == FIRST


def test_an_emergency_goes_before_everything_else(calls):
    """Before checks that are late by days, and before the people who call one after another."""
    duty(calls, FIRST)
    for place in range(4):
        calls.done(f"+38067000000{place}")
    calls.sync()
    calls.pass_by(days=5)
    reported(calls)
    calls.sync()
    with transaction() as session:
        for task in session.scalars(select(CallTask).where(CallTask.purpose == Purpose.STATUS_CHECK).limit(2)):
            task.held_by_id, task.held_until = calls.chief, calls.at + timedelta(minutes=5)
    assert [calls.attempt(attempt).number for attempt in calls.plan()] == [FIRST]


def test_without_a_duty_number_a_person_is_told_at_once(calls):
    reported(calls)
    calls.sync()
    task = task_of(calls)
    assert (task.state, task.why, task.number) == (TaskState.PERSON, Why.NO_NUMBER, None)
    assert calls.plan() == []
    assert calls.sync() == 0


@pytest.mark.parametrize("ends", ["accepted", "closed", "reassigned", "no emergency"])
def test_the_task_ends_with_its_reason_and_nothing_more_is_dialled(ends, calls):
    duty(calls, FIRST)
    report_id, user = reported(calls), operator_of(calls)
    calls.sync()
    (attempt,) = calls.plan()
    with transaction() as session:
        report = session.get_one(Report, report_id)
        if ends == "accepted":
            work.accept(session, report, session.merge(user), calls.at)
        elif ends == "closed":
            report.state = ReportState.CLOSED
        elif ends == "no emergency":
            report.emergency = False
        else:
            other = Organisation(name="КП «Водоканал»")
            session.add(other)
            session.flush()
            work.reassign(session, report, session.get_one(User, calls.chief), other, "не їхнє", calls.at)
    assert calls.claim(attempt) == Refusal.TASK_OVER  # before the rules have run
    calls.sync()
    first, *others = calls.tasks(Purpose.HAND_OVER)
    over = (TaskState.SETTLED, Why.ACCEPTED) if ends == "accepted" else (TaskState.CANCELLED, Why.REPORT_MOVED)
    assert (first.state, first.why) == over
    assert calls.plan() == []
    assert [task.why for task in others] == ([Why.NO_NUMBER] if ends == "reassigned" else [])


def test_what_the_machine_cannot_call_in_time_is_a_persons(calls):
    """The machine is off, and nobody has to notice that."""
    duty(calls, FIRST)
    with transaction() as session:
        switch_machine(session, calls.supervisor, calls.at, on=False)
    reported(calls)
    calls.sync()
    assert calls.plan() == []
    calls.at = task_of(calls).deadline_at
    assert calls.sync() == 0
    calls.pass_by(seconds=1)
    calls.sync()
    assert (task_of(calls).state, task_of(calls).why) == (TaskState.PERSON, Why.LATE)


# ---- the numbers in their order


def test_each_number_is_called_twice_in_turn_and_then_a_person_decides(calls):
    """I8: unanswered, it escalates; the budget of citizens' calls stops nothing."""
    duty(calls, FIRST, SECOND, THIRD)
    reported(calls)
    calls.sync()
    called = []
    for cause in (19, 17, 21, 1, 16, 18):
        called.append(in_vain(calls, cause))
        assert calls.plan() == []  # not before a minute has passed
        calls.pass_by(seconds=BETWEEN.total_seconds())
    assert called == [FIRST, SECOND, THIRD] * 2
    task = task_of(calls)
    assert (task.state, task.why) == (TaskState.PERSON, Why.TRIES_OVER)
    assert [event.event for event in task.events] == [TaskEvent.CREATED, *[TaskEvent.TRIED] * 5, TaskEvent.HANDED]
    assert task.report.state == ReportState.NEW  # never accepted by silence
    assert calls.plan() == []


def test_who_answers_without_a_key_has_accepted_nothing(calls):
    duty(calls, FIRST, SECOND)
    reported(calls)
    calls.sync()
    (attempt,) = calls.dial()
    calls.hear(attempt, Sign.UP)
    calls.hear(attempt, Sign.GONE, 16)
    assert calls.attempt(attempt).outcome == Outcome.NO_INPUT
    calls.pass_by(minutes=1)
    assert in_vain(calls) == SECOND


def test_a_number_that_wants_no_machine_is_left_out(calls):
    duty(calls, FIRST, SECOND)
    with transaction() as session:
        never_by_machine(session, FIRST, calls.at)
    reported(calls)
    calls.sync()
    assert in_vain(calls) == SECOND
    calls.pass_by(minutes=1)
    assert in_vain(calls) == SECOND
    assert task_of(calls).why == Why.TRIES_OVER


def test_a_duty_that_wants_no_machine_at_all_is_a_persons_to_call(calls):
    """And the reason is not that there is no number."""
    duty(calls, FIRST)
    with transaction() as session:
        never_by_machine(session, FIRST, calls.at)
    reported(calls)
    calls.sync()
    assert calls.plan() == []
    assert (task_of(calls).state, task_of(calls).why) == (TaskState.PERSON, Why.OPTED_OUT)


def test_another_list_of_numbers_holds_from_the_next_call_on(calls):
    duty(calls, FIRST)
    reported(calls)
    calls.sync()
    (attempt,) = calls.plan()
    duty(calls, SECOND)
    assert calls.claim(attempt) == Refusal.NUMBER_CHANGED
    calls.pass_by(minutes=1)
    assert in_vain(calls) == SECOND
    duty(calls)
    calls.pass_by(minutes=1)
    assert calls.plan() == []
    assert (task_of(calls).state, task_of(calls).why) == (TaskState.PERSON, Why.NO_NUMBER)


def test_a_call_that_got_lost_is_a_persons(calls):
    duty(calls, FIRST, SECOND)
    reported(calls)
    calls.sync()
    (attempt,) = calls.dial()
    with transaction() as session:
        lose(session, attempt, calls.at)
    assert (task_of(calls).state, task_of(calls).why) == (TaskState.PERSON, Why.UNKNOWN)
    assert calls.plan() == []


def test_the_trouble_of_the_trunk_uses_up_no_number(calls):
    duty(calls, FIRST)
    reported(calls)
    calls.sync()
    for _ in range(3):
        assert in_vain(calls, 38) == FIRST
        calls.pass_by(minutes=1)
    assert task_of(calls).state == TaskState.WAITING


def test_each_number_has_its_turns_whatever_the_trunk_does_between(calls):
    duty(calls, FIRST, SECOND)
    reported(calls)
    calls.sync()
    called = []
    for cause in (38, 19, 38, 19, 19, 19):
        called.append(in_vain(calls, cause))
        calls.pass_by(minutes=1)
    assert called == [FIRST, FIRST, SECOND, SECOND, FIRST, SECOND]
    assert task_of(calls).state == TaskState.PERSON


# ---- acceptance


def test_a_key_that_a_hand_over_does_not_know_means_nothing(calls):
    """Those of the status check are others."""
    duty(calls, FIRST)
    reported(calls)
    calls.sync()
    (attempt,) = calls.dial()
    calls.hear(attempt, Sign.UP)
    with transaction() as session:
        for key in (Key.NOT_ME, Key.PARTLY):
            apply(session, [KeyPressed(attempt, task_of(calls).id, key, calls.at)], AREA_CODE)
    assert calls.attempt(attempt).keys == ""
    press(calls, attempt, HandoverKey.ACCEPT)
    assert (calls.attempt(attempt).keys, task_of(calls).state) == ("1", TaskState.SETTLED)


def test_one_key_accepts_as_an_operator_accepts_on_screen(calls):
    duty(calls, FIRST, SECOND)
    report = reported(calls)
    calls.sync()
    in_vain(calls)
    calls.pass_by(minutes=1)
    (attempt,) = calls.dial()
    calls.hear(attempt, Sign.UP)
    for _ in range(2):  # told twice
        press(calls, attempt, HandoverKey.ACCEPT)
    calls.hear(attempt, Sign.GONE, 16)
    task = task_of(calls)
    assert (task.state, task.why, task.report.state) == (TaskState.SETTLED, Why.ACCEPTED, ReportState.IN_PROGRESS)
    assert history(calls, report) == [
        (ReportEvent.ACCEPTED, "Прийнято телефоном: черговий номер 2, КП «Міськсвітло»", None)
    ]
    part = calls.session.scalars(select(Execution)).one()
    kinds = select(Deadline.kind).where(Deadline.met_at.is_not(None))
    assert (part.accepted_at, calls.session.scalars(kinds).all()) == (calls.at, [DeadlineKind.ACCEPT])
    assert calls.sync() == 0
    assert (calls.attempt(attempt).outcome, calls.attempt(attempt).keys) == (Outcome.ANSWERED, "1")


def test_a_number_that_is_none_of_theirs_any_more_hears_and_accepts_nothing(calls):
    """The list was corrected while it rang: the next number is called."""
    duty(calls, FIRST)
    reported(calls)
    calls.sync()
    (attempt,) = calls.dial()
    duty(calls, SECOND)
    calls.hear(attempt, Sign.UP)
    with transaction() as session:
        assert hand_over_of(session, attempt, AREA_CODE).emergency is None
        answer_by_key(session, attempt, task_of(calls).id, HandoverKey.ACCEPT, calls.at)
    calls.hear(attempt, Sign.GONE, 16)
    assert (task_of(calls).state, task_of(calls).report.state) == (TaskState.WAITING, ReportState.NEW)
    calls.pass_by(minutes=1)
    assert [calls.attempt(one).number for one in calls.dial()] == [SECOND]


def test_two_accept_at_once_and_it_is_accepted_once(calls):
    """The operator on screen while the duty listens: the first counts."""
    duty(calls, FIRST)
    report, user = reported(calls), operator_of(calls)
    calls.sync()
    (attempt,) = calls.dial()
    calls.hear(attempt, Sign.UP)
    with transaction() as session:
        work.accept(session, session.get_one(Report, report), session.merge(user), calls.at)
    calls.pass_by(seconds=1)
    press(calls, attempt, HandoverKey.ACCEPT)
    calls.hear(attempt, Sign.GONE, 16)
    calls.sync()
    assert [(event, user_id) for event, _note, user_id in history(calls, report)] == [(ReportEvent.ACCEPTED, user.id)]
    assert (task_of(calls).state, task_of(calls).why) == (TaskState.SETTLED, Why.ACCEPTED)


def test_a_key_for_a_report_that_was_closed_meanwhile_changes_nothing(calls):
    duty(calls, FIRST)
    report = reported(calls)
    calls.sync()
    (attempt,) = calls.dial()
    with transaction() as session:
        session.get_one(Report, report).state = ReportState.CLOSED
    press(calls, attempt, HandoverKey.ACCEPT)
    calls.sync()
    assert (task_of(calls).why, history(calls, report)) == (Why.REPORT_MOVED, [])


def test_of_several_executors_each_accepts_its_own_part(calls):
    """W15."""
    duty(calls, FIRST)
    report = reported(calls)
    with transaction() as session:
        other = Organisation(name="КП «Водоканал»", duty_numbers=[SECOND])
        session.add(other)
        session.flush()
        work.add_executor(session, session.get_one(Report, report), session.get_one(User, calls.chief), other, calls.at)
    calls.sync()
    first, second = calls.tasks(Purpose.HAND_OVER)
    for attempt, task in zip(calls.dial(), (first, second), strict=True):
        with transaction() as session:
            answer_by_key(session, attempt, task.id, Key.DONE, calls.at)
    events = [event for event, _note, _user in history(calls, report)]
    assert events[-2:] == [ReportEvent.ACCEPTED, HistoryEvent.PART_ACCEPTED]
    assert calls.session.scalar(select(func.count(Execution.id)).where(Execution.accepted_at.is_(None))) == 0


def test_who_wants_a_person_leaves_the_rest_to_a_person(calls):
    duty(calls, FIRST, SECOND)
    reported(calls)
    calls.sync()
    (attempt,) = calls.dial()
    press(calls, attempt, HandoverKey.PERSON)
    calls.hear(attempt, Sign.GONE, 16)
    task = task_of(calls)
    assert (task.state, task.why, task.report.state) == (TaskState.PERSON, Why.ASKED_FOR_PERSON, ReportState.NEW)


# ---- what is read


def test_the_applicants_name_and_number_are_not_read(calls):
    duty(calls, FIRST)
    reported(
        calls, text="Тече вода, дзвоніть 0671234567, Олена Коваль зустріне", applicant_name="Олена Коваль",
        building="12А", flat="7", landmark="біля дому 050 111 22 33",
    )  # fmt: skip
    calls.sync()
    (attempt,) = calls.dial()
    told = hand_over_of(calls.session, attempt, AREA_CODE)
    assert told.emergency.text == "Тече вода, дзвоніть , зустріне"
    assert (told.emergency.building, told.emergency.flat, told.emergency.landmark) == ("12А", "7", "біля дому")
    said = " ".join(sentence.text for prompt in prompts_of(told, "Ромни") for sentence in prompt)
    assert "Освітлення" in said
    assert "вода" in said
    assert "Олена" not in said
    assert "натисніть один" in said


def test_nothing_is_read_once_it_is_accepted(calls):
    duty(calls, FIRST)
    report, user = reported(calls), operator_of(calls)
    calls.sync()
    (attempt,) = calls.dial()
    with transaction() as session:
        work.accept(session, session.get_one(Report, report), session.merge(user), calls.at)
    assert hand_over_of(calls.session, attempt, AREA_CODE).emergency is None


def test_the_duty_keeps_its_number_when_the_applicant_is_forgotten(calls):
    """A3: it is no citizen's."""
    duty(calls, FIRST)
    report = reported(calls)
    calls.sync()
    in_vain(calls)
    with transaction() as session, unlocked(session):
        anonymise_report(session, session.get_one(Report, report), None, "term", texts=False, at=calls.at)
    assert calls.session.scalars(select(Attempt.number)).all() == [FIRST]


# ---- W4: warn the operator


def late(calls: Calls, *numbers: str) -> int:
    """A report that has been new for too long."""
    duty(calls, *numbers)
    report = reported(calls, emergency=False)
    calls.sync()
    assert calls.tasks(Purpose.WARN_OPERATOR) == []
    calls.pass_by(days=5)
    calls.sync()
    return report


def test_what_is_new_for_too_long_is_a_task_for_a_person(calls):
    """W4: a rule makes it; the machine warns nobody."""
    report = late(calls, FIRST, SECOND)
    task = task_of(calls, Purpose.WARN_OPERATOR)
    assert (task.report_id, task.organisation_id, task.number) == (report, calls.executor, FIRST)
    assert task.state == TaskState.WAITING
    assert calls.sync() == 0
    assert calls.plan() == []


def test_without_a_number_the_task_says_so(calls):
    late(calls)
    task = task_of(calls, Purpose.WARN_OPERATOR)
    assert (task.state, task.why) == (TaskState.PERSON, Why.NO_NUMBER)


@pytest.mark.parametrize(
    ("ends", "state", "why"),
    [
        ("warned", TaskState.SETTLED, Why.WARNED),
        ("accepted", TaskState.SETTLED, Why.ACCEPTED),
        ("closed", TaskState.CANCELLED, Why.REPORT_MOVED),
    ],
)
def test_the_warning_that_is_recorded_ends_the_task(ends, state, why, calls):
    report_id, user = late(calls, FIRST), operator_of(calls)
    with transaction() as session:
        report = session.get_one(Report, report_id)
        if ends == "warned":
            work.warn(session, report, session.get_one(User, calls.chief), "", calls.at)
        elif ends == "accepted":
            work.accept(session, report, session.merge(user), calls.at)
        else:
            report.state = ReportState.CLOSED
            for deadline in session.scalars(select(Deadline)):
                deadline.cancelled_at = calls.at
    calls.sync()
    task = task_of(calls, Purpose.WARN_OPERATOR)
    assert (task.state, task.why) == (state, why)
    assert to_warn(calls.session, calls.at).count == 0
    assert calls.sync() == 0


def own_call(calls: Calls, end: End = End.THEIRS) -> str:
    """The administrator calls in vain, the duty busy or their own phone not lifted: the number that was to ring."""
    with transaction() as session:
        task = session.get_one(CallTask, task_of(calls, Purpose.WARN_OPERATOR).id)
        aim_own_call(session, task)
        attempt = plan_own_call(session, calls.dialler, task, session.get_one(User, calls.chief), calls.at)
        attempt_id = attempt.id
    assert calls.claim(attempt_id) is None
    calls.hear(attempt_id, Sign.GONE, 17, end=end)
    return calls.attempt(attempt_id).number


def test_a_click_calls_the_first_number_and_then_the_next(calls):
    late(calls, FIRST, SECOND)
    with transaction() as session:
        session.add(Phone(name="desk", extension="201", secret="x", user_id=calls.chief))
    assert [own_call(calls) for _ in range(3)] == [FIRST, SECOND, FIRST]
    with transaction() as session:
        task = session.get_one(CallTask, task_of(calls, Purpose.WARN_OPERATOR).id)
        duty_calls.not_reached(session, task, session.get_one(User, calls.chief), calls.at)
    task = task_of(calls, Purpose.WARN_OPERATOR)
    last = calls.session.scalars(select(CallTaskEvent).order_by(CallTaskEvent.id.desc())).first()
    assert (task.state, last.event, last.why, last.user_id) == (
        TaskState.WAITING, TaskEvent.TRIED, Why.NOT_REACHED, calls.chief,
    )  # fmt: skip
    assert all(one.state == AttemptState.SETTLED for one in calls.session.scalars(select(Attempt)))


def test_a_phone_of_ours_that_was_not_lifted_passes_over_no_number(calls):
    late(calls, FIRST, SECOND)
    assert [own_call(calls, End.OURS) for _ in range(2)] == [FIRST, FIRST]


def test_after_it_is_accepted_nobody_is_called(calls):
    report, user = late(calls, FIRST), operator_of(calls)
    with transaction() as session:
        work.accept(session, session.get_one(Report, report), session.merge(user), calls.at)
    with transaction() as session:
        task = session.get_one(CallTask, task_of(calls, Purpose.WARN_OPERATOR).id)
        with pytest.raises(Refused) as refused:
            plan_own_call(session, calls.dialler, task, session.get_one(User, calls.chief), calls.at + timedelta(1))
    assert refused.value.why == Refusal.TASK_OVER


def test_the_rules_hold_on_postgresql_too(postgres_settings):
    app = bare_app(postgres_settings)
    with app.app_context():
        calls = Calls(db.session(), Lines(capacity=3, reserved=1))
        duty(calls, FIRST, SECOND)
        reported(calls)
        calls.sync()
        in_vain(calls)
        calls.pass_by(minutes=1)
        (attempt,) = calls.dial()
        press(calls, attempt, HandoverKey.ACCEPT)
        assert (task_of(calls).why, task_of(calls).report.state) == (Why.ACCEPTED, ReportState.IN_PROGRESS)
        reported(calls, emergency=False)
        calls.pass_by(days=5)
        calls.sync()
        assert task_of(calls, Purpose.WARN_OPERATOR).number == FIRST
        assert calls.sync() == 0
        db.session.remove()
        db.engine.dispose()
