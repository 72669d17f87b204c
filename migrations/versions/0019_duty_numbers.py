"""duty numbers

The telephones at which an organisation takes emergencies over, in the order in which they are called.
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    op.create_table(
        "duty_numbers",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("place", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.String(20), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name="fk_duty_numbers_organisation_id_organisations"
        ),
        sa.PrimaryKeyConstraint("organisation_id", "place", name="pk_duty_numbers"),
    )
