"""reasons not needed

Work that was done met the deadline for giving reasons, too, and figures counted it as kept where no reasons were ever
given. It is cancelled instead: not needed. Where it was late it stays late.
"""

from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.execute(
        "UPDATE deadlines SET cancelled_at = met_at, met_at = NULL WHERE kind = 'reasons' AND met_at IS NOT NULL"
        " AND NOT EXISTS (SELECT 1 FROM report_history WHERE report_history.report_id = deadlines.report_id"
        " AND report_history.event = 'reasons_given' AND report_history.at = deadlines.met_at)"
    )
