"""What is to be done and until when: an organisation's day, and the daily monitoring of all of them (S 3.3, W2, W9)."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy import text as sql
from sqlalchemy.orm import Session, contains_eager, defer, joinedload

from models.deadlines import Deadline, DeadlineKind
from models.executions import Execution
from models.free_days import load_calendar
from models.journal_filters import STREAMS, index_of
from models.moves import last_moves
from models.people import Organisation, User
from models.reports import OPEN_STATES, HistoryRow, Report, ReportEvent, ReportState
from models.workdays import KYIV

MOST = 500  # rows of one list
SHOWN = 20  # of one list of the daily monitoring
SOON = 2  # working days
_RUNNING = (Deadline.met_at.is_(None), Deadline.cancelled_at.is_(None), Deadline.paused_at.is_(None))


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


@dataclass
class Day:
    """An organisation's day: what came back, what is new, what it works on, and what waits for others."""

    sent_back: list[Task] = field(default_factory=list)
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
    moves = last_moves(session, [report.id for report, _part in rows if report.state == ReportState.IN_PROGRESS])
    sent_back = {id: move for id, move in moves.items() if move.event in (ReportEvent.REFUTED, ReportEvent.RETURNED)}
    day = Day()
    for report, part in rows:
        task = Task(report, running.get(report.id, []), part, sent_back.get(report.id))
        if report.state == ReportState.REASONS_GIVEN:
            day.reasons_given.append(task)
        elif part.completed_at is not None:
            day.completed.append(task)
        elif part.accepted_at is None:
            day.new.append(task)
        else:
            (day.sent_back if task.sent_back else day.at_work).append(task)
    for tasks in (day.sent_back, day.new, day.at_work):
        tasks.sort(key=lambda task: (not task.report.emergency, task.next_due or task.report.created_at))
    return day


@dataclass(frozen=True)
class Tally:
    """How many deadlines of an organisation are overdue, due today, due soon."""

    organisation: Organisation
    overdue: int
    today: int
    soon: int


@dataclass(frozen=True)
class DueList:
    """The most urgent of the deadlines, at most `SHOWN`, and how many there are in all."""

    rows: Sequence[Deadline]
    count: int

    @property
    def more(self) -> int:
        return self.count - len(self.rows)


@dataclass(frozen=True)
class Monitoring:
    """The daily monitoring: deadlines that are overdue, due today, and due soon; and their count by organisation."""

    overdue: DueList
    today: DueList
    soon: DueList
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
        lists[name] = DueList(_most_urgent(session, start, end, organisations) if count else [], count)
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
        query = query.where(*_RUNNING, Deadline.due_at < max(end for _start, end in terms.values())).group_by(key)
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
    query = select(Deadline).join(Deadline.report).where(*_RUNNING, _within(start, end))
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
