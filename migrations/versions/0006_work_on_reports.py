"""work on reports

Executors, deadlines as data, who controls whom, the city's own days. Every report that was registered before gets
its executor's part and its deadlines: those of the work from what the report holds, the others from the days on
which people work (under martial law that is every day but the week-ends).
"""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

KYIV = ZoneInfo("Europe/Kyiv")
OPEN = ("new", "in_progress", "done")
AT_ONCE = 5000  # rows


def upgrade() -> None:
    op.create_table(
        "day_exceptions",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("worked", sa.Boolean(), nullable=False),
        sa.Column("note", sa.String(160), nullable=False),
        sa.PrimaryKeyConstraint("day", name="pk_day_exceptions"),
    )
    op.add_column("organisations", sa.Column("email", sa.String(160), nullable=False, server_default=""))
    with op.batch_alter_table("users") as users:
        users.add_column(sa.Column("email", sa.String(160), nullable=False, server_default=""))
        users.add_column(sa.Column("organisation_id", sa.Integer(), nullable=True))
        users.create_foreign_key("fk_users_organisation_id_organisations", "organisations", ["organisation_id"], ["id"])
    op.create_table(
        "control",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_control_user_id_users"),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name="fk_control_organisation_id_organisations"
        ),
        sa.PrimaryKeyConstraint("user_id", "organisation_id", name="pk_control"),
    )
    op.create_index("ix_control_organisation_id", "control", ["organisation_id"])
    executions = op.create_table(
        "executions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("report_id", sa.Integer(), nullable=False),
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("assigned_at", sa.DateTime(), nullable=False),
        sa.Column("informed_at", sa.DateTime(), nullable=True),
        sa.Column("accepted_at", sa.DateTime(), nullable=True),
        sa.Column("completed_at", sa.DateTime(), nullable=True),
        sa.Column("done", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["report_id"], ["reports.id"], name="fk_executions_report_id_reports"),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name="fk_executions_organisation_id_organisations"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_executions"),
        sa.UniqueConstraint("report_id", "organisation_id", name="uq_executions_report_id_organisation_id"),
    )
    op.create_index("ix_executions_organisation_id", "executions", ["organisation_id"])
    deadlines = op.create_table(
        "deadlines",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("report_id", sa.Integer(), nullable=False),
        sa.Column("organisation_id", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("clause", sa.String(16), nullable=False),
        sa.Column("began_at", sa.DateTime(), nullable=False),
        sa.Column("due_at", sa.DateTime(), nullable=False),
        sa.Column("paused_at", sa.DateTime(), nullable=True),
        sa.Column("met_at", sa.DateTime(), nullable=True),
        sa.Column("cancelled_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(["report_id"], ["reports.id"], name="fk_deadlines_report_id_reports"),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name="fk_deadlines_organisation_id_organisations"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_deadlines"),
    )
    op.create_index("ix_deadlines_report_id", "deadlines", ["report_id"])
    running = sa.text("met_at IS NULL AND cancelled_at IS NULL AND paused_at IS NULL")
    op.create_index("ix_deadlines_running", "deadlines", ["due_at"], sqlite_where=running, postgresql_where=running)
    op.create_table(
        "deadline_steps",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("deadline_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("due_at", sa.DateTime(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["deadline_id"], ["deadlines.id"], name="fk_deadline_steps_deadline_id_deadlines"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_deadline_steps_user_id_users"),
        sa.PrimaryKeyConstraint("id", name="pk_deadline_steps"),
    )
    op.create_index("ix_deadline_steps_deadline_id", "deadline_steps", ["deadline_id"])
    op.create_table(
        "daily_looks",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name="fk_daily_looks_organisation_id_organisations"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_daily_looks_user_id_users"),
        sa.PrimaryKeyConstraint("id", name="pk_daily_looks"),
        sa.UniqueConstraint("organisation_id", "day", name="uq_daily_looks_organisation_id_day"),
    )
    fill(op.get_bind(), executions, deadlines)


def fill(bind: sa.Connection, executions: sa.Table, deadlines: sa.Table) -> None:
    """The executor's part and the deadlines of every report that is there, some thousands at a time."""
    reports = sa.table(
        "reports",
        *(sa.column(name) for name in ("id", "state", "executor_id")),
        sa.column("registered_at", sa.DateTime()),
        sa.column("due_at", sa.DateTime()),
        sa.column("number"),
    )
    history = sa.table(
        "report_history", sa.column("report_id"), sa.column("event"), sa.column("at", sa.DateTime()), sa.column("note")
    )
    last = 0
    while rows := bind.execute(
        sa.select(reports)
        .where(reports.c.id > last, reports.c.number.is_not(None), reports.c.executor_id.is_not(None))
        .order_by(reports.c.id)
        .limit(AT_ONCE)
    ).all():
        first, last = rows[0].id, rows[-1].id
        happened: dict[tuple[int, str], tuple[datetime, str]] = {}
        for row in bind.execute(
            sa.select(history).where(
                history.c.report_id.between(first, last), history.c.event.in_(("accepted", "completed", "refuted"))
            )
        ):
            happened[row.report_id, row.event] = (row.at, row.note)  # the last one counts
        bind.execute(sa.insert(executions), [part_of(row, happened) for row in rows])
        bind.execute(sa.insert(deadlines), [deadline for row in rows for deadline in deadlines_of(row, happened)])


def part_of(report: sa.Row, happened: dict) -> dict:
    accepted, _ = happened.get((report.id, "accepted"), (None, ""))
    completed, done = completed_in(report, happened)
    return {
        "report_id": report.id,
        "organisation_id": report.executor_id,
        "assigned_at": report.registered_at,
        "informed_at": accepted,  # nobody was asked; who takes it to work has assigned somebody
        "accepted_at": accepted,
        "completed_at": completed,
        "done": done,
    }


def deadlines_of(report: sa.Row, happened: dict) -> list[dict]:
    accepted, _ = happened.get((report.id, "accepted"), (None, ""))
    completed, _ = completed_in(report, happened)
    began = report.registered_at
    kinds = (
        ("work", "S 2.3", None, report.due_at or working_days_after(began, 10), completed),
        ("reasons", "R 4.4", None, at_six(began, 30), completed),
        ("inform_head", "R 4.2", report.executor_id, working_days_after(began, 1), accepted),
        ("accept", "R 4.3", report.executor_id, working_days_after(began, 2), accepted),
    )
    return [
        {
            "report_id": report.id,
            "organisation_id": organisation,
            "kind": kind,
            "clause": clause,
            "began_at": began,
            "due_at": due,
            "met_at": met,
            "cancelled_at": began if met is None and report.state not in OPEN else None,
        }
        for kind, clause, organisation, due, met in kinds
    ]


def completed_in(report: sa.Row, happened: dict) -> tuple[datetime | None, str]:
    """When the work was done and what was done, unless the applicant said afterwards that it was not."""
    at, done = happened.get((report.id, "completed"), (None, ""))
    return (at, done) if report.state in ("done", "closed") else (None, "")


def working_days_after(start: datetime, days: int) -> datetime:
    """18:00 in Kyiv of the ``days``-th day that is no week-end, in UTC without a zone, as times are stored."""
    day = start.replace(tzinfo=ZoneInfo("UTC")).astimezone(KYIV).date()
    while days > 0:
        day += timedelta(days=1)
        days -= day.weekday() < 5
    return datetime.combine(day, time(18), KYIV).astimezone(ZoneInfo("UTC")).replace(tzinfo=None)


def at_six(start: datetime, days: int) -> datetime:
    """18:00 in Kyiv of the ``days``-th day after, or of the Monday after it."""
    day = start.replace(tzinfo=ZoneInfo("UTC")).astimezone(KYIV).date() + timedelta(days=days)
    while day.weekday() >= 5:
        day += timedelta(days=1)
    return datetime.combine(day, time(18), KYIV).astimezone(ZoneInfo("UTC")).replace(tzinfo=None)
