"""An answer that was recorded by mistake is taken back: all is as before it, and it counts nowhere (S 3.2, W1, W8)."""

import threading
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from jobs.app import bare_app
from models import work
from models.acts import Act, possible_acts
from models.alerts import Alert, AlertKind, alerts_to_write, keep_told, untold_alerts
from models.base import db, transaction
from models.calltasks import CallTask, Move, TaskEvent, TaskState, Why, move_task
from models.checking import answer, todays_checks
from models.closed import closed_reports
from models.deadlines import Deadline, DeadlineKind
from models.due_alerts import make_alerts
from models.executions import executions_of
from models.journal import JournalFilter
from models.journal_rows import journal_rows
from models.lookup import told_to_caller
from models.monitoring import daily_monitoring, organisation_day
from models.moves import last_event, last_moves
from models.outbox import Letter, letter_accepted, letters_to_send, take_letter, write_letter
from models.own_calls import HELD, Said, Told
from models.people import User
from models.periods import Quarter
from models.quarterly_figures import count_figures
from models.reports import HistoryEvent, HistoryRow, Report, ReportEvent, ReportState, note_history
from models.summary import summarise
from models.taken_back import WITHIN, NotTakenBack, Obstacle, answer_to_take_back, take_back, to_take_back
from tests.desk_fixtures import fill_desks
from tests.helpers import close_database, eventually
from tests.summary_fixtures import LIGHT, done, kyiv, operator_for, reported, user_of
from tests.test_models_summary import town

__all__ = ["town"]  # the fixture: SQLite and PostgreSQL

QUARTER = Quarter(2026, 3)
BEGUN, DONE_AT, ANSWERED = kyiv("2026-07-06 10:00"), kyiv("2026-07-07 12:00"), kyiv("2026-07-08 10:00")
SOON = ANSWERED + timedelta(minutes=2)
COUNTED_AT = kyiv("2026-07-08 18:30")


def refute(session: Session, report: Report, at: datetime = ANSWERED) -> None:
    work.refute(session, report, user_of(session, "dyspetcher"), "Ні", at)


def confirm(session: Session, report: Report, at: datetime = ANSWERED) -> None:
    work.confirm(session, report, user_of(session, "dyspetcher"), "Так", at)


def plan(session: Session, report: Report, day: datetime, at: datetime) -> None:
    """As `work.plan` does; that refuses what is overdue by the clock."""
    (part,) = executions_of(session, report)
    part.planned_at = day
    note_history(session, report, HistoryEvent.PLANNED, operator_for(session, report), at=at)


def planned_and_done(session: Session, closed: bool = False) -> Report:
    report = reported(session, BEGUN)
    work.accept(session, report, operator_for(session, report), BEGUN + timedelta(minutes=9))
    plan(session, report, kyiv("2026-07-08 18:00"), BEGUN + timedelta(hours=1))
    done(session, report, DONE_AT)
    if closed:
        confirm(session, report, DONE_AT + timedelta(hours=1))
    session.commit()
    return report


def last_answer(session: Session, report: Report) -> HistoryRow:
    wanted = HistoryRow.event.in_((ReportEvent.CONFIRMED, ReportEvent.REFUTED))
    rows = select(HistoryRow).where(HistoryRow.report_id == report.id, wanted).order_by(HistoryRow.id.desc())
    return session.scalars(rows).first()


def undo(session: Session, report: Report, at: datetime = SOON, login: str = "dyspetcher") -> CallTask | None:
    return take_back(session, report, last_answer(session, report), user_of(session, login), at)


def picture(session: Session, report: Report) -> dict[str, object]:
    """All that is known and counted of the report, but the rows of the answer and of its taking back."""
    session.flush()
    session.expire_all()
    running = select(Deadline).where(Deadline.report_id == report.id, Deadline.open)
    day = organisation_day(session, report.executor_id)
    former = select(Deadline).where(Deadline.report_id == report.id, Deadline.began_at < ANSWERED)
    figures = count_figures(session, QUARTER, None, COUNTED_AT)
    return {
        "report": (report.state, report.due_at, report.running_due),
        "parts": [
            (part.accepted_at, part.planned_at, part.completed_at, part.done, part.reasons_at)
            for part in executions_of(session, report)
        ],
        "running": session.scalars(running).all(),
        "former": [
            (row.id, row.due_at, row.met_at, row.cancelled_at, row.paused_at)
            for row in session.scalars(former.order_by(Deadline.id))
        ],
        "day": {name: [task.report.id for task in listed.rows] for name, listed in vars(day).items()},
        "monitoring": [row.id for row in daily_monitoring(session, COUNTED_AT).soon.rows],
        "summary": summarise(session, QUARTER.period, COUNTED_AT),
        "quarter": figures,
        "today": todays_checks(session, COUNTED_AT),
        "moved": {key: row.id for key, row in last_moves(session, [report.id]).items()},
        "came by": session.scalar(select(last_event()).where(Report.id == report.id)),
        "closed": [row.id for row in closed_reports(session, report.executor_id, "", COUNTED_AT).rows],
        "told": told_to_caller(session, report.contact_number),
        "acts": possible_acts(session, report, user_of(session, "dyspetcher"), COUNTED_AT),
    }


@pytest.mark.parametrize(("given", "closed"), [(refute, False), (confirm, False), (refute, True)])
def test_all_is_as_it_was_before_the_answer(town, given, closed):
    """Every figure and list, too; the history alone tells of it."""
    report = planned_and_done(town, closed)
    before, rows = picture(town, report), len(report.history)
    given(town, report)
    assert picture(town, report) != before
    undo(town, report)
    town.commit()
    assert picture(town, report) == before
    *_others, said, back = report.history
    assert len(report.history) == rows + 2
    assert (back.takes_back_id, back.user_id, back.at) == (said.id, said.user_id, SOON)
    assert (back.from_state, back.to_state) == (said.to_state, said.from_state)


def test_what_was_refuted_by_mistake_and_is_confirmed_was_done_in_time_and_confirmed_at_once(town):
    """The term that the mistake began is no decision of the control body that ended it."""
    report = planned_and_done(town)
    refute(town, report)
    undo(town, report)
    confirm(town, report, SOON + timedelta(minutes=1))
    town.commit()
    found = summarise(town, QUARTER.period, COUNTED_AT)
    assert (found.total.in_time, found.total.late, found.total.unsolved, found.total.at_work) == (1, 0, 0, 0)
    assert found.average_days == 1
    assert (found.outcomes[ReportEvent.CONFIRMED], found.outcomes[ReportEvent.REFUTED]) == (1, 0)
    (part,) = found.answers
    assert (part.answers.confirmed, part.answers.refuted) == (1, 0)
    assert (found.deadlines[DeadlineKind.WORK].kept, found.deadlines[DeadlineKind.WORK].broken) == (1, 0)
    quarter = count_figures(town, QUARTER, None, COUNTED_AT)
    assert (quarter.outcomes["confirmed"], quarter.outcomes["refuted"]) == (1, 0)


def test_a_second_answer_counts_where_the_first_was_taken_back(town):
    """The same wrong key twice, and one of them meant."""
    report = planned_and_done(town)
    refute(town, report)
    undo(town, report)
    refute(town, report, SOON + timedelta(minutes=1))
    town.commit()
    found = summarise(town, QUARTER.period, COUNTED_AT)
    assert (found.answers[0].answers.refuted, found.answers[0].answers.reopened) == (1, 0)
    assert todays_checks(town, COUNTED_AT).refuted == 1
    assert [task.report.id for task in organisation_day(town, LIGHT).sent_back.rows] == [report.id]
    undo(town, report, SOON + timedelta(minutes=2))
    town.commit()
    assert summarise(town, QUARTER.period, COUNTED_AT).answers[0].answers.refuted == 0
    assert executions_of(town, report)[0].completed_at == DONE_AT


def test_the_day_in_which_it_was_recorded_does_not_matter_for_what_is_counted(town):
    """Recorded before midnight, taken back after it."""
    report = planned_and_done(town)
    refute(town, report, kyiv("2026-07-08 23:58"))
    undo(town, report, kyiv("2026-07-09 00:03"))
    town.commit()
    for day in ("2026-07-08 23:59", "2026-07-09 00:04"):
        found = todays_checks(town, kyiv(day))
        assert (found.confirmed, found.refuted) == (0, 0)


def test_the_journals_file_has_the_moments_of_what_stands(town):
    report = planned_and_done(town)
    confirm(town, report)
    undo(town, report)
    town.commit()
    (row,) = list(journal_rows(town, JournalFilter(), COUNTED_AT, 10))
    assert (row.done_at, row.closed_at) == (DONE_AT, None)


def obstacle_of(session: Session, report: Report, **how: object) -> Obstacle:
    state, rows = report.state, len(report.history)
    with pytest.raises(NotTakenBack) as refused:
        undo(session, report, **how)
    session.expire_all()
    assert (report.state, len(report.history)) == (state, rows)
    return refused.value.why


def test_only_who_recorded_it_within_ten_minutes_and_once(town):
    report = planned_and_done(town)
    refute(town, report)
    town.commit()
    nina, chief = user_of(town, "dyspetcher"), user_of(town, "nachalnyk")
    assert obstacle_of(town, report, login="nachalnyk") == Obstacle.ANOTHER
    assert obstacle_of(town, report, at=ANSWERED + WITHIN + timedelta(seconds=1)) == Obstacle.LATE
    for user, at, found in (
        (chief, SOON, False),
        (nina, ANSWERED + WITHIN + timedelta(seconds=1), False),
        (nina, ANSWERED + WITHIN, True),
    ):
        assert (to_take_back(report.history, user, at) is not None) is found
        assert (answer_to_take_back(town, report.id, user, at) is not None) is found
    undo(town, report, ANSWERED + WITHIN)
    town.commit()
    assert obstacle_of(town, report) == Obstacle.ALREADY
    assert answer_to_take_back(town, report.id, nina, SOON) is None


@pytest.mark.parametrize(
    "since",
    [
        lambda session, report: plan(session, report, kyiv("2026-07-10 18:00"), SOON),
        lambda session, report: work.complete(session, report, operator_for(session, report), "Зроблено", SOON),
        lambda session, report: work.give_reasons(session, report, operator_for(session, report), "Ні", SOON),
    ],
    ids=["planned", "completed", "reasons given"],
)
def test_after_another_act_it_stays(town, since):
    report = planned_and_done(town)
    refute(town, report)
    since(town, report)
    town.commit()
    before = picture(town, report)
    assert obstacle_of(town, report, at=SOON + timedelta(minutes=1)) == Obstacle.ACTED
    assert picture(town, report) == before


def test_a_note_is_no_other_act(town):
    report = planned_and_done(town)
    refute(town, report)
    work.add_note(town, report, user_of(town, "tsapkova"), "Чекаємо", public=False, at=SOON)
    undo(town, report, SOON + timedelta(minutes=1))
    assert report.state == ReportState.DONE


def test_of_two_executors_each_has_its_part_back(town):
    report = reported(town, BEGUN)
    leads = operator_for(town, report)
    work.accept(town, report, leads, BEGUN + timedelta(minutes=9))
    other = report.category.organisation.__class__(name="КП «Друге»")
    town.add(other)
    town.flush()
    helper = leads.__class__(login="second", name="Друга", role=leads.role, password_hash="-", organisation=other)
    town.add(helper)
    work.add_executor(town, report, user_of(town, "tsapkova"), other, BEGUN + timedelta(minutes=10))
    work.accept(town, report, helper, BEGUN + timedelta(minutes=11))
    work.complete(town, report, leads, "Перше", DONE_AT)
    work.complete(town, report, helper, "Друге", DONE_AT + timedelta(hours=1))
    town.commit()
    before = picture(town, report)
    refute(town, report)
    undo(town, report)
    assert picture(town, report) == before
    refute(town, report, SOON)
    work.complete(town, report, helper, "Знову", SOON)  # the report is in progress still
    assert report.state == ReportState.IN_PROGRESS
    assert obstacle_of(town, report, at=SOON + timedelta(minutes=1)) == Obstacle.ACTED


def test_an_answer_by_key_is_the_applicants_own(town):
    report = planned_and_done(town)
    work.refuted_by_telephone(town, report, partly=False, at=ANSWERED)
    town.commit()
    assert answer_to_take_back(town, report.id, user_of(town, "dyspetcher"), SOON) is None
    assert obstacle_of(town, report) == Obstacle.ANOTHER


def test_the_warning_of_a_term_that_was_taken_back_is_not_sent(town):
    report = planned_and_done(town)
    report.category.working_days = 1
    operator_for(town, report).email = "operator@example.test"
    refute(town, report)
    town.flush()
    make_alerts(town, SOON, (AlertKind.WORK_SOON,))
    mine = select(Alert).where(Alert.report_id == report.id)
    assert town.scalars(mine).all()
    undo(town, report)
    letters = alerts_to_write(town, SOON + timedelta(minutes=1))
    assert [alert for alerts in letters.values() for alert in alerts if alert.report_id == report.id] == []
    assert all(alert.moot_at for alert in town.scalars(mine))
    assert make_alerts(town, SOON + timedelta(minutes=2), (AlertKind.WORK_SOON, AlertKind.WORK_LATE)) == 0


def test_a_letter_that_waits_for_the_mail_server_is_written_anew_without_it(town):
    """One that the mail server may have goes on; nothing follows it."""
    report, other = planned_and_done(town), reported(town, ANSWERED - timedelta(days=2))
    report.category.working_days = 1
    operator = operator_for(town, report)
    operator.email = "operator@example.test"
    (term,) = town.scalars(select(Deadline).where(Deadline.report_id == other.id, Deadline.kind == DeadlineKind.WORK))
    term.due_at = ANSWERED + timedelta(hours=5)
    refute(town, report)
    town.flush()

    def written(at: datetime) -> dict[int, Letter]:
        make_alerts(town, at, (AlertKind.WORK_SOON,))
        letters = {}
        for key, alerts in alerts_to_write(town, at).items():
            letter = write_letter(town, key, "На сьогодні", "Строк", at, user_id=operator.id)
            for alert in alerts:
                alert.letter, letters[alert.report_id] = letter, letter
        town.flush()
        return letters

    first = written(SOON)
    assert set(first) == {report.id, other.id}
    undo(town, report, SOON + timedelta(minutes=1))
    assert letters_to_send(town, SOON + timedelta(hours=1)) == []
    again = written(SOON + timedelta(minutes=2))
    assert set(again) == {other.id}
    assert letters_to_send(town, SOON + timedelta(hours=1)) == [again[other.id].id]

    refute(town, report, SOON + timedelta(minutes=3))
    town.flush()
    make_alerts(town, SOON + timedelta(minutes=3), (AlertKind.WORK_SOON,))
    (alert,) = town.scalars(select(Alert).where(Alert.report_id == report.id, Alert.moot_at.is_(None)))
    alert.letter = write_letter(town, "second", "На сьогодні", "Строк", SOON, user_id=operator.id)
    sent = take_letter(town, alert.letter.id, SOON + timedelta(minutes=4))
    undo(town, report, SOON + timedelta(minutes=5))
    letter_accepted(town, sent, SOON + timedelta(minutes=6))
    town.flush()
    for told in untold_alerts(town):
        keep_told(town, told)
    assert alert.told_at == SOON + timedelta(minutes=6)
    assert [
        step for row in town.scalars(select(Deadline).where(Deadline.report_id == report.id)) for step in row.steps
    ] == []


def test_who_acts_at_the_same_moment_goes_first_or_is_refused(postgres_settings):
    """The report's row is locked: the operator's act is there once the answer would be taken back."""
    app = bare_app(postgres_settings)
    found: list[object] = []
    try:
        with app.app_context():
            fill_desks()
            report = planned_and_done(db.session())
            refute(db.session(), report)
            db.session.commit()
            report_id = report.id

        def take_it_back() -> None:
            with app.app_context():
                try:
                    with transaction() as session:
                        undo(session, session.get_one(Report, report_id))
                except NotTakenBack as refused:
                    found.append(refused.why)

        with app.app_context():
            waits = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
            with transaction() as session:
                report = session.get_one(Report, report_id)
                work.complete(session, report, operator_for(session, report), "Доробили", SOON)
                session.flush()
                other = threading.Thread(target=take_it_back)
                other.start()
                eventually(lambda: session.scalar(waits) > 0, "the other waits for the lock")
            other.join(20)
            assert found == [Obstacle.ACTED]
            assert db.session.get_one(Report, report_id, populate_existing=True).state == ReportState.DONE
            assert db.session.scalar(select(func.count()).where(HistoryRow.takes_back_id.is_not(None))) == 0
    finally:
        close_database(app)


# ---- the check


def answered(calls, task: CallTask, said: Said) -> None:
    with transaction() as session:
        task = session.get_one(CallTask, task.id)
        answer(session, calls.dialler, task, session.get_one(User, calls.chief), Told(said, "Ні"), calls.at)


def taken_back(calls, report: Report, minutes: int = 2) -> None:
    calls.at += timedelta(minutes=minutes)
    with transaction() as session:
        report = session.get_one(Report, report.id)
        user = session.get_one(User, calls.chief)
        take_back(session, report, last_answer(session, report), user, calls.at)


@pytest.mark.parametrize("said", [Said.DONE, Said.NOT_DONE, Said.PARTLY])
def test_the_check_is_on_the_same_screen_again_and_no_machine_calls_meanwhile(calls, said):
    report = calls.done()
    calls.sync()
    (task,) = calls.tasks()
    answered(calls, task, said)
    taken_back(calls, report)
    calls.sync()
    (again,) = calls.tasks()
    assert (again.id, again.state, again.open, again.why) == (task.id, TaskState.WAITING, True, None)
    assert (again.held_by_id, again.held_until) == (calls.chief, calls.at + HELD)
    assert calls.plan() == []
    answered(calls, again, Said.DONE)
    (over,) = calls.tasks()
    assert (over.state, over.why, over.report.state) == (TaskState.SETTLED, Why.ANSWERED, ReportState.CLOSED)


def test_a_check_that_was_a_persons_stays_a_persons(calls):
    """They had asked for one: the machine does not ring them, not even when nobody answers for them."""
    report = calls.done()
    calls.sync()
    with transaction() as session:
        task = session.scalars(select(CallTask)).one()
        move_task(session, task, Move(TaskEvent.HANDED, why=Why.ASKED_FOR_PERSON), calls.at)
    answered(calls, task, Said.DONE)
    taken_back(calls, report)
    (again,) = calls.tasks()
    assert (again.state, again.why) == (TaskState.PERSON, Why.ASKED_FOR_PERSON)
    calls.at += HELD + timedelta(minutes=1)
    calls.sync()
    assert calls.plan() == []


@pytest.mark.parametrize("ended", [False, True], ids=["its check still open", "its check ended by the rule"])
def test_an_answer_on_the_reports_page_is_taken_back_with_its_check(calls, ended):
    report = calls.done()
    calls.sync()
    with transaction() as session:
        user = session.get_one(User, calls.chief)
        work.confirm(session, session.get_one(Report, report.id), user, "", calls.at)
    if ended:
        calls.sync()
    taken_back(calls, report)
    calls.sync()
    (again,) = calls.tasks()
    assert (again.state, again.held_by_id) == (TaskState.WAITING, calls.chief)
    assert Act.CONFIRM in possible_acts(calls.session, again.report, calls.session.get_one(User, calls.chief))
