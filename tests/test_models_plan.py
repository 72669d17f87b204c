"""The telephone plan as a document: read, written, compared, checked, and drawn (I2)."""

from dataclasses import replace

import pytest
from flask import Flask
from sqlalchemy import select

from models.base import db, transaction
from models.hours import Branch, Day, Hours, OutOfHours
from models.lines import Line, Timetable, ring_order, timetable
from models.people import Phone
from models.plan import (
    Change,
    Difference,
    Plan,
    PlanLine,
    PlanPhone,
    PlanStep,
    Stop,
    differences,
    differences_from_json,
    differences_to_json,
    from_json,
    read_plan,
    restored,
    to_json,
    way_of_call,
    write_plan,
)
from models.plan_checks import Fault, FaultKind, Site, check_plan, line_e164
from tests.desk_fixtures import fill_desks

SITE = Site("5448", "+380544851111", frozenset({"tsapkova", "sorokina"}))
PHONES = (PlanPhone("admin1", "101", "Тел. 1", "tsapkova"), PlanPhone("admin2", "102", "Тел. 2", "sorokina"))
LINE = PlanLine(
    "5-32-73", "+380544853273", "Телефон 1", steps=(PlanStep(("admin1",), 20), PlanStep(("admin1", "admin2"), 25))
)
PLAN = Plan(PHONES, (LINE,))
CLOSING = replace(LINE, hours=Hours("08:00–17:00"), out_of_hours=OutOfHours.MESSAGE, duty="admin2")


def with_steps(*steps: PlanStep) -> Plan:
    return PLAN.with_line(replace(LINE, steps=steps))


def with_hours(workdays: str, other_days: str = "", **values: object) -> Plan:
    return PLAN.with_line(replace(CLOSING, hours=Hours(workdays, other_days), **values))


def with_title(title: str) -> Plan:
    return PLAN.with_phone(replace(PHONES[0], title=title))


def test_a_sound_plan_has_no_fault() -> None:
    assert check_plan(PLAN, SITE) == []
    national = PlanLine("067-123-45-67", "+380671234567", steps=LINE.steps)
    assert check_plan(PLAN.with_line(national), SITE) == []
    assert national.dids == ("0671234567", "380671234567", "+380671234567")  # each once


FAULTY = {
    "no phone in use": (Plan(tuple(replace(one, active=False) for one in PHONES)), Fault(FaultKind.NO_PHONES)),
    "a phone that does not exist": (
        with_steps(PlanStep(("admin9",), 20)),
        Fault(FaultKind.UNKNOWN_PHONE, line="5-32-73", step=1, detail="admin9"),
    ),
    "a phone that is switched off": (
        PLAN.with_phone(replace(PHONES[0], active=False)),
        Fault(FaultKind.PHONE_OFF, line="5-32-73", step=1, detail="101"),
    ),
    "a line without a step": (with_steps(), Fault(FaultKind.NO_STEPS, line="5-32-73")),
    "a step without a phone": (
        with_steps(*LINE.steps, PlanStep((), 20)),
        Fault(FaultKind.EMPTY_STEP, line="5-32-73", step=3),
    ),
    "rings too shortly": (
        with_steps(PlanStep(("admin1",), 14)),
        Fault(FaultKind.TOO_SHORT, line="5-32-73", detail="14"),
    ),
    "never ends": (
        with_steps(*[PlanStep(("admin1",), 60)] * 6),
        Fault(FaultKind.ENDLESS, line="5-32-73", detail="360"),
    ),
    "a step of four seconds": (
        with_steps(*LINE.steps, PlanStep(("admin1",), 4)),
        Fault(FaultKind.STEP_SECONDS, line="5-32-73", step=3, detail="4"),
    ),
    "a step of more than a minute": (
        with_steps(PlanStep(("admin1",), 61)),
        Fault(FaultKind.STEP_SECONDS, line="5-32-73", step=1, detail="61"),
    ),
    "more steps than anybody follows": (
        with_steps(*[PlanStep(("admin1",), 5)] * 11),
        Fault(FaultKind.MANY_STEPS, line="5-32-73", detail="10"),
    ),
    "a phone twice in one step": (
        with_steps(PlanStep(("admin1", "admin1"), 20)),
        Fault(FaultKind.PHONE_TWICE, line="5-32-73", step=1, detail="101"),
    ),
    "a number twice": (
        Plan(PHONES, (LINE, replace(LINE, title="Ще раз"))),
        Fault(FaultKind.DOUBLE_NUMBER, line="5-32-73"),
    ),
    "an extension twice": (
        PLAN.with_phone(PlanPhone("admin3", "101")),
        Fault(FaultKind.DOUBLE_EXTENSION, phone="admin3"),
    ),
    "a name twice": (
        Plan((*PHONES, PlanPhone("admin1", "103")), (LINE,)),
        Fault(FaultKind.DOUBLE_NAME, phone="admin1"),
    ),
    "a name that is a section of its own": (
        PLAN.with_phone(PlanPhone("trunk", "103")),
        Fault(FaultKind.NAME, phone="trunk"),
    ),
    "a name that is the page of a new phone": (
        PLAN.with_phone(PlanPhone("new", "103")),
        Fault(FaultKind.NAME, phone="new"),
    ),
    "a phone whose channel would be taken for the trunk's": (
        PLAN.with_phone(PlanPhone("trunk-2", "103")),
        Fault(FaultKind.NAME, phone="trunk-2"),
    ),
    "an extension that is a line": (
        PLAN.with_phone(PlanPhone("admin3", "53273")),
        Fault(FaultKind.EXTENSION_LINE, phone="admin3", detail="5-32-73"),
    ),
    "an extension that picks calls up": (
        PLAN.with_phone(PlanPhone("admin3", "*8")),
        Fault(FaultKind.EXTENSION, phone="admin3"),
    ),
    "an extension that is the status line": (
        PLAN.with_phone(PlanPhone("admin3", "51111")),
        Fault(FaultKind.EXTENSION_STATUS, phone="admin3"),
    ),
    "a line that is the status line": (
        PLAN.with_line(PlanLine("5-11-11", "+380544851111", steps=LINE.steps)),
        Fault(FaultKind.NUMBER_STATUS, line="5-11-11"),
    ),
    "a number of no form": (
        PLAN.with_line(PlanLine("532-73", "+380544853273", steps=LINE.steps)),
        Fault(FaultKind.NUMBER, line="532-73"),
    ),
    "a premium number": (
        PLAN.with_line(PlanLine("090-012-34-56", "+380900123456", steps=LINE.steps)),
        Fault(FaultKind.NUMBER, line="090-012-34-56"),
    ),
    "another town's number under this one's form": (
        PLAN.with_line(replace(LINE, e164="+380457953273")),
        Fault(FaultKind.NUMBER, line="5-32-73"),
    ),
    "somebody unknown": (
        PLAN.with_phone(replace(PHONES[0], user="nobody")),
        Fault(FaultKind.UNKNOWN_USER, phone="admin1", detail="nobody"),
    ),
    "two phones of one person": (
        PLAN.with_phone(replace(PHONES[0], user="sorokina")),
        Fault(FaultKind.USER_TWICE, phone="admin1", detail="sorokina"),
    ),
    "a title of 129 characters": (with_title("т" * 129), Fault(FaultKind.LONG_TITLE, phone="admin1", detail="128")),
    "a phone's name that Asterisk cuts": (
        with_title("т" * 40),
        Fault(FaultKind.LONG_TITLE, phone="admin1", detail="39"),
    ),
    "no hours": (with_hours("8–17"), Fault(FaultKind.WORKDAY_HOURS, line="5-32-73", detail="8–17")),
    "no hours on other days": (
        with_hours("08:00–17:00", "зранку"),
        Fault(FaultKind.OTHER_HOURS, line="5-32-73", detail="зранку"),
    ),
    "hours over midnight": (
        with_hours("22:00–06:00"),
        Fault(FaultKind.WORKDAYS_BACKWARDS, line="5-32-73", detail="22:00–06:00"),
    ),
    "hours of other days that end before they begin": (
        with_hours("08:00–17:00", "15:00–09:00"),
        Fault(FaultKind.OTHERS_BACKWARDS, line="5-32-73", detail="15:00–09:00"),
    ),
    "never open": (with_hours(""), Fault(FaultKind.NEVER_OPEN, line="5-32-73")),
    "a message without hours": (
        PLAN.with_line(replace(CLOSING, hours=None, duty="")),
        Fault(FaultKind.MESSAGE_ALWAYS, line="5-32-73"),
    ),
    "a duty phone that no key rings": (
        with_hours("08:00–17:00", out_of_hours=OutOfHours.RING),
        Fault(FaultKind.DUTY_UNUSED, line="5-32-73"),
    ),
    "a duty phone that does not exist": (
        with_hours("08:00–17:00", duty="admin9"),
        Fault(FaultKind.UNKNOWN_DUTY, line="5-32-73", detail="admin9"),
    ),
    "a duty phone that is switched off": (
        PLAN.with_line(CLOSING).with_phone(replace(PHONES[1], active=False)),
        Fault(FaultKind.DUTY_OFF, line="5-32-73", detail="102"),
    ),
    "more than fits into one command": (
        with_steps(*[PlanStep(tuple(f"a{number:031d}" for number in range(27)), 20)]),
        Fault(FaultKind.LONG_ROUTE, line="5-32-73"),
    ),
}


@pytest.mark.parametrize("case", FAULTY)
def test_each_fault_is_found(case: str) -> None:
    plan, fault = FAULTY[case]
    assert fault in check_plan(plan, SITE)


@pytest.mark.parametrize(
    ("title", "signs"),
    [
        ('a"b', '"'),
        ("a;b", ";"),
        ("[trunk]", "[ ]"),
        ("a\nexten => _X.,1,System(id)", "⏎ = > ( )"),
        ("${SHELL(id)}", "$ { ( ) }"),
        ("System(rm -rf /)", "( )"),
        ("a\\", "\\"),
        ("a<1>", "< >"),
        ("a\u2028b", "⏎"),
    ],
)
def test_no_text_becomes_configuration(title: str, signs: str) -> None:
    """A word that would change Asterisk's files is refused, and the sentence names the signs."""
    assert check_plan(with_title(title), SITE) == [Fault(FaultKind.UNSAFE_TITLE, phone="admin1", detail=signs)]
    assert check_plan(PLAN.with_line(replace(LINE, title=title)), SITE) == [
        Fault(FaultKind.UNSAFE_TITLE, line="5-32-73", detail=signs)
    ]


def test_what_is_switched_off_needs_no_ring_order_but_keeps_its_number() -> None:
    off = PlanLine("5-32-75", "+380544853275", active=False)
    assert check_plan(PLAN.with_line(off), SITE) == []
    taken = PLAN.with_phone(PlanPhone("admin3", "103", active=False)).with_phone(PlanPhone("admin4", "103"))
    assert {fault.phone for fault in check_plan(taken, SITE)} == {"admin3", "admin4"}


def test_numbers_of_lines_are_of_the_town_or_of_the_country() -> None:
    assert line_e164("5-32-73", "5448") == "+380544853273"
    assert line_e164("067-123-45-67", "5448") == "+380671234567"
    assert [line_e164(wrong, "5448") for wrong in ("1-02-00", "101", "+1-212", "", "5-32-73;")] == [""] * 5


def test_a_plan_survives_its_text() -> None:
    plan = PLAN.with_phone(PlanPhone("admin3", "103", "Їдальня", active=False, key=2))
    plan = plan.with_line(CLOSING)
    assert check_plan(plan, SITE) == []
    assert from_json(to_json(plan)) == plan
    found = differences(Plan(), plan)
    assert differences_from_json(differences_to_json(found)) == found


def test_a_document_from_before_there_were_hours_is_read() -> None:
    former = """{"phones": [], "lines": [{"number": "5-32-73", "e164": "+380544853273", "title": "Телефон 1",
        "active": true, "steps": [{"phones": ["admin1"], "seconds": 20}]}]}"""
    assert from_json(former).lines == (replace(LINE, steps=(PlanStep(("admin1",), 20),)),)


def test_differences_of_hours() -> None:
    closing = PLAN.with_line(CLOSING)
    assert differences(PLAN, closing) == [
        Difference(Change.WORKDAY_HOURS, "line", "5-32-73", "24/7", "08:00–17:00"),
        Difference(Change.OTHER_HOURS, "line", "5-32-73", "24/7", ""),
        Difference(Change.OUT_OF_HOURS, "line", "5-32-73", "ring", "message"),
        Difference(Change.DUTY, "line", "5-32-73", "", "102"),
    ]
    assert [one.kind for one in differences(closing, restored(PLAN, closing))] == [
        Change.WORKDAY_HOURS, Change.OTHER_HOURS, Change.OUT_OF_HOURS, Change.DUTY,
    ]  # fmt: skip


def test_differences_name_what_people_know() -> None:
    changed = PLAN.with_phone(replace(PHONES[1], title="Вікно", user="", key=1)).with_phone(PlanPhone("admin4", "104"))
    changed = changed.with_line(replace(LINE, steps=(PlanStep(("admin4",), 20),)))
    assert differences(PLAN, PLAN) == []
    assert differences(PLAN, changed) == [
        Difference(Change.RING_ORDER, "line", "5-32-73", "101 (20) → 101 + 102 (25)", "104 (20)"),
        Difference(Change.TITLE, "phone", "102", "Тел. 2", "Вікно"),
        Difference(Change.USER, "phone", "102", "sorokina", ""),
        Difference(Change.SECRET, "phone", "102"),
        Difference(Change.ADDED, "phone", "104", "", "admin4"),
    ]
    assert differences(changed, PLAN)[-1] == Difference(Change.REMOVED, "phone", "104")


def test_the_way_of_a_call_says_who_cannot_ring() -> None:
    plan = with_steps(PlanStep(("admin1", "admin9"), 20)).with_phone(replace(PHONES[1], active=False))
    way = way_of_call(plan, plan.line("53273"))
    assert [station.stop for station in way] == [Stop.CALL, Stop.RING, Stop.OFFER, Stop.END]
    assert [phone.name for phone in way[1].phones] == ["admin1"]
    assert (way[1].missing, way[1].seconds) == (("admin9",), 20)


def test_the_way_of_a_call_out_of_hours() -> None:
    closed, in_hours = Branch(False, Day.DAY_OFF, ""), Branch(True, Day.WORKING, "08:00–17:00")
    plan = PLAN.with_line(CLOSING)
    assert way_of_call(plan, CLOSING, in_hours) == way_of_call(PLAN, LINE)
    way = way_of_call(plan, CLOSING, closed)
    assert [station.stop for station in way] == [Stop.CALL, Stop.HOURS, Stop.DUTY, Stop.MESSAGE, Stop.END]
    assert way[2].phones == (PHONES[1],)
    without = replace(CLOSING, duty="")
    assert Stop.DUTY not in [station.stop for station in way_of_call(plan, without, closed)]
    ringing = replace(without, out_of_hours=OutOfHours.RING)
    assert way_of_call(plan, ringing, closed) == way_of_call(PLAN, LINE)


def test_hours_are_written_into_the_tables(app: Flask) -> None:
    fill_desks()
    session = db.session()
    before = read_plan(session)
    secrets = dict(session.execute(select(Phone.name, Phone.secret)).all())
    line = before.line("53273")
    assert (line.hours, line.out_of_hours, line.duty) == (None, OutOfHours.RING, "")
    assert timetable(session, "53273") is None
    hours = Hours("08:00–17:00", "09:00–12:00")
    plan = before.with_line(replace(line, hours=hours, out_of_hours=OutOfHours.MESSAGE, duty="admin3"))
    with transaction() as writing:
        write_plan(writing, plan, secrets)
    assert read_plan(session) == plan
    assert timetable(session, "53273") == Timetable(hours, "admin3")
    with transaction() as writing:
        write_plan(writing, before, secrets)
    assert read_plan(session) == before
    assert timetable(session, "53273") is None


def test_the_tables_say_what_was_written(app: Flask) -> None:
    """Phones change places, secrets and rows stay, and the running calls read the new order."""
    fill_desks()
    session = db.session()
    before = read_plan(session)
    assert [phone.user for phone in before.phones] == ["tsapkova", "cherniavska", "sorokina"]
    ids = dict(session.execute(select(Phone.name, Phone.id)).all())
    first, second, third = before.phones
    plan = before.with_phone(replace(first, extension="102", user="cherniavska"))
    plan = plan.with_phone(replace(second, extension="101", user="tsapkova"))
    plan = plan.with_phone(replace(third, active=False, user=""))
    line = plan.line("53273")
    plan = plan.with_line(replace(line, title="Головна", steps=(PlanStep(("admin3", "admin2"), 30),)))
    with transaction() as writing:
        write_plan(writing, plan, {name: f"secret of {name}" for name in ids})
    assert read_plan(session) == plan
    assert dict(session.execute(select(Phone.name, Phone.id)).all()) == ids
    assert ring_order(session, "53273") == [(["admin2"], 30)]  # who is switched off does not ring
    assert session.scalars(select(Line.title).where(Line.number == "5-32-73")).one() == "Головна"


def test_a_former_plan_comes_back_without_what_came_since() -> None:
    present = PLAN.with_phone(replace(PHONES[0], key=3)).with_phone(PlanPhone("admin4", "104", user="sorokina"))
    present = present.with_line(PlanLine("5-32-75", "+380544853275", steps=LINE.steps))
    back = restored(PLAN, present)
    assert back.phone("admin4") == PlanPhone("admin4", "104", active=False)
    assert back.line("53275").active is False
    assert back.phone("admin1").key == 3  # what its phone logs in with stays
    assert back.line("53273") == LINE
