"""Letters to those who work here: an outbox, so that none is lost and none is sent twice.

A letter is written in the transaction of what it tells of, and sent later. Who sends it says so first (*sending*), so
that of two processes one does. When nobody knows whether the mail server took it (it was cut off, we died), it is sent
again after `CUT_OFF` with the same Message-ID, by which mail programs see that it is the same letter: better twice in
one mailbox than in none.
"""

import re
import uuid
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String, Text, func, or_, select, update
from sqlalchemy.orm import Mapped, Session, joinedload, mapped_column, relationship

from models.base import Base, UTCDateTime, insert_new
from models.machine import next_state
from models.people import Organisation, User


class LetterState(StrEnum):
    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"


class LetterEvent(StrEnum):
    TAKEN = "taken"  # somebody sends it now
    CUT_OFF = "cut_off"  # who sent it never said what became of it
    ACCEPTED = "accepted"  # the mail server has it
    PUT_OFF = "put_off"  # not now: the mail server says so, or is away
    REFUSED = "refused"  # never: the mail server says so, or nobody could be reached for too long
    ASKED_AGAIN = "asked_again"  # a person wants it sent once more


LETTER_TABLE: dict[tuple[LetterState, LetterEvent], LetterState] = {
    (LetterState.QUEUED, LetterEvent.TAKEN): LetterState.SENDING,
    (LetterState.SENDING, LetterEvent.CUT_OFF): LetterState.SENDING,
    (LetterState.SENDING, LetterEvent.ACCEPTED): LetterState.SENT,
    (LetterState.SENDING, LetterEvent.PUT_OFF): LetterState.QUEUED,
    (LetterState.SENDING, LetterEvent.REFUSED): LetterState.FAILED,
    (LetterState.FAILED, LetterEvent.ASKED_AGAIN): LetterState.QUEUED,
}

PAUSES = tuple(timedelta(minutes=minutes) for minutes in (1, 2, 5, 10, 20, 30, 60))  # between tries; then the last one
GIVEN_UP_AFTER = timedelta(days=3)  # by then a person must look
CUT_OFF = timedelta(minutes=10)  # no sending takes longer
_BREAKS = re.compile(r"[\x00-\x20\x7f]+")  # none may stand in a header; a non-breaking space may
LONGEST_REASON = 300  # characters


class Letter(Base):
    """One letter to a person, or to an organisation's own address. It holds nothing of the applicant."""

    __tablename__ = "letters"
    __table_args__ = (Index("ix_letters_state_next_try_at", "state", "next_try_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(96), unique=True)  # what makes it one of its kind
    message_id: Mapped[str] = mapped_column(String(64), unique=True)  # of all its tries, without brackets and host
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    organisation_id: Mapped[int | None] = mapped_column(ForeignKey("organisations.id"))
    subject: Mapped[str] = mapped_column(String(200))
    body: Mapped[str] = mapped_column(Text)
    state: Mapped[LetterState] = mapped_column(String(16), default=LetterState.QUEUED)
    attempts: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    next_try_at: Mapped[datetime] = mapped_column(UTCDateTime)  # of one that is being sent: when it counts as cut off
    give_up_at: Mapped[datetime] = mapped_column(UTCDateTime)
    sent_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    reason: Mapped[str] = mapped_column(Text, default="")  # why it is not sent yet, in the mail server's words

    user: Mapped[User | None] = relationship()
    organisation: Mapped[Organisation | None] = relationship()

    @property
    def address(self) -> str:
        """Where it goes now: an address that was mended meanwhile is the right one."""
        recipient = self.user if self.user_id is not None else self.organisation
        return recipient.email if recipient else ""

    @property
    def to(self) -> str:
        """Whom it is for, by name."""
        recipient = self.user if self.user_id is not None else self.organisation
        return recipient.name if recipient else ""


def write_letter(
    session: Session,
    key: str,
    subject: str,
    body: str,
    at: datetime,
    *,
    user_id: int | None = None,
    organisation_id: int | None = None,
) -> Letter | None:
    """Put a letter into the outbox; None when there is one with this ``key`` already."""
    return insert_new(
        session,
        Letter,
        key=key,
        message_id=uuid.uuid4().hex,
        user_id=user_id,
        organisation_id=organisation_id,
        subject=_BREAKS.sub(" ", subject).strip()[:200],
        body=body,
        state=LetterState.QUEUED,
        attempts=0,
        created_at=at,
        next_try_at=at,
        give_up_at=at + GIVEN_UP_AFTER,
        reason="",
    )


def letters_to_send(session: Session, at: datetime, limit: int = 100) -> list[int]:
    """The letters whose turn it is, the longest waiting first; those cut off among them."""
    query = select(Letter.id).where(
        Letter.state.in_((LetterState.QUEUED, LetterState.SENDING)), Letter.next_try_at <= at
    )
    return list(session.scalars(query.order_by(Letter.next_try_at, Letter.id).limit(limit)))


def take_letter(session: Session, letter_id: int, at: datetime) -> Letter | None:
    """Say that we send this letter now; None when another does, or has."""
    query = select(Letter).where(Letter.id == letter_id, Letter.next_try_at <= at)
    query = query.options(joinedload(Letter.user), joinedload(Letter.organisation))
    letter = session.scalar(query.with_for_update(of=Letter))  # it may be about to be written anew
    if letter is None or letter.state not in (LetterState.QUEUED, LetterState.SENDING):
        return None
    event = LetterEvent.TAKEN if letter.state == LetterState.QUEUED else LetterEvent.CUT_OFF
    taken = _move(session, letter, event, next_try_at=at + CUT_OFF, attempts=letter.attempts + 1)
    return letter if taken else None


def letter_accepted(session: Session, letter: Letter, at: datetime) -> None:
    """The mail server has taken it."""
    _move(session, letter, LetterEvent.ACCEPTED, sent_at=at, reason="")


def letter_put_off(session: Session, letter: Letter, reason: str, at: datetime) -> None:
    """It could not be sent: another try after a pause that grows; failed once it was tried for `GIVEN_UP_AFTER`."""
    if at > letter.give_up_at:
        letter_refused(session, letter, reason)
        return
    pause = PAUSES[min(letter.attempts, len(PAUSES)) - 1]
    _move(session, letter, LetterEvent.PUT_OFF, next_try_at=at + pause, reason=reason[:LONGEST_REASON])


def letter_refused(session: Session, letter: Letter, reason: str) -> None:
    """It will never be taken as it is: a person has to look."""
    _move(session, letter, LetterEvent.REFUSED, reason=reason[:LONGEST_REASON])


def send_again(session: Session, letter: Letter, at: datetime) -> None:
    """A person wants a failed letter sent once more. Raises `IllegalMove` for any other."""
    _move(session, letter, LetterEvent.ASKED_AGAIN, next_try_at=at, give_up_at=at + GIVEN_UP_AFTER)


def count_letters(session: Session, waiting_since: datetime) -> tuple[int, int]:
    """How many letters wait since before that moment, and how many have failed."""
    unsent = (LetterState.QUEUED, LetterState.SENDING)
    counted = dict(
        session.execute(
            select(Letter.state, func.count())
            .where(
                or_(
                    Letter.state == LetterState.FAILED,
                    Letter.state.in_(unsent) & (Letter.created_at < waiting_since),
                )
            )
            .group_by(Letter.state)
        ).all()
    )
    return sum(counted.get(state, 0) for state in unsent), counted.get(LetterState.FAILED, 0)


def _move(session: Session, letter: Letter, event: LetterEvent, **values: object) -> bool:
    """Move the letter by the table, if it is still as it was read; whether it was."""
    after = next_state("letter", LETTER_TABLE, LetterState(letter.state), event)
    moved = session.execute(
        update(Letter)
        .where(Letter.id == letter.id, Letter.state == letter.state, Letter.attempts == letter.attempts)
        .values(state=after, **values)
        .execution_options(synchronize_session=False)
    )
    session.refresh(letter)
    return moved.rowcount == 1
