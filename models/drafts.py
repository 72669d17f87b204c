"""Drafts: opened by a call, a web form or by hand, claimed by one person, saved as it is typed, and ended as a report
or otherwise (I1-I6, I9)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.orm import Session, joinedload

from models.base import announce, now
from models.calls import LIVE_STATES, Call, CallState
from models.machine import IllegalMove
from models.people import Role, User
from models.pins import give_pin
from models.places import Category
from models.repeats import find_repeated
from models.reports import (
    OPEN_STATES,
    REPORT_TABLE,
    HistoryEvent,
    HistoryRow,
    Report,
    ReportEvent,
    ReportState,
    Source,
    move,
    next_number,
    note_history,
)
from models.search import make_findable
from models.telephone import to_e164
from models.work import begin_work
from models.workdays import KYIV


@dataclass(frozen=True)
class FieldError:
    """A field of the form that cannot stay as it is; ``message`` is a gettext id."""

    field: str
    message: str


class RegistrationRefused(Exception):
    """The draft lacks what registering needs (I5)."""

    def __init__(self, errors: list[FieldError]) -> None:
        super().__init__("; ".join(error.message for error in errors))
        self.errors = errors


class TakenByAnother(Exception):
    """Somebody else has this draft; ``owner`` is who."""

    def __init__(self, owner: User) -> None:
        super().__init__(owner.name)
        self.owner = owner


class DataTakenOut(Exception):
    """The applicant's data were taken out of the record (A3): there is nothing to go on with."""


class ReportIsClosed(Exception):
    """Nobody works on this ``report`` any more, so nothing is added to it."""

    def __init__(self, report: Report) -> None:
        super().__init__(report.number)
        self.report = report


class SavedMeanwhile(Exception):
    """The draft was saved by somebody else (or in another tab) since it was loaded."""


LEFT_AFTER = timedelta(minutes=30)  # without a change a colleague's draft is left

# what people type into a draft
DRAFT_FIELDS = (
    "category_id",
    "text",
    "street_id",
    "street_typed",
    "building",
    "flat",
    "landmark",
    "executor_id",
    "emergency",
    "applicant_name",
    "other_phone",
)
CALLED_AGAIN = "Дзвонили ще раз: див. останній дзвінок."  # in the language of the records
SPOKEN = (ReportState.CONSULTATION, ReportState.REDIRECTED, ReportState.WRONG_NUMBER)  # endings that tell of a talk
# how a person ends a draft without a report (I6); added to another report it ends by `attach_draft`
_NOT_ENDINGS = (ReportEvent.REGISTERED, ReportEvent.ATTACHED, ReportEvent.FORGOTTEN)
ENDINGS = {
    event: after
    for (before, event), after in REPORT_TABLE.items()
    if before == ReportState.DRAFT and event not in _NOT_ENDINGS
}


def report_of_call(session: Session, call: Call) -> Report:
    """The call's draft, or what became of it; made when there is none: one a call, whoever asks first (I1)."""
    return session.scalar(select(Report).where(Report.call_id == call.id)) or make_drafts(session, [call])[0]


def make_drafts(session: Session, calls: Sequence[Call]) -> list[Report]:
    """The drafts of calls that are new."""
    drafts = []
    for call in calls:
        draft = Report(
            state=ReportState.DRAFT,
            call_id=call.id,
            line_id=call.line_id,
            contact_number=call.number,
            created_at=call.started_at,
        )
        session.add(draft)
        note_history(session, draft, ReportEvent.CREATED, None, at=call.started_at, before="")
        announce(session, "call", call.id)
        drafts.append(draft)
    session.flush()  # whoever looks for one now finds it
    return drafts


def make_draft_by_hand(session: Session, user: User, source: Source, at: datetime | None = None) -> Report:
    """A draft of ``user``'s own without a call: somebody came, a camera saw it, a telephone outside of the exchange
    rang (I9)."""
    draft = Report(state=ReportState.DRAFT, source=source, owner_id=user.id, created_at=at or now())
    session.add(draft)
    note_history(session, draft, ReportEvent.CREATED, user, at=draft.created_at, before="")
    session.flush()
    announce(session, "intake", draft.id)
    return draft


def claim_draft(session: Session, draft: Report, user: User) -> None:
    """Make ``user`` the one who works on the draft; a change of hands leaves a history row.

    Nobody's draft can be taken, and that of a person who was switched off. Raises `TakenByAnother` when a colleague
    works on it, and `IllegalMove` when it is a draft no longer. Decided by one conditional update, so of two who
    claim at once exactly one gets it; until the transaction ends nobody else changes the draft.
    """
    _take(session, draft, user, Report.nobodys | (Report.owner_id == user.id))
    if draft.state != ReportState.DRAFT:
        raise IllegalMove("report", draft.state, HistoryEvent.TAKEN)
    if draft.owner_id != user.id:
        raise TakenByAnother(session.get_one(User, draft.owner_id))


def give_to_speaker(session: Session, draft: Report, user: User, call: Call) -> None:
    """The draft goes to ``user``, who has just begun to speak with the citizen (I3): also from somebody who only typed
    while it rang.

    Who has spoken in this call keeps it, though the call went on to another, and so does who works on it once the call
    is over. What the former owner typed stays in the draft; a change of hands leaves a history row.
    """
    session.refresh(draft, ["state", "owner_id"], with_for_update=True)  # somebody may begin to type now (PostgreSQL)
    former = draft.owner
    if former is user or draft.state != ReportState.DRAFT:
        return
    spoke = former is not None and any(
        leg.answered_at is not None and leg.phone is not None and leg.phone.user_id == former.id for leg in call.legs
    )
    if former is not None and (spoke or call.state != CallState.TALKING):
        return
    _take(session, draft, user, Report.owner_id == former.id if former else Report.owner_id.is_(None))


def may_take_over(draft: Report, user: User, at: datetime) -> bool:
    """Whether `take_over_draft` would give ``user`` this colleague's draft at this moment."""
    if draft.state != ReportState.DRAFT or draft.open_to(user) or (draft.call and draft.call.state in LIVE_STATES):
        return False
    return user.role == Role.SUPERVISOR or (draft.saved_at or draft.created_at) <= at - LEFT_AFTER


def take_over_draft(session: Session, draft: Report, user: User, at: datetime) -> None:
    """Make ``user`` the one who works on a colleague's draft, who is not there to hand it over.

    Not while its call goes on. The supervisor may at any other time, others `LEFT_AFTER` its last change. The history
    says who took it from whom. Raises `TakenByAnother` and `IllegalMove` as `claim_draft` does.
    """
    former = draft.owner
    if former is not None and former is not user:
        live = select(Call.id).where(Call.id == Report.call_id, Call.state.in_(LIVE_STATES)).exists()
        left = func.coalesce(Report.saved_at, Report.created_at) <= at - LEFT_AFTER
        free = and_(Report.owner_id == former.id, ~live, or_(left, user.role == Role.SUPERVISOR))
        _take(session, draft, user, free, HistoryEvent.TAKEN_OVER, former.name)
    claim_draft(session, draft, user)


def _take(
    session: Session,
    draft: Report,
    user: User,
    free: ColumnElement[bool],
    event: HistoryEvent = HistoryEvent.TAKEN,
    note: str = "",
) -> None:
    """Make ``user`` the owner if it is a draft and ``free``; else nothing changes. The draft is loaded anew."""
    former = draft.owner_id
    taken = session.execute(
        update(Report)
        .where(Report.id == draft.id, Report.state == ReportState.DRAFT, free)
        .values(owner_id=user.id)
        .execution_options(synchronize_session=False)
    )
    session.refresh(draft, ["state", "owner_id"])
    if taken.rowcount == 1 and former != user.id:
        draft.saved_at = now()
        note_history(session, draft, event, user, note)
        _announce_owner(session, draft)


def hand_over_draft(session: Session, draft: Report, user: User, to: User) -> None:
    """Give the draft to a colleague (``to``). Raises `TakenByAnother` when it is not ``user``'s, and `IllegalMove`."""
    claim_draft(session, draft, user)
    draft.owner_id, draft.saved_at = to.id, now()
    note_history(session, draft, HistoryEvent.HANDED_OVER, user, to.name)
    _announce_owner(session, draft)


def handings_over(session: Session, drafts: Iterable[Report]) -> dict[int, HistoryRow]:
    """How those of these drafts that a colleague handed over came to whom they belong now, by draft."""
    changes = (HistoryEvent.TAKEN, HistoryEvent.TAKEN_OVER, HistoryEvent.HANDED_OVER)
    last = (
        select(func.max(HistoryRow.id))
        .where(HistoryRow.report_id.in_([draft.id for draft in drafts]), HistoryRow.event.in_(changes))
        .group_by(HistoryRow.report_id)
    )
    query = select(HistoryRow).where(HistoryRow.id.in_(last), HistoryRow.event == HistoryEvent.HANDED_OVER)
    return {row.report_id: row for row in session.scalars(query.options(joinedload(HistoryRow.user)))}


def save_draft(
    session: Session, draft: Report, user: User, values: dict[str, object], revision: int, area_code: str
) -> None:
    """Save what was typed so far. ``values`` holds some of `DRAFT_FIELDS`; a local telephone among them can only be
    understood with the town's ``area_code``.

    Raises `TakenByAnother`, `SavedMeanwhile` when ``revision`` is not the stored one, and `IllegalMove` when the
    draft is a draft no longer.
    """
    claim_draft(session, draft, user)
    saved = session.execute(
        update(Report)
        .where(Report.id == draft.id, Report.state == ReportState.DRAFT, Report.revision == revision)
        .values(revision=revision + 1, saved_at=now())
        .execution_options(synchronize_session=False)
    )
    if saved.rowcount != 1:
        raise SavedMeanwhile()
    session.refresh(draft, ["revision", "saved_at"])
    for name in DRAFT_FIELDS:
        if name in values:
            setattr(draft, name, values[name])
    if "other_phone" in values:
        draft.contact_number = reachable_at(draft, area_code)
    make_findable(session, draft)


def reachable_at(draft: Report, area_code: str) -> str | None:
    """The number at which the applicant is reached: the caller's own, else the other telephone, if it is one."""
    own = draft.call.number if draft.call else None
    return own or to_e164(draft.other_phone, area_code)


def registration_errors(draft: Report) -> list[FieldError]:
    """What is missing before this draft can be registered (I5), from above; the executor follows from the category."""
    errors = []
    if draft.category_id is None:
        errors.append(FieldError("category_id", "Choose what kind of problem it is."))
    if draft.street_id is None and draft.street_typed:
        errors.append(FieldError("street_id", "This street is not in the list: choose one, or write it as a landmark."))
    elif draft.street_id is None and not draft.landmark.strip():
        errors.append(FieldError("street_id", "Choose the street, or write a landmark."))
    if not draft.text.strip():
        errors.append(FieldError("text", "Write what happened, in the applicant's words."))
    return errors


def register_draft(session: Session, draft: Report, user: User) -> None:
    """Turn a draft into a report: number, deadlines, history (I5).

    Where no executor is chosen it is the one responsible for the category. Raises `RegistrationRefused` with the
    fields to mend, `TakenByAnother`, `IllegalMove`.
    """
    claim_draft(session, draft, user)
    if errors := registration_errors(draft):
        raise RegistrationRefused(errors)
    at = now()
    draft.executor_id = draft.executor_id or session.get_one(Category, draft.category_id).organisation_id
    draft.registered_at = at
    draft.number = next_number(session, at.astimezone(KYIV).year)
    give_pin(draft)
    repeated = find_repeated(session, draft)
    draft.repeat_of_id = repeated.id if repeated else None
    make_findable(session, draft)
    move(session, draft, ReportEvent.REGISTERED, user, at=at)
    begin_work(session, draft, user, at)


def end_draft(
    session: Session, draft: Report, user: User, event: ReportEvent, note: str = "", at: datetime | None = None
) -> None:
    """End a draft without a report (I6): one of `ENDINGS`. Raises `TakenByAnother`, `IllegalMove`."""
    if event not in ENDINGS:
        raise IllegalMove("report", draft.state, event)
    claim_draft(session, draft, user)
    move(session, draft, event, user, note, at)


def attach_draft(session: Session, draft: Report, user: User, report: Report, at: datetime | None = None) -> None:
    """The call was about a report that is already there: add it, with what was typed as a note (I6, I10).

    So is what came without a call. The draft must be nobody's or ``user``'s own, and is the user's then; the report
    must be open (`OPEN_STATES`). Raises `TakenByAnother`, `IllegalMove` when the draft is one no longer, and
    `ReportIsClosed`.
    """
    claim_draft(session, draft, user)
    session.refresh(report, ["state"], with_for_update=True)
    if report.state not in OPEN_STATES:
        raise ReportIsClosed(report)
    draft.attached_to_id = report.id
    session.flush()
    move(session, draft, ReportEvent.ATTACHED, user, report.number or "", at)
    event = HistoryEvent.APPLICANT_TOLD_AGAIN if draft.call_id is None else HistoryEvent.APPLICANT_CALLED
    note_history(session, report, event, user, draft.text, at=at, told_by=draft)
    announce(session, "report", report.id)


def reopen_draft(session: Session, draft: Report, user: User) -> None:
    """Undo an ending: the draft is a draft again, with all that was typed.

    It must be nobody's or ``user``'s own, and is the user's then. Raises `TakenByAnother`, `DataTakenOut` once the
    applicant's data are gone, and `IllegalMove` for what did not end by one of `ENDINGS` or by `attach_draft`: a
    registered report stays one. The report that the call was added to hears that it was not about it, closed or not.
    """
    session.refresh(draft, ["anonymised_at"], with_for_update=True)
    if draft.anonymised_at is not None:
        raise DataTakenOut
    move(session, draft, ReportEvent.REOPENED, user)  # first, for only a draft can be claimed
    claim_draft(session, draft, user)
    report = session.get(Report, draft.attached_to_id) if draft.attached_to_id is not None else None
    if report is not None:
        draft.attached_to_id = None
        note_history(session, report, HistoryEvent.CALL_DETACHED, user)
        announce(session, "report", report.id)


def reopen_unspoken(session: Session, call: Call) -> None:
    """A talk that was recorded while the call rang, of a call that nobody answered, was none: the draft waits with the
    missed calls (C1). An ending recorded after the call stays: they were called back from elsewhere."""
    if call.state != CallState.MISSED or call.ended_at is None:
        return
    draft = report_of_call(session, call)
    if draft.state not in SPOKEN or draft.anonymised_at is not None:
        return
    session.flush()
    ended = select(HistoryRow.at).where(HistoryRow.report_id == draft.id, HistoryRow.to_state == draft.state)
    if session.scalars(ended.order_by(HistoryRow.id.desc()).limit(1)).one() < call.ended_at:
        move(session, draft, ReportEvent.REOPENED, None)


def _announce_owner(session: Session, draft: Report) -> None:
    """Whose the draft is stands with its call; without one, in the lists, in the counts and where it is open."""
    if draft.call_id is not None:
        announce(session, "call", draft.call_id)
    else:
        announce(session, "intake", draft.id)
        announce(session, "report", draft.id)
