"""Citizens who are called: reports that are done, and what became of the call that asks about them."""

import itertools
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select, update

from jobs.app import bare_app
from jobs.sipp import start_called
from models.attempts import Attempt, AttemptTask, switch_machine
from models.base import db, now, transaction
from models.calltasks import CallTask, Purpose
from models.people import Organisation, Role, User
from models.places import Category, Street
from models.reports import Report, ReportState
from models.work import begin_work
from tests.helpers import eventually
from tests.pbx.town import Town, read_trace


@dataclass(frozen=True)
class Asked:
    """What became of a report after its applicant was called."""

    outcome: str | None
    keys: str
    report: str
    task: str
    why: str | None


_NUMBERS = itertools.count(1)  # the town is one for all tests


class Citizens:
    """The town's telephones at the trunk's port, and its reports that are done."""

    def __init__(self, town: Town) -> None:
        self.town, self.app = town, bare_app(town.settings)
        with self.app.app_context(), transaction() as session:  # the demo town's own are left alone
            session.execute(update(Report).where(Report.state == ReportState.DONE).values(state=ReportState.CLOSED))
            session.execute(update(Report).where(Report.emergency).values(emergency=False))

    @staticmethod
    def new_number() -> str:
        """A number (E.164) that no other applicant has."""
        return f"+38067{7_000_000 + next(_NUMBERS)}"

    def done(self, number: str | None = None, reports: int = 1) -> list[int]:
        """Reports of one applicant that are done; their ids."""
        number = number or self.new_number()
        with self.app.app_context(), transaction() as session:
            category = session.scalars(select(Category).where(Category.organisation_id.is_not(None))).first()
            street = session.scalars(select(Street)).first()
            made = [
                Report(
                    number=f"2099-{next(_NUMBERS):05d}", state=ReportState.DONE, contact_number=number,
                    category_id=category.id, street_id=street.id, executor_id=category.organisation_id,
                    registered_at=now(), text="не горить ліхтар",
                )
                for _ in range(reports)
            ]  # fmt: skip
            session.add_all(made)
            session.flush()
            return [report.id for report in made]

    def emergency(self, *duty: str) -> int:
        """An emergency that was just registered, of an organisation with these duty numbers; its id."""
        with self.app.app_context(), transaction() as session:
            works = Organisation(name=f"КП «Аварійне {next(_NUMBERS)}»", duty_numbers=duty)
            category = Category(name=f"Аварія {next(_NUMBERS)}", organisation=works, working_days=1)
            session.add(category)
            session.flush()
            report = Report(
                number=f"2099-{next(_NUMBERS):05d}", state=ReportState.NEW, contact_number="+380679998877",
                category_id=category.id, executor_id=works.id, registered_at=now(), text="обрив дроту", emergency=True,
            )  # fmt: skip
            session.add(report)
            session.flush()
            begin_work(session, report, None, now())
            return report.id

    def switch(self, *, on: bool) -> None:
        with self.app.app_context(), transaction() as session:
            user = session.scalars(select(User).where(User.role == Role.SUPERVISOR)).first()
            switch_machine(session, user, now(), on=on)

    @contextmanager
    def machine_calls(self) -> Iterator[None]:
        self.switch(on=True)
        try:
            yield
        finally:
            self.switch(on=False)

    @contextmanager
    def at_home(self, **how: object) -> Iterator[Path]:
        """Everybody who is called does the same (`jobs.sipp.start_called`); yields the folder of the trace."""
        folder = self.town.folder("called")
        process = start_called(self.town.settings, folder, "-trace_msg", **how)
        try:
            yield folder
        finally:
            process.kill()
            process.wait()

    def settled(self, report_id: int) -> bool:
        """Whether a call about the report has ended."""
        with self.app.app_context():
            query = (
                select(Attempt.id)
                .join(Attempt.parts)
                .join(CallTask, CallTask.id == AttemptTask.task_id)
                .where(CallTask.report_id == report_id, Attempt.settled_at.is_not(None), Attempt.outcome.is_not(None))
            )
            return db.session.scalar(query.limit(1)) is not None

    def asked(self, report_id: int, seconds: float = 60) -> Asked:
        """What became of it, once the call about it has ended."""
        eventually(lambda: self.settled(report_id), "the call about the report ends", seconds)
        with self.app.app_context():
            task = db.session.scalars(
                select(CallTask)
                .where(CallTask.report_id == report_id, CallTask.purpose == Purpose.STATUS_CHECK)
                .order_by(CallTask.id)
            ).first()
            attempt = db.session.scalars(
                select(Attempt)
                .join(Attempt.parts)
                .where(AttemptTask.task_id == task.id, Attempt.outcome.is_not(None))
                .order_by(Attempt.id)
            ).first()
            report = db.session.get_one(Report, report_id)
            return Asked(attempt.outcome, attempt.keys, report.state, task.state, task.why)


def invited(folder: Path) -> list[str]:
    """The call ids of the INVITEs that reached the town's telephones; one that was sent again is one."""
    return [
        message.header(b"Call-ID").decode()
        for message in read_trace(folder)
        if message.method == b"INVITE" and not message.sent
    ]


def invited_numbers(folder: Path) -> Counter[str]:
    """How many calls reached each number (E.164)."""
    calls = {
        (message.header(b"Call-ID"), re.search(rb"sip:0(\d{9})@", message.text.split(b"\r\n", 1)[0])[1].decode())
        for message in read_trace(folder)
        if message.method == b"INVITE" and not message.sent
    }
    return Counter(f"+380{number}" for _call, number in calls)
