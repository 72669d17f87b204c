"""The command line, ``contact-center``. Heavy modules are imported inside the commands, so that ``--help`` is quick."""

import errno
import json
import os
import sys

import click

from jobs.settings import SettingsError, demo_only, load_settings, shown
from webui.cli_backup import backup, restore
from webui.cli_calls import calls, reports
from webui.cli_organisations import organisations
from webui.cli_people import lines, phones, users
from webui.cli_personal import personal_data
from webui.cli_quarterly import write_quarterly
from webui.cli_tasks import tasks
from webui.cli_tools import Refused, as_json, print_rows

_FULL = (os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT))


@click.group()
@click.version_option(package_name="contact-center")
def cli() -> None:
    """The town's contact centre: people, lines, calls, reports, health."""


for command in (users, organisations, lines, phones, calls, tasks, reports, personal_data, backup, restore):
    cli.add_command(command)
reports.add_command(write_quarterly)


def main() -> None:
    """Run the command line. A known trouble is one sentence: exit status 2 for settings, 1 for all others."""
    try:
        cli(prog_name="contact-center")
    except SettingsError as error:
        _end(str(error), 2)
    except Exception as error:
        sentence = str(error) if isinstance(error, Refused) else _explain(error)
        if sentence is None:
            raise
        _end(sentence, 1)


def _end(sentence: str, status: int) -> None:
    click.echo(sentence, err=True)
    sys.exit(status)


def _explain(error: Exception) -> str | None:
    """The sentence for a trouble that people can mend; None for a fault of ours."""
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError, DBAPIError

    from jobs.archive import BackupTrouble
    from jobs.database import NO_ADDRESS, DatabaseTrouble, sentence
    from jobs.sipp import SipError

    if isinstance(error, BackupTrouble | DatabaseTrouble | SipError):
        return str(error)
    if isinstance(error, ArgumentError):
        return NO_ADDRESS
    if isinstance(error, DBAPIError):
        if "no such table" in str(error.orig) or getattr(error.orig, "sqlstate", None) == "42P01":
            return "The database has no tables yet: run contact-center database upgrade."
        return sentence(make_url(load_settings().database_url), error)
    if isinstance(error, OSError) and any(words in str(error) for words in _FULL):  # may name no file, or many
        return "The disk is full: free some space and try again."
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}. Let this user read and write it, or choose another CC_VAR."
    return None


@cli.command()
@as_json
def health(in_json: bool) -> None:
    """How every part is, and what to do; exit status 1 when something is not well."""
    from webui import create_app
    from webui import health as parts

    app = create_app()
    with app.test_request_context("/health"):
        answer = parts.as_json(parts.look(app))
    if in_json:
        click.echo(json.dumps(answer, ensure_ascii=False, indent=2))
    else:
        for part in answer["parts"]:
            mark, colour = ("✓", "green") if part["ok"] else ("✗", "red")
            click.secho(f"{mark} {part['part']:<10}", fg=colour, nl=False)
            click.echo(f" {part['detail']}")
            if not part["ok"]:
                click.echo(f"  {'':<10} → {part['todo']}")
    sys.exit(0 if answer["ok"] else 1)


@cli.group()
def database() -> None:
    """The database."""


@database.command()
def upgrade() -> None:
    """Bring the database forward to this program's version."""
    from jobs.app import bare_app
    from jobs.database import prepare_database

    click.echo(f"The database is at revision {prepare_database(bare_app())}.")


@cli.group()
def config() -> None:
    """The settings."""


@config.command()
@as_json
def check(in_json: bool) -> None:
    """Read the settings and print what is in force; one sentence and exit status 2 when one is wrong."""
    print_rows([{"setting": name, "value": value} for name, value in shown(load_settings()).items()], in_json)


@cli.group()
def demo() -> None:
    """The demo town and its telephones; refused in production."""


@demo.command()
def town() -> None:
    """Fill an empty database with the demo town, and print its logins."""
    from jobs.app import bare_app
    from jobs.database import prepare_database
    from jobs.demo_town import fill_demo_town
    from jobs.demo_users import DEMO_USERS

    settings = load_settings()
    demo_only(settings)
    app = bare_app(settings)
    prepare_database(app)
    fill_demo_town(app)
    print_rows([dict(zip(("login", "password", "name", "role"), row, strict=True)) for row in DEMO_USERS], False)


@demo.command("call")
@click.option("--from", "from_number", required=True, help="The citizen's number: 0671234567, or anonymous.")
@click.option("--to", "to_line", required=True, help="The line: 5-32-73.")
@click.option("--give-up", "patience", default=60.0, show_default=True, help="Seconds of ringing; 3: a missed call.")
def demo_call(from_number: str, to_line: str, patience: float) -> None:
    """Call a line as a citizen, over real SIP; exit status 0 when a person answered."""
    from jobs.demo_phones import place_call

    settings = load_settings()
    demo_only(settings)
    click.echo("Calling: look at the desk of whom the line rings for …")
    unanswered = place_call(settings, from_number, to_line, patience)
    click.echo("Nobody answered; the call is among the missed ones." if unanswered else "Answered, and ended.")
    sys.exit(unanswered)


@demo.command("phone")
@click.argument("name")
def demo_phone(name: str) -> None:
    """Be the desk phone NAME: register, ring, answer; until Ctrl-C."""
    from jobs.demo_phones import run_phone

    settings = load_settings()
    demo_only(settings)
    sys.exit(run_phone(settings, name))
