"""The commands about calls and reports."""

import click

from jobs.settings import load_settings
from webui.cli_tools import Refused, as_json, how_many, in_full, number_printer, open_database, print_rows, when


@click.group()
def call() -> None:
    """Calls of citizens."""


@call.command("list")
@click.option("--missed", is_flag=True, help="Only calls that nobody answered and that wait for a call-back.")
@how_many
@in_full
@as_json
def list_calls(missed: bool, limit: int, full: bool, in_json: bool) -> None:
    """The newest calls first."""
    from sqlalchemy import select
    from sqlalchemy.orm import joinedload

    from models.calls import Call, CallState

    printed = number_printer(full)
    query = select(Call).options(joinedload(Call.line), joinedload(Call.answered_by)).order_by(Call.id.desc())
    if missed:
        query = query.where(Call.state == CallState.MISSED, Call.settled_by_id.is_(None))
    with open_database() as session:
        rows = [
            {
                "id": one.id,
                "started": when(one.started_at),
                "line": one.line.number if one.line else None,
                "number": printed(one.number, one.number_received),
                "state": str(one.state),
                "answered_by": one.answered_by.name if one.answered_by else None,
                "seconds": int((one.ended_at - one.started_at).total_seconds()) if one.ended_at else None,
            }
            for one in session.scalars(query.limit(limit))
        ]
    print_rows(rows, in_json)


@click.group()
def report() -> None:
    """Registered reports."""


@report.command("list")
@click.option("--search", default="", help="A report number, a telephone number, or words.")
@click.option("--state", type=click.Choice(["new", "in_progress", "done", "closed"]))
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
        page = find_reports(session, wanted, limit=limit, area_code=load_settings().profile.area_code)
        rows = [
            {
                "number": one.number,
                "state": str(one.state),
                "registered": when(one.registered_at),
                "due": when(one.due_at),
                "category": one.category.name if one.category else None,
                "place": one.place,
                "applicant_number": printed(one.contact_number, ""),
            }
            for one in page.rows
        ]
    print_rows(rows, in_json)


@report.command("show")
@click.argument("number")
@in_full
@as_json
def show_report(number: str, full: bool, in_json: bool) -> None:
    """One report with its history; NUMBER is 2026-0412, or 412 for this year's."""
    from sqlalchemy import select

    from models.reports import Report, read_number

    printed = number_printer(full)
    with open_database() as session:
        one = session.scalar(select(Report).where(Report.number == read_number(number)))
        if one is None:
            raise Refused(f"There is no report {number}: see contact-center report list.")
        facts = {
            "number": one.number,
            "state": str(one.state),
            "registered": when(one.registered_at),
            "due": when(one.due_at),
            "category": one.category.name if one.category else None,
            "place": one.place,
            "text": one.text,
            "executor": one.executor.name if one.executor else None,
            "line": one.line.number if one.line else None,
            "applicant": one.applicant_name,
            "applicant_number": printed(one.contact_number, ""),
            "repeat_of": one.repeat_of.number if one.repeat_of else None,
        }
        history = [
            {
                "at": when(row.at),
                "event": row.event,
                "state": row.to_state,
                "user": row.user.name if row.user else None,
                "note": row.note,
            }
            for row in one.history
        ]
    if in_json:
        print_rows([{**facts, "history": history}], in_json)
        return
    print_rows([{"what": key, "": value} for key, value in facts.items()], False)
    click.echo()
    print_rows(history, False)
