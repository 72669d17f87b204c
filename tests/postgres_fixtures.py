"""A private PostgreSQL server for the tests; skipped with its reason where PostgreSQL is not installed."""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from jobs.app import bare_app
from jobs.database import prepare_database
from jobs.settings import Settings, load_settings
from tests.helpers import close_database

FOLDERS = ["/usr/local/bin", *sorted(str(found) for found in Path("/usr/lib/postgresql").glob("*/bin"))]


def _tool(name: str) -> str | None:
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *FOLDERS]))


def _account() -> str | None:
    """PostgreSQL refuses to run as root: then an ordinary account does."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


class NoPostgresql(Exception):
    """No server can be started here; the message says why."""


@contextmanager
def private_server() -> Iterator[Path]:
    """A server of our own: the folder of its socket, from which alone connections come. Raises `NoPostgresql`."""
    initdb, postgres = _tool("initdb"), _tool("postgres")
    if not initdb or not postgres:
        raise NoPostgresql("PostgreSQL is not installed (apt-get install postgresql)")
    account = _account()
    folder = Path(tempfile.mkdtemp(prefix="cc-pg-", dir="/tmp"))
    if account:
        os.chown(folder, pwd.getpwnam(account).pw_uid, -1)
    data = folder / "data"
    made = subprocess.run(
        [initdb, "-D", data, "-A", "trust", "-U", "tester", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"],
        user=account, cwd=folder, capture_output=True, text=True,
    )  # fmt: skip
    if made.returncode != 0:
        shutil.rmtree(folder, ignore_errors=True)
        raise NoPostgresql(f"initdb refuses: {made.stderr.strip().splitlines()[-1]}")
    with (folder / "log").open("w+") as log:
        server = subprocess.Popen(
            [postgres, "-D", data, "-k", folder, "-c", "listen_addresses=", "-c", "fsync=off"],
            user=account, cwd=folder, stderr=log,
        )  # fmt: skip
        try:
            deadline = time.monotonic() + 30
            while "ready to accept connections" not in (folder / "log").read_text():
                if server.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError(f"PostgreSQL does not start: {(folder / 'log').read_text()}")
                time.sleep(0.1)
            yield folder
        finally:
            server.send_signal(signal.SIGINT)  # do not wait for who is still connected
            server.wait(30)
            shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Path]:
    """The folder of the socket of a running server; connections come from it alone."""
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(private_server())
        except NoPostgresql as reason:
            pytest.skip(str(reason))
        yield folder


def new_database(server: Path, template: str = "template1") -> str:
    """The URL of a new database: an empty one, or a copy of ``template``."""
    name = f"town_{secrets.token_hex(4)}"
    with psycopg.connect(f"host={server} user=tester dbname=postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    return f"postgresql+psycopg://tester@/{name}?host={server}"


@pytest.fixture(scope="session")
def migrated_postgres(postgres_server: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of an empty database with all migrations applied, to be copied."""
    url = new_database(postgres_server)
    app = bare_app(load_settings({"CC_VAR": str(tmp_path_factory.mktemp("postgres")), "CC_DATABASE_URL": url}))
    prepare_database(app)
    close_database(app)
    return make_url(url).database


@pytest.fixture
def postgres_settings(postgres_server: Path, migrated_postgres: str, settings: Settings) -> Settings:
    """The test's settings, but with a migrated PostgreSQL database of its own."""
    return replace(settings, database_url=new_database(postgres_server, migrated_postgres))


@pytest.fixture
def unmigrated_postgres_settings(postgres_server: Path, settings: Settings) -> Settings:
    """The test's settings, but with an empty PostgreSQL database of its own."""
    return replace(settings, database_url=new_database(postgres_server))
