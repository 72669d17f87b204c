"""What presses: the emergencies that nobody has accepted, on top of the desk; what is new to an organisation (I8)."""

from flask import Blueprint, render_template
from flask_login import current_user

from models.base import db, now
from models.people import ORGANISATION_ROLES
from models.pressing import count_new, emergency_since, just_accepted, unaccepted_emergencies
from webui.access import DESK_ROLES, allow

bp = Blueprint("pressing", __name__)


@bp.get("/desk/emergencies")
@allow(*DESK_ROLES)
def emergencies() -> str:
    """The strip alone, for the page's script."""
    session = db.session()
    return render_template(
        "desk/emergencies.html", emergencies=unaccepted_emergencies(session), accepted=just_accepted(session, now())
    )


@bp.record_once
def add_words(state) -> None:
    """What the frame of every page asks for."""
    state.app.jinja_env.globals.update(
        new_for_us=new_for_us, emergency_since=lambda reports: emergency_since(db.session(), reports)
    )


def new_for_us() -> int:
    """How many reports wait to be taken to work by the organisation of who looks."""
    if current_user.role not in ORGANISATION_ROLES or current_user.organisation_id is None:
        return 0
    return count_new(db.session(), current_user.organisation_id)
