"""``python -m jobs.worker``: the dialler, an RQ worker for the queue of calls.

It runs jobs in its own process, one at a time: each only begins a call and takes some milliseconds. Killed at any
moment it has dialled nothing twice, for that is decided in the database.
"""

import logging
import sys
import time

import redis
from rq.worker import SimpleWorker

from jobs.app import bare_app
from jobs.heartbeat import Heart
from jobs.logs import write_log
from jobs.queues import dial_queue
from jobs.settings import Settings, SettingsError

BEAT_SECONDS = 15.0  # how often an idle worker says that it lives
_PAUSE = 1.0  # seconds until Redis is asked again

log = logging.getLogger(__name__)


class Dialling(SimpleWorker):
    """A worker that says by its heartbeat that it gets on."""

    heart: Heart
    max_connection_wait_time = 2.0  # seconds between two tries to reach Redis
    log_job_description = False

    def heartbeat(self, *arguments: object, **options: object) -> None:
        super().heartbeat(*arguments, **options)
        self.heart.beat()


def work(settings: Settings, heart: Heart) -> None:
    """Dial what comes until SIGTERM; while Redis is away, say so and wait."""
    while True:
        queue = dial_queue(settings)
        worker = Dialling(
            [queue],
            connection=queue.connection,
            serializer=queue.serializer,
            job_class=queue.job_class,
            worker_ttl=int(BEAT_SECONDS * 2),
            maintenance_interval=60,
            job_monitoring_interval=10,
        )
        worker.heart = heart
        try:
            worker.work(logging_level="WARNING")
        except redis.RedisError:
            heart.beat(False, "Redis does not answer: calls to citizens wait.")
            time.sleep(_PAUSE)
        if worker._stop_requested:
            return


def main() -> int:
    write_log()
    try:
        app = bare_app(lock_seconds=5.0)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    settings = app.config["SETTINGS"]
    with app.app_context():
        work(settings, Heart(settings.run_dir, "worker"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
