"""The working calendar (W14, A2): the city's own days and the end of martial law.

A change is shown before it is made: what new terms would be, and which open deadlines end otherwise. These move only
when the person says so, each with a step that is kept.
"""

from collections.abc import Mapping
from datetime import date, datetime

from flask import Blueprint, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext
from flask_login import current_user

from models.base import db, now, transaction
from models.free_days import (
    CalendarChange,
    DayChange,
    MartialLawChange,
    after,
    check_change,
    exceptions_from,
    first_touched,
    load_calendar,
    make_change,
)
from models.people import User
from models.recount import Shift, find_shifts, move_deadlines
from models.reference import KEPT_BY, SEEN_BY, ChangedMeanwhile, Fault, FaultKind, Refused, Subject
from models.workdays import KYIV, WorkCalendar
from webui.access import allow
from webui.reference_forms import reference_page
from webui.reference_words import day_word, fault_sentence

bp = Blueprint("reference_calendar", __name__)

TERMS = (1, 2, 3, 5, 10, 20)  # working days, as types of reports have them
MONTH = 30  # days in a row, for reasons to the control body (R 4.4)
SHOWN = 50  # deadlines


@bp.get("/reference/calendar")
@allow(*SEEN_BY[Subject.CALENDAR])
def calendar() -> ResponseReturnValue:
    return _page()


@bp.post("/reference/calendar/look")
@allow(*KEPT_BY[Subject.CALENDAR])
def look() -> ResponseReturnValue:
    """What the change that was typed would do; nothing is written."""
    session, at = db.session(), now()
    try:
        wanted = read_change(request.form)
        check_change(session, wanted, _today(at))
    except Refused as refused:
        return _page(request.form, refused.faults)
    except ChangedMeanwhile:
        return _page(request.form, changed=True)
    before = load_calendar(session)
    then = after(before, wanted)
    shifts = find_shifts(session, before, then, first_touched(before, wanted), at)
    return reference_page(
        "reference/calendar_change.html",
        change=wanted,
        title=_in_words(wanted),
        typed=request.form,
        terms=_terms(before, then, at),
        shifts=shifts[:SHOWN],
        moved=len(shifts),
    )


@bp.post("/reference/calendar")
@allow(*KEPT_BY[Subject.CALENDAR])
def change() -> ResponseReturnValue:
    """Make the change; with ``move`` the open deadlines that it touches are counted anew, in the same transaction."""
    at, shifts = now(), list[Shift]()
    try:
        wanted = read_change(request.form)
        with transaction() as session:
            by, before = session.get_one(User, current_user.id), load_calendar(session)
            make_change(session, wanted, by, at, _today(at))
            if "move" in request.form:
                then = load_calendar(session)
                shifts = find_shifts(session, before, then, first_touched(before, wanted), at)
                move_deadlines(session, shifts, by, _in_words(wanted), at)
    except Refused as refused:
        return _page(request.form, refused.faults)
    except ChangedMeanwhile:
        return _page(request.form, changed=True)
    moved = ngettext("%(num)d deadline is counted anew.", "%(num)d deadlines are counted anew.", len(shifts))
    flash(" ".join([_("The calendar is changed."), moved] if shifts else [_("The calendar is changed.")]), "ok")
    return redirect(url_for("reference_calendar.calendar"))


def read_change(form: Mapping[str, str]) -> CalendarChange:
    """What the form asks for. Raises `Refused` for what is no day."""
    if form.get("what") == "martial_law":
        return MartialLawChange(_day(form, "last", needed=False), _day(form, "known", needed=False))
    worked = {"yes": True, "no": False, "remove": None}
    if form.get("worked") not in worked:
        raise Refused({"worked": Fault(FaultKind.CHOOSE)})
    return DayChange(_day(form, "day"), worked[form["worked"]], form.get("note", "").strip())


def _day(form: Mapping[str, str], field: str, needed: bool = True) -> date | None:
    typed = form.get(field, "").strip()
    if not typed and not needed:
        return None
    try:
        return date.fromisoformat(typed)
    except ValueError:
        raise Refused({field: Fault(FaultKind.NO_DAY)}) from None


def _today(at: datetime) -> date:
    return at.astimezone(KYIV).date()


def _terms(before: WorkCalendar, then: WorkCalendar, at: datetime) -> list[tuple[str, datetime, datetime]]:
    """For each usual term: when a report of this moment is due, now and after the change."""
    rows = [
        (
            ngettext("%(num)d working day", "%(num)d working days", days),
            before.end_of_working_days(at, days),
            then.end_of_working_days(at, days),
        )
        for days in TERMS
    ]
    reasons = _("%(num)d days to give reasons", num=MONTH)
    return [*rows, (reasons, before.end_of_days(at, MONTH), then.end_of_days(at, MONTH))]


def _in_words(change: CalendarChange) -> str:
    if isinstance(change, MartialLawChange):
        if change.last is None:
            return _("The last day of martial law is not known")
        return _("The last day of martial law: %(day)s", day=day_word(change.last))
    day = day_word(change.day)
    if change.worked is None:
        return _("%(day)s: by the common rule again", day=day)
    return _("%(day)s: a working day", day=day) if change.worked else _("%(day)s: a day off", day=day)


def _page(
    typed: Mapping[str, str] | None = None, faults: Mapping[str, Fault] | None = None, changed: bool = False
) -> ResponseReturnValue:
    session, at = db.session(), now()
    known, today = load_calendar(session), _today(at)
    page = reference_page(
        "reference/calendar.html",
        last=known.martial_law_until,
        exceptions=exceptions_from(session, today.replace(month=1, day=1)),
        terms=_terms(known, known, at),
        typed=typed or {},
        errors={name: fault_sentence(fault) for name, fault in (faults or {}).items()},
        changed=changed,
        day_word=day_word,
        works_today=known.is_workday(today),
    )
    return page, 409 if changed else 422 if faults else 200
