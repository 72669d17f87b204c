"""The quarterly report to each member of the control body, and on all organisations (R 4.6, W12).

It is prepared once when the quarter is over, checked by the administrator and sent until the 5th. Its figures are
kept with it: they can be counted again until it is checked, and never after.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, select, update
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, Session, joinedload, mapped_column, relationship

from models.acts import CENTRE, KEEPERS, NotYours
from models.base import Base, UTCDateTime, insert_new, transaction
from models.machine import IllegalMove, next_state
from models.people import Role, User
from models.periods import Quarter, quarter_of
from models.quarterly_figures import Figures, count_figures
from models.workdays import KYIV


class QuarterlyState(StrEnum):
    PREPARED = "prepared"
    CHECKED = "checked"
    SENT = "sent"


class QuarterlyEvent(StrEnum):
    PREPARED = "prepared"
    RENEWED = "renewed"  # the figures were counted again
    CHECKED = "checked"
    TAKEN_BACK = "taken_back"  # a mistake was seen after the check
    SENT = "sent"


QUARTERLY_TABLE: dict[tuple[QuarterlyState, QuarterlyEvent], QuarterlyState] = {
    (QuarterlyState.PREPARED, QuarterlyEvent.RENEWED): QuarterlyState.PREPARED,
    (QuarterlyState.PREPARED, QuarterlyEvent.CHECKED): QuarterlyState.CHECKED,
    (QuarterlyState.CHECKED, QuarterlyEvent.TAKEN_BACK): QuarterlyState.PREPARED,
    (QuarterlyState.CHECKED, QuarterlyEvent.SENT): QuarterlyState.SENT,
}


class QuarterlyReport(Base):
    """One quarter's report to one member of the control body, or (``control_body`` None) on all organisations."""

    __tablename__ = "quarterly_reports"
    __table_args__ = (
        Index("uq_quarterly_reports_year_number_control_body_id", "year", "number", "control_body_id", unique=True),
        # no two NULLs are the same to that index
        Index(
            "uq_quarterly_reports_all",
            *("year", "number"),
            unique=True,
            sqlite_where=sql("control_body_id IS NULL"),
            postgresql_where=sql("control_body_id IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    year: Mapped[int]
    number: Mapped[int]  # of the quarter, 1 to 4
    control_body_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    state: Mapped[QuarterlyState] = mapped_column(String(16), default=QuarterlyState.PREPARED)
    data: Mapped[dict[str, Any]] = mapped_column(JSON)  # `Figures.as_data`
    remark: Mapped[str] = mapped_column(Text, default="")  # the administrator's words in the report
    sent_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    control_body: Mapped[User | None] = relationship()
    steps: Mapped[list["QuarterlyStep"]] = relationship(order_by="QuarterlyStep.id", back_populates="report")

    @property
    def quarter(self) -> Quarter:
        return Quarter(self.year, self.number)

    @property
    def figures(self) -> Figures:
        return Figures.from_data(self.data)

    def late(self, at: datetime) -> bool:
        """Whether it was sent, or at ``at`` still is not, after the 5th."""
        return (self.sent_at or at) > self.quarter.due_at


class QuarterlyStep(Base):
    """What happened to a quarterly report: who, when, from which state to which. Rows are only ever added."""

    __tablename__ = "quarterly_steps"

    id: Mapped[int] = mapped_column(primary_key=True)
    report_id: Mapped[int] = mapped_column(ForeignKey("quarterly_reports.id"), index=True)
    at: Mapped[datetime] = mapped_column(UTCDateTime)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))  # None: the system
    event: Mapped[QuarterlyEvent] = mapped_column(String(16))
    from_state: Mapped[str] = mapped_column(String(16), default="")
    to_state: Mapped[QuarterlyState] = mapped_column(String(16))

    report: Mapped[QuarterlyReport] = relationship(back_populates="steps")
    user: Mapped[User | None] = relationship()


def prepare_due(session: Session, at: datetime) -> int:
    """Prepare the reports on the quarter that ended last before ``at``, but those that are there: how many were made.

    May be called at any time and as often as one likes; a run that was missed is caught up by the next, and who has got
    organisations to control meanwhile gets a report, too. The figures are counted before anything is written, and the
    rows come in a transaction of their own: call it outside of any other, with the application's session.
    """
    quarter = quarter_of(at.astimezone(KYIV).date()).before
    there = {report.control_body_id for report in reports_on(session, quarter)}
    wanted = {None: None} | {user.id: user for user in control_bodies(session)}
    counted = {
        key: count_figures(session, quarter, whose, at).as_data() for key, whose in wanted.items() if key not in there
    }
    if not counted:
        return 0
    with transaction() as writing:
        made = [_insert(writing, quarter, whose, data, at) for whose, data in counted.items()]
    return sum(made)


def control_bodies(session: Session) -> list[User]:
    """The members of the control body who control something, by name."""
    query = select(User).where(User.role == Role.CONTROL_BODY, User.active, User.controls.any())
    return list(session.scalars(query.order_by(User.name)))


def reports_on(session: Session, quarter: Quarter) -> Sequence[QuarterlyReport]:
    """All that were prepared on the quarter, the one on all organisations first."""
    found = session.scalars(
        select(QuarterlyReport)
        .where(QuarterlyReport.year == quarter.year, QuarterlyReport.number == quarter.number)
        .options(joinedload(QuarterlyReport.control_body))
        .order_by(QuarterlyReport.id)
    ).all()
    return sorted(found, key=lambda report: report.control_body_id is not None)


def reports_for(session: Session, user: User) -> Sequence[QuarterlyReport]:
    """Those that this person may see, the newest quarter first: the centre all, the control body its own once sent."""
    query = select(QuarterlyReport).options(joinedload(QuarterlyReport.control_body))
    if user.role not in CENTRE:
        query = query.where(QuarterlyReport.control_body_id == user.id, QuarterlyReport.state == QuarterlyState.SENT)
    order = (QuarterlyReport.year.desc(), QuarterlyReport.number.desc(), QuarterlyReport.id)
    return session.scalars(query.order_by(*order)).all()


def is_seen_by(report: QuarterlyReport, user: User) -> bool:
    """The same for one report."""
    if user.role in CENTRE:
        return True
    return report.state == QuarterlyState.SENT and report.control_body_id == user.id


def possible_moves(report: QuarterlyReport, user: User) -> list[QuarterlyEvent]:
    """What this person can do with the report now."""
    if user.role not in KEEPERS:
        return []
    return [event for state, event in QUARTERLY_TABLE if state == report.state]


def renew(session: Session, report: QuarterlyReport, user: User, figures: Figures, at: datetime) -> None:
    """Put other figures in the place of those prepared; raises `IllegalMove` once it is checked."""
    _move(session, report, QuarterlyEvent.RENEWED, user, at, data=figures.as_data())


def check(session: Session, report: QuarterlyReport, user: User, remark: str, at: datetime) -> None:
    """The administrator has checked the figures; ``remark`` becomes a part of the report."""
    _move(session, report, QuarterlyEvent.CHECKED, user, at, remark=remark)


def take_back(session: Session, report: QuarterlyReport, user: User, at: datetime) -> None:
    """It was checked, and is to be changed after all."""
    _move(session, report, QuarterlyEvent.TAKEN_BACK, user, at)


def send(session: Session, report: QuarterlyReport, user: User, at: datetime) -> None:
    """It is given to the control body, and never changes again (R 4.6)."""
    _move(session, report, QuarterlyEvent.SENT, user, at, sent_at=at)


def _insert(
    session: Session, quarter: Quarter, control_body_id: int | None, data: dict[str, Any], at: datetime
) -> bool:
    """Whether this process was the one that made it."""
    values = {"year": quarter.year, "number": quarter.number, "control_body_id": control_body_id, "data": data}
    report = insert_new(session, QuarterlyReport, state=QuarterlyState.PREPARED, remark="", **values)
    if report is not None:
        session.add(_step(report, QuarterlyEvent.PREPARED, None, at, before=""))
    return report is not None


def _move(
    session: Session, report: QuarterlyReport, event: QuarterlyEvent, user: User, at: datetime, **values: object
) -> None:
    """Move by the table and write the step, guarded by the present state: of two at once one gets `IllegalMove`."""
    if user.role not in KEEPERS:
        raise NotYours(event)
    before = QuarterlyState(report.state)
    after = next_state("quarterly report", QUARTERLY_TABLE, before, event)
    moved = session.execute(
        update(QuarterlyReport)
        .where(QuarterlyReport.id == report.id, QuarterlyReport.state == before)
        .values(state=after, **values)
        .execution_options(synchronize_session=False)
    )
    if moved.rowcount != 1:
        raise IllegalMove("quarterly report", before, event)
    session.refresh(report)
    session.add(_step(report, event, user, at, before))


def _step(
    report: QuarterlyReport, event: QuarterlyEvent, user: User | None, at: datetime, before: str
) -> QuarterlyStep:
    user_id = user.id if user else None
    return QuarterlyStep(
        report_id=report.id, at=at, user_id=user_id, event=event, from_state=before, to_state=report.state
    )
