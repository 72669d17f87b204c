"""the telephone plan

Lines and phones can be switched off, and phones get new secrets.
"""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    op.add_column("lines", sa.Column("active", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.add_column("phones", sa.Column("active", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.add_column("phones", sa.Column("key", sa.Integer(), nullable=False, server_default="0"))
