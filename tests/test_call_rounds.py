"""The periodic jobs of our own calls (C1, C5)."""

import json
import logging

import pytest
from sqlalchemy import select

from jobs.calling import make_tasks, plan_machine_calls
from jobs.queues import DIAL, DialJob, NotAllowed, dial_queue
from jobs.voice import NoVoice
from models.attempts import Attempt, AttemptState
from models.base import db
from models.dialling import Refusal
from models.task_rules import RULES, TaskRule
from tests.call_fixtures import Calls


def test_a_rule_that_breaks_hinders_no_other_and_is_told(app, calls: Calls, monkeypatch, caplog):
    calls.done()

    def breaks(*_of_anything):
        raise ValueError("a fault of ours")

    checks = next(rule for rule in RULES if rule.act.__name__ == "_make_check")
    monkeypatch.setattr("jobs.calling.RULES", (TaskRule(checks.query, breaks), *RULES))
    with caplog.at_level(logging.ERROR):
        detail = make_tasks(app, calls.at)
    assert detail == "A rule that makes calls' tasks breaks off, see the log of rounds."
    assert "breaks" in caplog.text
    assert len(calls.tasks()) == 1


def test_nobody_is_rung_up_by_a_silent_machine(app, calls: Calls, monkeypatch):
    calls.done()
    calls.sync()

    def no_voice(*_of_anything):
        raise NoVoice("The disk is full.")

    woken = []
    monkeypatch.setattr("jobs.calling.speak", no_voice)
    monkeypatch.setattr("jobs.calling.enqueue_dial", lambda _settings, attempt_id: woken.append(attempt_id))
    monkeypatch.setattr("jobs.calling._exchange_listens", lambda _settings: True)
    monkeypatch.setattr("jobs.calling.probe_agi", lambda _port, _seconds: None)
    plan_machine_calls(app, calls.at)
    (attempt,) = db.session.scalars(select(Attempt)).all()
    assert (attempt.state, attempt.note) == (AttemptState.CANCELLED, Refusal.VOICE)
    assert woken == []


def test_a_foreign_job_runs_nothing(site):
    """Whoever can write into Redis can wake the dialler, and no more."""
    queue = dial_queue(site.settings)
    job = queue.enqueue_call(DIAL, args=(1,))
    told = json.dumps([{"url": "http://127.0.0.1:9/", "events": ["failed"]}])
    forged = {"success_callback_name": "builtins.print", "failure_callback_name": "builtins.print", "webhooks": told}
    queue.connection.hset(job.key, mapping=forged)
    found = DialJob.fetch(job.id, connection=queue.connection, serializer=queue.serializer)
    assert (found.success_callback, found.failure_callback, found.webhooks) == (None, None, [])
    queue.connection.hset(job.key, mapping={"data": queue.serializer.dumps(("os.system", None, ["true"], {}))})
    with pytest.raises(NotAllowed):
        DialJob.fetch(job.id, connection=queue.connection, serializer=queue.serializer).func  # noqa: B018
