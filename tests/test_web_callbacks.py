"""The administrators' calls: back to those whom we missed, and to applicants of whom something is asked (C1, C4)."""

import re
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import event, select
from werkzeug.test import TestResponse

from models.acts import Act
from models.attachments import Attachment, AttachmentKind
from models.attempts import Attempt, End
from models.base import db, now, transaction
from models.callbacks import due_calls, undo_ending
from models.calling import Rules
from models.calls import Call, CallState
from models.calltasks import CallTask, Move, Purpose, TaskEvent, TaskState, Why, move_task
from models.dialling import Dialler, claim
from models.drafts import claim_draft, end_draft, register_draft, reopen_draft
from models.leases import Lines
from models.missed import waits_for_us
from models.people import AccessLog, User
from models.reports import HistoryEvent, HistoryRow, Report, ReportEvent, ReportState
from models.settling import AttemptLeg, Sign, note_leg
from models.task_rules import sync_tasks
from models.waiting import count_missed
from models.workdays import KYIV, WorkCalendar
from tests.desk_fixtures import Exchange, user_id
from tests.helpers import close_database, meanwhile
from tests.test_web_checks import task_of, woken  # noqa: F401
from tests.test_web_work import act
from tests.web_fixtures import filled_web, logged_in, register

CALENDAR = WorkCalendar()
NUMBER = "+380501112233"


def sync(web: Flask) -> None:
    with web.app_context(), transaction() as session:
        sync_tasks(session, CALENDAR, now())


def missed(web: Flask, number: str = "0501112233", minutes: int = 10) -> tuple[int, int]:
    """A call that nobody answered: the call-back's and the draft's ids."""
    _call, draft = Exchange(web).missed(number, timedelta(minutes=minutes))
    sync(web)
    with web.app_context():
        query = select(CallTask.id).where(CallTask.number == f"+38{number}", CallTask.purpose == Purpose.CALL_BACK)
        return db.session.scalars(query.order_by(CallTask.id.desc())).first(), draft


def over(web: Flask, report: int) -> int:
    """The report; the call that it came by was long ago."""
    with web.app_context(), transaction() as session:
        call = session.get_one(Report, report).call
        call.state, call.started_at = CallState.ENDED, now() - timedelta(days=1)
    return report


def question(web: Flask, words: str = "Який поверх?", login: str = "tsapkova") -> tuple[int, int]:
    """What an administrator asks the applicant of a new report: the task's and the report's ids."""
    report = over(web, register(web, "Не горить світло"))
    assert act(web, login, report, Act.ASK, words=words).status_code == 302
    with web.app_context():
        return db.session.scalars(select(CallTask.id).where(CallTask.report_id == report)).one(), report


def tell(web: Flask, task: int, said: str, login: str = "tsapkova", **values: str) -> TestResponse:
    """They have called from a telephone of their own, and say so."""
    return logged_in(web, login).post(f"/calls/{task}/answer", {"anyway": said, **values}, page="/me")


def call_of(web: Flask, draft: int) -> Call:
    with web.app_context():
        call = db.session.get_one(Report, draft).call
        db.session.refresh(call)
        db.session.expunge(call)
        return call


def state_of(web: Flask, report: int) -> str:
    with web.app_context():
        return db.session.scalars(select(Report.state).where(Report.id == report)).one()


def notes_of(web: Flask, report: int) -> list[tuple[str, str]]:
    with web.app_context():
        rows = select(HistoryRow.event, HistoryRow.note).where(HistoryRow.report_id == report, HistoryRow.note != "")
        return [tuple(row) for row in db.session.execute(rows.order_by(HistoryRow.id))]


def talk(web: Flask, task: int, attempt: int, login: str = "tsapkova") -> None:
    """The call that this person began is answered and ends, as the exchange would tell it; the rules have seen it."""
    with web.app_context(), transaction() as session:
        assert claim(session, Dialler(Rules(), Lines(3, 1), CALENDAR), attempt, now()) is None
        for end, sign, cause in (
            (End.OURS, Sign.UP, None),
            (End.THEIRS, Sign.RINGS, None),
            (End.THEIRS, Sign.UP, None),
            (End.THEIRS, Sign.GONE, 16),
        ):
            note_leg(session, AttemptLeg(attempt, end, sign, now(), cause), Rules(), CALENDAR)
    sync(web)
    assert task_of(web, task).why == Why.SPOKEN


# ---- the list


def test_who_waits_longest_is_first_and_nobody_stands_there_twice(web):
    later, _draft = missed(web, "0671112244", minutes=5)
    first, _draft = missed(web, minutes=50)
    missed(web, minutes=20)
    asked, report = question(web)
    page = logged_in(web, "tsapkova").get("/calls").text
    assert re.findall(r'<a href="/calls\?task=(\d+)"', page.split("<tbody>")[1]) == [
        str(first),
        str(later),
        str(asked),
    ]
    plain = page.replace("\u00a0", " ")
    assert "2 рази" in plain
    assert "5-32-73" in plain
    assert "50 хв" in plain
    assert "1112233" not in plain.replace(" ", "")
    desk = logged_in(web, "tsapkova").get("/").text
    assert f'href="/calls?task={first}"' in desk.split('id="missed"')[1]
    assert f'href="/reports/{report}"' not in desk.split('id="missed"')[1]
    assert "Уточнити в заявників" in desk
    for login in ("operator", "kontrol", "tekhnik"):
        assert logged_in(web, login).get("/calls").status_code == 403


def test_the_draft_of_a_missed_call_leads_to_its_call_back_and_to_no_other(web):
    """Also before the task is made; a colleague's draft has no such button."""
    missed(web, "0671112244", minutes=50)
    _call, draft = Exchange(web).missed("0501112233")
    browser = logged_in(web, "tsapkova")
    way = f"/calls?draft={draft}"
    assert f'href="{way}"' in browser.get(f"/drafts/{draft}").text
    assert browser.get(way).location == f"/drafts/{draft}"
    assert "ще немає у списку зворотних" in browser.get(f"/drafts/{draft}").text
    sync(web)
    with web.app_context():
        task = db.session.scalars(select(CallTask.id).where(CallTask.number == NUMBER)).one()
    assert browser.get(way).location == f"/calls?task={task}"
    browser.post(f"/drafts/{draft}/claim", page="/me")
    assert browser.get(way).location == f"/calls?task={task}"
    assert f'href="{way}"' not in logged_in(web, "cherniavska").get(f"/drafts/{draft}").text
    assert browser.get("/calls?draft=999").status_code == 404


def test_who_left_a_voice_message_is_asked_about_it(web):
    task, draft = missed(web)
    browser = logged_in(web, "tsapkova")
    assert "Ви нам телефонували, а ми не відповіли" in browser.get("/calls").text
    with web.app_context(), transaction() as session:
        file = {"name": "message.wav", "type": "audio/wav", "size": 1, "sha256": "0" * 64, "seconds": 7}
        session.add(Attachment(report_id=draft, kind=AttachmentKind.MESSAGE, at=now(), **file))
    page = browser.get("/calls").text
    assert "Ви залишили нам голосове повідомлення" in page
    assert "а ми не відповіли" not in page
    assert "<dt>Голосове повідомлення</dt>" in page
    assert "Пропущено" in browser.get(f"/drafts/{draft}").text
    assert tell(web, task, "register").location == f"/drafts/{draft}"
    head = browser.get(f"/drafts/{draft}").text.split('id="draft-head"')[1].split("</header>")[0]
    assert "спершу пропущений" in head
    assert "Пропущено" not in head


def test_without_anybody_to_call_the_page_says_what_will_be_here(web):
    assert "Зараз дзвонити нікому" in logged_in(web, "tsapkova").get("/calls").text


def test_who_it_may_be_and_their_open_reports_are_shown_and_the_look_is_recorded(web):
    report = over(web, register(web, "Яма", number="0501112233", applicant_name="Олена Коваль"))
    task, draft = missed(web)
    page = logged_in(web, "tsapkova").get(f"/calls?task={task}").text
    assert "можливо: Олена Коваль" in page
    assert f'<a href="/reports/{report}">' in page
    with web.app_context():
        looks = set(db.session.execute(select(AccessLog.subject, AccessLog.subject_id)).all())
    assert {("call", call_of(web, draft).id), ("list", report)} <= {tuple(look) for look in looks}


def test_a_call_back_that_a_colleague_works_on_is_theirs(web):
    task, draft = missed(web)
    with web.app_context(), transaction() as session:
        claim_draft(session, session.get_one(Report, draft), session.get_one(User, user_id("cherniavska")))
    assert "у роботі: Чернявська С. І." in logged_in(web, "tsapkova").get("/calls").text
    refused = tell(web, task, "not_needed", words="Не треба")
    assert refused.status_code == 409
    assert "Із цим дзвінком уже працює: Чернявська С. І." in refused.text
    assert ">Не треба</textarea>" in refused.text
    assert task_of(web, task).state == TaskState.WAITING


# ---- what came of a call back


@pytest.mark.parametrize(
    ("said", "words", "draft_state", "state", "why"),
    [
        ("register", "", ReportState.DRAFT, TaskState.SETTLED, Why.SPOKEN),
        ("consulted", "", ReportState.CONSULTATION, TaskState.SETTLED, Why.SPOKEN),
        ("wrong_number", "", ReportState.WRONG_NUMBER, TaskState.CANCELLED, Why.NOT_NEEDED),
        ("not_needed", "Уже приїхала бригада", ReportState.DROPPED, TaskState.CANCELLED, Why.NOT_NEEDED),
        ("not_reached", "", ReportState.DRAFT, TaskState.WAITING, None),
    ],
)
def test_what_each_key_does(said, words, draft_state, state, why, web):
    _call, earlier = Exchange(web).missed("0501112233", timedelta(minutes=30))
    task, draft = missed(web)
    answer = tell(web, task, said, words=words)
    assert answer.location == (f"/drafts/{draft}" if said == "register" else "/calls")
    found = task_of(web, task)
    assert (state_of(web, draft), found.state, found.why) == (draft_state, state, why)
    waits = said == "not_reached"
    assert state_of(web, earlier) == (ReportState.DRAFT if waits else ReportState.DROPPED)
    sync(web)
    with web.app_context():
        assert count_missed(db.session()) == (1 if waits else 0)
        assert db.session.scalars(select(CallTask.id)).all() == [task]
    assert (words in str(notes_of(web, draft))) or not words


def test_a_report_from_the_talk_is_the_draft_of_their_call_and_is_mine(web):
    task, draft = missed(web)
    tell(web, task, "register")
    with web.app_context():
        found = db.session.get_one(Report, draft)
        assert (found.contact_number, found.owner_id) == (NUMBER, user_id("tsapkova"))
    assert 'id="draft-form"' in logged_in(web, "tsapkova").get(f"/drafts/{draft}").text


def test_after_key_1_the_talk_is_shown_and_stands_on_the_reports_page(web, woken):  # noqa: F811
    """The citizen is still on the telephone while the form is filled in."""
    task, draft = missed(web)
    browser = logged_in(web, "tsapkova")
    assert browser.post(f"/calls/{task}/call", page="/me").status_code == 302

    def happens(*signs: tuple[End, Sign]) -> None:
        with web.app_context(), transaction() as session:
            for end, sign in signs:
                note_leg(session, AttemptLeg(woken[-1], end, sign, now(), 16), Rules(), CALENDAR)

    with web.app_context(), transaction() as session:
        assert claim(session, Dialler(Rules(), Lines(3, 1), CALENDAR), woken[-1], now()) is None
    happens((End.OURS, Sign.UP), (End.THEIRS, Sign.RINGS), (End.THEIRS, Sign.UP))
    answer = browser.post(f"/calls/{task}/answer", {"said": "register"}, page="/me")
    assert answer.location == f"/drafts/{draft}"
    assert "наш дзвінок" in browser.get(answer.location).text
    with web.app_context(), transaction() as session:
        found = session.get_one(Report, draft)
        found.text, found.landmark, found.category_id = "Не горить ліхтар", "біля школи", 1
        register_draft(session, found, session.get_one(User, user_id("tsapkova")))
    assert "наш передзвін — Цапкова О. П.: розмова" in browser.get(f"/reports/{draft}").text.replace("\u00a0", " ")
    happens((End.THEIRS, Sign.GONE))
    assert "наш дзвінок" not in browser.get("/desk/live").text
    assert "наш передзвін — Цапкова О. П.: відповіли" in browser.get(f"/reports/{draft}").text.replace("\u00a0", " ")


def test_a_talk_about_their_report_is_added_to_it_with_their_words(web):
    report = over(web, register(web, "Яма", number="0501112233"))
    foreign = over(web, register(web, "Немає води", number="0671112244"))
    task, draft = missed(web)
    for about in ("", str(foreign)):
        refused = tell(web, task, "about", words="Ще не засипали", about=about)
        assert refused.status_code == 422
        assert ">Ще не засипали</textarea>" in refused.text
    assert tell(web, task, "about", words="Ще не засипали", about=str(report)).location == "/calls"
    assert state_of(web, draft) == ReportState.ATTACHED
    assert (HistoryEvent.APPLICANT_CALLED, "Ще не засипали") in notes_of(web, report)
    assert task_of(web, task).why == Why.SPOKEN


def test_later_is_a_time_that_they_name_and_not_needed_has_a_reason(web):
    task, _draft = missed(web)
    tomorrow = (now() + timedelta(days=1)).astimezone(KYIV).replace(hour=15, minute=30, second=0, microsecond=0)
    assert tell(web, task, "later", later_day="2020-01-01", later_time="10:00").status_code == 422
    assert tell(web, task, "later", later_day=f"{tomorrow:%Y-%m-%d}", later_time="15:30").location == "/calls"
    assert task_of(web, task).due_at == tomorrow
    for page in ("/calls", "/"):
        assert "не раніше" in logged_in(web, "tsapkova").get(page).text
    refused = tell(web, task, "not_needed", words=" ")
    assert refused.status_code == 422
    assert "чому дзвонити не треба" in refused.text


def test_after_three_calls_in_vain_from_any_telephone_a_person_decides(web):
    task, _draft = missed(web)
    for _ in range(3):
        tell(web, task, "not_reached")
    assert (task_of(web, task).state, task_of(web, task).why) == (TaskState.PERSON, Why.TRIES_OVER)


def test_a_talk_settles_it_and_its_key_is_still_asked_for(web, woken):  # noqa: F811
    """C1: the rule settles the call-back while they talk; who talks says afterwards what came of it."""
    task, draft = missed(web)
    browser = logged_in(web, "cherniavska")
    assert browser.post(f"/calls/{task}/call", page="/me").location == f"/calls?task={task}"
    talk(web, task, woken[0])
    assert f'data-task="{task}"' in browser.get(f"/calls?task={task}").text
    assert f'data-task="{task}"' in browser.get("/calls").text
    assert f"/drafts/{draft}" not in logged_in(web, "tsapkova").get("/desk/lists").text  # it is on her screen
    assert f'data-task="{task}"' not in logged_in(web, "tsapkova").get(f"/calls?task={task}").text
    assert tell(web, task, "consulted").status_code == 409  # it was not her talk
    assert tell(web, task, "consulted", "cherniavska").location == "/calls"
    assert state_of(web, draft) == ReportState.CONSULTATION
    assert call_of(web, draft).settled_by_attempt_id == woken[0]
    assert "Зараз дзвонити нікому" in browser.get("/calls").text


def test_an_answering_machine_is_no_person_and_the_call_back_waits_on(web, woken):  # noqa: F811
    """Unreachable is never settled: not reached, or asked to call later, gives the duty back."""
    task, draft = missed(web)
    logged_in(web, "cherniavska").post(f"/calls/{task}/call", page="/me")
    talk(web, task, woken[0])
    tell(web, task, "not_reached", "cherniavska")
    sync(web)
    found = task_of(web, task)
    assert (found.state, found.settled_at, found.due_at > now()) == (TaskState.WAITING, None, True)
    assert not call_of(web, draft).settled
    with web.app_context():
        assert count_missed(db.session()) == 1


def test_a_draft_that_is_opened_again_is_to_be_called_back_again(web):
    task, draft = missed(web)
    with web.app_context(), transaction() as session:
        found, user = session.get_one(Report, draft), session.get_one(User, user_id("tsapkova"))
        end_draft(session, found, user, ReportEvent.DROPPED)
        sync_tasks(session, CALENDAR, now())
        assert session.get_one(CallTask, task).state == TaskState.SETTLED
        reopen_draft(session, found, user)
        sync_tasks(session, CALENDAR, now())
        assert session.get_one(CallTask, task).state == TaskState.WAITING


@pytest.mark.parametrize("said", ["consulted", "wrong_number", "not_needed"])
def test_who_was_dealt_with_by_a_wrong_key_waits_again_once_it_is_undone(web, said):
    """C1: for all their calls, in the same task; also where only one of the earlier ones is opened again."""
    browser = logged_in(web, "tsapkova")
    _task, earlier = missed(web, minutes=30)
    task, draft = missed(web)
    tell(web, task, said, words="Не треба")
    sync(web)
    assert (state_of(web, earlier), task_of(web, task).open) == (ReportState.DROPPED, False)
    assert browser.post(f"/drafts/{draft}/reopen", page="/me").status_code == 302
    sync(web)
    assert (state_of(web, draft), state_of(web, earlier)) == (ReportState.DRAFT, ReportState.DRAFT)
    assert not call_of(web, draft).settled
    assert not call_of(web, earlier).settled
    assert task_of(web, task).state == TaskState.WAITING
    with web.app_context():
        (row,) = due_calls(db.session()).rows
        assert (row.task.id, row.times, row.by.login) == (task, 2, "tsapkova")
    tell(web, task, said, words="Не треба")
    sync(web)
    assert browser.post(f"/drafts/{earlier}/reopen", page="/me").status_code == 302
    sync(web)
    assert (state_of(web, draft) == ReportState.DRAFT, state_of(web, earlier)) == (False, ReportState.DRAFT)
    with web.app_context():
        assert waits_for_us(db.session(), NUMBER)
        assert [(row.task.id, row.times) for row in due_calls(db.session()).rows] == [(task, 1)]


def test_the_drafts_that_come_back_are_found_by_their_calls(web):
    """Not among all drafts that were ever dropped: nobody else writes meanwhile."""
    missed(web, minutes=30)
    task, draft = missed(web)
    tell(web, task, "not_needed", words="Не треба")
    statements = []
    with web.app_context(), transaction() as session:
        event.listen(db.engine, "before_cursor_execute", lambda *args: statements.append((args[2], args[3])))
        undo_ending(session, session.get_one(Report, draft), session.get_one(User, user_id("tsapkova")))
        asked = [found for found in statements if "reports.call_id IN" in found[0]]
        connection = session.connection()
        plans = [connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values).all() for sql, values in asked]
    assert len(plans) == 2  # the drafts, and what was said in their calls
    assert all(any("SEARCH reports" in row[3] and "(call_id=?)" in row[3] for row in plan) for plan in plans)


def test_a_call_back_that_two_open_again_is_opened_once(postgres_settings):
    web = filled_web(postgres_settings)
    task, draft = missed(web)
    tell(web, task, "not_needed", words="Не треба")
    sync(web)
    with web.app_context(), transaction() as session:
        undo_ending(session, session.get_one(Report, draft), session.get_one(User, user_id("tsapkova")))
    with web.app_context(), transaction() as session:
        former = session.get_one(CallTask, task, with_for_update=True)
        move_task(session, former, Move(TaskEvent.REOPENED), now())
        session.flush()
        other = meanwhile(session, lambda: sync(web))
    other.join(20)
    with web.app_context():
        events = [row.event for row in db.session.get_one(CallTask, task).events]
        assert (task_of(web, task).open, events.count(TaskEvent.REOPENED)) == (True, 1)
    close_database(web)


def test_a_draft_that_is_opened_again_after_a_talk_is_nobody_s_call_back(web, woken):  # noqa: F811
    task, draft = missed(web)
    logged_in(web, "cherniavska").post(f"/calls/{task}/call", page="/me")
    talk(web, task, woken[0])
    tell(web, task, "consulted", "cherniavska")
    logged_in(web, "cherniavska").post(f"/drafts/{draft}/reopen", page="/me")
    sync(web)
    assert state_of(web, draft) == ReportState.DRAFT
    assert (task_of(web, task).open, call_of(web, draft).settled_by_attempt_id) == (False, woken[0])


def test_a_call_back_whose_number_was_erased_touches_no_stranger(web):
    """Each withheld number is a stranger's: none of them is the one that was erased."""
    task, _draft = missed(web)
    _call, stranger = Exchange(web).missed("anonymous")
    with web.app_context(), transaction() as session:
        session.get_one(CallTask, task).number = None
    page = logged_in(web, "tsapkova").get("/calls").text
    assert f'data-task="{task}"' not in page
    assert f"/calls?task={task}" not in page
    assert tell(web, task, "not_needed", words="Не треба").status_code == 409
    assert state_of(web, stranger) == ReportState.DRAFT
    with web.app_context(), transaction() as session:
        at, user = now(), session.get_one(User, user_id("tsapkova"))
        end_draft(session, session.get_one(Report, stranger), user, ReportEvent.DROPPED, "Чуже слово", at)
        move_task(session, session.get_one(CallTask, task), Move(TaskEvent.CANCELLED, user, Why.NOT_NEEDED), at)
    assert "Чуже слово" not in logged_in(web, "tsapkova").get(f"/tasks/{task}").text


def test_a_call_back_whose_draft_a_colleague_has_ended_is_over_at_once(web, woken):  # noqa: F811
    """Also before the rules have seen it: nobody is called, the next one is there, and what was typed is not lost."""
    task, draft = missed(web, minutes=50)
    other, _draft = missed(web, "0671112244")
    with web.app_context(), transaction() as session:
        user = session.get_one(User, user_id("cherniavska"))
        end_draft(session, session.get_one(Report, draft), user, ReportEvent.DROPPED)
    browser = logged_in(web, "tsapkova")
    assert task_of(web, task).open
    shown = browser.get(f"/calls?task={task}")
    called = browser.post(f"/calls/{task}/call", page="/me")
    for page, sentence in ((shown, "тим часом уже завершили"), (called, "Причини телефонувати вже немає")):
        assert sentence in page.text
        assert f'data-task="{other}"' in page.text
    assert (shown.status_code, called.status_code, woken) == (200, 409, [])
    kept = tell(web, task, "not_needed", words="Приїхали")
    assert kept.status_code == 409
    assert "Ви написали: «Приїхали»" in kept.text
    assert ">Приїхали</textarea>" not in kept.text


def test_a_key_of_another_page_is_refused_and_changes_nothing(web):
    task, _draft = missed(web)
    assert tell(web, task, "done").status_code == 409
    assert tell(web, task, "nothing").status_code == 400
    browser = logged_in(web, "tsapkova")
    assert browser.post(f"/checks/{task}/answer", {"said": "done"}, page="/me").status_code == 404
    assert task_of(web, task).state == TaskState.WAITING


# ---- questions to applicants


def test_a_question_is_asked_once_and_a_second_one_adds_to_it(web):
    """R 4.4: by administrators and the head of the centre; operators and dispatchers have no such act."""
    task, report = question(web)
    assert act(web, "nachalnyk", report, Act.ASK, words="Чи є код?").status_code == 302
    assert act(web, "nachalnyk", report, Act.ASK, words="Чи є код?").status_code == 302  # pressed twice
    assert task_of(web, task).words == "Який поверх?\n\nЧи є код?"
    assert notes_of(web, report) == [
        (HistoryEvent.CLARIFICATION_ASKED, "Який поверх?"),
        (HistoryEvent.CLARIFICATION_ASKED, "Чи є код?"),
    ]
    page = logged_in(web, "tsapkova").get(f"/reports/{report}").text
    assert "Треба уточнити в заявника" in page
    for login in ("operator", "dyspetcher"):
        assert act(web, login, report, Act.ASK, words="Код?").status_code == 403
    assert act(web, "tsapkova", report, Act.ASK, words=" ").status_code == 422


@pytest.mark.parametrize(("public", "event"), [("", HistoryEvent.NOTE), ("yes", HistoryEvent.PUBLIC_NOTE)])
def test_the_answer_stands_in_the_report(public, event, web):
    task, report = question(web)
    assert tell(web, task, "answer", "dyspetcher", words=" ").status_code == 422
    values = {"public": public} if public else {}
    assert tell(web, task, "answer", "dyspetcher", words="Третій поверх", **values).location == "/calls"
    assert notes_of(web, report)[-1] == (event, "Заявник уточнив: Третій поверх")
    assert (task_of(web, task).state, task_of(web, task).why) == (TaskState.SETTLED, Why.ANSWERED)
    late = tell(web, task, "answer", words="Четвертий")
    assert late.status_code == 409
    assert "Ви написали: «Четвертий»" in late.text


def test_a_question_waits_when_they_are_not_reached(web):
    task, _report = question(web)
    tell(web, task, "not_reached")
    assert (task_of(web, task).state, task_of(web, task).due_at > now()) == (TaskState.WAITING, True)


@pytest.mark.parametrize("where", ["report", "calls"])
def test_a_question_is_called_off_with_a_reason(where, web):
    task, report = question(web)
    if where == "report":
        assert act(web, "tsapkova", report, Act.CALL_OFF, words="").status_code == 422
        act(web, "tsapkova", report, Act.CALL_OFF, words="Знайшли самі")
    else:
        assert tell(web, task, "not_needed").status_code == 422
        tell(web, task, "not_needed", words="Знайшли самі")
    assert (task_of(web, task).state, task_of(web, task).why) == (TaskState.CANCELLED, Why.NOT_NEEDED)
    assert notes_of(web, report)[-1] == (HistoryEvent.CLARIFICATION_CALLED_OFF, "Знайшли самі")
    assert act(web, "tsapkova", report, Act.CALL_OFF, words="Ще раз").status_code == 409


def test_an_emergency_s_question_is_on_top_and_marked(web):
    """Before those who wait for a call back; on top of all stand the emergencies that nobody has accepted (I8)."""
    task, report = question(web)
    back, _draft = missed(web, minutes=50)
    browser = logged_in(web, "tsapkova")

    def listed() -> list[str]:
        return re.findall(r'<a href="/calls\?task=(\d+)"', browser.get("/calls").text.split("<tbody>")[1])

    assert listed() == [str(back), str(task)]
    with web.app_context(), transaction() as session:
        session.get_one(Report, report).emergency = True
    assert listed() == [str(task), str(back)]
    page = browser.get("/calls").text
    assert f'data-task="{task}"' in page
    assert page.split("check-head")[1].split("</div>")[0].count("аварійне") == 1
    assert page.split("<tbody>")[1].split("</tr>")[0].count("аварійне") == 1
    assert "АВАРІЙНЕ" in page.split('class="emergencies"')[1].split("<section")[0]


def test_the_number_of_who_is_to_be_called_is_shown_by_a_click_that_leaves_a_trace(web):
    asked, report = question(web)
    back, draft = missed(web)
    browser = logged_in(web, "tsapkova")
    for task, number in ((asked, "+380 67 123 45 67"), (back, "+380 50 111 22 33")):
        assert number not in browser.get(f"/calls?task={task}").text.replace("\u00a0", " ")
        assert number in browser.post(f"/calls/{task}/number", page="/me").text.replace("\u00a0", " ")
    with web.app_context():
        shown = AccessLog.reason == "number shown to be dialled"
        looks = {tuple(row) for row in db.session.execute(select(AccessLog.subject, AccessLog.subject_id).where(shown))}
    assert looks == {("report", report), ("call", call_of(web, draft).id)}


def test_of_a_settled_call_nobody_else_s_number_is_shown(web):
    settled, _draft = missed(web, minutes=50)
    missed(web, "0671112244")
    tell(web, settled, "not_needed", words="Приїхали")
    shown = logged_in(web, "tsapkova").post(f"/calls/{settled}/number", page="/me")
    assert shown.status_code == 404
    assert "111 22 44" not in shown.text.replace("\u00a0", " ")


def test_a_question_ends_with_its_report(web):
    task, report = question(web)
    with web.app_context(), transaction() as session:
        session.get_one(Report, report).state = ReportState.CLOSED
    sync(web)
    assert (task_of(web, task).state, task_of(web, task).why) == (TaskState.CANCELLED, Why.REPORT_MOVED)


@pytest.mark.parametrize("number", ["0900123456", "102", "+48221234567", "anonymous"])
def test_a_number_that_may_not_be_dialled_is_refused_with_the_reason(number, web):
    report = register(web, "Не горить світло", number=number)
    refused = act(web, "tsapkova", report, Act.ASK, words="Який поверх?")
    assert refused.status_code == 422
    assert "На цей номер" in refused.text
    assert ">Який поверх?</textarea>" in refused.text
    with web.app_context():
        assert db.session.scalars(select(CallTask)).all() == []
        assert db.session.scalars(select(Attempt)).all() == []


def test_what_was_recorded_says_of_which_call_and_leads_to_where_it_is_undone(web):
    browser = logged_in(web, "tsapkova")
    task, draft = missed(web)
    browser.post(f"/calls/{task}/answer", {"anyway": "wrong_number"}, page="/me")
    page = browser.get("/calls").text.replace("\u00a0", " ")
    hour = f"{call_of(web, draft).started_at.astimezone(KYIV):%H:%M}"
    assert re.search(rf"Записано: помилковий номер — дзвінок .*о {hour} на 5-\d\d-\d\d\.", page), page
    address = re.search(r'href="([^"]+)">Відкрити чернетку: там це можна скасувати', page)[1]
    assert f'action="{address}/reopen"' in browser.get(address).text
    task, waiting = missed(web, "0671112255")
    browser.post(f"/calls/{task}/answer", {"anyway": "not_reached"}, page="/me")
    page = browser.get("/calls").text
    assert "Відкрити чернетку" not in page  # it waits still
    assert state_of(web, waiting) == "draft"
