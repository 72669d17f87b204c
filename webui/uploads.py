"""Files that come with a form: which addresses take them, how much at once, and a sentence for each that is refused."""

import re
from collections.abc import Sequence

from flask import Flask, current_app, request
from flask_babel import gettext as _
from werkzeug.datastructures import FileStorage

from jobs.filestore import Checked, hash_of, keep
from jobs.pictures import MOST_BYTES, NotAccepted, Refusal, check_file
from models.attachments import LONGEST_NAME, StoredFile
from models.intake import printable

UPLOAD_PATHS = re.compile(r"/povidomyty|/reports/\d{1,10}/act")
MOST_AT_ONCE = 3  # files: as many as fit
UPLOAD_BYTES = MOST_AT_ONCE * MOST_BYTES + 1024 * 1024
ACCEPTED = ".jpg,.jpeg,.png,.webp,.pdf,image/jpeg,image/png,image/webp,application/pdf"


def take_uploads(app: Flask) -> None:
    """Let the addresses with files take longer requests. Call it before what reads a form."""
    app.jinja_env.globals.update(accepted_files=ACCEPTED, most_bytes=MOST_BYTES, most_files=MOST_AT_ONCE)

    @app.before_request
    def widen() -> None:
        if UPLOAD_PATHS.fullmatch(request.path):
            request.max_content_length = UPLOAD_BYTES


def read_files(sent: Sequence[FileStorage]) -> tuple[list[tuple[Checked, str]], str]:
    """The files of a form with their names, and a sentence about the first that is not taken ("": all are).

    Takes as long as the pictures need: call it outside of any transaction.
    """
    chosen = [file for file in sent if file.filename]
    if len(chosen) > MOST_AT_ONCE:
        return [], _("Choose at most %(num)d files at once.", num=MOST_AT_ONCE)
    read: list[tuple[Checked, str]] = []
    for file in chosen:
        name = plain_name(file.filename or "")
        try:
            read.append((check_file(file.stream.read(MOST_BYTES + 1), name), name))
        except NotAccepted as refused:
            return [], why_not(refused.refusal, name)
    return read, ""


def described(read: Sequence[tuple[Checked, str]]) -> tuple[StoredFile, ...]:
    """What the rows of a report say of the files."""
    return tuple(StoredFile(hash_of(file), file.type, len(file.content), name) for file, name in read)


def keep_read(read: Sequence[tuple[Checked, str]]) -> None:
    """Put the files into the store: the last thing before their rows are committed, for what is refused is not kept.

    Raises `OSError`.
    """
    for file, _name in read:
        keep(current_app.config["SETTINGS"], file)


def plain_name(given: str) -> str:
    """The name that was given, without folders and control characters; only ever shown."""
    return printable(re.split(r"[/\\]", given)[-1])[-LONGEST_NAME:] or "—"


def why_not(refusal: Refusal, name: str) -> str:
    """What is wrong with the file, and what to do."""
    sentences = {
        Refusal.EMPTY: _("«%(name)s» is empty. Choose another file.", name=name),
        Refusal.TOO_LARGE: _("«%(name)s» is larger than 10 MB. Choose a smaller file.", name=name),
        Refusal.UNKNOWN: _("«%(name)s» is not taken. Choose a photo (JPEG, PNG, WebP) or a PDF.", name=name),
        Refusal.LIES: _("«%(name)s» is not what its name says. Choose a photo (JPEG, PNG, WebP) or a PDF.", name=name),
        Refusal.BROKEN: _("«%(name)s» is damaged and cannot be read. Choose another file.", name=name),
        Refusal.TOO_MANY_PIXELS: _("«%(name)s» has too many pixels. Make it smaller and choose it again.", name=name),
        Refusal.BUSY: _("There are many photos just now. Choose «%(name)s» again in a minute.", name=name),
    }
    return sentences[refusal]
