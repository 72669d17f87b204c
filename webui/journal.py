"""The journal: registered reports by period, type, status and line, with one search box (R 2.1, W11).

The filters are in the address, so a list can be kept and sent to a colleague. What was typed into the search box is
not: it may be a telephone number or a name. It stays in the session of the one who typed it, encrypted, for the
session's cookie can be read on the computer; the address holds only a random word for it. An address with somebody
else's word, or an old one, asks to search again.

Numbers are masked in the list, but a search by more and more of the last digits would find a masked number out. People
need that search, so it is not forbidden but seen (A3): each one leaves a row with how many digits were given, even when
nothing is found, and so does each report that is shown for it. Who guesses leaves dozens of the first and, at the
report in question, one of the second for each digit. The number itself is not written down: the report has it.
"""

import base64
import hashlib
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from cryptography.fernet import Fernet, InvalidToken
from flask import Blueprint, current_app, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import format_date
from flask_babel import gettext as _
from sqlalchemy import select

from models.base import db
from models.drafts import ENDINGS
from models.journal import JournalFilter, JournalPage, find_reports
from models.lines import Line
from models.places import Category
from models.reports import REGISTERED_STATES, ReportState
from models.search import has_telephone, telephone_beginning
from models.telephone import masked
from webui.access import DESK_ROLES, allow, log_looks_with_answer, log_telephone_search
from webui.text import REPORT_BADGES, e164, row_id

bp = Blueprint("journal", __name__)
STATES = (*REGISTERED_STATES, *ENDINGS.values(), ReportState.ATTACHED)
LONGEST_SEARCH = 100  # characters
SEARCHES_KEPT = 5
PAGE = 50
EARLIEST, LATEST = date(2000, 1, 1), date(2100, 12, 31)  # days that can be meant, with room for time zones
_FIELDS = ("date_from", "date_to", "category", "state", "line")


@dataclass
class Question:
    """What was asked: the raw values for the form, the filter they mean, and what is wrong with them."""

    values: dict[str, str]
    token: str = ""
    text: str = ""
    wanted: JournalFilter = field(default_factory=JournalFilter)
    errors: dict[str, str] = field(default_factory=dict)

    def address(self, **more: int) -> str:
        """The journal's address with these filters."""
        given = {name: value for name, value in self.values.items() if value}
        return url_for("journal.journal", **given, **({"q": self.token} if self.token else {}), **more)

    def in_words(self, categories: Sequence[Category], lines: Sequence[Line]) -> list[str]:
        """The filters as paper names them; a telephone that was searched for is masked as in the list."""
        words = []
        if self.wanted.date_from:
            words.append(_("from %(day)s", day=format_date(self.wanted.date_from, "long")))
        if self.wanted.date_to:
            words.append(_("to %(day)s", day=format_date(self.wanted.date_to, "long")))
        words += [category.name for category in categories if category.id == self.wanted.category_id]
        if self.wanted.state:
            words.append(str(REPORT_BADGES[self.wanted.state].word))
        words += [_("line %(number)s", number=line.number) for line in lines if line.id == self.wanted.line_id]
        if self.text:
            telephone = e164(self.text)
            words.append(f"«{masked(telephone) if telephone else self.text}»")
        return words

    @property
    def narrowed(self) -> bool:
        return bool(self.text or any(self.values.values()))


@bp.get("/journal")
@allow(*DESK_ROLES)
def journal() -> ResponseReturnValue:
    asked = read_question()
    page = None
    if not asked.errors:
        page = find_reports(
            db.session(),
            asked.wanted,
            before=row_id(request.args.get("before")),
            after=row_id(request.args.get("after")),
            limit=PAGE,
        )
        _trace(asked.text, page)
    return render_template(
        "journal/list.html",
        asked=asked,
        page=page,
        categories=db.session.scalars(select(Category).order_by(Category.position, Category.name)).all(),
        lines=db.session.scalars(select(Line).order_by(Line.number)).all(),
        registered_states=REGISTERED_STATES,
        ended_states=STATES[len(REGISTERED_STATES) :],
        longest=LONGEST_SEARCH,
    )


@bp.post("/journal")
@allow(*DESK_ROLES)
def search() -> ResponseReturnValue:
    """Keep the text in the session, and show the list under an address without it."""
    given = {name: request.form.get(name, "").strip()[:20] for name in _FIELDS}
    text = " ".join(request.form.get("text", "").split())[:LONGEST_SEARCH]
    if digits := _digits(text):
        log_telephone_search(digits, "telephone in the journal")
    token = keep_search(text) if text else None
    return redirect(url_for("journal.journal", **{name: value for name, value in given.items() if value}, q=token))


def keep_search(text: str) -> str:
    """Remember the text in this session under a short random word; the oldest are forgotten."""
    kept = kept_searches()
    for token, known in kept.items():
        if known == text:
            return token
    token = secrets.token_urlsafe(6)
    newest = dict([*kept.items(), (token, text)][-SEARCHES_KEPT:])
    session["searched"] = _box().encrypt(json.dumps(newest, ensure_ascii=False).encode()).decode()
    return token


def kept_searches() -> dict[str, str]:
    """What was searched for in this session, by its random word; the oldest first."""
    try:
        return json.loads(_box().decrypt(session.get("searched", "")))
    except InvalidToken:  # nothing yet, or by a former secret of this site
        return {}


def _box() -> Fernet:
    """Encrypts by the site's secret."""
    key = hashlib.sha256(f"searches\n{current_app.secret_key}".encode()).digest()
    return Fernet(base64.urlsafe_b64encode(key))


def _digits(text: str) -> int:
    """How many digits of a telephone are searched by; 0 for words and for a report's number."""
    beginning = telephone_beginning(text)
    return len(beginning) - 1 if beginning else 0


def _trace(text: str, page: JournalPage) -> None:
    """Who looks through names and flats leaves a row for each page, of its newest report (A3).

    Each report shown because of its telephone is looked at besides.
    """
    if page.rows:
        log_looks_with_answer("journal", [page.rows[0].id], f"a page of {len(page.rows)} in the journal")
    if beginning := telephone_beginning(text):
        shown = [report.id for report in page.rows if has_telephone(report, beginning)]
        log_looks_with_answer("report", shown, f"found by {len(beginning) - 1} digits of a telephone")


def read_question() -> Question:
    """What the address asks for. A value that cannot be meant becomes an error with the field's name."""
    asked = Question({name: request.args.get(name, "").strip() for name in _FIELDS}, request.args.get("q", ""))
    asked.text = kept_searches().get(asked.token, "")
    if asked.token and not asked.text:
        asked.errors["text"] = _("What was searched for is kept only where it was typed. Type it again.")
    values, errors = asked.values, asked.errors
    date_from, date_to = (_day(values, name, errors) for name in ("date_from", "date_to"))
    if date_from and date_to and date_from > date_to:
        errors["date_to"] = _("The period ends before it begins. Swap the two days.")
    if values["state"] not in ("", *STATES):
        errors["state"] = _("There is no such status. Choose one from the list.")
    category_id, line_id = (_number(values, name, errors) for name in ("category", "line"))
    if not errors:
        asked.wanted = JournalFilter(
            text=asked.text,
            date_from=date_from,
            date_to=date_to,
            state=ReportState(values["state"]) if values["state"] else None,
            category_id=category_id,
            line_id=line_id,
        )
    return asked


def _day(values: dict[str, str], name: str, errors: dict[str, str]) -> date | None:
    if not values[name]:
        return None
    try:
        day = date.fromisoformat(values[name])
        if EARLIEST <= day <= LATEST:
            return day
    except ValueError:
        pass
    errors[name] = _("This is not a day. Write it as 2026-11-22 or choose it in the calendar.")
    return None


def _number(values: dict[str, str], name: str, errors: dict[str, str]) -> int | None:
    if not values[name]:
        return None
    number = row_id(values[name])
    if number is None:
        errors[name] = _("There is no such entry. Choose one from the list.")
    return number
