"""What is held about one person, for the supervisor: find, export, erase (A3).

The number and the name travel in forms, never in an address; each search, export and erasure leaves a row.
"""

from dataclasses import dataclass, field

from flask import Blueprint, Response, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext
from flask_login import current_user
from sqlalchemy.orm import Session

from jobs.office import finish_erasure
from models.base import db, now, transaction
from models.erasure import StillOpen, erase_person, find_mentions
from models.people import Role, User
from models.personal import Held, Sought, exported, held_about, traces_of
from webui.access import allow, log_looks, log_telephone_search
from webui.personal_export import archive
from webui.text import e164

bp = Blueprint("personal", __name__)
LONGEST = {"telephone": 40, "name": 128, "reason": 1000}  # characters
SHOWN = 200  # rows of one list on the page; an export and an erasure have all


@dataclass
class Form:
    """What was typed, whom it means, and what is wrong with it."""

    typed: dict[str, str]
    sought: Sought = field(default_factory=Sought)
    errors: dict[str, str] = field(default_factory=dict)


@bp.get("/personal-data/person")
@allow(Role.SUPERVISOR)
def person() -> str:
    """Ask whom to look for."""
    return _page(Form({}))


@bp.post("/personal-data/person")
@allow(Role.SUPERVISOR)
def find() -> ResponseReturnValue:
    """What is held about the one with this telephone, name, or both; numbers are masked."""
    form = read_form()
    if form.errors:
        return _page(form), 422
    return _page(form, _look(form, "a person's data"))


@bp.post("/personal-data/person/export")
@allow(Role.SUPERVISOR)
def export() -> ResponseReturnValue:
    """All of it in one file, for the person to read and to take elsewhere."""
    form = read_form()
    if form.errors:
        return _page(form), 422
    held = _look(form, "a person's data: export")
    if not held.anything:
        return _page(form, held)
    at = now()
    answer = Response(archive(exported(db.session(), held), held, at), mimetype="application/zip")
    answer.headers["Content-Disposition"] = f'attachment; filename="personal-data-{at:%Y-%m-%d}.zip"'
    return answer


@bp.post("/personal-data/person/erase")
@allow(Role.SUPERVISOR)
def erase() -> ResponseReturnValue:
    """Take the person out of all records, with a typed reason and a tick that it cannot be undone."""
    form = read_form()
    reason = form.typed["reason"]
    if not reason:
        form.errors["reason"] = _("Write why: who asked for it and when, the number of the letter.")
    if "sure" not in request.form:
        form.errors["sure"] = _("Tick that you have read what will be erased: it cannot be undone.")
    if not form.sought.anybody:
        return _page(form), 422
    session, user_id = db.session(), current_user.id
    held = _look(form, "a person's data")
    if form.errors or not held.anything:
        return _page(form, held), 422
    mentions, at = find_mentions(session, traces_of(session, held)), now()
    try:
        with transaction() as session:
            user = session.get_one(User, user_id)
            texts = "texts" in request.form
            erased = erase_person(session, form.sought, user, reason, texts=texts, mentions=mentions, at=at)
            hashes = [file.sha256 for file in erased.files]
            records = len(erased.reports) + len(erased.persons)
    except StillOpen:
        return _page(form, held_about(db.session(), form.sought)), 409
    finish_erasure(current_app.config["SETTINGS"], hashes, at)
    flash(
        ngettext(
            "Erased: %(num)d record bears this person’s data no more.",
            "Erased: %(num)d records bear this person’s data no more.",
            records,
        ),
        "ok",
    )
    return redirect(url_for("personal.person"))


def read_form() -> Form:
    """Whom the form means: a telephone that can be understood, a name, or both."""
    typed = {
        name: " ".join(request.form.get(name, "").replace("\0", "").encode("utf-8", "replace").decode().split())
        for name in LONGEST
    }
    form = Form(typed)
    for name, longest in LONGEST.items():
        if len(typed[name]) > longest:
            form.errors[name] = _("This is too long: at most %(num)d characters fit here.", num=longest)
    number = e164(typed["telephone"]) if typed["telephone"] else None
    if typed["telephone"] and number is None and "telephone" not in form.errors:
        form.errors["telephone"] = _("This number cannot be understood. Write it as 067 123 45 67 or 5-32-73.")
    if not typed["telephone"] and not typed["name"]:
        form.errors["telephone"] = _("Write a telephone, a name, or both.")
    if not form.errors:
        form.sought = Sought(number, typed["name"])
    return form


def _look(form: Form, reason: str) -> Held:
    """What is held, and the trace of who looked at it."""
    sought = form.sought
    if sought.number:
        log_telephone_search(len(sought.number) - 1, reason)
    held = held_about(db.session(), sought)
    reports, persons = ([row.id for row in rows] for rows in (held.reports, held.persons))
    log_looks("report", reports, reason)  # each call has one, though it be a draft
    log_looks("person", persons, reason)
    return held_about(db.session(), sought)  # a trace is a transaction: what was loaded before it is gone


def _page(form: Form, held: Held | None = None) -> str:
    session: Session = db.session()
    return render_template(
        "privacy/person.html",
        form=form,
        held=held,
        traces=traces_of(session, held) if held else None,
        longest=LONGEST,
        shown=SHOWN,
    )
