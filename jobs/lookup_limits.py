"""How often a report's PIN may be tried, online and by telephone together (W10).

Every try counts, right or wrong: of many at once none passes before the others were counted. Counted in Redis, in
memory while Redis is away, and neither a number nor who asks gets there.
"""

import hashlib
import hmac

from limits import RateLimitItem, parse
from limits.storage import MemoryStorage, RedisStorage, storage_from_string
from limits.strategies import FixedWindowRateLimiter
from redis import RedisError

from models.lookup import meant_number

LOOKUPS = "60/hour"  # from an address, or from a telephone; a whole house may share one
TRIES = "10/hour"  # for a number, from everywhere together: of a million PINs 240 a day
STORAGE_OPTIONS = {"socket_connect_timeout": 0.2, "socket_timeout": 0.2}


class CountsInRedis(RedisStorage):
    """The library's own, without the second client of the same that it would load if one is there: 5 MB a process."""

    STORAGE_SCHEME = ["redis", "rediss", "redis+unix"]
    DEPENDENCIES = {"redis": RedisStorage.DEPENDENCIES["redis"]}


class LookupLimits:
    """The counts of a site; ``secret`` is its own, so that nobody else can tell what is counted."""

    def __init__(self, redis_url: str, secret: str) -> None:
        self._secret = secret
        self._shared = FixedWindowRateLimiter(storage_from_string(storage_uri(redis_url), **STORAGE_OPTIONS))
        self._own = FixedWindowRateLimiter(MemoryStorage())

    def may_try(self, number: str) -> bool:
        """Count a try for the number as it was typed, however it is written; whether it may be made.

        What is no number finds no report, and is not counted.
        """
        meant = meant_number(number)
        return not meant or self._hit(parse(TRIES), "number", meant)

    def may_call(self, caller: str) -> bool:
        """Count a try from this telephone, "" for all that hide theirs; whether it may be made."""
        return self._hit(parse(LOOKUPS), "caller", caller)

    def _hit(self, limit: RateLimitItem, *what: str) -> bool:
        key = keyed(self._secret, *what)
        try:
            return self._shared.hit(limit, "pin", key)
        except RedisError:
            return self._own.hit(limit, "pin", key)


def storage_uri(redis_url: str) -> str:
    """The address of Redis as the library of limits writes it."""
    return redis_url.replace("unix://", "redis+unix://", 1) if redis_url.startswith("unix://") else redis_url


def keyed(secret: str, *parts: str) -> str:
    """A keyed hash: what was typed cannot be read from it, and nobody else can make it."""
    return hmac.new(secret.encode(), "\n".join(parts).encode(), hashlib.sha256).hexdigest()[:32]
