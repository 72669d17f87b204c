"""When a citizen may be called, and what follows from how a call ended (C5). Pure: no clock and no database here."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum

import phonenumbers
from phonenumbers import PhoneNumberType

from models.workdays import KYIV, WorkCalendar

_DIALLED = {PhoneNumberType.FIXED_LINE, PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE}


class Outcome(StrEnum):
    """How an attempt ended."""

    ANSWERED = "answered"  # a key was pressed, or a person of ours spoke with them
    NO_INPUT = "no_input"  # somebody or something answered, and pressed no key
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    REJECTED = "rejected"
    BAD_NUMBER = "bad_number"
    TRUNK_TROUBLE = "trunk_trouble"
    STOPPED = "stopped"  # ended by us: somebody stopped the machine's calls
    OUR_PHONE = "our_phone"  # the phone of our own person was not lifted: the citizen was not called
    NOT_CALLED = "not_called"  # it was lifted, and nobody was called: nothing was to be asked any more, or no line
    UNKNOWN = "unknown"  # nobody can say whether it rang


NOT_DIALLED = (Outcome.OUR_PHONE, Outcome.NOT_CALLED)  # the citizen's phone never rang

NETWORK_OUT_OF_ORDER = 38
NOTHING_TO_SAY = 41  # temporary failure: the dialplan ends so a call that was answered while our scripts are away
# ITU-T Q.850, as Asterisk gives it for the citizen's channel
_CAUSES = {
    1: Outcome.BAD_NUMBER,  # unallocated
    17: Outcome.BUSY,
    18: Outcome.NO_ANSWER,
    19: Outcome.NO_ANSWER,
    20: Outcome.NO_ANSWER,  # switched off
    21: Outcome.REJECTED,
    22: Outcome.BAD_NUMBER,  # the number has changed
    27: Outcome.TRUNK_TROUBLE,
    28: Outcome.BAD_NUMBER,  # not a whole number
    34: Outcome.TRUNK_TROUBLE,
    NETWORK_OUT_OF_ORDER: Outcome.TRUNK_TROUBLE,
    41: Outcome.TRUNK_TROUBLE,
    42: Outcome.TRUNK_TROUBLE,
    44: Outcome.TRUNK_TROUBLE,
}


def outcome_of(cause: int | None, *, answered: bool, key: bool) -> Outcome:
    """How the call ended, by the cause of its end, whether it was answered, and whether a key proved a person.

    Only a key (or a person of ours who spoke) is a proof: a machine that answers is `Outcome.NO_INPUT`.
    """
    if key:
        return Outcome.ANSWERED
    if answered:
        return Outcome.TRUNK_TROUBLE if cause == NOTHING_TO_SAY else Outcome.NO_INPUT
    if cause is None:
        return Outcome.UNKNOWN
    return _CAUSES.get(cause, Outcome.NO_ANSWER)


@dataclass(frozen=True)
class Window:
    """When citizens are called: on which days, and between which hours in Kyiv; the end is not included."""

    begins: time = time(9, 0)
    ends: time = time(20, 0)
    halves: time = time(14, 30)  # where a day's second half begins
    on_sundays: bool = False
    on_holidays: bool = False

    def is_open(self, at: datetime, calendar: WorkCalendar) -> bool:
        local = at.astimezone(KYIV)
        return self.calls_on(local, calendar) and self.begins <= local.time() < self.ends

    def next_open(self, at: datetime, calendar: WorkCalendar) -> datetime:
        """The first moment from ``at`` on at which the window is open."""
        local = at.astimezone(KYIV)
        if self.is_open(local, calendar):
            return at
        if not (self.calls_on(local, calendar) and local.time() < self.begins):
            local = self._next_day(local, calendar)
        return datetime.combine(local.date(), self.begins, KYIV)

    def next_hour(self, at: datetime, calendar: WorkCalendar) -> datetime:
        """The next full hour at which the window is open: what is offered for another call."""
        full = at.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)  # Kyiv is whole hours from UTC
        return self.next_open(full, calendar).astimezone(KYIV)

    def next_morning(self, at: datetime, calendar: WorkCalendar) -> datetime:
        """When the window opens on the next day on which citizens are called."""
        local = self._next_day(at.astimezone(KYIV), calendar)
        return datetime.combine(local.date(), self.begins, KYIV)

    def other_half(self, last: datetime, calendar: WorkCalendar, *, next_day: bool) -> datetime:
        """The beginning of the half of a day in which ``last`` was not, on the same day or a later one."""
        local = last.astimezone(KYIV)
        was_early = local.time() < self.halves
        if next_day or not was_early or not self.calls_on(local, calendar):
            local = self._next_day(local, calendar)
        return datetime.combine(local.date(), self.halves if was_early else self.begins, KYIV)

    def calls_on(self, at: datetime, calendar: WorkCalendar) -> bool:
        """Whether citizens are called at any hour of this day in Kyiv."""
        day = at.astimezone(KYIV).date()
        if day.weekday() == 6 and not self.on_sundays:
            return False
        return self.on_holidays or not calendar.is_holiday(day)

    def _next_day(self, local: datetime, calendar: WorkCalendar) -> datetime:
        for _day in range(60):
            local += timedelta(days=1)
            if self.calls_on(local, calendar):
                return local
        raise ValueError("the calendar has no day on which citizens are called")


@dataclass(frozen=True)
class Rules:
    """The rules of calling that the town takes on itself; the defaults are those of the product."""

    window: Window = Window()
    most_tries: int = 3  # over all causes; then a person decides
    apart: timedelta = timedelta(hours=2)  # machine calls to one number
    a_day: int = 2  # machine calls to one number
    trunk_failures: int = 5  # in a row: then no machine calls
    trunk_pause: timedelta = timedelta(minutes=15)  # until one more is tried


@dataclass(frozen=True)
class _Follow:
    """What follows from an outcome: after how long it is tried again, in which half of which day, and how often."""

    after: tuple[timedelta, ...] = ()
    endless: bool = False  # the last wait of ``after`` goes on
    other_half: bool = False
    next_day: bool = False
    uses_try: bool = True


_FOLLOWS: dict[Outcome, _Follow] = {
    Outcome.NO_INPUT: _Follow(after=(timedelta(),) * 3, other_half=True, next_day=True),
    Outcome.BUSY: _Follow(after=(timedelta(minutes=10), timedelta(minutes=60), timedelta(minutes=60))),
    Outcome.NO_ANSWER: _Follow(after=(timedelta(hours=2),) * 3, other_half=True),
    Outcome.REJECTED: _Follow(after=(timedelta(),), other_half=True, next_day=True),
    Outcome.TRUNK_TROUBLE: _Follow(after=(timedelta(minutes=2),), endless=True, uses_try=False),
    Outcome.STOPPED: _Follow(after=(timedelta(),), endless=True, uses_try=False),
    # the person who asked for the call sees it and tries again
    Outcome.OUR_PHONE: _Follow(uses_try=False),
    Outcome.NOT_CALLED: _Follow(uses_try=False),
    Outcome.BAD_NUMBER: _Follow(),
    Outcome.UNKNOWN: _Follow(),
    Outcome.ANSWERED: _Follow(),
}


def uses_try(outcome: Outcome) -> bool:
    """Whether an attempt that ended so uses up one of the tries."""
    return _FOLLOWS[outcome].uses_try


def next_try(
    outcomes: Sequence[Outcome], last: datetime, rules: Rules, calendar: WorkCalendar, jitter: float = 0.0
) -> datetime | None:
    """When the machine may try again after these outcomes, the last of which ended at ``last``; None when it may not.

    Retry budgets of several causes do not add up: `Rules.most_tries` is over all of them. ``jitter``, from 0 to 1,
    spreads what a trouble of the trunk has put off.
    """
    outcome = outcomes[-1]
    follow = _FOLLOWS[outcome]
    if sum(uses_try(one) for one in outcomes) >= rules.most_tries:
        return None
    times = outcomes.count(outcome)
    if not follow.after or times > len(follow.after) and not follow.endless:
        return None
    wait = follow.after[min(times, len(follow.after)) - 1]
    at = last + wait * (1 + jitter) if outcome == Outcome.TRUNK_TROUBLE else last + wait
    if follow.other_half:
        at = max(at, rules.window.other_half(last, calendar, next_day=follow.next_day))
    return rules.window.next_open(at, calendar)


def free_again(machine_calls: Sequence[datetime], at: datetime, rules: Rules) -> datetime:
    """From when on the machine may call a number again that it called at these moments: ``at``, or later (C5)."""
    calls = sorted(machine_calls)
    moment = max([at, *(call + rules.apart for call in calls[-1:])])
    today = moment.astimezone(KYIV).date()
    if sum(call.astimezone(KYIV).date() == today for call in calls) >= rules.a_day:
        moment = datetime.combine(today + timedelta(days=1), time(), KYIV)
    return moment


def may_be_dialled(number: str | None) -> bool:
    """Whether the number is on the list of what is ever dialled: a valid Ukrainian fixed or mobile number (E.164).

    Never a short, premium or foreign one, whoever asks.
    """
    if not number or not number.startswith("+380") or len(number) != 13:
        return False
    try:
        parsed = phonenumbers.parse(number, None)
    except phonenumbers.NumberParseException:
        return False
    return phonenumbers.is_valid_number(parsed) and phonenumbers.number_type(parsed) in _DIALLED


def as_dialled(number: str) -> str:
    """The number as a Ukrainian network takes it from a subscriber: ``0671234567``."""
    return number.removeprefix("+38")
