"""Users (A2): the technical administrator adds them, gives passwords, switches off; the supervisor looks on."""

from flask import Blueprint, abort, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user
from sqlalchemy import or_, select
from sqlalchemy.orm import Session, joinedload

from models.accounts import add_user, change_user, give_password, lock_user, make_password
from models.base import db, now, transaction
from models.people import Organisation, Phone, Role, User
from models.reference import KEPT_BY, SEEN_BY, ChangedMeanwhile, Refused, Subject
from models.search import alphabetical
from webui.access import allow
from webui.auth import hasher
from webui.reference_forms import (
    Directory,
    Values,
    chosen,
    entry_page,
    organisations_to_choose,
    reference_page,
    typed_values,
)
from webui.text import row_id

bp = Blueprint("reference_people", __name__)


def read_user(session: Session, form: dict[str, str]) -> Values:
    return {
        "name": form.get("name", ""),
        "role": next((role for role in Role if role == form.get("role")), None),
        "organisation": chosen(session, Organisation, form.get("organisation_id", "")),
        "email": form.get("email", ""),
        "phone": chosen(session, Phone, form.get("phone_id", "")),
    }


def shown_user(user: User | None) -> Values:
    if user is None:
        return {
            "login": "",
            "name": "",
            "role": "",
            "organisation_id": "",
            "email": "",
            "phone_id": "",
            "active": True,
        }
    return {
        "login": user.login,
        "name": user.name,
        "role": str(user.role),
        "organisation_id": str(user.organisation_id or ""),
        "email": user.email,
        "phone_id": str(user.phone.id) if user.phone else "",
        "active": user.active,
    }


def choices(session: Session, user: User | None) -> Values:
    own = user.organisation_id if user else None
    free = or_(Phone.user_id.is_(None), Phone.user_id == (user.id if user else None))
    phones = session.scalars(select(Phone).where(free, Phone.active).order_by(Phone.extension))
    return {
        **organisations_to_choose(session, own),
        "phones": [(phone.id, f"{phone.extension} {phone.title or phone.name}") for phone in phones],
    }


USERS = Directory(
    Subject.USER,
    User,
    "reference/user.html",
    "reference_people.users",
    read_user,
    change_user,
    shown_user,
    choices,
)


@bp.get("/reference/users")
@allow(*SEEN_BY[Subject.USER])
def users() -> str:
    query = select(User).options(joinedload(User.organisation), joinedload(User.phone))
    found = db.session.scalars(query).all()
    ordered = sorted(found, key=lambda one: (not one.active, alphabetical(one.name)))
    return reference_page("reference/users.html", users=ordered)


@bp.get("/reference/users/new", defaults={"user_id": None})
@bp.get("/reference/users/<int:user_id>")
@allow(*KEPT_BY[Subject.USER])
def user(user_id: int | None) -> ResponseReturnValue:
    return entry_page(USERS, user_id)


@bp.post("/reference/users/new")
@allow(*KEPT_BY[Subject.USER])
def add() -> ResponseReturnValue:
    """Add a user; the page that answers shows the password, this once."""
    password = make_password()
    password_hash = hasher.hash(password)
    try:
        with transaction() as session:
            by = session.get_one(User, current_user.id)
            values = read_user(session, request.form)
            login = request.form.get("login", "")
            new = add_user(session, by, now(), login=login, password_hash=password_hash, **values)
            new_id = new.id
    except Refused as refused:
        return entry_page(USERS, None, typed=typed_values(USERS), faults=refused.faults)
    return _password_page(new_id, password)


@bp.post("/reference/users/<int:user_id>")
@allow(*KEPT_BY[Subject.USER])
def change(user_id: int) -> ResponseReturnValue:
    """Change an account; switched off, or in another role, the user's sessions end at once."""
    typed = typed_values(USERS)
    del typed["login"]  # it stays
    revision = row_id(request.form.get("revision", ""))
    try:
        with transaction() as session:
            found = lock_user(session, user_id, -1 if revision is None else revision) or abort(404)
            by = session.get_one(User, current_user.id)
            values = read_user(session, request.form)
            change_user(session, found, by, now(), active="active" in request.form, **values)
    except Refused as refused:
        return entry_page(USERS, user_id, typed=typed, faults=refused.faults)
    except ChangedMeanwhile:
        return entry_page(USERS, user_id, typed=typed, changed=True)
    flash(_("Saved."), "ok")
    return redirect(url_for("reference_people.users"))


@bp.post("/reference/users/<int:user_id>/password")
@allow(*KEPT_BY[Subject.USER])
def new_password(user_id: int) -> ResponseReturnValue:
    """Give the user a new password, shown this once; their sessions end. One's own is changed in the menu."""
    password = make_password()
    password_hash = hasher.hash(password)
    with transaction() as session:
        found = lock_user(session, user_id) or abort(404)
        if found.id == current_user.id:
            abort(403)
        give_password(session, found, session.get_one(User, current_user.id), now(), password_hash)
    return _password_page(user_id, password)


def _password_page(user_id: int, password: str) -> str:
    return reference_page("reference/password.html", user=db.session.get_one(User, user_id), password=password)
