"""hours of lines

When a line is open, what a call meets out of hours, and the phone that a key rings then. Each is open at any time.
"""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"


def upgrade() -> None:
    with op.batch_alter_table("lines") as lines:
        lines.add_column(sa.Column("workday_hours", sa.String(11), nullable=True))
        lines.add_column(sa.Column("other_hours", sa.String(11), nullable=True))
        lines.add_column(sa.Column("out_of_hours", sa.String(8), nullable=False, server_default="ring"))
        lines.add_column(sa.Column("duty_phone_id", sa.Integer(), nullable=True))
        lines.create_foreign_key("fk_lines_duty_phone_id_phones", "phones", ["duty_phone_id"], ["id"])
