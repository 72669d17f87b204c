"""The dialler: an RQ worker for the queue of calls, in the main thread of `jobs.rounds`.

It runs jobs without a process for each, one at a time: each only begins a call and takes some milliseconds. Killed at
any moment it has dialled nothing twice, for that is decided in the database.
"""

import signal
import sys
import time

import redis
from rq.worker import SimpleWorker

from jobs.heartbeat import Heart
from jobs.queues import dial_queue
from jobs.settings import Settings

BEAT_SECONDS = 2  # how often an idle worker says that it lives
_PAUSE = 1.0  # seconds until Redis is asked again


class Dialling(SimpleWorker):
    """A worker that says by its heartbeat that it gets on."""

    heart: Heart
    ending = False
    max_connection_wait_time = 2.0  # seconds between two tries to reach Redis
    log_job_description = False

    def heartbeat(self, *arguments: object, **options: object) -> None:
        super().heartbeat(*arguments, **options)
        self.heart.beat()

    def handle_warm_shutdown_request(self) -> None:
        self.ending = True


def work(settings: Settings, heart: Heart) -> None:
    """Dial what comes until SIGTERM; while Redis is away, say so and wait. For a main thread: it takes the signals."""
    while True:
        for told_to_end in (signal.SIGTERM, signal.SIGINT):  # the worker has handlers of its own while it works
            signal.signal(told_to_end, lambda *_: sys.exit(0))
        try:
            worker = _worker(settings, heart)
            worker.work(logging_level="WARNING")
        except redis.RedisError:
            heart.beat(False, "Redis does not answer: calls to citizens wait.")
            time.sleep(_PAUSE)
        else:
            if worker.ending:
                return


def _worker(settings: Settings, heart: Heart) -> Dialling:
    queue = dial_queue(settings)
    worker = Dialling(
        [queue],
        connection=queue.connection,
        serializer=queue.serializer,
        job_class=queue.job_class,
        worker_ttl=15 + BEAT_SECONDS,  # RQ looks up from its waiting fifteen seconds before that
        maintenance_interval=60,
        job_monitoring_interval=10,
    )
    worker.heart = heart
    return worker
