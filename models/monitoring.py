"""What is to be done and until when: an organisation's day, and the daily monitoring of all of them (S 3.3, W2, W9)."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from sqlalchemy import ColumnElement, Row, case, func, select
from sqlalchemy import text as sql
from sqlalchemy.orm import Session, contains_eager, defer, joinedload

from models.deadlines import Deadline, DeadlineKind
from models.executions import Execution
from models.free_days import load_calendar
from models.journal_filters import STREAMS, index_of
from models.lists import Listed, first_of
from models.moves import last_event, last_moves
from models.people import Organisation, User
from models.reports import OPEN_STATES, HistoryRow, Report, ReportEvent, ReportState
from models.workdays import KYIV

MOST = 200  # rows of one list of a day
SHOWN = 20  # of one list of the daily monitoring
SOON = 2  # working days
SENT_BACK = (ReportEvent.REFUTED, ReportEvent.RETURNED)


@dataclass(frozen=True)
class Task:
    """A report with the deadlines that run for it; for an organisation's day its own ``part``.

    ``sent_back``: by the applicant's or the control body's words it is at work again.
    """

    report: Report
    deadlines: list[Deadline]
    part: Execution | None = None
    sent_back: HistoryRow | None = None

    @property
    def next_due(self) -> datetime | None:
        return min((deadline.due_at for deadline in self.deadlines if deadline.paused_at is None), default=None)


@dataclass(frozen=True)
class Day:
    """An organisation's day: what came back, what is new, what it works on by the deadline, and what waits for others.

    Of each at most `MOST`: what hurries most, and what was done last.
    """

    sent_back: Listed[Task]
    new: Listed[Task]
    at_work: Listed[Task]
    reasons_given: Listed[Task]
    completed: Listed[Task]


# in which order each list of a day is cut off
_FIRST: dict[str, Callable[[Row], tuple]] = {
    "sent_back": lambda row: (not row.emergency, row.due_at or row.assigned_at),
    "new": lambda row: (not row.emergency, row.assigned_at),
    "at_work": lambda row: (not row.emergency, row.due_at or row.assigned_at),
    "reasons_given": lambda row: (row.due_at or row.assigned_at,),
    "completed": lambda row: (-row.completed_at.timestamp(),),
}


def organisation_day(session: Session, organisation_id: int) -> Day:
    """The open reports in which the organisation has a part, the nearest deadline first (R 4.1)."""
    rows = session.execute(
        select(
            *(Execution.id, Execution.assigned_at, Execution.accepted_at, Execution.completed_at),
            *(Report.state, Report.emergency, Report.due_at, last_event().label("came_by")),
        )
        .join(Execution.report)
        .where(Report.state.in_(OPEN_STATES), Execution.organisation_id == organisation_id)
        .order_by(Execution.id)
    ).all()
    lists: dict[str, list[Row]] = {name: [] for name in _FIRST}
    for row in rows:
        lists[_list_of(row)].append(row)
    shown = {name: sorted(lists[name], key=first)[:MOST] for name, first in _FIRST.items()}
    tasks = _tasks(session, organisation_id, [row.id for some in shown.values() for row in some])
    day = {name: [tasks[row.id] for row in some] for name, some in shown.items()}
    for name in ("sent_back", "new", "at_work"):
        day[name].sort(key=lambda task: (not task.report.emergency, task.next_due or task.report.created_at))
    return Day(**{name: Listed(day[name], len(lists[name])) for name in day})


def _list_of(row: Row) -> str:
    """In which list of the day the part stands; while another executor's reasons are weighed, this one may begin."""
    if row.accepted_at is None:
        return "new"
    if row.state == ReportState.REASONS_GIVEN:
        return "reasons_given"
    if row.completed_at is not None:
        return "completed"
    return "sent_back" if row.came_by in SENT_BACK else "at_work"


def _tasks(session: Session, organisation_id: int, parts: Sequence[int]) -> dict[int, Task]:
    """These parts with their reports and the deadlines that run."""
    found = session.scalars(
        select(Execution)
        .where(Execution.id.in_(parts))
        .options(joinedload(Execution.report).options(joinedload(Report.category), joinedload(Report.street)))
    ).all()
    running = _running(session, [part.report_id for part in found], organisation_id)
    moves = last_moves(session, [part.report_id for part in found])
    came_back = {report: move for report, move in moves.items() if move.event in SENT_BACK}
    return {
        part.id: Task(part.report, running.get(part.report_id, []), part, came_back.get(part.report_id))
        for part in found
    }


@dataclass(frozen=True)
class Tally:
    """How many deadlines of an organisation are overdue, due today, due soon."""

    organisation: Organisation
    overdue: int
    today: int
    soon: int


@dataclass(frozen=True)
class Monitoring:
    """The daily monitoring: deadlines that are overdue, due today, and due soon, at most `SHOWN` of each, the most
    urgent; and their count by organisation."""

    overdue: Listed[Deadline]
    today: Listed[Deadline]
    soon: Listed[Deadline]
    tallies: list[Tally]


def due_terms(session: Session, at: datetime) -> dict[str, tuple[datetime | None, datetime]]:
    """What is called overdue, due today, and due soon: from when (included) until when (not included).

    Soon is until the end of the second working day from now.
    """
    calendar, today = load_calendar(session), at.astimezone(KYIV).date()
    last = calendar.end_of_working_days(at, SOON).date()
    tomorrow, after = (datetime.combine(day + timedelta(days=1), time(), KYIV) for day in (today, last))
    return {"overdue": (None, at), "today": (at, tomorrow), "soon": (tomorrow, after)}


def daily_monitoring(session: Session, at: datetime, organisations: Collection[int] = ()) -> Monitoring:
    """All deadlines that run and are overdue or due soon (`due_terms`), of ``organisations`` or of all.

    A deadline of the whole report counts for its leading executor.
    """
    terms = due_terms(session, at)
    tallies = _tallies(session, terms, organisations)
    lists = {}
    for name, (start, end) in terms.items():
        count = sum(getattr(tally, name) for tally in tallies)
        lists[name] = Listed(_most_urgent(session, start, end, organisations) if count else [], count)
    return Monitoring(**lists, tallies=tallies)


def _tallies(
    session: Session,
    terms: Mapping[str, tuple[datetime | None, datetime]],
    organisations: Collection[int],
) -> list[Tally]:
    """The counts by organisation, the one with most to hurry for first."""
    counted: dict[int, Counter[str]] = {}
    counts = [func.sum(case((_within(start, end), 1), else_=0)) for start, end in terms.values()]
    of_parts = select(Deadline.organisation_id, *counts).where(Deadline.organisation_id.is_not(None))
    of_reports = (  # which run only while the report is open: a small index has all that is asked for
        select(Report.executor_id, *counts)
        .with_hint(Report, f"INDEXED BY {index_of('open')}", "sqlite")
        .join(Deadline.report)
        .where(Deadline.organisation_id.is_(None), Report.executor_id.is_not(None), sql(STREAMS["open"].holds))
    )
    for query in (of_parts, of_reports):
        key = query.selected_columns[0]
        query = query.where(Deadline.running, Deadline.due_at < max(end for _start, end in terms.values())).group_by(
            key
        )
        for organisation_id, *found in session.execute(query.where(key.in_(organisations)) if organisations else query):
            counted.setdefault(organisation_id, Counter()).update(dict(zip(terms, map(int, found), strict=True)))
    named = session.scalars(select(Organisation).where(Organisation.id.in_(counted)))
    tallies = [
        Tally(organisation, **{name: counted[organisation.id][name] for name in terms}) for organisation in named
    ]
    tallies = [tally for tally in tallies if tally.overdue or tally.today or tally.soon]
    return sorted(tallies, key=lambda tally: (-tally.overdue, -tally.today, tally.organisation.name))


def _within(start: datetime | None, end: datetime) -> ColumnElement[bool]:
    return Deadline.due_at < end if start is None else (Deadline.due_at >= start) & (Deadline.due_at < end)


def _most_urgent(
    session: Session, start: datetime | None, end: datetime, organisations: Collection[int]
) -> Sequence[Deadline]:
    """The `SHOWN` deadlines that are due first, with the others of their reports that belong to the same list."""
    query = select(Deadline).join(Deadline.report).where(Deadline.running, _within(start, end))
    if organisations:
        query = query.where(func.coalesce(Deadline.organisation_id, Report.executor_id).in_(organisations))
    first = query.with_only_columns(Deadline.report_id).order_by(Deadline.due_at, Deadline.id).limit(SHOWN)
    query = query.where(Deadline.report_id.in_(set(session.scalars(first))))
    return session.scalars(
        query.options(
            contains_eager(Deadline.report).options(
                defer(Report.search_text),
                defer(Report.text),
                *(joinedload(part) for part in (Report.category, Report.street, Report.executor)),
            ),
            joinedload(Deadline.organisation),
        ).order_by(Deadline.due_at, Deadline.id)
    ).all()


def by_report(deadlines: Sequence[Deadline]) -> list[tuple[Report, list[Deadline]]]:
    """The deadlines put together by their reports, emergencies first, else in the order of the first of each."""
    found: dict[Report, list[Deadline]] = {}
    for deadline in deadlines:
        found.setdefault(deadline.report, []).append(deadline)
    return sorted(found.items(), key=lambda row: not row[0].emergency)


def by_executor(deadlines: Sequence[Deadline]) -> list[tuple[Organisation, list[tuple[Report, list[Deadline]]]]]:
    """The reports of `by_report` put together by their leading executors, in the order of the first of each."""
    found: dict[Organisation, list[tuple[Report, list[Deadline]]]] = {}
    for report, its in by_report(deadlines):
        found.setdefault(report.executor, []).append((report, its))
    return list(found.items())


def by_late_executor(deadlines: Sequence[Deadline]) -> list[tuple[Organisation, list[Deadline]]]:
    """The deadlines put together by the organisations that are late, emergencies first, else in their order."""
    found: dict[Organisation, list[Deadline]] = {}
    for deadline in sorted(deadlines, key=lambda row: not row.report.emergency):
        found.setdefault(deadline.organisation or deadline.report.executor, []).append(deadline)
    return list(found.items())


def to_decide(session: Session, user: User) -> Listed[Report]:
    """The reports with reasons given that this member of the control body decides on, the oldest first (R 4.4)."""
    controlled = [organisation.id for organisation in user.controls]
    given = select(Execution.report_id).where(
        Execution.organisation_id.in_(controlled), Execution.reasons_at.is_not(None)
    )
    rows, ids = (
        select(what).where(Report.state == ReportState.REASONS_GIVEN, Report.id.in_(given))
        for what in (Report, Report.id)
    )
    rows = rows.options(joinedload(Report.category), joinedload(Report.street), joinedload(Report.executor))
    return first_of(session, rows.order_by(Report.id), ids, MOST)


def _running(session: Session, reports: Sequence[int], organisation_id: int) -> dict[int, list[Deadline]]:
    """The open deadlines of these reports that concern the organisation."""
    found: dict[int, list[Deadline]] = {}
    for deadline in session.scalars(
        select(Deadline)
        .where(
            Deadline.report_id.in_(reports),
            Deadline.open,
            Deadline.organisation_id.is_(None) | (Deadline.organisation_id == organisation_id),
            Deadline.kind != DeadlineKind.REASONS,  # the work's own term is the nearer one
        )
        .order_by(Deadline.due_at)
    ):
        found.setdefault(deadline.report_id, []).append(deadline)
    return found
