"""Who is told by letter: the centre's people, an organisation's, those who control it; of those who have an address."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.people import CONTROL, Organisation, Role, User


class Audience(StrEnum):
    """Who is told: everybody of a role at the centre, or those of the organisation that it is about."""

    ADMINISTRATORS = "administrators"
    SUPERVISORS = "supervisors"
    OPERATORS = "operators"
    HEADS = "heads"
    CONTROL_BODY = "control_body"


ROLES = {
    Audience.ADMINISTRATORS: Role.ADMINISTRATOR,
    Audience.SUPERVISORS: Role.SUPERVISOR,
    Audience.OPERATORS: Role.OPERATOR,
    Audience.HEADS: Role.HEAD,
    Audience.CONTROL_BODY: Role.CONTROL_BODY,
}
CENTRE = frozenset({Audience.ADMINISTRATORS, Audience.SUPERVISORS})
# where none of them has an address, the organisation's own is written to
BY_ORGANISATION = frozenset({Audience.OPERATORS, Audience.HEADS})


@dataclass(frozen=True)
class Recipient:
    """A person, or an organisation's own address."""

    user_id: int | None = None
    organisation_id: int | None = None

    @property
    def mark(self) -> str:
        return f"u{self.user_id}" if self.user_id is not None else f"o{self.organisation_id}"


class Reachable:
    """Who has an address, by audience and organisation."""

    def __init__(self, session: Session) -> None:
        self._centre: dict[str, list[Recipient]] = {}
        self._own: dict[tuple[str, int], list[Recipient]] = {}
        self._addresses = set(
            session.scalars(select(Organisation.id).where(Organisation.active, Organisation.email != ""))
        )
        for user_id, role, organisation_id in session.execute(
            select(User.id, User.role, User.organisation_id).where(User.active, User.email != "").order_by(User.id)
        ):
            recipient = Recipient(user_id=user_id)
            if organisation_id is None:
                self._centre.setdefault(role, []).append(recipient)
            else:
                self._own.setdefault((role, organisation_id), []).append(recipient)
        self._control: dict[int, list[Recipient]] = {}
        for user_id, organisation_id in session.execute(
            select(CONTROL.c.user_id, CONTROL.c.organisation_id)
            .join(User, User.id == CONTROL.c.user_id)
            .where(User.active, User.email != "")
            .order_by(User.id)
        ):
            self._control.setdefault(organisation_id, []).append(Recipient(user_id=user_id))

    def of(self, audience: Audience, organisation_id: int | None) -> list[Recipient]:
        """Who of this audience is told of what concerns the organisation."""
        if audience in CENTRE:
            return self._centre.get(ROLES[audience], [])
        if organisation_id is None:
            return []
        if audience == Audience.CONTROL_BODY:
            return self._control.get(organisation_id, [])
        own = self._own.get((ROLES[audience], organisation_id), [])
        return own or ([Recipient(organisation_id=organisation_id)] if organisation_id in self._addresses else [])

    def organisations(self, audience: Audience) -> Collection[int] | None:
        """The organisations of which somebody can be told; None: of all."""
        if audience in CENTRE:
            return None if self.of(audience, None) else ()
        if audience == Audience.CONTROL_BODY:
            return self._control.keys()
        return self._addresses | {place for role, place in self._own if role == ROLES[audience]}
