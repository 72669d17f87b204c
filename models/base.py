"""The database handle, its types, and the one way to write."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import DateTime, Engine, MetaData, event, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, InterfaceError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.types import TypeDecorator

from models.kyiv_time import stored_to_kyiv_hour


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


db = SQLAlchemy(model_class=Base)

Row = TypeVar("Row", bound=Base)


class UTCDateTime(TypeDecorator[datetime]):
    """Times are stored in UTC and always carry their zone in Python; a naive one is a mistake."""

    impl = DateTime(timezone=False)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone: use models.base.now() or an aware datetime")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


def now() -> datetime:
    """The present moment, in UTC."""
    return datetime.now(UTC)


@contextmanager
def transaction() -> Iterator[Session]:
    """One short transaction that may write: commits at the end, rolls back on an error.

    SQLite takes its write lock at the start (``BEGIN IMMEDIATE``), because a snapshot that began as a reader
    cannot become a writer once somebody else has written. Whatever was read before is read again inside.
    """
    session = db.session
    session.rollback()
    session.connection(execution_options={"immediate": True})
    try:
        yield session()
        session.commit()
    except BaseException:
        session.rollback()
        raise


def database_is_away(error: Exception) -> bool:
    """Whether the same job may succeed later: the database is locked, full, away or damaged, the job itself is not.

    What the rules or the columns refuse stays refused.
    """
    refused = (IntegrityError, DataError, ProgrammingError)
    return isinstance(error, (DBAPIError, PoolTimeout)) and not isinstance(error, refused)


def reason(error: Exception) -> str:
    """The error in a few words, never with the values of a statement: those are personal data."""
    if isinstance(error, (OperationalError, InterfaceError)):
        return str(error.orig).partition("\n")[0]
    return type(error).__name__


def insert_new(session: Session, table: type[Row], **values: object) -> Row | None:
    """Insert a row, or leave it when one with the same unique key is there: the row inserted, else None.

    Nothing is rolled back, and of several processes that insert at the same moment one gets the row.
    """
    dialect = {"sqlite": sqlite, "postgresql": postgresql}[session.get_bind().dialect.name]
    return session.scalar(dialect.insert(table).values(**values).on_conflict_do_nothing().returning(table))


def one_at_a_time(session: Session, lock: int) -> None:
    """Wait until no other transaction holds this lock, and hold it until this one ends.

    For what is decided by rows that may not be there yet, so that none of them can be locked. SQLite writes one at a
    time anyway.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(lock)))


def announce(session: Session, kind: str, row_id: int) -> None:
    """Remember that a row changed; ``jobs.notify`` publishes it once the transaction is committed."""
    session.info.setdefault("announcements", {})[(kind, row_id)] = None


class _Compiler(SQLiteCompiler):
    """Says by which index SQLite is to read a table, where a query has a hint for it; SQLAlchemy leaves hints out."""

    def get_from_hint_text(self, table: Any, text: str) -> str:
        return text


def use_sqlite_well(engine: Engine, busy_seconds: float) -> None:
    """Set one SQLite engine up: write-ahead log, foreign keys, real transactions, a bounded wait for the lock,
    hints, and the time zone that SQLite does not know (`kyiv_hour`)."""
    engine.dialect.statement_compiler = _Compiler

    @event.listens_for(engine, "connect")
    def set_pragmas(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver must not begin transactions by itself
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout={int(busy_seconds * 1000)}")
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")  # a registered report survives a power cut
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()
        connection.create_function("kyiv_hour", 1, stored_to_kyiv_hour, deterministic=True)

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        immediate = connection.get_execution_options().get("immediate", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")
