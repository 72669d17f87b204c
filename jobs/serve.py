"""Start the whole service and stay until it is told to stop: what ``script/server`` runs."""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from types import FrameType

from jobs.heartbeat import read_beat
from jobs.settings import Settings, SettingsError, load_settings

READY_SECONDS = 90


def say(text: str) -> None:
    print(text, flush=True)


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
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 1
    prepared = subprocess.run([sys.executable, "-m", "jobs.prepare"], check=False)
    if prepared.returncode != 0:
        return prepared.returncode
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
    say(f"READY http://{settings.bind}:{settings.web_port}")
    return stay(settings, supervisord)


if __name__ == "__main__":
    sys.exit(main())
