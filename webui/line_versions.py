"""Versions of the telephone plan: who, when, why, what differs, what became of each; and one click back to one."""

from flask import Blueprint, abort, current_app, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from jobs.apply_plan import site_of
from models.base import db, now, transaction
from models.machine import IllegalMove
from models.people import User
from models.plan import way_of_call
from models.plan_acts import StillApplying, order_return
from models.plan_checks import Fault
from models.plan_versions import LONGEST_REASON, RETURNABLE, PlanVersion, list_versions
from models.reference import tidy
from webui.access import allow
from webui.plan_pages import TECHNICAL, plan_page

bp = Blueprint("line_versions", __name__)

SHOWN = 100


@bp.get("/lines/versions")
@allow(TECHNICAL)
def versions() -> str:
    return plan_page("lines/versions.html", versions=list_versions(db.session(), SHOWN))


@bp.get("/lines/versions/<int:version_id>")
@allow(TECHNICAL)
def show(version_id: int) -> str:
    return _page(version_id)


@bp.post("/lines/versions/<int:version_id>/return")
@allow(TECHNICAL)
def go_back(version_id: int) -> ResponseReturnValue:
    """Have this version's plan applied anew."""
    version = db.session.get(PlanVersion, version_id) or abort(404)
    typed = tidy(request.form.get("reason", ""))[:LONGEST_REASON]
    reason = typed or _("Back to version %(number)d", number=version.id)
    try:
        with transaction() as session:
            me, site = session.get_one(User, current_user.id), site_of(current_app.config["SETTINGS"])
            _new, faults = order_return(session, version_id, me, now(), reason, site)
    except StillApplying:
        return _page(version_id, notice=_("Another version is being applied: wait until it is done.")), 409
    except IllegalMove:
        return _page(version_id, notice=_("Only what was applied once, or rolled back, can be returned to.")), 409
    if faults:
        return _page(version_id, faults=faults), 422
    return redirect(url_for("lines.lines"))


def _page(version_id: int, *, notice: str = "", faults: list[Fault] | None = None) -> str:
    version = db.session.get(PlanVersion, version_id) or abort(404)
    plan = version.plan
    return plan_page(
        "lines/version.html",
        version=version,
        ways={line.number: way_of_call(plan, line) for line in plan.lines},
        plan=plan,
        may_return=version.state in RETURNABLE,
        notice=notice,
        faults=faults or [],
        longest_reason=LONGEST_REASON,
    )
