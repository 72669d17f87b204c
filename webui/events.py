"""What happens, told to the browsers as it happens: ``GET /events``, a stream of server-sent events.

On every (re)connect the present state comes from the database, then the events as they come. Who connects again says
which event was the last (``Last-Event-ID``, or ``?after=``): every call and report that changed since is told first, as
it is now; the state knows live calls only, and one may have been answered elsewhere and have ended meanwhile. When
that event is not kept any more the state comes alone. Only ids and states travel, no number and no name: the page
fetches what it shows.

    event: state  {"user", "calls": [call, …], "missed", "drafts", "online", "emergencies", "to_warn"}
                                        on connect, after events were lost, and when the database has something else
                                        than the browser knows from its events, which is looked at every five seconds
    event: call   {"call", "draft", "draft_state", "state", "rings_me", "talking_to_me", "owner_is_me", "owner",
                   "line", "listens", "missed", "drafts", "online"}; the counts alone when a draft without a call did
    event: report {"report", "emergencies", "to_warn"}
    event: board  {}                    a task or a call of ours changed: the board of lines is fetched anew
    event: report {"new"}               what an enterprise's people hear, in the state as well: its new reports' count
    event: beat   ten seconds after the last event: silence means that the connection is dead

One thread a process reads the Redis stream, loads what changed, all at once when much did, and puts it into a bounded
queue per client.
"""

import json
import logging
import queue
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field

from flask import Blueprint, Flask, Response, current_app, request
from flask_login import current_user
from sqlalchemy.exc import SQLAlchemyError

from jobs.notify import events_since, newest_event_id, read_events
from models.base import database_is_away, db, now
from models.calls import LIVE_STATES
from models.people import ORGANISATION_ROLES
from models.pressing import Pressing, count_pressing, new_by_organisation
from models.waiting import count_missed, count_online
from webui.access import EVERYBODY, HEARERS, LISTENERS, allow
from webui.auth import load_user
from webui.news import CallNews, Viewer, count_drafts, describe, load_news

BEAT_SECONDS = 10.0
_PAUSE = 1.0  # seconds without a try after something failed
SESSION_STREAMS = 6  # of one user session; one more ends the oldest
OTHERS_STREAMS = 60  # of those who do not hear calls: the rest is the desk's
ALL_STREAMS = 100  # each holds a thread of the web: the others are for work
TOLD_AGAIN = 500  # events that are told again to who was away; after more, the state alone
QUEUED = 1000  # events a slow client may lag behind before it gets the present state instead

log = logging.getLogger(__name__)
bp = Blueprint("events", __name__)


@dataclass(frozen=True)
class News:
    """One thing to tell all clients: a changed call, report or board, the counts alone, or the present state.

    A changed ``user`` is told to nobody: their own streams look whether they may go on.
    """

    id: str
    calls: tuple[CallNews, ...] = ()
    report: int | None = None
    board: bool = False
    user: int | None = None
    missed: int = 0
    drafts: tuple[tuple[int, int], ...] = ()  # (user, open drafts)
    online: int = 0  # reports of the web form that wait
    pressing: Pressing = Pressing()  # with a report and with the present state
    new: tuple[tuple[int, int], ...] = ()  # (organisation, reports that are new to it), with the same
    whole: bool = False  # ``calls`` are all live calls
    compared: bool = False  # a present state for those alone who know another one


class TooManyStreams(Exception):
    """No thread may be given to one more stream."""


class Hub:
    """Reads the events once a process and hands them to every client's queue."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._url = app.config["SETTINGS"].redis_url
        self._lock = threading.Lock()
        self._clients: dict[queue.Queue[News | None], str] = {}  # with the user session, the oldest first
        self._others: set[queue.Queue[News | None]] = set()  # of them, those who do not hear calls
        self._ending: set[queue.Queue[News | None]] = set()  # told to end, and still with a thread
        self._thread: threading.Thread | None = None
        self.stop = threading.Event()

    def subscribe(self, session_id: str, hears_calls: bool = True) -> "queue.Queue[News | None]":
        """A queue in which all news from now on arrive; None when it is to end.

        Ends the oldest of this user session when it has six. Raises `TooManyStreams` when there are a hundred in all,
        or sixty of those who do not hear calls.
        """
        client: queue.Queue[News | None] = queue.Queue(QUEUED)
        with self._lock:
            if len(self._clients) + len(self._ending) >= ALL_STREAMS:
                raise TooManyStreams
            if not hears_calls and len(self._others) >= OTHERS_STREAMS:
                raise TooManyStreams
            own = [one for one, whose in self._clients.items() if whose == session_id]
            if len(own) >= SESSION_STREAMS:
                self._end(own[0])
            self._clients[client] = session_id
            if not hears_calls:
                self._others.add(client)
            if self._thread is None or not self._thread.is_alive():
                # the reader starts where we are now: an event that comes before it runs is not lost
                start = self.newest() or "$"
                self._thread = threading.Thread(target=self._read, args=(start,), name="events", daemon=True)
                self._thread.start()
        return client

    def unsubscribe(self, client: "queue.Queue[News | None]") -> None:
        """The stream has ended: its place is free."""
        with self._lock:
            self._clients.pop(client, None)
            self._ending.discard(client)
            self._others.discard(client)

    def _end(self, client: "queue.Queue[News | None]") -> None:
        """Tell a stream to end, under the lock. What is queued for it is not told: its browser asks anew."""
        if self._clients.pop(client, None) is not None:
            self._ending.add(client)
            with suppress(queue.Full):
                client.put_nowait(None)

    def knows(self, client: "queue.Queue[News | None]") -> bool:
        return client in self._clients

    def newest(self) -> str:
        return newest_event_id(self._url)

    def whole(self, id: str, *, compared: bool = False) -> News:
        """The present state, from the database. Needs an application context."""
        session = db.session()
        pressing = count_pressing(session, now())
        new = new_by_organisation(session)
        return News(id, load_news(session), pressing=pressing, new=new, whole=True, compared=compared, **_counts())

    def told_again(self, last: str) -> list[News]:
        """What changed after the event ``last``; the present state comes anyway. Needs an application context."""
        happened = events_since(self._url, last, TOLD_AGAIN) or ()
        return self._load(event for event in happened if event[1] not in ("lost", "user"))

    def _read(self, start: str) -> None:
        """Tell what happens, until the end; whatever cannot be told is made up for by the present state."""
        while not self.stop.is_set():
            try:
                for happened in read_events(self._url, self.stop, start):
                    if self._clients:  # who comes after this begins with a state that has it
                        with self._app.app_context():  # its end gives the database session back
                            self._tell(self._load(happened))
            except Exception as error:
                _log_failure(error)
                start = self._catch_up()

    def _catch_up(self) -> str:
        """Tell the present state as soon as it can be loaded, tried once a second: the id to read on after."""
        while not self.stop.wait(_PAUSE):
            try:
                start = self.newest()
                with self._app.app_context():
                    self._tell([self.whole(start)])
                return start or "$"
            except Exception as error:
                _log_failure(error)
        return "$"

    def _load(self, happened: Iterable[tuple[str, str, int]]) -> list[News]:
        """These events as they are told: each call and report once, as it is now, after one query for all.

        Needs an application context.
        """
        latest: dict[tuple[str, int], str] = {}
        for id, kind, row in happened:
            latest.pop((kind, row), None)  # back in at the end: ids only rise
            latest[kind, row] = id
        session, kinds = db.session(), {kind for kind, _row in latest}
        wanted = [row for kind, row in latest if kind == "call"]
        calls = {call.call: call for call in load_news(session, wanted)} if wanted else {}
        counts = _counts() if kinds & {"call", "intake"} else {}
        pressing = count_pressing(session, now()) if "report" in kinds else Pressing()
        new = new_by_organisation(session) if "report" in kinds else ()
        told = []
        for (kind, row), id in latest.items():
            match kind:
                case "call" if row in calls:
                    told.append(News(id, (calls[row],), **counts))
                case "intake":
                    told.append(News(id, **counts))
                case "report":
                    told.append(News(id, report=row, pressing=pressing, new=new))
                case "user":
                    told.append(News(id, user=row))
                case "board":
                    told.append(News(id, board=True))
                case "lost" | "resync":
                    told.append(self.whole(id, compared=kind == "resync"))
        return told

    def _tell(self, told: list[News]) -> None:
        with self._lock:
            clients = list(self._clients)
        for client in clients:
            try:
                for news in told:
                    client.put_nowait(news)
            except queue.Full:
                log.info("events: a client lags behind and is left to reconnect")
                with self._lock:
                    self._end(client)


def _counts() -> dict[str, object]:
    """What the bar on top counts, by the names in `News`. Needs an application context."""
    session = db.session()
    return {"missed": count_missed(session), "drafts": count_drafts(session), "online": count_online(session)}


def _log_failure(error: Exception) -> None:
    ours = not database_is_away(error)
    log.warning("events: nothing can be told now (%s)", type(error).__name__, exc_info=ours)


def hub_of(app: Flask) -> Hub:
    return app.extensions["events"]


@bp.record_once
def make_hub(state) -> None:
    """One hub an application; it starts its thread with the first client."""
    state.app.extensions["events"] = Hub(state.app)


@bp.get("/events")
@allow(*HEARERS)
def events() -> Response:
    """The stream of server-sent events for the logged-in user; 503 when there are too many streams in all."""
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    session_id, hears_calls = current_user.get_id(), current_user.role in LISTENERS
    db.session.remove()
    hub = hub_of(app)
    try:
        client = hub.subscribe(session_id, hears_calls)
    except TooManyStreams:
        return Response(status=503)
    last = request.headers.get("Last-Event-ID") or request.args.get("after", "")
    answer = Response(_stream(app, hub, client, session_id, last), mimetype="text/event-stream")
    answer.call_on_close(lambda: hub.unsubscribe(client))  # also when the stream never began
    answer.headers["X-Accel-Buffering"] = "no"
    answer.headers["Cache-Control"] = "no-store"
    return answer


@bp.get("/events/alive")
@allow(*EVERYBODY)
def alive() -> Response:
    """204 for who is logged in: a browser whose stream failed asks whether it was the network or the session."""
    return Response(status=204)


def _stream(app: Flask, hub: Hub, client: "queue.Queue[News | None]", session_id: str, last: str) -> Iterator[str]:
    known = Known()
    try:
        with app.app_context():
            viewer, checked = _viewer(session_id), time.monotonic()
            # the id first: what happens between the two is in the state and comes once more
            newest = hub.newest()
            again = hub.told_again(last) if last else []
            news: News | None = hub.whole(newest)
        if viewer is not None:
            yield from (_event(one, known.learn(one, viewer)) for one in again if _concerns(one, viewer))
        spoke = time.monotonic()
        while viewer is not None and hub.knows(client):
            if news is not None and _concerns(news, viewer) and not (news.compared and known.has(news, viewer)):
                yield _event(news, known.learn(news, viewer))
                spoke = time.monotonic()
            elif time.monotonic() - spoke >= BEAT_SECONDS:
                yield "event: beat\ndata: {}\n\n"
                spoke = time.monotonic()
            try:
                news = client.get(timeout=max(0.0, spoke + BEAT_SECONDS - time.monotonic()))
            except queue.Empty:
                news = None
            changed = news is not None and news.user == viewer.user
            if news is not None and news.user is not None:
                news = None
            if changed or time.monotonic() - checked >= BEAT_SECONDS:  # however much there is to tell
                with app.app_context():
                    viewer, checked = _viewer(session_id), time.monotonic()
    except SQLAlchemyError as error:  # the browser comes again by itself
        log.warning("events: a stream ends, the database does not answer (%s)", type(error).__name__)


def _concerns(news: News, viewer: Viewer) -> bool:
    """Whether this is told to the viewer at all: an enterprise's people hear of reports."""
    return viewer.organisation is None or news.whole or news.report is not None


def _event(news: News, data: dict[str, object]) -> str:
    kind = "state" if news.whole else "report" if news.report else "board" if news.board else "call"
    return (f"id: {news.id}\n" if news.id else "") + f"event: {kind}\ndata: {json.dumps(data)}\n\n"


@dataclass
class Known:
    """What one browser knows by all that it was told: the live calls as its user sees them, and the counts."""

    calls: dict[int, dict[str, object]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def has(self, state: News, viewer: Viewer) -> bool:
        """Whether this present state tells nothing new."""
        return (self.calls, self.counts) == (_calls(state, viewer), _counts_of(state, viewer))

    def learn(self, news: News, viewer: Viewer) -> dict[str, object]:
        """What the browser is told of ``news``, and knows from now on."""
        calls, counts = _calls(news, viewer), _counts_of(news, viewer)
        self.counts = self.counts | counts
        if news.whole:
            self.calls = calls
            return {"user": viewer.user, "calls": list(calls.values()), **counts}
        changed = self.calls | calls
        self.calls = {id: call for id, call in changed.items() if call["state"] in LIVE_STATES}
        if viewer.organisation is not None:  # not which report: it may be another organisation's
            return counts
        told = {"report": news.report} if news.report is not None else next(iter(calls.values()), {})
        return told | counts


def _calls(news: News, viewer: Viewer) -> dict[int, dict[str, object]]:
    return {} if viewer.organisation is not None else {call.call: describe(call, viewer) for call in news.calls}


def _counts_of(news: News, viewer: Viewer) -> dict[str, int]:
    """The counts that these news bring."""
    if viewer.organisation is not None:
        return {"new": dict(news.new).get(viewer.organisation, 0)}
    if news.board:
        return {}
    counts = {"missed": news.missed, "drafts": dict(news.drafts).get(viewer.user, 0), "online": news.online}
    if news.whole:
        return counts | asdict(news.pressing)
    return counts if news.report is None else asdict(news.pressing)


def _viewer(session_id: str) -> Viewer | None:
    """The user of this session with their phone, or None once they may not listen any more."""
    user = load_user(session_id)
    if user is None or user.role not in HEARERS:
        return None
    organisation = (user.organisation_id or 0) if user.role in ORGANISATION_ROLES else None
    return Viewer(user.id, user.phone.id if user.phone else None, organisation)
