"""The red button: no machine call begins any more, and those that ring or talk now are ended at once (C5).

The channel of a machine call bears the attempt's number, so that it is hung up by its id; the attempt settles by that
hang-up as by every other. Calls of people go on, and so does the talk of a citizen who was put through to a person.
"""

import logging
import time
from contextlib import closing
from datetime import timedelta

from sqlalchemy import select
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
    try:
        with closing(log_in(settings, "dial")) as manager:
            return _hang_up(settings, manager, going_on)
    except ManagerException as error:
        log.warning("machine calls are stopped, but those that go on cannot be ended (%s)", type(error).__name__)
        return None


def _going_on(session: Session) -> dict[int, bool]:
    """The machine's attempts that were begun and have not ended, noted as stopped by us; and whether each was begun
    just now."""
    query = select(Attempt).where(
        Attempt.settled_at.is_(None),
        Attempt.user_id.is_(None),
        Attempt.state.in_((AttemptState.DIALLING, AttemptState.TALKING)),
    )
    found = [one for one in session.scalars(query.with_for_update()) if not one.keys.endswith(Key.PERSON)]
    fresh = now() - JUST_CLAIMED
    for one in found:
        one.note = NOTE_STOPPED
    return {one.id: one.answered_at is None and one.dialled_at > fresh for one in found}


def _hang_up(settings: Settings, manager: Manager, going_on: dict[int, bool]) -> int:
    """End the channel of each; one that was claimed just now is waited for, for it may not have begun yet."""
    left, ended, deadline = dict(going_on), 0, time.monotonic() + PATIENCE
    while left:
        for attempt_id in list(left):
            channel = channel_id(settings.profile.systemname, attempt_id)
            answer = manager.send_action({"Action": "Hangup", "Channel": channel})
            if answer.get_header("Response") == "Success":
                ended += 1
            elif left[attempt_id] and time.monotonic() < deadline:
                continue
            del left[attempt_id]
        if left:
            time.sleep(_PAUSE)
    return ended
