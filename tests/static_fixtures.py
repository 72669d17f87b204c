"""Style sheets and scripts, compressed once for all the applications of a process."""

from pathlib import Path
from tempfile import TemporaryDirectory

from webui import static_files

compressed_anew = static_files.compressed
_shared = TemporaryDirectory(prefix="cc-static-")


def compressed_once(folder: Path, _kept: Path, version: str) -> Path:
    return compressed_anew(folder, Path(_shared.name), version)
