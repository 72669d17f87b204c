"""The journal: registered reports by its filters, with one search box (R 2.1, W11).

The filters are in the address, so a list can be kept and sent to a colleague. What was typed into the search box is
not: it may be a telephone number or a name (`journal_question`). An address with somebody else's word for it, or an
old one, asks to search again.

Numbers are masked in the list, but a search by more and more of the last digits would find a masked number out. People
need that search, so it is not forbidden but seen (A3): each one leaves a row with how many digits were given, even when
nothing is found, and so does each report that is shown for it. Who guesses leaves dozens of the first and, at the
report in question, one of the second for each digit. The number itself is not written down: the report has it.
"""

from collections.abc import Mapping

from flask import Blueprint, render_template, request, url_for
from flask import redirect as lead_to
from flask.typing import ResponseReturnValue
from flask_babel import format_decimal
from flask_login import current_user

from models.base import db, now
from models.journal import MOST_COUNTED, JournalPage, count_found, find_reports
from models.journal_filters import JournalFilter
from models.journal_rows import MOST_ROWS
from models.people import User
from models.reports import REGISTERED_STATES
from models.saved_filters import LONGEST_NAME, SHARERS, visible_filters
from models.search import has_telephone, in_ukrainian_layout, telephone_beginning
from webui.access import DESK_ROLES, EXPORTERS, allow, log_looks_with_answer, log_telephone_search
from webui.journal_question import (
    DUE_WORDS,
    LONGEST_SEARCH,
    REPEATED_WORDS,
    STATES,
    Question,
    given_fields,
    keep_search,
    load_choices,
    read_question,
    refuse_unknown,
)
from webui.text import row_id

bp = Blueprint("journal", __name__)
PAGE = 50


@bp.get("/journal")
@allow(*DESK_ROLES)
def journal() -> ResponseReturnValue:
    asked = read_question(request.args, now())
    refuse_unknown(asked, request.args)
    return page(asked)


def page(
    asked: Question,
    status: int = 200,
    errors: Mapping[str, str] | None = None,
    typed: Mapping[str, str] | None = None,
    notice: str = "",
) -> ResponseReturnValue:
    """The journal's page. ``errors`` and what was ``typed`` are of its smaller forms: to keep the filters, to save a
    file; ``notice`` says why neither was done."""
    found = count = None
    if not asked.errors:
        found = find_reports(
            db.session(),
            asked.wanted,
            before=row_id(request.args.get("before")),
            after=row_id(request.args.get("after")),
            limit=PAGE,
        )
        _trace(asked.text, found)
        count = count_found(db.session(), asked.wanted) if asked.narrowed and found.rows else None
    answer = render_template(
        "journal/list.html",
        asked=asked,
        page=found,
        count=count,
        most_counted=MOST_COUNTED,
        choices=load_choices(),
        pairs=lambda rows, word: [(row.id, getattr(row, word)) for row in rows],
        due_words=DUE_WORDS,
        repeated_words=REPEATED_WORDS,
        registered_states=REGISTERED_STATES,
        ended_states=STATES[len(REGISTERED_STATES) :],
        longest=LONGEST_SEARCH,
        saved_filters=visible_filters(db.session(), db.session.get_one(User, current_user.id)),
        may_share=current_user.role in SHARERS,
        may_export_names=current_user.role in EXPORTERS,
        longest_name=LONGEST_NAME,
        most_rows=format_decimal(MOST_ROWS),
        errors=errors or {},
        typed=typed or {},
        notice=notice,
    )
    return answer, 422 if asked.errors else status


@bp.post("/journal")
@allow(*DESK_ROLES)
def search() -> ResponseReturnValue:
    """Keep the text in the session, and show the list under an address without it."""
    text = meant_search(" ".join(request.form.get("text", "").split())[:LONGEST_SEARCH])
    trace_search(text)
    given = {name: value for name, value in given_fields(request.form).items() if value}
    return lead_to(url_for("journal.journal", **given, q=keep_search(text) if text else None))


def meant_search(text: str) -> str:
    """What was typed; where it finds nothing and was typed in the Latin layout, what the same keys write in ours."""
    turned = in_ukrainian_layout(text)
    return turned if turned and not _finds(text) and _finds(turned) else text


def _finds(text: str) -> bool:
    return bool(find_reports(db.session(), JournalFilter(text=text), limit=1).rows)


def trace_search(text: str) -> None:
    """A search by a telephone leaves a row, with how many digits were given (A3); words and report numbers none."""
    if beginning := telephone_beginning(text):
        log_telephone_search(len(beginning) - 1, "telephone in the journal")


def _trace(text: str, found: JournalPage) -> None:
    """Who looks through names and flats leaves a row for each page, of its newest report (A3).

    Each report shown because of its telephone is looked at besides.
    """
    if found.rows:
        log_looks_with_answer("journal", [found.rows[0].id], f"a page of {len(found.rows)} in the journal")
    if beginning := telephone_beginning(text):
        shown = [report.id for report in found.rows if has_telephone(report, beginning)]
        log_looks_with_answer("report", shown, f"found by {len(beginning) - 1} digits of a telephone")
