"""Outages in the town of `tests.desk_fixtures`: entered as an enterprise would."""

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.base import now
from models.outage_acts import Details, enter_outage
from models.outages import Outage, OutageKind
from models.people import Organisation, User
from tests.helpers import AREA_CODE


def details(session: Session, **values: object) -> Details:
    """An emergency with the water at Соборна 12–48, half an hour ago; ``values`` differ."""
    at = now()
    known = {
        "organisation": session.scalars(select(Organisation).where(Organisation.name == "КП «Міськсвітло»")).one(),
        "kind": OutageKind.WATER,
        "planned": False,
        "whole_city": False,
        "streets": "" if values.get("whole_city") else "Соборна 12–48",
        "begins_at": at - timedelta(minutes=30),
        "ends_at": at + timedelta(hours=5),
        "text": "Прорвало трубу",
    }
    return Details(**known | values)


def enter(session: Session, login: str = "operator", at: datetime | None = None, **values: object) -> Outage:
    user = session.scalars(select(User).where(User.login == login)).one()
    return enter_outage(session, user, details(session, **values), at or now(), AREA_CODE)
