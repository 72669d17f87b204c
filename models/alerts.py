"""Warnings by letter: which deadline at which moment leads to a warning to whom (W2-W4, W6, W9, I8).

`RULES` is the whole of it; `models.due_alerts` makes what it says. An alert is one warning to one recipient; its
``key`` is unique, so that it is made once whatever crashes or runs twice. What stands on the screens is not made but
computed (`models.pressing`). The module is not called "warnings" because Python has one of that name.
"""

from dataclasses import dataclass
from datetime import date, datetime, time
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String, case, select, update
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, Session, joinedload, mapped_column, relationship

from models.audiences import BY_ORGANISATION, Audience, Recipient
from models.base import Base, UTCDateTime
from models.deadlines import Deadline, DeadlineKind, note_warning
from models.free_days import load_calendar
from models.outbox import Letter, LetterState
from models.people import Organisation
from models.reports import Report, ReportState
from models.work import head_informed_by_letter
from models.workdays import KYIV

SUMMARY_FROM = time(8, 0)  # in Kyiv: what does not go at once goes with the summary of the next working day


class AlertKind(StrEnum):
    EMERGENCY = "emergency"
    NEW_REPORT = "new_report"
    NOT_INFORMED = "not_informed"
    NOT_ACCEPTED = "not_accepted"
    WORK_SOON = "work_soon"
    WORK_LATE = "work_late"
    REASONS_SOON = "reasons_soon"
    REASONS_LATE = "reasons_late"
    REASONS_GIVEN = "reasons_given"
    NOT_LOOKED = "not_looked"


class When(StrEnum):
    """At which moment of a deadline."""

    RUNNING = "running"  # as soon as it runs
    SOON = "soon"  # so many working days before it is due
    LATE = "late"  # once it was due


@dataclass(frozen=True)
class Rule:
    """Which deadlines, when, to whom. ``deadline`` None: no deadline begins it, but what its kind says."""

    clause: str
    to: tuple[Audience, ...]
    deadline: DeadlineKind | None = None
    when: When = When.LATE
    days: int = 0  # working days, for `When.SOON`
    emergency: bool | None = None  # of emergencies alone, of others alone, of all
    at_once: bool = False  # else with the day's summary
    informs_head: bool = False  # the letter is what the order asks for: the deadline to inform the head is met by it


OPERATORS, HEADS = Audience.OPERATORS, Audience.HEADS
RULES: dict[AlertKind, Rule] = {
    AlertKind.EMERGENCY: Rule(
        "S 3.2", (OPERATORS, HEADS), DeadlineKind.INFORM_HEAD, When.RUNNING,
        emergency=True, at_once=True, informs_head=True,
    ),
    AlertKind.NOT_ACCEPTED: Rule(
        "R 4.3", (Audience.ADMINISTRATORS, OPERATORS), DeadlineKind.ACCEPT, When.LATE, at_once=True
    ),
    AlertKind.NEW_REPORT: Rule(
        "R 4.2", (HEADS,), DeadlineKind.INFORM_HEAD, When.RUNNING, emergency=False, informs_head=True
    ),
    AlertKind.NOT_INFORMED: Rule("R 4.2", (OPERATORS,), DeadlineKind.INFORM_HEAD, When.LATE),
    AlertKind.WORK_LATE: Rule("S 4.4", (Audience.SUPERVISORS, HEADS, OPERATORS), DeadlineKind.WORK, When.LATE),
    AlertKind.REASONS_LATE: Rule("R 4.4", (Audience.SUPERVISORS, HEADS), DeadlineKind.REASONS, When.LATE),
    AlertKind.WORK_SOON: Rule("S 2.3", (OPERATORS,), DeadlineKind.WORK, When.SOON, days=1),
    AlertKind.REASONS_SOON: Rule("R 4.4", (OPERATORS, HEADS), DeadlineKind.REASONS, When.SOON, days=5),
    AlertKind.REASONS_GIVEN: Rule("R 4.4", (Audience.CONTROL_BODY,)),
    AlertKind.NOT_LOOKED: Rule("R 4.1", (Audience.ADMINISTRATORS,)),
}  # fmt: skip


_UNWRITTEN = sql("letter_id IS NULL AND moot_at IS NULL")
_UNTOLD = sql("letter_id IS NOT NULL AND told_at IS NULL")


class Alert(Base):
    """One warning to one recipient. Rows are only ever added; what became of it is set later, once each: ``letter``,
    ``moot_at``, ``told_at``. A ``letter`` that was not sent yet may be written anew (`write_anew_without`)."""

    __tablename__ = "alerts"
    __table_args__ = (
        Index("ix_alerts_deadline_id_kind_audience", "deadline_id", "kind", "audience"),
        Index("ix_alerts_untold", "letter_id", sqlite_where=_UNTOLD, postgresql_where=_UNTOLD),
        Index("ix_alerts_unwritten", "id", sqlite_where=_UNWRITTEN, postgresql_where=_UNWRITTEN),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(96), unique=True)
    kind: Mapped[AlertKind] = mapped_column(String(16))
    audience: Mapped[Audience] = mapped_column(String(16))
    since: Mapped[datetime] = mapped_column(UTCDateTime)  # when there was reason for it
    made_at: Mapped[datetime] = mapped_column(UTCDateTime)
    to_user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    to_organisation_id: Mapped[int | None] = mapped_column(ForeignKey("organisations.id"))
    report_id: Mapped[int | None] = mapped_column(ForeignKey("reports.id"))
    deadline_id: Mapped[int | None] = mapped_column(ForeignKey("deadlines.id"))
    due_at: Mapped[datetime | None] = mapped_column(UTCDateTime)  # as the deadline was when it was warned of
    organisation_id: Mapped[int | None] = mapped_column(ForeignKey("organisations.id"))  # whom it is about
    day: Mapped[date | None]  # in Kyiv
    letter_id: Mapped[int | None] = mapped_column(ForeignKey("letters.id"))
    moot_at: Mapped[datetime | None] = mapped_column(UTCDateTime)  # done before anybody was written to
    told_at: Mapped[datetime | None] = mapped_column(UTCDateTime)  # the letter was sent, and what follows is kept

    report: Mapped[Report | None] = relationship()
    deadline: Mapped[Deadline | None] = relationship()
    organisation: Mapped[Organisation | None] = relationship(foreign_keys=[organisation_id])
    letter: Mapped[Letter | None] = relationship()


def alerts_to_write(session: Session, at: datetime) -> dict[str, list[Alert]]:
    """The alerts for which letters are to be written now, by the key of their letter; each letter has one recipient.

    Those of a rule ``at_once`` now; the others with one summary a working day, which holds what there was reason for
    by `SUMMARY_FROM`. What needs no warning any more is left out for good. Until the transaction ends no other process
    gets any of them.
    """
    local = at.astimezone(KYIV)
    at_once = [kind for kind, rule in RULES.items() if rule.at_once]
    query = (
        select(Alert)
        .where(Alert.letter_id.is_(None), Alert.moot_at.is_(None))
        .options(
            joinedload(Alert.report).options(
                joinedload(Report.category), joinedload(Report.street), joinedload(Report.executor)
            ),
            joinedload(Alert.organisation),
            joinedload(Alert.deadline),
        )
        .order_by(case({kind: place for place, kind in enumerate(RULES)}, value=Alert.kind), Alert.due_at, Alert.id)
        .with_for_update(of=Alert)
    )
    wanted = Alert.kind.in_(at_once)
    if local.time() >= SUMMARY_FROM and load_calendar(session).is_workday(local.date()):
        wanted |= Alert.since < datetime.combine(local.date(), SUMMARY_FROM, KYIV)
    query = query.where(wanted)
    grouped: dict[tuple[str, Recipient], list[Alert]] = {}
    for alert in session.scalars(query):
        if _is_moot(alert):
            alert.moot_at = at
        else:
            group = f"once:{alert.kind}" if alert.kind in at_once else f"day:{local:%Y%m%d}"
            grouped.setdefault((group, Recipient(alert.to_user_id, alert.to_organisation_id)), []).append(alert)
    return {
        f"{group}:{_one_of_its_kind(group, recipient, alerts)}": alerts
        for (group, recipient), alerts in grouped.items()
    }


def _one_of_its_kind(group: str, recipient: Recipient, alerts: list[Alert]) -> str:
    """One summary a day for a recipient; of the others one for the same first alert."""
    return recipient.mark if group.startswith("day") else str(min(alert.id for alert in alerts))


def _is_moot(alert: Alert) -> bool:
    """Whether it was done before anybody was told. That a deadline was missed is told in any case (W9)."""
    if alert.kind == AlertKind.REASONS_GIVEN:
        return alert.report is None or alert.report.state != ReportState.REASONS_GIVEN
    return alert.deadline is not None and not alert.deadline.open and RULES[alert.kind].when != When.LATE


def write_anew_without(session: Session, report: Report, at: datetime) -> None:
    """Of the report's deadlines that were taken back at ``at`` no letter tells that the mail server was not handed yet:
    these letters are written anew, with what else they hold."""
    letters = (
        select(Letter)
        .where(
            Letter.state == LetterState.QUEUED,
            Letter.attempts == 0,
            Letter.id.in_(
                select(Alert.letter_id)
                .join(Deadline, Deadline.id == Alert.deadline_id)
                .where(Deadline.report_id == report.id, Deadline.cancelled_at == at)
            ),
        )
        .order_by(Letter.id)
    )
    for letter in session.scalars(letters.with_for_update()).all():
        session.execute(update(Alert).where(Alert.letter_id == letter.id).values(letter_id=None))
        session.delete(letter)
    session.flush()


def untold_alerts(session: Session, limit: int = 500) -> list[int]:
    """The alerts whose letters were sent, and of which that is not kept yet (`keep_told`)."""
    query = select(Alert.id).join(Letter, Letter.id == Alert.letter_id)
    query = query.where(Alert.letter_id.is_not(None), Alert.told_at.is_(None), Letter.state == LetterState.SENT)
    return list(session.scalars(query.order_by(Alert.id).limit(limit)))


def keep_told(session: Session, alert_id: int) -> None:
    """The letter was sent: whom it warned is kept with the deadline, or that the head knows of the report (R 4.2)."""
    alert = session.get_one(Alert, alert_id, with_for_update=True)
    if alert.told_at is not None or alert.letter is None or alert.letter.sent_at is None:
        return
    alert.told_at = at = alert.letter.sent_at
    if alert.deadline is None:
        return
    session.refresh(alert.deadline.report, with_for_update=True)  # every act takes it, too: this is no act beside one
    session.refresh(alert.deadline)
    if not alert.deadline.open or alert.audience not in BY_ORGANISATION:
        return
    if alert.audience == Audience.HEADS and RULES[alert.kind].informs_head:
        head_informed_by_letter(session, alert.deadline.report, alert.deadline.organisation_id, at)
    else:
        note_warning(session, alert.deadline, None, "", at)
