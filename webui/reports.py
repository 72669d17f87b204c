"""A report, or a call's record that ended otherwise: its facts, its history, the calls about it (W1, I10, A3)."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import partial

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext
from flask_login import current_user
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, selectinload

from models.acts import Act, concerns, possible_acts
from models.attachments import files_of
from models.attempts import Attempt
from models.base import db, now, transaction
from models.calls import Call
from models.calltasks import CallTask, open_question
from models.deadlines import Deadline, DeadlineKind, all_deadlines
from models.executions import executions_of
from models.moves import last_moves
from models.own_calls import tries_of
from models.people import active_organisations
from models.pins import give_pin
from models.reports import OPEN_STATES, HistoryRow, Report, ReportEvent, ReportState
from models.taken_back import to_take_back
from models.task_history import tasks_about
from webui.access import DESK_ROLES, REPORT_ROLES, allow, log_looks, log_looks_with_answer
from webui.acts import FORMS, MOVING_ON, ActForm, closes_unasked, in_order
from webui.call_words import PURPOSES as PURPOSES_OF_CALLS
from webui.call_words import TASK_BADGES, how_it_went
from webui.form import LONGEST_TEXT
from webui.task_words import moves_in_words
from webui.text import e164, without_numbers

bp = Blueprint("reports", __name__)
# why somebody outside of the centre needs the applicant's number
PURPOSES = {
    "details": lazy_gettext("to ask for details"),
    "visit": lazy_gettext("to agree on a visit"),
    "result": lazy_gettext("to tell the result"),
}
# the moves whose words say what is to be done or decided now
SAID_WITH = frozenset({ReportEvent.REASONS_GIVEN, ReportEvent.RETURNED, ReportEvent.COMPLETED, ReportEvent.REFUTED})


@bp.get("/reports/<int:report_id>")
@allow(*REPORT_ROLES)
def show(report_id: int) -> ResponseReturnValue:
    """The report with all numbers masked; who looks at the name and the flat is recorded (A3).

    A draft is worked on at its own address. A report that is not this person's business is no page of theirs.
    """
    return page(report_id)


@bp.post("/reports/<int:report_id>/number")
@allow(*REPORT_ROLES)
def show_number(report_id: int) -> ResponseReturnValue:
    """The same page with the applicant's numbers in full, for the centre also those that somebody typed into texts.

    The look is recorded (A3), outside of the centre with its purpose.
    """
    if current_user.role not in DESK_ROLES and request.form.get("purpose") not in PURPOSES:
        abort(400)
    return page(report_id, full=True)


@bp.post("/reports/<int:report_id>/pin")
@allow(*DESK_ROLES)
def show_pin(report_id: int) -> ResponseReturnValue:
    """The same page with the PIN to tell the applicant; the look is recorded. A report of before PINs gets its own."""
    with transaction() as session:
        report = session.get(Report, report_id)
        if report is None or report.number is None:
            abort(404)
        give_pin(report)
        pin = report.pin or ""
    log_looks("report", [report_id], "PIN on the report's page")
    return page(report_id, pin=pin)


def page(
    report_id: int,
    *,
    full: bool = False,
    pin: str = "",
    status: int = 200,
    typed: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
    notice: str = "",
) -> ResponseReturnValue:
    """The report's page; ``typed`` and ``errors`` belong to the act that was asked for and refused."""
    session = db.session()
    report = session.scalar(
        select(Report)
        .where(Report.id == report_id)
        .options(
            joinedload(Report.call).joinedload(Call.answered_by),
            joinedload(Report.line),
            joinedload(Report.owner),
            joinedload(Report.category),
            joinedload(Report.street),
            joinedload(Report.executor),
            joinedload(Report.person),
            joinedload(Report.repeat_of),
            joinedload(Report.attached_to),
            selectinload(Report.history).joinedload(HistoryRow.user),
        )
    )
    if report is None or not concerns(session, report, current_user):
        abort(404)
    if report.state == ReportState.DRAFT:
        return redirect(url_for("desk.draft", draft_id=report.id))
    centre = current_user.role in DESK_ROLES
    own = {report.contact_number, e164(report.other_phone)} - {None}
    attached, repeats = (
        session.scalars(
            select(Report)
            .where(link == report_id)
            .options(joinedload(Report.call), joinedload(Report.owner))
            .order_by(Report.id.desc())
            .limit(50)
        ).all()
        for link in (Report.attached_to_id, Report.repeat_of_id)
    )
    settled_by = {one.call.settled_by_attempt_id for one in (report, *attached) if one.call} - {None}
    called_back = select(Attempt).where(Attempt.id.in_(settled_by)).options(joinedload(Attempt.user))
    our_calls = {one.id: one for one in session.scalars(called_back)} if settled_by else {}
    files = files_of(session, report)
    taken_back = {row.takes_back_id for row in report.history if row.takes_back_id}
    brought = last_moves(session, [report.id]).get(report.id)
    undone = {row.at for row in report.history if row.id in taken_back}
    present, former = by_round(all_deadlines(session, report), undone)
    typed_texts = [report.text, report.place, *(row.note for row in report.history), *(file.name for file in files)]
    tasks = tasks_about(session, report_id) if centre else ()
    tries = tries_of(session, [task.id for task in tasks]) if tasks else {}
    parts = {
        "report": report,
        # the numbers of others who called about it are the centre's alone
        "attached": attached if centre else [],
        "our_calls": our_calls,
        "how_it_went": how_it_went,
        "repeats": [other for other in repeats if concerns(session, other, current_user)],
        "full": full,
        "pin": pin,
        "files": [file for file in files if not file.spoken],
        "remarks": [file for file in files if file.spoken],
        "purposes": {} if centre else PURPOSES,
        # outside of the centre nobody sees the numbers of others, not even by a click
        "text": str if full and centre else partial(without_numbers, keep=own if full else ()),
        "hides_numbers": bool(own) or (centre and any(without_numbers(text) != text for text in typed_texts)),
        "open": report.state in OPEN_STATES,
        "question": open_question(session, report.id) if centre else None,
        "parts": executions_of(session, report),
        "time_line": _time_line(report.history, tasks),
        "to_take_back": to_take_back(report.history, current_user, now()) if centre else None,
        "moves_of": lambda task: moves_in_words(task, tries.get(task.id, [])),
        "purposes_of_calls": PURPOSES_OF_CALLS,
        "task_badges": TASK_BADGES,
        "deadlines": present,
        "former_deadlines": former,
        "term_moved": any(row.kind == DeadlineKind.WORK and row.moved for row in present),
        "brought": brought if brought and brought.event in SAID_WITH else None,
        "acts": _acts(session, report),
        "organisations": active_organisations(session),
        "typed": typed or {},
        "errors": errors or {},
        "notice": notice,
        "longest": LONGEST_TEXT,
        "moving_on": MOVING_ON,
        "closes_unasked": partial(closes_unasked, role=current_user.role),
    }
    log_looks_with_answer("report", [report_id], _purpose() if full else "the report's page")
    return render_template("reports/show.html", **parts), status


def _time_line(history: Sequence[HistoryRow], tasks: Sequence[CallTask]) -> list[HistoryRow | CallTask]:
    """The report's history with the calls that were to be made about it; of one moment the history comes first."""
    return sorted([*history, *tasks], key=lambda row: row.created_at if isinstance(row, CallTask) else row.at)


def _acts(session: Session, report: Report) -> list[tuple[Act, ActForm]]:
    """What the person who looks can do with the report, in the order of the page."""
    if report.number is None:
        return []
    return [(act, FORMS[act]) for act in in_order(possible_acts(session, report, current_user), current_user.role)]


def by_round(deadlines: Sequence[Deadline], undone: Collection[datetime] = ()) -> tuple[list[Deadline], list[Deadline]]:
    """The deadlines of now, the open ones first; and those of former rounds, in whose place a later one began, with
    those that began by an answer of the ``undone`` moments, which was taken back."""
    last = {(row.kind, row.organisation_id): row for row in deadlines if row.open or row.began_at not in undone}
    former = [row for row in deadlines if last.get((row.kind, row.organisation_id)) is not row]
    return sorted(last.values(), key=lambda row: (not row.open, row.due_at)), former


def _purpose() -> str:
    """Why the number is shown, as the access log keeps it; the people of an organisation say it with their click."""
    wanted = request.form.get("purpose", "")
    return f"number on the report's page: {wanted}" if wanted in PURPOSES else "number on the report's page"
