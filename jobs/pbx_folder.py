"""The folder of the files that Asterisk reads: written beside the present one, then put in its place in one step.

``etc`` is a link. A reader, a crash or a full disk meets the old files or the new ones, never some of each; and the
former folder stays, so that going back to it asks nothing of a full disk.
"""

import os
import pwd
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from jobs.files import write_whole
from jobs.settings import Settings

SERVICE_USER = "contact-center"  # the account Asterisk runs under when the service is started by root

# what Asterisk's account may write
_OWN_FOLDERS = ("lib", "lib/agi-bin", "spool", "run", "log", "log/cel-custom", "remarks")


def install(settings: Settings, files: Mapping[str, str]) -> Path:
    """Make these files, by their names, the ones that Asterisk reads; returns their folder, ``etc``.

    Raises `OSError`, with the present ones as they are, when they cannot be written.
    """
    pbx = settings.pbx_dir
    own = [pbx / name for name in _OWN_FOLDERS]
    for folder in own:
        folder.mkdir(parents=True, exist_ok=True)
    folder = next((each for each in _folders(pbx) if _holds(each, files)), None) or _write(pbx, files)
    if os.geteuid() == 0:
        settings.var.chmod(0o711)  # the exchange's account passes through to its own folder, and sees nothing else
        account = pwd.getpwnam(SERVICE_USER)
        for path in (pbx, folder, *folder.iterdir()):  # which it reads, and cannot change
            os.chown(path, 0, account.pw_gid, follow_symlinks=False)
        for path in own:
            os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)
    _switch(pbx, folder)
    return pbx / "etc"


def _folders(pbx: Path) -> list[Path]:
    """The folders of configurations, the present one first."""
    found = [path for path in pbx.glob("etc-*") if path.is_dir()]
    present = (pbx / "etc").resolve()
    return sorted(found, key=lambda path: (path != present, path.name))


def _holds(folder: Path, files: Mapping[str, str]) -> bool:
    """Whether these and no others are in the folder."""
    try:
        return {path.name: path.read_bytes() for path in folder.iterdir()} == {
            name: text.encode() for name, text in files.items()
        }
    except OSError:
        return False


def _write(pbx: Path, files: Mapping[str, str]) -> Path:
    """A new folder with these files."""
    numbers = [int(path.name.partition("-")[2]) for path in _folders(pbx) if path.name[4:].isdecimal()]
    folder = pbx / f"etc-{max(numbers, default=0) + 1}"
    try:
        folder.mkdir(mode=0o750)
        write_whole({folder / name: text for name, text in files.items()})
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder


def _switch(pbx: Path, folder: Path) -> None:
    """Let ``etc`` be this folder, and take away all others but the one that it was."""
    etc = pbx / "etc"
    former = etc.resolve() if etc.exists() else None
    if former == folder:
        return
    link = pbx / "etc.new"
    link.unlink(missing_ok=True)
    link.symlink_to(folder.name)
    if etc.is_dir() and not etc.is_symlink():  # of before it was a link
        former = pbx / "etc-0"
        shutil.rmtree(former, ignore_errors=True)
        etc.rename(former)
    link.replace(etc)
    with suppress(OSError):
        _sync(pbx)
    for other in _folders(pbx):
        if other not in (folder, former):
            shutil.rmtree(other, ignore_errors=True)


def _sync(folder: Path) -> None:
    """The switch survives a power cut."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
