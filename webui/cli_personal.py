"""The commands about personal data: retention, and the data of one person (A3).

Whom it is about is asked for, or read from standard input: what is written on a command line stays in the shell's
history and stands in the list of processes.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from webui.cli_tools import Refused, as_json, open_database, print_rows

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from models.people import User
    from models.personal import Sought

as_whom = click.option("--as", "login", required=True, help="The login of the supervisor who does it: it is recorded.")


@click.group("personal-data")
def personal_data() -> None:
    """Personal data: how long they are held, and those of one person."""


@personal_data.command("retention")
@click.option("--dry-run", is_flag=True, help="Only count what is due.")
@as_json
def retention(dry_run: bool, in_json: bool) -> None:
    """End the holding of what is due. May be cut off and run again at any time."""
    from models.base import now, transaction
    from models.retention import RULES, count_due, run_retention

    at = now()
    with open_database() as session:
        if dry_run:
            counted = count_due(session, at)
        else:
            counted = dict.fromkeys(RULES, 0)
            more = True
            while more:
                with transaction() as writing:
                    ended = run_retention(writing, at)
                more = any(ended.values())
                counted = {kind: counted[kind] + ended[kind] for kind in RULES}
    rows = [
        {"kind": str(kind), "years": rule.years, "fate": str(rule.fate), "due" if dry_run else "ended": counted[kind]}
        for kind, rule in RULES.items()
    ]
    print_rows(rows, in_json)


@personal_data.command("export")
@as_whom
@click.option("--output", required=True, type=click.Path(path_type=Path, dir_okay=False), help="The ZIP file to write.")
def export(login: str, output: Path) -> None:
    """Write all that is held about one person into a file; asks for the telephone and the name."""
    from models.base import db, now, transaction
    from models.people import AccessLog
    from models.personal import exported, held_about
    from webui import create_app
    from webui.personal_export import archive

    app = create_app()
    with app.test_request_context():
        sought = _ask_whom(app.config["SETTINGS"].profile.area_code)
        with transaction() as session:
            user = _supervisor(session, login)
            held = held_about(session, sought)
            if not held.anything:
                raise Refused("Nothing is held about this person.")
            session.add_all(
                AccessLog(user_id=user.id, subject=subject, subject_id=row.id, reason="a person's data: export")
                for subject, rows in (("report", held.reports), ("person", held.persons))
                for row in rows
            )
        output.touch(mode=0o600)
        held = held_about(db.session(), sought)
        output.write_bytes(archive(exported(db.session(), held), held, now()))
        db.session.remove()
    click.echo(f"{output} holds whole numbers: give it to this person alone, and delete it.")


@personal_data.command("erase")
@as_whom
@click.option("--texts", is_flag=True, help="Erase the applicant's words, too.")
def erase(login: str, texts: bool) -> None:
    """Take one person out of all records; asks for the telephone, the name and the reason."""
    from jobs.office import finish_erasure
    from jobs.settings import load_settings
    from models.base import now, transaction
    from models.erasure import StillOpen, erase_person, find_mentions
    from models.personal import held_about, traces_of

    with open_database() as session:
        _supervisor(session, login)
        settings = load_settings()
        sought = _ask_whom(settings.profile.area_code)
        held = held_about(session, sought)
        if not held.anything:
            raise Refused("Nothing is held about this person.")
        reason = click.prompt("Why: who asked for it and when").strip()
        counts = f"{len(held.reports)} reports and records, {len(held.calls)} calls, {len(held.persons)} persons"
        counts += f", {len(held.files)} files"
        click.confirm(f"Erase this person from {counts}? It cannot be undone", abort=True)
        mentions, at = find_mentions(session, traces_of(session, held)), now()
        hashes = [file.sha256 for file in held.files]
        try:
            with transaction() as writing:
                user = _supervisor(writing, login)
                erase_person(writing, sought, user, reason, texts=texts, mentions=mentions, at=at)
        except StillOpen as still:
            raise Refused(
                f"{still}: their number is needed for the work. Erase after they are closed; nothing was changed."
            ) from None
        finish_erasure(settings, hashes, at)
    click.echo("Erased.")


def _ask_whom(area_code: str) -> "Sought":
    from models.personal import Sought
    from models.telephone import to_e164

    typed = click.prompt("Telephone (may be empty)", default="", show_default=False).strip()
    name = " ".join(click.prompt("Name (may be empty)", default="", show_default=False).split())
    number = to_e164(typed, area_code) if typed else None
    if typed and number is None:
        raise Refused("This number cannot be understood: write it as 067 123 45 67 or 5-32-73.")
    if not number and not name:
        raise Refused("Write a telephone, a name, or both.")
    return Sought(number, name)


def _supervisor(session: "Session", login: str) -> "User":
    from sqlalchemy import select

    from models.people import Role, User

    found = session.scalar(select(User).where(User.login == login, User.active, User.role == Role.SUPERVISOR))
    if found is None:
        raise Refused(f"There is no supervisor {login}: see contact-center user list.")
    return found
