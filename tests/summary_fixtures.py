"""Reports made by hand for the summaries: each with the moment of its call and what became of it."""

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from models import work
from models.drafts import end_draft
from models.people import Role, User
from models.places import Category, Street
from models.reports import Report, ReportEvent, move, next_number
from models.workdays import KYIV
from tests.helpers import record_call

LIGHT, WATER, RUBBISH = 1, 2, 3  # the categories of `desk_fixtures.KINDS`, in their order, and their executors


def kyiv(text: str) -> datetime:
    """«2026-09-30 23:59», in Kyiv."""
    return datetime.fromisoformat(text).replace(tzinfo=KYIV)


def user_of(session: Session, login: str) -> User:
    return session.scalars(select(User).where(User.login == login)).one()


def reported(
    session: Session, called: datetime, category: int = LIGHT, street: str = "Київська", line: str = "53273", **values
) -> Report:
    """A report from a call at this moment, registered five minutes later; its deadlines run."""
    _call, report = record_call(session, line=line, at=called)
    report.category = session.get_one(Category, category)
    report.executor = report.category.organisation
    report.street = session.scalars(select(Street).where(Street.name == street)).one()
    report.text, report.registered_at = "Опис", called + timedelta(minutes=5)
    for name, value in values.items():
        setattr(report, name, value)
    report.number = next_number(session, report.registered_at.astimezone(KYIV).year)
    clerk = user_of(session, "tsapkova")
    move(session, report, ReportEvent.REGISTERED, clerk, at=report.registered_at)
    work.begin_work(session, report, clerk, report.registered_at)
    return report


def consulted(session: Session, called: datetime) -> Report:
    """A call that ended as a consultation."""
    _call, draft = record_call(session, at=called)
    end_draft(session, draft, user_of(session, "tsapkova"), ReportEvent.CONSULTED, "Розклад руху")
    return draft


def operator_for(session: Session, report: Report) -> User:
    """An operator of the report's executor."""
    found = session.scalar(select(User).where(User.role == Role.OPERATOR, User.organisation_id == report.executor_id))
    if found is None:
        found = User(login=f"op{report.executor_id}", name="Оператор", role=Role.OPERATOR, password_hash="-")
        found.organisation_id = report.executor_id
        session.add(found)
        session.flush()
    return found


def done(session: Session, report: Report, at: datetime) -> Report:
    """Taken to work at once, and done at ``at``."""
    operator = operator_for(session, report)
    if report.state == "new":
        work.accept(session, report, operator, report.registered_at + timedelta(minutes=10))
    work.complete(session, report, operator, "Зроблено", at)
    return report
