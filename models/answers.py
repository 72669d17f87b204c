"""What the applicants say of work that its executor calls done, by executor (S 3.2, S 3.3, W8).

A report counts for its leading executor, in the period in which the citizen called, once it was ever said to be done.
It stands in one of four ways: confirmed at the first asking, refuted at least once, unreachable by the rules, or
without an answer: not asked yet, or closed without it. Unreachable is never confirmed (promise 5). An answer that was
taken back was never given.
"""

from collections.abc import Collection
from dataclasses import dataclass, field

from sqlalchemy import Row, case, func, select
from sqlalchemy.orm import Session

from models.calltasks import CallTask, CallTaskEvent, Purpose, TaskEvent, Why
from models.people import Organisation
from models.periods import Period
from models.reports import COUNTED, HistoryRow, Report, ReportEvent, not_taken_back
from models.standings import received

UNREACHABLE = (Why.TRIES_OVER, Why.BAD_NUMBER, Why.NO_NUMBER)
_SAID = (ReportEvent.COMPLETED, ReportEvent.CONFIRMED, ReportEvent.REFUTED)


@dataclass
class Answers:
    """How many reports were said to be done, and what the applicants said: the first is the sum of the next four."""

    said_done: int = 0
    confirmed: int = 0  # at the first asking
    refuted: int = 0  # at least once
    unreachable: int = 0
    unasked: int = 0  # or closed without the answer
    confirmed_later: int = 0  # of the refuted
    reopened: int = 0  # of the refuted: twice or more

    def add(self, row: Row) -> None:
        confirmed, unreachable = row.confirmed and not row.refuted, row.unreachable
        self.said_done += row.count
        self.refuted += row.count * bool(row.refuted)
        self.confirmed += row.count * confirmed
        self.unreachable += row.count * unreachable
        self.unasked += row.count * (not (row.refuted or confirmed or unreachable))
        self.confirmed_later += row.count * bool(row.refuted and row.confirmed)
        self.reopened += row.count * (row.refuted > 1)


@dataclass(frozen=True)
class PartAnswers:
    """The answers about one executor's reports."""

    id: int
    name: str
    answers: Answers = field(default_factory=Answers)


def answers_by_executor(
    session: Session, period: Period, organisations: Collection[int] | None = None
) -> list[PartAnswers]:
    """The answers by executor, who called most done first; of these leading executors, or (None) of all."""
    events = HistoryRow.event
    each = (
        select(
            Report.id,
            Report.executor_id,
            _count(events == ReportEvent.COMPLETED).label("done"),
            _count(events == ReportEvent.CONFIRMED).label("confirmed"),
            _count(events == ReportEvent.REFUTED).label("refuted"),
        )
        .join(HistoryRow, HistoryRow.report_id == Report.id)
        .where(*received(period, organisations), events.in_(_SAID), not_taken_back())
        .group_by(*(getattr(Report, name) for name in COUNTED))  # a group is a report, see `models.standings`
        .subquery()
    )
    in_vain = (
        select(CallTaskEvent.id)
        .join(CallTask, CallTask.id == CallTaskEvent.task_id)
        .where(
            CallTask.report_id == each.c.id,
            CallTask.purpose == Purpose.STATUS_CHECK,
            CallTaskEvent.event == TaskEvent.HANDED,
            CallTaskEvent.why.in_(UNREACHABLE),
        )
        .correlate(each)
        .exists()
    )
    confirmed = case((each.c.confirmed > 0, 1), else_=0)
    refuted = case((each.c.refuted > 1, 2), else_=each.c.refuted)
    unreachable = case((each.c.confirmed + each.c.refuted > 0, 0), (in_vain, 1), else_=0)
    stands = select(
        each.c.executor_id,
        confirmed.label("confirmed"),
        refuted.label("refuted"),
        unreachable.label("unreachable"),
    ).where(each.c.done > 0)
    one = stands.subquery()
    by = (one.c.executor_id, one.c.confirmed, one.c.refuted, one.c.unreachable)
    found: dict[int, Answers] = {}
    for row in session.execute(select(*by, func.count().label("count")).group_by(*by)):
        found.setdefault(row.executor_id, Answers()).add(row)
    names = dict(session.execute(select(Organisation.id, Organisation.name)).all())
    parts = [PartAnswers(key, names.get(key, ""), answers) for key, answers in found.items()]
    return sorted(parts, key=lambda part: (-part.answers.said_done, part.name))


def _count(condition: object) -> object:
    return func.sum(case((condition, 1), else_=0))
