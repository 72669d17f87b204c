"""Drafts become reports by the order's rules, or end otherwise; each has one owner, and nothing typed is lost."""

import pytest
from sqlalchemy import select
from sqlalchemy.orm.attributes import set_committed_value

from models.base import now, transaction
from models.calls import note_hung_up
from models.drafts import (
    LEFT_AFTER,
    RegistrationRefused,
    ReportIsClosed,
    SavedMeanwhile,
    TakenByAnother,
    attach_draft,
    claim_draft,
    end_draft,
    hand_over_draft,
    may_take_over,
    register_draft,
    reopen_draft,
    save_draft,
    take_over_draft,
)
from models.machine import IllegalMove
from models.people import Organisation, Role, User
from models.places import Category, Street
from models.repeats import find_repeated, reports_at_place
from models.reports import HistoryRow, ReportEvent, ReportState, move
from models.workdays import WorkCalendar
from tests.helpers import AREA_CODE, record_call


class Town:
    """Alice who owns the drafts, her colleague Bob, and what is needed to register."""

    def __init__(self, session):
        self.session = session
        self.alice, self.bob = (
            User(login=name.lower(), name=name, password_hash="x", role=Role.ADMINISTRATOR) for name in ("Alice", "Bob")
        )
        self.executor = Organisation(name="КП «Міськсвітло»")
        self.light, self.water = (
            Category(name=n, organisation=self.executor, working_days=5) for n in ("Освітлення", "Вода")
        )
        self.kyivska, self.soborna = Street(name="вулиця Київська"), Street(name="вулиця Соборна")
        session.add_all([self.alice, self.bob, self.light, self.water, self.kyivska, self.soborna])
        session.flush()

    def draft(self, number="0671234567"):
        return record_call(self.session, number)[1]

    def values(self, **changes):
        return {
            "category_id": self.light.id,
            "text": "Не горить ліхтар",
            "street_id": self.kyivska.id,
            "building": "12",
            "executor_id": self.executor.id,
        } | changes

    def registered(self, number="0671234567", **changes):
        draft = self.draft(number)
        save_draft(self.session, draft, self.alice, self.values(**changes), 0, AREA_CODE)
        register_draft(self.session, draft, self.alice)
        return draft


@pytest.fixture
def town(app):
    with transaction() as session:
        yield Town(session)


@pytest.mark.parametrize(
    ("missing", "field"),
    [
        ({"category_id": None}, "category_id"),
        ({"text": "  "}, "text"),
        ({"street_id": None}, "street_id"),
        ({"street_id": None, "street_typed": "Київсь", "landmark": "біля школи"}, "street_id"),
    ],
)
def test_registering_names_each_missing_field_and_keeps_what_was_typed(town, missing, field):
    """I5"""
    draft = town.draft()
    save_draft(town.session, draft, town.alice, town.values(**missing), 0, AREA_CODE)
    with pytest.raises(RegistrationRefused) as refused:
        register_draft(town.session, draft, town.alice)
    assert [error.field for error in refused.value.errors] == [field]
    assert (draft.state, draft.number, draft.building) == (ReportState.DRAFT, None, "12")


def test_an_empty_draft_hears_of_all_missing_fields_at_once(town):
    """I5"""
    draft = town.draft()
    with pytest.raises(RegistrationRefused) as refused:
        register_draft(town.session, draft, town.alice)
    assert {error.field for error in refused.value.errors} == {"category_id", "text", "street_id"}


def test_a_landmark_does_instead_of_a_street_and_the_name_is_optional(town):
    """I5"""
    report = town.registered(street_id=None, building="", landmark="біля поштамту")
    assert (report.state, report.place) == (ReportState.NEW, "біля поштамту")
    assert report.number.endswith("-0001")
    assert report.applicant_name == ""


def test_the_deadline_and_where_nobody_is_chosen_the_executor_follow_from_the_category(town):
    """I5, S 2.3"""
    report, chosen = town.registered(executor_id=None), Organisation(name="КП «Інше»")
    assert report.due_at == WorkCalendar().end_of_working_days(report.registered_at, 5)
    assert report.executor is town.executor
    assert "міськсвітло" in report.search_text
    town.session.add(chosen)
    town.session.flush()
    assert town.registered(executor_id=chosen.id).executor is chosen


def test_a_report_is_registered_once(town):
    report = town.registered()
    with pytest.raises(IllegalMove):
        register_draft(town.session, report, town.alice)


def test_bob_cannot_save_register_or_end_what_alice_works_on(town):
    """I3"""
    draft = town.draft()
    save_draft(town.session, draft, town.alice, town.values(), 0, AREA_CODE)
    acts = (
        lambda: save_draft(town.session, draft, town.bob, {"text": "інше"}, 1, AREA_CODE),
        lambda: register_draft(town.session, draft, town.bob),
        lambda: end_draft(town.session, draft, town.bob, ReportEvent.CONSULTED),
        lambda: hand_over_draft(town.session, draft, town.bob, town.bob),
    )
    for act in acts:
        with pytest.raises(TakenByAnother) as taken:
            act()
        assert taken.value.owner is town.alice
    hand_over_draft(town.session, draft, town.alice, town.bob)
    save_draft(town.session, draft, town.bob, {"text": "інше"}, 1, AREA_CODE)
    assert draft.text == "інше"


def test_a_change_of_hands_leaves_one_row(town):
    """W1"""
    draft = town.draft()
    for revision in (0, 1):
        save_draft(town.session, draft, town.alice, {"text": "перша"}, revision, AREA_CODE)
    hand_over_draft(town.session, draft, town.alice, town.bob)
    claim_draft(town.session, draft, town.bob)
    rows = town.session.scalars(select(HistoryRow).where(HistoryRow.report_id == draft.id).order_by(HistoryRow.id))
    assert [(row.event, row.user_id) for row in rows] == [
        ("created", None), ("taken", town.alice.id), ("handed_over", town.alice.id),
    ]  # fmt: skip


def test_the_draft_of_somebody_switched_off_can_be_taken(town):
    draft = town.draft()
    save_draft(town.session, draft, town.alice, {"text": "перша"}, 0, AREA_CODE)
    assert not draft.open_to(town.bob)
    town.alice.active = False
    assert draft.open_to(town.bob)
    save_draft(town.session, draft, town.bob, {"text": "друга"}, 1, AREA_CODE)
    assert (draft.owner_id, draft.text) == (town.bob.id, "друга")


def test_two_tabs_do_not_overwrite_each_other(town):
    draft = town.draft()
    save_draft(town.session, draft, town.alice, {"text": "перша"}, 0, AREA_CODE)
    with pytest.raises(SavedMeanwhile):
        save_draft(town.session, draft, town.alice, {"text": "друга"}, 0, AREA_CODE)
    assert (draft.text, draft.revision) == ("перша", 1)


def test_what_was_registered_is_saved_no_more(town):
    report = town.registered()
    with pytest.raises(IllegalMove):
        save_draft(town.session, report, town.alice, {"text": "інше"}, report.revision, AREA_CODE)


def test_a_save_of_a_draft_as_it_was_before_it_was_registered_changes_nothing(town):
    """The saver still sees a draft, as another process's session may (PostgreSQL)."""
    report = town.registered()
    set_committed_value(report, "state", ReportState.DRAFT)
    with pytest.raises(IllegalMove):
        save_draft(town.session, report, town.bob, {"text": "інше"}, report.revision, AREA_CODE)
    assert (report.state, report.text) == (ReportState.NEW, "Не горить ліхтар")


def test_a_move_raises_the_revision(town):
    draft = town.draft()
    save_draft(town.session, draft, town.alice, {"text": "перша"}, 0, AREA_CODE)
    end_draft(town.session, draft, town.alice, ReportEvent.CONSULTED)
    reopen_draft(town.session, draft, town.alice)
    with pytest.raises(SavedMeanwhile):
        save_draft(town.session, draft, town.alice, {"text": "друга"}, 1, AREA_CODE)


@pytest.mark.parametrize("event", [ReportEvent.REGISTERED, ReportEvent.ATTACHED, ReportEvent.CONFIRMED])
def test_what_is_no_ending_ends_no_draft(town, event):
    """I6: a report without a number, or added to nothing, must not be."""
    draft = town.draft()
    with pytest.raises(IllegalMove):
        end_draft(town.session, draft, town.alice, event)
    assert draft.state == ReportState.DRAFT


def test_an_ending_can_be_undone_with_all_that_was_typed(town):
    """I6"""
    draft = town.draft()
    save_draft(town.session, draft, town.alice, town.values(), 0, AREA_CODE)
    end_draft(town.session, draft, town.alice, ReportEvent.CONSULTED)
    assert draft.state == ReportState.CONSULTATION
    reopen_draft(town.session, draft, town.alice)
    assert (draft.state, draft.text) == (ReportState.DRAFT, "Не горить ліхтар")


def test_a_call_about_a_report_leaves_a_row_on_it(town):
    """I6, I10"""
    report, draft = town.registered(), town.draft()
    save_draft(town.session, draft, town.alice, {"text": "Коли зроблять?"}, 0, AREA_CODE)
    attach_draft(town.session, draft, town.alice, report)
    assert (draft.state, draft.attached_to_id) == (ReportState.ATTACHED, report.id)
    rows = town.session.scalars(
        select(HistoryRow).where(HistoryRow.report_id == report.id).order_by(HistoryRow.id)
    ).all()
    assert (rows[-1].event, rows[-1].note) == ("applicant_called", "Коли зроблять?")


def test_nothing_is_added_to_a_closed_report_and_undoing_is_told_on_it_all_the_same(town):
    report, before, after = town.registered(), town.draft(), town.draft()
    attach_draft(town.session, before, town.alice, report)
    report.state = ReportState.CLOSED
    town.session.flush()
    with pytest.raises(ReportIsClosed):
        attach_draft(town.session, after, town.alice, report)
    assert (after.state, after.attached_to_id) == (ReportState.DRAFT, None)
    reopen_draft(town.session, before, town.alice)
    rows = town.session.scalars(select(HistoryRow).where(HistoryRow.report_id == report.id).order_by(HistoryRow.id))
    assert [row.event for row in rows][-2:] == ["applicant_called", "call_detached"]


def test_undoing_an_addition_is_told_on_the_report(town):
    """I6, I10"""
    report, draft = town.registered(), town.draft()
    attach_draft(town.session, draft, town.alice, report)
    town.session.info.clear()
    reopen_draft(town.session, draft, town.alice)
    assert (draft.state, draft.attached_to_id) == (ReportState.DRAFT, None)
    rows = town.session.scalars(select(HistoryRow).where(HistoryRow.report_id == report.id).order_by(HistoryRow.id))
    assert [row.event for row in rows][-2:] == ["applicant_called", "call_detached"]
    assert ("report", report.id) in town.session.info["announcements"]


def test_only_the_owner_undoes_an_ending(town):
    draft = town.draft()
    end_draft(town.session, draft, town.alice, ReportEvent.CONSULTED)
    with pytest.raises(TakenByAnother):
        reopen_draft(town.session, draft, town.bob)


def test_a_repeat_is_recognised_by_number_category_and_place(town):
    """I10"""
    first = town.registered()
    assert town.registered().repeat_of_id == first.id
    assert town.registered(building="14").repeat_of_id is None
    assert town.registered(street_id=town.soborna.id).repeat_of_id is None
    assert town.registered(category_id=town.water.id).repeat_of_id is None
    assert town.registered(number="0509998877").repeat_of_id is None


def test_a_withheld_number_and_a_closed_report_are_no_repeat(town):
    """I10"""
    assert town.registered(number="anonymous").contact_number is None
    assert town.registered(number="anonymous").repeat_of_id is None
    first = town.registered()
    for event in (ReportEvent.ACCEPTED, ReportEvent.COMPLETED, ReportEvent.CONFIRMED):
        move(town.session, first, event, town.alice)
    draft = town.draft()
    save_draft(town.session, draft, town.alice, town.values(), 0, AREA_CODE)
    assert find_repeated(town.session, draft) is None


def test_open_reports_of_the_same_building_are_found_whoever_told_of_them(town):
    """I10: those of the same kind first; another building and another street are none."""
    light, water = town.registered("0509998877"), town.registered("0509998877", category_id=town.water.id)
    town.registered(building="14")
    town.registered(street_id=town.soborna.id)
    draft = town.draft()
    save_draft(town.session, draft, town.alice, town.values(), 0, AREA_CODE)
    assert reports_at_place(town.session, draft) == [light, water]
    save_draft(town.session, draft, town.alice, {"building": ""}, 1, AREA_CODE)
    assert reports_at_place(town.session, draft) == []


def test_a_draft_is_taken_over_once_its_owner_has_left_it(town):
    """Not while its call goes on, and not before half an hour without a change; the history says from whom."""
    draft = town.draft()
    claim_draft(town.session, draft, town.alice)
    late = now() + LEFT_AFTER
    assert not may_take_over(draft, town.bob, late)
    with pytest.raises(TakenByAnother):
        take_over_draft(town.session, draft, town.bob, late)
    note_hung_up(town.session, draft.call, now(), 16)
    assert not may_take_over(draft, town.bob, now())
    with pytest.raises(TakenByAnother):
        take_over_draft(town.session, draft, town.bob, now())
    assert may_take_over(draft, town.bob, late)
    take_over_draft(town.session, draft, town.bob, late)
    town.session.flush()
    last = town.session.scalars(select(HistoryRow).order_by(HistoryRow.id.desc()).limit(1)).one()
    assert (draft.owner_id, last.event, last.user, last.note) == (town.bob.id, "taken_over", town.bob, "Alice")


def test_a_report_is_found_by_its_present_street(town):
    """W11: the street was corrected in the same transaction."""
    draft = town.draft()
    save_draft(town.session, draft, town.alice, town.values(), 0, AREA_CODE)
    save_draft(town.session, draft, town.alice, {"street_id": town.soborna.id}, 1, AREA_CODE)
    assert "соборна" in draft.search_text
    assert "київська" not in draft.search_text
