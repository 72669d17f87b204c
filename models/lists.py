"""Lists that are cut off: the first rows, and how many there are in all."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

Row = TypeVar("Row")


@dataclass(frozen=True)
class Listed(Generic[Row]):
    """The first rows of a list, and how many it has in all."""

    rows: Sequence[Row]
    count: int

    @property
    def more(self) -> int:
        return self.count - len(self.rows)


def first_of(session: Session, rows: Select, ids: Select, most: int) -> Listed:
    """The first ``most`` of ``rows``, in their order; ``ids`` are those of all, and are counted only where more are."""
    found = session.scalars(rows.limit(most)).all()
    if len(found) < most:
        return Listed(found, len(found))
    return Listed(found, session.scalar(select(func.count()).select_from(ids.subquery())) or 0)
