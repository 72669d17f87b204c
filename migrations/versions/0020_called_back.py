"""called_back

By whose word a missed call needs no call-back any more, where no call through the exchange says so.
"""

from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    op.execute(
        "ALTER TABLE calls ADD COLUMN settled_by_user_id INTEGER"
        " CONSTRAINT fk_calls_settled_by_user_id_users REFERENCES users (id)"
    )
