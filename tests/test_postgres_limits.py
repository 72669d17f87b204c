"""A PostgreSQL server that does not answer becomes an error soon, one that may be tried again."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from jobs.app import POSTGRESQL_LIMITS, bare_app
from models.base import database_is_away, db


def test_a_statement_that_takes_too_long_is_cut_off(postgres_settings, monkeypatch):
    monkeypatch.setitem(POSTGRESQL_LIMITS, "options", POSTGRESQL_LIMITS["options"].replace("15s", "100ms"))
    app = bare_app(postgres_settings)
    with app.app_context():
        with pytest.raises(OperationalError) as cut_off:
            db.session.execute(text("SELECT pg_sleep(20)"))
        db.session.remove()
        db.engine.dispose()
    assert database_is_away(cut_off.value)


def test_every_connection_is_watched(postgres_settings):
    app = bare_app(postgres_settings)
    with app.app_context():
        assert db.session.scalar(text("SHOW statement_timeout")) == "15s"
        told = db.session.connection().connection.driver_connection.info.get_parameters()
        db.session.remove()
        db.engine.dispose()
    assert (told["connect_timeout"], told["keepalives"], told["tcp_user_timeout"]) == ("3", "1", "10000")
