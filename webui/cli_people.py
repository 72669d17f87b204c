"""The commands about users, lines and phones."""

import re
import secrets
from typing import TYPE_CHECKING

import click

from webui.cli_organisations import find_organisation
from webui.cli_tools import Refused, as_json, email_address, open_database, print_rows, refusing

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from models.people import User


@click.group("user")
def users() -> None:
    """Who logs in."""


@users.command("list")
@as_json
def list_users(in_json: bool) -> None:
    """All users with their role and phone."""
    from sqlalchemy import select
    from sqlalchemy.orm import joinedload

    from models.people import User

    with open_database() as session:
        found = session.scalars(select(User).options(joinedload(User.phone)).order_by(User.login)).all()
        rows = [
            {
                "login": user.login,
                "name": user.name,
                "role": str(user.role),
                "phone": user.phone.name if user.phone else None,
                "email": user.email,
                "active": user.active,
            }
            for user in found
        ]
    print_rows(rows, in_json)


@users.command("add")
@click.argument("login")
@click.option("--name", required=True, help="As colleagues read it: Цапкова О. П.")
@click.option(
    "--role",
    required=True,
    type=click.Choice(
        ["administrator", "dispatcher", "technical_administrator", "supervisor", "operator", "head", "control_body"]
    ),
)
@click.option("--organisation", help="An operator's or a head's: its name or a part of it.")
@click.option("--email", default="", help="Where warnings are written to.")
@click.option("--generate", is_flag=True, help="Make a password and print it once.")
def add_user(login: str, name: str, role: str, organisation: str | None, email: str, generate: bool) -> None:
    """Add a user; the password is asked for."""
    from models.accounts import add_user as add
    from models.base import now
    from models.people import Role

    address = email_address(email)
    password_hash = _new_password_hash(generate)
    with refusing(), open_database(write=True) as session:
        own = find_organisation(session, organisation) if organisation else None
        add(
            session,
            None,
            now(),
            login=login,
            name=name,
            role=Role(role),
            password_hash=password_hash,
            organisation=own,
            email=address,
        )
    click.echo(f"{login.strip().lower()} can log in.")


@users.command("password")
@click.argument("login")
@click.option("--generate", is_flag=True, help="Make a password and print it once.")
def set_password(login: str, generate: bool) -> None:
    """Give a user a new password and end their sessions."""
    from models.accounts import give_password
    from models.base import now

    password_hash = _new_password_hash(generate)
    with open_database(write=True) as session:
        give_password(session, _find_user(session, login), None, now(), password_hash)
    click.echo(f"{login} has a new password; all their sessions have ended.")


@users.command("email")
@click.argument("login")
@click.argument("address")
def set_user_email(login: str, address: str) -> None:
    """Write a user's warnings to ADDRESS; "" for nowhere."""
    from models.accounts import set_email
    from models.base import now

    address = email_address(address)
    with open_database(write=True) as session:
        set_email(session, _find_user(session, login), None, now(), address)
    click.echo(f"{login}: {address or 'no address'}")


@users.command("off")
@click.argument("login")
def switch_off(login: str) -> None:
    """Switch a user off: they are logged out and cannot log in."""
    _switch(login, False)
    click.echo(f"{login} is switched off.")


@users.command("on")
@click.argument("login")
def switch_on(login: str) -> None:
    """Let a user log in again."""
    _switch(login, True)
    click.echo(f"{login} is switched on.")


def _switch(login: str, active: bool) -> None:
    from models.accounts import lock_user, switch_user
    from models.base import now

    with refusing(), open_database(write=True) as session:
        found = lock_user(session, _find_user(session, login).id)
        switch_user(session, found, None, now(), active)


def _find_user(session: "Session", login: str) -> "User":
    from sqlalchemy import select

    from models.people import User

    found = session.scalar(select(User).where(User.login == login))
    if found is None:
        raise Refused(f"There is no user {login}: see contact-center user list.")
    return found


def _new_password_hash(generate: bool) -> str:
    """The hash of a password that is made here, or typed twice."""
    from models.accounts import make_password
    from webui.auth import SHORTEST_PASSWORD, hasher

    if generate:
        password = make_password()
        click.echo(f"Password: {password}")
    else:
        password = click.prompt("Password", hide_input=True, confirmation_prompt="The same again")
    if len(password) < SHORTEST_PASSWORD:
        raise Refused(f"The password is too short: write at least {SHORTEST_PASSWORD} characters.")
    return hasher.hash(password)


@click.group("line")
def lines() -> None:
    """The listed telephone lines."""


@lines.command("list")
@as_json
def list_lines(in_json: bool) -> None:
    """All lines, with the phones that ring for them, step by step."""
    from sqlalchemy import select

    from models.lines import Line, ring_order

    with open_database() as session:
        rows = []
        for line in session.scalars(select(Line).order_by(Line.id)):
            steps = [f"{'+'.join(phones)} {seconds} s" for phones, seconds in ring_order(session, line.digits)]
            row = {"number": line.number, "e164": line.e164, "title": line.title, "in_use": line.active}
            rows.append(row | {"rings": ", then ".join(steps)})
    print_rows(rows, in_json)


@lines.command("add")
@click.argument("number")
@click.option("--first", required=True, help="The phone that rings first, for 20 s: its administrator's.")
@click.option("--then", "others", multiple=True, help="A phone that rings next, 25 s, together with the others given.")
@click.option("--title", default="", help="Whose line it is.")
def add_line(number: str, first: str, others: tuple[str, ...], title: str) -> None:
    """Add a listed line, such as 5-32-73, with its ring order."""
    from sqlalchemy import select

    from jobs.settings import load_settings
    from models.base import now
    from models.lines import Line, RingStep
    from models.people import Phone
    from models.plan_acts import note_present
    from models.telephone import to_e164

    e164 = to_e164(number, load_settings().profile.area_code)
    if e164 is None or not re.fullmatch("[0-9]-[0-9]{2}-[0-9]{2}", number):
        raise Refused("Write the line's number as people read it, such as 5-32-73.")
    with open_database(write=True) as session:
        if session.scalar(select(Line).where(Line.number == number)) is not None:
            raise Refused(f"The line {number} is there already: see contact-center line list.")
        known = {phone.name: phone for phone in session.scalars(select(Phone))}
        for name in (first, *others):
            if name not in known:
                raise Refused(f"There is no phone {name}: add it with contact-center phone add.")
        added = Line(number=number, e164=e164, title=title[:128])
        added.ring_steps = [RingStep(step=1, phone=known[first], seconds=20)]
        added.ring_steps += [RingStep(step=2, phone=known[name], seconds=25) for name in dict.fromkeys(others)]
        session.add(added)
        note_present(session, None, now())
    click.echo("The exchange knows the line within seconds, or from its next start on.")


@click.group("phone")
def phones() -> None:
    """Desk phones."""


@phones.command("list")
@as_json
@click.option("--secrets", "with_secrets", is_flag=True, help="Print what the phones log in with.")
def list_phones(in_json: bool, with_secrets: bool) -> None:
    """All desk phones and whose they are."""
    from sqlalchemy import select
    from sqlalchemy.orm import joinedload

    from models.people import Phone

    with open_database() as session:
        rows = [
            {
                "name": phone.name,
                "extension": phone.extension,
                "title": phone.title,
                "user": phone.user.login if phone.user else None,
                "in_use": phone.active,
                **({"secret": phone.secret} if with_secrets else {}),
            }
            for phone in session.scalars(select(Phone).options(joinedload(Phone.user)).order_by(Phone.extension))
        ]
    print_rows(rows, in_json)


@phones.command("add")
@click.argument("name")
@click.option("--extension", required=True, help="The number colleagues dial: 104.")
@click.option("--title", default="", help="Where it stands or whose it is.")
@click.option("--user", "login", help="The login of the user it belongs to.")
def add_phone(name: str, extension: str, title: str, login: str | None) -> None:
    """Add a desk phone with a secret of its own, and print what to enter in the phone."""
    from sqlalchemy import or_, select

    from models.base import now
    from models.people import Phone
    from models.plan_acts import note_present

    if not re.fullmatch("[a-z][a-z0-9_-]{1,31}", name):
        raise Refused("Write the phone's name in small Latin letters and digits, such as admin4.")
    if not re.fullmatch("[1-9][0-9]{1,7}", extension):
        raise Refused("Write the extension as two to eight digits, such as 104.")
    if re.search(r'[\x00-\x1f;"\\]', title):
        raise Refused("Leave quotes, semicolons, backslashes and line breaks out of the title.")
    secret = secrets.token_urlsafe(24)
    with open_database(write=True) as session:
        taken = session.scalar(select(Phone).where(or_(Phone.name == name, Phone.extension == extension)))
        if taken is not None:
            raise Refused(f"The phone {taken.name} ({taken.extension}) is there already: choose another.")
        owner = _find_user(session, login) if login else None
        if owner is not None and owner.phone is not None:
            raise Refused(f"{login} has the phone {owner.phone.name} already: a user has one phone.")
        session.add(Phone(name=name, extension=extension, secret=secret, title=title[:128], user=owner))
        note_present(session, None, now())
    click.echo(f"User name in the phone: {name}\nPassword in the phone: {secret}")
    click.echo("The exchange knows the phone within seconds, or from its next start on.")
