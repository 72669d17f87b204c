"""Calls to citizens on the command line: the list, one with its history, the red button (C1-C5)."""

import json

import pytest
from click.testing import CliRunner, Result

from models.attempts import AttemptState, last_switch
from models.base import db
from models.calling import Outcome
from models.people import AccessLog
from tests.test_web_board import machine_call, now
from tests.test_web_checks import done
from webui.cli import cli
from webui.cli_tools import Refused


@pytest.fixture
def run(web, settings, monkeypatch):
    monkeypatch.setenv("CC_VAR", str(settings.var))
    monkeypatch.setenv("CC_AMI_PORT", str(settings.ami_port))
    return lambda *words: CliRunner().invoke(cli, ["task", *words])


def rows(result: Result) -> list[dict]:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_tasks_are_listed_without_numbers(web, run):
    task_id = done(web)
    (row,) = rows(run("list", "--due", "--purpose", "status_check", "--json"))
    assert (row["id"], row["state"], row["number"]) == (task_id, "waiting", "+380 67 ••• •• 67")
    assert rows(run("list", "--state", "settled", "--json")) == []
    assert rows(run("list", "--purpose", "call_back", "--json")) == []


def test_a_whole_number_is_shown_to_somebody_and_the_look_is_recorded(web, run):
    task_id = done(web)
    assert isinstance(run("list", "--full").exception, Refused)
    assert isinstance(run("list", "--full", "--as", "operator").exception, Refused)
    for words in (("list",), ("show", str(task_id))):
        (row,) = rows(run(*words, "--full", "--as", "nachalnyk", "--json"))
        assert row["number"] == "+380671234567"
    with web.app_context():
        looks = db.session.scalars(db.select(AccessLog).where(AccessLog.subject == "task")).all()
        assert [row.subject_id for row in looks] == [task_id] * 2


def test_one_task_is_shown_with_its_moves_and_calls(web, run):
    task_id = done(web)
    machine_call(web, task_id, state=AttemptState.SETTLED, outcome=Outcome.BUSY, cause=17, settled_at=now())
    (row,) = rows(run("show", str(task_id), "--json"))
    assert [move["event"] for move in row["moves"]] == ["created"]
    (call,) = row["calls"]
    assert (call["by"], call["outcome"], call["cause"], call["rang"]) == ("machine", "busy", 17, None)
    assert "067" not in run("show", str(task_id)).output
    assert isinstance(run("show", "999").exception, Refused)


def test_the_machine_is_started_and_stopped_in_somebodys_name(web, run):
    assert isinstance(run("start", "--as", "operator").exception, Refused)
    assert run("start", "--as", "nachalnyk").exit_code == 0
    assert run("stop", "--as", "tsapkova").stdout == "Machine calls are stopped; 0 were ended.\n"
    with web.app_context():
        switch = last_switch(db.session())
        assert (switch.on, switch.user.login) == (False, "tsapkova")
    machine_call(web, done(web))
    assert "the exchange does not answer" in str(run("stop", "--as", "tsapkova").exception)
