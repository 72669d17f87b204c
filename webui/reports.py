"""A report, or a call's record that ended otherwise: its facts, its history, the calls about it (W1, I10, A3)."""

from flask import Blueprint, abort, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.orm import joinedload, selectinload

from models.base import db
from models.calls import Call
from models.reports import OPEN_STATES, HistoryRow, Report, ReportState
from webui.access import DESK_ROLES, allow, log_looks

bp = Blueprint("reports", __name__)


@bp.get("/reports/<int:report_id>")
@allow(*DESK_ROLES)
def show(report_id: int) -> ResponseReturnValue:
    """The report with the applicant's number masked; who looks at the name and the flat is recorded (A3).

    A draft is worked on at its own address.
    """
    return _page(report_id, full=False)


@bp.post("/reports/<int:report_id>/number")
@allow(*DESK_ROLES)
def show_number(report_id: int) -> ResponseReturnValue:
    """The same page with the applicant's numbers in full; the look is recorded (A3)."""
    return _page(report_id, full=True)


def _page(report_id: int, full: bool) -> ResponseReturnValue:
    report = db.session.scalar(
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
    if report is None:
        abort(404)
    if report.state == ReportState.DRAFT:
        return redirect(url_for("desk.draft", draft_id=report.id))
    log_looks("report", [report_id], "number on the report's page" if full else "the report's page")
    attached, repeats = (
        db.session.scalars(
            select(Report)
            .where(link == report_id)
            .options(joinedload(Report.call), joinedload(Report.owner))
            .order_by(Report.id.desc())
            .limit(50)
        ).all()
        for link in (Report.attached_to_id, Report.repeat_of_id)
    )
    return render_template(
        "reports/show.html",
        report=report,
        attached=attached,
        repeats=repeats,
        full=full,
        open=report.state in OPEN_STATES,
    )
