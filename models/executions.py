"""Who works on a report: one organisation, or several, each with its own part (W15)."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import ForeignKey, Index, Text, UniqueConstraint, select
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from models.base import Base, UTCDateTime
from models.people import Organisation
from models.reports import Report

_UNACCEPTED = sql("accepted_at IS NULL")
_ACCEPTED = sql("accepted_at IS NOT NULL")
_AT_WORK = sql("completed_at IS NULL AND reasons_at IS NULL")


class Execution(Base):
    """One organisation's part in a report. The leading one is the report's ``executor``."""

    __tablename__ = "executions"
    __table_args__ = (
        UniqueConstraint("report_id", "organisation_id"),
        Index("ix_executions_unaccepted", "organisation_id", sqlite_where=_UNACCEPTED, postgresql_where=_UNACCEPTED),
        Index("ix_executions_accepted", "accepted_at", sqlite_where=_ACCEPTED, postgresql_where=_ACCEPTED),
        Index(
            "ix_executions_at_work",
            *("report_id", "organisation_id", "assigned_at"),
            sqlite_where=_AT_WORK,
            postgresql_where=_AT_WORK,
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    report_id: Mapped[int] = mapped_column(ForeignKey("reports.id"))
    organisation_id: Mapped[int] = mapped_column(ForeignKey("organisations.id"), index=True)
    assigned_at: Mapped[datetime] = mapped_column(UTCDateTime)
    informed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)  # the head knows of it (R 4.2)
    accepted_at: Mapped[datetime | None] = mapped_column(UTCDateTime)  # taken to work (R 4.3)
    planned_at: Mapped[datetime | None] = mapped_column(UTCDateTime)  # the day that the operator named last (W5)
    completed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    # both as they were until the applicant last said that it is not done: that can be taken back
    completed_before: Mapped[datetime | None] = mapped_column(UTCDateTime)
    planned_before: Mapped[datetime | None] = mapped_column(UTCDateTime)
    reasons_at: Mapped[datetime | None] = mapped_column(UTCDateTime)  # gave reasons that are not decided on yet (R 4.4)
    done: Mapped[str] = mapped_column(Text, default="")  # what was done (R 4.5)

    report: Mapped[Report] = relationship()
    organisation: Mapped[Organisation] = relationship()


def executions_of(session: Session, report: Report) -> list[Execution]:
    """All parts of the report, the leading executor's first."""
    found = session.scalars(select(Execution).where(Execution.report_id == report.id).order_by(Execution.id)).all()
    return sorted(found, key=lambda part: part.organisation_id != report.executor_id)


def execution_of(session: Session, report: Report, organisation_id: int | None) -> Execution | None:
    """This organisation's part of the report, if it has one."""
    if organisation_id is None:
        return None
    return session.scalar(
        select(Execution).where(Execution.report_id == report.id, Execution.organisation_id == organisation_id)
    )


def planned_for(parts: Iterable[Execution]) -> datetime | None:
    """For which day the work is planned: the latest that is named for a part not done yet (W5)."""
    return max((part.planned_at for part in parts if part.planned_at and part.completed_at is None), default=None)
