"""Migrations: from nothing to today, all or nothing; what cannot be used is one sentence."""

import os
import resource
import sqlite3
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import MetaData, insert, inspect, select, text, update
from sqlalchemy.exc import DBAPIError

from jobs.app import bare_app
from jobs.database import DatabaseTrouble, prepare_database
from models.base import Base, db, transaction
from models.deadlines import Deadline
from models.executions import Execution
from models.plan import PlanStep, read_plan
from models.reports import HistoryRow, Report


@pytest.mark.parametrize("database", ["settings", "postgres_settings"])
def test_models_and_migrations_agree(request, database):
    app = bare_app(request.getfixturevalue(database))
    with app.app_context(), db.engine.connect() as connection:
        options = {"include_object": lambda _obj, name, *_rest: not (name or "").startswith("report_words")}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata) == []


def test_a_second_run_changes_nothing(settings):
    assert prepare_database(bare_app(settings)) == prepare_database(bare_app(settings))


@pytest.mark.parametrize("database", ["settings", "unmigrated_postgres_settings"])
def test_reports_of_before_are_found_by_their_telephones(request, database, tmp_path):
    settings = request.getfixturevalue(database)
    if database == "settings":
        settings = replace(settings, database_url=f"sqlite:///{tmp_path}/before.sqlite3")
    app = bare_app(settings)
    with app.app_context():
        prepare_database(app, "0004")
        with db.engine.begin() as connection:
            known = {"contact_number": "+380671234567", "other_phone": "050 911-22-33", "search_text": "яма"}
            connection.execute(insert(Report).values(known))
            connection.execute(insert(Report).values(contact_number=None))
        prepare_database(app)
        texts = db.session.scalars(select(Report.search_text).order_by(Report.id)).all()
        db.session.remove()
        db.engine.dispose()
    assert texts == ["яма t765432176083 t3322119050", ""]


@pytest.mark.parametrize("database", ["settings", "unmigrated_postgres_settings"])
def test_reports_of_before_get_their_executors_part_and_their_deadlines(request, database, tmp_path):
    """Nothing is lost: who took it to work and when, what was done, and the deadline that the work had."""
    settings = request.getfixturevalue(database)
    if database == "settings":
        settings = replace(settings, database_url=f"sqlite:///{tmp_path}/before.sqlite3")
    app = bare_app(settings)
    registered, taken, done = (datetime(2026, 11, 20, hour) for hour in (9, 10, 11))  # a Friday, in UTC
    common = {
        "source": "telephone", "revision": 0, "text": "Яма", "building": "", "flat": "", "landmark": "біля школи",
        "emergency": False, "applicant_name": "", "other_phone": "", "search_text": "", "created_at": registered,
        "category_id": 1, "executor_id": 1, "registered_at": registered, "due_at": datetime(2026, 12, 1, 16),
    }  # fmt: skip
    with app.app_context():
        prepare_database(app, "0005")
        with db.engine.begin() as connection:
            before = MetaData()
            before.reflect(connection)
            add = lambda table, **values: connection.execute(insert(before.tables[table]).values(values))  # noqa: E731
            add("organisations", id=1, name="КП «Міськсвітло»", active=True)
            add("categories", id=1, name="Ями", organisation_id=1, working_days=7, position=0, active=True)
            for number, state in ((1, "new"), (2, "closed"), (3, "draft")):
                add("reports", id=number, number=f"2026-{number}" if state != "draft" else None, state=state, **common)
            for event, at, note in (("accepted", taken, ""), ("completed", done, "Засипано")):
                moved = {"from_state": "", "to_state": "", "event": event, "at": at, "note": note}
                add("report_history", report_id=2, **moved)
        prepare_database(app)
        parts = db.session.execute(select(Execution.report_id, Execution.accepted_at, Execution.done)).all()
        deadlines = db.session.scalars(select(Deadline).order_by(Deadline.report_id, Deadline.id)).all()
        found = {(row.report_id, row.kind): (row.due_at.isoformat(), row.met_at is not None) for row in deadlines}
        db.session.remove()
        db.engine.dispose()
    assert sorted(parts) == [(1, None, ""), (2, taken.replace(tzinfo=UTC), "Засипано")]
    assert found == {
        (1, "work"): ("2026-12-01T16:00:00+00:00", False),
        (1, "reasons"): ("2026-12-21T16:00:00+00:00", False),  # thirty days on is a Sunday
        (1, "inform_head"): ("2026-11-23T16:00:00+00:00", False),
        (1, "accept"): ("2026-11-24T16:00:00+00:00", False),
        (2, "work"): ("2026-12-01T16:00:00+00:00", True),
        (2, "reasons"): ("2026-12-21T16:00:00+00:00", False),
        (2, "inform_head"): ("2026-11-23T16:00:00+00:00", True),
        (2, "accept"): ("2026-11-24T16:00:00+00:00", True),
    }


@pytest.mark.parametrize("database", ["settings", "unmigrated_postgres_settings"])
def test_words_of_before_are_known_by_the_record_that_they_are_from(request, database, tmp_path):
    """Also of a call that was added and taken back; not a call of another moment. The history stays locked."""
    settings = request.getfixturevalue(database)
    if database == "settings":
        settings = replace(settings, database_url=f"sqlite:///{tmp_path}/before.sqlite3")
    app = bare_app(settings)
    common = {
        "source": "telephone", "revision": 0, "text": "Яма", "building": "", "flat": "", "landmark": "",
        "emergency": False, "applicant_name": "", "other_phone": "", "search_text": "", "street_typed": "",
        "created_at": datetime(2026, 11, 20),
    }  # fmt: skip
    with app.app_context():
        prepare_database(app, "0013")
        with db.engine.begin() as connection:
            before = MetaData()
            before.reflect(connection)
            add = lambda table, **values: connection.execute(insert(before.tables[table]).values(values))  # noqa: E731
            add("reports", id=1, number="2026-0001", state="new", **common)
            nowhere = {"from_state": "", "to_state": ""}
            for draft, state, event in ((2, "attached", "called"), (3, "draft", "told_again")):
                add("reports", id=draft, state=state, **common)
                at = datetime(2026, 11, 20, 9, draft)
                add("report_history", report_id=draft, event="attached", note="2026-0001", at=at, **nowhere)
                at = at.replace(microsecond=700)
                add("report_history", report_id=1, event=f"applicant_{event}", note="Та сама яма", at=at, **nowhere)
            at = datetime(2026, 11, 20, 9, 30)
            add("report_history", report_id=1, event="applicant_called", note="Та сама яма", at=at, **nowhere)
        prepare_database(app)
        told = select(HistoryRow.told_by_id).where(HistoryRow.report_id == 1).order_by(HistoryRow.at)
        found = db.session.scalars(told).all()
        with pytest.raises(DBAPIError), transaction() as session:
            session.execute(update(HistoryRow).values(note=""))
        db.session.remove()
        db.engine.dispose()
    assert found == [2, 3, None]


@pytest.mark.parametrize("database", ["settings", "unmigrated_postgres_settings"])
def test_reasons_that_nobody_gave_were_not_needed(request, database, tmp_path):
    """Figures counted them as given in time; one that was given stays met."""
    settings = request.getfixturevalue(database)
    if database == "settings":
        settings = replace(settings, database_url=f"sqlite:///{tmp_path}/before.sqlite3")
    app = bare_app(settings)
    prepare_database(app, "0014")
    at = datetime(2026, 11, 20, 9, tzinfo=UTC)
    with app.app_context():
        with db.engine.begin() as connection:
            for number, event in ((1, "completed"), (2, "reasons_given")):
                connection.execute(insert(Report).values(id=number))
                connection.execute(insert(HistoryRow).values(report_id=number, event=event, at=at))
                connection.execute(
                    insert(Deadline).values(
                        report_id=number, kind="reasons", clause="R 4.4", began_at=at, due_at=at, met_at=at
                    )
                )
        prepare_database(app)
        query = select(Deadline.met_at, Deadline.cancelled_at).order_by(Deadline.report_id)
        assert [tuple(row) for row in db.session.execute(query)] == [(None, at), (at, None)]
        db.session.remove()
        db.engine.dispose()


def refused(settings, words):
    with pytest.raises(DatabaseTrouble, match=words) as trouble:
        prepare_database(bare_app(settings))
    told = str(trouble.value)
    assert "\n" not in told
    return told


def test_a_database_from_a_newer_version_is_refused_and_left_alone(settings):
    app = bare_app(settings)
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    refused(settings, "newer version")
    with app.app_context(), db.engine.connect() as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == "9999"


def test_the_tables_of_another_program_are_left_alone(settings, tmp_path):
    other = tmp_path / "other.sqlite3"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE recipes (id)")
    refused(replace(settings, database_url=f"sqlite:///{other}"), "another program")
    with sqlite3.connect(other) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("recipes",)]


def test_a_file_that_is_no_database_is_left_alone(settings, tmp_path):
    letter = tmp_path / "letter.txt"
    letter.write_text("Шановна міська радо! " * 50)
    refused(replace(settings, database_url=f"sqlite:///{letter}"), "is not a database")
    assert letter.read_text().startswith("Шановна")


def test_a_folder_that_is_not_there_and_a_server_that_is_not_there(settings):
    refused(replace(settings, database_url="sqlite:////nowhere/town.sqlite3"), "cannot be opened")
    away = replace(settings, database_url="postgresql+psycopg://town:geheim@127.0.0.1:1/town")
    assert "geheim" not in refused(away, "does not answer")


def test_a_disk_that_becomes_full_leaves_no_half_made_tables(settings, tmp_path):
    """The limit on the size of a file stops the writing in the middle of the migrations."""
    environ = os.environ | {"CC_VAR": str(settings.var), "CC_DATABASE_URL": f"sqlite:///{tmp_path}/full.sqlite3"}
    ended = subprocess.run(
        [sys.executable, "-c", "from webui.cli import main; main()", "database", "upgrade"],
        env=environ,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000)),
    )
    assert ended.returncode == 1
    assert "cannot be written" in ended.stderr
    assert "Traceback" not in ended.stderr
    app = bare_app(replace(settings, database_url=environ["CC_DATABASE_URL"]))
    with app.app_context(), db.engine.connect() as connection:
        assert inspect(connection).get_table_names() == []


@pytest.mark.parametrize("database", ["settings", "unmigrated_postgres_settings"])
def test_lines_of_before_are_open_at_any_time_and_keep_their_calls(request, database, tmp_path):
    settings = request.getfixturevalue(database)
    if database == "settings":
        settings = replace(settings, database_url=f"sqlite:///{tmp_path}/before.sqlite3")
    app = bare_app(settings)
    with app.app_context():
        prepare_database(app, "0030")
        with db.engine.begin() as connection:
            before = MetaData()
            before.reflect(connection)
            add = lambda table, **values: connection.execute(insert(before.tables[table]).values(values))  # noqa: E731
            add("lines", id=1, number="5-32-73", e164="+380544853273", title="Перша")
            add("phones", id=1, name="admin1", extension="101", secret="s" * 24, title="")
            add("ring_steps", id=1, line_id=1, step=1, phone_id=1, seconds=20)
        prepare_database(app)
        (line,) = read_plan(db.session()).lines
        db.session.remove()
        db.engine.dispose()
    assert (line.hours, line.out_of_hours, line.duty) == (None, "ring", "")
    assert line.steps == (PlanStep(("admin1",), 20),)
