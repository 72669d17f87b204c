"""Users as the technical administrator keeps them: what an account must be, and when its sessions end (A2)."""

import re
import secrets
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.base import announce
from models.directories import email_fault
from models.people import ORGANISATION_ROLES, Organisation, Phone, Role, User
from models.plan_acts import note_present
from models.reference import (
    Fault,
    FaultKind,
    Refused,
    Subject,
    check_name,
    lock_entry,
    note_change,
    tidy,
    write_entry,
)

LONGEST_LOGIN, LONGEST_NAME = 64, 128  # characters
_LOGIN = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # nothing that is read for something else


def add_user(
    session: Session,
    by: User | None,
    at: datetime,
    *,
    login: str,
    name: str,
    role: Role | None,
    password_hash: str,
    organisation: Organisation | None = None,
    email: str = "",
    phone: Phone | None = None,
) -> User:
    """Somebody new who logs in. Raises `Refused` for an account that cannot be so."""
    login, name, email = login.strip().lower(), tidy(name), tidy(email)
    faults = _faults(name, role, organisation, email)
    if not _LOGIN.fullmatch(login):
        faults["login"] = Fault(FaultKind.LOGIN, str(LONGEST_LOGIN))
    elif session.scalar(select(User.id).where(User.login == login)):
        faults["login"] = Fault(FaultKind.TAKEN, login)
    if phone is not None and phone.user is not None:
        faults["phone"] = Fault(FaultKind.PHONE_TAKEN, phone.user.name)
    if faults:
        raise Refused(faults)
    values = {
        "login": login,
        "name": name,
        "role": role,
        "organisation": organisation,
        "email": email,
        "password_hash": password_hash,
    }
    user = User()
    write_entry(session, Subject.USER, user, values, by, at)
    _give_phone(session, user, phone, by, at)
    return user


def change_user(
    session: Session,
    user: User,
    by: User | None,
    at: datetime,
    *,
    name: str,
    role: Role | None,
    organisation: Organisation | None,
    email: str,
    phone: Phone | None,
    active: bool,
) -> None:
    """Change an account. Switched off, or in another role, the user's sessions end at once.

    Nobody switches themselves off or gives up their own role, and one technical administrator always remains: raises
    `Refused` otherwise. Who leaves the control body controls no organisation any more.
    """
    name, email = tidy(name), tidy(email)
    faults = _faults(name, role, organisation, email)
    faults |= _guard(session, user, by, role, active)
    if phone is not None and phone.user not in (None, user):
        faults["phone"] = Fault(FaultKind.PHONE_TAKEN, phone.user.name)
    if faults:
        raise Refused(faults)
    values: dict[str, object] = {
        "name": name,
        "role": role,
        "organisation": organisation,
        "email": email,
        "active": active,
    }
    if role != Role.CONTROL_BODY:
        values["controls"] = []
    ends = user.active and (not active or user.role != role)
    _give_phone(session, user, phone, by, at)
    write_entry(session, Subject.USER, user, values, by, at)
    if ends:
        end_sessions(session, user)
    announce(session, "user", user.id)


def switch_user(session: Session, user: User, by: User | None, at: datetime, active: bool) -> None:
    """Switch a user off, or on again. Raises `Refused` as `change_user`."""
    if faults := _guard(session, user, by, Role(user.role), active):
        raise Refused(faults)
    ends = user.active and not active
    write_entry(session, Subject.USER, user, {"active": active}, by, at)
    if ends:
        end_sessions(session, user)


def set_email(session: Session, user: User, by: User | None, at: datetime, email: str) -> None:
    """Where warnings are written to, "" for nowhere. Raises `Refused` for what is no address."""
    if fault := email_fault(email):
        raise Refused({"email": fault})
    write_entry(session, Subject.USER, user, {"email": email}, by, at)


def give_password(session: Session, user: User, by: User | None, at: datetime, password_hash: str) -> None:
    """Another password: all sessions of the user end."""
    user.password_hash = password_hash
    user.revision += 1
    note_change(session, Subject.USER, user, "password", None, None, by, at)
    end_sessions(session, user)


def end_sessions(session: Session, user: User) -> None:
    """Log the user out everywhere; open streams of events are told."""
    user.session_mark += 1
    session.flush()
    announce(session, "user", user.id)


def make_password() -> str:
    """A password that can be read out over the telephone: 79 random bits in four groups."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(4))


def lock_user(session: Session, user_id: int, revision: int | None = None) -> User | None:
    """The user, kept from others until the transaction ends, as `models.reference.lock_entry`.

    The technical administrators come first: of two who switch each other off, one waits here and is then refused.
    """
    _lock_technical_administrators(session)
    return lock_entry(session, User, user_id, revision)


def _lock_technical_administrators(session: Session) -> list[int]:
    """The ids of those who can log in."""
    query = select(User.id).where(User.role == Role.TECHNICAL_ADMINISTRATOR, User.active).order_by(User.id)
    return list(session.scalars(query.with_for_update()))


def _guard(session: Session, user: User, by: User | None, role: Role | None, active: bool) -> dict[str, Fault]:
    faults = {}
    for field, given_up in (("active", user.active and not active), ("role", user.role != role)):
        if given_up and by is not None and by.id == user.id:
            faults[field] = Fault(FaultKind.YOURSELF)
        elif given_up and user.active and _lock_technical_administrators(session) == [user.id]:
            faults[field] = Fault(FaultKind.LAST_TECHNICAL)
    return faults


def _faults(name: str, role: Role | None, organisation: Organisation | None, email: str) -> dict[str, Fault]:
    found = {
        "name": check_name(name, LONGEST_NAME, FaultKind.NO_NAME),
        "role": None if role else Fault(FaultKind.CHOOSE),
        "email": email_fault(email),
    }
    if role in ORGANISATION_ROLES and organisation is None:
        found["organisation"] = Fault(FaultKind.NEEDS_ORGANISATION)
    elif role is not None and role not in ORGANISATION_ROLES and organisation is not None:
        found["organisation"] = Fault(FaultKind.HAS_NO_ORGANISATION)
    return {field: fault for field, fault in found.items() if fault}


def _give_phone(session: Session, user: User, phone: Phone | None, by: User | None, at: datetime) -> None:
    if user.phone is phone:
        return
    note_change(session, Subject.USER, user, "phone", user.phone, phone, by, at)
    user.phone = None
    session.flush()  # a user has one phone: the former is given back before the next is taken
    user.phone = phone
    user.revision += 1
    note_present(session, by, at)
