"""One person's browser at the desk, with and without the page's script, and what is stored of a draft."""

import re

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from models.base import db
from models.people import Role, User
from models.reports import Report
from tests.desk_fixtures import PASSWORD, user_id

PAGE = {"Accept": "text/html", "Sec-Fetch-Dest": "document"}
JSON = {"Content-Type": "application/json"}
FORM = {"category_id": "1", "street": "Київська", "building": "12", "text": "Не горить ліхтар", "executor_id": "1"}


class Desk:
    """One logged-in person's browser. `fetch` and `post` are the page's script; `page` and `submit` work without it."""

    def __init__(self, app: Flask, login: str) -> None:
        self.client: FlaskClient = app.test_client()
        token = self._token(self.client.get("/login", headers=PAGE))
        form = {"login": login, "password": PASSWORD, "csrf_token": token}
        answer = self.client.post("/login", data=form, headers=PAGE)
        assert answer.status_code == 302
        self.token = self._token(self.client.get("/me", headers=PAGE))

    @staticmethod
    def _token(answer: TestResponse) -> str:
        return re.search(r'name="csrf-token" content="([^"]+)"', answer.text)[1]

    def fetch(self, path: str) -> TestResponse:
        return self.client.get(path, headers={"X-CSRFToken": self.token})

    def page(self, path: str) -> TestResponse:
        return self.client.get(path, headers=PAGE)

    def post(self, path: str, data: dict | None = None, json: dict | None = None) -> TestResponse:
        return self.client.post(path, data=data, json=json, headers={"X-CSRFToken": self.token})

    def submit(self, path: str, data: dict) -> TestResponse:
        return self.client.post(path, data=data | {"csrf_token": self.token}, headers=PAGE)

    def save(self, draft: int, revision: int, **fields: object) -> TestResponse:
        return self.post(f"/drafts/{draft}/save", json={"revision": revision, "fields": fields})


def stored(app: Flask, draft_id: int) -> Report:
    with app.app_context():
        draft = db.session.get_one(Report, draft_id)
        db.session.expunge(draft)
        return draft


def administrators(app: Flask) -> list[User]:
    with app.app_context():
        return list(db.session.scalars(db.select(User).where(User.role == Role.ADMINISTRATOR)))


def id_of(app: Flask, login: str) -> int:
    with app.app_context():
        return user_id(login)
