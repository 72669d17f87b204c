"""A real SMTP server that keeps what it gets, and a town whose people have addresses, with reports of any moment."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from aiosmtpd.controller import Controller
from flask import Flask
from sqlalchemy import select

from jobs.app import bare_app
from jobs.mail import send_letters
from jobs.settings import MailServer, Settings
from jobs.warn import warn_of_deadlines, warn_of_emergencies
from models.base import db, transaction
from models.deadlines import Deadline, due_moment
from models.executions import Execution
from models.free_days import load_calendar
from models.people import Organisation, User
from models.reports import Report
from models.workdays import KYIV
from tests.desk_fixtures import fill_desks
from tests.helpers import close_database, free_port
from tests.web_fixtures import register

MONDAY = datetime(2026, 11, 23, 10, 0, tzinfo=KYIV)
ADDRESSES = {login: f"{login}@romny.example" for login in ("tsapkova", "nachalnyk", "operator", "kerivnyk", "kontrol")}


class PostOffice:
    """The mail server. ``refuses`` maps an address to the answer it gets; ``cuts_off``: takes it and says nothing."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.got: list[EmailMessage] = []
        self.refuses: dict[str, str] = {}
        self.cuts_off = False
        self._controller: Controller | None = None

    def open(self) -> None:
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)
        self._controller.start()

    def close(self) -> None:
        if self._controller is not None:
            self._controller.stop()
            self._controller = None

    async def handle_RCPT(self, server, session, envelope, address, options) -> str:
        if address in self.refuses:
            return self.refuses[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope) -> str:
        self.got.append(message_from_bytes(envelope.content, policy=policy.default))
        if self.cuts_off:
            server.transport.abort()
        return "250 OK"

    def to(self, login: str) -> list[EmailMessage]:
        return [message for message in self.got if message["To"] == ADDRESSES.get(login, login)]

    def lines(self) -> Counter[tuple[str, str, str]]:
        """How often each recipient was told of each report under each heading."""
        told: Counter[tuple[str, str, str]] = Counter()
        for message in self.got:
            heading = ""
            for line in message.get_content().splitlines():
                if line.startswith("• "):
                    told[message["To"], heading, line] += 1
                elif line.strip() and not line.startswith(" "):
                    heading = heading if line.endswith(".") else line
        return told


class Post:
    """A site that sends letters: its database, its mail server, and rounds at any moment."""

    def __init__(self, app: Flask, office: PostOffice) -> None:
        self.app, self.office = app, office

    def round(self, at: datetime) -> str:
        """What the periodic jobs do at that moment; returns the mail's trouble."""
        warn_of_emergencies(self.app, at)
        warn_of_deadlines(self.app, at)
        return send_letters(self.app, at)

    def rounds(self, begin: datetime, end: datetime, step: timedelta = timedelta(minutes=10)) -> None:
        at = begin
        while at <= end:
            self.round(at)
            at += step

    def registered(self, at: datetime, text: str = "Не горить ліхтар", **values: object) -> int:
        """A report that was registered at that moment, with its deadlines; its id."""
        report_id = register(self.app, text, **values)
        with self.app.app_context(), transaction() as session:
            report, calendar = session.get_one(Report, report_id), load_calendar(session)
            report.registered_at = at
            for part in session.scalars(select(Execution).where(Execution.report_id == report_id)):
                part.assigned_at = at
            for row in session.scalars(select(Deadline).where(Deadline.report_id == report_id)):
                row.began_at = at
                row.due_at = due_moment(row.kind, at, report.category.working_days, calendar)
        return report_id

    def set_address(self, login: str, address: str) -> None:
        with self.app.app_context(), transaction() as session:
            session.scalars(select(User).where(User.login == login)).one().email = address

    def set_organisations_address(self, part_of_name: str, address: str) -> None:
        with self.app.app_context(), transaction() as session:
            found = session.scalars(select(Organisation).where(Organisation.name.contains(part_of_name)))
            found.one().email = address


def with_mail(settings: Settings, port: int) -> Settings:
    return replace(
        settings,
        mail_server=MailServer("127.0.0.1", port, encrypted=False),
        mail_from="centre@romny.example",
        public_url="https://centre.romny.example",
    )


def set_addresses(app: Flask) -> None:
    with app.app_context(), transaction() as session:
        for user in session.scalars(select(User).where(User.login.in_(ADDRESSES))):
            user.email = ADDRESSES[user.login]


@pytest.fixture
def office() -> Iterator[PostOffice]:
    office = PostOffice(free_port())
    office.open()
    yield office
    office.close()


@pytest.fixture(params=["settings", "postgres_settings"], ids=["sqlite", "postgresql"])
def post(request: pytest.FixtureRequest, office: PostOffice, monkeypatch: pytest.MonkeyPatch) -> Iterator[Post]:
    """The town on SQLite and on PostgreSQL; sending takes no time."""
    monkeypatch.setattr("jobs.mail.monotonic", lambda: 0.0)
    app = bare_app(with_mail(request.getfixturevalue(request.param), office.port))
    with app.app_context():
        fill_desks()
        db.session.remove()
    set_addresses(app)
    yield Post(app, office)
    close_database(app)
