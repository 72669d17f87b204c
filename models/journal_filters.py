"""The journal's filters, and the indexes that make each of them a stream of ids (W11).

Each filter has one index. It gives the ids of its reports in their order, and beside each id what the other filters
ask for, so that a stream is walked without a look at the reports themselves. Of several filters the one with the
fewest reports near the page is walked, and the others are checked on the way: two filters that have no report in
common cannot both have most of the reports, so what is walked in vain is the smaller of them at most.
"""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ClauseElement, ColumnElement, Index
from sqlalchemy import text as sql

from models.reports import AT_WORK, OPEN_STATES, REGISTERED_STATES, Report, ReportState, Source


@dataclass(frozen=True)
class JournalFilter:
    """What to list. Dates are days in Kyiv, both included; ``text`` is whatever was typed into the search box.

    Without ``state`` only registered reports are listed; with the state of a draft's other ending, those drafts.
    ``due_from`` (included) and ``due_before`` are of reports whose term runs: with the present moment as
    ``due_before``, what is overdue. ``executor_id`` is the leading executor.
    """

    text: str = ""
    date_from: date | None = None
    date_to: date | None = None
    state: ReportState | None = None
    category_id: int | None = None
    line_id: int | None = None
    executor_id: int | None = None
    source: Source | None = None
    repeated: bool | None = None
    emergency: bool = False
    due_from: datetime | None = None
    due_before: datetime | None = None

    @property
    def by_due(self) -> bool:
        return self.due_from is not None or self.due_before is not None


@dataclass(frozen=True)
class Stream:
    """An index: the columns before the id, those after it, and which reports it holds."""

    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    holds: str = ""


_CHECKED = ("state", "category_id", "line_id", "executor_id", "source", "repeat_of_id", "emergency")
_REGISTERED = "number IS NOT NULL"
_OPEN = "state IN ({})".format(", ".join(f"'{state}'" for state in OPEN_STATES))


def _by(name: str, holds: str = "") -> Stream:
    return Stream((name,), tuple(other for other in _CHECKED if other != name), holds)


STREAMS = {
    "state": _by("state"),
    "category_id": _by("category_id", _REGISTERED),
    "line_id": _by("line_id", _REGISTERED),
    "executor_id": _by("executor_id", _REGISTERED),
    "source": _by("source", _REGISTERED),
    "repeated": Stream((), _CHECKED, f"repeat_of_id IS NOT NULL AND {_REGISTERED}"),
    "emergency": Stream((), _CHECKED, f"emergency = true AND {_REGISTERED}"),
    "open": Stream((), ("due_at", *_CHECKED), _OPEN),
    "registered": Stream((), ("repeat_of_id",), _REGISTERED),  # walked when no other filter has a stream
}
_EQUAL = ("state", "category_id", "line_id", "executor_id", "source")


def index_of(name: str) -> str:
    """The name of the index of the stream with this name."""
    return f"ix_reports_journal_{name}"


for _name, _stream in STREAMS.items():
    _where = sql(_stream.holds) if _stream.holds else None
    Index(
        index_of(_name),
        *(Report.__table__.c[column] for column in (*_stream.before, "id", *_stream.after)),
        sqlite_where=_where,
        postgresql_where=_where,
    )


def conditions(wanted: JournalFilter, of: type[Report] = Report) -> list[ColumnElement[bool]]:
    """What the filters ask of a report, period and words left out; ``of`` may be a query's columns of these names."""
    found = [getattr(of, name) == getattr(wanted, name) for name in _EQUAL if getattr(wanted, name) is not None]
    if wanted.repeated is not None:
        found.append(of.repeat_of_id.is_not(None) if wanted.repeated else of.repeat_of_id.is_(None))
    if wanted.emergency:
        found.append(of.emergency.is_(True))
    if wanted.by_due:
        found.append(of.state.in_(AT_WORK))
    if wanted.due_from is not None:
        found.append(of.due_at >= wanted.due_from)
    if wanted.due_before is not None:
        found.append(of.due_at < wanted.due_before)
    return found


def within(name: str, wanted: JournalFilter) -> list[ClauseElement]:
    """What makes a report one of this stream; in the index's own words, by which the database knows that it fits."""
    stream = STREAMS[name]
    own = [getattr(Report, column) == getattr(wanted, column) for column in stream.before]
    return [*own, sql(stream.holds)] if stream.holds else own


def streams_of(wanted: JournalFilter) -> list[str]:
    """The names of the streams of which each holds all that is wanted."""
    if wanted.by_due:  # no other index knows the due moment
        return ["open"]
    if wanted.state is not None and wanted.state not in REGISTERED_STATES:  # the others hold registered reports only
        return ["state"]
    found = [name for name in _EQUAL if getattr(wanted, name) is not None]
    found += ["repeated"] if wanted.repeated else []
    found += ["emergency"] if wanted.emergency else []
    return found or ["registered"]
