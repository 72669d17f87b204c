"""Photos and documents of reports: by their id, to those whose business the report is, and never as a page (A3)."""

import logging
from pathlib import Path, PurePath

from flask import Blueprint, Response, abort, current_app, send_file
from flask_login import current_user

from jobs.filestore import path_of, small_path_of
from models.acts import concerns
from models.attachments import REMARK_TYPE, Attachment
from models.base import db
from webui.access import DESK_ROLES, REPORT_ROLES, allow, log_looks
from webui.text import without_numbers

bp = Blueprint("attachments", __name__)
log = logging.getLogger(__name__)

SUFFIXES = {
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/webp": ".webp",
    "application/pdf": ".pdf",
    REMARK_TYPE: ".wav",
}
SMALL = "image/webp"
# whatever a file holds, a browser that opens it runs nothing of it
CLOSED_POLICY = "default-src 'none'; sandbox"


@bp.get("/attachments/<int:attachment_id>")
@allow(*REPORT_ROLES)
def show(attachment_id: int) -> Response:
    """The file; a picture is shown, spoken words are heard, a document is saved. The look is recorded."""
    found = find(attachment_id)
    stored, inside = path_of(current_app.config["SETTINGS"], found.sha256), found.picture or found.spoken
    type_, name = found.type, PurePath(shown_name(found.name)).stem + SUFFIXES[found.type]
    log_looks("attachment", [attachment_id], "a file of a report")
    return answer(stored, type_, name, save=not inside)


@bp.get("/attachments/<int:attachment_id>/small")
@allow(*REPORT_ROLES)
def show_small(attachment_id: int) -> Response:
    """The small picture for lists; the page that shows it has recorded the look at its report."""
    found = find(attachment_id)
    if not found.picture:
        abort(404)
    return answer(small_path_of(current_app.config["SETTINGS"], found.sha256), SMALL, "small.webp")


def shown_name(name: str) -> str:
    """The name that was given; outside of the centre with its telephones masked: the look at the file is recorded."""
    return name if current_user.role in DESK_ROLES else without_numbers(name)


def find(attachment_id: int) -> Attachment:
    """The file's row, or 404 where its report is not this person's business."""
    session = db.session()
    found = session.get(Attachment, attachment_id)
    if found is None or not concerns(session, found.report, current_user):
        abort(404)
    return found


def answer(stored: Path, type_: str, name: str, save: bool = False) -> Response:
    if not stored.exists():
        log.error("a file of a report is not in the store any more")
        abort(404)
    response = send_file(stored, mimetype=type_, as_attachment=save, download_name=name)
    response.headers["Content-Security-Policy"] = CLOSED_POLICY
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    response.headers["Cache-Control"] = "no-store"
    return response
