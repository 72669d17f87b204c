"""personal data

The access log and the reports' history can only be added to: triggers refuse everything else outside of a transaction
that has put a row into `unlocks`. Indexes for the log's page and for what is still held; the hand-over sheets.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

KEPT = ("access_log", "report_history")
REFUSAL = "rows of {table} are only ever added"
SQLITE = """CREATE TRIGGER {table}_kept_{name} BEFORE {event} ON {table}
    WHEN NOT EXISTS (SELECT 1 FROM unlocks) BEGIN SELECT RAISE(ABORT, '{refusal}'); END"""
POSTGRESQL_FUNCTION = """CREATE FUNCTION refuse_unless_unlocked() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM unlocks) THEN
        RAISE EXCEPTION 'rows of % are only ever added', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
    RETURN NEW;
END $$"""
POSTGRESQL = """CREATE TRIGGER {table}_kept BEFORE UPDATE OR DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION refuse_unless_unlocked()"""


def upgrade() -> None:
    op.add_column("reports", sa.Column("anonymised_at", sa.DateTime(), nullable=True))
    for name, table, columns, only in (
        ("ix_reports_person_id", "reports", ["person_id"], "person_id IS NOT NULL"),
        ("ix_reports_held", "reports", ["state", "created_at"], "anonymised_at IS NULL"),
        ("ix_calls_held", "calls", ["started_at"], "number_received <> 'erased'"),
        ("ix_access_log_user_at", "access_log", ["user_id", "at"], None),
        ("ix_access_log_subject_at", "access_log", ["subject", "at"], None),
        ("ix_access_log_user_subject_at", "access_log", ["user_id", "subject", "at"], None),
        ("ix_access_log_subject_id_at", "access_log", ["subject", "subject_id", "at"], None),
    ):
        where = sa.text(only) if only else None
        op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)
    op.create_table(
        "unlocks", sa.Column("id", sa.Integer(), nullable=False), sa.PrimaryKeyConstraint("id", name="pk_unlocks")
    )
    op.create_table(
        "retention_days",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_retention_days"),
        sa.UniqueConstraint("day", "kind", name="uq_retention_days_day_kind"),
    )
    op.create_table(
        "shift_sheets",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("handed_over_by_id", sa.Integer(), nullable=False),
        sa.Column("handed_over_at", sa.DateTime(), nullable=False),
        sa.Column("remarks", sa.Text(), nullable=False),
        sa.Column("frozen", sa.Text(), nullable=False),
        sa.Column("waiting", sa.Boolean(), nullable=True),
        sa.Column("taken_over_by_id", sa.Integer(), nullable=True),
        sa.Column("taken_over_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(["handed_over_by_id"], ["users.id"], name="fk_shift_sheets_handed_over_by_id_users"),
        sa.ForeignKeyConstraint(["taken_over_by_id"], ["users.id"], name="fk_shift_sheets_taken_over_by_id_users"),
        sa.PrimaryKeyConstraint("id", name="pk_shift_sheets"),
        sa.UniqueConstraint("waiting", name="uq_shift_sheets_waiting"),
    )
    keep()


def keep() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for table in KEPT:
            for event in ("UPDATE", "DELETE"):
                op.execute(
                    SQLITE.format(table=table, name=event.lower(), event=event, refusal=REFUSAL.format(table=table))
                )
    else:
        op.execute(POSTGRESQL_FUNCTION)
        for table in KEPT:
            op.execute(POSTGRESQL.format(table=table))
