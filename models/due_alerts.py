"""Making the warnings that are due and not made yet, by `models.alerts.RULES`.

Convergent: what is due and not warned of is looked for, so that a day of being off is caught up at once, and the key of
each alert keeps it from being made twice.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import date, datetime, time, timedelta

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from models.alerts import RULES, Alert, AlertKind, Rule, When
from models.audiences import Audience, Reachable, Recipient
from models.base import insert_new
from models.deadlines import Deadline
from models.executions import Execution
from models.free_days import load_calendar
from models.looks import who_has_not_looked
from models.marks import Mark
from models.reports import Report, ReportState
from models.workdays import END_OF_DAY, KYIV, WorkCalendar

AT_ONCE = 500  # alerts of one rule in one transaction


def make_alerts(session: Session, at: datetime, kinds: Collection[AlertKind] = tuple(RULES)) -> int:
    """Make the alerts of these kinds that are due at ``at`` and not made yet; how many were made.

    Of each rule at most `AT_ONCE`: called again, it makes the next ones. Whoever has no address gets none: those of
    deadlines that run still are made once an address is there.
    """
    calendar, people = load_calendar(session), Reachable(session)
    made = 0
    for kind, audience in _pairs(kinds):
        for deadline, executor_id in session.execute(_untold(kind, audience, people, calendar, at)).all():
            about = deadline.organisation_id or executor_id
            subject = f"d{deadline.id}:{deadline.due_at:%Y%m%d%H%M}"
            made += _make(
                session, kind, audience, subject, people.of(audience, about), at, _since(kind, deadline, at),
                report_id=deadline.report_id, deadline_id=deadline.id, due_at=deadline.due_at, organisation_id=about,
            )  # fmt: skip
    if AlertKind.REASONS_GIVEN in kinds:
        made += _of_reasons(session, people, at)
    if AlertKind.NOT_LOOKED in kinds:
        made += _of_looks(session, people, calendar, at)
    return made


def emergencies_to_tell(session: Session, at: datetime) -> bool:
    """Whether `make_alerts` has an emergency to tell of. Only reads: it is asked every few seconds."""
    calendar, people = load_calendar(session), Reachable(session)
    pairs = _pairs((AlertKind.EMERGENCY,))
    return any(session.execute(_untold(kind, to, people, calendar, at).limit(1)).first() for kind, to in pairs)


def _pairs(kinds: Collection[AlertKind]) -> Iterator[tuple[AlertKind, Audience]]:
    return ((kind, to) for kind, rule in RULES.items() if rule.deadline and kind in kinds for to in rule.to)


def _untold(kind: AlertKind, audience: Audience, people: Reachable, calendar: WorkCalendar, at: datetime) -> Select:
    """The deadlines that have come to the rule's moment and of which nobody of this audience was warned, with the
    leading executor."""
    told = select(Alert.id).where(
        Alert.deadline_id == Deadline.id,
        Alert.kind == kind,
        Alert.audience == audience,
        Alert.due_at == Deadline.due_at,
    )
    query = _due(select(Deadline, Report.executor_id), RULES[kind], calendar, at).where(~told.exists())
    reachable = people.organisations(audience)
    if reachable is not None:
        query = query.where(func.coalesce(Deadline.organisation_id, Report.executor_id).in_(reachable))
    return query.order_by(Deadline.due_at, Deadline.id).limit(AT_ONCE)


def _due(query: Select, rule: Rule, calendar: WorkCalendar, at: datetime) -> Select:
    """The deadlines that run, and have come to the rule's moment."""
    query = query.join(Report, Report.id == Deadline.report_id).where(
        Deadline.kind == rule.deadline,
        Deadline.running,
    )
    if rule.emergency is not None:
        query = query.where(Report.emergency.is_(rule.emergency))
    if rule.when == When.LATE:
        return query.where(Deadline.due_at < at)
    if rule.when == When.SOON:
        return query.where(Deadline.due_at >= at, Deadline.due_at <= calendar.end_of_working_days(at, rule.days))
    return query


def _since(kind: AlertKind, deadline: Deadline, at: datetime) -> datetime:
    """When there was reason for the alert; what comes nearer does so at midnight in Kyiv."""
    when = RULES[kind].when
    if when == When.SOON:
        return datetime.combine(at.astimezone(KYIV).date(), time(), KYIV)
    return deadline.due_at if when == When.LATE else deadline.began_at


def _of_reasons(session: Session, people: Reachable, at: datetime) -> int:
    """Reasons were given: those of the control body who control that executor decide (R 4.4)."""
    kind, audience = AlertKind.REASONS_GIVEN, Audience.CONTROL_BODY
    given = (
        select(Execution)
        .join(Report, Report.id == Execution.report_id)
        .where(
            Report.state == ReportState.REASONS_GIVEN,
            Execution.reasons_at.is_not(None),
            Execution.organisation_id.in_(people.organisations(audience) or ()),
        )
    )
    made = 0
    for part in session.scalars(given).all():
        made += _make(
            session, kind, audience, f"e{part.id}:{part.reasons_at:%Y%m%d%H%M%S}",
            people.of(audience, part.organisation_id), at, part.reasons_at,
            report_id=part.report_id, organisation_id=part.organisation_id,
        )  # fmt: skip
    return made


_LOOKS = "alerts:looks"  # the mark that keeps the last day for which it was told who has not looked


def _of_looks(session: Session, people: Reachable, calendar: WorkCalendar, at: datetime) -> int:
    """Who has not looked at their reports on a working day that is over (R 4.1); from the first round on."""
    today = at.astimezone(KYIV)
    last = today.date() if today.time() >= END_OF_DAY else today.date() - timedelta(days=1)
    insert_new(session, Mark, name=_LOOKS, value=last.isoformat())
    mark = session.get_one(Mark, _LOOKS, with_for_update=True)
    made = 0
    for day in _days(date.fromisoformat(mark.value), last):
        for organisation in who_has_not_looked(session, day) if calendar.is_workday(day) else ():
            made += _make(
                session, AlertKind.NOT_LOOKED, Audience.ADMINISTRATORS, f"l{organisation.id}:{day:%Y%m%d}",
                people.of(Audience.ADMINISTRATORS, None), at, datetime.combine(day, END_OF_DAY, KYIV),
                organisation_id=organisation.id, day=day,
            )  # fmt: skip
    mark.value = max(mark.value, last.isoformat())
    return made


def _days(after: date, until: date) -> Iterator[date]:
    return (after + timedelta(days=ahead) for ahead in range(1, (until - after).days + 1))


def _make(
    session: Session,
    kind: AlertKind,
    audience: Audience,
    subject: str,
    recipients: Sequence[Recipient],
    at: datetime,
    since: datetime,
    **about: object,
) -> int:
    made = 0
    for recipient in recipients:
        row = insert_new(
            session,
            Alert,
            key=f"{kind}:{audience}:{subject}:{recipient.mark}",
            kind=kind,
            audience=audience,
            since=since,
            made_at=at,
            to_user_id=recipient.user_id,
            to_organisation_id=recipient.organisation_id,
            **about,
        )
        made += row is not None
    return made
