"""What waits for somebody: missed calls that nobody has settled, drafts that nobody works on (C1, I1)."""

from dataclasses import dataclass

from sqlalchemy import Select, String, and_, case, cast, func, literal, or_, select
from sqlalchemy.orm import Session, joinedload

from models.calls import Call, CallState
from models.people import User
from models.reports import Report, ReportState
from models.telephone import withheld


@dataclass
class Missed:
    """A number we did not speak with: its latest missed call, that call's draft, and how often it tried.

    ``by`` is who works on a draft of its missed calls already: two must not call the same citizen back.
    """

    call: Call
    draft: Report
    times: int = 1
    by: User | None = None


def missed_calls(session: Session, limit: int = 30) -> list[Missed]:
    """The missed calls that nobody has settled yet, one row a number, the latest first (C1).

    A missed call is settled by a later talk with the number, or by ending its draft.
    """
    newest_first = (Call.started_at.desc(), Call.id.desc())
    query = (
        only_missed(select(Call, Report))
        .options(joinedload(Call.line), joinedload(Report.owner))
        .order_by(*newest_first)
    )
    rows = session.execute(query.limit(limit * 5))
    found: dict[str, Missed] = {}
    for call, draft in rows:
        key = call.number or (f"call {call.id}" if withheld(call.number_received) else call.number_received)
        if key in found:
            found[key].times += 1
        elif len(found) < limit:
            found[key] = Missed(call, draft)
        if key in found and found[key].by is None and not draft.nobodys:
            found[key].by = draft.owner
    return list(found.values())


def count_missed(session: Session) -> int:
    """How many numbers wait in `missed_calls`."""
    received = case((Call.number_received.regexp_match("[0-9]"), Call.number_received))  # as `withheld` has it
    caller = func.coalesce(Call.number, received, literal("call ") + cast(Call.id, String))
    return session.scalar(only_missed(select(func.count(caller.distinct())))) or 0


def forsaken_drafts(session: Session, limit: int = 30) -> list[Report]:
    """The drafts that nobody works on and no call brings to a screen, the latest first.

    Nobody's, because the call was answered on a phone without a user, or missed and settled by a later talk; or of
    a person who was switched off. A call that rings is on the desks, a missed one in `missed_calls`.
    """
    rings_or_missed = or_(
        Call.state == CallState.RINGING, and_(Call.state == CallState.MISSED, Call.settled_by_id.is_(None))
    )
    return list(
        session.scalars(
            select(Report)
            .outerjoin(Call, Call.id == Report.call_id)
            .where(
                Report.state == ReportState.DRAFT,
                Report.nobodys,
                or_(Call.id.is_(None), ~rings_or_missed),
            )
            .options(*(joinedload(part) for part in (Report.call, Report.category, Report.street, Report.owner)))
            .order_by(Report.id.desc())
            .limit(limit)
        )
    )


def only_missed(query: Select) -> Select:
    """Of the calls in ``query`` those that wait for a call-back, with their drafts (C1)."""
    return query.join(Report, Report.call_id == Call.id).where(
        Call.state == CallState.MISSED, Call.settled_by_id.is_(None), Report.state == ReportState.DRAFT
    )
