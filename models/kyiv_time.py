"""Kyiv's hours and days inside a query, so that the database can count by them through every change of the clock."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import String
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from models.workdays import KYIV


class kyiv_hour(FunctionElement):
    """The hour in Kyiv of a stored moment, as text: ``2026-10-01 09``."""

    type = String()
    inherit_cache = True


@compiles(kyiv_hour, "sqlite")
def _sqlite(element: kyiv_hour, compiler: Any, **options: Any) -> str:
    return f"kyiv_hour({compiler.process(element.clauses, **options)})"


@compiles(kyiv_hour, "postgresql")
def _postgresql(element: kyiv_hour, compiler: Any, **options: Any) -> str:
    moment = compiler.process(element.clauses, **options)
    return f"to_char(timezone('Europe/Kyiv', timezone('UTC', {moment})), 'YYYY-MM-DD HH24')"


def stored_to_kyiv_hour(stored: str | None) -> str | None:
    """What ``kyiv_hour`` gives inside SQLite, which knows no time zones: of the text that it keeps for a moment."""
    return None if stored is None else _hour(stored[:13])


@lru_cache(maxsize=50_000)  # every hour of five years
def _hour(utc: str) -> str:
    return datetime.fromisoformat(utc).replace(tzinfo=UTC).astimezone(KYIV).strftime("%Y-%m-%d %H")
