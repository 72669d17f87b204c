"""What is to be done and until when: an organisation's day, and the daily monitoring of all of them (S 3.3, W2, W9)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from models.deadlines import Deadline, DeadlineKind
from models.executions import Execution
from models.people import Organisation, User
from models.reports import OPEN_STATES, Report, ReportState

MOST = 500  # rows of one list


@dataclass(frozen=True)
class Task:
    """A report with the deadlines that run for it; for an organisation's day its own ``part``."""

    report: Report
    deadlines: list[Deadline]
    part: Execution | None = None

    @property
    def next_due(self) -> datetime | None:
        return min((deadline.due_at for deadline in self.deadlines if deadline.paused_at is None), default=None)


@dataclass
class Day:
    """An organisation's day: what is new to it, what it works on by the deadline, and what waits for others."""

    new: list[Task] = field(default_factory=list)
    at_work: list[Task] = field(default_factory=list)
    reasons_given: list[Task] = field(default_factory=list)
    completed: list[Task] = field(default_factory=list)


def organisation_day(session: Session, organisation_id: int) -> Day:
    """The open reports in which the organisation has a part, the nearest deadline first (R 4.1)."""
    rows = session.execute(
        select(Report, Execution)
        .join(Execution, Execution.report_id == Report.id)
        .where(Report.state.in_(OPEN_STATES), Execution.organisation_id == organisation_id)
        .options(joinedload(Report.category), joinedload(Report.street))
        .order_by(Report.due_at, Report.id)
        .limit(MOST)
    ).all()
    running = _running(session, [report.id for report, _part in rows], organisation_id)
    day = Day()
    for report, part in rows:
        task = Task(report, running.get(report.id, []), part)
        if report.state == ReportState.REASONS_GIVEN:
            day.reasons_given.append(task)
        elif part.completed_at is not None:
            day.completed.append(task)
        else:
            (day.new if part.accepted_at is None else day.at_work).append(task)
    for tasks in (day.new, day.at_work):
        tasks.sort(key=lambda task: (not task.report.emergency, task.next_due or task.report.created_at))
    return day


@dataclass
class Tally:
    """How many deadlines of an organisation are overdue, due today, due soon."""

    organisation: Organisation
    overdue: int = 0
    today: int = 0
    soon: int = 0


@dataclass(frozen=True)
class Monitoring:
    """The daily monitoring: deadlines that are overdue, due today, and due soon; and their count by organisation."""

    overdue: list[Deadline]
    today: list[Deadline]
    soon: list[Deadline]
    tallies: list[Tally]


def daily_monitoring(
    session: Session, at: datetime, end_of_today: datetime, end_of_soon: datetime, organisations: Collection[int] = ()
) -> Monitoring:
    """All deadlines that run and are due until ``end_of_soon``, the most urgent first; of ``organisations`` or of all.

    A deadline of the whole report counts for its leading executor.
    """
    query = (
        select(Deadline)
        .join(Deadline.report)
        .where(
            Deadline.met_at.is_(None),
            Deadline.cancelled_at.is_(None),
            Deadline.paused_at.is_(None),
            Deadline.due_at <= end_of_soon,
        )
        .options(
            joinedload(Deadline.report).options(
                joinedload(Report.category), joinedload(Report.street), joinedload(Report.executor)
            ),
            joinedload(Deadline.organisation),
        )
        .order_by(Deadline.due_at, Deadline.id)
        .limit(4 * MOST)
    )
    found = [row for row in session.scalars(query) if not organisations or responsible(row).id in organisations]
    tallies: dict[int, Tally] = {}
    lists: dict[str, list[Deadline]] = {"overdue": [], "today": [], "soon": []}
    for deadline in found:
        name = "overdue" if deadline.due_at < at else "today" if deadline.due_at <= end_of_today else "soon"
        lists[name].append(deadline)
        organisation = responsible(deadline)
        tally = tallies.setdefault(organisation.id, Tally(organisation))
        setattr(tally, name, getattr(tally, name) + 1)
    ordered = sorted(tallies.values(), key=lambda tally: (-tally.overdue, -tally.today, tally.organisation.name))
    return Monitoring(lists["overdue"], lists["today"], lists["soon"], ordered)


def responsible(deadline: Deadline) -> Organisation:
    """Whose deadline it is: the executor's, or the leading executor's where it is the report's."""
    return deadline.organisation or deadline.report.executor


def to_decide(session: Session, user: User) -> Sequence[Report]:
    """The reports with reasons given that this member of the control body decides on, the oldest first (R 4.4)."""
    controlled = [organisation.id for organisation in user.controls]
    return session.scalars(
        select(Report)
        .where(
            Report.state == ReportState.REASONS_GIVEN,
            Report.id.in_(
                select(Execution.report_id).where(
                    Execution.organisation_id.in_(controlled), Execution.reasons_at.is_not(None)
                )
            ),
        )
        .options(joinedload(Report.category), joinedload(Report.street), joinedload(Report.executor))
        .order_by(Report.id)
        .limit(MOST)
    ).all()


def _running(session: Session, reports: Sequence[int], organisation_id: int) -> dict[int, list[Deadline]]:
    """The open deadlines of these reports that concern the organisation."""
    found: dict[int, list[Deadline]] = {}
    for deadline in session.scalars(
        select(Deadline)
        .where(
            Deadline.report_id.in_(reports),
            Deadline.met_at.is_(None),
            Deadline.cancelled_at.is_(None),
            Deadline.organisation_id.is_(None) | (Deadline.organisation_id == organisation_id),
            Deadline.kind != DeadlineKind.REASONS,  # the work's own term is the nearer one
        )
        .order_by(Deadline.due_at)
    ):
        found.setdefault(deadline.report_id, []).append(deadline)
    return found
