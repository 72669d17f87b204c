"""journal indexes

Each set of the journal's filters (state or registered, category, line) has the index that gives its reports in the
order of their ids.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.drop_index("ix_reports_category_id_id", "reports")
    op.drop_index("ix_reports_line_id_id", "reports")
    registered = sa.text("number IS NOT NULL")
    for columns in (("category_id",), ("line_id",), ("category_id", "line_id")):
        op.create_index(f"ix_reports_state_{'_'.join(columns)}_id", "reports", ["state", *columns, "id"])
    for columns in ((), ("category_id",), ("line_id",), ("category_id", "line_id")):
        op.create_index(
            f"ix_reports_{'_'.join(('registered', *columns))}_id",
            "reports",
            [*columns, "id"],
            sqlite_where=registered,
            postgresql_where=registered,
        )
