"""The daily monitoring: what is overdue, due today and soon, whatever the number; by organisation (S 3.3, W9)."""

import random
from collections import Counter
from datetime import datetime, timedelta

import pytest

from jobs.app import bare_app
from models import monitoring
from models.base import db, transaction
from models.deadlines import Deadline, DeadlineKind
from models.monitoring import by_executor, by_report, daily_monitoring, due_terms
from models.people import Organisation
from models.places import Category
from models.reports import Report, ReportState
from models.workdays import KYIV

AT = datetime(2026, 11, 26, 11, 0, tzinfo=KYIV)  # a Thursday
TERMS = {"overdue": (-90, 0), "today": (0, 13 * 60), "soon": (13 * 60, 5 * 24 * 60 - 11 * 60), "later": (8000, 20000)}


@pytest.fixture(params=["settings", "postgres_settings"])
def town(request):
    """Four organisations and 300 deadlines: the session, and (term, organisation, due, report) of each that runs."""
    app = bare_app(request.getfixturevalue(request.param))
    chance, there = random.Random(3), []
    with app.app_context():
        with transaction() as session:
            organisations = [Organisation(name=f"КП {letter}") for letter in "АБВГ"]
            category = Category(name="Ями", organisation=organisations[0], working_days=5)
            session.add_all([category, *organisations])
            session.flush()
            for number in range(100):
                leading, helping = chance.sample(organisations, 2)
                report = Report(number=f"2026-{number:04d}", state=ReportState.IN_PROGRESS, executor_id=leading.id)
                report.category_id, report.registered_at = category.id, AT - timedelta(days=9)
                session.add(report)
                session.flush()
                for own in (None, leading, helping):
                    term = chance.choice(list(TERMS))
                    due = AT + timedelta(minutes=chance.randrange(*TERMS[term]))
                    deadline = Deadline(report_id=report.id, kind=DeadlineKind.WORK, clause="S 2.3", due_at=due)
                    deadline.organisation_id, deadline.began_at = own.id if own else None, AT - timedelta(days=9)
                    stopped = chance.choice([None, None, None, "met_at", "cancelled_at", "paused_at"])
                    if stopped:
                        setattr(deadline, stopped, AT)
                    elif term != "later":
                        there.append((term, (own or leading).name, due, report.id))
                    session.add(deadline)
        yield db.session(), there
        db.session.remove()
        db.engine.dispose()


def test_counts_are_of_all_deadlines_and_lists_hold_the_most_urgent(town, monkeypatch):
    """W9: a list that is cut off says how many more there are; the counts by organisation cut nothing off."""
    session, there = town
    monkeypatch.setattr(monitoring, "SHOWN", 7)
    found = daily_monitoring(session, AT)
    counted = Counter((term, name) for term, name, *_more in there)
    for tally in found.tallies:
        assert tally.overdue == counted["overdue", tally.organisation.name]
        assert tally.today == counted["today", tally.organisation.name]
        assert tally.soon == counted["soon", tally.organisation.name]
    assert [tally.overdue for tally in found.tallies] == sorted((t.overdue for t in found.tallies), reverse=True)
    for term in ("overdue", "today", "soon"):
        due = sorted((due, report) for other, _name, due, report in there if other == term)
        first = {report for _due, report in due[:7]}
        of_term = getattr(found, term)
        assert of_term.count == len(due) > 7
        assert [(row.due_at, row.report_id) for row in of_term.rows] == [row for row in due if row[1] in first]
        assert of_term.more == len(due) - len(of_term.rows)


def test_a_report_is_one_row_with_its_deadlines(town):
    """Emergencies first, then by the deadline that is due first."""
    session, _there = town
    rows = daily_monitoring(session, AT).overdue.rows
    last = rows[-1].report
    last.emergency = True
    reports = by_report(rows)
    assert reports[0][0] is last
    assert len({report for report, _deadlines in reports}) == len(reports) < len(rows)
    assert sorted(row.id for _report, deadlines in reports for row in deadlines) == sorted(row.id for row in rows)
    first = [deadlines[0].due_at for _report, deadlines in reports[1:]]
    assert first == sorted(first)


def test_on_a_telephone_reports_stand_by_executor_none_left_out(town):
    session, _there = town
    rows = daily_monitoring(session, AT).overdue.rows
    groups = by_executor(rows)
    assert [name for name, _reports in groups] == list(
        dict.fromkeys(report.executor for report, _its in by_report(rows))
    )
    assert all(report.executor is name for name, reports in groups for report, _its in reports)
    listed = [report.id for _name, reports in groups for report, _its in reports]
    assert sorted(listed) == sorted(report.id for report, _its in by_report(rows))


def test_a_member_of_the_control_body_sees_the_organisations_controlled(town):
    session, there = town
    wanted = session.scalars(db.select(Organisation).where(Organisation.name.in_(("КП А", "КП В")))).all()
    found = daily_monitoring(session, AT, {one.id for one in wanted})
    assert {tally.organisation.name for tally in found.tallies} == {"КП А", "КП В"}
    mine = [due for term, name, due, _report in there if term == "soon" and name in ("КП А", "КП В")]
    assert [row.due_at for row in found.soon.rows][:5] == sorted(mine)[:5]
    assert found.soon.count == len(mine)


def test_no_deadline_is_no_row(app, session):
    found = daily_monitoring(session, AT)
    assert found.tallies == []
    assert found.overdue.count == found.overdue.more == 0


def test_today_ends_at_midnight_in_kyiv_and_soon_after_the_second_working_day(app, session):
    """A deadline is due at 18:00 of its day, which is inside; the week-end is no working day."""
    terms = due_terms(session, AT)
    assert terms["overdue"] == (None, AT)
    assert terms["today"] == (AT, datetime(2026, 11, 27, tzinfo=KYIV))
    assert terms["soon"] == (datetime(2026, 11, 27, tzinfo=KYIV), datetime(2026, 12, 1, tzinfo=KYIV))
