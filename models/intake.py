"""Recording an inbound call: the one door through which AGI script, listener and reconciler all go (I1)."""

import re
from datetime import datetime

from sqlalchemy.orm import Session

from models.base import announce, insert_new
from models.calls import Call, earliest, find_call
from models.drafts import make_draft, open_draft, reachable_at
from models.lines import find_line
from models.reports import Report
from models.search import search_text
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
    stops the call. A call that is there already is completed (`complete_inbound`).
    """
    line = find_line(session, dialled)
    call = insert_new(
        session,
        Call,
        uniqueid=uniqueid,
        line_id=line.id if line else None,
        number_received=printable(number_received)[:128],
        number=to_e164(number_received, area_code),
        caller_name=printable(caller_name)[:128],
        started_at=at,
        recovered=recovered,
    )
    if call is not None:
        draft = make_draft(session, call)
    else:
        call = find_call(session, uniqueid)
        draft = open_draft(session, call)
        complete_inbound(
            session,
            call,
            dialled=dialled,
            number_received=number_received,
            caller_name=caller_name,
            at=at,
            area_code=area_code,
        )
    return call, draft


def complete_inbound(
    session: Session,
    call: Call,
    *,
    dialled: str,
    number_received: str,
    caller_name: str,
    at: datetime,
    area_code: str,
) -> None:
    """Add to a call what was not known of it before, to its draft too, and the earliest time."""
    if call.line_id is None and (line := find_line(session, dialled)) is not None:
        call.line_id = open_draft(session, call).line_id = line.id
    if number_received and not call.number_received:
        call.number_received = printable(number_received)[:128]
        call.number = to_e164(number_received, area_code)
        draft = open_draft(session, call)
        draft.contact_number = reachable_at(draft, area_code)
        draft.search_text = search_text(draft)
    call.caller_name = call.caller_name or printable(caller_name)[:128]
    call.started_at = earliest(call.started_at, at)
    if session.is_modified(call):
        announce(session, "call", call.id)


def printable(text: str) -> str:
    """The text on one line, without control characters and half characters."""
    return _UNPRINTABLE.sub(" ", text.encode("utf-8", "replace").decode()).strip()
