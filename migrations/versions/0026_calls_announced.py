"""calls_announced

A call whose caller hears of an outage before any phone rings.
"""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    op.add_column("calls", sa.Column("announced", sa.Boolean(), nullable=False, server_default=sa.false()))
