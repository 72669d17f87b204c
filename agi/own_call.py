"""A person of ours has lifted the receiver for a call that they asked for: whom the exchange dials now (C2).

Contract with the dialplan: it dials `NUMBER` and shows `BACK` as the number to call back; without `NUMBER` it hangs up.
"""

from dataclasses import dataclass

from agi.channel import Channel
from agi.database import Work
from jobs.attemptfacts import attempt_of
from models.attempts import Attempt, AttemptState, line_to_call_back
from models.base import db
from models.calling import as_dialled, may_be_dialled
from models.dialling import why_not

NUMBER, BACK = "CC_NUMBER", "CC_BACK"
SPARE = 0.3  # seconds that are kept for telling the dialplan


@dataclass(frozen=True)
class _Whom:
    number: str
    back: str


def own_call(channel: Channel, work: Work) -> None:
    """Tell the dialplan whom to dial, if the attempt is being dialled and something is left to ask."""
    attempt_id = attempt_of(channel.env.get("agi_uniqueid", ""))
    if attempt_id is None:
        return
    whom = work.read(lambda: _whom(attempt_id), channel.deadline - SPARE)
    if whom is not None:
        channel.set_variable(BACK, whom.back)
        channel.set_variable(NUMBER, whom.number)


def _whom(attempt_id: int) -> _Whom | None:
    session = db.session()
    attempt = session.get(Attempt, attempt_id)
    if attempt is None or attempt.by_machine or attempt.state != AttemptState.DIALLING:
        return None
    if not may_be_dialled(attempt.number) or all(why_not(session, task) for task in attempt.tasks):
        return None
    line = line_to_call_back(session, attempt)
    return _Whom(as_dialled(attempt.number), as_dialled(line.e164) if line else "")
