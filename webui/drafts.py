"""What people do with a draft: take it, type into it, register it, or end it otherwise (I5, I6).

The page's script saves as people type and gets JSON; the buttons work without the script too. Whoever takes or
types into a draft first has it; everybody else is told who. Nothing typed is thrown away: a refused form comes
back with what was typed, and a save that meets another gets that other's text to choose from.
"""

from collections.abc import Callable

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user
from sqlalchemy.orm import Session

from models.base import db, now, transaction
from models.callbacks import undo_ending
from models.callers import NobodyNamed, deny_caller, identify_caller
from models.drafts import (
    ENDINGS,
    DataTakenOut,
    RegistrationRefused,
    ReportIsClosed,
    SavedMeanwhile,
    TakenByAnother,
    attach_draft,
    claim_draft,
    end_draft,
    hand_over_draft,
    make_draft_by_hand,
    register_draft,
    save_draft,
    take_over_draft,
)
from models.intake import printable
from models.machine import IllegalMove
from models.outage_calls import note_about
from models.outages import Outage
from models.people import User
from models.repeats import find_repeated, reports_at_place
from models.reports import Report, ReportState, Source, find_report
from webui import desk
from webui.access import DESK_ROLES, allow, log_telephone_search
from webui.errors import wants_page
from webui.form import phone_note, read_fields, stored_fields, street_note, typed_fields
from webui.text import area_code, e164, row_id

bp = Blueprint("drafts", __name__)

LONGEST_SAVE = 64 * 1024  # bytes: the longest fields together, with room
Deed = Callable[[Session, Report, User], None]


@bp.post("/drafts/new")
@allow(*DESK_ROLES)
def new() -> ResponseReturnValue:
    """A draft of one's own without a call; ``source`` says how it came (I9)."""
    source = next((source for source in Source if source == request.form.get("source")), None) or abort(400)
    with transaction() as session:
        draft_id = make_draft_by_hand(session, _me(session), source).id
    return redirect(url_for("desk.draft", draft_id=draft_id), 303)


@bp.post("/drafts/<int:draft_id>/claim")
@allow(*DESK_ROLES)
def claim(draft_id: int) -> ResponseReturnValue:
    """Take the draft. Of two who take it at once one gets it; the other is told who (409).

    Of one that is finished there is nothing to take: what became of it is shown, unless a form came with it (409).
    """

    def take(session: Session, draft: Report, user: User) -> None:
        if draft.state == ReportState.DRAFT:
            claim_draft(session, draft, user)

    return act(draft_id, take, with_form="revision" in request.form)


@bp.post("/drafts/<int:draft_id>/save")
@allow(*DESK_ROLES)
def save(draft_id: int) -> ResponseReturnValue:
    """Save what was typed so far: ``{"revision": 3, "fields": {"text": "…"}}``, only the fields that changed.

    Answers ``{"revision", "errors", "repeat"}``, with a ``street`` what it is (`street_note`), with an
    ``other_phone`` its ``phone_note``, with the place or the kind what is told of that building already
    (``same_place``, HTML) and which outages are there (``outages``, HTML); 409 with
    ``error`` "taken" (and ``owner``), "saved_meanwhile" (with the stored ``revision`` and ``fields``) or
    "not_a_draft"; 401 when the session is over. ``errors`` names fields that were not saved because they cannot be.
    400 when it is none of this, 413 when it is longer than 64 kB.
    """
    if len(request.get_data()) > LONGEST_SAVE:
        abort(413)
    try:
        body = request.get_json(silent=True)
    except RecursionError:  # nested too deeply to be read
        abort(400)
    if not isinstance(body, dict) or not isinstance(body.get("fields"), dict):
        abort(400)
    if not all(value is None or isinstance(value, (str, bool)) for value in body["fields"].values()):
        abort(400)
    try:
        with transaction() as session:
            draft = session.get(Report, draft_id) or abort(404)
            values, errors = read_fields(session, body["fields"])
            save_draft(session, draft, _me(session), values, _revision(body.get("revision")), area_code())
            repeat = find_repeated(session, draft)
            answer = {"revision": draft.revision, "errors": errors, "repeat": _repeat(repeat)}
            if "street" in body["fields"]:
                answer["street"] = street_note(session, str(body["fields"]["street"] or ""))
            if _TOLD_BY & body["fields"].keys():
                told = reports_at_place(session, draft)
                answer["same_place"] = render_template("desk/same_place.html", draft=draft, told=told, repeat=repeat)
                parts = desk.outage_parts(draft)
                answer["outages"] = render_template("desk/outages.html", draft=draft, **parts)
            if "other_phone" in body["fields"]:
                answer["phone_note"] = phone_note(str(body["fields"]["other_phone"] or ""), area_code())
    except (TakenByAnother, SavedMeanwhile, IllegalMove) as trouble:
        return _conflict(draft_id, trouble)
    _log_telephone(body["fields"].get("other_phone"))
    return answer


def _log_telephone(typed: object) -> None:
    """Whose the telephone is, and what they repeat, is shown: that is a search (A3)."""
    if number := e164(str(typed or "")):
        log_telephone_search(len(number) - 1, "another telephone in a draft")


@bp.post("/drafts/<int:draft_id>/register")
@allow(*DESK_ROLES)
def register(draft_id: int) -> ResponseReturnValue:
    """Save the form and register it: number, deadline, history (I5)."""
    return act(draft_id, register_draft, with_form=True)


@bp.post("/drafts/<int:draft_id>/end")
@allow(*DESK_ROLES)
def end(draft_id: int) -> ResponseReturnValue:
    """Save the form and end the draft without a report: consultation, wrong number and so on (I6)."""
    wanted = request.form.get("ending", "")
    event = next((event for event in ENDINGS if event == wanted), None) or abort(400)
    return act(draft_id, lambda session, draft, user: end_draft(session, draft, user, event), with_form=True)


@bp.post("/drafts/<int:draft_id>/attach")
@allow(*DESK_ROLES)
def attach(draft_id: int) -> ResponseReturnValue:
    """The call was about an open report: ``attach_to`` is its number, ``2026-0412`` or ``412``."""
    typed = (request.form.get("attach_to") or request.form.get("attach_typed", "")).strip()

    def attach_it(session: Session, draft: Report, user: User) -> None:
        report = find_report(session, typed)
        if report is None:
            raise NoSuchReport
        attach_draft(session, draft, user, report)

    try:
        return act(draft_id, attach_it, with_form=True)
    except NoSuchReport:
        message = _("There is no report with the number «%(typed)s». Write it like 2026-0412, or 412.", typed=typed)
    except ReportIsClosed as closed:
        message = _("Report № %(number)s is closed already: register a new one (F9).", number=closed.report.number)
    typed_form = typed_fields(request.form) | {"attach_typed": typed}
    return desk.show(desk.find_draft(draft_id), 422, typed=typed_form, errors={"attach_typed": message})


@bp.post("/drafts/<int:draft_id>/reopen")
@allow(*DESK_ROLES)
def reopen(draft_id: int) -> ResponseReturnValue:
    """Undo an ending: a draft again, with all that was typed."""
    return act(draft_id, undo_ending)


@bp.post("/drafts/<int:draft_id>/hand-over")
@allow(*DESK_ROLES)
def hand_over(draft_id: int) -> ResponseReturnValue:
    """Give the draft to a colleague (``to``: user id)."""
    wanted = row_id(request.form.get("to"))

    def give(session: Session, draft: Report, user: User) -> None:
        to = session.get(User, wanted) if wanted is not None else None
        if to is None or not to.active or to.role not in DESK_ROLES:
            abort(400)
        hand_over_draft(session, draft, user, to)

    return act(draft_id, give, with_form="revision" in request.form)


@bp.post("/drafts/<int:draft_id>/take-over")
@allow(*DESK_ROLES)
def take_over(draft_id: int) -> ResponseReturnValue:
    """Take a colleague's draft that is left; one that is not stays theirs (409)."""
    return act(draft_id, lambda session, draft, user: take_over_draft(session, draft, user, now()))


@bp.post("/drafts/<int:draft_id>/outage")
@allow(*DESK_ROLES)
def outage(draft_id: int) -> ResponseReturnValue:
    """The applicant asks of this ``outage``, or with ``not_outage`` does not after all (C7)."""
    about = "outage" in request.form
    wanted = row_id(request.form.get("outage" if about else "not_outage", ""))
    if wanted is None or db.session.get(Outage, wanted) is None:
        abort(400)

    def note(session: Session, draft: Report, user: User) -> None:
        claim_draft(session, draft, user)
        note_about(session, draft, wanted, user, now(), about=about)

    return act(draft_id, note, with_form="revision" in request.form)


@bp.post("/drafts/<int:draft_id>/person")
@allow(*DESK_ROLES)
def person(draft_id: int) -> ResponseReturnValue:
    """Say who calls: a known ``person``, a ``name``, or ``other`` for none of those on the screen (I4)."""
    person_id, name = row_id(request.form.get("person")), printable(request.form.get("name", ""))[:128]

    def say(session: Session, draft: Report, user: User) -> None:
        if "other" in request.form:
            deny_caller(session, draft, user)
        else:
            identify_caller(session, draft, user, person_id=person_id, name=name, area_code=area_code())

    def tell(draft: Report) -> ResponseReturnValue:
        return {"revision": draft.revision, "fields": stored_fields(draft)}

    try:
        return act(draft_id, say, with_form="revision" in request.form, show=tell)
    except NobodyNamed:
        abort(400)


class NoSuchReport(Exception):
    """No registered report has the number that was typed."""


def act(
    draft_id: int,
    do: Deed,
    *,
    with_form: bool = False,
    show: Callable[[Report], ResponseReturnValue] = desk.show,
) -> ResponseReturnValue:
    """Do one thing with the draft and ``show`` it; what stands in the way is said, and what was typed stays.

    ``with_form`` saves the form's fields first, in a transaction of their own: what was typed is kept even when the
    act is refused.
    """
    errors: dict[str, str] = {}
    try:
        if with_form:
            with transaction() as session:
                draft = session.get(Report, draft_id) or abort(404)
                values, errors = read_fields(session, request.form, whole=True)
                revision, before = _revision(request.form.get("revision")), draft.other_phone
                save_draft(session, draft, _me(session), values, revision, area_code())
            if values.get("other_phone") != before:
                _log_telephone(values.get("other_phone"))
        if not errors:
            with transaction() as session:
                draft = session.get(Report, draft_id) or abort(404)
                do(session, draft, _me(session))
            if wants_page():
                return redirect(url_for("desk.draft", draft_id=draft_id))
            return show(desk.find_draft(draft_id))
    except RegistrationRefused as refused:
        errors = {_FORM_FIELD.get(error.field, error.field): _(error.message) for error in refused.errors}
        if "street" in errors:
            errors["street"] = street_note(db.session(), request.form.get("street", ""))["note"] or errors["street"]
    except (TakenByAnother, SavedMeanwhile, IllegalMove, DataTakenOut) as trouble:
        draft = desk.find_draft(draft_id)
        typed = typed_fields(request.form) if with_form else {}
        return desk.show(draft, 409, typed=typed, notice=explain(trouble))
    return desk.show(desk.find_draft(draft_id), 422, typed=typed_fields(request.form), errors=errors)


def explain(trouble: Exception) -> str:
    """A sentence for the person whose save or click came second."""
    if isinstance(trouble, TakenByAnother):
        return _("%(name)s is working on this draft. What you typed is kept here.", name=str(trouble))
    if isinstance(trouble, SavedMeanwhile):
        return _("This draft was saved in another place meanwhile. Compare, and press the button again.")
    if isinstance(trouble, DataTakenOut):
        return _("The applicant’s data were taken out of this record: it cannot be a draft again.")
    return _("This draft is finished already. What you typed is kept here.")


def _conflict(draft_id: int, trouble: Exception) -> ResponseReturnValue:
    draft = desk.find_draft(draft_id)
    message = explain(trouble)
    if isinstance(trouble, TakenByAnother):
        return {"error": "taken", "owner": str(trouble), "message": message}, 409
    if isinstance(trouble, SavedMeanwhile):
        fields = stored_fields(draft)
        return {"error": "saved_meanwhile", "revision": draft.revision, "fields": fields, "message": message}, 409
    return {"error": "not_a_draft", "state": draft.state, "message": message}, 409


def _repeat(report: Report | None) -> dict[str, object] | None:
    return None if report is None else {"number": report.number, "url": url_for("reports.show", report_id=report.id)}


def _me(session: Session) -> User:
    return session.get_one(User, current_user.id)


def _revision(value: object) -> int:
    revision = row_id(value)
    return -1 if revision is None else revision


_FORM_FIELD = {"street_id": "street"}
_TOLD_BY = {"street", "building", "category_id"}  # what decides which reports are of the same place
