"""Finding in the CEL file what nobody wrote down: real files, rotated, cut, garbled, read twice (I1)."""

import errno
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select

from jobs.ami import Event, Message
from jobs.amifacts import facts_to_tell
from jobs.app import bare_app
from jobs.callfacts import apply
from jobs.callmemory import Legs, Teller
from jobs.heartbeat import read_beat
from jobs.reconcile import Reconciler, mark_name
from jobs.rounds import Rounds, reconciling, run
from jobs.settings import PROFILES
from models.attempts import AttemptState
from models.base import db, now, transaction
from models.calling import Outcome
from models.calls import Call, close_lost_calls
from models.intake import Began
from models.marks import Mark
from models.reports import Report, ReportState
from tests.ami_fixtures import STREAMS, everything, fill_town, find, outcome, recorded
from tests.helpers import AREA_CODE, eventually
from tests.test_listener_streams import EXPECTED, expected


@pytest.fixture
def cel(app, settings):
    """The CEL file's path; lines, phones and people are there."""
    fill_town(app)
    settings.cel_file.parent.mkdir(parents=True)
    return settings.cel_file


@pytest.fixture
def reconciler(app, settings):
    return Reconciler(app)


def logged(name: str, call: str) -> bytes:
    """What Asterisk logged of a scenario, its unique ids renamed so that it is a call of its own."""
    return (STREAMS / f"{name}.cel").read_bytes().replace(b"romny-", f"romny-{call}-".encode())


def append(path, text: bytes) -> None:
    with path.open("ab") as file:
        file.write(text)


def read_all(reconciler: Reconciler) -> int:
    pieces = 0
    while reconciler.read_on():
        pieces += 1
    return pieces


@contextmanager
def running(app: Flask, reconciler: Reconciler) -> Iterator[None]:
    """The job runs, and ends when it is told to."""
    stop = threading.Event()
    rounds = Rounds(app, [reconciling(reconciler)])
    thread = threading.Thread(target=run, args=([rounds], app.config["SETTINGS"].run_dir, stop), daemon=True)
    thread.start()
    yield
    stop.set()
    thread.join(10)
    assert not thread.is_alive()


def counts() -> tuple[int, int]:
    db.session.rollback()
    return tuple(db.session.scalar(select(func.count()).select_from(table)) for table in (Call, Report))


def listen_to(app, events: list[bytes]) -> None:
    """Write down what the listener would."""
    legs, teller = Legs(), Teller()
    with transaction() as session:
        for event in events:
            message = Message(event.decode().strip().split("\r\n"))
            apply(session, facts_to_tell(Event(message), legs, teller), AREA_CODE)


@pytest.mark.parametrize("scenario", EXPECTED)
def test_a_call_that_nobody_heard_is_recovered(scenario, cel, reconciler):
    append(cel, logged(scenario, "cel"))
    read_all(reconciler)
    assert outcome("cel") == expected(scenario)
    assert everything("cel")[5] == EXPECTED[scenario][2]
    assert find("cel").recovered
    assert find("cel").caller_name == "Citizen"


@pytest.mark.parametrize("scenario", EXPECTED)
def test_a_call_that_was_heard_stays_as_it_is(scenario, app, cel, reconciler):
    listen_to(app, recorded(scenario, "cel"))
    before = everything("cel")
    append(cel, logged(scenario, "cel"))
    read_all(reconciler)
    assert everything("cel") == before
    assert not find("cel").recovered
    assert counts() == (1, 1)


@pytest.mark.parametrize("scenario", EXPECTED)
def test_the_file_told_first_and_the_events_afterwards_end_the_same(scenario, app, cel, reconciler):
    append(cel, logged(scenario, "cel"))
    read_all(reconciler)
    listen_to(app, recorded(scenario, "cel"))
    assert outcome("cel") == expected(scenario)
    assert counts() == (1, 1)


def test_a_talk_among_colleagues_is_no_call(cel, reconciler):
    append(cel, logged("among_colleagues", "cel"))
    read_all(reconciler)
    assert counts() == (0, 0)


def test_reading_twice_changes_nothing(app, settings, cel, reconciler):
    for scenario in EXPECTED:
        append(cel, logged(scenario, scenario))
    read_all(reconciler)
    before = {scenario: everything(scenario) for scenario in EXPECTED}
    with transaction() as session:
        session.delete(session.get_one(Mark, mark_name(settings)))
    read_all(Reconciler(app))
    assert {scenario: everything(scenario) for scenario in EXPECTED} == before
    assert counts() == (len(EXPECTED), len(EXPECTED))


@pytest.mark.parametrize("scenario", EXPECTED)
def test_each_line_missing_in_turn_leaves_one_draft_and_who_answered(scenario, cel, reconciler):
    """The listener heard nothing at all: even then a garbled line costs nothing that matters."""
    lines = logged(scenario, "x").splitlines(keepends=True)
    for missing in range(len(lines)):
        garbled = lines[:missing] + [b'"CHAN_ST\xff\n'] + lines[missing + 1 :]
        append(cel, b"".join(garbled).replace(b"x-", f"without{missing}-".encode()))
    read_all(reconciler)
    assert {outcome(f"without{missing}") for missing in range(len(lines))} == {expected(scenario)}


def test_garbled_lines_are_counted_and_left_out(cel, reconciler, caplog):
    good = logged("answered", "cel")
    append(cel, b'"HANGUP","17954\n\xff\xfe\x00\n\n"a"b"c"\n' + good.replace(b"\n", b"\n,,,\n", 2))
    read_all(reconciler)
    assert "6 cut or garbled lines" in caplog.text
    assert "671234567" not in caplog.text
    assert outcome("cel") == expected("answered")


def own_lines(name: str, call: int) -> tuple[list[bytes], list[bytes]]:
    """What Asterisk logged of a scenario, renamed to a unique id of its own: the citizen's lines, and all others."""
    renamed = (STREAMS / f"{name}.cel").read_bytes().replace(b"romny-1795", b"romny-%d" % (1000 + call))
    lines = renamed.splitlines(keepends=True)
    own = [line for line in lines if b',"PJSIP/trunk-' in line]
    return own, [line for line in lines if line not in own]


def test_a_call_whose_own_lines_are_all_cut_has_a_draft_without_a_number(cel, reconciler):
    """Wherever they are cut behind the unique id and the link id. Who answered is known from the phone's lines."""
    cuts = range(1, 60, 3)
    for call, cut in enumerate(cuts):
        own, others = own_lines("answered", call)
        append(cel, b"".join(line[: line.index(b',"PJSIP') + cut] + b"\n" for line in own) + b"".join(others))
    read_all(reconciler)
    assert counts() == (len(cuts), len(cuts))
    for call in db.session.scalars(select(Call)):
        assert (call.number_received, call.number, call.line_id, call.recovered) == ("", None, None, True)
        assert call.started_at.timestamp() == int(call.uniqueid.partition("-")[2].partition(".")[0])
        assert call.answered_by.name == "admin1"


def test_a_cut_line_that_the_next_one_was_written_onto_is_read(cel, reconciler):
    """The disk was full for a moment: the line break is missing, too."""
    own, _ = own_lines("abandoned", 1)
    append(cel, own[0][:30] + own[1][:100] + b"\x00\x00\n")
    read_all(reconciler)
    assert counts() == (1, 1)


def test_half_a_unique_id_is_nobodys(cel, reconciler):
    """It may be another's: a second draft for the same call would come of it."""
    own, _ = own_lines("abandoned", 1)
    ids = own[0].index(b'"romny-')
    append(cel, b"".join(own[0][:cut] + b"\n" for cut in range(own[0].index(b'","PJSIP'))))
    append(cel, own[0][ids + 1 :] + own[0][ids - 1 :].replace(b'"romny', b'""romny'))
    read_all(reconciler)
    assert counts() == (0, 0)


def test_what_is_only_suspected_changes_nothing_that_is_known(app, cel, reconciler):
    listen_to(app, recorded("answered", "cel"))
    known = find("cel")
    own, _ = own_lines("answered", 1)
    with transaction() as session:
        session.get_one(Call, known.id).uniqueid = uniqueid = own[0].split(b'"')[5].decode()
    before = (known.started_at, known.number, known.caller_name, known.state, known.ended_at, known.recovered)
    append(cel, b"".join(line[:120] + b"\n" for line in own))
    read_all(reconciler)
    assert counts() == (1, 1)
    after = db.session.scalars(select(Call).where(Call.uniqueid == uniqueid)).one()
    assert (after.started_at, after.number, after.caller_name, after.state, after.ended_at, after.recovered) == before


def test_what_was_only_suspected_is_completed_by_who_knows_better(cel, reconciler):
    own, others = own_lines("answered", 1)
    append(cel, own[0][:120] + b"\n")
    read_all(reconciler)
    append(cel, b"".join(own[1:] + others))
    read_all(reconciler)
    assert counts() == (1, 1)
    call = db.session.scalars(select(Call)).one()
    assert (call.number, call.line.number) == ("+380671234567", "5-32-73")
    assert db.session.scalars(select(Report)).one().contact_number == "+380671234567"


@pytest.mark.parametrize("cut", [75, 90, 120])
def test_a_talk_among_colleagues_is_no_call_whichever_line_is_cut(cut, cel, reconciler):
    lines = (STREAMS / "among_colleagues.cel").read_bytes().splitlines(keepends=True)
    for place in range(len(lines)):
        talk = b"".join(lines[:place] + [lines[place][:cut] + b"\n"] + lines[place + 1 :])
        append(cel, talk.replace(b"romny-1795", b"romny-%d" % (1000 + place)))
    read_all(reconciler)
    assert counts() == (0, 0)


def test_half_a_last_line_waits_for_its_other_half(cel, reconciler):
    whole = logged("abandoned", "cel")
    append(cel, whole[:300])
    read_all(reconciler)
    assert outcome("cel")[0] == "ringing"
    assert read_all(reconciler) == 0
    append(cel, whole[300:])
    read_all(reconciler)
    assert outcome("cel") == expected("abandoned")


def test_young_lines_are_left_to_those_who_are_faster(cel, reconciler):
    young = (
        f'"CHAN_START","{time.time():.6f}","romny-young-1","romny-young-1","PJSIP/trunk-00000001","from-trunk","53273"'
    )
    cel.write_bytes(logged("answered", "old") + young.encode() + b',"0671234567","","","","","",""\n')
    read_all(reconciler)
    assert find("old") is not None
    assert find("young") is None
    eventually(lambda: reconciler.read_on(), "the time in which others are faster", 6)
    assert find("young") is not None


def test_lines_from_a_wrong_clock_do_not_stop_the_reading(cel, reconciler):
    append(cel, logged("answered", "cel").replace(b'"1795', b'"9995'))
    read_all(reconciler)
    assert outcome("cel") == expected("answered")


def test_a_rotated_file_is_read_to_its_end_and_then_the_new_one(cel, reconciler):
    first = logged("answered", "first")
    append(cel, first[:1000])
    read_all(reconciler)
    append(cel, first[1000:])
    cel.rename(cel.with_name("cel.csv.1"))
    append(cel, logged("no_answer", "second"))
    read_all(reconciler)
    assert outcome("first") == expected("answered")
    assert outcome("second") == expected("no_answer")
    assert read_all(reconciler) == 0


def test_a_truncated_file_is_read_from_its_start(cel, reconciler):
    append(cel, logged("answered", "first"))
    read_all(reconciler)
    cel.write_bytes(logged("abandoned", "second"))
    read_all(reconciler)
    assert outcome("second") == expected("abandoned")


def test_a_new_file_of_the_same_inode_is_noticed(cel, reconciler):
    """Longer than the old one was: only what stands at its beginning tells."""
    append(cel, logged("abandoned", "first"))
    read_all(reconciler)
    with cel.open("r+b") as file:
        file.truncate(0)
        file.write(logged("transferred_attended", "second"))
    read_all(reconciler)
    assert outcome("second") == expected("transferred_attended")


def test_without_a_file_there_is_nothing_to_do(app, settings, reconciler):
    assert not reconciler.read_on()
    settings.cel_file.parent.mkdir(parents=True)
    settings.cel_file.touch()
    assert not reconciler.read_on()


def test_while_the_database_is_locked_the_mark_does_not_move(settings, cel):
    app = bare_app(settings, lock_seconds=0.1)
    locker = sqlite3.connect(settings.var / "contact-center.sqlite3", isolation_level=None)
    locker.execute("BEGIN IMMEDIATE")
    append(cel, logged("answered", "cel"))
    with running(app, Reconciler(app)):
        beat = eventually(lambda: (b := read_beat(settings.run_dir, "reconcile")) and not b.ok and b, "the complaint")
        assert "database" in beat.detail
        eventually(lambda: read_beat(settings.run_dir, "reconcile").at > beat.at + 1, "beats that go on")
        assert locker.execute("SELECT count(*) FROM marks").fetchone() == (0,)
        locker.execute("COMMIT")
        locker.close()
        eventually(lambda: find("cel") and find("cel").ended_at, "the call")
        assert outcome("cel") == expected("answered")
        eventually(lambda: read_beat(settings.run_dir, "reconcile").ok, "a beat that is well again")


def test_a_lost_end_gets_its_true_time_and_cause(app, cel, reconciler):
    """The listener could only guess when the call ended."""
    listen_to(app, [event for event in recorded("answered", "cel") if not event.startswith(b"Event: Hangup")])
    with transaction() as session:
        close_lost_calls(session, "romny", set(), find("cel").started_at.replace(year=2099))
    assert find("cel").cause is None
    append(cel, logged("answered", "cel"))
    read_all(reconciler)
    assert find("cel").cause == 16
    assert 0 < (find("cel").ended_at - find("cel").answered_at).total_seconds() < 2


def test_complete_calls_cost_no_writing(app, cel, reconciler, monkeypatch):
    listen_to(app, recorded("transferred_attended", "cel"))
    append(cel, logged("transferred_attended", "cel"))
    applied = []
    monkeypatch.setattr("jobs.reconcile.apply", lambda session, facts, area_code: applied.extend(facts))
    read_all(reconciler)
    assert applied == []


def test_times_that_were_guessed_are_put_right(app, cel, reconciler):
    """The listener connected in the middle of the call: it knew who rang and spoke, not since when."""
    append(cel, logged("answered", "cel"))
    read_all(reconciler)
    right = everything("cel")
    late = timedelta(seconds=30)
    with transaction() as session:
        call = session.scalars(select(Call)).one()
        call.started_at, call.answered_at, call.ended_at = (
            call.started_at + late,
            call.answered_at + late,
            call.ended_at - late,
        )
        for leg in call.legs:
            leg.rang_at, leg.answered_at, leg.ended_at = leg.rang_at + late, leg.answered_at + late, leg.ended_at + late
        session.delete(session.scalars(select(Mark)).one())
    read_all(reconciler)
    assert everything("cel") == right


def test_each_site_has_a_place_of_its_own(app, settings, cel, reconciler, monkeypatch):
    append(cel, logged("answered", "cel"))
    read_all(reconciler)
    monkeypatch.setitem(app.config, "SETTINGS", replace(settings, profile=PROFILES["slavutych"]))
    assert read_all(Reconciler(app)) == 1
    assert {mark.name for mark in db.session.scalars(select(Mark))} == {"cel:romny", "cel:slavutych"}


def test_a_file_that_is_written_no_more_is_noticed(app, cel, reconciler):
    """The newest call shows it; calls from before we ran, other sites' and those of a wrong clock do not."""

    def called(uniqueid: str, at: datetime) -> None:
        with transaction() as session:
            apply(session, [Began(uniqueid, "53273", "", "", at)], AREA_CODE)

    called("romny-1", now() - timedelta(hours=1))
    called("slavutych-1", now())
    called("romny-2", now() + timedelta(hours=1))
    assert reconciler.trouble() == ""
    called("romny-3", now())
    assert "no CEL file" in reconciler.trouble()
    rotated = cel.with_name("cel.csv.1")
    rotated.touch()
    assert reconciler.trouble() == ""
    os.utime(rotated, (time.time() - 61,) * 2)
    assert "writes no more" in reconciler.trouble()
    cel.touch()
    assert reconciler.trouble() == ""


def test_a_dead_file_is_told_by_the_heart(app, settings, reconciler):
    with transaction() as session:
        apply(session, [Began("romny-1", "53273", "", "", now())], AREA_CODE)
    with running(app, reconciler):
        beat = eventually(lambda: read_beat(settings.run_dir, "reconcile"), "a beat")
        assert (beat.ok, "CEL file" in beat.detail) == (False, True)


def test_yesterdays_file_is_put_aside_and_deleted_a_month_later(app, settings, cel, reconciler, monkeypatch):
    """Also when the part ended in between. Its calls are not forgotten, and those of the next file are read."""
    monkeypatch.setattr("jobs.rounds.RECONCILE_SECONDS", 0.1)
    append(cel, logged("answered", "first"))
    aside = cel.with_name("cel.csv.1")
    with running(app, reconciler):
        eventually(aside.exists, "the file put aside")
    append(cel, logged("abandoned", "second"))
    os.utime(aside, (0, 0))
    with running(app, Reconciler(app)):
        eventually(lambda: not aside.exists(), "the old file deleted")
        eventually(lambda: (beat := read_beat(settings.run_dir, "reconcile")) and beat.ok, "a beat that is well")
    assert (outcome("first"), outcome("second")) == (expected("answered"), expected("abandoned"))
    assert counts() == (2, 2)


@pytest.mark.parametrize("step", ["rename", "unlink"])
def test_a_file_that_cannot_be_put_aside_is_told_and_read_all_the_same(
    step, app, settings, cel, reconciler, monkeypatch
):
    """The folder is not ours to write in, or the disk is broken."""
    append(cel, logged("answered", "first"))
    read_all(reconciler)
    if step == "unlink":
        assert reconciler.tidy() == ""
        os.utime(cel.with_name("cel.csv.1"), (0, 0))
    append(cel, logged("answered", "second"))

    def refused(path, *_):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr("jobs.rounds.RECONCILE_SECONDS", 0.1)
    with pytest.MonkeyPatch.context() as broken:
        broken.setattr(f"pathlib.Path.{step}", refused)
        with running(app, reconciler):
            beat = eventually(lambda: (b := read_beat(settings.run_dir, "reconcile")) and not b.ok and b, "a complaint")
            assert "see who owns its folder" in beat.detail
            append(cel, logged("abandoned", "third"))
            eventually(lambda: find("third") and find("third").ended_at, "the next call")
            broken.undo()
            eventually(lambda: read_beat(settings.run_dir, "reconcile").ok, "a beat that is well again")


def test_a_long_file_is_read_in_pieces(cel, reconciler):
    append(cel, b"".join(logged("abandoned", f"many{number}") for number in range(200)))
    assert read_all(reconciler) > 2
    assert counts() == (200, 200)


@pytest.mark.parametrize(
    "number",
    [
        "067\r\n\r\nEvent: Forged",
        '067\n"HANGUP","1795447249.5","victim-1","victim-1","PJSIP/trunk-00000001","inbound","53273","","","","","","",""\n',
        "067\nHANGUP,1795447249.5,victim-1,victim-1,PJSIP/trunk-00000001,inbound,53273,,,,,,,\n",
        '067","","","","","","",""\n"HANGUP","1795447249.5","victim-1"',
    ],
)
def test_a_line_put_in_by_a_caller_is_no_line(number, app, cel, reconciler):
    """Asterisk writes %0d%0a in a caller's number as it came; the quotes it doubles give the caller away."""
    listen_to(app, [event for event in recorded("answered", "victim") if not event.startswith(b"Event: Hangup")])
    victim = find("victim").uniqueid
    number = number.replace("victim-1", victim).replace('"', '""')
    append(cel, logged("answered", "evil").replace(b"0671234567", number.encode()))
    read_all(reconciler)
    assert find("victim").state == "talking"


# ---- calls of ours


def told_of_ours(attempt_id: int, *events: tuple[str, str], uniqueid: str = "", linkedid: str = "") -> bytes:
    """What Asterisk logs of a machine call: the type of each line, and what is in its last column but two."""
    call, began = f"romny-att-{attempt_id}", time.time() - 60
    ids = (uniqueid or call, linkedid or call)
    lines = []
    for second, (name, extra) in enumerate(events):
        columns = (
            *(name, f"{began + second:.6f}", *ids, "PJSIP/trunk-0000000a", "status-check", "s", "0671234567"),
            *("", "", "", extra.replace('"', '""'), "", ""),
        )
        lines.append(",".join(f'"{column}"' for column in columns) + "\n")
    return "".join(lines).encode()


def test_a_call_of_ours_and_the_key_that_was_pressed_are_recovered(cel, calls, reconciler):
    """Nobody could write them down: the file alone knows (C3)."""
    calls.done()
    calls.sync()
    (attempt,) = calls.dial()
    task = calls.tasks()[0].id
    ended = ("HANGUP", '{"hangupcause":16}')
    append(cel, told_of_ours(attempt, ("ANSWER", ""), ("CC_KEY", f'{{"extra":"{task}:1"}}'), ended, ("CHAN_END", "")))
    read_all(reconciler)
    found = calls.attempt(attempt)
    assert (found.state, found.outcome, found.keys) == (AttemptState.SETTLED, Outcome.ANSWERED, "1")
    assert calls.tasks()[0].report.state == ReportState.CLOSED
    assert db.session.scalars(select(Call)).all() == []  # it is no citizen's call


def test_a_citizen_joined_to_a_call_of_ours_does_not_end_it(cel, calls, reconciler):
    calls.done()
    calls.sync()
    (attempt,) = calls.dial()
    citizen = "romny-170.1"
    append(cel, told_of_ours(attempt, ("CHAN_START", ""), ("ANSWER", "")))
    append(cel, told_of_ours(attempt, ("CHAN_START", ""), uniqueid=citizen, linkedid=citizen))
    append(cel, told_of_ours(attempt, ("HANGUP", '{"hangupcause":16}'), uniqueid=citizen))
    read_all(reconciler)
    assert calls.attempt(attempt).state == AttemptState.TALKING


@pytest.mark.parametrize(
    "extra", ["", "{}", '{"extra":"x:1"}', '{"extra":"1:99"}', '{"extra":"1:*"}', '{"extra":"999:1"}', "[1]"]
)
def test_a_key_that_means_nothing_is_left_out(extra, cel, calls, reconciler):
    calls.done()
    calls.sync()
    (attempt,) = calls.dial()
    append(cel, told_of_ours(attempt, ("CC_KEY", extra), ("HANGUP", '{"hangupcause":17}')))
    read_all(reconciler)
    assert (calls.attempt(attempt).outcome, calls.attempt(attempt).keys) == (Outcome.BUSY, "")
