"""The configuration that Asterisk reads: written from the database, whole or not at all."""

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from jobs.pbx import SERVICE_USER, Asterisk, PbxError, render
from jobs.settings import Settings, TrunkAccount
from models.base import transaction
from models.lines import Line, RingStep, find_line
from models.people import Phone

NOWHERE = Asterisk(Path("/"))


@pytest.fixture
def town(app, session: Session) -> Phone:
    """One line, one phone."""
    with transaction() as writing:
        phone = Phone(name="admin1", extension="101", secret="s" * 24, title="Стіл 1")
        line = Line(number="5-32-73", e164="+380544853273")
        writing.add_all((phone, line, RingStep(line=line, step=1, phone=phone, seconds=20)))
    return phone


def test_each_line_has_defaults_that_ring_without_us(session: Session, settings: Settings, town: Phone) -> None:
    """I2: the ring order stands in the dialplan, too, and a line answers to every form of its number."""
    written = (render(session, settings, NOWHERE) / "extensions.conf").read_text()
    assert "ROUTE_53273 = PJSIP/admin1,20,i\n" in written
    for did in ("53273", "0544853273", "380544853273", "+380544853273"):
        assert f"exten => {did},1,Goto(inbound,53273,1)" in written
        assert find_line(session, did).number == "5-32-73"  # the same forms are found when the call is written down
    assert f"agi://127.0.0.1:{settings.agi_port}/inbound" in written


def test_secrets_are_not_readable_by_others(session: Session, settings: Settings, town: Phone) -> None:
    for name in ("pjsip.conf", "manager.conf"):
        mode = (render(session, settings, NOWHERE) / name).stat().st_mode
        assert mode & 0o007 == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts Asterisk under another account")
def test_the_exchange_cannot_change_what_it_reads(session: Session, settings: Settings, town: Phone) -> None:
    """Who broke into Asterisk could else write its configuration, and wait there for root."""
    etc = render(session, settings, NOWHERE)
    assert {path.stat().st_uid for path in (settings.pbx_dir, etc, *etc.iterdir())} == {0}
    assert (settings.pbx_dir / "log" / "cel-custom").owner() == SERVICE_USER


@pytest.mark.parametrize("title", ['a"b', "a;b", "a\nexten => _X.,1,System(id)", "a\\"])
def test_no_value_becomes_a_line_of_its_own(session: Session, settings: Settings, town: Phone, title: str) -> None:
    """A title that would change the configuration is refused, and the files in place stay."""
    before = (render(session, settings, NOWHERE) / "pjsip.conf").read_text()
    with transaction() as writing:
        writing.get_one(Phone, town.id).title = title
    with pytest.raises(PbxError, match="leave out quotes"):
        render(session, settings, NOWHERE)
    assert (settings.pbx_dir / "etc" / "pjsip.conf").read_text() == before


def test_manager_users_have_the_least_rights(session: Session, settings: Settings, town: Phone) -> None:
    """Neither manager user may run commands, and both only from this machine."""
    written = (render(session, settings, NOWHERE) / "manager.conf").read_text()
    granted = {row.split("=")[1].strip() for row in written.splitlines() if row.startswith(("read", "write"))}
    assert granted == {"call,reporting,system,security", "reporting", "call", "originate,call", "1000"}
    assert written.count("permit = 127.0.0.1/255.255.255.255") == written.count("secret = ") == 2


@pytest.mark.parametrize(
    ("account", "leads_to"),
    [("romny-center", "inbound,0,1"), ("0544853273", "inbound,53273,1"), ("0544851111", "status-line,s,1")],
)
def test_the_account_leads_where_its_own_number_does_unless_the_header_says_another(
    session: Session, settings: Settings, town: Phone, account: str, leads_to: str
) -> None:
    known = replace(settings, trunk_account=TrunkAccount(account, "x"), status_line="+380544851111")
    dialplan = (render(session, known, NOWHERE) / "extensions.conf").read_text()
    (begins,) = re.findall(rf"(?m)^exten => {account},1,(.*)$", dialplan)
    assert begins == "Set(CC_DIALLED=${PJSIP_HEADER(read,To)})"
    assert f'= "{account}"]?{leads_to})' in dialplan
