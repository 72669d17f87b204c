"""What is remembered of calls from one event to the next: whose a phone's channel is, and what was told already."""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from jobs.attemptfacts import attempt_of
from jobs.callfacts import Answered, CallEnded, Fact, LegEnded, Progress, Rang
from jobs.channels import phone_of
from models.intake import Began

KEPT = 5000  # calls and legs that are remembered

Name = TypeVar("Name", bound=Hashable)
Value = TypeVar("Value")


class _Recent(OrderedDict[Name, Value]):
    """A dictionary that forgets its oldest entries."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit

    def keep(self, key: Name, value: Value) -> None:
        self[key] = value
        self.move_to_end(key)
        if len(self) > self._limit:
            self.popitem(last=False)


class Legs:
    """Knows which call a phone's channel belongs to; bounded.

    The link id is not enough: it changes when calls are transferred or picked up. So the legs that were rung,
    picked up or transferred to are remembered one by one.
    """

    def __init__(self) -> None:
        self._joined: _Recent[str, tuple[str, datetime]] = _Recent(KEPT)
        self._began_as: _Recent[str, int | None] = _Recent(KEPT)

    def attempt_of(self, channel: str, linkedid: str, *, begins: bool = False) -> int | None:
        """The attempt of ours whose call the channel (its unique id) began in; None for every other channel.

        ``begins`` where the channel is heard of for the first time. Of one whose beginning was not heard the link id
        is believed.
        """
        if begins and channel not in self._began_as:
            self._began_as.keep(channel, attempt_of(channel, linkedid))
        return self._began_as[channel] if channel in self._began_as else attempt_of(channel, linkedid)

    def join(self, leg: str, call: str, since: datetime) -> None:
        """This phone's channel is one end of ``call`` since then; before, it may have talked to a colleague."""
        known, earlier = self._joined.get(leg, ("", since))
        self._joined.keep(leg, (call, min(since, earlier) if known == call else since))

    def call_of(self, leg: str, linkedid: str, at: datetime) -> str:
        """The call that a phone's channel belonged to at that time, or its link id when nothing better is known."""
        call, since = self._joined.get(leg, (linkedid, at))
        return call if at >= since else linkedid

    def about(
        self, fact: type[Rang | Answered | LegEnded], channel: str, leg: str, linkedid: str, at: datetime
    ) -> list[Progress]:
        """This fact about a phone's part in a call; none when the channel is no phone's, or only its own call's."""
        call, phone = self.call_of(leg, linkedid, at), phone_of(channel)
        return [fact(call, leg, phone, at)] if phone and call != leg else []


class Teller:
    """Decides what of the facts heard is to be told now: nothing twice, and a call's beginning first; bounded."""

    def __init__(self) -> None:
        self._began: _Recent[str, Began] = _Recent(KEPT)
        self._told: _Recent[str, Began] = _Recent(KEPT)
        self._waiting: _Recent[str, list[Fact]] = _Recent(KEPT)
        self._ended: _Recent[str, LegEnded] = _Recent(KEPT)
        self._earliest: _Recent[tuple[type, str, str], datetime] = _Recent(2 * KEPT)

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
        wanted = tell or waited or told is not None
        if not wanted or began == told:
            return waited
        self._told.keep(began.call, began)
        return [began, *waited]

    def tell(self, fact: Progress) -> list[Fact]:
        """The fact, with the beginning of its call before it when that has not been told yet.

        Nothing when the same was told before, of an earlier moment: one answer has four proofs, and screens need not
        hear of it four times. A fact about a call whose beginning is unknown is told (its row may be there from
        before a restart) and kept, to be told again should the beginning be heard of later.
        """
        key = (type(fact), fact.call, "" if isinstance(fact, CallEnded) else fact.leg)
        earliest = self._earliest.get(key)
        if earliest is not None and earliest <= fact.at:
            return []
        self._earliest.keep(key, fact.at)
        return [*self._with_beginning(fact), *self._with_end(fact)]

    def _with_end(self, fact: Progress) -> list[Fact]:
        """The leg's end, when it was heard of before anybody knew which call the leg belongs to."""
        if isinstance(fact, LegEnded):
            self._ended.keep(fact.leg, fact)
        elif not isinstance(fact, CallEnded) and (ended := self._ended.get(fact.leg)) and ended.call != fact.call:
            return self.tell(replace(ended, call=fact.call))
        return []

    def _with_beginning(self, fact: Progress) -> list[Fact]:
        began = self._began.get(fact.call)
        if began is None:
            waiting = self._waiting.get(fact.call, [])
            self._waiting.keep(fact.call, [*waiting, fact][:100])
        elif fact.call not in self._told:
            self._told.keep(fact.call, began)
            return [began, fact]
        return [fact]
