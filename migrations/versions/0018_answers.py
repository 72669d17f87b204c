"""answers

An index of the applicants' answers by their time, by which those of today are counted.
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"

ANSWERS = sa.text("event IN ('confirmed', 'refuted')")


def upgrade() -> None:
    op.create_index(
        "ix_report_history_answers", "report_history", ["at", "event"], sqlite_where=ANSWERS, postgresql_where=ANSWERS
    )
