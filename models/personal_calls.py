"""Our own calls to one person: the tasks, the attempts, and that a number wants no machine calls (A3)."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import InstrumentedAttribute, Session, joinedload

from models.attempts import Attempt, AttemptTask, NeverByMachine
from models.calltasks import CallTask

_MANY = 500  # ids in one query


@dataclass(frozen=True)
class OurCalls:
    """What is held of calls to one person, the oldest first."""

    tasks: list[CallTask] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    never: list[NeverByMachine] = field(default_factory=list)

    @property
    def anything(self) -> bool:
        return bool(self.tasks or self.attempts or self.never)


def our_calls_to(
    session: Session, number: str | None, numbers: Collection[str], reports: Collection[int], calls: Collection[int]
) -> OurCalls:
    """The tasks about these reports and missed calls, and the attempts at them; with ``number`` also all to that one.

    ``numbers`` are those that may be on the list of who wants no machine calls. What we call an organisation about is
    not the applicant's: the number is its own.
    """
    wanted = [*_of(CallTask.report_id, reports), *_of(CallTask.call_id, calls), *_of(CallTask.number, [number])]
    tasks = {task.id: task for condition in wanted for task in session.scalars(_to_citizens().where(condition))}
    made = [select(AttemptTask.attempt_id).where(condition) for condition in _of(AttemptTask.task_id, tasks)]
    wanted = [*_of(Attempt.number, [number]), *(Attempt.id.in_(query) for query in made)]
    attempts = {
        attempt.id: attempt
        for condition in wanted
        for attempt in session.scalars(select(Attempt).where(condition).options(joinedload(Attempt.user)))
    }
    never = [
        row
        for condition in _of(NeverByMachine.number, numbers)
        for row in session.scalars(select(NeverByMachine).where(condition))
    ]
    return OurCalls([tasks[one] for one in sorted(tasks)], [attempts[one] for one in sorted(attempts)], never)


def exported_calls(ours: OurCalls) -> dict[str, object]:
    """All of it as plain values; colleagues stand in it by their role."""
    return {
        "calls_of_ours": [
            {
                "purpose": str(task.purpose),
                "report": task.report.number if task.report else None,
                "number": task.number,
                "words": task.words,
                "created_at": task.created_at,
                "settled_at": task.settled_at,
                "state": str(task.state),
            }
            for task in ours.tasks
        ],
        "attempts": [
            {
                "at": attempt.dialled_at or attempt.planned_at,
                "number": attempt.number,
                "by": str(attempt.user.role) if attempt.user else None,
                "ringing_at": attempt.ringing_at,
                "answered_at": attempt.answered_at,
                "ended_at": attempt.settled_at,
                "outcome": str(attempt.outcome) if attempt.outcome else None,
                "keys": attempt.keys,
            }
            for attempt in ours.attempts
        ],
        "no_machine_calls": [{"number": row.number, "at": row.at} for row in ours.never],
    }


def _to_citizens() -> Select[tuple[CallTask]]:
    return select(CallTask).where(CallTask.organisation_id.is_(None)).options(joinedload(CallTask.report))


def _of(column: InstrumentedAttribute, wanted: Collection) -> Iterator[ColumnElement[bool]]:
    """The conditions under which the column is one of these, a query each."""
    rows = sorted(one for one in wanted if one is not None)
    return (column.in_(rows[begin : begin + _MANY]) for begin in range(0, len(rows), _MANY))
