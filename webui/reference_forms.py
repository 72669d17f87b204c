"""What the pages of the reference data share: their frame, and how an entry is read, saved and shown again."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from models.base import db, now, transaction
from models.people import Organisation, User
from models.reference import (
    KEPT_BY,
    SEEN_BY,
    ChangedMeanwhile,
    Fault,
    Refused,
    Subject,
    as_text,
    find_changes,
    lock_entry,
)
from webui.reference_words import SUBJECT_WORDS, entry_word, fault_sentence, field_word, value_word
from webui.text import row_id

Values = dict[str, Any]


@dataclass(frozen=True)
class Directory:
    """One kind of entries: how a form becomes values, how they are saved, and what the form shows of a row.

    ``choices`` are the template's lists to choose from, for this row.
    """

    subject: Subject
    table: type
    template: str
    listed: str  # the endpoint of its list
    read: Callable[[Session, Mapping[str, str]], Values]
    save: Callable[..., object]
    shown: Callable[[Any], Values]
    choices: Callable[[Session, Any], Values]


def reference_page(template: str, **parts: object) -> str:
    """A page of the reference data, with the others that this person sees beside it."""
    pages = (
        (Subject.CATEGORY, url_for("reference.categories"), _("Types of reports")),
        (Subject.ORGANISATION, url_for("reference.organisations"), _("Organisations")),
        (Subject.STREET, url_for("reference.streets"), _("Streets")),
        (Subject.CALENDAR, url_for("reference_calendar.calendar"), _("Calendar")),
        (Subject.USER, url_for("reference_people.users"), _("Users")),
    )
    seen = [(path, word) for subject, path, word in pages if current_user.role in SEEN_BY[subject]]
    return render_template(
        template,
        directories=[*seen, (url_for("reference.changes"), _("Changes"))],
        keeps={subject: current_user.role in roles for subject, roles in KEPT_BY.items()},
        subject_words=SUBJECT_WORDS,
        field_word=field_word,
        value_word=value_word,
        entry_word=entry_word,
        **parts,
    )


def entry_page(
    kind: Directory,
    entry_id: int | None,
    *,
    typed: Values | None = None,
    faults: Mapping[str, Fault] | None = None,
    changed: bool = False,
) -> ResponseReturnValue:
    """The form of an entry, or of a new one; ``typed`` was refused, and is shown again.

    ``changed``: somebody else saved the entry meanwhile. Theirs then stands beside what was typed, and saving once more
    puts the typed in its place.
    """
    session = db.session()
    row = session.get(kind.table, entry_id) if entry_id is not None else None
    if entry_id is not None and row is None:
        abort(404)
    stored = kind.shown(row)
    values = stored | (typed or {})
    differing = {name: stored[name] for name in values if changed and values[name] != stored.get(name)}
    page = reference_page(
        kind.template,
        row=row,
        values=values,
        stored={name: as_shown(row, name, value) for name, value in differing.items()},
        errors={_field(name, stored): fault_sentence(fault) for name, fault in (faults or {}).items()},
        changed=changed,
        history=find_changes(session, [kind.subject], row.id, limit=20) if row else [],
        subject=kind.subject,
        **kind.choices(session, row),
    )
    return page, 409 if changed else 422 if faults else 200


def _field(name: str, form: Values) -> str:
    """What the field of a value is called in the form: one that is chosen in a list has the id."""
    return name if name in form else f"{name}_id"


def as_shown(row: Any, name: str, value: object) -> str:
    """A stored value in words, where the form's own is an id."""
    field = name.removesuffix("_id")
    return value_word(field, as_text(getattr(row, field) if hasattr(row, field) else value))


def save_form(kind: Directory, entry_id: int | None) -> ResponseReturnValue:
    """Save the form that was sent. A mistake, or another's change meanwhile, shows it again with all that was typed."""
    typed = kind.shown(None) | typed_values(kind)
    try:
        with transaction() as session:
            row = None
            if entry_id is not None:
                revision = row_id(request.form.get("revision", ""))
                row = lock_entry(session, kind.table, entry_id, -1 if revision is None else revision) or abort(404)
            by = session.get_one(User, current_user.id)
            kind.save(session, row, by, now(), **kind.read(session, request.form))
    except Refused as refused:
        return entry_page(kind, entry_id, typed=typed, faults=refused.faults)
    except ChangedMeanwhile:
        return entry_page(kind, entry_id, typed=typed, changed=True)
    flash(_("Saved."), "ok")
    return redirect(url_for(kind.listed))


def typed_values(kind: Directory) -> Values:
    """What was sent, as the form holds it: texts, ticks, and lists of ids."""
    found: Values = {}
    for name, empty in kind.shown(None).items():
        if isinstance(empty, bool):
            found[name] = name in request.form
        elif isinstance(empty, list):
            found[name] = request.form.getlist(name)
        else:
            found[name] = request.form.get(name, "")
    return found


def chosen(session: Session, table: type, typed: str) -> Any:
    """The row that was chosen in a list; None for nothing, and for what is no row."""
    wanted = row_id(typed)
    return session.get(table, wanted) if wanted is not None else None


def organisations_to_choose(session: Session, own: int | None) -> Values:
    """Those in use, and the one that stands there."""
    query = select(Organisation).where(or_(Organisation.active, Organisation.id == own)).order_by(Organisation.name)
    return {"organisations": [(one.id, one.name) for one in session.scalars(query)]}


def whole_number(typed: str) -> int | None:
    return row_id(typed.strip())
