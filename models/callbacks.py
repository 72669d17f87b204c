"""The administrators' calls: back to those whom we missed, and to applicants of whom something is asked (C1, C4)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, and_, exists, func, or_, select
from sqlalchemy.orm import Session, joinedload

from models.acts import WordsMissing
from models.attachments import hand_messages_on, take_messages_back
from models.attempts import Attempt, AttemptTask
from models.base import announce
from models.callers import open_reports
from models.calls import Call, CallState
from models.calltasks import CallTask, Move, Purpose, TaskEvent, TaskState, Why, move_task
from models.clarifications import answer_question
from models.dialling import Dialler
from models.drafts import CALLED_AGAIN, attach_draft, claim_draft, end_draft, reopen_draft, save_draft
from models.lists import Listed
from models.machine import IllegalMove
from models.missed import only_missed
from models.outage_calls import answer_restored
from models.own_calls import NEEDS_WORDS, SHOWN, Said, Told, own_attempt, put_off, tries_of
from models.people import User
from models.reports import HistoryRow, Report, ReportEvent, ReportState
from models.waiting import open_call_backs, who_calls_back

# how the draft of a missed call ends by each key; the others leave it to a person, or add it to a report
_ENDINGS = {
    Said.CONSULTED: ReportEvent.CONSULTED,
    Said.WRONG_NUMBER: ReportEvent.WRONG_NUMBER,
    Said.NOT_NEEDED: ReportEvent.DROPPED,
}
_SPOKEN = frozenset({Said.REGISTER, Said.CONSULTED, Said.ABOUT})


class NotTheirs(Exception):
    """The report that the talk was about is none of the open ones of this number."""


@dataclass(frozen=True)
class ToCall:
    """A citizen whom a person is to call: ``since`` when they wait, how often they called in vain, the calls so far.

    ``by`` is who works on a draft of theirs already.
    """

    task: CallTask
    since: datetime
    times: int
    tries: list[Attempt]
    by: User | None


def due_calls(session: Session, most: int = SHOWN) -> Listed[ToCall]:
    """What is asked about emergencies; those who wait for a call back, who waits longest first; what is asked else."""
    rows = session.execute(_due(CallTask).limit(most)).all()
    count = len(rows)
    if count == most:
        count = session.scalar(select(func.count()).select_from(_due(CallTask.id).order_by(None).subquery())) or 0
    tries = tries_of(session, [task.id for task, _since, _times in rows])
    works = who_calls_back(session)
    return Listed(
        [
            ToCall(task, since or task.created_at, times or 0, tries.get(task.id, []), works.get(task.number))
            for task, since, times in rows
        ],
        count,
    )


def call_of(session: Session, task_id: int, user: User) -> ToCall | None:
    """One of them, also one that was settled by the very talk of which ``user`` has not said yet what came of it.

    None where there is none, its call is none of these, or a colleague has ended all drafts of the citizen.
    """
    task = session.get(CallTask, task_id)
    if task is None or task.purpose not in (Purpose.CALL_BACK, Purpose.CLARIFICATION):
        return None
    drafts = _drafts_of(session, task)
    if task.purpose == Purpose.CALL_BACK and not drafts:
        return None
    if not (task.open or (drafts and _has_spoken(session, task, user))):
        return None
    since = min((draft.created_at for draft in drafts), default=task.created_at)
    tries = tries_of(session, [task.id]).get(task.id, [])
    return ToCall(task, since, len(drafts), tries, who_calls_back(session).get(task.number))


def unfinished_talk(session: Session, user: User) -> ToCall | None:
    """The call back of which this person, who spoke last in it, has not said what came of it."""
    last = select(Attempt).where(Attempt.user_id == user.id).order_by(Attempt.id.desc()).limit(1)
    attempt = session.scalars(last).first()
    for task in attempt.tasks if attempt is not None else []:
        draft = draft_of(session, task)
        if not task.open and draft is not None and draft.nobodys:
            return call_of(session, task.id, user)
    return None


def draft_of(session: Session, task: CallTask) -> Report | None:
    """The draft of the latest missed call that a call-back answers."""
    return next(iter(_drafts_of(session, task)), None)


def answer(session: Session, dialler: Dialler, task: CallTask, user: User, told: Told, at: datetime) -> int | None:
    """What came of the call; the id of the draft that is to be opened now, if one is.

    Raises `WordsMissing`, `WrongTime`, `NotTheirs`, `TakenByAnother`, `NotYours`, and `IllegalMove` where the call is
    over, or the key is none of it.
    """
    if task.outage_id is not None and task.open and told.said in (Said.RESTORED, Said.NOT_RESTORED):
        return answer_restored(session, task, user, at, restored=told.said == Said.RESTORED)
    if task.purpose == Purpose.CLARIFICATION:
        answer_question(session, dialler, task, user, told, at)
        return None
    drafts = _drafts_of(session, task)
    if not drafts or not (task.open or _has_spoken(session, task, user)):
        raise IllegalMove("task", task.state, told.said)
    if told.said in NEEDS_WORDS and not told.words.strip():
        raise WordsMissing(told.said)
    task.let_go()
    if told.said in (Said.LATER, Said.NOT_REACHED):
        put_off(session, dialler, _waiting_again(session, task, drafts, at), user, told, at)
        return None
    _end_drafts(session, drafts, user, told, at)
    for draft in drafts:
        if not draft.call.settled:
            draft.call.settled_by_user_id = user.id
            announce(session, "call", draft.call_id)
    if task.open:
        spoken = told.said in _SPOKEN
        event, why = (TaskEvent.SETTLED, Why.SPOKEN) if spoken else (TaskEvent.CANCELLED, Why.NOT_NEEDED)
        move_task(session, task, Move(event, user, why), at)
    return drafts[0].id if told.said == Said.REGISTER else None


def undo_ending(session: Session, draft: Report, user: User) -> None:
    """The draft is one again. A missed call that was settled by somebody's word alone waits to be called back again,
    and the drafts of earlier calls that were put away with this one come back with it; one of these that comes back
    alone has again what was said in its call (C1).

    Raises what `reopen_draft` does.
    """
    number = draft.call.number if draft.call is not None else None
    calls = session.scalars(select(Call.id).where(Call.number == number)).all() if number is not None else []
    for one in (draft, *_put_away_with(session, draft, calls)):
        reopen_draft(session, one, user)
        if one.call is not None:
            one.call.settled_by_user_id = None
    take_messages_back(session, draft, calls)


def _put_away_with(session: Session, draft: Report, calls: Sequence[int]) -> Sequence[Report]:
    """The drafts, of those of these calls, that were put away when this one ended (`CALLED_AGAIN`)."""
    ended = select(HistoryRow.at).where(
        HistoryRow.report_id == draft.id,
        HistoryRow.from_state == ReportState.DRAFT,
        HistoryRow.to_state == draft.state,
        HistoryRow.note != CALLED_AGAIN,
    )
    put_away = (
        select(Report)
        .join(HistoryRow, HistoryRow.report_id == Report.id)
        .where(
            Report.call_id.in_(calls),
            HistoryRow.note == CALLED_AGAIN,
            HistoryRow.at == ended.order_by(HistoryRow.id.desc()).limit(1).scalar_subquery(),
        )
    )
    found = session.scalars(put_away.order_by(Report.id))
    # as a condition, SQLite would walk all drafts by it
    return [one for one in found if one.state == ReportState.DROPPED]


def _due(what: type[CallTask] | object) -> Select:
    """The calls that are to be made, with since when those whom we missed wait, and how often they called."""
    missed = only_missed(select(Call.number, func.min(Call.started_at).label("since"), func.count().label("times")))
    missed = missed.where(Call.number.is_not(None)).group_by(Call.number).subquery()
    asked = and_(CallTask.purpose == Purpose.CLARIFICATION, CallTask.settled_at.is_(None))
    query = (
        select(what, missed.c.since, missed.c.times)
        .outerjoin(missed, and_(missed.c.number == CallTask.number, CallTask.purpose == Purpose.CALL_BACK))
        .where(or_(asked, and_(open_call_backs(), missed.c.since.is_not(None))))
    )
    if what is CallTask:
        query = query.options(
            joinedload(CallTask.held_by),
            joinedload(CallTask.call).joinedload(Call.line),
            joinedload(CallTask.report).options(
                joinedload(Report.category), joinedload(Report.street), joinedload(Report.call)
            ),
        )
    pressing = exists().where(Report.id == CallTask.report_id, Report.emergency)
    return query.order_by(~pressing, missed.c.since.is_(None), missed.c.since, CallTask.deadline_at, CallTask.id)


def _drafts_of(session: Session, task: CallTask) -> Sequence[Report]:
    """The drafts of the missed calls that this call-back answers, the latest call first; none of a clarification.

    Also those that a call about it settled: who answered may have been a machine. None where the number was erased: a
    call of which the number is withheld is a stranger's.
    """
    if task.purpose != Purpose.CALL_BACK or task.number is None:
        return []
    query = (
        select(Report)
        .join(Report.call)
        .where(
            Call.number == task.number,
            Call.state == CallState.MISSED,
            Report.state == ReportState.DRAFT,
            or_(~Call.settled, Call.settled_by_attempt_id.in_(_attempts_of(task))),
        )
        .options(joinedload(Report.call).joinedload(Call.line))
    )
    return session.scalars(query.order_by(Call.started_at.desc(), Call.id.desc())).all()


def _attempts_of(task: CallTask) -> Select:
    return select(AttemptTask.attempt_id).where(AttemptTask.task_id == task.id)


def _has_spoken(session: Session, task: CallTask, user: User) -> bool:
    """Whether it was this person's call that settled it."""
    attempt = own_attempt(session, task.id, user)
    settled = task.state == TaskState.SETTLED and task.why == Why.SPOKEN
    return settled and attempt is not None and attempt.answered_at is not None


def _waiting_again(session: Session, task: CallTask, drafts: Sequence[Report], at: datetime) -> CallTask:
    """The task that waits, for nobody has spoken with them after all: an answering machine is no person."""
    ours = set(session.scalars(_attempts_of(task)))
    for draft in drafts:
        if draft.call.settled_by_attempt_id in ours:
            draft.call.settled_by_attempt_id = None
            announce(session, "call", draft.call_id)
    if task.open:
        return task
    other = session.scalar(select(CallTask).where(open_call_backs(), CallTask.number == task.number))
    if other is not None:  # they have called again since
        return other
    move_task(session, task, Move(TaskEvent.REOPENED), at)
    return task


def _end_drafts(session: Session, drafts: Sequence[Report], user: User, told: Told, at: datetime) -> None:
    """The latest draft ends by the key or is opened; earlier ones in which nothing was typed are put away, and what was
    said out of hours goes to the latest."""
    latest, *earlier = drafts
    if told.said == Said.REGISTER:
        claim_draft(session, latest, user)
    elif told.said == Said.ABOUT:
        report = next((one for one in open_reports(session, latest.call.number) if one.id == told.about), None)
        if report is None:
            raise NotTheirs
        claim_draft(session, latest, user)
        typed = "\n".join(filter(None, (latest.text, told.words)))
        save_draft(session, latest, user, {"text": typed}, latest.revision, "")
        attach_draft(session, latest, user, report, at)
    elif told.said in _ENDINGS:
        end_draft(session, latest, user, _ENDINGS[told.said], told.words, at)
    else:
        raise IllegalMove("report", latest.state, told.said)
    for draft in earlier:
        if draft.open_to(user) and not draft.gist:
            hand_messages_on(session, draft, latest, at)
            end_draft(session, draft, user, ReportEvent.DROPPED, CALLED_AGAIN, at)
