"""The ring order changes while citizens call: each call rings, the next one in the new order (I2)."""

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from jobs.app import bare_app
from jobs.apply_plan import Applier, site_of
from jobs.pbx import find_asterisk
from jobs.read_back import console
from models.base import now, transaction
from models.people import User
from models.plan import Plan, PlanPhone, PlanStep
from models.plan_acts import change_draft, order_draft, order_return
from models.plan_versions import STILL_RUNG
from tests.helpers import close_database, eventually
from tests.pbx.town import Town, invites, running_town

pytestmark = [pytest.mark.pbx, pytest.mark.long, pytest.mark.alone]

CALLS, RATE = 80, 2
CACHED = 1.5  # seconds for which a ring order that was read is used, and a call is on its way


@pytest.fixture(scope="module")
def town() -> Iterator[Town]:
    with tempfile.TemporaryDirectory(prefix="cc-") as folder:
        Path(folder).chmod(0o755)  # Asterisk runs under its own account
        with running_town(Path(folder)) as running:
            yield running


@pytest.fixture
def app(town: Town) -> Iterator[Flask]:
    app = bare_app(town.settings)
    with app.app_context():
        yield app
    close_database(app)


def order(town: Town, act: Callable[..., object]) -> int:
    """Order a version, and wait until the exchange has it: its number."""
    with transaction() as session:
        me = session.scalars(select(User).where(User.login == "tekhnik")).one()
        act(session, me)
    number = town.value("SELECT max(id) FROM plan_versions")
    query = "SELECT state, trouble FROM plan_versions WHERE id = :number"

    def there() -> bool:
        row = town.rows(query, number=number)[0]
        assert row["state"] in ("applying", "applied"), row
        return row["state"] == "applied"

    eventually(there, lambda: town.rows(query, number=number), 60)
    return number


def rung_since(town: Town, phones: dict[str, Path], at: float) -> int:
    """How many calls have rung since then."""
    return sum(min(calls)[0] > at for calls in town.rings(phones).values())


def second_first(plan: Plan) -> Plan:
    """On 5-32-73 the second phone rings first, then a new one; the third line is switched off."""
    plan = plan.with_phone(PlanPhone("admin4", "104", "Тел. 4"))
    line, off = plan.line("53273"), plan.line("54286")
    plan = plan.with_line(replace(off, active=False))
    return plan.with_line(replace(line, steps=(PlanStep(("admin2",), 20), PlanStep(("admin4",), 20))))


def test_calls_ring_through_a_change_and_back(town: Town, app: Flask) -> None:
    phones = town.start_phones(ring_ms=300, talk_ms=200)
    talker, _folder = town.call([("+380679999999", "53275")], rate=1, talk_ms=30_000)  # goes on through it all
    callers = [(f"+38067{number:07d}", "53273") for number in range(1, CALLS + 1)]
    citizens, folder = town.call(callers, rate=RATE, talk_ms=100)
    eventually(lambda: len(town.rings(phones)) > 6, "some calls", 30)

    def change(session, me: User) -> None:
        revision = change_draft(session, me, now(), second_first).revision
        assert order_draft(session, me, now(), revision, "Відпустка", site_of(town.settings)) == []

    begun = time.time()
    assert order(town, change) == 2
    applied = time.time()
    assert "PJSIP/admin2,20,i:PJSIP/admin4,20,i" in town.asterisk("dialplan show globals")
    assert "admin4/104" in town.asterisk("pjsip show endpoints")
    assert "54286" not in town.asterisk("dialplan show from-trunk")
    eventually(lambda: rung_since(town, phones, applied + CACHED) > 6, "calls in the new order", 30)
    time_of_second = time.time()
    assert order(town, lambda session, me: order_return(session, 1, me, now(), "", site_of(town.settings))) == 3
    back = time.time()
    assert "PJSIP/admin1,20,i:PJSIP/admin2&PJSIP/admin3,25,i" in town.asterisk("dialplan show globals")
    assert "admin4/104" in town.asterisk("pjsip show endpoints")  # a call may still ring there
    assert citizens.wait(90) == 0
    assert talker.wait(60) == 0  # nobody's call was disturbed
    sent, heard = invites(folder), town.rings(phones)
    assert len(sent) == CALLS
    silent = [caller for caller in sent if caller not in heard]
    assert silent == []
    for caller, at in sent.items():
        first = min(heard[caller])[1]
        if at < begun or at > back + CACHED:
            assert first == "admin1", (caller, first)
        elif applied + CACHED < at < time_of_second:
            assert first == "admin2", (caller, first)
    assert any(applied + CACHED < at < time_of_second for at in sent.values())
    assert any(at > back + CACHED for at in sent.values())
    applier = Applier(app, console(town.settings, find_asterisk()))

    def taken_out() -> bool:
        """The jobs beside hold the plan for a moment each second."""
        assert applier.look(now() + STILL_RUNG + timedelta(seconds=60)) == ""
        return "admin4" not in town.asterisk("pjsip show endpoints")

    eventually(taken_out, lambda: town.asterisk("pjsip show endpoints"), 30)
    assert town.value("SELECT settled_at FROM plan_versions WHERE id = 3") is not None


def longest(plan: Plan) -> Plan:
    """As long as the check lets anything be: names, titles, a ring order, phones that ring at once."""
    names = [f"a{number:031d}" for number in range(6)]
    for place, name in enumerate(names):
        plan = plan.with_phone(PlanPhone(name, f"1000000{place}", "Ї" * 39 + "1"))
    for number in range(30):
        plan = plan.with_phone(PlanPhone(f"p{number}", f"2{number:03d}", "Тел. «№ 1», поверх 2: вікно + двері"))
    steps = [PlanStep(tuple(names), 60)] * 3 + [PlanStep(tuple(names[:5]), 60)]
    return plan.with_line(replace(plan.line("53275"), title="Т" * 128, steps=tuple(steps)))


def test_the_longest_plan_is_read_back_as_it_was_written(town: Town, app: Flask) -> None:
    def change(session, me: User) -> None:
        revision = change_draft(session, me, now(), longest).revision
        assert order_draft(session, me, now(), revision, "Усе відразу", site_of(town.settings)) == []

    number = order(town, change)
    assert town.value("SELECT state FROM plan_versions WHERE id = :number", number=number) == "applied"


def test_a_new_phone_rings_once_it_is_set_up(town: Town, app: Flask) -> None:
    """It registers with the secret that it was given, and the former one opens nothing."""

    def change(session, me: User) -> None:
        def first(plan: Plan) -> Plan:
            plan = plan.with_phone(PlanPhone("admin5", "105", "Тел. 5"))
            return plan.with_line(replace(plan.line("53275"), steps=(PlanStep(("admin5",), 20),)))

        revision = change_draft(session, me, now(), first).revision
        assert order_draft(session, me, now(), revision, "Новий телефон", site_of(town.settings)) == []

    order(town, change)
    phones = town.start_phones(ring_ms=300, talk_ms=200, only=("admin5",))
    citizens, _folder = town.call([("+380671112233", "53275")], rate=1, talk_ms=100)
    assert citizens.wait(60) == 0
    assert [phone for _at, phone in town.rings(phones)["+380671112233"]] == ["admin5"]
