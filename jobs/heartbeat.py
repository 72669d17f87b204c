"""Each long-running part writes a small file about itself; the watchdog and the health page read them."""

import json
import logging
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from jobs.files import write_whole

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Beat:
    """What a part last said of itself. Times are seconds since the epoch, UTC: of the beat, of the process's start, and
    since when it is well or is not."""

    part: str
    at: float
    started: float
    since: float
    ok: bool
    detail: str
    pid: int

    @property
    def age(self) -> float:
        """Seconds since the beat. One from the future is as old: the clock was set back, and it beats no more."""
        return abs(time.time() - self.at)


class Heart:
    """Writes the beats of one part to ``run_dir/<part>.json``, atomically."""

    def __init__(self, run_dir: Path, part: str) -> None:
        self._path = run_dir / f"{part}.json"
        self._part = part
        self._said: tuple[bool, str] | None = None
        self._started = self._since = time.time()
        run_dir.mkdir(parents=True, exist_ok=True)

    def beat(self, ok: bool = True, detail: str = "") -> None:
        """Say that the part runs; ``ok`` is False when it runs but cannot do its work, ``detail`` says why.

        The file is written when something changed and only touched otherwise: that works on a full disk, too.
        """
        said = (ok, detail)
        try:
            if said == self._said:
                os.utime(self._path)
                return
            if self._said is None or ok != self._said[0]:
                self._since = time.time()
            beat = {
                "part": self._part, "started": self._started, "since": self._since, "ok": ok, "detail": detail,
                "pid": os.getpid(),
            }  # fmt: skip
            write_whole({self._path: json.dumps(beat)}, lasting=False)
            self._said = said
        except OSError as error:
            log.warning("the heartbeat of %s cannot be written: %s", self._part, error.strerror)
            with suppress(OSError):  # alive all the same: what a former process wrote only gets older
                os.utime(self._path)


def read_beat(run_dir: Path, part: str) -> Beat | None:
    """The part's last beat, or None when it never wrote one (or wrote half of one)."""
    path = run_dir / f"{part}.json"
    try:
        return Beat(at=path.stat().st_mtime, **json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None
