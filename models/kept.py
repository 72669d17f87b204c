"""Rows that are only ever added: the access log and the reports' history (A3).

Triggers of the database refuse to change and to delete them. Retention and the erasure of one person are the only two
that may, and each says so for its own transaction.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import delete
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.base import Base

KEPT = ("access_log", "report_history")  # the tables with the triggers


class Unlock(Base):
    """A row that is there while a transaction may change what is kept; no other transaction ever sees it."""

    __tablename__ = "unlocks"

    id: Mapped[int] = mapped_column(primary_key=True)


@contextmanager
def unlocked(session: Session) -> Iterator[None]:
    """Inside, this transaction may change and delete what is kept."""
    unlock = Unlock()
    session.add(unlock)
    session.flush()
    yield
    session.flush()
    session.execute(delete(Unlock).where(Unlock.id == unlock.id))
