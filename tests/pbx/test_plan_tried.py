"""A plan is tried before the town's exchange learns it: one by which a call reaches nobody is refused (I2)."""

import os
import random
import re
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import psutil
import pytest
from flask import Flask
from sqlalchemy import select

from jobs import trial
from jobs.app import bare_app
from jobs.apply_plan import Applier, site_of
from jobs.pbx import Asterisk, PbxError, find_asterisk
from jobs.settings import Settings, load_settings
from jobs.trial import Beside, Candidate, NotReached, NotTried, beside, clear, try_plan
from jobs.trial_calls import MESSAGE, Telephones
from models.base import now, transaction
from models.hours import Hours, OutOfHours
from models.people import User
from models.plan import Plan, PlanLine, PlanPhone, PlanStep
from models.plan_acts import change_draft, order_draft
from models.plan_checks import Site, check_plan, line_e164
from models.workdays import WorkCalendar
from tests.helpers import close_database, eventually
from tests.pbx.town import Town

pytestmark = pytest.mark.pbx

PLANS = int(os.environ.get("PLANS", "20"))
AREA = "5448"
CALENDAR = WorkCalendar(date(2026, 12, 31), {date(2027, 3, 1): False, date(2027, 3, 6): True})
NOON = datetime(2027, 2, 3, 10, tzinfo=UTC)
_FIRST = (PlanStep(("admin1",), 20), PlanStep(("admin2", "admin3"), 25))
THREE_LINES = Plan(
    tuple(PlanPhone(f"admin{n}", f"10{n}", f"Вікно {n}") for n in (1, 2, 3)),
    (
        PlanLine("067-123-45-67", line_e164("067-123-45-67", AREA), steps=_FIRST[::-1]),
        PlanLine(
            "5-32-73", line_e164("5-32-73", AREA), steps=_FIRST,
            hours=Hours("08:00–17:00", ""), out_of_hours=OutOfHours.MESSAGE, duty="admin2",
        ),
        PlanLine("5-42-86", line_e164("5-42-86", AREA), active=False),
    ),
)  # fmt: skip


def candidate(plan: Plan = THREE_LINES) -> Candidate:
    return Candidate(plan, {phone.name: "s" * 24 for phone in plan.phones}, (), CALENDAR)


@pytest.fixture
def here() -> Iterator[Settings]:
    """A town without a running exchange."""
    with tempfile.TemporaryDirectory(prefix="cc-") as folder:
        Path(folder).chmod(0o755)  # Asterisk runs under its own account
        yield load_settings({"CC_VAR": folder, "CC_STATUS_LINE": "5-11-11"})


def folder_of(settings: Settings) -> Path:
    return settings.var / "trial"


def processes(settings: Settings) -> list[int]:
    """Those that run on the folder of a trial."""
    own = str(folder_of(settings))
    return [one.pid for one in psutil.process_iter(["cmdline"]) if own in " ".join(one.info["cmdline"] or ())]


def test_a_good_plan_passes_and_nothing_is_left(here: Settings) -> None:
    with beside(here, find_asterisk()) as exchange:
        exchange.start(candidate())
        assert len(processes(here)) == 1
        exchange.call_lines(candidate(), [NOON])
        assert exchange.complaint() == ""
    assert processes(here) == []
    assert not folder_of(here).exists()


def test_whom_the_calls_meet(here: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each line in each of its forms, in hours and out of them, with the duty's key and without."""
    heard: dict[str, list[tuple[str, ...]]] = {}
    true = Telephones.call

    def call(self: Telephones, dialled: str, line: str, met: list[str]) -> bool:
        over = true(self, dialled, line, met)
        heard.setdefault(dialled, []).append((*met[:1], *sorted(met[1:])))
        return over

    monkeypatch.setattr(Telephones, "call", call)
    try_plan(here, find_asterisk(), candidate(), NOON)
    in_order, message = ("admin1", "admin2", "admin3"), (MESSAGE,)
    assert heard["53273"] == [in_order, in_order, message, ("admin2", MESSAGE), message]
    assert heard["0544853273"] == heard["380544853273"] == heard["+380544853273"] == [message]
    assert set(heard["0671234567"][0]) == set(in_order)
    assert heard["0671234567"][0][0] != "admin1"
    assert heard["+380671234567"] == [message]
    for other in ("54286", "100", "51111", "+380544851111"):
        assert [set(met) for met in heard[other]] == [set(in_order)]


SPOILED: dict[str, tuple[str, str, str, type[Exception], str]] = {
    "a number that is not the line's": (
        "extensions.conf", r"^(exten => 0544853273,1,Goto\(inbound),53273", r"\1,0671234567", NotReached, "5-32-73"
    ),
    "a line's number is lost": ("extensions.conf", r"^exten => 53273,1,.*\n", "", NotReached, "5-32-73"),
    "the context of the lines is lost": ("extensions.conf", r"^\[inbound\]", "[lost]", NotReached, "067-123-45-67"),
    "a ring order is lost": ("extensions.conf", r"^ROUTE_53273 = .*\n", "", NotReached, "5-32-73"),
    "a ring order has another order": (
        "extensions.conf", "^(ROUTE_53273 = )(.*):(.*)$", r"\1\3:\2", NotReached, "5-32-73"
    ),
    "everybody is nobody": ("extensions.conf", "^(ROUTE_0 = ).*$", r"\1PJSIP/admin9,60,i", NotReached, "5-42-86"),
    "a phone is missing": ("pjsip.conf", r"^\[admin1\]\(phone\)\n(.+\n)+", "", NotReached, "067-123-45-67"),
    "a phone has no place": ("pjsip.conf", r"^aors = admin1$", "", NotReached, "067-123-45-67"),
    "a bracket in the dialplan": ("extensions.conf", r"^\[from-phones\]", "[from-phones", NotReached, "067-123-45-67"),
    "a bracket in the phones": ("pjsip.conf", r"^\[admin3\]\(phone\)", "[admin3(phone)", NotReached, "067-123-45-67"),
    "a password that is none": ("pjsip.conf", r"^password = .*$", "pass = x", PbxError, "Could not find option"),
    "a colleague's number": ("extensions.conf", r"^exten => 101,1", "extn => 101,1", PbxError, "Unknown directive"),
}  # fmt: skip


def spoiled(file: str, pattern: str, instead: str) -> Callable[..., dict[str, str]]:
    """How the files are rendered with this mistake in them."""

    def rendered(*arguments: object) -> dict[str, str]:
        files = true(*arguments)
        text = re.sub(pattern, instead, files[file], count=1, flags=re.MULTILINE)
        assert text != files[file]
        return files | {file: text}

    true = trial.rendered
    return rendered


@pytest.mark.parametrize("what", SPOILED)
def test_a_spoiled_candidate_is_refused(here: Settings, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    *mistake, error, about = SPOILED[what]
    monkeypatch.setattr(trial, "rendered", spoiled(*mistake))
    monkeypatch.setattr("jobs.trial_calls.CALL_SECONDS", 2.0)
    with pytest.raises(error, match=about):
        try_plan(here, find_asterisk(), candidate(), NOON)
    assert processes(here) == []
    assert not folder_of(here).exists()


def test_without_a_second_exchange_it_is_not_tried(here: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotTried, match="Asterisk: 127"):
        try_plan(here, Asterisk(here.var / "nowhere"), candidate(), NOON)
    with monkeypatch.context() as full:
        full.setattr("jobs.pbx_folder.write_whole", raises(OSError(28, "No space left on device")))
        with pytest.raises(NotTried, match="No space left on device"):
            try_plan(here, find_asterisk(), candidate(), NOON)
    monkeypatch.setattr(trial, "CALLS_SECONDS", 0.0)
    with pytest.raises(NotTried, match="> 0 s"):
        try_plan(here, find_asterisk(), candidate(), NOON)
    assert not folder_of(here).exists()


def raises(error: Exception) -> Callable[..., object]:
    def fails(*_arguments: object, **_named: object) -> None:
        raise error

    return fails


def die(*_arguments: object, **_named: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


DEATHS: dict[str, tuple[str, Callable[..., object]]] = {
    "before its files are there": ("jobs.pbx_folder.write_whole", die),
    "while it starts": ("jobs.trial.console", lambda *_arguments: die),
    "before the first call": ("jobs.trial.Beside.call_lines", die),
    "in a call": ("jobs.trial_calls.Telephones._rings", die),
}


@pytest.mark.parametrize("where", DEATHS)
def test_killed_in_the_middle_nothing_is_left_after_the_next_start(
    here: Settings, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    asterisk = find_asterisk()
    child = os.fork()
    if child == 0:
        monkeypatch.setattr(*DEATHS[where])
        with suppress(Exception):
            try_plan(here, asterisk, candidate(), NOON)
        os._exit(7)
    _pid, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), f"it was not killed: {status}"
    assert folder_of(here).exists()
    eventually(lambda: processes(here) == [], lambda: processes(here), 10)
    clear(here, asterisk)  # as each start does
    assert not folder_of(here).exists()
    try_plan(here, asterisk, candidate(), NOON)


def test_one_that_outlived_us_is_ended(here: Settings) -> None:
    exchange = Beside(here, find_asterisk())
    exchange.start(candidate())
    clear(here, find_asterisk())
    eventually(lambda: processes(here) == [], lambda: processes(here), 10)
    assert not folder_of(here).exists()
    exchange.end()


@pytest.fixture
def app(town: Town) -> Iterator[Flask]:
    """The town, whose periodic jobs stand still: the test applies plans."""
    town.stop_part("rounds")
    app = bare_app(town.settings)
    with app.app_context():
        yield app
    close_database(app)
    town.start_part("rounds")


def test_a_town_rings_on_by_its_plan_while_a_spoiled_one_is_refused(
    town: Town, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    phones = town.start_phones(ring_ms=100, talk_ms=200)
    before = town.asterisk("dialplan show globals"), os.readlink(town.settings.pbx_dir / "etc")
    citizens, _folder = town.call([(f"+3806745600{n:02d}", "53273") for n in range(12)], rate=2, talk_ms=100)
    with transaction() as session:
        me = session.scalars(select(User).where(User.login == "tekhnik")).one()
        draft = change_draft(session, me, now(), second_first)
        assert order_draft(session, me, now(), draft.revision, "Відпустка", site_of(town.settings)) == []
        number = draft.id
    monkeypatch.setattr(trial, "rendered", spoiled("extensions.conf", r"^exten => 53275,1,.*\n", ""))
    assert Applier(app).look(now()) == ""
    (row,) = town.rows("SELECT state, trouble, trouble_about FROM plan_versions WHERE id = :number", number=number)
    assert row == {"state": "rolled_back", "trouble": "not_reached", "trouble_about": "5-32-75"}
    assert (town.asterisk("dialplan show globals"), os.readlink(town.settings.pbx_dir / "etc")) == before
    assert citizens.wait(60) == 0
    heard = town.rings(phones)
    assert [min(heard[f"+3806745600{n:02d}"])[1] for n in range(12)] == ["admin1"] * 12
    assert processes(town.settings) == []


def second_first(plan: Plan) -> Plan:
    return plan.with_line(replace(plan.line("53273"), steps=(PlanStep(("admin2",), 20),)))


# ---- plans that nobody thought of


def test_whatever_plan_passes_the_check_passes_the_trial(here: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who calls meets phones in their order, or a message, at whatever moment. ``PLANS=500`` tries so many."""
    asterisk, met_by = find_asterisk(), []
    true = Telephones.call

    def call(self: Telephones, dialled: str, line: str, met: list[str]) -> bool:
        over = true(self, dialled, line, met)
        met_by.append(tuple(met))
        return over

    monkeypatch.setattr(Telephones, "call", call)
    for number in range(PLANS):
        chance = random.Random(number)
        plan = random_plan(chance)
        moments = [NOON + timedelta(minutes=chance.randrange(2 * 365 * 24 * 60)) for _ in range(6)]
        try:
            with beside(here, asterisk) as exchange:
                exchange.start(candidate(plan))
                exchange.call_lines(candidate(plan), moments)
                assert exchange.complaint() == ""
        except (NotReached, NotTried) as error:
            pytest.fail(f"plan {number}: {error!r}: {plan}")
    assert all(met_by)
    messages, duties = (sum(met[place:] == (MESSAGE,) for met in met_by) for place in (0, 1))
    print(f"{PLANS} plans, {len(met_by)} calls: {messages} messages, {duties} duty phones")


def random_plan(chance: random.Random) -> Plan:
    """A plan without a fault: 1–8 lines, 1–12 phones, some of each switched off."""
    site = Site(AREA, "+380544851111", frozenset(f"user{n}" for n in range(12)))
    while check_plan(plan := _any_plan(chance), site):
        pass
    return plan


def _any_plan(chance: random.Random) -> Plan:
    extensions = chance.sample(range(10, 100_000), 12)
    phones = tuple(
        PlanPhone(
            chance.choice((f"admin{n}", f"a{n}-вікно".replace("вікно", "okno"), f"p_{n}" + "x" * chance.randrange(20))),
            str(extensions[n]),
            chance.choice(("", f"Вікно {n}", "Тел. «№ 1», поверх 2: вікно + двері", "Ї" * 39)),
            chance.choice(("", f"user{n}")),
            chance.random() < 0.8,
            chance.randrange(3),
        )
        for n in range(chance.randint(1, 12))
    )
    ringing = [phone.name for phone in phones if phone.active]
    return Plan(phones, tuple(_any_line(chance, ringing) for _ in range(chance.randint(1, 8))))


def _any_line(chance: random.Random, ringing: list[str]) -> PlanLine:
    local = f"{chance.randint(2, 9)}-{chance.randrange(100):02d}-{chance.randrange(100):02d}"
    number = chance.choice((local, local, f"067-{chance.randrange(1000):03d}-{local[2:]}"))
    steps = tuple(
        PlanStep(tuple(chance.sample(ringing, chance.randint(1, len(ringing)))), chance.randint(5, 60))
        for _ in range(chance.randint(1, 5) if ringing else 0)
    )
    hours = chance.choice((None, Hours(_range(chance), _range(chance))))
    out_of_hours = OutOfHours.MESSAGE if hours and chance.random() < 0.8 else OutOfHours.RING
    duty = chance.choice(("", *ringing)) if out_of_hours == OutOfHours.MESSAGE else ""
    active = chance.random() < 0.85
    return PlanLine(number, line_e164(number, AREA), "Лінія", active, steps, hours, out_of_hours, duty)


def _range(chance: random.Random) -> str:
    if chance.random() < 0.25:
        return ""
    begins, ends = sorted(chance.sample(range(24 * 60 + 1), 2))
    return "–".join(f"{at // 60:02}:{at % 60:02}" for at in (begins, ends))
