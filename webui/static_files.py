"""Style sheets, scripts and icons, served by WhiteNoise and kept by browsers for a year.

Their address holds a hash of all of them (``/static/<hash>/css/app.css``), so a changed file has a new address;
and because the hash is part of the path, a module that imports ``./other.js`` gets the same version.
"""

import hashlib
import shutil
import tempfile
from pathlib import Path

from flask import Flask, Response, send_from_directory
from whitenoise import WhiteNoise
from whitenoise.compress import Compressor

_YEAR = 365 * 24 * 3600


def serve(app: Flask) -> None:
    """Serve the static folder; ``url_for("static", filename=...)`` gives the hashed address."""
    folder = Path(app.static_folder)
    version = version_of(folder)

    def latest(filename: str, version: str = "") -> Response:
        """A page opened before an update asks by an older address: it gets what there is now, not to be kept."""
        return send_from_directory(folder, filename, max_age=0)

    app.view_functions["static"] = latest
    app.add_url_rule("/static/<version>/<path:filename>", endpoint="static", view_func=latest)

    @app.url_defaults
    def add_version(endpoint: str, values: dict[str, object]) -> None:
        if endpoint == "static":
            values.setdefault("version", version)

    app.wsgi_app = WhiteNoise(app.wsgi_app, max_age=_YEAR, allow_all_origins=False, add_headers_function=_harden)
    app.wsgi_app.add_files(
        str(compressed(folder, app.config["SETTINGS"].run_dir / "static", version)), f"static/{version}/"
    )


def compressed(folder: Path, kept: Path, version: str) -> Path:
    """A copy of ``folder`` in ``kept/version``, with a ``.gz`` beside each file that gets smaller."""
    ready = kept / version
    if not ready.exists():
        kept.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(dir=kept))
        shutil.copytree(folder, draft, dirs_exist_ok=True)
        compressor = Compressor(quiet=True)
        for path in [path for path in draft.rglob("*") if path.is_file() and compressor.should_compress(path.name)]:
            compressor.compress(str(path))
        try:
            draft.rename(ready)
        except OSError:  # another process was first
            shutil.rmtree(draft)
    return ready


def version_of(folder: Path) -> str:
    """A short hash over the names and contents of all files in the folder."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def _harden(headers, _path: str, _url: str) -> None:
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Cross-Origin-Resource-Policy"] = "same-origin"
