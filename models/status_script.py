"""What the machine says on the telephone: the status check (C3), a caller's status line, an emergency's hand-over.

Each function returns the sentences of one prompt, in their order. A sentence with a name is the same in every call,
and the town may record it (`fixed_sentences` lists them). An applicant's call names day, subject and street of a
report, and no more: somebody else may have lifted the receiver.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from models.reports import ReportState
from models.spoken import Sentence, say_date, say_number, say_place, say_report_number, say_street, say_subject

LONGEST_PROMPT = 20.0  # seconds: of what is longer the beginning is forgotten
# characters: with the keys the question stays below the longest prompt
_MOST_WHICH, _MOST_STREET, _MOST_READ, _LEAST = 125, 34, 190, 20
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


END_OF_WORDS = "#"  # the key that ends what is said after the tone


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
    "is-it-done": "Чи виконано роботу?",
    "keys": "Якщо так, натисніть один, якщо ні — два, частково — три. Поговорити з людиною — нуль. "
    "Не ваше або не бажаєте таких дзвінків — дев’ять.",
    "answer-done": "Дякуємо. Записано: виконано.",
    "answer-not-done": "Дякуємо. Записано: не виконано. Повернемо повідомлення виконавцеві.",
    "answer-partly": "Дякуємо. Записано: виконано частково.",
    "answer-person": "З’єднуємо вас із працівником контактного центру. Зачекайте, будь ласка.",
    "answer-not-me": "Вибачте за турботу. Більше не телефонуватимемо вам автоматично.",
    "leave-words": "Якщо бажаєте, скажіть після сигналу, що саме не зроблено: ваші слова буде записано. "
    "Закінчивши, натисніть решітку. Щоб нічого не казати, натисніть її одразу.",
    "words-kept": "Дякуємо, ваші слова записано.",
    "nobody-free": "На жаль, зараз усі працівники зайняті. Ми вам зателефонуємо.",
    "wrong-key": "Такого вибору немає.",
    "no-key": "Ми не отримали відповіді.",
    "again": "Щоб послухати ще раз, натисніть зірочку.",
    "no-answer": "Відповіді не отримано. Запитаємо вас іншим разом. До побачення!",
    "goodbye": "Дякуємо за відповідь. До побачення!",
    "status-none": "За цим номером повідомлень немає.",
    "handover-greeting": "Увага! Термінове повідомлення. Телефонує контактний центр міста {town}.",
    "handover-keys": "Щоб прийняти повідомлення, натисніть один. Послухати ще раз — зірочка. "
    "Поговорити з працівником контактного центру — нуль.",
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
_STILL_OPEN = (ReportState.NEW, ReportState.IN_PROGRESS)  # for these a planned date means something


def fixed_sentences(town: str) -> list[Sentence]:
    """Every sentence that the town may record, with the name of its recording."""
    return [_fixed(name, town) for name in _FIXED]


def greeting(town: str, reports: int = 1) -> list[Sentence]:
    """Who calls, and of how many reports they will be asked when there are more than one."""
    said = [_fixed("greeting", town)]
    return said if reports == 1 else [*said, Sentence(f"Запитаємо про {_counted(reports)}.")]


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
    """The offer, after `Key.NOT_DONE` or `Key.PARTLY`, to speak after the tone; `END_OF_WORDS` ends or skips it.

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


def status_line(number: str | None, state: ReportState, planned: date | None, today: date) -> list[Sentence]:
    """The state of one report for its caller (S 2.5, W10); ``number`` is None before it is registered."""
    named = f"Повідомлення номер {say_report_number(number)}" if number else "Ваше повідомлення"
    said = [Sentence(f"{named}: {_STATES[state]}.")]
    if planned is not None and state in _STILL_OPEN:
        said.append(Sentence(f"Запланований строк — до {say_date(planned, today)}."))
    return said


def status_none() -> list[Sentence]:
    """When the caller has no report."""
    return [_fixed("status-none")]


def handover_report(report: Emergency, town: str) -> list[Sentence]:
    """The emergency as it is read to the enterprise's duty (I8), at most `LONGEST_PROMPT` long."""
    place = say_place(report.street, report.building, report.flat) or say_subject(report.landmark)
    about = ", ".join(part for part in (say_subject(report.subject), place) if part)
    said = [f"{about[:1].upper()}{about[1:]}."] if about else []
    if told := say_subject(report.text, max(_LEAST, _MOST_READ - len(about))):
        said.append(f"{told[:1].upper()}{told[1:]}.")
    return [_fixed("handover-greeting", town), *map(Sentence, said)]


def handover_keys(report: Emergency) -> list[Sentence]:
    """The report's number and the keys of `HandoverKey`."""
    return [Sentence(f"Номер повідомлення: {say_report_number(report.number)}."), _fixed("handover-keys")]


def handover_answered(accepted: bool) -> list[Sentence]:
    """The end of the hand-over call."""
    return [_fixed("handover-accepted" if accepted else "handover-not-accepted")]


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
