"""What every test can ask for: settings on an empty folder, the application on a freshly migrated database."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from flask import Flask
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from sqlalchemy.orm import Session

from jobs.app import bare_app
from jobs.database import prepare_database
from jobs.settings import Settings, load_settings
from models.base import db
from models.people import User
from tests.desk_fixtures import Exchange, Site, fill_desks, user_id
from tests.helpers import close_database, free_port
from tests.static_fixtures import compressed_once
from tests.web_fixtures import filled_web
from webui import auth, static_files

pytest_plugins = [
    "tests.call_fixtures",
    "tests.postgres_fixtures",
    "tests.backup_fixtures",
    "tests.mail_fixtures",
    "tests.speech_fixtures",
    "tests.table_fixtures",
]


# A password costs a tenth of a second to check, on purpose; a thousand tests log in.
auth.hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


class CompiledTemplates(BytecodeCache):
    """Each application compiles its templates; a thousand of the same are compiled once."""

    def __init__(self) -> None:
        self._code: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._code:
            bucket.bytecode_from_string(self._code[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._code[bucket.key] = bucket.bytecode_to_string()


Flask.jinja_options = {**Flask.jinja_options, "bytecode_cache": CompiledTemplates()}

static_files.compressed = compressed_once


@pytest.fixture(scope="session")
def migrated_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty SQLite database with all migrations applied, to be copied."""
    folder = tmp_path_factory.mktemp("migrated")
    app = bare_app(load_settings({"CC_VAR": str(folder)}))
    prepare_database(app)
    with app.app_context():
        with db.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        db.engine.dispose()
    return folder / "contact-center.sqlite3"


@pytest.fixture
def settings(tmp_path: Path, migrated_database: Path) -> Settings:
    """Settings of a site of its own: its folder, its database (migrated), free ports, no Redis running."""
    shutil.copy(migrated_database, tmp_path / "contact-center.sqlite3")
    environ = {"CC_VAR": str(tmp_path)}
    for name in ("CC_WEB_PORT", "CC_AMI_PORT", "CC_AGI_PORT"):
        environ[name] = str(free_port())
    return load_settings(environ)


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    """The application without the web, inside its context."""
    app = bare_app(settings)
    with app.app_context():
        yield app
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def session(app: Flask) -> Session:
    """The database session of `app`."""
    return db.session()


@pytest.fixture
def exchange(app: Flask) -> Exchange:
    """What the exchange reports to `app`, in a town with people at their desks."""
    fill_desks()
    return Exchange(app)


@pytest.fixture
def me(exchange: Exchange, session: Session) -> User:
    """Tsapkova, for whom the line 5-32-73 rings first."""
    return session.get_one(User, user_id("tsapkova"))


@pytest.fixture
def web(settings: Settings) -> Iterator[Flask]:
    """The web application with people in its database, for a client of its own (`web_fixtures.Browser`)."""
    app = filled_web(settings)
    yield app
    close_database(app)


@pytest.fixture
def site(settings: Settings) -> Iterator[Site]:
    """People at their desks, a real Redis and the real web server."""
    site = Site(settings)
    with site.app.app_context():
        fill_desks()
    try:
        site.start_redis()
        site.start_web()
        yield site
    finally:
        site.stop()
