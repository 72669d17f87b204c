"""A caller from an affected street hears of the outage before the phone rings, on the real exchange (C7, promise 1)."""

import itertools
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from jobs.app import bare_app
from jobs.sipp import start_citizen
from jobs.voice import NoVoice, ready
from models.base import db, now, transaction
from models.outage_acts import Details, end_outage, enter_outage
from models.outages import OutageKind, announced
from models.people import Organisation, Role, User
from models.places import Street
from models.reports import Report, ReportState
from models.status_script import outage_keys, outage_told
from tests.helpers import AREA_CODE, eventually
from tests.pbx.town import Town, read_trace

pytestmark = pytest.mark.pbx

LINE = "53273"
SPOKEN = 3.0  # seconds that every announcement lasts, at the least
_NUMBERS = itertools.count(7_100_000)


@dataclass
class Affected:
    """A town in which there is no water at the buildings 12–48 of one street."""

    town: Town
    outage_id: int
    street: int
    next_street: int
    rang: dict[str, Path]

    def number_at(self, building: str, street: int | None = None) -> str:
        """A number (E.164) from which this building was reported once."""
        number = f"+38067{next(_NUMBERS)}"
        with bare_app(self.town.settings).app_context(), transaction() as session:
            session.add(
                Report(
                    number=f"2098-{number[-5:]}", state=ReportState.CLOSED, contact_number=number,
                    street_id=street or self.street, building=building, registered_at=now(), text="темно",
                )
            )  # fmt: skip
        return number

    def calls(self, number: str, **how: object) -> tuple[subprocess.Popen, Path]:
        folder = self.town.folder("outage")
        caller = f"<sip:{number}@127.0.0.2>"
        process = start_citizen(
            self.town.settings, folder, "-m", "1", "-trace_msg",
            caller=caller, line=LINE, **{"talk_ms": 60_000, "patience_ms": 60_000} | how,
        )  # fmt: skip
        return process, folder

    def heard(self, number: str) -> list[bool]:
        """Of each outage that the number has heard, whether it left over it."""
        query = """SELECT "left" FROM outage_callers JOIN reports ON reports.id = report_id
            JOIN calls ON calls.id = call_id WHERE calls.number = :number"""
        return [bool(row["left"]) for row in self.town.rows(query, number=number)]

    def state(self, number: str) -> object:
        return self.town.value("SELECT state FROM calls WHERE number = :number ORDER BY id DESC", number=number)

    def rings(self, number: str) -> list[float]:
        return [at for at, _phone in self.town.rings(self.rang).get(number, [])]


def answered_at(folder: Path) -> float:
    """When the citizen's call was answered, whoever answered it."""
    return next(
        message.at
        for message in read_trace(folder)
        if not message.sent and message.text.startswith(b"SIP/2.0 200") and message.header(b"CSeq").endswith(b"INVITE")
    )


@pytest.fixture(scope="module")
def affected(town: Town) -> Iterator[Affected]:
    app = bare_app(town.settings)
    with app.app_context(), transaction() as session:
        user = session.scalars(select(User).where(User.role == Role.ADMINISTRATOR)).first()
        street, beside = session.scalars(select(Street).where(Street.active).order_by(Street.id).limit(2)).all()
        details = Details(
            organisation=session.scalars(select(Organisation)).first(), kind=OutageKind.WATER, planned=False,
            whole_city=False, streets=f"{street.name}: 12–48", begins_at=now() - timedelta(minutes=5),
            ends_at=now() + timedelta(hours=3), text="Прорвало трубу",
        )  # fmt: skip
        outage_id = enter_outage(session, user, details, now(), AREA_CODE).id
        place, other, keeper = street.id, beside.id, user.id
    rang = town.start_phones(ring_ms=100, talk_ms=1000)
    ready_to_tell(town)
    yield Affected(town, outage_id, place, other, rang)
    with app.app_context(), transaction() as session:
        end_outage(session, outage_id, session.get_one(User, keeper), now())


def ready_to_tell(town: Town) -> None:
    """Wait until the periodic jobs have spoken it."""
    app = bare_app(town.settings)

    def spoken() -> bool:
        with app.app_context():
            (one,) = announced(db.session(), now())
            try:
                return bool(ready(town.settings, [*outage_told(one, town.settings.profile.town), *outage_keys()]))
            except NoVoice:
                return False

    eventually(spoken, "the outage is spoken", 90)


@pytest.mark.parametrize("building", ["12", "48", "48а", "12/3"])
def test_who_is_at_the_edge_hears_it_and_then_the_phone_rings(affected: Affected, building: str) -> None:
    number = affected.number_at(building)
    process, folder = affected.calls(number)
    assert process.wait(120) == 0
    (rang,) = affected.rings(number)[:1]
    assert rang - answered_at(folder) > SPOKEN
    eventually(lambda: affected.heard(number) == [False], "it is kept that they heard it")
    eventually(lambda: affected.state(number) == "ended", "a person has spoken with them")


@pytest.mark.parametrize("building", ["11", "49"])
def test_who_is_beyond_the_edge_hears_nothing(affected: Affected, building: str) -> None:
    rings_at_once(affected, affected.number_at(building))


def test_the_next_street_hears_nothing(affected: Affected) -> None:
    rings_at_once(affected, affected.number_at("12", affected.next_street))


def rings_at_once(affected: Affected, number: str) -> None:
    process, folder = affected.calls(number)
    assert process.wait(120) == 0
    (rang,) = affected.rings(number)[:1]
    assert rang < answered_at(folder)  # a person, and nobody else, has answered
    assert affected.heard(number) == []


def test_who_presses_the_key_is_affected_and_no_phone_rings(affected: Affected) -> None:
    number = affected.number_at("20")
    process, folder = affected.calls(number, keys=[(3000, "1")])
    assert process.wait(120) == 0
    assert [message.sent for message in read_trace(folder) if message.method == b"BYE"] == [False]
    eventually(lambda: affected.heard(number) == [True], "it is kept that they left")
    nobody_is_to_call_back(affected, number)


def test_who_hangs_up_meanwhile_is_affected_and_no_phone_rings(affected: Affected) -> None:
    number = affected.number_at("20")
    process, _folder = affected.calls(number, talk_ms=6000)
    assert process.wait(120) == 0
    eventually(lambda: affected.heard(number) == [True], "it is kept that they left")
    nobody_is_to_call_back(affected, number)


def test_who_hangs_up_at_once_has_understood_nothing_and_is_called_back(affected: Affected) -> None:
    number = affected.number_at("20")
    process, _folder = affected.calls(number, talk_ms=500)
    assert process.wait(120) == 0
    eventually(lambda: affected.state(number) == "missed", "the call is missed")
    assert affected.heard(number) == [False]
    assert affected.rings(number) == []


def nobody_is_to_call_back(affected: Affected, number: str) -> None:
    assert affected.rings(number) == []
    ended = "SELECT ended_at FROM calls WHERE number = :number"
    eventually(lambda: affected.town.value(ended, number=number) is not None, "the call is over")
    assert affected.state(number) == "affected"
    tasks = "SELECT count(*) FROM call_tasks WHERE number = :number AND settled_at IS NULL"
    eventually(lambda: affected.town.value(tasks, number=number) == 0, "no call-back is open")


def test_what_is_not_spoken_is_not_said_and_the_phone_rings(affected: Affected) -> None:
    """Promise 1: the sounds are gone, and so is the part that makes them."""
    town = affected.town
    town.stop_part("rounds")
    try:
        for path in town.settings.sounds_dir.glob("*.wav"):
            path.unlink()
        rings_at_once(affected, affected.number_at("20"))
    finally:
        town.start_part("rounds")
    ready_to_tell(town)
