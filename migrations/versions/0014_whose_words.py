"""whose words

A report's history has the words of those who told of it again: each row now knows the record that they are from, also
when that record is no longer added to the report. What was written in the same moment belongs together.
"""

from datetime import timedelta

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

SAME_MOMENT = timedelta(seconds=2)
HISTORY = sa.table(
    "report_history",
    *(sa.column(name) for name in ("report_id", "event", "note", "user_id", "told_by_id")),
    sa.column("at", sa.DateTime()),
)
REPORTS = sa.table("reports", sa.column("id"), sa.column("number"))


def upgrade() -> None:
    op.execute(
        "ALTER TABLE report_history ADD COLUMN told_by_id INTEGER"
        " CONSTRAINT fk_report_history_told_by_id_reports REFERENCES reports (id)"
    )
    added = sa.select(HISTORY.c.report_id, REPORTS.c.id, HISTORY.c.at).join(REPORTS, REPORTS.c.number == HISTORY.c.note)
    found = op.get_bind().execute(added.where(HISTORY.c.event == "attached", HISTORY.c.note != "")).all()
    op.execute("INSERT INTO unlocks (id) VALUES (1)")
    for draft, report, at in found:
        op.execute(
            HISTORY.update()
            .where(
                HISTORY.c.report_id == report,
                HISTORY.c.event.in_(("applicant_called", "applicant_told_again")),
                HISTORY.c.at.between(at - SAME_MOMENT, at + SAME_MOMENT),
                HISTORY.c.told_by_id.is_(None),
            )
            .values(told_by_id=draft)
        )
    op.execute("DELETE FROM unlocks")
    only = sa.text("told_by_id IS NOT NULL")
    op.create_index(
        "ix_report_history_told_by_id", "report_history", ["told_by_id"], sqlite_where=only, postgresql_where=only
    )
