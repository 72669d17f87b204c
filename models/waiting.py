"""What waits for somebody: missed calls that nobody has settled, reports of the web form, drafts that nobody works on
(C1, I1, I9)."""

from collections import Counter
from dataclasses import dataclass

from sqlalchemy import ColumnElement, String, and_, case, cast, func, literal, or_, select
from sqlalchemy.orm import Session, joinedload

from models.attachments import Attachment, AttachmentKind
from models.attempts import Attempt
from models.base import now
from models.calls import Call, CallState
from models.calltasks import CallTask, Purpose
from models.lists import Listed, first_of
from models.missed import only_missed
from models.own_calls import HELD
from models.people import User
from models.reports import Report, ReportState, Source

# one citizen: the number, what was received when it cannot be understood; each withheld number is another citizen
_RECEIVED = case((Call.number_received.regexp_match("[0-9]"), Call.number_received))  # as `telephone.withheld` has it
_CALLER = func.coalesce(Call.number, _RECEIVED, literal("call ") + cast(Call.id, String))

# came by the web form, and nobody works on it yet
_WAITS_ONLINE = (Report.state == ReportState.DRAFT, Report.source == Source.ONLINE, Report.nobodys)


@dataclass(frozen=True)
class Missed:
    """A number we did not speak with: its latest missed call, that call's draft, and how often it tried.

    ``by`` is who works on a draft of its missed calls already: two must not call the same citizen back. ``task`` is
    the call-back, which a number that is withheld has not. ``messages``: how many it left out of hours (I2).
    """

    call: Call
    draft: Report
    times: int
    by: User | None
    task: CallTask | None
    messages: int = 0


def missed_calls(session: Session, limit: int = 200) -> list[Missed]:
    """The missed calls that nobody has settled yet, one row a number, the latest first (C1).

    A missed call is settled by a later talk with the number, or by ending its draft. However often one number calls,
    it hides no other.
    """
    latest = {"partition_by": _CALLER, "order_by": (Call.started_at.desc(), Call.id.desc())}
    ranked = only_missed(
        select(
            Call.id,
            func.row_number().over(**latest).label("place"),
            func.count().over(partition_by=_CALLER).label("times"),
        )
    ).subquery()
    rows = session.execute(
        select(Call, Report, ranked.c.times, _CALLER, CallTask)
        .join(ranked, ranked.c.id == Call.id)
        .join(Report, Report.call_id == Call.id)
        .outerjoin(CallTask, (CallTask.number == Call.number) & open_call_backs())
        .where(ranked.c.place == 1)
        .options(joinedload(Call.line), joinedload(Report.owner), joinedload(CallTask.held_by))
        .order_by(Call.started_at.desc(), Call.id.desc())
        .limit(limit)
    ).all()
    at_work, left = who_calls_back(session), _messages_left(session)
    return [
        Missed(call, draft, times, at_work.get(caller), task, left.get(caller, 0))
        for call, draft, times, caller, task in rows
    ]


def _messages_left(session: Session) -> dict[str, int]:
    """How many messages those have left whom nobody has called back, by the number that called."""
    left = only_missed(select(_CALLER).select_from(Call)).join(Attachment, Attachment.report_id == Report.id)
    return Counter(session.scalars(left.where(Attachment.kind == AttachmentKind.MESSAGE)))


def who_calls_back(session: Session) -> dict[str, User]:
    """Who works on a draft of a missed call, by the number that called."""
    works = only_missed(select(_CALLER, User)).join(User, User.id == Report.owner_id).where(User.active)
    return dict(session.execute(works.order_by(Call.id)).all())


def open_call_backs() -> ColumnElement[bool]:
    """Of the tasks those that are call-backs and open: of each number there is one (`models.task_rules`)."""
    return (CallTask.purpose == Purpose.CALL_BACK) & CallTask.settled_at.is_(None)


def call_back_of(session: Session, number: str | None) -> CallTask | None:
    """The open call-back of this number."""
    return session.scalar(select(CallTask).where(open_call_backs(), CallTask.number == number)) if number else None


def count_missed(session: Session) -> int:
    """How many numbers wait in `missed_calls`."""
    return session.scalar(only_missed(select(func.count(_CALLER.distinct())))) or 0


def forsaken_drafts(session: Session, most: int = 30) -> Listed[Report]:
    """The drafts that nobody works on and no call brings to a screen, the latest first.

    Nobody's, because the call was answered on a phone without a user, or missed and settled by a later talk; or of
    a person who was switched off. A call that rings is on the desks, a missed one in `missed_calls`, what came by the
    web form in `online_drafts`; that of whom a person calls back, or has just called back, on that one's screen.
    """
    called_now = select(Attempt.id).where(or_(Attempt.settled_at.is_(None), Attempt.settled_at > now() - HELD))
    rings_or_missed = or_(Call.state == CallState.RINGING, and_(Call.state == CallState.MISSED, ~Call.settled))
    forsaken = (
        Report.state == ReportState.DRAFT,
        Report.nobodys,
        Report.source != Source.ONLINE,
        or_(Call.id.is_(None), ~rings_or_missed),
        or_(Call.settled_by_attempt_id.is_(None), Call.settled_by_attempt_id.not_in(called_now)),
    )
    rows, ids = (
        select(what).select_from(Report).outerjoin(Call, Call.id == Report.call_id).where(*forsaken)
        for what in (Report, Report.id)
    )
    rows = rows.options(*(joinedload(part) for part in (Report.call, Report.category, Report.street, Report.owner)))
    return first_of(session, rows.order_by(Report.id.desc()), ids, most)


def online_drafts(session: Session, most: int = 30) -> Listed[Report]:
    """What came by the web form and waits for somebody to register it, the oldest first (I9)."""
    shown = (joinedload(part) for part in (Report.category, Report.street, Report.owner))
    rows = select(Report).where(*_WAITS_ONLINE).options(*shown).order_by(Report.id)
    return first_of(session, rows, select(Report.id).where(*_WAITS_ONLINE), most)


def count_online(session: Session) -> int:
    """How many reports wait in `online_drafts`."""
    return session.scalar(select(func.count(Report.id)).where(*_WAITS_ONLINE)) or 0
