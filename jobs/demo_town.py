"""The demo town: everything that a fresh installation needs to look alive. Never in production."""

import random
import secrets
from datetime import datetime, time, timedelta

from argon2 import PasswordHasher
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from jobs.database import DatabaseTrouble
from jobs.demo_history import DAYS, Town, write_history
from jobs.demo_places import CATEGORIES, DUTY_NUMBERS, ORGANISATIONS, STREETS
from jobs.demo_stories import GIVEN_NAMES, PERSONS, SURNAMES
from jobs.demo_users import DEMO_USERS
from jobs.settings import demo_only
from models.base import db, now, transaction
from models.calls import Call
from models.lines import Line, RingStep
from models.people import Organisation, Person, PersonNumber, Phone, Role, User
from models.places import Category, Street
from models.telephone import to_e164
from models.workdays import KYIV

OTHER_CONTROL = ("Хоронько С. В.", "Тетірко І. В.", "Мицик В. М.", "Сосненко Л. Г.")
NO_LOGIN = "!"  # a password that nothing matches
LINES = ("5-32-73", "5-32-75", "5-42-86")
OWN_SECONDS, OTHERS_SECONDS = 20, 25
STRANGERS = 24  # numbers that belong to nobody known


def fill_demo_town(app: Flask, seed: int = 1) -> None:
    """Fill an empty database with lines, phones, users, places, people and three months of history.

    The same ``seed`` at the same moment tells the same story; only the phones' secrets are new each time. Raises
    `SettingsError` in production and `DatabaseTrouble` when the database is not empty; nothing is written then.
    """
    settings = app.config["SETTINGS"]
    demo_only(settings)
    chance, end = random.Random(seed), now()
    with app.app_context():
        with transaction() as session:
            if session.scalar(select(User.id).limit(1)) or session.scalar(select(Call.id).limit(1)):
                raise DatabaseTrouble("The database is not empty: the demo town wants an empty one (another CC_VAR).")
            begun = datetime.combine((end - timedelta(days=DAYS + 5)).date(), time(9), KYIV)
            users, phones, lines = _staff(session, settings.profile.area_code, begun)
            streets, categories = _places(session, settings.profile.area_code)
            operators, control = _organisations(session, chance, users, begun)
            known = _people(session, chance, settings.profile.area_code, begun, streets, users[0])
            town = Town(settings.profile, users, phones, lines, streets, categories, known, operators, control)
            write_history(session, chance, end, town)
        db.session.remove()


def _staff(session: Session, area_code: str, begun: datetime) -> tuple[list[User], list[Phone], list[Line]]:
    """Users, the administrators' phones, and the lines: each rings at its own administrator, then at the others."""
    hasher = PasswordHasher()
    users = [
        User(login=login, password_hash=hasher.hash(password), name=name, role=role, created_at=begun)
        for login, password, name, role in DEMO_USERS
    ]
    phones = [
        Phone(
            name=f"admin{place}", extension=f"10{place}", secret=secrets.token_urlsafe(24), title=user.name, user=user
        )
        for place, user in enumerate(users[: len(LINES)], 1)
    ]
    lines = [
        Line(number=number, e164=to_e164(number, area_code), title=f"Телефон {place}")
        for place, number in enumerate(LINES, 1)
    ]
    for own, line in enumerate(lines):
        for other, phone in enumerate(phones):
            step, seconds = (1, OWN_SECONDS) if other == own else (2, OTHERS_SECONDS)
            line.ring_steps.append(RingStep(step=step, phone=phone, seconds=seconds))
    session.add_all([*users, *phones, *lines])
    session.flush()
    return users, phones, lines


def _places(session: Session, area_code: str) -> tuple[list[Street], list[Category]]:
    streets = [Street(name=name, former_names=former) for name, former in STREETS]
    organisations = [Organisation(name=name) for name in ORGANISATIONS]
    for place, numbers in DUTY_NUMBERS.items():
        organisations[place].duty_numbers = [to_e164(number, area_code) for number in numbers]
    categories = [
        Category(name=name, organisation=organisations[place], working_days=days, position=position)
        for position, (name, place, days) in enumerate(CATEGORIES, 1)
    ]
    session.add_all([*streets, *organisations, *categories])
    session.flush()
    return streets, categories


def _organisations(
    session: Session, chance: random.Random, users: list[User], begun: datetime
) -> tuple[dict[int, User], dict[int, User]]:
    """Who works for each organisation in the system, and who controls it; the demo logins belong to the first."""
    organisations = session.scalars(select(Organisation).order_by(Organisation.id)).all()
    by_role = {user.role: user for user in users}
    by_role[Role.HEAD].organisation = by_role[Role.OPERATOR].organisation = organisations[0]
    operators = [by_role[Role.OPERATOR]]
    for place, organisation in enumerate(organisations[1:], 2):
        name = f"{chance.choice(SURNAMES)} {chance.choice(GIVEN_NAMES)[0]}. {chance.choice('АВГМОПС')}."
        operators.append(
            User(
                login=f"operator{place}",
                password_hash=NO_LOGIN,
                name=name,
                role=Role.OPERATOR,
                organisation=organisation,
                created_at=begun,
            )
        )
    control = [by_role[Role.CONTROL_BODY]]
    for place, name in enumerate(OTHER_CONTROL, 2):
        control.append(
            User(login=f"control{place}", password_hash=NO_LOGIN, name=name, role=Role.CONTROL_BODY, created_at=begun)
        )
    for place, organisation in enumerate(organisations):
        control[place % len(control)].controls.append(organisation)
    session.add_all([*operators, *control])
    session.flush()
    controllers = {organisation.id: user for user in control for organisation in user.controls}
    return {user.organisation_id: user for user in operators}, controllers


def _people(
    session: Session, chance: random.Random, area_code: str, begun: datetime, streets: list[Street], confirmed_by: User
) -> list[tuple[Person | None, str]]:
    """Known persons with each of their numbers, and numbers of strangers; a family lives and telephones together."""
    homes: dict[str, tuple[Street, str, str]] = {}
    known: list[tuple[Person | None, str]] = []
    for name, numbers, has_address in PERSONS:
        person = Person(name=name, created_at=begun)
        home = (chance.choice(streets), str(chance.randint(1, 90)), str(chance.randint(1, 60)))
        street, building, flat = homes.setdefault(name.split()[-1], home)
        if has_address:
            person.street_id, person.building, person.flat = street.id, building, flat
        for number in numbers:
            e164 = to_e164(number, area_code)
            person.numbers.append(PersonNumber(number=e164, confirmed_by_id=confirmed_by.id, confirmed_at=begun))
            known.append((person, e164))
        session.add(person)
    session.flush()
    for _ in range(STRANGERS):
        number = f"0{chance.choice((50, 66, 67, 68, 95, 97, 98))}{chance.randint(2_000_000, 8_999_999)}"
        known.append((None, to_e164(number, area_code)))
    return known
