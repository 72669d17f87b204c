"""The command that writes the quarterly report's documents (R 4.6)."""

from pathlib import Path

import click

from webui.cli_tools import Refused


@click.command("quarterly")
@click.argument("quarter")
@click.option("--output", required=True, type=click.Path(file_okay=False, path_type=Path), help="The folder.")
def write_quarterly(quarter: str, output: Path) -> None:
    """Write the report on QUARTER (2026Q3): DOCX, XLSX and PDF for all organisations and for each control body.

    What was prepared on the quarter is written as it stands there; what was not is counted now.
    """
    from flask_babel import force_locale

    from jobs.documents import WRITERS
    from models.base import db, now
    from models.periods import read_quarter
    from models.quarterly import control_bodies, reports_on
    from models.quarterly_figures import count_figures
    from webui import create_app
    from webui.quarterly import file_name, paper_of
    from webui.quarterly_paper import quarterly_paper

    wanted = read_quarter(quarter)
    if wanted is None:
        raise Refused(f"{quarter} is not a quarter: write 2026Q3.")
    if wanted.period.end > now():
        raise Refused(f"{wanted} is not over yet: write a quarter that has ended.")
    app = create_app()
    with app.test_request_context("/"), force_locale("uk"):
        session = db.session()
        papers = {report.control_body: paper_of(report) for report in reports_on(session, wanted)}
        for whose in (None, *control_bodies(session)):
            if whose not in papers:
                papers[whose] = quarterly_paper(count_figures(session, wanted, whose, now()), wanted, draft=True)
        output.mkdir(parents=True, exist_ok=True)
        for whose, paper in papers.items():
            for kind, write in WRITERS.items():
                path = output / file_name(wanted, whose, kind)
                path.write_bytes(write(paper))
                click.echo(path)
        db.session.remove()
