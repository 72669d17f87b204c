"""What the dialplan does by itself: nobody free, an account instead of a number, a reload in the middle of calls."""

import pytest

from jobs.sipp import free_udp_port, register_phone, scenario, start_sipp
from tests.helpers import eventually
from tests.pbx.town import Town, read_trace

pytestmark = pytest.mark.pbx

BUSY = """<?xml version="1.0" encoding="UTF-8"?>
<scenario name="a desk phone on which somebody talks">
  <recv request="OPTIONS" optional="true" next="alive"/>
  <recv request="INVITE"/>
  <send><![CDATA[
SIP/2.0 486 Busy Here
[last_Via:]
[last_From:]
[last_To:];tag=[pid]b[call_number]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>
  <recv request="ACK" next="end"/>
  <label id="alive"/>
  <send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:];tag=[pid]o[call_number]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>
  <label id="end"/>
</scenario>
"""


def test_a_citizen_goes_on_hearing_ringing_while_all_are_busy(town: Town) -> None:
    """The exchange tries again, and the first who is free has the call."""
    for name in list(town.phones):
        town.phones.pop(name).kill()
    busy, folders = [], []
    try:
        for phone in town.rows("SELECT name, secret FROM phones"):
            port, folder = free_udp_port(), town.folder(f"busy-{phone['name']}")
            busy.append(start_sipp(town.settings, BUSY, folder, "-trace_msg", host="127.0.0.1", port=port))
            register_phone(town.settings, phone["name"], phone["secret"], port, folder / "register")
            folders.append(folder)
        citizens, folder = town.call([("+380505551001", "53273")], rate=1, talk_ms=200)
        refused = lambda: [m for one in folders for m in read_trace(one) if b"486 Busy" in m.text]  # noqa: E731
        eventually(lambda: len(refused()) >= 3, "all three phones were busy")
        assert citizens.poll() is None
    finally:
        for process in busy:
            process.kill()
            process.wait()
    town.start_phones(ring_ms=100, talk_ms=300)
    assert citizens.wait(30) == 0
    assert [m.text.split(b" ", 2)[1] for m in read_trace(folder) if m.text.startswith(b"SIP/2.0 4")] == []


def test_a_gateway_that_calls_an_account_rings_everybody(town: Town) -> None:
    """A request address that is no number still becomes a call and a draft (I1)."""
    known = town.value("SELECT max(id) FROM calls") or 0
    town.start_phones(ring_ms=100, talk_ms=300)
    accounts = ("line1", "*55", "#7", "Romny.council")
    callers = [(f"+38050555200{position}", account) for position, account in enumerate(accounts)]
    citizens, _folder = town.call(callers, rate=2, talk_ms=200)
    assert citizens.wait(30) == 0
    written = "SELECT count(*) FROM reports JOIN calls ON calls.id = call_id WHERE calls.id > :known"
    eventually(lambda: town.value(written, known=known) == len(accounts), "a draft for each")


def test_no_call_is_refused_while_the_dialplan_is_read_anew(town: Town) -> None:
    """Without the script a call rings by the file's own variables; a reload must not leave a moment without them."""
    town.start_phones(ring_ms=50, talk_ms=200)
    town.stop_part("agi")
    try:
        callers = [(f"+38050555{3000 + position}", "53273") for position in range(40)]
        citizens, _folder = town.call(callers, rate=10, talk_ms=100)
        while citizens.poll() is None:
            town.asterisk("dialplan reload")
        assert citizens.returncode == 0
    finally:
        town.start_part("agi")
    eventually(lambda: town.unwell() == [], town.unwell, 30)


def test_a_phone_cannot_say_that_it_is_at_the_gateway(town: Town) -> None:
    """Whoever called it would call out into the town, at its cost."""
    phone = town.rows("SELECT name, secret FROM phones ORDER BY name")[0]
    text = scenario("register", contact_port=5060, expires=3600, **phone)
    there = text.replace("<sip:" + phone["name"] + "@[local_ip]", "<sip:0900123456@127.0.0.2")
    assert there != text
    folder = town.folder("elsewhere")
    once = ("-m", "1", "-timeout", "5", "-timeout_error")
    asked = start_sipp(town.settings, there, folder, *once, host="127.0.0.1", port=free_udp_port())
    assert asked.wait(10) != 0
    assert "0900123456" not in town.asterisk("pjsip show contacts")
