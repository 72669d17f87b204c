"""The analytical summary of a period (S 3.3, W13): for the centre of everything, for the control body of its own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

from flask import Blueprint, render_template, request, url_for
from flask_babel import format_date
from flask_babel import gettext as _
from flask_login import current_user
from sqlalchemy import select

from models.base import db, now
from models.people import Organisation, Role
from models.periods import Period, month_of, quarter_of
from models.reports import REGISTERED_STATES
from models.standings import Standing
from models.summary import Summary, summarise
from models.workdays import KYIV
from webui.access import DESK_ROLES, allow
from webui.quarterly_paper import long_day
from webui.text import EVENT_WORDS, REPORT_BADGES, SOURCE_NAMES, row_id

bp = Blueprint("summary", __name__)

READERS = DESK_ROLES | {Role.CONTROL_BODY}
EARLIEST, LATEST = date(2000, 1, 1), date(2100, 12, 31)
Row = tuple[str, int | Standing, str]  # a name, its figures, where they can be seen one by one


@dataclass
class Asked:
    """What the address asks for: the raw values for the form, what they mean, and what is wrong with them."""

    values: dict[str, str]
    period: Period
    organisation: Organisation | None = None
    errors: dict[str, str] = field(default_factory=dict)


@bp.get("/summary")
@allow(*READERS)
def summary() -> tuple[str, int]:
    session = db.session()
    today = now().astimezone(KYIV).date()
    organisations = _organisations()
    asked = read_asked(request.args, organisations, today)
    found = None
    if not asked.errors:
        chosen = {asked.organisation.id} if asked.organisation else None
        if current_user.role not in DESK_ROLES:
            chosen = chosen or {organisation.id for organisation in organisations}
        found = summarise(session, asked.period, now(), chosen)
    only_some = found is None or bool(asked.organisation) or current_user.role not in DESK_ROLES
    page = render_template(
        "summary/summary.html",
        asked=asked,
        found=found,
        answers=[(part.name, part.answers) for part in found.answers] if found else [],
        rows=_rows(found, None if only_some else asked.period) if found else None,
        only_some=only_some,
        organisations=organisations,
        presets=_presets(today),
        long_day=long_day,
    )
    return page, 422 if asked.errors else 200


def read_asked(given: Mapping[str, str], organisations: list[Organisation], today: date) -> Asked:
    """The period and the organisation that were asked for; this month and all of them when nothing was."""
    month = month_of(today)
    values = {
        "date_from": given.get("date_from", month.first.isoformat()).strip(),
        "date_to": given.get("date_to", month.last.isoformat()).strip(),
        "executor": given.get("executor", "").strip(),
    }
    asked = Asked(values, month)
    first, last = (_day(values[name], name, asked.errors) for name in ("date_from", "date_to"))
    if first and last and first > last:
        asked.errors["date_to"] = _("The period ends before it begins. Swap the two days.")
    if values["executor"]:
        wanted = row_id(values["executor"])
        asked.organisation = next((one for one in organisations if one.id == wanted), None)
        if asked.organisation is None:
            asked.errors["executor"] = _("Choose one from the list.")
    if not asked.errors:
        asked.period = Period(first, last)
    return asked


def _day(typed: str, name: str, errors: dict[str, str]) -> date | None:
    try:
        day = date.fromisoformat(typed)
        if EARLIEST <= day <= LATEST:
            return day
    except ValueError:
        pass
    errors[name] = _("This is not a day. Write it as 2026-11-22 or choose it in the calendar.")
    return None


def _organisations() -> list[Organisation]:
    """Those whose reports this person may look at, by name."""
    if current_user.role not in DESK_ROLES:
        return sorted(current_user.controls, key=lambda organisation: organisation.name)
    return list(db.session.scalars(select(Organisation).order_by(Organisation.name)))


def _presets(today: date) -> list[tuple[str, Period]]:
    month, quarter = month_of(today), quarter_of(today)
    return [
        (_("this month"), month),
        (_("last month"), month_of(month.first - timedelta(days=1))),
        (_("this quarter"), quarter.period),
        (_("last quarter"), quarter.before.period),
        (_("this year"), Period(date(today.year, 1, 1), date(today.year, 12, 31))),
    ]


def _rows(found: Summary, linked: Period | None) -> dict[str, list[Row]]:
    """The rows of each table; with ``linked`` they lead to the journal of that period, which shows the same reports."""

    def journal(**more: object) -> str:
        if linked is None:
            return ""
        return url_for("journal.journal", date_from=linked.first.isoformat(), date_to=linked.last.isoformat(), **more)

    return {
        "executors": [(part.name, part.standing, journal(executor=part.id)) for part in found.by_executor],
        "categories": [(part.name, part.standing, journal(category=part.id)) for part in found.by_category],
        "states": [
            (REPORT_BADGES[state].word, found.by_state.get(state, 0), journal(state=state))
            for state in REGISTERED_STATES
        ],
        "outcomes": [(EVENT_WORDS[event], count, "") for event, count in found.outcomes.items()],
        "streets": [(part.name or _("no street, a landmark"), part.count, "") for part in found.by_street],
        "hours": [(f"{hour}:00", count, "") for hour, count in enumerate(found.by_hour) if count],
        "weekdays": list(zip(_weekdays(), found.by_weekday, [""] * 7, strict=True)),
        "lines": [
            (part.name or _("not by telephone"), part.count, journal(line=part.id) if part.id else "")
            for part in found.by_line
        ],
        "sources": [(SOURCE_NAMES[source], count, journal(source=source)) for source, count in found.by_source.items()],
        "endings": [(REPORT_BADGES[state].word, count, journal(state=state)) for state, count in found.endings.items()],
    }


def _weekdays() -> list[str]:
    """Their names, Monday first."""
    monday = date(2024, 1, 1)
    return [format_date(monday + timedelta(days=ahead), "EEEE") for ahead in range(7)]
