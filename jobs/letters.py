"""What letters say. In Ukrainian, and without the applicant: a report's number, kind, place, deadline."""

from collections.abc import Sequence
from datetime import datetime

from babel.dates import format_date, format_datetime

from jobs.settings import Settings
from models.alerts import RULES, Alert, AlertKind
from models.audiences import Audience
from models.quarterly import QuarterlyReport
from models.reports import Report
from models.telephone import without_numbers
from models.workdays import KYIV

NBSP = "\u00a0"
MOST_LINES = 100  # of one kind in one letter; the pages have them all

HEADINGS = {
    AlertKind.EMERGENCY: "Аварійні повідомлення: візьміть у роботу негайно",
    AlertKind.NOT_ACCEPTED: "Не взято в роботу вчасно",
    AlertKind.NEW_REPORT: "Нові повідомлення для вашої організації",
    AlertKind.NOT_INFORMED: "Керівника не повідомлено протягом робочого дня",
    AlertKind.WORK_LATE: "Строк виконання минув",
    AlertKind.REASONS_LATE: "Строк, щоб подати органу контролю обґрунтовані причини, минув",
    AlertKind.WORK_SOON: "Наближається строк виконання",
    AlertKind.REASONS_SOON: "Наближається строк, щоб подати органу контролю обґрунтовані причини",
    AlertKind.REASONS_GIVEN: "Виконавець подав причини: потрібне ваше рішення",
    AlertKind.NOT_LOOKED: "Не переглядали своїх повідомлень",
}
# what to do, where the heading alone does not say it to these people
TO_DO = {
    (AlertKind.NOT_ACCEPTED, Audience.ADMINISTRATORS): "Попередьте оператора й натисніть «Оператора попереджено».",
    (AlertKind.NOT_ACCEPTED, Audience.OPERATORS): "Візьміть повідомлення в роботу або напишіть примітку, що заважає.",
    (AlertKind.NOT_INFORMED, Audience.OPERATORS): "Повідомте керівника й натисніть «Керівника повідомлено».",
    (AlertKind.NEW_REPORT, Audience.HEADS): "Призначте виконавця. Цим листом вас повідомлено про них.",
}
FOOT = "Цей лист надіслано автоматично, відповідати на нього не потрібно."


def compose(alerts: Sequence[Alert], at: datetime, settings: Settings) -> tuple[str, str]:
    """The subject and the body of the letter that holds these alerts; they are in the order of `RULES`."""
    kinds = {alert.kind: [one for one in alerts if one.kind == alert.kind] for alert in alerts}
    parts = [_part(AlertKind(kind), rows, settings) for kind, rows in kinds.items()]
    return _subject(kinds, at, settings), "\n\n".join([*parts, _foot(settings)]) + "\n"


def _foot(settings: Settings) -> str:
    return f"-- \n{settings.public_url}\nКонтактний центр, {settings.profile.town}\n{FOOT}"


def compose_quarterly(report: QuarterlyReport, settings: Settings) -> tuple[str, str]:
    """The subject and the body of the letter that tells a member of the control body of their report (R 4.6)."""
    quarter = f"{report.quarter.number}-й квартал {report.quarter.year} року"
    lines = (
        f"Звіт контактного центру за {quarter} готовий (п.{NBSP}4.6 Порядку). Його можна прочитати й завантажити тут:",
        f"{settings.public_url}/quarterly/{report.id}",
    )
    return f"Звіт за {quarter}", "\n".join(lines) + f"\n\n{_foot(settings)}\n"


def _subject(kinds: dict[str, list[Alert]], at: datetime, settings: Settings) -> str:
    """The heading where there is one kind that goes at once, with the report where there is one; else the day."""
    first, rows = next(iter(kinds.items()))
    if not RULES[AlertKind(first)].at_once:
        day = format_date(at.astimezone(KYIV), f"d{NBSP}MMMM", locale="uk")
        return f"Контактний центр {settings.profile.town}: на {day}"
    reports = {row.report_id: row.report for row in rows}
    word = "Аварійне повідомлення" if first == AlertKind.EMERGENCY else HEADINGS[AlertKind(first)]
    if len(reports) > 1:
        return f"{HEADINGS[AlertKind(first)]} ({len(reports)})"
    return f"{word}: {_named(next(iter(reports.values())), settings)}"


def _part(kind: AlertKind, alerts: list[Alert], settings: Settings) -> str:
    clause = RULES[kind].clause
    point = f" (п.{NBSP}{clause[2:]} Порядку)" if clause.startswith("R ") else ""
    lines = [f"{HEADINGS[kind]}{point}"]
    to_do = dict.fromkeys(TO_DO[kind, row.audience] for row in alerts if (kind, row.audience) in TO_DO)
    lines += to_do
    said = list(dict.fromkeys(_line(row, settings) for row in alerts))
    lines += said[:MOST_LINES]
    if len(said) > MOST_LINES:
        lines.append(f"… і ще {len(said) - MOST_LINES}; усі — на сторінках контактного центру.")
    return "\n".join(lines)


def _line(alert: Alert, settings: Settings) -> str:
    if alert.report is None:
        day = format_date(alert.day, f"d{NBSP}MMMM y", locale="uk") if alert.day else ""
        return f"• {alert.organisation.name if alert.organisation else ''}, {day}"
    executor = alert.organisation or alert.report.executor
    facts = [_named(alert.report, settings), executor.name if executor else ""]
    if alert.due_at is not None and alert.kind != AlertKind.EMERGENCY:
        due = format_datetime(alert.due_at.astimezone(KYIV), f"d{NBSP}MMMM y, HH:mm", locale="uk")
        facts.append(f"строк{NBSP}{NBSP.join(('—', due))}")
    return f"• {'; '.join(fact for fact in facts if fact)}\n  {settings.public_url}/reports/{alert.report_id}"


def _named(report: Report | None, settings: Settings) -> str:
    """A report as one reads it in a list, without the flat, and without a telephone that stands in the landmark."""
    if report is None:
        return ""
    kind = report.category.name if report.category else ""
    spot = without_numbers(report.spot, settings.profile.area_code)
    return ", ".join(part for part in (f"№{NBSP}{report.number}", kind, spot) if part)
