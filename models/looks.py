"""Whether each organisation looks at its reports once a working day (R 4.1, W2)."""

from datetime import date, datetime, time

from sqlalchemy import ForeignKey, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.base import Base, UTCDateTime, insert_new
from models.executions import Execution
from models.people import ORGANISATION_ROLES, Organisation, User
from models.reports import UNDONE, Report
from models.workdays import KYIV


class DailyLook(Base):
    """The first look of a day: who, for which organisation, when."""

    __tablename__ = "daily_looks"
    __table_args__ = (UniqueConstraint("organisation_id", "day"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    organisation_id: Mapped[int] = mapped_column(ForeignKey("organisations.id"))
    day: Mapped[date]  # in Kyiv
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    at: Mapped[datetime] = mapped_column(UTCDateTime)


def has_looked(session: Session, organisation_id: int, at: datetime) -> bool:
    """Whether somebody of the organisation has looked on the day of ``at``."""
    day = at.astimezone(KYIV).date()
    query = select(DailyLook.id).where(DailyLook.organisation_id == organisation_id, DailyLook.day == day)
    return session.scalar(query) is not None


def note_look(session: Session, user: User, at: datetime) -> None:
    """Somebody of the organisation looks at its reports now; only the first look of a day is kept."""
    if user.role in ORGANISATION_ROLES and user.organisation_id is not None:
        insert_new(
            session,
            DailyLook,
            organisation_id=user.organisation_id,
            day=at.astimezone(KYIV).date(),
            user_id=user.id,
            at=at,
        )


def who_has_not_looked(session: Session, day: date) -> list[Organisation]:
    """The organisations with work to do that nobody has looked at on this day (R 4.1)."""
    at_work = (
        select(Execution.organisation_id)
        .join(Report, Report.id == Execution.report_id)
        .where(
            Report.state.in_(UNDONE),
            Execution.completed_at.is_(None),
            Execution.reasons_at.is_(None),  # what is asked of the control body is not theirs to do
            Execution.assigned_at <= datetime.combine(day, time.max, KYIV),
        )
        .distinct()
    )
    looked = select(DailyLook.organisation_id).where(DailyLook.day == day)
    return list(
        session.scalars(
            select(Organisation)
            .where(Organisation.active, Organisation.id.in_(at_work), Organisation.id.not_in(looked))
            .order_by(Organisation.name)
        )
    )
