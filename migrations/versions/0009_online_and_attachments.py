"""online intake and attachments

What came by the web form with its intake number, the files of a report, and the PIN with which the applicant asks for
its state. Reports of before have no PIN yet: each gets its own when somebody of the centre asks for it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("reports", sa.Column("pin", sa.String(6), nullable=True))
    op.create_table(
        "online_intakes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("report_id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(8), nullable=False),
        sa.Column("form_key", sa.String(32), nullable=False),
        sa.Column("sender", sa.String(32), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["report_id"], ["reports.id"], name="fk_online_intakes_report_id_reports"),
        sa.PrimaryKeyConstraint("id", name="pk_online_intakes"),
        sa.UniqueConstraint("report_id", name="uq_online_intakes_report_id"),
        sa.UniqueConstraint("code", name="uq_online_intakes_code"),
        sa.UniqueConstraint("form_key", name="uq_online_intakes_form_key"),
    )
    op.create_index("ix_online_intakes_at", "online_intakes", ["at"])
    op.create_table(
        "attachments",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("report_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("name", sa.String(160), nullable=False),
        sa.Column("type", sa.String(32), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["report_id"], ["reports.id"], name="fk_attachments_report_id_reports"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_attachments_user_id_users"),
        sa.PrimaryKeyConstraint("id", name="pk_attachments"),
        sa.UniqueConstraint("report_id", "sha256", name="uq_attachments_report_id_sha256"),
    )
