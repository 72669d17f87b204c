"""The listener in good and bad times: creation, ownership, a missing database, a missing exchange, its heartbeat."""

import json
import sqlite3
import threading
import time
from dataclasses import replace
from datetime import timedelta
from itertools import permutations

import pytest
from sqlalchemy import event, select

from jobs.ami import Event, Message
from jobs.amifacts import facts_to_tell
from jobs.app import bare_app
from jobs.callfacts import Answered, CallEnded, LegEnded, Rang, StillLive, apply
from jobs.callmemory import Legs, Teller
from jobs.channels import citizen_began, phone_of
from jobs.factwriter import Writer
from jobs.heartbeat import read_beat
from jobs.listener import Listener
from models.attempts import End
from models.base import db, now, transaction
from models.calls import find_call
from models.drafts import claim_draft, hand_over_draft
from models.intake import Began
from models.people import User
from models.reports import Report
from models.settling import AttemptLeg, Sign
from tests.ami_fixtures import Exchange, everything, fill_town, find, listening, marker, outcome, recorded
from tests.helpers import AREA_CODE, eventually


@pytest.fixture
def town(app):
    fill_town(app)
    return app


@pytest.fixture
def hasty_app(settings):
    """An application that waits for the database's lock for a moment only."""
    app = bare_app(settings, lock_seconds=0.1)
    fill_town(app)
    with app.app_context():
        yield app
        db.session.remove()
        db.engine.dispose()


def draft_of(call: str) -> Report:
    return db.session.scalars(select(Report).where(Report.call_id == find(call).id)).one()


def test_a_call_is_made_when_its_first_phone_rings_and_not_before(town, settings):
    """The AGI script makes it at the beginning; two writers at once would slow the ring down."""
    events = recorded("answered", "first")
    names = [event.split(b"\r\n")[0] for event in events]
    rings = names.index(b"Event: DialBegin")
    with listening(town, settings) as (exchange, _):
        exchange.say(*events[:rings], *marker("between"))
        eventually(lambda: find("between"), "the events before the ring")
        assert find("first") is None
        exchange.say(events[rings])
        eventually(lambda: find("first"), "the call")
        assert [leg.phone.name for leg in find("first").legs] == ["admin1"]
        assert draft_of("first").line.number == "5-32-73"


def test_a_caller_who_hangs_up_before_any_phone_rings_has_a_draft_too(town, settings):
    events = [event for event in recorded("abandoned", "early") if b"admin1" not in event]
    with listening(town, settings) as (exchange, _):
        exchange.say(*events)
        eventually(lambda: find("early"), "the call")
        assert outcome("early") == ("missed", None, "5-32-73", "+380671234567", 1)


def test_who_answers_owns_the_draft(town, settings):
    with listening(town, settings) as (exchange, _):
        exchange.say(*recorded("transferred_attended", "own"))
        eventually(lambda: find("own") and find("own").ended_at, "the call's end")
        assert draft_of("own").owner.name == "Alice"


def test_who_speaks_has_the_draft_though_a_colleague_typed_while_it_rang(town, settings):
    """I3: the one with the citizen in their ear must be able to write."""
    events = recorded("answered", "kept")
    with listening(town, settings) as (exchange, _):
        exchange.say(*events[:5])
        eventually(lambda: find("kept"), "the call")
        with transaction() as session:
            charlie = session.scalars(select(User).where(User.name == "Charlie")).one()
            claim_draft(session, session.scalars(select(Report)).one(), charlie)
        exchange.say(*events[5:])
        eventually(lambda: find("kept").ended_at, "the call's end")
        assert find("kept").answered_by.name == "admin1"
        assert draft_of("kept").owner.name == "Alice"


def test_a_draft_that_was_handed_over_stays_there_when_the_answer_is_told_again(town, settings):
    """A listener that starts anew tells of a call's answer a second time."""
    answered = Answered("told", "told-admin1", "admin1", now())
    with transaction() as session:
        apply(session, [Began("told", "53273", "", "", now()), answered], AREA_CODE)
    with transaction() as session:
        alice, charlie = (session.scalars(select(User).where(User.name == name)).one() for name in ("Alice", "Charlie"))
        hand_over_draft(session, session.scalars(select(Report)).one(), alice, charlie)
    with transaction() as session:
        apply(session, [answered], AREA_CODE)
    assert draft_of("told").owner.name == "Charlie"


def test_who_has_spoken_keeps_the_draft_when_the_call_goes_on_to_another(town, settings):
    with transaction() as session:
        apply(session, [Began("on", "53273", "", "", now())], AREA_CODE)
        for phone in ("admin1", "admin2"):
            apply(session, [Answered("on", f"on-{phone}", phone, now())], AREA_CODE)
    assert find("on").talking_to.name == "admin2"
    assert draft_of("on").owner.name == "Alice"


def test_who_works_on_a_draft_after_the_call_keeps_it_though_an_answer_is_told_late(town, settings):
    at = now()
    with transaction() as session:
        apply(session, [Began("late", "53273", "", "", at), CallEnded("late", at, 16)], AREA_CODE)
        charlie = session.scalars(select(User).where(User.name == "Charlie")).one()
        claim_draft(session, session.scalars(select(Report)).one(), charlie)
    with transaction() as session:
        apply(session, [Answered("late", "late-leg", "admin1", at)], AREA_CODE)
    assert draft_of("late").owner.name == "Charlie"


def test_while_the_database_is_locked_facts_wait_and_the_listener_lives(hasty_app, settings):
    with listening(hasty_app, settings) as (exchange, _):
        locker = sqlite3.connect(settings.var / "contact-center.sqlite3", isolation_level=None)
        locker.execute("BEGIN IMMEDIATE")
        for number in range(20):
            exchange.say(*recorded("answered", f"wait{number}"))
        beat = eventually(lambda: (b := read_beat(settings.run_dir, "listener")) and not b.ok and b, "the complaint")
        assert "database" in beat.detail
        eventually(lambda: read_beat(settings.run_dir, "listener").at > beat.at + 1, "beats that go on")
        locker.execute("COMMIT")
        locker.close()
        eventually(lambda: find("wait19") and find("wait19").ended_at, "what waited")
        assert {outcome(f"wait{n}") for n in range(20)} == {("ended", "admin1", "5-32-73", "+380671234567", 1)}
        eventually(lambda: read_beat(settings.run_dir, "listener").ok, "a beat that is well again")


def test_a_full_queue_keeps_the_older_facts(hasty_app, settings):
    locker = sqlite3.connect(settings.var / "contact-center.sqlite3", isolation_level=None)
    locker.execute("BEGIN IMMEDIATE")
    writer = Writer(hasty_app, AREA_CODE, kept=10)
    writer.put([Began(f"full{number}", "53273", "0671234567", "", now()) for number in range(15)])
    eventually(lambda: writer.trouble, "the complaint")
    assert (writer.waiting, writer.refused) == (10, 5)
    locker.execute("COMMIT")
    locker.close()
    eventually(lambda: writer.waiting == 0, "the facts")
    writer.close()
    assert [find(f"full{number}") is not None for number in range(15)] == [True] * 10 + [False] * 5


def test_facts_that_come_one_by_one_in_a_busy_moment_are_written_together(town):
    begun = []
    event.listen(db.engine, "begin", lambda connection: begun.append(connection))
    writer = Writer(town, AREA_CODE, gather=0.5)
    writer.put([Began("busy1", "53273", "", "", now()), Began("busy2", "53273", "", "", now())])
    eventually(lambda: writer.waiting == 0, "the first two")
    for number in range(3, 13):
        writer.put([Began(f"busy{number}", "53273", "", "", now())])
        due = time.monotonic() + 0.02  # longer than one transaction takes
        eventually(lambda due=due: time.monotonic() > due, "the next fact")
    eventually(lambda: writer.waiting == 0, "the others")
    writer.close()
    assert len(begun) == 2
    assert find("busy12") is not None


def test_a_fact_that_cannot_be_written_is_left_out_and_the_others_are_not(town, settings):
    bad = Began("x\0" * 10, "53273", "0671234567", object(), now())  # a name that is no text
    writer = Writer(town, AREA_CODE)
    writer.put([Began("good1", "53273", "", "", now()), bad, Began("good2", "53273", "", "", now())])
    eventually(lambda: writer.waiting == 0, "the facts")
    writer.close()
    assert find("good1") is not None
    assert find("good2") is not None


def test_without_an_exchange_the_heart_beats_and_says_why(town, settings):
    listener = Listener(town, settings)
    thread = threading.Thread(target=listener.run, daemon=True)
    thread.start()
    beat = eventually(lambda: read_beat(settings.run_dir, "listener"), "a beat")
    assert not beat.ok
    assert "Asterisk" in beat.detail
    eventually(lambda: read_beat(settings.run_dir, "listener").at > beat.at + 2, "beats that go on")
    at_the_door = read_beat(settings.run_dir, "strangers")  # of whom nobody tells meanwhile
    assert (at_the_door.ok, at_the_door.detail) == (False, beat.detail)
    exchange = Exchange(settings.ami_port)
    eventually(lambda: read_beat(settings.run_dir, "listener").ok, "the connection", 15)
    eventually(lambda: read_beat(settings.run_dir, "strangers").ok, "nobody at the door")
    listener.stop.set()
    thread.join(10)
    exchange.close()
    assert not thread.is_alive()


def test_after_a_cut_connection_lost_calls_end_and_living_ones_go_on(town, settings):
    lost, kept = recorded("answered", "lost"), recorded("answered", "kept")
    talking = next(place for place, event in enumerate(kept) if event.startswith(b"Event: HangupRequest"))
    with listening(town, settings) as (exchange, _):
        exchange.say(*lost[:talking], *kept[:talking])
        eventually(lambda: find("kept") and find("kept").answered_at, "both calls")
        exchange.channels = [
            b"Event: CoreShowChannel\r\nChannel: PJSIP/trunk-00000000\r\nContext: inbound\r\nExten: 53273\r\n"
            b"Duration: 00:00:05\r\nUniqueid: " + find("kept").uniqueid.encode() + b"\r\n"
        ]
        exchange.drop()
        eventually(lambda: find("lost").ended_at, "the end of the lost call")
        assert find("lost").state == "ended"
        assert find("kept").state == "talking"
        exchange.say(*kept[talking:])
        eventually(lambda: find("kept").ended_at, "the end of the other")
        assert find("kept").cause == 16


def test_a_hang_up_that_got_lost_is_noticed_without_a_cut(town, settings, monkeypatch):
    """The exchange is asked again and again, not only when the connection is made."""
    monkeypatch.setattr("jobs.listener.PRESENT_EVERY", 0.2)
    events = [event for event in recorded("answered", "lost") if not event.startswith(b"Event: Hangup")]
    with listening(town, settings) as (exchange, _):
        exchange.say(*events)
        eventually(lambda: find("lost") and find("lost").ended_at, "the end")
        assert (find("lost").state, find("lost").cause, exchange.logins) == ("ended", None, 1)


def test_one_sites_exchange_says_nothing_of_another_sites_calls(town):
    """Calls and rings that this exchange no longer knows end when it said so; the other's go on."""
    began = now() - timedelta(hours=2)
    asked = began + timedelta(hours=1)
    with transaction() as session:
        for call in ("romny-1", "romny-5", "slavutych-1", "romny_2-1"):
            apply(session, [Began(call, "53273", "", "", began)], AREA_CODE)
            apply(session, [Rang(call, f"{call}.leg", "admin1", began)], AREA_CODE)
        apply(session, [Rang("romny-5", "romny-5.late", "admin2", asked + timedelta(seconds=1))], AREA_CODE)
        apply(session, [StillLive("romny", frozenset({"romny-5"}), asked)], AREA_CODE)
    assert [find(call).state for call in ("romny-1", "romny-5", "slavutych-1", "romny_2-1")] == [
        "missed", "ringing", "ringing", "ringing"
    ]  # fmt: skip
    assert find("romny-1").ended_at == asked
    assert phones_of("romny-5") == {"admin2"}
    assert phones_of("slavutych-1") == {"admin1"}


def phones_of(call: str) -> set[str]:
    """The phones that ring for the call, as the screens ask for them."""
    return {leg.phone.name for leg in find(call).legs if leg.ended_at is None}


def test_a_phone_rings_no_more_when_the_next_step_rings(town, settings):
    events = recorded("answered_second_step", "step")
    second = next(n for n, event in enumerate(events) if b"DialBegin" in event and b"admin3" in event)
    with listening(town, settings) as (exchange, _):
        exchange.say(*events[: second + 1])
        eventually(lambda: find("step") and len(find("step").legs) == 3, "the second step")
        assert find("step").state == "ringing"
        assert phones_of("step") == {"admin2", "admin3"}
        exchange.say(*events[second + 1 :])
        eventually(lambda: find("step").ended_at, "the end")
        assert phones_of("step") == set()


def test_a_late_ring_does_not_open_a_leg_again(town):
    """Every order of the same four facts ends the same, and the screens are told while the call rings."""
    start = now()
    facts = [
        Rang("C", "L", "admin1", start),
        LegEnded("C", "L", "admin1", start + timedelta(seconds=4)),  # the end of dialling
        LegEnded("C", "L", "admin1", start + timedelta(seconds=4.1)),  # the hang-up
        Rang("C", "L", "admin1", start + timedelta(seconds=0.1)),
    ]
    for place, order in enumerate(permutations(facts)):
        with transaction() as session:
            apply(session, [Began(f"c{place}", "53273", "", "", start)], AREA_CODE)
        for fact in order:
            with transaction() as session:
                apply(session, [replace(fact, call=f"c{place}", leg=f"leg{place}")], AREA_CODE)
                assert ("call", find_call(session, f"c{place}").id) in session.info["announcements"]
        (leg,) = find(f"c{place}").legs
        assert (leg.rang_at, leg.answered_at, leg.ended_at) == (start, None, start + timedelta(seconds=4))


def test_calls_that_began_while_the_listener_was_away_are_found(town, settings):
    """Ringing, talking, and picked up: the link ids tell less than the bridge."""
    exchange = Exchange(settings.ami_port)

    def channel(name: str, uniqueid: str, linkedid: str, bridge: str = "", context: str = "from-phones") -> bytes:
        return (
            f"Event: CoreShowChannel\r\nChannel: PJSIP/{name}\r\nContext: {context}\r\nExten: 53273\r\n"
            f"CallerIDNum: 0671234567\r\nUniqueid: {uniqueid}\r\nLinkedid: {linkedid}\r\nBridgeId: {bridge}\r\n"
            "Duration: 00:01:05\r\n"
        ).encode()

    exchange.channels = [
        channel("admin1-00000002", "r-2", "r-1"),
        channel("trunk-00000001", "r-1", "r-1", context="inbound"),
        channel("trunk-00000003", "t-3", "t-3", "bridge-1", context="inbound"),
        channel("admin2-00000004", "t-4", "t-4", "bridge-1"),
        channel("admin3-00000005", "i-5", "i-5"),
    ]
    listener = Listener(town, settings)
    thread = threading.Thread(target=listener.run, daemon=True)
    thread.start()
    eventually(lambda: find("t-3") and find("t-3").answered_by, "the calls")
    assert outcome("r-1") == ("ringing", None, "5-32-73", "+380671234567", 1)
    assert [leg.phone.name for leg in find("r-1").legs] == ["admin1"]
    assert outcome("t-3") == ("talking", "admin2", "5-32-73", "+380671234567", 1)
    assert 60 < now().timestamp() - find("t-3").started_at.timestamp() < 90
    listener.stop.set()
    thread.join(10)
    exchange.close()


def test_a_call_transferred_before_the_listener_started_still_ends(town, settings):
    """The citizen's channel is in another context by then; its row is there from before."""
    events = recorded("transferred_blind", "old")
    moved = next(place for place, event in enumerate(events) if event.startswith(b"Event: BlindTransfer")) + 3
    with listening(town, settings) as (exchange, _):
        exchange.say(*events[:moved])
        eventually(lambda: find("old") and find("old").answered_at, "the first part")
    settings.run_dir.joinpath("phones.json").unlink()
    fresh = Exchange(settings.ami_port)
    fresh.channels = [
        b"Event: CoreShowChannel\r\nChannel: PJSIP/trunk-0000000a\r\nContext: from-phones\r\nExten: 102\r\nUniqueid: "
        + find("old").uniqueid.encode()
        + b"\r\n"
    ]
    listener = Listener(town, settings)
    thread = threading.Thread(target=listener.run, daemon=True)
    thread.start()
    eventually(lambda: "DeviceStateList" in fresh.actions, "the new listener")
    assert find("old").state == "talking"
    fresh.say(*events[moved:])
    eventually(lambda: find("old").ended_at, "the end")
    assert everything("old")[:6] == ("ended", "admin1", "5-32-73", "+380671234567", 1, "admin2")
    listener.stop.set()
    thread.join(10)
    fresh.close()


def test_the_phones_are_written_for_the_health_page(town, settings):
    path = settings.run_dir / "phones.json"
    with listening(town, settings):
        eventually(path.exists, "the file")
        said = json.loads(path.read_text())
    assert said["phones"] == {"admin1": "NOT_INUSE"}
    assert time.time() - said["at"] < 10


def test_a_phone_of_ours_with_a_wrong_password_is_no_stranger(town, settings, monkeypatch):
    monkeypatch.setattr("jobs.strangers.MANY", 15)

    def refused(account: str) -> list[bytes]:
        lines = ("Event: ChallengeResponseFailed", "Service: PJSIP", f"AccountID: {account}")
        return ["\r\n".join(lines).encode() + b"\r\n\r\n"] * 15

    with listening(town, settings) as (exchange, _):
        eventually((settings.run_dir / "phones.json").exists, "which phones are ours")
        exchange.say(*refused("admin1"), *marker("after"))
        eventually(lambda: find("after"), "what came after it")
        beat = read_beat(settings.run_dir, "strangers")
        eventually(lambda: read_beat(settings.run_dir, "strangers").at > beat.at + 1, "a beat since")
        assert read_beat(settings.run_dir, "strangers").ok
        exchange.say(*refused("admin"))
        eventually(lambda: not read_beat(settings.run_dir, "strangers").ok, "strangers are told of")


def test_an_event_with_a_header_put_in_by_a_caller_changes_nothing(town, settings):
    """The call is heard of all the same: once the dialplan has cleaned the number, by its later events."""
    victim, evil = recorded("answered", "victim"), recorded("answered", "evil")
    talking = next(place for place, event in enumerate(victim) if event.startswith(b"Event: HangupRequest"))
    with listening(town, settings) as (exchange, _):
        exchange.say(*victim[:talking])
        eventually(lambda: find("victim") and find("victim").answered_at, "the victim's call")
        forged = b"CallerIDNum: 067\r\nUniqueid: " + find("victim").uniqueid.encode()
        exchange.say(evil[0].replace(b"CallerIDNum: 0671234567", forged), *evil[1:-1])
        exchange.say(evil[-1].replace(b"CallerIDNum: ", forged + b"\r\nX: "), *marker("after"))
        eventually(lambda: find("after"), "what came after it")
        assert find("victim").state == "talking"
        assert outcome("evil")[1:] == ("admin1", "5-32-73", "+380671234567", 1)


def test_a_refused_list_of_phones_does_not_stop_the_listening(town, settings):
    exchange = Exchange(settings.ami_port)
    exchange.answer = lambda action: (
        f"Response: Error\r\nActionID: {action['ActionID']}\r\nMessage: Permission denied\r\n\r\n".encode()
        if action["Action"] == "DeviceStateList"
        else None
    )
    listener = Listener(town, settings)
    thread = threading.Thread(target=listener.run, daemon=True)
    thread.start()
    eventually(lambda: "DeviceStateList" in exchange.actions, "the question")
    exchange.say(*recorded("answered", "heard"))
    eventually(lambda: find("heard") and find("heard").ended_at, "the call")
    assert exchange.logins == 1
    listener.stop.set()
    thread.join(10)
    exchange.close()


def test_what_has_four_proofs_is_told_once():
    legs, teller = Legs(), Teller()
    told = [fact for event in recorded("answered", "x") * 2 for fact in facts_to_tell(heard(event), legs, teller)]
    assert [type(fact) for fact in told] == [Began, Rang, Answered, CallEnded, LegEnded]


def test_a_citizen_joined_to_a_call_of_ours_is_no_part_of_it():
    """Attended transfer of two calls into one changes the citizen's link id; their hang-up is not the applicant's."""
    ours, citizen = "romny-att-7", "romny-170.1"
    events = [
        ("Newchannel", "PJSIP/admin1-1", ours, ours, "Down"),
        ("Newchannel", "PJSIP/trunk-2", "romny-170.2", ours, "Down"),
        ("Newchannel", "PJSIP/trunk-3", citizen, citizen, "Ring"),
        ("Newstate", "PJSIP/trunk-3", citizen, ours, "Up"),
        ("Hangup", "PJSIP/trunk-3", citizen, ours, "Up"),
        ("Hangup", "PJSIP/trunk-2", "romny-170.2", ours, "Up"),
    ]
    legs, teller = Legs(), Teller()
    told = []
    for name, channel, uniqueid, linkedid, state in events:
        headers = {"Event": name, "Timestamp": "1700000000.5", "Channel": channel, "Uniqueid": uniqueid}
        headers |= {"Linkedid": linkedid, "ChannelStateDesc": state, "Context": "x", "Exten": "s", "Cause": "16"}
        event = heard("\r\n".join(f"{header}: {value}" for header, value in headers.items()).encode())
        told += facts_to_tell(event, legs, teller)
    attempts = [fact for fact in told if isinstance(fact, AttemptLeg)]
    assert [(fact.attempt_id, fact.end, fact.sign) for fact in attempts] == [(7, End.THEIRS, Sign.GONE)]
    assert [fact.call for fact in told if isinstance(fact, CallEnded)] == [citizen]


def heard(event: bytes) -> Event:
    return Event(Message(event.decode().strip().split("\r\n")))


def test_the_log_holds_no_numbers(hasty_app, settings, caplog):
    """Facts carry telephone numbers; what goes wrong with one is told without it."""
    writer = Writer(hasty_app, AREA_CODE)
    writer.put([Began("nolog", "53273", "0671234567", object(), now())])
    eventually(lambda: writer.waiting == 0, "the fact")
    writer.close()
    assert "left to the reconciler" in caplog.text
    assert "671234567" not in caplog.text


def test_facts_about_unknown_calls_change_nothing(town):
    with transaction() as session:
        told = [Rang("no", "leg", "admin1", now()), Answered("no", "leg", "admin1", now()), CallEnded("no", now(), 16)]
        apply(session, told, AREA_CODE)
    assert find("no") is None


def test_a_phone_that_is_not_ours_still_counts_as_a_person(town):
    with transaction() as session:
        told = [Began("who", "53273", "0671234567", "", now()), Answered("who", "leg", "stranger", now())]
        apply(session, [*told, CallEnded("who", now(), 16)], AREA_CODE)
    assert outcome("who") == ("ended", None, "5-32-73", "+380671234567", 1)


@pytest.mark.parametrize(
    ("channel", "phone"),
    [
        ("PJSIP/admin1-0000001c", "admin1"),
        ("PJSIP/a-b-0000001c", "a-b"),
        ("PJSIP/trunk-0000001c", None),
        ("PJSIP/admin1-0000001c<ZOMBIE>", None),
        ("Local/101@from-phones-00000001;1", None),
        ("", None),
    ],
)
def test_a_phones_name_is_read_from_its_channel(channel, phone):
    assert phone_of(channel) == phone


def test_a_call_that_goes_out_over_the_trunk_is_no_inbound_call():
    values = {"channel": "PJSIP/trunk-00000001", "number": "1", "name": "", "at": now()}
    leg = citizen_began(**values, uniqueid="2", linkedid="1", context="from-trunk", exten="0671234567")
    originated = citizen_began(**values, uniqueid="2", linkedid="2", context="from-trunk", exten="s")
    inbound = citizen_began(**values, uniqueid="2", linkedid="2", context="from-trunk", exten="53273")
    assert (leg, originated, inbound.call) == (None, None, "2")


def test_what_is_remembered_is_bounded():
    legs, teller = Legs(), Teller()
    for number in range(12_000):
        teller.hear(Began(str(number), "53273", "", "", now()), tell=True)
        teller.tell(CallEnded(f"unknown{number}", now(), 16))
        legs.join(f"leg{number}", str(number), now())
    sizes = [len(kept) for kept in (teller._began, teller._told, legs._joined, teller._waiting)]
    assert sizes == [5000] * 4
