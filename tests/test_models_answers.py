"""What the applicants say of done work, by executor: as it is counted by hand (S 3.2, S 3.3, W8)."""

from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from models import work
from models.answers import Answers, answers_by_executor
from models.calltasks import CallTask, Move, Purpose, TaskEvent, Why, add_task, move_task
from models.reports import Report
from tests.summary_fixtures import LIGHT, RUBBISH, WATER, done, kyiv, reported, user_of
from tests.test_models_summary import QUARTER, town

__all__ = ["town"]  # the fixture: SQLite and PostgreSQL

BEGUN = kyiv("2026-07-06 10:00")


def refuted(session: Session, report: Report, times: int) -> Report:
    """Done and refuted so many times, and done once more."""
    for day in range(times):
        at = BEGUN + timedelta(days=2 * day + 1)
        done(session, report, at)
        work.refute(session, report, user_of(session, "dyspetcher"), "Ні", at + timedelta(hours=2))
    return done(session, report, BEGUN + timedelta(days=2 * times + 1))


def handed(session: Session, report: Report, why: Why) -> CallTask:
    task = add_task(session, Purpose.STATUS_CHECK, BEGUN, BEGUN, report_id=report.id, number="+380671234567")
    move_task(session, task, Move(TaskEvent.HANDED, why=why), BEGUN)
    return task


def confirm(session: Session, report: Report) -> None:
    work.confirm(session, report, user_of(session, "dyspetcher"), at=BEGUN + timedelta(days=20))


def test_the_figures_are_those_of_a_count_by_hand(town: Session):
    """W8: each report once; what was refuted once stays so; unreachable is not confirmed, nor is who was not asked."""
    for days in range(2):  # two confirmed at the first asking
        confirm(town, done(town, reported(town, BEGUN + timedelta(minutes=days), LIGHT), BEGUN + timedelta(days=1)))
    confirm(town, refuted(town, reported(town, BEGUN, LIGHT), 1))
    refuted(town, reported(town, BEGUN, LIGHT), 2)
    for why in (Why.TRIES_OVER, Why.BAD_NUMBER):
        handed(town, done(town, reported(town, BEGUN, WATER), BEGUN + timedelta(days=1)), why)
    reached_later = done(town, reported(town, BEGUN, WATER), BEGUN + timedelta(days=1))
    handed(town, reached_later, Why.TRIES_OVER)
    confirm(town, reached_later)
    asks_for_person = done(town, reported(town, BEGUN, WATER), BEGUN + timedelta(days=1))
    handed(town, asks_for_person, Why.ASKED_FOR_PERSON)
    unasked = done(town, reported(town, BEGUN, WATER), BEGUN + timedelta(days=1))
    work.close(town, unasked, user_of(town, "tsapkova"), "Не відповідає", BEGUN + timedelta(days=9))
    reported(town, BEGUN, RUBBISH)  # never called done
    confirm(town, done(town, reported(town, kyiv("2026-06-30 23:00"), RUBBISH), BEGUN))  # of another quarter
    town.commit()
    found = {part.id: part.answers for part in answers_by_executor(town, QUARTER.period)}
    assert found == {
        LIGHT: Answers(said_done=4, confirmed=2, refuted=2, confirmed_later=1, reopened=1),
        WATER: Answers(said_done=5, confirmed=1, unreachable=2, unasked=2),
    }
    for each in found.values():
        assert each.said_done == each.confirmed + each.refuted + each.unreachable + each.unasked
    assert [part.id for part in answers_by_executor(town, QUARTER.period, {WATER})] == [WATER]
    assert answers_by_executor(town, QUARTER.period, set()) == []


@pytest.mark.parametrize("why", [Why.UNKNOWN, Why.OPTED_OUT])
def test_who_can_still_be_asked_is_not_unreachable(exchange, session, why):
    handed(session, done(session, reported(session, BEGUN), BEGUN + timedelta(days=1)), why)
    (part,) = answers_by_executor(session, QUARTER.period)
    assert part.answers == Answers(said_done=1, unasked=1)
