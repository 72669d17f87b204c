"""The red button: no machine call begins any more, and those that ring or talk now are ended at once (C5).

The channel of a machine call bears the attempt's number, so that it is hung up by its id; the attempt settles by that
hang-up as by every other. Calls of people go on, and so does the talk of a citizen who was put through to a person.
"""

import logging
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from datetime import timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from jobs.ami import Manager, ManagerException, log_in
from jobs.attemptfacts import channel_id
from jobs.settings import Settings
from models.attempts import NOTE_STOPPED, Attempt, AttemptState, switch_machine
from models.base import now, transaction
from models.people import User
from models.status_script import Key

JUST_CLAIMED = timedelta(seconds=5)  # so long ago: its call may be on its way to the exchange still
PATIENCE = 1.0  # seconds, for such a call to appear
_PAUSE = 0.1

log = logging.getLogger(__name__)


def stop_machine_calls(settings: Settings, user_id: int) -> int | None:
    """Stop the machine's calls in this user's name, and end those that go on: how many were ended.

    None when the exchange does not answer: nothing begins any more all the same, but what rings or talks goes on.
    """
    with transaction() as session:
        switch_machine(session, session.get_one(User, user_id), now(), on=False)
        going_on = _going_on(session)
    if not going_on:
        return 0
    ended: set[int] = set()
    try:
        with closing(log_in(settings, "dial")) as manager:
            _note(going_on, NOTE_STOPPED)  # before the hang-up is told
            ended.update(_hang_up(settings, manager, going_on))
    except ManagerException as error:
        log.warning("machine calls are stopped, but those that go on cannot be ended (%s)", type(error).__name__)
        return None
    finally:
        _note({one for one, fresh in going_on.items() if one not in ended and not fresh}, "")
    return len(ended)


def _going_on(session: Session) -> dict[int, bool]:
    """The machine's attempts that were begun and have not ended; and whether each was begun just now."""
    query = select(Attempt).where(
        Attempt.settled_at.is_(None),
        Attempt.user_id.is_(None),
        Attempt.state.in_((AttemptState.DIALLING, AttemptState.TALKING)),
    )
    found = [one for one in session.scalars(query) if not one.keys.endswith(Key.PERSON)]
    fresh = now() - JUST_CLAIMED
    return {one.id: one.answered_at is None and one.dialled_at > fresh for one in found}


def _note(attempts: Collection[int], note: str) -> None:
    """Note of the attempts that we end them, or that they go on to their own end, where they have not ended yet.

    One that has only just begun keeps its note: where it rings yet, nothing is asked.
    """
    with transaction() as session:
        live = Attempt.id.in_(attempts) & Attempt.settled_at.is_(None)
        session.execute(update(Attempt).where(live).values(note=note))


def _hang_up(settings: Settings, manager: Manager, going_on: Mapping[int, bool]) -> Iterator[int]:
    """End the channel of each, and tell which were ended; one that was claimed just now is waited for, for it may not
    have begun yet."""
    left, deadline = dict(going_on), time.monotonic() + PATIENCE
    while left:
        for attempt_id in list(left):
            channel = channel_id(settings.profile.systemname, attempt_id)
            answer = manager.send_action({"Action": "Hangup", "Channel": channel})
            if answer.get_header("Response") == "Success":
                yield attempt_id
            elif left[attempt_id] and time.monotonic() < deadline:
                continue
            del left[attempt_id]
        if left:
            time.sleep(_PAUSE)
