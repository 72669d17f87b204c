"""reference data

A revision of every entry, so that two who change one notice each other; a street's other names; the trace of changes;
files that were uploaded and are not applied yet.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    for table in ("categories", "organisations", "streets", "users"):
        op.add_column(table, sa.Column("revision", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("streets", sa.Column("other_names", sa.String(256), nullable=False, server_default=""))
    op.create_table(
        "reference_changes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("subject", sa.String(16), nullable=False),
        sa.Column("subject_id", sa.Integer(), nullable=True),
        sa.Column("name", sa.String(160), nullable=False),
        sa.Column("field", sa.String(32), nullable=False),
        sa.Column("before", sa.Text(), nullable=False),
        sa.Column("after", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_reference_changes_user_id_users"),
        sa.PrimaryKeyConstraint("id", name="pk_reference_changes"),
    )
    op.create_index("ix_reference_changes_subject_subject_id", "reference_changes", ["subject", "subject_id"])
    op.create_table(
        "imports",
        sa.Column("token", sa.String(32), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("subject", sa.String(16), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("rows", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_imports_user_id_users"),
        sa.PrimaryKeyConstraint("token", name="pk_imports"),
    )
