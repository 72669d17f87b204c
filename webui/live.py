"""My live calls: the bars on top of the desk, the strip below the other pages, and what became of a call."""

from collections.abc import Iterable
from dataclasses import dataclass

from flask import Blueprint, abort, render_template
from flask_babel import gettext as _
from flask_login import current_user
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, selectinload

from models.base import db
from models.callers import Caller, callers_of
from models.calls import LIVE_STATES, Call, CallState
from models.free_days import load_calendar
from models.own_calls import live_talk
from models.people import Phone, User
from models.reports import Report
from models.workdays import WorkCalendar
from webui.access import DESK_ROLES, allow, log_looks_with_answer
from webui.news import Viewer, describe, news_of, with_ringing
from webui.text import area_code

bp = Blueprint("live", __name__)


@dataclass(frozen=True)
class Bar:
    """One live call of mine."""

    call: Call
    draft: Report | None
    rings_me: bool
    talking_to_me: bool
    caller: Caller | None
    duty: bool = False  # who calls pressed the key of an emergency out of hours


@bp.get("/desk/live")
@allow(*DESK_ROLES)
def live() -> str:
    """The bars of my live calls."""
    return render_template("desk/live.html", **live_parts())


@bp.get("/desk/strip")
@allow(*DESK_ROLES)
def strip() -> str:
    """What the other pages tell of the call on my phone: the one that rings, else the one I answered last."""
    on_my_phone = [bar for bar in my_bars() if bar.rings_me or bar.talking_to_me]
    talks = sorted(on_my_phone, key=lambda bar: bar.call.answered_at or bar.call.started_at, reverse=True)
    shown = ([bar for bar in on_my_phone if bar.rings_me] or talks)[:1]
    log_calls_seen(bar.call for bar in shown)
    return render_template("desk/strip.html", bars=shown)


@bp.get("/desk/calls/<int:call_id>")
@allow(*DESK_ROLES)
def call_note(call_id: int) -> dict[str, object]:
    """One sentence about what became of a call: who answered, or that nobody did."""
    call = db.session.get(Call, call_id) or abort(404)
    return {"note": note_of(call)}


def note_of(call: Call) -> str:
    """Who answered, in words; a missed call says so."""
    if call.state == CallState.MISSED:
        return _("The call was missed: nobody answered.")
    if call.state == CallState.AFFECTED:
        return _("The caller heard of the outage and hung up: nobody is to be called back.")
    if call.listens:
        return _("The caller hears an announcement now; no phone rings yet.")
    user = call.talking_to.user if call.talking_to else None
    if user is not None:
        return _("Answered by: %(name)s", name=user.name)
    if call.state == CallState.RINGING:
        return _("The call rings at a colleague's now.")
    return _("The call was answered at another phone.") if call.answered_at else _("The call is over.")


def live_parts() -> dict[str, object]:
    """The bars of my live calls, and to whom their drafts can be handed over."""
    bars = my_bars()
    log_calls_seen(bar.call for bar in bars)
    own_talk = live_talk(db.session(), current_user)
    return {"bars": bars, "own_talk": own_talk, "colleagues": colleagues(db.session()) if bars else []}


def my_bars() -> list[Bar]:
    """Ringing for me, talking with me, or with a draft of mine: one bar each, the oldest call first."""
    session = db.session()
    me: User = current_user
    viewer = Viewer(me.id, me.phone.id if me.phone else None)
    rows = session.execute(
        select(Call, Report)
        .outerjoin(Report, Report.call_id == Call.id)
        .where(Call.state.in_(LIVE_STATES))
        .options(
            *with_ringing(),
            joinedload(Call.talking_to).joinedload(Phone.user),
            joinedload(Report.owner),
            joinedload(Report.person),
        )
        .order_by(Call.started_at, Call.id)
    ).unique()
    mine = []
    for call, found in rows:
        seen = describe(news_of(call, found), viewer)
        if seen["rings_me"] or seen["talking_to_me"] or seen["owner_is_me"]:
            mine.append((call, found, seen))
    calendar = load_calendar(session) if any(call.announced for call, _found, _seen in mine) else WorkCalendar()
    callers = callers_of(session, [found for _call, found, _seen in mine if found], area_code())
    return [
        Bar(
            call,
            found,
            seen["rings_me"],
            seen["talking_to_me"],
            callers[found.id] if found else None,
            call.asked_for_duty(calendar),
        )
        for call, found, seen in mine
    ]


def colleagues(session: Session) -> list[User]:
    """To whom I can hand a draft over."""
    query = select(User).where(User.active, User.role.in_(DESK_ROLES), User.id != current_user.id)
    return list(session.scalars(query.options(selectinload(User.phone)).order_by(User.name)))


def log_calls_seen(calls: Iterable[Call]) -> None:
    """The numbers of these calls stand on the screen in full: leave a trace (A3)."""
    log_looks_with_answer("call", [call.id for call in calls if call.number_received or call.number], "desk")
