"""The form of a draft: how its fields are read, what they hold, and how long they may be.

Which fields there are says `models.drafts.DRAFT_FIELDS`; where each stands, the template. The street is one field
for two columns: the street that was recognised, or what was typed instead.
"""

from collections.abc import Mapping

from flask_babel import gettext as _
from sqlalchemy import String
from sqlalchemy.orm import Session

from models.drafts import DRAFT_FIELDS
from models.people import Organisation
from models.places import Category, meant_streets, nearest_streets
from models.reports import Report
from models.telephone import to_e164, withheld
from webui.text import row_id

LONGEST_TEXT = 10_000  # characters
LONGEST = {  # characters, by the field's name
    name.replace("street_typed", "street"): Report.__table__.c[name].type.length or LONGEST_TEXT
    for name in DRAFT_FIELDS
    if isinstance(Report.__table__.c[name].type, String)
}
CHOICES = {"category_id": Category, "executor_id": Organisation}


def cleaned(text: object) -> str:
    """What was typed, with plain line ends, and without what cannot be stored: NUL and half characters."""
    plain = str(text or "").replace("\r\n", "\n").replace("\0", "")
    return plain.encode("utf-8", "replace").decode()


def read_fields(session: Session, typed: Mapping[str, object], whole: bool = False) -> tuple[dict, dict[str, str]]:
    """The form's fields as the draft stores them, and a sentence for each that cannot be stored.

    ``whole`` is a form that was sent as one, where a tick that is not there means no.
    """
    values: dict[str, object] = {}
    errors: dict[str, str] = {}
    for name, longest in LONGEST.items():
        if name in typed:
            text = cleaned(typed[name])
            if len(text) > longest:
                errors[name] = _("This is too long: at most %(num)d characters fit here.", num=longest)
            elif name == "street":
                meant = meant_streets(session, text)
                one = len(meant) == 1
                values["street_id"] = meant[0][0].id if one else None
                values["street_typed"] = "" if one else text.strip()
            else:
                values[name] = text if name == "text" else text.strip()
    for name, table in CHOICES.items():
        if name in typed:
            wanted = str(typed[name] or "")
            if not wanted:
                values[name] = None
            elif (chosen := row_id(wanted)) is not None and (row := session.get(table, chosen)) and row.active:
                values[name] = chosen
            else:
                errors[name] = _("Choose one from the list.")
    if whole or "emergency" in typed:
        values["emergency"] = typed.get("emergency") in (True, "true", "on", "1")
    return values, errors


def stored_fields(draft: Report) -> dict[str, object]:
    """What is stored, as the form's fields hold it: texts, and True or False for the tick."""
    street = draft.street.name if draft.street else draft.street_typed
    texts = {name: street if name == "street" else getattr(draft, name) for name in LONGEST}
    choices = {name: str(getattr(draft, name) or "") for name in CHOICES}
    return texts | choices | {"emergency": bool(draft.emergency)}


def typed_fields(form: Mapping[str, str]) -> dict[str, object]:
    """What was sent, to be shown again."""
    typed: dict[str, object] = {name: form[name] for name in (*LONGEST, *CHOICES) if name in form}
    return typed | {"emergency": "emergency" in form}


def street_note(session: Session, typed: str) -> dict[str, object]:
    """What a typed street is: its ``name`` now, or "" where it is none or more than one, and a sentence about it.

    ``offers`` are the names that may be meant instead; ``unknown`` says that it is none of the list.
    """
    meant = meant_streets(session, typed)
    if len(meant) == 1:
        street, called = meant[0]
        note = ""
        if called in street.formerly:
            note = _("✓ %(street)s, formerly %(name)s", street=street.name, name=called)
        elif called:
            note = _("✓ %(street)s, also called %(name)s", street=street.name, name=called)
        return {"name": street.name, "note": note, "offers": [], "unknown": False}
    if meant:
        names = [street.name for street, _former in meant]
        note = _("There are several: %(names)s. Choose one from the list.", names=", ".join(names))
        return {"name": "", "note": note, "offers": names, "unknown": False}
    if not typed.strip():
        return {"name": "", "note": "", "offers": [], "unknown": False}
    note = _("This street is not in the list: choose one, or write it as a landmark.")
    offers = [street.name for street in nearest_streets(session, typed)]
    return {"name": "", "note": note, "offers": offers, "unknown": True}


def phone_note(typed: str, area_code: str) -> str:
    """A warning about digits that are no telephone number; words alone ("through the neighbour") need none."""
    if withheld(typed) or to_e164(typed, area_code):
        return ""
    return _("This number cannot be called: check its digits.")
