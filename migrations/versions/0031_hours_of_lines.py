"""hours of lines

When a line is open, what a call meets out of hours, and the phone that a key rings then. Each is open at any time.
"""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"


def upgrade() -> None:
    op.add_column("lines", sa.Column("workday_hours", sa.String(11), nullable=True))
    op.add_column("lines", sa.Column("other_hours", sa.String(11), nullable=True))
    op.add_column("lines", sa.Column("out_of_hours", sa.String(8), nullable=False, server_default="ring"))
    op.execute(  # not in batch mode, which writes the table anew: calls and reports name its rows
        "ALTER TABLE lines ADD COLUMN duty_phone_id INTEGER"
        " CONSTRAINT fk_lines_duty_phone_id_phones REFERENCES phones (id)"
    )
