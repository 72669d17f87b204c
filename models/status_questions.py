"""What a machine call asks about: the reports of its attempt, and all that may be said about them (C3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy.orm import Session

from models import status_script as script
from models.attempts import LIVE_ATTEMPTS, NOTE_STOPPED, Attempt
from models.reports import Report
from models.spoken import Sentence
from models.status_script import Asked, Key
from models.workdays import KYIV

ANSWERS = (Key.DONE, Key.NOT_DONE, Key.PARTLY, Key.PERSON, Key.NOT_ME)


@dataclass(frozen=True)
class Question:
    """One report that is asked about."""

    task_id: int
    asked: Asked


def questions_of(session: Session, attempt_id: int) -> list[Question]:
    """The reports of a machine's attempt that goes on and that are still to be asked about, in order.

    None of an applicant who has another number by now: a stranger may have lifted the receiver.
    """
    attempt = session.get(Attempt, attempt_id)
    if attempt is None or not attempt.by_machine or attempt.state not in LIVE_ATTEMPTS or attempt.note == NOTE_STOPPED:
        return []
    asked = [part for part in attempt.parts if part.task.open and part.task.report is not None and not part.key]
    return [
        Question(part.task_id, _asked(part.task.report))
        for part in asked
        if part.task.report.contact_number == attempt.number
    ]


def prompts_of(questions: Sequence[Question], town: str, today: date) -> list[list[Sentence]]:
    """All that may be said in a call about these reports: it is spoken and kept before the call is made."""
    said = [script.greeting(town), script.how_many(len(questions)), script.check_over(), script.check_away()]
    said += [script.question(one.asked, today, following=place > 0) for place, one in enumerate(questions)]
    said += [script.answered(key) for key in ANSWERS]
    said += [script.leave_words(), script.words_kept()]
    return [*said, script.wrong_key(), script.no_input(), script.gives_up(), script.goodbye(), script.nobody_free()]


def _asked(report: Report) -> Asked:
    return Asked(
        day=(report.registered_at or report.created_at).astimezone(KYIV).date(),
        subject=report.category.name if report.category else "",
        street=report.street.name if report.street else "",
    )
