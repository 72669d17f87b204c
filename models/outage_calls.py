"""Who called about an outage: heard of it on the telephone, or said so; and the calls that ask whether it is back (C7).

Who leaves while it is announced, or by a key after it, is *affected*: told what they wanted to know, and not a missed
call. Who stays and is not answered is missed as everybody is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ForeignKey, Select, UniqueConstraint, delete, func, select
from sqlalchemy.orm import Mapped, Session, joinedload, mapped_column, relationship

from models.acts import CENTRE, NotYours
from models.base import Base, UTCDateTime, announce, insert_new
from models.calling import may_be_dialled
from models.calls import Call, CallEvent, CallState, move_call
from models.calltasks import (
    CallTask,
    Move,
    Purpose,
    TaskEvent,
    Why,
    add_task,
    is_promised,
    lock_question,
    move_task,
    open_question,
)
from models.clarifications import ask_the_rest
from models.drafts import make_draft_by_hand, report_of_call, save_draft
from models.free_days import load_calendar
from models.outage_acts import note_change
from models.outages import Outage, OutageEvent, OutageKind
from models.own_calls import hold
from models.people import User
from models.reports import HistoryEvent, Report, ReportEvent, ReportState, Source, move, note_history

ASKED_WITHIN = 1  # working days
# in the language of the records
HEARD = "Прослухано оголошення про відключення."
BACK, NOT_BACK = "Після відключення: відновлено.", "Після відключення: не відновлено."
QUESTIONS = {
    OutageKind.WATER: "Відключення води завершено. Чи є у вас вода?",
    OutageKind.HEAT: "Відключення тепла завершено. Чи є у вас тепло?",
    OutageKind.ELECTRICITY: "Відключення світла завершено. Чи є у вас світло?",
    OutageKind.GAS: "Відключення газу завершено. Чи є у вас газ?",
    OutageKind.REPAIR_WORKS: "Ремонтні роботи завершено. Чи все у вас гаразд?",
    OutageKind.OTHER: "Роботи завершено. Чи все у вас відновлено?",
}


class NotOver(Exception):
    """The outage goes on: it cannot be back."""


class OutageCaller(Base):
    """A call or report about an outage, by its draft or what became of it; ``noted_by`` said so, or nobody: it was
    heard on the telephone. ``restored`` is what they answered once it was over."""

    __tablename__ = "outage_callers"
    __table_args__ = (UniqueConstraint("outage_id", "report_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    outage_id: Mapped[int] = mapped_column(ForeignKey("outages.id"))
    report_id: Mapped[int] = mapped_column(ForeignKey("reports.id"), index=True)
    at: Mapped[datetime] = mapped_column(UTCDateTime)
    left: Mapped[bool] = mapped_column(default=False)
    noted_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    restored: Mapped[bool | None]

    report: Mapped[Report] = relationship()
    noted_by: Mapped[User | None] = relationship()


@dataclass(frozen=True)
class Asked:
    """Somebody who called about an outage, with the call that asks them, if there is one."""

    row: OutageCaller
    task: CallTask | None


def note_heard(session: Session, call: Call, outage_id: int, at: datetime, *, left: bool) -> None:
    """The caller hears of the outage, or has ``left`` over it: then there is nobody to call back.

    A draft that somebody works on already is left to them. Told twice, or after the hang-up, it changes nothing more.
    """
    if session.get(Outage, outage_id) is None:
        return
    draft = report_of_call(session, call)
    session.flush()
    insert_new(session, OutageCaller, outage_id=outage_id, report_id=draft.id, at=at, left=False)
    if not left:
        return
    row = session.scalars(_row(outage_id, draft.id)).one()
    row.left = True
    move_call(session, call, CallEvent.LEFT)
    session.flush()
    session.refresh(draft, ["state", "owner_id", "revision"], with_for_update=True)
    untouched = draft.state == ReportState.DRAFT and draft.owner_id is None and draft.revision == 0
    if call.state == CallState.AFFECTED and untouched:
        move(session, draft, ReportEvent.CONSULTED, None, HEARD, at)


def note_about(session: Session, report: Report, outage_id: int, user: User, at: datetime, *, about: bool) -> None:
    """Somebody says that the applicant asks of this outage, or does not after all."""
    if about:
        values = {"outage_id": outage_id, "report_id": report.id, "at": at, "noted_by_id": user.id}
        insert_new(session, OutageCaller, left=False, **values)
    else:
        session.execute(
            delete(OutageCaller).where(OutageCaller.outage_id == outage_id, OutageCaller.report_id == report.id)
        )


def about_outages(session: Session, report_id: int) -> set[int]:
    """The outages that this draft or report is about."""
    return set(session.scalars(select(OutageCaller.outage_id).where(OutageCaller.report_id == report_id)))


def who_called(session: Session, outage_id: int) -> list[Asked]:
    """Everybody who called about it, the latest first, with the newest call that asks them."""
    rows = session.scalars(
        select(OutageCaller)
        .where(OutageCaller.outage_id == outage_id)
        .options(
            joinedload(OutageCaller.report).options(
                joinedload(Report.call), joinedload(Report.category), joinedload(Report.street)
            ),
            joinedload(OutageCaller.noted_by),
        )
        .order_by(OutageCaller.at.desc(), OutageCaller.id.desc())
    ).all()
    tasks = session.scalars(select(CallTask).where(CallTask.outage_id == outage_id).order_by(CallTask.id))
    by_report = {task.report_id: task for task in tasks}
    return [Asked(row, by_report.get(row.report_id)) for row in rows]


def count_callers(session: Session, outage_ids: Sequence[int]) -> dict[int, int]:
    """How many called about each of these outages."""
    counted = select(OutageCaller.outage_id, func.count()).where(OutageCaller.outage_id.in_(outage_ids))
    return dict(session.execute(counted.group_by(OutageCaller.outage_id)).all())


def to_ask(session: Session, outage_id: int) -> list[Report]:
    """Whom a click would have asked: of each number that may be dialled the newest, of those not asked yet."""
    callers, question = who_called(session, outage_id), QUESTIONS[session.get_one(Outage, outage_id).kind]
    done = {one.row.report.contact_number for one in callers if one.task is not None or one.row.restored is not None}
    newest: dict[str, Report] = {}
    for one in callers:
        number = one.row.report.contact_number
        if may_be_dialled(number) and number not in done:
            newest.setdefault(number, one.row.report)
    return [report for report in newest.values() if not _is_asked(session, report, question)]


def _is_asked(session: Session, report: Report, question: str) -> bool:
    """Whether the call that is to be made about the report asks just this, for another outage of the same kind."""
    task = open_question(session, report.id)
    return task is not None and question in task.questions


def ask_callers(session: Session, outage_id: int, user: User, at: datetime) -> int:
    """Have those who called asked whether it is back, each number once: how many. Pressed twice, it asks nobody twice.

    Raises `NotYours`, and `NotOver` while it goes on.
    """
    if user.role not in CENTRE:
        raise NotYours
    outage = session.get_one(Outage, outage_id, with_for_update=True, populate_existing=True)
    if outage.ended_at is None:
        raise NotOver
    asked = to_ask(session, outage_id)
    deadline = load_calendar(session).end_of_working_days(at, ASKED_WITHIN)
    for report in asked:
        _ask(session, report, outage, user, at, deadline)
    if asked:
        note_change(session, outage, OutageEvent.ASKED, user, at, after=str(len(asked)))
    session.flush()
    return len(asked)


def _ask(session: Session, report: Report, outage: Outage, user: User, at: datetime, deadline: datetime) -> None:
    question = QUESTIONS[outage.kind]
    task = lock_question(session, report.id)
    if task is None:
        add_task(
            session, Purpose.CLARIFICATION, at, deadline,
            report_id=report.id, number=report.contact_number, asked_by_id=user.id, words=question,
            outage_id=outage.id,
        )  # fmt: skip
    else:  # the applicant is to be called anyway
        task.ask_also(question)
        task.outage_id = task.outage_id or outage.id
    note_history(session, report, HistoryEvent.CLARIFICATION_ASKED, user, question, at=at)
    announce(session, "report", report.id)


def answer_restored(session: Session, task: CallTask, user: User, at: datetime, *, restored: bool) -> int | None:
    """What they said: the call is settled, and it stands in the history and with each outage that was asked about.
    What else was to be asked in the same call stays to be asked.

    Where it is not back, the id of a draft with their number and address, for a new report.
    """
    rows = select(OutageCaller, Outage.kind).join(Outage).where(OutageCaller.report_id == task.report_id)
    for row, kind in session.execute(rows.where(OutageCaller.restored.is_(None))):
        if row.outage_id == task.outage_id or QUESTIONS[kind] in task.questions:
            row.restored = restored
    note_history(session, task.report, HistoryEvent.NOTE, user, BACK if restored else NOT_BACK, at=at)
    move_task(session, task, Move(TaskEvent.SETTLED, user, Why.ANSWERED), at)
    rest = [question for question in task.questions if question not in QUESTIONS.values()]
    if rest:
        left = ask_the_rest(session, task, rest, at, promise=is_promised(session, task))
        hold([left], user, at)  # it is on the screen of who speaks with the applicant now
    announce(session, "report", task.report_id)
    return None if restored else _draft_of_the_same(session, task, user).id


def _draft_of_the_same(session: Session, task: CallTask, user: User) -> Report:
    former, draft = task.report, make_draft_by_hand(session, user, Source.TELEPHONE)
    values = {
        "text": NOT_BACK, "category_id": former.category_id, "street_id": former.street_id,
        "building": former.building, "flat": former.flat, "landmark": former.landmark,
        "applicant_name": former.applicant_name, "other_phone": task.number or "",
    }  # fmt: skip
    save_draft(session, draft, user, values, draft.revision, "")
    return draft


def _row(outage_id: int | None, report_id: int | None) -> Select:
    return select(OutageCaller).where(OutageCaller.outage_id == outage_id, OutageCaller.report_id == report_id)
