"""versions of the telephone plan

Each with its history. The present tables become the first version at the next start.
"""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"


def upgrade() -> None:
    op.create_table(
        "plan_versions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("author_id", sa.Integer(), nullable=True),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("changes", sa.Text(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("slot", sa.String(8), nullable=True),
        sa.Column("previous_id", sa.Integer(), nullable=True),
        sa.Column("trouble", sa.String(16), nullable=False),
        sa.Column("trouble_about", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("begun_at", sa.DateTime(), nullable=True),
        sa.Column("settled_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(["author_id"], ["users.id"], name="fk_plan_versions_author_id_users"),
        sa.ForeignKeyConstraint(
            ["previous_id"], ["plan_versions.id"], name="fk_plan_versions_previous_id_plan_versions"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_plan_versions"),
        sa.UniqueConstraint("slot", name="uq_plan_versions_slot"),
    )
    op.create_table(
        "plan_history",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("version_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("event", sa.String(16), nullable=False),
        sa.Column("from_state", sa.String(16), nullable=False),
        sa.Column("to_state", sa.String(16), nullable=False),
        sa.ForeignKeyConstraint(["version_id"], ["plan_versions.id"], name="fk_plan_history_version_id_plan_versions"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_plan_history_user_id_users"),
        sa.PrimaryKeyConstraint("id", name="pk_plan_history"),
    )
    op.create_index("ix_plan_history_version_id", "plan_history", ["version_id"])
