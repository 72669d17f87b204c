"""What the journal is asked: the fields of its form, the filter they mean, and what is wrong with them (W11).

What was typed into the search box stays in the session of the one who typed it, encrypted, for the session's cookie
can be read on the computer; addresses and forms hold only a random word for it.
"""

import base64
import hashlib
import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from cryptography.fernet import Fernet, InvalidToken
from flask import current_app, session, url_for
from flask_babel import format_date, lazy_gettext
from flask_babel import gettext as _
from sqlalchemy import select

from models.base import db
from models.drafts import ENDINGS
from models.journal_filters import JournalFilter
from models.lines import Line
from models.monitoring import due_terms
from models.people import Organisation
from models.places import Category
from models.reports import REGISTERED_STATES, ReportState, Source
from models.telephone import masked
from webui.text import REPORT_BADGES, SOURCE_NAMES, e164, row_id

STATES = (*REGISTERED_STATES, *ENDINGS.values(), ReportState.ATTACHED)
LONGEST_SEARCH = 100  # characters
SEARCHES_KEPT = 5
EARLIEST, LATEST = date(2000, 1, 1), date(2100, 12, 31)  # days that can be meant, with room for time zones
MORE_FIELDS = ("executor", "source", "repeated", "due", "emergency")
FIELDS = ("date_from", "date_to", "category", "state", "line", *MORE_FIELDS)
_PAGING = ("q", "before", "after")
DUE_WORDS = {
    "overdue": lazy_gettext("overdue"),
    "today": lazy_gettext("due today"),
    "soon": lazy_gettext("due within two working days"),
}
REPEATED_WORDS = {"yes": lazy_gettext("repeated only"), "no": lazy_gettext("without repeated")}


@dataclass(frozen=True)
class Choices:
    """What the form's lists hold."""

    categories: Sequence[Category]
    lines: Sequence[Line]
    organisations: Sequence[Organisation]


def load_choices() -> Choices:
    return Choices(
        db.session.scalars(select(Category).order_by(Category.position, Category.name)).all(),
        db.session.scalars(select(Line).order_by(Line.number)).all(),
        db.session.scalars(select(Organisation).order_by(Organisation.name)).all(),
    )


@dataclass
class Question:
    """What was asked: the raw values for the form, the filter they mean, and what is wrong with them."""

    values: dict[str, str]
    token: str = ""
    text: str = ""
    wanted: JournalFilter = field(default_factory=JournalFilter)
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def given(self) -> dict[str, str]:
        """The fields that say something, and the word for what was searched for: for an address, or a hidden field."""
        given = {name: value for name, value in self.values.items() if value}
        return given | ({"q": self.token} if self.token else {})

    def address(self, **more: int) -> str:
        """The journal's address with these filters."""
        return url_for("journal.journal", **self.given, **more)

    def in_words(self, choices: Choices) -> list[str]:
        """The filters as paper names them; a telephone that was searched for is masked as in the list."""
        wanted, words = self.wanted, []
        if wanted.date_from:
            words.append(_("from %(day)s", day=format_date(wanted.date_from, "long")))
        if wanted.date_to:
            words.append(_("to %(day)s", day=format_date(wanted.date_to, "long")))
        words += [category.name for category in choices.categories if category.id == wanted.category_id]
        if wanted.state:
            words.append(str(REPORT_BADGES[wanted.state].word))
        words += [_("line %(number)s", number=line.number) for line in choices.lines if line.id == wanted.line_id]
        words += [one.name for one in choices.organisations if one.id == wanted.executor_id]
        words += [str(SOURCE_NAMES[wanted.source])] if wanted.source else []
        words += [str(REPEATED_WORDS[self.values["repeated"]])] if self.values["repeated"] else []
        words += [str(DUE_WORDS[self.values["due"]])] if self.values["due"] else []
        words += [_("emergencies only")] if wanted.emergency else []
        if self.text:
            telephone = e164(self.text)
            words.append(f"«{masked(telephone) if telephone else self.text}»")
        return words

    @property
    def narrowed(self) -> bool:
        return bool(self.text or any(self.values.values()))

    @property
    def more(self) -> bool:
        """Whether the second row of filters has something to show."""
        return any(self.values[name] or name in self.errors for name in MORE_FIELDS)


def given_fields(form: Mapping[str, str]) -> dict[str, str]:
    """The form's filters as they were typed."""
    return {name: form.get(name, "").strip()[:20] for name in FIELDS}


def read_question(given: Mapping[str, str], at: datetime) -> Question:
    """What an address or a form asks for. A value that cannot be meant becomes an error with the field's name."""
    asked = Question(given_fields(given), given.get("q", ""))
    asked.text = kept_searches().get(asked.token, "")
    values, errors = asked.values, asked.errors
    if asked.token and not asked.text:
        errors["text"] = _("What was searched for is kept only where it was typed. Type it again.")
    date_from, date_to = (_day(values, name, errors) for name in ("date_from", "date_to"))
    if date_from and date_to and date_from > date_to:
        errors["date_to"] = _("The period ends before it begins. Swap the two days.")
    if values["state"] not in ("", *STATES):
        errors["state"] = _("There is no such status. Choose one from the list.")
    category_id, line_id, executor_id = (_number(values, name, errors) for name in ("category", "line", "executor"))
    for name, listed in (("source", Source), ("repeated", REPEATED_WORDS), ("due", DUE_WORDS), ("emergency", ("yes",))):
        if values[name] not in ("", *listed):
            errors[name] = _("There is no such entry. Choose one from the list.")
    if not errors:
        due_from, due_before = due_terms(db.session(), at)[values["due"]] if values["due"] else (None, None)
        asked.wanted = JournalFilter(
            text=asked.text,
            date_from=date_from,
            date_to=date_to,
            state=ReportState(values["state"]) if values["state"] else None,
            category_id=category_id,
            line_id=line_id,
            executor_id=executor_id,
            source=Source(values["source"]) if values["source"] else None,
            repeated={"yes": True, "no": False}.get(values["repeated"]),
            emergency=values["emergency"] == "yes",
            due_from=due_from,
            due_before=due_before,
        )
    return asked


def refuse_unknown(asked: Question, names: Iterable[str]) -> None:
    """A filter or an order that the journal has not is refused; nothing of it is passed on."""
    for name in names:
        if name not in (*FIELDS, *_PAGING):
            sentence = _("The journal has no filter and no order «%(name)s». Choose from its fields.", name=name[:40])
            asked.errors["filters"] = sentence


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
