"""The telephone plan as one document: which phones there are, which lines, and who rings for each line after whom (I2).

What the running calls read are the tables (`models.lines`, `models.people.Phone`); a document is what is edited,
checked (`models.plan_checks`), kept as a version (`models.plan_versions`) and applied. Phones are known by their name
and lines by their number: both stay for good. What is not used any more is switched off, never taken out, for calls of
before are about it.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session, joinedload, selectinload

from models.hours import Branch, Hours, OutOfHours
from models.lines import Line, RingStep, dialled_forms
from models.people import Phone, User

ANY_TIME = "24/7"  # how a line without hours is told of


@dataclass(frozen=True)
class PlanPhone:
    """A desk phone. ``user`` is the login of whose it is, "" for nobody's; its ``key`` is raised for a new secret."""

    name: str
    extension: str
    title: str = ""
    user: str = ""
    active: bool = True
    key: int = 0


@dataclass(frozen=True)
class PlanStep:
    """Phones, by their names, that ring at the same time, and for how long."""

    phones: tuple[str, ...]
    seconds: int


@dataclass(frozen=True)
class PlanLine:
    """A listed number, as people read it and as networks do, and its ring order.

    ``hours`` None: open at any time. ``duty`` is the name of the phone that a key rings out of hours, "" for none.
    """

    number: str
    e164: str
    title: str = ""
    active: bool = True
    steps: tuple[PlanStep, ...] = ()
    hours: Hours | None = None
    out_of_hours: OutOfHours = OutOfHours.RING
    duty: str = ""

    @property
    def digits(self) -> str:
        """The extension in the dialplan: ``53273``."""
        return self.number.replace("-", "")

    @property
    def dids(self) -> tuple[str, ...]:
        """The forms of its number under which the trunk may deliver a call."""
        return dialled_forms(self.digits, self.e164)


@dataclass(frozen=True)
class Plan:
    """Phones by extension, lines by number."""

    phones: tuple[PlanPhone, ...] = ()
    lines: tuple[PlanLine, ...] = ()

    def phone(self, name: str) -> PlanPhone | None:
        return next((phone for phone in self.phones if phone.name == name), None)

    def line(self, digits: str) -> PlanLine | None:
        return next((line for line in self.lines if line.digits == digits), None)

    @property
    def active_phones(self) -> tuple[PlanPhone, ...]:
        return tuple(phone for phone in self.phones if phone.active)

    @property
    def active_lines(self) -> tuple[PlanLine, ...]:
        return tuple(line for line in self.lines if line.active)

    def with_phone(self, phone: PlanPhone) -> "Plan":
        """The plan with this phone in the place of the one with its name, or added."""
        others = [one for one in self.phones if one.name != phone.name]
        return _ordered([*others, phone], self.lines)

    def with_line(self, line: PlanLine) -> "Plan":
        """The plan with this line in the place of the one with its number, or added."""
        others = [one for one in self.lines if one.digits != line.digits]
        return _ordered(self.phones, [*others, line])


def _ordered(phones: Iterable[PlanPhone], lines: Iterable[PlanLine]) -> Plan:
    return Plan(
        tuple(sorted(phones, key=lambda phone: (phone.extension, phone.name))),
        tuple(sorted(lines, key=lambda line: line.number)),
    )


# ---- the tables


def read_plan(session: Session) -> Plan:
    """The plan by which calls ring now."""
    phones = session.scalars(select(Phone).options(joinedload(Phone.user)))
    ringing = selectinload(Line.ring_steps).joinedload(RingStep.phone)
    lines = session.scalars(select(Line).options(ringing, joinedload(Line.duty_phone)))
    return _ordered(
        (
            PlanPhone(one.name, one.extension, one.title, one.user.login if one.user else "", one.active, one.key)
            for one in phones
        ),
        (_line(one) for one in lines),
    )


def _line(row: Line) -> PlanLine:
    return PlanLine(
        row.number, row.e164, row.title, row.active, _steps(row.ring_steps),
        row.hours, OutOfHours(row.out_of_hours), row.duty_phone.name if row.duty_phone else "",
    )  # fmt: skip


def _steps(rows: Iterable[RingStep]) -> tuple[PlanStep, ...]:
    steps: dict[int, PlanStep] = {}
    for row in sorted(rows, key=lambda row: (row.step, row.id)):
        known = steps.get(row.step, PlanStep((), 0))
        steps[row.step] = PlanStep((*known.phones, row.phone.name), max(known.seconds, row.seconds))
    return tuple(steps.values())


def write_plan(session: Session, plan: Plan, secrets: Mapping[str, str]) -> None:
    """Make the tables what the plan says. ``secrets`` are what its phones log in with, by their names.

    The plan has passed `models.plan_checks.check_plan`, and takes no phone and no line out.
    """
    users = dict(session.execute(select(User.login, User.id)).all())
    phones = {phone.name: phone for phone in session.scalars(select(Phone))}
    for phone in phones.values():  # two may change places
        phone.extension, phone.user_id = f"~{phone.id}", None
    session.flush()
    for wanted in plan.phones:
        phone = phones.get(wanted.name)
        if phone is None:
            phone = phones[wanted.name] = Phone(name=wanted.name)
            session.add(phone)
        phone.extension, phone.title, phone.active, phone.key = (
            wanted.extension,
            wanted.title,
            wanted.active,
            wanted.key,
        )
        phone.user_id, phone.secret = users.get(wanted.user), secrets[wanted.name]
    lines = {line.number: line for line in session.scalars(select(Line))}
    session.flush()
    for wanted in plan.lines:
        line = lines.get(wanted.number)
        if line is None:
            line = Line(number=wanted.number)
            session.add(line)
        line.e164, line.title, line.active = wanted.e164, wanted.title, wanted.active
        line.workday_hours = wanted.hours.workdays if wanted.hours else None
        line.other_hours = wanted.hours.other_days if wanted.hours else None
        line.out_of_hours = wanted.out_of_hours
        line.duty_phone_id = phones[wanted.duty].id if wanted.duty else None
        session.flush()
        session.execute(delete(RingStep).where(RingStep.line_id == line.id))
        for place, step in enumerate(wanted.steps, 1):
            for name in step.phones:
                session.add(RingStep(line_id=line.id, step=place, phone_id=phones[name].id, seconds=step.seconds))
    session.flush()
    session.expire_all()


def restored(former: Plan, present: Plan) -> Plan:
    """The former plan as it can be applied now: what came since is switched off, and no old secret comes back."""
    keys = {phone.name: phone.key for phone in present.phones}
    names, digits = {phone.name for phone in former.phones}, {line.digits for line in former.lines}
    return _ordered(
        [
            *(replace(phone, key=keys.get(phone.name, phone.key)) for phone in former.phones),
            *(replace(phone, active=False, user="") for phone in present.phones if phone.name not in names),
        ],
        [*former.lines, *(replace(line, active=False) for line in present.lines if line.digits not in digits)],
    )


# ---- as text


def to_json(plan: Plan) -> str:
    return json.dumps(asdict(plan), ensure_ascii=False)


def from_json(text: str) -> Plan:
    """What `to_json` wrote. Raises `ValueError`, `KeyError` or `TypeError` for anything else."""
    told: dict[str, Any] = json.loads(text)
    return Plan(
        tuple(PlanPhone(**phone) for phone in told["phones"]),
        tuple(_line_from(line) for line in told["lines"]),
    )


def _line_from(told: dict[str, Any]) -> PlanLine:
    """A line of a document; one from before there were hours has none."""
    hours = told.get("hours")
    return PlanLine(
        **told
        | {
            "steps": tuple(PlanStep(tuple(one["phones"]), one["seconds"]) for one in told["steps"]),
            "hours": Hours(**hours) if hours else None,
            "out_of_hours": OutOfHours(told.get("out_of_hours", OutOfHours.RING)),
        }
    )


# ---- what differs


class Change(StrEnum):
    """How something in a plan differs from another plan."""

    ADDED = "added"
    REMOVED = "removed"
    SWITCHED_ON = "on"
    SWITCHED_OFF = "off"
    EXTENSION = "extension"
    TITLE = "title"
    USER = "user"
    SECRET = "secret"
    RING_ORDER = "ring_order"  # `before` and `after` as `order_words` has them
    WORKDAY_HOURS = "workday_hours"  # as `hours_word` has them
    OTHER_HOURS = "other_hours"
    OUT_OF_HOURS = "out_of_hours"  # as `OutOfHours` has it
    DUTY = "duty"  # the extension


@dataclass(frozen=True)
class Difference:
    """One difference, with the names of its moment: ``about`` is a line's number or a phone's extension."""

    kind: Change
    of: str  # "line" or "phone"
    about: str
    before: str = ""
    after: str = ""


def differences(old: Plan, new: Plan) -> list[Difference]:
    """How the new plan differs from the old one, lines first."""
    return [*_line_differences(old, new), *_phone_differences(old, new)]


def _line_differences(old: Plan, new: Plan) -> Iterable[Difference]:
    for line in new.lines:
        before, about = old.line(line.digits), line.number
        if before is None:
            yield Difference(Change.ADDED, "line", about, after=line.title)
            before = PlanLine(line.number, line.e164, line.title)
        if before.active != line.active:
            yield Difference(_switched(line.active), "line", about)
        if before.title != line.title:
            yield Difference(Change.TITLE, "line", about, before.title, line.title)
        was, is_now = order_words(old, before.steps), order_words(new, line.steps)
        if before.steps != line.steps:
            yield Difference(Change.RING_ORDER, "line", about, was, is_now)
        yield from _hours_differences(old, before, new, line)
    yield from (Difference(Change.REMOVED, "line", line.number) for line in old.lines if not new.line(line.digits))


def _hours_differences(old: Plan, before: PlanLine, new: Plan, line: PlanLine) -> Iterable[Difference]:
    pairs = (
        (Change.WORKDAY_HOURS, hours_word(before.hours), hours_word(line.hours)),
        (Change.OTHER_HOURS, hours_word(before.hours, other=True), hours_word(line.hours, other=True)),
        (Change.OUT_OF_HOURS, before.out_of_hours.value, line.out_of_hours.value),
        (Change.DUTY, _extension(old, before.duty), _extension(new, line.duty)),
    )
    yield from (Difference(kind, "line", line.number, was, is_now) for kind, was, is_now in pairs if was != is_now)


def hours_word(hours: Hours | None, *, other: bool = False) -> str:
    """Hours of working days, or of ``other`` ones, in signs that need no translation: ``24/7``; "" for closed."""
    if hours is None:
        return ANY_TIME
    return hours.other_days if other else hours.workdays


def _extension(plan: Plan, name: str) -> str:
    phone = plan.phone(name)
    return phone.extension if phone else name


def _phone_differences(old: Plan, new: Plan) -> Iterable[Difference]:
    for phone in new.phones:
        before, about = old.phone(phone.name), phone.extension
        if before is None:
            yield Difference(Change.ADDED, "phone", about, after=phone.title or phone.name)
            before = replace(phone, user="", active=True)
        if before.active != phone.active:
            yield Difference(_switched(phone.active), "phone", about)
        for kind in (Change.EXTENSION, Change.TITLE, Change.USER):
            was, is_now = getattr(before, kind.value), getattr(phone, kind.value)
            if was != is_now:
                yield Difference(kind, "phone", about, was, is_now)
        if before.key != phone.key:
            yield Difference(Change.SECRET, "phone", about)
    yield from (
        Difference(Change.REMOVED, "phone", phone.extension) for phone in old.phones if not new.phone(phone.name)
    )


def _switched(active: bool) -> Change:
    return Change.SWITCHED_ON if active else Change.SWITCHED_OFF


def order_words(plan: Plan, steps: Iterable[PlanStep]) -> str:
    """A ring order in signs that need no translation: ``101 (20) → 102 + 103 (25)``."""

    return " → ".join(
        f"{' + '.join(_extension(plan, name) for name in step.phones)} ({step.seconds})" for step in steps
    )


def differences_to_json(found: Iterable[Difference]) -> str:
    return json.dumps([asdict(one) for one in found], ensure_ascii=False)


def differences_from_json(text: str) -> list[Difference]:
    return [Difference(**one | {"kind": Change(one["kind"])}) for one in json.loads(text)]


# ---- the way of a call


class Stop(StrEnum):
    CALL = "call"
    RING = "ring"
    HOURS = "hours"  # it says the hours, and takes a message
    DUTY = "duty"  # a key rings it, from there
    MESSAGE = "message"
    OFFER = "offer"  # nobody lifted the receiver: the machine offers the state of their report (W10)
    END = "end"


@dataclass(frozen=True)
class Station:
    """One station of a call's way; of `Stop.RING` the phones that ring, those that cannot, and how long."""

    stop: Stop
    phones: tuple[PlanPhone, ...] = ()
    missing: tuple[str, ...] = ()  # names of phones that do not exist or are switched off
    seconds: int = 0


DUTY_SECONDS = 30  # that the duty phone rings
MESSAGE_SECONDS = 120  # that a message out of hours may last
ANNOUNCEMENT_SECONDS = 45  # that an outage, or the hours, may be told until the phone rings all the same
TRIED_AGAIN_SECONDS = 30  # for which a call is tried again from the first step on, where all phones are busy


def way_of_call(plan: Plan, line: PlanLine, branch: Branch | None = None) -> list[Station]:
    """Where a call to the line goes, station after station, when nobody lifts the receiver; in hours, or by ``branch``.

    A line without a ring order rings at every phone (`jobs.pbx`).
    """
    if branch is not None and not branch.open and line.out_of_hours == OutOfHours.MESSAGE:
        return [Station(Stop.CALL), Station(Stop.HOURS), *_duty_station(plan, line), *_ENDS_WITH_MESSAGE]
    steps = line.steps or (PlanStep(tuple(phone.name for phone in plan.active_phones), 60),)
    rings = []
    for step in steps:
        found = [plan.phone(name) for name in step.phones]
        usable = tuple(phone for phone in found if phone is not None and phone.active)
        names = {phone.name for phone in usable}
        rings.append(Station(Stop.RING, usable, tuple(one for one in step.phones if one not in names), step.seconds))
    return [Station(Stop.CALL), *rings, Station(Stop.OFFER), Station(Stop.END)]


_ENDS_WITH_MESSAGE = (Station(Stop.MESSAGE), Station(Stop.END))


def _duty_station(plan: Plan, line: PlanLine) -> list[Station]:
    if not line.duty:
        return []
    phone = plan.phone(line.duty)
    usable = phone is not None and phone.active
    return [Station(Stop.DUTY, (phone,) if usable else (), () if usable else (line.duty,), DUTY_SECONDS)]
