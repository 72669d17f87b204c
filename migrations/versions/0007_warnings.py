"""warnings by letter

The letters that wait, were sent or failed; and the warnings that they hold, each once.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "letters",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(96), nullable=False),
        sa.Column("message_id", sa.String(64), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("organisation_id", sa.Integer(), nullable=True),
        sa.Column("subject", sa.String(200), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("next_try_at", sa.DateTime(), nullable=False),
        sa.Column("give_up_at", sa.DateTime(), nullable=False),
        sa.Column("sent_at", sa.DateTime(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_letters_user_id_users"),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name="fk_letters_organisation_id_organisations"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_letters"),
        sa.UniqueConstraint("key", name="uq_letters_key"),
        sa.UniqueConstraint("message_id", name="uq_letters_message_id"),
    )
    op.create_index("ix_letters_state_next_try_at", "letters", ["state", "next_try_at"])
    op.create_table(
        "alerts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(96), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("audience", sa.String(16), nullable=False),
        sa.Column("since", sa.DateTime(), nullable=False),
        sa.Column("made_at", sa.DateTime(), nullable=False),
        sa.Column("to_user_id", sa.Integer(), nullable=True),
        sa.Column("to_organisation_id", sa.Integer(), nullable=True),
        sa.Column("report_id", sa.Integer(), nullable=True),
        sa.Column("deadline_id", sa.Integer(), nullable=True),
        sa.Column("due_at", sa.DateTime(), nullable=True),
        sa.Column("organisation_id", sa.Integer(), nullable=True),
        sa.Column("day", sa.Date(), nullable=True),
        sa.Column("letter_id", sa.Integer(), nullable=True),
        sa.Column("moot_at", sa.DateTime(), nullable=True),
        sa.Column("told_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(["to_user_id"], ["users.id"], name="fk_alerts_to_user_id_users"),
        sa.ForeignKeyConstraint(
            ["to_organisation_id"], ["organisations.id"], name="fk_alerts_to_organisation_id_organisations"
        ),
        sa.ForeignKeyConstraint(["report_id"], ["reports.id"], name="fk_alerts_report_id_reports"),
        sa.ForeignKeyConstraint(["deadline_id"], ["deadlines.id"], name="fk_alerts_deadline_id_deadlines"),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name="fk_alerts_organisation_id_organisations"
        ),
        sa.ForeignKeyConstraint(["letter_id"], ["letters.id"], name="fk_alerts_letter_id_letters"),
        sa.PrimaryKeyConstraint("id", name="pk_alerts"),
        sa.UniqueConstraint("key", name="uq_alerts_key"),
    )
    op.create_index("ix_alerts_deadline_id_kind_audience", "alerts", ["deadline_id", "kind", "audience"])
    untold = sa.text("letter_id IS NOT NULL AND told_at IS NULL")
    op.create_index("ix_alerts_untold", "alerts", ["letter_id"], sqlite_where=untold, postgresql_where=untold)
    unwritten = sa.text("letter_id IS NULL AND moot_at IS NULL")
    op.create_index("ix_alerts_unwritten", "alerts", ["id"], sqlite_where=unwritten, postgresql_where=unwritten)
    unaccepted = sa.text("accepted_at IS NULL")
    op.create_index(
        "ix_executions_unaccepted",
        "executions",
        ["organisation_id"],
        sqlite_where=unaccepted,
        postgresql_where=unaccepted,
    )
