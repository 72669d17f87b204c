"""Desk phones in the plan: number, name, whose, a new password by one click, and the card to set one up by.

What a phone logs in with is shown on its card alone, to the technical administrator, with a row in the access log (A3).
"""

from collections.abc import Mapping
from dataclasses import replace

from flask import Blueprint, abort, current_app, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy import or_, select

from models.accesses import Subject
from models.base import db, transaction
from models.people import Phone, User
from models.plan import Plan, PlanPhone
from models.plan_checks import Fault, FaultKind
from models.search import alphabetical
from webui.access import allow, log_looks_with_answer
from webui.plan_pages import TECHNICAL, Conflict, Refused, Stands, at_fields, faults_of, keep, mark, plan_page, stands
from webui.plan_words import fault_sentence

bp = Blueprint("desk_phones", __name__)

_AT_FIELDS = {
    FaultKind.NAME: "name",
    FaultKind.DOUBLE_NAME: "name",
    FaultKind.EXTENSION: "extension",
    FaultKind.DOUBLE_EXTENSION: "extension",
    FaultKind.EXTENSION_LINE: "extension",
    FaultKind.EXTENSION_STATUS: "extension",
    FaultKind.UNKNOWN_USER: "user",
    FaultKind.USER_TWICE: "user",
    FaultKind.UNSAFE_TITLE: "title",
    FaultKind.LONG_TITLE: "title",
}


@bp.get("/lines/phones/new", defaults={"name": None})
@bp.get("/lines/phones/<name>")
@allow(TECHNICAL)
def phone(name: str | None) -> ResponseReturnValue:
    now_there = stands(db.session())
    found = now_there.plan.phone(name) if name else None
    if name and found is None:
        abort(404)
    return _form(now_there, found, _shown(found), was=mark(found))


@bp.post("/lines/phones/new", defaults={"name": None})
@bp.post("/lines/phones/<name>")
@allow(TECHNICAL)
def keep_phone(name: str | None) -> ResponseReturnValue:
    """Write the phone into the draft."""
    now_there = stands(db.session())
    stored = now_there.plan.phone(name) if name else None
    if name and stored is None:
        abort(404)
    typed, was = _typed(stored), request.form.get("was", "")
    try:
        with transaction() as session:
            keep(session, lambda plan: _with_phone(plan, name, typed, was))
    except Refused as refused:
        return _form(now_there, stored, typed, was=was, errors=refused.errors), 422
    except Conflict:
        return _form(now_there, stored, typed, was=mark(stored), changed=True), 409
    flash(_("It is in the draft. The exchange knows it once it is applied."), "ok")
    return redirect(url_for("lines.lines"))


@bp.post("/lines/phones/<name>/secret")
@allow(TECHNICAL)
def new_secret(name: str) -> ResponseReturnValue:
    """Let the phone get a new long password when the draft is applied."""
    if stands(db.session()).plan.phone(name) is None:
        abort(404)
    with transaction() as session:
        in_force = session.scalar(select(Phone.key).where(Phone.name == name)) or 0
        keep(session, lambda plan: plan.with_phone(replace(plan.phone(name) or abort(404), key=in_force + 1)))
    flash(_("The phone gets a new password when the draft is applied. Then open its card."), "ok")
    return redirect(url_for("lines.lines"))


@bp.get("/lines/phones/<name>/card")
@allow(TECHNICAL)
def card(name: str) -> str:
    """What is entered in the phone, to print."""
    found = db.session.scalar(select(Phone).where(Phone.name == name)) or abort(404)
    log_looks_with_answer(Subject.PHONE, [found.id], "the card of a desk phone")
    settings = current_app.config["SETTINGS"]
    pending = stands(db.session()).plan.phone(name)
    return plan_page(
        "lines/card.html",
        phone=found,
        server=settings.bind,
        port=settings.sip_port,
        waits=pending is not None and pending.key != found.key,
    )


def _shown(found: PlanPhone | None) -> dict[str, object]:
    if found is None:
        return {"name": "", "extension": "", "title": "", "user": "", "active": True}
    return {name: getattr(found, name) for name in ("name", "extension", "title", "user", "active")}


def _typed(stored: PlanPhone | None) -> dict[str, object]:
    form = request.form
    typed: dict[str, object] = {
        name: form.get(name, "").strip()[:200] for name in ("name", "extension", "title", "user")
    }
    return typed | {"name": stored.name if stored else typed["name"], "active": "active" in form}


def _with_phone(plan: Plan, name: str | None, typed: Mapping[str, object], was: str) -> Plan:
    """The plan with what was typed. Raises `Refused`, `Conflict`."""
    stored = plan.phone(name) if name else None
    wanted = replace(stored or PlanPhone(str(typed["name"]), ""), **{key: typed[key] for key in typed if key != "name"})
    if not wanted.active:
        wanted = replace(wanted, user="")  # it is nobody's
    if stored is None and plan.phone(wanted.name) is not None:
        raise Refused({"name": fault_sentence(Fault(FaultKind.DOUBLE_NAME))})
    if stored is not None and stored != wanted and mark(stored) != was:
        raise Conflict
    changed = plan.with_phone(wanted)
    own = [fault for fault in faults_of(changed) if fault.phone == wanted.name]
    if errors := at_fields(own, _AT_FIELDS):
        raise Refused(errors)
    return changed


def _form(
    now_there: Stands,
    stored: PlanPhone | None,
    values: Mapping[str, object],
    *,
    was: str,
    errors: Mapping[str, str] | None = None,
    changed: bool = False,
) -> str:
    users = db.session.scalars(select(User).where(or_(User.active, User.login == values["user"]))).all()
    before = _shown(stored) if changed else {}
    people = sorted(users, key=lambda one: alphabetical(one.name))
    applied = stored and db.session.scalar(select(Phone.id).where(Phone.name == stored.name))
    return plan_page(
        "lines/phone.html",
        row=stored,
        values=values,
        was=was,
        errors=errors or {},
        changed=changed,
        stored={key: before[key] for key in before if before[key] != values[key]},
        people=[(one.login, one.name) for one in people],
        has_card=bool(applied),
    )
