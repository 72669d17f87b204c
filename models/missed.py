"""Which missed calls wait for a call-back (C1)."""

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from models.calls import Call, CallState
from models.reports import Report, ReportState


def only_missed(query: Select) -> Select:
    """Of the calls in ``query`` those that wait for a call-back, with their drafts."""
    return query.join(Report, Report.call_id == Call.id).where(
        Call.state == CallState.MISSED, ~Call.settled, Report.state == ReportState.DRAFT
    )


def waits_for_us(session: Session, number: str | None) -> bool:
    """Whether somebody is to call this number back."""
    return session.scalar(only_missed(select(Call.id)).where(Call.number == number).limit(1)) is not None
