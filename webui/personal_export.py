"""The file that a person gets with all that is held about them: a page to read, and the same for a program."""

import io
import json
import zipfile
from datetime import datetime

from flask import current_app, render_template

from jobs.filestore import path_of
from models.personal import Held
from webui.attachments import SUFFIXES
from webui.call_words import OUTCOMES, PURPOSES

READABLE, DATA, FILES = "dani.html", "dani.json", "faily"


def archive(data: dict[str, object], held: Held, at: datetime) -> bytes:
    """A ZIP of the two and of the files of the reports, made at ``at``."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        words = {"outcome_words": OUTCOMES, "purpose_words": PURPOSES}
        packed.writestr(READABLE, render_template("privacy/export.html", data=data, at=at, **words))
        packed.writestr(DATA, json.dumps({"made_at": at, **data}, ensure_ascii=False, indent=2, default=_plain))
        for hash_, type_ in sorted({(one.sha256, one.type) for one in held.files}):
            stored = path_of(current_app.config["SETTINGS"], hash_)
            if stored.exists():
                packed.write(stored, f"{FILES}/{hash_}{SUFFIXES[type_]}")
    return file.getvalue()


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    raise TypeError(type(value).__name__)
