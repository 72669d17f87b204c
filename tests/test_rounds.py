"""The periodic jobs: each when it is due, none hindered by another, and a heartbeat that tells their trouble."""

import os
import subprocess
import sys
import threading
from dataclasses import replace

import pytest
from sqlalchemy.exc import OperationalError

from jobs.heartbeat import read_beat
from jobs.notify import Publisher
from jobs.rounds import BACKUPS, CALLS, JOBS, LONGEST, SPEECH, Job, Rounds, run, wake_when_lines_change
from jobs.supervise import parts
from jobs.watchdog import watches
from models.base import now
from tests.desk_fixtures import Site
from tests.helpers import eventually


def job(name, do, every=0.0, part="rounds"):
    return Job(name, every, lambda _app, _at: do() or "", part)


def broken():
    raise ValueError("a fault of ours")


def away():
    raise OperationalError("SELECT", {}, Exception("database is locked"))


def test_a_job_that_breaks_hinders_no_other_and_is_told(app):
    done = []
    rounds = Rounds(app, [job("broken", broken), job("mail", away, part="mail"), job("good", lambda: done.append(1))])
    for _ in range(2):
        rounds.run_due()
    assert len(done) == 2
    assert rounds.trouble("rounds") == "A periodic job breaks off, see the log of rounds (broken)."
    assert rounds.trouble("mail") == "The database does not answer: this work waits for it."


def test_a_job_waits_for_its_turn(app):
    done = []
    rounds = Rounds(
        app, [job("often", lambda: done.append("often")), job("seldom", lambda: done.append("seldom"), 3600)]
    )
    for _ in range(3):
        rounds.run_due()
    assert (done.count("often"), done.count("seldom")) == (3, 1)


def test_what_is_woken_is_done_at_once_and_once(app):
    done = []
    woken = replace(job("woken", lambda: done.append("woken"), 3600), woken=True)
    rounds = Rounds(app, [woken, job("other", lambda: done.append("other"), 3600)])
    rounds.run_due()
    rounds.wake()
    rounds.wait(600)
    rounds.run_due()
    rounds.run_due()
    assert (done.count("woken"), done.count("other")) == (2, 1)


def test_a_line_that_is_free_again_wakes_the_dialler(app, site):
    class Woken(Rounds):
        def wake(self):
            woken.set()

    woken, stop = threading.Event(), threading.Event()
    listening = (Woken(app, []), site.settings.redis_url, stop)
    thread = threading.Thread(target=wake_when_lines_change, args=listening, daemon=True)
    thread.start()
    publisher = Publisher(site.settings.redis_url)

    def wakes() -> bool:
        publisher.publish("call", 1)
        publisher.publish("board", 0)
        return woken.wait(0.1)

    eventually(wakes, "it is woken")
    stop.set()
    thread.join(20)
    assert not thread.is_alive()


def test_the_hearts_beat_while_a_job_works_and_stop_when_it_hangs(app, settings):
    release = threading.Event()
    rounds, stop = Rounds(app, [job("slow", lambda: release.wait(60) and "")]), threading.Event()
    thread = threading.Thread(target=run, args=([rounds], settings.run_dir, stop), daemon=True)
    thread.start()
    eventually(lambda: read_beat(settings.run_dir, "rounds"), "a beat while it works")
    assert not rounds.hangs()
    rounds.longest = 0.0
    assert rounds.hangs()
    stop.set()
    release.set()
    thread.join(20)
    assert not thread.is_alive()


def test_the_jobs_have_names_of_their_own_and_the_part_is_started_and_watched(settings):
    jobs = (*JOBS, *SPEECH, *CALLS, *BACKUPS)
    assert len({one.name for one in jobs}) == len(jobs)
    assert "rounds" in {watch.part for watch in watches(settings)}
    assert "rounds" in {part.name for part in parts(settings, _NoAsterisk())}
    assert LONGEST > 120  # as long as one round of letters may take


def test_what_was_spoken_long_ago_is_deleted(app, settings):
    """Streets of reports stand in it (A3)."""
    settings.sounds_dir.mkdir(parents=True)
    old, new = settings.sounds_dir / "old.wav", settings.sounds_dir / "new.wav"
    for sound in (old, new):
        sound.touch()
    os.utime(old, (0, 0))
    (speech,) = [one for one in SPEECH if one.name == "forgetting speech"]
    assert speech.run(app, now()) == ""
    assert (old.exists(), new.exists()) == (False, True)


class _NoAsterisk:
    def command(self, _settings, *_words):
        return ["asterisk"]


def test_one_round_by_hand(settings):
    environ = os.environ | {"CC_VAR": str(settings.var), "PATH": "/nowhere"}  # no voice: speaking takes its time
    ended = subprocess.run(
        [sys.executable, "-m", "jobs.rounds", "--once"], env=environ, capture_output=True, text=True, timeout=60
    )
    assert (ended.returncode, ended.stdout) == (0, "Done.\n"), ended.stderr


@pytest.mark.parametrize("redis_runs", [True, False])
def test_it_dials_beside_and_ends_when_it_is_told_to(redis_runs, settings):
    """Also while Redis is away."""
    site = Site(settings)
    if redis_runs:
        site.start_redis()
    environ = os.environ | {"CC_VAR": str(settings.var)}
    process = subprocess.Popen([sys.executable, "-m", "jobs.rounds"], env=environ, stderr=subprocess.DEVNULL)
    try:
        for part in ("rounds", "reconcile", "calls", "worker"):
            eventually(lambda part=part: read_beat(settings.run_dir, part), f"a beat of {part}", 30)
        assert read_beat(settings.run_dir, "worker").ok is redis_runs
        process.terminate()
        assert process.wait(20) == 0
    finally:
        process.kill()
        site.stop()
