"""Bringing the database to the version of this program; every trouble is one sentence."""

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Flask
from flask_migrate import Migrate
from sqlalchemy import URL, inspect, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from jobs.settings import CHECKOUT, SettingsError
from models.base import db

NO_ADDRESS = "CC_DATABASE_URL cannot be understood: write sqlite:////FILE or postgresql+psycopg://USER@HOST/NAME."
_SQLITE_SENTENCES = {
    "SQLITE_NOTADB": "{where} is not a database: move that file away, or set CC_DATABASE_URL to the right one.",
    "SQLITE_CORRUPT": "{where} is damaged: stop the service and restore the last backup.",
    "SQLITE_CANTOPEN": "{where} cannot be opened: make its folder, and let this user write to it.",
    "SQLITE_READONLY": "{where} may not be written: let this user write to the file and to its folder.",
    "SQLITE_PERM": "{where} may not be written: let this user write to the file and to its folder.",
    "SQLITE_FULL": "{where} cannot be written, for the disk is full: free some space and start again.",
    "SQLITE_IOERR": "{where} cannot be written: look whether the disk is full or failing, and start again.",
    "SQLITE_BUSY": "{where} is being written by another program: wait until it is done, or end it.",
}


class DatabaseTrouble(Exception):
    """The database cannot be used; the message is one sentence that says what to do."""


def check_url(text: str) -> None:
    """Raise `SettingsError` when this is no address of a database that we can work with."""
    try:
        make_url(text).get_dialect()
    except (ArgumentError, ImportError) as error:  # the second: a database whose driver is not installed
        raise SettingsError(NO_ADDRESS) from error


def _migrations(app: Flask) -> Config:
    """Where the migrations lie. Known only here, for the parts that run need neither them nor Alembic's memory."""
    if "migrate" not in app.extensions:
        Migrate(app, db, directory=str(CHECKOUT / "migrations"))
    return app.extensions["migrate"].migrate.get_config()


def prepare_database(app: Flask, revision: str = "head") -> str:
    """Bring the database forward to this program's version, all or nothing; returns the revision it has now.

    Raises `DatabaseTrouble` when it cannot be reached or written, is no database or not ours, or comes from a newer
    version. Nothing is written in any of these cases.
    """
    with app.app_context():
        try:
            check_revision(app)
            command.upgrade(_migrations(app), revision)
            with db.engine.connect() as connection:
                return MigrationContext.configure(connection).get_current_revision() or ""
        except DBAPIError as error:
            raise DatabaseTrouble(sentence(db.engine.url, error)) from error
        finally:
            db.session.remove()


def check_revision(app: Flask) -> None:
    """Raise `DatabaseTrouble` when the database's revision is not one of ours."""
    with db.engine.connect() as connection:
        revision = MigrationContext.configure(connection).get_current_revision()
        tables = set(inspect(connection).get_table_names())
    where = place(db.engine.url)
    if revision is None:
        if tables - {"alembic_version"}:
            raise DatabaseTrouble(f"{where} holds the tables of another program: set CC_DATABASE_URL to an empty one.")
        return
    scripts = ScriptDirectory.from_config(_migrations(app))
    if revision not in {script.revision for script in scripts.walk_revisions()}:
        raise DatabaseTrouble(
            f"{where} comes from a newer version of the program (revision {revision}): install that version."
        )


def place(url: URL) -> str:
    """Where the database is, without its password."""
    if url.get_backend_name() == "sqlite":
        return f"The file {url.database}"
    return f"The database {url.render_as_string(hide_password=True)}"


def sentence(url: URL, error: DBAPIError) -> str:
    """What went wrong with the database, and what to do, in one sentence."""
    where, told = place(url), " ".join(str(error.orig).split())
    name = getattr(error.orig, "sqlite_errorname", "")
    for start, words in _SQLITE_SENTENCES.items():
        if name.startswith(start):
            return words.format(where=where)
    if url.get_backend_name() != "sqlite" and getattr(error.orig, "sqlstate", None) is None:
        return f"{where} does not answer: start PostgreSQL or correct CC_DATABASE_URL ({told})."
    return f"{where} refuses to work: {told}."
