"""The administrators' calls: back to those whom we missed, and to applicants of whom something is asked (C1, C4)."""

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from models.attachments import messages_of
from models.base import db, now
from models.callbacks import ToCall, answer, call_of, draft_of, due_calls, unfinished_talk
from models.callers import caller_of, open_reports
from models.calltasks import Purpose
from models.pressing import unaccepted_emergencies
from models.reports import Report
from models.waiting import call_back_of
from webui import letters
from webui.access import DESK_ROLES, allow, log_looks_with_answer
from webui.own_calls import (
    NUMBER_SHOWN,
    Again,
    Calls,
    first_to_call,
    keep,
    of_another,
    ring,
    shared_parts,
    show_number,
)
from webui.text import area_code, row_id
from webui.work import log_list

bp = Blueprint("callbacks", __name__)


@bp.get("/calls")
@allow(*DESK_ROLES)
def calls() -> ResponseReturnValue:
    """The list, and the call that is being made: ``task``, or the one that waits for its key, or the first.

    ``draft`` leads to the call-back of its number.
    """
    draft_id = row_id(request.args.get("draft"))
    if draft_id is None:
        return _page(row_id(request.args.get("task")))
    draft = db.session.get(Report, draft_id) or abort(404)
    task = call_back_of(db.session(), draft.call.number) if draft.call else None
    if task is None:
        flash(_("This call is not on the list of call-backs yet, or no more: try again in a moment."), "wrong")
        return redirect(url_for("desk.draft", draft_id=draft_id))
    return redirect(url_for("callbacks.calls", task=task.id))


def _page(task_id: int | None, again: Again = Again()) -> str:  # noqa: B008  # frozen
    session, at = db.session(), now()
    listed = due_calls(session)
    asked_for = _find(task_id) if task_id is not None else None
    if task_id is not None and asked_for is None:
        again = of_another(again)
    chosen = asked_for or unfinished_talk(session, current_user)
    if chosen is None:
        first = first_to_call([row.task for row in listed.rows if row.by in (None, current_user)], at)
        chosen = next((row for row in listed.rows if row.task is first), None)
    draft = draft_of(session, chosen.task) if chosen else None
    reports = open_reports(session, chosen.task.number) if draft else []
    asked = [row.task.report for row in listed.rows if row.task.purpose == Purpose.CLARIFICATION]
    log_list("to call", [*asked, *reports])
    if draft:
        log_looks_with_answer("call", [draft.call_id], NUMBER_SHOWN if again.full else "the call back")
    elif chosen and again.full:
        log_looks_with_answer("report", [chosen.task.report_id], NUMBER_SHOWN)
    return render_template(
        "checks/calls.html",
        emergencies=unaccepted_emergencies(session),
        listed=listed,
        chosen=chosen,
        draft=draft,
        who_called=caller_of(session, draft, area_code()) if draft else None,
        open_reports=reports,
        messages=messages_of(session, draft) if draft else [],
        letters_seen=current_user.role in letters.READERS,
        **shared_parts(chosen.task if chosen else None, again),
    )


def _find(task_id: int) -> ToCall | None:
    return call_of(db.session(), task_id, current_user)


CALLS = Calls("callbacks.calls", frozenset({Purpose.CALL_BACK, Purpose.CLARIFICATION}), _find, _page, answer)


@bp.post("/calls/<int:task_id>/call")
@allow(*DESK_ROLES)
def call(task_id: int) -> ResponseReturnValue:
    """The user's own phone rings, and after it the citizen's."""
    return ring(CALLS, task_id)


@bp.post("/calls/<int:task_id>/number")
@allow(*DESK_ROLES)
def number(task_id: int) -> str:
    """The same page with the citizen's number in full; the look is recorded (A3)."""
    return show_number(CALLS, task_id)


@bp.post("/calls/<int:task_id>/answer")
@allow(*DESK_ROLES)
def keep_answer(task_id: int) -> ResponseReturnValue:
    """Keep what came of the call (``said``); the next one is there at once."""
    return keep(CALLS, task_id)
