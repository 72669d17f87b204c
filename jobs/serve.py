"""Start the whole service and stay until it is told to stop: what ``script/server`` runs."""

import fcntl
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from types import FrameType
from typing import IO

from jobs.heartbeat import read_beat
from jobs.settings import Settings, SettingsError, load_settings
from jobs.watchdog import Supervisor

READY_SECONDS = 90
PAUSE = 1.0  # seconds before supervisord is started again
TRY_AGAIN = 30.0  # seconds between two preparations while only the exchange runs
REFUSED = 2  # what the preparation ends with when nothing can be started with these settings


def say(text: str) -> None:
    print(text, flush=True)


def health(settings: Settings) -> dict:
    """What ``GET /health`` says; an empty dict while the web does not answer."""
    connection = http.client.HTTPConnection(settings.web_host, settings.web_port, timeout=3)
    try:
        connection.request("GET", "/health")
        return json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError):
        return {}
    finally:
        connection.close()


def unwell(settings: Settings) -> list[dict]:
    """The parts that are not well; the web alone while it does not answer.

    What a start cannot mend is not waited for: the gateway or provider, the backup of the coming night, and in
    production the desk phones, which may be switched off.
    """
    told = health(settings)
    if not told:
        return [{"part": "web", "todo": f"See {settings.var / 'log' / 'web.log'}."}]
    others = ("trunk", "backup", *(("phones",) if settings.env == "production" else ()))
    return [part for part in told["parts"] if not part["ok"] and part["part"] not in others]


def prepare(*arguments: str) -> tuple[int, str]:
    """Make everything ready (`jobs.prepare`); returns 0, `REFUSED` or another exit code, and what the trouble is."""
    done = subprocess.run(
        [sys.executable, "-m", "jobs.prepare", *arguments], stderr=subprocess.PIPE, text=True, check=False
    )
    return done.returncode, done.stderr.strip()


def has_rung(settings: Settings) -> bool:
    """Whether an exchange has run here before, whose files it can ring by: telephony fails open."""
    return all(
        path.exists() for path in (settings.supervisor_configuration, settings.pbx_dir / "etc" / "extensions.conf")
    )


class Service:
    """supervisord and with it all parts, until the service is told to stop.

    ``alone`` is Asterisk without the other parts, while the preparation is in trouble: it is tried again until it
    works, and the other parts are started then.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._supervisor = Supervisor(settings.supervisor_socket)
        self._supervisord: subprocess.Popen | None = None
        self._trouble = ""
        self._next_try = 0.0
        self.alone = False
        self.stopping = False

    @property
    def running(self) -> bool:
        return self._supervisord is not None and self._supervisord.poll() is None

    def start(self) -> None:
        self._supervisord = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", "--", sys.executable, "-m", "supervisor.supervisord"]
            + ["-c", str(self._settings.supervisor_configuration)],
            env=os.environ | {"CC_AUTOSTART": "false" if self.alone else "true"},
        )

    def ring_alone(self, trouble: str) -> None:
        """Start Asterisk with the files it has, and nothing else."""
        self.alone, self._trouble, self._next_try = True, trouble, time.monotonic() + TRY_AGAIN
        say(
            "Only the exchange is started: the telephones ring by the former dialplan. Mend what is said above; the "
            "rest starts within a minute after that, and the drafts are recovered from the CEL file."
        )
        self.start()

    def start_the_rest(self) -> None:
        """Prepare once more and, if that works now, start the parts that wait for it. The exchange runs on."""
        code, trouble = prepare("--again")
        if code == 0 and self._supervisor.start_all():
            self.alone = False
            announce(self._settings, self)
        elif trouble not in ("", self._trouble):
            say(trouble)
            self._trouble = trouble
        self._next_try = time.monotonic() + TRY_AGAIN

    def keep(self) -> None:
        """Start supervisord again whenever it has ended, until told to stop: its parts die with it, calls too."""
        while not self.stopping:
            if not self.running:
                say("The supervisor of the parts has ended and is started again: calls ring in a few seconds.")
                time.sleep(PAUSE)
                self.start()
            if self.alone and time.monotonic() >= self._next_try:
                self.start_the_rest()
            with suppress(OSError):
                watch_the_watchdog(self._settings, self._supervisor)
            time.sleep(0.5)

    def tell_to_stop(self, _signal: int, _frame: FrameType | None) -> None:
        self.stopping = True

    def stop(self) -> None:
        """End supervisord, which ends all parts first."""
        if self._supervisord is not None:
            self._supervisord.terminate()
            self._supervisord.wait()


def wait_until_ready(settings: Settings, service: Service) -> list[dict]:
    """Wait until every part is well, saying what is still missing; returns the parts that are not well in time."""
    deadline = time.monotonic() + READY_SECONDS
    said = ""
    while (missing := unwell(settings)) and time.monotonic() < deadline and service.running and not service.stopping:
        waiting = ", ".join(part["part"] for part in missing)
        if waiting != said:
            said = waiting
            say(f"waiting for {waiting} …")
        time.sleep(0.2)
    return missing


def announce(settings: Settings, service: Service) -> bool:
    """Say READY once all parts are well, or which are not; returns False when the exchange itself did not start."""
    missing = wait_until_ready(settings, service)
    if service.stopping:
        return True
    if not service.running:
        say(f"The supervisor of the parts does not run: see {settings.var / 'log' / 'supervisor.log'}.")
        return False
    for part in missing:
        say(f"not well: {part['part']}. {part['todo']}")
    if any(part["part"] == "asterisk" for part in missing):
        return False
    if missing:
        # telephony fails open: what is not well is tried again for ever, and the phones ring meanwhile
        say(f"The exchange runs without them; see the files in {settings.var / 'log'}.")
    else:
        say(f"READY http://{settings.web_host}:{settings.web_port}")
    return True


def watch_the_watchdog(settings: Settings, supervisor: Supervisor) -> None:
    """A watchdog that hangs is killed here, so that somebody watches the watchdog."""
    beat = read_beat(settings.run_dir, "watchdog")
    process = supervisor.process("watchdog")
    if beat is not None and process is not None and beat.pid == process[0] and beat.age > 15:
        os.kill(process[0], signal.SIGKILL)


def lock_folder(settings: Settings) -> IO[str]:
    """Take ``CC_VAR`` for this copy for as long as it runs; returns the file that holds the lock.

    A second copy would write its own ports into the files of the first. Raises `SettingsError` when one runs already.
    """
    settings.run_dir.mkdir(parents=True, exist_ok=True)
    lock = (settings.run_dir / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise SettingsError(
            f"Another copy runs with CC_VAR={settings.var}: stop it, or choose another folder."
        ) from None
    return lock


def main() -> int:
    os.umask(0o027)  # what is written here is personal data
    socket.setdefaulttimeout(5.0)
    try:
        settings = load_settings()
        lock = lock_folder(settings)
    except (SettingsError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    with lock:
        service = Service(settings)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, service.tell_to_stop)
        say(f"data in {settings.var} …")
        code, trouble = prepare()
        if service.stopping:
            return 0
        if code != 0:
            print(trouble, file=sys.stderr, flush=True)
            if code == REFUSED or settings.env == "demo" or not has_rung(settings):
                return 1
        try:
            if code != 0:
                service.ring_alone(trouble)
            else:
                service.start()
                if not announce(settings, service):
                    return 1
            service.keep()
        finally:
            service.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
