"""Guessing passwords is slow, and locks nobody out who has logged in before."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from jobs.notify import connect
from jobs.settings import Settings
from models.base import db, transaction
from models.people import User
from tests.desk_fixtures import PASSWORD, Site
from tests.helpers import close_database
from tests.web_fixtures import Browser, filled_web, logged_in, stored_user
from webui import auth, login_limits
from webui.login_limits import PEOPLE_A_BROWSER

SAME_PASSWORD = {"old": PASSWORD, "new": PASSWORD, "again": PASSWORD}
TOO_MANY = "Забагато спроб: зачекайте п’ять хвилин або ввійдіть у браузері, в якому вже входили."


def try_from(browser: Browser, address: str, login: str, password: str = "wrong") -> TestResponse:
    values = {"login": login, "password": password}
    return browser.post("/login", values, environ_base={"REMOTE_ADDR": address})


def guess(web: Flask, address: str, login: str, times: int) -> list[int]:
    """Wrong passwords from an address, in a browser that nobody knows."""
    browser = Browser(web)
    return [try_from(browser, address, login).status_code for _ in range(times)]


def test_many_wrong_passwords_are_slowed_down_and_others_still_get_in(web: Flask) -> None:
    """Redis is away here: counted in memory; the tenth wrong try is the last that is looked at."""
    browser = Browser(web)
    statuses = [browser.log_in("tsapkova", "wrong").status_code for _ in range(12)]
    assert statuses == [401] * 10 + [429] * 2
    limited = browser.log_in("TSAPKOVA ")
    assert limited.status_code == 429
    assert TOO_MANY in limited.text
    assert Browser(web).log_in("cherniavska").status_code == 302


def test_one_address_cannot_try_many_logins(web: Flask) -> None:
    browser = Browser(web)
    statuses = [browser.log_in(f"nobody{n}", "wrong").status_code for n in range(31)]
    assert statuses == [401] * 30 + [429]
    assert try_from(Browser(web), "10.1.2.3", "tsapkova", PASSWORD).status_code == 302


@pytest.mark.parametrize(("tries", "logins", "limit"), [(24, 1, 10), (48, 48, 30)])
def test_wrong_passwords_sent_at_once_are_limited_and_hashed_two_at_a_time(
    web: Flask, monkeypatch: pytest.MonkeyPatch, tries: int, logins: int, limit: int
) -> None:
    """All pass the first look at the limit before one is counted; each hash takes 64 MB."""
    running, most = 0, 0
    lock = threading.Lock()

    class Watched:
        def verify(self, password_hash: str, password: str) -> bool:
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
            try:
                return real.verify(password_hash, password)
            finally:
                with lock:
                    running -= 1

    real = auth.hasher
    monkeypatch.setattr(auth, "hasher", Watched())
    browsers = [Browser(web) for _ in range(tries + 1)]
    tokens = [browser.token() for browser in browsers]

    def guess(number: int) -> int:
        form = {"csrf_token": tokens[number], "login": f"nobody{number % logins}", "password": "wrong"}
        return browsers[number].client.post("/login", data=form).status_code

    assert guess(tries) == 401  # from here on it is known that Redis is away, and the count is in memory

    with ThreadPoolExecutor(tries) as pool:
        statuses = sorted(pool.map(guess, range(tries)))
    wrong = statuses.count(401)
    assert statuses == [401] * wrong + [429] * (tries - wrong)
    assert 1 <= wrong <= limit + 1  # two have their turn at once
    assert most <= 2


def test_no_turn_to_hash_is_said_and_nothing_is_checked(web: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(login_limits, "_HASHING", threading.BoundedSemaphore(1))
    monkeypatch.setattr(login_limits, "_LONGEST_WAIT", 0.05)
    with login_limits._HASHING:
        answer = Browser(web).log_in("tsapkova")
    assert answer.status_code == 429
    assert TOO_MANY in answer.text
    assert Browser(web).log_in("tsapkova").status_code == 302


def test_right_passwords_are_not_counted(web: Flask) -> None:
    assert {Browser(web).log_in("tsapkova").status_code for _ in range(15)} == {302}


def test_wrong_passwords_are_counted_in_redis_without_names_and_go_on_when_redis_dies(settings: Settings) -> None:
    site = Site(settings)
    site.start_redis()
    try:
        web = filled_web(settings)
        browser = Browser(web)
        assert {browser.log_in("tsapkova", "wrong").status_code for _ in range(9)} == {401}
        stored = connect(settings.redis_url, reply_seconds=1)
        keys = stored.keys("*")
        seconds = sorted(stored.ttl(key) for key in keys if "LIMIT" in key.upper())
        assert len(seconds) == 3
        assert seconds[0] <= 60 < seconds[1] <= seconds[2] <= 300
        assert not [key for key in keys if "tsapkova" in key]
        site.kill("redis")
        # the count begins anew in memory; nobody is locked out and nothing is unlimited
        statuses = [browser.log_in("tsapkova", "wrong").status_code for _ in range(12)]
        assert statuses[:10] == [401] * 10
        assert statuses[-1] == 429
        assert Browser(web).log_in("cherniavska").status_code == 302
        close_database(web)
    finally:
        site.stop()


def test_ten_wrong_passwords_lock_nobody_out_elsewhere(web: Flask) -> None:
    """During an emergency a stranger must not keep the administrators out."""
    assert guess(web, "10.0.0.1", "tsapkova", 11) == [401] * 10 + [429]
    assert try_from(Browser(web), "10.0.0.2", "tsapkova", PASSWORD).status_code == 302


def test_many_addresses_slow_strangers_down_and_not_the_browser_that_is_known(web: Flask) -> None:
    """Twelve a minute for a login from all strangers together; and an address that is full is full for strangers."""
    known = logged_in(web, "tsapkova")
    known.post("/logout", page="/")
    for number in range(3):
        guess(web, f"10.0.0.{number}", "tsapkova", 10)
    assert try_from(Browser(web), "10.0.0.9", "tsapkova", PASSWORD).status_code == 429
    for number in range(31):
        guess(web, "127.0.0.1", f"nobody{number}", 1)
    assert Browser(web).log_in("cherniavska").status_code == 429
    assert known.log_in("tsapkova").status_code == 302


def test_a_known_browser_has_a_count_of_its_own(web: Flask) -> None:
    known, other = logged_in(web, "tsapkova"), logged_in(web, "tsapkova")
    known.post("/logout", page="/")
    assert [known.log_in("tsapkova", "wrong").status_code for _ in range(11)] == [401] * 10 + [429]
    assert known.log_in("tsapkova").status_code == 429
    assert other.log_in("tsapkova").status_code == 302
    assert Browser(web).log_in("tsapkova").status_code == 302


def test_what_a_browser_knows_is_for_one_login_and_cannot_be_made_up(web: Flask, settings: Settings) -> None:
    known = logged_in(web, "tsapkova")
    name = f"cc_{settings.web_port}_device"
    cookie = known.client.get_cookie(name)
    assert cookie.http_only
    assert cookie.same_site == "Lax"
    assert cookie.max_age > 300 * 24 * 3600
    assert "tsapkova" not in cookie.value
    word, signature = cookie.value.split(".")
    forged = [cookie.value, f"{word}.{'0' * len(signature)}", f"{'A' * 22}.{signature}", word, "", "...", "x" * 4000]
    forged += ["é.é", f"{word}.é", f"{word}.{signature[:-1]}é"]
    logins = ["cherniavska", *["tsapkova"] * (len(forged) - 1)]
    guess(web, "127.0.0.1", "cherniavska", 10)
    guess(web, "127.0.0.1", "tsapkova", 10)
    for value, login in zip(forged, logins, strict=True):
        thief = Browser(web)
        thief.client.set_cookie(name, value)
        assert thief.log_in(login).status_code == 429, value
    copied = Browser(web)
    copied.client.set_cookie(name, cookie.value)
    assert copied.log_in("tsapkova").status_code == 302


def test_a_made_up_cookie_does_not_switch_the_limits_off(web: Flask, settings: Settings) -> None:
    """Whatever breaks while the limits are looked at, the limiter would take for a storage that is away."""
    guesser = Browser(web)
    guesser.client.set_cookie(f"cc_{settings.web_port}_device", f"{'A' * 22}.é")
    assert [guesser.log_in("tsapkova", "wrong").status_code for _ in range(11)] == [401] * 10 + [429]


def test_limits_that_cannot_be_looked_at_let_nobody_in(web: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise RuntimeError

    browser = Browser(web)
    monkeypatch.setattr(login_limits, "_device", broken)
    assert browser.log_in("tsapkova").status_code == 429


def device_of(browser: Browser, settings: Settings) -> str:
    return browser.client.get_cookie(f"cc_{settings.web_port}_device").value


def is_known(web: Flask, settings: Settings, device: str) -> bool:
    """Whether a browser with this cookie may still try where strangers may not, and `PASSWORD` lets it in."""
    browser = Browser(web)
    browser.client.set_cookie(f"cc_{settings.web_port}_device", device)
    return browser.log_in("tsapkova").status_code == 302


def switch_off_and_on(web: Flask) -> None:
    user = stored_user(web, "tsapkova")
    stored_user(web, "tsapkova", active=False, session_mark=user.session_mark + 1)
    stored_user(web, "tsapkova", active=True)


@pytest.mark.parametrize(
    ("end_sessions", "own_is_known", "copy_is_known"),
    [
        (lambda web, browser: browser.post("/logout", page="/"), True, False),
        (lambda web, browser: browser.post("/me/password", SAME_PASSWORD, page="/me"), True, False),
        (lambda web, browser: switch_off_and_on(web), False, False),
        (lambda web, browser: browser.get("/"), True, True),
    ],
    ids=["logged out", "password changed", "switched off and on", "nothing"],
)
def test_what_ends_the_sessions_ends_what_other_browsers_know(
    web: Flask,
    settings: Settings,
    end_sessions: Callable[[Flask, Browser], object],
    own_is_known: bool,
    copy_is_known: bool,
) -> None:
    """A copy of the cookie is worth nothing then; the browser in which it was done gets a new one."""
    browser = logged_in(web, "tsapkova")
    copied = device_of(browser, settings)
    end_sessions(web, browser)
    own = device_of(browser, settings)
    guess(web, "127.0.0.1", "tsapkova", 10)
    assert is_known(web, settings, own) is own_is_known
    assert is_known(web, settings, copied) is copy_is_known


def test_who_is_switched_off_is_a_stranger_everywhere(web: Flask, settings: Settings) -> None:
    device = device_of(logged_in(web, "tsapkova"), settings)
    stored_user(web, "tsapkova", active=False)
    guess(web, "127.0.0.1", "tsapkova", 10)
    browser = Browser(web)
    browser.client.set_cookie(f"cc_{settings.web_port}_device", device)
    assert browser.log_in("tsapkova", "wrong").status_code == 429


def test_logging_a_copied_session_out_makes_no_browser_known(web: Flask, settings: Settings) -> None:
    browser, thief = logged_in(web, "tsapkova"), Browser(web)
    name = f"cc_{settings.web_port}"
    thief.client.set_cookie(name, browser.client.get_cookie(name).value)
    assert thief.post("/logout", page="/").status_code == 302
    assert thief.client.get_cookie(f"{name}_device") is None


def test_one_persons_logins_take_one_place_in_a_shared_browser(web: Flask, settings: Settings) -> None:
    shared = logged_in(web, "cherniavska")
    shared.post("/logout", page="/")
    for _shift in range(3):
        stored_user(web, "tsapkova", session_mark=stored_user(web, "tsapkova").session_mark + 1)
        assert shared.log_in("tsapkova").status_code == 302
        shared.post("/logout", page="/")
    assert len(device_of(shared, settings).split(".")) == 1 + 2


def test_a_browser_knows_everybody_who_shares_it(web: Flask) -> None:
    """Shifts at one desk; the one who was there longest ago gives way."""
    shared = Browser(web)
    people = [f"shift{number}" for number in range(PEOPLE_A_BROWSER + 1)]
    with web.app_context(), transaction() as session:
        like = session.scalars(db.select(User).where(User.login == "tsapkova")).one()
        for login in people:
            session.add(User(login=login, name=login, role=like.role, password_hash=like.password_hash))
    for login in people:
        assert shared.log_in(login).status_code == 302
        shared.post("/logout", page="/")
    for number in range(31):
        guess(web, "127.0.0.1", f"nobody{number}", 1)
    assert [shared.log_in(login).status_code for login in (people[0], people[1])] == [429, 302]


def test_who_is_refused_gets_the_form_back_with_the_login(web: Flask) -> None:
    guess(web, "127.0.0.1", "tsapkova", 10)
    refused = Browser(web).log_in("tsapkova")
    assert refused.status_code == 429
    assert TOO_MANY in refused.text
    assert 'value="tsapkova"' in refused.text
    assert PASSWORD not in refused.text


def test_a_login_that_nobody_can_have_is_a_wrong_one(postgres_settings: Settings) -> None:
    """PostgreSQL refuses to look for some characters."""
    web = filled_web(postgres_settings)
    assert [Browser(web).log_in(f"tsap{odd}kova").status_code for odd in ("\0", "\x1b")] == [401] * 2
    close_database(web)


def test_ones_own_password_is_guessed_as_slowly(web: Flask) -> None:
    browser = logged_in(web, "tsapkova")
    values = {"old": "wrong", "new": "yet three more words", "again": "yet three more words"}
    statuses = [browser.post("/me/password", values, page="/me").status_code for _ in range(11)]
    assert statuses == [401] * 10 + [429]
    refused = browser.post("/me/password", values, page="/me")
    assert "Забагато спроб: зачекайте п’ять хвилин і спробуйте ще раз." in refused.text
    assert 'name="old"' in refused.text
