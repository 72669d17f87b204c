"""The history of a call of ours: its moves with who, when and the citizen's words, no code among them (C1-C5)."""

import re
from datetime import timedelta

from models.acts import Act
from models.attempts import Attempt, AttemptState, AttemptTask
from models.base import db, now, transaction
from models.calling import Outcome
from models.calltasks import CallTask, Purpose, TaskEvent, TaskState, Why
from models.dialling import Refusal
from models.own_calls import Said
from models.status_script import HandoverKey, Key
from models.task_rules import sync_tasks
from models.workdays import WorkCalendar
from tests.desk_fixtures import Exchange
from tests.test_web_board import machine_call, shown
from tests.test_web_checks import answer, done
from tests.test_web_work import act
from tests.web_fixtures import logged_in, register
from webui import call_words


def test_a_person_s_answer_stands_in_the_history_with_who_and_their_words(web):
    task_id = done(web)
    machine_call(web, task_id, state=AttemptState.SETTLED, outcome=Outcome.BUSY, settled_at=now())
    answer(web, task_id, "not_reached")
    answer(web, task_id, "not_done", words="Так і не горить, 0671234567")
    browser = logged_in(web, "dyspetcher")
    told = shown(browser.get(f"/tasks/{task_id}").text.split('id="moves"')[1])
    assert "телефонували, відповіді немає — Диспетчерська Д. Д." in told
    answered = "завершено: відповіли — Диспетчерська Д. Д..* заявник каже, що не виконано: Так і не горить"
    assert re.search(answered, told)
    assert "1234567" not in told
    with web.app_context():
        report = db.session.get_one(CallTask, task_id).report_id
    line = shown(browser.get(f"/reports/{report}").text.split('id="history"')[1])
    assert "телефонували, відповіді немає — Диспетчерська Д. Д." in line


def test_the_record_of_a_call_back_stands_in_its_history(web):
    Exchange(web).missed("0501112233", timedelta(minutes=5))
    with web.app_context(), transaction() as session:
        sync_tasks(session, WorkCalendar(), now())
        task = session.scalars(db.select(CallTask.id)).one()
    values = {"anyway": "not_needed", "words": "Бригада вже тут"}
    logged_in(web, "tsapkova").post(f"/calls/{task}/answer", values, page="/me")
    told = shown(logged_in(web, "tsapkova").get(f"/tasks/{task}").text.split('id="moves"')[1])
    assert "Цапкова О. П." in told
    assert "Бригада вже тут" in told


def test_who_asked_the_applicant_stands_beside_the_plan(web):
    report = register(web, "Не горить")
    act(web, "tsapkova", report, Act.ASK, words="Який поверх?")
    with web.app_context():
        task = db.session.scalars(db.select(CallTask.id)).one()
    told = shown(logged_in(web, "tsapkova").get(f"/tasks/{task}").text.split('id="moves"')[1])
    assert "дзвінок заплановано — Цапкова О. П." in told


def test_every_code_of_a_call_has_words(web):
    """No code reaches a screen: neither of an outcome, a move, a reason nor a key."""
    for words, codes in (
        (call_words.PURPOSES, Purpose),
        (call_words.TASK_BADGES, TaskState),
        (call_words.TASK_EVENTS, TaskEvent),
        (call_words.WHYS, Why),
        (call_words.OUTCOMES, Outcome),
        (call_words.WITHDRAWN, set(Refusal) - {Refusal.NOT_PLANNED}),  # told to the job alone
        (call_words.KEYS, Key),
        (call_words.HANDOVER_KEYS, HandoverKey),
        (call_words.SAID, Said),
    ):
        assert set(words) == set(codes)
    with web.test_request_context():
        assert call_words.cause_of(Attempt(cause=99)).startswith("інша несправність")


def test_the_key_that_was_pressed_has_its_words(web):
    task_id = done(web)
    machine_call(web, task_id, state=AttemptState.SETTLED, outcome=Outcome.ANSWERED, settled_at=now(), keys="0")
    with web.app_context(), transaction() as session:
        session.scalars(db.select(AttemptTask)).one().key = "0"
    for page in ("/checks", f"/tasks/{task_id}"):
        assert "просить людину" in logged_in(web, "dyspetcher").get(page).text
