"""Where the files of reports lie: ``CC_VAR/attachments``, each under the hash of its content, written whole.

The name that somebody gave a file never becomes a path. The same content is kept once.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from jobs.files import one_at_a_time, write_whole
from jobs.settings import Settings

_HASH = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class Checked:
    """A file to be kept: its bytes, its type, and of a picture a small one for lists."""

    content: bytes
    type: str
    small: bytes | None = None


def keep(settings: Settings, file: Checked) -> str:
    """Put the file, and its small picture, into the store: the hash it is found by. Raises `OSError`."""
    sha256 = hash_of(file)
    path = path_of(settings, sha256)
    path.parent.mkdir(parents=True, exist_ok=True)
    parts = {path: file.content}
    if file.small is not None:
        parts[small_path_of(settings, sha256)] = file.small
    with one_at_a_time(path.parent):  # two may send the same at once
        write_whole(parts)
        path.touch()  # one that lay there is new again: `remove_old` must not take it from whoever keeps it now
    return sha256


def hash_of(file: Checked) -> str:
    """What the file is, or would be, found by."""
    return hashlib.sha256(file.content).hexdigest()


def stored(settings: Settings) -> Iterator[str]:
    """The hashes of all that lies in the store."""
    return (path.name[:64] for path in settings.attachments_dir.glob("??/*") if _HASH.match(path.name))


def remove_old(settings: Settings, sha256: str, before: float) -> bool:
    """Take the file and its small picture away, unless somebody kept it after ``before`` (seconds of the epoch)."""
    path = path_of(settings, sha256)
    if not path.parent.is_dir():
        return False
    with one_at_a_time(path.parent):
        parts = list(path.parent.glob(f"{sha256}*"))  # drafts that a crash left among them
        if not parts or any(part.stat().st_mtime >= before for part in parts):
            return False
        for part in parts:
            part.unlink()
    return True


def path_of(settings: Settings, sha256: str) -> Path:
    """Where the file with this hash lies, or would. Raises `ValueError` for what is no hash."""
    if not _HASH.fullmatch(sha256):
        raise ValueError("not a hash")
    return settings.attachments_dir / sha256[:2] / sha256


def small_path_of(settings: Settings, sha256: str) -> Path:
    """Where the small picture of this file lies."""
    return path_of(settings, sha256).with_suffix(".small")
