"""The live board, the page of a call of ours, and the red button (C5, C6, I8)."""

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from flask import Flask
from sqlalchemy import update

from jobs import red_button
from jobs.ami import ManagerException, Message
from jobs.settings import Settings
from models.attempts import (
    NOTE_STOPPED,
    Attempt,
    AttemptState,
    AttemptTask,
    LineSlot,
    last_switch,
    switch_machine,
)
from models.base import db, now, transaction
from models.calling import Outcome
from models.calltasks import CallTask, Purpose
from models.leases import LEASE
from models.people import AccessLog, User
from tests.desk_fixtures import user_id
from tests.test_web_checks import done
from tests.web_fixtures import logged_in

NUMBER = "+380671234567"
EMERGENCIES_STOP = "Автодзвінки зупинено, зокрема й про аварії: черговим телефонуйте самі."


@contextmanager
def greeting(settings: Settings) -> Iterator[None]:
    """Something that greets as the exchange's manager interface does."""
    with closing(socket.create_server(("127.0.0.1", settings.ami_port))) as server:

        def greet() -> None:
            while True:
                try:
                    connection, _address = server.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(b"Asterisk Call Manager/11.0.0\r\n")

        thread = threading.Thread(target=greet, daemon=True)
        thread.start()
        yield
        server.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def shown(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page).split()).replace("\u00a0", " ")


def switch(web: Flask, login: str, *, on: bool) -> None:
    with web.app_context(), transaction() as session:
        switch_machine(session, session.get_one(User, user_id(login)), now(), on=on)


def machine_call(web: Flask, task_id: int, **values: object) -> int:
    """A call of the machine that goes on, with a line of its own."""
    with web.app_context(), transaction() as session:
        usual = {"number": NUMBER, "planned_at": now(), "dialled_at": now(), "state": AttemptState.DIALLING}
        attempt = Attempt(**usual | values)
        session.add(attempt)
        session.flush()
        session.add(AttemptTask(attempt_id=attempt.id, task_id=task_id, place=1, key=values.get("keys", "")))
        if attempt.settled_at is None:
            session.add(LineSlot(slot=1, attempt_id=attempt.id, until=now() + LEASE))
        return attempt.id


def test_the_board_draws_lines_tasks_and_who_stopped_the_machine(web):
    task_id = done(web)
    machine_call(web, task_id)
    switch(web, "nachalnyk", on=False)
    with greeting(web.config["SETTINGS"]):
        pages = {login: logged_in(web, login).get("/board").text for login in ("dyspetcher", "tekhnik")}
    for page in pages.values():
        assert re.findall(r"line-tile use-(\w+)", page) == ["outbound", "free", "reserved"]
        told = shown(page)
        assert "Перевірка виконання · автомат · телефонуємо" in told
        assert "Зупинено Головна Н. К." in told
        assert "Asterisk працює" in told
        assert "67" not in re.sub(r"<[^>]+>", "", page.split('id="board"')[1])
    for what in (f'href="/tasks/{task_id}"', "Увімкнути автодзвінки"):
        assert what in pages["dyspetcher"]
        assert what not in pages["tekhnik"]


def test_asterisk_away_is_said(web):
    told = shown(logged_in(web, "tsapkova").get("/board/parts").text)
    assert "Asterisk не працює: завдання чекають" in told


def test_what_is_said_of_the_next_machine_call_holds(web):
    """Stopped, or without an exchange: no free line helps."""
    done(web)
    with web.app_context(), transaction() as session:  # at any hour
        session.execute(update(CallTask).values(purpose=Purpose.HAND_OVER, due_at=now()))

    def next_call() -> str:
        return shown(logged_in(web, "dyspetcher").get("/board/parts").text).split("Наступні автодзвінки")[1]

    switch(web, "nachalnyk", on=False)
    assert next_call().startswith(" автодзвінки зупинено · Аварія: передати підприємству")
    switch(web, "nachalnyk", on=True)
    assert next_call().startswith(" коли мине те, що написано вгорі сторінки · Аварія: передати підприємству")
    with greeting(web.config["SETTINGS"]):
        assert next_call().startswith(" зараз · Аварія: передати підприємству")


def test_the_history_of_a_task_tells_each_call_in_words_and_leaves_a_trace(web):
    task_id = done(web)
    machine_call(
        web, task_id, state=AttemptState.SETTLED, outcome=Outcome.BUSY, cause=17, ringing_at=None, settled_at=now()
    )
    machine_call(web, task_id, state=AttemptState.CANCELLED, note="stopped", dialled_at=None, settled_at=now(), keys="")
    page = logged_in(web, "dyspetcher").get(f"/tasks/{task_id}").text
    told = shown(page)
    assert "дзвінок заплановано" in told
    assert "зайнята (17)" in told
    assert "не набрали: автодзвінки зупинено" in told
    assert "+380 67 ••• •• 67" in told
    assert "1234567" not in page
    with web.app_context():
        row = db.session.scalars(db.select(AccessLog).where(AccessLog.subject == "task")).one()
        assert (row.subject_id, row.user_id) == (task_id, user_id("dyspetcher"))
    assert "наш дзвінок" in shown(logged_in(web, "nachalnyk").get("/personal-data/log").text)


def test_the_report_and_the_check_lead_to_the_history(web):
    task_id = done(web)
    machine_call(web, task_id, state=AttemptState.SETTLED, outcome=Outcome.BUSY, settled_at=now())
    with web.app_context():
        report = db.session.scalars(db.select(AttemptTask)).one().task.report_id
    link = f'href="/tasks/{task_id}"'
    assert link in logged_in(web, "dyspetcher").get("/checks").text
    assert link in logged_in(web, "dyspetcher").get(f"/reports/{report}").text
    assert link not in logged_in(web, "operator").get(f"/reports/{report}").text


def test_without_asterisk_the_red_button_stops_what_has_not_begun_and_says_so(web):
    """Fails closed: the switch counts, whatever the exchange does."""
    switch(web, "nachalnyk", on=True)
    machine_call(web, done(web))
    browser = logged_in(web, "tsapkova")
    answer = browser.post("/checks/machine", {"on": "no", "back": "/board"}, page="/me")
    assert answer.location == "/board"
    assert f"{EMERGENCIES_STOP} Телефонна станція не відповідає:" in shown(browser.get("/board").text)
    with web.app_context():
        assert not last_switch(db.session()).on
        assert db.session.scalars(db.select(Attempt)).one().state == AttemptState.DIALLING
    assert note_of(web, 1) == ""  # it goes on to its own end


def note_of(web: Flask, attempt_id: int) -> str:
    with web.app_context(), db.engine.connect() as connection:
        return connection.scalar(db.select(Attempt.note).where(Attempt.id == attempt_id))


@pytest.mark.parametrize(
    ("answers", "ended", "notes"),
    [
        (("Success", "Error"), 1, (NOTE_STOPPED, "")),  # the second had gone before it
        (("Success", None), None, (NOTE_STOPPED, "")),  # the exchange goes away in the middle
        ((None, None), None, ("", "")),
    ],
)
def test_only_a_call_that_was_hung_up_counts_as_stopped(web, monkeypatch, answers, ended, notes):
    """What goes on to its own end settles by that."""
    spoke = {"state": AttemptState.TALKING, "answered_at": now()}
    with web.app_context(), transaction() as session:
        each = [
            Attempt(number=number, planned_at=now(), dialled_at=now(), **spoke) for number in (NUMBER, "+380671234568")
        ]
        session.add_all(each)
        session.flush()
        attempts = [one.id for one in each]
    told = iter(answers)

    class Exchange:
        def close(self) -> None: ...

        def send_action(self, _action: dict[str, str]) -> Message:
            answer = next(told)
            if answer is None:
                raise ManagerException("gone")
            return Message([f"Response: {answer}"])

    monkeypatch.setattr(red_button, "log_in", lambda *_as: Exchange())
    with web.app_context():
        assert red_button.stop_machine_calls(web.config["SETTINGS"], user_id("tsapkova")) == ended
    assert tuple(note_of(web, one) for one in attempts) == notes


@pytest.mark.parametrize(
    ("values", "ended"),
    [
        ({}, True),
        ({"state": AttemptState.TALKING, "answered_at": now()}, True),
        ({"state": AttemptState.TALKING, "answered_at": now(), "keys": "0"}, False),  # speaks with a person
        ({"user_id": 1}, False),  # called by a person
        ({"state": AttemptState.PLANNED}, False),  # is not dialled any more
        ({"state": AttemptState.SETTLED, "settled_at": now()}, False),
    ],
)
def test_which_calls_the_red_button_ends(web, values, ended, monkeypatch):
    attempt = machine_call(web, done(web), **values)
    asked: list[int] = []

    class Exchange:
        def close(self) -> None: ...

    def hang_up(_settings: Settings, _manager: Exchange, going_on: dict[int, bool]) -> list[int]:
        assert {note_of(web, one) for one in going_on} <= {NOTE_STOPPED}
        asked.extend(going_on)
        return asked

    monkeypatch.setattr(red_button, "log_in", lambda *_as: Exchange())
    monkeypatch.setattr(red_button, "_hang_up", hang_up)
    browser = logged_in(web, "tsapkova")
    browser.post("/checks/machine", {"on": "no"}, page="/me")
    assert asked == ([attempt] if ended else [])
    told = "Обірвано 1 дзвінок." if ended else "Жоден дзвінок не тривав."
    assert f"{EMERGENCIES_STOP} {told}" in shown(browser.get("/checks").text)
