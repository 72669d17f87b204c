"""Reports that are done, and whose applicants are to be asked; the exchange's word about our own calls."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from models.attempts import Attempt, End, switch_machine
from models.base import transaction
from models.calling import Rules
from models.calltasks import CallTask, Purpose
from models.dialling import Dialler, Refusal, claim, plan_calls
from models.leases import Lines
from models.people import Organisation, Role, User
from models.places import Category
from models.reports import Report, ReportState
from models.settling import AttemptLeg, Sign, note_leg
from models.task_rules import sync_tasks
from models.workdays import KYIV, WorkCalendar

MORNING = datetime(2026, 11, 26, 10, 0, tzinfo=KYIV)  # a Thursday


class Calls:
    """The calls of a town with three lines, at a moment that the test chooses (``at``)."""

    def __init__(self, session: Session, lines: Lines) -> None:
        self.session, self.at = session, MORNING
        self.dialler = Dialler(Rules(), lines, WorkCalendar())
        self.supervisor = User(login="chief", name="chief", password_hash="x", role=Role.SUPERVISOR)
        self.works = Organisation(name="КП «Міськсвітло»")
        self.kind = Category(name="Освітлення", organisation=self.works, working_days=5)
        with transaction() as session:
            session.add_all([self.supervisor, self.works, self.kind])
            session.flush()
            switch_machine(session, self.supervisor, self.at, on=True)
            self.chief, self.executor, self.category = self.supervisor.id, self.works.id, self.kind.id
        self._reports = 0

    def done(self, number: str | None = "+380671234567") -> Report:
        """One more report that is done, of this applicant."""
        self._reports += 1
        with transaction() as session:
            report = Report(
                number=f"2026-{self._reports:04d}", state=ReportState.DONE, contact_number=number,
                executor_id=self.executor, category_id=self.category, registered_at=self.at, created_at=self.at,
            )  # fmt: skip
            session.add(report)
        return report

    def sync(self) -> int:
        with transaction() as session:
            return sync_tasks(session, self.dialler.calendar, self.at)

    def tasks(self, purpose: Purpose = Purpose.STATUS_CHECK) -> list[CallTask]:
        self.session.rollback()
        return list(self.session.scalars(select(CallTask).where(CallTask.purpose == purpose).order_by(CallTask.id)))

    def plan(self, most: int = 10) -> list[int]:
        with transaction() as session:
            return plan_calls(session, self.dialler, self.at, most)

    def claim(self, attempt_id: int, clock: timedelta = timedelta()) -> Refusal | None:
        """Why the attempt is not to be dialled; ``clock`` is by how much the dialler's clock is wrong."""
        with transaction() as session:
            return claim(session, self.dialler, attempt_id, self.at + clock)

    def dial(self) -> list[int]:
        """Plan and dial what may be called now."""
        planned = self.plan()
        for attempt_id in planned:
            assert self.claim(attempt_id) is None
        return planned

    def attempt(self, attempt_id: int) -> Attempt:
        self.session.rollback()
        return self.session.get_one(Attempt, attempt_id, populate_existing=True)

    def hear(self, attempt_id: int, sign: Sign, cause: int | None = None, end: End = End.THEIRS) -> None:
        """What the exchange tells of one end of the call."""
        with transaction() as session:
            leg = AttemptLeg(attempt_id, end, sign, self.at, cause)
            note_leg(session, leg, self.dialler.rules, self.dialler.calendar)

    def pass_by(self, **span: float) -> None:
        self.at += timedelta(**span)


@pytest.fixture
def calls(session: Session) -> Calls:
    """Machine calls are on, three lines of which one stays free for citizens."""
    return Calls(session, Lines(capacity=3, reserved=1))
