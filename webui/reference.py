"""Directories (A2): types of reports, organisations, streets, and the trace of all changes.

Who changes and who sees what says `models.reference.KEPT_BY` and `SEEN_BY`.
"""

from collections.abc import Mapping

from flask import Blueprint, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, selectinload

from models.base import db
from models.directories import save_category, save_organisation, save_street, split_numbers
from models.people import Organisation, Role, User
from models.places import Category, Street
from models.reference import KEPT_BY, SEEN_BY, Subject, find_changes, tidy
from models.search import alphabetical, plain
from webui.access import allow
from webui.reference_forms import (
    Directory,
    Values,
    chosen,
    entry_page,
    organisations_to_choose,
    reference_page,
    save_form,
    whole_number,
)
from webui.text import e164, phone, row_id

bp = Blueprint("reference", __name__)

MOST_STREETS = 200  # of one page; the search finds the others
PAGE = 50
_EVERY_ROLE = frozenset().union(*SEEN_BY.values())


def read_category(session: Session, form: Mapping[str, str]) -> Values:
    return {
        "name": form.get("name", ""),
        "organisation": chosen(session, Organisation, form.get("organisation_id", "")),
        "working_days": whole_number(form.get("working_days", "")),
        "position": whole_number(form.get("position", "")),
        "active": "active" in form,
    }


def shown_category(category: Category | None) -> Values:
    if category is None:
        return {"name": "", "organisation_id": "", "working_days": "10", "position": "0", "active": True}
    return {
        "name": category.name,
        "organisation_id": str(category.organisation_id),
        "working_days": str(category.working_days),
        "position": str(category.position),
        "active": category.active,
    }


def read_organisation(session: Session, form: Mapping[str, str]) -> Values:
    wanted = [row_id(one) for one in form.getlist("controlled_by")]
    return {
        "name": form.get("name", ""),
        "email": form.get("email", ""),
        "duty_numbers": [e164(one) or one for one in split_numbers(form.get("duty_numbers", ""))],
        "active": "active" in form,
        "controlled_by": session.scalars(select(User).where(User.id.in_(one for one in wanted if one))).all(),
    }


def shown_organisation(organisation: Organisation | None) -> Values:
    if organisation is None:
        return {"name": "", "email": "", "duty_numbers": "", "active": True, "controlled_by": []}
    return {
        "name": organisation.name,
        "email": organisation.email,
        "duty_numbers": ", ".join(phone(number) for number in organisation.duty_numbers),
        "active": organisation.active,
        "controlled_by": sorted(str(user.id) for user in organisation.controlled_by),
    }


def members_to_choose(session: Session, _organisation: Organisation | None) -> Values:
    query = select(User).where(User.role == Role.CONTROL_BODY, User.active).order_by(User.name)
    return {"members": session.scalars(query).all()}


def read_street(_session: Session, form: Mapping[str, str]) -> Values:
    return {name: form.get(name, "") for name in ("name", "former_names", "other_names")} | {"active": "active" in form}


def shown_street(street: Street | None) -> Values:
    if street is None:
        return {"name": "", "former_names": "", "other_names": "", "active": True}
    return {
        "name": street.name,
        "former_names": street.former_names,
        "other_names": street.other_names,
        "active": street.active,
    }


CATEGORIES = Directory(
    Subject.CATEGORY,
    Category,
    "reference/category.html",
    "reference.categories",
    read_category,
    save_category,
    shown_category,
    lambda session, category: organisations_to_choose(session, category.organisation_id if category else None),
)
ORGANISATIONS = Directory(
    Subject.ORGANISATION,
    Organisation,
    "reference/organisation.html",
    "reference.organisations",
    read_organisation,
    save_organisation,
    shown_organisation,
    members_to_choose,
)
STREETS = Directory(
    Subject.STREET,
    Street,
    "reference/street.html",
    "reference.streets",
    read_street,
    save_street,
    shown_street,
    lambda _session, _street: {},
)


@bp.get("/reference")
@allow(*_EVERY_ROLE)
def index() -> ResponseReturnValue:
    """The pages begin with what this person keeps."""
    technical = current_user.role in KEPT_BY[Subject.USER]
    return redirect(url_for("reference_people.users" if technical else "reference.categories"))


@bp.get("/reference/categories")
@allow(*SEEN_BY[Subject.CATEGORY])
def categories() -> str:
    query = select(Category).options(joinedload(Category.organisation)).order_by(Category.position, Category.name)
    return reference_page("reference/categories.html", categories=db.session.scalars(query).all())


@bp.get("/reference/categories/new", defaults={"category_id": None})
@bp.get("/reference/categories/<int:category_id>")
@allow(*KEPT_BY[Subject.CATEGORY])
def category(category_id: int | None) -> ResponseReturnValue:
    return entry_page(CATEGORIES, category_id)


@bp.post("/reference/categories/new", defaults={"category_id": None})
@bp.post("/reference/categories/<int:category_id>")
@allow(*KEPT_BY[Subject.CATEGORY])
def keep_category(category_id: int | None) -> ResponseReturnValue:
    return save_form(CATEGORIES, category_id)


@bp.get("/reference/organisations")
@allow(*SEEN_BY[Subject.ORGANISATION])
def organisations() -> str:
    shown = (selectinload(Organisation.controlled_by), selectinload(Organisation.duty))
    query = select(Organisation).options(*shown).order_by(Organisation.name)
    return reference_page("reference/organisations.html", organisations=db.session.scalars(query).all())


@bp.get("/reference/organisations/new", defaults={"organisation_id": None})
@bp.get("/reference/organisations/<int:organisation_id>")
@allow(*KEPT_BY[Subject.ORGANISATION])
def organisation(organisation_id: int | None) -> ResponseReturnValue:
    return entry_page(ORGANISATIONS, organisation_id)


@bp.post("/reference/organisations/new", defaults={"organisation_id": None})
@bp.post("/reference/organisations/<int:organisation_id>")
@allow(*KEPT_BY[Subject.ORGANISATION])
def keep_organisation(organisation_id: int | None) -> ResponseReturnValue:
    return save_form(ORGANISATIONS, organisation_id)


@bp.get("/reference/streets")
@allow(*SEEN_BY[Subject.STREET])
def streets() -> str:
    """The streets whose present, former or other name holds what is searched for (``q``)."""
    typed = tidy(request.args.get("q", ""))[:100]
    wanted = plain(typed)
    everything = db.session.scalars(select(Street)).all()
    found = [
        street
        for street in everything
        if any(wanted in plain(names) for names in (street.name, street.former_names, street.other_names))
    ]
    found.sort(key=lambda street: alphabetical(street.name))
    return reference_page(
        "reference/streets.html", streets=found[:MOST_STREETS], found=len(found), all=len(everything), typed=typed
    )


@bp.get("/reference/streets/new", defaults={"street_id": None})
@bp.get("/reference/streets/<int:street_id>")
@allow(*KEPT_BY[Subject.STREET])
def street(street_id: int | None) -> ResponseReturnValue:
    return entry_page(STREETS, street_id)


@bp.post("/reference/streets/new", defaults={"street_id": None})
@bp.post("/reference/streets/<int:street_id>")
@allow(*KEPT_BY[Subject.STREET])
def keep_street(street_id: int | None) -> ResponseReturnValue:
    return save_form(STREETS, street_id)


@bp.get("/reference/changes")
@allow(*_EVERY_ROLE)
def changes() -> str:
    """Who changed what, the newest first; of users only for who sees them."""
    seen = [subject for subject, roles in SEEN_BY.items() if current_user.role in roles]
    only = [subject for subject in seen if subject == request.args.get("subject")]
    before = row_id(request.args.get("before", ""))
    found = find_changes(db.session(), only or seen, before=before, limit=PAGE + 1)
    chosen_subject = only[0] if only else None
    older = found[PAGE - 1].id if len(found) > PAGE else None
    return reference_page(
        "reference/changes.html",
        changes=found[:PAGE],
        seen=seen,
        only=chosen_subject,
        newest=url_for("reference.changes", subject=chosen_subject) if before else "",
        older=url_for("reference.changes", subject=chosen_subject, before=older) if older else "",
    )
