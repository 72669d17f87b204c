"""Reading the CEL file on: what belongs to a line, which lines are new, and what becomes of a rotated file."""

import csv
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from zlib import crc32

FRESH = 3.0  # seconds that a line is left to the AGI script and the listener, which are faster
AHEAD = 60.0  # seconds; a line from further in the future was written before the clock was put right
HEAD = 64  # bytes of the first line: its time and unique id stand there
CHUNK = 65536  # bytes read and written down at once
# asterisk_conf/cel_custom.conf
COLUMNS = (
    "type", "time", "uniqueid", "linkedid", "channel", "context", "exten", "number", "name", "app", "data", "extra",
    "peer", "user_type",
)  # fmt: skip


@dataclass(frozen=True)
class Place:
    """How far a file was read: which file (inode and a sum over its first bytes) and the first byte not read."""

    inode: int
    head: int
    offset: int

    @classmethod
    def parse(cls, text: str) -> "Place":
        return cls(*map(int, text.split(":")))

    def __str__(self) -> str:
        return f"{self.inode}:{self.head}:{self.offset}"

    def is_in(self, path: Path) -> bool:
        """Whether this file is the one that was read; an inode alone may have been given to another meanwhile."""
        try:
            with path.open("rb") as file:
                return (os.fstat(file.fileno()).st_ino, _head(file)) == (self.inode, self.head)
        except FileNotFoundError:
            return False


def _head(file: BinaryIO) -> int:
    """A sum over the start of the first line, in which its time and unique id stand."""
    file.seek(0)
    return crc32(file.read(HEAD))


def last_change(path: Path) -> float | None:
    """When the file, or one rotated away from it, was last written to (seconds since the epoch); None without any."""
    changes = []
    for file in path.parent.glob(f"{path.name}*"):
        with suppress(FileNotFoundError):  # rotated on, or removed, this very moment
            changes.append(file.stat().st_mtime)
    return max(changes, default=None)


def parse(line: bytes) -> dict[str, str] | None:
    """The columns of one line by name, or None when it is cut or garbled.

    Asterisk puts every column in quotes and doubles the quotes inside, so a line that a caller put into his number
    (a line break is written as it came) cannot look like one of Asterisk's.
    """
    text = line.decode("utf-8", "replace").rstrip("\n")
    try:
        (values,) = csv.reader([text], strict=True)
        float(values[1])
    except (csv.Error, ValueError, IndexError):
        return None
    written = ",".join('"' + value.replace('"', '""') + '"' for value in values)
    return dict(zip(COLUMNS, values, strict=True)) if len(values) == len(COLUMNS) and written == text else None


def first_channels(line: bytes, systemname: str) -> list[tuple[str, str]]:
    """What a cut or garbled line still tells for sure: unique id and channel of each first channel of a talk in it.

    That is where a whole unique id of this exchange stands twice side by side, as unique id and as link id. The
    channel is cut where the line is, or empty. A quote that a caller sent is doubled, so he cannot write such a pair.
    """
    text = line.decode("utf-8", "replace").rstrip("\n")
    pair = rf'(?<!")"({re.escape(systemname)}-[0-9]+\.[0-9]+)","\1"(?:,"([^"]*))?'
    return [(found[1], found[2] or "") for found in re.finditer(pair, text)]


def read_lines(path: Path, place: Place | None, now: float) -> tuple[list[bytes], Place | None]:
    """The next whole lines after ``place``, about `CHUNK` bytes of them, and the place after them.

    A file that was rotated away is read to its end under its new name (beside the old one) before the new file is
    begun; one that was cut short is read from its start. Half a last line and lines younger than `FRESH` stay.
    """
    source = path
    if place is not None and not place.is_in(path):
        rotated = (file for file in sorted(path.parent.glob(f"{path.name}?*")) if place.is_in(file))
        source = next(rotated, path)
        place = place if source != path else None  # another file, or one begun anew: from its start
    try:
        with source.open("rb") as file:
            state, head = os.fstat(file.fileno()), _head(file)
            offset = place.offset if place is not None and place.offset <= state.st_size else 0
            file.seek(offset)
            lines = file.readlines(CHUNK)
    except FileNotFoundError:
        return [], place
    if source != path and not lines:
        return read_lines(path, None, now)
    taken = []
    for line in lines:
        row = parse(line)
        if not line.endswith(b"\n") and source == path:
            break
        if row is not None and now - FRESH < float(row["time"]) < now + AHEAD:
            break
        taken.append(line)
    if not taken and offset == 0:
        return [], place
    return taken, Place(state.st_ino, head, offset + sum(map(len, taken)))
