"""The commands about calls and reports."""

from typing import TYPE_CHECKING, Any

import click

from webui.cli_tools import Refused, as_json, how_many, in_full, number_printer, open_database, print_rows, when

if TYPE_CHECKING:
    from models.reports import Report


@click.group("call")
def calls() -> None:
    """Calls of citizens."""


@calls.command("list")
@click.option("--missed", is_flag=True, help="Only calls that nobody answered and that wait for a call-back.")
@how_many
@in_full
@as_json
def list_calls(missed: bool, limit: int, full: bool, in_json: bool) -> None:
    """The newest calls first."""
    from sqlalchemy import select
    from sqlalchemy.orm import joinedload

    from models.calls import Call
    from models.missed import only_missed

    printed = number_printer(full)
    query = select(Call).options(joinedload(Call.line), joinedload(Call.answered_by)).order_by(Call.id.desc())
    if missed:
        query = only_missed(query)
    with open_database() as session:
        rows = [
            {
                "id": call.id,
                "started": when(call.started_at),
                "line": call.line.number if call.line else None,
                "number": printed(call.number, call.number_received),
                "state": str(call.state),
                "answered_by": call.answered_by.name if call.answered_by else None,
                "seconds": int((call.ended_at - call.started_at).total_seconds()) if call.ended_at else None,
            }
            for call in session.scalars(query.limit(limit))
        ]
    print_rows(rows, in_json)


@click.group("report")
def reports() -> None:
    """Registered reports."""


@reports.command("list")
@click.option("--search", default="", help="A report number, a telephone number, or words.")
@click.option("--state", type=click.Choice(["new", "in_progress", "reasons_given", "done", "closed"]))
@how_many
@in_full
@as_json
def list_reports(search: str, state: str | None, limit: int, full: bool, in_json: bool) -> None:
    """The newest reports first."""
    from models.journal import JournalFilter, find_reports
    from models.reports import ReportState

    printed = number_printer(full)
    wanted = JournalFilter(text=search, state=ReportState(state) if state else None)
    with open_database() as session:
        page = find_reports(session, wanted, limit=limit)
        rows = [{**_summary(report), "applicant_number": printed(report.contact_number, "")} for report in page.rows]
    print_rows(rows, in_json)


@reports.command("show")
@click.argument("number")
@in_full
@as_json
def show_report(number: str, full: bool, in_json: bool) -> None:
    """One report with its history; NUMBER is 2026-0412, or 412 for this year's."""

    from models.reports import find_report

    printed = number_printer(full)
    with open_database() as session:
        report = find_report(session, number)
        if report is None:
            raise Refused(f"There is no report {number}: see contact-center report list.")
        facts = {
            **_summary(report),
            "text": report.text,
            "executor": report.executor.name if report.executor else None,
            "line": report.line.number if report.line else None,
            "applicant": report.applicant_name,
            "applicant_number": printed(report.contact_number, ""),
            "repeat_of": report.repeat_of.number if report.repeat_of else None,
        }
        history = [
            {
                "at": when(row.at),
                "event": row.event,
                "state": row.to_state,
                "user": row.user.name if row.user else None,
                "note": row.note,
            }
            for row in report.history
        ]
    if in_json:
        print_rows([{**facts, "history": history}], in_json)
        return
    print_rows([{"what": key, "": value} for key, value in facts.items()], False)
    click.echo()
    print_rows(history, False)


def _summary(report: "Report") -> dict[str, Any]:
    return {
        "number": report.number,
        "state": str(report.state),
        "registered": when(report.registered_at),
        "due": when(report.due_at),
        "category": report.category.name if report.category else None,
        "place": report.place,
    }
