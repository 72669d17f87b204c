"""when_a_draft_was_saved

When a draft was last typed into or changed hands: one that its owner has left can be taken over.
"""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    op.add_column("reports", sa.Column("saved_at", sa.DateTime(), nullable=True))
