"""People and organisations: who works here, who calls, who does the work."""

from collections.abc import Collection
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Column, ForeignKey, Index, String, Table, UniqueConstraint, select, true
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from models.base import Base, UTCDateTime, now


class Role(StrEnum):
    ADMINISTRATOR = "administrator"
    DISPATCHER = "dispatcher"
    TECHNICAL_ADMINISTRATOR = "technical_administrator"
    SUPERVISOR = "supervisor"
    OPERATOR = "operator"
    HEAD = "head"  # of an organisation
    CONTROL_BODY = "control_body"  # a deputy mayor, the secretary, the manager of affairs (R 2.7)


# of one organisation, whose reports alone they see (W2)
ORGANISATION_ROLES = frozenset({Role.OPERATOR, Role.HEAD})


class User(Base):
    """Somebody who logs in. ``is_active`` and ``get_id`` are what Flask-Login asks for."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    login: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(128))
    password_hash: Mapped[str] = mapped_column(String(256))
    role: Mapped[Role] = mapped_column(String(32))
    language: Mapped[str] = mapped_column(String(2), default="uk")
    sound: Mapped[bool] = mapped_column(default=True)
    active: Mapped[bool] = mapped_column(default=True)
    session_mark: Mapped[int] = mapped_column(default=0)  # raised to end all sessions of this user
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)
    email: Mapped[str] = mapped_column(String(160), default="", server_default="")
    organisation_id: Mapped[int | None] = mapped_column(ForeignKey("organisations.id"))  # an operator's or a head's
    revision: Mapped[int] = mapped_column(default=0, server_default="0")  # raised by every change of the account

    phone: Mapped["Phone | None"] = relationship(back_populates="user")
    organisation: Mapped["Organisation | None"] = relationship()
    controls: Mapped[list["Organisation"]] = relationship(secondary=lambda: CONTROL, back_populates="controlled_by")

    is_authenticated = True
    is_anonymous = False

    @property
    def is_active(self) -> bool:
        return self.active

    def get_id(self) -> str:
        return f"{self.id}:{self.session_mark}"


class Phone(Base):
    """A desk phone: a PJSIP endpoint named ``name``; it rings for the user it belongs to."""

    __tablename__ = "phones"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(32), unique=True)
    extension: Mapped[str] = mapped_column(String(8), unique=True)
    secret: Mapped[str] = mapped_column(String(64))
    title: Mapped[str] = mapped_column(String(128), default="")
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"), unique=True)
    active: Mapped[bool] = mapped_column(default=True, server_default=true())
    key: Mapped[int] = mapped_column(default=0, server_default="0")  # raised by each new secret

    user: Mapped[User | None] = relationship(back_populates="phone")


class Organisation(Base):
    """An executive body, municipal enterprise or institution that solves reports (R 2.4, R 2.6)."""

    __tablename__ = "organisations"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(160), unique=True)
    active: Mapped[bool] = mapped_column(default=True)
    email: Mapped[str] = mapped_column(String(160), default="", server_default="")
    revision: Mapped[int] = mapped_column(default=0, server_default="0")

    controlled_by: Mapped[list[User]] = relationship(secondary=lambda: CONTROL, back_populates="controls")
    duty: Mapped[list["DutyNumber"]] = relationship(order_by="DutyNumber.place", cascade="all, delete-orphan")

    @property
    def duty_numbers(self) -> tuple[str, ...]:
        """The telephones of its duty (E.164), in the order in which they are called (I8)."""
        return tuple(one.number for one in self.duty)

    @duty_numbers.setter
    def duty_numbers(self, numbers: Collection[str]) -> None:
        self.duty = [DutyNumber(place=place, number=number) for place, number in enumerate(numbers, 1)]


class DutyNumber(Base):
    """A telephone at which an organisation takes emergencies over; ``place``, from 1, is its turn (I8)."""

    __tablename__ = "duty_numbers"

    organisation_id: Mapped[int] = mapped_column(ForeignKey("organisations.id"), primary_key=True)
    place: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[str] = mapped_column(String(20))  # E.164


# which member of the control body controls which organisation (R order 4)
CONTROL = Table(
    "control",
    Base.metadata,
    Column("user_id", ForeignKey("users.id"), primary_key=True),
    Column("organisation_id", ForeignKey("organisations.id"), primary_key=True, index=True),
)


class Person(Base):
    """An applicant. One person may have several numbers, and one number several people (a family's landline)."""

    __tablename__ = "persons"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(128))
    street_id: Mapped[int | None] = mapped_column(ForeignKey("streets.id"))
    building: Mapped[str] = mapped_column(String(16), default="")
    flat: Mapped[str] = mapped_column(String(16), default="")
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)

    numbers: Mapped[list["PersonNumber"]] = relationship(back_populates="person")


class PersonNumber(Base):
    """A number somebody confirmed to be this person's."""

    __tablename__ = "person_numbers"
    __table_args__ = (UniqueConstraint("number", "person_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("persons.id"), index=True)
    number: Mapped[str] = mapped_column(String(20))
    confirmed_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    confirmed_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)

    person: Mapped[Person] = relationship(back_populates="numbers")


class AccessLog(Base):
    """One look at personal data: who, at what, when and why (A3). Rows are only ever added (`models.kept`).

    Without a user it was the applicant, who heard the state of the report by telephone (W10). ``subject_id`` is the
    row's; of a "journal" page or another "list" its newest report's; of a "search" for a
    telephone, how many of its digits were given; of the "log" itself the user whose looks were read, 0 for all; of an
    "erasure" how many reports it was about; of an "export", or of "export_names" with names and telephones, how many
    the file holds.
    """

    __tablename__ = "access_log"
    __table_args__ = (
        # the log's page: each set of filters has the index that gives its rows in the order of their times
        Index("ix_access_log_user_at", "user_id", "at"),
        Index("ix_access_log_subject_at", "subject", "at"),
        Index("ix_access_log_user_subject_at", "user_id", "subject", "at"),
        Index("ix_access_log_subject_id_at", "subject", "subject_id", "at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(UTCDateTime, default=now, index=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    subject: Mapped[str] = mapped_column(String(32))  # `models.accesses.Subject`
    subject_id: Mapped[int]
    reason: Mapped[str] = mapped_column(String(64))

    user: Mapped[User | None] = relationship()


def people_of(session: Session, organisations: Collection[int]) -> dict[int, list[User]]:
    """Whom to speak with in each of these organisations: its operators, then its head."""
    found: dict[int, list[User]] = {}
    query = select(User).where(User.active, User.role.in_(ORGANISATION_ROLES), User.organisation_id.in_(organisations))
    for user in session.scalars(query.order_by(User.role != Role.OPERATOR, User.name)):
        found.setdefault(user.organisation_id, []).append(user)
    return found


def active_organisations(session: Session) -> list[Organisation]:
    """Those that reports can be given to, by name."""
    return list(session.scalars(select(Organisation).where(Organisation.active).order_by(Organisation.name)))
