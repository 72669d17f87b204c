"""Applying a version of the telephone plan: the old one or the new one, whole, whatever breaks at whichever step."""

import errno
import os
import re
import signal
import socket
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from agi.database import Work
from jobs import apply_plan
from jobs.app import bare_app
from jobs.pbx import Asterisk, PbxError, render, rendered
from jobs.pbx_folder import install
from jobs.prepare import prepare
from jobs.read_back import ExchangeAway, ExchangeHangs, console, first_mismatch
from jobs.settings import Settings
from jobs.trial import Candidate, NotReached, NotTried
from models.base import db, now, transaction
from models.lines import RingStep, ring_order
from models.people import Phone, User
from models.plan import Plan, PlanPhone, PlanStep, read_plan
from models.plan_acts import change_draft, note_present, order_draft, phone_secrets
from models.plan_checks import Site
from models.plan_versions import STILL_RUNG, PlanVersion, Trouble, applied_version, still_rung
from tests.desk_fixtures import PEOPLE, fill_desks
from tests.helpers import close_database
from tests.plan_fixtures import NOWHERE, FakeExchange, look, tried

SOON = timedelta(seconds=10)
HANGS = apply_plan.trouble()
SITE = Site("5448", logins=frozenset(PEOPLE))
NEW_ORDER = [(["admin4"], 20), (["admin1", "admin2"], 30)]
OLD_ORDER = [(["admin1"], 20), (["admin2", "admin3"], 25)]


@dataclass
class Town:
    app: Flask
    exchange: FakeExchange

    @property
    def phones(self) -> list[str]:
        """The phones that its file has."""
        return sorted(re.findall(r"^\[([\w-]+)\]\(phone\)", self.files["pjsip.conf"], re.MULTILINE))

    @property
    def files(self) -> dict[str, str]:
        etc = self.app.config["SETTINGS"].pbx_dir / "etc"
        return {path.name: path.read_text() for path in etc.iterdir()}


@pytest.fixture
def town(app: Flask) -> Town:
    """A town whose exchange runs by version 1."""
    return running(app)


def running(app: Flask) -> Town:
    fill_desks()
    with transaction() as session:
        note_present(session, None, now()).settled_at = now()
        render(session, app.config["SETTINGS"], NOWHERE)
    exchange = FakeExchange(app.config["SETTINGS"])
    exchange.start()
    return Town(app, exchange)


def changed(plan: Plan) -> Plan:
    """A fourth phone rings first, the third is switched off, the second gets a new secret."""
    plan = plan.with_phone(PlanPhone("admin4", "104", "Тел. 4"))
    plan = plan.with_phone(replace(plan.phone("admin3"), active=False, user=""))
    plan = plan.with_phone(replace(plan.phone("admin2"), key=1))
    first = (PlanStep(("admin4",), 20), PlanStep(("admin1", "admin2"), 30))
    for line in plan.lines:
        plan = plan.with_line(replace(line, steps=first))
    return plan


def order() -> int:
    """Version 2 is ordered, and waits."""
    with transaction() as session:
        me = session.scalars(select(User).where(User.login == "tekhnik")).one()
        revision = change_draft(session, me, now(), changed).revision
        assert order_draft(session, me, now(), revision, "Четвертий телефон", SITE) == []
        return revision


def state() -> tuple[str, str]:
    db.session.rollback()  # another session has written
    version = db.session.get_one(PlanVersion, 2)
    return version.state, version.trouble


def whole(town: Town, later: timedelta = timedelta()) -> str:
    """By which plan everything is: tables, files and exchange, with the phones at which calls still ring so much
    ``later``; fails when it is a half of each."""
    db.session.rollback()
    session, settings = db.session(), town.app.config["SETTINGS"]
    steps = ring_order(session, "53273")
    assert steps in (OLD_ORDER, NEW_ORDER)
    ringing = still_rung(session, now() + later)
    files = rendered(read_plan(session), phone_secrets(session), settings, NOWHERE, ringing)
    assert town.files == files
    assert {name: files[name] for name in town.exchange.holds()} == town.exchange.holds()
    assert applied_version(session).plan == read_plan(session)
    assert applied_version(session).id == (1 if steps == OLD_ORDER else 2)
    return "old" if steps == OLD_ORDER else "new"


def test_a_version_is_applied_as_a_whole(town: Town) -> None:
    before = phone_secrets(db.session())
    order()
    assert look(town.app, town.exchange) == ""
    assert (state(), whole(town)) == (("applied", ""), "new")
    after = phone_secrets(db.session())
    assert after["admin1"] == before["admin1"]
    assert after["admin2"] != before["admin2"]  # a new one was asked for
    assert len(after["admin4"]) == 32
    assert look(town.app, town.exchange, STILL_RUNG + SOON) == ""
    assert "[admin3](phone)" not in town.files["pjsip.conf"]
    assert whole(town, STILL_RUNG + SOON) == "new"
    assert settled()
    assert look(town.app, town.exchange, STILL_RUNG + SOON) == ""  # and that was all
    assert town.exchange.asked.count("dialplan reload") == 2


def settled() -> bool:
    db.session.rollback()
    return db.session.scalars(select(PlanVersion.settled_at).where(PlanVersion.id == 2)).one() is not None


def test_phones_that_leave_are_there_for_as_long_as_a_call_may_ring_by_the_order_of_before(town: Town) -> None:
    """A call that rings has its order already, and the AGI server hands the former one out for a second: each of its
    steps finds its phones. Meanwhile the exchange is left in peace."""
    applier = apply_plan.Applier(town.app, town.exchange, NOWHERE, tried)
    work = Work(town.app)
    former = work.line("53273", time.monotonic() + 5).steps
    order()
    for later in (timedelta(), SOON, STILL_RUNG - SOON):
        assert applier.look(now() + later) == ""
        assert {name for names, _seconds in former for name in names} <= set(town.phones)
        assert town.exchange.asked.count("dialplan reload") == 1
        assert not settled()
    assert work.line("53273", time.monotonic() + 5).steps == former  # handed out within the same second
    work.finish(time.monotonic() + 1)
    assert applier.look(now() + STILL_RUNG + SOON) == ""
    assert town.phones == ["admin1", "admin2", "admin4"]
    assert settled()


def test_phones_that_leave_stay_through_another_change_and_a_failed_one(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    order()
    assert look(town.app, town.exchange) == ""
    with monkeypatch.context() as failing:
        failing.setattr(apply_plan, "STEPS", (raises(apply_plan.Stopped(Trouble.FILES)),))
        another(lambda plan: plan.with_phone(PlanPhone("admin5", "105")))
        assert look(town.app, town.exchange) == ""
    assert "admin3" in town.phones
    another(lambda plan: plan.with_phone(replace(plan.phone("admin2"), title="Вікно 2")))
    assert look(town.app, town.exchange) == ""
    assert town.phones == ["admin1", "admin2", "admin3", "admin4"]
    assert look(town.app, town.exchange, STILL_RUNG + SOON) == ""
    assert town.phones == ["admin1", "admin2", "admin4"]


def test_whose_a_phone_is_changes_while_another_leaves(town: Town) -> None:
    """That change alone needs no exchange, and the phone is taken out all the same."""
    order()
    assert look(town.app, town.exchange) == ""
    with transaction() as session:
        session.scalars(select(Phone).where(Phone.name == "admin1")).one().user_id = None
    with transaction() as session:
        note_present(session, None, now())
    assert look(town.app, town.exchange, STILL_RUNG + SOON) == ""
    assert town.phones == ["admin1", "admin2", "admin4"]


def another(change: Callable[[Plan], Plan]) -> None:
    """A further version is ordered."""
    with transaction() as session:
        me = session.scalars(select(User).where(User.login == "tekhnik")).one()
        assert order_draft(session, me, now(), change_draft(session, me, now(), change).revision, "", SITE) == []


def test_while_the_exchange_is_asked_no_transaction_is_open(town: Town) -> None:
    """It may take minutes, and nobody is to wait for them."""
    open_ones = []

    def ask(command: str) -> str:
        open_ones.append(db.session().in_transaction())
        return town.exchange(command)

    order()
    assert apply_plan.Applier(town.app, ask, NOWHERE, tried).look(now()) == ""
    assert apply_plan.Applier(town.app, ask, NOWHERE, tried).look(now() + STILL_RUNG + SOON) == ""
    assert state() == ("applied", "")
    assert len(open_ones) > 20
    assert not any(open_ones)


def test_until_the_tables_change_the_former_phones_stay(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that rings by the old order finds its phones, and one by the new order too."""
    seen = {}

    def write_tables(work: apply_plan.Work) -> None:
        seen.update(town.exchange.holds())
        assert ring_order(db.session(), "53273") == OLD_ORDER
        apply_plan.write_tables(work)

    monkeypatch.setattr(apply_plan, "STEPS", (*apply_plan.STEPS[:-1], write_tables))
    order()
    look(town.app, town.exchange)
    for name in ("admin1", "admin2", "admin3", "admin4"):
        assert f"[{name}](phone)" in seen["pjsip.conf"]


def die(*_arguments: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def killed(town: Town, arm: Callable[[], None]) -> None:
    """Let another process do the periodic job, and be killed where ``arm`` says."""
    db.session.remove()
    db.engine.dispose()
    child = os.fork()
    if child == 0:
        arm()
        look(town.app, town.exchange)
        look(town.app, town.exchange, STILL_RUNG + SOON)
        os._exit(7)
    _pid, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), f"it was not killed: {status}"


COUNT = len(apply_plan.STEPS)


def before_step(place: int) -> None:
    steps = apply_plan.STEPS
    apply_plan.STEPS = (*steps[:place], die, *steps[place:])


def at_switch(place: int) -> None:
    """Between the renames and links by which the folder is switched."""
    names = ("symlink_to", "replace")

    def armed(name: str) -> Callable[..., object]:
        true = getattr(Path, name)
        return lambda self, *args, **kwargs: die() if self.name == "etc.new" else true(self, *args, **kwargs)

    setattr(Path, names[place], armed(names[place]))


def at_command(town: Town, place: int) -> None:
    """Before the exchange gets the command with this number."""
    ask, count = town.exchange.__class__.__call__, iter(range(10_000))
    town.exchange.__class__.__call__ = lambda self, command: die() if next(count) == place else ask(self, command)


KILLS: dict[str, tuple[Callable[[Town], None], str]] = {
    **{f"before step {n + 1}": (lambda _town, n=n: before_step(n), "old") for n in range(COUNT)},
    "after the last step": (lambda _town: before_step(COUNT), "new"),
    **{f"in the switch, {n + 1}": (lambda _town, n=n: at_switch(n), "old") for n in range(2)},
    # two reloads, the globals, two contexts, the phones, two commands for each of four phones: then the tables change,
    # and when no call rings by the former order any more, the fourth phone is taken out
    **{f"before command {n + 1}": (lambda town, n=n: at_command(town, n), "old") for n in range(14)},
    **{f"before command {n + 1}": (lambda town, n=n: at_command(town, n), "new") for n in range(14, 26)},
}


@pytest.mark.parametrize("way", ["the periodic job", "a start"])
@pytest.mark.parametrize("when", KILLS)
def test_killed_anywhere_it_is_the_old_plan_or_the_new_one(town: Town, when: str, way: str) -> None:
    order()
    arm, expected = KILLS[when]
    killed(town, lambda: arm(town))
    if way == "the periodic job":
        assert look(town.app, town.exchange) == ""
    else:
        prepare(town.app.config["SETTINGS"], NOWHERE)
        town.exchange.start()
    assert whole(town) == expected
    assert state() == (("rolled_back", "broken_off") if expected == "old" else ("applied", ""))
    assert look(town.app, town.exchange) == ""
    assert whole(town) == expected
    assert look(town.app, town.exchange, STILL_RUNG + SOON) == ""
    assert whole(town, STILL_RUNG + SOON) == expected


def test_what_a_trial_left_is_taken_away(town: Town) -> None:
    left = town.app.config["SETTINGS"].var / "trial"
    order()
    killed(town, lambda: before_step(apply_plan.STEPS.index(apply_plan.try_out)))
    left.mkdir()
    assert look(town.app, town.exchange) == ""
    assert not left.exists()


def test_what_was_only_ordered_is_not_applied_by_a_start(town: Town) -> None:
    """A backup may bring it back months later."""
    order()
    prepare(town.app.config["SETTINGS"], NOWHERE)
    assert state() == ("rolled_back", "broken_off")
    town.exchange.start()
    assert whole(town) == "old"


def raises(error: Exception) -> Callable[..., object]:
    def step(*_arguments: object) -> None:
        raise error

    return step


@pytest.mark.parametrize("place", range(COUNT + 1))
def test_a_step_that_fails_leads_back(town: Town, monkeypatch: pytest.MonkeyPatch, place: int) -> None:
    """At the last place the tables have changed already: there is no way back, and none is needed."""
    order()
    steps = apply_plan.STEPS
    failing = raises(apply_plan.Stopped(Trouble.NOT_READ, "ROUTE_53273"))
    if place == COUNT:
        monkeypatch.setattr(apply_plan, "first_mismatch", lambda files, ask: "" if "admin3" in str(files) else "x")
        assert look(town.app, town.exchange) == ""
        assert look(town.app, town.exchange, STILL_RUNG + SOON) == HANGS
        monkeypatch.undo()
        assert state() == ("applied", "")
    else:
        monkeypatch.setattr(apply_plan, "STEPS", (*steps[:place], failing, *steps[place + 1 :]))
        assert look(town.app, town.exchange) == ""
        assert state() == ("rolled_back", "not_read")
        assert whole(town) == "old"
    assert look(town.app, town.exchange, STILL_RUNG + SOON) == ""
    assert whole(town, STILL_RUNG + SOON) == ("new" if place == COUNT else "old")


TRIALS = {
    "a call reaches nobody": (NotReached("5-32-75"), "not_reached", "5-32-75"),
    "there is no exchange to try it on": (NotTried("Asterisk: 1"), "not_tried", "Asterisk: 1"),
    "it is not read": (PbxError("Unknown directive: extn at line 144"), "configuration", "Unknown directive"),
}


@pytest.mark.parametrize("how", TRIALS)
def test_the_exchange_never_learns_a_plan_that_fails_its_trial(town: Town, how: str) -> None:
    error, trouble, about = TRIALS[how]
    folders = sorted(town.app.config["SETTINGS"].pbx_dir.glob("etc*"))
    candidates = []

    def fails(_settings: Settings, _asterisk: Asterisk, candidate: Candidate, _at: datetime) -> None:
        assert not db.session().in_transaction()
        candidates.append(candidate)
        raise error

    order()
    assert apply_plan.Applier(town.app, town.exchange, NOWHERE, fails).look(now()) == ""
    assert state() == ("rolled_back", trouble)
    version = db.session.get_one(PlanVersion, 2)
    assert version.trouble_about.startswith(about)
    (candidate,) = candidates
    assert candidate.plan == version.plan
    assert set(candidate.secrets) == {"admin1", "admin2", "admin3", "admin4"}
    assert [phone.name for phone in candidate.leaving] == ["admin3"]
    assert sorted(town.app.config["SETTINGS"].pbx_dir.glob("etc*")) == folders
    assert whole(town) == "old"


def test_a_full_disk_leaves_the_old_plan(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a byte of a new folder can be written; going back asks for none."""
    order()
    full = raises(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    monkeypatch.setattr("jobs.pbx_folder.write_whole", full)
    assert look(town.app, town.exchange) == ""
    assert state() == ("rolled_back", "files")
    assert db.session.get(PlanVersion, 2).trouble_about == os.strerror(errno.ENOSPC)
    assert whole(town) == "old"


def test_a_disk_that_fills_up_after_the_switch_leaves_the_old_plan(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    def write_tables(_work: apply_plan.Work) -> None:
        full = raises(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
        monkeypatch.setattr("jobs.pbx_folder.write_whole", full)
        raise apply_plan.Stopped(Trouble.DATABASE, "database or disk is full")

    order()
    monkeypatch.setattr(apply_plan, "STEPS", (*apply_plan.STEPS[:-1], write_tables))
    assert look(town.app, town.exchange) == ""
    assert state() == ("rolled_back", "database")
    assert whole(town) == "old"


def test_a_database_that_cannot_be_written_leads_back_when_it_can(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    order()
    full = OperationalError("UPDATE", {}, sqlite3.OperationalError("database or disk is full"))
    with monkeypatch.context() as broken:
        broken.setattr(apply_plan, "finish", raises(full))
        broken.setattr(apply_plan, "roll_back", raises(full))
        with pytest.raises(OperationalError):
            look(town.app, town.exchange)
        assert state() == ("applying", "database")
    assert look(town.app, town.exchange) == ""
    assert state() == ("rolled_back", "database")
    assert whole(town) == "old"


@pytest.mark.parametrize("forgets", ["ROUTE_53273", "exten => 53275,", "exten => 104,", "[admin4](phone)", "password"])
def test_an_exchange_that_has_something_else_gets_the_old_plan_back(town: Town, forgets: str) -> None:
    """It answers that it has reloaded, and has left a line out: it is asked for each."""
    order()
    town.exchange.forgets = forgets
    assert look(town.app, town.exchange) in ("", HANGS)
    town.exchange.forgets = ""
    later = now() + apply_plan.AGAIN
    assert apply_plan.Applier(town.app, town.exchange, NOWHERE, tried).look(later) == ""
    assert state() == ("rolled_back", "not_read")
    assert whole(town) == "old"


def test_an_exchange_that_reloads_nothing_is_noticed(town: Town) -> None:
    order()
    town.exchange.deaf = True
    assert look(town.app, town.exchange) == ""
    assert state() == ("rolled_back", "not_read")
    assert whole(town) == "old"


def test_without_an_exchange_nothing_is_applied(town: Town) -> None:
    order()
    town.exchange.away = True
    assert look(town.app, town.exchange) == ""
    assert state() == ("rolled_back", "away")
    town.exchange.start()  # with the files that are there
    assert whole(town) == "old"


def test_while_the_exchange_hangs_the_version_is_on_its_way_back(town: Town) -> None:
    """Nobody is told that the old plan is there before it is."""
    hangs = [True]

    def ask(command: str) -> str:
        if hangs and command == "dialplan reload":
            raise ExchangeHangs
        return town.exchange(command)

    order()
    applier = apply_plan.Applier(town.app, ask, NOWHERE, tried)
    at = now()
    assert applier.look(at) == HANGS
    assert state() == ("applying", "away")
    hangs.clear()
    assert applier.look(at) == HANGS  # not every second
    assert applier.look(at + apply_plan.AGAIN) == ""
    assert state() == ("rolled_back", "away")
    assert whole(town) == "old"


class Closed(Asterisk):
    """One whose console takes nobody in."""

    def command(self, settings: Settings, *arguments: str) -> list[str]:
        return ["false"]


def test_an_exchange_whose_console_is_closed_counts_as_away_only_if_it_does_not_run(app: Flask) -> None:
    settings = app.config["SETTINGS"]
    ask = console(settings, Closed(Path("/")))
    with pytest.raises(ExchangeAway):
        ask("dialplan reload")
    with socket.create_server(("127.0.0.1", settings.ami_port)), pytest.raises(ExchangeHangs):
        ask("dialplan reload")


def test_a_plan_that_changed_meanwhile_is_not_written_over(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_back(work: apply_plan.Work) -> None:
        with transaction() as session:
            session.scalars(select(Phone).where(Phone.name == "admin3")).one().user_id = None

    monkeypatch.setattr(apply_plan, "STEPS", (*apply_plan.STEPS[:5], read_back, apply_plan.write_tables))
    order()
    assert look(town.app, town.exchange) == ""
    assert state() == ("rolled_back", "changed")
    assert read_plan(db.session()).phone("admin3").user == ""


def test_two_processes_do_not_work_at_one_plan(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = []

    def check(work: apply_plan.Work) -> None:
        with town.app.app_context():
            inner.append(look(town.app, town.exchange))
        apply_plan.check(work)

    monkeypatch.setattr(apply_plan, "STEPS", (check, *apply_plan.STEPS[1:]))
    order()
    assert look(town.app, town.exchange) == ""
    assert inner == [""]
    assert whole(town) == "new"


def test_a_second_machine_leaves_alone_what_the_first_has_begun(
    postgres_settings: Settings, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They share a database, and no folder: what is under way is not taken for broken off."""
    app, said = bare_app(postgres_settings), []
    other = replace(postgres_settings, var=tmp_path_factory.mktemp("other"))

    def second() -> None:
        beside = bare_app(other)
        exchange = FakeExchange(other)
        said.append(look(beside, exchange))
        said.append(len(exchange.asked))
        close_database(beside)

    def tell(work: apply_plan.Work) -> None:
        machine = threading.Thread(target=second)
        machine.start()
        machine.join()
        apply_plan.tell(work)

    with app.app_context():
        town = running(app)
        steps = apply_plan.STEPS
        monkeypatch.setattr(apply_plan, "STEPS", (*steps[:4], tell, *steps[5:]))
        order()
        assert look(app, town.exchange) == ""
        assert said == ["", 0]
        assert (state(), whole(town)) == (("applied", ""), "new")
        with apply_plan.only_one(other) as alone:
            assert alone  # it is over, and holds nobody up
    close_database(app)


def test_what_the_command_line_added_reaches_the_exchange(town: Town) -> None:
    with transaction() as session:
        phone = Phone(name="admin4", extension="104", secret="s" * 24)
        session.add_all((phone, RingStep(line_id=1, step=3, phone=phone, seconds=20)))
        note_present(session, None, now())
    assert look(town.app, town.exchange) == ""
    assert first_mismatch(town.files, town.exchange) == ""
    assert "PJSIP/admin4,20,i" in town.exchange.holds()["extensions.conf"]


def test_a_folder_of_before_becomes_a_link(app: Flask) -> None:
    settings = app.config["SETTINGS"]
    etc = settings.pbx_dir / "etc"
    etc.mkdir(parents=True)
    (etc / "extensions.conf").write_text("old")
    install(settings, {"extensions.conf": "new"})
    assert (etc.is_symlink(), (etc / "extensions.conf").read_text()) == (True, "new")
    install(settings, {"extensions.conf": "newer"})
    install(settings, {"extensions.conf": "newest"})
    assert sorted(path.name for path in settings.pbx_dir.glob("etc*")) == ["etc", "etc-2", "etc-3"]


def test_unchanged_files_ask_nothing_of_a_full_disk(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = app.config["SETTINGS"]
    install(settings, {"a.conf": "one"})
    install(settings, {"a.conf": "two"})
    monkeypatch.setattr("jobs.pbx_folder.write_whole", raises(OSError(errno.ENOSPC, "full")))
    install(settings, {"a.conf": "two"})
    install(settings, {"a.conf": "one"})  # the former ones
    assert (settings.pbx_dir / "etc" / "a.conf").read_text() == "one"
    with pytest.raises(OSError, match="full"):
        install(settings, {"a.conf": "three"})
    assert (settings.pbx_dir / "etc" / "a.conf").read_text() == "one"
