"""An exchange that reads its files when it is told so and says what it has then, as Asterisk's console does."""

import re
from datetime import timedelta
from pathlib import Path

from flask import Flask

from jobs.apply_plan import Applier
from jobs.pbx import Asterisk
from jobs.read_back import ExchangeAway
from jobs.settings import Settings
from models.base import now

NOWHERE = Asterisk(Path("/"))


class FakeExchange:
    """``deaf``: it takes no reload. ``away``: it does not run. ``forgets``: lines with this it never has.

    What it has read lies on the disk, so that it outlives whoever told it to read.
    """

    def __init__(self, settings: Settings) -> None:
        self._etc, self._has = settings.pbx_dir / "etc", settings.var / "exchange"
        self._has.mkdir()
        self.deaf = self.away = False
        self.forgets = ""
        self.asked: list[str] = []

    def start(self) -> None:
        self._read("extensions.conf")
        self._read("pjsip.conf")

    def _read(self, name: str) -> None:
        text = (self._etc / name).read_text()
        lines = text.splitlines(keepends=True)
        read = "".join(line for line in lines if not self.forgets or self.forgets not in line)
        (self._has / name).write_text(read)

    def holds(self) -> dict[str, str]:
        """What it has read."""
        return {path.name: path.read_text() for path in self._has.iterdir()}

    def __call__(self, command: str) -> str:
        self.asked.append(command)
        if self.away:
            raise ExchangeAway
        if command == "module reload res_pjsip.so":
            return self._reloaded("pjsip.conf")
        if command == "dialplan reload":
            return self._reloaded("extensions.conf")
        if command == "dialplan show globals":
            shown = re.findall(r"^(\w+) = (.*)$", self._section("globals"), re.MULTILINE)
            return "".join(f"   {name}={value}\n" for name, value in shown)
        if command.startswith("dialplan show "):
            rows = re.findall(r"^exten => ([^,]+),1,(.*)$", self._section(command.split()[-1]), re.MULTILINE)
            return "".join(f"  '{exten}' =>   1. {app}     [extensions.conf:1]\n" for exten, app in rows)
        phones = dict(re.findall(r"^\[([\w-]+)\]\(phone\)\n((?:.+\n)*)", self.holds()["pjsip.conf"], re.MULTILINE))
        if command == "pjsip show endpoints":
            return "".join(f" Endpoint:  {name}/1    Not in use    0 of inf\n" for name in [*phones, "trunk"])
        name = command.split()[-1]
        if command.startswith("pjsip show endpoint "):
            callerid = re.search(r"^callerid = (.*)$", phones.get(name, ""), re.MULTILINE)
            return f" callerid      : {callerid[1] if callerid else ''}\n context    : from-phones\n"
        password = re.search(rf"^username = {name}\npassword = (.*)$", self.holds()["pjsip.conf"], re.MULTILINE)
        return f" password      : {password[1] if password else ''}\n"

    def _reloaded(self, name: str) -> str:
        if not self.deaf:
            self._read(name)
        return "Reloaded.\n"

    def _section(self, name: str) -> str:
        text = self.holds()["extensions.conf"]
        found = re.search(rf"^\[{name}\]\n(.*?)(?=^\[|\Z)", text, re.MULTILINE | re.DOTALL)
        return found[1] if found else ""


def tried(*_arguments: object) -> None:
    """How a plan is tried where no Asterisk is."""


def look(app: Flask, exchange: FakeExchange, later: timedelta = timedelta()) -> str:
    """What the periodic job does once, so much later than now."""
    return Applier(app, exchange, NOWHERE, tried).look(now() + later)
