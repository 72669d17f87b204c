"""What waits for somebody: missed calls, and drafts that nobody works on (C1)."""

from datetime import timedelta

from sqlalchemy import select

from models.base import transaction
from models.drafts import end_draft
from models.people import Phone, User
from models.reports import Report, ReportEvent
from models.waiting import count_missed, forsaken_drafts, missed_calls
from tests.desk_fixtures import new_draft, user_id


def test_drafts_that_nobody_works_on_are_those_that_no_other_list_shows(exchange, session, me):
    """Answered on a phone of nobody's, missed and settled, or of somebody who left; not one that rings or waits."""
    exchange.call("0501110001")
    exchange.missed("0501110002")
    taken, left = new_draft(exchange, session, "0501110003"), new_draft(exchange, session, "0501110004")
    for draft, phone in ((taken, 1), (left, 3)):
        exchange.answer(draft.call_id, phone)
    settled = exchange.missed("0501110005")[1]
    talked, answered = exchange.call("0501110005")
    nobodys = session.scalars(select(Phone).where(Phone.name == "admin2")).one()
    with transaction():
        nobodys.user = None
    exchange.answer(talked, 2)
    with transaction():
        session.get_one(User, user_id("sorokina")).active = False
    assert taken.owner is me
    assert [draft.id for draft in forsaken_drafts(session).rows] == [answered, settled, left.id]
    some = forsaken_drafts(session, 2)
    assert ([draft.id for draft in some.rows], some.count) == ([answered, settled], 3)


def test_missed_calls_are_one_row_a_number_with_how_often(exchange, session):
    """C1: whoever tried three times is one row; two withheld numbers are two people."""
    for ago in (60, 30, 5):
        exchange.missed("0501112233", timedelta(minutes=ago))
    for ago, received in ((20, ""), (19, ""), (18, "anonymous"), (17, "anonymous"), (16, "12"), (15, "12")):
        exchange.missed(received, timedelta(minutes=ago))
    assert [(one.call.number_received, one.times) for one in missed_calls(session)] == [
        ("0501112233", 3), ("12", 2), ("anonymous", 1), ("anonymous", 1), ("", 1), ("", 1)
    ]  # fmt: skip
    assert count_missed(session) == 6


def test_one_number_that_calls_again_and_again_hides_no_other(exchange, session):
    """C1: everyone whom we missed is called back."""
    exchange.missed("0501110001", timedelta(hours=1))
    for _ in range(160):
        exchange.missed("0501112233")
    assert [(one.call.number_received, one.times) for one in missed_calls(session)] == [
        ("0501112233", 160),
        ("0501110001", 1),
    ]


def test_a_missed_call_stays_until_somebody_speaks_with_the_number(exchange, session):
    """C1, zammad: settled by a later talk, not by a later missed call."""
    exchange.missed("0501112233")
    exchange.missed("0501112233", timedelta())
    assert count_missed(session) == 1
    exchange.answer(exchange.call("0501112233")[0], 1)
    assert (missed_calls(session), count_missed(session)) == ([], 0)


def test_a_missed_call_is_settled_by_ending_its_draft(exchange, session, me):
    draft_id = exchange.missed("anonymous")[1]
    with transaction():
        end_draft(session, session.get_one(Report, draft_id), me, ReportEvent.DROPPED)
    assert (missed_calls(session), count_missed(session)) == ([], 0)
