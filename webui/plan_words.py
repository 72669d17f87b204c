"""How the telephone plan reads on the screen: what differs, what is wrong with it, and what became of a version."""

from datetime import datetime

from flask_babel import format_datetime, lazy_gettext
from flask_babel import gettext as _
from sqlalchemy import select

from models.base import db
from models.hours import Branch, Day, OutOfHours
from models.people import User
from models.plan import ANY_TIME, Change, Difference
from models.plan_checks import LONGEST, LONGEST_STEP, SHORTEST, SHORTEST_STEP, Fault, FaultKind
from models.plan_versions import PlanEvent, PlanState, PlanVersion, Trouble
from webui.text import NBSP, Badge

BADGES = {
    PlanState.DRAFT: Badge(lazy_gettext("Draft of the plan"), "◌", "work"),
    PlanState.REFUSED: Badge(lazy_gettext("Not applied: mistakes"), "▲", "late"),
    PlanState.APPLYING: Badge(lazy_gettext("Being applied"), "◐", "work"),
    PlanState.APPLIED: Badge(lazy_gettext("In force"), "✓", "done"),
    PlanState.ROLLED_BACK: Badge(lazy_gettext("Not applied: rolled back"), "✕", "late"),
    PlanState.SUPERSEDED: Badge(lazy_gettext("In force before"), "■", "closed"),
    PlanState.DROPPED: Badge(lazy_gettext("Given up"), "–", "quiet"),
}
EVENTS = {
    PlanEvent.BEGUN: lazy_gettext("draft begun"),
    PlanEvent.CHANGED: lazy_gettext("draft changed"),
    PlanEvent.FAULTY: lazy_gettext("refused for its mistakes"),
    PlanEvent.ORDERED: lazy_gettext("ordered to be applied"),
    PlanEvent.DONE: lazy_gettext("applied"),
    PlanEvent.FAILED: lazy_gettext("rolled back"),
    PlanEvent.FOUND: lazy_gettext("found in force"),
    PlanEvent.REPLACED: lazy_gettext("replaced by the next one"),
    PlanEvent.GIVEN_UP: lazy_gettext("given up"),
}


OUT_OF_HOURS = {
    OutOfHours.RING: lazy_gettext("it rings all the same"),
    OutOfHours.MESSAGE: lazy_gettext("the machine says the hours and takes a message"),
}
DAYS = {
    Day.WORKING: lazy_gettext("working day"),
    Day.DAY_OFF: lazy_gettext("day off"),
    Day.HOLIDAY: lazy_gettext("holiday"),
}


def difference_words(one: Difference) -> str:
    """«Лінія 5-32-73: дзвонила 101 (20), дзвонитиме 102 (20)»."""
    return _line_words(one) if one.of == "line" else _phone_words(one)


def _line_words(one: Difference) -> str:
    said = {"number": one.about, "before": one.before or "—", "after": one.after or "—"}
    match one.kind:
        case Change.ADDED if one.after:
            return _("Line %(number)s: added «%(after)s»", **said)
        case Change.ADDED:
            return _("Line %(number)s: added", **said)
        case Change.REMOVED:
            return _("Line %(number)s: taken out", **said)
        case Change.SWITCHED_ON:
            return _("Line %(number)s: switched on", **said)
        case Change.SWITCHED_OFF:
            return _("Line %(number)s: switched off", **said)
        case Change.RING_ORDER if not one.before:
            return _("Line %(number)s: will ring %(after)s", **said)
        case Change.RING_ORDER:
            return _("Line %(number)s: rang %(before)s, will ring %(after)s", **said)
        case Change.WORKDAY_HOURS:
            said |= {"before": _hours(one.before), "after": _hours(one.after)}
            return _("Line %(number)s: the hours on working days were %(before)s, will be %(after)s", **said)
        case Change.OTHER_HOURS:
            said |= {"before": _hours(one.before), "after": _hours(one.after)}
            return _("Line %(number)s: the hours on days off and holidays were %(before)s, will be %(after)s", **said)
        case Change.OUT_OF_HOURS if one.after == OutOfHours.MESSAGE:
            return _("Line %(number)s: out of hours the machine will say the hours and take a message", **said)
        case Change.OUT_OF_HOURS:
            return _("Line %(number)s: out of hours it will ring all the same", **said)
        case Change.DUTY if not one.after:
            return _("Line %(number)s: out of hours no key will ring the duty phone %(before)s any more", **said)
        case Change.DUTY:
            return _("Line %(number)s: out of hours the key 1 will ring the duty phone %(after)s", **said)
        case _title:
            return _("Line %(number)s: the name was «%(before)s», will be «%(after)s»", **said)


def _hours(told: str) -> str:
    return _("any time") if told == ANY_TIME else told or _("closed")


def _phone_words(one: Difference) -> str:
    said = {"number": one.about, "before": one.before or "—", "after": one.after or "—"}
    match one.kind:
        case Change.ADDED:
            return _("Phone %(number)s: added «%(after)s»", **said)
        case Change.REMOVED:
            return _("Phone %(number)s: taken out", **said)
        case Change.SWITCHED_ON:
            return _("Phone %(number)s: switched on", **said)
        case Change.SWITCHED_OFF:
            return _("Phone %(number)s: switched off", **said)
        case Change.SECRET:
            return _("Phone %(number)s: a new password", **said)
        case Change.EXTENSION:
            return _("Phone %(number)s: the number was %(before)s, will be %(after)s", **said)
        case Change.USER:
            return _owner_words(one)
        case _title:
            return _("Phone %(number)s: the name was «%(before)s», will be «%(after)s»", **said)


def _owner_words(one: Difference) -> str:
    names = dict(db.session.execute(select(User.login, User.name).where(User.login.in_((one.before, one.after)))).all())
    said = {"number": one.about, "before": names.get(one.before, one.before), "after": names.get(one.after, one.after)}
    if not one.before:
        return _("Phone %(number)s: given to %(after)s", **said)
    if not one.after:
        return _("Phone %(number)s: taken from %(before)s", **said)
    return _("Phone %(number)s: taken from %(before)s, given to %(after)s", **said)


def fault_words(fault: Fault) -> str:
    """What is wrong and what to do, in one sentence; with where it is."""
    sentence = fault_sentence(fault)
    if fault.step:
        return _("Line %(number)s, step %(step)s: %(sentence)s", number=fault.line, step=fault.step, sentence=sentence)
    if fault.line:
        return _("Line %(number)s: %(sentence)s", number=fault.line, sentence=sentence)
    if fault.phone:
        return _("Phone %(name)s: %(sentence)s", name=fault.phone, sentence=sentence)
    return sentence


def fault_sentence(fault: Fault) -> str:
    detail = fault.detail
    match fault.kind:
        case FaultKind.NO_PHONES:
            return _("No phone is in use, so that nobody would hear a call: switch one on.")
        case FaultKind.MANY_PHONES:
            return _("More phones are in use than can ring at once: switch those off that nobody needs.")
        case FaultKind.MANY_LINES:
            return _("At most %(num)s lines fit here.", num=detail)
        case FaultKind.NUMBER:
            return _("Write the number as 5-32-73, or as 067-123-45-67: a Ukrainian fixed or mobile number.")
        case FaultKind.NUMBER_STATUS:
            return _("This is the status line, which a machine answers: choose another number.")
        case FaultKind.DOUBLE_NUMBER:
            return _("This number is in the list already: change that line.")
        case FaultKind.NO_STEPS:
            return _("nobody is called: add a step with a phone.")
        case FaultKind.MANY_STEPS:
            return _("At most %(num)s steps fit: let more phones ring at once.", num=detail)
        case FaultKind.EMPTY_STEP:
            return _("no phone is chosen: choose one, or remove the step.")
        case FaultKind.STEP_SECONDS:
            return _("Let it ring %(least)d to %(most)d seconds.", least=SHORTEST_STEP, most=LONGEST_STEP)
        case FaultKind.TOO_SHORT:
            return _(
                "it rings %(seconds)s s in all, and nobody reaches a phone so fast: let it ring %(least)d s at least.",
                seconds=detail,
                least=SHORTEST,
            )
        case FaultKind.ENDLESS:
            return _(
                "it rings %(seconds)s s in all, and nobody waits so long: %(most)d s at most.",
                seconds=detail,
                most=LONGEST,
            )
        case FaultKind.UNKNOWN_PHONE:
            return _("there is no phone %(name)s: choose another, or add it.", name=detail)
        case FaultKind.PHONE_OFF:
            return _("the phone %(name)s is switched off: switch it on, or choose another.", name=detail)
        case FaultKind.PHONE_TWICE:
            return _("the phone %(name)s stands there twice: leave it once.", name=detail)
        case FaultKind.LONG_ROUTE:
            return _("too many phones for one line: leave those that are needed.")
        case FaultKind.WORKDAY_HOURS | FaultKind.OTHER_HOURS:
            return _("Write the hours as 08:00–17:00; leave the field empty where the line is closed all day.")
        case FaultKind.WORKDAYS_BACKWARDS | FaultKind.OTHERS_BACKWARDS:
            return _(
                "The hours %(hours)s end before they begin: hours over midnight do not fit here, 00:00–24:00 is a whole"
                " day.",
                hours=detail,
            )
        case FaultKind.NEVER_OPEN:
            return _("The line would never be open: write the hours of working days or of other days.")
        case FaultKind.MESSAGE_ALWAYS:
            return _("The line is open at any time, so that nobody would hear the message: write its hours.")
        case FaultKind.DUTY_UNUSED:
            return _("No key rings the duty phone while the line rings out of hours: leave it out, or take messages.")
        case FaultKind.UNKNOWN_DUTY:
            return _("There is no phone %(name)s for the duty: choose another, or add it.", name=detail)
        case FaultKind.DUTY_OFF:
            return _("The duty phone %(name)s is switched off: switch it on, or choose another.", name=detail)
        case FaultKind.NAME:
            return _("Write the name in small Latin letters and digits, such as admin4.")
        case FaultKind.DOUBLE_NAME:
            return _("There is a phone of this name already: change that one.")
        case FaultKind.EXTENSION:
            return _("Write the number as two to eight digits, such as 104.")
        case FaultKind.DOUBLE_EXTENSION:
            return _("Another phone has this number, perhaps one that is switched off: choose another.")
        case FaultKind.EXTENSION_LINE:
            return _("This is the number of the line %(number)s: choose another.", number=detail)
        case FaultKind.EXTENSION_STATUS:
            return _("This is the number of the status line: choose another.")
        case FaultKind.UNKNOWN_USER:
            return _("There is nobody with the login %(login)s: choose another.", login=detail)
        case FaultKind.USER_TWICE:
            return _("%(login)s has a phone already: one person has one.", login=detail)
        case FaultKind.UNSAFE_TITLE:
            return _(
                "These signs cannot stand in the exchange's configuration: %(signs)s. Leave them out: letters, digits,"
                " spaces and . , : / + « » – are enough.",
                signs=detail,
            )
        case FaultKind.LONG_TITLE:
            return _("This is too long: at most %(num)d characters fit here.", num=int(detail))


def trouble_words(version: PlanVersion) -> str:
    """Why a version was rolled back, and what to do; "" when it was not."""
    about = version.trouble_about
    match version.trouble:
        case Trouble.BROKEN_OFF:
            return _("The program ended in the middle: apply it once more.")
        case Trouble.FILES:
            return _("Its files cannot be written (%(why)s): look at the disk, then apply it once more.", why=about)
        case Trouble.CONFIGURATION:
            return _("It cannot stand in the exchange's configuration (%(what)s): mend it.", what=about)
        case Trouble.NOT_REACHED:
            return _(
                "A trial call to %(number)s did not reach those whom the plan names: look at its steps and phones.",
                number=about,
            )
        case Trouble.NOT_TRIED:
            return _(
                "The exchange on which it is tried first could not be started (%(why)s): look at disk and memory, then"
                " apply it once more.",
                why=about,
            )
        case Trouble.AWAY:
            return _("The exchange does not answer: see whether it runs, then apply it once more.")
        case Trouble.NOT_READ:
            return _("The exchange did not take it over as it was written (%(what)s): see its log.", what=about)
        case Trouble.CHANGED:
            return _("The plan was changed meanwhile by another way: look at it, then apply yours once more.")
        case Trouble.DATABASE:
            return _("The database could not be written (%(why)s): apply it once more.", why=about)
    return ""


def why_words(branch: Branch) -> str:
    """Why a line is open or closed: «робочий день, 08:00–17:00»."""
    return f"{DAYS[branch.day]}, {branch.hours or _('closed all day')}"


def moment_words(at: datetime) -> str:
    """«неділя, 29.11 03:00»."""
    return format_datetime(at, "EEEE, dd.MM HH:mm").replace(" ", NBSP)


def seconds_words(seconds: int) -> str:
    """«20 с»."""
    return _("%(num)d s", num=seconds).replace(" ", NBSP)
