"""How the reference data's fields, values and mistakes read on the screen."""

from datetime import date

from flask_babel import format_date, lazy_gettext
from flask_babel import gettext as _

from models.people import Role
from models.reference import Fault, FaultKind, ReferenceChange, Subject
from models.telephone import readable
from webui.text import ROLE_NAMES, phone

SUBJECT_WORDS = {
    Subject.CATEGORY: lazy_gettext("type of reports"),
    Subject.ORGANISATION: lazy_gettext("organisation"),
    Subject.STREET: lazy_gettext("street"),
    Subject.USER: lazy_gettext("user"),
    Subject.CALENDAR: lazy_gettext("calendar"),
}
FIELD_WORDS = {
    "added": lazy_gettext("added"),
    "name": lazy_gettext("name"),
    "organisation": lazy_gettext("organisation"),
    "working_days": lazy_gettext("working days"),
    "position": lazy_gettext("place in the list"),
    "active": lazy_gettext("in use"),
    "email": lazy_gettext("e-mail"),
    "duty_numbers": lazy_gettext("duty telephones"),
    "controlled_by": lazy_gettext("controlled by"),
    "controls": lazy_gettext("controls"),
    "former_names": lazy_gettext("former names"),
    "other_names": lazy_gettext("other names"),
    "login": lazy_gettext("login"),
    "role": lazy_gettext("role"),
    "phone": lazy_gettext("desk phone"),
    "password": lazy_gettext("a new password was given"),
    "worked": lazy_gettext("day"),
    "note": lazy_gettext("note"),
    "martial_law_until": lazy_gettext("last day of martial law"),
}
_DAY_WORDS = {"yes": lazy_gettext("working day"), "no": lazy_gettext("day off"), "": lazy_gettext("by the common rule")}
_YES_NO = {"yes": lazy_gettext("yes"), "no": lazy_gettext("no")}


def fault_sentence(fault: Fault) -> str:
    """What is wrong with the field, and what to do."""
    about = fault.about
    match fault.kind:
        case FaultKind.MISSING:
            return _("Write what it is called.")
        case FaultKind.NO_NAME:
            return _("Write the person's name.")
        case FaultKind.TOO_LONG:
            return _("This is too long: at most %(num)d characters fit here.", num=int(about))
        case FaultKind.TAKEN:
            return _("This is in the list already: %(name)s. Write another one, or change that entry.", name=about)
        case FaultKind.CHOOSE:
            return _("Choose one from the list.")
        case FaultKind.NUMBER:
            return _("Write a whole number: %(range)s.", range=about)
        case FaultKind.EMAIL:
            return _("This is no e-mail address: write it as name@example.gov.ua.")
        case FaultKind.DUTY_NUMBER:
            return _(
                "«%(number)s» cannot be called: write Ukrainian fixed or mobile numbers with a comma between, such as"
                " 5-32-73, 067 123 45 67.",
                number=readable(about),
            )
        case FaultKind.DUTY_MANY:
            return _("At most %(num)d duty telephones fit here: leave those that answer first.", num=int(about))
        case FaultKind.LOGIN:
            return _("Write the login in small Latin letters, digits, points and hyphens: ivanenko.")
        case FaultKind.RESPONSIBLE:
            return _("It is responsible for %(kinds)s: give these types to another organisation first.", kinds=about)
        case FaultKind.NEEDS_ORGANISATION:
            return _("An operator and a head work for an organisation: choose it.")
        case FaultKind.HAS_NO_ORGANISATION:
            return _("Only an operator and a head have an organisation: leave this empty for another role.")
        case FaultKind.PHONE_TAKEN:
            return _("This phone belongs to %(name)s: take it from them first, or choose another.", name=about)
        case FaultKind.YOURSELF:
            return _("You cannot do this to your own account: ask another technical administrator.")
        case FaultKind.LAST_TECHNICAL:
            return _("This is the last technical administrator: name another one first.")
        case FaultKind.YES_NO:
            return _("In the column of what is in use write yes or no.")
        case FaultKind.REPEATED:
            return _("The same stands in line %(place)s: leave one of the two.", place=about)
        case FaultKind.ALIKE:
            return _("There is «%(name)s» already: write the name in full, as it is called there.", name=about)
        case FaultKind.FORMER:
            return _("«%(name)s» was called so: make sure that this is another street.", name=about)
        case FaultKind.DAY_TAKEN:
            return _("This day is in the list already: remove it there first.")
        case FaultKind.NO_DAY:
            return _("This is not a day. Write it as 2026-11-22 or choose it in the calendar.")
        case FaultKind.DAY_FAR:
            return _("Choose a day that is at most five years away.")


def field_word(change: ReferenceChange) -> str:
    if (change.subject, change.field) == (Subject.USER, "name"):
        return _("full name")
    return str(FIELD_WORDS[change.field])


def value_word(field: str, value: str) -> str:
    """A value as `models.reference.as_text` keeps it, as people read it."""
    if field == "worked":
        return str(_DAY_WORDS[value])
    if field == "active":
        return str(_YES_NO.get(value, value))
    if field == "role":
        return str(ROLE_NAMES[Role(value)]) if value else ""
    if field == "duty_numbers":
        return ", ".join(phone(number) for number in value.split(", ") if number)
    if field == "martial_law_until":
        return day_word(date.fromisoformat(value)) if value else _("not known")
    return value


def entry_word(change: ReferenceChange) -> str:
    """What was changed, by its name at that time."""
    if change.subject == Subject.CALENDAR and change.name:
        return day_word(date.fromisoformat(change.name))
    return change.name


def day_word(day: date) -> str:
    """«п’ятниця, 27 листопада 2026»."""
    return format_date(day, "EEEE, d'\u00a0'MMMM y")
