"""What citizens said after the tone: kept once with the report, heard by those whose business it is (S 3.2, A3)."""

import io
import os
import sqlite3
import zipfile
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from jobs.app import bare_app
from jobs.callfacts import Began, CallEnded, apply
from jobs.filestore import Checked, keep, path_of, stored
from jobs.remarks import STILL_SPOKEN, keep_remarks, message_path, remark_path, says_something
from jobs.settings import Settings
from jobs.sound import is_spoken
from jobs.sound import tone as beep
from models.attachments import (
    REMARK_NAME,
    REMARK_TYPE,
    Attachment,
    StoredFile,
    hand_messages_on,
    keep_remark,
    messages_of,
)
from models.attempts import Attempt, AttemptState, AttemptTask
from models.base import db, now, transaction
from models.calls import Call
from models.calltasks import CallTask, Purpose, add_task
from models.drafts import register_draft
from models.erasure import anonymise_report, erase_person
from models.hours import Hours, OutOfHours
from models.kept import unlocked
from models.lines import Line, Timetable, timetable, timetables
from models.people import AccessLog, Organisation, Role, User
from models.personal import Sought
from models.reports import HistoryRow, Report, ReportState
from models.settling import Sign, settle_called_back
from models.task_rules import sync_tasks
from models.waiting import missed_calls
from models.workdays import WorkCalendar
from tests.call_fixtures import Calls
from tests.desk_fixtures import fill_desks
from tests.helpers import AREA_CODE, close_database
from tests.speech_fixtures import tone
from tests.web_fixtures import logged_in, register

SPOKEN = tone(2.4, rate=8000)
# seconds since the exchange wrote into it
LONG_AGO, A_MOMENT_AGO, MAY_GO_ON, IS_OVER = 60.0, 2.0, STILL_SPOKEN - 30, STILL_SPOKEN + 1


@pytest.fixture
def asking(calls: Calls) -> tuple[int, int]:
    """A citizen is being asked about a report: the attempt and its task."""
    calls.done()
    calls.sync()
    (attempt_id,) = calls.dial()
    return attempt_id, calls.tasks()[0].id


@pytest.fixture
def asked(calls: Calls, asking: tuple[int, int]) -> tuple[int, int]:
    """The call has ended."""
    calls.hear(asking[0], Sign.GONE)
    return asking


def record(app: Flask, attempt_id: int, task_id: int, content: bytes = SPOKEN, ago: float = LONG_AGO) -> Path:
    path = remark_path(app.config["SETTINGS"], attempt_id, task_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (now().timestamp() - ago,) * 2)
    return path


def kept() -> list[Attachment]:
    db.session.rollback()
    return list(db.session.scalars(select(Attachment)))


def test_what_was_said_is_kept_once_with_the_report(app: Flask, asked: tuple[int, int]) -> None:
    for content in (SPOKEN, SPOKEN, tone(3, rate=8000)):  # found again after a crash before it was taken away
        path = record(app, *asked, content)
        assert keep_remarks(app, now()) == ""
        assert not path.exists()
    (file,) = kept()
    assert ((file.attempt_id, file.task_id), file.seconds, file.user_id) == (asked, 2, None)
    assert path_of(app.config["SETTINGS"], file.sha256).read_bytes() == SPOKEN
    assert abs((now() - file.at).total_seconds() - LONG_AGO) < 30
    events = db.session.scalars(select(HistoryRow.event).where(HistoryRow.report_id == file.report_id)).all()
    assert events.count("remark") == 1


@pytest.mark.parametrize("ago", [A_MOMENT_AGO, LONG_AGO, MAY_GO_ON])
def test_until_the_call_has_ended_its_recording_is_left(
    app: Flask, calls: Calls, asking: tuple[int, int], ago: float
) -> None:
    """On a line that sends nothing in a pause nothing is written either, and they may speak on."""
    path = record(app, *asking, ago=ago)
    keep_remarks(app, now())
    assert (path.exists(), kept()) == (True, [])
    calls.hear(asking[0], Sign.GONE)
    keep_remarks(app, now())
    assert (path.exists(), len(kept())) == (False, 1)


def test_what_was_said_in_a_call_of_which_nobody_tells_how_it_ended_is_kept(
    app: Flask, asking: tuple[int, int]
) -> None:
    """Nobody can speak for so long."""
    path = record(app, *asking, ago=IS_OVER)
    keep_remarks(app, now())
    assert (path.exists(), len(kept())) == (False, 1)


@pytest.mark.parametrize("told", [0, 16_000, 10**6], ids=["of its beginning", "of the first part", "of too much"])
def test_a_recording_that_was_broken_off_plays_whole(app: Flask, asked: tuple[int, int], told: int) -> None:
    """A power cut, or the exchange's end: its header is that of an earlier moment."""
    head = b"".join((SPOKEN[:4], (told + 36).to_bytes(4, "little"), SPOKEN[8:40], told.to_bytes(4, "little")))
    record(app, *asked, head + SPOKEN[44:] + b"\1")  # a half of the next sample
    assert keep_remarks(app, now()) == ""
    (file,) = kept()
    assert file.seconds == 2
    assert path_of(app.config["SETTINGS"], file.sha256).read_bytes() == SPOKEN


@pytest.mark.parametrize("seconds", [0.0, 0.4, 0.6, 1.2])
def test_what_its_speaker_is_thanked_for_is_kept(app: Flask, asked: tuple[int, int], seconds: float) -> None:
    """The same rule: silence and a click are neither, however long the exchange recorded."""
    silence = bytes(2 * 16_000)
    path = record(app, *asked, tone(seconds, rate=8000) + silence)
    said = says_something(path)
    keep_remarks(app, now())
    assert (said, len(kept())) == (seconds > 0.5, int(seconds > 0.5))


@pytest.mark.parametrize(
    "content",
    [tone(4, rate=8000, loud=0.001), tone(0.3, rate=8000), b"", b"no sound"],
    ids=["silent", "too short", "empty", "garbled"],
)
def test_what_says_nothing_is_thrown_away(app: Flask, asked: tuple[int, int], content: bytes) -> None:
    path = record(app, *asked, content)
    assert keep_remarks(app, now()) == ""
    assert not path.exists()
    assert (kept(), list(stored(app.config["SETTINGS"]))) == ([], [])


@pytest.mark.parametrize(("of_another", "ago"), [((0, 100), LONG_AGO), ((100, 0), IS_OVER)])
def test_what_belongs_to_no_question_is_not_kept(
    app: Flask, asked: tuple[int, int], of_another: tuple[int, int], ago: float
) -> None:
    path = record(app, asked[0] + of_another[0], asked[1] + of_another[1], ago=ago)
    keep_remarks(app, now())
    assert (kept(), path.exists()) == ([], False)


def test_nothing_is_kept_of_whose_data_were_taken_out_meanwhile(app: Flask, asked: tuple[int, int]) -> None:
    """A3"""
    with transaction() as session, unlocked(session):
        anonymise_report(session, session.scalars(select(Report)).one(), None, "", texts=False, at=now())
    path = record(app, *asked)
    keep_remarks(app, now())
    assert (kept(), path.exists()) == ([], False)


@pytest.mark.parametrize("ago", [LONG_AGO, IS_OVER])
def test_a_database_that_is_away_loses_no_word(app: Flask, asked: tuple[int, int], ago: float) -> None:
    path = record(app, *asked, ago=ago)
    impatient = bare_app(app.config["SETTINGS"], lock_seconds=0.1)
    with sqlite3.connect(app.config["SETTINGS"].var / "contact-center.sqlite3", isolation_level=None) as locked:
        locked.execute("BEGIN IMMEDIATE")
        with pytest.raises(OperationalError):
            keep_remarks(impatient, now())
        locked.execute("ROLLBACK")
    assert path.exists()
    keep_remarks(app, now())
    assert (len(kept()), path.exists()) == (1, False)


def test_one_that_breaks_hinders_no_other(app: Flask, asked: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    broken = record(app, asked[0], asked[1] + 1)
    path = record(app, *asked)

    def spoken(content: bytes, seconds: float) -> bool:
        if not broken_once:
            broken_once.append(1)
            raise ZeroDivisionError
        return is_spoken(content, seconds)

    broken_once: list[int] = []
    monkeypatch.setattr("jobs.remarks.is_spoken", spoken)
    assert keep_remarks(app, now()) == "A recording of a citizen cannot be kept, see the log of rounds."
    assert sum(one.exists() for one in (broken, path)) == 1  # the first that was read
    assert keep_remarks(app, now()) == ""
    assert len(kept()) == 1


def test_only_what_is_loud_enough_counts_as_spoken() -> None:
    """The tone itself is four tenths of a second; a quiet line is none."""
    assert [is_spoken(beep(), seconds) for seconds in (0.38, 0.42)] == [True, False]
    assert not is_spoken(tone(4, rate=8000, loud=0.002), 0.01)


# ---- on the page


def remark_of(web: Flask, report_id: int) -> int:
    """The applicant of the report left spoken words: the file's id."""
    with web.app_context():
        sha256 = keep(web.config["SETTINGS"], Checked(SPOKEN, REMARK_TYPE))
        with transaction() as session:
            task = add_task(session, Purpose.STATUS_CHECK, now(), now(), report_id=report_id, number="+380671234567")
            attempt = Attempt(number="+380671234567", state=AttemptState.SETTLED, planned_at=now())
            session.add(attempt)
            session.flush()
            session.add(AttemptTask(attempt_id=attempt.id, task_id=task.id, place=0))
            session.flush()
            file = StoredFile(sha256, REMARK_TYPE, len(SPOKEN), REMARK_NAME)
            assert keep_remark(session, attempt.id, task.id, file, 2, now())
        return db.session.scalars(select(Attachment.id)).one()


def test_it_is_heard_on_the_reports_page_and_who_listens_is_recorded(web: Flask) -> None:
    """A3, W2: by those who read the report's notes, and by nobody else."""
    report = register(web, "Не горить ліхтар")
    file = remark_of(web, report)
    with web.app_context(), transaction() as session:
        water = session.scalars(select(Organisation).where(Organisation.name.contains("водоканал"))).one()
        mine = session.scalars(select(User).where(User.login == "operator")).one()
        session.add(
            User(login="petro", name="П", password_hash=mine.password_hash, role=Role.OPERATOR, organisation=water)
        )
    for login in ("tsapkova", "operator", "kontrol"):
        browser = logged_in(web, login)
        page = browser.get(f"/reports/{report}").text
        assert f'src="/attachments/{file}"' in page
        assert f"/attachments/{file}/small" not in page
        answer = browser.get(f"/attachments/{file}", Range="bytes=0-43")
        assert (answer.status_code, answer.mimetype, answer.data) == (206, REMARK_TYPE, SPOKEN[:44])
        assert answer.headers["Content-Disposition"].startswith("inline")
        assert "media-src 'self'" in browser.get(f"/reports/{report}").headers["Content-Security-Policy"]
    assert logged_in(web, "petro").get(f"/attachments/{file}").status_code == 404
    with web.app_context():
        looks = db.session.scalars(select(AccessLog.user_id).where(AccessLog.subject == "attachment")).all()
    assert len(looks) == len(set(looks)) == 3


def test_nobody_adds_a_file_as_the_applicants_words(web: Flask) -> None:
    report = register(web, "Не горить ліхтар")
    form = {"act": "add_files", "revision": "0", "kind": "remark", "files": [(io.BytesIO(b"%PDF-1.4\n%%EOF"), "a.pdf")]}
    logged_in(web, "tsapkova").post(f"/reports/{report}/act", form, page="/me")
    with web.app_context():
        assert db.session.scalars(select(Attachment.kind)).all() == ["other"]


def test_it_goes_with_the_person_and_is_in_what_they_get(web: Flask) -> None:
    """A3: the export has it, the erasure takes row and file."""
    report = register(web, "Яма", number="0671234567")
    remark_of(web, report)
    with web.app_context(), transaction() as session:
        session.get_one(Report, report).state = "closed"
    head, whom = logged_in(web, "nachalnyk"), {"telephone": "067 123 45 67", "name": ""}
    with zipfile.ZipFile(io.BytesIO(head.post("/personal-data/person/export", whom, page="/me").data)) as packed:
        (name,) = [name for name in packed.namelist() if name.startswith("faily/")]
        assert (name[-4:], packed.read(name)) == (".wav", SPOKEN)
    sure = {**whom, "reason": "Заява № 5", "sure": "on"}
    assert head.post("/personal-data/person/erase", sure, page="/me").status_code == 302
    with web.app_context():
        assert kept() == []
        assert list(stored(web.config["SETTINGS"])) == []


def test_at_the_end_of_its_term_it_goes_too(web: Flask) -> None:
    report = register(web, "Яма")
    remark_of(web, report)
    with web.app_context(), transaction() as session, unlocked(session):
        anonymise_report(session, session.get_one(Report, report), None, "", texts=False, at=now())
    with web.app_context():
        assert kept() == []


# ---- a message of who called out of hours (I2)

CALL = "romny-1795447350.7"


def tell(app: Flask, *facts: Began | CallEnded) -> None:
    with app.app_context(), transaction() as session:
        apply(session, facts, AREA_CODE)


def missed_call(app: Flask) -> None:
    tell(app, Began(CALL, "53273", "0671234567", "", now()), CallEnded(CALL, now(), 16))


def leave_message(app: Flask, content: bytes = SPOKEN, ago: float = LONG_AGO) -> Path:
    path = message_path(app.config["SETTINGS"], CALL)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (now().timestamp() - ago,) * 2)
    return path


def test_a_message_is_kept_once_with_the_draft_of_its_call(app: Flask) -> None:
    missed_call(app)
    for _ in range(2):
        path = leave_message(app)
        assert keep_remarks(app, now()) == ""
        assert not path.exists()
    (file,) = kept()
    assert (file.kind, file.seconds, file.spoken, file.report.call.uniqueid) == ("message", 2, True, CALL)
    assert messages_of(db.session(), file.report) == [file]
    events = db.session.scalars(select(HistoryRow.event).where(HistoryRow.report_id == file.report_id)).all()
    assert events.count("remark") == 1


@pytest.mark.parametrize("ago", [A_MOMENT_AGO, MAY_GO_ON])
def test_a_message_is_left_until_its_call_has_ended(app: Flask, ago: float) -> None:
    """It goes on after a pause of any length."""
    tell(app, Began(CALL, "53273", "0671234567", "", now()))
    path = leave_message(app, ago=ago)
    keep_remarks(app, now())
    assert (path.exists(), kept()) == (True, [])
    tell(app, CallEnded(CALL, now(), 16))
    keep_remarks(app, now())
    assert (path.exists(), len(kept())) == (False, 1)


def test_a_message_of_a_call_whose_end_was_lost_is_kept(app: Flask) -> None:
    tell(app, Began(CALL, "53273", "0671234567", "", now()))
    path = leave_message(app, ago=IS_OVER)
    keep_remarks(app, now())
    assert (path.exists(), len(kept())) == (False, 1)


@pytest.mark.parametrize("ago", [LONG_AGO, IS_OVER])
def test_a_message_waits_for_its_call_to_be_written_down(app: Flask, ago: float) -> None:
    """Promise 2: the draft may be recovered later."""
    path = leave_message(app, ago=ago)
    keep_remarks(app, now())
    assert (path.exists(), kept()) == (True, [])
    missed_call(app)
    keep_remarks(app, now())
    assert (path.exists(), len(kept())) == (False, 1)


def test_a_message_of_no_call_is_thrown_away_after_a_day(app: Flask) -> None:
    path = leave_message(app, ago=25 * 3600)
    keep_remarks(app, now())
    assert (path.exists(), kept()) == (False, [])


@pytest.mark.parametrize("content", [tone(4, rate=8000, loud=0.001), tone(0.4, rate=8000), b""])
def test_an_empty_silent_or_short_message_is_none(app: Flask, content: bytes) -> None:
    missed_call(app)
    path = leave_message(app, content)
    assert keep_remarks(app, now()) == ""
    assert (path.exists(), kept()) == (False, [])


def test_no_name_leads_out_of_the_folder(app: Flask) -> None:
    settings = app.config["SETTINGS"]
    assert [message_path(settings, name) for name in ("", "..", "../a.1", "a.1/../b.2", "é", "a.1\n")] == [None] * 6


def test_a_message_plays_beside_the_form_and_the_list_says_that_there_is_one(web: Flask) -> None:
    """Also from the draft of a later call in which nothing was said; not with the draft of somebody else."""
    missed_call(web)
    later = [Began("romny-2.1", "53273", "0671234567", "", now()), CallEnded("romny-2.1", now(), 16)]
    other = [Began("romny-3.1", "53273", "0679999999", "", now()), CallEnded("romny-3.1", now(), 16)]
    with web.app_context():
        with transaction() as session:
            apply(session, later + other, AREA_CODE)
        leave_message(web)
        assert keep_remarks(web, now()) == ""
        (file,) = [one.id for one in kept()]
        rows = db.session.execute(select(Call.uniqueid, Report.id).join(Report, Report.call_id == Call.id)).all()
        drafts = dict(rows)
    browser = logged_in(web, "tsapkova")
    assert browser.get("/desk/lists").text.count("є голосове повідомлення") == 1
    for name, heard in ((CALL, True), ("romny-2.1", True), ("romny-3.1", False)):
        page = browser.get(f"/drafts/{drafts[name]}").text
        assert (f'src="/attachments/{file}"' in page) is heard, name
    answer = browser.get(f"/attachments/{file}")
    assert (answer.status_code, answer.mimetype, answer.data) == (200, REMARK_TYPE, SPOKEN)
    for login in ("operator", "kontrol", "tekhnik"):
        assert logged_in(web, login).get(f"/attachments/{file}").status_code in (403, 404), login


def test_a_message_is_heard_where_the_call_back_is_made(web: Flask) -> None:
    missed_call(web)
    with web.app_context():
        leave_message(web)
        keep_remarks(web, now())
        (file,) = [one.id for one in kept()]
        with transaction() as session:
            add_task(session, Purpose.CALL_BACK, now(), now(), number="+380671234567")
        task = db.session.scalars(select(CallTask.id)).one()
    page = logged_in(web, "tsapkova").get(f"/calls?task={task}").text
    assert f'src="/attachments/{file}"' in page


def called_again(web: Flask) -> tuple[int, int, int, int]:
    """They left a message and called once more: the file, the drafts of the first and the second call, the task."""
    missed_call(web)
    again = [Began("romny-2.1", "53273", "0671234567", "", now()), CallEnded("romny-2.1", now(), 16)]
    with web.app_context():
        with transaction() as session:
            apply(session, again, AREA_CODE)
        leave_message(web)
        assert keep_remarks(web, now()) == ""
        with transaction() as session:
            sync_tasks(session, WorkCalendar(), now())
        (file,) = [one.id for one in kept()]
        first, second = db.session.scalars(select(Report.id).order_by(Report.id))
        return file, first, second, db.session.scalars(select(CallTask.id)).one()


def test_a_message_is_heard_while_they_talk_in_the_draft_and_in_the_report_that_comes_of_it(web: Flask) -> None:
    """Also where they have called again since, and after that call they were called back."""
    file, first, second, task_id = called_again(web)
    with web.app_context(), transaction() as session:
        user = session.scalar(select(User).where(User.login == "tsapkova"))
        attempt = Attempt(
            number="+380671234567", user_id=user.id, planned_at=now(), dialled_at=now(), answered_at=now(),
            state=AttemptState.TALKING, parts=[AttemptTask(task_id=task_id, place=1)],
        )  # fmt: skip
        session.add(attempt)
        session.flush()
        settle_called_back(session, attempt)
        session.flush()
        sync_tasks(session, WorkCalendar(), now())
        assert not session.get_one(CallTask, task_id).open
    browser, heard = logged_in(web, "tsapkova"), f'src="/attachments/{file}"'
    for page in (f"/calls?task={task_id}", f"/drafts/{first}", f"/drafts/{second}"):
        assert heard in browser.get(page).text, page
    opened = browser.post(f"/calls/{task_id}/answer", {"said": "register"}, page="/me")
    assert opened.location == f"/drafts/{second}"
    with web.app_context():
        assert db.session.get_one(Report, first).state == ReportState.DROPPED
    assert heard in browser.get(opened.location).text
    with web.app_context(), transaction() as session:
        draft = session.get_one(Report, second)
        draft.text, draft.landmark, draft.category_id = "Немає води", "біля школи", 1
        register_draft(session, draft, session.scalar(select(User).where(User.login == "tsapkova")))
    page = browser.get(f"/reports/{second}").text
    assert heard in page
    assert "заявник залишив голосове повідомлення" in page
    assert browser.get(f"/attachments/{file}").status_code == 200


@pytest.mark.parametrize("said", ["consulted", "not_needed"])
def test_a_message_that_was_put_away_is_heard_again_once_that_is_undone(web: Flask, said: str) -> None:
    file, first, second, task_id = called_again(web)
    browser, heard = logged_in(web, "tsapkova"), f'src="/attachments/{file}"'
    browser.post(f"/calls/{task_id}/answer", {"anyway": said, "words": "Не треба"}, page="/me")
    assert heard in browser.get(f"/reports/{second}").text
    browser.post(f"/drafts/{second}/reopen", page="/me")
    with web.app_context(), transaction() as session:
        sync_tasks(session, WorkCalendar(), now())
    for page in (f"/calls?task={task_id}", f"/drafts/{first}", f"/drafts/{second}"):
        assert heard in browser.get(page).text, page


@pytest.mark.parametrize(("said", "owner"), [("consulted", 0), ("not_needed", 0), ("register", 1)])
def test_a_message_comes_back_with_the_draft_of_its_call_alone_and_stays_with_a_report(
    web: Flask, said: str, owner: int
) -> None:
    file, first, second, task_id = called_again(web)
    browser, heard = logged_in(web, "tsapkova"), f'src="/attachments/{file}"'
    browser.post(f"/calls/{task_id}/answer", {"anyway": said, "words": "Не треба"}, page="/me")
    with web.app_context(), transaction() as session:
        assert [one.report_id for one in kept()] == [second]
        if said == "register":
            draft = session.get_one(Report, second)
            draft.text, draft.landmark, draft.category_id = "Немає води", "біля школи", 1
            register_draft(session, draft, session.scalar(select(User).where(User.login == "tsapkova")))
    browser.post(f"/drafts/{first}/reopen", page="/me")
    with web.app_context(), transaction() as session:
        assert [one.report_id for one in kept()] == [(first, second)[owner]]
        sync_tasks(session, WorkCalendar(), now())
    if owner == 0:
        for page in (f"/calls?task={task_id}", f"/drafts/{first}"):
            assert heard in browser.get(page).text, page


def test_a_message_that_went_to_a_later_draft_is_erased_with_its_caller(web: Flask) -> None:
    _file, _first, second, task_id = called_again(web)
    answer = {"anyway": "not_needed", "words": "Не треба"}
    logged_in(web, "tsapkova").post(f"/calls/{task_id}/answer", answer, page="/me")
    with web.app_context():
        assert [one.report_id for one in kept()] == [second]
        with transaction() as session:
            head = session.scalar(select(User).where(User.login == "nachalnyk"))
            sought = Sought("+380671234567")
            erase_person(session, sought, head, "Заява", texts=False, mentions=(), at=now())
        assert kept() == []


def test_messages_and_hours_are_found_on_postgresql_too(postgres_settings: Settings) -> None:
    app = bare_app(postgres_settings)
    with app.app_context():
        fill_desks()
        for name, number in ((CALL, "0671234567"), ("romny-2.1", "0671234567"), ("romny-3.1", "")):
            with transaction() as session:
                facts = [Began(name, "53273", number, "", now()), CallEnded(name, now(), 16)]
                apply(session, facts, AREA_CODE)
        leave_message(app)
        assert keep_remarks(app, now()) == ""
        assert sorted((one.times, one.messages) for one in missed_calls(db.session())) == [(1, 0), (2, 1)]
        later = next(one.draft for one in missed_calls(db.session()) if one.times == 2)
        assert [file.kind for file in messages_of(db.session(), later)] == ["message"]
        with transaction() as session:
            first = session.scalars(select(Report).join(Report.call).where(Call.uniqueid == CALL)).one()
            hand_messages_on(session, first, session.get_one(Report, later.id), now())
        assert [file.report_id for file in kept()] == [later.id]
        with transaction() as session:
            line = session.scalars(select(Line).where(Line.number == "5-32-73")).one()
            line.workday_hours, line.out_of_hours = "08:00–17:00", OutOfHours.MESSAGE
        assert timetable(db.session(), "53273") == Timetable(Hours("08:00–17:00"))
        assert timetables(db.session()) == [Timetable(Hours("08:00–17:00"))]
    close_database(app)
