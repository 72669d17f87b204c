"""Streets and organisations from a file (A2): upload, look at what each line would do, apply."""

from collections.abc import Sequence
from dataclasses import dataclass

from flask import Blueprint, Response, abort, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext, ngettext
from flask_login import current_user

from jobs.sheets import Trouble, Unreadable, read_sheet, write_template
from models.base import db, now, transaction
from models.directories import split_numbers
from models.imports import MOST_ROWS, Verdict, apply_upload, find_upload, keep_upload, plan
from models.people import User
from models.reference import KEPT_BY, Subject
from webui.access import allow
from webui.reference_forms import reference_page
from webui.reference_words import FIELD_WORDS, fault_sentence
from webui.text import Badge, e164

bp = Blueprint("reference_import", __name__)

MOST_SHOWN = 200  # lines of one verdict
MOST_TITLES = 8  # of columns in a sentence
LARGEST = 1000  # kB of a file; the whole request may have 1 MB


@dataclass(frozen=True)
class Kind:
    """What can be imported: the title of each column in the file, by the field; only the name's is needed."""

    subject: Subject
    title: str
    columns: dict[str, str]


KINDS = {
    "streets": Kind(
        Subject.STREET,
        lazy_gettext("Streets from a file"),
        {"name": "Назва", "former_names": "Колишні назви", "other_names": "Інші назви", "active": "Діє"},
    ),
    "organisations": Kind(
        Subject.ORGANISATION,
        lazy_gettext("Organisations from a file"),
        {"name": "Назва", "email": "Електронна пошта", "duty_numbers": "Телефони чергових", "active": "Діє"},
    ),
}
VERDICT_BADGES = {
    Verdict.WRONG: Badge(lazy_gettext("wrong"), "▲", "late"),
    Verdict.CHANGED: Badge(lazy_gettext("changed"), "◐", "work"),
    Verdict.NEW: Badge(lazy_gettext("new"), "●", "new"),
    Verdict.SAME: Badge(lazy_gettext("the same"), "✓", "done"),
}
_KEEPERS = KEPT_BY[Subject.STREET] & KEPT_BY[Subject.ORGANISATION]


@bp.get("/reference/<kind>/import")
@allow(*_KEEPERS)
def form(kind: str) -> ResponseReturnValue:
    return _form(kind)


@bp.get("/reference/<kind>/template")
@allow(*_KEEPERS)
def template(kind: str) -> Response:
    """An empty file with the titles."""
    answer = Response(write_template(_kind(kind).columns.values()), mimetype="text/csv")
    answer.headers["Content-Disposition"] = f'attachment; filename="{kind}.csv"'
    return answer


@bp.post("/reference/<kind>/import")
@allow(*_KEEPERS)
def upload(kind: str) -> ResponseReturnValue:
    """Read the file and keep its lines, for this person to look at."""
    wanted = _kind(kind)
    file = request.files.get("file")
    content = file.read() if file else b""
    if not content:
        return _form(kind, _("Choose a file: CSV or XLSX."))
    try:
        titles, *lines = read_sheet(content, MOST_ROWS)
    except Unreadable as error:
        return _form(kind, _trouble(error.trouble))
    fields = _fields(wanted, titles)
    if "name" not in fields:
        return _form(
            kind,
            _(
                "The first line must have the titles of the columns: «Назва», and of %(titles)s those that are needed. "
                "Yours has: %(found)s",
                titles=_quoted(list(wanted.columns.values())[1:]),
                found=_quoted(titles),
            ),
        )
    if unknown := [title for title, field in zip(titles, fields, strict=True) if title and not field]:
        flash(_("Columns %(titles)s are not taken.", titles=_quoted(unknown)), "wrong")
    rows = [_cells(fields, line) for line in lines]
    with transaction() as session:
        token = keep_upload(session, wanted.subject, rows, session.get_one(User, current_user.id), now())
    return redirect(url_for("reference_import.look", kind=kind, token=token))


@bp.get("/reference/<kind>/import/<token>")
@allow(*_KEEPERS)
def look(kind: str, token: str) -> ResponseReturnValue:
    """What each line would do; nothing is written."""
    wanted = _kind(kind)
    session = db.session()
    found = find_upload(session, wanted.subject, token, current_user, now())
    if found is None:
        return _form(kind, _("This file is applied already, or more than a day old. Upload it again."), 404)
    lines = plan(session, wanted.subject, found.rows)
    by_verdict = {verdict: [line for line in lines if line.verdict == verdict] for verdict in VERDICT_BADGES}
    return reference_page(
        "reference/import_look.html",
        kind=kind,
        title=wanted.title,
        token=token,
        by_verdict=by_verdict,
        badges=VERDICT_BADGES,
        most=MOST_SHOWN,
        field_words=FIELD_WORDS,
        fault_sentence=fault_sentence,
        good=len(by_verdict[Verdict.NEW]) + len(by_verdict[Verdict.CHANGED]),
    )


@bp.post("/reference/<kind>/import/<token>")
@allow(*_KEEPERS)
def apply(kind: str, token: str) -> ResponseReturnValue:
    """Write all good lines, in one transaction; what is wrong by now stays out."""
    wanted = _kind(kind)
    with transaction() as session:
        user = session.get_one(User, current_user.id)
        found = find_upload(session, wanted.subject, token, user, now())
        counts = apply_upload(session, found, user, now()) if found else None
    if counts is None:
        return _form(kind, _("This file is applied already, or more than a day old. Upload it again."), 404)
    added = ngettext("%(num)d entry is added", "%(num)d entries are added", counts[Verdict.NEW])
    changed = ngettext("%(num)d is changed", "%(num)d are changed", counts[Verdict.CHANGED])
    flash(f"{added}, {changed}.", "ok")
    return redirect(url_for(f"reference.{kind}"))


@bp.errorhandler(413)
def too_large(_error: Exception) -> ResponseReturnValue:
    """The file is larger than a request may be."""
    kind = (request.view_args or {}).get("kind", "")
    return _form(kind, _("The file is too large: at most %(num)d kB. Split it in two.", num=LARGEST), 413)


def _kind(kind: str) -> Kind:
    return KINDS.get(kind) or abort(404)


def _fields(kind: Kind, titles: list[str]) -> list[str]:
    """The field of each column, "" for one that is not known."""
    by_title = {title.lower(): field for field, title in kind.columns.items()}
    return [by_title.get(" ".join(title.lower().split()), "") for title in titles]


def _cell(field: str, cell: str) -> str:
    """What a cell holds; telephones in E.164 where they are understood."""
    return ", ".join(e164(one) or one for one in split_numbers(cell)) if field == "duty_numbers" else cell


def _cells(fields: list[str], line: list[str]) -> dict[str, str]:
    """The cells of a line by field; where it has others alone, one of them under no field: it is no empty line."""
    cells = {field: _cell(field, cell) for field, cell in zip(fields, line, strict=False) if field}
    return cells if any(cells.values()) or not any(line) else cells | {"": next(filter(None, line))}


def _quoted(titles: Sequence[str]) -> str:
    """Titles in a sentence, the first few of them."""
    shown = [f"«{title[:40]}»" for title in titles if title]
    return ", ".join(shown[:MOST_TITLES]) + (", …" if len(shown) > MOST_TITLES else "")


def _trouble(trouble: Trouble) -> str:
    match trouble:
        case Trouble.OLD_EXCEL:
            return _("This is a file of an old Excel: save it there as XLSX or CSV.")
        case Trouble.TOO_LONG:
            return _("The file has too many lines: at most %(num)d lines at once.", num=MOST_ROWS)
        case Trouble.EMPTY:
            return _("The file is empty.")
        case Trouble.BROKEN:
            return _("The file is damaged: open it in Excel and save it anew.")
        case Trouble.NOT_A_TABLE:
            return _("This is no table: choose a CSV or an XLSX file.")


def _form(kind: str, error: str = "", status: int = 422) -> ResponseReturnValue:
    wanted = _kind(kind)
    page = reference_page(
        "reference/import.html",
        kind=kind,
        title=wanted.title,
        columns=wanted.columns,
        errors={"file": error} if error else {},
        most=MOST_ROWS,
        largest=LARGEST,
    )
    return page, status if error else 200
