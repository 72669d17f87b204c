"""Outages (відключення): what is interrupted, where and until when, and whom it concerns (C7, S 2.8, S 3.2).

Who enters them and what each change leaves stands in `models.outage_acts`, who called about one in
`models.outage_calls`. "Late" and "overdue" are computed, never stored.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, Select, String, Text, UniqueConstraint, select
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, Session, joinedload, mapped_column, relationship, selectinload

from models.base import Base, UTCDateTime
from models.buildings import falls_into
from models.people import ORGANISATION_ROLES, Organisation, User
from models.places import Street

ENDED_SHOWN = timedelta(days=30)  # for so long the list has those that are over


class OutageKind(StrEnum):
    WATER = "water"
    HEAT = "heat"
    ELECTRICITY = "electricity"
    GAS = "gas"
    REPAIR_WORKS = "repair_works"
    OTHER = "other"


class OutageState(StrEnum):
    COMING = "coming"
    ACTIVE = "active"
    ENDED = "ended"


_NOT_ENDED = sql("ended_at IS NULL")


class Outage(Base):
    """An interruption, planned or an emergency. ``ends_at`` is the expected end, None where nobody knows it;
    ``ended_at`` when somebody said that it is over. ``text`` is spoken to callers and shown to everybody."""

    __tablename__ = "outages"
    __table_args__ = (
        Index("ix_outages_open", "begins_at", sqlite_where=_NOT_ENDED, postgresql_where=_NOT_ENDED),
        Index("ix_outages_entered_at", "entered_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    organisation_id: Mapped[int] = mapped_column(ForeignKey("organisations.id"))
    kind: Mapped[OutageKind] = mapped_column(String(16))
    planned: Mapped[bool]
    whole_city: Mapped[bool] = mapped_column(default=False)
    begins_at: Mapped[datetime] = mapped_column(UTCDateTime)
    ends_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    text: Mapped[str] = mapped_column(Text, default="")
    entered_by_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    entered_at: Mapped[datetime] = mapped_column(UTCDateTime)
    known_at: Mapped[datetime] = mapped_column(UTCDateTime)  # since when nobody can be surprised by its beginning
    ended_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    ended_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    revision: Mapped[int] = mapped_column(default=0)

    organisation: Mapped[Organisation] = relationship()
    entered_by: Mapped[User] = relationship(foreign_keys=[entered_by_id])
    ended_by: Mapped[User | None] = relationship(foreign_keys=[ended_by_id])
    places: Mapped[list["OutagePlace"]] = relationship(order_by="OutagePlace.id", cascade="all, delete-orphan")
    changes: Mapped[list["OutageChange"]] = relationship(order_by="OutageChange.id")

    @property
    def where(self) -> str:
        """Its streets with their buildings, in one text; "" for the whole city."""
        return "; ".join(place.words for place in self.places)

    def state(self, at: datetime) -> OutageState:
        if self.ended_at is not None:
            return OutageState.ENDED
        return OutageState.COMING if self.begins_at > at else OutageState.ACTIVE

    def overdue(self, at: datetime) -> bool:
        """Whether the expected end has passed and nobody has said that it is over: callers are told of it no more."""
        return self.ended_at is None and self.ends_at is not None and self.ends_at <= at

    def covers(self, street_id: int | None, building: str) -> bool:
        """Whether it is about this address. One of the whole city is about every address, also about an unknown one."""
        return self.whole_city or any(
            place.street_id == street_id and falls_into(building, place.buildings) for place in self.places
        )


class OutagePlace(Base):
    """A street of an outage; ``buildings`` as `models.buildings` reads them, "" for the whole street."""

    __tablename__ = "outage_places"
    __table_args__ = (UniqueConstraint("outage_id", "street_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    outage_id: Mapped[int] = mapped_column(ForeignKey("outages.id"))
    street_id: Mapped[int] = mapped_column(ForeignKey("streets.id"))
    buildings: Mapped[str] = mapped_column(String(256), default="")

    street: Mapped[Street] = relationship()

    @property
    def words(self) -> str:
        return f"{self.street.name}: {self.buildings}" if self.buildings else self.street.name


class OutageEvent(StrEnum):
    ENTERED = "entered"
    CHANGED = "changed"
    ENDED = "ended"
    ASKED = "asked"  # those who called are to be asked whether it is back


class OutageChange(Base):
    """What happened to an outage: who, when; of a change the ``field`` with what it was and is. Rows are only added."""

    __tablename__ = "outage_changes"

    id: Mapped[int] = mapped_column(primary_key=True)
    outage_id: Mapped[int] = mapped_column(ForeignKey("outages.id"), index=True)
    at: Mapped[datetime] = mapped_column(UTCDateTime)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    event: Mapped[OutageEvent] = mapped_column(String(16))
    field: Mapped[str] = mapped_column(String(16), default="")
    before: Mapped[str] = mapped_column(Text, default="")
    after: Mapped[str] = mapped_column(Text, default="")

    user: Mapped[User] = relationship()


@dataclass(frozen=True)
class EntryTerms:
    """How early a planned outage is to be entered before it begins, and how soon after its beginning an emergency
    (S 4.3; A5)."""

    planned: timedelta
    emergency: timedelta


def late_by(outage: Outage, terms: EntryTerms) -> timedelta | None:
    """By how much it was entered too late; None for one that came in time (A5).

    A planned one whose beginning was moved forward is as late as that was told.
    """
    if outage.planned:
        late = outage.known_at - (outage.begins_at - terms.planned)
    else:
        late = outage.entered_at - (outage.begins_at + terms.emergency)
    return late if late > timedelta(0) else None


def late_entries(session: Session, terms: EntryTerms, since: datetime) -> list[tuple[Outage, timedelta]]:
    """The outages entered since then that came too late, the newest first (A5)."""
    entered = _with_parts(select(Outage).where(Outage.entered_at >= since).order_by(Outage.id.desc()))
    found = ((outage, late_by(outage, terms)) for outage in session.scalars(entered))
    return [(outage, late) for outage, late in found if late is not None]


def open_outages(session: Session, user: User | None = None) -> Sequence[Outage]:
    """Those that nobody has ended, the earliest first; of ``user`` those that are their business (`sees`)."""
    query = select(Outage).where(Outage.ended_at.is_(None)).order_by(Outage.begins_at, Outage.id)
    return session.scalars(_with_parts(_theirs(query, user))).all()


def ended_outages(session: Session, user: User, at: datetime) -> Sequence[Outage]:
    """Those that ended lately, the last one first."""
    query = select(Outage).where(Outage.ended_at > at - ENDED_SHOWN).order_by(Outage.ended_at.desc(), Outage.id)
    return session.scalars(_with_parts(_theirs(query, user))).all()


def active_outages(session: Session, at: datetime) -> list[Outage]:
    """Those that have begun and are not over, the latest first."""
    begun = [outage for outage in open_outages(session) if outage.begins_at <= at]
    return sorted(begun, key=lambda outage: (outage.begins_at, outage.id), reverse=True)


def outages_at(session: Session, street_id: int | None, building: str, at: datetime) -> list[Outage]:
    """The active ones at an address, its own before those of the whole city (I4). Without a building every one of
    the street counts: it may be about theirs."""

    def may_be_there(outage: Outage) -> bool:
        on_street = any(place.street_id == street_id for place in outage.places)
        return outage.covers(street_id, building) or (on_street and not building.strip())

    return sorted(filter(may_be_there, active_outages(session, at)), key=lambda outage: outage.whole_city)


def sees(user: User, outage: Outage) -> bool:
    """Whether the outage is this person's business: of an organisation's people, their own one's (C7)."""
    return user.role not in ORGANISATION_ROLES or user.organisation_id == outage.organisation_id


@dataclass(frozen=True)
class Announced:
    """What callers are told of an outage, as plain values that outlive a session. ``places`` are streets' ids with
    their buildings."""

    id: int
    kind: OutageKind
    planned: bool
    whole_city: bool
    begins_at: datetime
    ends_at: datetime | None
    text: str
    places: tuple[tuple[int, str], ...] = ()

    def told_at(self, at: datetime) -> bool:
        """Whether callers hear it now: an expected end that has passed is not told any more."""
        return self.begins_at <= at and (self.ends_at is None or at < self.ends_at)


def announced(session: Session, until: datetime) -> list[Announced]:
    """What callers are told now, or will be by ``until``; the latest to begin first."""
    return [
        Announced(
            one.id, one.kind, one.planned, one.whole_city, one.begins_at, one.ends_at, one.text,
            tuple((place.street_id, place.buildings) for place in one.places),
        )
        for one in active_outages(session, until)
    ]  # fmt: skip


def to_tell(outages: Iterable[Announced], places: Sequence[tuple[int, str]], at: datetime) -> Announced | None:
    """The one outage that a caller from one of these streets with buildings hears, if any: of the newest address, then
    of the whole city, which concerns them wherever they are, then of an address before. Who calls from nobody knows
    where hears the whole city's alone."""
    told = [one for one in outages if one.told_at(at)]

    def there(street_id: int, building: str) -> Announced | None:
        of_street = ((one, ranges) for one in told for street, ranges in one.places if street == street_id)
        return next((one for one, ranges in of_street if falls_into(building, ranges)), None)

    theirs = [there(*place) for place in places]
    whole_city = next((one for one in told if one.whole_city), None)
    return next((one for one in (*theirs[:1], whole_city, *theirs[1:]) if one is not None), None)


def _theirs(query: Select, user: User | None) -> Select:
    if user is None or user.role not in ORGANISATION_ROLES:
        return query
    return query.where(Outage.organisation_id == user.organisation_id)


def _with_parts(query: Select) -> Select:
    return query.options(
        joinedload(Outage.organisation),
        joinedload(Outage.entered_by),
        selectinload(Outage.places).joinedload(OutagePlace.street),
    )
