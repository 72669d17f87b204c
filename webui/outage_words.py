"""How outages read on the screen: kinds, fields, what happened to them, what is wrong with what was typed."""

from datetime import datetime

from flask_babel import gettext as _
from flask_babel import lazy_gettext

from models.outage_acts import Fault, Wrong
from models.outages import OutageChange, OutageEvent, OutageKind, OutageState
from webui.text import Badge, dated

KINDS = {
    OutageKind.WATER: lazy_gettext("Water"),
    OutageKind.HEAT: lazy_gettext("Heat"),
    OutageKind.ELECTRICITY: lazy_gettext("Electricity"),
    OutageKind.GAS: lazy_gettext("Gas"),
    OutageKind.REPAIR_WORKS: lazy_gettext("Repair works"),
    OutageKind.OTHER: lazy_gettext("Other outage"),
}
CAUSES = {"planned": lazy_gettext("as planned"), "emergency": lazy_gettext("an accident")}
BADGES = {
    OutageState.COMING: Badge(lazy_gettext("Coming"), "◌", "new"),
    OutageState.ACTIVE: Badge(lazy_gettext("Now"), "◐", "work"),
    OutageState.ENDED: Badge(lazy_gettext("Over"), "✓", "done"),
}
EVENTS = {
    OutageEvent.ENTERED: lazy_gettext("entered"),
    OutageEvent.CHANGED: lazy_gettext("outage changed"),
    OutageEvent.ENDED: lazy_gettext("ended"),
    OutageEvent.ASKED: lazy_gettext("those who called are to be asked"),
}
_FIELDS = {
    "organisation": lazy_gettext("Organisation"),
    "kind": lazy_gettext("What"),
    "planned": lazy_gettext("Why"),
    "where": lazy_gettext("Where"),
    "begins_at": lazy_gettext("Beginning"),
    "ends_at": lazy_gettext("Expected end"),
    "text": lazy_gettext("Spoken text"),
}


def change_words(change: OutageChange) -> str:
    """What happened, in one line: «змінено: Очікуваний кінець 27 листопада 2026, 16:00 → 27 листопада 2026, 18:00»."""
    word = str(EVENTS[OutageEvent(change.event)])
    if change.event == OutageEvent.ASKED:
        return f"{word}: {change.after}"
    if not change.field:
        return word
    before, after = (_value(change.field, value) for value in (change.before, change.after))
    return f"{word}: {_FIELDS[change.field]} {before} → {after}"


def _value(field: str, value: str) -> str:
    if field == "where":
        return value or _("the whole city")
    if field in ("begins_at", "ends_at"):
        return dated(datetime.fromisoformat(value)) if value else "—"
    if field == "kind":
        return str(KINDS[OutageKind(value)])
    return str(CAUSES[value]) if field == "planned" else value or "—"


def fault_sentence(fault: Fault, nearest: str = "") -> str:
    """What is wrong and what to write instead; ``nearest`` are the streets that may be meant."""
    about = fault.about
    match fault.kind:
        case Wrong.ORGANISATION | Wrong.KIND:
            return _("Choose one from the list.")
        case Wrong.NO_PLACE:
            return _("Write the streets, or mark that it is the whole city.")
        case Wrong.NOT_BOTH:
            return _("Either the streets or the whole city: empty one of the two.")
        case Wrong.NO_STREET if nearest:
            return _("«%(line)s»: there is no such street. Perhaps: %(names)s.", line=about, names=nearest)
        case Wrong.NO_STREET:
            return _("«%(line)s»: there is no such street. Each street stands in a line of its own.", line=about)
        case Wrong.WHICH_STREET:
            return _("«%(name)s»: more than one is called so. Write it with «вулиця» or «площа».", name=about)
        case Wrong.BUILDINGS:
            return _("«%(typed)s» is no building and no range. Write: 12–48, парні 2–10, 5а.", typed=about)
        case Wrong.NO_TIME:
            return _("Choose the day and the time.")
        case Wrong.FAR:
            return _("Choose a time that is at most a year away.")
        case Wrong.NOT_YET:
            return _("An emergency has begun already. Choose «as planned» for what begins later.")
        case Wrong.NO_END:
            return _("A planned one has an expected end: choose it.")
        case Wrong.END_FIRST:
            return _("The end comes before the beginning.")
        case Wrong.END_PAST:
            return _("This time has passed already. Choose a later one, or end the outage.")
        case Wrong.LONG:
            return _("This is too long: at most %(num)d characters fit here.", num=int(about))
        case Wrong.TELEPHONE:
            return _("Write no telephone here: everybody hears and sees this text.")
