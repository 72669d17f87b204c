"""Behind a proxy: whose address counts, and which cookies travel by https alone."""

from dataclasses import replace

import pytest

from jobs.settings import Settings, load_settings
from tests.desk_fixtures import PASSWORD, Site, fill_desks
from tests.helpers import close_database
from tests.web_fixtures import Browser
from webui import create_app

HTTPS = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.7", "Referer": "https://localhost/login"}


def browser_at(settings: Settings, **changes: object) -> Browser:
    app = create_app(replace(settings, **changes))
    with app.app_context():
        fill_desks()
    return Browser(app)


def wrong_passwords(browser: Browser, count: int, address: str) -> set[int]:
    """Each for another login, so that only the address counts."""
    headers = {"X-Forwarded-For": address}
    tries = (browser.log_in(f"nobody-{address}-{n}", "wrong", headers=headers) for n in range(count))
    return {answer.status_code for answer in tries}


def test_wrong_passwords_count_for_the_address_that_the_proxy_tells(settings: Settings) -> None:
    browser = browser_at(settings, proxies=1)
    assert wrong_passwords(browser, 30, "192.0.2.7") == {401}
    assert wrong_passwords(browser, 1, "192.0.2.7") == {429}
    assert wrong_passwords(browser, 1, "192.0.2.8") == {401}
    assert wrong_passwords(browser, 1, "192.0.2.99, 192.0.2.7") == {429}  # its own word counts for nothing
    close_database(browser.client.application)


def test_without_a_proxy_nobody_says_who_they_are(settings: Settings) -> None:
    browser = browser_at(settings)
    assert wrong_passwords(browser, 30, "192.0.2.7") == {401}
    assert wrong_passwords(browser, 1, "192.0.2.8") == {429}
    close_database(browser.client.application)


@pytest.mark.parametrize(("proxies", "secure"), [(0, False), (1, True)])
def test_cookies_that_came_by_https_stay_with_https(settings: Settings, proxies: int, secure: bool) -> None:
    browser = browser_at(settings, proxies=proxies)
    page = browser.get("/login", **HTTPS)
    answer = browser.post("/login", {"login": "tsapkova", "password": PASSWORD}, headers=HTTPS)
    assert answer.status_code == 302
    cookies = [*page.headers.getlist("Set-Cookie"), *answer.headers.getlist("Set-Cookie")]
    assert cookies
    assert {"; Secure" in cookie for cookie in cookies} == {secure}
    close_database(browser.client.application)


def test_in_production_a_form_sent_by_http_says_to_use_https(settings: Settings) -> None:
    """The browser has thrown the cookie away: no other advice would help."""
    browser = browser_at(settings, env="production")
    answer = browser.client.post("/login", data={"login": "tsapkova", "password": PASSWORD})
    assert answer.status_code == 400
    assert "через https://" in answer.text


def test_behind_a_proxy_the_web_listens_on_this_machine_alone() -> None:
    settings = load_settings({"CC_PROXY": "1", "CC_BIND": "192.0.2.10"})
    assert (settings.bind, settings.web_host) == ("192.0.2.10", "127.0.0.1")
    assert load_settings({"CC_BIND": "192.0.2.10"}).web_host == "192.0.2.10"


@pytest.mark.parametrize(("proxies", "secure"), [(0, False), (1, True)])
def test_the_running_server_believes_a_proxy_only_when_there_is_one(settings, proxies, secure) -> None:
    import http.client

    site = Site(replace(settings, proxies=proxies))
    try:
        site.start_web()
        web = http.client.HTTPConnection("127.0.0.1", settings.web_port, timeout=10)
        web.request("GET", "/login", headers={"Accept": "text/html"} | HTTPS)
        assert ("; Secure" in web.getresponse().getheader("Set-Cookie")) is secure
        web.close()
    finally:
        site.stop()
