"""What the applicant is told of a report for its number and PIN, or by telephone for their own number (S 2.5, W10).

The state, the planned date, the answers to the applicant: nothing personal, no note for those who work here, no file.
"""

import re
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.callers import open_reports
from models.executions import executions_of, planned_for
from models.online import find_intake
from models.people import AccessLog
from models.pins import pin_is_right
from models.reports import HistoryEvent, HistoryRow, Report, ReportState, find_report, read_number

_INTAKE = re.compile(r"9\d{3}[\s-]?\d{4}", re.ASCII)
_CODE = re.compile("[0-9]{8}")
_WITH_YEAR = re.compile(r"(20\d\d)(\d{3,6})", re.ASCII)


@dataclass(frozen=True)
class Answer:
    """One answer to the applicant."""

    at: datetime
    text: str


@dataclass(frozen=True)
class Told:
    """What may be told. ``number`` is None before registration; ``due_at``, the term, and ``planned_at``, the day that
    the executor named, are None while there is none.

    ``joined`` is the number of the report that this one was added to: state, term and planned day are that one's.
    """

    report_id: int
    number: str | None
    state: ReportState
    kind: str
    came_at: datetime
    due_at: datetime | None
    answers: list[Answer]
    joined: str | None = None
    planned_at: datetime | None = None


def look_up(session: Session, number: str, pin: str) -> Told | None:
    """What may be told of the report with this number (``2026-0412``, ``412``, or an intake number) and PIN.

    None for an unknown number and for a wrong PIN alike.
    """
    report = find_meant(session, number)
    right = pin_is_right(report, pin)  # also for no report, so that the answer takes as long
    return _tell(session, report) if report is not None and right else None


def told_to_caller(session: Session, number: str | None, most: int = 3) -> list[Told]:
    """What may be told of the open reports of who calls from this number (E.164), the newest first.

    A number can be forged: no more is told than for number and PIN.
    """
    return [_tell(session, report) for report in open_reports(session, number, most)]


def note_heard(session: Session, report_id: int, reason: str, at: datetime) -> None:
    """Somebody heard the state of the report by telephone, "by telephone: own number" or for number and PIN (A3)."""
    session.add(AccessLog(user_id=None, at=at, subject="report", subject_id=report_id, reason=reason))


def number_by_keys(keys: str) -> str:
    """The number or intake number that was typed with the telephone's keys, as `find_meant` reads it.

    Keys have no dash: ``20260412`` is 2026-0412, and so is ``2026*412``.
    """
    typed = keys.strip("*").replace("*", "-")
    return _WITH_YEAR.sub(r"\1-\2", typed) if _WITH_YEAR.fullmatch(typed) else typed


def find_meant(session: Session, typed: str) -> Report | None:
    """The report or draft with the number or intake number that was typed."""
    number = meant_number(typed)
    return find_intake(session, number) if _CODE.fullmatch(number) else find_report(session, number)


def meant_number(typed: str) -> str:
    """The one way to write the number or intake number that was typed; "" for what is none."""
    typed = typed.strip().removeprefix("№").strip()
    return re.sub(r"[\s-]", "", typed) if _INTAKE.fullmatch(typed) else read_number(typed) or ""


def _tell(session: Session, report: Report) -> Told:
    joined = report.attached_to if report.state == ReportState.ATTACHED else None
    shown = joined or report
    rows = session.scalars(
        select(HistoryRow)
        .where(HistoryRow.report_id == report.id, HistoryRow.event == HistoryEvent.PUBLIC_NOTE)
        .order_by(HistoryRow.id)
    )
    return Told(
        report_id=report.id,
        number=report.number,
        state=ReportState(shown.state),
        kind=report.category.name if report.category else "",
        came_at=report.registered_at or report.created_at,
        due_at=shown.running_due,
        answers=[Answer(row.at, row.note) for row in rows],
        joined=joined.number if joined else None,
        planned_at=planned_for(executions_of(session, shown)) if shown.running_due else None,
    )
