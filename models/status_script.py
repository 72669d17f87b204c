"""What the machine says on the telephone: the status check (C3), a caller's status line, an emergency's hand-over,
an outage, a closed line.

Each function returns the sentences of one prompt, in their order. A sentence with a name is the same in every call,
and the town may record it (`fixed_sentences` lists them). An applicant's call names day, subject and street of a
report, and no more: somebody else may have lifted the receiver.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from models.hours import Hours
from models.hours_spoken import say_hours, say_opening
from models.outages import Announced, OutageKind
from models.reports import ReportState
from models.spoken import (
    Sentence,
    say_date,
    say_hour,
    say_number,
    say_place,
    say_report_number,
    say_street,
    say_subject,
)
from models.workdays import KYIV

LONGEST_PROMPT = 20.0  # seconds: of what is longer the beginning is forgotten
# characters: with the keys the question stays below the longest prompt
_MOST_WHICH, _MOST_STREET, _MOST_READ, _LEAST = 125, 34, 190, 20
_MOST_OUTAGE, _MOST_CITY = 100, 60
_WITHOUT_YEAR = timedelta(days=300)  # so long the day and the month alone tell which one is meant


class Key(StrEnum):
    """The keys of the status check."""

    DONE = "1"
    NOT_DONE = "2"
    PARTLY = "3"
    PERSON = "0"
    NOT_ME = "9"  # somebody else's number, or somebody who wants no calls by a machine
    AGAIN = "*"


class HandoverKey(StrEnum):
    """The keys of the call to an enterprise's duty number (I8)."""

    ACCEPT = "1"
    PERSON = "0"
    AGAIN = "*"


class LineKey(StrEnum):
    """The keys of the status line (W10)."""

    YES = "1"  # to hear what is offered
    PERSON = "0"
    AGAIN = "*"


class OutageKey(StrEnum):
    """The keys while an outage is announced; with any other one the phone rings at once (C7)."""

    LEAVE = "1"


class ClosedKey(StrEnum):
    """The keys while the hours are told; any other one leads to the tone at once (I2)."""

    DUTY = "1"


END_OF_DIGITS = "#"  # the key that ends a number


@dataclass(frozen=True)
class Asked:
    """A report as the applicant is asked about it: the day in Kyiv on which it was made, its category, its street."""

    day: date
    subject: str
    street: str = ""


@dataclass(frozen=True)
class Emergency:
    """A report as it is read to the duty of the enterprise; ``landmark`` is said where there is no street."""

    number: str
    subject: str
    text: str = ""
    street: str = ""
    building: str = ""
    flat: str = ""
    landmark: str = ""


_FIXED = {
    "greeting": "Добрий день! Це контактний центр міста {town}. Дзвінок автоматичний.",
    "check-over": "Запитань до вас уже немає: повідомлення опрацьовано. Дякуємо. До побачення!",
    "check-away": "На жаль, зараз ми не можемо поставити запитання. Зателефонуємо іншим разом. До побачення!",
    "is-it-done": "Чи виконано роботу?",
    "keys": "Якщо так, натисніть один, якщо ні — два, частково — три. Поговорити з людиною — нуль. "
    "Не ваше або не бажаєте таких дзвінків — дев’ять.",
    "answer-done": "Дякуємо. Записано: виконано.",
    "answer-not-done": "Дякуємо. Записано: не виконано. Повернемо повідомлення виконавцеві.",
    "answer-partly": "Дякуємо. Записано: виконано частково.",
    "answer-person": "З’єднуємо вас із працівником контактного центру. Зачекайте, будь ласка.",
    "answer-not-me": "Вибачте за турботу. Більше не телефонуватимемо вам автоматично.",
    "leave-words": "Якщо бажаєте, скажіть після сигналу кількома словами, що не зроблено: ваші слова буде записано. "
    "Закінчивши, натисніть яку завгодно клавішу. Щоб нічого не казати, натисніть її одразу.",
    "words-kept": "Дякуємо, ваші слова записано.",
    "nobody-free": "На жаль, зараз усі працівники зайняті. Ми вам зателефонуємо.",
    "wrong-key": "Такого вибору немає.",
    "no-key": "Ми не отримали відповіді.",
    "again": "Щоб послухати ще раз, натисніть зірочку.",
    "no-answer": "Відповіді не отримано. Запитаємо вас іншим разом. До побачення!",
    "goodbye": "Дякуємо за відповідь. До побачення!",
    "status-greeting": "Добрий день! Це контактний центр міста {town}. Тут можна почути стан повідомлення. "
    "Поговорити з людиною — нуль.",
    "status-offer": "На жаль, зараз ніхто не може відповісти. Щоб почути стан свого повідомлення, натисніть один.",
    "status-none": "За вашим номером телефону відкритих повідомлень немає.",
    "status-more": "Щоб дізнатися про інше повідомлення, натисніть один. Послухати ще раз — зірочка.",
    "status-number": "Наберіть номер повідомлення без дефіса, тоді решітку.",
    "status-pin": "Наберіть шість цифр пінкоду, тоді решітку.",
    "status-wrong": "Номер і пінкод не збігаються.",
    "status-too-often": "Забагато спроб. Зателефонуйте за годину.",
    "status-away": "На жаль, зараз стан повідомлення дізнатися не можна. Зателефонуйте, будь ласка, пізніше.",
    "status-goodbye": "Дякуємо за дзвінок. До побачення!",
    "outage-greeting": "Контактний центр міста {town}.",
    "outage-keys": "Якщо цього досить, натисніть один. Щоб поговорити з людиною, зачекайте.",
    "closed-greeting": "Контактний центр міста {town}. Зараз неробочий час.",
    "closed-duty": "Якщо сталася аварія, натисніть один.",
    "closed-duty-away": "На жаль, черговий не відповідає.",
    "closed-message": "Залиште повідомлення після сигналу: його буде записано, і ми вам зателефонуємо. "
    "Назвіть адресу. Закінчивши, натисніть яку завгодно клавішу.",
    "closed-kept": "Дякуємо, повідомлення записано. До побачення!",
    "handover-greeting": "Увага! Аварійне повідомлення. Телефонує контактний центр міста {town}.",
    "handover-keys": "Щоб прийняти повідомлення, натисніть один. Послухати ще раз — зірочка. "
    "Поговорити з працівником контактного центру — нуль.",
    "handover-over": "Це повідомлення вже прийнято або знято. Дякуємо. До побачення!",
    "handover-away": "На жаль, зараз ми не можемо його прочитати. Зателефонуйте, будь ласка, до контактного центру.",
    "handover-accepted": "Записано: повідомлення прийнято. Дякуємо. До побачення!",
    "handover-not-accepted": "Повідомлення не прийнято. Передаємо його далі. До побачення!",
}

_ANSWERS = {
    Key.DONE: "answer-done",
    Key.NOT_DONE: "answer-not-done",
    Key.PARTLY: "answer-partly",
    Key.PERSON: "answer-person",
    Key.NOT_ME: "answer-not-me",
}

_NOT_REGISTERED = "не зареєстровано. Зателефонуйте до контактного центру, щоб дізнатися чому"
_STATES = {
    ReportState.DRAFT: "надійшло. Контактний центр перегляне його й зареєструє",
    ReportState.NEW: "зареєстровано й передано виконавцеві",
    ReportState.IN_PROGRESS: "у роботі",
    ReportState.REASONS_GIVEN: "виконавець не може його вирішити. Як бути далі, вирішує орган контролю",
    ReportState.DONE: "виконано, як каже виконавець. Ми запитаємо вас, чи це так",
    ReportState.CLOSED: "закрито, роботу завершено",
    ReportState.CONSULTATION: "закрито: вам надали консультацію",
    ReportState.ATTACHED: "додано до повідомлення, яке вже було зареєстровано",
    ReportState.REDIRECTED: "належить іншому органу. Зателефонуйте до контактного центру, щоб дізнатися якому",
    ReportState.WRONG_NUMBER: _NOT_REGISTERED,
    ReportState.NUISANCE: _NOT_REGISTERED,
    ReportState.DROPPED: _NOT_REGISTERED,
}
# what is interrupted: planned, as an emergency
_OUTAGES = {
    OutageKind.WATER: ("Планове відключення води", "Аварійне відключення води"),
    OutageKind.HEAT: ("Планове відключення тепла", "Аварійне відключення тепла"),
    OutageKind.ELECTRICITY: ("Планове відключення світла", "Аварійне відключення світла"),
    OutageKind.GAS: ("Планове відключення газу", "Аварійне відключення газу"),
    OutageKind.REPAIR_WORKS: ("Планові ремонтні роботи", "Аварійні ремонтні роботи"),
    OutageKind.OTHER: ("Планова перерва в обслуговуванні", "Аварійна перерва в обслуговуванні"),
}
_STILL_OPEN = (ReportState.NEW, ReportState.IN_PROGRESS)  # for these a day until when means something


def fixed_sentences(town: str) -> list[Sentence]:
    """Every sentence that the town may record, with the name of its recording."""
    return [_fixed(name, town) for name in _FIXED]


def greeting(town: str) -> list[Sentence]:
    """Who calls."""
    return [_fixed("greeting", town)]


def how_many(reports: int) -> list[Sentence]:
    """Of how many reports they will be asked, when there are more than one."""
    return [Sentence(f"Запитаємо про {_counted(reports)}.")] if reports > 1 else []


def check_over() -> list[Sentence]:
    """After the greeting, when nothing is to be asked any more."""
    return [_fixed("check-over")]


def check_away() -> list[Sentence]:
    """After the greeting, while the database is away."""
    return [_fixed("check-away")]


def question(report: Asked, today: date, *, following: bool = False) -> list[Sentence]:
    """Which report, whether it is done, and the keys: five, and at most `LONGEST_PROMPT` long.

    ``following`` is one that is asked after another in the same call. `Key.AGAIN` works, and is told of to those who
    did not answer (`no_input`).
    """
    day = say_date(report.day, today if today - report.day > _WITHOUT_YEAR else report.day)
    which, street = f"{'Наступне' if following else 'Ваше'} повідомлення від {day}", _short_street(report.street)
    subject = say_subject(report.subject, max(_LEAST, _MOST_WHICH - len(which) - len(street)))
    named = ", ".join(part for part in (subject, street) if part)
    return [Sentence(f"{which}{f': {named}' if named else ''}."), _fixed("is-it-done"), _fixed("keys")]


def answered(key: Key) -> list[Sentence]:
    """What is said once the key was pressed; nothing for `Key.AGAIN`."""
    return [_fixed(_ANSWERS[key])] if key in _ANSWERS else []


def leave_words() -> list[Sentence]:
    """The offer, after `Key.NOT_DONE` or `Key.PARTLY`, to speak after the tone; any key ends or skips it.

    It says that the words are recorded before they are (A3).
    """
    return [_fixed("leave-words")]


def words_kept() -> list[Sentence]:
    """After something was said after the tone."""
    return [_fixed("words-kept")]


def nobody_free() -> list[Sentence]:
    """After `Key.PERSON` when nobody lifts the receiver: a call-back is promised."""
    return [_fixed("nobody-free")]


def wrong_key() -> list[Sentence]:
    """After a key that means nothing; the question and the keys are told again."""
    return [_fixed("wrong-key"), _fixed("is-it-done"), _fixed("keys")]


def no_input() -> list[Sentence]:
    """After no key at all; the question and the keys are told again, and how to hear which report is meant."""
    return [_fixed("no-key"), _fixed("is-it-done"), _fixed("keys"), _fixed("again")]


def gives_up() -> list[Sentence]:
    """The end of a call in which no key was pressed, or none that means something, time after time."""
    return [_fixed("no-answer")]


def goodbye() -> list[Sentence]:
    """The end of a call after the last answer."""
    return [_fixed("goodbye")]


def status_line(
    number: str | None,
    state: ReportState,
    until: date | None,
    today: date,
    subject: str = "",
    *,
    planned: bool = False,
) -> list[Sentence]:
    """The state of one report for its caller (S 2.5, W10); ``number`` is None before it is registered.

    ``until`` is its term, or where ``planned`` the day that the executor named.
    """
    named = f"Повідомлення номер {say_report_number(number)}" if number else "Ваше повідомлення"
    named = ", ".join(part for part in (named, say_subject(subject)) if part)
    said = [Sentence(f"{named}: {_STATES[state]}.")]
    if until is not None and state in _STILL_OPEN:
        what = "Виконавець планує завершити" if planned else "Строк виконання —"
        said.append(Sentence(f"{what} до {say_date(until, today)}."))
    return said


def status_greeting(town: str) -> list[Sentence]:
    """Who answers, and how to speak with a person instead."""
    return [_fixed("status-greeting", town)]


def status_offer() -> list[Sentence]:
    """To a caller for whom nobody lifted the receiver: `LineKey.YES` leads to the state of their report."""
    return [_fixed("status-offer")]


def status_prompts() -> list[list[Sentence]]:
    """All that a caller may hear once the call to the status line has begun, the reports left out."""
    said = [status_none(), status_more(), status_number(), status_pin(), status_wrong(), status_too_often()]
    return [*said, status_away(), status_goodbye()]


def status_none() -> list[Sentence]:
    """When the caller has no open report."""
    return [_fixed("status-none")]


def status_more() -> list[Sentence]:
    """After the caller's own reports: `LineKey.YES` asks for another one."""
    return [_fixed("status-more")]


def status_number() -> list[Sentence]:
    """The report's number is to be typed; `END_OF_DIGITS` ends it."""
    return [_fixed("status-number")]


def status_pin() -> list[Sentence]:
    """Its PIN is to be typed."""
    return [_fixed("status-pin")]


def status_wrong() -> list[Sentence]:
    """The number and the PIN do not belong together, or there is no such number: the same words for both."""
    return [_fixed("status-wrong")]


def status_too_often() -> list[Sentence]:
    """Too many tries in this hour."""
    return [_fixed("status-too-often")]


def status_away() -> list[Sentence]:
    """While the database is away."""
    return [_fixed("status-away")]


def status_goodbye() -> list[Sentence]:
    """The end of a call to the status line."""
    return [_fixed("status-goodbye")]


def handover_greeting(town: str) -> list[Sentence]:
    """Who calls the enterprise's duty, and that it is urgent."""
    return [_fixed("handover-greeting", town)]


def handover_report(report: Emergency) -> list[Sentence]:
    """The emergency as it is read to the duty after the greeting (I8), at most `LONGEST_PROMPT` long with it."""
    place = say_place(report.street, report.building, report.flat) or say_subject(report.landmark)
    about = ", ".join(part for part in (say_subject(report.subject), place) if part)
    said = [f"{about[:1].upper()}{about[1:]}."] if about else []
    if told := say_subject(report.text, max(_LEAST, _MOST_READ - len(about))):
        said.append(f"{told[:1].upper()}{told[1:]}.")
    return [*map(Sentence, said)]


def handover_keys(report: Emergency) -> list[Sentence]:
    """The report's number and the keys of `HandoverKey`."""
    return [Sentence(f"Номер повідомлення: {say_report_number(report.number)}."), _fixed("handover-keys")]


def handover_wrong_key() -> list[Sentence]:
    """After a key that means nothing; the keys are told again."""
    return [_fixed("wrong-key"), _fixed("handover-keys")]


def handover_no_input() -> list[Sentence]:
    """After no key at all; the keys are told again."""
    return [_fixed("no-key"), _fixed("handover-keys")]


def handover_over() -> list[Sentence]:
    """To who lifts the receiver once the emergency is accepted on screen, or is none any more."""
    return [_fixed("handover-over")]


def handover_away() -> list[Sentence]:
    """After the greeting, while the database is away."""
    return [_fixed("handover-away")]


def handover_answered(accepted: bool) -> list[Sentence]:
    """The end of the hand-over call."""
    return [_fixed("handover-accepted" if accepted else "handover-not-accepted")]


def outage_told(outage: Announced, town: str) -> list[Sentence]:
    """The outage as a caller hears it before the phone rings (C7), at most `LONGEST_PROMPT` long with the keys; one of
    the whole city, which everybody hears, is shorter. It hangs on nothing but the outage: it is spoken before the call.
    """
    what = _OUTAGES[outage.kind][0 if outage.planned else 1]
    if outage.ends_at is not None:
        ends_at, begins = outage.ends_at.astimezone(KYIV), outage.begins_at.astimezone(KYIV).date()
        what = f"{what} до {say_hour(ends_at.time())}, {say_date(ends_at.date(), begins)}"
    said = [_fixed("outage-greeting", town), Sentence(f"{what}.")]
    if told := say_subject(outage.text, _MOST_CITY if outage.whole_city else _MOST_OUTAGE):
        said.append(Sentence(f"{told[:1].upper()}{told[1:]}."))
    return said


def outage_keys() -> list[Sentence]:
    """How to leave, and how to stay."""
    return [_fixed("outage-keys")]


def closed_told(hours: Hours, opens: datetime | None, at: datetime, town: str) -> list[Sentence]:
    """That the line is closed ``at`` this moment, its hours, and when it ``opens`` next: spoken before the call."""
    told = [*say_hours(hours), *say_opening(opens, at)]
    return [_fixed("closed-greeting", town), *map(Sentence, told)]


def closed_duty() -> list[Sentence]:
    """How to reach the duty phone: `ClosedKey.DUTY`."""
    return [_fixed("closed-duty")]


def closed_duty_away() -> list[Sentence]:
    """After that key, when nobody lifts the receiver there."""
    return [_fixed("closed-duty-away")]


def closed_message() -> list[Sentence]:
    """The offer to speak after the tone; it says that the words are recorded before they are (A3)."""
    return [_fixed("closed-message")]


def closed_end(kept: bool) -> list[Sentence]:
    """The end of the call, with a message or without."""
    return [_fixed("closed-kept" if kept else "status-goodbye")]


def _short_street(street: str) -> str:
    """A street of which the last words are left out when it is too long for a question."""
    said = say_street(street)
    return said if len(said) <= _MOST_STREET else said[: _MOST_STREET + 1].rpartition(" ")[0]


def _counted(reports: int) -> str:
    """«два ваші повідомлення», «п’ять ваших повідомлень»."""
    said = say_number(reports, "neuter")
    if reports % 10 == 1 and reports % 100 != 11:
        return f"{said} ваше повідомлення"
    if reports % 10 in (2, 3, 4) and reports % 100 not in (12, 13, 14):
        return f"{said} ваші повідомлення"
    return f"{said} ваших повідомлень"


def _fixed(name: str, town: str = "") -> Sentence:
    return Sentence(_FIXED[name].format(town=town), name)
