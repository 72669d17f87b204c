"""Make everything ready to be started: ``python -m jobs.prepare``, a process of its own that leaves no memory behind.

Checks settings and ports, finds Asterisk, brings the database up to date, fills an empty demo, and writes the files
that Asterisk and supervisord read. A trouble is one sentence. Exit code `REFUSED`: nothing can run with these settings
on this machine. Exit code 1: the trouble lies with the data, and an exchange that has files already could ring by them.

``--again`` is for that exchange: it runs meanwhile, and is told to read its new files.
"""

import argparse
import socket
import subprocess
import sys

from sqlalchemy import func, make_url, select
from sqlalchemy.exc import DBAPIError

from jobs.app import bare_app
from jobs.database import DatabaseTrouble, check_url, prepare_database, sentence
from jobs.demo_town import fill_demo_town
from jobs.demo_users import DEMO_USERS
from jobs.pbx import Asterisk, PbxError, check_account, find_asterisk, render
from jobs.serve import REFUSED, say
from jobs.settings import Settings, SettingsError, load_settings
from jobs.supervise import write_configuration
from jobs.trial import clear
from models.base import db, now, transaction
from models.people import User
from models.plan_acts import note_present, roll_back_broken_off


def check_ports_free(settings: Settings, *, exchange_runs: bool = False) -> None:
    """Raise `SettingsError` for a port that somebody else already listens on; our exchange's own are left out when it
    runs."""
    _try_bind("CC_WEB_PORT", settings.web_port, settings.web_host, socket.SOCK_STREAM)
    _try_bind("CC_AGI_PORT", settings.agi_port, "127.0.0.1", socket.SOCK_STREAM)
    if not exchange_runs:
        _try_bind("CC_AMI_PORT", settings.ami_port, "127.0.0.1", socket.SOCK_STREAM)
        _try_bind("CC_SIP_PORT", settings.sip_port, settings.bind, socket.SOCK_DGRAM)


def _try_bind(name: str, port: int, host: str, kind: socket.SocketKind) -> None:
    with socket.socket(socket.AF_INET, kind) as probe:
        if kind == socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise SettingsError(
                f"Port {port} on {host} cannot be used ({error.strerror}): stop what uses it, or set {name} to another."
            ) from error


def check_machine(settings: Settings, *, exchange_runs: bool) -> Asterisk:
    """What must be right before anything can start; returns the Asterisk to use.

    Raises `SettingsError` or `PbxError`; nothing is written then.
    """
    check_ports_free(settings, exchange_runs=exchange_runs)
    check_url(settings.database_url)
    asterisk = find_asterisk()
    check_account(settings)
    return asterisk


def prepare(settings: Settings, asterisk: Asterisk) -> None:
    """Bring the database up to date, fill an empty demo, write what supervisord and Asterisk read.

    Raises `SettingsError` for damaged secrets, `DatabaseTrouble`, `PbxError` for what cannot stand in a configuration,
    and `OSError`. Asterisk's files are as they were then.
    """
    write_configuration(settings, asterisk)
    clear(settings, asterisk)
    app = bare_app(settings)
    with app.app_context():
        prepare_database(app)
        try:
            if settings.env == "demo" and not db.session.scalar(select(func.count(User.id))):
                say("demo town …")
                db.session.remove()
                fill_demo_town(app)
            with transaction() as session:
                note_present(session, None, now())
                roll_back_broken_off(session, now())
            render(db.session(), settings, asterisk)
        except DBAPIError as error:
            raise DatabaseTrouble(sentence(make_url(settings.database_url), error)) from error
        finally:
            db.session.remove()
            db.engine.dispose()


def print_logins() -> None:
    say("Demo logins (demo only):")
    for login, password, name, role in DEMO_USERS:
        say(f"  {login:<14} {password:<14} {name} — {role}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m jobs.prepare", description=__doc__.splitlines()[0])
    parser.add_argument("--again", action="store_true", help="the exchange runs already")
    again = parser.parse_args().again
    try:
        settings = load_settings()
        asterisk = check_machine(settings, exchange_runs=again)
    except (SettingsError, PbxError) as error:
        print(error, file=sys.stderr)
        return REFUSED
    try:
        prepare(settings, asterisk)
    except (SettingsError, DatabaseTrouble, PbxError) as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(
            f"{error.filename or settings.var} cannot be written ({error.strerror}): free some space there, or let "
            "this user write to it.",
            file=sys.stderr,
        )
        return 1
    if again:
        subprocess.run(asterisk.command(settings, "-rx", "core reload"), capture_output=True, timeout=30, check=False)
    if settings.env == "demo":
        print_logins()
    return 0


if __name__ == "__main__":
    sys.exit(main())
