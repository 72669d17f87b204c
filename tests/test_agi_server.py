"""The FastAGI server as the supervisor starts it, its bounds, and the bounds of its work."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from agi.channel import HungUp
from agi.database import Work, Workers
from agi.remark import SILENCE
from agi.server import SCRIPTS, AgiServer, Script
from jobs.app import bare_app
from jobs.heartbeat import read_beat
from jobs.settings import Settings
from models.base import db, now
from models.calls import Call
from models.intake import Began
from models.plan import DUTY_SECONDS, MESSAGE_SECONDS, TRIED_AGAIN_SECONDS
from models.plan_checks import LONGEST
from models.plan_versions import STILL_RUNG
from tests.agi_fixtures import Asterisk, call, environment, fill_town
from tests.helpers import eventually, free_port

PING = b"agi_network_script: ping\n\n"
SOON = 60.0


class Process:
    """``python -m agi.server`` on a site of its own."""

    def __init__(self, settings: Settings, **environ: str) -> None:
        self.port = settings.agi_port
        self.log = settings.var / "agi.log"
        own = {
            "CC_VAR": str(settings.var),
            "CC_WEB_PORT": str(settings.web_port),
            "CC_AMI_PORT": str(settings.ami_port),
            "CC_AGI_PORT": str(settings.agi_port),
        }
        others = {name: value for name, value in os.environ.items() if not name.startswith("CC_")}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "agi.server"], env=others | own | environ, stderr=log, stdout=log
            )

    def ready(self) -> "Process":
        eventually(lambda: ping(self.port) == "pong", f"the server answers: {self.said()}")
        return self

    def said(self) -> str:
        return self.log.read_text()

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(SOON)


def ping(port: int) -> str:
    try:
        talk = Asterisk(port, PING)
    except ConnectionError:
        return ""
    answer = talk.command()
    assert not answer or talk.command() == "", "the server closes after its answer"
    talk.close()
    return answer


def rings(port: int) -> None:
    """Call, and again if this machine was too busy for the deadline: the same call has one draft all the same."""
    eventually(lambda: call(port).get("CC_ROUTE"), "the call rings by its ring order")


def drafts(settings: Settings) -> int:
    with sqlite3.connect(settings.var / "contact-center.sqlite3") as database:
        count = database.execute("SELECT count(*) FROM reports WHERE state = 'draft'").fetchone()[0]
    database.close()
    return count


@pytest.fixture
def town(app: Flask, settings: Settings) -> Settings:
    """A site with lines and phones."""
    fill_town()
    db.engine.dispose()
    return settings


@pytest.fixture
def server(town: Settings) -> Iterator[Process]:
    server = Process(town).ready()
    yield server
    if server.process.poll() is None:
        server.process.kill()
        server.process.wait(SOON)


# ---- the process


def test_first_call_rings_and_has_its_draft(server: Process, town: Settings) -> None:
    """I1, I2"""
    rings(server.port)
    eventually(lambda: drafts(town) == 1, "the draft is written")


def test_nothing_personal_is_logged(server: Process, town: Settings) -> None:
    call(server.port, number="0671234567", name="Олена")
    eventually(lambda: drafts(town) == 1, "the draft is written")
    assert server.end() == 0
    assert "Listening" in server.said()
    assert "Stopped." in server.said()
    for secret in ("671234567", "Олена"):
        assert secret not in server.said()


def test_it_listens_on_the_loopback_address_alone(server: Process) -> None:
    listening = Path("/proc/net/tcp").read_text()
    wanted = f"0100007F:{server.port:04X} 00000000:0000 0A"
    assert wanted in listening
    assert f"00000000:{server.port:04X} 00000000:0000 0A" not in listening


def test_heart_beats_every_second(server: Process, town: Settings) -> None:
    def beat() -> float:
        found = read_beat(town.run_dir, "agi")
        return found.at if found and found.ok and found.pid == server.process.pid else 0.0

    eventually(beat, "the first beat")
    first = beat()
    eventually(lambda: beat() > first, "the next beat")


def test_heart_tells_of_a_database_that_takes_no_drafts_and_of_its_return(server: Process, town: Settings) -> None:
    lock = sqlite3.connect(town.var / "contact-center.sqlite3", isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    rings(server.port)
    eventually(
        lambda: "database is locked" in read_beat(town.run_dir, "agi").detail, "the heart says that something is wrong"
    )
    assert not read_beat(town.run_dir, "agi").ok
    assert ping(server.port) == "pong"
    lock.execute("ROLLBACK")
    lock.close()
    eventually(lambda: read_beat(town.run_dir, "agi").ok, "the heart says that all is well")
    assert drafts(town) == 1


def test_heart_finds_out_by_itself_that_the_database_is_back(town: Settings) -> None:
    path = town.var / "elsewhere" / "x.sqlite3"
    server = Process(town, CC_DATABASE_URL=f"sqlite:///{path}").ready()
    try:
        assert call(server.port, uniqueid="") == {}
        eventually(lambda: not read_beat(town.run_dir, "agi").ok, "the heart says that something is wrong")
        path.parent.mkdir()
        (town.var / "contact-center.sqlite3").rename(path)
        eventually(lambda: read_beat(town.run_dir, "agi").ok, "the heart says that all is well")
    finally:
        assert server.end() == 0


def test_sigterm_in_the_middle_of_a_call_keeps_its_draft(server: Process, town: Settings) -> None:
    talk = Asterisk(server.port, environment())
    assert talk.command()
    assert server.end() == 0
    assert drafts(town) == 1
    talk.close()


def test_sigterm_ends_a_server_whose_database_is_locked(server: Process, town: Settings) -> None:
    lock = sqlite3.connect(town.var / "contact-center.sqlite3", isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    rings(server.port)
    assert server.end() == 0
    lock.close()


def test_sigterm_ends_a_server_with_a_silent_peer(server: Process) -> None:
    with socket.create_connection(("127.0.0.1", server.port)):
        assert server.end() == 0


def test_port_is_free_again_at_once(server: Process, town: Settings) -> None:
    call(server.port)
    assert server.end() == 0
    again = Process(town).ready()
    assert again.end() == 0


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        ({"CC_AGI_PORT": "x"}, "CC_AGI_PORT is 'x': write a port number between 1 and 65535."),
        ({"CC_PROFILE": "kyiv"}, "CC_PROFILE is 'kyiv': write one of romny, slavutych."),
        ({"CC_VAR": "/proc/nothing"}, "/proc/nothing (CC_VAR) cannot be used"),
    ],
)
def test_wrong_setting_is_one_sentence(settings: Settings, environ: dict[str, str], sentence: str) -> None:
    server = Process(settings, **environ)
    assert server.process.wait(SOON) == 1
    assert server.said().startswith(sentence)
    assert server.said().count("\n") == 1


def test_taken_port_is_one_sentence(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", settings.agi_port)):
        server = Process(settings)
        assert server.process.wait(SOON) == 1
    (sentence,) = [line for line in server.said().splitlines() if "jobs.notify" not in line]
    assert sentence == (
        f"Port {settings.agi_port} (CC_AGI_PORT) is taken: stop the program that listens there, or choose another port."
    )


def test_it_starts_without_a_database(settings: Settings) -> None:
    (settings.var / "contact-center.sqlite3").unlink()
    missing = settings.var / "missing" / "x.sqlite3"
    server = Process(settings, CC_DATABASE_URL=f"sqlite:///{missing}").ready()
    assert call(server.port) == {}
    assert server.end() == 0
    assert "Started without a database (unable to open database file)" in server.said()
    assert "Traceback" not in server.said()


# ---- bounds of the server


@pytest.fixture
def work(app: Flask) -> Iterator[Work]:
    work = Work(app)
    yield work
    work.finish(time.monotonic() + SOON)


def test_ping_needs_no_database(settings: Settings, work: Work) -> None:
    lock = sqlite3.connect(settings.var / "contact-center.sqlite3", isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    for number in range(3000):
        work.tell(Began(f"call{number}", "", "", "", now()))
    port = free_port()
    server = AgiServer(port, work, deadline=SOON)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    assert ping(port) == "pong"
    lock.close()
    server.finish(time.monotonic() + SOON)


def test_running_call_is_finished_and_no_other_accepted(app: Flask, work: Work) -> None:
    fill_town()
    port = free_port()
    server = AgiServer(port, work, deadline=SOON)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    talk = Asterisk(port, environment())
    assert "CC_ROUTE" in talk.command()
    finishing = threading.Thread(target=server.finish, args=(time.monotonic() + SOON,))
    finishing.start()
    eventually(lambda: ping(port) == "", "the port is closed")
    talk.say(b"200 result=1\n")
    assert talk.command() == ""
    finishing.join(SOON)
    assert not finishing.is_alive()


def test_connections_above_the_limit_are_closed_at_once(work: Work, caplog: pytest.LogCaptureFixture) -> None:
    port = free_port()
    server = AgiServer(port, work, connections=3, deadline=SOON)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    silent = [Asterisk(port) for _ in range(3)]
    assert ping_or_nothing(port) == ""
    assert "3 calls at once" in caplog.text
    silent[0].close()
    eventually(lambda: ping_or_nothing(port) == "pong", "a place becomes free")
    for talk in silent[1:]:
        talk.close()
    server.finish(time.monotonic() + SOON)


def ping_or_nothing(port: int) -> str:
    try:
        return ping(port)
    except OSError:
        return ""


def test_unknown_script_is_closed_and_logged_once(work: Work, caplog: pytest.LogCaptureFixture) -> None:
    port = free_port()
    server = AgiServer(port, work, deadline=SOON)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    for _ in range(3):
        assert call(port, script="outbound") == {}
    server.finish(time.monotonic() + SOON)
    assert caplog.text.count("There is no AGI script 'outbound'") == 1


@pytest.mark.parametrize(
    ("broken", "said"), [(PermissionError("0671234567"), ["A script ended early: PermissionError"]), (HungUp(), [])]
)
def test_a_trouble_of_a_script_is_logged_and_a_caller_who_left_is_none(
    work: Work, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, broken: Exception, said: list[str]
) -> None:
    """Promise 1: the dialplan rings either way."""

    def fail(*_any: object) -> None:
        raise broken

    monkeypatch.setitem(SCRIPTS, "inbound", Script(fail))
    port = free_port()
    server = AgiServer(port, work, deadline=SOON)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    assert call(port) == {}
    server.finish(time.monotonic() + SOON)
    assert caplog.messages == said


def test_a_phone_that_leaves_the_plan_stays_for_the_longest_way_of_a_call() -> None:
    """An outage, the hours, the duty phone, a message from which the script is cut off, busy phones, a ring order."""
    told, hours = SCRIPTS["outage"].seconds, SCRIPTS["out_of_hours"].seconds
    message = hours + MESSAGE_SECONDS + SILENCE
    longest = told + hours + DUTY_SECONDS + message + TRIED_AGAIN_SECONDS + LONGEST
    assert longest < STILL_RUNG.total_seconds() < longest + 60


# ---- bounds of the work


def test_waiting_writes_are_bounded_and_hold_up_no_read(settings: Settings, app: Flask) -> None:
    lock = sqlite3.connect(settings.var / "contact-center.sqlite3", isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    work = Work(app, readers=1, writes=2)
    first, second, skipped = (work.tell(Began(f"call{number}", "", "", "", now())) for number in range(3))
    assert skipped.done()
    assert not first.done()
    assert work.read(lambda: "ring order", time.monotonic() + SOON) == "ring order"
    lock.execute("ROLLBACK")
    lock.close()
    second.result(SOON)
    assert work.finish(time.monotonic() + SOON) == 0
    assert db.session.scalars(select(Call.uniqueid).order_by(Call.id)).all() == ["call0", "call1"]


def test_trouble_with_writing_is_told_while_it_lasts(settings: Settings, app: Flask) -> None:
    lock = sqlite3.connect(settings.var / "contact-center.sqlite3", isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    work = Work(bare_app(settings, lock_seconds=0.01))
    written = work.tell(Began("call", "", "", "", now()))
    eventually(lambda: "database is locked" in work.trouble, "the trouble is told")
    lock.close()
    written.result(SOON)
    assert work.trouble == ""
    assert work.finish(time.monotonic() + SOON) == 0


def test_reads_that_nobody_waits_for_any_more_are_not_done(app: Flask) -> None:
    work = Work(app, readers=1, reads=5)
    held, done = threading.Event(), []
    assert work.read(lambda: held.wait(SOON), time.monotonic() + 0.05) is None
    for _ in range(5):
        assert work.read(lambda: done.append("late"), time.monotonic()) is None
    assert work.read(lambda: done.append("too many"), time.monotonic() + SOON) is None
    assert "Too many calls" in work.trouble
    held.set()
    eventually(lambda: work.read(lambda: "ring order", time.monotonic() + SOON), "reading goes on")
    assert done == []
    assert work.trouble == ""
    work.finish(time.monotonic() + SOON)


def test_trouble_that_comes_and_goes_is_logged_once(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    work = Work(app, readers=1)
    for _ in range(20):
        assert work.read(lambda: 1 / 0, time.monotonic() + SOON) is None
        assert work.trouble
        assert work.read(lambda: 1, time.monotonic() + SOON) == 1
        assert not work.trouble
    assert caplog.text.count("The database cannot be read (ZeroDivisionError)") == 1
    assert caplog.text.count("The database answers again.") == 1
    work.finish(time.monotonic() + SOON)


def test_threads_end_when_they_are_told(app: Flask) -> None:
    before = set(threading.enumerate())
    workers = Workers("short-lived", 3, 10)
    result = workers.submit(lambda: 7)
    workers.stop()
    assert result.result(SOON) == 7
    eventually(lambda: set(threading.enumerate()) <= before, "the threads end")


def test_each_job_has_a_session_of_its_own(app: Flask) -> None:
    work = Work(app, readers=1)
    seen = [work.read(db.session, time.monotonic() + SOON) for _ in range(2)]
    assert seen[0] is not seen[1]
    work.finish(time.monotonic() + SOON)
