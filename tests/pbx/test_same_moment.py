"""Three receivers are lifted at the same moment: one person has the call and its draft."""

import pytest

from tests.helpers import eventually
from tests.pbx.town import Town

pytestmark = pytest.mark.pbx

CALLS = 12


def test_three_phones_answer_at_once(town: Town) -> None:
    """I3: the first who answered owns the draft; nobody else is shown as having answered.

    A number that is none of the lines rings everybody at once, and all of them answer after the very same delay.
    """
    known = town.value("SELECT max(id) FROM calls") or 0
    town.start_phones(ring_ms=400, talk_ms=600)
    callers = [(f"+38093{7_000_000 + position}", "99999") for position in range(CALLS)]  # no line: everybody rings
    citizens, _ = town.call(callers, rate=2, talk_ms=400)
    assert citizens.wait(60) == 0
    ended = "SELECT count(*) FROM calls WHERE id > :known AND state = 'ended'"
    eventually(lambda: town.value(ended, known=known) == CALLS, "every call ended", 20)
    rows = town.rows(
        "SELECT calls.id, calls.answered_by_id, phones.user_id, reports.owner_id,"
        " (SELECT count(*) FROM call_legs WHERE call_id = calls.id) AS rang,"
        " (SELECT count(*) FROM call_legs WHERE call_id = calls.id AND answered_at IS NOT NULL) AS answered"
        " FROM calls JOIN phones ON phones.id = calls.answered_by_id JOIN reports ON reports.call_id = calls.id"
        " WHERE calls.id > :known",
        known=known,
    )
    assert len(rows) == CALLS
    assert {row["rang"] for row in rows} == {3}
    assert {row["answered"] for row in rows} == {1}
    assert all(row["owner_id"] == row["user_id"] for row in rows)
    eventually(lambda: town.channels() == 0, "channels gone", 20)
