"""``python -m jobs.rounds [--once]``: what is to be done again and again, as `JOBS` and `CALLS` name it.

Each job converges: it looks in the database for what is due and not done, so that a break of any length is made up for,
and it may be broken off, or run by two processes at once, at any moment. What the calls need runs beside the rest,
so that a slow mail server delays no draft; in the main thread runs the dialler (`jobs.worker`).
"""

import argparse
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from flask import Flask

from jobs.app import bare_app
from jobs.apply_plan import Applier
from jobs.calling import Lost, make_tasks, plan_machine_calls
from jobs.daily_backup import back_up_daily
from jobs.heartbeat import Heart
from jobs.logs import write_log
from jobs.mail import send_letters
from jobs.notify import read_events
from jobs.office import clear_store, end_terms, forget_speech, prepare_quarterly_reports
from jobs.reconcile import Reconciler
from jobs.remarks import keep_remarks
from jobs.settings import Settings, SettingsError
from jobs.speech import speak_hours, speak_outages, speak_prompts
from jobs.warn import warn_of_deadlines, warn_of_emergencies
from jobs.worker import work
from models.base import database_is_away, now

RECONCILE_SECONDS = 30.0
SOON = 3.0  # seconds until the next try when the database was away
LONGEST = 300.0  # seconds: a job that takes longer hangs, and the watchdog ends us
LONGEST_BACKUP = 6 * 3600.0  # seconds: of many photos, to a slow disk in the network
_STOPPING = 5.0  # seconds that the job under way gets to finish

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """Something to be done every so many seconds. ``run`` returns its trouble in one sentence, "" when all is well.

    ``part`` is the part of the service that is unwell then; ``woken``: `Rounds.wake` makes it due.
    """

    name: str
    every: float
    run: Callable[[Flask, datetime], str]
    part: str = "rounds"
    woken: bool = False


JOBS = (
    Job("emergencies", 5.0, warn_of_emergencies),
    Job("warnings", 60.0, warn_of_deadlines),
    Job("mail", 10.0, send_letters, part="mail"),
    Job("quarterly", 600.0, prepare_quarterly_reports),
    Job("terms", 6 * 3600.0, end_terms),
    Job("remarks", 5.0, keep_remarks),
    Job("files", 3600.0, clear_store),
)

# a program that speaks may hang
SPEECH = (
    Job("speaking of outages", 5.0, speak_outages),
    Job("speaking of hours", 5.0, speak_hours),
    Job("speaking prompts", 60.0, speak_prompts),
    Job("forgetting speech", 6 * 3600.0, forget_speech),
)

CALLS = (
    Job("tasks", 3.0, make_tasks, part="calls"),
    Job("machine calls", 1.0, plan_machine_calls, part="calls", woken=True),
)


def applying(applier: Applier) -> Job:
    return Job("plan", 1.0, lambda _app, at: applier.look(at), part="plan")


BACKUPS = (Job("backup", 60.0, back_up_daily, part="backup"),)


def losing(lost: Lost) -> Job:
    return Job("lost calls", 5.0, lambda _app, at: lost.find(at) or "", part="reconcile")


def reconciling(reconciler: Reconciler) -> Job:
    return Job("reconcile", RECONCILE_SECONDS, lambda _app, _at: reconciler.catch_up(), part="reconcile")


class Rounds:
    """Does each job when it is due, one after the other."""

    def __init__(self, app: Flask, jobs: Sequence[Job] = JOBS, longest: float = LONGEST) -> None:
        self._app, self._jobs = app, jobs
        self.longest = longest  # seconds that a job may take
        self._due = dict.fromkeys((job.name for job in jobs), time.monotonic())
        self._troubles: dict[str, str] = {}
        self._begun: float | None = None  # when the job under way began
        self._woken = threading.Event()

    def wake(self) -> None:
        """What is woken is due now, and whoever is in `wait` goes on."""
        self._woken.set()

    def wait(self, seconds: float) -> None:
        """Wait so long, or until `wake` is called."""
        self._woken.wait(seconds)

    def run_due(self) -> None:
        """Do what is due; one job's trouble or fault hinders no other."""
        if woken := self._woken.is_set():
            self._woken.clear()
        for job in self._jobs:
            if (woken and job.woken) or time.monotonic() >= self._due[job.name]:
                self._begun = time.monotonic()
                self._troubles[job.name], wait = self._run(job)
                self._begun = None
                self._due[job.name] = time.monotonic() + wait

    def hangs(self) -> bool:
        """Whether the job under way takes longer than any should."""
        begun = self._begun
        return begun is not None and time.monotonic() - begun > self.longest

    def trouble(self, part: str) -> str:
        """The first trouble of this part's jobs."""
        return next((found for job in self._jobs if job.part == part and (found := self._troubles.get(job.name))), "")

    @property
    def parts(self) -> list[str]:
        return list(dict.fromkeys(job.part for job in self._jobs))

    def _run(self, job: Job) -> tuple[str, float]:
        """Do the job: its trouble, and the seconds until it is due again."""
        wait = job.every
        try:
            detail = job.run(self._app, now())
        except Exception as error:
            if not database_is_away(error):
                log.exception("the job %s broke off", job.name)
                return f"A periodic job breaks off, see the log of rounds ({job.name}).", wait
            wait = min(wait, SOON)
            detail = "The database does not answer: this work waits for it."
        if detail:
            log.warning("%s: %s", job.name, detail)
        return detail, wait


def run(side_by_side: Sequence[Rounds], run_dir: Path, stop: threading.Event) -> bool:
    """Go on until ``stop`` is set, and say every second which parts live; whether that was the reason to end."""
    hearts = {part: Heart(run_dir, part) for rounds in side_by_side for part in rounds.parts}

    def go_round(rounds: Rounds) -> None:
        while not stop.is_set():
            rounds.run_due()
            rounds.wait(1.0)

    workers = [threading.Thread(target=go_round, args=(rounds,), daemon=True) for rounds in side_by_side]
    for worker in workers:
        worker.start()
    while all(worker.is_alive() for worker in workers) and not stop.wait(1.0):
        for part, heart in hearts.items():
            of_part = [rounds for rounds in side_by_side if part in rounds.parts]
            if not any(rounds.hangs() for rounds in of_part):
                trouble = next((found for rounds in of_part if (found := rounds.trouble(part))), "")
                heart.beat(not trouble, trouble)
    for rounds in side_by_side:
        rounds.wake()
    for worker in workers:
        worker.join(_STOPPING)
    return stop.is_set()


def wake_when_lines_change(rounds: Rounds, redis_url: str, stop: threading.Event) -> None:
    """The end of one call of ours frees the line for the next: it need not wait for the next second."""
    for happened in read_events(redis_url, stop):
        if any(kind == "board" for _id, kind, _row in happened):
            rounds.wake()


def run_beside_the_dialler(app: Flask, calls: Rounds, others: Sequence[Rounds]) -> int:
    """Go on until SIGTERM, and dial meanwhile; the exit status."""
    settings: Settings = app.config["SETTINGS"]
    stop, ended = threading.Event(), threading.Event()

    def go_on() -> None:
        if not run((calls, *others), settings.run_dir, stop):
            log.error("the periodic jobs have ended: all starts anew")
            ended.set()
            os.kill(os.getpid(), signal.SIGTERM)

    beside = threading.Thread(target=go_on, daemon=True)
    beside.start()
    listening = (calls, settings.redis_url, stop)
    threading.Thread(target=wake_when_lines_change, args=listening, daemon=True).start()
    try:
        with app.app_context():
            work(settings, Heart(settings.run_dir, "worker"))
    finally:
        stop.set()
        beside.join(_STOPPING + 1)
    return 1 if ended.is_set() else 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m jobs.rounds", description=__doc__.splitlines()[0])
    parser.add_argument("--once", action="store_true", help="do each of JOBS and SPEECH once, then leave")
    wanted = parser.parse_args()
    write_log()
    try:
        app = bare_app(lock_seconds=5.0)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    rounds = Rounds(app, JOBS + SPEECH if wanted.once else JOBS)
    if wanted.once:
        rounds.run_due()
        troubles = [trouble for part in rounds.parts if (trouble := rounds.trouble(part))]
        print("\n".join(troubles) or "Done.", file=sys.stderr if troubles else sys.stdout)
        return 1 if troubles else 0
    reconciler = Reconciler(app)
    comparing = Rounds(app, (reconciling(reconciler), losing(Lost(app, reconciler))))
    plans = Rounds(app, (applying(Applier(app)),))
    backups = Rounds(app, BACKUPS, LONGEST_BACKUP)
    side_by_side = (rounds, comparing, plans, backups, Rounds(app, SPEECH))
    return run_beside_the_dialler(app, Rounds(app, CALLS), side_by_side)


if __name__ == "__main__":
    sys.exit(main())
