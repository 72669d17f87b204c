"""outages

Outages with their places and their history, who called about them, and the calls that ask whether it is back.
"""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"


def fk(table: str, column: str, to: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{to}.id"], name=f"fk_{table}_{column}_{to}")


def upgrade() -> None:
    op.create_table(
        "outages",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("planned", sa.Boolean(), nullable=False),
        sa.Column("whole_city", sa.Boolean(), nullable=False),
        sa.Column("begins_at", sa.DateTime(), nullable=False),
        sa.Column("ends_at", sa.DateTime(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("entered_by_id", sa.Integer(), nullable=False),
        sa.Column("entered_at", sa.DateTime(), nullable=False),
        sa.Column("known_at", sa.DateTime(), nullable=False),
        sa.Column("ended_at", sa.DateTime(), nullable=True),
        sa.Column("ended_by_id", sa.Integer(), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        fk("outages", "organisation_id", "organisations"),
        fk("outages", "entered_by_id", "users"),
        fk("outages", "ended_by_id", "users"),
        sa.PrimaryKeyConstraint("id", name="pk_outages"),
    )
    open_ones = sa.text("ended_at IS NULL")
    op.create_index("ix_outages_open", "outages", ["begins_at"], sqlite_where=open_ones, postgresql_where=open_ones)
    op.create_index("ix_outages_entered_at", "outages", ["entered_at"])
    op.create_table(
        "outage_places",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("outage_id", sa.Integer(), nullable=False),
        sa.Column("street_id", sa.Integer(), nullable=False),
        sa.Column("buildings", sa.String(256), nullable=False),
        fk("outage_places", "outage_id", "outages"),
        fk("outage_places", "street_id", "streets"),
        sa.PrimaryKeyConstraint("id", name="pk_outage_places"),
        sa.UniqueConstraint("outage_id", "street_id", name="uq_outage_places_outage_id_street_id"),
    )
    op.create_table(
        "outage_changes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("outage_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("event", sa.String(16), nullable=False),
        sa.Column("field", sa.String(16), nullable=False),
        sa.Column("before", sa.Text(), nullable=False),
        sa.Column("after", sa.Text(), nullable=False),
        fk("outage_changes", "outage_id", "outages"),
        fk("outage_changes", "user_id", "users"),
        sa.PrimaryKeyConstraint("id", name="pk_outage_changes"),
    )
    op.create_index("ix_outage_changes_outage_id", "outage_changes", ["outage_id"])
    op.create_table(
        "outage_callers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("outage_id", sa.Integer(), nullable=False),
        sa.Column("report_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("left", sa.Boolean(), nullable=False),
        sa.Column("noted_by_id", sa.Integer(), nullable=True),
        sa.Column("restored", sa.Boolean(), nullable=True),
        fk("outage_callers", "outage_id", "outages"),
        fk("outage_callers", "report_id", "reports"),
        fk("outage_callers", "noted_by_id", "users"),
        sa.PrimaryKeyConstraint("id", name="pk_outage_callers"),
        sa.UniqueConstraint("outage_id", "report_id", name="uq_outage_callers_outage_id_report_id"),
    )
    op.create_index("ix_outage_callers_report_id", "outage_callers", ["report_id"])
    op.execute(
        "ALTER TABLE call_tasks ADD COLUMN outage_id INTEGER"
        " CONSTRAINT fk_call_tasks_outage_id_outages REFERENCES outages (id)"
    )
    asked = sa.text("outage_id IS NOT NULL")
    op.create_index("ix_call_tasks_outage_id", "call_tasks", ["outage_id"], sqlite_where=asked, postgresql_where=asked)
