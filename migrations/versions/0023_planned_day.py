"""planned_day

The day that an operator names for their part of a report; the applicant is told it (R 4.4, W5).
"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    op.add_column("executions", sa.Column("planned_at", sa.DateTime(), nullable=True))
