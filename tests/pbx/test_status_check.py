"""The machine asks citizens whether the work is done: real calls, every way in which a citizen may take them (C3)."""

from collections.abc import Iterator

import pytest

from jobs.sipp import SPEECH
from models.reports import ReportState
from tests.pbx.citizens import Asked, Citizens, invited_numbers
from tests.pbx.town import Town
from tests.table_fixtures import Table

pytestmark = [pytest.mark.pbx, pytest.mark.long, pytest.mark.anywhere]

TABLE = "Status checks by machine"

DONE, WORK, CLOSED = ReportState.DONE, ReportState.IN_PROGRESS, ReportState.CLOSED
SECONDS = range(1, 25)
EARLY, LATE = 9_000, 22_000  # milliseconds: in the question, and once it has been asked

# how the citizen takes the call, and what becomes of the attempt, the report and the task
TAKES: dict[str, tuple[dict, Asked]] = {
    "presses 1": ({"keys": [(LATE, "1")]}, Asked("answered", "1", CLOSED, "settled", "answered")),
    "presses 2": ({"keys": [(EARLY, "2")]}, Asked("answered", "2", WORK, "settled", "answered")),
    "presses 3": ({"keys": [(EARLY, "3")]}, Asked("answered", "3", WORK, "settled", "answered")),
    "presses 9": ({"keys": [(EARLY, "9")]}, Asked("answered", "9", DONE, "person", "opted_out")),
    "presses 0": ({"keys": [(EARLY, "0")]}, Asked("answered", "0", DONE, "person", "asked_for_person")),
    "presses during the question": ({"keys": [(EARLY, "1")]}, Asked("answered", "1", CLOSED, "settled", "answered")),
    "asks again, then presses 1": (
        {"keys": [(EARLY, "*"), (EARLY, "1")]}, Asked("answered", "1", CLOSED, "settled", "answered"),
    ),
    "a wrong key, then 1": (
        {"keys": [(EARLY, "7"), (4000, "1")]}, Asked("answered", "1", CLOSED, "settled", "answered"),
    ),
    # the sound of one lasts 140 ms; what comes within 400 ms belongs to the first
    "two keys at once": ({"keys": [(EARLY, "2"), (250, "1")]}, Asked("answered", "2", WORK, "settled", "answered")),
    # before it is said which report is meant a key answers nothing
    "presses during the greeting": (
        {"keys": [(2000, "1")], "talk_ms": 3000}, Asked("no_input", "", DONE, "waiting", None),
    ),
    "hangs up in the prompt": ({"talk_ms": 2000}, Asked("no_input", "", DONE, "waiting", None)),
    "says nothing": ({"talk_ms": 180_000}, Asked("no_input", "", DONE, "waiting", None)),
    "is a voicemail": (
        {"keys": [(500, SPEECH)], "talk_ms": 20_000}, Asked("no_input", "", DONE, "waiting", None),
    ),
    "rings for ever": ({"ring_ms": 300_000}, Asked("no_answer", "", DONE, "waiting", None)),
    "redirects": ({"refusal": "302 Moved Temporarily"}, Asked("no_answer", "", DONE, "waiting", None)),
    "is busy": ({"refusal": "486 Busy Here"}, Asked("busy", "", DONE, "waiting", None)),
    "rejects": ({"refusal": "603 Decline"}, Asked("rejected", "", DONE, "waiting", None)),
    "no such number": ({"refusal": "404 Not Found"}, Asked("bad_number", "", DONE, "person", "bad_number")),
    "is away": ({"refusal": "480 Temporarily Unavailable"}, Asked("no_answer", "", DONE, "waiting", None)),
    "the trunk is full": ({"refusal": "503 Service Unavailable"}, Asked("trunk_trouble", "", DONE, "waiting", None)),
    "gives early media, is busy": (
        {"refusal": "486 Busy Here", "early_media": True}, Asked("busy", "", DONE, "waiting", None),
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def citizens(town: Town) -> Iterator[Citizens]:
    return Citizens(town)


@pytest.mark.parametrize("how", TAKES)
def test_every_way_to_take_the_call(how: str, citizens: Citizens, table: Table) -> None:
    takes, wanted = TAKES[how]
    number = citizens.new_number()
    (report,) = citizens.done(number)
    called_us = citizens.town.value("SELECT count(*) FROM calls")
    with citizens.at_home(**takes) as folder, citizens.machine_calls():
        became = citizens.asked(report, 150)
    table.add(citizen=how, outcome=became.outcome, keys=became.keys, report=became.report, task=became.task)
    assert became == wanted
    assert invited_numbers(folder)[number] == 1  # others whose trunk was full may be tried again meanwhile
    assert citizens.town.value("SELECT count(*) FROM calls") == called_us  # a call of ours is no citizen's


def test_the_trunk_is_down(citizens: Citizens, table: Table) -> None:
    """Nobody hears what the exchange sends: it is tried again soon, and uses up no try."""
    (report,) = citizens.done()
    with citizens.machine_calls():
        became = citizens.asked(report, 90)
    table.add(
        citizen="behind a trunk that is down", outcome=became.outcome, keys="", report=became.report, task=became.task
    )
    assert became == Asked("trunk_trouble", "", DONE, "waiting", None)


def test_citizens_who_hang_up_at_every_second(citizens: Citizens, table: Table) -> None:
    """From the first second of the greeting on until the question was asked: nothing is answered, all is settled."""
    numbers = [citizens.new_number() for _ in SECONDS]
    reports = [citizens.done(number)[0] for number in numbers]
    talks = [1000 * second - 500 for second in SECONDS]
    with citizens.at_home(talks=talks, ring_ms=100) as folder, citizens.machine_calls():
        became = [citizens.asked(report, 300) for report in reports]
    how = f"hang up in seconds 1 to {len(SECONDS)}"
    table.add(citizen=how, outcome=became[0].outcome, keys="", report=became[0].report, task=became[0].task)
    assert set(became) == {Asked("no_input", "", DONE, "waiting", None)}
    heard = invited_numbers(folder)
    assert {number: heard[number] for number in numbers} == dict.fromkeys(numbers, 1)
