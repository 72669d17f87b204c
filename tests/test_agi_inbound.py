"""A citizen calls: the ring order reaches the dialplan and the draft the database, whatever happens to either."""

import logging
import shutil
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select

from agi.database import Work
from agi.inbound import ROUTE, rehearse
from agi.server import AgiServer
from jobs.app import bare_app
from jobs.settings import Settings
from models.base import db, transaction
from models.calls import Call
from models.lines import Line, RingStep
from models.people import Phone
from models.reports import HistoryRow, Report, ReportState
from tests.agi_fixtures import Asterisk, call, environment, fill_town
from tests.helpers import eventually, free_port

UNHURRIED = 60.0  # a deadline for tests in which nothing may be late, however busy the machine is
RING_ORDER = {ROUTE: "PJSIP/admin1,20,i:PJSIP/admin2&PJSIP/admin3,25,i"}


@contextmanager
def serving(app: Flask, **how: float) -> Iterator[int]:
    """An AGI server for ``app``; its port. Ends with no conversation and no thread left."""
    port = free_port()
    work = Work(app)
    server = AgiServer(port, work, **({"deadline": UNHURRIED} | how))
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield port
    finally:
        server.finish(time.monotonic() + 5)
        work.finish(time.monotonic() + 5)
    eventually(lambda: not conversations(), "all conversations end")


def conversations() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "agi-call"]


@pytest.fixture
def town(app: Flask) -> Flask:
    """The application on a database with lines and phones."""
    fill_town()
    return app


@pytest.fixture
def port(town: Flask) -> Iterator[int]:
    with serving(town) as port:
        yield port


def calls() -> list[Call]:
    db.session.rollback()
    return list(db.session.scalars(select(Call).order_by(Call.id).execution_options(populate_existing=True)))


def drafts() -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count(Report.id)).where(Report.state == ReportState.DRAFT))


# ---- all is well


def test_ring_order_is_the_one_thing_that_is_set(port: int) -> None:
    """I2"""
    assert call(port) == RING_ORDER


def test_each_line_rings_its_own_administrator_first(port: int) -> None:
    """I2"""
    rung = [call(port, line=line, uniqueid=f"romny-{line}")[ROUTE] for line in ("53273", "53275", "54286")]
    assert [route.partition(",")[0] for route in rung] == ["PJSIP/admin1", "PJSIP/admin2", "PJSIP/admin3"]


def test_draft_is_there_before_the_phone_rings(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """I1"""
    monkeypatch.setattr("agi.inbound.DRAFT_WAIT", UNHURRIED)
    talk = Asterisk(port, environment(number="8 067 123-45-67", name="Олена"))
    assert ROUTE in talk.command()
    (recorded,) = calls()
    draft = db.session.scalar(select(Report).where(Report.call_id == recorded.id))
    assert recorded.uniqueid == "romny-1795447350.7"
    assert recorded.number_received == "8 067 123-45-67"
    assert (recorded.number, recorded.caller_name, recorded.line.digits) == ("+380671234567", "Олена", "53273")
    assert (draft.state, draft.contact_number, draft.line.digits) == ("draft", "+380671234567", "53273")
    assert [row.event for row in draft.history] == ["created"]
    talk.close()


def test_unknown_means_none(port: int) -> None:
    call(port, number="unknown", name="unknown")
    eventually(lambda: drafts() == 1, "the draft is written")
    (recorded,) = calls()
    assert (recorded.number_received, recorded.number, recorded.caller_name) == ("", None, "")


def test_line_that_is_not_ours_sets_nothing_and_has_a_draft(port: int) -> None:
    assert call(port, line="99999") == {}
    eventually(lambda: drafts() == 1, "the draft is written")
    assert calls()[0].line_id is None


def test_line_without_phones_sets_nothing(port: int) -> None:
    with transaction() as session:
        for step in session.scalars(select(RingStep)):
            session.delete(step)
    assert call(port) == {}
    eventually(lambda: drafts() == 1, "the draft is written")


def test_ring_order_has_as_many_steps_as_the_line(port: int) -> None:
    with transaction() as session:
        line = session.scalars(select(Line).where(Line.number == "5-32-73")).one()
        phone = session.scalars(select(Phone).where(Phone.name == "admin1")).one()
        for step in (3, 4):
            session.add(RingStep(line_id=line.id, step=step, phone_id=phone.id, seconds=10 + step))
    assert call(port)[ROUTE].endswith(",25,i:PJSIP/admin1,13,i:PJSIP/admin1,14,i")


def test_ring_order_that_was_changed_holds_for_the_calls_from_a_second_later_on(port: int) -> None:
    call(port)
    with transaction() as session:
        for step in session.scalars(select(RingStep)):
            step.seconds = 33
    changed = "PJSIP/admin1,33,i:PJSIP/admin2&PJSIP/admin3,33,i"
    eventually(lambda: call(port, uniqueid="romny-2")[ROUTE] == changed, "the ring order is read again")


def test_same_call_asked_twice_has_one_draft(port: int) -> None:
    """I1: one draft per call, whatever the exchange does."""
    talks = [threading.Thread(target=call, args=(port,)) for _ in range(20)]
    for talk in talks:
        talk.start()
    for talk in talks:
        talk.join()
    assert call(port, uniqueid="romny-last") == RING_ORDER
    eventually(lambda: len(calls()) == 2, "the last one, after all others, is written")
    assert drafts() == 2


def test_150_calls_at_once_have_150_drafts(port: int) -> None:
    """I1"""
    rang: list[dict[str, str]] = []
    talks = [
        threading.Thread(target=lambda n=n: rang.append(call(port, uniqueid=f"romny-{n}", number=f"067{n:07d}")))
        for n in range(150)
    ]
    for talk in talks:
        talk.start()
    for talk in talks:
        talk.join()
    assert rang == [RING_ORDER] * 150
    eventually(lambda: drafts() == 150, "150 drafts")
    assert sorted(c.number_received for c in calls()) == [f"067{n:07d}" for n in range(150)]


def test_rehearsal_leaves_nothing_behind(town: Flask) -> None:
    rehearse(town)
    assert (calls(), drafts(), db.session.scalar(select(func.count(HistoryRow.id)))) == ([], 0, 0)


# ---- hanging up before the Nth command


def close(talk: Asterisk) -> None:
    talk.close()


def hang_up_and_stay(talk: Asterisk) -> None:
    talk.say(b"HANGUP\n")


def hang_up_and_close(talk: Asterisk) -> None:
    talk.say(b"HANGUP\n")
    talk.close()


def dead_channel(talk: Asterisk) -> None:
    assert talk.command()
    talk.say(b"511 Command Not Permitted on a dead channel or intercept routine\n")


def minus_one(talk: Asterisk) -> None:
    assert talk.command()
    talk.say(b"200 result=-1\n")


@pytest.mark.parametrize("hang_up", [close, hang_up_and_stay, hang_up_and_close, dead_channel, minus_one])
def test_hang_up_before_the_command_is_quiet_and_keeps_the_draft(
    town: Flask, hang_up: Callable[[Asterisk], None], caplog: pytest.LogCaptureFixture
) -> None:
    """The script has one command, so before it is before every one; the test above holds their number."""
    with serving(town) as port:
        talk = Asterisk(port, environment())
        hang_up(talk)
        if hang_up is not close and hang_up is not hang_up_and_close:
            while talk.command():
                pass
        eventually(lambda: drafts() == 1, "the draft is written")
        assert calls()[0].number == "+380671234567"
        eventually(lambda: not conversations(), "the script ends")
    said = [record.getMessage() for record in caplog.records if record.name.startswith("agi")]
    assert [words for words in said if "too slowly" not in words] == []  # the machine may be busy


@pytest.mark.parametrize(
    "reply", [b"510 Invalid or unknown command\n", b"\xff\x00garbage\n", b"520 Invalid command syntax.\n"]
)
def test_refused_command_ends_the_script_and_keeps_the_draft(
    port: int, reply: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    talk = Asterisk(port, environment())
    assert talk.command()
    talk.say(reply)
    assert talk.command() == ""
    eventually(lambda: drafts() == 1, "the draft is written")
    assert "0671234567" not in caplog.text


def test_exchange_that_never_replies_is_left_at_the_deadline(town: Flask) -> None:
    with serving(town, deadline=2) as port:
        talk = Asterisk(port, environment())
        assert talk.command()
        assert talk.command() == ""
        eventually(lambda: drafts() == 1, "the draft is written")


# ---- hostile callers

HOSTILE = [
    "",
    "anonymous",
    "112",
    "4" * 40,
    "abc",
    "067;1234567",
    "067&1234567",
    "${SHELL(id)}",
    '"; SET VARIABLE "CC_ROUTE" "9"',
    "\\",
    "0671234567\r",
    "☎️🔥",
    "Іван".encode("cp1251"),
    b"\xff\xfe\xfd",
    b"\x00\x01\x02",
    "н" * 2000,
    "status will follow",
    "hangup",
    "HANGUP",
    "511 dead",
    "200 result=-1",
    "' OR 1=1 --",
    "%s%n{0}",
    "٠٦٧١٢٣٤٥٦٧",
    "+",
    "+" * 39,
    "-----",
]


@pytest.mark.parametrize("said", HOSTILE, ids=lambda said: repr(said)[:24])
def test_hostile_caller_rings_and_has_a_draft(port: int, said: str | bytes) -> None:
    assert call(port, number=said, name=said) == RING_ORDER
    eventually(lambda: drafts() == 1, "the draft is written")
    (recorded,) = calls()
    for kept in (recorded.number_received, recorded.caller_name):
        assert len(kept) <= 128
        assert kept.isprintable() or "️" in kept
    assert recorded.number is None or recorded.number.startswith("+")
    assert call(port, uniqueid="romny-next") == RING_ORDER


def test_line_end_in_a_name_changes_no_call_but_its_own(port: int) -> None:
    call(port, name="x\nagi_arg_1: 99999\nagi_uniqueid: romny-other")
    eventually(lambda: drafts() == 1, "the draft is written")
    assert calls()[0].uniqueid == "romny-1795447350.7"
    assert call(port, uniqueid="romny-next") == RING_ORDER


def test_call_without_an_id_rings_and_is_left_to_the_reconciler(port: int) -> None:
    assert call(port, uniqueid="") == RING_ORDER
    assert calls() == []


# ---- the database in trouble


def database(app: Flask) -> Path:
    return Path(db.engine.url.database)


@contextmanager
def locked(path: Path, *, for_readers: bool = False) -> Iterator[None]:
    """Somebody else writes all the while; ``for_readers``: in a way that keeps readers out too."""
    lock = sqlite3.connect(path, isolation_level=None)
    if for_readers:
        lock.execute("PRAGMA locking_mode=EXCLUSIVE")
    lock.execute("BEGIN IMMEDIATE")
    lock.execute("UPDATE lines SET title = 'locked'")
    try:
        yield
    finally:
        lock.execute("ROLLBACK")
        lock.close()


def test_locked_database_holds_up_no_call_and_the_draft_comes_later(port: int, town: Flask) -> None:
    with locked(database(town)):
        assert call(port) == RING_ORDER
        assert call(port, uniqueid="romny-2") == RING_ORDER
        assert drafts() == 0
    eventually(lambda: drafts() == 2, "both drafts are written")


def test_locked_database_longer_than_one_try_still_gets_the_draft(
    settings: Settings, town: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    impatient = bare_app(settings, lock_seconds=0.01)
    with serving(impatient) as port:
        with locked(database(town)):
            assert call(port) == RING_ORDER
            eventually(lambda: "cannot be written (database is locked)" in caplog.text, "the trouble is logged")
        eventually(lambda: drafts() == 1, "the draft is written")
        eventually(lambda: "The database answers again." in caplog.text, "the end of the trouble is logged")
    assert "0671234567" not in caplog.text
    assert caplog.text.count("The database cannot be written") == 1


def test_database_that_blocks_readers_too_is_left_at_the_deadline(town: Flask) -> None:
    path = database(town)
    db.session.remove()
    db.engine.dispose()
    with serving(town, deadline=0.4) as port:
        with locked(path, for_readers=True):
            assert call(port) == {}
        eventually(lambda: drafts() == 1, "the draft is written")


def test_ring_order_that_was_read_once_holds_while_it_cannot_be_read(
    town: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agi.database.FRESH", 0.0)
    path = database(town)
    with serving(town, deadline=0.4) as port:
        call(port)
        eventually(lambda: drafts() == 1, "the draft is written")
        db.session.remove()
        db.engine.dispose()
        with locked(path, for_readers=True):
            assert call(port, uniqueid="romny-2") == RING_ORDER
        eventually(lambda: drafts() == 2, "the draft is written")


def test_missing_database_sets_nothing_and_gets_the_draft_when_it_is_there(
    settings: Settings, town: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    folder = settings.var / "missing"
    with bare_app(replace(settings, database_url=f"sqlite:///{folder / 'x.sqlite3'}")).app_context() as context:
        with serving(context.app) as port:
            assert call(port) == {}
            eventually(lambda: "cannot be written (unable to open" in caplog.text, "it is logged")
            spare = settings.var / "spare.sqlite3"
            with sqlite3.connect(database_of(settings)) as source, sqlite3.connect(spare) as copy:
                source.backup(copy)
            copy.close()
            source.close()
            folder.mkdir()
            shutil.move(spare, folder / "x.sqlite3")
            eventually(lambda: drafts() == 1, "the draft is written")
            assert call(port, uniqueid="romny-2") == RING_ORDER
        db.session.remove()
        db.engine.dispose()
    assert "0671234567" not in caplog.text


def database_of(settings: Settings) -> str:
    return settings.database_url.removeprefix("sqlite:///")


def test_damaged_database_sets_nothing_and_stops_nothing(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    path = settings.var / "damaged.sqlite3"
    path.write_bytes(b"this is not a database " * 1000)
    with bare_app(replace(settings, database_url=f"sqlite:///{path}")).app_context() as context:
        rehearse(context.app)
        with serving(context.app) as port:
            assert call(port) == {}
            eventually(lambda: "The database cannot be written" in caplog.text, "it is logged")
            assert Asterisk(port, b"agi_network_script: ping\n\n").command() == "pong"
        db.engine.dispose()
    assert "0671234567" not in caplog.text


def test_failure_that_no_waiting_mends_leaves_the_draft_to_the_reconciler(
    town: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    with transaction() as session:
        session.connection().exec_driver_sql(
            "CREATE TRIGGER refuse BEFORE INSERT ON calls BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
    with serving(town) as port:
        assert call(port) == RING_ORDER
        eventually(lambda: "left to the reconciler" in caplog.text, "it is given up")
        with transaction() as session:
            session.connection().exec_driver_sql("DROP TRIGGER refuse")
        assert call(port, uniqueid="romny-2") == RING_ORDER
        eventually(lambda: drafts() == 1, "the next draft is written")
    assert "0671234567" not in caplog.text


# ---- peers that do not speak AGI


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", id="HTTP"),
        pytest.param(b"\x16\x03\x01\x02\x00" + b"\x00\xff" * 500 + b"\n\n", id="TLS"),
        pytest.param(b"\n", id="nothing"),
        pytest.param(b"agi_network_script: inbound\nagi_x: " + b"y" * 70_000 + b"\n\n", id="70 kB"),
        pytest.param(b"agi_network_script: inbound\n" + b"agi_x: y\n" * 300 + b"\n", id="300 lines"),
    ],
)
def test_peer_that_speaks_no_agi_is_left_and_the_next_call_rings(port: int, said: bytes) -> None:
    talk = Asterisk(port)
    try:
        talk.say(said)
        assert talk.command() == ""
    except (ConnectionResetError, BrokenPipeError):
        pass  # it was left in the middle of a word
    assert call(port) == RING_ORDER


def test_peer_that_sends_a_byte_at_a_time_is_left_at_the_deadline(town: Flask) -> None:
    with serving(town, deadline=0.3) as port:
        talk = Asterisk(port)
        talk.socket.settimeout(0.02)
        sent = 0

        def left() -> bool:
            nonlocal sent
            try:
                talk.say(b"a")
                sent += 1
                return talk.socket.recv(1) == b""
            except TimeoutError:
                return False
            except OSError:
                return True

        eventually(left, "the peer is left")
        assert sent > 1
        talk.close()


def test_peer_that_says_nothing_is_left_at_the_deadline(town: Flask) -> None:
    with serving(town, deadline=0.1) as port, socket.create_connection(("127.0.0.1", port), timeout=15) as talk:
        assert talk.recv(1) == b""


@pytest.fixture(autouse=True)
def _logs(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
