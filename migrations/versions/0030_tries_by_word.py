"""tries that somebody told of

Today's checks count the applicants of whom a person said, without a call from here, that they were not reached: without
the index all events of all tasks were read for it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"


def upgrade() -> None:
    only = sa.text("user_id IS NOT NULL AND attempt_id IS NULL")
    op.create_index("ix_call_task_events_by_word", "call_task_events", ["at"], sqlite_where=only, postgresql_where=only)
