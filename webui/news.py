"""What screens need to know of a call: which phones ring, who has it, whose its draft is, and which of that is mine."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload, selectinload

from models.calls import LIVE_STATES, Call, CallState
from models.lines import Line
from models.reports import Report, ReportState


@dataclass(frozen=True)
class CallNews:
    """A call as far as screens need it, free of the database session."""

    call: int
    draft: int | None
    draft_state: str | None
    state: str
    ringing: frozenset[int]  # phones that ring for it now
    talking_to: int | None  # the phone that has the call, or had it last
    owner: int | None
    line: str
    listens: bool = False  # the caller hears an announcement, no phone rings yet


@dataclass(frozen=True)
class Viewer:
    """Who looks: decides what `describe` calls "me"."""

    user: int
    phone: int | None
    organisation: int | None = None  # of an enterprise's people, who hear of its new reports alone


def phones_ringing(call: Call) -> set[int]:
    """The phones that ring for the call now; before the first is reported, those of the line's first step (I2), unless
    the caller hears an announcement first."""
    if call.state != CallState.RINGING:
        return set()
    if call.legs:
        return {leg.phone_id for leg in call.legs if leg.phone_id and leg.ended_at is None}
    steps = call.line.ring_steps if call.line and not call.announced else []
    first = min((ring.step for ring in steps), default=None)
    return {ring.phone_id for ring in steps if ring.step == first}


def with_ringing():
    """Loading options for `phones_ringing` and the line: one query for each, however many calls."""
    return (
        joinedload(Call.line).selectinload(Line.ring_steps),
        selectinload(Call.legs),
    )


def load_news(session: Session, calls: Collection[int] | None = None) -> tuple[CallNews, ...]:
    """These calls, or all live ones, as screens need them."""
    query = select(Call, Report).outerjoin(Report, Report.call_id == Call.id).options(*with_ringing())
    if calls is None:
        query = query.where(Call.state.in_(LIVE_STATES)).order_by(Call.started_at)
    else:
        query = query.where(Call.id.in_(calls))
    return tuple(news_of(call, draft) for call, draft in session.execute(query))


def news_of(call: Call, draft: Report | None) -> CallNews:
    """The call, loaded `with_ringing`, and its draft."""
    return CallNews(
        call=call.id,
        draft=draft.id if draft else None,
        draft_state=draft.state if draft else None,
        state=call.state,
        ringing=frozenset(phones_ringing(call)),
        talking_to=call.talking_to_id,
        owner=draft.owner_id if draft else None,
        line=call.line.digits if call.line else "",
        listens=call.listens,
    )


def count_drafts(session: Session) -> tuple[tuple[int, int], ...]:
    """How many open drafts each user has: ``((user, drafts), …)``."""
    rows = session.execute(
        select(Report.owner_id, func.count())
        .where(Report.state == ReportState.DRAFT, Report.owner_id.is_not(None))
        .group_by(Report.owner_id)
    )
    return tuple((owner, drafts) for owner, drafts in rows)


def describe(news: CallNews, viewer: Viewer) -> dict[str, object]:
    """The call as one viewer sees it: ids and states, nothing else.

    ``rings_me``: it rings on the viewer's phone; ``talking_to_me``: that phone has the call, or had it last.
    """
    return {
        "call": news.call,
        "draft": news.draft,
        "draft_state": news.draft_state,
        "state": news.state,
        "rings_me": viewer.phone is not None and viewer.phone in news.ringing,
        "talking_to_me": viewer.phone is not None and viewer.phone == news.talking_to,
        "owner_is_me": news.owner == viewer.user,
        "owner": news.owner,
        "line": news.line,
        "listens": news.listens,
    }
