"""The stream of events, on the real web server with a real Redis (I3): the state first, then what happens."""

import json
import os
import re
import signal
import threading
import time

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.exc import OperationalError

from jobs.notify import RESYNC_EVERY
from models.base import db, now, transaction
from models.calltasks import Purpose, add_task
from models.drafts import claim_draft, end_draft
from models.online import receive_online
from models.people import User
from models.reports import Report, ReportEvent
from tests.desk_fixtures import Site, fill_desks, user_id
from tests.helpers import AREA_CODE, eventually
from tests.stream_fixtures import EventStream, listen, log_in
from tests.web_fixtures import register
from webui import create_app
from webui.events import (
    ALL_STREAMS,
    BEAT_SECONDS,
    OTHERS_STREAMS,
    QUEUED,
    SESSION_STREAMS,
    TOLD_AGAIN,
    Hub,
    News,
    TooManyStreams,
)
from webui.news import load_news

KNOWN = {
    "call",
    "draft",
    "draft_state",
    "state",
    "rings_me",
    "talking_to_me",
    "owner_is_me",
    "owner",
    "line",
    "listens",
}


def test_the_state_comes_first_then_the_call_and_each_sees_what_is_theirs(site):
    """I2, I3: the line's own administrator first; nothing but ids and states travels."""
    ringing = site.exchange.call("0671234567", line="53273")
    mine, other = listen(site, "tsapkova"), listen(site, "cherniavska")
    state = mine.of("state")[0]
    assert [call["call"] for call in state["calls"]] == [ringing[0]]
    assert state["calls"][0] | {"draft": 0} == {
        "call": ringing[0],
        "draft": 0,
        "draft_state": "draft",
        "state": "ringing",
        "rings_me": True,
        "talking_to_me": False,
        "owner_is_me": False,
        "owner": None,
        "line": "53273",
        "listens": False,
    }
    assert not other.of("state")[0]["calls"][0]["rings_me"]

    call, draft = site.exchange.call("0501112233", line="53275")
    site.exchange.ring(call, 2)
    eventually(lambda: mine.last_of_call(call) and other.last_of_call(call).get("rings_me"), "the call arrives")
    assert not mine.last_of_call(call)["rings_me"]
    site.exchange.ring(call, 1)
    eventually(lambda: mine.last_of_call(call)["rings_me"], "it rings for the others as well")
    site.exchange.answer(call, 1)
    eventually(lambda: mine.last_of_call(call)["talking_to_me"], "it is answered here")
    eventually(lambda: other.last_of_call(call)["state"] == "talking", "and the other hears that")
    assert not other.last_of_call(call)["rings_me"]
    assert not other.last_of_call(call)["talking_to_me"]

    with site.app.app_context(), transaction() as session:
        me = session.get_one(User, user_id("tsapkova"))
        claim_draft(session, session.get_one(Report, draft), me)
    eventually(lambda: mine.last_of_call(call)["owner_is_me"], "the owner is told")
    assert mine.last_of_call(call)["drafts"] == 1
    eventually(lambda: other.last_of_call(call)["owner"], "to the other as well")
    assert not other.last_of_call(call)["owner_is_me"]
    site.exchange.hang_up(call)
    eventually(lambda: mine.last_of_call(call)["state"] == "ended", "the end")

    for data in mine.of("call"):
        assert set(data) == KNOWN | {"missed", "drafts", "online"}
    everything = json.dumps(mine.got + other.got, ensure_ascii=False)
    for secret in ("671234567", "501112233", "Цапкова", "Чернявська"):
        assert secret not in everything


def test_what_comes_by_the_web_form_is_counted_live_and_told_once_somebody_has_it(site):
    """I9: the count on every screen; the draft's id alone, no name and no number."""
    mine = listen(site, "tsapkova")
    assert mine.of("state")[0]["online"] == 0
    with site.app.app_context(), transaction() as session:
        typed = {"text": "Немає води", "landmark": "біля школи", "other_phone": "0671234567"}
        intake = receive_online(session, typed, form_key="k", sender="s", area_code=AREA_CODE, at=now())
        draft = intake.report_id
    eventually(lambda: [data for data in mine.of("call") if data == {"missed": 0, "drafts": 0, "online": 1}], "one")
    with site.app.app_context(), transaction() as session:
        claim_draft(session, session.get_one(Report, draft), session.get_one(User, user_id("tsapkova")))
    eventually(lambda: [data for data in mine.of("call") if data == {"missed": 0, "drafts": 1, "online": 0}], "none")
    eventually(lambda: [data for data in mine.of("report") if data["report"] == draft], "whoever has it open")
    assert "671234567" not in json.dumps(mine.got)


def test_a_call_of_ours_renews_the_board_and_tells_nothing_else(site):
    """C5, C6: the technical administrator's board, too."""
    desk, technical = listen(site, "tsapkova"), listen(site, "tekhnik")
    with site.app.app_context(), transaction() as session:
        add_task(session, Purpose.CALL_BACK, now(), now(), number="+380671234567")
        add_task(session, Purpose.CALL_BACK, now(), now(), number="+380671234568")
    for stream in (desk, technical):
        eventually(lambda stream=stream: stream.of("board") == [{}], "one for the whole transaction")
    assert desk.of("call") == []


def sleep(site: Site, cookie: str) -> str:
    """A browser hears the state and goes to sleep: the id of the last event that it knows."""
    stream = EventStream(site, cookie)
    eventually(lambda: stream.of("state"), "the state")
    stream.close()
    assert re.fullmatch(r"\d+-\d+", stream.got[-1][1])
    return stream.got[-1][1]


def wake(site: Site, cookie: str, last: str) -> list[tuple[str, str, dict]]:
    """What the browser is told first when it is back, up to the state. News of that moment may come once more."""
    stream = EventStream(site, cookie, last)
    eventually(lambda: stream.of("state"), "the state again")
    stream.close()
    return told_first(stream)


def told_first(stream: EventStream) -> list[tuple[str, str, dict]]:
    kinds = [kind for kind, _id, _data in stream.got]
    return stream.got[: kinds.index("state") + 1]


def test_after_a_break_the_state_has_the_calls_that_ring(site):
    cookie = log_in(site, "tsapkova")
    site.exchange.call()
    for _break in range(10):
        last = sleep(site, cookie)
        call, _draft = site.exchange.call()
        assert call in [one["call"] for one in wake(site, cookie, last)[-1][2]["calls"]]


@pytest.mark.parametrize("by_header", [True, False])
def test_after_a_break_comes_what_became_of_calls_that_have_ended_meanwhile(site, by_header):
    """Last-Event-ID: answered elsewhere, registered and ended while the laptop slept; each call and report once."""
    cookie = log_in(site, "tsapkova")
    call, draft = site.exchange.call()
    site.exchange.ring(call, 1)
    missed = site.exchange.call("0501112233")[0]
    last = sleep(site, cookie)
    site.exchange.ring(call, 2)
    site.exchange.answer(call, 2)
    with site.app.app_context(), transaction() as session:
        she = session.get_one(User, user_id("cherniavska"))
        report = session.get_one(Report, draft)
        claim_draft(session, report, she)
        end_draft(session, report, she, ReportEvent.CONSULTED)
    site.exchange.hang_up(call)
    site.exchange.hang_up(missed)

    again = EventStream(
        site, cookie, last if by_header else "", path="/events" if by_header else f"/events?after={last}"
    )
    eventually(lambda: again.of("state"), "the state")
    told = told_first(again)
    assert [(kind, data.get("call") or data.get("report")) for kind, _id, data in told] == [
        ("report", draft),
        ("call", call),
        ("call", missed),
        ("state", None),
    ]
    news = told[1][2]
    assert (news["state"], news["draft_state"]) == ("ended", "consultation")
    assert not news["talking_to_me"]
    assert not news["rings_me"]
    assert news["owner"]
    assert (told[2][2]["state"], told[2][2]["missed"]) == ("missed", 1)
    assert told[3][2]["calls"] == []
    ids = [tuple(map(int, id.split("-"))) for _kind, id, _data in told]
    assert ids == sorted(ids)  # broken off in the middle, it goes on from there
    assert ids[0] > tuple(map(int, last.split("-")))


def test_what_is_not_known_any_more_is_made_up_for_by_the_state_alone(site):
    """Too long ago, Redis began anew, nonsense: never an error, and always the state."""
    cookie = log_in(site, "tsapkova")
    call, _draft = site.exchange.call()
    last = sleep(site, cookie)
    site.exchange.hang_up(call)
    for unknown in ("0-0", "1-1", f"{10**19}-1", "-", "+", "abc", "1-1 COUNT 5", "9" * 5000):
        assert len(wake(site, cookie, unknown)) == 1, unknown[:20]
    with site.app.app_context():
        for _event in range(TOLD_AGAIN + 1):
            site.app.extensions["publisher"].publish("report", 1)
    assert len(wake(site, cookie, last)) == 1
    last = sleep(site, cookie)
    site.kill("redis")
    assert len(wake(site, cookie, last)) == 1
    site.start_redis()
    site.exchange.call()
    assert len(wake(site, cookie, last)) == 1


def test_missed_calls_are_counted(site):
    stream = listen(site, "nachalnyk")
    assert stream.of("state")[0]["missed"] == 0
    site.exchange.missed("0501112233")
    eventually(lambda: stream.of("call") and stream.of("call")[-1]["missed"] == 1, "the count rises")


def test_while_redis_is_away_the_screens_follow_by_the_database(site):
    """Promise 4: with Redis killed nothing is lost, only later (seconds); with Redis back it is at once again."""
    stream = listen(site, "tsapkova")
    site.kill("redis")
    call, _draft = site.exchange.call()
    known = lambda: call in [one["call"] for one in stream.of("state")[-1]["calls"]]  # noqa: E731
    eventually(known, "the call is in a state", seconds=5)
    told = len(stream.of("state"))
    site.exchange.answer(call, 1)
    eventually(lambda: stream.of("state")[-1]["calls"][0]["talking_to_me"], "the answer as well", seconds=5)
    assert len(stream.of("state")) == told + 1  # the same state is not told again every second
    site.start_redis()

    made: list[int] = []

    def heard_by_event() -> bool:
        made.append(site.exchange.call()[0])
        return any(stream.last_of_call(call) for call in made)

    eventually(heard_by_event, "events come again")


def test_while_redis_is_well_an_event_is_all_that_is_told(site):
    """The database is looked at every five seconds, and the browser knows all that stands there: no state follows."""
    stream = listen(site, "tsapkova")
    call, _draft = site.exchange.call()
    eventually(lambda: stream.of("beat"), "the beat, ten seconds after the event")
    with site.app.app_context():
        site.app.extensions["publisher"].publish("report", 1)
    eventually(lambda: len(stream.of("beat")) == 2, "the next beat")
    site.exchange.hang_up(call)
    eventually(lambda: len(stream.of("beat")) == 3, "the last beat")
    told = [(kind, data.get("call") or data.get("report")) for kind, _id, data in stream.got if kind != "beat"]
    assert told == [("state", None), ("call", call), ("report", 1), ("call", call)]


def test_what_nobody_published_is_told_within_seconds_and_once(site, monkeypatch):
    """An event was heard before it, and so was its call: the state tells what has become of it since."""
    stream = listen(site, "tsapkova")
    call, _draft = site.exchange.call()
    eventually(lambda: stream.last_of_call(call), "the call")
    monkeypatch.setattr(site.app.extensions["publisher"], "publish", lambda *_event: None)
    site.exchange.hang_up(call)
    eventually(lambda: len(stream.of("state")) == 2, "the state", seconds=RESYNC_EVERY + 5)
    assert (stream.of("state")[1]["calls"], stream.of("state")[1]["missed"]) == ([], 1)
    eventually(lambda: stream.of("beat"), "ten seconds without another one")
    assert len(stream.of("state")) == 2


def test_after_events_were_lost_the_state_is_told_though_nothing_of_it_differs(site):
    """A report's page or an open draft may show what is old: of that the state knows nothing."""
    stream = listen(site, "tsapkova")
    with site.app.app_context():
        publisher = site.app.extensions["publisher"]
        os.kill(site.pid("redis"), signal.SIGSTOP)
        publisher.publish("report", 1)
        os.kill(site.pid("redis"), signal.SIGCONT)

        def heard_again() -> bool:
            publisher.publish("report", 2)
            return {"report": 2} in [{"report": data["report"]} for data in stream.of("report")]

        eventually(heard_again, "events come again")
    assert len(stream.of("state")) == 2
    site.kill("redis")
    site.start_redis()
    eventually(lambda: len(stream.of("state")) == 3, "the state after Redis was away")


def test_an_event_that_a_slow_redis_did_not_take_is_made_up_for(site):
    """Promise 4: nobody who records a call waits for Redis, and the reader saw nothing fail.

    Redis may find the event in its socket when it goes on; else the state tells it.
    """
    stream = listen(site, "tsapkova")
    call, _draft = site.exchange.call()
    eventually(lambda: stream.last_of_call(call), "the call")
    os.kill(site.pid("redis"), signal.SIGSTOP)
    site.exchange.answer(call, 1)
    os.kill(site.pid("redis"), signal.SIGCONT)

    def told() -> bool:
        calls = stream.of("state")[-1]["calls"] + [stream.last_of_call(call)]
        return any(one["talking_to_me"] for one in calls)

    eventually(told, "the answer")


def test_a_browser_that_comes_while_redis_is_away_gets_the_state(site):
    site.kill("redis")
    call, _draft = site.exchange.call()
    stream = listen(site, "tsapkova")
    assert [one["call"] for one in stream.of("state")[0]["calls"]] == [call]
    later = site.exchange.call()[0]
    eventually(lambda: later in [one["call"] for one in stream.of("state")[-1]["calls"]], "the next call", seconds=5)


def test_a_hundred_idle_browsers_hear_a_call_and_leave_room_for_work(site):
    """A stream holds one thread; all of them neither keep each other nor the pages waiting."""
    with site.app.app_context(), transaction() as session:
        like = session.get_one(User, user_id("tsapkova"))
        for number in range(20):
            session.add(User(login=f"n{number}", name=f"N {number}", role=like.role, password_hash=like.password_hash))
    cookies = [log_in(site, f"n{number}") for number in range(20)]
    crowd = [EventStream(site, cookie) for cookie in cookies for _browser in range(ALL_STREAMS // 20)]
    assert len(crowd) == ALL_STREAMS == 100
    eventually(lambda: all(one.of("state") for one in crowd), "all have the state")
    call, _draft = site.exchange.call()
    eventually(lambda: all(one.last_of_call(call) for one in crowd), "all hear the call", seconds=5)
    log_in(site, "sorokina")
    for one in crowd:
        one.close()


def test_one_session_has_six_streams_and_one_more_ends_the_oldest(site):
    """At once, not at the next heartbeat: nobody takes all the threads of the web."""
    cookie = log_in(site, "tsapkova")
    streams = []
    for _stream in range(SESSION_STREAMS + 2):
        streams.append(EventStream(site, cookie))
        eventually(lambda: streams[-1].of("state"), "the state")
    eventually(lambda: streams[0].ended and streams[1].ended, "the two oldest end", seconds=BEAT_SECONDS / 2)
    call, _draft = site.exchange.call()
    eventually(lambda: all(one.last_of_call(call) for one in streams[2:]), "the six others hear the call")
    assert not any(one.ended for one in streams[2:])


def logged_in(app: Flask, login: str) -> FlaskClient:
    """A client that has this person's session."""
    client = app.test_client()
    with app.app_context(), client.session_transaction() as session:
        session["_user_id"] = db.session.get_one(User, user_id(login)).get_id()
    return client


def test_who_finds_no_place_is_refused_and_may_come_again(settings):
    """A hundred streams in all; one that ends, or never began, gives its place back."""
    app = create_app(settings)
    with app.app_context():
        fill_desks()
        hub: Hub = app.extensions["events"]
        others = [hub.subscribe(f"{number}:0") for number in range(1000, 1000 + ALL_STREAMS)]
    client = logged_in(app, "tsapkova")
    assert client.get("/events").status_code == 503
    hub.unsubscribe(others[0])
    for _again in range(2):
        client.head("/events").close()
        answer = client.get("/events", buffered=False)
        assert answer.status_code == 200
        answer.close()
    hub.stop.set()


def test_enterprises_leave_the_desk_its_places(settings):
    app = create_app(settings)
    with app.app_context():
        fill_desks()
        hub: Hub = app.extensions["events"]
        others = [hub.subscribe(f"{number}:0", False) for number in range(1000, 1000 + OTHERS_STREAMS)]
        with pytest.raises(TooManyStreams):
            hub.subscribe("2000:0", False)
    answer = logged_in(app, "tsapkova").get("/events", buffered=False)
    assert answer.status_code == 200
    answer.close()
    hub.unsubscribe(others[0])
    assert hub.subscribe("2000:0", False) is not None
    hub.stop.set()


def test_the_stream_ends_when_its_user_is_switched_off_or_the_session_ended(site):
    """Noticed at the heartbeat; until then the heartbeat says that the connection lives."""
    off, ended, stays = (listen(site, login) for login in ("sorokina", "cherniavska", "tsapkova"))
    with site.app.app_context(), transaction() as session:
        session.get_one(User, user_id("sorokina")).active = False
        session.get_one(User, user_id("cherniavska")).session_mark += 1
    eventually(lambda: off.ended and ended.ended, "both streams end", seconds=BEAT_SECONDS + 10)
    eventually(lambda: stays.of("beat"), "the other has a beat")
    assert not stays.ended


def test_the_session_is_looked_at_however_much_happens(site):
    """A stream that always has news ends for who was switched off as the quiet one does."""
    stream = listen(site, "sorokina")
    with site.app.app_context(), transaction() as session:
        session.get_one(User, user_id("sorokina")).active = False
    until = time.monotonic() + BEAT_SECONDS + 10
    while not stream.ended and time.monotonic() < until:
        with site.app.app_context():
            site.app.extensions["publisher"].publish("report", 1)
        time.sleep(0.2)
    assert stream.ended
    assert stream.of("report")
    assert not stream.of("beat")


def test_who_has_no_desk_or_no_session_has_no_stream(site):
    assert EventStream(site, "").answer.status == 401
    assert EventStream(site, log_in(site, "kontrol")).answer.status == 403


def test_an_enterprise_hears_how_many_reports_are_new_to_it_and_of_no_call_and_no_other_report(site):
    """R 4.1: what is given to it comes at once; an operator is told of nobody else's."""
    theirs = listen(site, "operator")
    site.exchange.call("0671234567", line="53273")
    register(site.app, "Немає води", category=2, number="0509998877", line="54286")
    register(site.app, "Не горить ліхтар", number="0509998878", line="54286")
    eventually(lambda: {"new": 1} in theirs.of("report"), lambda: f"its report: {theirs.of('report')}", seconds=10)
    with site.app.app_context():
        assert theirs.of("state")[0] == {"user": user_id("operator"), "calls": [], "new": 0}
    assert all(set(told) == {"new"} for told in theirs.of("report"))
    assert not theirs.of("call")


def test_a_browser_that_goes_is_forgotten(settings):
    """The generator is closed with its connection, and its queue goes with it."""
    app = create_app(settings)
    with app.app_context():
        fill_desks()
    hub: Hub = app.extensions["events"]
    client = logged_in(app, "tsapkova")
    answer = client.get("/events", buffered=False)
    assert next(answer.response).startswith(b"event: state\ndata: ")
    assert answer.headers["X-Accel-Buffering"] == "no"
    assert len(hub._clients) == 1
    answer.close()
    assert not hub._clients
    hub.stop.set()


def test_a_client_that_lags_behind_is_let_go_and_the_others_are_not(settings):
    """A queue is bounded: who does not read is left to come again and get the state."""
    app = create_app(settings)
    hub: Hub = app.extensions["events"]
    with app.app_context():
        slow, quick = hub.subscribe("1:0"), hub.subscribe("2:0")
        for number in range(QUEUED + 100):
            hub._tell([News(str(number), report=number)])
            assert not quick.empty()
            quick.get_nowait()
    assert not hub.knows(slow)
    assert hub.knows(quick)
    hub.stop.set()


@pytest.mark.parametrize("error", [OperationalError("", {}, Exception()), RuntimeError("a fault of ours")])
def test_what_could_not_be_loaded_is_made_up_for_within_seconds(settings, monkeypatch, error):
    """Without waiting for the next event, which in the night may be hours away; and the reader goes on."""
    site = Site(settings)
    site.start_redis()
    app = create_app(settings)
    hub: Hub = app.extensions["events"]
    try:
        with app.app_context():
            fill_desks()
            client = hub.subscribe("1:0")
        failing = threading.Event()

        def load(session, calls=None):
            if calls is not None and not failing.is_set():
                failing.set()
                raise error
            return load_news(session, calls)

        monkeypatch.setattr("webui.events.load_news", load)
        call = site.exchange.call()[0]
        news = client.get(timeout=4)
        assert failing.is_set()
        while not news.whole:  # what came before the fault
            news = client.get(timeout=4)
        assert [one.call for one in news.calls] == [call]
        later = site.exchange.call("0509998877")[0]
        while later not in [one.call for one in news.calls]:
            news = client.get(timeout=4)
    finally:
        hub.stop.set()
        site.stop()


def test_a_reader_that_ended_is_started_again(settings):
    app = create_app(settings)
    hub: Hub = app.extensions["events"]
    with app.app_context():
        hub.stop.set()
        hub.subscribe("1:0")
        eventually(lambda: not hub._thread.is_alive(), "the reader ends")
        hub.stop.clear()
        hub.subscribe("1:0")
    assert hub._thread.is_alive()
    hub.stop.set()
