"""What is kept, how long, and how one person is taken out: on SQLite and on PostgreSQL (A3)."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import DBAPIError

from jobs.app import bare_app
from jobs.office import end_terms
from models.attempts import Attempt, NeverByMachine
from models.base import db, now, transaction
from models.calls import Call
from models.calltasks import CallTask
from models.drafts import DataTakenOut, attach_draft, end_draft, make_draft_by_hand, reopen_draft, save_draft
from models.erasure import StillOpen, erase_person, find_mentions
from models.kept import KEPT, unlocked
from models.people import AccessLog, Person, User
from models.personal import Sought, exported, held_about, traces_of
from models.reports import HistoryEvent, HistoryRow, Report, ReportEvent, ReportState, Source, note_history
from models.retention import RULES, Kind, RetentionDay, count_due, run_retention, years_before
from models.saved_filters import SavedFilter, save_filter
from models.shifts import ShiftSheet
from tests.desk_fixtures import Exchange, fill_desks, inside, user_id
from tests.helpers import AREA_CODE, close_database, record_call
from tests.privacy_fixtures import NAME, call_olena, counts, fill_olena, look, make_old, texts_of
from tests.web_fixtures import register

OLENA = Sought("+380671234567")


@pytest.fixture(params=["settings", "postgres_settings"])
def town(request):
    app = bare_app(request.getfixturevalue(request.param))
    with app.app_context():
        fill_desks()
        yield app
    close_database(app)


def erase(sought: Sought, *, texts: bool = False, reason: str = "Заява від 20 листопада") -> None:
    mentions = find_mentions(db.session(), traces_of(db.session(), held_about(db.session(), sought)))
    with transaction() as session:
        user = session.get_one(User, user_id("nachalnyk"))
        erase_person(session, sought, user, reason, texts=texts, mentions=mentions, at=now())


def retain(at: datetime | None = None, limit: int = 100) -> dict[Kind, int]:
    with transaction() as session:
        return run_retention(session, at or now(), limit)


def test_after_a_jump_of_the_clock_nothing_is_erased_by_itself(town: Flask):
    """What is erased cannot be brought back: a person looks at the clock and runs it by hand."""
    register(town, "Яма")
    assert end_terms(town, now()) == ""
    jumped = now() + timedelta(days=10 * 366)
    assert "the clock is wrong" in end_terms(town, jumped)
    assert db.session.scalar(select(func.count()).where(Call.number.is_not(None))) == 1
    assert end_terms(town, now() + timedelta(days=90)) == ""


@pytest.mark.parametrize("table", [AccessLog, HistoryRow])
def test_the_database_refuses_to_change_what_is_kept(town: Flask, table):
    register(town, "Яма")
    look(town)
    before = counts(db.session())
    for statement in (
        update(table).values(user_id=user_id("tekhnik")),
        delete(table),
        db.text(f"DELETE FROM {table.__tablename__} WHERE id > 0"),
    ):
        with pytest.raises(DBAPIError, match="only ever added"), transaction() as session:
            session.execute(statement)
    assert counts(db.session()) == before
    assert {AccessLog.__tablename__, HistoryRow.__tablename__} == set(KEPT)


def test_an_unlock_ends_with_its_transaction(town: Flask):
    look(town)
    with transaction() as session, unlocked(session):
        session.execute(update(AccessLog).values(reason="y"))
    with pytest.raises(ZeroDivisionError), transaction() as session, unlocked(session):
        raise ZeroDivisionError
    with pytest.raises(DBAPIError), transaction() as session:
        session.execute(update(AccessLog).values(reason="z"))


def test_everything_of_a_person_is_found(town: Flask):
    ids = fill_olena(town)
    for sought in (OLENA, Sought("+380501112233"), Sought(None, "коваль олена"), Sought("+380671234567", NAME)):
        held = held_about(db.session(), sought)
        assert ids["closed"] in {report.id for report in held.reports}, sought
        assert ids["other"] not in {report.id for report in held.reports}, sought
    held = held_about(db.session(), OLENA)
    assert {report.id for report in held.reports} == {ids["closed"], ids["consultation"], ids["attached"]}
    assert (len(held.calls), [person.name for person in held.persons]) == (3, [NAME])
    look(town)
    data = exported(db.session(), held)
    text = json.dumps(data, ensure_ascii=False, default=str)
    for word in ("(067) 123-45-67", "050 111-22-33", "Коли дадуть світло", "Замінено", "Коваль Олена підтвердила"):
        assert word in text
    assert [len(data[part]) for part in ("reports", "calls", "persons")] == [3, 3, 1]
    assert "Цапкова" not in text


def test_what_a_neighbour_told_of_the_same_is_not_given_to_the_applicant(town: Flask):
    report = register(town, "Немає світла", number="0671234567")
    call, draft = Exchange(town).call("0501112233", "53273")
    with inside(town), transaction() as session:
        user = session.get_one(User, user_id("tsapkova"))
        neighbour = session.get_one(Report, draft)
        save_draft(session, neighbour, user, {"text": "Сусід Коваль хворіє"}, neighbour.revision, AREA_CODE)
        attach_draft(session, neighbour, user, session.get_one(Report, report))
        note_history(session, session.get_one(Report, report), HistoryEvent.NOTE, user, "Скаржиться щодня", at=now())
    told = json.dumps(exported(db.session(), held_about(db.session(), OLENA)), ensure_ascii=False, default=str)
    assert "Немає світла" in told
    assert "хворіє" not in told
    assert "щодня" not in told


def test_a_family_has_one_telephone(town: Flask):
    """A name besides the number: what bears another name is not this person's."""
    ids = fill_olena(town)
    son = register(town, "Немає води", category=2, applicant_name="Іван Коваль")
    assert {NAME, "Іван Коваль"} <= set(held_about(db.session(), OLENA).names)
    hers = held_about(db.session(), Sought(OLENA.number, NAME))
    assert ids["closed"] in {report.id for report in hers.reports}
    assert son not in {report.id for report in hers.reports}
    his = held_about(db.session(), Sought(OLENA.number, "Іван Коваль"))
    assert (ids["closed"] in {report.id for report in his.reports}, son in {one.id for one in his.reports}) == (
        False,
        True,
    )
    assert his.persons == []


@pytest.mark.parametrize("texts", [False, True])
def test_after_an_erasure_no_text_has_the_number_or_the_name(town: Flask, texts: bool):
    """Every column of every table, the search index, the neighbour's report, the hand-over sheet."""
    ids = fill_olena(town)
    before = counts(db.session())
    erase(OLENA, texts=texts, reason="Заява Коваль Олени: Олена Коваль, 067 123 45 67")
    for place, text in texts_of(db.session()):
        digits = "".join(letter for letter in text if letter.isdigit())
        assert "671234567" not in digits, place
        assert "765432176" not in digits, place  # as the search has it
        assert "501112233" not in digits, place
        assert NAME.lower() not in text.lower(), place
        assert "коваль олена" not in text.lower(), place
    after = counts(db.session())
    changed = {table: after[table] - rows for table, rows in before.items() if after[table] != rows}
    assert changed == {"access_log": 1, "report_history": 3, "persons": -1, "person_numbers": -1}
    closed, neighbours = (db.session.get_one(Report, ids[name]) for name in ("closed", "other"))
    assert (closed.state, closed.flat, closed.building, closed.place) == ("closed", "", "12", "Київська, 12")
    assert (closed.text == "") is texts
    assert closed.anonymised_at is not None
    assert neighbours.applicant_name == "Петро Сусід"
    assert neighbours.contact_number == "+380939998877"
    assert neighbours.text.startswith("Немає води, ключі в сусідки")
    last = closed.history[-1]
    assert (last.event, last.user.login) == ("anonymised", "nachalnyk")
    assert not held_about(db.session(), OLENA).anything
    row = db.session.scalars(select(AccessLog).order_by(AccessLog.id.desc())).first()
    assert (row.subject, row.subject_id, row.user.login) == ("erasure", 3, "nachalnyk")


def test_a_name_goes_from_everywhere_but_from_who_is_called_the_same(town: Flask):
    """Other reports' texts, filters that were kept; a namesake stays one."""
    ids = fill_olena(town)
    namesake = register(town, "Яма", number="0939998866", applicant_name=NAME)
    with transaction() as session:
        me = session.get_one(User, user_id("tsapkova"))
        session.get_one(Report, ids["other"]).text = "Немає води, КОВАЛЬ олена знає; т. 067\u2011１23,45_67"
        for name in (NAME, "Коваль Олена", "Звернення Олени"):
            save_filter(session, me, name, {"text": NAME}, shared=False, area_code=AREA_CODE, at=now())
    erase(Sought(OLENA.number, NAME))
    assert db.session.get_one(Report, ids["other"]).text == "Немає води, ••• знає; т. •••"
    assert db.session.get_one(Report, namesake).applicant_name == NAME
    kept = db.session.scalars(select(SavedFilter).order_by(SavedFilter.id)).all()
    assert [one.name for one in kept] == ["••• 1", "••• 2", "Звернення Олени"]
    assert {one.values["text"] for one in kept} == {"•••"}


def test_what_is_still_worked_on_is_not_erased(town: Flask):
    ids = fill_olena(town)
    with transaction() as session:
        record_call(session, "0671234567", at=now())
    before = list(texts_of(db.session()))
    with pytest.raises(StillOpen) as still:
        erase(OLENA)
    assert [report.state for report in still.value.reports] == ["draft"]
    assert list(texts_of(db.session())) == before
    assert db.session.get_one(Report, ids["closed"]).applicant_name == NAME


def test_our_calls_to_a_person_are_exported_and_erased(town: Flask):
    """Why, when, by whom and how it ended; and that the number wants no machine calls."""
    ids = fill_olena(town)
    task, attempt = call_olena(town, ids["closed"])
    other, _attempt = call_olena(town, ids["other"])  # of the neighbour's report, but to her number
    told = exported(db.session(), held_about(db.session(), OLENA))
    assert [one["purpose"] for one in told["calls_of_ours"]] == ["status_check"] * 2
    assert {(one["outcome"], one["keys"], one["by"]) for one in told["attempts"]} == {("answered", "9", None)}
    assert [one["number"] for one in told["no_machine_calls"]] == [OLENA.number]
    erase(OLENA)
    for row in (db.session.get_one(CallTask, one) for one in (task, other)):
        assert (row.number, row.words) == (None, "")
    assert db.session.get_one(Attempt, attempt).number == ""
    assert db.session.scalars(select(NeverByMachine)).all() == []
    assert not held_about(db.session(), OLENA).anything


def test_numbers_of_our_calls_have_their_terms(town: Flask):
    """Three years; who wants no machine calls is left alone for five, whatever else of theirs has ended."""
    task, attempt = call_olena(town, fill_olena(town)["other"])  # still open: its number is needed
    make_old(town, 3.1)
    due = count_due(db.session(), now())
    assert (due[Kind.CALL_TASKS], due[Kind.CALL_ATTEMPTS], due[Kind.NO_MACHINE_CALLS]) == (1, 1, 0)
    assert db.session.get_one(Attempt, attempt).number
    while any(retain().values()):
        pass
    assert (db.session.get_one(CallTask, task).number, db.session.get_one(Attempt, attempt).number) == (None, "")
    assert len(db.session.scalars(select(NeverByMachine)).all()) == 1
    make_old(town, 2)
    assert retain()[Kind.NO_MACHINE_CALLS] == 1
    assert db.session.scalars(select(NeverByMachine)).all() == []


@pytest.mark.parametrize(
    ("years", "due"),
    [
        (0.9, {}),
        (1.1, {}),
        (3.1, {Kind.CONSULTATIONS: 1, Kind.CALLS: 4, Kind.ACCESS_LOG: 1}),
        (5.1, {Kind.CONSULTATIONS: 1, Kind.REPORTS: 2, Kind.CALLS: 4, Kind.ACCESS_LOG: 1}),
    ],
)
def test_what_is_due_is_counted_and_ended_once(town: Flask, years: float, due: dict[Kind, int]):
    """The dry run counts what a run ends; nothing else is touched; a second run finds nothing."""
    ids = fill_olena(town)
    look(town)
    make_old(town, years)
    session = db.session()
    assert {kind: count for kind, count in count_due(session, now()).items() if count} == due
    before, open_before = counts(session), session.get_one(Report, ids["other"])
    text_before = (open_before.text, open_before.applicant_name, open_before.contact_number)
    ended = retain()
    total = dict(ended)
    while any(ended.values()):
        ended = retain()
        total = {kind: total[kind] + ended[kind] for kind in total}
    # who has no report any more is forgotten, and the calls of what was taken out need no turn of their own
    assert {kind for kind, count in total.items() if count} >= set(due) - {Kind.CALLS}
    after = counts(session)
    gone = {"access_log": due.get(Kind.ACCESS_LOG, 0)}
    for table, rows in before.items():
        if table not in ("report_history", "retention_days", "marks", "persons", "person_numbers"):
            assert after[table] == rows - gone.get(table, 0), table
    assert (
        after["report_history"]
        == before["report_history"] + total[Kind.NO_MATTER] + total[Kind.CONSULTATIONS] + total[Kind.REPORTS]
    )
    still_open = session.get_one(Report, ids["other"])
    assert (still_open.text, still_open.applicant_name, still_open.contact_number) == text_before
    closed = session.get_one(Report, ids["closed"])
    assert (closed.applicant_name == "") is (years > 5)
    assert (session.scalar(select(func.count(Person.id))) == 0) is (years > 5)
    assert not any(count_due(session, now()).values())
    kept = session.scalar(select(func.sum(RetentionDay.rows))) or 0
    assert kept == sum(total.values())


def test_a_run_in_small_steps_comes_to_the_same(town: Flask):
    """Cut off at any moment and gone on with."""
    fill_olena(town)
    for _ in range(5):
        look(town)
    make_old(town, 6)
    steps = 0
    while any(retain(limit=1).values()):
        steps += 1
    assert steps >= 5
    session = db.session()
    assert session.scalar(select(func.count(AccessLog.id))) == 0
    held = select(func.count(Call.id)).where(Call.number.is_not(None))
    assert session.scalar(held) == 0
    states = {ReportState.CLOSED, ReportState.CONSULTATION, ReportState.ATTACHED}
    assert session.scalars(select(Report.applicant_name).where(Report.state.in_(states))).all() == [""] * 3


def test_a_report_touched_lately_keeps_its_applicant(town: Flask):
    ids = fill_olena(town)
    make_old(town, 6)
    with inside(town), transaction() as session:
        session.add(HistoryRow(report_id=ids["closed"], event="applicant_called", at=now() - timedelta(days=30)))
    assert retain()[Kind.REPORTS] == 1  # the added call alone
    assert db.session.get_one(Report, ids["closed"]).applicant_name == NAME


@pytest.mark.parametrize("by_call", [True, False])
@pytest.mark.parametrize("reopened", [True, False])
def test_words_that_were_added_to_anothers_report_go_with_the_person(town: Flask, by_call: bool, reopened: bool):
    """They came by a call or otherwise; and were taken back meanwhile, when it was about something else."""
    neighbours = register(town, "Немає води", number="0939998877", category=2)
    with transaction() as session:
        me = session.get_one(User, user_id("tsapkova"))
        draft = record_call(session, "0671234567")[1] if by_call else make_draft_by_hand(session, me, Source.VISIT)
        values = {"text": "Я з дванадцятої квартири", "other_phone": "0671234567"}
        save_draft(session, draft, me, values, draft.revision, AREA_CODE)
        attach_draft(session, draft, me, session.get_one(Report, neighbours))
        if reopened:
            reopen_draft(session, draft, me)
            save_draft(session, draft, me, {"text": "Про інше"}, draft.revision, AREA_CODE)
            end_draft(session, draft, me, ReportEvent.CONSULTED)
    erase(OLENA, texts=True)
    assert [place for place, text in texts_of(db.session()) if "дванадцятої" in text] == []


def test_drafts_that_nobody_finished_have_their_term(town: Flask):
    """What was missed and settled by a later talk stands in no list for ever; its data end a year later."""
    exchange = Exchange(town)
    draft_id = exchange.missed("0671234567")[1]
    talk, answered = exchange.call("0671234567")
    exchange.answer(talk, 1)
    exchange.hang_up(talk)
    make_old(town, 1.1)
    with transaction() as session:  # touched since
        note_history(session, session.get_one(Report, answered), HistoryEvent.IDENTIFIED, None)
    assert count_due(db.session(), now())[Kind.DRAFTS] == retain()[Kind.DRAFTS] == 1
    forgotten = db.session.get_one(Report, draft_id)
    assert (forgotten.state, forgotten.contact_number, forgotten.call.number) == (ReportState.DROPPED, None, None)
    assert [row.event for row in forgotten.history][-2:] == [ReportEvent.FORGOTTEN, HistoryEvent.ANONYMISED]
    assert db.session.get_one(Report, answered).contact_number == "+380671234567"
    with pytest.raises(DataTakenOut), transaction() as session:
        reopen_draft(session, session.get_one(Report, draft_id), session.get_one(User, user_id("tsapkova")))
    assert db.session.get_one(Report, draft_id).state == ReportState.DROPPED


def test_sheets_that_wait_are_not_deleted(town: Flask):
    fill_olena(town)
    make_old(town, 4)
    retain()
    assert db.session.scalar(select(func.count(ShiftSheet.id))) == 1


def test_years_before_the_last_of_february():
    assert years_before(datetime(2028, 2, 29, tzinfo=UTC), 3) == datetime(2025, 2, 28, tzinfo=UTC)
    assert set(RULES) == set(Kind)
