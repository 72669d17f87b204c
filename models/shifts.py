"""The shift hand-over sheet: what the outgoing shift leaves, frozen with its remarks, and who took it over (A6)."""

import json
from collections.abc import Sequence
from datetime import datetime, time
from textwrap import shorten
from typing import Any

from sqlalchemy import ForeignKey, Select, Text, and_, func, or_, select, update
from sqlalchemy.orm import Mapped, Session, aliased, joinedload, mapped_column, relationship

from models.attempts import last_switch
from models.base import Base, UTCDateTime, insert_new
from models.callers import Caller, callers_of
from models.calls import Call, CallState
from models.calltasks import CallTask, CallTaskEvent, TaskEvent, promised
from models.checking import count_checks
from models.deadlines import Deadline, DeadlineKind
from models.lines import Line, RingStep
from models.outages import active_outages
from models.people import Phone, User
from models.pressing import to_warn, unaccepted_emergencies
from models.reports import UNDONE, Report, ReportState
from models.telephone import masked, without_numbers
from models.waiting import count_missed, missed_calls
from models.workdays import KYIV

MOST = 100  # rows of one list; the counts are of all
FIRST_WORDS = 60  # characters of a draft
WHERE_WORDS = 160  # characters of an outage's streets
LONGEST_REMARKS = 10_000  # characters
Figures = dict[str, Any]


class ShiftSheet(Base):
    """One hand-over. ``figures`` are those of its moment (`figures_now`) and change no more; of telephones they
    have the first digits and the last two."""

    __tablename__ = "shift_sheets"

    id: Mapped[int] = mapped_column(primary_key=True)
    handed_over_by_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    handed_over_at: Mapped[datetime] = mapped_column(UTCDateTime)
    remarks: Mapped[str] = mapped_column(Text, default="")
    frozen: Mapped[str] = mapped_column(Text)  # JSON, as text: an erasure strikes a person out of it as of all texts
    waiting: Mapped[bool | None] = mapped_column(unique=True)  # True until it is taken over, then None: one waits
    taken_over_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    taken_over_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    handed_over_by: Mapped[User] = relationship(foreign_keys=[handed_over_by_id])
    taken_over_by: Mapped[User | None] = relationship(foreign_keys=[taken_over_by_id])

    @property
    def figures(self) -> Figures:
        return json.loads(self.frozen)


class WaitsAlready(Exception):
    """A sheet was handed over and nobody has taken it over yet."""


class TakenOverAlready(Exception):
    """Somebody else has taken it over."""


def hand_over(session: Session, user: User, remarks: str, at: datetime, area_code: str = "") -> ShiftSheet:
    """Freeze the figures of ``at`` with the remarks. Of two at once one gets the sheet; raises `WaitsAlready`."""
    figures = figures_now(session, at, area_code)
    sheet = insert_new(
        session,
        ShiftSheet,
        handed_over_by_id=user.id,
        handed_over_at=at,
        remarks=remarks,
        frozen=json.dumps(figures, ensure_ascii=False),
        waiting=True,
    )
    if sheet is None:
        raise WaitsAlready
    return sheet


def take_over(session: Session, sheet: ShiftSheet, user: User, at: datetime) -> None:
    """``user`` has read the sheet and is on duty now. Of two at once one is; raises `TakenOverAlready`."""
    taken = session.execute(
        update(ShiftSheet)
        .where(ShiftSheet.id == sheet.id, ShiftSheet.waiting)
        .values(waiting=None, taken_over_by_id=user.id, taken_over_at=at)
        .execution_options(synchronize_session=False)
    )
    if taken.rowcount != 1:
        raise TakenOverAlready
    session.refresh(sheet)


def waiting_sheet(session: Session) -> ShiftSheet | None:
    """The sheet that nobody has taken over yet."""
    return session.scalar(select(ShiftSheet).where(ShiftSheet.waiting).options(joinedload(ShiftSheet.handed_over_by)))


def sheets_before(session: Session, before: int | None = None, limit: int = 30) -> Sequence[ShiftSheet]:
    """The sheets of former shifts, the newest first; those ``before`` an id."""
    query = select(ShiftSheet).order_by(ShiftSheet.id.desc()).limit(limit)
    if before is not None:
        query = query.where(ShiftSheet.id < before)
    people = (joinedload(ShiftSheet.handed_over_by), joinedload(ShiftSheet.taken_over_by))
    return session.scalars(query.options(*people)).all()


def figures_now(session: Session, at: datetime, area_code: str = "") -> Figures:
    """What a shift leaves at ``at``, as plain values: lists of at most `MOST` rows, and the counts of all.

    Telephones in the drafts' words are masked; by the ``area_code`` short ones are known, too.
    """
    drafts = _drafts(session, area_code)
    emergencies = unaccepted_emergencies(session, MOST)
    due, outages, promised = _due_today(session, at), _outages(session, at), _promised(session)
    return {
        "drafts": {"count": session.scalar(_begun(select(func.count()))), "rows": drafts},
        "missed": {"count": count_missed(session), "rows": _missed(session, area_code)},
        "emergencies": {
            "count": emergencies.count,
            "rows": [{**_report_row(part.report), "executor": part.organisation.name} for part in emergencies.rows],
        },
        "outages": {"count": len(outages), "rows": outages[:MOST]},
        "due": {"count": len(due), "rows": due[:MOST]},
        "calls": _calls(session, at),
        "promised": {"count": len(promised), "rows": promised[:MOST]},
        "lines": _who_is_on_which_line(session),
    }


def _begun(query: Select) -> Select:
    """The drafts but those of calls that wait for a call-back and that nobody has begun: these are among the missed."""
    waits = and_(Call.state == CallState.MISSED, ~Call.settled, Report.owner_id.is_(None))
    query = query.select_from(Report).outerjoin(Call, Call.id == Report.call_id)
    return query.where(Report.state == ReportState.DRAFT, or_(Call.id.is_(None), ~waits))


def _drafts(session: Session, area_code: str) -> list[dict[str, Any]]:
    query = _begun(select(Report)).order_by(Report.id).limit(MOST)
    query = query.options(*(joinedload(part) for part in (Report.owner, Report.category, Report.street, Report.line)))
    return [
        {
            "id": draft.id,
            "at": draft.created_at.isoformat(timespec="seconds"),
            "owner": draft.owner.name if draft.owner and draft.owner.active else "",
            "said": shorten(without_numbers(draft.gist, area_code), FIRST_WORDS, placeholder="…"),
            "place": without_numbers(draft.spot, area_code),
            "line": draft.line.number if draft.line else "",
            "source": draft.source,
        }
        for draft in session.scalars(query)
    ]


def _missed(session: Session, area_code: str) -> list[dict[str, Any]]:
    """Whom to call back: the name where one is known by the number."""
    missed = missed_calls(session, MOST)
    callers = callers_of(session, [one.draft for one in missed], area_code)
    return [
        {
            "id": one.draft.id,
            "at": one.call.started_at.isoformat(timespec="seconds"),
            "line": one.call.line.number if one.call.line else "",
            "phone": masked(one.call.number, one.call.number_received),
            "name": _name_of(callers[one.draft.id]),
            "times": one.times,
            "owner": one.by.name if one.by else "",
        }
        for one in missed
    ]


def _name_of(caller: Caller) -> str:
    if caller.person is not None:
        return caller.person.name
    return caller.known[0].name if len(caller.known) == 1 and not caller.other_person else ""


def _due_today(session: Session, at: datetime) -> list[dict[str, Any]]:
    """The work whose term ends on the day of ``at``, before or after it, and that is not done yet."""
    day = at.astimezone(KYIV).date()
    begin, end = datetime.combine(day, time(), KYIV), datetime.combine(day, time.max, KYIV)
    rows = session.scalars(
        select(Report)
        .join(Deadline, Deadline.report_id == Report.id)
        .where(
            Deadline.kind == DeadlineKind.WORK,
            Deadline.running,
            Deadline.due_at.between(begin, end),
            Report.state.in_(UNDONE),
        )
        .options(joinedload(Report.category), joinedload(Report.street), joinedload(Report.executor))
        .order_by(Deadline.due_at, Report.id)
    )
    return [{**_report_row(row), "executor": row.executor.name if row.executor else ""} for row in rows]


def _outages(session: Session, at: datetime) -> list[dict[str, Any]]:
    """The active ones, also those whose expected end has passed: nobody has said that they are over."""
    return [
        {
            "id": outage.id,
            "kind": outage.kind,
            "planned": outage.planned,
            "where": shorten(outage.where, WHERE_WORDS, placeholder="…"),
            "at": outage.begins_at.isoformat(timespec="seconds"),
            "until": outage.ends_at.isoformat(timespec="seconds") if outage.ends_at else "",
            "organisation": outage.organisation.name,
        }
        for outage in active_outages(session, at)
    ]


def _calls(session: Session, at: datetime) -> dict[str, Any]:
    """Whether the machine calls, who switched it last and when; how many checks and operators to warn wait."""
    switch = last_switch(session)
    return {
        "on": switch is not None and switch.on,
        "by": switch.user.name if switch else "",
        "at": switch.at.isoformat(timespec="seconds") if switch else "",
        "checks": count_checks(session),
        "to_warn": to_warn(session, at, most=1).count,
    }


def _promised(session: Session) -> list[dict[str, Any]]:
    """The calls at a time that the citizen named, or that a person chose, and those of a person that the machine
    promised who asked for one; they are still to be made."""
    events = aliased(CallTaskEvent)
    last = select(func.max(events.id)).where(events.task_id == CallTask.id).correlate(CallTask).scalar_subquery()
    rows = session.execute(
        select(CallTask, CallTaskEvent.event, User.name)
        .select_from(CallTask)
        .join(CallTaskEvent, CallTaskEvent.id == last)
        .outerjoin(User, User.id == CallTaskEvent.user_id)
        .where(CallTask.settled_at.is_(None))
        .where(
            or_(
                and_(CallTaskEvent.event == TaskEvent.POSTPONED, CallTaskEvent.user_id.is_not(None)),
                promised(),
            )
        )
        .options(
            joinedload(CallTask.report).options(joinedload(Report.category), joinedload(Report.street)),
            joinedload(CallTask.call).joinedload(Call.line),
        )
        .order_by(CallTask.due_at, CallTask.id)
    )
    return [
        {
            "id": task.id,
            "at": task.due_at.isoformat(timespec="seconds"),
            "purpose": task.purpose,
            "number": task.report.number if task.report else "",
            "place": task.report.spot if task.report else "",
            "line": task.call.line.number if task.call and task.call.line else "",
            "by": name if event == TaskEvent.POSTPONED and name else "",  # "": the machine
        }
        for task, event, name in rows
    ]


def _report_row(report: Report) -> dict[str, Any]:
    return {
        "id": report.id,
        "number": report.number,
        "at": report.registered_at.isoformat(timespec="seconds") if report.registered_at else "",
        "kind": report.category.name if report.category else "",
        "place": report.spot,
    }


def _who_is_on_which_line(session: Session) -> list[dict[str, str]]:
    """Each line, and the people for whom it rings first."""
    rows = session.execute(
        select(Line.number, User.name, Phone.title, Phone.name)
        .join(RingStep, RingStep.line_id == Line.id)
        .join(Phone, Phone.id == RingStep.phone_id)
        .outerjoin(User, User.id == Phone.user_id)
        .where(RingStep.step == 1, Line.active, Phone.active)
        .order_by(Line.id, RingStep.id)
    )
    lines: dict[str, list[str]] = {}
    for number, user, title, phone in rows:
        lines.setdefault(number, []).append(user or title or phone)
    return [{"line": number, "who": ", ".join(names)} for number, names in lines.items()]
