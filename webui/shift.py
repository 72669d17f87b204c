"""The shift hand-over sheet: what the outgoing shift leaves, and who took it over (A6)."""

from datetime import datetime

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from models.base import db, now, transaction
from models.people import User
from models.shifts import (
    LONGEST_REMARKS,
    ShiftSheet,
    TakenOverAlready,
    WaitsAlready,
    figures_now,
    hand_over,
    sheets_before,
    take_over,
    waiting_sheet,
)
from webui.access import DESK_ROLES, allow
from webui.call_words import PURPOSES
from webui.text import area_code, row_id

bp = Blueprint("shift", __name__)
PAGE = 30


@bp.get("/shift")
@allow(*DESK_ROLES)
def shift() -> ResponseReturnValue:
    """The sheet that waits to be taken over, or what would be handed over now; below, the former sheets."""
    return _page()


@bp.post("/shift")
@allow(*DESK_ROLES)
def hand_over_shift() -> ResponseReturnValue:
    """Freeze what stands there now, with the remarks."""
    remarks = request.form.get("remarks", "").replace("\r\n", "\n").replace("\0", "")
    remarks = remarks.encode("utf-8", "replace").decode().strip()
    if len(remarks) > LONGEST_REMARKS:
        error = _("This is too long: at most %(num)d characters fit here.", num=LONGEST_REMARKS)
        return _page(remarks, {"remarks": error}), 422
    user_id = current_user.id
    try:
        with transaction() as session:
            sheet_id = hand_over(session, session.get_one(User, user_id), remarks, now(), area_code()).id
    except WaitsAlready:
        return _page(remarks, second=True), 409
    flash(_("The shift is handed over. The next one confirms it on this page."), "ok")
    return redirect(url_for("shift.sheet", sheet_id=sheet_id))


@bp.get("/shift/<int:sheet_id>")
@allow(*DESK_ROLES)
def sheet(sheet_id: int) -> str:
    """One sheet as it was handed over; on paper a document with two signatures."""
    found = db.session.get(ShiftSheet, sheet_id) or abort(404)
    return render_template(
        "shift/sheet.html",
        sheet=found,
        figures=found.figures,
        moment_of=datetime.fromisoformat,
        call_purposes=PURPOSES,
    )


@bp.post("/shift/<int:sheet_id>/take-over")
@allow(*DESK_ROLES)
def take_over_shift(sheet_id: int) -> ResponseReturnValue:
    """Confirm that the sheet was read: its shift is over, mine begins."""
    user_id = current_user.id
    try:
        with transaction() as session:
            found = session.get(ShiftSheet, sheet_id) or abort(404)
            take_over(session, found, session.get_one(User, user_id), now())
    except TakenOverAlready:
        flash(_("A colleague has taken this shift over already."), "wrong")
    else:
        flash(_("You have taken the shift over."), "ok")
    return redirect(url_for("shift.sheet", sheet_id=sheet_id))


def _page(remarks: str = "", errors: dict[str, str] | None = None, second: bool = False) -> str:
    """``second``: somebody handed over a moment before, and what was typed stays."""
    session = db.session()
    waiting, before = waiting_sheet(session), row_id(request.args.get("before"))
    former = sheets_before(session, before, PAGE + 1)
    return render_template(
        "shift/shift.html",
        waiting=waiting,
        figures=waiting.figures if waiting else figures_now(session, now(), area_code()),
        former=former[:PAGE],
        older=former[PAGE - 1].id if len(former) > PAGE else None,
        remarks=remarks,
        errors=errors or {},
        second=second,
        longest=LONGEST_REMARKS,
        moment_of=datetime.fromisoformat,
        call_purposes=PURPOSES,
    )
