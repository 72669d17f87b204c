"""A citizen hears the state of their report by telephone: real calls with real keys (W10)."""

import pytest
from sqlalchemy import func, select

from jobs.sipp import start_citizen
from models.base import db, transaction
from models.people import AccessLog
from models.reports import Report, ReportState
from tests.helpers import eventually
from tests.pbx.citizens import Citizens
from tests.pbx.town import STATUS_LINE, Town, read_trace

pytestmark = pytest.mark.pbx

OWN, PIN = "+380671112233", "123456"
DIALLED = STATUS_LINE.replace("-", "")
BETWEEN, LATER = 700, 3000  # milliseconds: between two keys of a number, and before the first of one


@pytest.fixture(scope="module")
def citizens(town: Town) -> Citizens:
    return Citizens(town)


@pytest.fixture
def report(citizens: Citizens) -> Report:
    """A report at work of the applicant with the number `OWN`."""
    (report_id,) = citizens.done(OWN)
    with citizens.app.app_context(), transaction() as session:
        found = session.get_one(Report, report_id)
        found.state, found.pin, found.number = ReportState.IN_PROGRESS, PIN, f"2098-{report_id:04d}"
        session.flush()
        session.expunge(found)
        return found


def calls(citizens: Citizens, number: str, *, line: str = DIALLED, keys=(), patience_ms: int = 60_000) -> None:
    """One whole call, which the exchange ends."""
    folder = citizens.town.folder("status-line")
    caller = f"<sip:{number}@127.0.0.2>"
    process = start_citizen(
        citizens.town.settings, folder, "-m", "1", "-trace_msg",
        caller=caller, line=line, patience_ms=patience_ms, talk_ms=60_000, keys=keys,
    )  # fmt: skip
    assert process.wait(240) == 0
    ended = [message.sent for message in read_trace(folder) if message.method == b"BYE"]
    assert ended == [False]


def typed(digits: str) -> list[tuple[int, str]]:
    return [(BETWEEN if place else LATER, digit) for place, digit in enumerate(digits)]


def looks(citizens: Citizens, report: Report) -> list[str]:
    with citizens.app.app_context():
        query = select(AccessLog.reason).where(AccessLog.user_id.is_(None), AccessLog.subject_id == report.id)
        return list(db.session.scalars(query))


def drafts(citizens: Citizens) -> int:
    with citizens.app.app_context():
        return db.session.scalar(select(func.count(Report.id)).where(Report.call_id.is_not(None)))


def test_own_number(citizens: Citizens, report: Report) -> None:
    """The exchange ends the call; it is no missed one, and makes no draft."""
    before = drafts(citizens)
    calls(citizens, OWN)
    eventually(lambda: looks(citizens, report) == ["by telephone: own number"], "the look is recorded")
    assert drafts(citizens) == before


def test_number_and_pin(citizens: Citizens, report: Report) -> None:
    keys = [*typed("*"), *typed(f"{report.number.replace('-', '')}#"), *typed(f"{PIN}#")]
    calls(citizens, "anonymous", keys=keys)
    eventually(lambda: looks(citizens, report) == ["by telephone: number and PIN"], "the look is recorded")


def test_three_wrong_pins_end_the_call(citizens: Citizens, report: Report) -> None:
    once = [*typed(f"{report.number.replace('-', '')}#"), *typed("000000#")]
    calls(citizens, "anonymous", keys=[*typed("*"), *once * 3])
    assert looks(citizens, report) == []


@pytest.mark.long
def test_whom_nobody_answered_is_offered_the_state_and_the_call_stays_missed(
    citizens: Citizens, report: Report
) -> None:
    town = citizens.town
    for name in list(town.phones):
        town.phones.pop(name).kill()
    for phone in town.rows("SELECT name FROM phones"):
        town.asterisk(f"database del registrar/contact {phone['name']}")
    calls(citizens, OWN, line="53273", keys=[(4000, "1")], patience_ms=120_000)
    eventually(lambda: looks(citizens, report) == ["by telephone: own number"], "the look is recorded")
    missed = "SELECT state FROM calls WHERE number = :number ORDER BY id DESC"
    eventually(lambda: town.value(missed, number=OWN) == "missed", "the call is missed")


def test_it_rings_while_the_script_is_away(citizens: Citizens) -> None:
    """Promise 1: people answer the status line then, and the call has its draft."""
    town, number = citizens.town, "+380671119999"
    town.start_phones(ring_ms=100, talk_ms=300)
    town.stop_part("agi")
    try:
        calls(citizens, number)
    finally:
        town.start_part("agi")
    written = "SELECT count(*) FROM reports JOIN calls ON calls.id = call_id WHERE calls.number = :number"
    eventually(lambda: town.value(written, number=number) == 1, "the draft", 60)
    eventually(lambda: town.unwell() == [], town.unwell, 30)
