"""The pages for everybody: the web form (I9), and what state a report is in by its number and PIN (W10).

What is sent becomes a draft on the desk. Against those who only want to do harm, without any other host: a field that
people do not see, the seal of the page (`form_token`), limits (`public_limits`, `models.online`). Nothing that was
typed is lost over any of them, and every refusal says what to do.
"""

from collections.abc import Mapping
from datetime import timedelta

from flask import Blueprint, abort, current_app, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy import select

from models.attachments import AttachmentKind, keep_files
from models.base import db, now, transaction
from models.lines import Line
from models.lookup import look_up
from models.online import AlreadyReceived, OnlineIntake, TooManyReports, readable_code, receive_online
from models.outages import OutageState, open_outages
from models.places import Category, Street
from models.search import alphabetical
from webui.access import public
from webui.form import LONGEST, phone_note, read_fields
from webui.form_token import OLDEST, QUICKEST, FormPage, open_page, unseal
from webui.public_limits import sender
from webui.public_words import STATES
from webui.text import area_code, kyiv, line_with_code
from webui.uploads import described, keep_read, read_files

bp = Blueprint("public", __name__)

FILES = "files"
FORM = ("category_id", "text", "street", "building", "flat", "landmark", FILES, "applicant_name", "other_phone")
FIELDS = tuple(name for name in FORM if name != FILES)
TRAP = "website"  # a field that people do not see
RECEIPT_SHOWN = timedelta(minutes=30)  # a shared computer forgets it


@bp.get("/povidomyty")
@public
def form() -> str:
    """The web form."""
    return form_page(open_page(now()), {})


@bp.get("/report")
@public
def form_in_english() -> ResponseReturnValue:
    return redirect(url_for("public.form"))


@bp.post("/povidomyty")
@public
def send() -> ResponseReturnValue:
    """Take the form: a draft for the desk, and a receipt; or the form again, with what is to be mended."""
    at, typed = now(), request.form
    page = unseal(typed.get("page", ""))
    if notice := why_suspicious(page, typed):
        return form_page(page if page and page.opened <= at else open_page(at), typed, notice=notice), 422
    values, errors = read_form(typed)
    read, wrong_file = read_files(request.files.getlist(FILES))
    if wrong_file:
        errors[FILES] = wrong_file
    if errors:
        return form_page(page, typed, errors=errors), 422
    try:
        with transaction() as db_session:
            row = receive_online(
                db_session, values, form_key=page.key_of(values), sender=sender(), area_code=area_code(), at=at
            )
            intake_id = row.id
            if row.at == at:  # not a form that was sent twice
                keep_files(db_session, row.report, None, described(read), AttachmentKind.BEFORE, at)
                keep_read(read)
    except AlreadyReceived as before:
        notice = _(
            "The same report came from you already, %(when)s. There is no need to send it again.", when=kyiv(before.at)
        )
        return form_page(page, typed, notice=notice, once_more=False), 409
    except TooManyReports:
        return form_page(
            page, typed, notice=_("So many reports came in this hour that no more are taken. %(call)s", call=call_us())
        ), 429
    session["intake"] = [intake_id, int(at.timestamp())]
    return redirect(url_for("public.receipt"), 303)


@bp.get("/povidomyty/pryiniato")
@public
def receipt() -> ResponseReturnValue:
    """The intake number and the PIN, for the browser that has sent the form, for half an hour."""
    intake_id, sent_at = session.get("intake", (None, 0))
    if intake_id is None or now().timestamp() - sent_at > RECEIPT_SHOWN.total_seconds():
        return redirect(url_for("public.form"))
    found = db.session.get(OnlineIntake, intake_id) or abort(404)
    return render_template("public/receipt.html", code=readable_code(found.code), pin=found.report.pin, at=found.at)


@bp.get("/stan")
@public
def lookup() -> str:
    """Where number and PIN are asked for."""
    return render_template("public/lookup.html", errors={}, typed={}, told=None)


@bp.get("/state")
@public
def lookup_in_english() -> ResponseReturnValue:
    return redirect(url_for("public.lookup"))


@bp.post("/stan")
@public
def look() -> ResponseReturnValue:
    """What state the report is in. A wrong PIN and a number that does not exist get the same answer."""
    number, pin = (request.form.get(name, "").strip() for name in ("number", "pin"))
    errors = {}
    if not number:
        errors["number"] = _("Write the number of the report, like 2026-0412, or the intake number.")
    if not pin:
        errors["pin"] = _("Write the PIN that you were given with the number.")
    if not current_app.extensions["lookup_limits"].may_try(number):
        abort(429)
    told = None if errors else look_up(db.session(), number, pin)
    if not errors and told is None:
        errors["pin"] = _("The number and the PIN do not belong together. Check both. %(call)s", call=call_us())
    shown = {"errors": errors, "typed": {} if told else {"number": number[:40]}, "told": told}
    return render_template("public/lookup.html", **shown, states=STATES), 422 if errors else 200


@bp.errorhandler(429)
def too_often(_error: Exception) -> ResponseReturnValue:
    """The form that was sent, with what was typed."""
    sentence = _("Too many tries: wait an hour. %(call)s", call=call_us())
    if request.endpoint == "public.send":
        page = unseal(request.form.get("page", "")) or open_page(now())
        return form_page(page, request.form, notice=sentence), 429
    typed = {"number": request.form.get("number", "")[:40]}
    return render_template("public/lookup.html", errors={"pin": sentence}, typed=typed, told=None), 429


@bp.get("/vidkliuchennia")
@public
def outages() -> str:
    """What is interrupted now and what will be: no name, no telephone, and not who entered it (C7)."""
    at, found = now(), open_outages(db.session())
    return render_template(
        "public/outages.html",
        active=[one for one in found if one.state(at) == OutageState.ACTIVE and not one.overdue(at)],
        coming=[one for one in found if one.state(at) == OutageState.COMING],
    )


def why_suspicious(page: FormPage | None, typed: Mapping[str, str]) -> str:
    """Why the form is not taken as a person's; what to do, if it is one. "" when it is."""
    if typed.get(TRAP):
        return _("Empty the field «Website», which is not for people, and send it again. %(call)s", call=call_us())
    if page is None or now() - page.opened > OLDEST:
        return _("The page was open for too long. Look the form over and send it again.")
    if now() - page.opened < QUICKEST:
        return _("That was quicker than anybody writes. Look the form over and send it again.")
    return ""


def read_form(typed: Mapping[str, str]) -> tuple[dict[str, object], dict[str, str]]:
    """What the draft is to hold, and a sentence for each field that cannot stay so. The desk may choose the kind."""
    given = {name: without_control(typed.get(name, "")) for name in FIELDS}
    values, errors = read_fields(db.session(), given)
    if not given["text"].strip():
        errors["text"] = _("Write what happened.")
    if not given["street"].strip() and not given["landmark"].strip():
        errors["street"] = _("Choose the street, or write a landmark.")
    if wrong := phone_note(given["other_phone"], area_code()):
        errors["other_phone"] = wrong
    return values, errors


def without_control(text: str) -> str:
    """The text without control characters; line breaks stay."""
    return "".join(char for char in text if char in "\n\r\t" or char.isprintable() or char == "\u00a0")


def call_us() -> str:
    """To whom one can telephone instead."""
    number = db.session.scalar(select(Line.number).where(Line.active).order_by(Line.id).limit(1))
    return _("Call %(number)s.", number=line_with_code(number)) if number else _("Call the contact centre.")


def form_page(
    page: FormPage,
    typed: Mapping[str, str],
    *,
    errors: Mapping[str, str] | None = None,
    notice: str = "",
    once_more: bool = True,
) -> str:
    """The form with what was typed; where it is to be sent ``once_more``, files have to be chosen again.

    A page that has become too old gets a new seal.
    """
    db_session = db.session()
    wrong = dict(errors or {})
    chosen = [file for file in request.files.getlist(FILES) if file.filename]
    if once_more and len(chosen) > (1 if FILES in wrong else 0):
        again = _("Choose the photos once more: the browser does not keep them.")
        wrong[FILES] = " ".join([*([wrong[FILES]] if FILES in wrong else []), again])
    if now() - page.opened > OLDEST:
        page = open_page(now())
    streets = db_session.scalars(select(Street).where(Street.active))
    return render_template(
        "public/form.html",
        page=page.seal(),
        typed={name: typed.get(name, "") for name in (*FIELDS, TRAP)},
        errors={name: wrong[name] for name in FORM if name in wrong},
        notice=notice,
        trap=TRAP,
        longest=LONGEST,
        categories=db_session.scalars(
            select(Category).where(Category.active).order_by(Category.position, Category.name)
        ).all(),
        streets=sorted(streets, key=lambda street: alphabetical(street.name)),
        lines=db_session.scalars(select(Line).where(Line.active).order_by(Line.id)).all(),
    )
