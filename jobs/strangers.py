"""Who knocks at the telephone port without being the trunk or a phone of ours: how often, and never who.

The exchange refuses them by itself (``alwaysauthreject``); its security events (Asterisk, "Security Event Framework")
tell of each, and name the account that was tried: a phone of ours with a wrong password is none of them. Many within
a short time are a scan: calls go on, and the port is better closed to the world.
"""

from collections import Counter, deque
from collections.abc import Collection

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
NO_ACCOUNT = "<unknown>"  # names the password of an account that was found missing: it is counted already
WITHIN = 600  # seconds
# A phone that the plan does not have any more may try every six seconds: a hundred times within ten minutes, and each
# time its account is found missing twice, without a password and with one. A scan tries thousands.
MANY = 300
OF_A_PHONE = 20  # a minute for each account of ours: one with a wrong password makes ten, who guesses it makes more
_MINUTE = 60  # seconds


class Strangers:
    """Counts by the minute what was refused; moments are of a clock that only goes forward, in seconds."""

    def __init__(self) -> None:
        self._minutes: deque[list[int]] = deque(maxlen=WITHIN // _MINUTE + 1)  # [minute, how many]
        self._of_ours: Counter[str] = Counter()  # in the last of these minutes

    def note(self, event: str, at: float, account: str | None = None, ours: Collection[str] = ()) -> None:
        """An event of the exchange, by its name, and the ``account`` that it names; ``ours`` are the phones' own."""
        if event not in REFUSED or account == NO_ACCOUNT:
            return
        minute = int(at) // _MINUTE
        if not self._minutes or self._minutes[-1][0] != minute:
            self._minutes.append([minute, 0])
            self._of_ours.clear()
        if account in ours:
            self._of_ours[account] += 1
            if self._of_ours[account] <= OF_A_PHONE:
                return
        self._minutes[-1][1] += 1

    def trouble(self, at: float) -> str:
        """What is to be told of them now, "" for nothing."""
        first = (int(at) - WITHIN) // _MINUTE
        if sum(count for minute, count in self._minutes if minute > first) < MANY:
            return ""
        return "Strangers try to get in at the telephone port: let the firewall pass only the trunk and the phones."
