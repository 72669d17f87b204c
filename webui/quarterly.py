"""The quarterly report (R 4.6, W12): prepared by the system, checked and sent by the administrator."""

from collections.abc import Callable

from flask import Blueprint, Response, abort, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import force_locale, lazy_gettext
from flask_babel import gettext as _
from flask_login import current_user
from sqlalchemy.orm import Session

from jobs.letters import compose_quarterly
from jobs.paper import MIME_TYPES, Paper
from jobs.settings import Settings
from models import quarterly
from models.acts import KEEPERS
from models.base import db, now, transaction
from models.machine import IllegalMove
from models.outbox import write_letter
from models.people import Role, User
from models.periods import Quarter, quarter_of
from models.quarterly import QuarterlyEvent, QuarterlyReport, QuarterlyState, QuarterlyStep
from models.quarterly_figures import Figures, count_figures, differences
from models.workdays import KYIV
from webui.access import DESK_ROLES, allow
from webui.quarterly_paper import COUNT_WORDS, long_day, quarter_words, quarterly_paper
from webui.text import Badge

bp = Blueprint("quarterly", __name__, url_prefix="/quarterly")

READERS = DESK_ROLES | {Role.CONTROL_BODY}
LONGEST_REMARK = 5000  # characters
BADGES = {
    QuarterlyState.PREPARED: Badge(lazy_gettext("To be checked"), "●", "new"),
    QuarterlyState.CHECKED: Badge(lazy_gettext("Checked, to be sent"), "◐", "work"),
    QuarterlyState.SENT: Badge(lazy_gettext("Sent"), "✓", "done"),
}
STEP_WORDS = {
    QuarterlyEvent.PREPARED: lazy_gettext("prepared"),
    QuarterlyEvent.RENEWED: lazy_gettext("counted again"),
    QuarterlyEvent.CHECKED: lazy_gettext("checked"),
    QuarterlyEvent.TAKEN_BACK: lazy_gettext("taken back to be changed"),
    QuarterlyEvent.SENT: lazy_gettext("sent to the control body"),
}
DO: dict[QuarterlyEvent, Callable[[Session, QuarterlyReport, User, str], None]] = {
    QuarterlyEvent.CHECKED: lambda session, report, user, remark: quarterly.check(session, report, user, remark, now()),
    QuarterlyEvent.TAKEN_BACK: lambda session, report, user, _remark: quarterly.take_back(session, report, user, now()),
    QuarterlyEvent.SENT: lambda session, report, user, _remark: quarterly.send(session, report, user, now()),
}


@bp.get("")
@allow(*READERS)
def index() -> str:
    """All quarterly reports that this person may see, the newest quarter first."""
    session = db.session()
    ended = quarter_of(now().astimezone(KYIV).date()).before
    missing = current_user.role in KEEPERS and not quarterly.reports_on(session, ended)
    return render_template(
        "summary/quarters.html",
        reports=quarterly.reports_for(session, current_user),
        missing=ended if missing else None,
        badges=BADGES,
        quarter_words=quarter_words,
        long_day=long_day,
    )


@bp.post("/prepare")
@allow(*KEEPERS)
def prepare() -> ResponseReturnValue:
    """Prepare what is due now, as the system does by itself on the first day after a quarter."""
    quarterly.prepare_due(db.session(), now())
    return redirect(url_for("quarterly.index"))


@bp.get("/<int:report_id>")
@allow(*READERS)
def show(report_id: int) -> ResponseReturnValue:
    """One report as it was counted; with ``compare`` also what is another figure today."""
    report = _report(report_id)
    compared = None
    if request.args.get("compare") and current_user.role in DESK_ROLES:
        today = count_figures(db.session(), report.quarter, report.control_body, now())
        compared = differences(report.figures, today)
    return _page(report, compared=compared)


@bp.post("/<int:report_id>/move")
@allow(*KEEPERS)
def move(report_id: int) -> ResponseReturnValue:
    """Check it, send it, take it back, or count it again; what stands in the way is said."""
    report = _report(report_id)
    wanted = next((event for event in QuarterlyEvent if event == request.form.get("event")), None) or abort(400)
    remark = request.form.get("remark", "").replace("\r\n", "\n").replace("\0", "").strip()
    remark = remark.encode("utf-8", "replace").decode()
    if len(remark) > LONGEST_REMARK:
        errors = {"remark": _("This is too long: at most %(num)d characters fit here.", num=LONGEST_REMARK)}
        return _page(report, typed=remark, errors=errors), 422
    try:
        if wanted == QuarterlyEvent.RENEWED:
            _renew(report)
        else:
            act = DO.get(wanted) or abort(400)
            with transaction() as session:
                seen = _as_seen(session, report_id, wanted)
                act(session, seen, _me(session), remark)
                if seen.state == QuarterlyState.SENT:
                    _write_of(session, seen)
    except IllegalMove:
        notice = _("This quarterly report was changed meanwhile; see what happened to it. Your remark is kept.")
        return _page(_report(report_id), typed=remark, notice=notice), 409
    flash(_("The quarterly report is %(what)s.", what=STEP_WORDS[wanted]), "ok")
    return redirect(url_for("quarterly.show", report_id=report_id))


@bp.get("/<int:report_id>/document/<kind>")
@allow(*READERS)
def document(report_id: int, kind: str) -> Response:
    """The report as a file, in Ukrainian whatever the page's language: ``docx``, ``xlsx`` or ``pdf``."""
    report = _report(report_id)
    if kind not in MIME_TYPES:
        abort(404)
    from jobs.documents import WRITERS  # only now: it brings 25 MB that the desk never needs

    with force_locale("uk"):
        made = WRITERS[kind](paper_of(report))
    name = file_name(report.quarter, report.control_body, kind)
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(made, mimetype=MIME_TYPES[kind], headers=headers)


def file_name(quarter: Quarter, control_body: User | None, kind: str) -> str:
    """«kvartalnyi-zvit-2026-3.docx»; one to a member of the control body has their login behind the quarter."""
    whose = f"-{control_body.login}" if control_body else ""
    return f"kvartalnyi-zvit-{quarter.year}-{quarter.number}{whose}.{kind}"


def paper_of(report: QuarterlyReport) -> Paper:
    """The paper of a report that was prepared, in the present language."""
    checked = [step for step in report.steps if step.event == QuarterlyEvent.CHECKED]
    draft = report.state == QuarterlyState.PREPARED
    return quarterly_paper(
        report.figures,
        report.quarter,
        remark=report.remark,
        signed_by=checked[-1].user.name if checked and not draft else "",
        draft=draft,
    )


def _report(report_id: int) -> QuarterlyReport:
    """The report, if it is there for this person to see."""
    report = db.session.get(QuarterlyReport, report_id)
    if report is None or not quarterly.is_seen_by(report, current_user):
        abort(404)
    return report


def _renew(report: QuarterlyReport) -> None:
    """The figures are counted before the transaction begins: meanwhile others can write."""
    report_id, at = report.id, now()
    figures: Figures = count_figures(db.session(), report.quarter, report.control_body, at)
    with transaction() as session:
        seen = _as_seen(session, report_id, QuarterlyEvent.RENEWED)
        quarterly.renew(session, seen, _me(session), figures, at)


def _write_of(session: Session, report: QuarterlyReport) -> None:
    """Tell the member of the control body by letter that their report is there, where letters go out at all."""
    settings: Settings = current_app.config["SETTINGS"]
    if report.control_body_id is not None and settings.mail_server is not None:
        subject, body = compose_quarterly(report, settings)
        write_letter(session, f"quarterly:{report.id}", subject, body, now(), user_id=report.control_body_id)


def _as_seen(session: Session, report_id: int, wanted: QuarterlyEvent) -> QuarterlyReport:
    """The report, locked, when nothing has happened to it since the page was made: nobody signs unseen figures.

    Raises `IllegalMove` otherwise.
    """
    report = session.get_one(QuarterlyReport, report_id, with_for_update=True, populate_existing=True)
    if request.form.get("steps") != str(len(report.steps)):
        raise IllegalMove("quarterly report", report.state, wanted)
    return report


def _me(session: Session) -> User:
    return session.get_one(User, current_user.id)


def _page(
    report: QuarterlyReport,
    *,
    compared: list | None = None,
    typed: str | None = None,
    errors: dict[str, str] | None = None,
    notice: str = "",
) -> str:
    steps: list[QuarterlyStep] = report.steps
    return render_template(
        "summary/quarter.html",
        report=report,
        paper=paper_of(report),
        steps=steps,
        moves=quarterly.possible_moves(report, current_user),
        badge_of=BADGES[QuarterlyState(report.state)],
        step_words=STEP_WORDS,
        count_words=COUNT_WORDS,
        compared=compared,
        remark=report.remark if typed is None else typed,
        longest_remark=LONGEST_REMARK,
        errors=errors or {},
        notice=notice,
        kinds=list(MIME_TYPES),
        quarter_words=quarter_words,
        long_day=long_day,
    )
