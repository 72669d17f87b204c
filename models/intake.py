"""Recording that a citizen called: the call, made once whoever tells of it first, and its draft (I1)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from models.base import announce, insert_new
from models.calls import Call, earliest, find_call
from models.drafts import make_drafts, reachable_at, report_of_call
from models.lines import Line, find_line
from models.search import search_text
from models.telephone import to_e164

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]+")


@dataclass(frozen=True)
class Began:
    """A citizen called, as the exchange tells it: number and name as received, the line as the dialplan knows it.

    ``call`` is the unique id of the inbound trunk channel; ``recovered``: told by the CEL file; ``announced``: an
    outage, or the hours of the line, are announced to them before any phone rings.
    """

    call: str
    dialled: str  # as the exchange knows the line: its digits, or the number that the gateway called
    number: str
    name: str
    at: datetime
    recovered: bool = False
    announced: bool = False


def record_inbound(session: Session, began: Began, area_code: str) -> Call:
    """Find or make one call and its draft, as `record_calls` does."""
    return record_calls(session, [began], area_code, {})[began.call]


def record_calls(
    session: Session, begun: Sequence[Began], area_code: str, known: Mapping[str, Call]
) -> dict[str, Call]:
    """Find or make the calls and their drafts (I1): all of these and of ``known``, by their unique ids.

    Safe to run at the same time by several. What begins together is written together. A line that is not ours leaves
    ``line_id`` empty. What the citizen sent is kept as received, cut to the columns' widths and freed of control
    characters, and never stops the call. To a call that is there already is added what was not known of it, and the
    earliest time.
    """
    calls, lines = dict(known), {dialled: find_line(session, dialled) for dialled in {began.dialled for began in begun}}
    new, told_again = [], []
    for began in sorted(begun, key=lambda one: one.call):  # in one order: of two processes none waits for the other
        call = None if began.call in calls else _insert(session, began, lines[began.dialled], area_code)
        if call is None:
            told_again.append(began)
        else:
            calls[began.call] = call
            new.append(call)
    make_drafts(session, new)
    for began in told_again:
        call = calls.get(began.call) or find_call(session, began.call)
        calls[began.call] = call
        _complete(session, call, began, area_code)
    return calls


def _insert(session: Session, began: Began, line: Line | None, area_code: str) -> Call | None:
    """The call, when nobody else has made it."""
    return insert_new(
        session,
        Call,
        uniqueid=began.call,
        line_id=line.id if line else None,
        number_received=printable(began.number)[:128],
        number=to_e164(began.number, area_code),
        caller_name=printable(began.name)[:128],
        started_at=began.at,
        recovered=began.recovered,
        announced=began.announced,
    )


def _complete(session: Session, call: Call, began: Began, area_code: str) -> None:
    if call.line_id is None and (line := find_line(session, began.dialled)) is not None:
        call.line_id = report_of_call(session, call).line_id = line.id
    if began.number and not call.number_received:
        call.number_received = printable(began.number)[:128]
        call.number = to_e164(began.number, area_code)
        draft = report_of_call(session, call)
        draft.contact_number = reachable_at(draft, area_code)
        draft.search_text = search_text(draft)
    call.announced = call.announced or began.announced
    call.caller_name = call.caller_name or printable(began.name)[:128]
    call.started_at = earliest(call.started_at, began.at)
    if session.is_modified(call):
        announce(session, "call", call.id)


def printable(text: str) -> str:
    """The text on one line, without control characters and half characters."""
    return _UNPRINTABLE.sub(" ", text.encode("utf-8", "replace").decode()).strip()
