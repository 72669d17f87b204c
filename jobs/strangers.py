"""Who knocks at the telephone port without being the trunk or a phone of ours: how often, and never who.

The exchange refuses them by itself (``alwaysauthreject``); its security events (Asterisk, "Security Event Framework")
tell of each. Many within a short time are a scan: calls go on, and the port is better closed to the world.
"""

from collections import deque

REFUSED = frozenset(
    {
        "AuthMethodNotAllowed",
        "ChallengeResponseFailed",
        "FailedACL",
        "InvalidAccountID",
        "InvalidPassword",
        "RequestNotAllowed",
    }
)
WITHIN = 600  # seconds
MANY = 100  # a phone with a wrong password is refused once in some seconds: fewer than that
_MINUTE = 60  # seconds


class Strangers:
    """Counts by the minute what was refused; moments are of a clock that only goes forward, in seconds."""

    def __init__(self) -> None:
        self._minutes: deque[list[int]] = deque(maxlen=WITHIN // _MINUTE + 1)  # [minute, how many]

    def note(self, event: str, at: float) -> None:
        """An event of the exchange, by its name."""
        if event not in REFUSED:
            return
        minute = int(at) // _MINUTE
        if not self._minutes or self._minutes[-1][0] != minute:
            self._minutes.append([minute, 0])
        self._minutes[-1][1] += 1

    def trouble(self, at: float) -> str:
        """What is to be told of them now, "" for nothing."""
        first = (int(at) - WITHIN) // _MINUTE
        if sum(count for minute, count in self._minutes if minute > first) < MANY:
            return ""
        return "Strangers try to get in at the telephone port: let the firewall pass only the trunk and the phones."
