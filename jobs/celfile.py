"""The CEL file: what belongs to a line, which lines are new, when the file is put aside, and when it is deleted.

Asterisk opens the file for each line, and ends one line before it begins the next. So the file may be renamed at any
moment: the line that is just being written still goes into it, the next one begins a new file.
"""

import csv
import errno
import os
import re
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from zlib import crc32

FRESH = 3.0  # seconds that a line is left to the AGI script and the listener, which are faster
AHEAD = 60.0  # seconds; a line from further in the future was written before the clock was put right
HEAD = 64  # bytes of the first line: its time and unique id stand there
CHUNK = 65536  # bytes read and written down at once
LARGE = 10 * 2**20  # bytes; a file as large as this is put aside
OLD = 86_400.0  # seconds since its first line, after which it is put aside, too
KEPT = 30 * 86_400.0  # seconds since its last line, after which a file put aside is deleted
ROOM = 2**20  # bytes that must be free on the disk, or Asterisk could not begin another file
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

    The files put aside are read to their ends before the present one is begun. When the place is in none of them (the
    file was cut short, the database comes from an old backup) all are read from the start of the oldest: what is known
    already changes nothing. Half a last line and lines younger than `FRESH` stay.
    """
    earlier = earlier_files(path)
    files = [*earlier, path]
    start = _position(files, place)
    offset = 0 if start is None else place.offset
    for position in range(start or 0, len(files)):
        # asked before it is read: when a later file has a line, nothing more comes into this one
        complete = any(_size(later) for later in files[position + 1 :])
        lines = []
        with suppress(FileNotFoundError), files[position].open("rb") as file:
            state, head = os.fstat(file.fileno()), _head(file)
            offset = offset if offset <= state.st_size else 0
            file.seek(offset)
            lines = file.readlines(CHUNK)
        if lines or not complete:
            break
        offset = 0
    if earlier_files(path) != earlier:  # by another process meanwhile: what was opened may be the next file
        return read_lines(path, place, now)
    taken = []
    for line in lines:
        row = parse(line)
        if not line.endswith(b"\n") and not complete:
            break
        if row is not None and now - FRESH < float(row["time"]) < now + AHEAD:
            break
        taken.append(line)
    if not taken:
        return [], place
    return taken, Place(state.st_ino, head, offset + sum(map(len, taken)))


def put_aside(path: Path, now: float) -> None:
    """Rename a large or old file to ``cel.csv.<number>``, the next higher one, so that Asterisk begins another.

    On a full disk it stays: there its last block may take some lines yet. Raises `OSError` when it cannot be renamed.
    One process at a time may do this: two would choose the same number.
    """
    try:
        with path.open("rb") as file:
            state, folder = os.fstat(file.fileno()), path.parent.stat()
            first = next((row for row in map(parse, file) if row is not None), None)
    except FileNotFoundError:
        return
    age = now - float(first["time"]) if first is not None else 0.0
    size = state.st_size
    if (size >= LARGE or age >= OLD) and state.st_uid != folder.st_uid:
        raise PermissionError(errno.EPERM, "its folder belongs to another account")  # which could begin no other file
    if (size >= LARGE or age >= OLD) and shutil.disk_usage(path.parent).free >= ROOM:
        number = max(map(_number, earlier_files(path)), default=0) + 1
        path.rename(path.with_name(f"{path.name}.{number}"))


def delete_read(path: Path, place: Place | None, now: float) -> None:
    """Delete the files put aside whose last line is older than `KEPT`, if all of it was read. Raises `OSError`."""
    files = [*earlier_files(path), path]
    for file in files[: _position(files, place) or 0]:
        if now - file.stat().st_mtime > KEPT:
            file.unlink()


def earlier_files(path: Path) -> list[Path]:
    """The files put aside, the oldest first."""
    try:
        listed = list(path.parent.iterdir())
    except FileNotFoundError:
        return []
    return sorted((file for file in listed if file.stem == path.name and _number(file)), key=_number)


def _number(file: Path) -> int:
    """The number of a file put aside; 0 for any other."""
    number = file.name.rpartition(".")[2]
    return int(number) if re.fullmatch("[0-9]{1,9}", number) else 0


def _position(files: list[Path], place: Place | None) -> int | None:
    """Which of the files the place is in; None when it is in none."""
    return next((at for at, file in enumerate(files) if place is not None and place.is_in(file)), None)


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0
