"""Two hundred citizens call: two hundred drafts, each right, each on the right screen; nothing is left behind."""

import os
import re
import time
from collections import Counter
from contextlib import ExitStack, closing

import psutil
import pytest

from jobs.celfile import earlier_files, put_aside
from jobs.demo_users import DEMO_USERS
from tests.helpers import eventually
from tests.pbx.screen import Screen
from tests.pbx.town import Town, invites

pytestmark = pytest.mark.pbx

CALLS = 200
RATE = 5
LINES = ("53273", "53275", "54286")
ADMINISTRATORS = [user for user in DEMO_USERS if user[3] == "administrator"]


CALLS_WITH_PEOPLE = """
    SELECT calls.id, calls.number_received, calls.number, lines.number AS line, calls.recovered, phones.name AS phone,
           answered.login AS answered_by, owner.login AS owner,
           (SELECT count(*) FROM reports AS drafts WHERE drafts.call_id = calls.id) AS drafts
    FROM calls
    LEFT JOIN lines ON lines.id = calls.line_id
    LEFT JOIN phones ON phones.id = calls.answered_by_id
    LEFT JOIN users AS answered ON answered.id = phones.user_id
    LEFT JOIN reports ON reports.call_id = calls.id
    LEFT JOIN users AS owner ON owner.id = reports.owner_id
    WHERE calls.id > :known
"""


def usual_forms(number: int) -> tuple[str, str]:
    """The ``number``-th caller: as some exchange would give the number, and its E.164 form (I1)."""
    mobile = f"67{4_000_000 + number:07d}"
    local = f"{2}{1000 + number}"
    forms = (
        (f"+380{mobile}", f"+380{mobile}"),
        (f"380{mobile}", f"+380{mobile}"),
        (f"0{mobile}", f"+380{mobile}"),
        (f"80{mobile}", f"+380{mobile}"),
        (mobile, f"+380{mobile}"),
        (local, f"+3805448{local}"),
        (f"05448{local}", f"+3805448{local}"),
        (f"00380{mobile}", f"+380{mobile}"),
        (f"+4930{10_000_000 + number}", f"+4930{10_000_000 + number}"),
    )
    return forms[number % len(forms)]


def footprint(town: Town) -> dict[str, int]:
    """What must be as before once all calls are over: channels, threads, open files, task processors."""
    counted = {"channels": town.channels()}
    for part in ("asterisk", "agi", "listener"):
        process = psutil.Process(town.pid(part))
        counted[f"{part} files"] = process.num_fds()
        counted[f"{part} threads"] = process.num_threads()
    processors = town.asterisk("core show taskprocessors")
    counted["task processors"] = int(re.search(r"(\d+) taskprocessors", processors).group(1))
    counted["pbx tasks waiting"] = sum(int(row.split()[2]) for row in processors.splitlines() if "pjsip" in row)
    return counted


def run_calls(town: Town, first: int, calls: int) -> tuple[list[tuple[str, str]], list[str], dict[str, float]]:
    numbers = [usual_forms(first + position) for position in range(calls)]
    callers = [(received, LINES[position % 3]) for position, (received, _) in enumerate(numbers)]
    citizens, folder = town.call(callers, rate=RATE, talk_ms=500)
    assert citizens.wait(calls / RATE + 60) == 0, "a citizen's call failed"
    return callers, [e164 for _, e164 in numbers], invites(folder)


def test_every_call_has_one_right_draft_on_the_right_screen(town: Town) -> None:
    """I1, I2, I3: line, number and screen of 200 calls at 5/s; channels, threads, files, task processors as before."""
    phones = town.start_phones(ring_ms=300, talk_ms=400)
    run_calls(town, first=900, calls=30)  # pools and caches are filled before the first count
    eventually(lambda: town.channels() == 0, "channels gone", 20)
    before = footprint(town)
    known = town.value("SELECT max(id) FROM calls")
    with ExitStack() as stack:
        screens = {}
        for login, password, _name, _role in ADMINISTRATORS:
            screen = Screen(f"http://127.0.0.1:{town.settings.web_port}", login, password)
            screens[login] = stack.enter_context(closing(screen.log_in().listen()))
        callers, numbers, _sent = run_calls(town, first=0, calls=CALLS)
        eventually(
            lambda: (
                town.value("SELECT count(*) FROM calls WHERE id > :known AND state = 'ended'", known=known) == CALLS
            ),
            "every call ended",
            20,
        )
        rows = town.rows(CALLS_WITH_PEOPLE, known=known)
        shown = {login: screen.rang_here() for login, screen in screens.items()}
    assert len(rows) == CALLS
    assert Counter(row["drafts"] for row in rows) == {1: CALLS}
    expected = {received: (line, e164) for (received, line), e164 in zip(callers, numbers, strict=True)}
    first_phone = {
        row["line"].replace("-", ""): (row["phone"], row["login"])
        for row in town.rows(
            "SELECT lines.number AS line, phones.name AS phone, users.login FROM ring_steps"
            " JOIN lines ON lines.id = line_id JOIN phones ON phones.id = phone_id JOIN users ON users.id = user_id"
            " WHERE step = 1"
        )
    }
    for row in rows:
        line, e164 = expected[row["number_received"]]
        phone, login = first_phone[line]
        assert (row["line"].replace("-", ""), row["number"]) == (line, e164)
        assert (row["phone"], row["answered_by"], row["owner"]) == (phone, login, login)
        assert not row["recovered"]
        assert [who for who, calls in shown.items() if row["id"] in calls] == [login]
    assert {e for row in town.rings(phones).values() for _, e in row} == set(phones)
    eventually(lambda: town.channels() == 0, "channels gone", 20)
    tolerance = {"asterisk threads": 6, "agi threads": 4, "asterisk files": 4, "agi files": 6, "listener files": 3}

    def as_before() -> bool:
        after = footprint(town)
        return all(after[name] <= count + tolerance.get(name, 0) for name, count in before.items())

    eventually(as_before, f"before {before}, after {footprint(town)}", 60)


def test_no_call_is_lost_while_its_file_is_put_aside(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """I1: nobody but the CEL file hears of these calls, and it is renamed as often as can be while they are written."""
    monkeypatch.setattr("jobs.celfile.LARGE", 1)
    town.start_phones(ring_ms=100, talk_ms=200)
    for part in ("agi", "listener", "rounds"):
        town.stop_part(part)
    cel = town.settings.cel_file
    known = town.value("SELECT max(id) FROM calls") or 0
    callers = [(f"+38067{6_000_000 + number}", LINES[number % 3]) for number in range(40)]
    citizens, _ = town.call(callers, rate=RATE, talk_ms=200)
    eventually(lambda: put_aside(cel, time.time()) or citizens.poll() is not None, "the calls' end")
    assert citizens.returncode == 0, "a citizen's call failed"
    eventually(lambda: town.channels() == 0, "channels gone", 20)
    assert len(earlier_files(cel)) > len(callers)
    for part in ("agi", "listener", "rounds"):
        town.start_part(part)
    eventually(
        lambda: (
            town.value("SELECT count(*) FROM calls WHERE id > :known AND state = 'ended'", known=known) == len(callers)
        ),
        "every call recovered",
    )
    rows = town.rows(CALLS_WITH_PEOPLE, known=known)
    assert Counter((row["recovered"], row["drafts"], row["answered_by"] is None) for row in rows) == {
        (1, 1, False): len(callers)
    }
    assert sorted(row["number"] for row in rows) == [number for number, _ in callers]


def test_asterisk_runs_without_rights(town: Town) -> None:
    """The exchange is not root, even when the service was started by root."""
    process = psutil.Process(town.pid("asterisk"))
    assert os.geteuid() != 0 or process.uids().effective != 0


def test_the_trunk_has_no_way_out(town: Town) -> None:
    """From the inbound contexts nobody can dial out."""
    dialplan = town.asterisk("dialplan show inbound") + town.asterisk("dialplan show from-trunk")
    dialled = set(re.findall(r"Dial\(([^)]*)\)", dialplan))
    assert dialled == {"${CC_DIAL}", "${CC_DUTY}"}
    assert "PJSIP/trunk" not in dialplan
    assert "Include =>" not in dialplan


def test_the_exchange_starts_without_an_error(town: Town) -> None:
    """Every module that the dialplan needs is there; its log holds the greeting line alone."""
    log = (town.settings.pbx_dir / "log" / "messages.log").read_text()
    assert [line for line in log.splitlines() if "ERROR" in line and "loader.c" in line] == []
    for application in ("AGI", "Dial", "CELGenUserEvent"):
        assert "-= Info about" in town.asterisk(f"core show application {application}")
