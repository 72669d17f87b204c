"""Migrations: from nothing to today, all or nothing; what cannot be used is one sentence."""

import os
import resource
import sqlite3
import subprocess
import sys
from dataclasses import replace

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from flask_migrate import upgrade
from sqlalchemy import insert, inspect, select, text

from jobs.app import bare_app
from jobs.database import DatabaseTrouble, prepare_database
from models.base import Base, db
from models.reports import Report


@pytest.mark.parametrize("database", ["settings", "postgres_settings"])
def test_models_and_migrations_agree(request, database):
    app = bare_app(request.getfixturevalue(database))
    prepare_database(app)
    with app.app_context(), db.engine.connect() as connection:
        options = {"include_object": lambda _obj, name, *_rest: not (name or "").startswith("report_words")}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata) == []


def test_a_second_run_changes_nothing(settings):
    assert prepare_database(bare_app(settings)) == prepare_database(bare_app(settings))


@pytest.mark.parametrize("database", ["settings", "postgres_settings"])
def test_reports_of_before_are_found_by_their_telephones(request, database, tmp_path):
    settings = request.getfixturevalue(database)
    if database == "settings":
        settings = replace(settings, database_url=f"sqlite:///{tmp_path}/before.sqlite3")
    app = bare_app(settings)
    with app.app_context():
        upgrade(revision="0004")
        with db.engine.begin() as connection:
            known = {"contact_number": "+380671234567", "other_phone": "050 911-22-33", "search_text": "яма"}
            connection.execute(insert(Report).values(known))
            connection.execute(insert(Report).values(contact_number=None))
        upgrade()
        texts = db.session.scalars(select(Report.search_text).order_by(Report.id)).all()
        db.session.remove()
        db.engine.dispose()
    assert texts == ["яма t765432176083 t3322119050", ""]


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
