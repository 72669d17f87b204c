"""The call that hands an emergency over, command by command: what is said, and which key means what (I8)."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from agi.database import Work
from agi.server import AgiServer
from jobs.attemptfacts import channel_id
from jobs.settings import Settings
from models import work
from models.base import db, transaction
from models.calltasks import CallTask, TaskState, Why
from models.reports import Report, ReportState
from models.spoken import Sentence
from models.status_script import fixed_sentences
from tests.agi_fixtures import PATIENCE, Asterisk, environment
from tests.call_fixtures import Calls
from tests.helpers import eventually
from tests.test_models_duty_calls import FIRST, duty, operator_of, reported

NO_KEY = ""


class Duty:
    """Who answers the duty's telephone: listens to the end of each prompt, then presses the next key, or none."""

    def __init__(self, calls: Calls, server: AgiServer, settings: Settings, said: list[str]) -> None:
        self.calls, self._settings, self._said = calls, settings, said
        self._port = server.server_address[1]
        duty(calls, FIRST)
        self.report = reported(calls)
        calls.sync()
        (self.attempt,) = calls.dial()

    def answer(self, *keys: str) -> list[str]:
        """The names of the sentences that were said, "" for those about this report alone; the key that was kept."""
        pressed, kept = list(keys), []
        about = environment(script="hand_over", uniqueid=channel_id(self._settings.profile.systemname, self.attempt))
        asterisk = Asterisk(self._port, about)
        while command := asterisk.command():
            if command.startswith("EXEC"):
                kept.append(command)
            key = pressed.pop(0) if command == "WAIT FOR DIGIT 5000" and pressed else ""
            asterisk.say(f"200 result={ord(key) if key else 0} endpos=8\n".encode())
        asterisk.close()
        fixed = {sentence.text: sentence.prompt for sentence in fixed_sentences(self._settings.profile.town)}
        return [fixed.get(text, "") for text in self._said] + [one.rpartition(":")[2].strip('"') for one in kept]

    def task(self) -> CallTask:
        self.calls.session.rollback()
        return self.calls.session.scalars(select(CallTask)).one()


@pytest.fixture
def answering(
    calls: Calls, app: Flask, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], Duty]]:
    """Lets the duty's telephone be answered; every prompt is one sound file, and what it says is kept."""
    said: list[str] = []

    def speak(_settings: Settings, sentences: list[Sentence]) -> list[Path]:
        said.extend(sentence.text for sentence in sentences)
        return [settings.sounds_dir / "prompt.wav"]

    monkeypatch.setattr("agi.talk.speak", speak)
    jobs = Work(app)
    server = AgiServer(0, jobs)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield lambda: Duty(calls, server, settings, said)
    server.finish(time.monotonic() + PATIENCE)
    jobs.finish(time.monotonic() + PATIENCE)
    thread.join()


AGAIN = ["", "", "handover-keys"]
READ = ["handover-greeting", *AGAIN]  # who calls is said while the report is read
NOT_HEARD, WRONG = ["no-key", "handover-keys"], ["wrong-key", "handover-keys"]


@pytest.mark.parametrize(
    ("keys", "said", "state", "why"),
    [
        (["1"], [*READ, "handover-accepted", "1"], TaskState.SETTLED, Why.ACCEPTED),
        (["*", "1"], [*READ, *AGAIN, "handover-accepted", "1"], TaskState.SETTLED, Why.ACCEPTED),
        (["7", "1"], [*READ, *WRONG, "handover-accepted", "1"], TaskState.SETTLED, Why.ACCEPTED),
        (["0"], [*READ, "nobody-free", "0"], TaskState.PERSON, Why.ASKED_FOR_PERSON),
        ([NO_KEY] * 3, [*READ, *NOT_HEARD, *NOT_HEARD, "handover-not-accepted"], TaskState.WAITING, None),
    ],
)
def test_what_each_key_does(keys, said, state, why, answering):
    on_the_phone = answering()
    assert on_the_phone.answer(*keys) == said
    eventually(lambda: on_the_phone.task().why == why, "the key is written down")
    task = on_the_phone.task()
    assert (task.state, task.why) == (state, why)
    wanted = ReportState.IN_PROGRESS if state == TaskState.SETTLED else ReportState.NEW
    assert task.report.state == wanted


def test_who_lifts_the_receiver_too_late_hears_that_it_is_over(answering, calls):
    on_the_phone, user = answering(), operator_of(calls)
    with transaction() as session:
        work.accept(session, session.get_one(Report, on_the_phone.report), session.merge(user), calls.at)
    db.session.remove()
    assert on_the_phone.answer() == ["handover-greeting", "handover-over"]
