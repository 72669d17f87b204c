"""The journal: registered reports by `JournalFilter`; one search box; pages by keyset (W11).

Everything is a stream of report ids in their order: each filter has an index that gives one (`journal_filters`), the
full-text index gives another, and a page is the first ids that are in all. No count over everything and no offset:
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
from sqlalchemy.orm import Session, aliased, joinedload

from models.journal_filters import STREAMS, JournalFilter, conditions, index_of, streams_of, within
from models.reports import Report, ReportCounter, read_number
from models.search import search_words, telephone_beginning
from models.workdays import KYIV

MOST_COUNTED = 1000  # reports; more are "over" so many

_LATE = 2000  # reports; calls recovered after a trouble get ids so far from their times
_FEW = 1000  # hits that are looked up one by one
_NEAR, _READ = 10_000, 3000  # reports; to look for words in one costs more than to look at its entry in an index
_PROBED = 2000  # reports
_COUNTED = 3000  # reports of a stream that are looked through to count
_BEYOND = 2**31 - 1  # above every id
_WORDS = table("report_words", column("rowid"))


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


def count_found(session: Session, wanted: JournalFilter) -> int | None:
    """How many reports the filters find; one more than `MOST_COUNTED` stands for any number above it.

    None where that is not cheap to tell: with words, or when much has to be walked for few reports.
    """
    if wanted.text.strip():
        return None
    walk = _walk(session, wanted, None, None, _COUNTED)
    near = _near(walk, _sparsest(walk, wanted), wanted, _COUNTED)
    found = select(near.c.id).where(*conditions(wanted, near.c)).limit(MOST_COUNTED + 1).subquery()
    count = session.scalar(select(func.count()).select_from(found))
    whole = count > MOST_COUNTED or session.scalar(select(func.count()).select_from(near)) < _COUNTED
    return count if whole else None


@dataclass(frozen=True)
class _Walk:
    """In which order ids are walked, from where to where, which are passed over, and how many are wanted."""

    session: Session
    newest_first: bool
    lowest: int | None
    highest: int | None
    misplaced: list[int]
    count: int

    def bounded(self, query: Select, key: ColumnElement[int]) -> Select:
        query = query.where(key >= self.lowest) if self.lowest is not None else query
        query = query.where(key <= self.highest) if self.highest is not None else query
        return query.where(key.not_in(self.misplaced)) if self.misplaced else query

    def ordered(self, query: Select | CompoundSelect) -> Select | CompoundSelect:
        key = query.selected_columns[0]
        return query.order_by(key.desc() if self.newest_first else key.asc())

    def first(self, query: Select | CompoundSelect, limit: int = 0) -> list[int]:
        return list(self.session.scalars(self.ordered(query).limit(limit or self.count)))

    def stream(self, name: str, wanted: JournalFilter, *more: ColumnElement) -> Select:
        """The ids of one stream, and ``more`` columns. SQLite is told which index that is, and does not sort."""
        query = select(Report.id, *more).where(*within(name, wanted))
        return self.bounded(query.with_hint(Report, f"INDEXED BY {index_of(name)}", "sqlite"), Report.id)


def _ids(session: Session, wanted: JournalFilter, before: int | None, after: int | None, count: int) -> list[int]:
    """The first ``count`` ids of the page, in the order in which they are walked."""
    walk = _walk(session, wanted, before, after, count)
    name = _sparsest(walk, wanted)
    sqlite = session.get_bind().dialect.name == "sqlite"
    first = _first_sqlite if sqlite else _first_postgresql
    typed = wanted.text.strip()
    if not typed:
        return first(walk, name, wanted, [])
    by_number, telephone = _report_numbers(session, typed), telephone_beginning(typed)
    found: set[int] = set()
    if by_number:
        meant = walk.bounded(select(Report.id).where(Report.number.in_(by_number)), Report.id)
        found.update(walk.first(meant.where(*within(name, wanted), *conditions(wanted))))
    words = [telephone] if telephone else [] if by_number else search_words(typed)
    if words and telephone and not sqlite:  # never dense: not worth reading the newest reports for it
        found.update(_all_postgresql(walk, name, wanted, words))
    elif words:
        found.update(first(walk, name, wanted, words))
    return sorted(found, reverse=walk.newest_first)[:count]


def _walk(session: Session, wanted: JournalFilter, before: int | None, after: int | None, count: int) -> _Walk:
    lowest = [after + 1] if after is not None else []
    highest = [before - 1] if before is not None else []
    misplaced = []
    if wanted.date_from is not None:
        low, early = _period_start(session, wanted.date_from)
        lowest, misplaced = [*lowest, low], [*misplaced, *early]
    if wanted.date_to is not None:
        high, late = _period_end(session, wanted.date_to)
        highest, misplaced = [*highest, high], [*misplaced, *late]
    return _Walk(session, after is None, max(lowest, default=None), min(highest, default=None), misplaced, count)


def _near(walk: _Walk, name: str, wanted: JournalFilter, limit: int) -> Subquery:
    """The stream's first reports, with what the filters ask for."""
    read = [getattr(Report, column) for column in (*STREAMS[name].before, *STREAMS[name].after)]
    return walk.ordered(walk.stream(name, wanted, *read)).limit(limit).subquery()


def _sparsest(walk: _Walk, wanted: JournalFilter) -> str:
    """Of the filters' streams the one with the fewest reports near the page."""
    names = streams_of(wanted)
    if len(names) == 1:
        return names[0]

    def reach(name: str) -> float:
        """How far its first reports go; endlessly where there are only a few."""
        far = walk.session.scalar(walk.ordered(walk.stream(name, wanted)).offset(_PROBED - 1).limit(1))
        if far is None:
            return float("inf")
        return -far if walk.newest_first else far

    return max(names, key=reach)


def _first_sqlite(walk: _Walk, name: str, wanted: JournalFilter, words: list[str]) -> list[int]:
    """The first of the reports that the filters and all these words want, by walking the stream."""
    filtered = walk.stream(name, wanted).where(*conditions(wanted))
    if not words:
        return walk.first(filtered)
    hits = walk.bounded(_hits_sqlite(words), _WORDS.c.rowid)
    few = walk.first(hits, _FEW)
    return walk.first(filtered.where(Report.id.in_(few)) if len(few) < _FEW else intersect(filtered, hits))


def _first_postgresql(walk: _Walk, name: str, wanted: JournalFilter, words: list[str]) -> list[int]:
    """The same; PostgreSQL cannot be told to walk an index, and its full-text index knows no order.

    So the stream's first reports are read through. Where they do not fill the page, what is wanted is not dense, and
    all of it is fetched.
    """
    near = _near(walk, name, wanted, _READ if words else _NEAR)
    other = aliased(Report)
    text = select(other.search_text).where(other.id == near.c.id).scalar_subquery()  # after the filters, row by row
    ids = walk.first(select(near.c.id).where(*conditions(wanted, near.c), *(_has_word(text, word) for word in words)))
    return ids if len(ids) == walk.count else _all_postgresql(walk, name, wanted, words)


def _all_postgresql(walk: _Walk, name: str, wanted: JournalFilter, words: list[str]) -> list[int]:
    """The same, by fetching all that is wanted: with memory for it, for otherwise whole pages of the table are read
    again, and by a plan made for all, for one made for the first would rather walk the whole table."""
    walk.session.execute(select(func.set_config("work_mem", "64MB", True), func.set_config("jit", "off", True)))
    hits = walk.stream(name, wanted).where(*conditions(wanted), *([_match_postgresql(words)] if words else []))
    return walk.first(select(hits.cte("hits").prefix_with("MATERIALIZED").c.id))


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
