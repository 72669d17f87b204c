"""What a quarterly report tells (R 4.6), as plain data: counted once, kept as it was, compared with today's."""

from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.executions import Execution
from models.free_days import load_calendar
from models.people import Organisation, User
from models.periods import Period, Quarter
from models.places import Category
from models.reports import UNDONE, Report
from models.standings import Standing, average_working_days, received, standings
from models.summary import deadlines_kept, outcomes

# What is counted for each organisation and each category; the last two are not among the received.
COUNTS = ("received", "in_time", "late", "unsolved", "at_work", "overdue", "repeated", "carried_over", "assisting")


@dataclass(frozen=True)
class Line:
    """One line of the tables: an organisation, a category, or (id 0) all together; ``counts`` has a key of `COUNTS`."""

    id: int
    name: str
    counts: dict[str, int]


@dataclass(frozen=True)
class Figures:
    """The figures of a quarter as they stood at ``at``, with all names as they were then.

    ``whose`` names the member of the control body, "" for the report on all organisations. ``average_days`` are
    working days, to one tenth.
    """

    at: datetime
    whose: str
    organisations: list[Line]
    categories: list[Line]
    total: Line
    outcomes: dict[str, int]
    kept: dict[str, dict[str, int]]
    average_days: float | None

    def as_data(self) -> dict[str, Any]:
        """For the database: nothing but what JSON knows."""
        return asdict(self) | {"at": self.at.isoformat()}

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> "Figures":
        """What `as_data` made."""
        lines = {name: [Line(**line) for line in data[name]] for name in ("organisations", "categories")}
        return cls(**(data | lines | {"total": Line(**data["total"]), "at": datetime.fromisoformat(data["at"])}))


@dataclass(frozen=True)
class Difference:
    """A figure that is another one today: of which line, which of `COUNTS`, then and now."""

    name: str
    count: str
    then: int
    now: int


def count_figures(session: Session, quarter: Quarter, control_body: User | None, at: datetime) -> Figures:
    """The figures of the quarter at ``at``: of the organisations that this person controls, or (None) of all."""
    controlled = None if control_body is None else {organisation.id for organisation in control_body.controls}
    period = quarter.period
    stand = standings(session, period, controlled, at)
    carried_over = _carried_over(session, period, controlled)
    assisting = _assisting(session, period, controlled)
    kept = deadlines_kept(session, period, controlled, at)
    average = average_working_days(session, period, controlled, at, load_calendar(session))
    organisations = [
        Line(one.id, one.name, _counts(stand.by_executor.get(one.id), carried_over.get(one.id), assisting.get(one.id)))
        for one in session.scalars(select(Organisation).order_by(Organisation.name))
        if (one.id in controlled if controlled is not None else one.active)
        or any(one.id in found for found in (stand.by_executor, carried_over, assisting))
    ]
    categories = [
        Line(one.id, one.name, _counts(stand.by_category[one.id]))
        for one in session.scalars(select(Category).order_by(Category.position, Category.name))
        if one.id in stand.by_category
    ]
    return Figures(
        at=at,
        whose=control_body.name if control_body else "",
        organisations=organisations,
        categories=categories,
        total=Line(0, "", _counts(stand.total, sum(carried_over.values()), sum(assisting.values()))),
        outcomes={str(event): count for event, count in outcomes(session, period, controlled).items()},
        kept={str(kind): asdict(found) for kind, found in kept.items()},
        average_days=None if average is None else round(average, 1),
    )


def differences(then: Figures, now: Figures) -> list[Difference]:
    """Every count that is another one in ``now``, line by line: the total, the organisations, the categories."""
    return [
        Difference(name, count, before.get(count, 0), after.get(count, 0))
        for name, before, after in _pairs(then, now)
        for count in COUNTS
        if before.get(count, 0) != after.get(count, 0)
    ]


def _pairs(then: Figures, now: Figures) -> Iterator[tuple[str, dict[str, int], dict[str, int]]]:
    """The lines of both, each with its name and its counts in either; a line that is in one alone counts nothing in
    the other."""
    for before, after in (
        ([then.total], [now.total]),
        (then.organisations, now.organisations),
        (then.categories, now.categories),
    ):
        known, today = ({line.id: line for line in lines} for lines in (before, after))
        for key in [*known, *(key for key in today if key not in known)]:
            line = known.get(key) or today[key]
            yield line.name, *(lines[key].counts if key in lines else {} for lines in (known, today))


def _counts(standing: Standing | None, carried_over: int | None = 0, assisting: int | None = 0) -> dict[str, int]:
    return asdict(standing or Standing()) | {"carried_over": carried_over or 0, "assisting": assisting or 0}


def _carried_over(session: Session, period: Period, organisations: Collection[int] | None) -> dict[int, int]:
    """The reports of earlier periods that are not solved yet, by their leading executor."""
    query = select(Report.executor_id, func.count()).where(Report.state.in_(UNDONE), Report.created_at < period.begin)
    if organisations is not None:
        query = query.where(Report.executor_id.in_(organisations))
    return dict(session.execute(query.group_by(Report.executor_id)).all())


def _assisting(session: Session, period: Period, organisations: Collection[int] | None) -> dict[int, int]:
    """The period's reports that others lead, by the organisation that has a part in them besides (W15)."""
    query = (
        select(Execution.organisation_id, func.count())
        .join(Report, Report.id == Execution.report_id)
        .where(*received(period, None), Execution.organisation_id != Report.executor_id)
    )
    if organisations is not None:
        query = query.where(Execution.organisation_id.in_(organisations))
    return dict(session.execute(query.group_by(Execution.organisation_id)).all())
