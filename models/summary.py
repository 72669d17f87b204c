"""The analytical summary of any period: what was reported, where, when, to whom, and what became of it (S 3.3, W13).

Everything is counted by the database, in a handful of queries however many reports there are.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from models.answers import PartAnswers, answers_by_executor
from models.calls import Call, CallState
from models.deadlines import Deadline, DeadlineKind
from models.drafts import ENDINGS
from models.free_days import load_calendar
from models.kyiv_time import kyiv_hour
from models.lines import Line
from models.people import Organisation
from models.periods import Period
from models.places import Category, Street
from models.reports import HistoryRow, Report, ReportEvent, ReportState, Source, not_taken_back
from models.standings import Standing, average_working_days, received, running_into, standings

STREETS = 15  # that are named; the others are counted together
_ENDINGS = (*ENDINGS.values(), ReportState.ATTACHED)
_OUTCOMES = (ReportEvent.CONFIRMED, ReportEvent.REFUTED, ReportEvent.CLOSED, ReportEvent.CLOSED_UNSOLVED)


@dataclass(frozen=True)
class Part:
    """How many reports have this in common; ``id`` None: those that have none of the kind."""

    id: int | None
    name: str
    count: int


@dataclass(frozen=True)
class PartStanding:
    """How the reports of one executor, or of one category, stand."""

    id: int
    name: str
    standing: Standing


@dataclass(frozen=True)
class Kept:
    """How many deadlines of a kind were kept, how many were not, and how many still run."""

    kept: int = 0
    broken: int = 0
    running: int = 0

    @property
    def share(self) -> float | None:
        counted = self.kept + self.broken
        return self.kept / counted if counted else None


@dataclass(frozen=True)
class Summary:
    """The figures of a period as they stand at ``at``. Hours and weekdays (0: Monday) are Kyiv's, of the call.

    ``outcomes`` counts the reports to which this happened at least once. ``endings`` and the calls are the whole
    centre's; they are empty where only some organisations are looked at.
    """

    period: Period
    at: datetime
    total: Standing
    by_state: dict[ReportState, int]
    by_executor: list[PartStanding]
    by_category: list[PartStanding]
    by_street: list[Part]
    other_streets: int  # reports from all the others
    by_line: list[Part]
    by_source: dict[Source, int]
    by_hour: list[int]
    by_weekday: list[int]
    outcomes: dict[ReportEvent, int]
    deadlines: dict[DeadlineKind, Kept]
    answers: list[PartAnswers]  # by executor
    average_days: float | None  # working days, from registration until it was done
    endings: dict[ReportState, int] = field(default_factory=dict)
    calls: int = 0
    missed_calls: int = 0


def summarise(session: Session, period: Period, at: datetime, organisations: Collection[int] | None = None) -> Summary:
    """The summary of the period; of the reports that these organisations lead, or (None) of the whole centre."""
    stand = standings(session, period, organisations, at)
    lines, sources, streets = _places(session, period, organisations)
    hours, weekdays = _times(session, period, organisations)
    calls = {} if organisations is not None else _calls(session, period)
    return Summary(
        period=period,
        at=at,
        total=stand.total,
        by_state=stand.by_state,
        by_executor=_named(session, Organisation, stand.by_executor),
        by_category=_named(session, Category, stand.by_category),
        by_street=streets[:STREETS] + [part for part in streets[STREETS:] if part.id is None],
        other_streets=sum(part.count for part in streets[STREETS:] if part.id is not None),
        by_line=lines,
        by_source=sources,
        by_hour=hours,
        by_weekday=weekdays,
        outcomes=outcomes(session, period, organisations),
        deadlines=deadlines_kept(session, period, organisations, at),
        answers=answers_by_executor(session, period, organisations),
        average_days=average_working_days(session, period, organisations, at, load_calendar(session)),
        endings={} if organisations is not None else _other_endings(session, period),
        calls=sum(calls.values()),
        missed_calls=calls.get(CallState.MISSED, 0),
    )


def outcomes(session: Session, period: Period, organisations: Collection[int] | None) -> dict[ReportEvent, int]:
    """How many of the period's reports the applicant ever confirmed or refuted, and how many were closed otherwise.

    A report of which more than one is true is counted in each; an answer that was taken back counts for none.
    """
    found = session.execute(
        select(HistoryRow.event, func.count(HistoryRow.report_id.distinct()))
        .join(Report, Report.id == HistoryRow.report_id)
        .where(*received(period, organisations), HistoryRow.event.in_(_OUTCOMES), not_taken_back())
        .group_by(HistoryRow.event)
    )
    return dict.fromkeys(_OUTCOMES, 0) | {ReportEvent(event): count for event, count in found}


def deadlines_kept(
    session: Session, period: Period, organisations: Collection[int] | None, at: datetime
) -> dict[DeadlineKind, Kept]:
    """Of each kind of deadline, how many were kept at ``at``. One that was cancelled in time counts for neither."""
    broken = running_into(at) > Deadline.due_at
    conditions = received(period, None)
    if organisations is not None:
        whose = func.coalesce(Deadline.organisation_id, Report.executor_id)
        conditions.append(whose.in_(organisations))
    found = session.execute(
        select(
            Deadline.kind,
            func.sum(case((broken, 0), (Deadline.met_at.is_not(None), 1), else_=0)),
            func.sum(case((broken, 1), else_=0)),
            func.sum(case((broken | Deadline.met_at.is_not(None) | Deadline.cancelled_at.is_not(None), 0), else_=1)),
        )
        .join(Report, Report.id == Deadline.report_id)
        .where(*conditions)
        .group_by(Deadline.kind)
    )
    counted = {DeadlineKind(kind): Kept(*counts) for kind, *counts in found}
    return {kind: counted.get(kind, Kept()) for kind in DeadlineKind}


def _places(
    session: Session, period: Period, organisations: Collection[int] | None
) -> tuple[list[Part], dict[Source, int], list[Part]]:
    """By line, by source, and by street; the most frequent first."""
    lines: dict[int | None, int] = {}
    sources = dict.fromkeys(Source, 0)
    streets: dict[int | None, int] = {}
    by = (Report.line_id, Report.source, Report.street_id)
    for line_id, source, street_id, count in session.execute(
        select(*by, func.count()).where(*received(period, organisations)).group_by(*by)
    ):
        lines[line_id] = lines.get(line_id, 0) + count
        sources[Source(source)] += count
        streets[street_id] = streets.get(street_id, 0) + count
    numbers = dict(session.execute(select(Line.id, Line.number)).all())
    names = dict(session.execute(select(Street.id, Street.name)).all())
    return _parts(lines, numbers), sources, _parts(streets, names)


def _parts(counts: dict[int | None, int], names: dict[int, str]) -> list[Part]:
    found = [Part(key, names.get(key, ""), count) for key, count in counts.items()]
    return sorted(found, key=lambda part: (part.id is None, -part.count, part.name))


def _times(session: Session, period: Period, organisations: Collection[int] | None) -> tuple[list[int], list[int]]:
    """How many citizens called in each hour of the day, and on each day of the week."""
    called = select(kyiv_hour(Report.created_at).label("hour")).where(*received(period, organisations))
    each = called.subquery()
    hours, weekdays = [0] * 24, [0] * 7
    for hour, count in session.execute(select(each.c.hour, func.count()).group_by(each.c.hour)):
        moment = datetime.fromisoformat(hour)
        hours[moment.hour] += count
        weekdays[moment.weekday()] += count
    return hours, weekdays


def _calls(session: Session, period: Period) -> dict[CallState, int]:
    found = session.execute(
        select(Call.state, func.count())
        .where(Call.started_at >= period.begin, Call.started_at < period.end)
        .group_by(Call.state)
    )
    return {CallState(state): count for state, count in found}


def _other_endings(session: Session, period: Period) -> dict[ReportState, int]:
    """How many calls ended without a report of their own, by what they came to (I6)."""
    found = session.execute(
        select(Report.state, func.count())
        .where(Report.created_at >= period.begin, Report.created_at < period.end, Report.registered_at.is_(None))
        .group_by(Report.state)
    )
    counted = {ReportState(state): count for state, count in found}
    return {state: counted.get(state, 0) for state in _ENDINGS}


def _named(
    session: Session, table: type[Organisation] | type[Category], found: dict[int, Standing]
) -> list[PartStanding]:
    """By name, those with most reports first."""
    names = dict(session.execute(select(table.id, table.name)).all())
    parts = [PartStanding(key, names.get(key, ""), standing) for key, standing in found.items()]
    return sorted(parts, key=lambda part: (-part.standing.received, part.name))
