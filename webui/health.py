"""How the parts of the service are: ``GET /health`` for machines, ``/status`` for people (A4)."""

from datetime import UTC, datetime

from flask import Blueprint, Flask, current_app, jsonify, render_template
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext
from flask_login import current_user
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from jobs.phones import phone_states, reachable
from models.base import db
from models.lines import RingStep
from models.people import Role
from webui.access import EVERYBODY, allow, public
from webui.probes import PartState, Watch

bp = Blueprint("health", __name__)

PART_NAMES = {
    "database": lazy_gettext("Database"),
    "redis": lazy_gettext("Messages to the screens (Redis)"),
    "asterisk": lazy_gettext("Telephone exchange (Asterisk)"),
    "agi": lazy_gettext("Scripts of calls (AGI)"),
    "listener": lazy_gettext("Listening to the exchange"),
    "trunk": lazy_gettext("Trunk: the gateway or provider"),
    "strangers": lazy_gettext("Strangers at the telephone port"),
    "reconcile": lazy_gettext("Comparing calls with drafts"),
    "phones": lazy_gettext("Desk phones"),
    "rounds": lazy_gettext("Periodic work"),
    "calls": lazy_gettext("Calls to citizens"),
    "worker": lazy_gettext("Dialling (worker)"),
    "plan": lazy_gettext("Lines and phones"),
    "mail": lazy_gettext("Letters (e-mail)"),
    "watchdog": lazy_gettext("Watchdog"),
    "backup": lazy_gettext("Backups"),
    "disk": lazy_gettext("Disk"),
}


@bp.record_once
def make_watch(state) -> None:
    state.app.extensions["health"] = Watch(state.app)


def look(app: Flask) -> list[PartState]:
    """All parts of the service as they are now."""
    return app.extensions["health"].look()


def as_json(parts: list[PartState]) -> dict[str, object]:
    """The answer of ``/health``. Needs a request or a language; ``since`` is ISO 8601 in UTC."""
    return {
        "ok": all(part.ok for part in parts),
        "parts": [
            {
                "part": part.part,
                "ok": part.ok,
                "since": datetime.fromtimestamp(part.since, UTC).isoformat(timespec="seconds"),
                "detail": str(part.detail),
                "todo": str(part.todo),
            }
            for part in parts
        ],
    }


@bp.get("/health")
@public
def health() -> ResponseReturnValue:
    """Every part, in JSON, without logging in. Always 200 when the web answers: ``ok`` says how the whole is.

    The status is not 503 when a part is down, because a supervisor that asks whether the *web* lives would restart
    it for somebody else's fault.
    """
    return jsonify(as_json(look(current_app)))


@bp.get("/status")
@allow(*EVERYBODY)
def status() -> ResponseReturnValue:
    """The same for people, and the answer to "why does nothing pop up on my screen?"."""
    return render_template("health/status.html", **_parts(), **_my_phone())


@bp.get("/status/parts")
@allow(*EVERYBODY)
def parts() -> ResponseReturnValue:
    """The table alone, for the page to renew."""
    return render_template("health/parts.html", **_parts())


def _parts() -> dict[str, object]:
    found = sorted(look(current_app), key=lambda part: part.ok)  # what needs help first
    return {
        "parts": [(part, PART_NAMES[part.part], datetime.fromtimestamp(part.since, UTC)) for part in found],
        "all_ok": all(part.ok for part in found),
        "broken": sum(not part.ok for part in found),
        "calls_stop": any(part.stops_calls for part in found),
    }


def _my_phone() -> dict[str, object]:
    """Which phone is mine, whether the exchange reaches it, and on which lines it rings in which step.

    ``answers``: answering the lines is this role's work, so that it lacks something without a phone.
    """
    phone, answers = current_user.phone, current_user.role == Role.ADMINISTRATOR
    if phone is None:
        return {"phone": None, "connected": None, "rings": [], "answers": answers}
    states = phone_states(current_app.config["SETTINGS"])
    steps = db.session.scalars(
        select(RingStep).where(RingStep.phone_id == phone.id).options(joinedload(RingStep.line)).order_by(RingStep.step)
    ).all()
    connected = None if states is None else reachable(states.get(phone.name))
    return {"phone": phone, "connected": connected, "rings": steps, "answers": answers}
