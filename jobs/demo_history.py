"""Three months of the demo town: calls, reports, what was done about them, and what was missed."""

import heapq
import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import partial

from sqlalchemy import select
from sqlalchemy.orm import Session

from jobs.demo_stories import (
    CONFIRMED,
    CONSULTATIONS,
    GIVEN_NAMES,
    LANDMARKS,
    REDIRECTIONS,
    REFUTED,
    STORIES,
    SURNAMES,
    WORK_DONE,
)
from models.calls import CALL_TABLE, Call, CallEvent, CallLeg, CallState
from models.drafts import find_repeated
from models.lines import Line
from models.machine import next_state
from models.people import Person, Phone, User
from models.places import Category, Street
from models.reports import (
    OPEN_STATES,
    REPORT_TABLE,
    HistoryRow,
    Report,
    ReportCounter,
    ReportEvent,
    ReportState,
    Source,
)
from models.search import search_text
from models.workdays import KYIV, add_working_days, ukrainian_workday

DAYS = 90
REPORTS, OTHER_CALLS, MISSED_CALLS = 150, 120, 15
OPEN_MISSED = 3  # of the last hours, still to be called back
NUMBERED_BEFORE = 257  # reports of the year before the demo's history begins
STEP_SECONDS = 20  # how long the line's own phone rings alone
_COLD_ONLY = frozenset({"Сніг та ожеледиця", "Опалення"})


@dataclass(frozen=True)
class Town:
    """Who and what there is. The first users answer the lines, in the order of phones and lines; then the dispatcher.

    ``known``: who calls, a person (None for a stranger) with one of their numbers.
    """

    systemname: str
    users: list[User]
    phones: list[Phone]
    lines: list[Line]
    streets: list[Street]
    categories: list[Category]
    known: list[tuple[Person | None, str]]


def live(session: Session, chance: random.Random, end: datetime, town: Town) -> None:
    """Write the three months before ``end``."""
    with session.no_autoflush:
        _History(session, chance, end, town).write_all()


class _History:
    """What happened, one event after the other: ids rise with the times."""

    def __init__(self, session: Session, chance: random.Random, end: datetime, town: Town) -> None:
        self.session, self.chance, self.end, self.town = session, chance, end, town
        self.administrators = town.users[: len(town.lines)]
        self.dispatcher = town.users[len(town.lines)]
        self.numbered: dict[int, int] = {}
        self.events: list[tuple[datetime, int, Callable[[datetime], None]]] = []
        self.order = itertools.count()

    def write_all(self) -> None:
        for kind, count in ((self.report, REPORTS), (self.other_call, OTHER_CALLS), (self.missed, MISSED_CALLS)):
            for _ in range(count):
                self.plan(self.moment(), kind)
        for hours in range(OPEN_MISSED):
            self.plan(self.end - timedelta(hours=2 + 4 * hours), self.missed_lately)
        while self.events:
            at, _order, happen = heapq.heappop(self.events)
            happen(at)
        for year, last in self.numbered.items():
            self.session.add(ReportCounter(year=year, last=last))

    def plan(self, at: datetime, happen: Callable[[datetime], None]) -> None:
        """Let it happen at ``at``, unless that is in the future."""
        if at < self.end:
            heapq.heappush(self.events, (at, next(self.order), happen))

    def moment(self) -> datetime:
        """Some moment of the last months: mostly working days and hours, in the morning most of all."""
        while True:
            ago = self.chance.randint(0, 3) if self.chance.random() < 0.08 else self.chance.randint(1, DAYS)
            day = self.end.astimezone(KYIV).date() - timedelta(days=ago)
            at = datetime.combine(day, time(), KYIV) + timedelta(hours=self.chance.triangular(7.8, 18.5, 9.5))
            if at < self.end - timedelta(hours=1) and (ukrainian_workday(day) or self.chance.random() < 0.15):
                return at

    def working_time(self, at: datetime) -> datetime:
        """The same moment, or the next morning on which people work."""
        local = at.astimezone(KYIV)
        if ukrainian_workday(local.date()) and 8 <= local.hour < 17:
            return local
        day = local.date() + timedelta(days=local.hour >= 8)
        while not ukrainian_workday(day):
            day += timedelta(days=1)
        return datetime.combine(day, time(8, self.chance.randint(5, 55)), KYIV)

    def call(self, at: datetime, number: str | None, answered: bool) -> Call:
        """A call with the legs that rang for it."""
        line = self.chance.randrange(len(self.town.lines))
        others = [other for other in range(len(self.town.lines)) if other != line]
        call = Call(
            uniqueid=f"{self.town.systemname}-{int(at.timestamp())}.{self.chance.randint(1, 9999)}",
            line_id=self.town.lines[line].id,
            number_received=f"0{number.removeprefix('+380')}" if number else "anonymous",
            number=number,
            state=CallState.RINGING,
            started_at=at,
        )
        self.add(call)
        own_answers = answered and self.chance.random() < 0.85
        by = line if own_answers else self.chance.choice(others)
        rang = [(line, 0)] if own_answers else [(line, 0), *((other, STEP_SECONDS) for other in others)]
        wait = self.chance.randint(3, STEP_SECONDS - 2) + (0 if own_answers else STEP_SECONDS)
        if answered:
            call.answered_at = at + timedelta(seconds=wait)
            call.answered_by_id = call.talking_to_id = self.town.phones[by].id
            call.state = next_state("call", CALL_TABLE, CallState(call.state), CallEvent.ANSWERED)
            call.ended_at = call.answered_at + timedelta(seconds=self.chance.randint(35, 290))
        else:
            call.ended_at = at + timedelta(seconds=self.chance.randint(8, 2 * STEP_SECONDS))
        call.state = next_state("call", CALL_TABLE, CallState(call.state), CallEvent.HUNG_UP)
        call.cause = 16
        for phone, after in rang:
            rang_at = at + timedelta(seconds=after)
            if rang_at < call.ended_at:
                leg = CallLeg(call_id=call.id, uniqueid=f"{call.uniqueid}-{phone}", phone_id=self.town.phones[phone].id)
                leg.rang_at, leg.ended_at = rang_at, call.answered_at or call.ended_at
                if answered and phone == by:
                    leg.answered_at, leg.ended_at = call.answered_at, call.ended_at
                self.session.add(leg)
        self.session.flush()
        if answered and number:
            for missed in self.session.scalars(
                select(Call).where(Call.number == number, Call.state == CallState.MISSED, Call.settled_by_id.is_(None))
            ):
                missed.settled_by_id = call.id
        return call

    def draft(self, call: Call) -> Report:
        report = Report(
            call_id=call.id,
            line_id=call.line_id,
            contact_number=call.number,
            created_at=call.started_at,
            state=ReportState.DRAFT,
            owner_id=self.user_of(call.answered_by_id),
        )
        self.add(report)
        self.write(report, ReportEvent.CREATED, call.started_at, None)
        return report

    def user_of(self, phone_id: int | None) -> int | None:
        return next((phone.user_id for phone in self.town.phones if phone.id == phone_id), None)

    def write(self, report: Report, event: ReportEvent, at: datetime, user_id: int | None, note: str = "") -> None:
        """Move the report by the table, at a time of the past."""
        before = "" if event == ReportEvent.CREATED else ReportState(report.state)
        if event != ReportEvent.CREATED:
            report.state = next_state("report", REPORT_TABLE, before, event)
        self.session.add(
            HistoryRow(
                report_id=report.id,
                at=at,
                user_id=user_id,
                event=event,
                from_state=before,
                to_state=report.state,
                note=note,
            )
        )

    def missed(self, at: datetime) -> None:
        """Nobody answered; they called again, somebody did, and the first draft was dropped."""
        _person, number = self.chance.choice(self.town.known)
        draft = self.draft(self.call(at, number, answered=False))

        def call_again(at: datetime) -> None:
            call = self.call(at, number, answered=True)
            self.end_other(self.draft(call), call, ReportEvent.CONSULTED, self.chance.choice(CONSULTATIONS))
            user_id = self.user_of(call.answered_by_id)
            self.write(draft, ReportEvent.DROPPED, call.ended_at, user_id, "Додзвонилися пізніше.")

        self.plan(self.working_time(at + timedelta(minutes=self.chance.randint(10, 90))), call_again)

    def missed_lately(self, at: datetime) -> None:
        """Nobody answered, and nobody called back yet."""
        self.draft(self.call(at, self.chance.choice(self.town.known)[1], answered=False))

    def other_call(self, at: datetime) -> None:
        """A call that makes no report: most are consultations (I6), some are about a report that is there already."""
        _person, number = self.chance.choice(self.town.known)
        open_report = self.open_report(number)
        if open_report and self.chance.random() < 0.6:
            call = self.call(at, number, answered=True)
            draft = self.draft(call)
            draft.attached_to_id = open_report.id
            self.end_other(draft, call, ReportEvent.ATTACHED, "Запитують, коли буде зроблено.")
            asked = HistoryRow(report_id=open_report.id, at=at, user_id=draft.owner_id, event="applicant_called")
            asked.from_state = asked.to_state = open_report.state
            asked.note = draft.text
            self.session.add(asked)
            return
        event, texts = self.chance.choices(
            (
                (ReportEvent.CONSULTED, CONSULTATIONS),
                (ReportEvent.REDIRECTED, REDIRECTIONS),
                (ReportEvent.WRONG_NUMBER, ("",)),
                (ReportEvent.DROPPED, ("Зв’язок обірвався.",)),
            ),
            weights=(78, 14, 5, 3),
        )[0]
        call = self.call(at, None if self.chance.random() < 0.04 else number, answered=True)
        self.end_other(self.draft(call), call, event, self.chance.choice(texts))

    def open_report(self, number: str | None) -> Report | None:
        """The newest open report from this number."""
        query = select(Report).where(Report.contact_number == number, Report.state.in_(OPEN_STATES))
        return self.session.scalar(query.order_by(Report.id.desc()).limit(1))

    def end_other(self, draft: Report, call: Call, event: ReportEvent, text: str) -> None:
        draft.text = text
        draft.search_text = search_text(draft)
        self.write(draft, event, call.ended_at, draft.owner_id)

    def report(self, at: datetime) -> None:
        """A report, with all that happened to it until today."""
        person, number = self.chance.choice(self.town.known)
        source = self.chance.choices(list(Source), weights=(88, 5, 3, 4))[0]
        if source == Source.TELEPHONE:
            call = self.call(at, number, answered=True)
            report, registered_at = self.draft(call), call.ended_at
        else:
            owner = self.chance.choice(self.administrators)
            report = Report(created_at=at, owner_id=owner.id, source=source, state=ReportState.DRAFT)
            report.contact_number = number if source != Source.VIDEO else None
            self.add(report)
            self.write(report, ReportEvent.CREATED, at, owner.id)
            registered_at = at + timedelta(minutes=4)
        self.describe(report, person if report.contact_number else None, at.astimezone(KYIV).date())
        report.registered_at = registered_at
        report.due_at = add_working_days(registered_at, report.category.working_days)
        year = registered_at.astimezone(KYIV).year
        before = NUMBERED_BEFORE if not self.numbered else 0
        self.numbered[year] = self.numbered.get(year, before) + 1
        report.number = f"{year}-{self.numbered[year]:04d}"
        self.session.flush()
        repeated = find_repeated(self.session, report)
        report.repeat_of_id = repeated.id if repeated else None
        report.search_text = search_text(report)
        self.write(report, ReportEvent.REGISTERED, registered_at, report.owner_id)
        self.session.flush()
        for event, when, user_id, note in self.work_on(report):
            self.plan(when, partial(self.write, report, event, user_id=user_id, note=note))

    def describe(self, report: Report, person: Person | None, day: date) -> None:
        """What, where and who; sometimes they call again about the same."""
        cold = day.month in (11, 12, 1, 2, 3)
        again = self.open_report(report.contact_number) if self.chance.random() < 0.3 else None
        kinds = [category for category in self.town.categories if cold or category.name not in _COLD_ONLY]
        report.category = again.category if again else self.chance.choice(kinds)
        report.executor = report.category.organisation
        report.text = self.chance.choice(STORIES[report.category.name])
        report.emergency = report.category.working_days == 1 and self.chance.random() < 0.5
        if person is not None:
            report.person_id, report.applicant_name = person.id, person.name
        elif report.contact_number and self.chance.random() < 0.6:
            report.applicant_name = f"{self.chance.choice(GIVEN_NAMES)} {self.chance.choice(SURNAMES)}"
        if again:
            report.street, report.building, report.landmark = again.street, again.building, again.landmark
        elif self.chance.random() < 0.12:
            report.landmark = self.chance.choice(LANDMARKS)
        elif person is not None and person.street_id and self.chance.random() < 0.7:
            report.street = next(street for street in self.town.streets if street.id == person.street_id)
            report.building, report.flat = person.building, person.flat
        else:
            report.street = self.chance.choice(self.town.streets)
            report.building = f"{self.chance.randint(1, 140)}{self.chance.choice(('', '', '', '', 'а', 'б'))}"

    def work_on(self, report: Report) -> Iterator[tuple[ReportEvent, datetime, int | None, str]]:
        """What the executor and the applicant did, one after the other; some are late, some wait for the check."""
        days = report.category.working_days
        at = self.working_time(report.registered_at + timedelta(hours=self.chance.choice((2, 4, 20, 28, 44, 90))))
        yield ReportEvent.ACCEPTED, at, report.owner_id, ""
        for attempt in range(2):
            if self.chance.random() < 0.12:
                return  # still in progress, however old
            at = self.working_time(at + timedelta(days=days * self.chance.uniform(0.1, 1.4), hours=3))
            yield ReportEvent.COMPLETED, at, report.owner_id, self.chance.choice(WORK_DONE)
            if self.chance.random() < 0.15:
                return  # waits for the check
            at = self.working_time(at + timedelta(hours=self.chance.randint(4, 60)))
            if attempt or self.chance.random() < 0.85:
                yield ReportEvent.CONFIRMED, at, self.dispatcher.id, self.chance.choice(CONFIRMED)
                return
            yield ReportEvent.REFUTED, at, self.dispatcher.id, self.chance.choice(REFUTED)

    def add(self, *rows: object) -> None:
        self.session.add_all(rows)
        self.session.flush()
