"""The application without the web: settings, database, announcements. AGI, listener and jobs run inside it."""

from flask import Flask

from jobs.notify import publish_after_commit
from jobs.settings import CHECKOUT, Settings, load_secrets, load_settings, refuse_half_restored
from models import tables  # noqa: F401  (a relationship finds its table only when that is known)
from models.base import db, use_sqlite_well

# A server that fell silent (a pulled cable, a stuck disk) must become an error soon, not a thread that waits for ever.
POSTGRESQL_LIMITS = {
    "connect_timeout": 3,  # seconds
    "keepalives": 1,
    "keepalives_idle": 5,  # seconds
    "keepalives_interval": 2,  # seconds
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,  # milliseconds
    "options": "-c statement_timeout=15s",
}


def bare_app(settings: Settings | None = None, *, lock_seconds: float = 5.0) -> Flask:
    """Assemble the application without routes. Connects to nothing yet.

    ``lock_seconds`` is how long a write waits for SQLite's lock before it gives up. Raises `SettingsError`.
    """
    settings = settings or load_settings()
    refuse_half_restored(settings)
    postgresql = settings.database_url.startswith("postgresql")
    app = Flask("webui", root_path=str(CHECKOUT / "webui"))
    app.config.update(
        SETTINGS=settings,
        SECRET_KEY=load_secrets(settings)["web"],
        SQLALCHEMY_DATABASE_URI=settings.database_url,
        SQLALCHEMY_ENGINE_OPTIONS={
            "pool_size": 10,
            "max_overflow": 30,
            "pool_timeout": 5,
            "pool_pre_ping": not settings.database_url.startswith("sqlite"),  # a restarted server is no error
            "connect_args": POSTGRESQL_LIMITS if postgresql else {},
            "hide_parameters": True,  # an error in the log must not tell a number or a name
        },
    )
    settings.var.mkdir(parents=True, exist_ok=True)
    db.init_app(app)
    with app.app_context():
        if db.engine.dialect.name == "sqlite":
            use_sqlite_well(db.engine, lock_seconds)
    publish_after_commit(app, settings.redis_url)
    return app
