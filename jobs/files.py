"""Writing files whole: a reader, a crash or a full disk meets the old content or the new one, never half of it."""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


def write_whole(files: Mapping[Path, str | bytes], *, mode: int = 0o640, lasting: bool = True) -> None:
    """Put each content into its file; the first is put in place once all are written beside their places.

    A file that holds its content already is left alone: that asks nothing of a full disk. ``lasting`` files survive a
    power cut; what is written every few seconds, and means nothing after a restart, need not. Raises `OSError`, with
    every file as it was, when one cannot be written.
    """
    drafts = {}
    for path, given in files.items():
        content = given.encode() if isinstance(given, str) else given
        if _holds(path, content):
            continue
        draft = path.with_name(f"{path.name}.new")
        with open(os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, mode), "wb") as file:
            file.write(content)
            file.flush()
            if lasting:
                os.fsync(file.fileno())
        drafts[path] = draft
    for path, draft in drafts.items():
        draft.replace(path)


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Of the processes that are here for the same folder one goes on, the others wait for their turn."""
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


def _holds(path: Path, content: bytes) -> bool:
    try:
        return path.read_bytes() == content
    except OSError:
        return False
