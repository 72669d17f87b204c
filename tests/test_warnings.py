"""Warnings by letter, with the clock handed in and a real mail server: to whom, when, each exactly once."""

import threading
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from models import work
from models.alerts import Alert
from models.base import db, transaction
from models.deadlines import Deadline, DeadlineKind, DeadlineStep
from models.executions import Execution
from models.looks import note_look
from models.outbox import CUT_OFF, Letter
from models.people import User
from models.pressing import count_pressing, to_warn, unaccepted_emergencies
from models.reports import HistoryRow, Report
from models.workdays import KYIV
from tests.mail_fixtures import ADDRESSES, MONDAY, Post

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
TUESDAY_AT_8 = datetime(2026, 11, 24, 8, 0, tzinfo=KYIV)


def act(post: Post, login: str, report_id: int, do, *words, at: datetime) -> None:
    with post.app.app_context(), transaction() as session:
        user = session.scalars(select(User).where(User.login == login)).one()
        do(session, session.get_one(Report, report_id), user, *words, at=at)


def rows(post: Post, query) -> list:
    with post.app.app_context():
        found = list(db.session.scalars(query))
        db.session.remove()
        return found


def deadline(post: Post, report_id: int, kind: DeadlineKind) -> Deadline:
    return rows(post, select(Deadline).where(Deadline.report_id == report_id, Deadline.kind == kind))[0]


def number(post: Post, report_id: int) -> str:
    return rows(post, select(Report.number).where(Report.id == report_id))[0]


def test_the_system_informs_the_head_within_the_working_day_and_keeps_that(post):
    """W3, R 4.2: with the next morning's summary; then the deadline is met, in nobody's name."""
    report = post.registered(MONDAY)
    post.rounds(MONDAY, TUESDAY_AT_8 - MINUTE, HOUR)
    assert post.office.got == []
    post.round(TUESDAY_AT_8)
    (letter,) = post.office.to("kerivnyk")
    assert number(post, report) in letter.get_content()
    assert f"https://centre.romny.example/reports/{report}" in letter.get_content()
    met = deadline(post, report, DeadlineKind.INFORM_HEAD)
    assert (met.met_at, met.late(TUESDAY_AT_8)) == (TUESDAY_AT_8, False)
    assert rows(post, select(Execution.informed_at)) == [TUESDAY_AT_8]
    informed = rows(post, select(HistoryRow).where(HistoryRow.event == "head_informed"))
    assert [(row.user_id, row.at) for row in informed] == [(None, TUESDAY_AT_8)]


def test_where_the_head_has_no_address_the_organisation_is_written_to_and_without_one_nobody(post):
    """W3: the operator confirms it then, and is reminded when it is late."""
    post.set_address("kerivnyk", "")
    report = post.registered(MONDAY)
    post.round(TUESDAY_AT_8)
    assert post.office.got == []
    post.set_organisations_address("Міськсвітло", "office@light.example")
    post.round(TUESDAY_AT_8 + MINUTE)
    assert [letter["To"] for letter in post.office.got] == ["office@light.example"]
    assert deadline(post, report, DeadlineKind.INFORM_HEAD).met_at == TUESDAY_AT_8 + MINUTE


def test_two_working_days_new_the_administrator_is_told_at_once_and_the_warning_is_recorded(post):
    """W4, R 4.3"""
    report = post.registered(MONDAY)
    due = deadline(post, report, DeadlineKind.ACCEPT).due_at
    assert due == datetime(2026, 11, 25, 18, 0, tzinfo=KYIV)
    post.rounds(due - HOUR, due)
    assert post.office.to("tsapkova") == []
    post.rounds(due + MINUTE, due + 3 * HOUR)
    (letter,) = post.office.to("tsapkova")
    assert "Оператора попереджено" in letter.get_content()
    assert [one["Subject"] for one in post.office.to("operator")][-1] == letter["Subject"]
    at = due + 4 * HOUR
    with post.app.app_context():
        assert [row.report_id for row in to_warn(db.session(), at).rows] == [report]
        assert count_pressing(db.session(), at).to_warn == 1
        db.session.remove()
    act(post, "tsapkova", report, work.warn, "телефоном", at=at)
    with post.app.app_context():
        assert count_pressing(db.session(), at + MINUTE).to_warn == 0
        db.session.remove()


def test_an_overdue_report_is_told_to_the_supervisor_and_the_head_in_one_summary(post):
    """W9, S 4.4"""
    reports = [post.registered(MONDAY, f"Яма {place}") for place in range(3)]
    for report in reports:
        act(post, "operator", report, work.accept, at=MONDAY + HOUR)
    late = deadline(post, reports[0], DeadlineKind.WORK).due_at + MINUTE  # on a Monday, at 18:01
    post.rounds(late, late + 13 * HOUR, HOUR)
    assert post.office.to("nachalnyk") == []
    post.rounds(late + 14 * HOUR, late + 20 * HOUR, HOUR)
    (summary,) = post.office.to("nachalnyk")
    body = summary.get_content()
    assert "Строк виконання минув" in body
    assert all(number(post, report) in body for report in reports)
    assert len([one for one in post.office.to("kerivnyk") if "Строк виконання минув" in one.get_content()]) == 1


def test_no_telephone_goes_out_in_a_letter(post):
    """A3: an administrator may have typed one into the landmark, and letters are read on the way."""
    post.registered(MONDAY, "Порив труби", emergency=True, street_id=None, landmark="дзвонити 067 123 98 76")
    post.round(MONDAY + MINUTE)
    assert len(post.office.got) == 2
    for letter in post.office.got:
        assert "дзвонити +380 67 ••• •• 76" in letter["Subject"]
        assert "98 76" not in letter["Subject"] + letter.get_content()


def test_an_emergency_is_told_to_operators_and_heads_at_once(post):
    """I8, S 3.2: and stands on top until it is accepted."""
    report = post.registered(MONDAY, "Порив труби", emergency=True)
    with post.app.app_context():
        assert [part.report_id for part in unaccepted_emergencies(db.session()).rows] == [report]
        assert count_pressing(db.session(), MONDAY).emergencies == 1
        db.session.remove()
    post.round(MONDAY + MINUTE)
    assert {letter["To"] for letter in post.office.got} == {ADDRESSES["operator"], ADDRESSES["kerivnyk"]}
    subjects = {letter["Subject"] for letter in post.office.got}
    assert subjects == {f"Аварійне повідомлення: №\u00a0{number(post, report)}, Вуличне освітлення, Київська, 12"}
    assert deadline(post, report, DeadlineKind.INFORM_HEAD).met_at == MONDAY + MINUTE
    act(post, "operator", report, work.accept, at=MONDAY + 12 * MINUTE)
    with post.app.app_context():
        assert unaccepted_emergencies(db.session()).count == 0
        db.session.remove()


def test_the_control_body_is_told_of_each_time_reasons_are_given(post):
    """W6, R 4.4"""
    report = post.registered(MONDAY)
    act(post, "operator", report, work.accept, at=MONDAY)
    for day in range(2):
        at = MONDAY + day * DAY
        act(post, "operator", report, work.give_reasons, "Коштів немає", at=at)
        post.rounds(at, at + DAY - HOUR, HOUR)
        assert len(post.office.to("kontrol")) == day + 1
        act(post, "kontrol", report, work.return_to_work, "Виконати", at + 9 * DAY, at=at + DAY - HOUR)


def test_who_has_not_looked_on_a_working_day_is_told_to_the_administrators(post):
    """W2, R 4.1: from the first round on, each day once; who looked is not named."""
    post.registered(MONDAY)
    post.registered(MONDAY, "Немає води", category=2)
    post.round(MONDAY)
    with post.app.app_context(), transaction() as session:
        note_look(session, session.scalars(select(User).where(User.login == "operator")).one(), MONDAY + HOUR)
    post.rounds(MONDAY + 9 * HOUR, TUESDAY_AT_8 + HOUR, HOUR)
    (letter,) = post.office.to("tsapkova")
    assert "«Міськводоканал», 23\u00a0листопада 2026" in letter.get_content()
    assert "Міськсвітло" not in letter.get_content()


def a_busy_day(post: Post) -> datetime:
    """Reports of which many warnings come due; the moment from which on."""
    for place in range(4):
        post.registered(MONDAY + place * MINUTE, f"Яма {place}")
    post.registered(MONDAY, "Порив труби", emergency=True)
    late = post.registered(MONDAY - 10 * DAY, "Давня яма")
    act(post, "operator", late, work.accept, at=MONDAY - 10 * DAY)
    return MONDAY


def everything_once(post: Post) -> None:
    """Each alert is in one letter, each letter came once, and no line of one stands in another."""
    alerts = rows(post, select(Alert))
    letters = rows(post, select(Letter))
    assert len(alerts) > 10
    assert all(alert.letter_id or alert.moot_at for alert in alerts)
    assert {letter.state for letter in letters} == {"sent"}
    came = [message["Message-ID"] for message in post.office.got]
    assert len(came) == len(set(came)) == len(letters)
    assert max(post.office.lines().values()) == 1


def test_every_warning_comes_once_though_the_mail_server_is_down_for_an_hour(post):
    """Also when the letters were written before it went, and while it is away."""
    begin = a_busy_day(post)
    post.round(begin)
    post.rounds(begin + MINUTE, datetime(2026, 11, 25, 17, 50, tzinfo=KYIV), 4 * HOUR)
    down = datetime(2026, 11, 25, 17, 55, tzinfo=KYIV)
    post.office.close()
    for minutes in range(0, 60, 5):
        trouble = post.round(down + minutes * MINUTE)
    assert trouble.startswith("The mail server does not answer")
    before = len(post.office.got)
    post.office.open()
    post.rounds(down + HOUR, datetime(2026, 12, 2, 12, 0, tzinfo=KYIV), 4 * HOUR)
    assert len(post.office.got) > before
    everything_once(post)


def test_after_days_of_being_off_everything_due_is_made_up_for_at_once_and_once(post):
    begin = a_busy_day(post)
    back = datetime(2026, 11, 26, 9, 30, tzinfo=KYIV)
    post.round(back)
    told = len(post.office.got)
    assert len(post.office.to("nachalnyk")) == 1  # the summary
    assert begin < back
    post.rounds(back + MINUTE, back + 5 * HOUR)
    assert len(post.office.got) == told
    everything_once(post)


@pytest.mark.parametrize("where", ["models.outbox.insert_new", "jobs.warn.write_letter", "jobs.mail.take_letter"])
def test_what_breaks_off_between_two_steps_is_made_up_for(post, monkeypatch, where):
    a_busy_day(post)
    at = TUESDAY_AT_8
    with monkeypatch.context() as broken:
        broken.setattr(where, lambda *_args, **_values: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            post.round(at)
    post.rounds(at + MINUTE, at + HOUR)
    everything_once(post)


def test_a_letter_cut_off_is_sent_again_as_the_same_letter(post, monkeypatch):
    """We died after the server took it: nobody knows, so it comes twice with one Message-ID, and is sent once."""
    post.registered(MONDAY, "Порив труби", emergency=True)
    with monkeypatch.context() as broken:
        broken.setattr("jobs.mail.letter_accepted", lambda *_args: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            post.round(MONDAY)
    cut_off = post.office.got[0]
    post.rounds(MONDAY + MINUTE, MONDAY + CUT_OFF - MINUTE, MINUTE)
    assert [letter["Message-ID"] for letter in post.office.got].count(cut_off["Message-ID"]) == 1
    post.rounds(MONDAY + CUT_OFF, MONDAY + 3 * CUT_OFF, MINUTE)
    assert [letter["Message-ID"] for letter in post.office.got].count(cut_off["Message-ID"]) == 2
    assert {letter.state for letter in rows(post, select(Letter))} == {"sent"}


def test_a_server_that_breaks_off_after_the_letter_gets_the_same_letter_again(post):
    post.registered(MONDAY, "Порив труби", emergency=True)
    post.office.cuts_off = True
    assert post.round(MONDAY).startswith("The mail server breaks the connection off")
    post.office.cuts_off = False
    post.rounds(MONDAY + MINUTE, MONDAY + HOUR, MINUTE)
    assert len({letter["Message-ID"] for letter in post.office.got}) == 2
    assert {letter.state for letter in rows(post, select(Letter))} == {"sent"}


def test_rounds_that_run_at_the_same_moment_tell_everything_once(post):
    a_busy_day(post)
    start = threading.Barrier(4)

    def run(at: datetime) -> None:
        start.wait(30)
        post.round(at)

    for at in (MONDAY, TUESDAY_AT_8, datetime(2026, 11, 25, 18, 1, tzinfo=KYIV)):
        threads = [threading.Thread(target=run, args=(at,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    post.rounds(datetime(2026, 11, 26, 8, 0, tzinfo=KYIV), datetime(2026, 11, 26, 9, 0, tzinfo=KYIV))
    everything_once(post)


def test_letters_hold_nothing_of_the_applicant(post):
    """A3"""
    values = {"applicant_name": "Мельник Олена", "flat": "77", "other_phone": "0501112233"}
    report = post.registered(MONDAY, "Тече у сусідів Коваленків", emergency=True, **values)
    post.rounds(MONDAY, MONDAY + 9 * DAY, 6 * HOUR)
    assert len(post.office.got) > 3
    for letter in post.office.got:
        said = "".join(letter["Subject"].split()) + "".join(letter.get_content().split())
        assert "Київська,12" in said or number(post, report) not in said
        for secret in ("Мельник", "Коваленк", "671234567", "0501112233", "77"):
            assert secret not in said, letter.get_content()


def test_an_operator_who_was_warned_by_letter_is_on_the_report_s_page(post):
    """The deadline keeps who was warned and when; the administrator's own warning is still to come."""
    report = post.registered(MONDAY)
    at = deadline(post, report, DeadlineKind.ACCEPT).due_at + MINUTE
    post.round(at)
    (step,) = rows(post, select(DeadlineStep).where(DeadlineStep.at == at))
    assert (step.kind, step.user_id) == ("warned", None)
    with post.app.app_context():
        assert count_pressing(db.session(), at).to_warn == 1
        db.session.remove()
