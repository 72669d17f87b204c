"""Telling the browsers: after each commit the changed rows' ids go into a Redis stream. Never any content.

Redis only wakes and notifies. When it is away, publishing costs next to nothing and readers fall back on asking
the database once a second (`RESYNC`); nothing is lost, only later. Once it takes events again, readers are told that
some were lost (`LOST`).
"""

import logging
import re
import threading
import time
from collections.abc import Iterator

import redis
from flask import Flask, current_app
from sqlalchemy import event
from sqlalchemy.orm import Session

from models.base import db

STREAM = "cc:events"
KEPT = 2000  # events; a browser that was away longer gets the present state instead
RESYNC = ("resync", 0)  # look whether the database has what nobody told
RESYNC_EVERY = 5.0  # seconds; an event that could not be published is made up for so soon
LOST = ("lost", 0)  # events were lost: whatever is shown may be old
_PAUSE = 1.0  # seconds without a try after Redis failed once

log = logging.getLogger(__name__)


def connect(url: str, *, reply_seconds: float) -> redis.Redis:
    """A client for ``url`` that gives up soon: 0.2 s to connect, ``reply_seconds`` for each answer, no retries."""
    return redis.Redis.from_url(
        url,
        socket_connect_timeout=0.2,
        socket_timeout=reply_seconds,
        retry=None,
        decode_responses=True,
        protocol=2,
    )


class Publisher:
    """Adds events to the stream; after a failure it stays silent for a second, so that nobody waits for Redis.

    The next event that Redis takes comes after one that says so.
    """

    def __init__(self, url: str) -> None:
        self._client = connect(url, reply_seconds=0.2)
        self._silent_until = 0.0
        self._lost = False

    def publish(self, kind: str, row_id: int) -> None:
        if time.monotonic() < self._silent_until:
            return
        try:
            if self._lost:
                self._lost = False
                self._add(*LOST)
            self._add(kind, row_id)
        except redis.RedisError as error:
            self._lost = True
            self._silent_until = time.monotonic() + _PAUSE
            log.warning("Redis does not answer (%s): screens follow by asking the database", type(error).__name__)

    def _add(self, kind: str, row_id: int) -> None:
        self._client.xadd(STREAM, {"kind": kind, "id": row_id}, maxlen=KEPT, approximate=True)


def publish_after_commit(app: Flask, redis_url: str) -> None:
    """Publish what `models.base.announce` remembered, once the transaction is committed, and forget it otherwise.

    The session factory is shared by all applications of a process: each publishes only what was committed in it.
    """
    publisher = Publisher(redis_url)
    app.extensions["publisher"] = publisher
    with app.app_context():
        maker = db.session.session_factory

    @event.listens_for(maker, "after_commit")
    def publish(session: Session) -> None:
        if session.in_nested_transaction() or current_app.extensions["publisher"] is not publisher:
            return
        for kind, row_id in session.info.pop("announcements", {}):
            publisher.publish(kind, row_id)

    @event.listens_for(maker, "after_rollback")
    def forget(session: Session) -> None:
        if session.in_nested_transaction():
            return
        session.info.pop("announcements", None)


def read_events(url: str, stop: threading.Event, start: str = "$") -> Iterator[list[tuple[str, str, int]]]:
    """Yield ``[(stream id, kind, row id), …]`` for ever, until ``stop`` is set: all that has happened meanwhile.

    Yields ``[("", *RESYNC)]`` every `RESYNC_EVERY` seconds, and every second while Redis is away: the reader then looks
    whether the database has what it was not told. Whoever publishes does not wait for a Redis that is slow, so an event
    may be missing though nothing here was seen to fail. Once Redis is back, ``[("", *LOST)]``.
    """
    client = connect(url, reply_seconds=RESYNC_EVERY + 1)
    last, away, resync_at = start, False, time.monotonic() + RESYNC_EVERY
    while not stop.is_set():
        try:
            if last == "$":
                newest = client.xrevrange(STREAM, count=1)
                last = newest[0][0] if newest else "0-0"
            if away or time.monotonic() >= resync_at:
                news = LOST if away else RESYNC
                away, resync_at = False, time.monotonic() + RESYNC_EVERY
                yield [("", *news)]
            wait_ms = max(1, int((resync_at - time.monotonic()) * 1000))
            for _stream, entries in client.xread({STREAM: last}, count=200, block=wait_ms) or []:
                last = entries[-1][0]
                yield [(id, fields["kind"], int(fields["id"])) for id, fields in entries]
        except (redis.RedisError, OSError):
            away, last = True, "$"
            yield [("", *RESYNC)]
            stop.wait(_PAUSE)


def events_since(url: str, last: str, most: int) -> list[tuple[str, str, int]] | None:
    """What was published after the event ``last``: ``[(stream id, kind, row id), …]``.

    None when that cannot be told: ``last`` is none of the events that are kept, more than ``most`` came after it, one
    of them is none of ours, or Redis is away.
    """
    if not re.fullmatch(r"\d{1,20}-\d{1,20}", last, re.ASCII):
        return None
    try:
        found = connect(url, reply_seconds=0.5).xrange(STREAM, min=last, count=most + 2)
    except redis.RedisError:
        return None
    if not found or found[0][0] != last or len(found) > most + 1:
        return None
    try:
        return [(id, fields["kind"], int(fields["id"])) for id, fields in found[1:]]
    except (KeyError, ValueError):  # somebody else wrote into the stream
        return None


def newest_event_id(url: str) -> str:
    """The id of the newest event in the stream, or an empty string when there is none or Redis is away."""
    try:
        newest = connect(url, reply_seconds=0.5).xrevrange(STREAM, count=1)
    except redis.RedisError:
        return ""
    return newest[0][0] if newest else ""
