"""A job only wakes the dialler: run twice, or put into the queue while nobody is there, it is one call (C5)."""

import signal
import threading

import pytest

from jobs.dial import dial
from jobs.queues import enqueue_dial
from models.attempts import AttemptState
from tests.pbx.citizens import Citizens, invited_numbers
from tests.pbx.test_own_call import ended, planned
from tests.pbx.town import Town
from tests.table_fixtures import Table

pytestmark = [pytest.mark.pbx, pytest.mark.long]

TABLE = "Jobs that are put into the queue straight after the dialler was killed"
KILLS = 10


def test_the_same_job_run_twice_at_once_is_one_call(town: Town) -> None:
    """By the dialler itself, twice, and by two more of its kind at the same moment."""
    citizens = Citizens(town)
    phones = town.start_phones(ring_ms=300, talk_ms=60_000, only=("admin1",))
    number = citizens.new_number()
    (report,) = citizens.done(number)
    with citizens.at_home(ring_ms=500, talk_ms=2000) as folder:
        attempt_id, gate = planned(citizens, report), threading.Barrier(3)

        def run() -> None:
            with citizens.app.app_context():
                gate.wait()
                dial(attempt_id)

        threads = [threading.Thread(target=run) for _ in range(2)]
        for thread in threads:
            thread.start()
        gate.wait()
        for _ in range(2):
            enqueue_dial(town.settings, attempt_id)
        for thread in threads:
            thread.join()
        ended(citizens, attempt_id)
        heard = invited_numbers(folder)
    assert heard == {number: 1}
    assert sum(map(len, town.rings(phones).values())) == 1


def test_a_job_straight_after_a_kill(town: Town, table: Table) -> None:
    found = enqueue_after_kills(Citizens(town), KILLS)
    table.add(**found)
    assert (found["called"], found["rang twice"]) == (KILLS, 0)


def enqueue_after_kills(citizens: Citizens, kills: int) -> dict[str, int]:
    """Kill the dialler so often, and have a person call somebody straight after each; what was counted.

    Redis may give the job to the dialler that was killed: the next one wakes itself for what people wait for.
    """
    town = citizens.town
    town.start_phones(ring_ms=100, talk_ms=60_000, only=("admin1",), trace=False)
    called = told = 0
    with citizens.at_home(refusal="486 Busy Here", ring_ms=100) as folder:
        for _ in range(kills):
            (report,) = citizens.done()
            attempt_id = planned(citizens, report)
            town.kill("rounds", signal.SIGKILL)
            enqueue_dial(town.settings, attempt_id)
            attempt = ended(citizens, attempt_id)
            called += attempt.state == AttemptState.SETTLED and attempt.dialled_at is not None
            told += attempt.state == AttemptState.CANCELLED and attempt.dialled_at is None
        heard = invited_numbers(folder)
    return {
        "kills": kills,
        "called": called,
        "told to call again": told,
        "neither called nor told": kills - called - told,
        "rang twice": sum(times > 1 for times in heard.values()),
    }
