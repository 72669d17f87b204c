"""Each long-running part writes a small file about itself; the watchdog and the health page read them."""

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Beat:
    """What a part last said of itself. ``at`` and ``since`` are seconds since the epoch, UTC."""

    part: str
    at: float
    since: float
    ok: bool
    detail: str
    pid: int

    @property
    def age(self) -> float:
        return time.time() - self.at


class Heart:
    """Writes the beats of one part to ``run_dir/<part>.json``, atomically."""

    def __init__(self, run_dir: Path, part: str) -> None:
        self._path = run_dir / f"{part}.json"
        self._part = part
        self._ok: bool | None = None
        self._since = time.time()
        run_dir.mkdir(parents=True, exist_ok=True)

    def beat(self, ok: bool = True, detail: str = "") -> None:
        """Say that the part runs; ``ok`` is False when it runs but cannot do its work, ``detail`` says why."""
        if ok != self._ok:
            self._ok, self._since = ok, time.time()
        beat = {
            "part": self._part,
            "at": time.time(),
            "since": self._since,
            "ok": ok,
            "detail": detail,
            "pid": os.getpid(),
        }
        draft = self._path.with_suffix(".new")
        draft.write_text(json.dumps(beat))
        draft.replace(self._path)


def read_beat(run_dir: Path, part: str) -> Beat | None:
    """The part's last beat, or None when it never wrote one (or wrote half of one)."""
    try:
        return Beat(**json.loads((run_dir / f"{part}.json").read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None
