"""Facts about inbound calls: the same whether the manager interface (AMI) or the CEL file tells them.

Translate → decide → notify: the listener and the reconciler each translate what they read into these facts, the
`Tracker` says which call a channel belongs to, `apply` hands them to the rules in `models`, and announcements follow
the commit by themselves. Facts may come late, twice and in any order.

That somebody speaks is proved by a rung phone's channel becoming *up* (of receivers lifted at the same moment only
the one that gets the citizen does), by the end of dialling with an answer, by entering or leaving the bridge, by
picking up, and by a finished transfer. Each of them is enough, so none of them may be lost at a price.
"""

import re
from collections import OrderedDict
from collections.abc import Hashable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from models.base import now
from models.calls import (
    Call,
    close_lost_calls,
    find_calls,
    note_answered,
    note_hung_up,
    note_leg_ended,
    note_ringing,
)
from models.drafts import TakenByAnother, claim_draft, open_draft
from models.intake import Began, record_inbound
from models.machine import IllegalMove
from models.people import Phone
from models.reports import ReportState

TRUNK = "PJSIP/trunk-"
KEPT = 5000  # calls and legs that are remembered
_PHONE = re.compile(r"PJSIP/(.+)-[0-9a-f]{8}")
_UNTOLD = ("", "<unknown>")

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


@dataclass(frozen=True)
class Rang:
    """A phone began to ring. ``call`` here and below is the unique id of the inbound trunk channel, as in `Began`;
    ``leg`` that of the phone's channel, ``phone`` the name of its endpoint."""

    call: str
    leg: str
    phone: str
    at: datetime


@dataclass(frozen=True)
class Answered:
    """The person at ``phone`` speaks with the citizen, at the latest since ``at``."""

    call: str
    leg: str
    phone: str
    at: datetime


@dataclass(frozen=True)
class LegEnded:
    """The phone stopped ringing, or its channel is gone."""

    call: str
    leg: str
    phone: str
    at: datetime


@dataclass(frozen=True)
class HungUp:
    """The citizen's channel is gone; ``cause`` is the Q.850 cause, None when it was not told."""

    call: str
    at: datetime
    cause: int | None


@dataclass(frozen=True)
class StillLive:
    """All the channels that the exchange called ``systemname`` knew at the time ``at``."""

    systemname: str
    channels: frozenset[str]
    at: datetime


Fact = Began | Rang | Answered | LegEnded | HungUp
Told = Fact | StillLive


def apply(session: Session, facts: list[Told], area_code: str) -> None:
    """Write facts down, inside the caller's transaction. Doing it twice, or in another order, changes nothing.

    `Began` makes the call and its draft when there is none (I1). A fact about a call that is not there is about a
    talk among colleagues, and is left. Who answers becomes the draft's owner unless somebody is already.
    """
    calls = find_calls(session, {fact.call for fact in facts if not isinstance(fact, StillLive)})
    phones = {}
    if any(isinstance(fact, (Rang, Answered, LegEnded)) for fact in facts):
        phones = {phone.name: phone for phone in session.scalars(select(Phone).options(joinedload(Phone.user)))}
    with session.no_autoflush:  # what several facts change of one call is written once
        for fact in facts:
            if isinstance(fact, StillLive):
                close_lost_calls(session, fact.systemname, set(fact.channels), fact.at)
            elif isinstance(fact, Began):
                calls[fact.call] = record_inbound(session, fact, area_code, known=calls.get(fact.call))
            elif (call := calls.get(fact.call)) is None:
                continue
            elif isinstance(fact, HungUp):
                note_hung_up(session, call, fact.at, fact.cause)
            elif isinstance(fact, Rang):
                note_ringing(session, call, fact.leg, phones.get(fact.phone), fact.at)
            elif isinstance(fact, LegEnded):
                note_leg_ended(session, call, fact.leg, phones.get(fact.phone), fact.at)
            else:
                note_answered(session, call, fact.leg, phones.get(fact.phone), fact.at)
                _give_draft(session, call, phones.get(fact.phone))


def _give_draft(session: Session, call: Call, phone: Phone | None) -> None:
    draft = open_draft(session, call)
    if phone is not None and phone.user is not None and draft.owner_id is None and draft.state == ReportState.DRAFT:
        with suppress(TakenByAnother, IllegalMove):  # somebody was quicker, or has ended it already
            claim_draft(session, draft, phone.user)


class Tracker:
    """Remembers which call a channel belongs to, and what is known of each call; bounded.

    The link id is not enough: it changes when calls are transferred or picked up. So the legs that were rung,
    picked up or transferred to are remembered one by one.
    """

    def __init__(self) -> None:
        self._began: _Recent[str, Began] = _Recent(KEPT)
        self._told: _Recent[str, Began] = _Recent(KEPT)
        self._legs: _Recent[str, tuple[str, datetime]] = _Recent(KEPT)
        self._waiting: _Recent[str, list[Fact]] = _Recent(KEPT)
        self._ended: _Recent[str, LegEnded] = _Recent(KEPT)
        self._said: _Recent[tuple[type, str, str], datetime] = _Recent(2 * KEPT)

    def belongs(self, leg: str, call: str, since: datetime) -> None:
        """This phone's channel is one end of ``call`` since then; before, it may have talked to a colleague."""
        known, earlier = self._legs.get(leg, ("", since))
        self._legs.keep(leg, (call, min(since, earlier) if known == call else since))

    def call_of(self, leg: str, linkedid: str, at: datetime) -> str:
        """The call that a phone's channel belonged to at that time, or its link id when nothing better is known."""
        call, since = self._legs.get(leg, (linkedid, at))
        return call if at >= since else linkedid

    def hear(self, began: Began, *, tell: bool) -> list[Fact]:
        """A citizen's channel was seen. Returns what is to be told now: nothing, unless ``tell`` is set or facts
        about this call came before."""
        known = self._began.get(began.call)
        if known is not None:
            began = replace(
                known,
                dialled=known.dialled or began.dialled,
                number=known.number or began.number,
                name=known.name or began.name,
                at=min(known.at, began.at),
            )
        self._began.keep(began.call, began)
        waited = self._waiting.pop(began.call, [])
        told = self._told.get(began.call)
        if began == told or not (tell or waited or told):
            return waited
        self._told.keep(began.call, began)
        return [began, *waited]

    def tell(self, fact: Rang | Answered | LegEnded | HungUp) -> list[Fact]:
        """The fact, with the beginning of its call before it when that has not been told yet.

        Nothing when the same was told before, of an earlier moment: one answer has four proofs, and screens need not
        hear of it four times. A fact about a call whose beginning is unknown is told (its row may be there from
        before a restart) and kept, to be told again should the beginning be heard of later.
        """
        key = (type(fact), fact.call, "" if isinstance(fact, HungUp) else fact.leg)
        if self._said.get(key, fact.at + timedelta(1)) <= fact.at:
            return []
        self._said.keep(key, fact.at)
        return [*self._with_beginning(fact), *self._with_end(fact)]

    def _with_end(self, fact: Rang | Answered | LegEnded | HungUp) -> list[Fact]:
        """The leg's end, when it was heard of before anybody knew which call the leg belongs to."""
        if isinstance(fact, LegEnded):
            self._ended.keep(fact.leg, fact)
        elif not isinstance(fact, HungUp) and (ended := self._ended.get(fact.leg)) and ended.call != fact.call:
            return self.tell(replace(ended, call=fact.call))
        return []

    def _with_beginning(self, fact: Rang | Answered | LegEnded | HungUp) -> list[Fact]:
        began = self._began.get(fact.call)
        if began is None:
            waiting = self._waiting.get(fact.call, [])
            self._waiting.keep(fact.call, [*waiting, fact][:100])
        elif fact.call not in self._told:
            self._told.keep(fact.call, began)
            return [began, fact]
        return [fact]


class _Recent(OrderedDict[Key, Value]):
    """A dictionary that forgets its oldest entries."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit

    def keep(self, key: Key, value: Value) -> None:
        self[key] = value
        self.move_to_end(key)
        if len(self) > self._limit:
            self.popitem(last=False)


def citizen_began(
    *, channel: str, uniqueid: str, linkedid: str, context: str, exten: str, number: str, name: str, at: datetime
) -> Began | None:
    """The call that this channel is the citizen's end of; None for every other channel, outgoing ones too.

    Once the dialplan has put the line's digits where the name was, the name says nothing about the caller.
    """
    arrives = context == "from-trunk" and uniqueid == linkedid and exten not in ("", "s")
    if not channel.startswith(TRUNK) or not uniqueid or not (arrives or context == "inbound"):
        return None
    return Began(
        call=uniqueid,
        dialled=exten,
        number="" if number in _UNTOLD else number,
        name="" if name in (*_UNTOLD, exten) else name,
        at=at,
    )


def phone_of(channel: str) -> str | None:
    """The endpoint's name when the channel is a desk phone's (``PJSIP/admin1-0000001c``), else None."""
    found = _PHONE.fullmatch(channel)
    return found.group(1) if found and not channel.startswith(TRUNK) else None


def moment(epoch: str) -> datetime:
    """Seconds since the epoch, as both sources write them; the present moment when they cannot be read."""
    try:
        return datetime.fromtimestamp(float(epoch), UTC)
    except (ValueError, OverflowError, OSError):
        return now()
