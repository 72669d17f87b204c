"""The quarterly report: prepared once, moved by the table, frozen with its figures (R 4.6, W12)."""

import itertools
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select

from jobs.app import bare_app
from models import quarterly
from models.acts import NotYours
from models.base import db, transaction
from models.machine import IllegalMove
from models.people import Organisation, Role, User
from models.periods import Quarter
from models.quarterly import (
    QUARTERLY_TABLE,
    QuarterlyEvent,
    QuarterlyReport,
    QuarterlyState,
    QuarterlyStep,
    prepare_due,
    reports_for,
    reports_on,
)
from models.quarterly_figures import COUNTS, Figures, count_figures, differences
from models.work import add_executor
from tests.desk_fixtures import fill_desks
from tests.helpers import close_database
from tests.summary_fixtures import WATER, done, kyiv, reported, user_of
from tests.test_models_summary import fill

QUARTER = Quarter(2026, 3)
FIRST = kyiv("2026-10-01 00:05")


@pytest.fixture(params=["settings", "postgres_settings"])
def town(request):
    """The town of the summaries' tests, on SQLite and on PostgreSQL: its session."""
    app = bare_app(request.getfixturevalue(request.param))
    with app.app_context():
        fill_desks()
        fill(db.session())
        yield db.session()
        db.session.remove()
    close_database(app)


def counts(figures: Figures, name: str = "") -> dict[str, int]:
    lines = [figures.total, *figures.organisations, *figures.categories]
    return next(line.counts for line in lines if line.name == name)


def test_the_figures_of_all_and_of_each_control_body(town):
    """The parts add up; the control body's report is of the organisations it controls."""
    every = count_figures(town, QUARTER, None, FIRST)
    assert counts(every) == {
        "received": 6, "in_time": 2, "late": 1, "unsolved": 1, "at_work": 2, "overdue": 1, "repeated": 1,
        "carried_over": 1, "assisting": 0,
    }  # fmt: skip
    for lines in (every.organisations, every.categories):
        for count in COUNTS[:7]:
            assert sum(line.counts[count] for line in lines) == every.total.counts[count]
    own = count_figures(town, QUARTER, user_of(town, "kontrol"), FIRST)
    assert [line.name for line in own.organisations] == ["КП «Міськсвітло»"]
    assert counts(own) == counts(every, "КП «Міськсвітло»")
    assert (own.whose, own.total.counts["received"]) == ("Контрольний К. О.", 3)


def test_figures_are_the_same_after_the_database(town):
    figures = count_figures(town, QUARTER, None, FIRST)
    assert Figures.from_data(figures.as_data()) == figures


def test_who_takes_part_besides_is_counted_apart(exchange, session):
    """W15: a report has one leading executor; the others' part is not counted as another report."""
    report = reported(session, kyiv("2026-08-01 10:00"), WATER)
    light = session.get_one(Organisation, 1)
    add_executor(session, report, user_of(session, "tsapkova"), light, kyiv("2026-08-01 11:00"))
    own = count_figures(session, QUARTER, user_of(session, "kontrol"), FIRST)
    assert (own.total.counts["received"], own.total.counts["assisting"]) == (0, 1)
    assert count_figures(session, QUARTER, None, FIRST).total.counts["received"] == 1


def test_it_is_prepared_once_however_often_and_late_the_job_runs(town):
    """On the first of the month, or whenever the system is up again; never before the quarter is over."""
    assert prepare_due(town, kyiv("2026-09-30 23:59")) == 2  # of the second quarter
    assert reports_on(town, QUARTER) == []
    assert prepare_due(town, FIRST) == 2
    assert [prepare_due(town, FIRST + timedelta(days=days)) for days in (0, 1, 40, 91)] == [0, 0, 0, 0]
    found = reports_on(town, QUARTER)
    assert [report.control_body.login if report.control_body else None for report in found] == [None, "kontrol"]
    assert {report.state for report in found} == {QuarterlyState.PREPARED}
    steps = town.execute(select(QuarterlyStep.event, QuarterlyStep.user_id, QuarterlyStep.to_state)).all()
    assert steps == [("prepared", None, "prepared")] * 4


def test_who_controls_organisations_only_later_gets_a_report_too(town):
    """R 4.6: each member of the control body; the reports that are there stay as they are."""
    assert prepare_due(town, FIRST) == 2
    with transaction() as session:
        late = User(login="kontrol2", name="Нова Н. Н.", password_hash="x", role=Role.CONTROL_BODY)
        late.controls = [session.get_one(Organisation, 2)]
        session.add(late)
    assert [prepare_due(town, FIRST + timedelta(days=3)) for _ in range(2)] == [1, 0]
    found = reports_on(town, QUARTER)
    logins = [report.control_body.login if report.control_body else None for report in found]
    assert logins == [None, "kontrol", "kontrol2"]
    assert (
        found[2].figures.total.counts["received"]
        == counts(found[0].figures, found[2].figures.organisations[0].name)["received"]
    )


def test_two_who_prepare_at_the_same_moment_make_it_once(town):
    """The unique index decides, for the report on all organisations too, which has no control body."""
    figures = count_figures(town, QUARTER, None, FIRST).as_data()
    with transaction() as session:
        made = [quarterly._insert(session, QUARTER, whose, figures, FIRST) for whose in (None, None, 9, 9)]
    assert made == [True, False, True, False]
    assert prepare_due(town, FIRST) == 0


def test_a_control_body_of_before_keeps_its_name_in_the_report(exchange, session):
    prepare_due(session, FIRST)
    with transaction():
        user_of(session, "kontrol").name = "Інша Н. Н."
    assert reports_on(session, QUARTER)[1].figures.whose == "Контрольний К. О."


def moved(
    session, report: QuarterlyReport, *events: QuarterlyEvent, by: str = "tsapkova", at: datetime = FIRST
) -> None:
    user = user_of(session, by)
    acts = {
        QuarterlyEvent.RENEWED: lambda: quarterly.renew(session, report, user, report.figures, at),
        QuarterlyEvent.CHECKED: lambda: quarterly.check(session, report, user, "Так", at),
        QuarterlyEvent.TAKEN_BACK: lambda: quarterly.take_back(session, report, user, at),
        QuarterlyEvent.SENT: lambda: quarterly.send(session, report, user, at),
    }
    for event in events:
        acts[event]()


WAYS = {
    QuarterlyState.PREPARED: (),
    QuarterlyState.CHECKED: (QuarterlyEvent.CHECKED,),
    QuarterlyState.SENT: (QuarterlyEvent.CHECKED, QuarterlyEvent.SENT),
}


def a_report(session, year: int) -> QuarterlyReport:
    report = QuarterlyReport(year=year, number=1, state=QuarterlyState.PREPARED)
    report.data = count_figures(session, Quarter(year, 1), None, FIRST).as_data()
    session.add(report)
    session.flush()
    return report


def test_only_the_moves_of_the_table(exchange, session):
    """Every other is refused and leaves no step; each that is done leaves one, with who did it."""
    events = set(QuarterlyEvent) - {QuarterlyEvent.PREPARED}
    done_moves = set()
    for year, (state, event) in enumerate(itertools.product(QuarterlyState, events), 2001):
        report = a_report(session, year)
        moved(session, report, *WAYS[state])
        before = session.scalar(select(func.count(QuarterlyStep.id)))
        if (state, event) in QUARTERLY_TABLE:
            moved(session, report, event)
            assert report.state == QUARTERLY_TABLE[state, event]
            last = session.scalars(select(QuarterlyStep).order_by(QuarterlyStep.id.desc())).first()
            assert (last.from_state, last.to_state, last.user.login) == (state, report.state, "tsapkova")
            done_moves.add((state, event))
        else:
            with pytest.raises(IllegalMove):
                moved(session, report, event)
            assert session.scalar(select(func.count(QuarterlyStep.id))) == before
            assert report.state == state
    assert done_moves == set(QUARTERLY_TABLE)


def test_only_those_who_keep_the_reports_move_them(exchange, session):
    report = a_report(session, 2001)
    for login in ("dyspetcher", "kontrol", "operator", "kerivnyk", "tekhnik"):
        assert quarterly.possible_moves(report, user_of(session, login)) == []
        with pytest.raises(NotYours):
            moved(session, report, QuarterlyEvent.CHECKED, by=login)


def test_of_two_who_check_at_once_one_is_refused(exchange, session):
    """The second holds the report as it was; the guard in the database decides."""
    report = a_report(session, 2001)
    moved(session, report, QuarterlyEvent.CHECKED)
    report.state = QuarterlyState.PREPARED  # as another process still sees it
    with session.no_autoflush, pytest.raises(IllegalMove):
        moved(session, report, QuarterlyEvent.CHECKED)


def test_sent_it_never_changes_and_the_difference_is_shown(exchange, session):
    """R 4.6: frozen with its figures; counted again, what is another figure today is told line by line."""
    report = reported(session, kyiv("2026-09-29 10:00"))
    session.commit()
    prepare_due(session, FIRST)
    sent = reports_on(session, QUARTER)[0]
    moved(session, sent, QuarterlyEvent.CHECKED, QuarterlyEvent.SENT)
    session.commit()
    frozen = sent.figures
    assert differences(frozen, count_figures(session, QUARTER, None, FIRST)) == []
    done(session, report, kyiv("2026-10-02 12:00"))
    reported(session, kyiv("2026-09-30 12:00"), WATER)
    today = count_figures(session, QUARTER, None, kyiv("2026-10-02 13:00"))
    found = {(one.name, one.count): (one.then, one.now) for one in differences(frozen, today)}
    assert found == {
        ("", "received"): (1, 2),
        ("", "in_time"): (0, 1),
        ("КП «Міськсвітло»", "in_time"): (0, 1),
        ("КП «Міськсвітло»", "at_work"): (1, 0),
        ("КП «Міськводоканал»", "received"): (0, 1),
        ("КП «Міськводоканал»", "at_work"): (0, 1),
        ("Вуличне освітлення", "in_time"): (0, 1),
        ("Вуличне освітлення", "at_work"): (1, 0),
        ("Водопостачання", "received"): (0, 1),
        ("Водопостачання", "at_work"): (0, 1),
    }
    assert reports_on(session, QUARTER)[0].figures == frozen


def test_it_is_late_after_the_fifth(exchange, session):
    prepare_due(session, FIRST)
    report = reports_on(session, QUARTER)[0]
    assert [report.late(kyiv(at)) for at in ("2026-10-05 17:59", "2026-10-05 18:01")] == [False, True]
    moved(session, report, QuarterlyEvent.CHECKED, QuarterlyEvent.SENT, at=kyiv("2026-10-05 17:00"))
    assert not report.late(kyiv("2026-11-01 00:00"))


def test_the_control_body_sees_its_own_once_it_is_sent(exchange, session):
    """Nobody else's, not that on all organisations, and nothing that the administrator has not sent."""
    other = User(login="other", name="Інший", role=Role.CONTROL_BODY, password_hash="-")
    other.controls = [session.get_one(Organisation, WATER)]
    session.add(other)
    session.commit()
    prepare_due(session, FIRST)
    every, *own = reports_on(session, QUARTER)
    mine = next(report for report in own if report.control_body.login == "kontrol")
    kontrol = user_of(session, "kontrol")
    assert list(reports_for(session, kontrol)) == []
    for report in (every, *own):
        moved(session, report, QuarterlyEvent.CHECKED, QuarterlyEvent.SENT)
    assert list(reports_for(session, kontrol)) == [mine]
    assert [quarterly.is_seen_by(report, kontrol) for report in (mine, every, *own)].count(True) == 2
    assert not quarterly.is_seen_by(every, kontrol)
    assert len(reports_for(session, user_of(session, "dyspetcher"))) == 3
    assert [line.name for line in mine.figures.organisations] == ["КП «Міськсвітло»"]
