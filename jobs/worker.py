"""The dialler: an RQ worker for the queue of calls, in the main thread of `jobs.rounds`.

It runs jobs without a process for each, one at a time: each only begins a call and takes some milliseconds. Killed at
any moment it has dialled nothing twice, for that is decided in the database.
"""

import logging
import signal
import sys
import time

import redis
from rq.worker import SimpleWorker
from sqlalchemy.exc import SQLAlchemyError

from jobs.heartbeat import Heart
from jobs.queues import dial_queue, enqueue_dial
from jobs.settings import Settings
from models.attempts import AttemptState
from models.base import db
from models.dialling import live_attempts

BEAT_SECONDS = 2  # how often an idle worker says that it lives
_PAUSE = 1.0  # seconds until Redis is asked again

log = logging.getLogger(__name__)


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
            _wake_for_persons(settings)
            worker = _worker(settings, heart)
            worker.work(logging_level="WARNING")
        except redis.RedisError:
            heart.beat(False, "Redis does not answer: calls to citizens wait.")
            time.sleep(_PAUSE)
        else:
            if worker.ending:
                return


def _wake_for_persons(settings: Settings) -> None:
    """Put the calls that people wait for into the queue once more: Redis may have given the job to a worker that was
    just killed. What the machine planned is planned anew, after its speech was made."""
    try:
        for attempt in live_attempts(db.session()):
            if attempt.state == AttemptState.PLANNED and not attempt.by_machine:
                enqueue_dial(settings, attempt.id)
    except SQLAlchemyError as error:
        log.warning("what was planned is not known (%s): whoever calls is told to call again", type(error).__name__)
    finally:
        db.session.remove()


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
