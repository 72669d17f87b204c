"""Filters of the journal under a name: to keep, to open and to delete (W11)."""

from flask import Blueprint, abort, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from models.base import db, now, transaction
from models.people import User
from models.saved_filters import (
    LONGEST_NAME,
    MOST_SAVED,
    HoldsTelephone,
    MayNotShare,
    NameHoldsTelephone,
    NameTaken,
    TooMany,
    delete_filter,
    save_filter,
    visible_filter,
)
from webui import journal
from webui.access import DESK_ROLES, allow
from webui.journal_question import Question, keep_search, read_question
from webui.text import area_code

bp = Blueprint("saved_filters", __name__)


@bp.post("/journal/filters")
@allow(*DESK_ROLES)
def save() -> ResponseReturnValue:
    """Keep the filters of the page that the form stands on."""
    asked = read_question(request.form, now())
    name = " ".join(request.form.get("saved_name", "").replace("\0", "").split())
    error = _wrong(asked, name)
    if not error and not asked.errors:
        try:
            with transaction() as session:
                user = session.get_one(User, current_user.id)
                values, shared = {**asked.values, "text": asked.text}, "shared" in request.form
                save_filter(session, user, name, values, shared=shared, area_code=area_code(), at=now())
        except MayNotShare:
            abort(403)
        except NameTaken:
            error = _("You have a filter with this name. Choose another name, or delete that one first.")
        except TooMany:
            error = _("You keep %(num)d filters already. Delete one that you do not need.", num=MOST_SAVED)
        except NameHoldsTelephone:
            error = _("A telephone stands in the name. Choose a name without one.")
        except HoldsTelephone:
            error = _("What you searched for looks like a telephone, and such a search is not kept. Search without it.")
    if error or asked.errors:
        return journal.page(asked, 422, errors={"saved_name": error} if error else {}, typed=request.form)
    flash(_("The filter «%(name)s» is kept.", name=name), "ok")
    return redirect(asked.address())


def _wrong(asked: Question, name: str) -> str:
    if not name:
        return _("Write a name for these filters, for example «Water, overdue».")
    if len(name) > LONGEST_NAME:
        return _("This is too long: at most %(num)d characters fit here.", num=LONGEST_NAME)
    if not asked.narrowed:
        return _("No filter is chosen. Choose what to list first, then keep it.")
    return ""


@bp.get("/journal/filters/<int:filter_id>")
@allow(*DESK_ROLES)
def show(filter_id: int) -> ResponseReturnValue:
    """The journal with the filters kept; what was searched for goes into the session, not into the address."""
    saved = visible_filter(db.session(), db.session.get_one(User, current_user.id), filter_id) or abort(404)
    values = saved.values
    text = values.pop("text", "")
    return redirect(url_for("journal.journal", **values, q=keep_search(text) if text else None))


@bp.post("/journal/filters/<int:filter_id>/delete")
@allow(*DESK_ROLES)
def delete(filter_id: int) -> ResponseReturnValue:
    """Delete one's own."""
    with transaction() as session:
        saved = delete_filter(session, session.get_one(User, current_user.id), filter_id) or abort(404)
        name = saved.name
    flash(_("The filter «%(name)s» is deleted.", name=name), "ok")
    return redirect(url_for("journal.journal"))
