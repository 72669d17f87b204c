"""A PostgreSQL database as a file, and back: by PostgreSQL's own programs, into a database beside the present one."""

import errno
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo
from sqlalchemy import URL, make_url

from jobs.archive import BackupTrouble

LEAVING = 5.0  # a server notices a moment later that a client has gone; as long it waits itself before a renaming
_TOOLS = "apt-get install postgresql-client"


class InUse(BackupTrouble):
    """Somebody is connected to the database that is to be put aside."""


def size_of(url: str) -> int:
    """How many bytes the database takes on its server."""
    with _connected(url) as connection:
        return connection.execute("SELECT pg_database_size(current_database())").fetchone()[0]


def revision_in(url: str) -> str:
    """The migration that the database is at; "" when it has no tables."""
    with _connected(url) as connection:
        try:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        except psycopg.errors.UndefinedTable:
            row = None
    return row[0] if row else ""


def dump_database(url: str, target: Path) -> None:
    """Write the database as it is at this moment into ``target``; writers go on. Raises `BackupTrouble`, `OSError`."""
    _run("pg_dump", url, "--format=custom", "--no-owner", "--no-privileges", f"--file={target}")


def is_sound(file: Path) -> bool:
    """Whether all of the dump can be read."""
    return _tool("pg_restore", f"--file={os.devnull}", str(file)).returncode == 0


def others_in(url: str) -> int:
    """How many others are connected to the database; who is leaving gets `LEAVING` seconds to be gone."""
    count = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    until = time.monotonic() + LEAVING
    with _connected(url) as connection:
        while (others := connection.execute(count).fetchone()[0]) and time.monotonic() < until:
            time.sleep(0.1)
        return others


def load_beside(url: str, file: Path, name: str) -> str:
    """Make the database ``name`` like the present one and fill it from the dump; returns its URL."""
    drop_beside(url, name)
    with _connected(url) as connection:
        like = connection.execute(
            "SELECT pg_encoding_to_char(encoding), datcollate, datctype FROM pg_database "
            "WHERE datname = current_database()"
        ).fetchone()
        create = sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING {} LC_COLLATE {} LC_CTYPE {}")
        try:
            connection.execute(create.format(sql.Identifier(name), *map(sql.Literal, like)))
        except psycopg.errors.InsufficientPrivilege as error:
            user = make_url(url).username
            raise BackupTrouble(
                f"The database user {user} may make no database: let it (ALTER ROLE {user} CREATEDB) and try again."
            ) from error
    beside = make_url(url).set(database=name).render_as_string(hide_password=False)
    _run("pg_restore", beside, "--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction", str(file))
    return beside


def drop_beside(url: str, name: str) -> None:
    """Take the database away in which a restore had begun."""
    with _connected(url) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def swap(url: str, staged: str, aside: str) -> None:
    """Give the present database the name ``aside``, and ``staged`` its name: both, or neither. Done already, it stays.

    Raises `InUse` while others are connected.
    """
    parts = make_url(url)
    rename = sql.SQL("ALTER DATABASE {} RENAME TO {}")
    everywhere = parts.set(database="postgres").render_as_string(hide_password=False)
    with _connected(everywhere) as connection, connection.transaction():
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [staged]).fetchone() is None:
            return
        try:
            for old, new in ((parts.database, aside), (staged, parts.database)):
                connection.execute(rename.format(sql.Identifier(old), sql.Identifier(new)))
        except psycopg.errors.ObjectInUse as error:
            raise in_use(parts) from error


def in_use(url: URL) -> InUse:
    return InUse(
        f"Others are connected to the database {url.database}: stop the service on every machine and end what else is "
        "open there, then restore."
    )


@contextmanager
def _connected(url: str) -> Iterator[psycopg.Connection]:
    try:
        with psycopg.connect(_conninfo(make_url(url)), connect_timeout=5, autocommit=True) as connection:
            yield connection
    except psycopg.Error as error:
        told = " ".join(str(error).split())
        raise BackupTrouble(f"The database {make_url(url).database} refuses to work ({told}): mend that.") from error


def _conninfo(url: URL) -> str:
    _nothing, options = url.get_dialect()().create_connect_args(url)
    return make_conninfo(**{name: value for name, value in options.items() if name != "context"})


def _run(program: str, url: str, *arguments: str) -> None:
    parts = make_url(url)
    connection = _conninfo(parts._replace(password=None))  # a list of processes shows it
    done = _tool(program, f"--dbname={connection}", *arguments, password=parts.password)
    if done.returncode != 0:
        if os.strerror(errno.ENOSPC) in done.stderr:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        told = " ".join(done.stderr.split())[:300]
        raise BackupTrouble(f"{program} failed ({told}): see that its version is the server's, and the rights there.")


def _tool(program: str, *arguments: str, password: str | None = None) -> subprocess.CompletedProcess[str]:
    environ = os.environ | {"LC_ALL": "C.UTF-8"} | ({"PGPASSWORD": password} if password else {})
    try:
        return subprocess.run([program, *arguments], env=environ, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise BackupTrouble(f"{program} is not installed, and PostgreSQL needs it: {_TOOLS}.") from None
