"""The demo town is whole, tells the same story twice, and never gets into a town's own data."""

import itertools
import json
from collections import Counter
from dataclasses import replace

import pytest
from click.testing import CliRunner
from sqlalchemy import func, select

from jobs.app import bare_app
from jobs.database import DatabaseTrouble
from jobs.demo_town import fill_demo_town
from jobs.demo_users import DEMO_USERS
from jobs.settings import SettingsError
from models.base import db
from models.calls import Call, CallState
from models.lines import Line, ring_order
from models.people import PersonNumber, Phone, User
from models.reports import REGISTERED_STATES, REPORT_TABLE, HistoryRow, Report, ReportEvent, ReportState
from models.waiting import count_missed
from webui.cli import cli


def test_the_town_is_whole_and_its_histories_keep_to_the_table(app):
    fill_demo_town(app)
    session = db.session
    assert [line.number for line in session.scalars(select(Line).order_by(Line.id))] == [
        "5-32-73",
        "5-32-75",
        "5-42-86",
    ]
    for place, line in enumerate(session.scalars(select(Line).order_by(Line.id)), 1):
        (own, own_seconds), (others, others_seconds) = ring_order(session(), line.digits)
        assert own == [f"admin{place}"]
        assert (own_seconds, len(others), others_seconds) == (20, 2, 25)
    assert min(len(phone.secret) for phone in session.scalars(select(Phone))) >= 24
    logins = set(session.scalars(select(User.login)))
    assert {login for login, *_rest in DEMO_USERS} <= logins
    shared = Counter(session.scalars(select(PersonNumber.number)))
    assert max(shared.values()) > 1, "a family has one landline"
    reports = session.scalars(select(Report)).all()
    states = Counter(report.state for report in reports)
    assert sum(states[state] for state in REGISTERED_STATES) == 150
    assert all(states[state] for state in (*REGISTERED_STATES, ReportState.CONSULTATION, ReportState.ATTACHED))
    assert [r.created_at for r in reports] == sorted(r.created_at for r in reports)
    for report in reports:
        moves = [row for row in report.history if row.event in set(ReportEvent)]
        for before, row in itertools.pairwise(moves):
            assert REPORT_TABLE[(ReportState(before.to_state), ReportEvent(row.event))] == row.to_state
            assert before.at <= row.at
        assert moves[-1].to_state == report.state
    missed = session.scalars(select(Call).where(Call.state == CallState.MISSED)).all()
    assert len(missed) > sum(call.settled_by_id is None for call in missed) > 0


def test_an_inhabited_database_and_production_are_refused(app, settings):
    fill_demo_town(app)
    before = db.session.scalar(select(func.count()).select_from(HistoryRow))
    db.session.rollback()
    with pytest.raises(DatabaseTrouble, match="not empty"):
        fill_demo_town(app)
    with pytest.raises(SettingsError, match="not for production"):
        fill_demo_town(bare_app(replace(settings, env="production")))
    assert db.session.scalar(select(func.count()).select_from(HistoryRow)) == before


def test_the_command_line_lists_the_town_with_masked_numbers(app, settings, monkeypatch):
    """A3"""
    fill_demo_town(app)
    monkeypatch.setenv("CC_VAR", str(settings.var))
    run = CliRunner()
    missed = json.loads(run.invoke(cli, ["call", "list", "--missed", "--json"]).stdout)
    assert {call["state"] for call in missed} == {"missed"}
    assert all("•" in call["number"] for call in missed)
    assert len(missed) >= count_missed(db.session()), "as many as the desk counts, or a number twice"
    full = json.loads(run.invoke(cli, ["call", "list", "--missed", "--full", "--json"]).stdout)
    assert all(call["number"].startswith("+380") for call in full)
    newest = json.loads(run.invoke(cli, ["report", "list", "--limit", "1", "--json"]).stdout)[0]
    shown = json.loads(run.invoke(cli, ["report", "show", newest["number"], "--json"]).stdout)[0]
    assert shown["history"][0]["event"] == "created"
    assert run.invoke(cli, ["user", "off", "tsapkova"]).exit_code == 0
    users = json.loads(run.invoke(cli, ["user", "list", "--json"]).stdout)
    assert [user["login"] for user in users if not user["active"]] == ["tsapkova"]
