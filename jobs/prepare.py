"""Make everything ready to be started: ``python -m jobs.prepare``, a process of its own that leaves no memory behind.

Checks the ports, finds Asterisk, brings the database up to date, fills an empty demo, and writes the files that
Asterisk and supervisord read. A trouble is one sentence and exit code 1, before anything was started.
"""

import socket
import sys

from sqlalchemy import func, select

from jobs.app import bare_app
from jobs.database import DatabaseTrouble, prepare_database
from jobs.demo_town import DEMO_USERS, fill_demo_town
from jobs.pbx import PbxError, check_account, find_asterisk, render
from jobs.settings import Settings, SettingsError, load_settings
from jobs.supervise import write_configuration
from models.base import db
from models.people import User


def say(text: str) -> None:
    print(text, flush=True)


def check_ports_free(settings: Settings) -> None:
    """Raise `SettingsError` for a port that somebody else already listens on."""
    for name, host, port in (
        ("CC_WEB_PORT", settings.web_host, settings.web_port),
        ("CC_AMI_PORT", "127.0.0.1", settings.ami_port),
        ("CC_AGI_PORT", "127.0.0.1", settings.agi_port),
    ):
        _try_bind(name, port, host, socket.SOCK_STREAM)
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


def prepare(settings: Settings) -> None:
    """Bring the database up to date, fill an empty demo, write what Asterisk and supervisord read.

    Raises `SettingsError`, `DatabaseTrouble` or `PbxError` before anything is started.
    """
    check_ports_free(settings)
    asterisk = find_asterisk()
    check_account(settings)
    app = bare_app(settings)
    with app.app_context():
        say(f"data in {settings.var} …")
        prepare_database(app)
        if settings.env == "demo" and not db.session.scalar(select(func.count(User.id))):
            say("demo town …")
            db.session.remove()
            fill_demo_town(app)
        render(db.session(), settings, asterisk)
        db.session.remove()
        db.engine.dispose()
    write_configuration(settings, asterisk)
    if settings.env == "demo":
        print_logins()


def print_logins() -> None:
    say("Demo logins (demo only):")
    for login, password, name, role in DEMO_USERS:
        say(f"  {login:<14} {password:<14} {name} — {role}")


def main() -> int:
    try:
        prepare(load_settings())
    except (SettingsError, DatabaseTrouble, PbxError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
