"""Calls that people make from a page: the button that rings, how the call goes, the key for what came of it.

One for all such pages (C1, C2, C4): what is listed and what an answer does is each page's own.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

import redis
from flask import abort, current_app, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from flask_login import current_user
from sqlalchemy.orm import Session

from jobs.callrules import load_dialler
from jobs.phones import phone_states, reachable
from jobs.queues import enqueue_dial
from models.acts import NotYours, WordsMissing
from models.attempts import DIALLING_LOCK, Attempt
from models.base import db, now, one_at_a_time, transaction
from models.callbacks import NotTheirs, draft_of
from models.calling import may_be_dialled
from models.calltasks import CallTask, Purpose
from models.dialling import Dialler, Refusal, Refused, plan_own_call, withdraw_planned
from models.drafts import TakenByAnother
from models.machine import IllegalMove
from models.own_calls import (
    MOVES_REPORT,
    NEEDS_NO_CALL,
    NobodyYet,
    Said,
    Told,
    WrongTime,
    has_called,
    hold,
    last_recorded,
    leave_to_who_calls,
    note_without_call,
    own_attempt,
    wait_for_line,
    waits,
)
from models.people import User
from models.reports import Report, ReportState
from models.taken_back import answer_to_take_back
from models.with_them import other_with_them
from models.workdays import KYIV
from webui.call_words import DUTY_REFUSALS, HANDED, OUTCOMES, REFUSALS, SAID, doing_words
from webui.form import LONGEST_TEXT, cleaned
from webui.task_words import key_words
from webui.text import day as day_words
from webui.text import row_id

NUMBER_SHOWN = "number shown to be dialled"  # the reason in the access log
MORNING, SOON = "morning", ("30", "60")  # the quick choices of another time
# what is to be written, where it is not the applicant's words
_MISSING = {Said.NOT_NEEDED: lazy_gettext("Write why nobody is to be called.")}


@dataclass(frozen=True)
class Again:
    """What a page shows that comes back: a ``notice``, what was ``told``, and whether it is to be said once more.

    ``full``: the citizen's number is shown.
    """

    notice: str = ""
    told: Told | None = None
    asks: bool = False
    full: bool = False


@dataclass(frozen=True)
class Calls:
    """A page of calls: its address, whose tasks it has, how it is drawn, what an answer does.

    ``find`` gives what can be drawn of the task with this id, None where it is settled. ``draw`` takes the id or None,
    and what is shown `Again`; where there is none of the id it draws another. ``answer`` gives the id of the draft that
    is to be opened next, or None.
    """

    endpoint: str
    purposes: frozenset[Purpose]
    find: Callable[[int], object | None]
    draw: Callable[[int | None, Again], str]
    answer: Callable[[Session, Dialler, CallTask, User, Told, datetime], int | None]


def ring(calls: Calls, task_id: int) -> ResponseReturnValue:
    """The user's own phone rings, and after it the citizen's."""
    _check_purpose(calls, task_id)
    if not phone_is_there():
        notice = _("Your phone is not connected: call from another one and record the answer.")
        return calls.draw(task_id, Again(notice)), 409
    refusal = begin_call(task_id)
    if refusal is not None:
        return calls.draw(task_id, Again(str(REFUSALS[refusal]))), 409
    return redirect(url_for(calls.endpoint, task=task_id))


def begin_call(task_id: int, aim: Callable[[Session, CallTask], None] | None = None) -> Refusal | None:
    """Let the user's own phone ring for a call about the task. Returns why nobody is called, if so.

    ``aim`` chooses the number to call, where the task may have several.
    """
    settings, user_id = current_app.config["SETTINGS"], current_user.id
    try:
        with transaction() as session:
            task = session.get_one(CallTask, task_id)
            user = session.get_one(User, user_id)
            if aim is not None:
                aim(session, task)
            attempt = plan_own_call(session, load_dialler(session, settings), task, user, now())
            hold(attempt.tasks, user, now())
            attempt_id = attempt.id
    except Refused as refused:
        if refused.why == Refusal.NO_LINE:  # the next line that is free is not the machine's
            with suppress(NobodyYet), transaction() as session:  # another click of theirs has just begun a call
                wait_for_line(session, session.get_one(CallTask, task_id), session.get_one(User, user_id), now())
        return refused.why
    try:
        enqueue_dial(settings, attempt_id)
    except redis.RedisError:
        with transaction() as session:
            withdraw_planned(session, attempt_id, Refusal.EXCHANGE, now())
        return Refusal.EXCHANGE
    return None


def show_number(calls: Calls, task_id: int) -> str:
    """The page with the citizen's number in full, to be dialled from a telephone that is none of ours: the call is in
    this person's hand as if they had called from here.

    404 where the call is settled: nobody else's number is shown instead.
    """
    _check_purpose(calls, task_id)
    if calls.find(task_id) is None:
        abort(404)
    user_id = current_user.id
    with suppress(NobodyYet), transaction() as session:  # else their own call about another one rings still
        wait_for_line(session, session.get_one(CallTask, task_id), session.get_one(User, user_id), now())
    return calls.draw(task_id, Again(full=True))


def keep(calls: Calls, task_id: int) -> ResponseReturnValue:
    """Keep what came of the call (``said``); the next one is there at once. What was typed is never lost.

    Who has not called from here, or has a colleague on this very call, is asked once whether it is so (``anyway``). A
    form that is sent again after an answer was recorded (``seen`` is the last one it knows of) records no second one.
    """
    told, user_id = _told(), current_user.id
    _check_purpose(calls, task_id)

    def again(notice: str, status: int = 422, *, asks: bool = False) -> ResponseReturnValue:
        return calls.draw(task_id, Again(notice, told, asks)), status

    if len(told.words) > LONGEST_TEXT:
        return again(_("This is too long: at most %(num)d characters fit here.", num=LONGEST_TEXT))
    try:
        with transaction() as session:
            if told.said == Said.NEVER:
                one_at_a_time(session, DIALLING_LOCK)  # before any row, as whoever plans and dials takes it
            task = session.get_one(CallTask, task_id, with_for_update=True)
            user = session.get_one(User, user_id)
            leave_to_who_calls(session, task, user)
            if task.open and _is_old(session, task):
                raise _Old
            without_call = _without_call(session, task, user, told)
            doubtful = "anyway" not in request.form and (without_call or elsewhere(task, now()))
            dialler = load_dialler(session, current_app.config["SETTINGS"])
            number = task.report.number if task.report else None
            missed = draft_of(session, task)
            draft_id = calls.answer(session, dialler, task, user, told, now())
            if without_call and task.purpose == Purpose.STATUS_CHECK and told.said in MOVES_REPORT | {Said.OTHER}:
                note_without_call(session, task, user, now())
            answer = answer_to_take_back(session, task.report_id, user, now()) if told.said in MOVES_REPORT else None
            undo = {"report": task.report_id, "answer": answer.id} if answer else None
            if missed is not None:
                whose, undo = _missed_words(missed), _way_back(missed)
            if doubtful:  # now that nothing else is wrong with it: nothing is kept
                raise _Doubtful
    except _Old:
        return again(_("What came of this call was recorded meanwhile: nothing was recorded a second time."), 409)
    except _Doubtful:
        return again("", 409, asks=True)
    except NobodyYet:
        return again(nobody_yet(), 409)
    except Refused as refused:
        return again(str(REFUSALS[refused.why]), 409)
    except WordsMissing:
        return again(str(_MISSING.get(told.said) or _("Write the applicant's words.")))
    except WrongTime:
        return again(_("Choose a time from now on, at most two weeks ahead."))
    except NotTheirs:
        return again(_("Choose which of their open reports it is about."))
    except TakenByAnother as taken:
        return again(_("%(name)s works on this call already. Nothing was recorded.", name=taken.owner.name), 409)
    except NotYours:
        abort(403)
    except IllegalMove:
        return calls.draw(None, of_another(Again(_("This was settled meanwhile, nothing was recorded."), told))), 409
    if not draft_id:
        what = SAID[told.said]
        kept = _("Recorded: № %(number)s — %(what)s.", number=number, what=what) if number else None
        kept = kept or (_("Recorded: %(what)s — %(whose)s.", what=what, whose=whose) if missed else None)
        kept = kept or _("Recorded: %(what)s.", what=what)
        flash({"text": kept, **undo} if undo else kept, "ok")
    return redirect(url_for("desk.draft", draft_id=draft_id) if draft_id else url_for(calls.endpoint))


def _missed_words(draft: Report) -> str:
    """Which missed call it was, as people say it: «дзвінок о 12:40 на 5-32-73»; of another day with its day."""
    at, line = draft.call.started_at.astimezone(KYIV), draft.call.line.number if draft.call.line else ""
    hour = f"{at:%H:%M}"
    if at.date() != now().astimezone(KYIV).date():
        return _("the call of %(day)s, %(time)s, to %(line)s", day=day_words(at), time=hour, line=line)
    return _("the call at %(time)s to %(line)s", time=hour, line=line)


def _way_back(draft: Report) -> dict[str, int] | None:
    """Where the key has ended the draft: its page, which undoes that."""
    return {"draft": draft.id} if draft.state != ReportState.DRAFT else None


def nobody_yet() -> str:
    """What is told to who records what came of a call that has reached nobody yet."""
    return _("Your own phone rings still: nobody was reached. Lift the receiver or wait until it stops; then record.")


def of_another(again: Again) -> Again:
    """What is shown where the call that was meant is settled: another one's keys are there, and nothing of it."""
    notice = again.notice or _("This call was settled meanwhile.")
    if again.told and again.told.words:
        notice += " " + _("You wrote: «%(words)s»", words=again.told.words)
    return Again(notice)


def _check_purpose(calls: Calls, task_id: int) -> None:
    task = db.session.get(CallTask, task_id)
    if task is None or task.purpose not in calls.purposes:
        abort(404)


class _Doubtful(Exception):
    """It is asked once more whether that is to be recorded."""


class _Old(Exception):
    """The page was drawn before an answer that somebody has recorded since."""


def _is_old(session: Session, task: CallTask) -> bool:
    seen = row_id(request.form.get("seen", ""))
    return seen is not None and seen < last_recorded(session, task)


def _without_call(session: Session, task: CallTask, user: User, told: Told) -> bool:
    """Whether what is recorded needs a call, and none was made that is known of here. Raises `NobodyYet`."""
    called = has_called(session, task, user, told.said)
    elsewhere_called = user.phone is None and task.held_by_id == user.id  # they have looked at the number
    return not (called or elsewhere_called or told.said in NEEDS_NO_CALL)


def _told() -> Told:
    """What the form of the keys holds; 400 where no key was pressed."""
    soon = request.form.get("soon", "")
    pressed = request.form.get("anyway") or request.form.get("said") or (soon and Said.LATER)
    said = next((one for one in Said if one == pressed), None) or abort(400)
    return Told(
        said,
        words=cleaned(request.form.get("words")).strip(),
        later=_soon(soon) if soon else _moment(request.form.get("later_day", ""), request.form.get("later_time", "")),
        about=row_id(request.form.get("about", "")),
        public="public" in request.form,
        seen=row_id(request.form.get("questions", "")),
    )


def _moment(day: str, hour: str) -> datetime | None:
    """A time in Kyiv as a browser's two fields give it."""
    try:
        return datetime.combine(date.fromisoformat(day), time.fromisoformat(hour), KYIV)
    except ValueError:
        return None


def _soon(choice: str) -> datetime | None:
    """The time of a quick choice: in so many minutes, or when calling begins on the next day of calls."""
    at = now().astimezone(KYIV)
    if choice == MORNING:
        dialler = load_dialler(db.session(), current_app.config["SETTINGS"])
        return dialler.rules.window.next_morning(at, dialler.calendar)
    return at + timedelta(minutes=int(choice)) if choice in SOON else None


def shared_parts(task: CallTask | None, again: Again) -> dict[str, object]:
    """What every such page shows besides its list: the call of now, the words for outcomes and refusals."""
    at, settings = now(), current_app.config["SETTINGS"]
    dialler = load_dialler(db.session(), settings)
    attempt = own_attempt(db.session(), task.id, current_user) if task else None
    window = dialler.rules.window
    return {
        "attempt": attempt,
        "seen": last_recorded(db.session(), task) if task else 0,
        "refusals": refusals_of(attempt) if attempt else {},
        "in_hours": window.is_open(at, dialler.calendar),
        "on_this_day": window.calls_on(at, dialler.calendar),
        "next_hour": window.next_hour(at, dialler.calendar),
        "next_morning": morning_words(window.next_morning(at, dialler.calendar), at),
        "call_hours": settings.call_hours,
        "phone_there": phone_is_there(),
        "elsewhere": lambda one: elsewhere(one, at),
        "waits": lambda one: waits(one, at),
        "outcomes": OUTCOMES,
        "whys": HANDED,
        "key_words": key_words,
        "again": again,
        "told": again.told,
        "other": other_words(task),
    }


def morning_words(morning: datetime, at: datetime) -> str:
    """The next day of calls as people say it, with the hour at which calling begins."""
    hour, ahead = f"{morning:%H:%M}", (morning.date() - at.astimezone(KYIV).date()).days
    if ahead == 1:
        return _("tomorrow %(time)s", time=hour)
    if morning.weekday() == 0 and ahead < 7:
        return _("on Monday %(time)s", time=hour)
    return f"{day_words(morning)}, {hour}"


def other_words(task: CallTask | None) -> str:
    """Who else has the citizen on the telephone, or their call on the screen; "" for nobody."""
    other = other_with_them(db.session(), task, current_user, now()) if task else None
    return doing_words(other) if other else ""


def first_to_call(tasks: Iterable[CallTask], at: datetime) -> CallTask | None:
    """The one that is offered first: it can be called now, or is for a person to decide.

    None where all are put off, on a colleague's screen, or on the telephone with somebody already.
    """
    free = [task for task in tasks if not waits(task, at) and not elsewhere(task, at)]
    mine = [task for task in free if task.held_by_id == current_user.id and task.held(at)]
    for task in (*mine, *sorted(free, key=lambda task: not may_be_dialled(task.number))):
        if other_with_them(db.session(), task, current_user, at) is None:
            return task
    return None


def elsewhere(task: CallTask, at: datetime) -> bool:
    """Whether it is on a colleague's screen."""
    return task.held_by_other(current_user, at)


def refusals_of(attempt: Attempt) -> dict[Refusal, str]:
    """Why a call of this kind may not have been made, in words."""
    return DUTY_REFUSALS if attempt.tasks and attempt.tasks[0].organisation_id else REFUSALS


def phone_is_there() -> bool | None:
    """Whether the user's own phone can ring; None for who has none."""
    if current_user.phone is None:
        return None
    states = phone_states(current_app.config["SETTINGS"])
    return states is None or reachable(states.get(current_user.phone.name))
