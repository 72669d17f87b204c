"""spoken words

What applicants said after the tone: a file of the report, by which attempt and task it came, and how long it is. The
access log may have rows without a user: applicants who heard the state of their report by telephone.
"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"

TRIGGER = """CREATE TRIGGER access_log_kept_{name} BEFORE {event} ON access_log
    WHEN NOT EXISTS (SELECT 1 FROM unlocks)
    BEGIN SELECT RAISE(ABORT, 'rows of access_log are only ever added'); END"""


def upgrade() -> None:
    for column, to in (("attempt_id", "call_attempts"), ("task_id", "call_tasks")):
        op.execute(
            f"ALTER TABLE attachments ADD COLUMN {column} INTEGER"
            f" CONSTRAINT fk_attachments_{column}_{to} REFERENCES {to} (id)"
        )
    op.add_column("attachments", sa.Column("seconds", sa.Integer(), nullable=True))
    op.create_index("uq_attachments_remark", "attachments", ["attempt_id", "task_id"], unique=True)
    with op.batch_alter_table("access_log") as access_log:
        access_log.alter_column("user_id", existing_type=sa.Integer(), nullable=True)
    if op.get_bind().dialect.name == "sqlite":  # there the table was written anew, and its triggers went with the old
        for event in ("UPDATE", "DELETE"):
            op.execute(TRIGGER.format(name=event.lower(), event=event))
