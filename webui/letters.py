"""Letters: what waits, what was sent, what failed and why; a failed one is sent again by a click."""

from flask import Blueprint, abort, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from models.base import db, now, transaction
from models.machine import IllegalMove
from models.outbox import Letter, LetterState, send_again
from models.people import ORGANISATION_ROLES, Organisation, Role, User
from webui.access import allow
from webui.text import LETTER_BADGES, row_id

bp = Blueprint("letters", __name__)

READERS = (Role.ADMINISTRATOR, Role.SUPERVISOR, Role.TECHNICAL_ADMINISTRATOR)
PAGE = 50
WORDS = {
    LetterState.FAILED: lazy_gettext("Failed"),
    LetterState.QUEUED: lazy_gettext("Waiting"),
    LetterState.SENT: lazy_gettext("Sent"),
}


@bp.get("/letters")
@allow(*READERS)
def letters() -> str:
    """The letters of one ``state``, the newest first; else of each: failed, waiting, sent."""
    wanted = next((state for state in WORDS if state == request.args.get("state")), None)
    before = row_id(request.args.get("before"))
    lists = []
    for state, word in WORDS.items():
        if wanted in (None, state):
            rows = _of(state, before if wanted else None)
            lists.append((state, word, rows[:PAGE], rows[PAGE - 1].id if len(rows) > PAGE else None))
    return render_template(
        "letters/list.html",
        lists=lists,
        wanted=wanted,
        badges=LETTER_BADGES,
        mail_is_on=current_app.config["SETTINGS"].mail_server is not None,
        unreachable=_unreachable(),
    )


@bp.post("/letters/<int:letter_id>/again")
@allow(*READERS)
def again(letter_id: int) -> ResponseReturnValue:
    """Send a failed letter once more."""
    try:
        with transaction() as session:
            letter = session.get(Letter, letter_id) or abort(404)
            send_again(session, letter, now())
    except IllegalMove:
        flash(_("This letter waits or is sent already: somebody else was quicker."), "wrong")
    else:
        flash(_("The letter is sent again within a minute."), "ok")
    return redirect(url_for("letters.letters"))


def _of(state: LetterState, before: int | None) -> list[Letter]:
    states = (LetterState.QUEUED, LetterState.SENDING) if state == LetterState.QUEUED else (state,)
    query = select(Letter).where(Letter.state.in_(states))
    if before is not None:
        query = query.where(Letter.id < before)
    query = query.options(joinedload(Letter.user), joinedload(Letter.organisation))
    return list(db.session.scalars(query.order_by(Letter.id.desc()).limit(PAGE + 1)))


def _unreachable() -> list[str]:
    """The organisations with people here of which nobody has an address: no letter warns them."""
    people = select(User.organisation_id).where(User.active, User.role.in_(ORGANISATION_ROLES))
    query = select(Organisation.name).where(
        Organisation.active,
        Organisation.email == "",
        Organisation.id.in_(people),
        Organisation.id.not_in(people.where(User.email != "", User.organisation_id.is_not(None))),
    )
    return list(db.session.scalars(query.order_by(Organisation.name)))
