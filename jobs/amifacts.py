"""What the exchange says over its manager interface (AMI), as facts about calls.

Nothing that an event may contain raises. An event in which a header stands twice is left: a caller wrote one of them.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from jobs.ami import Event, Manager
from jobs.attemptfacts import leg_facts
from jobs.callfacts import Answered, CallEnded, Fact, LegEnded, Progress, Rang, StillLive, Told
from jobs.callmemory import Legs, Teller
from jobs.channels import TRUNK, citizen_began, moment, phone_of
from models.base import now
from models.intake import Began
from models.settling import AttemptLeg, Sign


class Headers(dict[str, str]):
    """An event's headers by name; one that is not there reads as empty."""

    @classmethod
    def by(cls, event: Event) -> "Headers":
        return cls({name: value for name, value in event.headers.items() if isinstance(value, str)})

    def __missing__(self, name: str) -> str:
        return ""


def _nothing_more(said: Headers, at: datetime, legs: Legs) -> list[Progress]:
    return []


def _up(said: Headers, at: datetime, legs: Legs) -> list[Progress]:
    return _speaks(said, at, legs) if said["ChannelStateDesc"] == "Up" else []


def _speaks(said: Headers, at: datetime, legs: Legs) -> list[Progress]:
    return legs.about(Answered, said["Channel"], said["Uniqueid"], said["Linkedid"], at)


def _dialled(said: Headers, at: datetime, legs: Legs) -> list[Progress]:
    return _rung(Rang, said, at, legs)


def _dialling_ended(said: Headers, at: datetime, legs: Legs) -> list[Progress]:
    return _rung(Answered if said["DialStatus"] == "ANSWER" else LegEnded, said, at, legs)


def _rung(fact: type[Rang | Answered | LegEnded], said: Headers, at: datetime, legs: Legs) -> list[Progress]:
    """The fact about the phone that is rung for a citizen; none when somebody else dials."""
    call, leg, phone = said["Uniqueid"], said["DestUniqueid"], phone_of(said["DestChannel"])
    if not (said["Channel"].startswith(TRUNK) and leg and phone):
        return []
    legs.join(leg, call, at)
    return [fact(call, leg, phone, at)]


def _picked_up(said: Headers, at: datetime, legs: Legs) -> list[Progress]:
    leg, phone = said["Uniqueid"], phone_of(said["Channel"])
    if not phone:
        return []
    call = legs.call_of(said["TargetUniqueid"], said["TargetLinkedid"], at)
    legs.join(leg, call, at)
    return [Answered(call, leg, phone, at)]


def _transferred(said: Headers, at: datetime, legs: Legs) -> list[Progress]:
    facts: list[Progress] = []
    for citizen, colleague in (("Transferee", "TransferTarget"), ("TransferTarget", "Transferee")):
        call, leg = said[f"{citizen}Uniqueid"], said[f"{colleague}Uniqueid"]
        phone = phone_of(said[f"{colleague}Channel"])
        if said[f"{citizen}Channel"].startswith(TRUNK) and phone:
            legs.join(leg, call, at)
            facts.append(Answered(call, leg, phone, at))
    return facts


def _hung_up(said: Headers, at: datetime, legs: Legs) -> list[Progress]:
    if said["Channel"].startswith(TRUNK):
        cause = said["Cause"]
        return [CallEnded(said["Uniqueid"], at, int(cause) if cause.isdecimal() else None)]
    return legs.about(LegEnded, said["Channel"], said["Uniqueid"], said["Linkedid"], at)


# The events that matter. Whichever of them is about a citizen's channel also shows that the citizen called.
EVENTS: dict[str, Callable[[Headers, datetime, Legs], list[Progress]]] = {
    "Newchannel": _nothing_more,
    "DialBegin": _dialled,  # a phone rings for the citizen
    "DialEnd": _dialling_ended,  # it was answered, or rings no more
    "Newstate": _up,  # the first proof of an answer: of receivers lifted together only one comes up
    "BridgeEnter": _speaks,  # another proof of an answer
    "BridgeLeave": _speaks,  # and another: spoke until now
    "Pickup": _picked_up,  # a colleague took the call from a ringing phone
    "AttendedTransfer": _transferred,  # the citizen speaks with whom the first one asked
    "Hangup": _hung_up,  # of the citizen: the call is over; of a phone: its leg
}


def facts_to_tell(event: Event, legs: Legs, teller: Teller) -> list[Fact]:
    """The facts in one event that are still to be told; most events hold none."""
    if event.name not in EVENTS or event.message.doubtful:
        return []
    said = Headers.by(event)
    at = moment(said["Timestamp"])
    attempt_id = legs.attempt_of(said["Uniqueid"], said["Linkedid"], begins=event.name == "Newchannel")
    if attempt_id is not None:
        return [*_of_attempt(attempt_id, event.name, said, at)]
    began = _citizen(said, at)
    facts = teller.hear(began, tell=False) if began is not None else []
    for fact in EVENTS[event.name](said, at, legs):
        facts += teller.tell(fact)
    return facts


def _of_attempt(attempt_id: int, name: str, said: Headers, at: datetime) -> list[AttemptLeg]:
    """What the event tells of a call of ours."""
    sign, cause = None, None
    if name == "Newstate":
        sign = {"Ringing": Sign.RINGS, "Up": Sign.UP}.get(said["ChannelStateDesc"])
    elif name == "Hangup":
        sign = Sign.GONE
        cause = int(said["Cause"]) if said["Cause"].isdecimal() else None
    return leg_facts(attempt_id, said["Channel"], sign, at, cause)


def _citizen(said: Headers, at: datetime) -> Began | None:
    return citizen_began(
        channel=said["Channel"],
        uniqueid=said["Uniqueid"],
        linkedid=said["Linkedid"],
        context=said["Context"],
        exten=said["Exten"],
        number=said["CallerIDNum"],
        name=said["CallerIDName"],
        at=at,
    )


def read_present(manager: Manager, legs: Legs, teller: Teller, systemname: str) -> list[Told]:
    """What the exchange says of the present moment (``CoreShowChannels``), as facts; after it events go on from here.

    Calls that we believe live and that are not among its channels are over: their hang-up was missed.
    """
    asked = now()
    listed = manager.list_action({"Action": "CoreShowChannels"})
    channels = [Headers.by(event) for event in listed if not event.message.doubtful]
    facts: list[Told] = []
    bridges: dict[str, str] = {}
    for said in channels:
        if said["Channel"].startswith(TRUNK) and said["BridgeId"]:
            bridges[said["BridgeId"]] = said["Uniqueid"]
        if (began := _citizen(said, asked - _duration(said["Duration"]))) is not None:
            facts += teller.hear(began, tell=True)
    for said in channels:
        if legs.attempt_of(said["Uniqueid"], said["Linkedid"], begins=True) is not None:
            continue
        leg, phone = said["Uniqueid"], phone_of(said["Channel"])
        call = bridges.get(said["BridgeId"]) or legs.call_of(leg, said["Linkedid"], asked)
        if phone and call != leg:
            legs.join(leg, call, asked)
            fact = Answered if said["BridgeId"] else Rang
            facts += teller.tell(fact(call, leg, phone, asked))
    # of a doubtful channel every id that it may have: to end a live call is worse than to keep a dead one
    alive = frozenset(uniqueid for event in listed for uniqueid in event.message.get_all("Uniqueid"))
    return [*facts, StillLive(systemname, alive, asked)]


def _duration(text: str) -> timedelta:
    """``00:01:05`` as a time span; none when it cannot be read."""
    parts = text.split(":")
    if len(parts) != 3 or not all(part.isdecimal() for part in parts):
        return timedelta()
    hours, minutes, seconds = (min(int(part), 100_000) for part in parts)
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)
