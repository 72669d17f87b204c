"""A town with Olena in every corner of its database, and what every text of it holds."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from flask import Flask
from sqlalchemy import String, select
from sqlalchemy.orm import Session

from models import work
from models.attempts import Attempt, AttemptState, AttemptTask
from models.base import Base, db, now, transaction
from models.calling import Outcome
from models.calltasks import Move, Purpose, TaskEvent, Why, add_task, move_task
from models.drafts import attach_draft, end_draft, save_draft
from models.people import AccessLog, Person, PersonNumber, Role, User
from models.reports import HistoryEvent, Report, ReportEvent, note_history
from models.settling import never_by_machine
from models.shifts import hand_over
from tests.desk_fixtures import inside, user_id
from tests.helpers import AREA_CODE, record_call
from tests.web_fixtures import register

NUMBER, OTHER = "0671234567", "0501112233"
NAME = "Олена Коваль"


def fill_olena(app: Flask) -> dict[str, int]:
    """Olena's closed report, consultation, added call, missed call; her number also in texts about others.

    Returns the ids of ``closed``, ``consultation``, ``attached`` and of a neighbour's open report ``other``.
    """
    closed = register(
        app,
        f"Не горить ліхтар, передзвонити {NAME} на (067) 123-45-67",
        applicant_name=NAME,
        other_phone="050 111-22-33",
        flat="7",
    )
    other = register(app, "Немає води", number="0939998877", category=2, applicant_name="Петро Сусід")
    with inside(app), transaction() as session:
        me = session.get_one(User, user_id("tsapkova"))
        report = session.get_one(Report, closed)
        report.call.caller_name = NAME
        person = Person(name=NAME, building="12", flat="7")
        person.numbers = [PersonNumber(number="+380671234567", confirmed_by_id=me.id)]
        session.add(person)
        session.flush()
        report.person_id = person.id
        operator = session.scalars(select(User).where(User.role == Role.OPERATOR)).one()
        work.inform_head(session, report, operator)
        work.accept(session, report, operator)
        work.complete(session, report, operator, "Замінено, заявниці 0671234567 сказано")
        work.add_note(session, report, me, f"{NAME}, 8 067 123 45 67", public=False)
        work.confirm(session, report, me, "Коваль Олена підтвердила")
        drafts = []
        for text in ("Коли дадуть світло? 067 123 45 67", "Питає знову, Олена Коваль"):
            _call, draft = record_call(session, NUMBER, name="Olena Koval", at=now())
            save_draft(session, draft, me, {"text": text}, draft.revision, AREA_CODE)
            drafts.append(draft)
        end_draft(session, drafts[0], me, ReportEvent.CONSULTED)
        neighbours = session.get_one(Report, other)
        attach_draft(session, drafts[1], me, neighbours)
        note_history(session, neighbours, HistoryEvent.NOTE, me, "Сусідка дзвонила з +380 67 123 45 67")
        neighbours.text = "Немає води, ключі в сусідки, т. 067-123-45-67"
        hand_over(session, me, "Передзвонити 067 123 45 67", now())
        ids = {"consultation": drafts[0].id, "attached": drafts[1].id}
    return {"closed": closed, "other": other, **ids}


def call_olena(app: Flask, report_id: int) -> tuple[int, int]:
    """A check of the report that the machine asked about once, and Olena's number wants no more: task and attempt."""
    with inside(app), transaction() as session:
        task = add_task(
            session, Purpose.STATUS_CHECK, now(), now(), report_id=report_id, number=f"+38{NUMBER}", words=NAME
        )
        move_task(session, task, Move(TaskEvent.SETTLED, why=Why.ANSWERED), now())
        attempt = Attempt(number=f"+38{NUMBER}", planned_at=now(), dialled_at=now(), settled_at=now(), keys="9")
        attempt.state, attempt.outcome = AttemptState.SETTLED, Outcome.ANSWERED
        session.add(attempt)
        session.flush()
        session.add(AttemptTask(attempt_id=attempt.id, task_id=task.id, place=1, key="9"))
        never_by_machine(session, f"+38{NUMBER}", now(), user_id=user_id("tsapkova"))
        return task.id, attempt.id


def make_old(app: Flask, years: float) -> None:
    """As if all of it had happened so long ago; the triggers stand aside for it."""
    from models.kept import unlocked

    ago = timedelta(days=365.25 * years)
    with inside(app), transaction() as session, unlocked(session):
        for table in Base.metadata.sorted_tables:
            times = [column for column in table.columns if column.type.__class__.__name__ == "UTCDateTime"]
            (key, *_rest) = table.primary_key.columns
            for row in session.execute(select(key, *times)).all() if times else ():
                moved = {column.name: at - ago for column, at in zip(times, row[1:], strict=True) if at is not None}
                if moved:
                    session.execute(table.update().where(key == row[0]).values(moved))


def texts_of(session: Session) -> Iterator[tuple[str, str]]:
    """Every text in every column of every table, the full-text index's own among them, with where it stands."""
    for table in Base.metadata.sorted_tables:
        for column in table.columns:
            if isinstance(column.type, String):
                for text in session.scalars(select(column).where(column.is_not(None))):
                    yield f"{table.name}.{column.name}", text
    if session.get_bind().dialect.name == "sqlite":
        connection = session.connection()
        connection.exec_driver_sql("CREATE VIRTUAL TABLE temp.words USING fts5vocab('main', 'report_words', 'row')")
        for (term,) in connection.exec_driver_sql("SELECT term FROM temp.words").all():
            yield "report_words", term
        connection.exec_driver_sql("DROP TABLE temp.words")


def counts(session: Session) -> dict[str, int]:
    """How many rows each table has."""
    return {
        table.name: session.scalar(select(db.func.count()).select_from(table)) for table in Base.metadata.sorted_tables
    }


def look(app: Flask, at: datetime | None = None) -> None:
    with inside(app), transaction() as session:
        session.add(AccessLog(user_id=user_id("tsapkova"), at=at or now(), subject="report", subject_id=1, reason="x"))
