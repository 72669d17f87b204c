"""Correcting what was taken down wrongly, once a report is registered: its words, kind, place, urgency, the applicant.

The report's number, the executor and all that happened stay; the history keeps what was corrected. Who may, says
`models.acts.ACTS`. What becomes an emergency by it is told and called as one from then on (I8).
"""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy.orm import Session

from models.acts import Act, check_act
from models.base import announce, now
from models.deadlines import count_by_category
from models.drafts import FieldError, RegistrationRefused, SavedMeanwhile, reachable_at, registration_errors
from models.free_days import load_calendar
from models.people import User
from models.reports import HistoryEvent, Report, note_history
from models.search import make_findable
from models.telephone import to_e164
from models.work import found_urgent

# each with its title in the history, in the language of the records
_TITLES = {
    "text": "Зі слів заявника",
    "category_id": "Вид",
    "street_id": "Вулиця",
    "building": "Будинок",
    "flat": "Квартира",
    "landmark": "Орієнтир",
    "applicant_name": "Ім’я заявника",
    "other_phone": "Телефон заявника",
    "emergency": "Аварійне",
}
CORRECTABLE = (*_TITLES, "street_typed")
# the history tells that they changed, not from what to what
_PERSONAL = frozenset({"flat", "applicant_name", "other_phone"})


def correct(
    session: Session,
    report: Report,
    user: User,
    values: Mapping[str, object],
    revision: int,
    reason: str = "",
    at: datetime | None = None,
    area_code: str = "",
) -> None:
    """Write these of `CORRECTABLE`, with a row that tells what each was and is (W1), without what is personal (A3).

    A telephone is stored in E.164 where it can be understood, a local one by the town's ``area_code``; the applicant is
    reached at it, unless they called and showed their own number. Another category counts the open terms anew (S 2.3).
    Values that change nothing leave no row. Raises `NotYours`, `IllegalMove`, `SavedMeanwhile` when ``revision`` is not
    the stored one, and `RegistrationRefused` as at intake (R 2.5).
    """
    check_act(session, report, user, Act.CORRECT)
    if report.revision != revision:
        raise SavedMeanwhile
    before = {name: _words(report, name) for name in _TITLES}
    former, was_urgent = report.category_id, report.emergency
    for name in CORRECTABLE:
        if name in values:
            setattr(report, name, values[name])
    if "other_phone" in values:
        report.other_phone = to_e164(report.other_phone, area_code) or report.other_phone
        report.contact_number = reachable_at(report, area_code)
    if errors := _wrong(report):
        raise RegistrationRefused(errors)
    make_findable(session, report)
    changed = [name for name in _TITLES if _words(report, name) != before[name]]
    if not changed:
        return
    at = at or now()
    report.revision += 1
    lines = [_line(name, before[name], _words(report, name)) for name in changed]
    note_history(
        session, report, HistoryEvent.CORRECTED, user, "\n".join([*lines, *([reason] if reason else [])]), at=at
    )
    if report.category_id != former:
        count_by_category(session, report, load_calendar(session), user, at)
    if report.emergency and not was_urgent:
        found_urgent(session, report, user, at)
    session.flush()
    announce(session, "report", report.id)


def _wrong(report: Report) -> list[FieldError]:
    """What registering would refuse, of what can be corrected here."""
    return [error for error in registration_errors(report) if error.field in CORRECTABLE]


def _words(report: Report, name: str) -> str:
    if name == "category_id":
        return report.category.name if report.category else ""
    if name == "street_id":
        return report.street.name if report.street else ""
    if name == "emergency":
        return "так" if report.emergency else "ні"
    return getattr(report, name)


def _line(name: str, before: str, after: str) -> str:
    if name in _PERSONAL:
        return f"{_TITLES[name]}: виправлено"
    return f"{_TITLES[name]}: {before or '—'} → {after or '—'}"
