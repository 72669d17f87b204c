"""How long personal data are held, by kind, and what is done with them then (A3).

`RULES` is the whole of it. Nothing here depends on when it last ran: what is due is found by what is still held, so a
day that was left out is made up for, and a run that was cut off is gone on with.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Select, String, UniqueConstraint, delete, exists, func, or_, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.attempts import Attempt, NeverByMachine
from models.base import Base, UTCDateTime, insert_new
from models.calls import NUMBER_HELD, Call
from models.calltasks import CallTask
from models.erasure import anonymise_report, delete_persons, erase_numbers, forget_attempts, forget_tasks
from models.kept import unlocked
from models.marks import Mark
from models.people import AccessLog, Person, PersonNumber
from models.reports import HistoryRow, Report, ReportEvent, ReportState, move
from models.shifts import ShiftSheet
from models.workdays import KYIV

RAN = "retention_ran"  # the mark of when it last ran
BATCH = 100  # rows of each kind in one transaction: it holds no call up


class Kind(StrEnum):
    NO_MATTER = "no_matter"  # wrong number, nuisance, dropped
    CONSULTATIONS = "consultations"
    REPORTS = "reports"
    DRAFTS = "drafts"  # nobody finished them
    CALLS = "calls"
    CALL_TASKS = "call_tasks"  # calls of ours
    CALL_ATTEMPTS = "call_attempts"
    NO_MACHINE_CALLS = "no_machine_calls"
    PERSONS = "persons"
    ACCESS_LOG = "access_log"
    SHIFT_SHEETS = "shift_sheets"


class Fate(StrEnum):
    ANONYMISED = "anonymised"
    DELETED = "deleted"


@dataclass(frozen=True)
class Rule:
    """How many years after the last thing that happened, what is done then, and which source sets the term.

    ``due`` gives the ids that are held from before a moment, ``end`` ends their being held.
    """

    years: int
    fate: Fate
    source: str
    due: Callable[[datetime], Select]
    end: Callable[[Session, Sequence[Any], datetime], None]


class RetentionDay(Base):
    """How many of a kind came to their end on a day in Kyiv."""

    __tablename__ = "retention_days"
    __table_args__ = (UniqueConstraint("day", "kind"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    day: Mapped[date]
    kind: Mapped[Kind] = mapped_column(String(32))
    rows: Mapped[int] = mapped_column(default=0)
    at: Mapped[datetime] = mapped_column(UTCDateTime)


def run_retention(session: Session, at: datetime, limit: int = BATCH) -> dict[Kind, int]:
    """End the holding of what is due at ``at``, at most ``limit`` of each kind: how many there were of each.

    Inside one transaction. Run it again until it returns nothing but noughts.
    """
    ended = {}
    for kind, rule in RULES.items():
        ids = session.scalars(rule.due(years_before(at, rule.years)).limit(limit)).all()
        ended[kind] = len(ids)
        if ids:
            rule.end(session, ids, at)
            _count(session, kind, len(ids), at)
    session.merge(Mark(name=RAN, value=at.isoformat(timespec="seconds")))
    session.flush()
    return ended


def last_run(session: Session) -> datetime | None:
    """When `run_retention` last ran."""
    mark = session.get(Mark, RAN)
    return datetime.fromisoformat(mark.value) if mark else None


def count_due(session: Session, at: datetime) -> dict[Kind, int]:
    """How many of each kind a run would end now: the dry run."""
    return {
        kind: session.scalar(select(func.count()).select_from(rule.due(years_before(at, rule.years)).subquery())) or 0
        for kind, rule in RULES.items()
    }


def last_days(session: Session, limit: int = 60) -> Sequence[RetentionDay]:
    """What was ended lately, the newest day first."""
    return session.scalars(select(RetentionDay).order_by(RetentionDay.day.desc(), RetentionDay.id).limit(limit)).all()


def years_before(at: datetime, years: int) -> datetime:
    """The same moment so many years ago; the last of February for the 29th."""
    try:
        return at.replace(year=at.year - years)
    except ValueError:
        return at.replace(year=at.year - years, day=28)


def _count(session: Session, kind: Kind, rows: int, at: datetime) -> None:
    day = at.astimezone(KYIV).date()
    insert_new(session, RetentionDay, day=day, kind=kind, rows=0, at=at)
    session.execute(
        update(RetentionDay)
        .where(RetentionDay.day == day, RetentionDay.kind == kind)
        .values(rows=RetentionDay.rows + rows, at=at)
        .execution_options(synchronize_session=False)
    )


def _untouched(*states: ReportState) -> Callable[[datetime], Select]:
    """Reports in these states with which nothing has happened since."""

    def due(before: datetime) -> Select:
        touched = exists().where(HistoryRow.report_id == Report.id, HistoryRow.at >= before)
        return select(Report.id).where(
            Report.state.in_(states), Report.anonymised_at.is_(None), Report.created_at < before, ~touched
        )

    return due


def _forgotten_persons(before: datetime) -> Select:
    """Persons of whom no report is held any more, and no number was confirmed since."""
    reported = exists().where(Report.person_id == Person.id)
    confirmed = exists().where(PersonNumber.person_id == Person.id, PersonNumber.confirmed_at >= before)
    return select(Person.id).where(Person.created_at < before, ~reported, ~confirmed)


def _anonymise(session: Session, ids: Sequence[int], at: datetime) -> None:
    with unlocked(session):
        for report in session.scalars(select(Report).where(Report.id.in_(ids)).with_for_update(of=Report)).all():
            anonymise_report(session, report, None, "", texts=False, at=at)


def _forget_drafts(session: Session, ids: Sequence[int], at: datetime) -> None:
    """End the drafts, so that they stand in no list without a word in them, and take the applicant out."""
    drafts = select(Report).where(Report.id.in_(ids), Report.state == ReportState.DRAFT).with_for_update(of=Report)
    for draft in session.scalars(drafts).all():
        move(session, draft, ReportEvent.FORGOTTEN, None, at=at)
    _anonymise(session, ids, at)


def _settled_tasks(before: datetime) -> Select:
    held = or_(CallTask.number.is_not(None), CallTask.words != "")
    return select(CallTask.id).where(CallTask.settled_at.is_not(None), CallTask.settled_at < before, held)


def _delete_refusals(session: Session, numbers: Sequence[str], at: datetime) -> None:
    session.execute(delete(NeverByMachine).where(NeverByMachine.number.in_(numbers)))


def _delete_looks(session: Session, ids: Sequence[int], at: datetime) -> None:
    with unlocked(session):
        session.execute(delete(AccessLog).where(AccessLog.id.in_(ids)))


def _delete_sheets(session: Session, ids: Sequence[int], at: datetime) -> None:
    session.execute(delete(ShiftSheet).where(ShiftSheet.id.in_(ids)))


_LAW = "2297-VI, 6"  # on the protection of personal data: no longer than the purpose needs
_LIST = "578/5, 82"  # the list of typical documents: what citizens write to a council, five years
RULES: dict[Kind, Rule] = {
    Kind.NO_MATTER: Rule(
        1,
        Fate.ANONYMISED,
        _LAW,
        _untouched(ReportState.WRONG_NUMBER, ReportState.NUISANCE, ReportState.DROPPED),
        _anonymise,
    ),
    Kind.DRAFTS: Rule(1, Fate.ANONYMISED, _LAW, _untouched(ReportState.DRAFT), _forget_drafts),
    Kind.CONSULTATIONS: Rule(
        3, Fate.ANONYMISED, _LAW, _untouched(ReportState.CONSULTATION, ReportState.REDIRECTED), _anonymise
    ),
    Kind.REPORTS: Rule(5, Fate.ANONYMISED, _LIST, _untouched(ReportState.CLOSED, ReportState.ATTACHED), _anonymise),
    Kind.CALLS: Rule(
        3,
        Fate.ANONYMISED,
        _LAW,
        lambda before: select(Call.id).where(NUMBER_HELD, Call.started_at < before),
        lambda session, ids, _at: erase_numbers(session, ids),
    ),
    Kind.CALL_TASKS: Rule(
        3, Fate.ANONYMISED, _LAW, _settled_tasks, lambda session, ids, _at: forget_tasks(session, ids)
    ),
    Kind.CALL_ATTEMPTS: Rule(
        3,
        Fate.ANONYMISED,
        _LAW,
        lambda before: select(Attempt.id).where(Attempt.number != "", Attempt.planned_at < before),
        lambda session, ids, _at: forget_attempts(session, ids),
    ),
    # the last of them: a number that once said no is not called anew because its other records are gone
    Kind.NO_MACHINE_CALLS: Rule(
        5,
        Fate.DELETED,
        _LAW,
        lambda before: select(NeverByMachine.number).where(NeverByMachine.at < before),
        _delete_refusals,
    ),
    Kind.PERSONS: Rule(
        5, Fate.DELETED, _LIST, _forgotten_persons, lambda session, ids, _at: delete_persons(session, ids)
    ),
    Kind.ACCESS_LOG: Rule(
        3,
        Fate.DELETED,
        _LAW,
        lambda before: select(AccessLog.id).where(AccessLog.at < before).order_by(AccessLog.at),
        _delete_looks,
    ),
    Kind.SHIFT_SHEETS: Rule(
        3,
        Fate.DELETED,
        _LAW,
        lambda before: select(ShiftSheet.id).where(ShiftSheet.handed_over_at < before, ShiftSheet.waiting.is_(None)),
        _delete_sheets,
    ),
}
