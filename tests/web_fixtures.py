"""A browser without a screen: Flask's test client that finds the CSRF token in the page, as a form would."""

import gzip
import re
from datetime import timedelta

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from jobs.settings import Settings
from models.base import db, now, transaction
from models.drafts import register_draft, save_draft
from models.people import User
from models.places import Category, Street
from models.reports import Report, ReportEvent, move
from tests.desk_fixtures import PASSWORD, Exchange, fill_desks, inside, user_id
from tests.helpers import AREA_CODE
from webui import create_app


class Browser:
    """One person's browser: cookies, and forms with their CSRF token."""

    def __init__(self, app: Flask) -> None:
        self.client: FlaskClient = app.test_client()

    def get(self, address: str, **headers: str) -> TestResponse:
        return self.client.get(address, headers=headers)

    def token(self, page: str = "/login") -> str:
        text = self.client.get(page, follow_redirects=True).text
        return re.search(r'name="csrf-token" content="([^"]+)"', text)[1]

    def post(self, address: str, values: dict[str, str] | None = None, page: str = "/login", **options) -> TestResponse:
        """Send a form that stands on ``page``."""
        return self.client.post(address, data={"csrf_token": self.token(page), **(values or {})}, **options)

    def log_in(self, login: str, password: str = PASSWORD, query: str = "", **options) -> TestResponse:
        return self.post(f"/login{query}", {"login": login, "password": password}, **options)


def first_visit(browser: Browser, address: str) -> dict[str, int]:
    """A page with its style sheets, scripts and icon, without a browser's cache: the bytes of each as they travel."""
    page = browser.get(address)
    assert page.status_code == 200
    found = {address: len(page.data)}
    waiting = re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text)
    while waiting:
        part = waiting.pop()
        if part not in found:
            answer = browser.get(part, **{"Accept-Encoding": "gzip"})
            found[part] = len(answer.data)
            if part.endswith(".js"):
                code = gzip.decompress(answer.data) if answer.headers.get("Content-Encoding") else answer.data
                folder = part.rpartition("/")[0]
                waiting += [f"{folder}/{name}" for name in re.findall(r'from "\./([\w-]+\.js)"', code.decode())]
    return found


def logged_in(app: Flask, login: str) -> Browser:
    browser = Browser(app)
    assert browser.log_in(login).status_code == 302
    return browser


def filled_web(settings: Settings) -> Flask:
    """The web application with people in its database. Requests make their own contexts: none is left open."""
    app = create_app(settings)
    with app.app_context():
        fill_desks()
    return app


def stored_user(app: Flask, login: str, **values: object) -> User:
    """The user as stored; ``values`` are written first, as the technical administrator would."""
    with app.app_context(), transaction() as session:
        user = session.scalars(db.select(User).where(User.login == login)).one()
        for name, value in values.items():
            setattr(user, name, value)
        session.flush()
        session.refresh(user)
        session.expunge(user)
        return user


def register(
    app: Flask,
    text: str,
    *,
    number: str = "0671234567",
    line: str = "53273",
    category: int = 1,
    street: str = "Київська",
    events: tuple[ReportEvent, ...] = (),
    due_in: timedelta = timedelta(hours=5, minutes=30),
    **values: object,
) -> int:
    """A report that Цапкова registered from a call: its id. ``events`` moves it on."""
    _call, draft_id = Exchange(app).call(number, line)
    with inside(app), transaction() as session:
        draft, user = session.get_one(Report, draft_id), session.get_one(User, user_id("tsapkova"))
        fields = {
            "category_id": category,
            "text": text,
            "street_id": session.scalars(db.select(Street.id).where(Street.name == street)).one(),
            "building": "12",
            "executor_id": session.get_one(Category, category).organisation_id,
            **values,
        }
        save_draft(session, draft, user, fields, draft.revision, AREA_CODE)
        register_draft(session, draft, user)
        draft.due_at = now() + due_in
        for event in events:
            move(session, draft, event, user)
    return draft_id
