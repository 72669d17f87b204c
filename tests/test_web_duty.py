"""Calls to the duty on the pages: its numbers, how a hand-over goes, one click to warn an operator (I8, W4)."""

import io
import re
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select, update

from models.attempts import Attempt, AttemptState, End
from models.base import db, now, transaction
from models.calling import Outcome, Rules
from models.calls import Call, CallState
from models.calltasks import CallTask, CallTaskEvent, Purpose, TaskState, Why
from models.deadlines import Deadline, DeadlineKind
from models.dialling import Dialler, claim
from models.leases import Lines
from models.people import Organisation
from models.reference import Subject
from models.reports import HistoryEvent, HistoryRow, Report
from models.settling import AttemptLeg, Sign, note_leg
from models.task_rules import sync_tasks
from models.workdays import WorkCalendar
from tests.desk_fixtures import user_id
from tests.reference_fixtures import PAGE, changes, entry, errors_of, send
from tests.test_web_checks import give_phone
from tests.test_web_work import said
from tests.web_fixtures import logged_in, register, stored_user

CALENDAR = WorkCalendar()
NAME = "КП «Міськсвітло»"


def numbers(web: Flask, name: str = NAME) -> tuple[str, ...]:
    with web.app_context():
        return db.session.scalars(select(Organisation).where(Organisation.name == name)).one().duty_numbers


def set_numbers(web: Flask, *wanted: str) -> None:
    with web.app_context(), transaction() as session:
        session.scalars(select(Organisation).where(Organisation.name == NAME)).one().duty_numbers = wanted


def sync(web: Flask) -> None:
    with web.app_context(), transaction() as session:
        session.execute(update(Call).values(state=CallState.ENDED))
        sync_tasks(session, CALENDAR, now())


def emergency(web: Flask) -> int:
    report = register(web, "Обрив дроту")
    with web.app_context(), transaction() as session:
        session.get_one(Report, report).emergency = True
    sync(web)
    return report


def late(web: Flask) -> int:
    """A report that was new for too long."""
    report = register(web, "Не горить ліхтар")
    with web.app_context(), transaction() as session:
        of_report = (Deadline.report_id == report, Deadline.kind == DeadlineKind.ACCEPT)
        session.execute(update(Deadline).where(*of_report).values(due_at=now() - timedelta(hours=1)))
    sync(web)
    return report


def task_of(web: Flask, purpose: Purpose = Purpose.WARN_OPERATOR) -> CallTask:
    with web.app_context():
        task = db.session.scalars(select(CallTask).where(CallTask.purpose == purpose)).one()
        db.session.expunge_all()
        return task


@pytest.fixture
def woken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The attempts for which the dialler was woken."""
    found: list[int] = []
    monkeypatch.setattr("webui.own_calls.enqueue_dial", lambda _settings, attempt_id: found.append(attempt_id))
    return found


# ---- the numbers


def form(**values: str) -> dict[str, str]:
    return {"name": NAME, "email": "", "active": "on", "duty_numbers": ""} | values


def test_the_numbers_are_kept_in_their_order_with_a_trace(web):
    address = f"/reference/organisations/{entry(web, Organisation, name=NAME).id}"
    browser = logged_in(web, "tsapkova")
    sent = send(browser, address, form(duty_numbers="067 154 00 10, 5-21-10; 067-154-00-10"))
    assert sent.status_code == 302
    assert numbers(web) == ("+380671540010", "+380544852110")
    shown = browser.get(address).text.replace("\u00a0", " ")
    assert 'value="+380 67 154 00 10, 5-21-10"' in shown
    assert send(browser, address, form(duty_numbers="5-21-10, +380 67 154 00 10")).status_code == 302
    assert numbers(web) == ("+380544852110", "+380671540010")
    told = [row for row in changes(web, Subject.ORGANISATION) if row[0] == "duty_numbers"]
    assert told[-1] == ("duty_numbers", "+380671540010, +380544852110", "+380544852110, +380671540010")
    assert "5-21-10, +380 67 154 00 10" in browser.get("/reference/organisations").text.replace("\u00a0", " ")


@pytest.mark.parametrize("wrong", ["0900 123 456", "+48 601 234 567", "112", "ноль шістсот", "5-21-10, 103"])
def test_a_number_that_is_never_dialled_is_refused_in_one_sentence(wrong, web):
    address = f"/reference/organisations/{entry(web, Organisation, name=NAME).id}"
    answer = send(logged_in(web, "tsapkova"), address, form(duty_numbers=wrong))
    assert answer.status_code == 422
    assert "не можна зателефонувати" in errors_of(answer)["duty_numbers"]
    assert f'value="{wrong}"' in answer.text
    assert numbers(web) == ()


def test_of_too_many_numbers_the_last_would_hear_too_late(web):
    address = f"/reference/organisations/{entry(web, Organisation, name=NAME).id}"
    many = ", ".join(f"06715400{place}0" for place in range(6))
    assert (
        "Не більше ніж 5"
        in errors_of(send(logged_in(web, "tsapkova"), address, form(duty_numbers=many)))["duty_numbers"]
    )


def test_the_numbers_come_from_a_file_too(web):
    lines = f"Назва;Телефони чергових\n{NAME};5-21-10, 0671540010\nКП «Нове»;0671540030\nКП «Інше»;0900123456\n"
    browser = logged_in(web, "nachalnyk")
    data = {"csrf_token": browser.token("/me"), "file": (io.BytesIO(lines.encode()), "file.csv")}
    sent = browser.client.post("/reference/organisations/import", data=data, headers=PAGE)
    page = browser.get(sent.location).text.replace("\u00a0", " ")
    assert "телефони чергових: 5-21-10, +380 67 154 00 10" in said(page)
    assert "не можна зателефонувати" in page
    browser.post(sent.location, page="/me", headers=PAGE)
    assert numbers(web) == ("+380544852110", "+380671540010")
    assert numbers(web, "КП «Нове»") == ("+380671540030",)


# ---- the hand-over on the desk


def test_the_strip_says_how_the_hand_over_goes(web):
    """I8: without numbers the desk is told at once; the machine is off."""
    report = emergency(web)
    browser = logged_in(web, "tsapkova")
    for address in ("/", "/desk/emergencies", "/monitoring"):
        assert "немає телефону чергових" in browser.get(address).text
    set_numbers(web, "+380671540010")
    with web.app_context(), transaction() as session:
        session.scalars(select(CallTask)).one().state = TaskState.WAITING
    assert "автодзвінки зупинено" in browser.get("/desk/emergencies").text
    logged_in(web, "nachalnyk").post("/checks/machine", {"on": "yes"}, page="/me")
    assert "щойно звільниться лінія" in browser.get("/desk/emergencies").text
    with web.app_context(), transaction() as session:
        task = session.scalars(select(CallTask)).one()
        task.state, task.why = TaskState.PERSON, Why.TRIES_OVER
    strip = browser.get("/desk/emergencies").text
    assert "не відповідають" in strip
    assert f"/duty/{task_of(web, Purpose.HAND_OVER).id}/call" in strip
    of_dispatcher = logged_in(web, "dyspetcher").get("/desk/emergencies").text
    assert "/duty/" not in of_dispatcher
    assert "+380\u00a067\u00a0154\u00a000\u00a010" in of_dispatcher  # who has no button calls from any telephone
    assert web.test_client().get(f"/reports/{report}").status_code == 302


# ---- W4


def test_a_click_calls_the_duty_and_the_recorded_warning_ends_it(web, woken):
    """W4: own phone first, then the first duty number; the warning stays the record."""
    set_numbers(web, "+380671540010", "+380501540020")
    report = late(web)
    give_phone(web, "nachalnyk")
    browser = logged_in(web, "nachalnyk")
    task = task_of(web)
    page = browser.get("/monitoring").text
    assert f'action="/duty/{task.id}/call"' in page
    assert "540010" not in page
    assert browser.post(f"/duty/{task.id}/call", page="/me").location == "/monitoring"
    (attempt,) = woken
    with web.app_context(), transaction() as session:
        assert session.get_one(Attempt, attempt).number == "+380671540010"
        assert claim(session, Dialler(Rules(), Lines(3, 1), CALENDAR), attempt, now()) is None
    for end, sign, cause in ((End.OURS, Sign.UP, None), (End.THEIRS, Sign.UP, None), (End.THEIRS, Sign.GONE, 16)):
        with web.app_context(), transaction() as session:
            note_leg(session, AttemptLeg(attempt, end, sign, now(), cause), Rules(), CALENDAR)
    shown = browser.get("/monitoring").text.split('id="duty-call"')[1].split("</section>")[0]
    assert "→ КП «Міськсвітло» ✓ відповіли" in said(shown)
    words = re.search(r'name="words" value="([^"]+)"', shown)[1]
    browser.post(f"/reports/{report}/act", {"act": "warn", "words": words}, page="/me")
    sync(web)
    assert (task_of(web).state, task_of(web).why) == (TaskState.SETTLED, Why.WARNED)
    with web.app_context():
        last = db.session.scalars(select(CallTaskEvent).order_by(CallTaskEvent.id.desc())).first()
        assert (last.why, last.user_id) == (Why.WARNED, user_id("nachalnyk"))
        rows = select(HistoryRow.note).where(HistoryRow.event == HistoryEvent.WARNED)
        assert db.session.scalars(rows).all() == ["телефоном"]
    assert 'id="duty-call"' not in browser.get("/monitoring").text


def test_not_reached_is_kept_and_the_next_click_calls_the_next_number(web, woken):
    set_numbers(web, "+380671540010", "+380501540020")
    late(web)
    give_phone(web, "nachalnyk")
    browser, task = logged_in(web, "nachalnyk"), task_of(web)
    browser.post(f"/duty/{task.id}/call", page="/me")
    with web.app_context(), transaction() as session:
        attempt = session.get_one(Attempt, woken[0])
        attempt.state, attempt.outcome = AttemptState.SETTLED, Outcome.BUSY
        attempt.dialled_at = attempt.settled_at = now()
    browser.post(f"/duty/{task.id}/not-reached", page="/me")
    with web.app_context():
        last = db.session.scalars(select(CallTaskEvent).order_by(CallTaskEvent.id.desc())).first()
        assert (last.why, last.user_id) == (Why.NOT_REACHED, user_id("nachalnyk"))
    page = browser.get("/monitoring").text
    assert 'id="duty-call"' not in page
    assert f'action="/duty/{task.id}/call"' in page
    browser.post(f"/duty/{task.id}/call", page="/me")
    with web.app_context():
        assert db.session.get_one(Attempt, woken[1]).number == "+380501540020"


def test_not_reached_is_said_of_ones_own_call_once(web, woken):
    """Not while one's own phone rings, not of a colleague's call, and not a second time without another call."""
    set_numbers(web, "+380671540010")
    late(web)
    give_phone(web, "nachalnyk")
    browser, task = logged_in(web, "nachalnyk"), task_of(web)
    browser.post(f"/duty/{task.id}/call", page="/me")

    def not_reached(login: str) -> int:
        one = browser if login == "nachalnyk" else logged_in(web, login)
        assert one.post(f"/duty/{task.id}/not-reached", page="/me").location == "/monitoring"
        with web.app_context():
            query = select(CallTaskEvent.id).where(CallTaskEvent.why == Why.NOT_REACHED)
            return len(db.session.scalars(query).all())

    assert (not_reached("nachalnyk"), not_reached("tsapkova")) == (0, 0)
    assert "Ваш телефон іще дзвонить" in browser.get("/monitoring").text
    with web.app_context(), transaction() as session:
        attempt = session.get_one(Attempt, woken[0])
        attempt.state, attempt.outcome = AttemptState.SETTLED, Outcome.BUSY
        attempt.dialled_at = attempt.settled_at = now()
    assert not_reached("tsapkova") == 0
    with web.app_context():
        assert task_of(web).held_by_id == user_id("nachalnyk")
    assert (not_reached("nachalnyk"), not_reached("nachalnyk")) == (1, 1)


def test_a_call_at_which_ones_own_phone_was_not_lifted_reached_nobody_and_is_put_away(web, woken):
    set_numbers(web, "+380671540010")
    late(web)
    give_phone(web, "nachalnyk")
    browser, task = logged_in(web, "nachalnyk"), task_of(web)
    browser.post(f"/duty/{task.id}/call", page="/me")
    with web.app_context(), transaction() as session:
        attempt = session.get_one(Attempt, woken[0])
        attempt.state, attempt.outcome = AttemptState.SETTLED, Outcome.OUR_PHONE
        attempt.dialled_at = attempt.settled_at = now()
    browser.post(f"/duty/{task.id}/not-reached", page="/me")
    assert 'id="duty-call"' not in browser.get("/monitoring").text
    with web.app_context():
        assert db.session.scalars(select(CallTaskEvent).where(CallTaskEvent.why == Why.NOT_REACHED)).all() == []


def test_without_a_number_the_list_says_so_and_the_warning_stays(web, woken):
    report = late(web)
    give_phone(web, "nachalnyk")
    browser, task = logged_in(web, "nachalnyk"), task_of(web)
    rows = browser.get("/monitoring").text.split('id="to-warn"')[1].split("</section>")[0]
    assert "немає телефону чергових" in rows
    assert "/duty/" not in rows
    assert 'value="warn"' in rows
    browser.post(f"/duty/{task.id}/call", page="/me")
    assert "немає телефону чергових: впишіть" in browser.get("/monitoring").text
    assert woken == []
    browser.post(f"/reports/{report}/act", {"act": "warn"}, page="/me")
    sync(web)
    assert task_of(web).why == Why.WARNED


def test_a_phone_that_is_not_connected_calls_nobody(web, woken):
    set_numbers(web, "+380671540010")
    late(web)
    give_phone(web, "nachalnyk", state="UNAVAILABLE")
    browser = logged_in(web, "nachalnyk")
    assert "телефон не під’єднано" in browser.get("/monitoring").text
    browser.post(f"/duty/{task_of(web).id}/call", page="/me")
    assert "не під’єднано: зателефонуйте" in browser.get("/monitoring").text
    assert woken == []


def test_a_call_that_is_refused_leaves_them_where_they_are(web, woken):
    """In the middle of a citizen's call the draft stays on the screen."""
    set_numbers(web, "+380671540010")
    emergency(web)
    give_phone(web, "nachalnyk", state="UNAVAILABLE")
    browser, task = logged_in(web, "nachalnyk"), task_of(web, Purpose.HAND_OVER)
    assert '<input type="hidden" name="back" value="/">' in browser.get("/desk/emergencies").text
    for back, led in (("/", "/"), ("/checks", "/checks"), ("//evil.example", "/monitoring"), ("", "/monitoring")):
        assert browser.post(f"/duty/{task.id}/call", {"back": back}, page="/me").location == led
    assert woken == []


def test_what_the_duty_says_on_the_telephone_accepts_the_emergency_once(web):
    """I8: whoever of the centre was told records it, and it stands in the history with their name."""
    report = emergency(web)
    task, keeper = task_of(web, Purpose.HAND_OVER), logged_in(web, "tsapkova")
    assert f"/duty/{task.id}/accepted" in keeper.get("/desk/emergencies").text
    keeper.post(f"/duty/{task.id}/accepted", {"back": "/", "who": "  "}, page="/me")
    assert "Нічого не записано: напишіть ім’я" in keeper.get("/me").text
    with web.app_context():
        assert db.session.get_one(Report, report).state == "new"  # one click alone accepts nothing
    answer = keeper.post(f"/duty/{task.id}/accepted", {"back": "/", "who": "Петренко\n І. І."}, page="/me")
    assert answer.location == "/"
    assert f"{NAME}, аварію прийнято телефоном" in keeper.get("/me").text
    with web.app_context():
        kept = db.session.get_one(Report, report)
        row = db.session.scalars(select(HistoryRow).order_by(HistoryRow.id.desc())).first()
        assert (kept.state, row.event, row.user.login) == ("in_progress", "accepted", "tsapkova")
        assert row.note == f"Прийнято телефоном зі слів чергового, {NAME}: Петренко І. І."
        settled = db.session.get_one(CallTask, task.id)
        assert (settled.state, settled.why, settled.held_by_id) == (TaskState.SETTLED, Why.ACCEPTED, None)
    keeper.post(f"/duty/{task.id}/accepted", {"who": "Петренко"}, page="/me")
    assert "нічого не записано" in keeper.get("/me").text
    assert number_in(keeper.get("/desk/emergencies").text) == []


def number_in(page: str) -> list[str]:
    return re.findall(r"№\W*(\d{4}-\d{4})", page)


def test_who_spoke_with_the_duty_stands_in_the_strip(web, woken):
    """A colleague does not ring them up once more."""
    set_numbers(web, "+380671234599")
    give_phone(web, "nachalnyk")
    emergency(web)
    task, keeper = task_of(web, Purpose.HAND_OVER), logged_in(web, "nachalnyk")
    keeper.post(f"/duty/{task.id}/call", page="/me")
    with web.app_context(), transaction() as session:
        attempt = session.get_one(Attempt, woken[0])
        attempt.state, attempt.dialled_at, attempt.answered_at = AttemptState.TALKING, now(), now()
    page = logged_in(web, "sorokina").get("/desk/emergencies").text
    assert f"З черговим говорили ({stored_user(web, 'nachalnyk').name}):" in page
