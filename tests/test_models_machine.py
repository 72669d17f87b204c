"""State machines: only what the tables list happens, and every move leaves a row."""

import itertools
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from models.base import now, transaction
from models.calls import CALL_TABLE, Call, CallEvent, CallLeg, CallState, note_answered, note_hung_up, note_ringing
from models.drafts import ENDINGS
from models.machine import IllegalMove, next_state
from models.people import Phone, Role, User
from models.reports import (
    REGISTERED_STATES,
    REPORT_TABLE,
    HistoryRow,
    Report,
    ReportEvent,
    ReportState,
    move,
)
from tests.helpers import START, record_call

in_one_database = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)  # each example makes a call of its own


def test_tables_lead_only_to_known_states_and_registered_reports_never_become_drafts():
    reached = {ReportState.DRAFT} | set(REPORT_TABLE.values())
    assert reached == set(ReportState)
    for (state, _event), after in REPORT_TABLE.items():
        assert not (state in REGISTERED_STATES and after not in REGISTERED_STATES)
    assert set(ENDINGS.values()).isdisjoint(REGISTERED_STATES)


def test_every_doubled_and_late_call_event_is_a_row():
    assert set(CALL_TABLE) == set(itertools.product(CallState, CallEvent))


def test_what_the_table_does_not_list_is_refused_with_a_sentence():
    with pytest.raises(IllegalMove, match=r"«registered» is not possible in the state «closed»"):
        next_state("report", REPORT_TABLE, ReportState.CLOSED, ReportEvent.REGISTERED)


@in_one_database
@given(events=st.lists(st.sampled_from(ReportEvent), max_size=12))
def test_no_sequence_of_events_leaves_the_table_or_moves_without_a_row(app, events):
    """W1"""
    with transaction() as session:
        _call, report = record_call(session)
        report_id, state, moved = report.id, ReportState.DRAFT, 0
        for event in events:
            try:
                move(session, report, event, None, note=event)
            except IllegalMove:
                assert (state, event) not in REPORT_TABLE
            else:
                state, moved = REPORT_TABLE[(state, event)], moved + 1
            assert report.state == state
        rows = session.scalars(
            select(HistoryRow).where(HistoryRow.report_id == report_id).order_by(HistoryRow.id)
        ).all()
        assert len(rows) == moved + 1
        assert [rows[0].event, rows[0].to_state] == ["created", "draft"]
        for before, row in itertools.pairwise(rows):
            assert row.from_state == before.to_state
            assert REPORT_TABLE[(ReportState(row.from_state), ReportEvent(row.event))] == row.to_state


def test_a_move_of_a_report_that_another_moved_meanwhile_is_refused(app):
    """W1: the update is guarded by the state that was seen."""
    with transaction() as session:
        report = record_call(session)[1]
        session.execute(Report.__table__.update().where(Report.id == report.id).values(state="nuisance"))
        assert report.state == ReportState.DRAFT  # as this session saw it
        with pytest.raises(IllegalMove):
            move(session, report, ReportEvent.CONSULTED, None)


FACTS = ("rang 1", "rang 2", "answered 1", "answered 2", "hung up", "hung up early")


def tell(session, call, phones, fact):
    """Report one fact of a call that rang at two phones, was answered at one and passed on to the other."""
    leg = f"{call.uniqueid}-{fact[-1]}"
    match fact:
        case "rang 1" | "rang 2":
            note_ringing(session, call, leg, phones[int(fact[-1])], START + timedelta(seconds=int(fact[-1])))
        case "answered 1" | "answered 2":
            seconds = 10 if fact[-1] == "1" else 60
            note_answered(session, call, leg, phones[int(fact[-1])], START + timedelta(seconds=seconds))
        case "hung up":
            note_hung_up(session, call, START + timedelta(seconds=90), 16)
        case "hung up early":  # a report of the same end with an earlier clock
            note_hung_up(session, call, START + timedelta(seconds=89), None)


@pytest.fixture
def phones(app):
    with transaction() as session:
        made = {n: Phone(name=f"p{n}", extension=f"10{n}", secret="s") for n in (1, 2)}
        session.add_all(made.values())
    return made


@in_one_database
@given(data=st.data(), facts=st.sets(st.sampled_from(FACTS), min_size=1))
def test_facts_in_any_order_and_doubled_make_the_same_call(app, phones, data, facts):
    """Calls keep the earliest and the latest of each fact, so AGI, AMI and CEL come to the same result."""

    def outcome(order):
        with transaction() as session:
            call = record_call(session, number="")[0]
            for fact in order:
                tell(session, call, phones, fact)
            legs = session.scalars(select(CallLeg).where(CallLeg.call_id == call.id).order_by(CallLeg.uniqueid))
            return (
                call.state,
                call.answered_at,
                call.answered_by_id,
                call.talking_to_id,
                call.ended_at,
                call.cause,
                [(leg.phone_id, leg.rang_at, leg.answered_at) for leg in legs],
            )

    in_order = [fact for fact in FACTS if fact in facts]
    shuffled = data.draw(st.permutations(in_order * 2))
    assert outcome(in_order) == outcome(shuffled)


@pytest.mark.parametrize("late", [False, True])
def test_a_later_contact_settles_the_missed_calls_of_that_number(app, late):
    """C1: whichever is told first, the missed call or the one that was answered."""
    with transaction() as session:
        missed, _draft = record_call(session, number="0501112233")
        other, _draft = record_call(session, number="0501112234")
        note_hung_up(session, other, START + timedelta(seconds=30), 16)
        answered, _draft = record_call(session, number="0501112233", at=START + timedelta(hours=1))

        def hang_up():
            note_hung_up(session, missed, START + timedelta(seconds=30), 16)

        def answer():
            note_answered(session, answered, f"{answered.uniqueid}-1", None, START + timedelta(hours=1, seconds=5))

        for fact in (answer, hang_up) if late else (hang_up, answer):
            fact()
        session.flush()
        assert session.get_one(Call, missed.id, populate_existing=True).settled_by_id == answered.id
        assert session.get_one(Call, other.id, populate_existing=True).settled_by_id is None


def test_an_earlier_conversation_settles_nothing(app):
    """C1: who was reached yesterday and calls in vain today is to be called back."""
    with transaction() as session:
        answered, _draft = record_call(session, number="0501112235")
        note_answered(session, answered, f"{answered.uniqueid}-1", None, START)
        missed, _draft = record_call(session, number="0501112235", at=START + timedelta(hours=1))
        note_hung_up(session, missed, START + timedelta(hours=1, seconds=20), 16)
        assert missed.settled_by_id is None


def test_history_says_who_and_when(app):
    """W1"""
    with transaction() as session:
        user = User(login="alice", name="Alice", password_hash="x", role=Role.ADMINISTRATOR)
        session.add(user)
        session.flush()
        report = record_call(session)[1]
        before = now()
        move(session, report, ReportEvent.NUISANCE, user, note="сопіння")
        row = session.scalars(select(HistoryRow).where(HistoryRow.report_id == report.id)).all()[-1]
        assert (row.user_id, row.note) == (user.id, "сопіння")
        assert before <= row.at <= now()
