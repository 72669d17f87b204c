"""The demo town's telephones: desk phones that register and answer, and citizens who call. Real SIP, on loopback."""

import signal
import subprocess
import sys
import threading
from pathlib import Path

from sqlalchemy import select

from jobs.app import bare_app
from jobs.settings import Settings, demo_only, load_settings
from jobs.sipp import SipError, free_udp_port, register_phone, start_called, start_citizen, start_phone
from models.base import db
from models.calls import Call
from models.lines import find_line
from models.people import Phone

RING_SECONDS = 8  # time to see the call on the screen before the simulated hand lifts the receiver
TALK_SECONDS = 60  # who lifts and who calls: time to walk to the browser and fill in the form
CITIZEN_RINGS = 4  # seconds until a citizen who is called lifts the receiver
QUESTION_SECONDS = 14  # until the machine has asked
RENEW_SECONDS = 600


def place_call(settings: Settings, from_number: str, to_line: str, patience: float = 60.0) -> int:
    """Call ``to_line`` ("5-32-73") as a citizen with ``from_number`` ("anonymous" withholds it); wait for the end.

    The citizen gives up after ``patience`` seconds of ringing. Returns 0 when a person answered, 1 when nobody did
    (the database says so, as it does for every call). Raises `SipError` when no service runs, for a line that does
    not exist, and for a number that cannot be sent.
    """
    demo_only(settings)
    if not settings.supervisor_socket.exists():
        raise SipError(f"No service runs with CC_VAR={settings.var}: start script/server, or set CC_VAR as it has it.")
    digits = "".join(ch for ch in from_number if ch.isdigit() or ch == "+") or from_number
    if digits != "anonymous" and not digits.lstrip("+").isdecimal():
        raise SipError("Write the caller's number with --from, such as 0671234567, or anonymous.")
    app = bare_app(settings)
    with app.app_context():
        line = find_line(db.session(), to_line)
        if line is None:
            raise SipError(f"There is no line {to_line}: see contact-center line list.")
        line_id, extension = line.id, line.digits
    citizen = start_citizen(
        settings,
        settings.var / "demo" / "citizen",
        "-m",
        "1",
        caller=f"<sip:{digits}@127.0.0.2>",
        line=extension,
        patience_ms=int(patience * 1000),
        talk_ms=TALK_SECONDS * 1000,
    )
    try:
        citizen.wait(180)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        citizen.kill()
        citizen.wait()
    with app.app_context():
        newest = select(Call.answered_at).where(Call.line_id == line_id).order_by(Call.id.desc()).limit(1)
        return 0 if db.session.scalar(newest) else 1


class DemoCitizens:
    """The town's telephones, when we call them: somebody lifts the receiver, listens to the question and presses 1."""

    def __init__(self, settings: Settings) -> None:
        self._settings, self._folder = settings, settings.var / "demo" / "citizens"
        self._sipp: subprocess.Popen | None = None

    def keep(self) -> None:
        """Start what does not run."""
        if self._sipp is None or self._sipp.poll() is not None:
            self._sipp = start_called(
                self._settings, self._folder, ring_ms=CITIZEN_RINGS * 1000, talk_ms=TALK_SECONDS * 1000,
                keys=[(QUESTION_SECONDS * 1000, "1")],
            )  # fmt: skip

    def stop(self) -> None:
        if self._sipp is not None:
            self._sipp.kill()
            self._sipp.wait()


class DemoPhone:
    """One simulated desk phone: registered anew now and then, its SIPp restarted when it ends."""

    def __init__(self, settings: Settings, name: str, secret: str) -> None:
        self._settings, self._name, self._secret = settings, name, secret
        self._folder: Path = settings.var / "demo" / name
        self._port = free_udp_port()
        self._sipp: subprocess.Popen | None = None

    def keep(self) -> None:
        """Start what does not run and register again. Raises `SipError` when the exchange does not answer."""
        if self._sipp is None or self._sipp.poll() is not None:
            self._sipp = start_phone(
                self._settings, self._port, self._folder,
                ring_ms=RING_SECONDS * 1000, talk_ms=TALK_SECONDS * 1000,
            )  # fmt: skip
        register_phone(self._settings, self._name, self._secret, self._port, self._folder)

    def stop(self) -> None:
        if self._sipp is not None:
            self._sipp.kill()
            self._sipp.wait()


def run_phone(settings: Settings, name: str | None = None) -> int:
    """Be the desk phone ``name`` (all of them when None) until interrupted. Raises `SipError`, `SettingsError`."""
    demo_only(settings)
    with bare_app(settings).app_context():
        query = select(Phone.name, Phone.secret).where(Phone.active).order_by(Phone.name)
        rows = db.session.execute(query if name is None else query.where(Phone.name == name)).all()
        db.session.remove()
        db.engine.dispose()
    if not rows:
        raise SipError(f"There is no phone {name}: see contact-center phone list.")
    phones: list[DemoPhone | DemoCitizens] = [DemoPhone(settings, *row) for row in rows]
    if name is None:
        phones.append(DemoCitizens(settings))
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        while not stop.is_set():
            pause = RENEW_SECONDS
            for phone in phones:
                try:
                    phone.keep()
                except SipError as error:
                    print(error, file=sys.stderr, flush=True)
                    pause = 3  # the exchange may still be starting
            stop.wait(pause)
    finally:
        for phone in phones:
            phone.stop()
    return 0


if __name__ == "__main__":
    sys.exit(run_phone(load_settings()))
