"""What a line of the CEL file tells, as facts about calls; the line was read by `jobs.celfile`."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from jobs.attemptfacts import KEY_EVENT, leg_facts
from jobs.callfacts import Answered, CallEnded, Fact, KeyPressed, LegEnded, Ours, Progress, Rang
from jobs.callmemory import Legs
from jobs.celfile import first_channels
from jobs.channels import TRUNK, citizen_began, moment, phone_of
from models.intake import Began
from models.settling import Sign
from models.status_script import HandoverKey, Key

Row = dict[str, str]
_ANSWERS = "".join(sorted({*Key, *HandoverKey} - {Key.AGAIN}))  # `Key.AGAIN` answers nothing
_KEY = re.compile(rf"(\d{{1,10}}):([{re.escape(_ANSWERS)}])")


def _rings(row: Row, at: datetime, legs: Legs) -> list[Progress]:
    return legs.about(Rang, row["channel"], row["uniqueid"], row["linkedid"], at)


def _speaks(row: Row, at: datetime, legs: Legs) -> list[Progress]:
    return legs.about(Answered, row["channel"], row["uniqueid"], row["linkedid"], at)


def _picked_up(row: Row, at: datetime, legs: Legs) -> list[Progress]:
    extra = _extra(row)
    leg, phone = str(extra.get("pickup_channel_uniqueid", "")), phone_of(str(extra.get("pickup_channel", "")))
    if not phone:
        return []
    call = legs.call_of(row["uniqueid"], row["linkedid"], at)
    legs.join(leg, call, at)
    return [Answered(call, leg, phone, at)]


def _transferred(row: Row, at: datetime, legs: Legs) -> list[Progress]:
    extra = _extra(row)
    facts: list[Progress] = []
    for citizen, colleague in (("transferee", "transfer_target"), ("transfer_target", "transferee")):
        phone = phone_of(str(extra.get(f"{colleague}_channel_name", "")))
        if phone and str(extra.get(f"{citizen}_channel_name", "")).startswith(TRUNK):
            call, leg = (str(extra.get(f"{end}_channel_uniqueid")) for end in (citizen, colleague))
            legs.join(leg, call, at)
            facts.append(Answered(call, leg, phone, at))
    return facts


def _hung_up(row: Row, at: datetime, legs: Legs) -> list[Progress]:
    if row["channel"].startswith(TRUNK):
        cause = _extra(row).get("hangupcause")
        return [CallEnded(row["uniqueid"], at, cause if isinstance(cause, int) else None)]
    return legs.about(LegEnded, row["channel"], row["uniqueid"], row["linkedid"], at)


# The lines that matter. Whichever line is about a citizen's channel, of these types or not, also shows that the
# citizen called.
TYPES: dict[str, Callable[[Row, datetime, Legs], list[Progress]]] = {
    "CHAN_START": _rings,  # a phone's channel begins with its ringing
    "ANSWER": _speaks,  # the first proof of an answer
    "BRIDGE_ENTER": _speaks,  # another
    "BRIDGE_EXIT": _speaks,  # and another: spoke until now
    "PICKUP": _picked_up,  # a colleague took the call from a ringing phone
    "ATTENDEDTRANSFER": _transferred,  # the citizen speaks with whom the first one asked
    "HANGUP": _hung_up,  # of the citizen: the call is over, with its cause; of a phone: its leg
    "CHAN_END": _hung_up,  # the same once more, without a cause
}


def facts_in(row: Row, legs: Legs) -> list[Fact]:
    """The facts in one line of the file; most hold none."""
    at = moment(row["time"])
    attempt_id = legs.attempt_of(row["uniqueid"], row["linkedid"], begins=row["type"] == "CHAN_START")
    if attempt_id is not None:
        return [*_of_attempt(attempt_id, row, at)]
    began = citizen_began(
        channel=row["channel"],
        uniqueid=row["uniqueid"],
        linkedid=row["linkedid"],
        context=row["context"],
        exten=row["exten"],
        number=row["number"],
        name=row["name"],
        at=at,
    )
    facts: list[Fact] = [replace(began, recovered=True)] if began is not None else []
    tells = TYPES.get(row["type"])
    return [*facts, *tells(row, at, legs)] if tells else facts


def _of_attempt(attempt_id: int, row: Row, at: datetime) -> Sequence[Ours]:
    """What the line tells of a call of ours."""
    if row["type"] == KEY_EVENT:
        return _keys(attempt_id, row, at)
    sign = {"ANSWER": Sign.UP, "HANGUP": Sign.GONE}.get(row["type"])
    cause = _extra(row).get("hangupcause") if sign == Sign.GONE else None
    number = cause if isinstance(cause, int) else None
    return leg_facts(attempt_id, row["channel"], sign, at, number)


def _keys(attempt_id: int, row: Row, at: datetime) -> list[KeyPressed]:
    """``12:1``: the question of task 12 was answered with the key 1."""
    found = _KEY.fullmatch(str(_extra(row).get("extra", "")))
    return [KeyPressed(attempt_id, int(found[1]), found[2], at)] if found else []


def suspect(garbled: list[bytes], whole: list[Row], systemname: str) -> list[Began]:
    """The calls that are told of in cut or garbled lines, and in no whole line beside them: without number and line.

    The time is in the unique id. A first channel that nothing shows to be a desk phone's may be a citizen's: better
    one draft too many than a citizen lost.
    """
    colleagues = {row["uniqueid"] for row in whole if phone_of(row["channel"])}
    found = {}
    for line in garbled:
        for uniqueid, channel in first_channels(line, systemname):
            may_be_trunk = TRUNK.startswith(channel[: len(TRUNK)]) or not channel.startswith("PJSIP/")
            if may_be_trunk and uniqueid not in colleagues:
                at = moment(uniqueid.rpartition("-")[2].partition(".")[0])
                found[uniqueid] = Began(uniqueid, dialled="", number="", name="", at=at, recovered=True)
    return list(found.values())


def _extra(row: Row) -> dict[str, Any]:
    try:
        value = json.loads(row["extra"])
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
