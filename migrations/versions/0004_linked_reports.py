"""linked reports

A report's page lists the calls added to it and the reports that repeat it: few of many, found by a partial index.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    for column in ("attached_to_id", "repeat_of_id"):
        linked = sa.text(f"{column} IS NOT NULL")
        op.create_index(f"ix_reports_{column}", "reports", [column], sqlite_where=linked, postgresql_where=linked)
