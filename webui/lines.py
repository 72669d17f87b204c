"""Lines and their ring order: the way of a call as a picture, one draft for all, its check and its application (I2).

Whatever is edited changes the draft; calls ring by it only once it is applied (`jobs.apply_plan`).
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

from flask import Blueprint, abort, current_app, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from jobs.apply_plan import site_of
from jobs.phones import phone_states, reachable
from models.base import db, now, transaction
from models.free_days import load_calendar
from models.hours import Hours, OutOfHours, branch_at, tidy_range
from models.people import User
from models.plan import Plan, PlanLine, PlanStep, way_of_call
from models.plan_acts import StillApplying, drop_draft, order_draft
from models.plan_checks import MOST_STEPS, Fault, FaultKind, line_e164
from models.plan_versions import (
    LONGEST_REASON,
    PlanState,
    applied_version,
    applying_version,
    last_ordered,
)
from models.reference import ChangedMeanwhile, tidy
from models.workdays import KYIV
from webui.access import allow
from webui.plan_pages import (
    TECHNICAL,
    Conflict,
    Refused,
    Stands,
    at_fields,
    faults_of,
    keep,
    mark,
    plan_page,
    stands,
)
from webui.plan_words import (
    BADGES,
    EVENTS,
    OUT_OF_HOURS,
    difference_words,
    fault_sentence,
    fault_words,
    moment_words,
    seconds_words,
    trouble_words,
    why_words,
)
from webui.probes import probe_trunk
from webui.text import row_id

bp = Blueprint("lines", __name__)

# what is said at its field at once; the rest is of the whole plan, and said when it is checked
_AT_FIELDS = {
    FaultKind.NUMBER: "number",
    FaultKind.NUMBER_STATUS: "number",
    FaultKind.DOUBLE_NUMBER: "number",
    FaultKind.UNSAFE_TITLE: "title",
    FaultKind.LONG_TITLE: "title",
    FaultKind.STEP_SECONDS: "step-{step}-seconds",
    FaultKind.WORKDAY_HOURS: "workdays",
    FaultKind.WORKDAYS_BACKWARDS: "workdays",
    FaultKind.NEVER_OPEN: "workdays",
    FaultKind.OTHER_HOURS: "other_days",
    FaultKind.OTHERS_BACKWARDS: "other_days",
    FaultKind.UNKNOWN_DUTY: "duty",
    FaultKind.DUTY_OFF: "duty",
}


@bp.record_once
def add_words(state) -> None:
    """What the pages of the plan ask for."""
    state.app.jinja_env.globals.update(
        plan_badges=BADGES,
        plan_events=EVENTS,
        difference_words=difference_words,
        fault_words=fault_words,
        trouble_words=trouble_words,
        seconds_words=seconds_words,
        why_words=why_words,
        moment_words=moment_words,
        out_of_hours_words=OUT_OF_HOURS,
    )


@bp.get("/lines")
@allow(TECHNICAL)
def lines() -> str:
    """All lines with the way of a call, all phones, and the draft with its differences; ``check=1`` says its faults."""
    return _index(checked="check" in request.args)


@bp.post("/lines/apply")
@allow(TECHNICAL)
def apply() -> ResponseReturnValue:
    """Have the draft applied as it was read; one with a fault is refused with its sentences."""
    typed = tidy(request.form.get("reason", ""))
    if not typed:
        return _index(errors={"reason": _("Write why: colleagues read it in the list of versions.")}, checked=True), 422
    settings = current_app.config["SETTINGS"]
    try:
        with transaction() as session:
            me, revision = session.get_one(User, current_user.id), _revision()
            faults = order_draft(session, me, now(), revision, typed[:LONGEST_REASON], site_of(settings))
    except ChangedMeanwhile:
        return _index(notice=_changed(), reason=typed), 409
    except StillApplying:
        return _index(notice=_still(), reason=typed), 409
    if faults:
        return _index(checked=True, reason=typed), 422
    return redirect(url_for("lines.lines"))


@bp.post("/lines/drop")
@allow(TECHNICAL)
def drop() -> ResponseReturnValue:
    """Give the draft up."""
    try:
        with transaction() as session:
            drop_draft(session, session.get_one(User, current_user.id), now(), _revision())
    except ChangedMeanwhile:
        return _index(notice=_changed()), 409
    flash(_("The draft is given up."), "ok")
    return redirect(url_for("lines.lines"))


@bp.get("/lines/line/new", defaults={"digits": None})
@bp.get("/lines/line/<digits>")
@allow(TECHNICAL)
def line(digits: str | None) -> ResponseReturnValue:
    now_there = stands(db.session())
    found = now_there.plan.line(digits) if digits else None
    if digits and found is None:
        abort(404)
    return _line_form(now_there, found, shown_line(found), was=mark(found))


@bp.post("/lines/line/new", defaults={"digits": None})
@bp.post("/lines/line/<digits>")
@allow(TECHNICAL)
def keep_line(digits: str | None) -> ResponseReturnValue:
    """Change the ring order on the page (``do``), or write the line into the draft."""
    now_there = stands(db.session())
    stored = now_there.plan.line(digits) if digits else None
    if digits and stored is None:
        abort(404)
    typed, was = typed_line(stored), request.form.get("was", "")
    if focus := _rearrange(typed, request.form.get("do", "")):
        return _line_form(now_there, stored, typed, was=was, focus=focus)
    try:
        with transaction() as session:
            keep(session, lambda plan: _with_line(plan, digits, typed, was))
    except Refused as refused:
        return _line_form(now_there, stored, typed, was=was, errors=refused.errors), 422
    except Conflict:
        return _line_form(now_there, stored, typed, was=mark(stored), changed=True), 409
    flash(_("It is in the draft. Calls ring so once it is applied."), "ok")
    return redirect(url_for("lines.lines"))


# ---- inside


def _revision() -> int:
    revision = row_id(request.form.get("revision", ""))
    return -1 if revision is None else revision


def _changed() -> str:
    return _("The draft is not what you have read: a colleague changed it. Look at it below, then go on.")


def _still() -> str:
    return _("Another version is being applied: wait until it is done.")


def _index(
    *, checked: bool = False, notice: str = "", reason: str = "", errors: Mapping[str, str] | None = None
) -> str:
    session = db.session()
    now_there, applied, ordered = stands(session), applied_version(session), last_ordered(session)
    faults = faults_of(now_there.plan)
    failed = ordered if ordered is not None and ordered.state == PlanState.ROLLED_BACK else None
    states = phone_states(current_app.config["SETTINGS"])
    return plan_page(
        "lines/list.html",
        plan=now_there.plan,
        **_ways(now_there.plan, now_there.plan.lines),
        draft=now_there.draft,
        applied=applied,
        applying=applying_version(session),
        failed=failed,
        faults=faults if now_there.draft or checked else [],
        checked=checked,
        faulty={fault.line or fault.phone for fault in faults},
        connected=None if states is None else {name for name, state in states.items() if reachable(state)},
        names=dict(session.execute(db.select(User.login, User.name)).all()),
        notice=notice,
        reason=reason or (now_there.draft.reason if now_there.draft else ""),
        errors=errors or {},
        longest_reason=LONGEST_REASON,
        settings=current_app.config["SETTINGS"],
        trunk=probe_trunk(current_app.config["SETTINGS"]),
    )


def _ways(plan: Plan, lines: Iterable[PlanLine]) -> dict[str, object]:
    """The way of a call to each of the lines at the moment that was asked for (``at``), else now."""
    asked = _moment(request.args.get("at", ""))
    at, calendar = asked or now(), load_calendar(db.session())
    branches = {line.number: branch_at(line, at, calendar) for line in lines}
    ways = {line.number: way_of_call(plan, line, branches[line.number]) for line in lines}
    return {"ways": ways, "branches": branches, "at": at, "at_now": asked is None, "at_typed": at.astimezone(KYIV)}


def _moment(typed: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(typed).replace(tzinfo=KYIV)
    except ValueError:
        return None
    return at if 2000 < at.year < 2100 else None


def shown_line(found: PlanLine | None) -> dict[str, object]:
    """A line as its form holds it; a new one begins with one step."""
    if found is None:
        found = PlanLine("", "", steps=(PlanStep((), 20),))
    steps = [{"phones": list(step.phones), "seconds": str(step.seconds)} for step in found.steps]
    hours = found.hours or Hours()
    return {
        "number": found.number,
        "title": found.title,
        "active": found.active,
        "steps": steps,
        "always": found.hours is None,
        "workdays": hours.workdays,
        "other_days": hours.other_days,
        "out_of_hours": found.out_of_hours.value,
        "duty": found.duty,
    }


def typed_line(stored: PlanLine | None) -> dict[str, object]:
    """What was sent, as the form holds it."""
    form, steps = request.form, []
    for place in range(1, MOST_STEPS + 2):
        if f"step-{place}-seconds" not in form:
            break
        phones = [name[:32] for name in form.getlist(f"step-{place}-phones")][:50]
        steps.append({"phones": phones, "seconds": form[f"step-{place}-seconds"].strip()[:6]})
    number = stored.number if stored else form.get("number", "").strip()[:20]
    typed = {"number": number, "title": form.get("title", "").strip(), "active": "active" in form, "steps": steps}
    if "workdays" not in form:  # a page from before there were hours
        return shown_line(stored) | typed
    message = form.get("out_of_hours") == OutOfHours.MESSAGE.value
    return typed | {
        "always": "always" in form,
        "workdays": tidy_range(form.get("workdays", "")[:40]),
        "other_days": tidy_range(form.get("other_days", "")[:40]),
        "out_of_hours": (OutOfHours.MESSAGE if message else OutOfHours.RING).value,
        "duty": form.get("duty", "")[:32],
    }


def _rearrange(typed: dict[str, object], wanted: str) -> str:
    """Add, remove or move a step of what was typed: the field to go on at; "" when that was not asked for."""
    act, _dash, place = wanted.partition("-")
    steps = typed["steps"]
    at = int(place) - 1 if place.isdecimal() else -1
    if act == "add" and len(steps) < MOST_STEPS:
        steps.append({"phones": [], "seconds": "25"})
        return f"step-{len(steps)}"
    if act == "add":
        return f"step-{MOST_STEPS}"
    if not 0 <= at < len(steps):
        return ""
    if act == "remove":
        del steps[at]
        return f"step-{min(at + 1, len(steps))}" if steps else "add-step"
    other = {"up": at - 1, "down": at + 1}.get(act, -1)
    if not 0 <= other < len(steps):
        return ""
    steps[at], steps[other] = steps[other], steps[at]
    return f"step-{other + 1}"


def _with_line(plan: Plan, digits: str | None, typed: Mapping[str, object], was: str) -> Plan:
    """The plan with what was typed. Raises `Refused`, `Conflict`."""
    stored = plan.line(digits) if digits else None
    settings = current_app.config["SETTINGS"]
    steps = tuple(PlanStep(tuple(step["phones"]), row_id(step["seconds"]) or 0) for step in typed["steps"])
    number = stored.number if stored else str(typed["number"])
    wanted = PlanLine(
        number, line_e164(number, settings.profile.area_code), str(typed["title"]), bool(typed["active"]), steps,
        *_hours_of(typed),
    )  # fmt: skip
    if stored is None and plan.line(wanted.digits) is not None:
        raise Refused({"number": fault_sentence(Fault(FaultKind.DOUBLE_NUMBER))})
    if stored is not None and stored != wanted and mark(stored) != was:
        raise Conflict
    changed = plan.with_line(wanted)
    own = [fault for fault in faults_of(changed) if fault.line == wanted.number]
    if errors := at_fields(own, _AT_FIELDS):
        raise Refused(errors)
    return changed


def _hours_of(typed: Mapping[str, object]) -> tuple[Hours | None, OutOfHours, str]:
    """Hours, what happens out of them, and the duty phone; what the page does not show then has no effect."""
    if typed["always"]:
        return None, OutOfHours.RING, ""
    chosen = OutOfHours(typed["out_of_hours"])
    duty = str(typed["duty"]) if chosen == OutOfHours.MESSAGE else ""
    return Hours(str(typed["workdays"]), str(typed["other_days"])), chosen, duty


def _told(plan: Plan, values: Mapping[str, object]) -> dict[str, object]:
    """What the form holds besides the steps, in words."""
    duty = plan.phone(str(values["duty"]))
    return {
        "title": values["title"],
        "always": _("any time") if values["always"] else _("by hours"),
        "workdays": values["workdays"],
        "other_days": values["other_days"],
        "out_of_hours": OUT_OF_HOURS[OutOfHours(str(values["out_of_hours"]))],
        "duty": duty.extension if duty else values["duty"],
    }


def _line_form(
    now_there: Stands,
    stored: PlanLine | None,
    values: Mapping[str, object],
    *,
    was: str,
    errors: Mapping[str, str] | None = None,
    changed: bool = False,
    focus: str = "",
) -> str:
    plan = now_there.plan
    known = {phone.name for phone in plan.phones}
    theirs = way_of_call(plan, stored) if stored and changed else None
    before = _told(plan, shown_line(stored)) if changed and stored else {}
    typed = _told(plan, values)
    return plan_page(
        "lines/line.html",
        row=stored,
        values=values,
        was=was,
        errors=errors or {},
        changed=changed,
        theirs_way=theirs,
        focus=focus,
        phones=plan.phones,
        unknown=[[name for name in step["phones"] if name not in known] for step in values["steps"]],
        most_steps=MOST_STEPS,
        stored={name: word for name, word in before.items() if word != typed[name]},
        **_ways(plan, [stored] if stored else []),
    )
