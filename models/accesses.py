"""The access log, read: who looked at whose data, when and why, newest first (A3).

Pages by keyset in the order of the times; each set of filters has its index, so a page of a million rows costs what
the first one does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session, joinedload

from models.people import AccessLog
from models.reports import Report
from models.workdays import KYIV


class Subject(StrEnum):
    """At what somebody looked."""

    REPORT = "report"
    CALL = "call"
    TASK = "task"  # a call that is to be made
    PERSON = "person"
    ATTACHMENT = "attachment"
    JOURNAL = "journal"
    LIST = "list"
    SEARCH = "search"
    EXPORT = "export"
    EXPORT_NAMES = "export_names"
    LOG = "log"
    ERASURE = "erasure"
    PHONE = "phone"  # what a desk phone logs in with


@dataclass(frozen=True)
class LogFilter:
    """What to list; ``day`` is one in Kyiv, ``subject_id`` a row of ``subject``."""

    user_id: int | None = None
    day: date | None = None
    subject: Subject | None = None
    subject_id: int | None = None


@dataclass(frozen=True)
class LogPage:
    """Looks, newest first, with the report that each leads to; ``older`` and ``newer`` as in the journal."""

    rows: Sequence[AccessLog]
    reports: dict[int, Report]  # by the row's id
    older: int | None
    newer: int | None


def find_looks(
    session: Session, wanted: LogFilter, *, before: int | None = None, after: int | None = None, limit: int = 50
) -> LogPage:
    """One page of the log: the newest, or those ``before`` a row, or the nearest ``after`` one."""
    query = _filtered(wanted).options(joinedload(AccessLog.user)).limit(limit + 1)
    at, id = AccessLog.at, AccessLog.id
    if after is not None:
        border = session.get(AccessLog, after)
        if border is not None:
            query = query.where(at >= border.at, or_(at > border.at, id > border.id))
        rows = list(session.scalars(query.order_by(at, id)))
        more, rows = len(rows) > limit, rows[:limit][::-1]
        newer, older = (rows[0].id if rows and more else None), (rows[-1].id if rows else None)
    else:
        border = session.get(AccessLog, before) if before is not None else None
        if border is not None:
            query = query.where(at <= border.at, or_(at < border.at, id < border.id))
        rows = list(session.scalars(query.order_by(at.desc(), id.desc())))
        more, rows = len(rows) > limit, rows[:limit]
        newer, older = (rows[0].id if rows and border is not None else None), (rows[-1].id if rows and more else None)
    return LogPage(rows, _reports_of(session, rows), older, newer)


def _filtered(wanted: LogFilter) -> Select:
    query = select(AccessLog)
    if wanted.user_id is not None:
        query = query.where(AccessLog.user_id == wanted.user_id)
    if wanted.subject is not None:
        query = query.where(AccessLog.subject == wanted.subject)
    if wanted.subject_id is not None:
        query = query.where(AccessLog.subject_id == wanted.subject_id)
    if wanted.day is not None:
        begin, end = (datetime.combine(wanted.day + timedelta(days=ahead), time(), KYIV) for ahead in (0, 1))
        query = query.where(AccessLog.at >= begin, AccessLog.at < end)
    return query


def _reports_of(session: Session, rows: Sequence[AccessLog]) -> dict[int, Report]:
    """The report that was looked at, or that became of the call; none once it is gone."""
    ids = {subject: {row.subject_id for row in rows if row.subject == subject} for subject in Subject}
    wanted = or_(Report.id.in_(ids[Subject.REPORT]), Report.call_id.in_(ids[Subject.CALL]))
    by_id, by_call = {}, {}
    for report in session.scalars(select(Report).where(wanted)):
        by_id[report.id], by_call[report.call_id] = report, report
    found = {}
    for row in rows:
        known = {Subject.REPORT: by_id, Subject.CALL: by_call}.get(row.subject, {})
        if row.subject_id in known:
            found[row.id] = known[row.subject_id]
    return found
