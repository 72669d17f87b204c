"""The shift hand-over sheet (A6)."""

import re
import threading
from datetime import timedelta
from unittest.mock import Mock

import pytest
from flask import Flask
from sqlalchemy import select

from jobs.app import bare_app
from models import shifts
from models.attempts import MachineSwitch
from models.base import db, now, transaction
from models.calltasks import CallTask, Move, TaskEvent, Why, move_task
from models.drafts import make_draft_by_hand, save_draft
from models.people import Person, PersonNumber, User
from models.reports import Report, Source
from models.shifts import ShiftSheet, TakenOverAlready, WaitsAlready, figures_now, hand_over, take_over
from tests.desk_fixtures import Exchange, fill_desks, user_id
from tests.helpers import AREA_CODE, close_database
from tests.test_web_checks import done, task_of
from tests.web_fixtures import logged_in, register, stored_user


def number_of(web: Flask, report_id: int) -> str:
    with web.app_context():
        return db.session.get_one(Report, report_id).number


def test_what_a_shift_leaves_is_frozen_and_the_next_one_confirms_it(web: Flask):
    """A6: drafts with their owner, missed calls, emergencies not accepted, what is due today, who is on which line."""
    emergency = register(web, "Обірвано дріт", emergency=True)
    taken = register(web, "Іскрить", emergency=True)
    done = register(web, "Не горить ліхтар")
    with web.app_context(), transaction() as session:
        from models import work
        from models.deadlines import Deadline

        operator = session.scalars(select(User).where(User.login == "operator")).one()
        work.accept(session, session.get_one(Report, taken), operator)
        for deadline in session.scalars(select(Deadline).where(Deadline.report_id == taken)):
            deadline.due_at = now()
        for deadline in session.scalars(select(Deadline).where(Deadline.report_id == emergency)):
            deadline.due_at = now() - timedelta(days=1)
        work.accept(session, session.get_one(Report, done), operator)
        work.complete(session, session.get_one(Report, done), operator, "Замінено")
        session.add(MachineSwitch(at=now(), user_id=user_id("sorokina"), on=False))
    Exchange(web).missed("0931112244")
    Exchange(web).missed("0931112244")
    browser = logged_in(web, "tsapkova")
    page = browser.get("/shift").text
    emergencies = page.split('id="emergencies"')[1].split("</section>")[0]
    assert number_of(web, emergency) in emergencies
    assert number_of(web, taken) not in emergencies
    assert number_of(web, taken) in page.split('id="due"')[1].split("</section>")[0]
    assert "2 рази" in page.split('id="missed"')[1].split("</section>")[0].replace("\u00a0", " ")
    calls = " ".join(re.sub(r"<[^>]+>", " ", page.split('id="centre-calls">')[1].split("</section>")[0]).split())
    assert re.search(r"Зупинено — Сорокіна В. В., .* запитати заявника 1 Слід попередити операторів 1$", calls)
    assert "Цапкова" in page.split('id="on-lines"')[1].split("</section>")[0]
    assert "112244" not in re.sub(r"\D", "", page)
    given = browser.post("/shift", {"remarks": "Передзвонити <b>двічі</b>"}, page="/me")
    sheet = given.location
    assert re.fullmatch(r"/shift/\d+", sheet)
    register(web, "Ще один дріт", emergency=True)  # after the hand-over
    other = logged_in(web, "sorokina")
    for path in ("/", "/desk/lists"):
        assert "Цапкова" in other.get(path).text.split('class="notice shift-waits')[1]
        assert "notice shift-waits" not in browser.get(path).text
    frozen = other.get(sheet).text
    assert '<span class="tally">1</span>' in frozen.split('id="emergencies"')[1][:200]
    assert "&lt;b&gt;двічі&lt;/b&gt;" in frozen
    assert frozen.count("paper signature") == 2
    assert other.post(f"{sheet}/take-over", page="/me").location == sheet
    assert "Сорокіна" in other.get(sheet).text
    again = browser.post(f"{sheet}/take-over", page="/me", follow_redirects=True)
    assert "вже прийняв" in again.text.lower()
    with web.app_context():
        stored = db.session.scalars(select(ShiftSheet)).one()
        assert (stored.taken_over_by.login, stored.waiting) == ("sorokina", None)
    assert 'name="remarks"' in other.get("/shift").text


def test_a_draft_is_told_by_what_is_filled_in_without_telephones(web: Flask):
    with web.app_context(), transaction() as session:
        user = session.get_one(User, user_id("tsapkova"))
        for values in (
            {"text": "Не горить, мій 067 555 44 33"},
            {"applicant_name": "Олена"},
            {"landmark": "біля школи"},
        ):
            save_draft(session, make_draft_by_hand(session, user, Source.VISIT), user, values, 0, AREA_CODE)
        make_draft_by_hand(session, user, Source.ONLINE)
    page = logged_in(web, "tsapkova").get("/shift").text.split('id="drafts"')[1].split("</section>")[0]
    assert "Не горить, мій +380 67 ••• •• 33" in page
    assert "5554433" not in re.sub(r"\D", "", page)
    assert "Олена" in page
    assert "біля школи" in page
    assert page.count("ще не заповнено") == 1


def test_whom_to_call_back_is_told_by_the_name_where_known_and_by_the_last_digits(web: Flask):
    with web.app_context(), transaction() as session:
        person = Person(name="Олена Коваль")
        person.numbers.append(PersonNumber(number="+380931112244"))
        session.add(person)
    for number in ("0931112244", "0501112233", "anonymous"):
        Exchange(web).missed(number)
    page = logged_in(web, "tsapkova").get("/shift").text.split('id="missed"')[1].split("</section>")[0]
    told = re.findall(r'data-word="Кому дзвонити">(.*?)</td>', page)
    plain = sorted(re.sub("<[^>]+>", "", one).replace("\u00a0", " ") for one in told)
    assert plain == ["+380 50 ••• •• 33", "+380 93 ••• •• 44 · Олена Коваль", "номер приховано"]


def test_a_missed_calls_draft_that_somebody_has_begun_is_among_the_drafts_too(web: Flask):
    """The header counts it as theirs."""
    begun, left = (Exchange(web).missed(number)[1] for number in ("0931112244", "0501112233"))
    with web.app_context(), transaction() as session:
        user, draft = session.get_one(User, user_id("tsapkova")), session.get_one(Report, begun)
        save_draft(session, draft, user, {"text": "Яма на дорозі"}, draft.revision, AREA_CODE)
    page = logged_in(web, "tsapkova").get("/shift").text
    drafts, missed = (page.split(f'id="{part}"')[1].split("</section>")[0] for part in ("drafts", "missed"))
    assert "Яма на дорозі" in drafts
    assert f'href="/reports/{left}"' not in drafts
    assert f'href="/reports/{begun}"' in missed


def test_the_second_who_hands_over_is_told_and_keeps_the_words(web: Flask):
    logged_in(web, "tsapkova").post("/shift", {"remarks": "Перша"}, page="/me")
    second = logged_in(web, "sorokina").post("/shift", {"remarks": "Друга"}, page="/me")
    assert second.status_code == 409
    assert "Друга" in second.text
    assert "Цапкова" in second.text
    with web.app_context():
        assert db.session.scalars(select(ShiftSheet.remarks)).all() == ["Перша"]


def test_the_second_is_told_also_when_the_first_sheet_was_taken_over_meanwhile(web: Flask, monkeypatch):
    """Nobody's sheet waits any more by the time the page is made."""
    monkeypatch.setattr("webui.shift.hand_over", Mock(side_effect=WaitsAlready))
    answer = logged_in(web, "sorokina").post("/shift", {"remarks": "Друга"}, page="/me")
    assert answer.status_code == 409
    assert "Друга" in answer.text
    monkeypatch.setattr(shifts, "insert_new", lambda *_args, **_values: None)
    with web.app_context(), pytest.raises(WaitsAlready), transaction() as session:
        hand_over(session, session.get_one(User, user_id("sorokina")), "", now())


def test_remarks_that_are_too_long_are_kept(web: Flask):
    answer = logged_in(web, "tsapkova").post("/shift", {"remarks": "я" * 10_001}, page="/me")
    assert answer.status_code == 422
    assert "я" * 10_001 in answer.text


def test_the_sheet_is_the_desks(web: Flask):
    logged_in(web, "tsapkova").post("/shift", {"remarks": ""}, page="/me")
    for login in ("operator", "kontrol", "tekhnik"):
        browser = logged_in(web, login)
        assert browser.get("/shift").status_code == 403
        assert browser.get("/shift/1").status_code == 403
    assert logged_in(web, "dyspetcher").get("/shift/999").status_code == 404


@pytest.mark.parametrize("database", ["settings", "postgres_settings"])
def test_of_many_who_hand_over_or_take_over_at_once_one_does(request, database):
    """One sheet, one who took it over; the others are told."""
    app = bare_app(request.getfixturevalue(database))
    with app.app_context():
        fill_desks()
        people = [user_id(login) for login in ("tsapkova", "cherniavska", "sorokina", "dyspetcher")]
    outcomes: list[str] = []
    start = threading.Barrier(len(people))

    def at_once(person: int, act) -> None:
        with app.app_context():
            start.wait()
            try:
                with transaction() as session:
                    act(session, session.get_one(User, person))
                outcomes.append("done")
            except (WaitsAlready, TakenOverAlready) as error:
                outcomes.append(type(error).__name__)
            db.session.remove()

    def all_at_once(act) -> list[str]:
        outcomes.clear()
        threads = [threading.Thread(target=at_once, args=(person, act)) for person in people]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sorted(outcomes)

    assert all_at_once(lambda session, user: hand_over(session, user, "", now())) == ["WaitsAlready"] * 3 + ["done"]
    taken = all_at_once(
        lambda session, user: take_over(session, session.scalars(select(ShiftSheet)).one(), user, now())
    )
    assert taken == ["TakenOverAlready"] * 3 + ["done"]
    with app.app_context():
        assert len(db.session.scalars(select(ShiftSheet.id)).all()) == 1
    close_database(app)


def test_names_stay_with_who_is_switched_off(web: Flask):
    browser = logged_in(web, "tsapkova")
    browser.post("/shift", {"remarks": ""}, page="/me")
    stored_user(web, "tsapkova", active=False)
    assert "Цапкова" in logged_in(web, "sorokina").get("/shift/1").text


def test_a_talk_without_an_answer_promises_no_call_and_the_machine_promises_a_person(web: Flask):
    talked, promised = done(web), done(web)
    with web.app_context(), transaction() as session:
        user = session.scalar(select(User).where(User.login == "dyspetcher"))
        move_task(session, session.get_one(CallTask, talked), Move(TaskEvent.TALKED, user), now())
        wants = Move(TaskEvent.HANDED, why=Why.ASKED_FOR_PERSON)
        move_task(session, session.get_one(CallTask, promised), wants, now())
    with web.app_context():
        rows = figures_now(db.session(), now())["promised"]["rows"]
    assert [(row["id"], row["by"]) for row in rows] == [(promised, "")]
    listed = logged_in(web, "tsapkova").get("/shift").text.partition('id="promised"')[2].partition("</section>")[0]
    assert ">автомат</td>" in listed


def test_a_call_at_a_time_that_was_promised_stands_on_the_sheet_until_it_is_made(web: Flask):
    task_id = done(web)
    report_id = task_of(web, task_id).report_id
    with web.app_context(), transaction() as session:
        task, user = session.get_one(CallTask, task_id), session.scalar(select(User).where(User.login == "dyspetcher"))
        task.due_at = now() + timedelta(hours=2)
        move_task(session, task, Move(TaskEvent.POSTPONED, user), now())
    browser = logged_in(web, "tsapkova")
    page = browser.get("/shift").text
    promised = page.partition('id="promised"')[2].partition("</section>")[0]
    assert number_of(web, report_id) in promised
    assert f"/tasks/{task_id}" in promised
    browser.post("/shift", {"remarks": ""}, page="/shift")
    with web.app_context(), transaction() as session:
        move_task(session, session.get_one(CallTask, task_id), Move(TaskEvent.SETTLED), now())
    with web.app_context():
        assert figures_now(db.session(), now())["promised"]["count"] == 0
    assert number_of(web, report_id) in browser.get("/shift/1").text  # as it was
