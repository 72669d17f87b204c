"""What the commands of the command line share."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

as_json = click.option("--json", "in_json", is_flag=True, help="Print JSON.")
in_full = click.option("--full", is_flag=True, help="Print whole telephone numbers (personal data).")
how_many = click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000), help="At most so many.")


class Refused(Exception):
    """The command cannot be carried out; the message is one sentence that says what to do."""


def email_address(typed: str) -> str:
    """The e-mail address that was typed, or "". Raises `Refused`."""
    from models.addresses import NoAddress, read_address

    try:
        return read_address(typed)
    except NoAddress:
        raise Refused(f"«{typed}» is no e-mail address: write it like name@town.gov.ua.") from None


@contextmanager
def open_database(write: bool = False) -> "Iterator[Session]":
    """The database session; with ``write`` inside one transaction."""
    from jobs.app import bare_app
    from models.base import db, transaction

    with bare_app().app_context():
        if write:
            with transaction() as session:
                yield session
        else:
            yield db.session()
        db.session.remove()


@contextmanager
def refusing() -> Iterator[None]:
    """Say what is wrong with an entry in one sentence."""
    from models.reference import FaultKind
    from models.reference import Refused as RefusedEntry

    sentences = {
        FaultKind.MISSING: "Write a {field} of at most {about} characters.",
        FaultKind.NO_NAME: "Write a {field} of at most {about} characters.",
        FaultKind.TOO_LONG: "Write a {field} of at most {about} characters.",
        FaultKind.TAKEN: "There is {about} already: choose another {field}.",
        FaultKind.LOGIN: "Write a login of at most {about} small Latin letters, digits, points and hyphens.",
        FaultKind.NEEDS_ORGANISATION: "An operator and a head have an --organisation, nobody else.",
        FaultKind.HAS_NO_ORGANISATION: "An operator and a head have an --organisation, nobody else.",
        FaultKind.LAST_TECHNICAL: "This is the last technical administrator: add another one first.",
    }
    try:
        yield
    except RefusedEntry as refused:
        field, fault = next(iter(refused.faults.items()))
        raise Refused(sentences[fault.kind].format(field=field, about=fault.about)) from None


def print_rows(rows: Sequence[dict[str, Any]], in_json: bool) -> None:
    """A list, as JSON or as columns."""
    if in_json:
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    if not rows:
        click.echo("Nothing to list.")
        return
    cells = [[str(key) for key in rows[0]], *([_cell(value) for value in row.values()] for row in rows)]
    widths = [max(len(line[place]) for line in cells) for place in range(len(cells[0]))]
    for line in cells:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "—" if value in (None, "") else str(value)


def when(moment: Any) -> str | None:
    """A moment for lists: Kyiv time, with its offset."""
    from models.workdays import KYIV

    return moment.astimezone(KYIV).isoformat(sep=" ", timespec="minutes") if moment else None


def number_printer(full: bool) -> Callable[[str | None, str], str]:
    """How numbers are printed: masked, or whole with a word of warning."""
    from models.telephone import masked

    if not full:
        return masked
    click.echo("Whole numbers are personal data: use them for the work at hand and do not keep them.", err=True)
    return lambda number, received="": number or received
