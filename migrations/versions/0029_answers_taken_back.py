"""answers taken back

Which row of the history takes which answer of the applicant back, and what each executor's part was before the answer
that it is not done: a day that was planned stands nowhere else.
"""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"


def upgrade() -> None:
    op.execute(
        "ALTER TABLE report_history ADD COLUMN takes_back_id INTEGER"
        " CONSTRAINT fk_report_history_takes_back_id_report_history REFERENCES report_history (id)"
    )
    only = sa.text("takes_back_id IS NOT NULL")
    op.create_index(
        "ix_report_history_takes_back_id",
        "report_history",
        ["takes_back_id"],
        sqlite_where=only,
        postgresql_where=only,
    )
    op.add_column("executions", sa.Column("completed_before", sa.DateTime(), nullable=True))
    op.add_column("executions", sa.Column("planned_before", sa.DateTime(), nullable=True))
