"""Calls recorded on a real Asterisk, told to the real listener in order, doubled, shuffled and with gaps (I1)."""

import random

import pytest

from models.base import db
from models.calls import Call
from tests.ami_fixtures import everything, fill_town, find, listening, marker, outcome, recorded
from tests.helpers import eventually

NUMBER = "+380671234567"
# scenario → the state it must end in, who answered first, and who spoke last
EXPECTED = {
    "answered": ("ended", "admin1", "admin1"),
    "answered_second_step": ("ended", "admin3", "admin3"),
    "abandoned": ("missed", None, None),
    "no_answer": ("missed", None, None),
    "transferred_blind": ("ended", "admin1", "admin2"),
    "transferred_blind_unanswered": ("ended", "admin1", "admin1"),
    "transferred_attended": ("ended", "admin1", "admin2"),
    "transferred_into_older_talk": ("ended", "admin1", "admin2"),
    "transferred_while_ringing": ("ended", "admin1", "admin2"),
    "picked_up": ("ended", "admin2", "admin2"),
    "three_at_once": ("ended", "admin3", "admin3"),
}
LINES = {"no_answer": "5-32-75", "three_at_once": "5-42-86"}


def expected(scenario: str) -> tuple:
    state, answered_by, _ = EXPECTED[scenario]
    return (state, answered_by, LINES.get(scenario, "5-32-73"), NUMBER, 1)


@pytest.mark.parametrize("scenario", EXPECTED)
def test_order_doubling_and_gaps_change_nothing(scenario, app, settings):
    """In order, doubled, in 8 random orders; then each event missing in turn, and 1 % missing in 10 ways."""
    fill_town(app)
    whole, gaps = {}, {}
    for way in ("inorder", "doubled", "twice"):
        events = recorded(scenario, way)
        whole[way] = {
            "inorder": events,
            "doubled": [event for event in events for _ in (1, 2)],
            "twice": [*events, *events],
        }[way]
    for seed in range(8):
        whole[f"shuffled{seed}"] = events = recorded(scenario, f"shuffled{seed}")
        random.Random(seed).shuffle(events)
    for missing in range(len(recorded(scenario, ""))):
        gaps[f"without{missing}"] = events = recorded(scenario, f"without{missing}")
        del events[missing]
    for seed in range(10):
        chance = random.Random(seed)
        gaps[f"gaps{seed}"] = [event for event in recorded(scenario, f"gaps{seed}") if chance.random() >= 0.01]

    with listening(app, settings) as (exchange, _listener):
        for events in (*whole.values(), *gaps.values()):
            exchange.say(*events)
        exchange.say(*marker("all-played"))
        eventually(lambda: find("all-played") and find("all-played").ended_at, "the end of the streams")
        exchange.drop()  # a hang-up that was never told is found when the present state is read anew
        eventually(lambda: exchange.logins == 2 and not live_calls(), "the second reading of the present state")

    told = everything("inorder")
    assert told[:6] == (*expected(scenario), EXPECTED[scenario][2])
    assert told[6] == "Citizen"
    assert {way: everything(way) for way in whole} == dict.fromkeys(whole, told)
    assert {way: outcome(way) for way in gaps} == dict.fromkeys(gaps, expected(scenario))


def live_calls() -> int:
    db.session.rollback()
    return db.session.query(Call).where(Call.state.in_(["ringing", "talking"])).count()


def test_a_talk_among_colleagues_is_no_call(app, settings):
    fill_town(app)
    with listening(app, settings) as (exchange, _listener):
        exchange.say(*recorded("among_colleagues", "inner"), *marker("after"))
        eventually(lambda: find("after"), "the call after it")
    assert db.session.query(Call).count() == 1
