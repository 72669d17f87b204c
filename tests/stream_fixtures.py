"""A browser's EventSource without the browser: logs in and listens to the stream of events."""

import http.client
import json
import re
import socket
import threading
import urllib.parse

from tests.desk_fixtures import PASSWORD, Site
from tests.helpers import eventually


def log_in(site: Site, login: str) -> str:
    """The session's cookie."""
    web = http.client.HTTPConnection("127.0.0.1", site.settings.web_port, timeout=20)
    web.request("GET", "/login", headers={"Accept": "text/html"})
    page = web.getresponse()
    cookie = page.getheader("Set-Cookie").split(";")[0]
    token = re.search(r'name="csrf-token" content="([^"]+)"', page.read().decode())[1]
    form = urllib.parse.urlencode({"login": login, "password": PASSWORD, "csrf_token": token})
    headers = {"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded", "Accept": "text/html"}
    web.request("POST", "/login", form, headers)
    answer = web.getresponse()
    assert answer.status == 302
    cookies = [value.split(";")[0] for name, value in answer.getheaders() if name == "Set-Cookie"]
    web.close()
    return "; ".join(cookies)


class EventStream:
    """A browser's EventSource: all that arrived, in order, as (event, id, data)."""

    def __init__(self, site: Site, cookie: str, last: str = "", path: str = "/events") -> None:
        self.got: list[tuple[str, str, dict]] = []
        self.ended = False
        self._web = http.client.HTTPConnection("127.0.0.1", site.settings.web_port, timeout=60)
        headers = {"Cookie": cookie, "Accept": "text/event-stream"}
        self._web.request("GET", path, headers=headers | ({"Last-Event-ID": last} if last else {}))
        self._socket = self._web.sock
        self.answer = self._web.getresponse()
        if self.answer.status == 200:
            threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        fields: dict[str, str] = {}
        try:
            for line in self.answer:
                name, _colon, value = line.decode().rstrip("\n").partition(": ")
                if name:
                    fields[name] = value
                elif fields:
                    self.got.append((fields["event"], fields.get("id", ""), json.loads(fields["data"])))
                    fields = {}
        except (OSError, ValueError, AttributeError, http.client.HTTPException):
            pass  # the connection was closed
        self.ended = True

    def of(self, kind: str) -> list[dict]:
        return [data for event, _id, data in self.got if event == kind]

    def last_of_call(self, call: int) -> dict:
        return next((data for data in reversed(self.of("call")) if data.get("call") == call), {})

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)


def listen(site: Site, login: str, last: str = "") -> EventStream:
    stream = EventStream(site, log_in(site, login), last)
    eventually(lambda: stream.of("state"), "the present state comes first")
    assert stream.got[0][0] == "state"
    return stream
