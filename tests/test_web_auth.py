"""Logging in and out; what a stolen, old or foreign request gets."""

import gzip
import re
import subprocess
import sys

import pytest
from flask import Flask

from jobs.settings import CHECKOUT, Settings, load_settings
from tests.desk_fixtures import PASSWORD
from tests.web_fixtures import Browser, logged_in, stored_user
from webui import create_app
from webui.auth import safe_next


def test_right_password_opens_the_desk(web: Flask) -> None:
    browser = Browser(web)
    answer = browser.log_in("tsapkova")
    assert (answer.status_code, answer.location) == (302, "/")
    assert "Цапкова О. П." in browser.get("/").text


def test_the_login_may_be_typed_in_capitals_and_with_spaces(web: Flask) -> None:
    assert Browser(web).log_in(" Tsapkova ").status_code == 302


def test_technical_administrator_lands_at_the_system_state(web: Flask) -> None:
    assert Browser(web).log_in("tekhnik").location == "/status"


def test_wrong_password_and_unknown_login_get_the_same_answer(web: Flask) -> None:
    stored_user(web, "sorokina", active=False)
    tries = [("tsapkova", "wrong"), ("nobody", "wrong"), ("nobody", PASSWORD), ("sorokina", PASSWORD), ("", "")]
    answers = []
    for login, password in tries:
        answer = Browser(web).log_in(login, password)
        assert answer.status_code == 401
        text = re.sub(r'name="csrf[-_]token" [a-z]+="[^"]+"', "", answer.text).replace(f'value="{login}"', "")
        answers.append(text.replace("autofocus", "").replace(" ", ""))
    assert set(answers) == {answers[0]}


def test_a_password_costs_what_it_should_to_guess() -> None:
    """RFC 9106, 4: three passes over 64 MiB. Asked in a process of its own, for the tests' own hashes are cheap."""
    asked = "from webui.auth import hasher; print(hasher.type.name, hasher.memory_cost, hasher.time_cost)"
    told = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, cwd=CHECKOUT).stdout
    assert told.split() == ["ID", "65536", "3"]


def test_password_check_costs_as_much_for_an_unknown_login(web: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted, not timed: each try verifies exactly one argon2 hash."""
    from webui import auth

    verified = []

    class Counting:
        def verify(self, password_hash: str, password: str) -> bool:
            verified.append(password_hash[:10])
            return real.verify(password_hash, password)

    real = auth.hasher
    monkeypatch.setattr(auth, "hasher", Counting())
    for login in ("tsapkova", "nobody"):
        Browser(web).log_in(login, "wrong")
    assert verified == ["$argon2id$"] * 2


def test_typed_login_stays_after_a_wrong_password_and_the_password_does_not(web: Flask) -> None:
    text = Browser(web).log_in("tsapkova", "my secret").text
    assert 'value="tsapkova"' in text
    assert "my secret" not in text


def test_logging_out_needs_a_form_and_ends_the_session(web: Flask) -> None:
    browser = logged_in(web, "tsapkova")
    assert browser.get("/logout").status_code == 405
    assert browser.post("/logout", page="/").location == "/login"
    assert browser.get("/").location == "/login"


def test_a_copy_of_the_cookie_is_worth_nothing_after_logging_out(web: Flask, settings: Settings) -> None:
    """Logging out ends all sessions of this person and nobody else's."""
    browser, thief, colleague = logged_in(web, "tsapkova"), Browser(web), logged_in(web, "cherniavska")
    name = f"cc_{settings.web_port}"
    thief.client.set_cookie(name, browser.client.get_cookie(name).value)
    assert thief.get("/").status_code == 200
    browser.post("/logout", page="/")
    assert thief.get("/").location == "/login"
    assert colleague.get("/").status_code == 200
    assert logged_in(web, "tsapkova").get("/").status_code == 200


def test_switched_off_user_is_out_at_once(web: Flask) -> None:
    browser = logged_in(web, "tsapkova")
    stored_user(web, "tsapkova", active=False)
    assert browser.get("/").location == "/login"


def test_raised_session_mark_ends_all_sessions(web: Flask) -> None:
    browser = logged_in(web, "tsapkova")
    stored_user(web, "tsapkova", session_mark=7)
    assert browser.get("/").location == "/login"
    assert logged_in(web, "tsapkova").get("/").status_code == 200


def test_session_cookie_made_by_somebody_else_is_worth_nothing(web: Flask, settings: Settings) -> None:
    browser = Browser(web)
    browser.client.set_cookie(f"cc_{settings.web_port}", "eyJfdXNlcl9pZCI6IjE6MCJ9.aaaaaa.bbbbbbbbbbbbbbbbbbbbbbbbbbb")
    assert browser.get("/").location == "/login"


def test_form_without_token_is_refused(web: Flask) -> None:
    browser = logged_in(web, "tsapkova")
    answer = browser.client.post("/sound", data={"sound": "off"})
    assert answer.status_code == 400
    assert "Цю сторінку відкрито до входу" in answer.text
    assert stored_user(web, "tsapkova").sound is True
    assert Browser(web).client.post("/login", data={"login": "tsapkova", "password": PASSWORD}).status_code == 400


def test_a_script_with_an_old_token_gets_the_new_one(web: Flask) -> None:
    """Logged in anew in another tab: the page that kept its text may send it once more."""
    browser = logged_in(web, "tsapkova")
    refused = browser.client.post("/sound", data={"sound": "off"}, headers={"X-CSRFToken": "old"})
    assert refused.status_code == 400
    assert refused.json["error"] == "csrf"
    again = browser.client.post("/sound", data={"sound": "off"}, headers={"X-CSRFToken": refused.json["csrf_token"]})
    assert again.status_code == 302
    assert stored_user(web, "tsapkova").sound is False


def test_person_is_sent_to_the_login_page_and_back_a_script_is_told(web: Flask) -> None:
    browser = Browser(web)
    assert browser.get("/journal?state=new").location == "/login?next=/journal?state%3Dnew"
    answer = browser.get("/journal", **{"Sec-Fetch-Dest": "empty"})
    assert (answer.status_code, answer.json["error"]) == (401, "login")
    assert browser.log_in("tsapkova", query="?next=/journal?state%3Dnew").location == "/journal?state=new"


ELSEWHERE = [
    "https://evil.example/",
    "//evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "//[",
    "//[evil",
    "javascript:alert(1)",
    "evil.example",
    "",
    None,
]


def test_only_our_own_pages_are_next(web: Flask) -> None:
    for target in ELSEWHERE:
        assert safe_next(target) is None, target
        browser = Browser(web)
        assert browser.client.get("/login", query_string={"next": target}).status_code == 200
        form = {"csrf_token": browser.token(), "login": "tsapkova", "password": PASSWORD}
        assert browser.client.post("/login", query_string={"next": target}, data=form).location == "/", target


def test_own_password_is_changed_and_other_sessions_end(web: Flask) -> None:
    here, there = logged_in(web, "tsapkova"), logged_in(web, "tsapkova")
    values = {"old": PASSWORD, "new": "yet three more words", "again": "yet three more words"}
    assert here.post("/me/password", values, page="/me").location == "/me"
    assert here.get("/me").status_code == 200
    assert there.get("/me").location.startswith("/login")
    assert Browser(web).log_in("tsapkova").status_code == 401
    assert Browser(web).log_in("tsapkova", "yet three more words").status_code == 302


@pytest.mark.parametrize(
    ("old", "new", "again", "status", "sentence"),
    [
        ("wrong", "long enough it is", "long enough it is", 401, "Поточний пароль неправильний."),
        (PASSWORD, "short", "short", 422, "щонайменше 10\u00a0символів"),
        (PASSWORD, "long enough it is", "another long one", 422, "Два нові паролі різні."),
    ],
)
def test_mistakes_in_the_new_password_are_named_and_only_a_wrong_old_one_counts(
    web: Flask, old: str, new: str, again: str, status: int, sentence: str
) -> None:
    """What is answered with 401 counts as a guess."""
    browser = logged_in(web, "tsapkova")
    answer = browser.post("/me/password", {"old": old, "new": new, "again": again}, page="/me")
    assert answer.status_code == status
    assert sentence in answer.text
    assert Browser(web).log_in("tsapkova").status_code == 302


def test_language_belongs_to_the_person_and_stays_on_the_login_page(web: Flask) -> None:
    browser = logged_in(web, "tsapkova")
    assert browser.post("/language", {"language": "en", "back": "/journal"}, page="/").location == "/journal"
    assert "Journal of reports" in browser.get("/journal").text
    assert "Journal of reports" in logged_in(web, "tsapkova").get("/journal").text
    browser.post("/logout", page="/")
    assert '<html lang="en"' in browser.get("/login").text
    assert '<html lang="uk"' in Browser(web).get("/login").text


def test_colours_are_kept_in_the_browser(web: Flask) -> None:
    browser = Browser(web)
    browser.post("/theme", {"theme": "dark"})
    assert 'data-bs-theme="dark"' in browser.get("/login").text
    browser.post("/theme", {"theme": '"><script>'})
    assert 'data-bs-theme="dark"' in browser.get("/login").text


def test_pages_carry_the_safe_headers(web: Flask) -> None:
    for address in ("/login", "/nothing-here", "/health"):
        headers = Browser(web).get(address).headers
        assert "script-src 'self'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["Cache-Control"] == "no-store"


def test_cookies_are_safe_and_secure_in_production(settings: Settings, tmp_path) -> None:
    for env, secure in (("demo", False), ("production", True)):
        environ = {"CC_VAR": str(settings.var), "CC_ENV": env, "CC_WEB_PORT": str(settings.web_port)}
        cookie = Browser(create_app(load_settings(environ))).get("/login").headers["Set-Cookie"]
        assert cookie.startswith(f"cc_{settings.web_port}=")
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie
        assert ("Secure" in cookie) is secure


def test_demo_logins_are_shown_in_the_demo_only(settings: Settings) -> None:
    from jobs.demo_users import DEMO_USERS

    for env, shown in (("demo", True), ("production", False)):
        environ = {"CC_VAR": str(settings.var), "CC_ENV": env, "CC_WEB_PORT": str(settings.web_port)}
        text = Browser(create_app(load_settings(environ))).get("/login").text
        for login, _password, _name, _role in DEMO_USERS:
            assert (f"<code>{login}</code>" in text) is shown


def test_static_files_have_a_new_address_with_each_change_and_are_kept(web: Flask) -> None:
    browser = Browser(web)
    address = re.search(r'href="(/static/[0-9a-f]{12}/css/app\.css)"', browser.get("/login").text)[1]
    assert "max-age=31536000" in browser.get(address).headers["Cache-Control"]
    old = browser.get("/static/000000000000/css/app.css")
    assert old.status_code == 200
    assert "max-age=0" in old.headers["Cache-Control"]
    assert browser.get("/static/000000000000/../../../jobs/settings.py").status_code == 404


def test_the_framework_travels_compressed(web: Flask) -> None:
    browser = Browser(web)
    address = re.search(r'href="(/static/[^"]+bootstrap\.min\.css)"', browser.get("/login").text)[1]
    packed = browser.get(address, **{"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert len(packed.data) < 40_000
    assert gzip.decompress(packed.data) == browser.get(address).data
