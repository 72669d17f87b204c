"""How the reports of a period stand: each is counted once, in one of five ways (S 3.3, R 4.6).

A report belongs to the period in which the citizen called, as in the journal, and to its leading executor. It is done
within its terms, done late, closed unsolved by the control body, or still at work, within its term or overdue. Who
was late once, before the applicant said that it is not done, stays late.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date, datetime, time

from sqlalchemy import ColumnElement, Row, Select, and_, case, func, literal, or_, select
from sqlalchemy.orm import Session

from models.base import UTCDateTime
from models.deadlines import Deadline, DeadlineKind
from models.kyiv_time import kyiv_hour
from models.periods import Period
from models.reports import COUNTED, UNDONE, Report, ReportState
from models.workdays import KYIV, WorkCalendar


@dataclass
class Standing:
    """How many reports there are, and how they stand: the first is the sum of the next four."""

    received: int = 0
    in_time: int = 0
    late: int = 0
    unsolved: int = 0
    at_work: int = 0
    overdue: int = 0  # of those at work
    repeated: int = 0  # of all

    def add(self, row: Row) -> None:
        at_work = row.state in UNDONE
        solved = not at_work and not row.unsolved
        self.received += row.count
        self.in_time += row.count * (solved and not row.late)
        self.late += row.count * (solved and row.late)
        self.unsolved += row.count * row.unsolved
        self.at_work += row.count * at_work
        self.overdue += row.count * (at_work and row.overdue)
        self.repeated += row.count * row.repeated


@dataclass
class Standings:
    """The standing of all reports together, by executor and by category (their ids), and how many are in each state."""

    total: Standing = field(default_factory=Standing)
    by_executor: dict[int, Standing] = field(default_factory=dict)
    by_category: dict[int, Standing] = field(default_factory=dict)
    by_state: dict[ReportState, int] = field(default_factory=dict)


def standings(session: Session, period: Period, organisations: Collection[int] | None, at: datetime) -> Standings:
    """How the reports of the period stand at ``at``; of these leading executors, or (None) of all."""
    each = _reports_with_terms(period, organisations, at).subquery()
    groups = (each.c.executor_id, each.c.category_id, each.c.state, each.c.repeated)
    flags = (each.c.late, each.c.overdue, each.c.unsolved)
    found = Standings()
    for row in session.execute(select(*groups, *flags, func.count().label("count")).group_by(*groups, *flags)):
        found.total.add(row)
        found.by_executor.setdefault(row.executor_id, Standing()).add(row)
        found.by_category.setdefault(row.category_id, Standing()).add(row)
        state = ReportState(row.state)
        found.by_state[state] = found.by_state.get(state, 0) + row.count
    return found


def average_working_days(
    session: Session, period: Period, organisations: Collection[int] | None, at: datetime, calendar: WorkCalendar
) -> float | None:
    """How many working days passed from registration until the work was done, on average; None when none is done."""
    each = _reports_with_terms(period, organisations, at, timed=True).subquery()
    days = select(
        func.substr(each.c.registered, 1, 10).label("first"), func.substr(each.c.done, 1, 10).label("last")
    ).where(each.c.state.not_in(UNDONE), each.c.unsolved == 0, each.c.done.is_not(None))
    pairs = days.subquery()
    reports = passed = 0
    for first, last, count in session.execute(
        select(pairs.c.first, pairs.c.last, func.count()).group_by(pairs.c.first, pairs.c.last)
    ):
        reports += count
        passed += count * calendar.working_days_between(_noon(first), _noon(last))
    return passed / reports if reports else None


def received(period: Period, organisations: Collection[int] | None) -> list[ColumnElement[bool]]:
    """The conditions for the registered reports of the period; of these leading executors, or (None) of all.

    Nothing is said of the state: SQLite would take the index of a state, however many reports have it.
    """
    conditions = [
        Report.created_at >= period.begin,
        Report.created_at < period.end,
        Report.registered_at.is_not(None),
    ]
    if organisations is not None:
        conditions.append(Report.executor_id.in_(organisations))
    return conditions


def running_into(at: datetime) -> ColumnElement[datetime]:
    """The moment until which a deadline ran or runs, to be compared with its due moment; see `Deadline.late`."""
    return func.coalesce(Deadline.met_at, Deadline.paused_at, Deadline.cancelled_at, literal(at, UTCDateTime))


def _reports_with_terms(
    period: Period, organisations: Collection[int] | None, at: datetime, timed: bool = False
) -> Select:
    """A row for each report, with what its terms for the work say of it; ``timed`` adds when it began and was done."""
    late = running_into(at) > Deadline.due_at
    met, cancelled = func.max(Deadline.met_at), func.max(Deadline.cancelled_at)
    # The last term was neither met nor runs: the control body ended it, while it stood still. One that an answer began
    # which was taken back never stood still.
    decided = func.max(case((Deadline.paused_at.is_not(None), Deadline.cancelled_at)))
    unsolved = and_(Report.state == ReportState.CLOSED, cancelled.is_not(None), or_(met.is_(None), decided > met))
    times = (kyiv_hour(Report.registered_at).label("registered"), kyiv_hour(met).label("done")) if timed else ()
    return (
        select(
            Report.executor_id,
            Report.category_id,
            Report.state,
            _flag(Report.repeat_of_id.is_not(None)).label("repeated"),
            func.max(_flag(late)).label("late"),
            func.max(_flag(and_(Deadline.open, late))).label("overdue"),
            _flag(unsolved).label("unsolved"),
            *times,
        )
        .outerjoin(Deadline, and_(Deadline.report_id == Report.id, Deadline.kind == DeadlineKind.WORK))
        .where(*received(period, organisations))
        # A group is a report. By the id alone SQLite would read all reports; so it reads the index, and need not sort.
        .group_by(*(getattr(Report, name) for name in COUNTED))
    )


def _flag(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return case((condition, 1), else_=0)


def _noon(day: str) -> datetime:
    return datetime.combine(date.fromisoformat(day), time(12), KYIV)
