"""Personal data, for the supervisor: who looked at them, and how long they are held (A3).

The pages about one person are in `personal`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext, ngettext
from sqlalchemy import select

from jobs.celfile import KEPT as CEL_KEPT
from models.accesses import LogFilter, Subject, find_looks
from models.base import db, now
from models.people import AccessLog, Role, User
from models.reports import find_report
from models.retention import RULES, Fate, Kind, count_due, last_days, last_run
from webui.access import allow, log_looks_with_answer
from webui.text import row_id

bp = Blueprint("privacy", __name__)
PAGE = 50
DAY = 86_400  # seconds

SUBJECT_WORDS = {
    Subject.REPORT: lazy_gettext("a report"),
    Subject.CALL: lazy_gettext("a call"),
    Subject.TASK: lazy_gettext("a call of ours"),
    Subject.PERSON: lazy_gettext("a person"),
    Subject.ATTACHMENT: lazy_gettext("a photo, a document or spoken words"),
    Subject.JOURNAL: lazy_gettext("a page of the journal"),
    Subject.LIST: lazy_gettext("a list of reports"),
    Subject.SEARCH: lazy_gettext("a search by telephone"),
    Subject.EXPORT: lazy_gettext("a file of the journal"),
    Subject.EXPORT_NAMES: lazy_gettext("a file of the journal with names and telephones"),
    Subject.LOG: lazy_gettext("this log"),
    Subject.ERASURE: lazy_gettext("erasure of a person’s data"),
    Subject.PHONE: lazy_gettext("a desk phone’s password"),
}
# the reasons as the program writes them, a number in them as #
REASON_WORDS: dict[str, Callable[[int], str]] = {
    "the report's page": lambda _num: _("the report’s page"),
    "the correction of the report": lambda _num: _("the correction of the report"),
    "number on the correction of the report": lambda _num: _("number shown at the correction of the report"),
    "number on the report's page": lambda _num: _("number shown on the report’s page"),
    "number on the report's page: details": lambda _num: _("number shown: to ask for details"),
    "number on the report's page: visit": lambda _num: _("number shown: to agree on a visit"),
    "number on the report's page: result": lambda _num: _("number shown: to tell the result"),
    "the page of a call of ours": lambda _num: _("its page"),
    "a number on the command line": lambda _num: _("number shown on the command line"),
    "desk": lambda _num: _("on the desk"),
    "PIN on the report's page": lambda _num: _("PIN shown on the report’s page"),
    "PIN on the desk": lambda _num: _("PIN shown on the desk"),
    "the card of a desk phone": lambda _num: _("its card"),
    "a file of a report": lambda _num: _("opened"),
    "by telephone: own number": lambda _num: _("heard by telephone: from their own number"),
    "by telephone: number and PIN": lambda _num: _("heard by telephone: by number and PIN"),
    "the open draft": lambda _num: _("the open draft"),
    "a page of # in the journal": lambda num: ngettext(
        "the journal: %(num)d report on the page", "the journal: %(num)d reports on the page", num
    ),
    "# reports in our reports": lambda num: ngettext(
        "the organisation’s day: %(num)d report", "the organisation’s day: %(num)d reports", num
    ),
    "# reports in to decide": lambda num: ngettext("to decide: %(num)d report", "to decide: %(num)d reports", num),
    "# reports in to confirm": lambda num: ngettext(
        "status checks: %(num)d report", "status checks: %(num)d reports", num
    ),
    "# reports in to call": lambda num: ngettext(
        "call-backs and questions: %(num)d report", "call-backs and questions: %(num)d reports", num
    ),
    "the status check": lambda _num: _("to ask whether it is done"),
    "number shown to be dialled": lambda _num: _("number shown: to dial it"),
    "the call back": lambda _num: _("to call back"),
    "# reports in the monitoring": lambda num: ngettext(
        "the monitoring: %(num)d report", "the monitoring: %(num)d reports", num
    ),
    "found by # digits of a telephone": lambda num: ngettext(
        "found by %(num)d digit of a telephone", "found by %(num)d digits of a telephone", num
    ),
    "found by a draft's other telephone": lambda _num: _("found by a draft’s other telephone"),
    "telephone in the journal": lambda _num: _("in the journal"),
    "a person's data": lambda _num: _("what is held about a person"),
    "a person's data: export": lambda _num: _("export of a person’s data"),
    "journal as csv": lambda _num: _("without names, as CSV"),
    "journal as xlsx": lambda _num: _("without names, as Excel"),
    "the access log": lambda _num: _("looked through"),
}
KIND_WORDS = {
    Kind.NO_MATTER: lazy_gettext("Wrong numbers, nuisance and dropped calls"),
    Kind.DRAFTS: lazy_gettext("Drafts that nobody finished"),
    Kind.CONSULTATIONS: lazy_gettext("Consultations and other bodies’ matters"),
    Kind.REPORTS: lazy_gettext("Closed reports: the applicant’s data"),
    Kind.CALLS: lazy_gettext("Calls: numbers and names"),
    Kind.CALL_TASKS: lazy_gettext("Calls of ours: whom, and what was to be asked"),
    Kind.CALL_ATTEMPTS: lazy_gettext("Attempts to call: numbers"),
    Kind.NO_MACHINE_CALLS: lazy_gettext("Numbers that want no machine calls"),
    Kind.PERSONS: lazy_gettext("Known persons without reports"),
    Kind.ACCESS_LOG: lazy_gettext("Access log"),
    Kind.SHIFT_SHEETS: lazy_gettext("Hand-over sheets"),
}
FATE_WORDS = {
    Fate.ANONYMISED: lazy_gettext("the person is taken out, the record stays"),
    Fate.DELETED: lazy_gettext("deleted"),
}


@dataclass
class Asked:
    """What the log's address asks for: the raw values for the form, the filter, what is wrong with them."""

    values: dict[str, str]
    wanted: LogFilter = field(default_factory=LogFilter)
    errors: dict[str, str] = field(default_factory=dict)

    def address(self, **more: int) -> str:
        return url_for("privacy.access_log", **{name: value for name, value in self.values.items() if value}, **more)

    @property
    def narrowed(self) -> bool:
        return any(self.values.values())


@bp.get("/personal-data")
@allow(Role.SUPERVISOR)
def personal_data() -> ResponseReturnValue:
    return redirect(url_for("privacy.access_log"))


@bp.get("/personal-data/log")
@allow(Role.SUPERVISOR)
def access_log() -> ResponseReturnValue:
    """Who looked at what, when and why, newest first; this look leaves a row, too."""
    asked = read_asked()
    page = None
    if not asked.errors:
        before, after = row_id(request.args.get("before")), row_id(request.args.get("after"))
        page = find_looks(db.session(), asked.wanted, before=before, after=after, limit=PAGE)
        log_looks_with_answer(Subject.LOG, [asked.wanted.user_id or 0], "the access log")
    return render_template(
        "privacy/log.html",
        asked=asked,
        page=page,
        users=db.session.scalars(select(User).order_by(User.name)).all(),
        subjects=SUBJECT_WORDS,
        what=what_words,
        reason=reason_words,
    ), (422 if asked.errors else 200)


@bp.get("/personal-data/retention")
@allow(Role.SUPERVISOR)
def retention() -> str:
    """How long each kind is held and what is due now: the dry run; what was ended lately, and when it last ran."""
    session = db.session()
    return render_template(
        "privacy/retention.html",
        rules=RULES,
        due=count_due(session, now()),
        days=last_days(session),
        ran=last_run(session),
        kind_words=KIND_WORDS,
        fate_words=FATE_WORDS,
        source=source_words,
        cel_days=int(CEL_KEPT // DAY),
    )


def what_words(row: AccessLog) -> str:
    """At what somebody looked; a search says how many digits were given, the log whose looks were read."""
    if row.subject == Subject.SEARCH:
        return ngettext("a search by %(num)d digit", "a search by %(num)d digits", row.subject_id)
    if row.subject == Subject.ERASURE:
        return ngettext(
            "erasure of a person’s data, %(num)d record", "erasure of a person’s data, %(num)d records", row.subject_id
        )
    return str(SUBJECT_WORDS.get(row.subject, row.subject))


def reason_words(reason: str) -> str:
    """Why somebody looked, in the reader's language; what was typed stays as it was."""
    number = re.search(r"\d+", reason)
    words = REASON_WORDS.get(re.sub(r"\d+", "#", reason))
    return words(int(number[0]) if number else 0) if words else reason


def source_words(source: str) -> str:
    """What sets a term: the law, or the list of typical documents."""
    paper, _comma, point = source.partition(", ")
    if paper == "578/5":
        return _("list of typical documents (order 578/5), article %(point)s, by analogy", point=point)
    return _("law on the protection of personal data, article %(point)s", point=point)


def read_asked() -> Asked:
    """The filters in the address. What cannot be meant becomes an error with the field's name."""
    asked = Asked({name: request.args.get(name, "").strip()[:20] for name in ("user", "day", "subject", "report")})
    values, errors = asked.values, asked.errors
    user_id = row_id(values["user"]) if values["user"] else None
    if values["user"] and (user_id is None or db.session.get(User, user_id) is None):
        errors["user"] = _("There is no such entry. Choose one from the list.")
    day = None
    if values["day"]:
        try:
            day = date.fromisoformat(values["day"])
            if not date(2000, 1, 1) <= day <= date(2100, 12, 31):
                raise ValueError
        except ValueError:
            errors["day"] = _("This is not a day. Write it as 2026-11-22 or choose it in the calendar.")
    subject = next((one for one in Subject if one == values["subject"]), None)
    if values["subject"] and subject is None:
        errors["subject"] = _("There is no such entry. Choose one from the list.")
    subject_id = None
    if values["report"]:
        report = find_report(db.session(), values["report"])
        if report is None:
            errors["report"] = _("There is no report with this number. Write it as 2026-0412.")
        else:
            subject, subject_id = Subject.REPORT, report.id
    if not errors:
        asked.wanted = LogFilter(user_id, day, subject, subject_id)
    return asked
