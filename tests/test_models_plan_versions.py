"""Versions of the telephone plan: one draft for all, exactly one applied, a row for each move."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from jobs.app import bare_app
from jobs.database import prepare_database
from models.accounts import change_user
from models.base import db, now, transaction
from models.lines import ring_order
from models.machine import IllegalMove
from models.people import Phone, Role, User
from models.plan import Change, Difference, Plan, PlanPhone, PlanStep, read_plan
from models.plan_acts import (
    StillApplying,
    change_draft,
    drop_draft,
    finish,
    note_present,
    order_draft,
    order_return,
    phone_secrets,
    roll_back,
)
from models.plan_checks import Fault, FaultKind, Site
from models.plan_versions import (
    PlanEvent,
    PlanHistory,
    PlanState,
    PlanVersion,
    Trouble,
    applied_version,
    applying_version,
    list_versions,
    move,
    open_draft,
)
from models.reference import ChangedMeanwhile
from tests.desk_fixtures import PEOPLE, fill_desks
from tests.helpers import close_database

SITE = Site("5448", logins=frozenset(PEOPLE))


@pytest.fixture(params=["settings", "postgres_settings"])
def town(request: pytest.FixtureRequest) -> Iterator[Flask]:
    """People, three phones and three lines, on both databases; the present tables are version 1."""
    app = bare_app(request.getfixturevalue(request.param))
    prepare_database(app)
    with app.app_context():
        fill_desks()
        with transaction() as session:
            note_present(session, None, now())
        yield app
    close_database(app)


def me(login: str = "tekhnik") -> User:
    return db.session.scalars(select(User).where(User.login == login)).one()


def with_order(*names: str):
    """Let 5-32-73 ring at these phones, each for 20 s."""

    def change(plan: Plan) -> Plan:
        line = plan.line("53273")
        return plan.with_line(replace(line, steps=tuple(PlanStep((name,), 20) for name in names)))

    return change


def draft(*names: str) -> int:
    """Draft this ring order: the draft's revision."""
    with transaction() as session:
        return change_draft(session, me(), now(), with_order(*names)).revision


def order(revision: int, reason: str = "Відпустка") -> list[Fault]:
    with transaction() as session:
        return order_draft(session, me(), now(), revision, reason, SITE)


def apply() -> bool:
    with transaction() as session:
        return finish(session, applying_version(session), phone_secrets(session), now())


def rows() -> list[tuple[int, str, str, str]]:
    query = select(PlanHistory).order_by(PlanHistory.id)
    return [(row.version_id, row.event, row.from_state, row.to_state) for row in db.session.scalars(query)]


def test_the_present_tables_are_the_first_version(town: Flask) -> None:
    first = applied_version(db.session())
    assert (first.id, first.author, first.plan) == (1, None, read_plan(db.session()))
    assert {one.kind for one in first.differences} == {Change.ADDED, Change.RING_ORDER, Change.USER}
    assert rows() == [(1, "begun", "", "draft"), (1, "found", "draft", "applied")]
    with transaction() as session:
        assert note_present(session, None, now()) is None  # of a second start


def test_a_draft_is_applied_in_one_transaction_with_the_tables(town: Flask) -> None:
    revision = draft("admin2")
    assert ring_order(db.session(), "53273")[0] == (["admin1"], 20)  # a draft rings nowhere
    assert order(revision) == []
    assert apply()
    version = applied_version(db.session())
    assert (version.id, version.reason, version.author.login) == (2, "Відпустка", "tekhnik")
    assert version.differences == [
        Difference(Change.RING_ORDER, "line", "5-32-73", "101 (20) → 102 + 103 (25)", "102 (20)")
    ]
    assert ring_order(db.session(), "53273") == [(["admin2"], 20)]
    assert [(one.id, one.state, one.previous_id) for one in list_versions(db.session(), 9)] == [
        (2, "applied", 1),
        (1, "superseded", None),
    ]
    assert open_draft(db.session()) is None
    assert rows()[2:] == [
        (2, "begun", "", "draft"),
        (2, "ordered", "draft", "applying"),
        (1, "replaced", "applied", "superseded"),
        (2, "done", "applying", "applied"),
    ]


def test_a_faulty_draft_is_refused_and_mended(town: Flask) -> None:
    faults = order(draft("admin9"))
    assert faults == [Fault(FaultKind.UNKNOWN_PHONE, line="5-32-73", step=1, detail="admin9")]
    assert open_draft(db.session()).state == PlanState.REFUSED
    assert order(draft("admin3")) == []
    assert [row[1] for row in rows()[2:]] == ["begun", "faulty", "changed", "ordered"]


def test_what_was_not_read_is_not_applied(town: Flask) -> None:
    """Two edit one draft: who orders it orders what they have seen."""
    seen = draft("admin2")
    with transaction() as session:
        change_draft(session, me("tsapkova"), now(), with_order("admin3"))
    for act in (lambda: order(seen), lambda: order(99)):
        with pytest.raises(ChangedMeanwhile):
            act()
    with pytest.raises(ChangedMeanwhile), transaction() as session:
        drop_draft(session, me(), now(), seen)
    assert open_draft(db.session()).author.login == "tsapkova"


def test_one_at_a_time_is_on_its_way(town: Flask) -> None:
    assert order(draft("admin2")) == []
    revision = draft("admin3")  # drafting goes on
    with pytest.raises(StillApplying):
        order(revision)
    with pytest.raises(StillApplying), transaction() as session:
        order_return(session, 1, me(), now(), "", SITE)


def test_the_database_lets_only_one_be_applied(town: Flask) -> None:
    with transaction() as session:
        second = PlanVersion(at=now(), document="{}")
        session.add(second)
        session.flush()
        with pytest.raises(IntegrityError):
            move(session, second, PlanEvent.FOUND, None, now())
        session.rollback()
    with pytest.raises(IllegalMove), transaction() as session:
        move(session, applied_version(session), PlanEvent.ORDERED, None, now())


def test_a_version_that_failed_says_why_and_changes_nothing(town: Flask) -> None:
    order(draft("admin2"))
    before = read_plan(db.session())
    with transaction() as session:
        roll_back(session, applying_version(session), Trouble.NOT_READ, "ROUTE_53273", now())
    failed = db.session.get(PlanVersion, 2)
    assert (failed.state, failed.trouble, failed.trouble_about) == ("rolled_back", "not_read", "ROUTE_53273")
    assert applied_version(db.session()).id == 1
    assert read_plan(db.session()) == before


def test_an_earlier_version_comes_back_as_a_new_one(town: Flask) -> None:
    first = read_plan(db.session())
    with transaction() as session:
        change_draft(session, me(), now(), lambda plan: plan.with_phone(PlanPhone("admin4", "104", key=1)))
    assert order(draft("admin4")) == []
    with transaction() as session:
        finish(session, applying_version(session), phone_secrets(session) | {"admin4": "x" * 24}, now())
    waiting = draft("admin2")
    with transaction() as session:
        version, faults = order_return(session, 1, me(), now(), "Повернення", SITE)
        assert (version.id, version.previous_id, faults) == (4, 2, [])
    assert apply()
    present = read_plan(db.session())
    assert present.lines == first.lines
    assert present.phone("admin4").active is False  # calls of before are about it
    assert open_draft(db.session()).plan.line("53273").steps[0].phones == ("admin2",)
    with pytest.raises(ChangedMeanwhile):
        order(waiting)  # the draft differs from another plan by now


def test_whose_phone_it_is_is_a_version_that_a_draft_takes_over(town: Flask) -> None:
    """The page of users changes it, too; nothing is told to the exchange, and no draft turns it back."""
    draft("admin2")
    with transaction() as session:
        applied_version(session).settled_at = now()
        user, dispatcher = me("sorokina"), me("dyspetcher")
        values = {"role": Role.ADMINISTRATOR, "organisation": None, "email": "", "active": True}
        change_user(session, user, me(), now(), name=user.name, phone=None, **values)
        phone = session.scalars(select(Phone).where(Phone.name == "admin3")).one()
        values["role"] = Role.DISPATCHER
        change_user(session, dispatcher, me(), now(), name=dispatcher.name, phone=phone, **values)
    applied = applied_version(db.session())
    assert (applied.id, applied.author.login, applied.settled_at is not None) == (4, "tekhnik", True)
    assert applied.differences == [Difference(Change.USER, "phone", "103", "", "dyspetcher")]
    changed = open_draft(db.session())
    assert [one.kind for one in changed.differences] == [Change.RING_ORDER]
    assert changed.previous_id == applied.id


def test_a_change_by_the_command_line_stops_what_is_on_its_way(town: Flask) -> None:
    order(draft("admin2"))
    with transaction() as session:
        session.add(Phone(name="admin4", extension="104", secret="s" * 24))
    assert apply() is False
    assert applied_version(db.session()).plan.phone("admin4") is not None
    assert applied_version(db.session()).settled_at is None  # the exchange is to be told
    assert ring_order(db.session(), "53273")[0] == (["admin1"], 20)


def test_a_draft_that_is_given_up_is_gone(town: Flask) -> None:
    revision = draft("admin2")
    with transaction() as session:
        drop_draft(session, me(), now(), revision)
    assert open_draft(db.session()) is None
    assert [version.id for version in list_versions(db.session(), 9)] == [1]
