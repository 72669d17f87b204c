"""Summaries: every report of the period once, by Kyiv's midnight, as the journal counts (S 3.3, W13)."""

from datetime import date, timedelta

import pytest
from sqlalchemy.orm import Session

from jobs.app import bare_app
from models import work
from models.base import db
from models.deadlines import DeadlineKind
from models.journal import JournalFilter, find_reports
from models.periods import Period, Quarter
from models.places import Street
from models.reports import REGISTERED_STATES, ReportEvent, ReportState, Source
from models.summary import STREETS, Kept, summarise
from tests.desk_fixtures import fill_desks
from tests.helpers import close_database, record_call
from tests.summary_fixtures import (
    LIGHT,
    RUBBISH,
    WATER,
    consulted,
    done,
    kyiv,
    operator_for,
    reported,
    user_of,
)

QUARTER = Quarter(2026, 3)
AT = kyiv("2026-10-01 08:00")


@pytest.fixture(params=["settings", "postgres_settings"])
def town(request):
    """A town with people, on SQLite and on PostgreSQL: its session."""
    app = bare_app(request.getfixturevalue(request.param))
    with app.app_context():
        fill_desks()
        yield db.session()
        db.session.remove()
    close_database(app)


def fill(session: Session) -> None:
    """Reports on both sides of the quarter's border, in every way a report can stand at its end."""
    reported(session, kyiv("2026-06-30 23:59"))  # before the quarter
    first = reported(session, kyiv("2026-07-01 00:00"))  # its first minute; a Wednesday
    done(session, first, kyiv("2026-07-03 12:00"))  # two working days later, in time
    late = reported(session, kyiv("2026-07-06 10:00"), WATER, "Соборна", "53275")
    done(session, late, kyiv("2026-07-20 12:00"))  # ten working days later, of two
    work.confirm(session, late, user_of(session, "dyspetcher"), at=kyiv("2026-07-21 12:00"))
    again = reported(session, kyiv("2026-08-03 09:30"), RUBBISH, source=Source.ONLINE, line_id=None)
    done(session, again, kyiv("2026-08-04 12:00"))
    work.refute(session, again, user_of(session, "dyspetcher"), "Сміття лежить", kyiv("2026-08-05 12:00"))
    done(session, again, kyiv("2026-08-06 12:00"))  # in time again
    work.close(session, again, user_of(session, "tsapkova"), "Не відповідає", kyiv("2026-08-07 12:00"))
    unsolved = reported(session, kyiv("2026-08-10 11:00"), LIGHT, "Соборна")
    work.accept(session, unsolved, operator_for(session, unsolved), kyiv("2026-08-10 12:00"))
    work.give_reasons(session, unsolved, operator_for(session, unsolved), "Коштів немає", kyiv("2026-08-11 12:00"))
    work.close_unsolved(session, unsolved, user_of(session, "kontrol"), "Так", kyiv("2026-08-12 12:00"))
    reported(session, kyiv("2026-09-01 08:00"), repeat_of_id=first.id)  # overdue
    reported(session, kyiv("2026-09-30 23:59"), WATER)  # the last minute, within its term
    reported(session, kyiv("2026-10-01 00:00"))  # after the quarter
    consulted(session, kyiv("2026-09-30 23:58"))
    consulted(session, kyiv("2026-10-01 00:01"))
    session.commit()


def journal_count(session: Session, period: Period, **more) -> int:
    wanted = JournalFilter(date_from=period.first, date_to=period.last, **more)
    return len(find_reports(session, wanted, limit=1000).rows)


def test_every_report_of_the_quarter_stands_in_one_way(town):
    """R 4.6: the parts add up to what was received, which is what the journal lists."""
    fill(town)
    found = summarise(town, QUARTER.period, AT)
    total = found.total
    assert (total.received, total.in_time, total.late, total.unsolved, total.at_work) == (6, 2, 1, 1, 2)
    assert (total.overdue, total.repeated) == (1, 1)
    assert total.received == journal_count(town, QUARTER.period)
    for parts in (found.by_executor, found.by_category):
        assert sum(part.standing.received for part in parts) == total.received
    for counts in (found.by_hour, found.by_weekday, found.by_source.values(), found.by_state.values()):
        assert sum(counts) == total.received
    for parts in (found.by_line, found.by_street):
        assert sum(part.count for part in parts) == total.received


def test_each_part_is_what_the_journal_lists_under_it(town):
    """W13: a click on a figure shows so many reports."""
    fill(town)
    found = summarise(town, QUARTER.period, AT)
    for part in found.by_category:
        assert part.standing.received == journal_count(town, QUARTER.period, category_id=part.id)
    for part in found.by_line:
        if part.id is not None:
            assert part.count == journal_count(town, QUARTER.period, line_id=part.id)
    for state in REGISTERED_STATES:
        assert found.by_state.get(state, 0) == journal_count(town, QUARTER.period, state=state)
    for state, count in found.endings.items():
        assert count == journal_count(town, QUARTER.period, state=state)
    assert found.endings[ReportState.CONSULTATION] == 1


def test_hours_and_weekdays_are_kyivs(town):
    fill(town)
    found = summarise(town, QUARTER.period, AT)
    assert {hour: count for hour, count in enumerate(found.by_hour) if count} == {0: 1, 8: 1, 9: 1, 10: 1, 11: 1, 23: 1}
    assert found.by_weekday == [3, 1, 2, 0, 0, 0, 0]
    day = summarise(town, Period(date(2026, 10, 1), date(2026, 10, 1)), AT)
    assert (day.total.received, day.by_hour[0]) == (1, 1)


def test_what_the_applicants_said_and_how_deadlines_were_kept(town):
    """W8, W9"""
    fill(town)
    found = summarise(town, QUARTER.period, AT)
    assert found.outcomes == {
        ReportEvent.CONFIRMED: 1,
        ReportEvent.REFUTED: 1,
        ReportEvent.CLOSED: 1,
        ReportEvent.CLOSED_UNSOLVED: 1,
    }
    # four terms of work were met (one report had two), one of them late; one is overdue, one runs, one was cancelled
    assert found.deadlines[DeadlineKind.WORK] == Kept(kept=3, broken=2, running=1)
    assert found.deadlines[DeadlineKind.ACCEPT] == Kept(kept=4, broken=1, running=1)
    assert found.average_days == pytest.approx((2 + 10 + 3) / 3)


def test_of_one_organisation_only_what_it_leads(town):
    """Of the control body's organisations; the centre's own calls are not theirs."""
    fill(town)
    found = summarise(town, QUARTER.period, AT, {1})
    assert [(part.name, part.standing.received) for part in found.by_executor] == [("КП «Міськсвітло»", 3)]
    assert (found.total.in_time, found.total.unsolved, found.total.at_work) == (1, 1, 1)
    assert sum(found.deadlines[DeadlineKind.WORK].__dict__.values()) == 2
    assert (found.endings, found.calls) == ({}, 0)
    assert summarise(town, QUARTER.period, AT, set()).total.received == 0


def test_a_period_without_reports(town):
    found = summarise(town, Period(date(2020, 1, 1), date(2020, 12, 31)), AT)
    assert (found.total.received, found.average_days, found.by_street) == (0, None, [])
    assert all(kept == Kept() for kept in found.deadlines.values())


def test_a_pause_is_not_late_and_a_draft_is_not_counted(exchange, session):
    """While the control body thinks nobody is late; a call that nobody registered is no report."""
    report = reported(session, kyiv("2026-07-01 09:00"))
    work.accept(session, report, operator_for(session, report), kyiv("2026-07-01 10:00"))
    work.give_reasons(session, report, operator_for(session, report), "Коштів немає", kyiv("2026-07-02 12:00"))
    record_call(session, at=kyiv("2026-07-02 12:00"))
    total = summarise(session, QUARTER.period, AT).total
    assert (total.received, total.at_work, total.overdue) == (1, 1, 0)


def test_who_was_late_and_was_sent_back_stays_late(exchange, session):
    report = reported(session, kyiv("2026-07-01 09:00"), WATER)
    done(session, report, kyiv("2026-07-10 12:00"))  # of two working days
    work.refute(session, report, user_of(session, "dyspetcher"), "Ні", kyiv("2026-07-11 12:00"))
    total = summarise(session, QUARTER.period, kyiv("2026-07-11 13:00")).total
    assert (total.at_work, total.overdue) == (1, 0)  # the new term runs
    done(session, report, kyiv("2026-07-13 12:00"))
    total = summarise(session, QUARTER.period, AT).total
    assert (total.in_time, total.late) == (0, 1)


def test_the_most_frequent_streets_are_named_and_the_others_counted(exchange, session):
    begun = kyiv("2026-07-01 09:00")
    for place in range(STREETS + 3):
        session.add(Street(name=f"Нова {place:02d}"))
        session.flush()
        for count in range(2 if place < STREETS else 1):
            reported(session, begun + timedelta(minutes=place * 10 + count), street=f"Нова {place:02d}")
    found = summarise(session, QUARTER.period, AT)
    assert len(found.by_street) == STREETS
    assert found.other_streets == 3
    assert sum(part.count for part in found.by_street) + found.other_streets == found.total.received
