"""Calls to the duty of an organisation: how an emergency's hand-over goes (I8), and warning an operator (W4)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from flask import Blueprint, abort, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from flask_login import current_user
from sqlalchemy.orm import Session

from models.acts import KEEPERS, WordsMissing
from models.attempts import Attempt, machine_is_on
from models.base import db, now, transaction
from models.calltasks import CallTask, Purpose, TaskState, Why
from models.deadlines import Deadline
from models.dialling import Refused, live_attempts
from models.duty_calls import (
    BY_TELEPHONE,
    accepted_by_word,
    aim_own_call,
    duty_numbers,
    duty_task,
    last_talks,
    not_reached,
    open_tasks,
    task_at_hand,
    with_numbers,
)
from models.executions import Execution, execution_of
from models.own_calls import NobodyYet, has_called, leave_to_who_calls, own_attempt
from models.people import User
from models.reports import Report
from webui.access import allow
from webui.auth import safe_next
from webui.call_words import DUTY_REFUSALS, HANDED, OUTCOMES
from webui.form import cleaned
from webui.own_calls import begin_call, nobody_yet, phone_is_there

bp = Blueprint("duty", __name__)

LONGEST_NAME = 120  # characters

_HANDED = HANDED | {
    Why.NO_NUMBER: lazy_gettext("no duty telephone: call them yourself"),
    Why.TRIES_OVER: lazy_gettext("their duty telephones do not answer: call them yourself"),
    Why.ASKED_FOR_PERSON: lazy_gettext("their duty asked for a person: call them"),
    Why.OPTED_OUT: lazy_gettext("their duty wants no machine calls: call them yourself"),
    Why.LATE: lazy_gettext("the machine did not call them: call them yourself"),
}


@bp.post("/duty/<int:task_id>/call")
@allow(*KEEPERS)
def call(task_id: int) -> ResponseReturnValue:
    """The user's own phone rings, and after it the duty's: the monitoring has that call. Refused, they stay."""
    if duty_task(db.session(), task_id) is None:
        abort(404)
    monitoring = url_for("work.monitoring")
    if not phone_is_there():
        flash(_("Your phone is not connected: call from another one and record it here."), "wrong")
    elif (refusal := begin_call(task_id, aim_own_call)) is not None:
        flash(str(DUTY_REFUSALS[refusal]), "wrong")
    else:
        return redirect(monitoring)
    return redirect(safe_next(request.form.get("back")) or monitoring)


def _take(session: Session, task_id: int, user_id: int) -> tuple[CallTask, User]:
    """The call to a duty, locked, and who records what came of it. Raises `Refused` while a colleague's goes on."""
    task = duty_task(session, task_id) or abort(404)
    session.refresh(task, with_for_update=True)
    user = session.get_one(User, user_id)
    leave_to_who_calls(session, task, user)
    return task, user


@bp.post("/duty/<int:task_id>/not-reached")
@allow(*KEEPERS)
def nobody_reached(task_id: int) -> ResponseReturnValue:
    """Keep that the call reached nobody who could be told; the warning is still to be given.

    Without a call of theirs since the last record nothing is kept; the task is not in their hand any more.
    """
    user_id = current_user.id
    try:
        with transaction() as session:
            task, user = _take(session, task_id, user_id)
            if task.open and has_called(session, task, user):
                not_reached(session, task, user, now())
            elif task.held_by_id == user_id:  # nothing but their own phone rang
                task.let_go()
    except Refused as refused:
        flash(str(DUTY_REFUSALS[refused.why]), "wrong")
    except NobodyYet:
        flash(nobody_yet(), "wrong")
    return redirect(url_for("work.monitoring"))


@bp.post("/duty/<int:task_id>/accepted")
@allow(*KEEPERS)
def accepted(task_id: int) -> ResponseReturnValue:
    """Keep that the duty takes the emergency, as they said on the telephone, from wherever they were called, and who of
    them said so."""
    user_id, who = current_user.id, " ".join(cleaned(request.form.get("who")).split())[:LONGEST_NAME]
    try:
        with transaction() as session:
            task, user = _take(session, task_id, user_id)
            theirs = task.purpose == Purpose.HAND_OVER and task.open
            kept = theirs and accepted_by_word(session, task, user, who, now())
            name = task.organisation.name
    except Refused as refused:
        flash(str(DUTY_REFUSALS[refused.why]), "wrong")
    except WordsMissing:
        flash(_("Nothing was recorded: write the name of who accepted the emergency."), "wrong")
    else:
        if kept:
            flash(_("Recorded: %(name)s has accepted the emergency by telephone.", name=name), "ok")
        else:
            flash(_("It was accepted meanwhile, or is theirs no more: nothing was recorded."), "wrong")
    return redirect(safe_next(request.form.get("back")) or url_for("work.monitoring"))


@dataclass(frozen=True)
class Calls:
    """The call at hand with its attempt, and the tasks of the deadlines, by report and organisation."""

    at_hand: CallTask | None
    attempt: Attempt | None
    tasks: dict[tuple[int, int], CallTask]
    with_numbers: set[int]  # organisations
    phone_there: bool | None

    @property
    def how(self) -> str:
        """How the operator is warned, for the record: by telephone, once somebody there has answered."""
        return BY_TELEPHONE if self.attempt is not None and self.attempt.answered_at is not None else ""


def duty_calls(late: Sequence[Deadline]) -> Calls:
    """What the list of operators to be warned shows of calls."""
    session = db.session()
    at_hand = task_at_hand(session, current_user, now())
    tasks = open_tasks(session, Purpose.WARN_OPERATOR, {row.report_id for row in late})
    return Calls(
        at_hand=at_hand,
        attempt=own_attempt(session, at_hand.id, current_user) if at_hand else None,
        tasks=tasks,
        with_numbers=with_numbers(session, {organisation_id for _report, organisation_id in tasks}),
        phone_there=phone_is_there(),
    )


@bp.record_once
def add_words(state) -> None:
    """What the strip of emergencies and the list of warnings ask for, on whichever page they stand."""
    state.app.jinja_env.globals.update(
        duty_calls=duty_calls,
        duty_of=duty_of,
        duty_outcomes=OUTCOMES,
        duty_refusals=DUTY_REFUSALS,
        hand_overs=hand_overs,
        keepers=KEEPERS,
    )


@dataclass(frozen=True)
class HandOver:
    """How the call that hands an emergency over goes; when somebody of ours is to call, ``numbers`` of the duty.

    ``task`` None: it is made in a moment.
    """

    task: CallTask | None
    word: str
    ours: bool = False
    numbers: Sequence[str] = ()
    talk: Attempt | None = None  # the last one of ours with them


def hand_overs(parts: Sequence[Execution]) -> dict[tuple[int, int], HandOver]:
    """The calls that hand these emergencies over, by report and organisation."""
    session = db.session()
    tasks = open_tasks(session, Purpose.HAND_OVER, {part.report_id for part in parts})
    machine = bool(tasks) and machine_is_on(session)
    called = {task.id for attempt in live_attempts(session) for task in attempt.tasks} if tasks else set()
    talks = last_talks(session, tasks.values())
    return {
        whose: replace(_hand_over(task, machine, task.id in called), talk=talks.get(task.id))
        for whose, task in tasks.items()
    }


def _hand_over(task: CallTask, machine: bool, called: bool) -> HandOver:
    if task.state == TaskState.PERSON:
        return HandOver(task, str(_HANDED[task.why]), True, duty_numbers(db.session(), task.organisation_id))
    if called:
        return HandOver(task, _("their duty is being called"))
    return _not_called(task, machine, duty_numbers(db.session(), task.organisation_id))


def _not_called(task: CallTask | None, machine: bool, numbers: Sequence[str]) -> HandOver:
    if machine:
        return HandOver(task, _("the machine calls their duty as soon as a line is free"))
    return HandOver(task, _("machine calls are stopped: call their duty yourself"), True, numbers)


def duty_of(report: Report) -> HandOver | None:
    """How its executor's duty hears of this emergency; None once they have accepted it."""
    session = db.session()
    part = execution_of(session, report, report.executor_id)
    if part is None or part.accepted_at is not None:
        return None
    if found := hand_overs([part]).get((report.id, part.organisation_id)):
        return found
    numbers = duty_numbers(session, part.organisation_id)
    if not numbers:
        return HandOver(None, str(_HANDED[Why.NO_NUMBER]), True)
    return _not_called(None, machine_is_on(session), numbers)
