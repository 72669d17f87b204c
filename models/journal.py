"""The journal: registered reports by period, type, state and line; one search box; pages by keyset (W11).

Everything is a stream of report ids in their order: each set of filters has an index of its own that gives one, the
full-text index gives another, and a page is the first ids that are in both. No count over everything and no offset:
the last page of a million reports costs as much as the first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Select,
    Subquery,
    column,
    func,
    intersect,
    literal,
    select,
    table,
)
from sqlalchemy.orm import Session, joinedload

from models.reports import Report, ReportCounter, ReportState, read_number
from models.search import search_words, telephone_beginning
from models.workdays import KYIV

_LATE = 2000  # reports; calls recovered after a trouble get ids so far from their times
_FEW = 1000  # hits that are looked up one by one
_READ_THROUGH = 10_000  # reports
_BEYOND = 2**31 - 1  # above every id
_WORDS = table("report_words", column("rowid"))


@dataclass(frozen=True)
class JournalFilter:
    """What to list. Dates are days in Kyiv, both included; ``text`` is whatever was typed into the search box.

    Without ``state`` only registered reports are listed; with the state of a draft's other ending, those drafts.
    """

    text: str = ""
    date_from: date | None = None
    date_to: date | None = None
    state: ReportState | None = None
    category_id: int | None = None
    line_id: int | None = None


@dataclass(frozen=True)
class JournalPage:
    """Reports, newest first. ``older`` is the ``before``, ``newer`` the ``after`` of the next page, or None."""

    rows: Sequence[Report]
    older: int | None
    newer: int | None


def find_reports(
    session: Session,
    wanted: JournalFilter,
    *,
    before: int | None = None,
    after: int | None = None,
    limit: int = 50,
) -> JournalPage:
    """One page of the journal: the newest, or those ``before`` a report id, or the nearest ``after`` one.

    Line, category, street and executor come loaded with each report.
    """
    ids = _ids(session, wanted, before, after, limit + 1)
    more, ids = len(ids) > limit, ids[:limit]
    found = session.scalars(
        select(Report)
        .where(Report.id.in_(ids))
        .options(*(joinedload(part) for part in (Report.line, Report.category, Report.street, Report.executor)))
    )
    rows = sorted(found, key=lambda report: report.id, reverse=True)
    if after is not None:
        newest, oldest = (rows[0].id, rows[-1].id) if rows else (None, after + 1)
        return JournalPage(rows, older=oldest, newer=newest if more else None)
    newest, oldest = (rows[0].id, rows[-1].id) if rows else (None if before is None else before - 1, None)
    return JournalPage(rows, older=oldest if more else None, newer=None if before is None else newest)


@dataclass(frozen=True)
class _Walk:
    """In which order ids are walked, from where to where, and how many are wanted."""

    session: Session
    newest_first: bool
    lowest: int | None
    highest: int | None
    count: int

    def bounded(self, query: Select, key: ColumnElement[int]) -> Select:
        query = query.where(key >= self.lowest) if self.lowest is not None else query
        return query.where(key <= self.highest) if self.highest is not None else query

    def ordered(self, query: Select | CompoundSelect) -> Select | CompoundSelect:
        key = query.selected_columns[0]
        return query.order_by(key.desc() if self.newest_first else key.asc())

    def first(self, query: Select | CompoundSelect, limit: int = 0) -> list[int]:
        return list(self.session.scalars(self.ordered(query).limit(limit or self.count)))


def _ids(session: Session, wanted: JournalFilter, before: int | None, after: int | None, count: int) -> list[int]:
    """The first ``count`` ids of the page, in the order in which they are walked."""
    lowest = [after + 1] if after is not None else []
    highest = [before - 1] if before is not None else []
    filtered, index = _filtered(wanted)
    if wanted.date_from is not None:
        low, misplaced = _period_start(session, wanted.date_from)
        lowest.append(low)
        filtered = filtered.where(Report.id.not_in(misplaced)) if misplaced else filtered
    if wanted.date_to is not None:
        high, misplaced = _period_end(session, wanted.date_to)
        highest.append(high)
        filtered = filtered.where(Report.id.not_in(misplaced)) if misplaced else filtered
    walk = _Walk(session, after is None, max(lowest, default=None), min(highest, default=None), count)
    indexed = walk.bounded(filtered.with_hint(Report, f"INDEXED BY {index}", "sqlite"), Report.id)
    typed = wanted.text.strip()
    if not typed:
        return walk.first(indexed)
    by_number, telephone = _report_numbers(session, typed), telephone_beginning(typed)
    found: set[int] = set()
    if by_number:
        meant = select(Report.id).where(Report.number.in_(by_number))
        found.update(walk.first(indexed.where(Report.id.in_(meant))))
    words = [telephone] if telephone else [] if by_number else search_words(typed)
    if words:
        found.update(_with_words(walk, indexed, words))
    return sorted(found, reverse=walk.newest_first)[:count]


def _with_words(walk: _Walk, indexed: Select, words: list[str]) -> list[int]:
    """The first of the reports that have all these words."""
    session = walk.session
    if session.get_bind().dialect.name == "sqlite":
        hits = walk.bounded(_hits_sqlite(words), _WORDS.c.rowid)
        few = walk.first(hits, _FEW)
        return walk.first(indexed.where(Report.id.in_(few)) if len(few) < _FEW else intersect(indexed, hits))
    # PostgreSQL's full-text index knows no order: fetching all hits of a common word takes seconds. So the first
    # reports are read through; where they do not fill the page, the hits are few enough to be fetched,
    # with memory for them all, for otherwise whole pages of the table are parsed again.
    nearest = walk.ordered(indexed.add_columns(Report.search_text)).limit(_READ_THROUGH).subquery()
    ids = walk.first(select(nearest.c.id).where(*(_has_word(nearest.c.search_text, word) for word in words)))
    if len(ids) < walk.count:
        session.execute(select(func.set_config("work_mem", "64MB", True), func.set_config("jit", "off", True)))
        hits = indexed.where(_match_postgresql(words)).cte("hits").prefix_with("MATERIALIZED")
        ids = walk.first(select(hits.c.id))
    return ids


def _filtered(wanted: JournalFilter) -> tuple[Select, str]:
    """The reports of one state, category and line; and the name of the index that gives their ids in order.

    SQLite is told to use it: left alone, it may take one that fits less well and sort what it found.
    """
    query, names = select(Report.id), []
    for name in ("state", "category_id", "line_id"):
        value = getattr(wanted, name)
        if value is not None:
            query, names = query.where(getattr(Report, name) == value), [*names, name]
    if wanted.state is None:  # a report has its number from registration on
        query, names = query.where(Report.number.is_not(None)), ["registered", *names]
    return query, f"ix_reports_{'_'.join(names)}_id"


def _report_numbers(session: Session, typed: str) -> set[str]:
    """The report numbers that may be meant: ``2026-0412``, or ``412`` in any year."""
    years = session.scalars(select(ReportCounter.year)).all()
    return {number for year in (None, *years) if (number := read_number(typed, year))}


def _hits_sqlite(words: list[str]) -> Select:
    """The full-text index's ids; a word of one letter stands for itself, every other for all that begin with it."""
    match = " ".join(f'"{word}"' if len(word) == 1 else f'"{word}"*' for word in words)
    return select(_WORDS.c.rowid).where(column("report_words").op("MATCH")(match))


def _has_word(text: ColumnElement[str], word: str) -> ColumnElement[bool]:
    """What the full-text index would say of this text, which is words with one space between them."""
    return (" " + text + " ").like(f"% {word} %" if len(word) == 1 else f"% {word}%")


def _match_postgresql(words: list[str]) -> ColumnElement[bool]:
    match = " & ".join(f"'{word}'" if len(word) == 1 else f"'{word}':*" for word in words)
    vector = func.to_tsvector(literal("simple", literal_execute=True), Report.search_text)
    return vector.op("@@")(func.to_tsquery(literal("simple", literal_execute=True), match))


def _period_start(session: Session, day: date) -> tuple[int, list[int]]:
    """The lowest id of the period that begins with ``day``, and which ids above it are of an earlier time.

    Ids rise with the times, except for calls that were recovered after a trouble; so both sides of the border are
    looked at.
    """
    earlier, later = _around(datetime.combine(day, time(), KYIV))
    low = session.scalar(select(func.min(later.c.id)))
    if low is None:
        return _BEYOND, []
    return low, list(session.scalars(select(earlier.c.id).where(earlier.c.id > low)))


def _period_end(session: Session, day: date) -> tuple[int, list[int]]:
    """The highest id of the period that ends with ``day``, and which ids below it are of a later time."""
    earlier, later = _around(datetime.combine(day + timedelta(days=1), time(), KYIV))
    high = session.scalar(select(func.max(earlier.c.id))) or 0
    return high, list(session.scalars(select(later.c.id).where(later.c.id < high)))


def _around(border: datetime) -> tuple[Subquery, Subquery]:
    """The ids of the last reports before the moment, and of the first from it on."""
    earlier = select(Report.id).where(Report.created_at < border)
    later = select(Report.id).where(Report.created_at >= border)
    return (
        earlier.order_by(Report.created_at.desc(), Report.id.desc()).limit(_LATE).subquery(),
        later.order_by(Report.created_at, Report.id).limit(_LATE).subquery(),
    )
