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
    REASONS,
    REDIRECTIONS,
    REFUTED,
    STORIES,
    SURNAMES,
    WORK_DONE,
)
from jobs.settings import Profile
from models import work
from models.calls import note_answered, note_hung_up, note_leg_ended, note_ringing
from models.drafts import report_of_call
from models.intake import Began, record_inbound
from models.lines import Line
from models.people import Person, Phone, User
from models.places import Category, Street
from models.repeats import find_repeated
from models.reports import (
    OPEN_STATES,
    HistoryEvent,
    Report,
    ReportCounter,
    ReportEvent,
    Source,
    move,
    next_number,
    note_history,
)
from models.search import search_text
from models.workdays import KYIV, WorkCalendar

DAYS = 90
REPORTS, OTHER_CALLS, MISSED_CALLS = 150, 120, 15
OPEN_MISSED = 3  # of the last hours, still to be called back
NUMBERED_BEFORE = 257  # reports of the year before the demo's history begins
NORMAL_CLEARING = 16  # the hangup cause (Q.850) of a call that somebody ended
STEP_SECONDS = 20  # how long the line's own phone rings alone
_COLD_ONLY = frozenset({"Сніг та ожеледиця", "Опалення"})


@dataclass(frozen=True)
class Town:
    """Who and what there is. The first users answer the lines, in the order of phones and lines; then the dispatcher.

    ``known``: who calls, a person (None for a stranger) with one of their numbers.
    """

    profile: Profile
    users: list[User]
    phones: list[Phone]
    lines: list[Line]
    streets: list[Street]
    categories: list[Category]
    known: list[tuple[Person | None, str]]
    operators: dict[int, User]  # by their organisation's id
    control: dict[int, User]  # who controls it, by the organisation's id


def write_history(session: Session, chance: random.Random, end: datetime, town: Town) -> None:
    """Write the three months before ``end``, through the same rules as every call and report."""
    _History(session, chance, end, town).write_all()
    session.info.pop("announcements", None)  # nobody looks at a screen yet


class _History:
    """What happened, one event after the other: ids rise with the times."""

    def __init__(self, session: Session, chance: random.Random, end: datetime, town: Town) -> None:
        self.session, self.chance, self.end, self.town = session, chance, end, town
        self.administrators = town.users[: len(town.lines)]
        self.dispatcher = town.users[len(town.lines)]
        self.events: list[tuple[datetime, int, Callable[[datetime], None]]] = []
        self.order = itertools.count()
        self.calendar = WorkCalendar()

    def write_all(self) -> None:
        begun = self.end.astimezone(KYIV) - timedelta(days=DAYS)
        self.session.add(ReportCounter(year=begun.year, last=NUMBERED_BEFORE))
        for kind, count in ((self.report, REPORTS), (self.other_call, OTHER_CALLS), (self.missed, MISSED_CALLS)):
            for _ in range(count):
                self.plan(self.moment(), kind)
        for hours in range(OPEN_MISSED):
            self.plan(self.end - timedelta(hours=2 + 4 * hours), self.missed_lately)
        while self.events:
            at, _order, happen = heapq.heappop(self.events)
            happen(at)

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
            if at < self.end - timedelta(hours=1) and (self.calendar.is_workday(day) or self.chance.random() < 0.15):
                return at

    def working_time(self, at: datetime) -> datetime:
        """The same moment, or the next morning on which people work."""
        local = at.astimezone(KYIV)
        if self.calendar.is_workday(local.date()) and 8 <= local.hour < 17:
            return local
        day = local.date() + timedelta(days=local.hour >= 8)
        while not self.calendar.is_workday(day):
            day += timedelta(days=1)
        return datetime.combine(day, time(8, self.chance.randint(5, 55)), KYIV)

    def call(self, at: datetime, number: str | None, answered: bool) -> Report:
        """A call with the phones that rang for it; its draft, of the one who answered."""
        own = self.chance.randrange(len(self.town.lines))
        others = [place for place in range(len(self.town.lines)) if place != own]
        began = Began(
            call=f"{self.town.profile.systemname}-{int(at.timestamp())}.{self.chance.randint(1, 9999)}",
            dialled=self.town.lines[own].digits,
            number=f"0{number.removeprefix('+380')}" if number else "anonymous",
            name="",
            at=at,
        )
        call = record_inbound(self.session, began, self.town.profile.area_code)
        draft = report_of_call(self.session, call)
        own_answers = answered and self.chance.random() < 0.85
        answers = own if own_answers else self.chance.choice(others)
        rang = [(own, 0)] if own_answers else [(own, 0), *((other, STEP_SECONDS) for other in others)]
        wait = self.chance.randint(3, STEP_SECONDS - 2) + (0 if own_answers else STEP_SECONDS)
        if answered:
            rang_until = at + timedelta(seconds=wait)
            ended_at = rang_until + timedelta(seconds=self.chance.randint(35, 290))
        else:
            rang_until = ended_at = at + timedelta(seconds=self.chance.randint(8, 2 * STEP_SECONDS))
        for place, after in rang:
            phone, leg, rang_at = self.town.phones[place], f"{call.uniqueid}-{place}", at + timedelta(seconds=after)
            if rang_at < rang_until:
                note_ringing(self.session, call, leg, phone, rang_at)
                if answered and place == answers:
                    note_answered(self.session, call, leg, phone, rang_until)
                    draft.owner = phone.user
                    note_leg_ended(self.session, call, leg, phone, ended_at)
                else:
                    note_leg_ended(self.session, call, leg, phone, rang_until)
        note_hung_up(self.session, call, ended_at, NORMAL_CLEARING)
        return draft

    def missed(self, at: datetime) -> None:
        """Nobody answered; they called again, somebody did, and the first draft was dropped."""
        _person, number = self.chance.choice(self.town.known)
        missed = self.call(at, number, answered=False)

        def call_again(at: datetime) -> None:
            draft = self.call(at, number, answered=True)
            self.end_draft(draft, ReportEvent.CONSULTED, self.chance.choice(CONSULTATIONS))
            note = "Додзвонилися пізніше."
            move(self.session, missed, ReportEvent.DROPPED, draft.owner, note, draft.call.ended_at)

        self.plan(self.working_time(at + timedelta(minutes=self.chance.randint(10, 90))), call_again)

    def missed_lately(self, at: datetime) -> None:
        """Nobody answered, and nobody called back yet."""
        self.call(at, self.chance.choice(self.town.known)[1], answered=False)

    def other_call(self, at: datetime) -> None:
        """A call that makes no report: most are consultations (I6), some are about a report that is there already."""
        _person, number = self.chance.choice(self.town.known)
        open_report = self.open_report(number)
        if open_report and self.chance.random() < 0.6:
            draft = self.call(at, number, answered=True)
            draft.attached_to_id = open_report.id
            self.end_draft(draft, ReportEvent.ATTACHED, "Запитують, коли буде зроблено.")
            note_history(
                self.session, open_report, HistoryEvent.APPLICANT_CALLED, draft.owner, draft.text, at=at, told_by=draft
            )
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
        draft = self.call(at, None if self.chance.random() < 0.04 else number, answered=True)
        self.end_draft(draft, event, self.chance.choice(texts))

    def open_report(self, number: str | None) -> Report | None:
        """The newest open report from this number."""
        query = select(Report).where(Report.contact_number == number, Report.state.in_(OPEN_STATES))
        return self.session.scalar(query.order_by(Report.id.desc()).limit(1))

    def end_draft(self, draft: Report, event: ReportEvent, text: str) -> None:
        """End the draft otherwise, at the end of its call."""
        draft.text = text
        draft.search_text = search_text(draft)
        move(self.session, draft, event, draft.owner, at=draft.call.ended_at)

    def report(self, at: datetime) -> None:
        """A report, with all that happened to it until today."""
        person, number = self.chance.choice(self.town.known)
        source = self.chance.choices(list(Source), weights=(88, 4, 1, 3, 4))[0]
        if source == Source.TELEPHONE:
            report = self.call(at, number, answered=True)
            registered_at = report.call.ended_at
        else:
            owner = self.chance.choice(self.administrators)
            report = Report(created_at=at, owner=owner, source=source)
            report.contact_number = number if source != Source.VIDEO else None
            self.session.add(report)
            self.session.flush()
            note_history(self.session, report, ReportEvent.CREATED, owner, at=at, before="")
            registered_at = at + timedelta(minutes=4)
        self.describe(report, person if report.contact_number else None, at.astimezone(KYIV).date())
        report.registered_at = registered_at
        report.number = next_number(self.session, registered_at.astimezone(KYIV).year)
        repeated = find_repeated(self.session, report)
        report.repeat_of_id = repeated.id if repeated else None
        report.search_text = search_text(report)
        move(self.session, report, ReportEvent.REGISTERED, report.owner, at=registered_at)
        work.begin_work(self.session, report, report.owner, registered_at)
        for when, act in self.work_on(report):
            self.plan(when, act)

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

    def work_on(self, report: Report) -> Iterator[tuple[datetime, Callable[[datetime], None]]]:
        """What executor, control body and applicant did, one after the other; some are late, some wait."""
        session, operator = self.session, self.town.operators[report.executor_id]
        days = report.category.working_days
        taken = self.working_time(report.registered_at + timedelta(hours=self.chance.choice((2, 4, 20, 28, 44, 90))))
        if self.chance.random() < 0.9:
            informed = report.registered_at + (taken - report.registered_at) * 0.6
            yield informed, partial(work.inform_head, session, report, operator)
        yield taken, partial(work.accept, session, report, operator)
        at = taken
        for attempt in range(2):
            if self.chance.random() < 0.12:
                return  # still in progress, however old
            at = self.working_time(at + timedelta(days=days * self.chance.uniform(0.1, 1.4), hours=3))
            if self.chance.random() < 0.08:
                yield at, partial(work.give_reasons, session, report, operator, self.chance.choice(REASONS))
                if self.chance.random() < 0.25:
                    return  # the control body has not decided yet
                at = self.working_time(at + timedelta(days=self.chance.randint(1, 6)))
                control = self.town.control[report.executor_id]
                if self.chance.random() < 0.5:
                    yield at, partial(work.close_unsolved, session, report, control, "Причини обґрунтовані.")
                    return
                due = self.calendar.end_of_working_days(at, days)
                yield at, partial(work.return_to_work, session, report, control, "Виконати в межах коштів.", due)
                at = self.working_time(at + timedelta(days=days * self.chance.uniform(0.2, 0.9)))
            yield at, partial(work.complete, session, report, operator, self.chance.choice(WORK_DONE))
            if self.chance.random() < 0.15:
                return  # waits for the check
            at = self.working_time(at + timedelta(hours=self.chance.randint(4, 60)))
            if attempt or self.chance.random() < 0.85:
                yield at, partial(work.confirm, session, report, self.dispatcher, self.chance.choice(CONFIRMED))
                return
            yield at, partial(work.refute, session, report, self.dispatcher, self.chance.choice(REFUTED))
