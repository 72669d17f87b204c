"""journal filters

One index for each of the journal's filters, with what the other filters ask for beside each id, instead of one for
each combination; the saved filters; and what the daily monitoring counts by.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

CHECKED = ("state", "category_id", "line_id", "executor_id", "source", "repeat_of_id", "emergency")
REGISTERED = "number IS NOT NULL"
OPEN = "state IN ('new', 'in_progress', 'reasons_given', 'done')"
RUNNING = "met_at IS NULL AND cancelled_at IS NULL AND paused_at IS NULL"
REPLACED = (
    "state_id",
    "state_category_id_id",
    "state_line_id_id",
    "state_category_id_line_id_id",
    "registered_id",
    "registered_category_id_id",
    "registered_line_id_id",
    "registered_category_id_line_id_id",
)


def upgrade() -> None:
    for name in REPLACED:
        op.drop_index(f"ix_reports_{name}", "reports")
    for name, holds in (
        ("state", ""),
        ("category_id", REGISTERED),
        ("line_id", REGISTERED),
        ("executor_id", REGISTERED),
        ("source", REGISTERED),
    ):
        index(name, [name, "id", *(other for other in CHECKED if other != name)], holds)
    index("repeated", ["id", *CHECKED], f"repeat_of_id IS NOT NULL AND {REGISTERED}")
    index("emergency", ["id", *CHECKED], f"emergency = true AND {REGISTERED}")
    index("open", ["id", "due_at", *CHECKED], OPEN)
    index("registered", ["id", "repeat_of_id"], REGISTERED)
    op.drop_index("ix_deadlines_running", "deadlines")
    op.create_index(
        "ix_deadlines_running",
        "deadlines",
        ["due_at", "id", "organisation_id", "report_id"],
        sqlite_where=sa.text(RUNNING),
        postgresql_where=sa.text(RUNNING),
    )
    op.create_table(
        "saved_filters",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.Column("asked", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_saved_filters_user_id_users"),
        sa.PrimaryKeyConstraint("id", name="pk_saved_filters"),
        sa.UniqueConstraint("user_id", "name", name="uq_saved_filters_user_id_name"),
    )


def index(name: str, columns: list[str], holds: str) -> None:
    where = sa.text(holds) if holds else None
    op.create_index(f"ix_reports_journal_{name}", "reports", columns, sqlite_where=where, postgresql_where=where)
