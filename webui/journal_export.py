"""The journal as a file: what the filters find, as CSV or as a workbook (W11).

The file is whole before the first byte is sent: a trouble in the middle is an error's page and no half a file, and it
leaves its row in the access log with how many reports it holds (A3). It lies on the disk without a name meanwhile.
"""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from tempfile import TemporaryFile
from threading import BoundedSemaphore
from typing import BinaryIO

from flask import Blueprint, abort, current_app, request, send_file
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user
from sqlalchemy.orm import Session

from jobs.spreadsheet import Cell, Column, write_csv, write_xlsx
from models.base import db, now
from models.journal_rows import JournalRow, journal_rows
from models.telephone import without_numbers
from models.workdays import KYIV
from webui import journal
from webui.access import DESK_ROLES, EXPORTERS, allow, log_export
from webui.journal_question import Question, read_question
from webui.text import REPORT_BADGES, SOURCE_NAMES, area_code, phone

bp = Blueprint("journal_export", __name__)
LONGEST_REASON = 64  # characters
AT_ONCE = BoundedSemaphore(2)  # files: each takes a good part of a processor while it is written
_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


@bp.post("/journal/export")
@allow(*DESK_ROLES)
def export() -> ResponseReturnValue:
    """The newest of the reports that the page's filters find, as a file.

    Names and telephones are for `EXPORTERS` alone, who say what for.
    """
    kind = request.form.get("format", "")
    if kind not in _TYPES:
        abort(400)
    at = now()
    asked, personal = read_question(request.form, at), "personal" in request.form
    if personal and current_user.role not in EXPORTERS:
        abort(403)
    reason = " ".join(request.form.get("reason", "").replace("\0", "").split())
    errors = {"reason": _wrong(reason)} if personal and _wrong(reason) else {}
    if errors or asked.errors:
        return journal.page(asked, 422, errors=errors, typed=request.form)
    if not AT_ONCE.acquire(blocking=False):
        notice = _("Two lists are being written just now. Try again in a minute.")
        return journal.page(asked, 503, typed=request.form, notice=notice)
    try:
        journal.trace_search(asked.text)
        db.session.rollback()  # what is read for long is read by a session of its own
        file, count = _write(kind, asked, personal, at)
    finally:
        AT_ONCE.release()
    log_export(count, reason if personal else f"journal as {kind}", names=personal)
    name = f"zhurnal-{at.astimezone(KYIV):%Y-%m-%d-%H%M}.{kind}"
    return send_file(file, mimetype=_TYPES[kind], as_attachment=True, download_name=name)


def _wrong(reason: str) -> str:
    if not reason:
        return _("Write what the names and telephones are needed for.")
    if len(reason) > LONGEST_REASON:
        return _("This is too long: at most %(num)d characters fit here.", num=LONGEST_REASON)
    return ""


def _write(kind: str, asked: Question, personal: bool, at: datetime) -> tuple[BinaryIO, int]:
    """The open file, and how many reports are in it."""
    columns = _columns(personal)
    heads = [Column(title, width) for title, width, _cell in columns]
    folder = current_app.config["SETTINGS"].var
    file = TemporaryFile(dir=folder)  # noqa: SIM115  closed by the answer
    with Session(db.engine) as own:
        rows = ([cell(row) for _title, _width, cell in columns] for row in journal_rows(own, asked.wanted, at))
        count = write_csv(file, heads, rows) if kind == "csv" else write_xlsx(file, _("Journal"), heads, rows, folder)
    file.seek(0)
    return file, count


def _columns(personal: bool) -> list[tuple[str, int, Callable[[JournalRow], Cell]]]:
    """Title, width in characters, and what stands there. The flat is the applicant's own, so it goes with the name.

    Without names the telephones that somebody typed into a text are masked.
    """
    yes, shown = _("yes"), str if personal else partial(without_numbers, area_code=area_code())
    columns: list[tuple[str, int, Callable[[JournalRow], Cell]]] = [
        ("№", 11, lambda row: row.report.number),
        (_("Registered"), 16, lambda row: row.report.registered_at or row.report.created_at),
        (_("Type"), 24, lambda row: row.report.category.name if row.report.category else None),
        (_("Place"), 32, lambda row: row.report.place if personal else shown(row.report.spot)),
        (_("Text"), 60, lambda row: shown(row.report.text)),
        (_("Executor"), 28, lambda row: row.report.executor.name if row.report.executor else None),
        (_("Line"), 10, lambda row: row.report.line.number if row.report.line else None),
        (_("Source"), 16, lambda row: str(SOURCE_NAMES[row.report.source])),
        (_("Status"), 16, lambda row: str(REPORT_BADGES[row.report.state].word)),
        (_("Deadline"), 16, lambda row: row.report.due_at),
        (_("Done"), 16, lambda row: row.done_at),
        (_("Closed"), 16, lambda row: row.closed_at),
        (_("A repeat"), 10, lambda row: yes if row.report.repeat_of_id else None),
        (_("Overdue"), 12, lambda row: yes if row.overdue else None),
        (_("Emergency"), 10, lambda row: yes if row.report.emergency else None),
    ]
    if personal:
        columns += [
            (_("Applicant"), 28, lambda row: row.report.applicant_name),
            (_("Telephone"), 20, lambda row: phone(row.report.contact_number) if row.report.contact_number else None),
            (_("Other telephone"), 20, lambda row: row.report.other_phone),
        ]
    return columns
