"""The dispatcher's round: whom to ask whether it is done, one click to call, one key for the answer (C2, S 3.2)."""

from datetime import datetime

import redis
from flask import Blueprint, abort, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from flask_login import current_user

from jobs.callrules import load_dialler
from jobs.phones import phone_states, reachable
from jobs.queues import enqueue_dial
from models.acts import NotYours, WordsMissing
from models.attempts import Attempt, last_switch, switch_machine
from models.base import db, now, transaction
from models.calling import Outcome, may_be_dialled
from models.calltasks import CallTask, Why
from models.checking import (
    NEEDS_WORDS,
    Said,
    WrongTime,
    answer,
    check_of,
    due_checks,
    hold,
    own_attempt,
    todays_checks,
    waits,
)
from models.dialling import Refusal, Refused, plan_own_call, withdraw
from models.machine import IllegalMove
from models.people import User
from models.workdays import KYIV
from webui import letters
from webui.access import DESK_ROLES, allow
from webui.form import LONGEST_TEXT, cleaned
from webui.work import log_list

bp = Blueprint("checks", __name__)

REFUSALS = {
    Refusal.NUMBER: lazy_gettext("This number is never dialled: only Ukrainian fixed and mobile numbers are."),
    Refusal.NO_LINE: lazy_gettext("All lines that may be used for calls are taken: one stays free for citizens. Wait."),
    Refusal.ALREADY: lazy_gettext("Somebody speaks with this number now, or is calling it."),
    Refusal.TASK_OVER: lazy_gettext("The report is not done any more: nobody is to be asked."),
    Refusal.NUMBER_CHANGED: lazy_gettext("The applicant has another number now. Open the check again."),
    Refusal.HELD: lazy_gettext("A colleague is calling this applicant."),
    Refusal.EXCHANGE: lazy_gettext("The exchange does not answer: nobody was called. Try again in a minute."),
    Refusal.STALE: lazy_gettext("The call was not begun in time: nobody was called. Try again."),
}
WHYS = {
    Why.NO_NUMBER: lazy_gettext("no number that may be dialled"),
    Why.TRIES_OVER: lazy_gettext("not reached: a person decides"),
    Why.BAD_NUMBER: lazy_gettext("the number does not exist"),
    Why.UNKNOWN: lazy_gettext("a call got lost: not known whether it rang"),
    Why.ASKED_FOR_PERSON: lazy_gettext("asked for a person"),
    Why.OPTED_OUT: lazy_gettext("wants no machine calls"),
}
OUTCOMES = {
    Outcome.ANSWERED: lazy_gettext("answered"),
    Outcome.NO_INPUT: lazy_gettext("answered without a key"),
    Outcome.BUSY: lazy_gettext("busy"),
    Outcome.NO_ANSWER: lazy_gettext("no answer"),
    Outcome.REJECTED: lazy_gettext("rejected"),
    Outcome.BAD_NUMBER: lazy_gettext("no such number"),
    Outcome.TRUNK_TROUBLE: lazy_gettext("the line failed"),
    Outcome.OUR_PHONE: lazy_gettext("own phone not lifted"),
    Outcome.UNKNOWN: lazy_gettext("got lost"),
}


@bp.get("/checks")
@allow(*DESK_ROLES)
def checks() -> str:
    """The list, and the check that is being made: ``task``, or the first."""
    return _page(request.args.get("task", type=int))


def _page(task_id: int | None, *, notice: str = "", typed: str = "", said: str = "") -> str:
    session, at = db.session(), now()
    listed = due_checks(session)
    log_list("to confirm", [row.task.report for row in listed.rows])
    chosen = check_of(session, task_id) if task_id is not None else None
    if chosen is None and listed.rows:
        chosen = next((row for row in listed.rows if _ready(row.task, at)), listed.rows[0])
    return render_template(
        "checks/checks.html",
        listed=listed,
        chosen=chosen,
        attempt=own_attempt(session, chosen.task.id, current_user) if chosen else None,
        today=todays_checks(session, at),
        switch=last_switch(session),
        phone_there=_phone_is_there(),
        elsewhere=lambda task: _elsewhere(task, at),
        waits=lambda task: waits(task, at),
        outcomes=OUTCOMES,
        whys=WHYS,
        notice=notice,
        typed=typed,
        said=said,
        needs_words=NEEDS_WORDS,
        letters_seen=current_user.role in letters.READERS,
    )


def _ready(task: CallTask, at: datetime) -> bool:
    """Whether it can be called now."""
    return may_be_dialled(task.number) and not waits(task, at) and not _elsewhere(task, at)


def _elsewhere(task: CallTask, at: datetime) -> bool:
    """Whether it is on a colleague's screen."""
    held = task.held_until is not None and task.held_until > at
    return held and task.held_by_id != current_user.id


def _phone_is_there() -> bool | None:
    """Whether the user's own phone can ring; None for who has none."""
    if current_user.phone is None:
        return None
    states = phone_states(current_app.config["SETTINGS"])
    return states is None or reachable(states.get(current_user.phone.name))


@bp.post("/checks/<int:task_id>/call")
@allow(*DESK_ROLES)
def call(task_id: int) -> ResponseReturnValue:
    """The user's own phone rings, and after it the applicant's."""
    settings = current_app.config["SETTINGS"]
    if check_of(db.session(), task_id) is None:
        abort(404)
    if not _phone_is_there():
        notice = _("Your phone is not connected: call from another one and record the answer.")
        return _page(task_id, notice=notice), 409
    user_id = current_user.id
    try:
        with transaction() as session:
            task = session.get_one(CallTask, task_id, with_for_update=True)
            user = session.get_one(User, user_id)
            attempt = plan_own_call(session, load_dialler(session, settings), task, user, now())
            hold(session, task, user, now())
            attempt_id = attempt.id
    except Refused as refused:
        return _page(task_id, notice=str(REFUSALS[refused.why])), 409
    try:
        enqueue_dial(settings, attempt_id)
    except redis.RedisError:
        with transaction() as session:
            withdraw(session, session.get_one(Attempt, attempt_id), Refusal.EXCHANGE, now())
        return _page(task_id, notice=str(REFUSALS[Refusal.EXCHANGE])), 409
    return redirect(url_for("checks.checks", task=task_id))


@bp.get("/checks/calls/<int:attempt_id>")
@allow(*DESK_ROLES)
def state(attempt_id: int) -> ResponseReturnValue:
    """How the user's own call is going now, as a piece of the page; asked every second while it goes on."""
    attempt = db.session.get(Attempt, attempt_id)
    if attempt is None or attempt.user_id != current_user.id:
        abort(404)
    return render_template("checks/state.html", attempt=attempt, outcomes=OUTCOMES, refusals=REFUSALS)


@bp.post("/checks/<int:task_id>/answer")
@allow(*DESK_ROLES)
def keep_answer(task_id: int) -> ResponseReturnValue:
    """Keep what the applicant said (``said``); the next check is there at once."""
    said = next((one for one in Said if one == request.form.get("said")), None) or abort(400)
    words = cleaned(request.form.get("words")).strip()
    if check_of(db.session(), task_id) is None:
        abort(404)
    if len(words) > LONGEST_TEXT:
        notice = _("This is too long: at most %(num)d characters fit here.", num=LONGEST_TEXT)
        return _page(task_id, notice=notice, typed=words, said=said), 422
    user_id = current_user.id
    try:
        with transaction() as session:
            task = session.get_one(CallTask, task_id, with_for_update=True)
            if not task.open:
                raise IllegalMove("task", task.state, said)
            answer(
                session,
                load_dialler(session, current_app.config["SETTINGS"]),
                task,
                session.get_one(User, user_id),
                said,
                now(),
                words=words,
                later=_moment(request.form.get("later", "")),
            )
    except WordsMissing:
        return _page(task_id, notice=_("Write the applicant's words."), typed=words, said=said), 422
    except WrongTime:
        notice = _("Choose a time from now on, at most two weeks ahead.")
        return _page(task_id, notice=notice, typed=words, said=said), 422
    except NotYours:
        abort(403)
    except IllegalMove:
        notice = _("This report was settled meanwhile, nothing was recorded. You wrote: «%(words)s»", words=words)
        return _page(None, notice=notice), 409
    return redirect(url_for("checks.checks"))


def _moment(typed: str) -> datetime | None:
    """A time in Kyiv as a browser's field gives it."""
    try:
        return datetime.fromisoformat(typed).replace(tzinfo=KYIV)
    except ValueError:
        return None


@bp.post("/checks/machine")
@allow(*DESK_ROLES)
def machine() -> ResponseReturnValue:
    """Stop all machine calls at once, or let them begin; who did stands on the page."""
    wanted, user_id = request.form.get("on") == "yes", current_user.id
    with transaction() as session:
        switch_machine(session, session.get_one(User, user_id), now(), on=wanted)
    return redirect(url_for("checks.checks"))
