"""What the exchange tells of our own calls, by its manager interface or its CEL file, as facts about attempts.

The channel that a call of ours begins with has the attempt's number in its id; every further channel of the call begins
linked to it. What a channel is linked to later tells nothing: a citizen who called us may be joined to the call.
"""

import re
from datetime import datetime

from jobs.channels import TRUNK, phone_of
from models.attempts import End
from models.settling import AttemptLeg, Sign

KEY_EVENT = "CC_KEY"  # the type of the CEL line that tells which key was pressed

_ID = re.compile(r"(?P<systemname>[a-z0-9]+)-att-(?P<attempt>[1-9]\d{0,9})")


def channel_id(systemname: str, attempt_id: int) -> str:
    """The id of the channel with which the attempt's call begins (Originate's ``ChannelId``)."""
    return f"{systemname}-att-{attempt_id}"


def attempt_of(*ids: str) -> int | None:
    """The attempt whose call a channel belongs to, by its own id and its link id; None for every other channel."""
    for found in map(_ID.fullmatch, ids):
        if found:
            return int(found["attempt"])
    return None


def end_of(channel: str) -> End | None:
    """Whose end of the call the channel is; None for one that is neither the trunk's nor a desk phone's."""
    if channel.startswith(TRUNK):
        return End.THEIRS
    return End.OURS if phone_of(channel) else None


def leg_facts(
    attempt_id: int, channel: str, sign: Sign | None, at: datetime, cause: int | None = None
) -> list[AttemptLeg]:
    """What is told of one channel of the attempt's call, perhaps nothing."""
    end = end_of(channel)
    return [AttemptLeg(attempt_id, end, sign, at, cause)] if sign is not None and end is not None else []
