"""Where the files of reports lie: ``CC_VAR/attachments``, each under the hash of its content, written whole.

The name that somebody gave a file never becomes a path. The same content is kept once.
"""

import hashlib
import re
from pathlib import Path

from jobs.files import one_at_a_time, write_whole
from jobs.pictures import Checked
from jobs.settings import Settings

_HASH = re.compile("[0-9a-f]{64}")


def keep(settings: Settings, file: Checked) -> str:
    """Put the file, and its small picture, into the store: the hash it is found by. Raises `OSError`."""
    sha256 = hashlib.sha256(file.content).hexdigest()
    path = path_of(settings, sha256)
    path.parent.mkdir(parents=True, exist_ok=True)
    parts = {path: file.content}
    if file.small is not None:
        parts[small_path_of(settings, sha256)] = file.small
    with one_at_a_time(path.parent):  # two may send the same at once
        write_whole(parts)
    return sha256


def path_of(settings: Settings, sha256: str) -> Path:
    """Where the file with this hash lies, or would. Raises `ValueError` for what is no hash."""
    if not _HASH.fullmatch(sha256):
        raise ValueError("not a hash")
    return settings.attachments_dir / sha256[:2] / sha256


def small_path_of(settings: Settings, sha256: str) -> Path:
    """Where the small picture of this file lies."""
    return path_of(settings, sha256).with_suffix(".small")
