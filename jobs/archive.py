"""The file of a backup: a ZIP with a manifest of everything in it, and at its very end a sum over all that is before.

Any tool can look into it; a file that is cut, or of which one byte was changed, is told from a whole one.
"""

import hashlib
import json
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

FORMAT = 1
CHUNK = 2**20
_MANIFEST = "manifest.json"
_SEAL = b"contact-center backup; sha256 of all before this sum: "
_SUM = 64  # hexadecimal digits

Tell = Callable[[str, int, int], None]  # what is being done, how far it is, how much there is


class BackupTrouble(Exception):
    """A backup cannot be made, or is not to be restored; the message is one sentence that says what to do."""


@dataclass(frozen=True)
class Kept:
    """One file of a backup. ``name`` is where it lies under ``CC_VAR``, ``mtime`` in seconds since the epoch."""

    name: str
    size: int
    sha256: str
    mtime: float


class _Sealed:
    """A file that is only written on and on, and remembers the sum over all but the last `_SUM` bytes."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._tail, self._sha256 = file, b"", hashlib.sha256()
        self._given_up = False

    def write(self, data: bytes) -> int:
        if not self._given_up:
            self._file.write(data)
            self._tail += data
            self._sha256.update(self._tail[:-_SUM])
            self._tail = self._tail[-_SUM:]
        return len(data)

    def flush(self) -> None:
        if not self._given_up:
            self._file.flush()

    def give_up(self) -> None:
        """Nothing more is written: the ZIP that is under way would like to end itself in order."""
        self._given_up = True

    def seal(self) -> None:
        self._file.seek(-_SUM, 2)
        self._file.write(self._sha256.hexdigest().encode())


class Writer:
    """Writes the parts of a backup one after the other."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._zip = archive
        self._kept: list[Kept] = []

    def add(self, name: str, source: BinaryIO, mtime: float, moved: Callable[[int], None], *, packed: bool) -> None:
        """Add what can be read from ``source``; ``moved`` is told of each piece how long it is."""
        entry = zipfile.ZipInfo(name)
        entry.compress_type = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
        entry.external_attr = 0o600 << 16
        sha256, size = hashlib.sha256(), 0
        with self._zip.open(entry, "w", force_zip64=True) as target:
            while piece := source.read(CHUNK):
                target.write(piece)
                sha256.update(piece)
                size += len(piece)
                moved(len(piece))
        self._kept.append(Kept(name, size, sha256.hexdigest(), mtime))

    def add_manifest(self, about: Mapping[str, Any]) -> None:
        """The last part: what the backup says of itself, and the list of all that was added."""
        listed = [vars(kept) for kept in self._kept]
        manifest = {"format": FORMAT, **about, "files": listed}
        self._zip.writestr(_MANIFEST, json.dumps(manifest, ensure_ascii=False, indent=1), zipfile.ZIP_DEFLATED)


@contextmanager
def writing(file: BinaryIO) -> Iterator[Writer]:
    """Write a backup into ``file``, which is sealed once this ends without an error."""
    sealed = _Sealed(file)
    archive = zipfile.ZipFile(sealed, "w", compresslevel=1)  # the processor is there for the calls
    try:
        yield Writer(archive)
    except BaseException:
        sealed.give_up()
        raise
    finally:
        archive.comment = _SEAL + bytes(_SUM)
        archive.close()
    sealed.seal()


class Archive:
    """A backup that was found whole. ``manifest`` is what it says of itself."""

    def __init__(self, path: Path, archive: zipfile.ZipFile, manifest: dict[str, Any]) -> None:
        self._path, self._zip, self.manifest = path, archive, manifest
        self.files = [Kept(**kept) for kept in manifest["files"]]

    def extract(self, kept: Kept, target: BinaryIO, moved: Callable[[int], None]) -> None:
        """Write the content of one file. Raises `BackupTrouble` when it is not what the manifest says."""
        sha256 = hashlib.sha256()
        with _damage_told(self._path), self._zip.open(kept.name) as source:
            while piece := source.read(CHUNK):
                target.write(piece)
                sha256.update(piece)
                moved(len(piece))
        if sha256.hexdigest() != kept.sha256:
            raise _damaged(self._path)


@contextmanager
def reading(path: Path, tell: Tell) -> Iterator[Archive]:
    """Open a backup, once all of it was read and found whole. Raises `BackupTrouble`."""
    with path.open("rb") as file:
        _check_seal(path, file, tell)
        with _damage_told(path):
            archive = zipfile.ZipFile(file)
        with archive:
            with _damage_told(path):
                manifest = json.loads(archive.read(_MANIFEST))
                if manifest["format"] > FORMAT:
                    raise BackupTrouble(
                        f"{path} comes from a newer version of the program ({manifest['product']}): install that one."
                    )
                found = Archive(path, archive, manifest)
            listed = [kept.name for kept in found.files]
            if sorted([*listed, _MANIFEST]) != sorted(archive.namelist()) or not all(map(_is_plain, listed)):
                raise _damaged(path)
            yield found


def _check_seal(path: Path, file: BinaryIO, tell: Tell) -> None:
    size = file.seek(0, 2)
    summed = size - _SUM
    if summed < len(_SEAL):
        raise _damaged(path)
    file.seek(summed - len(_SEAL))
    ending = file.read()
    sha256, done = hashlib.sha256(), 0
    file.seek(0)
    while done < summed and (piece := file.read(min(CHUNK, summed - done))):
        sha256.update(piece)
        done += len(piece)
        tell("check", done, summed)
    if ending != _SEAL + sha256.hexdigest().encode():
        raise _damaged(path)


def _is_plain(name: str) -> bool:
    """Whether the name leads into the folder into which it is extracted, and nowhere else."""
    return not {"", ".", ".."}.intersection(name.split("/"))


@contextmanager
def _damage_told(path: Path) -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, KeyError, TypeError) as error:
        raise _damaged(path) from error


def _damaged(path: Path) -> BackupTrouble:
    return BackupTrouble(f"{path} is damaged, or is no backup of ours: take another one.")
