"""The file that a person gets with all that is held about them: a page to read, and the same for a program."""

import io
import json
import zipfile
from datetime import datetime

from flask import render_template

READABLE, DATA = "dani.html", "dani.json"


def archive(data: dict[str, object], at: datetime) -> bytes:
    """A ZIP of the two, made at ``at``."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr(READABLE, render_template("privacy/export.html", data=data, at=at))
        packed.writestr(DATA, json.dumps({"made_at": at, **data}, ensure_ascii=False, indent=2, default=_plain))
    return file.getvalue()


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    raise TypeError(type(value).__name__)
