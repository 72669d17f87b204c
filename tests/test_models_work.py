"""Work on a report: who may do what, what each act changes, and that every change leaves a row (W1-W8, W15)."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from models import monitoring, work
from models.acts import ACTS, Act, NotYours, WordsMissing, possible_acts
from models.attachments import AttachmentKind, StoredFile
from models.base import now, transaction
from models.clarifications import ask_applicant, call_question_off
from models.corrections import correct
from models.deadlines import Deadline, DeadlineKind, DeadlineStep, StepKind
from models.drafts import RegistrationRefused, SavedMeanwhile, register_draft, save_draft
from models.due_alerts import emergencies_to_tell
from models.executions import execution_of, executions_of, planned_for
from models.looks import who_has_not_looked
from models.machine import IllegalMove
from models.monitoring import organisation_day, to_decide
from models.people import Organisation, Role, User
from models.places import Category
from models.pressing import count_new, to_warn, unaccepted_emergencies
from models.reports import REPORT_TABLE, HistoryEvent, HistoryRow, ReportEvent, ReportState
from models.shifts import figures_now
from models.taken_back import answer_to_take_back, take_back
from models.workdays import KYIV
from tests.helpers import AREA_CODE, record_call

FILES = itertools.count(1)  # each file another one
MONDAY = datetime(2026, 11, 23, 9, 0, tzinfo=KYIV)


class Town:
    """Two organisations with an operator each, who they are controlled by, and those of the centre."""

    def __init__(self, session):
        self.session = session
        self.light, self.water = Organisation(name="КП «Міськсвітло»"), Organisation(name="КП «Водоканал»")
        self.category = Category(name="Освітлення", organisation=self.light, working_days=5)
        self.alice, self.nina, self.chief, self.tech = (
            self.user(role) for role in ("administrator", "dispatcher", "supervisor", "technical_administrator")
        )
        self.olha, self.head = self.user("operator", self.light), self.user("head", self.light)
        self.petro = self.user("operator", self.water)
        self.luzan, self.khoronko = self.user("control_body"), self.user("control_body", login="other")
        self.luzan.controls.append(self.light)
        self.khoronko.controls.append(self.water)
        session.add_all([self.light, self.water, self.category, *self.everybody])
        session.flush()

    def user(self, role, organisation=None, login=""):
        name = login or f"{role}-{organisation.name if organisation else ''}"
        return User(login=name, name=name, password_hash="x", role=Role(role), organisation=organisation)

    @property
    def everybody(self):
        return [
            self.alice,
            self.nina,
            self.chief,
            self.tech,
            self.olha,
            self.head,
            self.petro,
            self.luzan,
            self.khoronko,
        ]

    def registered(self):
        report = record_call(self.session)[1]
        values = {"category_id": self.category.id, "text": "Не горить ліхтар", "landmark": "біля школи"}
        save_draft(self.session, report, self.alice, values, 0, AREA_CODE)
        register_draft(self.session, report, self.alice)
        return report

    def in_state(self, state):
        """A report that has come as far as ``state``."""
        report = self.registered()
        if state != ReportState.NEW:
            work.accept(self.session, report, self.olha)
        if state in (ReportState.DONE, ReportState.CLOSED):
            work.complete(self.session, report, self.olha, "Замінено лампу")
        if state == ReportState.CLOSED:
            work.confirm(self.session, report, self.nina)
        if state == ReportState.REASONS_GIVEN:
            work.give_reasons(self.session, report, self.olha, "Немає коштів")
        assert report.state == state
        return report

    def deadlines(self, report):
        rows = self.session.scalars(select(Deadline).where(Deadline.report_id == report.id).order_by(Deadline.id))
        return {row.kind: row for row in rows}  # the last of each kind

    def events(self, report):
        query = select(HistoryRow.event).where(HistoryRow.report_id == report.id).order_by(HistoryRow.id)
        return list(self.session.scalars(query))


@pytest.fixture
def town(app):
    with transaction() as session:
        yield Town(session)


def do(town, act, report, user, words="Слова", at=None, to=None):
    """Any act, with whatever it needs; ``to`` is the other executor, else the water works."""
    to = to or town.water
    calls = {
        Act.INFORM_HEAD: lambda: work.inform_head(town.session, report, user, at),
        Act.ACCEPT: lambda: work.accept(town.session, report, user, at),
        Act.PLAN: lambda: work.plan(town.session, report, user, report.due_at, at),
        Act.COMPLETE: lambda: work.complete(town.session, report, user, words, at),
        Act.GIVE_REASONS: lambda: work.give_reasons(town.session, report, user, words, at),
        Act.CLOSE_UNSOLVED: lambda: work.close_unsolved(town.session, report, user, words, at),
        Act.RETURN: lambda: work.return_to_work(town.session, report, user, words, MONDAY + timedelta(days=30), at),
        Act.CONFIRM: lambda: work.confirm(town.session, report, user, words, at),
        Act.REFUTE: lambda: work.refute(town.session, report, user, words, at),
        Act.CLOSE: lambda: work.close(town.session, report, user, words, at),
        Act.REASSIGN: lambda: work.reassign(town.session, report, user, to, words, at),
        Act.ADD_EXECUTOR: lambda: work.add_executor(town.session, report, user, to, at),
        Act.WARN: lambda: work.warn(town.session, report, user, words, at),
        Act.CORRECT: lambda: correct(town.session, report, user, {"building": "7"}, report.revision, at=at),
        Act.ADD_FILES: lambda: work.add_files(
            town.session,
            report,
            user,
            [StoredFile(f"{next(FILES):064x}", "image/jpeg", 10, "яма.jpg")],
            AttachmentKind.BEFORE,
            at,
        ),
        Act.NOTE: lambda: work.add_note(town.session, report, user, words, public=False, at=at),
        Act.PUBLIC_NOTE: lambda: work.add_note(town.session, report, user, words, public=True, at=at),
        Act.ASK: lambda: ask_applicant(town.session, report, user, words, at or now()),
        Act.CALL_OFF: lambda: call_question_off(town.session, report, user, words, at or now()),
    }
    calls[act]()


NOTES = {Act.NOTE, Act.PUBLIC_NOTE, Act.ADD_FILES}
KEEPERS = NOTES | {Act.ASK, Act.CORRECT}
ADMINISTRATORS = KEEPERS | {Act.REASSIGN, Act.ADD_EXECUTOR}
# who can do what, by the state of a report whose executor is «Міськсвітло»
MAY = {
    ReportState.NEW: {
        "alice": ADMINISTRATORS,
        "chief": ADMINISTRATORS,
        "nina": NOTES,
        "olha": NOTES | {Act.INFORM_HEAD, Act.ACCEPT},
        "luzan": {Act.NOTE},
    },
    ReportState.IN_PROGRESS: {
        "alice": ADMINISTRATORS,
        "chief": ADMINISTRATORS,
        "nina": NOTES,
        "olha": NOTES | {Act.INFORM_HEAD, Act.PLAN, Act.COMPLETE, Act.GIVE_REASONS},
        "luzan": {Act.NOTE},
    },
    ReportState.REASONS_GIVEN: {
        "alice": KEEPERS,
        "chief": KEEPERS,
        "nina": NOTES,
        "olha": NOTES | {Act.INFORM_HEAD},
        "luzan": {Act.NOTE, Act.CLOSE_UNSOLVED, Act.RETURN},
    },
    ReportState.DONE: {
        "alice": KEEPERS | {Act.CONFIRM, Act.REFUTE, Act.CLOSE},
        "chief": KEEPERS | {Act.CONFIRM, Act.REFUTE, Act.CLOSE},
        "nina": NOTES | {Act.CONFIRM, Act.REFUTE},
        "olha": NOTES | {Act.CLOSE},
        "luzan": {Act.NOTE},
    },
    ReportState.CLOSED: {"alice": {Act.REFUTE}, "chief": {Act.REFUTE}, "nina": {Act.REFUTE}},
}


@pytest.mark.parametrize("state", MAY)
def test_who_may_do_what_in_each_state(town, state):
    """W1, W6: every person, every act; what is not offered is refused and changes nothing."""
    report = town.in_state(state)
    names = {id(user): name for name, user in vars(town).items() if isinstance(user, User)}
    for user in town.everybody:
        wanted = MAY[state].get(names[id(user)], set())
        assert set(possible_acts(town.session, report, user)) == wanted, names[id(user)]
        before = town.events(report)
        for act in set(Act) - wanted:
            with pytest.raises((NotYours, IllegalMove)):
                do(town, act, report, user)
        assert (report.state, town.events(report)) == (state, before)


@pytest.mark.parametrize("act", [act for act, terms in ACTS.items() if terms.words and act != Act.CALL_OFF])
def test_an_act_that_needs_words_is_refused_without(town, act):
    state = next(state for state, people in MAY.items() if any(act in acts for acts in people.values()))
    report = town.in_state(state)
    user = getattr(town, next(name for name, acts in MAY[state].items() if act in acts))
    with pytest.raises(WordsMissing):
        do(town, act, report, user, words="  ")
    assert report.state == state


def test_the_deadlines_of_a_new_report(town):
    """R 4.2, R 4.3, R 4.4, S 2.3: each with its clause and its due moment."""
    report = town.registered()
    work_started = report.registered_at.astimezone(KYIV).date()
    found = town.deadlines(report)
    assert {kind: row.clause for kind, row in found.items()} == {
        "inform_head": "R 4.2",
        "accept": "R 4.3",
        "work": "S 2.3",
        "reasons": "R 4.4",
    }
    assert found["work"].due_at == report.due_at
    assert (found["reasons"].due_at.astimezone(KYIV).date() - work_started).days in (30, 31, 32)
    assert (found["accept"].organisation_id, found["work"].organisation_id) == (town.light.id, None)


def test_each_act_meets_its_deadlines(town):
    report = town.registered()
    later = report.registered_at + timedelta(hours=1)
    work.inform_head(town.session, report, town.olha, later)
    work.accept(town.session, report, town.olha, later)
    found = town.deadlines(report)
    assert (found["inform_head"].met_at, found["accept"].met_at) == (later, later)
    work.complete(town.session, report, town.olha, "Замінено лампу", later)
    found = town.deadlines(report)
    assert (found["work"].met_at, found["reasons"].met_at, found["reasons"].cancelled_at) == (later, None, later)
    assert not any(row.late(later) for row in found.values())


def test_it_is_to_be_taken_to_work_before_the_work_is_due(town):
    """R 4.3: a kind with one working day for the work has no two to take it to work; given to others late, the same."""
    town.category.working_days = 1
    report = town.registered()
    found = town.deadlines(report)
    assert found["accept"].due_at == found["work"].due_at == report.due_at
    late = report.due_at + timedelta(hours=1)
    work.reassign(town.session, report, town.alice, town.water, "Це водогін", late)
    assert town.deadlines(report)["accept"].due_at > late  # the work is late already: nobody is late at once


def test_the_operator_names_the_day_up_to_the_term_and_names_it_again(town):
    """R 4.4, W5"""
    report = town.in_state(ReportState.IN_PROGRESS)
    for days in (1, 0):
        work.plan(town.session, report, town.olha, report.due_at - timedelta(days=days))
    parts = executions_of(town.session, report)
    assert planned_for(parts) == report.due_at
    with pytest.raises(work.PlannedTooLate):
        work.plan(town.session, report, town.olha, report.due_at + timedelta(days=1))
    notes = town.session.scalars(select(HistoryRow.note).where(HistoryRow.event == HistoryEvent.PLANNED)).all()
    assert [note[:3] for note in notes] == ["на ", "на "]
    assert Act.PLAN not in possible_acts(town.session, report, town.olha, report.due_at + timedelta(days=1))
    work.complete(town.session, report, town.olha, "Замінено лампу")
    assert planned_for(parts) is None
    work.refute(town.session, report, town.nina, "Не горить")
    assert planned_for(executions_of(town.session, report)) is None  # a new term has no day yet


def test_what_was_taken_down_wrongly_is_corrected_with_a_row_and_its_terms(town):
    """R 2.5, A3: from what to what, but not of the name and the flat; another kind counts the terms anew (S 2.3)."""
    report = town.in_state(ReportState.IN_PROGRESS)
    report.applicant_name = "Олена Коваль"
    roads = Category(name="Дороги", organisation=town.water, working_days=10)
    town.session.add(roads)
    town.session.flush()
    values = {"category_id": roads.id, "landmark": "біля церкви", "applicant_name": "Ольга Коваленко", "flat": "19"}
    seen, said = report.revision, report.text
    was = report.due_at
    correct(town.session, report, town.alice, values, seen, "Заявниця передзвонила")
    row = town.session.scalars(select(HistoryRow).order_by(HistoryRow.id.desc())).first()
    assert (row.event, row.user, row.from_state, row.to_state) == (
        "corrected",
        town.alice,
        "in_progress",
        "in_progress",
    )
    assert row.note.split("\n") == [
        "Вид: Освітлення → Дороги",
        "Квартира: виправлено",
        "Орієнтир: біля школи → біля церкви",
        "Ім’я заявника: виправлено",
        "Заявниця передзвонила",
    ]
    term = town.deadlines(report)["work"]
    assert report.executor is town.light
    assert report.due_at == term.due_at > was
    assert [(step.kind, step.due_at) for step in term.steps] == [(StepKind.CORRECTED, was)]
    assert "церкви" in report.search_text
    with pytest.raises(SavedMeanwhile):
        correct(town.session, report, town.chief, {"building": "7"}, seen)
    count = len(town.events(report))
    correct(town.session, report, town.chief, {"landmark": "біля церкви"}, report.revision)
    assert len(town.events(report)) == count  # nothing differs
    correct(town.session, report, town.chief, {"text": "Не горять два", "emergency": True}, report.revision)
    row = town.session.scalars(
        select(HistoryRow).where(HistoryRow.event == "corrected").order_by(-HistoryRow.id)
    ).first()
    assert row.note == f"Зі слів заявника: {said} → Не горять два\nАварійне: ні → так"
    assert "горять" in report.search_text
    for nothing in ({"landmark": ""}, {"text": " "}):
        with pytest.raises(RegistrationRefused):
            correct(town.session, report, town.chief, nothing, report.revision)


def test_what_turns_out_to_be_an_emergency_is_told_once_more_to_those_who_knew_of_it(town):
    """I8, R 4.2: the heads who had an ordinary letter, and who took it to work already; not when it was one before."""
    report = town.in_state(ReportState.IN_PROGRESS)
    town.olha.email = town.light.email = "light@example.org"
    work.inform_head(town.session, report, town.olha)
    at = now()
    assert not emergencies_to_tell(town.session, at)
    correct(town.session, report, town.alice, {"emergency": True}, report.revision)
    assert emergencies_to_tell(town.session, at)
    part = execution_of(town.session, report, town.light.id)
    assert (part.informed_at, part.accepted_at is None) == (None, False)
    events = town.events(report)
    assert events[-1] == "urgent"
    correct(town.session, report, town.alice, {"text": "Іскрить"}, report.revision)
    assert town.events(report).count("urgent") == 1


@pytest.mark.parametrize(
    ("typed", "kept", "reached"),
    [
        ("067 123-45-67", "+380671234567", "+380671234567"),
        ("5-32-73", "+380544853273", "+380544853273"),
        ("через сусідку", "через сусідку", None),
        ("", "", None),
    ],
)
def test_a_corrected_telephone_is_stored_in_one_form_and_the_history_does_not_tell_it(town, typed, kept, reached):
    """A3: the applicant is found and reached at the new number; who called keeps the number that the exchange gave."""
    report = town.registered()
    call, report.call = report.call, None
    report.other_phone, report.contact_number = "050 999-88-77", "+380509998877"
    correct(town.session, report, town.alice, {"other_phone": typed}, report.revision, area_code="5448")
    assert (report.other_phone, report.contact_number) == (kept, reached)
    assert "t778899905" not in report.search_text
    row = town.session.scalars(select(HistoryRow).order_by(HistoryRow.id.desc())).first()
    assert (row.event, row.note) == ("corrected", "Телефон заявника: виправлено")
    report.call = call
    correct(town.session, report, town.alice, {"other_phone": "0931112233"}, report.revision, area_code="5448")
    assert (report.other_phone, report.contact_number) == ("+380931112233", call.number)


@pytest.mark.parametrize(("late", "due"), [(False, "next working day"), (True, "as late as it was")])
def test_a_shorter_kind_makes_nobody_late_and_forgives_nothing(town, late, due):
    report = town.registered()
    quick = Category(name="Вода", organisation=town.light, working_days=1)
    town.session.add(quick)
    town.session.flush()
    was = report.due_at
    at = was + timedelta(hours=1) if late else was - timedelta(hours=30)
    correct(town.session, report, town.alice, {"category_id": quick.id}, report.revision, at=at)
    if due == "next working day":
        assert at < report.due_at <= was
    else:
        assert report.due_at < was


def test_not_done_begins_a_new_term_with_the_applicants_words(town):
    """W8"""
    report = town.in_state(ReportState.DONE)
    at = MONDAY + timedelta(days=7)
    work.refute(town.session, report, town.nina, "Знову не горить", at)
    assert report.state == ReportState.IN_PROGRESS
    assert town.deadlines(report)["work"].due_at == datetime(2026, 12, 7, 18, 0, tzinfo=KYIV) == report.due_at
    assert execution_of(town.session, report, town.light.id).completed_at is None
    assert town.session.scalars(select(HistoryRow.note).order_by(HistoryRow.id.desc())).first() == "Знову не горить"
    work.complete(town.session, report, town.olha, "Замінено дріт")
    work.confirm(town.session, report, town.nina, "Так")
    assert report.state == ReportState.CLOSED


def test_the_control_body_decides_on_what_cannot_be_solved(town):
    """R 4.4, W6: the work's term stands still meanwhile, and a return sets a new date."""
    report = town.in_state(ReportState.REASONS_GIVEN)
    work_term = town.deadlines(report)[DeadlineKind.WORK]
    assert work_term.paused_at is not None
    assert not work_term.late(work_term.due_at + timedelta(days=30))
    due = datetime(2026, 12, 24, 18, 0, tzinfo=UTC)
    work.return_to_work(town.session, report, town.luzan, "Кошти виділено", due)
    assert (report.state, report.due_at, work_term.due_at, work_term.paused_at) == ("in_progress", due, due, None)
    steps = town.session.scalars(select(DeadlineStep).where(DeadlineStep.deadline_id == work_term.id)).all()
    assert [step.kind for step in steps] == [StepKind.PAUSED, StepKind.MOVED]
    assert steps[1].user is town.luzan
    work.give_reasons(town.session, report, town.olha, "Немає труби")
    work.close_unsolved(town.session, report, town.luzan, "Обґрунтовано")
    assert report.state == ReportState.CLOSED
    assert not any(row.open for row in town.deadlines(report).values() if row.kind in ("work", "reasons"))


def test_a_report_is_done_when_all_its_executors_are(town):
    """W15"""
    report = town.registered()
    work.add_executor(town.session, report, town.alice, town.water)
    with pytest.raises(work.ExecutorAlready):
        work.add_executor(town.session, report, town.alice, town.water)
    assert [part.organisation for part in executions_of(town.session, report)] == [town.light, town.water]
    work.accept(town.session, report, town.petro)
    work.accept(town.session, report, town.olha)
    work.complete(town.session, report, town.olha, "Ліхтар горить")
    assert report.state == ReportState.IN_PROGRESS
    assert set(possible_acts(town.session, report, town.khoronko)) == {Act.NOTE}
    work.complete(town.session, report, town.petro, "Яму засипано")
    assert report.state == ReportState.DONE
    assert town.events(report)[-4:] == ["accepted", "part_accepted", "part_completed", "completed"]


def test_another_executor_gets_a_new_report_and_the_former_none(town):
    report = town.in_state(ReportState.IN_PROGRESS)
    work.reassign(town.session, report, town.alice, town.water, "Не їхня мережа")
    assert (report.state, report.executor_id) == (ReportState.NEW, town.water.id)
    assert possible_acts(town.session, report, town.olha) == []
    assert Act.ACCEPT in possible_acts(town.session, report, town.petro)
    rows = town.session.scalars(select(Deadline).where(Deadline.organisation_id == town.light.id)).all()
    assert [(row.met_at is not None, row.cancelled_at is not None) for row in rows] == [(False, True), (True, False)]


def test_a_warning_is_kept_with_its_deadline(town):
    """R 4.3, W4: of what was missed, once it was."""
    report = town.registered()
    found = town.deadlines(report)
    inform, accept = found[DeadlineKind.INFORM_HEAD], found[DeadlineKind.ACCEPT]
    with pytest.raises(IllegalMove):
        work.warn(town.session, report, town.alice, "зарано", inform.due_at)
    for at, warned in (
        (inform.due_at + timedelta(minutes=1), [inform]),
        (accept.due_at + timedelta(minutes=1), [inform, accept]),
    ):
        assert Act.WARN in possible_acts(town.session, report, town.alice, at)
        work.warn(town.session, report, town.alice, "телефоном", at)
        steps = town.session.scalars(select(DeadlineStep).where(DeadlineStep.at == at).order_by(DeadlineStep.id)).all()
        assert [(step.deadline, step.kind, step.user, step.note) for step in steps] == [
            (deadline, StepKind.WARNED, town.alice, "телефоном") for deadline in warned
        ]
        assert town.events(report)[-1] == HistoryEvent.WARNED


def test_who_is_at_work_goes_on_when_another_leads(town):
    """W15: the report stays in progress, and the new leading executor has its own terms."""
    report, third = town.registered(), Organisation(name="КП «Комунальник»")
    town.session.add(third)
    town.session.flush()
    work.add_executor(town.session, report, town.alice, town.water)
    work.accept(town.session, report, town.petro)
    work.reassign(town.session, report, town.alice, third, "Не їхнє")
    assert (report.state, report.executor_id) == (ReportState.IN_PROGRESS, third.id)
    waiting = town.session.scalars(
        select(Deadline).where(Deadline.kind == DeadlineKind.ACCEPT, Deadline.organisation_id == third.id)
    ).one()
    assert waiting.open
    assert {Act.COMPLETE, Act.GIVE_REASONS} <= set(possible_acts(town.session, report, town.petro))
    work.complete(town.session, report, town.petro, "Яму засипано")
    assert report.state == ReportState.IN_PROGRESS


def test_what_the_control_body_closed_as_not_solvable_stays_closed(town):
    """R 4.4: nobody of the centre opens it again; what was closed as done later can be."""
    report = town.in_state(ReportState.REASONS_GIVEN)
    work.close_unsolved(town.session, report, town.luzan, "Обґрунтовано")
    for user in (town.alice, town.nina, town.chief):
        assert possible_acts(town.session, report, user) == []
        with pytest.raises(IllegalMove):
            work.refute(town.session, report, user, "Не згоден")
    assert report.state == ReportState.CLOSED
    returned = town.in_state(ReportState.REASONS_GIVEN)
    work.return_to_work(town.session, returned, town.luzan, "Виконати", MONDAY + timedelta(days=30))
    work.complete(town.session, returned, town.olha, "Зроблено")
    work.confirm(town.session, returned, town.nina)
    assert possible_acts(town.session, returned, town.nina) == [Act.REFUTE]


def test_another_executor_begins_anew_and_the_journal_finds_it_there(town):
    """W15, W11: also one that had its part in the report; the one that leads it already keeps its terms."""
    report = town.registered()
    work.accept(town.session, report, town.olha)
    with pytest.raises(work.ExecutorAlready):
        work.reassign(town.session, report, town.alice, town.light, "Ще раз")
    assert Act.COMPLETE in possible_acts(town.session, report, town.olha)
    work.add_executor(town.session, report, town.alice, town.water)
    work.accept(town.session, report, town.petro)
    work.reassign(town.session, report, town.alice, town.water, "Не їхнє")
    assert Act.ACCEPT in possible_acts(town.session, report, town.petro)
    assert [part.organisation_id for part in executions_of(town.session, report)] == [town.water.id]
    assert "водоканал" in report.search_text
    assert "міськсвітло" not in report.search_text


def test_the_one_whose_executor_gave_the_reasons_decides(town):
    """R 4.4, R order 4: not who controls another executor of the same report."""
    report = town.registered()
    work.add_executor(town.session, report, town.alice, town.water)
    work.accept(town.session, report, town.olha)
    work.give_reasons(town.session, report, town.olha, "Немає коштів")
    assert Act.RETURN in possible_acts(town.session, report, town.luzan)
    assert Act.RETURN not in possible_acts(town.session, report, town.khoronko)
    with pytest.raises(IllegalMove):
        work.close_unsolved(town.session, report, town.khoronko, "Згоден")
    work.accept(town.session, report, town.petro)  # the other may begin meanwhile
    work.close_unsolved(town.session, report, town.luzan, "Згоден")
    assert [row for row in town.deadlines(report).values() if row.open] == []


def test_an_emergency_waits_for_one_executor_while_the_reasons_of_another_are_weighed(town):
    """I8, A6, R 4.1: the list on every desk, the hand-over sheet and who has to look say the same."""
    report = town.registered()
    report.emergency = True
    work.add_executor(town.session, report, town.alice, town.water)
    work.accept(town.session, report, town.olha)
    work.give_reasons(town.session, report, town.olha, "Немає коштів")
    town.session.flush()
    waiting = unaccepted_emergencies(town.session)
    assert [(part.report, part.organisation) for part in waiting.rows] == [(report, town.water)]
    sheet = figures_now(town.session, now())["emergencies"]
    assert [(row["number"], row["executor"]) for row in sheet["rows"]] == [(report.number, town.water.name)]
    assert sheet["rows"][0]["place"] == report.spot
    day = now().astimezone(KYIV).date()
    assert who_has_not_looked(town.session, day) == [town.water]
    work.accept(town.session, report, town.petro)
    assert unaccepted_emergencies(town.session).count == figures_now(town.session, now())["emergencies"]["count"] == 0


def test_lists_of_what_presses_are_cut_off_and_say_how_many_more(town):
    """I8, W4"""
    reports = [town.registered() for _ in range(3)]
    for report in reports:
        report.emergency = True
    town.session.flush()
    found = unaccepted_emergencies(town.session, 2)
    assert ([part.report for part in found.rows], found.count, found.more) == (reports[:2], 3, 1)
    late = to_warn(town.session, now() + timedelta(days=10), 2)
    assert ([row.report for row in late.rows], late.more) == (reports[:2], 1)


def test_what_waits_for_the_applicant_hides_nothing_new_from_an_organisation(town, monkeypatch):
    """R 4.1: each list of the day is cut off by itself, and says how many more there are."""
    monkeypatch.setattr(monitoring, "MOST", 2)
    waiting = [town.in_state(ReportState.DONE) for _ in range(3)]
    taken = [town.in_state(ReportState.IN_PROGRESS) for _ in range(2)]
    new = [town.registered() for _ in range(3)]
    new[2].emergency = True
    town.session.flush()
    day = organisation_day(town.session, town.light.id)
    assert [task.report for task in day.new.rows] == [new[2], new[0]]
    assert [task.report for task in day.at_work.rows] == taken
    assert [task.report for task in day.completed.rows] == [waiting[2], waiting[1]]
    assert (day.new.more, day.at_work.more, day.completed.count) == (1, 0, 3)


def test_what_another_executor_cannot_solve_may_still_be_new_to_an_organisation(town):
    """R 4.4, W15: the day shows what the count of new reports counts."""
    report = town.registered()
    work.add_executor(town.session, report, town.alice, town.water)
    work.accept(town.session, report, town.olha)
    work.give_reasons(town.session, report, town.olha, "Немає коштів")
    town.session.flush()
    assert [task.report for task in organisation_day(town.session, town.water.id).new.rows] == [report]
    assert count_new(town.session, town.water.id) == 1
    assert [task.report for task in organisation_day(town.session, town.light.id).reasons_given.rows] == [report]
    assert to_decide(town.session, town.luzan).rows == [report]


MOVING = set(ACTS) - {
    *(Act.NOTE, Act.PUBLIC_NOTE, Act.WARN, Act.INFORM_HEAD, Act.PLAN, Act.CORRECT, Act.REASSIGN, Act.ADD_EXECUTOR),
    *(Act.ASK, Act.CALL_OFF),
}
STEP = st.tuples(st.integers(0, 8), st.integers(0, len(ACTS) - 1), st.booleans(), st.integers(0, 9))


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEP, max_size=25))
def test_whatever_people_try_every_move_is_in_the_table_and_leaves_a_row(town, steps):
    """W1: no sequence of acts leads to a state without a history row, to deadlines that do not agree with the state,
    or to an open report that nobody can move on. One step in ten is any act, the others are what the person can do.
    """
    report = town.registered()
    for who, choice, light, any_act in steps:
        user = town.everybody[who]
        possible = list(ACTS) if any_act == 0 else possible_acts(town.session, report, user)
        if not possible:
            continue
        for one in town.everybody if any_act in (1, 2, 3) else ():
            answer = answer_to_take_back(town.session, report.id, one, now())
            if answer is not None:  # it was the wrong key
                take_back(town.session, report, answer, one, now())
                user, possible = one, possible_acts(town.session, report, one)
                break
        act = possible[choice % len(possible)]
        before, rows = report.state, len(town.events(report))
        try:
            do(town, act, report, user, to=town.light if light else town.water)
        except (NotYours, IllegalMove) as refused:
            chosen_twice = isinstance(refused, work.ExecutorAlready)
            assert any_act == 0 or chosen_twice
            assert (report.state, len(town.events(report))) == (before, rows)
        can = {act for user in town.everybody for act in possible_acts(town.session, report, user)}
        assert report.state == ReportState.CLOSED or can & MOVING
    moves = town.session.scalars(
        select(HistoryRow).where(HistoryRow.report_id == report.id).order_by(HistoryRow.id)
    ).all()
    state = ""
    for row in moves:
        assert row.from_state == state
        state = row.to_state
        if row.event in set(ReportEvent) and row.event != ReportEvent.CREATED:
            assert REPORT_TABLE[(ReportState(row.from_state), ReportEvent(row.event))] == row.to_state
        else:
            assert row.from_state in ("", row.to_state)
    assert state == report.state
    deadlines = town.session.scalars(select(Deadline).where(Deadline.report_id == report.id))
    open_kinds = [row.kind for row in deadlines if row.open]
    works = report.state in (ReportState.NEW, ReportState.IN_PROGRESS, ReportState.REASONS_GIVEN)
    assert open_kinds.count(DeadlineKind.WORK) == works
    waiting = [part for part in executions_of(town.session, report) if part.accepted_at is None]
    assert open_kinds.count(DeadlineKind.ACCEPT) == (len(waiting) if works else 0)
    if report.state in (ReportState.DONE, ReportState.CLOSED):
        assert open_kinds == []
