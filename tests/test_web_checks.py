"""The dispatcher's round: the list by hours left, one click to call, one key for the answer (C2, S 3.2)."""

import json
import re
import time
from datetime import timedelta

import pytest
import redis
from flask import Flask
from sqlalchemy import select, update

from models.acts import Act
from models.attempts import Attempt, AttemptState, AttemptTask, End, NeverByMachine
from models.base import db, now, transaction
from models.calling import Outcome, Rules
from models.calls import Call, CallState
from models.calltasks import CallTask, TaskState, Why
from models.dialling import Dialler, Lines, claim
from models.people import Phone
from models.reports import HistoryRow, Report, ReportState
from models.settling import AttemptLeg, Sign, note_leg
from models.task_rules import sync_tasks
from models.workdays import KYIV, WorkCalendar
from tests.desk_fixtures import user_id
from tests.test_web_work import act
from tests.web_fixtures import Browser, logged_in, register

CALENDAR = WorkCalendar()


def done(web: Flask, text: str = "Не горить ліхтар", number: str = "0671234567") -> int:
    """A report that its executor calls done, with the task to ask its applicant: the task's id."""
    report = register(web, text, number=number)
    act(web, "operator", report, Act.ACCEPT)
    act(web, "operator", report, Act.COMPLETE, words="Замінено")
    with web.app_context(), transaction() as session:
        session.execute(update(Call).values(state=CallState.ENDED))  # who speaks with us now is not called
        sync_tasks(session, CALENDAR, now())
        return session.scalars(select(CallTask.id).where(CallTask.report_id == report)).one()


def task_of(web: Flask, task_id: int) -> CallTask:
    with web.app_context():
        task = db.session.get_one(CallTask, task_id)
        db.session.refresh(task)
        _loaded = task.report.state
        db.session.expunge_all()
        return task


def answer(web: Flask, task_id: int, said: str, login: str = "dyspetcher", **values: str):
    return logged_in(web, login).post(f"/checks/{task_id}/answer", {"said": said, **values}, page="/me")


def give_phone(web: Flask, login: str = "dyspetcher", state: str = "NOT_INUSE") -> None:
    """This person has a desk phone, and the exchange told its state just now."""
    with web.app_context(), transaction() as session:
        session.add(Phone(name="desk9", extension="209", secret="x", user_id=user_id(login)))
    run = web.config["SETTINGS"].run_dir
    run.mkdir(parents=True, exist_ok=True)
    (run / "phones.json").write_text(json.dumps({"at": time.time(), "phones": {"desk9": state}}))


@pytest.fixture
def woken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The attempts for which the dialler was woken."""
    found: list[int] = []
    monkeypatch.setattr("webui.checks.enqueue_dial", lambda _settings, attempt_id: found.append(attempt_id))
    return found


def test_the_list_goes_by_hours_left_and_shows_no_number(web):
    tasks = [done(web, text, number) for text, number in (("Ліхтар", "0671234567"), ("Стовп", "0501112233"))]
    with web.app_context(), transaction() as session:
        session.get_one(CallTask, tasks[1]).deadline_at = now() + timedelta(hours=1)
    for login in ("dyspetcher", "tsapkova", "nachalnyk"):
        page = logged_in(web, login).get("/checks").text
        assert re.findall(r'href="/checks\?task=(\d+)"', page) == [str(tasks[1]), str(tasks[0])]
        assert "ви повідомляли" in page
        assert "Замінено" in page
        assert "111 22 33" not in page.replace("\u00a0", " ")
        assert "+380501112233" not in page
    for login in ("operator", "kontrol", "tekhnik"):
        assert logged_in(web, login).get("/checks").status_code == 403


def test_without_anybody_to_ask_the_page_says_what_will_be_here(web):
    assert "Зараз запитувати нікого" in logged_in(web, "dyspetcher").get("/checks").text


@pytest.mark.parametrize(
    ("said", "words", "report", "task", "why"),
    [
        ("done", "", ReportState.CLOSED, TaskState.SETTLED, Why.ANSWERED),
        ("not_done", "Так і не горить", ReportState.IN_PROGRESS, TaskState.SETTLED, Why.ANSWERED),
        ("partly", "Горить один із двох", ReportState.IN_PROGRESS, TaskState.SETTLED, Why.ANSWERED),
        ("other", "Каже, що не бачила", ReportState.DONE, TaskState.WAITING, None),
        ("not_reached", "", ReportState.DONE, TaskState.WAITING, None),
        ("never", "", ReportState.DONE, TaskState.PERSON, Why.OPTED_OUT),
    ],
)
def test_what_each_answer_does(said, words, report, task, why, web):
    task_id = done(web)
    assert answer(web, task_id, said, words=words).location == "/checks"
    found = task_of(web, task_id)
    assert (found.report.state, found.state, found.why) == (report, task, why)
    with web.app_context():
        notes = db.session.scalars(select(HistoryRow.note).where(HistoryRow.report_id == found.report_id)).all()
        assert any(words in note for note in notes)
        assert (db.session.get(NeverByMachine, "+380671234567") is not None) == (said == "never")


@pytest.mark.parametrize("said", ["not_done", "partly", "other"])
def test_words_are_asked_for(said, web):
    task_id = done(web)
    refused = answer(web, task_id, said, words="  ")
    assert refused.status_code == 422
    assert "Напишіть слова заявника" in refused.text
    assert task_of(web, task_id).report.state == ReportState.DONE


def test_call_later_at_the_time_that_they_name(web):
    task_id = done(web)
    tomorrow = (now() + timedelta(days=1)).astimezone(KYIV).replace(hour=15, minute=30, second=0, microsecond=0)
    answer(web, task_id, "later", later=tomorrow.strftime("%Y-%m-%dT%H:%M"))
    assert task_of(web, task_id).due_at == tomorrow
    assert "не раніше" in logged_in(web, "dyspetcher").get("/checks").text
    for wrong in ("", "учора", "2020-01-01T10:00", "2099-01-01T10:00"):
        refused = answer(web, task_id, "later", later=wrong)
        assert refused.status_code == 422
        assert "Виберіть час" in refused.text


def test_what_was_settled_meanwhile_is_said_and_the_words_are_not_lost(web):
    task_id = done(web)
    answer(web, task_id, "done")
    late = answer(web, task_id, "not_done", words="Не горить")
    assert late.status_code == 409
    assert "Ви написали: «Не горить»" in late.text
    assert task_of(web, task_id).report.state == ReportState.CLOSED


def test_a_click_rings_ones_own_phone_and_the_page_shows_how_it_goes(web, woken):
    task_id = done(web)
    give_phone(web)
    browser = logged_in(web, "dyspetcher")
    assert browser.post(f"/checks/{task_id}/call", page="/me").location == f"/checks?task={task_id}"
    (attempt,) = woken
    dialler = Dialler(Rules(), Lines(3, 1), CALENDAR)

    def shown() -> str:
        return " ".join(re.sub(r"<[^>]+>", " ", browser.get(f"/checks/calls/{attempt}").text).split())

    def hear(end: End, sign: Sign, cause: int | None = None) -> None:
        with web.app_context(), transaction() as session:
            note_leg(session, AttemptLeg(attempt, end, sign, now(), cause), Rules(), CALENDAR)

    assert shown().startswith("мій телефон ☎ → заявник")
    with web.app_context(), transaction() as session:
        assert claim(session, dialler, attempt, now()) is None
    hear(End.OURS, Sign.UP)
    assert shown().startswith("мій телефон ✓ → заявник …")
    hear(End.THEIRS, Sign.RINGS)
    assert "гудки" in shown()
    hear(End.THEIRS, Sign.UP)
    assert "розмова" in shown()
    hear(End.THEIRS, Sign.GONE, 16)
    assert shown().endswith("відповіли")
    assert logged_in(web, "tsapkova").get(f"/checks/calls/{attempt}").status_code == 404
    assert "у роботі: Диспетчерська" in logged_in(web, "tsapkova").get("/checks").text


def test_two_do_not_call_the_same_applicant(web, woken):
    task_id = done(web)
    give_phone(web)
    logged_in(web, "dyspetcher").post(f"/checks/{task_id}/call", page="/me")
    again = logged_in(web, "dyspetcher").post(f"/checks/{task_id}/call", page="/me")
    assert again.status_code == 409
    assert "вже телефонують" in again.text
    assert len(woken) == 1


def test_a_phone_that_is_not_connected_calls_nobody(web, woken):
    task_id = done(web)
    give_phone(web, state="UNAVAILABLE")
    refused = logged_in(web, "dyspetcher").post(f"/checks/{task_id}/call", page="/me")
    assert refused.status_code == 409
    assert "не під’єднано" in refused.text
    assert woken == []


def test_without_redis_nobody_is_called_and_the_page_says_so(web, monkeypatch):
    task_id = done(web)
    give_phone(web)

    def away(_settings: object, _attempt_id: int) -> None:
        raise redis.ConnectionError

    monkeypatch.setattr("webui.checks.enqueue_dial", away)
    refused = logged_in(web, "dyspetcher").post(f"/checks/{task_id}/call", page="/me")
    assert refused.status_code == 409
    assert "нікому не телефонували" in refused.text
    with web.app_context():
        attempt = db.session.scalars(select(Attempt)).one()
        assert (attempt.state, attempt.outcome) == (AttemptState.CANCELLED, None)


def test_after_three_calls_in_vain_a_person_decides(web):
    task_id = done(web)
    with web.app_context(), transaction() as session:
        for _ in range(3):
            attempt = Attempt(
                number="+380671234567", user_id=user_id("dyspetcher"), planned_at=now(), dialled_at=now(),
                settled_at=now(), state=AttemptState.SETTLED, outcome=Outcome.NO_ANSWER,
            )  # fmt: skip
            session.add(attempt)
            session.flush()
            session.add(AttemptTask(attempt_id=attempt.id, task_id=task_id, place=1))
    answer(web, task_id, "not_reached")
    found = task_of(web, task_id)
    assert (found.state, found.why, found.report.state) == (TaskState.PERSON, Why.TRIES_OVER, ReportState.DONE)
    assert "не додзвонилися: вирішує людина" in logged_in(web, "dyspetcher").get("/checks").text


def test_who_stopped_the_machine_stands_on_the_page(web):
    browser: Browser = logged_in(web, "dyspetcher")
    assert "ще не вмикали" in browser.get("/checks").text
    logged_in(web, "nachalnyk").post("/checks/machine", {"on": "yes"}, page="/me")
    assert "Зупинити автодзвінки" in browser.get("/checks").text
    logged_in(web, "tsapkova").post("/checks/machine", {"on": "no"}, page="/me")
    assert "Автодзвінки зупинено: Цапкова О. П." in browser.get("/checks").text.replace("\u00a0", " ")


def test_the_desk_counts_what_waits(web):
    done(web)
    assert "Перевірка виконання" in logged_in(web, "tsapkova").get("/").text
    with web.app_context():
        assert db.session.scalars(select(Report)).one().state == ReportState.DONE
