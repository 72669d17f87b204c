"""Run the migrations on the application's database (Flask-Migrate calls this)."""

from alembic import context
from flask import current_app

from models import tables  # noqa: F401  (fills the metadata)
from models.base import Base, UTCDateTime


def render_item(kind, item, autogen_context):
    """Write our own column type so that the migration stands alone."""
    if kind == "type" and isinstance(item, UTCDateTime):
        return "sa.DateTime()"
    return False


def run() -> None:
    engine = current_app.extensions["migrate"].db.engine
    with engine.connect().execution_options(immediate=True) as connection:
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            render_as_batch=True,
            transactional_ddl=True,  # SQLite can, once the driver does not begin transactions by itself
            render_item=render_item,
            include_object=lambda obj, name, kind, reflected, other: not (name or "").startswith("report_words"),
        )
        with context.begin_transaction():
            if connection.dialect.name == "postgresql":  # an index over years takes longer than a page may
                context.execute("SET LOCAL statement_timeout = 0")
            context.run_migrations()


run()
