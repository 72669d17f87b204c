"""A logged-in screen without a browser: the login form, and the stream of events with the time each arrived."""

import http.client
import json
import re
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from http.cookiejar import CookieJar


@dataclass
class Screen:
    """One person's session. ``events`` are ``(arrival in epoch seconds, kind, data)``."""

    base: str
    login: str
    password: str
    events: list[tuple[float, str, dict]] = field(default_factory=list)

    def __post_init__(self) -> None:
        cookies = urllib.request.HTTPCookieProcessor(CookieJar())
        self._opener = urllib.request.build_opener(cookies)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def get(self, path: str) -> str:
        return self._opener.open(self.base + path, timeout=20).read().decode()

    def post(self, path: str, values: dict[str, str]) -> tuple[int, str]:
        """POST a form with the session's CSRF token; returns status and body, whatever the status."""
        data = urllib.parse.urlencode(values | {"csrf_token": self.token}).encode()
        try:
            with self._opener.open(self.base + path, data, timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def log_in(self) -> "Screen":
        self.token = _token(self.get("/login"))
        status, page = self.post("/login", {"login": self.login, "password": self.password})
        assert status == 200, page
        self.token = _token(page)
        return self

    def listen(self) -> "Screen":
        """Open the stream; returns once the present state has arrived."""
        ready = threading.Event()
        self._thread = threading.Thread(target=self._read, args=(ready,), daemon=True)
        self._thread.start()
        assert ready.wait(20), "no state on the stream"
        return self

    def _read(self, ready: threading.Event) -> None:
        kind = ""
        while not self._stop.is_set():
            try:
                answer = self._opener.open(self.base + "/events", timeout=15)
                for line in answer:
                    if self._stop.is_set():
                        return
                    name, _, value = line.decode().rstrip("\n").partition(": ")
                    if name == "event":
                        kind = value
                    elif name == "data":
                        self.events.append((time.time(), kind, json.loads(value)))
                        if kind == "state":
                            ready.set()
            except (OSError, http.client.HTTPException, ValueError):
                self._stop.wait(0.3)  # as a browser does: it comes again

    def rang_here(self) -> dict[int, float]:
        """The calls that rang on this screen: call id -> when first heard of."""
        rang: dict[int, float] = {}
        for at, kind, data in list(self.events):
            for call in data.get("calls", []) if kind == "state" else [data] if kind == "call" else []:
                if call.get("rings_me") and call["state"] == "ringing":
                    rang.setdefault(call["call"], at)
        return rang

    def close(self) -> None:
        """Stop listening; the thread ends with the next line of the stream (a beat comes every ten seconds)."""
        self._stop.set()


def _token(page: str) -> str:
    found = re.search(r'name="csrf[_-]token" (?:value|content)="([^"]+)"', page)
    assert found, "no CSRF token on the page"
    return found.group(1)
