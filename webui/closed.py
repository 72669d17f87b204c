"""The page of an organisation's closed reports, with a search by number or street (W2, W11)."""

from flask import Blueprint, abort, render_template, request
from flask_login import current_user

from models.base import db, now
from models.closed import closed_reports
from models.moves import last_moves
from models.people import ORGANISATION_ROLES
from webui.access import allow
from webui.form import cleaned
from webui.work import log_list

bp = Blueprint("closed", __name__)

LONGEST = 80  # characters of a search


@bp.route("/work/closed", methods=["GET", "POST"])
@allow(*ORGANISATION_ROLES)
def closed() -> str:
    """The closed reports of who looks, or those that are found; what was typed is in no address (A3)."""
    organisation = current_user.organisation or abort(403)
    typed = " ".join(cleaned(request.form.get("text")).split())[:LONGEST]
    found = closed_reports(db.session(), organisation.id, typed, now())
    log_list("our closed reports", found.rows)
    return render_template(
        "work/closed.html",
        organisation=organisation,
        found=found,
        typed=typed,
        longest=LONGEST,
        moves=last_moves(db.session(), [report.id for report in found.rows]),
    )
