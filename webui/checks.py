"""The dispatcher's round: whom to ask whether it is done, one click to call, one key for the answer (C2, S 3.2)."""

from flask import Blueprint, abort, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext
from flask_login import current_user

from jobs.red_button import stop_machine_calls
from models.attempts import Attempt, last_switch, switch_machine
from models.base import db, now, transaction
from models.calltasks import CallTask, Purpose
from models.checking import Check, answer, check_of, due_checks, todays_checks
from models.machine import IllegalMove
from models.people import User
from models.reports import HistoryRow, Report, ReportState
from models.taken_back import NotTakenBack, Obstacle, is_answer, take_back
from webui import letters, reports
from webui.access import DESK_ROLES, allow, log_looks_with_answer
from webui.auth import safe_next
from webui.call_words import OBSTACLES, OUTCOMES
from webui.own_calls import (
    NUMBER_SHOWN,
    Again,
    Calls,
    first_to_call,
    keep,
    of_another,
    other_words,
    refusals_of,
    ring,
    shared_parts,
    show_number,
)
from webui.text import row_id
from webui.work import log_list

bp = Blueprint("checks", __name__)


@bp.get("/checks")
@allow(*DESK_ROLES)
def checks() -> str:
    """The list, and the check that is being made: ``task``, or the first."""
    return _page(row_id(request.args.get("task")))


def _page(task_id: int | None, again: Again = Again()) -> str:  # noqa: B008  # frozen
    session, at = db.session(), now()
    listed = due_checks(session, current_user, at)
    log_list("to confirm", [row.task.report for row in listed.rows])
    chosen = _find(task_id) if task_id is not None else None
    if task_id is not None and chosen is None:
        again = of_another(again)
    if chosen is None:
        first = first_to_call([row.task for row in listed.rows], at)
        chosen = next((row for row in listed.rows if row.task is first), None)
    if chosen:
        log_looks_with_answer("report", [chosen.task.report_id], NUMBER_SHOWN if again.full else "the status check")
    return render_template(
        "checks/checks.html",
        listed=listed,
        chosen=chosen,
        letters_seen=current_user.role in letters.READERS,
        **_bar_parts(),
        **shared_parts(chosen.task if chosen else None, again),
    )


def _bar_parts() -> dict[str, object]:
    """What came of today's checks, and whether the machine calls, too."""
    session = db.session()
    return {"today": todays_checks(session, now()), "switch": last_switch(session)}


def _find(task_id: int) -> Check | None:
    return check_of(db.session(), task_id)


CALLS = Calls("checks.checks", frozenset({Purpose.STATUS_CHECK}), _find, _page, answer)


@bp.post("/checks/<int:task_id>/call")
@allow(*DESK_ROLES)
def call(task_id: int) -> ResponseReturnValue:
    """The user's own phone rings, and after it the applicant's."""
    return ring(CALLS, task_id)


@bp.get("/checks/calls/<int:attempt_id>")
@allow(*DESK_ROLES)
def state(attempt_id: int) -> ResponseReturnValue:
    """How the user's own call is going now, as a piece of the page; asked every second while it goes on."""
    attempt = db.session.get(Attempt, attempt_id)
    if attempt is None or attempt.user_id != current_user.id:
        abort(404)
    return render_template("checks/state.html", attempt=attempt, outcomes=OUTCOMES, refusals=refusals_of(attempt))


@bp.post("/checks/<int:task_id>/number")
@allow(*DESK_ROLES)
def number(task_id: int) -> str:
    """The same page with the applicant's number in full; the look is recorded (A3)."""
    return show_number(CALLS, task_id)


@bp.get("/checks/now")
@allow(*DESK_ROLES)
def at_present() -> str:
    """What others do meanwhile, for the pages' script: whether the machine calls, who is with ``task``'s citizen."""
    task = db.session.get(CallTask, row_id(request.args.get("task")) or 0)
    return render_template("checks/now.html", other=other_words(task), **_bar_parts())


@bp.post("/checks/<int:task_id>/answer")
@allow(*DESK_ROLES)
def keep_answer(task_id: int) -> ResponseReturnValue:
    """Keep what the applicant said (``said``); the next check is there at once."""
    return keep(CALLS, task_id)


@bp.post("/reports/<int:report_id>/take-back")
@allow(*DESK_ROLES)
def take_back_answer(report_id: int) -> ResponseReturnValue:
    """Take back an applicant's answer (``answer``) that this user recorded just now: the report is as it was before.

    From the page of checks (``asked``) that check is there again.
    """
    user_id = current_user.id
    try:
        with transaction() as session:
            answer = session.get(HistoryRow, row_id(request.form.get("answer")) or 0)
            if answer is None or answer.report_id != report_id or not is_answer(answer):
                abort(404)
            report, user = session.get_one(Report, report_id), session.get_one(User, user_id)
            task = take_back(session, report, answer, user, now())
            number, state, task_id = report.number, report.state, task.id if task else None
    except NotTakenBack as refused:
        return _not_taken_back(report_id, refused.why)
    except IllegalMove:
        return _not_taken_back(report_id, Obstacle.ACTED)
    if state == ReportState.DONE:
        flash(_("Taken back: № %(number)s waits for the applicant's answer again.", number=number), "ok")
    else:
        flash(_("Taken back: № %(number)s is closed again.", number=number), "ok")
    asked = "asked" in request.form
    return redirect(url_for("checks.checks", task=task_id) if asked else url_for("reports.show", report_id=report_id))


def _not_taken_back(report_id: int, why: Obstacle) -> ResponseReturnValue:
    notice = str(OBSTACLES[why])
    if "asked" in request.form:
        return _page(None, Again(notice)), 409
    return reports.page(report_id, status=409, notice=notice)


@bp.post("/checks/machine")
@allow(*DESK_ROLES)
def machine() -> ResponseReturnValue:
    """Stop all machine calls at once and end those that go on, or let them begin; who did stands on the page."""
    user_id = current_user.id
    if request.form.get("on") == "yes":
        with transaction() as session:
            switch_machine(session, session.get_one(User, user_id), now(), on=True)
    else:
        _tell_ended(stop_machine_calls(current_app.config["SETTINGS"], user_id))
    return redirect(safe_next(request.form.get("back")) or url_for("checks.checks"))


def _tell_ended(ended: int | None) -> None:
    """Say that nobody is called about emergencies either, and what became of the calls that rang or talked."""
    if ended is None:
        told = _(
            "Machine calls are stopped, about emergencies, too: call the duty yourselves. "
            "The exchange does not answer: calls that go on end by themselves."
        )
    elif ended:
        told = ngettext(
            "Machine calls are stopped, about emergencies, too: call the duty yourselves. %(num)d call was ended.",
            "Machine calls are stopped, about emergencies, too: call the duty yourselves. %(num)d calls were ended.",
            ended,
        )
    else:
        told = _("Machine calls are stopped, about emergencies, too: call the duty yourselves. None was going on.")
    flash(told, "wrong" if ended is None else "ok")
