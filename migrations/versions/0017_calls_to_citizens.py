"""calls to citizens

The tasks with the history of each, the attempts and the lines that they have, who is never called by a machine, who
switched the machine on or off, and which missed call was settled by a call of ours.
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"

OPEN = "settled_at IS NULL"


def key(table: str, column: str, to: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{to}.id"], name=f"fk_{table}_{column}_{to}")


def index(name: str, table: str, columns: list[str], only: str = "", unique: bool = False) -> None:
    where = sa.text(only) if only else None
    op.create_index(name, table, columns, unique=unique, sqlite_where=where, postgresql_where=where)


def upgrade() -> None:
    op.create_table(
        "call_attempts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("number", sa.String(20), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("phone_id", sa.Integer(), nullable=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=True),
        sa.Column("cause", sa.Integer(), nullable=True),
        sa.Column("planned_at", sa.DateTime(), nullable=False),
        sa.Column("dialled_at", sa.DateTime(), nullable=True),
        sa.Column("lifted_at", sa.DateTime(), nullable=True),
        sa.Column("ringing_at", sa.DateTime(), nullable=True),
        sa.Column("answered_at", sa.DateTime(), nullable=True),
        sa.Column("settled_at", sa.DateTime(), nullable=True),
        sa.Column("keys", sa.String(32), nullable=False),
        sa.Column("note", sa.String(32), nullable=False),
        key("call_attempts", "user_id", "users"),
        key("call_attempts", "phone_id", "phones"),
        sa.PrimaryKeyConstraint("id", name="pk_call_attempts"),
    )
    index("ix_call_attempts_number_planned", "call_attempts", ["number", "planned_at"])
    index("ix_call_attempts_live", "call_attempts", ["planned_at"], OPEN)
    index("ix_call_attempts_settled_at", "call_attempts", ["settled_at"])
    op.create_table(
        "call_tasks",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("purpose", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("number", sa.String(20), nullable=True),
        sa.Column("report_id", sa.Integer(), nullable=True),
        sa.Column("call_id", sa.Integer(), nullable=True),
        sa.Column("organisation_id", sa.Integer(), nullable=True),
        sa.Column("asked_by_id", sa.Integer(), nullable=True),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("due_at", sa.DateTime(), nullable=False),
        sa.Column("deadline_at", sa.DateTime(), nullable=False),
        sa.Column("why", sa.String(20), nullable=True),
        sa.Column("held_by_id", sa.Integer(), nullable=True),
        sa.Column("held_until", sa.DateTime(), nullable=True),
        sa.Column("settled_at", sa.DateTime(), nullable=True),
        key("call_tasks", "report_id", "reports"),
        key("call_tasks", "call_id", "calls"),
        key("call_tasks", "organisation_id", "organisations"),
        key("call_tasks", "asked_by_id", "users"),
        key("call_tasks", "held_by_id", "users"),
        sa.PrimaryKeyConstraint("id", name="pk_call_tasks"),
    )
    of_organisation = f"{OPEN} AND report_id IS NOT NULL AND organisation_id IS NOT NULL"
    of_applicant = f"{OPEN} AND report_id IS NOT NULL AND organisation_id IS NULL"
    index("uq_call_tasks_report", "call_tasks", ["purpose", "report_id", "organisation_id"], of_organisation, True)
    index("uq_call_tasks_applicant", "call_tasks", ["purpose", "report_id"], of_applicant, True)
    index("uq_call_tasks_call", "call_tasks", ["call_id"], unique=True)
    index("ix_call_tasks_due", "call_tasks", ["state", "deadline_at", "id"], OPEN)
    index("ix_call_tasks_number", "call_tasks", ["number"], OPEN)
    index("ix_call_tasks_report_id", "call_tasks", ["report_id"])
    op.create_table(
        "call_attempt_tasks",
        sa.Column("attempt_id", sa.Integer(), nullable=False),
        sa.Column("task_id", sa.Integer(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(1), nullable=False),
        key("call_attempt_tasks", "attempt_id", "call_attempts"),
        key("call_attempt_tasks", "task_id", "call_tasks"),
        sa.PrimaryKeyConstraint("attempt_id", "task_id", name="pk_call_attempt_tasks"),
    )
    index("ix_call_attempt_tasks_task_id", "call_attempt_tasks", ["task_id"])
    op.create_table(
        "call_task_events",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("task_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("event", sa.String(16), nullable=False),
        sa.Column("from_state", sa.String(16), nullable=False),
        sa.Column("to_state", sa.String(16), nullable=False),
        sa.Column("why", sa.String(20), nullable=True),
        sa.Column("attempt_id", sa.Integer(), nullable=True),
        key("call_task_events", "task_id", "call_tasks"),
        key("call_task_events", "user_id", "users"),
        key("call_task_events", "attempt_id", "call_attempts"),
        sa.PrimaryKeyConstraint("id", name="pk_call_task_events"),
    )
    index("ix_call_task_events_task_id", "call_task_events", ["task_id"])
    op.create_table(
        "line_slots",
        sa.Column("slot", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("attempt_id", sa.Integer(), nullable=True),
        sa.Column("until", sa.DateTime(), nullable=True),
        key("line_slots", "attempt_id", "call_attempts"),
        sa.PrimaryKeyConstraint("slot", name="pk_line_slots"),
        sa.UniqueConstraint("attempt_id", name="uq_line_slots_attempt_id"),
    )
    op.create_table(
        "never_by_machine",
        sa.Column("number", sa.String(20), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("attempt_id", sa.Integer(), nullable=True),
        sa.Column("user_id", sa.Integer(), nullable=True),
        key("never_by_machine", "attempt_id", "call_attempts"),
        key("never_by_machine", "user_id", "users"),
        sa.PrimaryKeyConstraint("number", name="pk_never_by_machine"),
    )
    op.create_table(
        "machine_switches",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("on", sa.Boolean(), nullable=False),
        key("machine_switches", "user_id", "users"),
        sa.PrimaryKeyConstraint("id", name="pk_machine_switches"),
    )
    op.execute(
        "ALTER TABLE calls ADD COLUMN settled_by_attempt_id INTEGER"
        " CONSTRAINT fk_calls_settled_by_attempt_id_call_attempts REFERENCES call_attempts (id)"
    )
