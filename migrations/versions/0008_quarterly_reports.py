"""quarterly reports

The quarterly reports with what happened to each, and the indexes from which summaries are counted.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "quarterly_reports",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("control_body_id", sa.Integer(), nullable=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("remark", sa.Text(), nullable=False),
        sa.Column("sent_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(["control_body_id"], ["users.id"], name="fk_quarterly_reports_control_body_id_users"),
        sa.PrimaryKeyConstraint("id", name="pk_quarterly_reports"),
    )
    op.create_index(
        "uq_quarterly_reports_year_number_control_body_id",
        "quarterly_reports",
        ["year", "number", "control_body_id"],
        unique=True,
    )
    on_all = sa.text("control_body_id IS NULL")
    op.create_index(
        "uq_quarterly_reports_all",
        "quarterly_reports",
        ["year", "number"],
        unique=True,
        sqlite_where=on_all,
        postgresql_where=on_all,
    )
    op.create_table(
        "quarterly_steps",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("report_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("event", sa.String(16), nullable=False),
        sa.Column("from_state", sa.String(16), nullable=False),
        sa.Column("to_state", sa.String(16), nullable=False),
        sa.ForeignKeyConstraint(
            ["report_id"], ["quarterly_reports.id"], name="fk_quarterly_steps_report_id_quarterly_reports"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_quarterly_steps_user_id_users"),
        sa.PrimaryKeyConstraint("id", name="pk_quarterly_steps"),
    )
    op.create_index("ix_quarterly_steps_report_id", "quarterly_steps", ["report_id"])
    op.drop_index("ix_deadlines_report_id", "deadlines")
    op.create_index(
        "ix_deadlines_report_id_kind",
        "deadlines",
        ["report_id", "kind", "organisation_id", "due_at", "met_at", "paused_at", "cancelled_at"],
    )
    op.create_index(
        "ix_reports_summary",
        "reports",
        [
            "created_at",
            "state",
            "executor_id",
            "category_id",
            "street_id",
            "line_id",
            "source",
            "repeat_of_id",
            "registered_at",
            "id",
        ],
    )
    op.drop_index("ix_report_history_report_id", "report_history")
    op.create_index("ix_report_history_report_id_event", "report_history", ["report_id", "event"])
