"""What is wrong with a telephone plan: each fault is one sentence on the page, and a plan with a fault is not applied.

A phone rings at least 15 s and a caller waits five minutes at most; what a step may last keeps both ways open: nobody
walks to a telephone in less than five seconds.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from models.calling import may_be_dialled
from models.hours import OutOfHours, is_backwards, read_range, tidy_range
from models.plan import Plan, PlanLine, PlanPhone, PlanStep
from models.telephone import to_e164

SHORTEST, LONGEST = 15, 300  # seconds that a line rings in all
SHORTEST_STEP, LONGEST_STEP = 5, 60  # seconds
MOST_STEPS, MOST_LINES = 10, 50
LONGEST_TITLE = 128  # characters
LONGEST_CALLER = 79  # bytes of a phone's name: Asterisk cuts a caller's there (res_pjsip, caller_id_handler)
LONGEST_ROUTE = 1000  # characters: Asterisk cuts a function's value at 1024
_NAME = re.compile(r"(?!trunk-)[a-z][a-z0-9_-]{1,31}")  # PJSIP/trunk-… is the trunk's channel (`jobs.channels`)
# sections of pjsip.conf, and the page on which a phone is added
_RESERVED = frozenset({"trunk", "phone", "global", "system", "transport-udp", "new"})
_EXTENSION = re.compile(r"[1-9][0-9]{1,7}")
_LOCAL, _NATIONAL = re.compile(r"[2-9]-[0-9]{2}-[0-9]{2}"), re.compile(r"0[0-9]{2}-[0-9]{3}-[0-9]{2}-[0-9]{2}")
_UNSAFE = re.compile(r"[^\w .,:'’ʼ«»№/+–—-]")  # in quotes of pjsip.conf: nothing that could mean anything there


class FaultKind(StrEnum):
    """What is wrong. ``detail`` is what stands behind each."""

    NO_PHONES = "no_phones"  # of the plan: none is in use
    MANY_PHONES = "many_phones"  # of the plan: more than can ring at once
    MANY_LINES = "many_lines"  # how many fit
    NUMBER = "number"
    NUMBER_STATUS = "number_status"  # of the status line
    DOUBLE_NUMBER = "double_number"
    NO_STEPS = "no_steps"
    MANY_STEPS = "many_steps"  # how many fit
    EMPTY_STEP = "empty_step"
    STEP_SECONDS = "step_seconds"
    TOO_SHORT = "too_short"  # seconds in all
    ENDLESS = "endless"  # seconds in all
    UNKNOWN_PHONE = "unknown_phone"  # the name
    PHONE_OFF = "phone_off"  # the extension
    PHONE_TWICE = "phone_twice"  # the extension
    LONG_ROUTE = "long_route"
    WORKDAY_HOURS = "workday_hours"  # no hours at all: what was typed
    OTHER_HOURS = "other_hours"
    WORKDAYS_BACKWARDS = "workdays_backwards"  # they end before they begin
    OTHERS_BACKWARDS = "others_backwards"
    NEVER_OPEN = "never_open"
    MESSAGE_ALWAYS = "message_always"  # out of hours that there are none of
    DUTY_UNUSED = "duty_unused"  # no key rings it
    UNKNOWN_DUTY = "unknown_duty"  # the name
    DUTY_OFF = "duty_off"  # the extension
    NAME = "name"
    DOUBLE_NAME = "double_name"
    EXTENSION = "extension"
    DOUBLE_EXTENSION = "double_extension"
    EXTENSION_LINE = "extension_line"  # the line's number
    EXTENSION_STATUS = "extension_status"
    UNKNOWN_USER = "unknown_user"  # the login
    USER_TWICE = "user_twice"  # the login
    UNSAFE_TITLE = "unsafe_title"  # the signs that cannot stand there
    LONG_TITLE = "long_title"  # how many characters fit


@dataclass(frozen=True)
class Fault:
    """What is wrong with a line (its number) or with a phone (its name), in which step of its ring order."""

    kind: FaultKind
    line: str = ""
    phone: str = ""
    step: int = 0
    detail: str = ""


@dataclass(frozen=True)
class Site:
    """What a plan is checked against: the town's area code, the status line's number (E.164), and the users' logins."""

    area_code: str
    status_line: str = ""
    logins: frozenset[str] = frozenset()


def check_plan(plan: Plan, site: Site) -> list[Fault]:
    """All that is wrong with the plan; nothing when it can be applied."""
    found = []
    if not plan.active_phones:
        found.append(Fault(FaultKind.NO_PHONES))
    if _route_length(PlanStep(tuple(phone.name for phone in plan.active_phones), LONGEST_STEP)) > LONGEST_ROUTE:
        found.append(Fault(FaultKind.MANY_PHONES))
    if len(plan.lines) > MOST_LINES:
        found.append(Fault(FaultKind.MANY_LINES, detail=str(MOST_LINES)))
    for line in plan.lines:
        found += _line_faults(plan, line, site)
    for phone in plan.phones:
        found += _phone_faults(plan, phone, site)
    return found


def line_e164(number: str, area_code: str) -> str:
    """The number of a line as networks know it; "" for none that a line can have."""
    if not (_LOCAL.fullmatch(number) or _NATIONAL.fullmatch(number)):
        return ""
    found = to_e164(number, area_code)
    return found if found and may_be_dialled(found) else ""


def _line_faults(plan: Plan, line: PlanLine, site: Site) -> Iterable[Fault]:
    def fault(kind: FaultKind, detail: str = "", step: int = 0) -> Fault:
        return Fault(kind, line=line.number, step=step, detail=detail)

    if not line.e164 or line_e164(line.number, site.area_code) != line.e164:
        yield fault(FaultKind.NUMBER)
    elif line.e164 == site.status_line:
        yield fault(FaultKind.NUMBER_STATUS)
    if sum(one.e164 == line.e164 or one.number == line.number for one in plan.lines) > 1:
        yield fault(FaultKind.DOUBLE_NUMBER)
    yield from (fault(kind, detail) for kind, detail in _title_faults(line.title))
    for place, step in enumerate(line.steps, 1):  # also of a line that is switched off: its phones exist
        for name in step.phones:
            if plan.phone(name) is None:
                yield fault(FaultKind.UNKNOWN_PHONE, name, place)
    yield from (fault(kind, detail) for kind, detail in _hours_faults(plan, line))
    if not line.active:
        return
    if not line.steps:
        yield fault(FaultKind.NO_STEPS)
        return
    if len(line.steps) > MOST_STEPS:
        yield fault(FaultKind.MANY_STEPS, str(MOST_STEPS))
    for place, step in enumerate(line.steps, 1):
        yield from (fault(kind, detail, place) for kind, detail in _step_faults(plan, step))
    seconds = sum(step.seconds for step in line.steps)
    if seconds < SHORTEST:
        yield fault(FaultKind.TOO_SHORT, str(seconds))
    if seconds > LONGEST:
        yield fault(FaultKind.ENDLESS, str(seconds))
    if sum(map(_route_length, line.steps)) > LONGEST_ROUTE:
        yield fault(FaultKind.LONG_ROUTE)


def _hours_faults(plan: Plan, line: PlanLine) -> Iterable[tuple[FaultKind, str]]:
    if line.hours is None and line.out_of_hours == OutOfHours.MESSAGE:
        yield FaultKind.MESSAGE_ALWAYS, ""
    if line.hours is not None:
        for hours, wrong, backwards in (
            (line.hours.workdays, FaultKind.WORKDAY_HOURS, FaultKind.WORKDAYS_BACKWARDS),
            (line.hours.other_days, FaultKind.OTHER_HOURS, FaultKind.OTHERS_BACKWARDS),
        ):
            if hours and (read_range(hours) is None or tidy_range(hours) != hours):
                yield (backwards if is_backwards(hours) else wrong), hours
        if not line.hours.workdays and not line.hours.other_days:
            yield FaultKind.NEVER_OPEN, ""
    if not line.duty:
        return
    phone = plan.phone(line.duty)
    if phone is None:
        yield FaultKind.UNKNOWN_DUTY, line.duty
    elif line.active and line.out_of_hours != OutOfHours.MESSAGE:
        yield FaultKind.DUTY_UNUSED, ""
    elif line.active and not phone.active:
        yield FaultKind.DUTY_OFF, phone.extension


def _step_faults(plan: Plan, step: PlanStep) -> Iterable[tuple[FaultKind, str]]:
    if not step.phones:
        yield FaultKind.EMPTY_STEP, ""
    if not SHORTEST_STEP <= step.seconds <= LONGEST_STEP:
        yield FaultKind.STEP_SECONDS, str(step.seconds)
    for name, times in Counter(step.phones).items():
        phone = plan.phone(name)
        if phone is not None and not phone.active:
            yield FaultKind.PHONE_OFF, phone.extension
        if times > 1:
            yield FaultKind.PHONE_TWICE, phone.extension if phone else name


def _route_length(step: PlanStep) -> int:
    return sum(len("PJSIP/&") + len(name) for name in step.phones) + len(f",{step.seconds},i:")


def _phone_faults(plan: Plan, phone: PlanPhone, site: Site) -> Iterable[Fault]:
    def fault(kind: FaultKind, detail: str = "") -> Fault:
        return Fault(kind, phone=phone.name, detail=detail)

    if not _NAME.fullmatch(phone.name) or phone.name in _RESERVED:
        yield fault(FaultKind.NAME)
    if sum(one.name == phone.name for one in plan.phones) > 1:
        yield fault(FaultKind.DOUBLE_NAME)
    if not _EXTENSION.fullmatch(phone.extension):
        yield fault(FaultKind.EXTENSION)
    elif sum(one.extension == phone.extension for one in plan.phones) > 1:
        yield fault(FaultKind.DOUBLE_EXTENSION)
    for line in plan.lines:
        if phone.extension in line.dids:
            yield fault(FaultKind.EXTENSION_LINE, line.number)
    if site.status_line and site.status_line.endswith(phone.extension) and len(phone.extension) >= 5:
        yield fault(FaultKind.EXTENSION_STATUS)
    if phone.user and phone.user not in site.logins:
        yield fault(FaultKind.UNKNOWN_USER, phone.user)
    elif phone.user and sum(one.user == phone.user for one in plan.phones) > 1:
        yield fault(FaultKind.USER_TWICE, phone.user)
    if len(phone.title.encode()) > LONGEST_CALLER and len(phone.title) <= LONGEST_TITLE:
        yield fault(FaultKind.LONG_TITLE, str(LONGEST_CALLER // 2))  # a Cyrillic letter has two
    yield from (fault(kind, detail) for kind, detail in _title_faults(phone.title))


def _title_faults(title: str) -> Iterable[tuple[FaultKind, str]]:
    if len(title) > LONGEST_TITLE:
        yield FaultKind.LONG_TITLE, str(LONGEST_TITLE)
    unsafe = dict.fromkeys(_UNSAFE.findall(title))
    if unsafe:
        yield FaultKind.UNSAFE_TITLE, " ".join(sign if sign.isprintable() else "⏎" for sign in unsafe)
