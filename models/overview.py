"""The centre at a glance: the lines now, and what today's calls have come to (W13)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.calls import Call, CallState
from models.lines import Line
from models.people import User
from models.reports import REGISTERED_STATES, Report, ReportState


@dataclass
class LineToday:
    """How many calls a line had, and what they came to: each counts once. ``line`` None: a number that is not ours."""

    line: Line | None
    calls: int = 0
    missed: int = 0  # and nothing came of it yet
    registered: int = 0
    consultations: int = 0
    attached: int = 0
    otherwise: int = 0  # the other endings of a draft (I6)
    drafts: int = 0  # answered or ringing, and not ended yet

    def add(self, call_state: CallState, report_state: ReportState | None, count: int) -> None:
        self.calls += count
        unfinished = report_state in (ReportState.DRAFT, None)  # None: it is being made
        missed = unfinished and call_state == CallState.MISSED
        self.missed += count * missed
        self.registered += count * (report_state in REGISTERED_STATES)
        self.consultations += count * (report_state == ReportState.CONSULTATION)
        self.attached += count * (report_state == ReportState.ATTACHED)
        self.drafts += count * (unfinished and not missed)
        told = self.missed + self.registered + self.consultations + self.attached + self.drafts
        self.otherwise = self.calls - told


def calls_since(session: Session, begin: datetime) -> tuple[list[LineToday], LineToday]:
    """The calls since a moment: a row for each line in use, also for one that nobody called, and their sum."""
    rows = {line.id: LineToday(line) for line in session.scalars(select(Line).order_by(Line.id))}
    total = LineToday(None)
    counted = session.execute(
        select(Call.line_id, Call.state, Report.state, func.count())
        .outerjoin(Report, Report.call_id == Call.id)
        .where(Call.started_at >= begin)
        .group_by(Call.line_id, Call.state, Report.state)
    )
    for line_id, call_state, report_state, count in counted:
        rows.setdefault(line_id, LineToday(None)).add(call_state, report_state, count)
        total.add(call_state, report_state, count)
    return [row for row in rows.values() if row.calls or row.line is None or row.line.active], total


@dataclass(frozen=True)
class AtWork:
    """How many drafts somebody has begun and not ended, and since when the oldest waits."""

    user: User
    drafts: int
    oldest: datetime


def drafts_at_work(session: Session) -> Iterator[AtWork]:
    """Who has open drafts, who has most first."""
    rows = session.execute(
        select(User, func.count(Report.id), func.min(Report.created_at))
        .join(Report, Report.owner_id == User.id)
        .where(Report.state == ReportState.DRAFT, User.active)
        .group_by(User.id)
        .order_by(func.count(Report.id).desc(), User.name)
    )
    return (AtWork(*row) for row in rows)
