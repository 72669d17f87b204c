"""Recording an inbound call: the one door through which AGI script, listener and reconciler all go (I1)."""

import re
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from models.base import announce
from models.calls import Call, earliest, find_call
from models.drafts import open_draft
from models.lines import Line
from models.reports import Report
from models.telephone import to_e164

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]+")


def record_inbound(
    session: Session,
    *,
    uniqueid: str,
    dialled: str,
    number_received: str,
    caller_name: str,
    at: datetime,
    area_code: str,
    recovered: bool = False,
) -> tuple[Call, Report]:
    """Find or make the call with this inbound channel, and its draft. Safe to run at the same time by several.

    ``dialled`` is the line as the dialplan knows it (digits); a line that is not ours leaves ``line_id`` empty. What
    the caller sent is kept as received, cut to the columns' widths and freed of control characters, and never
    stops the call. A call that is there already gets what was not known of it before, and the earliest time.
    """
    call = find_call(session, uniqueid)
    if call is None:
        line = find_line(session, dialled)
        call = Call(
            uniqueid=uniqueid,
            line_id=line.id if line else None,
            number_received=printable(number_received)[:128],
            number=to_e164(number_received, area_code),
            caller_name=printable(caller_name)[:128],
            started_at=at,
            recovered=recovered,
        )
        try:
            with session.begin_nested():
                session.add(call)
        except IntegrityError:  # another process was first (PostgreSQL; SQLite holds the write lock)
            call = find_call(session, uniqueid)
        else:
            announce(session, "call", call.id)
            return call, open_draft(session, call)
    draft = open_draft(session, call)
    if call.line_id is None and (line := find_line(session, dialled)) is not None:
        call.line_id = draft.line_id = line.id
    if not call.number_received:
        call.number_received = printable(number_received)[:128]
        call.number = draft.contact_number = to_e164(number_received, area_code)
    call.caller_name = call.caller_name or printable(caller_name)[:128]
    call.started_at = earliest(call.started_at, at)
    if session.is_modified(call):
        session.flush()
        announce(session, "call", call.id)
    return call, draft


def find_line(session: Session, dialled: str) -> Line | None:
    """The line whose number these digits are, in local or in international form."""
    digits = re.sub(r"\D", "", dialled)
    if not digits:
        return None
    for line in session.scalars(select(Line)):
        if digits in (line.digits, line.e164.lstrip("+"), line.e164.removeprefix("+38")):
            return line
    return None


def printable(text: str) -> str:
    """The text on one line, without control characters and half characters."""
    return _UNPRINTABLE.sub(" ", text.encode("utf-8", "replace").decode()).strip()
