"""How calls of ours read on the screen: what they are for, what moved them, why, and how each ended."""

from collections.abc import Callable

from flask_babel import gettext as _
from flask_babel import lazy_gettext

from models.attempts import Attempt, AttemptState
from models.calling import Outcome
from models.calltasks import Purpose, TaskEvent, TaskState, Why
from models.dialling import Refusal
from models.own_calls import Said
from models.status_script import HandoverKey, Key
from models.taken_back import WITHIN, Obstacle
from models.with_them import Doing, Other
from models.workdays import KYIV
from webui.text import Badge

PURPOSES = {
    Purpose.STATUS_CHECK: lazy_gettext("Status check"),
    Purpose.CALL_BACK: lazy_gettext("Call-back"),
    Purpose.CLARIFICATION: lazy_gettext("Clarification"),
    Purpose.HAND_OVER: lazy_gettext("Emergency to the enterprise"),
    Purpose.WARN_OPERATOR: lazy_gettext("Warning the operator"),
}
TASK_BADGES = {
    TaskState.WAITING: Badge(lazy_gettext("Waits"), "◌", "work"),
    TaskState.PERSON: Badge(lazy_gettext("A person decides"), "◐", "new"),
    TaskState.SETTLED: Badge(lazy_gettext("Settled"), "✓", "done"),
    TaskState.CANCELLED: Badge(lazy_gettext("Not needed any more"), "■", "closed"),
}
TASK_EVENTS = {
    TaskEvent.CREATED: lazy_gettext("the call was planned"),
    TaskEvent.TRIED: lazy_gettext("called without an answer"),
    TaskEvent.POSTPONED: lazy_gettext("put off"),
    TaskEvent.TALKED: lazy_gettext("talked, to be asked again"),
    TaskEvent.HANDED: lazy_gettext("handed to a person"),
    TaskEvent.SETTLED: lazy_gettext("settled"),
    TaskEvent.CANCELLED: lazy_gettext("not needed any more"),
    TaskEvent.REOPENED: lazy_gettext("needed again"),
}
REFUSALS = {  # what a person is told whose call is not made
    Refusal.NUMBER: lazy_gettext("This number is never dialled: only Ukrainian fixed and mobile numbers are."),
    Refusal.NO_LINE: lazy_gettext(
        "All lines that may be used for calls are taken: one stays free for citizens. "
        "The next one is yours: try again in a moment."
    ),
    Refusal.ALREADY: lazy_gettext("Somebody speaks with this number now, or is calling it."),
    Refusal.TASK_OVER: lazy_gettext("There is no reason for this call any more: nobody is to be called."),
    Refusal.NUMBER_CHANGED: lazy_gettext("The applicant has another number now. Open this page again."),
    Refusal.HELD: lazy_gettext("A colleague is calling this applicant."),
    Refusal.OWN_CALL: lazy_gettext("Your previous call still goes on."),
    Refusal.EXCHANGE: lazy_gettext("The exchange does not answer: nobody was called. Try again in a minute."),
    Refusal.STALE: lazy_gettext("The call was not begun in time: nobody was called. Try again."),
}
DUTY_REFUSALS = REFUSALS | {
    Refusal.NUMBER: lazy_gettext("This organisation has no duty telephone: enter it on the organisation's page."),
    Refusal.TASK_OVER: lazy_gettext("The report is accepted already, or is not theirs any more: nobody was called."),
    Refusal.NUMBER_CHANGED: lazy_gettext("The duty telephones were changed just now: nobody was called. Try again."),
    Refusal.HELD: lazy_gettext("A colleague is calling this organisation."),
}
HANDED = {  # why a person decides
    Why.NO_NUMBER: lazy_gettext("no number that may be dialled"),
    Why.TRIES_OVER: lazy_gettext("not reached: a person decides"),
    Why.BAD_NUMBER: lazy_gettext("the number does not exist"),
    Why.UNKNOWN: lazy_gettext("a call got lost: not known whether it rang"),
    Why.ASKED_FOR_PERSON: lazy_gettext("asked for a person"),
    Why.OPTED_OUT: lazy_gettext("wants no machine calls"),
    Why.NOT_REACHED: lazy_gettext("nobody who could be told was reached"),
    Why.LATE: lazy_gettext("the machine could not call in time"),
}
OUTCOMES = {
    Outcome.ANSWERED: lazy_gettext("answered"),
    Outcome.NO_INPUT: lazy_gettext("answered without a key"),
    Outcome.BUSY: lazy_gettext("busy there"),
    Outcome.NO_ANSWER: lazy_gettext("no answer"),
    Outcome.REJECTED: lazy_gettext("rejected"),
    Outcome.BAD_NUMBER: lazy_gettext("no such number"),
    Outcome.TRUNK_TROUBLE: lazy_gettext("the line failed"),
    Outcome.STOPPED: lazy_gettext("ended by us: machine calls were stopped"),
    Outcome.OUR_PHONE: lazy_gettext("own phone not lifted"),
    Outcome.NOT_CALLED: lazy_gettext("own phone lifted, nobody was called"),
    Outcome.UNKNOWN: lazy_gettext("got lost"),
}
SAID = {  # what a person has just recorded
    Said.DONE: lazy_gettext("the applicant says it is done"),
    Said.NOT_DONE: lazy_gettext("the applicant says it is not done"),
    Said.PARTLY: lazy_gettext("the applicant says it is done in part"),
    Said.OTHER: lazy_gettext("the applicant's words"),
    Said.NEVER: lazy_gettext("no machine calls to this number"),
    Said.REGISTER: lazy_gettext("a new report"),
    Said.CONSULTED: lazy_gettext("a consultation"),
    Said.ABOUT: lazy_gettext("they called about a report of theirs"),
    Said.WRONG_NUMBER: lazy_gettext("a wrong number"),
    Said.ANSWER: lazy_gettext("the answer to the question"),
    Said.RESTORED: lazy_gettext("it is back"),
    Said.NOT_RESTORED: lazy_gettext("it is not back"),
    Said.LATER: lazy_gettext("to be called later"),
    Said.NOT_REACHED: lazy_gettext("not reached"),
    Said.NOT_NEEDED: lazy_gettext("nobody is to be called"),
}
OBSTACLES = {  # why an answer is not taken back
    Obstacle.ANOTHER: lazy_gettext("Only who recorded the answer can take it back: nothing was changed."),
    Obstacle.ALREADY: lazy_gettext("This answer is taken back already: nothing was changed."),
    Obstacle.ACTED: lazy_gettext(
        "Something else has happened to the report since this answer, see its history: nothing was changed."
    ),
    Obstacle.LATE: lazy_gettext(
        "An answer can be taken back within %(num)d minutes only: nothing was changed.",
        num=int(WITHIN.total_seconds() // 60),
    ),
}
WHYS = HANDED | {
    Why.ANSWERED: lazy_gettext("answered"),
    Why.SPOKEN: lazy_gettext("somebody spoke with the number"),
    Why.REPORT_MOVED: lazy_gettext("the report is in another state"),
    Why.ACCEPTED: lazy_gettext("accepted"),
    Why.WARNED: lazy_gettext("the operator was warned"),
    Why.NOT_NEEDED: lazy_gettext("not needed: somebody said so"),
}
# what a key means that the called person pressed
KEYS = {
    Key.DONE: lazy_gettext("done"),
    Key.NOT_DONE: lazy_gettext("not done"),
    Key.PARTLY: lazy_gettext("done in part"),
    Key.PERSON: lazy_gettext("asks for a person"),
    Key.NOT_ME: lazy_gettext("not their report, or no machine calls"),
    Key.AGAIN: lazy_gettext("hear it again"),
}
HANDOVER_KEYS = {
    HandoverKey.ACCEPT: lazy_gettext("accepted"),
    HandoverKey.PERSON: lazy_gettext("asks for a person"),
    HandoverKey.AGAIN: lazy_gettext("hear it again"),
}
# why a call that was planned was not made, for its history
WITHDRAWN = {
    Refusal.NUMBER: lazy_gettext("the number is never dialled"),
    Refusal.STOPPED: lazy_gettext("machine calls were stopped"),
    Refusal.HOURS: lazy_gettext("not the hours for calls"),
    Refusal.OPTED_OUT: lazy_gettext("wants no machine calls"),
    Refusal.BUDGET: lazy_gettext("called often enough today"),
    Refusal.NO_LINE: lazy_gettext("no free line"),
    Refusal.ALREADY: lazy_gettext("another call with the number went on"),
    Refusal.TASK_OVER: lazy_gettext("there was nothing to ask any more"),
    Refusal.NUMBER_CHANGED: lazy_gettext("the applicant has another number now"),
    Refusal.STALE: lazy_gettext("not begun in time"),
    Refusal.HELD: lazy_gettext("on a colleague's screen"),
    Refusal.OWN_CALL: lazy_gettext("the caller's previous call went on"),
    Refusal.EXCHANGE: lazy_gettext("the exchange did not answer"),
    Refusal.VOICE: lazy_gettext("there was no voice"),
}
# ITU-T Q.850, as the exchange gives it for the citizen's channel
CAUSES = {
    0: lazy_gettext("no cause was told"),
    1: lazy_gettext("unallocated number"),
    3: lazy_gettext("no way to this number"),
    16: lazy_gettext("hung up"),
    17: lazy_gettext("busy"),
    18: lazy_gettext("the phone does not respond"),
    19: lazy_gettext("nobody lifts the receiver"),
    20: lazy_gettext("switched off or out of reach"),
    21: lazy_gettext("rejected"),
    22: lazy_gettext("the number has changed"),
    26: lazy_gettext("answered elsewhere"),
    27: lazy_gettext("the destination is out of order"),
    28: lazy_gettext("incomplete number"),
    29: lazy_gettext("the network refuses the call"),
    31: lazy_gettext("ended without a special cause"),
    34: lazy_gettext("no free channel in the network"),
    38: lazy_gettext("the network is out of order"),
    41: lazy_gettext("temporary failure"),
    42: lazy_gettext("the network is overloaded"),
    44: lazy_gettext("the channel is not available"),
    47: lazy_gettext("the network is overloaded"),
    52: lazy_gettext("calls from our line are barred"),
    54: lazy_gettext("calls to this number are barred"),
    58: lazy_gettext("the phones have no common way to speak"),
    88: lazy_gettext("the phones have no common way to speak"),
    102: lazy_gettext("the network did not answer in time"),
    127: lazy_gettext("between two networks, not said more closely"),
}


def doing_words(other: Other) -> str:
    """What another does with the citizen who is to be called, in a sentence."""
    words: dict[Doing, Callable[[], str]] = {
        Doing.CALLS: lambda: _("%(name)s is calling this number now.", name=other.who or _("The machine")),
        Doing.SPEAKS: lambda: _("%(name)s speaks with this number now.", name=other.who or _("The machine")),
        Doing.RINGS_US: lambda: _("This number is calling us now."),
        Doing.HAS_CALLED: lambda: _(
            "%(name)s has had this call in hand since %(time)s: what came of it is not recorded yet.",
            name=other.who,
            time=other.since.astimezone(KYIV).strftime("%H:%M"),
        ),
    }
    return words[other.doing]()


def how_it_went(attempt: Attempt) -> str:
    """How an attempt ended, in words; while it goes on, how far it is."""
    if attempt.state == AttemptState.CANCELLED:
        return _("not dialled: %(why)s", why=WITHDRAWN.get(attempt.note) or _("not known why"))
    if attempt.outcome is not None:
        return str(OUTCOMES[attempt.outcome])
    return call_now(attempt)


def call_now(attempt: Attempt) -> str:
    """How far a call of ours is."""
    if attempt.answered_at is not None:
        return _("talking")
    if attempt.ringing_at is not None:
        return _("ringing there")
    if attempt.state == AttemptState.PLANNED:
        return _("is about to begin")
    return _("being called")


def cause_of(attempt: Attempt) -> str:
    """The network's cause of the end, in words with its number; "" when none was told."""
    if attempt.cause is None:
        return ""
    words = CAUSES.get(attempt.cause) or _("another trouble of the network")
    return f"{words} ({attempt.cause})"
