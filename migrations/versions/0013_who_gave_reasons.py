"""who gave reasons

Whose reasons wait for the control body's decision. Of a report that waits now the leading executor's are meant.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.add_column("executions", sa.Column("reasons_at", sa.DateTime(), nullable=True))
    op.execute(
        "UPDATE executions SET reasons_at = (SELECT max(at) FROM report_history"
        " WHERE report_history.report_id = executions.report_id AND event = 'reasons_given')"
        " WHERE EXISTS (SELECT 1 FROM reports WHERE reports.id = executions.report_id"
        " AND reports.state = 'reasons_given' AND reports.executor_id = executions.organisation_id)"
    )
