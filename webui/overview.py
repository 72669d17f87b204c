"""The centre at a glance, for those who answer for all of it and not for a line of their own (W13).

Stands on the desk where the open draft would be, and follows the events.
"""

from datetime import datetime, time

from flask import Blueprint, render_template
from flask_login import current_user
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from models.base import db, now
from models.calls import LIVE_STATES, Call
from models.checking import count_checks
from models.lines import Line
from models.overview import calls_since, drafts_at_work
from models.people import Phone, Role
from models.workdays import KYIV
from webui.access import allow
from webui.news import phones_ringing, with_ringing

bp = Blueprint("overview", __name__)
OVERSEERS = frozenset({Role.SUPERVISOR, Role.DISPATCHER})


@bp.get("/desk/overview")
@allow(*OVERSEERS)
def overview() -> str:
    """The overview alone, for the page's script."""
    return render_template("desk/overview.html", **overview_parts())


def overview_parts() -> dict[str, object]:
    """The lines with their calls and who has them, today's counts, what is to be done; nothing for other roles."""
    if current_user.role not in OVERSEERS:
        return {}
    session = db.session()
    query = select(Call).where(Call.state.in_(LIVE_STATES)).options(*with_ringing()).order_by(Call.started_at)
    calls: dict[int | None, list[Call]] = {}
    for call in session.scalars(query).unique():
        calls.setdefault(call.line_id, []).append(call)
    phones = session.scalars(select(Phone).options(joinedload(Phone.user))).unique()
    names = {phone.id: phone.user.name if phone.user else phone.title or phone.name for phone in phones}
    listed = session.scalars(select(Line).where(Line.active).order_by(Line.id))
    lines = [(line, calls.pop(line.id, [])) for line in listed]
    today, total = calls_since(session, datetime.combine(now().astimezone(KYIV), time(), KYIV))
    return {
        "lines_now": [*lines, *((None, unknown) for unknown in calls.values())],
        "who_rings": lambda call: ", ".join(sorted(names[phone] for phone in phones_ringing(call))),
        "who_talks": lambda call: names.get(call.talking_to_id, ""),
        "today": today,
        "total": total,
        "at_work": drafts_at_work(session),
        "to_confirm": count_checks(session),
    }
