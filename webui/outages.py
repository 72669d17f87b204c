"""The pages of outages: who keeps them enters, changes and ends them; the centre sees who called about one (C7, A5)."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from flask import Blueprint, abort, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext
from flask_login import current_user
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from models.acts import CENTRE, KEEPERS, NotYours
from models.base import db, now, transaction
from models.outage_acts import (
    ENTERED_BY,
    LONGEST_PLACES,
    LONGEST_TEXT,
    Details,
    Fault,
    OutageIsOver,
    Refused,
    Wrong,
    change_outage,
    end_outage,
    enter_outage,
    may_keep,
)
from models.outage_calls import NotOver, ask_callers, count_callers, to_ask, who_called
from models.outages import (
    EntryTerms,
    Outage,
    OutageKind,
    OutageState,
    ended_outages,
    late_by,
    late_entries,
    open_outages,
    sees,
)
from models.people import Organisation, Role, User
from models.places import Street, nearest_streets
from models.reference import ChangedMeanwhile
from models.search import alphabetical
from models.workdays import KYIV
from webui.access import allow
from webui.call_words import TASK_BADGES
from webui.form import cleaned
from webui.outage_words import BADGES, CAUSES, KINDS, change_words, fault_sentence
from webui.text import area_code, row_id

bp = Blueprint("outages", __name__)

SEEN_BY = ENTERED_BY | {Role.HEAD}
LATE_SHOWN = timedelta(days=30)
FIELDS = ("organisation_id", "kind", "cause", "streets", "begins_at", "ends_at", "text")


@bp.record_once
def add_words(state) -> None:
    """What every page that names an outage asks for."""
    state.app.jinja_env.globals.update(outage_kinds=KINDS, outage_causes=CAUSES)


@bp.get("/outages")
@allow(*SEEN_BY)
def outages() -> str:
    """Those of now, those to come, those that ended lately; for who keeps order, those that were entered too late."""
    session, at = db.session(), now()
    rows, over = open_outages(session, current_user), ended_outages(session, current_user, at)
    late = late_entries(session, entry_terms(), at - LATE_SHOWN) if current_user.role in KEEPERS else None
    return render_template(
        "outages/list.html",
        active=[one for one in rows if one.state(at) == OutageState.ACTIVE],
        coming=[one for one in rows if one.state(at) == OutageState.COMING],
        ended=over,
        late=late,
        terms=entry_terms(),
        called=count_callers(session, [one.id for one in (*rows, *over)]),
        may_enter=current_user.role in ENTERED_BY,
        at=at,
    )


@bp.get("/outages/new")
@allow(*ENTERED_BY)
def new() -> str:
    return _form(None, _empty())


@bp.post("/outages/new")
@allow(*ENTERED_BY)
def enter() -> ResponseReturnValue:
    """Enter it, or show the form again with what was typed."""
    typed = _typed()
    try:
        with transaction() as session:
            details = _read(session, typed)
            outage_id = enter_outage(session, session.get_one(User, current_user.id), details, now(), area_code()).id
    except Refused as refused:
        return _form(None, typed, faults=refused.faults), 422
    except NotYours:
        abort(403)
    flash(_("Entered. Callers hear of it once it is spoken, within seconds of its beginning."), "ok")
    return redirect(url_for("outages.show", outage_id=outage_id))


@bp.get("/outages/<int:outage_id>")
@allow(*SEEN_BY)
def show(outage_id: int) -> str:
    return _page(_find(outage_id))


@bp.get("/outages/<int:outage_id>/change")
@allow(*ENTERED_BY)
def form(outage_id: int) -> ResponseReturnValue:
    """The form, filled in. Of one that is over: its page."""
    outage = _find(outage_id)
    if outage.ended_at is not None:
        return redirect(url_for("outages.show", outage_id=outage_id))
    return _form(outage, _stored(outage))


@bp.post("/outages/<int:outage_id>/change")
@allow(*ENTERED_BY)
def change(outage_id: int) -> ResponseReturnValue:
    """Write what differs. A mistake, or another's change meanwhile, shows the form again with all that was typed."""
    typed, revision = _typed(), row_id(request.form.get("revision", ""))
    outage = _find(outage_id)
    try:
        with transaction() as session:
            user, details = session.get_one(User, current_user.id), _read(session, typed)
            change_outage(session, outage_id, -1 if revision is None else revision, user, details, now(), area_code())
    except Refused as refused:
        return _form(_find(outage_id), typed, faults=refused.faults), 422
    except ChangedMeanwhile:
        return _form(_find(outage_id), typed, changed=True), 409
    except OutageIsOver:
        return _page(_find(outage_id), _over() + " " + _("You wrote: «%(words)s»", words=typed["text"])), 409
    except NotYours:
        abort(403)
    flash(_("Saved."), "ok")
    return redirect(url_for("outages.show", outage_id=outage.id))


@bp.post("/outages/<int:outage_id>/end")
@allow(*ENTERED_BY)
def end(outage_id: int) -> ResponseReturnValue:
    """It is over: callers hear of it no more."""
    _find(outage_id)
    try:
        with transaction() as session:
            end_outage(session, outage_id, session.get_one(User, current_user.id), now())
    except OutageIsOver:
        return _page(_find(outage_id), _over()), 409
    flash(_("The outage is over. Callers hear of it no more."), "ok")
    return redirect(url_for("outages.show", outage_id=outage_id))


@bp.post("/outages/<int:outage_id>/ask")
@allow(*CENTRE)
def ask(outage_id: int) -> ResponseReturnValue:
    """Have those who called about it asked whether it is back, by the calls to be made."""
    _find(outage_id)
    try:
        with transaction() as session:
            asked = ask_callers(session, outage_id, session.get_one(User, current_user.id), now())
    except NotOver:
        return _page(_find(outage_id), _("It goes on: end it first, then those who called are asked.")), 409
    words = ngettext("%(num)d person is to be called.", "%(num)d people are to be called.", asked)
    flash(words if asked else _("Everybody who called is asked already."), "ok")
    return redirect(url_for("outages.show", outage_id=outage_id))


def entry_terms() -> EntryTerms:
    """The town's terms for entering outages (S 4.3)."""
    profile = current_app.config["SETTINGS"].profile
    return EntryTerms(
        timedelta(hours=profile.planned_outage_hours), timedelta(minutes=profile.emergency_outage_minutes)
    )


def _find(outage_id: int) -> Outage:
    """The outage, if there is one that is this person's business."""
    outage = db.session.get(Outage, outage_id, populate_existing=True) or abort(404)
    return outage if sees(current_user, outage) else abort(404)


def _over() -> str:
    return _("This outage was ended meanwhile: it cannot be changed any more. Nothing was recorded.")


def _page(outage: Outage, notice: str = "") -> str:
    session, at = db.session(), now()
    centre = current_user.role in CENTRE
    return render_template(
        "outages/show.html",
        outage=outage,
        badge_now=BADGES[outage.state(at)],
        overdue=outage.overdue(at),
        late=late_by(outage, entry_terms()) if current_user.role in KEEPERS else None,
        may_keep=outage.ended_at is None and may_keep(current_user, outage.organisation_id),
        callers=who_called(session, outage.id) if centre else None,
        to_ask=len(to_ask(session, outage.id)) if centre and outage.ended_at else 0,
        task_badges=TASK_BADGES,
        change_words=change_words,
        notice=notice,
    )


def _empty() -> dict[str, object]:
    values = dict.fromkeys(FIELDS, "") | {"whole_city": False}
    begins_at = now().astimezone(KYIV).replace(tzinfo=None).isoformat(timespec="minutes")
    own = current_user.organisation_id if current_user.role == Role.OPERATOR else ""
    return values | {"organisation_id": str(own or ""), "cause": "emergency", "begins_at": begins_at}


def _stored(outage: Outage) -> dict[str, object]:
    """What is stored, as the form holds it."""

    def local(at: datetime | None) -> str:
        return at.astimezone(KYIV).replace(tzinfo=None).isoformat(timespec="minutes") if at else ""

    return {
        "organisation_id": str(outage.organisation_id),
        "kind": str(outage.kind),
        "cause": "planned" if outage.planned else "emergency",
        "streets": "\n".join(place.words for place in outage.places),
        "begins_at": local(outage.begins_at),
        "ends_at": local(outage.ends_at),
        "text": outage.text,
        "whole_city": outage.whole_city,
    }


def _typed() -> dict[str, object]:
    typed: dict[str, object] = {name: cleaned(request.form.get(name)).strip() for name in FIELDS}
    if current_user.role == Role.OPERATOR:
        typed["organisation_id"] = str(current_user.organisation_id or "")
    return typed | {"whole_city": "whole_city" in request.form}


def _read(session: Session, typed: Mapping[str, object]) -> Details:
    """What the form holds. Raises `Refused` for more streets than anybody writes."""
    if len(typed["streets"]) > LONGEST_PLACES:
        raise Refused({"streets": Fault(Wrong.LONG, str(LONGEST_PLACES))})
    wanted = row_id(typed["organisation_id"])
    return Details(
        organisation=session.get(Organisation, wanted) if wanted is not None else None,
        kind=next((kind for kind in OutageKind if kind == typed["kind"]), None),
        planned=typed["cause"] == "planned",
        whole_city=bool(typed["whole_city"]),
        streets=typed["streets"],
        begins_at=_moment(typed["begins_at"]),
        ends_at=_moment(typed["ends_at"]),
        text=" ".join(typed["text"].split()),
    )


def _moment(typed: str) -> datetime | None:
    """A time in Kyiv as a browser's field gives it."""
    try:
        return datetime.fromisoformat(typed).replace(tzinfo=KYIV)
    except (ValueError, OverflowError):
        return None


def _form(
    outage: Outage | None,
    values: Mapping[str, object],
    *,
    faults: Mapping[str, Fault] | None = None,
    changed: bool = False,
) -> str:
    """The form; ``changed``: somebody else changed the outage meanwhile, and theirs stands beside what was typed."""
    session = db.session()
    stored = _stored(outage) if outage else {}
    differing = {name: stored[name] for name in stored if changed and values[name] != stored[name]}
    own = outage.organisation_id if outage else None
    organisations = select(Organisation).where(or_(Organisation.active, Organisation.id == own))
    return render_template(
        "outages/form.html",
        row=outage,
        values=values,
        stored=_in_words(differing, outage),
        errors={name: _sentence(session, fault) for name, fault in (faults or {}).items()},
        changed=changed,
        organisations=[(one.id, one.name) for one in session.scalars(organisations.order_by(Organisation.name))],
        longest=LONGEST_TEXT,
        longest_places=LONGEST_PLACES,
        streets=sorted(session.scalars(select(Street.name).where(Street.active)), key=alphabetical),
    )


def _in_words(stored: dict[str, object], outage: Outage | None) -> dict[str, object]:
    words = {
        "organisation_id": lambda: outage.organisation.name,
        "kind": lambda: KINDS[outage.kind],
        "cause": lambda: CAUSES[stored["cause"]],
        "begins_at": lambda: stored["begins_at"].replace("T", " "),
        "ends_at": lambda: stored["ends_at"].replace("T", " "),
        "whole_city": lambda: _("yes") if outage.whole_city else _("no"),
    }
    return {name: words[name]() if name in words else value for name, value in stored.items()}


def _sentence(session: Session, fault: Fault) -> str:
    nearest = ""
    if fault.kind == Wrong.NO_STREET:
        name = fault.about.partition(":")[0].rstrip("0123456789–- ,")
        nearest = ", ".join(street.name for street in nearest_streets(session, name))
    return fault_sentence(fault, nearest)
