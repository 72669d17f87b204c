"""Telling the exchange to read its files anew, and reading back what it has then: a reload says nothing (I2, A4).

``dialplan reload`` answers before and however it ends, and counts the contexts of before; a module's reload succeeds
with a section that it left out. So each line, each extension and each phone is asked for.
"""

import re
import socket
import subprocess
from collections.abc import Callable, Mapping

from jobs.pbx import Asterisk
from jobs.settings import Settings
from models.plan_checks import LONGEST_CALLER

SECONDS = 20  # for each command
_RELOADS = ("module reload res_pjsip.so", "dialplan reload")  # phones first: a ring order names them
_CONTEXTS = ("from-trunk", "from-phones")  # what of the dialplan the plan changes, besides the globals
Ask = Callable[[str], str]


class ExchangeAway(Exception):
    """No exchange runs: it reads its files when it starts."""


class ExchangeHangs(Exception):
    """It runs and does not answer."""


def console(settings: Settings, asterisk: Asterisk) -> Ask:
    """Asks the running Asterisk by its console. The answer raises `ExchangeAway`, `ExchangeHangs`."""

    def ask(command: str) -> str:
        line = asterisk.command(settings, "-rx", command)
        try:
            done = subprocess.run(
                line, capture_output=True, encoding="utf-8", errors="replace", timeout=SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            raise ExchangeHangs from None
        except OSError as error:
            raise ExchangeAway(error.strerror) from error
        if done.returncode != 0 or "Unable to connect to remote asterisk" in done.stdout + done.stderr:
            raise ExchangeHangs if _listens(settings.ami_port) else ExchangeAway
        return done.stdout

    return ask


def _listens(port: int) -> bool:
    """Whether an exchange runs, though its console takes nobody in: it has what it has read, not what is written."""
    try:
        socket.create_connection(("127.0.0.1", port), 1.0).close()
    except OSError:
        return False
    return True


def reload(ask: Ask) -> None:
    """Have it read phones and dialplan anew; calls go on."""
    for command in _RELOADS:
        ask(command)


def first_mismatch(files: Mapping[str, str], ask: Ask) -> str:
    """The first thing that the exchange has otherwise than these files say: its name. "" when all is so."""
    dialplan, phones = files["extensions.conf"], files["pjsip.conf"]
    has = dict(re.findall(r"^\s+(\w+)=(.*)$", ask("dialplan show globals"), re.MULTILINE))
    for name, value in re.findall(r"^(\w+) = (.*)$", _section(dialplan, "globals"), re.MULTILINE):
        if has.get(name) != value.strip():
            return name
    for context in _CONTEXTS:
        wanted = dict(re.findall(r"^exten => ([^,]+),1,(.*)$", _section(dialplan, context), re.MULTILINE))
        shown = ask(f"dialplan show {context}")
        found = dict(re.findall(r"^\s+'(.+?)' =>\s+1\. (.*?)\s+\[extensions\.conf:\d+\]$", shown, re.MULTILINE))
        for exten in sorted(wanted.keys() | found.keys()):
            if wanted.get(exten) != found.get(exten):
                return f"{context}: {exten}"
    return _phone_mismatch(phones, ask)


def _phone_mismatch(phones: str, ask: Ask) -> str:
    wanted = re.findall(r"^\[([\w-]+)\]\(phone\)\n((?:.+\n)*)", phones, re.MULTILINE)
    passwords = dict(re.findall(r"^username = (.*)\npassword = (.*)$", phones, re.MULTILINE))
    shown = set(re.findall(r"^ Endpoint:  ([\w-]+)", ask("pjsip show endpoints"), re.MULTILINE)) - {"trunk"}
    for name in sorted(shown ^ {name for name, _section in wanted}):
        return name
    for name, section in wanted:
        endpoint, auth = _parameters(ask(f"pjsip show endpoint {name}")), _parameters(ask(f"pjsip show auth {name}"))
        callerid = re.search(r"^callerid = (.*)$", section, re.MULTILINE)
        same = _caller(endpoint.get("callerid", "")) == _caller(callerid[1] if callerid else "")
        if not same or endpoint.get("context") != "from-phones" or auth.get("password") != passwords.get(name):
            return name
    return ""


def _section(text: str, name: str) -> str:
    """What stands in a section of a configuration, or in a context."""
    found = re.search(rf"^\[{re.escape(name)}\]\n(.*?)(?=^\[|\Z)", text, re.MULTILINE | re.DOTALL)
    return found[1] if found else ""


def _parameters(shown: str) -> dict[str, str]:
    return dict(re.findall(r"^ (\w+) +: ?(.*?) *$", shown, re.MULTILINE))


def _caller(callerid: str) -> tuple[str, str]:
    """Name, as far as Asterisk keeps it, and number of a caller id."""
    found = re.fullmatch(r'(?:"(.*)" ?)?<?(\w*)>?', callerid.strip())
    name, number = (found[1] or "", found[2]) if found else (callerid, "")
    return name.encode()[:LONGEST_CALLER].decode(errors="replace").strip(), number
