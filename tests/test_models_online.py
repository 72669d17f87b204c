"""What comes by the web form, entry by hand, and what is told for number and PIN (I9, W10)."""

import threading
from datetime import timedelta

import pytest
from sqlalchemy import select

from jobs.app import bare_app
from models import online, work
from models.acts import NotYours
from models.attachments import MOST_FILES, AttachmentKind, StoredFile, TooManyFiles, files_of, keep_files
from models.base import db, transaction
from models.drafts import attach_draft, claim_draft, end_draft, make_draft_by_hand, register_draft, save_draft
from models.lookup import look_up
from models.machine import IllegalMove
from models.online import AlreadyReceived, OnlineIntake, TooManyReports, receive_online
from models.people import Role, User
from models.pins import give_pin, pin_is_right
from models.reports import HistoryEvent, Report, ReportEvent, ReportState, Source
from models.waiting import count_online, forsaken_drafts, online_drafts
from models.workdays import WorkCalendar
from tests.helpers import AREA_CODE, START, close_database
from tests.test_models_drafts import Town

TYPED = {"text": "Не горить ліхтар", "landmark": "біля школи", "applicant_name": "Олена", "other_phone": "0671234567"}


@pytest.fixture
def town(app):
    with transaction() as session:
        yield Town(session)


def send(town, key="a", sender="x", at=START, **changes):
    values = TYPED | {"category_id": town.light.id} | changes
    return receive_online(town.session, values, form_key=key, sender=sender, area_code=AREA_CODE, at=at)


def file(n=0):
    return StoredFile(f"{n:064x}", "image/jpeg", 10, f"{n}.jpg")


def test_what_is_sent_waits_for_the_desk_and_is_registered_like_a_call(town):
    """I9"""
    intake = send(town)
    draft = intake.report
    assert (draft.source, draft.state, draft.contact_number) == (Source.ONLINE, ReportState.DRAFT, "+380671234567")
    assert (online_drafts(town.session).rows, count_online(town.session)) == ([draft], 1)
    assert forsaken_drafts(town.session).rows == []
    pin = draft.pin
    register_draft(town.session, draft, town.alice)
    assert (draft.state, draft.pin) == (ReportState.NEW, pin)
    assert count_online(town.session) == 0
    assert [row.event for row in draft.history] == ["created", "taken", "registered"]


def test_who_takes_it_has_it(town):
    draft = send(town).report
    claim_draft(town.session, draft, town.alice)
    assert count_online(town.session) == 0
    announced = town.session.info["announcements"]
    assert {("intake", draft.id), ("report", draft.id)} <= set(announced)


def test_a_form_sent_twice_is_one_draft(town):
    assert send(town).id == send(town).id
    assert len(town.session.scalars(select(OnlineIntake)).all()) == 1


def test_the_same_text_from_the_same_address_is_refused_for_a_day(town):
    send(town)
    with pytest.raises(AlreadyReceived) as before:
        send(town, key="b", at=START + timedelta(hours=23))
    assert before.value.at == START
    send(town, key="c", sender="another house")
    send(town, key="e", other_phone="0679999999")  # a neighbour who writes the same
    send(town, key="f", landmark="біля ринку")
    send(town, key="d", at=START + timedelta(hours=25))


def test_an_hour_brings_a_bounded_number(town, monkeypatch):
    monkeypatch.setattr(online, "FROM_ONE_ADDRESS", 2)
    monkeypatch.setattr(online, "FROM_ALL", 3)
    for n in (1, 2):
        send(town, key=str(n), text=str(n))
    with pytest.raises(TooManyReports):
        send(town, key="3", text="3")
    send(town, key="4", text="4", sender="y")
    with pytest.raises(TooManyReports):
        send(town, key="5", text="5", sender="z")
    send(town, key="6", text="6", at=START + timedelta(minutes=61))


def test_intake_numbers_are_no_report_numbers_and_never_given_twice(town, monkeypatch):
    numbers = iter([7, 7, 8])
    monkeypatch.setattr(online.secrets, "randbelow", lambda most: next(numbers) if most > 10**6 else 1)
    assert [send(town, key=key, text=key).code for key in "ab"] == ["90000007", "90000008"]


def test_the_applicant_follows_the_report_by_number_and_pin(town):
    """W10: the state, the planned date, the answers; nothing for those who work here."""
    intake = send(town)
    draft, pin, code = intake.report, intake.report.pin, intake.code
    for typed in (code, f"{code[:4]}-{code[4:]}", f" {code[:4]} {code[4:]} "):
        assert look_up(town.session, typed, pin).state == ReportState.DRAFT
    register_draft(town.session, draft, town.alice)
    told = look_up(town.session, code, pin)
    assert (told.number, told.state, told.due_at) == (draft.number, ReportState.NEW, draft.due_at)
    work.add_note(town.session, draft, town.alice, "Подзвонити сусідові", public=False)
    work.add_note(town.session, draft, town.alice, "Чекаємо на деталь", public=True)
    told = look_up(town.session, draft.number, f"{pin[:3]} {pin[3:]}")
    assert [answer.text for answer in told.answers] == ["Чекаємо на деталь"]
    assert not {"Олена", "0671234567", "+380671234567"} & set(map(str, vars(told).values()))
    operator = User(login="o", name="O", password_hash="x", role=Role.OPERATOR, organisation=town.executor)
    town.session.add(operator)
    town.session.flush()
    work.accept(town.session, draft, operator)
    work.complete(town.session, draft, operator, "Замінено")
    told = look_up(town.session, draft.number, pin)
    assert (told.state, told.due_at) == (ReportState.DONE, None)


def test_a_wrong_pin_and_an_unknown_number_tell_the_same(town):
    report = town.registered()
    wrong = f"{(int(report.pin) + 1) % 10**6:06d}"
    for number, pin in (
        (report.number, wrong),
        (report.number, ""),
        (report.number, report.pin[:5]),
        ("2026-9999", "1"),
    ):
        assert look_up(town.session, number, pin) is None
    assert look_up(town.session, report.number, report.pin) is not None


def test_a_report_of_before_has_no_pin_until_somebody_asks_for_it(town):
    report = town.registered()
    report.pin = None
    for typed in ("", "------", "None", "000000"):
        assert not pin_is_right(report, typed)
    give_pin(report)
    assert pin_is_right(report, report.pin)
    assert len(report.pin) == 6


def test_what_was_added_to_another_report_tells_that_ones_state_and_not_its_answers(town):
    other = town.registered("0509998877")
    work.add_note(town.session, other, town.alice, "Лише для іншого заявника", public=True)
    intake = send(town)
    attach_draft(town.session, intake.report, town.alice, other)
    told = look_up(town.session, intake.code, intake.report.pin)
    assert (told.number, told.joined, told.state, told.due_at) == (None, other.number, ReportState.NEW, other.due_at)
    assert told.answers == []
    assert other.history[-1].event == HistoryEvent.APPLICANT_TOLD_AGAIN


@pytest.mark.parametrize("source", list(Source))
def test_a_draft_without_a_call_becomes_a_report(town, source):
    """I9: telephone, online, video surveillance, visit."""
    draft = make_draft_by_hand(town.session, town.alice, source)
    assert (draft.owner_id, draft.call_id, online_drafts(town.session).rows) == (town.alice.id, None, [])
    save_draft(town.session, draft, town.alice, town.values(other_phone="0671234567"), 0, AREA_CODE)
    assert draft.contact_number == "+380671234567"
    register_draft(town.session, draft, town.alice)
    assert draft.source == source
    assert draft.due_at == WorkCalendar().end_of_working_days(draft.registered_at, 5)


def test_a_draft_without_a_call_ends_and_goes_to_nobody_when_its_owner_is_switched_off(town):
    draft = make_draft_by_hand(town.session, town.alice, Source.VISIT)
    town.alice.active = False
    town.session.flush()
    assert forsaken_drafts(town.session).rows == [draft]
    end_draft(town.session, draft, town.bob, ReportEvent.CONSULTED)
    assert draft.state == ReportState.CONSULTATION


def test_files_leave_rows_and_no_more_than_ten_fit(town):
    report = town.registered()
    work.add_files(town.session, report, town.alice, [file(1), file(1), file(2)], AttachmentKind.BEFORE)
    work.add_files(town.session, report, town.alice, [file(2)], AttachmentKind.BEFORE)
    assert [one.name for one in files_of(town.session, report)] == ["1.jpg", "2.jpg"]
    rows = [row.note for row in report.history if row.event == HistoryEvent.FILE_ADDED]
    assert rows == ["1.jpg", "2.jpg"]
    keep_files(town.session, report, None, [file(n) for n in range(3, 11)], AttachmentKind.OTHER, START)
    with pytest.raises(TooManyFiles) as full:
        keep_files(town.session, report, None, [file(11)], AttachmentKind.OTHER, START)
    assert full.value.room == 0
    assert len(files_of(town.session, report)) == MOST_FILES


def test_who_may_add_files(town):
    report = town.registered()
    operator, head = (
        User(login=role, name=role, password_hash="x", role=role, organisation=town.executor)
        for role in (Role.OPERATOR, Role.HEAD)
    )
    town.session.add_all([operator, head])
    town.session.flush()
    with pytest.raises(NotYours):
        work.add_files(town.session, report, head, [file()], AttachmentKind.OTHER)
    work.accept(town.session, report, operator)
    work.complete(town.session, report, operator, "Замінено", photos=[file()])
    assert [(one.kind, one.user) for one in files_of(town.session, report)] == [(AttachmentKind.AFTER, operator)]
    work.confirm(town.session, report, town.alice)
    with pytest.raises(IllegalMove):
        work.add_files(town.session, report, operator, [file(1)], AttachmentKind.OTHER)


def test_two_processes_take_one_form_at_the_same_moment(postgres_settings):
    """PostgreSQL has no single write lock: one draft all the same, and its photo once."""
    app = bare_app(postgres_settings)
    began = threading.Barrier(2)
    ended = []

    def take():
        with app.app_context():
            try:
                with transaction() as session:
                    began.wait(20)
                    intake = receive_online(session, TYPED, form_key="a", sender="x", area_code=AREA_CODE, at=START)
                    keep_files(session, intake.report, None, [file()], AttachmentKind.BEFORE, START)
                ended.append("taken")
            except AlreadyReceived:
                ended.append("already")

    both = [threading.Thread(target=take) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join(30)
    assert len(ended) == 2
    assert "taken" in ended
    with app.app_context():
        (report,) = db.session.scalars(select(Report))
        assert len(files_of(db.session(), report)) == 1
        code = db.session.scalars(select(OnlineIntake.code)).one()
        assert look_up(db.session(), code, report.pin).state == ReportState.DRAFT
    close_database(app)
