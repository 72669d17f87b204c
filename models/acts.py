"""Who may do what with a registered report, and when: the table of acts (W1-W8).

`ACTS` has a row for each act, with who may, in which states, and whether words are needed; `possible_acts` leaves out
what does not fit the present moment. The page shows what it returns, and every function of `models.work` asks it: what
it does not list is refused.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.base import now
from models.calltasks import open_question
from models.deadlines import Deadline, DeadlineKind, open_deadlines
from models.executions import execution_of, executions_of
from models.machine import IllegalMove
from models.people import ORGANISATION_ROLES, Role, User
from models.reports import AT_WORK, OPEN_STATES, REPORT_TABLE, UNDONE, HistoryRow, Report, ReportEvent, ReportState


class NotYours(Exception):
    """This person may not do that with this report."""


class WordsMissing(Exception):
    """The act needs words: what was done, the reasons, the applicant's words."""


class Act(StrEnum):
    INFORM_HEAD = "inform_head"
    ACCEPT = "accept"
    PLAN = "plan"
    COMPLETE = "complete"
    GIVE_REASONS = "give_reasons"
    CLOSE_UNSOLVED = "close_unsolved"
    RETURN = "return"
    CONFIRM = "confirm"
    REFUTE = "refute"
    CLOSE = "close"
    REASSIGN = "reassign"
    ADD_EXECUTOR = "add_executor"
    WARN = "warn"
    CORRECT = "correct"
    ADD_FILES = "add_files"
    NOTE = "note"
    PUBLIC_NOTE = "public_note"
    ASK = "ask"
    CALL_OFF = "call_off"


EXECUTOR = frozenset({Role.OPERATOR})
CONTROL = frozenset({Role.CONTROL_BODY})
CENTRE = frozenset({Role.ADMINISTRATOR, Role.DISPATCHER, Role.SUPERVISOR})
KEEPERS = frozenset({Role.ADMINISTRATOR, Role.SUPERVISOR})
_OPEN = frozenset(OPEN_STATES)
_AT_WORK, _UNDONE = frozenset(AT_WORK), frozenset(UNDONE)
_CLOSING = {event for (_before, event), after in REPORT_TABLE.items() if after == ReportState.CLOSED}


@dataclass(frozen=True)
class Terms:
    """Who may do an act, in which states of the report, and whether it needs words."""

    roles: frozenset[Role]
    states: frozenset[ReportState]
    words: bool = False


ACTS: dict[Act, Terms] = {
    Act.INFORM_HEAD: Terms(EXECUTOR, _UNDONE),  # R 4.2
    Act.ACCEPT: Terms(EXECUTOR, _UNDONE),  # R 4.3
    Act.PLAN: Terms(EXECUTOR, frozenset({ReportState.IN_PROGRESS})),  # R 4.4, W5
    Act.COMPLETE: Terms(EXECUTOR, frozenset({ReportState.IN_PROGRESS}), words=True),  # R 4.5
    Act.GIVE_REASONS: Terms(EXECUTOR, frozenset({ReportState.IN_PROGRESS}), words=True),  # R 4.4
    Act.CLOSE_UNSOLVED: Terms(CONTROL, frozenset({ReportState.REASONS_GIVEN}), words=True),  # R 4.4
    Act.RETURN: Terms(CONTROL, frozenset({ReportState.REASONS_GIVEN}), words=True),
    Act.CONFIRM: Terms(CENTRE, frozenset({ReportState.DONE})),  # S 3.2
    Act.REFUTE: Terms(CENTRE, frozenset({ReportState.DONE, ReportState.CLOSED}), words=True),  # S 3.2
    Act.CLOSE: Terms(KEEPERS | EXECUTOR, frozenset({ReportState.DONE}), words=True),  # R 4.5
    Act.REASSIGN: Terms(KEEPERS, _AT_WORK, words=True),
    Act.ADD_EXECUTOR: Terms(KEEPERS, _AT_WORK),  # W15
    Act.WARN: Terms(KEEPERS, _UNDONE),  # R 4.3
    Act.CORRECT: Terms(KEEPERS, _OPEN),  # what was wrong at intake (R 2.5)
    Act.ADD_FILES: Terms(CENTRE | EXECUTOR, _OPEN),
    Act.NOTE: Terms(CENTRE | EXECUTOR | CONTROL, _OPEN, words=True),
    Act.PUBLIC_NOTE: Terms(CENTRE | EXECUTOR, _OPEN, words=True),
    Act.ASK: Terms(KEEPERS, _OPEN, words=True),  # R 4.4
    Act.CALL_OFF: Terms(CENTRE, _OPEN, words=True),
}


def concerns(session: Session, report: Report, user: User) -> bool:
    """Whether the report is this person's business: their organisation's, one they control, or the centre's (W2).

    Drafts are the centre's alone.
    """
    if user.role in CENTRE:
        return True
    if report.number is None:
        return False
    if user.role in ORGANISATION_ROLES:
        return execution_of(session, report, user.organisation_id) is not None
    if user.role in CONTROL:
        controlled = {organisation.id for organisation in user.controls}
        return any(part.organisation_id in controlled for part in executions_of(session, report))
    return False


def possible_acts(session: Session, report: Report, user: User, at: datetime | None = None) -> list[Act]:
    """What this person can do with the report at ``at``, or now, in the order of `ACTS`."""
    if not concerns(session, report, user):
        return []
    part = execution_of(session, report, user.organisation_id) if user.role in EXECUTOR else None
    not_now = {
        Act.INFORM_HEAD: part is not None and part.informed_at is not None,
        Act.ACCEPT: part is not None and part.accepted_at is not None,
        Act.PLAN: (part is not None and (part.accepted_at is None or part.completed_at is not None))
        or report.overdue(at or now()),  # the term has passed: there is no day left to plan for
        Act.COMPLETE: part is not None and (part.accepted_at is None or part.completed_at is not None),
        Act.GIVE_REASONS: part is not None and (part.accepted_at is None or part.completed_at is not None),
        Act.CLOSE_UNSOLVED: not decides(session, report, user),
        Act.RETURN: not decides(session, report, user),
        Act.REFUTE: closed_unsolved(session, report),
        Act.WARN: not missed_by_operators(session, report, at or now()),
        Act.CALL_OFF: open_question(session, report.id) is None,
    }
    return [
        act
        for act, terms in ACTS.items()
        if user.role in terms.roles and report.state in terms.states and not not_now.get(act, False)
    ]


def check_act(
    session: Session, report: Report, user: User, act: Act, words: str | None = None, at: datetime | None = None
) -> None:
    """Raise `NotYours`, `IllegalMove` or `WordsMissing` where `ACTS` does not allow the act.

    Until the transaction ends nobody else moves the report (SQLite has taken its only write lock already).
    """
    session.refresh(report, ["state", "revision"], with_for_update=True)
    if user.role not in ACTS[act].roles or not concerns(session, report, user):
        raise NotYours(act)
    if act not in possible_acts(session, report, user, at):
        raise IllegalMove("report", report.state, act)
    if ACTS[act].words and words is not None and not words.strip():
        raise WordsMissing(act)


def missed_by_operators(session: Session, report: Report, at: datetime) -> list[Deadline]:
    """The deadlines of which the operators are to be warned: to inform the head, to take it to work (R 4.2, R 4.3)."""
    open_ones = open_deadlines(session, report, (DeadlineKind.INFORM_HEAD, DeadlineKind.ACCEPT))
    return [deadline for deadline in open_ones if deadline.late(at)]


def closed_unsolved(session: Session, report: Report) -> bool:
    """Whether the control body closed it as not solvable: nobody else opens it again (R 4.4)."""
    if report.state != ReportState.CLOSED:
        return False
    last = select(HistoryRow.event).where(HistoryRow.report_id == report.id, HistoryRow.event.in_(_CLOSING))
    return session.scalar(last.order_by(HistoryRow.id.desc()).limit(1)) == ReportEvent.CLOSED_UNSOLVED


def decides(session: Session, report: Report, user: User) -> bool:
    """Whether this member of the control body controls the organisation whose reasons wait for a decision (R 4.4)."""
    controlled = {organisation.id for organisation in user.controls}
    return any(
        part.reasons_at is not None and part.organisation_id in controlled for part in executions_of(session, report)
    )
