"""The dispatcher's round: the list by hours left, one click to call, one key for the answer (C2, S 3.2)."""

import json
import re
from dataclasses import replace
from datetime import time, timedelta

import pytest
import redis
from flask import Flask
from sqlalchemy import select, update

from jobs.app import bare_app
from models.acts import Act
from models.attempts import Attempt, AttemptState, AttemptTask, End, NeverByMachine
from models.base import db, now, transaction
from models.calling import Outcome, Rules, Window
from models.calls import Call, CallState
from models.calltasks import CallTask, CallTaskEvent, Purpose, TaskEvent, TaskState, Why, add_task
from models.checking import due_checks
from models.dialling import Dialler, claim
from models.free_days import DayException
from models.leases import Lines
from models.people import AccessLog, Phone, User
from models.reports import HistoryRow, Report, ReportState
from models.settling import AttemptLeg, Sign, note_leg
from models.task_rules import sync_tasks
from models.workdays import KYIV, WorkCalendar
from tests.desk_fixtures import fill_desks, user_id
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
        _loaded = task.report and task.report.state
        db.session.expunge_all()
        return task


def answer(web: Flask, task_id: int, said: str, login: str = "dyspetcher", **values: str):
    """They have called from a telephone of their own, and say so."""
    return logged_in(web, login).post(f"/checks/{task_id}/answer", {"anyway": said, **values}, page="/me")


def give_phone(web: Flask, login: str = "dyspetcher", state: str = "NOT_INUSE") -> None:
    """This person has a desk phone, and the exchange told its state just now."""
    with web.app_context(), transaction() as session:
        session.add(Phone(name="desk9", extension="209", secret="x", user_id=user_id(login)))
    run = web.config["SETTINGS"].run_dir
    run.mkdir(parents=True, exist_ok=True)
    (run / "phones.json").write_text(json.dumps({"at": now().timestamp(), "phones": {"desk9": state}}))


@pytest.fixture
def woken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The attempts for which the dialler was woken."""
    found: list[int] = []
    monkeypatch.setattr("webui.own_calls.enqueue_dial", lambda _settings, attempt_id: found.append(attempt_id))
    return found


def test_the_list_goes_by_hours_left_and_shows_no_number(web):
    tasks = [done(web, text, number) for text, number in (("Ліхтар", "0671234567"), ("Стовп", "0501112233"))]
    with web.app_context(), transaction() as session:
        session.get_one(CallTask, tasks[1]).deadline_at = now() + timedelta(hours=1)
    for login in ("dyspetcher", "tsapkova", "nachalnyk"):
        page = logged_in(web, login).get("/checks").text
        assert re.findall(r'href="/checks\?task=(\d+)"', page) == [str(tasks[1]), str(tasks[0])]
        assert "ви повідомляли про проблему «" in page
        assert "» за адресою Київська, 12" in page
        assert "Замінено" in page
        assert "111 22 33" not in page.replace("\u00a0", " ")
        assert "+380501112233" not in page
    for login in ("operator", "kontrol", "tekhnik"):
        assert logged_in(web, login).get("/checks").status_code == 403


@pytest.mark.parametrize("database", ["settings", "postgres_settings"])
def test_of_the_same_term_the_urgent_report_comes_first(request, database):
    app = bare_app(request.getfixturevalue(database))
    with app.app_context():
        fill_desks()
        term = now() + timedelta(days=2)
        with transaction() as session:
            reports = [Report(text="Ліхтар", emergency=urgent, created_at=now()) for urgent in (False, True, False)]
            session.add_all(reports)
            session.flush()
            tasks = [add_task(session, Purpose.STATUS_CHECK, now(), term, report_id=one.id) for one in reports]
            session.flush()
            listed = due_checks(session, session.get_one(User, user_id("dyspetcher")), now())
            assert [row.task.id for row in listed.rows] == [tasks[place].id for place in (1, 0, 2)]


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


@pytest.mark.parametrize("page", ["/checks", "/checks/now", "/calls"])
@pytest.mark.parametrize("task", [str(2**63), str(2**31), "-1", "x", ""])
def test_what_no_task_s_number_can_be_is_no_fault_of_ours(task, page, web):
    assert logged_in(web, "tsapkova").get(f"{page}?task={task}").status_code == 200


@pytest.mark.parametrize("said", ["not_done", "partly", "other"])
def test_words_are_asked_for(said, web):
    task_id = done(web)
    refused = answer(web, task_id, said, words="  ")
    assert refused.status_code == 422
    assert "Напишіть слова заявника" in refused.text
    assert task_of(web, task_id).report.state == ReportState.DONE


def test_without_a_number_there_is_none_that_the_machine_is_not_to_call(web):
    task_id = done(web, number="anonymous")
    assert task_of(web, task_id).number is None
    assert 'value="never"' not in logged_in(web, "dyspetcher").get(f"/checks?task={task_id}").text
    refused = answer(web, task_id, "never", words="Не дзвоніть")
    assert refused.status_code == 409
    assert "Ви написали: «Не дзвоніть»" in refused.text
    found = task_of(web, task_id)
    assert (found.open, found.why) == (True, Why.NO_NUMBER)


def test_call_later_at_the_time_that_they_name(web):
    task_id = done(web)
    tomorrow = (now() + timedelta(days=1)).astimezone(KYIV).replace(hour=15, minute=30, second=0, microsecond=0)
    answer(web, task_id, "later", later_day=f"{tomorrow:%Y-%m-%d}", later_time="15:30")
    assert task_of(web, task_id).due_at == tomorrow
    assert "не раніше" in logged_in(web, "dyspetcher").get("/checks").text
    for wrong in ("", "учора", "2020-01-01", "2099-01-01"):
        refused = answer(web, task_id, "later", later_day=wrong, later_time="10:00")
        assert refused.status_code == 422
        assert "Виберіть час" in refused.text
    assert answer(web, task_id, "later", later_day=f"{tomorrow:%Y-%m-%d}", later_time="").status_code == 422


def test_a_quick_choice_of_another_time_is_the_servers(web):
    """The next morning is that of the town's calendar: free days and days without calls are left out."""
    at, task_id = now(), done(web)
    free = at.astimezone(KYIV).date() + timedelta(days=1)
    with web.app_context(), transaction() as session:
        session.add(DayException(day=free, worked=False, note="День міста"))
    assert say(web, task_id, "", soon="60").location == "/checks"
    assert timedelta(minutes=60) <= task_of(web, task_id).due_at - at < timedelta(minutes=62)
    say(web, task_id, "", soon="morning")
    morning = task_of(web, task_id).due_at.astimezone(KYIV)
    assert morning.date() > free
    assert (morning.hour, morning.minute) == (9, 0)
    assert say(web, task_id, "", soon="soon").status_code == 422


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


def begin(web: Flask, task_id: int, woken: list[int], *signs: tuple[End, Sign], login: str = "dyspetcher") -> None:
    """This person calls about the task, and the exchange tells so far."""
    assert logged_in(web, login).post(f"/checks/{task_id}/call", page="/me").status_code == 302
    with web.app_context(), transaction() as session:
        assert claim(session, Dialler(Rules(), Lines(3, 1), CALENDAR), woken[-1], now()) is None
        for end, sign in signs:
            note_leg(session, AttemptLeg(woken[-1], end, sign, now(), 16), Rules(), CALENDAR)


SPOKEN = (End.OURS, Sign.UP), (End.THEIRS, Sign.RINGS), (End.THEIRS, Sign.UP), (End.THEIRS, Sign.GONE)


def say(web: Flask, task_id: int, said: str, login: str = "dyspetcher", **values: str):
    """A key is pressed, for the first time."""
    return logged_in(web, login).post(f"/checks/{task_id}/answer", {"said": said, **values}, page="/me")


def test_an_answer_without_a_call_from_here_is_asked_about_once(web):
    task_id = done(web)
    asked = say(web, task_id, "partly", words="Горить один")
    assert asked.status_code == 409
    assert "Звідси ви ні з ким не розмовляли" in asked.text
    assert 'name="anyway" value="partly" autofocus' in asked.text
    assert ">Горить один</textarea>" in asked.text
    assert task_of(web, task_id).open
    assert answer(web, task_id, "partly", words="Горить один").location == "/checks"
    assert not task_of(web, task_id).open


def test_a_form_that_is_sent_again_uses_no_second_try(web):
    """Back in the browser and Enter, or two clicks: one call in vain is one; what was typed is not lost."""
    task_id = done(web)

    def seen() -> str:
        return re.search(
            r'name="seen" value="(\d+)"', logged_in(web, "dyspetcher").get(f"/checks?task={task_id}").text
        )[1]

    form = {"seen": seen(), "words": "Не бере"}
    assert answer(web, task_id, "not_reached", **form).location == "/checks"
    again = answer(web, task_id, "not_reached", **form)
    assert again.status_code == 409
    assert "удруге нічого не записано" in again.text
    assert ">Не бере</textarea>" in again.text
    with web.app_context():
        rows = select(CallTaskEvent).where(CallTaskEvent.task_id == task_id, CallTaskEvent.event == TaskEvent.TRIED)
        assert len(db.session.scalars(rows).all()) == 1
    assert answer(web, task_id, "not_reached", seen=seen()).location == "/checks"


def test_a_page_that_was_drawn_before_the_call_rang_in_vain_records_it(web, woken):
    """What the exchange tells of the call is no answer that a person has recorded."""
    task_id = done(web)
    give_phone(web)
    page = logged_in(web, "dyspetcher").get(f"/checks?task={task_id}").text
    begin(web, task_id, woken, (End.OURS, Sign.UP), (End.THEIRS, Sign.RINGS), (End.THEIRS, Sign.GONE))
    seen = re.search(r'name="seen" value="(\d+)"', page)[1]
    assert say(web, task_id, "not_reached", seen=seen).location == "/checks"


def test_what_is_wrong_with_an_answer_is_said_before_it_is_asked_about(web):
    assert say(web, done(web), "partly").status_code == 422


def test_after_a_call_from_here_one_key_records(web, woken):
    task_id = done(web)
    give_phone(web)
    begin(web, task_id, woken, *SPOKEN)
    assert say(web, task_id, "not_reached").location == "/checks"
    assert say(web, task_id, "done").status_code == 409  # what came of that call is recorded
    begin(web, task_id, woken, *SPOKEN)
    assert say(web, task_id, "done").location == "/checks"


def test_that_the_next_check_is_of_the_same_person_is_said_while_they_are_on_the_line(web, woken):
    tasks = [done(web, text) for text in ("Ліхтар", "Стовп")]
    give_phone(web)
    begin(web, tasks[0], woken, *SPOKEN[:-1])
    browser, words = logged_in(web, "dyspetcher"), "Та сама людина, ще на лінії"
    assert words not in browser.get("/checks").text
    say(web, tasks[0], "done")
    page = browser.get("/checks").text
    assert f'data-task="{tasks[1]}"' in page
    assert words in page
    with web.app_context(), transaction() as session:
        note_leg(session, AttemptLeg(woken[-1], *SPOKEN[-1], now(), 16), Rules(), CALENDAR)
    assert words not in browser.get("/checks").text


def test_a_call_that_rang_at_ones_own_phone_only_reached_nobody(web, woken):
    task_id = done(web)
    give_phone(web)
    begin(web, task_id, woken, (End.OURS, Sign.GONE))
    assert "Звідси ви ні з ким не розмовляли" in say(web, task_id, "done").text


@pytest.mark.parametrize("signs", [SPOKEN[:2], (*SPOKEN[:2], SPOKEN[-1])])
def test_what_only_the_citizen_can_have_said_is_asked_about_until_somebody_has_answered(web, woken, signs):
    """It rings there, or has rung in vain: the key 1 closes no report; "not reached" is what a call in vain says."""
    task_id = done(web)
    give_phone(web)
    begin(web, task_id, woken, *signs)
    assert "Звідси ви ні з ким не розмовляли" in say(web, task_id, "done").text
    assert say(web, task_id, "not_reached").location == "/checks"


def test_what_was_recorded_is_said(web):
    task_id = done(web)
    browser = logged_in(web, "dyspetcher")
    browser.post(f"/checks/{task_id}/answer", {"said": "done", "anyway": "done"}, page="/me")
    number = task_of(web, task_id).report.number
    assert f"Записано: №\u00a0{number}\u00a0— заявник каже, що виконано." in browser.get("/checks").text


def test_to_call_later_needs_no_call(web):
    tomorrow = (now() + timedelta(days=1)).astimezone(KYIV)
    assert say(web, done(web), "later", later_day=f"{tomorrow:%Y-%m-%d}", later_time="15:30").location == "/checks"


@pytest.mark.parametrize("key", ["said", "anyway"])
def test_while_ones_own_phone_rings_nothing_is_recorded(key, web, woken):
    task_id = done(web)
    give_phone(web)
    begin(web, task_id, woken)
    values = {key: "not_done", "words": "Не горить"}
    refused = logged_in(web, "dyspetcher").post(f"/checks/{task_id}/answer", values, page="/me")
    assert refused.status_code == 409
    assert "Ваш телефон іще дзвонить" in refused.text
    assert ">Не горить</textarea>" in refused.text
    assert task_of(web, task_id).open


def test_a_time_that_was_typed_stands_there_again(web, woken):
    task_id = done(web)
    give_phone(web)
    begin(web, task_id, woken)
    day = f"{(now() + timedelta(days=1)).astimezone(KYIV):%Y-%m-%d}"
    refused = say(web, task_id, "later", later_day=day, later_time="15:31").text
    assert f'value="{day}"' in refused
    assert 'value="15:31"' in refused


def test_who_else_calls_the_citizen_is_shown_and_a_doubtful_answer_is_asked_about(web, woken):
    task_id = done(web)
    give_phone(web)
    begin(web, task_id, woken, (End.OURS, Sign.UP))
    other = logged_in(web, "tsapkova")
    for page in (f"/checks?task={task_id}", f"/checks/now?task={task_id}"):
        assert "Диспетчерська Д. Д. зараз телефонує на цей номер" in other.get(page).text.replace("\u00a0", " ")
    refused = say(web, task_id, "other", "tsapkova", words="Каже, що темно")
    assert refused.status_code == 409
    assert "Диспетчерська Д. Д. зараз телефонує" in refused.text.replace("\u00a0", " ")
    assert ">Каже, що темно</textarea>" in refused.text
    with web.app_context(), transaction() as session:
        for end, sign in ((End.THEIRS, Sign.UP), (End.THEIRS, Sign.GONE)):
            note_leg(session, AttemptLeg(woken[-1], end, sign, now(), 16), Rules(), CALENDAR)
    asked = say(web, task_id, "other", "tsapkova", words="Каже, що темно")
    assert asked.status_code == 409
    for told in ("займається Диспетчерська Д. Д.: що з нього вийшло, ще не записано", "Цим дзвінком уже займаються"):
        assert told in asked.text.replace("\u00a0", " ")
    assert ">Каже, що темно</textarea>" in asked.text
    assert "ще не записано" not in logged_in(web, "dyspetcher").get(f"/checks?task={task_id}").text
    assert answer(web, task_id, "other", "tsapkova", words="Каже, що темно").location == "/checks"


def test_the_citizen_who_speaks_with_us_now_is_shown(web):
    task_id = done(web)
    with web.app_context(), transaction() as session:
        session.execute(update(Call).values(state=CallState.RINGING, started_at=now()))
    assert "Із цього номера зараз дзвонять нам" in logged_in(web, "dyspetcher").get(f"/checks?task={task_id}").text


def test_the_number_is_shown_by_a_click_that_leaves_a_trace(web):
    """A3: a dispatcher without a phone here dials it from any other one."""
    task_id = done(web)
    browser = logged_in(web, "dyspetcher")
    plain = browser.get("/checks").text.replace("\u00a0", " ")
    assert "+380 67 123 45 67" not in plain
    assert f'action="/checks/{task_id}/number"' in plain
    shown = browser.post(f"/checks/{task_id}/number", page="/me").text.replace("\u00a0", " ")
    assert "+380 67 123 45 67" in shown
    with web.app_context():
        report = db.session.get_one(CallTask, task_id).report_id
        looks = select(AccessLog.subject, AccessLog.subject_id).where(AccessLog.reason == "number shown to be dialled")
        assert [tuple(look) for look in db.session.execute(looks)] == [("report", report)]
    assert "показано номер: щоб набрати" in logged_in(web, "nachalnyk").get("/personal-data/log").text
    assert browser.post("/checks/9999/number", page="/me").status_code == 404


def test_of_a_settled_check_nobody_else_s_number_is_shown(web):
    settled, _other = done(web), done(web, "Стовп", "0501112233")
    answer(web, settled, "done")
    browser = logged_in(web, "dyspetcher")
    shown = browser.post(f"/checks/{settled}/number", page="/me")
    assert shown.status_code == 404
    assert "111 22 33" not in shown.text.replace("\u00a0", " ")
    with web.app_context():
        looks = select(AccessLog).where(AccessLog.reason == "number shown to be dialled")
        assert db.session.scalars(looks).all() == []
    assert "тим часом уже завершили" in browser.get(f"/checks?task={settled}").text


def test_a_number_of_the_town_is_shown_as_a_mobile_dials_it_too(web):
    task_id = done(web, number="0544853273")
    shown = logged_in(web, "dyspetcher").post(f"/checks/{task_id}/number", page="/me").text.replace("\u00a0", " ")
    assert "5-32-73</span>" in shown.split('id="whom"')[1].split("</div>")[0]
    assert "+380 54 485 32 73" in shown


def offered(web: Flask, login: str = "dyspetcher") -> tuple[list[int], int | None]:
    """The list, and the check that is offered first."""
    page = logged_in(web, login).get("/checks").text
    chosen = re.search(r'data-task="(\d+)"', page)
    return [int(one) for one in re.findall(r'href="/checks\?task=(\d+)"', page)], int(chosen[1]) if chosen else None


def test_what_is_put_off_or_being_called_by_others_is_not_offered_first(web, woken):
    later, machine, colleague, free = (done(web, f"Ліхтар {n}", f"067123456{n}") for n in range(4))
    assert offered(web) == ([later, machine, colleague, free], later)
    begin(web, colleague, woken, login="tsapkova")
    with web.app_context(), transaction() as session:
        session.get_one(CallTask, later).due_at = now() + timedelta(hours=2)
        session.add(Attempt(number="+380671234561", planned_at=now(), dialled_at=now(), state=AttemptState.DIALLING))
    assert offered(web) == ([free, later, machine, colleague], free)
    assert offered(web, "tsapkova")[1] == colleague  # it is on her screen
    with web.app_context(), transaction() as session:
        session.get_one(CallTask, free).due_at = now() + timedelta(hours=1)
    assert offered(web)[1] is None
    page = logged_in(web, "dyspetcher").get("/checks").text
    assert "решту відкладено або комусь уже телефонують" in page


def test_the_chosen_answer_is_shown_as_pressed(web):
    page = say(web, done(web), "partly").text
    assert re.findall(r'aria-pressed="(\w+)" type="button" data-asks="(\w+)"', page) == [
        ("false", "not_done"),
        ("true", "partly"),
        ("false", "other"),
        ("false", "later"),
    ]


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

    monkeypatch.setattr("webui.own_calls.enqueue_dial", away)
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


@pytest.mark.parametrize(
    ("on_this_day", "told"),
    [
        (True, "Зараз поза годинами дзвінків (09:00–09:00). Телефонуйте, лише якщо людина просила або чекає."),
        (False, "У такий день (неділя чи свято) за правилами не дзвонять."),
    ],
)
def test_out_of_the_hours_of_calling_the_page_says_whom_to_call_and_enter_calls_nobody(
    web, monkeypatch, on_this_day, told
):
    done(web)
    today = now().astimezone(KYIV).date()
    monkeypatch.setattr(Window, "calls_on", lambda _window, at, _calendar: on_this_day or at.date() > today)
    web.config["SETTINGS"] = replace(web.config["SETTINGS"], call_hours=(time(9), time(9)))
    page = logged_in(web, "dyspetcher").get("/checks").text
    assert told in page
    assert 'data-key="Enter"' not in page


def test_who_stopped_the_machine_stands_on_the_page(web):
    browser: Browser = logged_in(web, "dyspetcher")
    assert "ще не вмикали" in browser.get("/checks").text
    logged_in(web, "nachalnyk").post("/checks/machine", {"on": "yes"}, page="/me")
    assert "Автодзвінки ввімкнено." in browser.get("/checks").text
    assert "Зупинити автодзвінки" in browser.get("/checks").text
    logged_in(web, "tsapkova").post("/checks/machine", {"on": "no"}, page="/me")
    for page in ("/checks", "/checks/now"):
        assert "Автодзвінки зупинено: Цапкова О. П." in browser.get(page).text.replace("\u00a0", " ")


def test_the_desk_counts_what_waits(web):
    done(web)
    assert "Перевірка виконання" in logged_in(web, "tsapkova").get("/").text
    with web.app_context():
        assert db.session.scalars(select(Report)).one().state == ReportState.DONE


def test_a_look_at_a_check_leaves_a_trace_and_a_settled_one_is_not_shown(web):
    task_id = done(web)
    browser = logged_in(web, "dyspetcher")
    browser.get(f"/checks?task={task_id}")
    with web.app_context():
        task = db.session.get(CallTask, task_id)
        looks = select(AccessLog.reason).where(AccessLog.subject == "report", AccessLog.subject_id == task.report_id)
        assert db.session.scalars(looks).all() == ["the status check"]
        text = task.report.text
    answer(web, task_id, "done")
    assert text not in browser.get(f"/checks?task={task_id}").text
