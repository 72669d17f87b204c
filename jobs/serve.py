"""Start the whole service and stay until it is told to stop: what ``script/server`` runs."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from types import FrameType

from sqlalchemy import func, select

from jobs.app import bare_app
from jobs.database import DatabaseTrouble, prepare_database
from jobs.demo_town import DEMO_USERS, fill_demo_town
from jobs.heartbeat import read_beat
from jobs.pbx import PbxError, find_asterisk, render
from jobs.settings import Settings, SettingsError, load_settings
from jobs.supervise import write_configuration
from models.base import db
from models.people import User

READY_SECONDS = 90


def say(text: str) -> None:
    print(text, flush=True)


def check_ports_free(settings: Settings) -> None:
    """Raise `SettingsError` for a port that somebody else already listens on."""
    tcp = (("CC_WEB_PORT", settings.web_port), ("CC_AMI_PORT", settings.ami_port), ("CC_AGI_PORT", settings.agi_port))
    for name, port in tcp:
        _try_bind(name, port, settings.bind, socket.SOCK_STREAM)
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
    app = bare_app(settings)
    with app.app_context():
        say("database …")
        prepare_database(app)
        if settings.env == "demo" and not db.session.scalar(select(func.count(User.id))):
            say("demo town …")
            db.session.remove()
            fill_demo_town(app)
        render(db.session(), settings, asterisk)
        db.session.remove()
        db.engine.dispose()
    write_configuration(settings, asterisk)


def health(settings: Settings) -> dict:
    """What ``GET /health`` says; an empty dict while the web does not answer."""
    connection = http.client.HTTPConnection(settings.bind, settings.web_port, timeout=3)
    try:
        connection.request("GET", "/health")
        return json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError):
        return {}
    finally:
        connection.close()


def unwell(settings: Settings) -> list[dict]:
    """The parts that are not well; the web alone while it does not answer.

    In production the desk phones are not waited for: they stand on people's desks and may be switched off.
    """
    told = health(settings)
    if not told:
        return [{"part": "web", "todo": f"See {settings.var / 'log' / 'web.log'}."}]
    ignored = "phones" if settings.env == "production" else ""
    return [part for part in told["parts"] if not part["ok"] and part["part"] != ignored]


def wait_until_ready(settings: Settings, supervisord: subprocess.Popen) -> bool:
    """Wait until every part is well, saying what is still missing; False when one is not in time."""
    deadline = time.monotonic() + READY_SECONDS
    said = ""
    while time.monotonic() < deadline and supervisord.poll() is None:
        missing = unwell(settings)
        if not missing:
            return True
        waiting = ", ".join(part["part"] for part in missing)
        if waiting != said:
            said = waiting
            say(f"waiting for {waiting} …")
        time.sleep(0.2)
    for part in unwell(settings):
        say(f"{part['part']}: {part['todo']}")
    return False


def print_logins() -> None:
    say("Demo logins (demo only):")
    for login, password, name, role in DEMO_USERS:
        say(f"  {login:<14} {password:<14} {name} — {role}")


def stay(settings: Settings, supervisord: subprocess.Popen) -> int:
    """Wait for the end; a watchdog that hangs is killed here, so that somebody watches the watchdog."""
    while supervisord.poll() is None:
        time.sleep(1.0)
        beat = read_beat(settings.run_dir, "watchdog")
        if beat is not None and beat.age > 15 and os.path.exists(f"/proc/{beat.pid}"):
            os.kill(beat.pid, signal.SIGKILL)
    return supervisord.returncode


def main() -> int:
    try:
        settings = load_settings()
        prepare(settings)
    except (SettingsError, DatabaseTrouble, PbxError) as error:
        print(error, file=sys.stderr)
        return 1
    supervisord = subprocess.Popen(
        ["setpriv", "--pdeathsig", "TERM", "--", sys.executable, "-m", "supervisor.supervisord"]
        + ["-c", str(settings.run_dir / "supervisord.conf")]
    )

    def stop(_signal: int, _frame: FrameType | None) -> None:
        supervisord.terminate()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    if not wait_until_ready(settings, supervisord):
        if supervisord.poll() is None:
            supervisord.terminate()
            supervisord.wait()
            print(f"The service did not come up: see the files in {settings.var / 'log'}.", file=sys.stderr)
        return 1
    if settings.env == "demo":
        print_logins()
    say(f"READY http://{settings.bind}:{settings.web_port}")
    return stay(settings, supervisord)


if __name__ == "__main__":
    sys.exit(main())
