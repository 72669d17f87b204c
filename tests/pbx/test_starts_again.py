"""What keeps the exchange ringing when its keeper dies (design, promise 1)."""

import os
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.app import bare_app
from jobs.database import prepare_database
from jobs.demo_town import fill_demo_town
from jobs.settings import load_settings
from tests.helpers import close_database, eventually
from tests.pbx.town import Town, town_environ

pytestmark = [pytest.mark.pbx, pytest.mark.long]


@pytest.fixture
def town() -> Iterator[Town]:
    """A service in production that has been started once, with the demo town's lines and three telephones."""
    with tempfile.TemporaryDirectory(prefix="cc-") as folder:
        Path(folder).chmod(0o755)  # Asterisk runs under its own account
        environ = town_environ(Path(folder))
        app = bare_app(load_settings(environ))
        prepare_database(app)
        fill_demo_town(app)
        close_database(app)
        environ["CC_ENV"] = "production"
        town = Town(load_settings(environ), environ)
        try:
            town.start()
            yield town
        finally:
            town.stop()


def ring(town: Town, phones: dict[str, Path], number: str) -> bool:
    """Call a line as a citizen who gives up after two seconds; whether a phone rang."""
    citizens, _ = town.call([(number, "53273")], rate=1, talk_ms=100, patience_ms=2000)
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
    killed = time.monotonic()
    eventually(lambda: town.pid("asterisk") not in (0, before), "another Asterisk", 20)
    eventually(lambda: ring(town, phones, "+380670000001"), "a call that rings", 20)
    assert time.monotonic() - killed < 20
    eventually(lambda: not town.unwell(), town.unwell, 60)
    eventually(lambda: drafts(town, "+380670000001"), "its draft", 60)
