"""The working calendar's page: the city's days, the end of martial law, and the deadlines that they move (W14, A2)."""

from datetime import UTC, date, datetime, timedelta

import pytest
from flask import Flask

from models.base import db, now, transaction
from models.deadlines import Deadline, DeadlineKind, DeadlineStep, StepKind, move_due
from models.free_days import DayException, load_calendar
from models.people import User
from models.recount import find_shifts
from models.reference import Subject
from models.reports import Report
from models.workdays import KYIV, WorkCalendar
from tests.reference_fixtures import PAGE, changes, entry, errors_of, send
from tests.web_fixtures import logged_in, register, stored_user

CALENDAR = "/reference/calendar"


def deadlines(web: Flask, report_id: int) -> dict[str, date]:
    """The day of each deadline, in Kyiv."""
    with web.app_context():
        found = db.session.scalars(db.select(Deadline).where(Deadline.report_id == report_id))
        return {str(row.kind): row.due_at.astimezone(KYIV).date() for row in found}


def test_an_end_of_martial_law_that_is_taken_back_where_none_stands_changes_nothing(web: Flask):
    answer = send(logged_in(web, "tsapkova"), CALENDAR, {"what": "martial_law", "last": "", "known": ""})
    assert answer.status_code in (200, 302)


def working_day(after: date) -> date:
    day = after + timedelta(days=1)
    while day.weekday() >= 5:
        day += timedelta(days=1)
    return day


def day_form(day: date, worked: str, **values: str) -> dict[str, str]:
    return {"what": "day", "day": day.isoformat(), "worked": worked, "note": "День міста"} | values


def test_a_day_off_moves_open_deadlines_only_when_told_so(web):
    """W14: first it is shown what would move; saved for new reports, the old deadlines stay."""
    report = register(web, "Не горить ліхтар")
    before = deadlines(web, report)
    off = before["inform_head"]
    browser = logged_in(web, "nachalnyk")
    shown = send(browser, f"{CALENDAR}/look", day_form(off, "no"))
    assert shown.status_code == 200
    assert entry(web, Report, id=report).number in shown.text
    assert deadlines(web, report) == before
    assert entry(web, DayException, day=off) is None
    assert send(browser, CALENDAR, day_form(off, "no")).status_code == 302
    assert deadlines(web, report) == before
    assert changes(web, Subject.CALENDAR) == [("worked", "", "no"), ("note", "", "День міста")]
    later = register(web, "Темно на зупинці", number="0501112233")
    assert deadlines(web, later)["inform_head"] == working_day(off)


def test_one_click_moves_them_each_with_its_step(web):
    report = register(web, "Не горить ліхтар")
    before = deadlines(web, report)
    off = before["inform_head"]
    browser = logged_in(web, "tsapkova")
    assert send(browser, CALENDAR, day_form(off, "no", move="yes")).status_code == 302
    moved = deadlines(web, report)
    for kind in ("inform_head", "accept", "work"):
        assert moved[kind] == working_day(before[kind]), kind
    assert moved["reasons"] == before["reasons"]  # thirty days in a row, and their last day is worked as before
    with web.app_context():
        steps = db.session.scalars(db.select(DeadlineStep)).all()
        assert {step.kind for step in steps} == {StepKind.RECOUNTED}
        assert {step.user_id for step in steps} == {stored_user(web, "tsapkova").id}
        assert all("вихідний" in step.note for step in steps)
        work = db.session.scalars(db.select(Deadline).where(Deadline.kind == DeadlineKind.WORK)).one()
        assert db.session.get_one(Report, report).due_at == work.due_at
    assert "перераховано за календарем" in browser.get(f"/reports/{report}").text
    back = {"what": "day", "day": off.isoformat(), "worked": "remove", "move": "yes"}
    assert send(browser, CALENDAR, back).status_code == 302
    assert deadlines(web, report) == before


def test_what_the_control_body_decided_stays(web):
    """R 4.4: a day that a person set is no count of days."""
    report = register(web, "Провалився асфальт")
    decided = datetime.combine(now().astimezone(KYIV).date() + timedelta(days=28), datetime.min.time(), KYIV)
    with web.app_context(), transaction() as session:
        user = session.scalars(db.select(User).where(User.login == "kontrol")).one()
        move_due(session, session.get_one(Report, report), DeadlineKind.WORK, decided, user, "Виконати", now())
    off = deadlines(web, report)["inform_head"]
    send(logged_in(web, "tsapkova"), CALENDAR, day_form(off, "no", move="yes"))
    assert deadlines(web, report)["work"] == decided.date()
    assert deadlines(web, report)["inform_head"] == working_day(off)


def test_martial_law_that_ends_in_the_middle_of_a_term(web):
    """W14: the holidays after its last day are free again, and only the deadlines behind them move."""
    report = register(web, "Не горить ліхтар")
    began = datetime(2026, 12, 22, 9, tzinfo=KYIV)
    with web.app_context(), transaction() as session:
        for row in session.scalars(db.select(Deadline).where(Deadline.report_id == report)):
            row.began_at = began
            days = {"inform_head": 1, "accept": 2, "work": 10}.get(row.kind)
            calendar = load_calendar(session)
            row.due_at = calendar.end_of_working_days(began, days) if days else calendar.end_of_days(began, 30)
    before = deadlines(web, report)
    assert before["work"] == date(2027, 1, 5)
    with web.app_context():
        known, last = load_calendar(db.session()), WorkCalendar(date(2026, 12, 26))
        shifts = find_shifts(db.session(), known, last, date(2026, 12, 26), began.astimezone(UTC))
        found = {shift.deadline.kind: shift.due_at.astimezone(KYIV).date() for shift in shifts}
        assert found == {"work": date(2027, 1, 6)}  # New Year's Day; Christmas was worked, the war was not over
        earlier = WorkCalendar(date(2026, 12, 24))
        shifts = find_shifts(db.session(), known, earlier, date(2026, 12, 24), began.astimezone(UTC))
        found = {shift.deadline.kind: shift.due_at.astimezone(KYIV).date() for shift in shifts}
        assert found == {"work": date(2027, 1, 7)}  # Christmas, too


def test_the_last_day_of_martial_law_is_set_and_forgotten_again(web):
    browser = logged_in(web, "nachalnyk")
    last = (now().astimezone(KYIV).date() + timedelta(days=40)).isoformat()
    form = {"what": "martial_law", "last": last, "known": ""}
    assert send(browser, f"{CALENDAR}/look", form).status_code == 200
    assert send(browser, CALENDAR, form).status_code == 302
    with web.app_context():
        assert load_calendar(db.session()).martial_law_until.isoformat() == last
    assert send(browser, CALENDAR, {"what": "martial_law", "last": "", "known": last}).status_code == 302
    with web.app_context():
        assert load_calendar(db.session()).martial_law_until is None
    assert changes(web, Subject.CALENDAR) == [("martial_law_until", "", last), ("martial_law_until", last, "")]
    assert "→ невідомий" in browser.get("/reference/changes").text


def test_two_who_change_the_calendar_at_once(web):
    """The second is told, and nothing of the first is lost."""
    first, second = logged_in(web, "tsapkova"), logged_in(web, "nachalnyk")
    day = working_day(now().astimezone(KYIV).date())
    last = (day + timedelta(days=60)).isoformat()
    assert send(first, CALENDAR, {"what": "martial_law", "last": last, "known": ""}).status_code == 302
    late = send(second, CALENDAR, {"what": "martial_law", "last": day.isoformat(), "known": ""})
    assert late.status_code == 409
    with web.app_context():
        assert load_calendar(db.session()).martial_law_until.isoformat() == last
    assert send(first, CALENDAR, day_form(day, "no")).status_code == 302
    taken = send(second, CALENDAR, day_form(day, "yes", note="Інше"))
    assert (taken.status_code, list(errors_of(taken))) == (422, ["day"])
    assert 'value="Інше"' in taken.text
    assert entry(web, DayException, day=day).note == "День міста"
    remove = {"what": "day", "day": day.isoformat(), "worked": "remove"}
    assert send(first, CALENDAR, remove).status_code == 302
    assert send(second, CALENDAR, remove).status_code == 409


def test_no_deadline_moves_into_the_past(web):
    """A Saturday that was worked after all: who had until Monday is not late on Monday."""
    report = register(web, "Не горить ліхтар")
    with web.app_context():
        at = datetime(2026, 12, 7, 7, tzinfo=UTC)  # a Monday
        with transaction() as session:
            for row in session.scalars(db.select(Deadline).where(Deadline.report_id == report)):
                row.began_at, row.due_at = at - timedelta(days=3), at.replace(hour=16)
        saturday = WorkCalendar(exceptions={date(2026, 12, 5): True})
        assert find_shifts(db.session(), WorkCalendar(), saturday, date(2026, 12, 5), at) == []


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"what": "day", "day": "", "worked": "no"}, "day"),
        ({"what": "day", "day": "2026-13-01", "worked": "no"}, "day"),
        ({"what": "day", "day": "1999-01-01", "worked": "no"}, "day"),
        ({"what": "day", "day": "9999-12-31", "worked": "no"}, "day"),
        ({"what": "day", "day": "2026-12-01", "worked": "maybe"}, "worked"),
        ({"what": "day", "day": "2026-12-01", "worked": "no", "note": "я" * 161}, "note"),
        ({"what": "martial_law", "last": "завтра", "known": ""}, "last"),
        ({"what": "martial_law", "last": "2020-01-01", "known": ""}, "last"),
        ({"what": "martial_law", "last": "9999-12-31", "known": ""}, "last"),
    ],
)
def test_a_day_that_cannot_be_meant(web, form, field):
    browser = logged_in(web, "tsapkova")
    for address in (CALENDAR, f"{CALENDAR}/look"):
        answer = browser.post(address, form, page="/me", headers=PAGE)
        assert (answer.status_code, list(errors_of(answer))) == (422, [field])
    assert changes(web, Subject.CALENDAR) == []
