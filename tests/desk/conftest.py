"""Two desks, and the calls that come to them."""

from collections.abc import Iterator

import pytest
from flask import Flask

from models.base import db
from tests.desk.one_desk import Desk
from tests.desk_fixtures import Exchange, fill_desks
from webui import create_app


@pytest.fixture
def app(settings) -> Iterator[Flask]:
    app = create_app(settings)
    with app.app_context():
        fill_desks()
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def exchange(app) -> Exchange:
    return Exchange(app)


@pytest.fixture
def mine(app) -> Desk:
    """Tsapkova, whose own line is 5-32-73."""
    return Desk(app, "tsapkova")


@pytest.fixture
def colleague(app) -> Desk:
    return Desk(app, "cherniavska")
