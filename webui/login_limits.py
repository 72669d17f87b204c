"""Slowing down who guesses passwords, without locking out who knows theirs.

A browser in which a person has logged in keeps a cookie that says so: OWASP's device cookie, a random word with a
signature for each login. Wrong passwords from anywhere else, in whatever number, leave such a browser alone; it has a
count of its own. What ends the user's sessions (a log-out, another password, being switched off) ends this, too, so
that a copy is worth nothing from then on; only the browser in which they did it themselves gets a new signature.

Counted in Redis, so that all web processes count together; in memory while Redis is away, so that
nobody is locked out and nothing is unlimited. Neither a name nor a login reaches Redis or the cookie.
"""

import hmac
import logging
import re
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask, Response, abort, current_app, g, request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_login import current_user
from redis import RedisError
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from jobs import lookup_limits
from jobs.lookup_limits import STORAGE_OPTIONS, storage_uri
from models.base import db
from models.intake import printable
from models.people import User
from webui.access import secure_cookies

PEOPLE_A_BROWSER = 12  # who work in shifts share one
_WHOSE = 16  # letters of a signature that tell whose it is
_DEVICE = re.compile(r"[\w-]{22}(\.[0-9a-f]{48})*", re.ASCII)
_YEAR = 365 * 24 * 3600
_HASHING = threading.BoundedSemaphore(2)  # each hash takes 64 MB: many at once would take all the memory
_LONGEST_WAIT = 3.0  # seconds for a turn to hash

log = logging.getLogger(__name__)


def limit_logins(app: Flask) -> None:
    """Limit wrong passwords on the login page and where one changes one's own. Call it when the views are registered.

    From a browser in which the person has logged in before: 10 in five minutes. From all others: 30 in five minutes
    from an address, 10 for a login from an address, and 12 a minute for a login from all addresses together.
    """
    limiter = Limiter(
        get_remote_address,
        app=app,
        storage_uri=storage_uri(app.config["SETTINGS"].redis_url),
        storage_options=STORAGE_OPTIONS,
        in_memory_fallback_enabled=True,
        swallow_errors=True,  # Redis gone between asking and counting: one count is lost, not the answer
        key_prefix="cc",
    )
    app.extensions["login_limiter"] = limiter
    limits = (
        limiter.limit("30/5minutes", exempt_when=browser_is_known, deduct_when=never),
        limiter.limit("10/5minutes", key_func=login_and_address, exempt_when=browser_is_known, deduct_when=never),
        limiter.limit("12/minute", key_func=login_alone, exempt_when=browser_is_known, deduct_when=never),
        limiter.limit("10/5minutes", key_func=login_and_browser, exempt_when=browser_is_strange, deduct_when=never),
    )
    for endpoint in ("auth.log_in", "auth.change_password"):
        for limit in limits:
            app.view_functions[endpoint] = limit(app.view_functions[endpoint])


def login_typed() -> str:
    """Whose password is tried. PostgreSQL refuses to look for what is not printable."""
    return printable(request.form.get("login", "")).lower() if request.endpoint == "auth.log_in" else current_user.login


def login_alone() -> str:
    return keyed("login", login_typed())


def login_and_address() -> str:
    return keyed("address", login_typed(), get_remote_address())


def login_and_browser() -> str:
    return keyed("browser", login_typed(), _device()[0])


def browser_is_known() -> bool:
    """Whether this login has succeeded in this browser, and the user's sessions have not been ended since.

    Raises nothing: the limiter takes an error here for a storage that is away, and limits nothing.
    """
    if "browser_is_known" not in g:
        word, signatures = _device()
        mark = _session_mark() if signatures else None  # a stranger costs no look at the database
        own = "" if mark is None else _signature(login_typed(), word, mark)
        g.browser_is_known = any(hmac.compare_digest(own, signature) for signature in signatures)
    return g.browser_is_known


def browser_is_strange() -> bool:
    return not browser_is_known()


def never(_response: Response) -> bool:
    """The limiter only looks; what counts is counted by `count_wrong`, before the next has a turn."""
    return False


def know_browser(response: Response, login: str, session_mark: int) -> None:
    """Remember in this browser, for a year, that this login has succeeded in it; in place of what it knew of it."""
    word, signatures = _device()
    own = _signature(login, word, session_mark)
    others = [signature for signature in signatures if signature[:_WHOSE] != own[:_WHOSE]]
    value = ".".join([word, *[own, *others][:PEOPLE_A_BROWSER]])
    response.set_cookie(
        _cookie_name(), value, max_age=_YEAR, secure=secure_cookies(), httponly=True, samesite="Lax", path="/"
    )


@contextmanager
def turn_to_hash() -> Iterator[None]:
    """A turn to compute password hashes, two at once; 429 when none comes within three seconds.

    The limits are looked at again when the turn comes: of many tries sent at once, all passed the first look
    before any was counted.
    """
    if not _HASHING.acquire(timeout=_LONGEST_WAIT):
        abort(429)
    try:
        if _limit_is_reached():
            abort(429)
        yield
    finally:
        _HASHING.release()


def count_wrong() -> None:
    """Count a wrong password. Right ones never count: who logs in often is not locked out."""
    limiter = current_app.extensions["login_limiter"]
    try:
        for limit in limiter.current_limits:
            limiter.limiter.hit(limit.limit, *limit.request_args)
    except RedisError:  # one count is lost, not the answer
        log.warning("a wrong password could not be counted")


def _limit_is_reached() -> bool:
    limits = current_app.extensions["login_limiter"].current_limits
    try:
        return not limits or any(limit.remaining <= 0 for limit in limits)  # none: they could not be looked at
    except RedisError:  # gone since the first look: the next request counts in memory
        return False


def _cookie_name() -> str:
    return f"cc_{current_app.config['SETTINGS'].web_port}_device"  # cookies ignore ports: two copies must not share one


def _device() -> tuple[str, list[str]]:
    """The random word of this browser, a new one when it has none, and the signatures that it brought."""
    brought = request.cookies.get(_cookie_name(), "")
    if not _DEVICE.fullmatch(brought):
        return secrets.token_urlsafe(16), []
    word, *signatures = brought.split(".")
    return word, signatures[:PEOPLE_A_BROWSER]


def _session_mark() -> int | None:
    """`User.session_mark` of whose password is tried; None for who cannot log in, or while the database is away."""
    if request.endpoint != "auth.log_in":
        return current_user.session_mark
    try:
        return db.session.scalar(select(User.session_mark).where(User.login == login_typed(), User.active))
    except SQLAlchemyError:
        return None
    finally:
        db.session.rollback()  # who waits for a turn to hash holds no connection


def _signature(login: str, word: str, session_mark: int) -> str:
    """Its beginning tells whose it is, so that a new one takes the old one's place."""
    return keyed("whose", login, word)[:_WHOSE] + keyed("device", login, word, str(session_mark))


def keyed(*parts: str) -> str:
    """`jobs.lookup_limits.keyed` with this site's secret."""
    return lookup_limits.keyed(current_app.secret_key, *parts)
