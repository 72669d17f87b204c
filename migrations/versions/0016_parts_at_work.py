"""parts at work

An index of the executors' parts that are still to be done, by which the organisations that have not looked today are
found without a walk over all parts of all years.
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"

AT_WORK = sa.text("completed_at IS NULL AND reasons_at IS NULL")


def upgrade() -> None:
    op.create_index(
        "ix_executions_at_work",
        "executions",
        ["report_id", "organisation_id", "assigned_at"],
        sqlite_where=AT_WORK,
        postgresql_where=AT_WORK,
    )
