"""parts that were taken to work lately

Every desk asks which emergency was taken to work a moment ago: without the index all parts of all reports were read.
"""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"


def upgrade() -> None:
    only = sa.text("accepted_at IS NOT NULL")
    op.create_index("ix_executions_accepted", "executions", ["accepted_at"], sqlite_where=only, postgresql_where=only)
