"""The page on which a keeper corrects a registered report: words, kind, place, urgency, the applicant (R 2.5).

The telephone is masked, and an empty field leaves it as it is, until a click shows it, which is recorded (A3).
"""

import hmac
import json
from collections.abc import Mapping
from contextlib import suppress

from flask import Blueprint, abort, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user
from sqlalchemy import select
from sqlalchemy.orm import Session

from models.acts import KEEPERS, Act, possible_acts
from models.base import db, transaction
from models.corrections import correct
from models.drafts import RegistrationRefused, SavedMeanwhile
from models.machine import IllegalMove
from models.people import User
from models.places import Category, Street
from models.reports import Report
from models.search import alphabetical
from models.telephone import masked
from webui import reports
from webui.access import allow, log_looks_with_answer
from webui.form import LONGEST, cleaned, phone_note, read_fields, stored_fields, street_note
from webui.text import area_code, row_id

bp = Blueprint("corrections", __name__)

FIELDS = ("text", "emergency", "category_id", "street", "building", "flat", "landmark", "applicant_name", "other_phone")
LONGEST_REASON = 500  # characters


class _Mistakes(Exception):
    """What was typed cannot be kept: a sentence for each field. Nothing is written."""

    def __init__(self, errors: dict[str, str]) -> None:
        super().__init__(*errors)
        self.errors = errors


@bp.get("/reports/<int:report_id>/correct")
@allow(*KEEPERS)
def form(report_id: int) -> ResponseReturnValue:
    """The form, filled in. Of a report that cannot be corrected any more: its page."""
    report = db.session.get(Report, report_id) or abort(404)
    if Act.CORRECT not in possible_acts(db.session(), report, current_user):
        return redirect(url_for("reports.show", report_id=report_id))
    return _page(report)


@bp.post("/reports/<int:report_id>/correct")
@allow(*KEEPERS)
def keep(report_id: int) -> ResponseReturnValue:
    """Write what was typed. A mistake, or another's change of the same field meanwhile, shows the form with it."""
    typed = _typed()
    try:
        with transaction() as session:
            report = session.get(Report, report_id) or abort(404)
            if _theirs(report, typed):
                raise SavedMeanwhile
            values, errors = _read(session, report, typed)
            if len(typed["reason"]) > LONGEST_REASON:
                errors["reason"] = _("This is too long: at most %(num)d characters fit here.", num=LONGEST_REASON)
            user = session.get_one(User, current_user.id)
            try:
                correct(session, report, user, values, report.revision, typed["reason"], area_code=area_code())
            except RegistrationRefused as refused:
                errors = _missing(session, refused, typed) | errors
            if errors:
                raise _Mistakes(errors)
            usual = report.category.organisation if "category_id" in values else None
            theirs = usual.name if usual is not None and usual.id != report.executor_id else ""
    except _Mistakes as mistakes:
        return _page(db.session.get_one(Report, report_id), typed=typed, errors=mistakes.errors), 422
    except (SavedMeanwhile, IllegalMove):
        report = db.session.get_one(Report, report_id)
        if Act.CORRECT in possible_acts(db.session(), report, current_user):
            return _page(report, typed=typed), 409
        notice = _("This report cannot be corrected any more: it is closed. Nothing was changed.")
        hidden = ("category_id", "other_phone", "emergency")
        words = ", ".join(str(value) for name, value in typed.items() if value and name not in hidden)
        return reports.page(report_id, status=409, typed={"words": words}, notice=notice)
    flash(_("Saved."), "ok")
    if theirs:
        told = _("This kind is usually done by %(name)s: if it is theirs, choose another executor.", name=theirs)
        flash(told, "wrong")
    return redirect(url_for("reports.show", report_id=report_id))


@bp.post("/reports/<int:report_id>/correct/number")
@allow(*KEEPERS)
def show_number(report_id: int) -> ResponseReturnValue:
    """The form with all that was typed, and with the telephone in its field; the look is recorded (A3)."""
    report = db.session.get(Report, report_id) or abort(404)
    if Act.CORRECT not in possible_acts(db.session(), report, current_user):
        return redirect(url_for("reports.show", report_id=report_id))
    typed = _typed()
    typed["other_phone"] = typed["other_phone"] or report.other_phone
    return _page(report, typed=typed, full=True)


@bp.post("/reports/street")
@allow(*KEEPERS)
def street() -> dict[str, object]:
    """What the ``street`` that was typed is, for the page's script (`street_note`)."""
    return street_note(db.session(), cleaned(request.form.get("street"))[: LONGEST["street"]])


def _missing(session: Session, refused: RegistrationRefused, typed: Mapping[str, object]) -> dict[str, str]:
    """What registering would refuse, by the fields of this form."""
    errors = {"street" if one.field == "street_id" else one.field: _(one.message) for one in refused.errors}
    if "street" in errors:
        errors["street"] = street_note(session, str(typed["street"]))["note"] or errors["street"]
    return errors


def _typed() -> dict[str, object]:
    texts = {name: cleaned(request.form.get(name)).strip() for name in (*FIELDS, "reason")}
    return texts | {"emergency": "emergency" in request.form}


def _stored(report: Report) -> dict[str, object]:
    """The form's fields as they are stored; the words without the space around them, as they are sent."""
    stored = stored_fields(report)
    return stored | {"text": str(stored["text"]).strip()}


def _was() -> dict[str, object]:
    """The fields as they stood when the page was made; of a telephone that was not shown only `_mark`."""
    with suppress(ValueError, RecursionError):
        found = json.loads(request.form.get("was", ""))
        if isinstance(found, dict):
            return found
    return {}


def _mine(typed: Mapping[str, object]) -> dict[str, object]:
    """What was typed into the page: the fields that differ from what stood there."""
    was = _was()
    mine = {name: typed[name] for name in FIELDS if typed[name] != was.get(name)}
    if not _shown() and not typed["other_phone"]:
        mine.pop("other_phone", None)
    return mine


def _theirs(report: Report, typed: Mapping[str, object]) -> dict[str, object]:
    """What a colleague has stored meanwhile in a field into which something else was typed."""
    if row_id(request.form.get("revision", "")) == report.revision:
        return {}
    was, stored = _was(), _stored(report)
    if not _shown() and was.get("mark") == _mark(report):
        was = was | {"other_phone": stored["other_phone"]}
    mine = _mine(typed)
    return {name: stored[name] for name in mine if stored[name] not in (was.get(name), typed[name])}


def _mark(report: Report) -> str:
    """Tells whether the telephone is another one by now, and nothing of what it is."""
    return hmac.new(current_app.secret_key.encode(), report.other_phone.encode(), "sha256").hexdigest()


def _shown() -> bool:
    """Whether the form that was sent had the telephone in full."""
    return request.form.get("shown") == "yes"


def _read(session: Session, report: Report, typed: Mapping[str, object]) -> tuple[dict[str, object], dict[str, str]]:
    """What was typed and differs from what is stored: a kind or a street that is out of use by now may stay."""
    stored = _stored(report)
    differing = {name: value for name, value in _mine(typed).items() if value != stored[name]}
    values, errors = read_fields(session, differing)
    if wrong := phone_note(str(values.get("other_phone", "")), area_code()):
        errors["other_phone"] = wrong
    return values, errors


def _page(
    report: Report,
    *,
    typed: Mapping[str, object] | None = None,
    errors: Mapping[str, str] | None = None,
    full: bool = False,
) -> str:
    """The form as it is stored, with what was ``typed`` into it; what a colleague changed meanwhile stands beside that.

    ``full``: the telephone is shown, as in the form that was sent if it was there.
    """
    session = db.session()
    full = full or _shown()
    stored = _stored(report)
    kept = {name: stored[name] for name in FIELDS} | ({} if full else {"other_phone": ""})
    values = kept | {"reason": typed["reason"] if typed else ""} | (_mine(typed) if typed else {})
    differing = _theirs(report, typed) if typed else {}
    if "category_id" in differing:
        differing["category_id"] = report.category.name if report.category else ""
    if "other_phone" in differing and not full:
        differing["other_phone"] = masked(report.other_phone)
    if "emergency" in differing:
        differing["emergency"] = _("yes") if report.emergency else _("no")
    categories = session.scalars(
        select(Category)
        .where(Category.active | (Category.id == report.category_id))
        .order_by(Category.position, Category.name)
    )
    streets = session.scalars(select(Street).where(Street.active))
    log_looks_with_answer("report", [report.id], "the correction of the report")
    if full:
        log_looks_with_answer("report", [report.id], "number on the correction of the report")
    typed_street = "" if values["street"] == kept["street"] else values["street"]
    return render_template(
        "reports/correct.html",
        report=report,
        row=report,
        values=values,
        stored=differing,
        errors=errors or {},
        changed=bool(differing),
        was=kept if full else {name: kept[name] for name in FIELDS if name != "other_phone"} | {"mark": _mark(report)},
        full=full,
        street=street_note(session, typed_street),
        longest=LONGEST | {"reason": LONGEST_REASON},
        categories=[(one.id, one.name) for one in categories],
        streets=sorted(streets, key=lambda street: alphabetical(street.name)),
    )
