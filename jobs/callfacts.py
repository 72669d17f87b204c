"""Facts about calls, inbound and ours: the same whether the manager interface (AMI) or the CEL file tells them.

Translate → decide → notify: `jobs.amifacts` and `jobs.celfacts` translate what is read into these facts, with what
`jobs.callmemory` remembers; `apply` hands them to the rules in `models`, and announcements follow the commit by
themselves. Facts may come late, twice and in any order.

That somebody speaks is proved by a rung phone's channel becoming *up* (of receivers lifted at the same moment only
the one that gets the citizen does), by the end of dialling with an answer, by entering or leaving the bridge, by
picking up, and by a finished transfer. Each of them is enough, so none of them may be lost at a price.
"""

from dataclasses import dataclass
from datetime import datetime

from flask import current_app
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from jobs.callrules import load_dialler
from jobs.settings import Settings
from models.attempts import DIALLING_LOCK
from models.base import one_at_a_time
from models.calls import (
    close_lost_calls,
    find_calls,
    note_answered,
    note_hung_up,
    note_leg_ended,
    note_ringing,
)
from models.drafts import give_to_speaker, reopen_unspoken, report_of_call
from models.intake import Began, record_calls
from models.lookup import note_heard
from models.outage_calls import note_heard as note_heard_outage
from models.people import Phone
from models.settling import AttemptLeg, answer_by_key, note_leg, settle_told_late
from models.status_script import Key


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
class CallEnded:
    """The citizen's channel is gone; ``cause`` is the Q.850 cause, None when it was not told."""

    call: str
    at: datetime
    cause: int | None


@dataclass(frozen=True)
class KeyPressed:
    """A citizen whom the machine called has answered the question of a task with this key (C3)."""

    attempt_id: int
    task_id: int
    key: str
    at: datetime


@dataclass(frozen=True)
class StateHeard:
    """A citizen has heard the state of a report by telephone; ``reason`` is what the access log says (W10, A3)."""

    report_id: int
    reason: str
    at: datetime


@dataclass(frozen=True)
class OutageHeard:
    """The caller hears that there is an outage at theirs, or has ``left`` over it (C7)."""

    call: str
    outage_id: int
    at: datetime
    left: bool = False


@dataclass(frozen=True)
class StillLive:
    """All the channels that the exchange called ``systemname`` knew at the time ``at``."""

    systemname: str
    channels: frozenset[str]
    at: datetime


Progress = Rang | Answered | LegEnded | CallEnded
Ours = AttemptLeg | KeyPressed  # about a call of ours
Fact = Began | Progress | Ours
Told = Fact | StillLive | StateHeard | OutageHeard


def apply(session: Session, facts: list[Told], area_code: str) -> None:
    """Write facts down, inside the caller's transaction. Doing it twice, or in another order, changes nothing.

    `Began` makes the call and its draft when there is none (I1). A fact about a call that is not there is about a
    talk among colleagues, and is left; so is a call to the status line, which asks for nobody. Who answers becomes the
    draft's owner (`give_to_speaker`): the user of the phone at the time of writing, also of a call that is recovered
    later.
    """
    if any(isinstance(fact, KeyPressed) and fact.key == Key.NOT_ME for fact in facts):
        one_at_a_time(session, DIALLING_LOCK)  # before any row, as whoever plans and dials takes it
    calls = find_calls(session, {fact.call for fact in facts if not isinstance(fact, StillLive | StateHeard | Ours)})
    settings: Settings = current_app.config["SETTINGS"]
    phones, rules = {}, None
    if any(isinstance(fact, (Rang, Answered, LegEnded)) for fact in facts):
        phones = {phone.name: phone for phone in session.scalars(select(Phone).options(joinedload(Phone.user)))}
    begun = [fact for fact in facts if isinstance(fact, Began) and fact.dialled not in settings.status_dids]
    with session.no_autoflush:  # what several facts change of one call is written once
        calls = record_calls(session, begun, area_code, calls)
        for fact in (fact for fact in facts if not isinstance(fact, Began)):
            if isinstance(fact, StillLive):
                close_lost_calls(session, fact.systemname, fact.channels, fact.at)
            elif isinstance(fact, AttemptLeg):
                rules = rules or load_dialler(session, settings)
                note_leg(session, fact, rules.rules, rules.calendar)
            elif isinstance(fact, KeyPressed):
                answer_by_key(session, fact.attempt_id, fact.task_id, fact.key, fact.at)
            elif isinstance(fact, StateHeard):
                note_heard(session, fact.report_id, fact.reason, fact.at)
            elif (call := calls.get(fact.call)) is None:
                continue
            elif isinstance(fact, OutageHeard):
                note_heard_outage(session, call, fact.outage_id, fact.at, left=fact.left)
            elif isinstance(fact, CallEnded):
                note_hung_up(session, call, fact.at, fact.cause)
                settle_told_late(session, call)
                reopen_unspoken(session, call)
            elif isinstance(fact, Rang):
                note_ringing(session, call, fact.leg, phones.get(fact.phone), fact.at)
            elif isinstance(fact, LegEnded):
                note_leg_ended(session, call, fact.leg, phones.get(fact.phone), fact.at)
            else:
                phone = phones.get(fact.phone)
                news = note_answered(session, call, fact.leg, phone, fact.at)
                if news and phone is not None and phone.user is not None:
                    give_to_speaker(session, report_of_call(session, call), phone.user, call)
