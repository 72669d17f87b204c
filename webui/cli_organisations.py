"""The commands about organisations: who solves reports, and who controls them (R order 4)."""

from typing import TYPE_CHECKING

import click

from webui.cli_tools import Refused, as_json, email_address, open_database, print_rows, refusing

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from models.people import Organisation


@click.group("organisation")
def organisations() -> None:
    """Who solves reports."""


@organisations.command("list")
@as_json
def list_organisations(in_json: bool) -> None:
    """All organisations, with who controls each."""
    from sqlalchemy import select

    from models.people import Organisation

    with open_database() as session:
        found = session.scalars(select(Organisation).order_by(Organisation.name)).all()
        rows = [
            {
                "name": organisation.name,
                "email": organisation.email,
                "active": organisation.active,
                "controlled_by": ", ".join(user.login for user in organisation.controlled_by),
            }
            for organisation in found
        ]
    print_rows(rows, in_json)


@organisations.command("add")
@click.argument("name")
@click.option("--email", default="", help="Where warnings go when nobody there has an address.")
def add_organisation(name: str, email: str) -> None:
    """Add an organisation."""
    from models.base import now
    from models.directories import save_organisation

    address = email_address(email)
    with refusing(), open_database(write=True) as session:
        added = save_organisation(session, None, None, now(), name=name, email=address, active=True, controlled_by=[])
        told = f"{added.name} is added."
    click.echo(told)


@organisations.command("email")
@click.argument("name")
@click.argument("address")
def set_organisation_email(name: str, address: str) -> None:
    """Write the warnings of the organisation NAME (or a part of its name) to ADDRESS; "" for nowhere."""
    from models.base import now
    from models.reference import Subject, write_entry

    address = email_address(address)
    with open_database(write=True) as session:
        organisation = find_organisation(session, name)
        write_entry(session, Subject.ORGANISATION, organisation, {"email": address}, None, now())
        told = f"{organisation.name}: {address or 'no address'}"
    click.echo(told)


@organisations.command("control")
@click.argument("name")
@click.argument("login")
@click.option("--end", is_flag=True, help="They control it no longer.")
def set_control(name: str, login: str, end: bool) -> None:
    """Let the member of the control body LOGIN control the organisation NAME (or a part of its name)."""
    from sqlalchemy import select

    from models.base import now
    from models.directories import save_organisation
    from models.people import Role, User

    with refusing(), open_database(write=True) as session:
        organisation = find_organisation(session, name)
        user = session.scalar(select(User).where(User.login == login.strip().lower()))
        if user is None or user.role != Role.CONTROL_BODY:
            raise Refused(f"There is no member of the control body with the login {login}.")
        members = set(organisation.controlled_by)
        save_organisation(
            session,
            organisation,
            None,
            now(),
            name=organisation.name,
            email=organisation.email,
            active=organisation.active,
            controlled_by=members - {user} if end else members | {user},
        )
        session.refresh(user)
        told = f"{user.login} controls: {', '.join(sorted(one.name for one in user.controls)) or 'none'}"
    click.echo(told)


def find_organisation(session: "Session", name: str) -> "Organisation":
    """The one organisation with this name, or with this part of it. Raises `Refused` for none and for several."""
    from sqlalchemy import select

    from models.people import Organisation

    named = session.scalars(select(Organisation).order_by(Organisation.name)).all()
    found = [one for one in named if one.name == name] or [one for one in named if name.lower() in one.name.lower()]
    if len(found) != 1:
        which = "; ".join(one.name for one in found) or "none"
        raise Refused(f"Name one organisation: «{name}» means {which}.")
    return found[0]
