"""board of calls

Indexes for the board (open tasks by purpose, what was done today), and for the numbers of calls of ours whose term is
over.
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"


def index(name: str, table: str, columns: list[str], only: str) -> None:
    where = sa.text(only)
    op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)


def upgrade() -> None:
    index("ix_call_tasks_open", "call_tasks", ["purpose", "state", "due_at"], "settled_at IS NULL")
    index("ix_call_tasks_settled", "call_tasks", ["settled_at", "purpose", "state"], "settled_at IS NOT NULL")
    index("ix_call_attempts_number_held", "call_attempts", ["planned_at"], "number <> ''")
