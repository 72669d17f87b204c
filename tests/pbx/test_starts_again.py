"""What rings when the keeper of all parts dies, when the start is in trouble, and step after step (promise 1)."""

import os
import signal
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from sqlalchemy import delete, select

from jobs.app import bare_app
from jobs.database import prepare_database
from jobs.demo_town import fill_demo_town
from jobs.settings import load_settings
from models.base import transaction
from models.lines import Line, RingStep
from models.people import Phone
from tests.helpers import close_database, eventually
from tests.pbx.town import Town, town_environ

pytestmark = [pytest.mark.pbx, pytest.mark.long]

FIVE_STEPS = ("admin1", "admin2", "admin3", "admin1", "admin2")  # of 5-42-86, a second each


@pytest.fixture
def town() -> Iterator[Town]:
    """A service in production, with the demo town's lines and phones; one line has a longer ring order."""
    with tempfile.TemporaryDirectory(prefix="cc-") as folder:
        Path(folder).chmod(0o755)  # Asterisk runs under its own account
        environ = town_environ(Path(folder))
        app = bare_app(load_settings(environ))
        prepare_database(app)
        fill_demo_town(app)
        with app.app_context(), transaction() as session:
            line = session.scalars(select(Line).where(Line.number == "5-42-86")).one()
            phones = {phone.name: phone for phone in session.scalars(select(Phone))}
            session.execute(delete(RingStep).where(RingStep.line_id == line.id))
            session.add_all(
                RingStep(line_id=line.id, step=step, phone=phones[name], seconds=1)
                for step, name in enumerate(FIVE_STEPS, 1)
            )
        close_database(app)
        environ["CC_ENV"] = "production"
        town = Town(load_settings(environ), environ)
        try:
            town.start()
            yield town
        finally:
            town.stop()


def ring(town: Town, phones: dict[str, Path], number: str) -> bool:
    """Call a line as a citizen once the exchange is up; whether a phone rang."""
    eventually(lambda: "fully booted" in town.asterisk("core waitfullybooted"), "the exchange", 20)
    citizens, _ = town.call([(number, "53273")], rate=1, talk_ms=100, patience_ms=10_000)
    citizens.wait(60)
    return number in town.rings(phones)


def drafts(town: Town, number: str) -> int:
    """How many drafts there are for the calls from this number."""
    query = "SELECT count(*) FROM reports JOIN calls ON calls.id = call_id WHERE calls.number_received = :number"
    return town.value(query, number=number)


def test_calls_ring_again_after_the_supervisor_was_killed(town: Town) -> None:
    """All parts die with supervisord: it is started again, and the phones need not register anew."""
    phones = town.start_phones(ring_ms=300, talk_ms=100)
    before = town.pid("asterisk")
    os.kill(int((town.settings.run_dir / "supervisord.pid").read_text()), signal.SIGKILL)
    eventually(lambda: town.pid("asterisk") not in (0, before), "another Asterisk", 20)
    assert ring(town, phones, "+380670000001")
    eventually(lambda: not town.unwell(), town.unwell, 60)
    eventually(lambda: drafts(town, "+380670000001"), "its draft", 60)


def test_calls_ring_again_after_the_exchange_hung(town: Town) -> None:
    """It answers neither its manager port nor SIP: it is ended, and started again."""
    phones = town.start_phones(ring_ms=300, talk_ms=100)
    hung = town.pid("asterisk")
    eventually(lambda: time.time() - psutil.Process(hung).create_time() > 30, "it is no exchange that starts", 40)
    os.kill(hung, signal.SIGSTOP)
    eventually(lambda: town.pid("asterisk") not in (0, hung), "another Asterisk", 60)
    assert ring(town, phones, "+380670000007")


def make_database_newer(town: Town) -> Callable[[], None]:
    """The database comes from a newer version; the repair is the right one."""

    def write(revision: str) -> str:
        with sqlite3.connect(town.var / "contact-center.sqlite3") as connection:
            ((before,),) = connection.execute("SELECT version_num FROM alembic_version").fetchall()
            connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))
        connection.close()
        return before

    before = write("9999")
    return lambda: write(before)


def damage_secrets(town: Town) -> Callable[[], None]:
    """The secrets are garbage; the repair is new ones, which the running exchange must learn."""
    path = town.var / "secrets.json"
    path.write_text("{")
    return path.unlink


@pytest.mark.parametrize(
    ("damage", "sentence"), [(make_database_newer, "a newer version"), (damage_secrets, "secrets.json is damaged")]
)
def test_it_rings_while_the_start_is_in_trouble(
    town: Town, damage: Callable[[Town], Callable[[], None]], sentence: str
) -> None:
    """In production the exchange starts with its former files; the rest follows the repair by itself."""
    phones = town.start_phones(ring_ms=300, talk_ms=100)
    assert ring(town, phones, "+380670000002")
    town.process.terminate()
    assert town.process.wait(30) == 0
    town.process.stdout.close()
    repair = damage(town)
    said = town.start(until="Only the exchange is started")
    assert any(sentence in line for line in said)
    assert ring(town, phones, "+380670000003")
    exchange = town.pid("asterisk")
    assert town.pid("web") == 0
    repair()
    eventually(lambda: not town.unwell(), town.unwell, 90)
    assert town.pid("asterisk") == exchange
    eventually(lambda: drafts(town, "+380670000003"), "the draft of the call meanwhile", 60)
    assert ring(town, phones, "+380670000004")
    eventually(lambda: drafts(town, "+380670000004"), "the draft of the call afterwards", 60)
    assert [drafts(town, f"+38067000000{call}") for call in (2, 3, 4)] == [1, 1, 1]


def test_every_step_of_a_long_ring_order_rings(town: Town) -> None:
    """I2: the same five steps with the AGI script and without it."""
    phones = town.start_phones(ring_ms=20_000, talk_ms=100)
    for number, agi in (("+380670000005", True), ("+380670000006", False)):
        if not agi:
            town.stop_part("agi")
        citizens, _ = town.call([(number, "54286")], rate=1, talk_ms=100, patience_ms=30_000)
        citizens.wait(60)
        assert tuple(phone for _, phone in sorted(town.rings(phones)[number])) == FIVE_STEPS
