"""The queue of calls to be dialled. Redis only wakes the dialler: what is to be dialled stands in the database.

A job carries an attempt's number and nothing else. Whoever can write into Redis can have an attempt dialled that the
rules have planned, and no more: jobs are JSON, and only the functions listed here are run.
"""

import redis
from rq import Queue
from rq.job import Job
from rq.serializers import JSONSerializer

from jobs.settings import Settings

DIAL = "jobs.dial.dial"
ALLOWED = frozenset({DIAL})
JOB_SECONDS = 25  # a job that takes longer is broken off; what it has dialled by then is found out, not dialled again
KEPT_SECONDS = 3600  # of a failed job


class NotAllowed(Exception):
    """Somebody put a job into the queue that is none of ours."""


class DialJob(Job):
    """A job of the functions in `ALLOWED`, after which nothing else is run and nobody is told."""

    def restore(self, raw_data: dict[bytes, bytes]) -> None:
        extras = (b"callback", b"webhooks")
        super().restore({name: value for name, value in raw_data.items() if not any(map(name.__contains__, extras))})

    @property
    def func(self) -> object:
        if self.func_name not in ALLOWED or self.instance is not None:
            raise NotAllowed(self.func_name)
        return super().func


def dial_queue(settings: Settings) -> Queue:
    connection = redis.Redis.from_url(
        settings.redis_url, socket_connect_timeout=1.0, socket_timeout=5.0, retry=None, protocol=2
    )
    return Queue("dial", connection=connection, serializer=JSONSerializer, job_class=DialJob)


def enqueue_dial(settings: Settings, attempt_id: int) -> None:
    """Wake the dialler for this attempt. Raises `redis.RedisError` when Redis is away."""
    dial_queue(settings).enqueue_call(
        DIAL, args=(attempt_id,), timeout=JOB_SECONDS, result_ttl=0, failure_ttl=KEPT_SECONDS, ttl=JOB_SECONDS
    )
