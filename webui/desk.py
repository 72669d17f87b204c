"""The administrator's desk: live calls on top, the form on the left, what is known about the caller on the right.

One page (``/``; ``/drafts/<id>`` is the same page with that draft open, so that a reload and a second tab show the
same), and parts of it that the page fetches when an event says that they changed.
"""

from flask import Blueprint, abort, current_app, redirect, render_template
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user
from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import joinedload, selectinload

from models.attachments import files_of, messages_of
from models.base import db, now
from models.callers import caller_of, earlier_calls, known_addresses, likely_places, open_reports
from models.calls import LIVE_STATES, Call, CallState
from models.checking import count_checks
from models.clarifications import count_questions
from models.drafts import handings_over, may_take_over
from models.lines import Line
from models.lists import Listed, first_of
from models.outage_calls import about_outages
from models.outages import outages_at
from models.people import ORGANISATION_ROLES, Organisation, Phone, User, people_of
from models.places import Category, Street
from models.pressing import count_pressing, unaccepted_emergencies
from models.repeats import find_repeated, reports_at_place
from models.reports import Report, ReportState
from models.search import alphabetical
from models.shifts import waiting_sheet
from models.waiting import count_missed, count_online, forsaken_drafts, missed_calls, online_drafts
from webui.access import DESK_ROLES, EVERYBODY, allow, log_looks_with_answer
from webui.auth import home
from webui.errors import wants_page
from webui.form import LONGEST, phone_note, stored_fields, street_note
from webui.live import colleagues, live_parts, log_calls_seen, note_of
from webui.news import with_ringing
from webui.overview import OVERSEERS, overview_parts
from webui.text import area_code

bp = Blueprint("desk", __name__)

LISTENS = "listening"  # the state of a line whose caller hears of an outage
SHOWN_FIRST = (CallState.RINGING, LISTENS, CallState.TALKING)  # of a line with several calls; also in events.js
SHOWN = 30  # drafts of one's own
ENDING_KEYS = {ReportState.REDIRECTED: 5, ReportState.WRONG_NUMBER: 6, ReportState.NUISANCE: 7, ReportState.DROPPED: 8}


@bp.get("/")
@allow(*EVERYBODY)
def desk() -> ResponseReturnValue:
    """The desk without an open draft; who has none is sent to their own first page."""
    if current_user.role not in DESK_ROLES:
        return redirect(home(current_user))
    return render_desk()


@bp.get("/drafts/<int:draft_id>")
@allow(*DESK_ROLES)
def draft(draft_id: int) -> ResponseReturnValue:
    """The desk with this draft open (a page), or the open draft alone (for the page's script)."""
    return show(find_draft(draft_id))


@bp.get("/drafts/of/<int:user_id>")
@allow(*DESK_ROLES)
def drafts_of(user_id: int) -> str:
    """The drafts that a colleague has begun and not ended."""
    user = db.session.get(User, user_id) or abort(404)
    return render_template("desk/drafts_of.html", user=user, drafts=_drafts_of(user), handed={})


@bp.get("/desk/lists")
@allow(*DESK_ROLES)
def lists() -> str:
    """My open drafts, the missed calls, the drafts that nobody works on, and whether a shift waits."""
    parts = list_parts()
    return render_template("desk/lists.html", **parts) + render_template("desk/shift_waits.html", **parts)


@bp.get("/desk/side/<int:draft_id>")
@allow(*DESK_ROLES)
def side(draft_id: int) -> str:
    """Who calls, what is known of the address, their open reports and earlier calls."""
    found = find_draft(draft_id)
    return render_template("desk/side.html", draft=found, **side_parts(found))


@bp.get("/desk/frame")
@allow(*DESK_ROLES | ORGANISATION_ROLES)
def frame() -> dict[str, object]:
    """What the script on every page needs: the lines with their states, the counts, the sound, the words.

    An enterprise's people have neither lines nor the centre's counts.
    """
    common = {"lines": "", "counts": "", "sound": current_user.sound, "words": _frame_words()}
    if current_user.role in ORGANISATION_ROLES:
        return common
    session = db.session()
    calls = session.scalars(select(Call).where(Call.state.in_(LIVE_STATES)).options(selectinload(Call.legs)))
    busy: dict[int | None, str] = {}
    for call in calls:
        state = LISTENS if call.listens else call.state
        busy[call.line_id] = min(busy.get(call.line_id, state), state, key=SHOWN_FIRST.index)
    numbers = session.scalars(select(Line).where(Line.active).order_by(Line.id)).all()
    drafts = len(session.scalars(select(Report.id).where(*_begun_by(current_user))).all())
    counts = {"missed": count_missed(session), "drafts": drafts, "online": count_online(session)}
    counts["pressing"] = count_pressing(session, now())
    return common | {
        "lines": render_template("desk/lines.html", lines=numbers, busy=busy),
        "counts": render_template("desk/counts.html", **counts),
    }


def _frame_words() -> dict[str, str]:
    return {
        "away": _("No connection; calls ring all the same. The page catches up by itself as soon as it is back.")
        if current_user.role in DESK_ROLES
        else _("No connection. The page catches up by itself as soon as it is back."),
        "login": _("You are not logged in any more."),
        "to_login": _("Log in (in a new tab)"),
        "other": _("Somebody else is logged in in this browser now."),
        "reload": _("Reload this page"),
        "deaf": _("The sound of the call cannot be played: see whether this computer has a loudspeaker."),
        "mute": _("The browser gives the sound of the call only after a key or a click on this page."),
    }


def find_draft(draft_id: int) -> Report:
    """The draft (or what became of it) with all that the page shows, or 404."""
    loading = (
        joinedload(Report.call).options(*with_ringing(), joinedload(Call.talking_to).joinedload(Phone.user)),
        joinedload(Report.category),
        joinedload(Report.street),
        joinedload(Report.executor),
        joinedload(Report.owner),
        joinedload(Report.person),
        joinedload(Report.attached_to),
    )
    query = select(Report).where(Report.id == draft_id).options(*loading)
    return db.session.scalar(query.execution_options(populate_existing=True)) or abort(404)


def show(
    found: Report,
    status: int = 200,
    *,
    typed: dict[str, object] | None = None,
    errors: dict[str, str] | None = None,
    notice: str = "",
) -> ResponseReturnValue:
    """The draft on the desk, or alone for a script. ``typed`` wins over what is stored; ``errors`` name fields."""
    parts = draft_parts(found, typed or {}, errors or {}, notice)
    if not wants_page():
        return render_template("desk/draft.html", **parts), status
    return render_desk(**parts), status


def render_desk(**parts: object) -> str:
    """The whole page."""
    shown = {"draft": None, "emergencies": unaccepted_emergencies(db.session())}
    return render_template("desk/desk.html", **shown | live_parts() | list_parts() | overview_parts() | parts)


def list_parts() -> dict[str, object]:
    session = db.session()
    drafts = _drafts_of(current_user)
    return {
        "my_drafts": drafts,
        "handed": handings_over(session, drafts.rows),
        "missed": missed_calls(session),
        "online": online_drafts(session),
        "forsaken": forsaken_drafts(session),
        "waiting_sheet": waiting_sheet(session),
        # the overview has it on a page of its own
        "to_confirm": 0 if current_user.role in OVERSEERS else count_checks(session),
        "to_ask": count_questions(session),
    }


def draft_parts(found: Report, typed: dict[str, object], errors: dict[str, str], notice: str) -> dict[str, object]:
    """Everything that the open draft shows: the form's choices and values, and its side."""
    session = db.session()
    parts: dict[str, object] = {"draft": found, "errors": errors, "notice": notice}
    stored = stored_fields(found)
    parts |= {"fields": stored | typed, "may_write": found.open_to(current_user), "longest": LONGEST}
    # a page that could not save shows what is stored beside what was typed
    parts["stored"] = {name: stored[name] for name in typed if notice and typed[name] != stored.get(name)}
    parts["unsettled"] = found.call is not None and found.call.state == CallState.MISSED and not found.call.settled
    parts["missing"] = not any(parts["fields"].get(name) for name in errors)
    if found.state == ReportState.DRAFT:
        parts |= {
            "categories": session.scalars(
                select(Category)
                .where(or_(Category.active, Category.id == found.category_id))
                .order_by(Category.position, Category.name)
            ).all(),
            "streets": sorted(
                session.scalars(select(Street).where(Street.active)), key=lambda street: alphabetical(street.name)
            ),
            "organisations": session.scalars(
                select(Organisation)
                .where(or_(Organisation.active, Organisation.id == found.executor_id))
                .order_by(Organisation.name)
            ).all(),
            "may_take_over": may_take_over(found, current_user, now()),
            "colleagues": colleagues(session),
            "endings": other_endings(found),
            "street": street_note(session, str(parts["fields"]["street"])),
            "phone_note": phone_note(str(parts["fields"]["other_phone"]), area_code()),
            "call_note": note_of(found.call) if found.call else "",
            "messages": messages_of(session, found),
        }
    if found.number and found.pin:
        log_looks_with_answer("report", [found.id], "PIN on the desk")
    parts["mail_is_on"] = current_app.config["SETTINGS"].mail_server is not None
    if found.number and found.emergency and not parts["mail_is_on"]:
        parts["to_call"] = people_of(session, [found.executor_id]).get(found.executor_id, [])
    parts |= side_parts(found)
    return parts


def outage_parts(draft: Report) -> dict[str, object]:
    """The active outages at the address that was typed, else at those that the caller's number belongs to (I4)."""
    session, places = db.session(), [(draft.street_id, draft.building)]
    if draft.street_id is None and draft.contact_number is not None:
        places = likely_places(session, draft.contact_number) or places
    found = dict.fromkeys(one for place in places for one in outages_at(session, *place, now()))
    outages = sorted(found, key=lambda outage: outage.whole_city)
    return {"outages": outages, "about_outages": about_outages(session, draft.id)}


def other_endings(draft: Report) -> list[tuple[ReportState, int]]:
    """The rarer endings that fit this draft, each with its key (I6).

    Without a call nobody misdialled. What a citizen sent by the web form was not opened by mistake, and what was
    opened by hand is nobody's mischief.
    """
    never: tuple[ReportState, ...] = ()
    if draft.call_id is None:
        never = (ReportState.WRONG_NUMBER, ReportState.DROPPED if draft.pin else ReportState.NUISANCE)
    return [(ending, key) for ending, key in ENDING_KEYS.items() if ending not in never]


def side_parts(found: Report) -> dict[str, object]:
    session = db.session()
    if found.call is not None:
        log_calls_seen([found.call])
    elif found.contact_number or found.other_phone:
        log_looks_with_answer("report", [found.id], "the open draft")
    caller = caller_of(session, found, area_code())
    own = open_reports(session, caller.number)
    theirs = open_reports(session, caller.other.number) if caller.other else []
    by_typed = theirs if found.call else own  # without a call the number was typed, too
    log_looks_with_answer("report", [report.id for report in by_typed], "found by a draft's other telephone")
    whose = caller.known if not found.call else caller.other.known if caller.other else []
    log_looks_with_answer("person", [person.id for person in whose], "found by a draft's other telephone")
    addresses = known_addresses(session, caller) if found.state == ReportState.DRAFT else []
    log_looks_with_answer("report", [report.id for report in addresses], "the caller's address")
    nobody_said = caller.person is None and not caller.other_person
    hints: dict[str, object] = {}
    if found.state == ReportState.DRAFT:
        hints = {"repeat": find_repeated(session, found), "told": reports_at_place(session, found)}
        hints |= outage_parts(found)
    return hints | {
        "caller": caller,
        # the only one offered whose number was confirmed: who registers is reminded
        "one_known": caller.known[0] if nobody_said and len(caller.known) == 1 else None,
        "addresses": addresses,
        "open_reports": own,
        "open_by_other": [report for report in theirs if report not in own],
        "earlier": earlier_calls(session, found),
        "files": files_of(session, found) if found.call is None else [],
        "text": str,
    }


def _drafts_of(user: User) -> Listed[Report]:
    shown = (joinedload(part) for part in (Report.call, Report.category, Report.street, Report.owner))
    rows = select(Report).where(*_begun_by(user)).options(*shown).order_by(Report.id.desc())
    return first_of(db.session(), rows, select(Report.id).where(*_begun_by(user)), SHOWN)


def _begun_by(user: User) -> tuple[ColumnElement[bool], ...]:
    return (Report.owner_id == user.id, Report.state == ReportState.DRAFT)
