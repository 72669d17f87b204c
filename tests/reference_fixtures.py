"""What the tests of the directories share: forms as the pages send them, and what is stored afterwards."""

import re

from flask import Flask
from werkzeug.test import TestResponse

from models.base import Base, db
from models.reference import ReferenceChange, Subject
from tests.web_fixtures import Browser

PAGE = {"Accept": "text/html", "Sec-Fetch-Dest": "document"}


def send(browser: Browser, address: str, values: dict[str, object]) -> TestResponse:
    """What the form on ``address`` would send; the hidden revision is the page's."""
    page = browser.get(address).text
    found = re.search(r'name="revision" value="(\d+)"', page)
    hidden = {"csrf_token": browser.token("/me")} | ({"revision": found[1]} if found else {})
    return browser.client.post(address, data=hidden | values, headers=PAGE)


def entry(web: Flask, table: type[Base], **wanted: object) -> Base | None:
    """The stored row, free of its session."""
    with web.app_context():
        row = db.session.scalar(db.select(table).filter_by(**wanted))
        if row is not None:
            db.session.expunge(row)
        return row


def changes(web: Flask, subject: Subject, name: str | None = None) -> list[tuple[str, str, str]]:
    """The traces of a subject, the oldest first: field, before, after."""
    query = db.select(ReferenceChange).where(ReferenceChange.subject == subject).order_by(ReferenceChange.id)
    with web.app_context():
        rows = db.session.scalars(query).all()
        return [(row.field, row.before, row.after) for row in rows if name in (None, row.name)]


def errors_of(answer: TestResponse) -> dict[str, str]:
    """The sentence beside each field."""
    return {
        name: re.sub(r"<[^>]+>|▲", "", text).strip()
        for name, text in re.findall(r'<p class="field-error" id="([\w-]+)-error">(.*?)</p>', answer.text, re.S)
    }
