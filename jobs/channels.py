"""Whose end of a call a channel of the exchange is: a citizen's, a desk phone's, or neither."""

import re
from datetime import UTC, datetime

from models.base import now
from models.intake import Began

TRUNK = "PJSIP/trunk-"
_PHONE = re.compile(r"PJSIP/(.+)-[0-9a-f]{8}")
_UNTOLD = ("", "<unknown>")


def citizen_began(
    *, channel: str, uniqueid: str, linkedid: str, context: str, exten: str, number: str, name: str, at: datetime
) -> Began | None:
    """The call that this channel is the citizen's end of; None for every other channel, outgoing ones too.

    Once the dialplan has put the line's digits where the name was, the name says nothing about the caller.
    """
    arrives = context == "from-trunk" and uniqueid == linkedid and exten not in ("", "s")
    if not channel.startswith(TRUNK) or not uniqueid or not (arrives or context == "inbound"):
        return None
    return Began(
        call=uniqueid,
        dialled=exten,
        number="" if number in _UNTOLD else number,
        name="" if name in (*_UNTOLD, exten) else name,
        at=at,
    )


def phone_of(channel: str) -> str | None:
    """The endpoint's name when the channel is a desk phone's (``PJSIP/admin1-0000001c``), else None."""
    found = _PHONE.fullmatch(channel)
    return found.group(1) if found and not channel.startswith(TRUNK) else None


def moment(epoch: str) -> datetime:
    """Seconds since the epoch, as both sources write them; the present moment when they cannot be read."""
    try:
        return datetime.fromtimestamp(float(epoch), UTC)
    except (ValueError, OverflowError, OSError):
        return now()
