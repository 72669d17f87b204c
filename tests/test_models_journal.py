"""The journal: what is found, in which order, and that pages neither lose nor repeat anything."""

from dataclasses import fields
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, select

from jobs.app import bare_app
from jobs.database import prepare_database
from jobs.demo_town import fill_demo_town
from jobs.settings import load_settings
from models import journal
from models.base import db, transaction
from models.journal import count_found, find_reports
from models.journal_filters import STREAMS, JournalFilter, index_of
from models.reports import AT_WORK, REGISTERED_STATES, Report, ReportCounter, ReportState, Source
from models.search import search_text
from models.workdays import KYIV
from tests.postgres_fixtures import new_database


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def filled(request, tmp_path_factory):
    """The application on the demo town, on each database."""
    environ = {"CC_VAR": str(tmp_path_factory.mktemp("journal"))}
    if request.param == "postgresql":
        environ["CC_DATABASE_URL"] = new_database(request.getfixturevalue("postgres_server"))
    app = bare_app(load_settings(environ))
    prepare_database(app)
    fill_demo_town(app)
    return app


@pytest.fixture
def town(filled):
    """The session."""
    with filled.app_context():
        yield db.session()
        db.session.remove()
        db.engine.dispose()


def look(session, limit=50, before=None, after=None, **wanted):
    return find_reports(session, JournalFilter(**wanted), before=before, after=after, limit=limit)


def everything(session, **wanted):
    return [report.id for report in look(session, limit=1000, **wanted).rows]


def plainly(session, **wanted):
    """The same by the plainest query there is."""
    states = [wanted["state"]] if "state" in wanted else REGISTERED_STATES
    query = select(Report).where(Report.state.in_(states)).order_by(Report.id.desc())
    for name in ("category_id", "line_id"):
        if name in wanted:
            query = query.where(getattr(Report, name) == wanted[name])
    found = []
    for report in session.scalars(query):
        day = report.created_at.astimezone(KYIV).date()
        if wanted.get("date_from", day) <= day <= wanted.get("date_to", day):
            found.append(report.id)
    return found


def test_filters_find_what_the_plainest_query_finds(town):
    """W11: by period, type, state and line, and any of them together."""
    today = datetime.now(KYIV).date()
    period = {"date_from": today - timedelta(days=50), "date_to": today - timedelta(days=20)}
    some = town.scalars(select(Report).where(Report.line_id.is_not(None), Report.number.is_not(None))).first()
    kinds = {"state": some.state}, {"category_id": some.category_id}, {"line_id": some.line_id}
    combinations = [{}, period, {"state": ReportState.CONSULTATION}, {"state": ReportState.DRAFT}]
    for kind in kinds:
        combinations += [{**done, **kind} for done in list(combinations) if not set(done) & set(kind)]
    for wanted in combinations:
        assert everything(town, **wanted) == plainly(town, **wanted), wanted
    assert everything(town, **kinds[0], **kinds[1], **kinds[2])


@pytest.mark.parametrize("wanted", [{}, {"text": "не"}, {"state": ReportState.CONSULTATION}, {"text": "щщщ"}])
def test_walking_older_and_newer_visits_each_report_once(town, wanted):
    """W11"""
    all_ids = everything(town, **wanted)
    page, older = look(town, limit=7, **wanted), []
    assert page.newer is None
    while True:
        older += [report.id for report in page.rows]
        if page.older is None:
            break
        page = look(town, limit=7, before=page.older, **wanted)
    assert older == all_ids
    newer = [report.id for report in page.rows]
    while page.newer is not None:
        page = look(town, limit=7, after=page.newer, **wanted)
        newer = [report.id for report in page.rows] + newer
    assert newer == all_ids


def test_an_empty_page_leads_back(town):
    oldest, newest = everything(town)[-1], everything(town)[0]
    assert look(town, before=look(town, before=oldest).newer and oldest + 1).rows[0].id == oldest
    empty = look(town, after=newest)
    assert not empty.rows
    assert look(town, before=empty.older).rows[0].id == newest


def test_a_report_is_found_by_its_number(town):
    """W11"""
    report = town.scalars(select(Report).where(Report.number.is_not(None))).first()
    year, _, serial = report.number.partition("-")
    for typed in (report.number, f"№ {report.number}", f"№{report.number} ", str(int(serial)), f"{year} – {serial}"):
        assert everything(town, text=typed) == [report.id], typed
    assert everything(town, text=f"{year}-9999") == []


def test_reports_are_found_by_a_telephone_number_in_any_form(town):
    """W11"""
    for number, forms in {
        "+380671234567": ("0671234567", "+380 67 123 45 67", "8 067 123-45-67", "(067) 123 45 67"),
        "+380544821436": ("2-14-36", "21436", "(05448) 2-14-36"),
    }.items():
        query = select(Report.id).where(Report.contact_number == number, Report.number.is_not(None))
        ids = list(town.scalars(query.order_by(Report.id.desc())))
        for typed in forms:
            assert everything(town, text=typed) == ids, typed


def test_reports_are_found_by_the_last_digits_of_a_telephone(town):
    """W11: what people remember of a number; the other telephone of the form counts as well."""
    with transaction() as session:
        number = session.scalar(select(Report.contact_number).where(Report.number.is_not(None)).limit(1))
        other = session.scalars(select(Report).where(Report.number.is_not(None))).first()
        other.other_phone = "сусідка (050) 911-45-67, або 2-99-88"
        other.search_text = search_text(other)
        report_id = other.id
    query = select(Report.id, Report.number).where(Report.contact_number.endswith(number[-4:]))
    ids = {report_id for report_id, given in town.execute(query) if given}
    assert ids <= set(everything(town, text=number[-4:]))
    for typed in (
        "4567",
        "45-67",
        "9114567",
        "911 45 67",
        "0509114567",
        "+380 50 911 45 67",
        "8 050 911-45-67",
        "29988",
    ):
        assert report_id in everything(town, text=typed), typed
    for typed in ("567", "0911", "9119988", "4568"):
        assert report_id not in everything(town, text=typed), typed


def test_digits_that_are_a_reports_number_and_end_a_telephone_find_both(town):
    with transaction() as session:
        numbered, other = session.scalars(select(Report).where(Report.number.is_not(None)).limit(2)).all()
        numbered.number, other.contact_number = "2019-7351", "+380671237351"
        other.search_text = search_text(other)
        ids = {numbered.id, other.id}
        session.merge(ReportCounter(year=2019, last=7351))
    assert set(everything(town, text="7351")) == ids
    assert everything(town, text="2019-7351") == [numbered.id]


def test_words_find_other_cases_street_name_and_executor(town):
    """W11"""
    with transaction() as session:
        report = session.scalars(select(Report).where(Report.number.is_not(None))).first()
        report.search_text = "2026 0412 не горить ліхтар біля підїзду вулиця київська 12 олена к кп міськсвітло"
        report_id = report.id
    for typed in ("ліхтарі", "ЛІХТАР київській", "під'їзд", "Під’їзду 12", "міськсвітла", "Олена К"):
        assert report_id in everything(town, text=typed), typed
    for typed in ("ліхтар соборна", "хтар", '" OR *', "!!!", "100%", "_"):
        assert report_id not in everything(town, text=typed), typed


@pytest.mark.parametrize("typed", ['"', "' OR 1=1 --", "NEAR(a b)", "a:* & !b", "\\", "%%%", "\x00", "я" * 5000, "☎"])
def test_no_text_breaks_the_search(town, typed):
    look(town, text=typed)


def test_the_edges_of_a_period_are_days_in_kyiv_even_for_recovered_calls(town):
    """A call recovered after a trouble has a younger id than its time."""
    midnight = datetime(2026, 3, 10, tzinfo=KYIV).astimezone(UTC)
    minutes = (-5, 3, -1, 4, 0, -2, 6)
    with transaction() as session:
        made = []
        for minute in minutes:
            report = Report(number=f"2001-{len(made):04d}", state=ReportState.NEW)
            report.created_at = midnight + timedelta(minutes=minute)
            session.add(report)
            session.flush()
            made.append(report.id)
    early = [report_id for report_id, minute in zip(made, minutes, strict=True) if minute < 0]
    late = [report_id for report_id, minute in zip(made, minutes, strict=True) if minute >= 0]
    assert everything(town, date_to=date(2026, 3, 9)) == early[::-1]
    assert everything(town, date_from=date(2026, 3, 10), date_to=date(2026, 3, 10)) == late[::-1]
    assert everything(town, date_from=date(2035, 1, 1)) == []


def test_a_page_costs_the_same_few_queries_for_ten_rows_and_for_a_hundred(town):
    counted = []
    event.listen(town.get_bind(), "before_cursor_execute", lambda *args: counted.append(args[2].startswith("SELECT")))
    for limit in (10, 100):
        town.expunge_all()
        counted.clear()
        page = look(town, limit=limit)
        shown = [(report.line, report.category, report.place, report.executor) for report in page.rows]
        assert len(shown) == limit
        assert counted.count(True) == 2


DAYS = st.none() | st.integers(-70, 5).map(lambda days: datetime.now(KYIV).date() + timedelta(days=days))
MOMENTS = st.none() | st.integers(-40, 10).map(lambda days: datetime.now(UTC) + timedelta(days=days))
IDS = st.none() | st.integers(1, 8)


@pytest.fixture
def stirred(town, monkeypatch):
    """The town with all kinds of reports, and bounds so small that every way of finding them is taken."""
    for name, bound in (("_PROBED", 5), ("_NEAR", 20), ("_READ", 20), ("_FEW", 4), ("_COUNTED", 20)):
        monkeypatch.setattr(journal, name, bound)
    sources = list(Source)
    with transaction() as session:
        registered = session.scalars(select(Report).where(Report.number.is_not(None)).order_by(Report.id)).all()
        for place, report in enumerate(registered):
            report.source = sources[place % 7 % len(sources)]
            report.emergency = place % 11 == 0
            report.repeat_of_id = registered[place // 2].id if place % 5 == 1 else None
            report.due_at = None if place % 13 == 0 else report.created_at + timedelta(days=place % 30)
    return town.scalars(select(Report).order_by(Report.id.desc())).all()


def wants(wanted, report):
    """The same as the filters, one report at a time."""
    day = report.created_at.astimezone(KYIV).date()
    due = report.due_at if report.state in AT_WORK else None
    return all(
        (
            report.number is not None if wanted.state is None else report.state == wanted.state,
            wanted.category_id in (None, report.category_id),
            wanted.line_id in (None, report.line_id),
            wanted.executor_id in (None, report.executor_id),
            wanted.source in (None, report.source),
            wanted.repeated in (None, report.repeat_of_id is not None),
            not wanted.emergency or report.emergency,
            wanted.date_from is None or wanted.date_from <= day,
            wanted.date_to is None or day <= wanted.date_to,
            wanted.due_from is None or (due is not None and wanted.due_from <= due),
            wanted.due_before is None or (due is not None and due < wanted.due_before),
            wanted.text not in ("не", "вул")
            or any(word.startswith(wanted.text) for word in report.search_text.split()),
        )
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    wanted=st.builds(
        JournalFilter,
        text=st.sampled_from(["", "", "", "не", "вул"]),
        date_from=DAYS,
        date_to=DAYS,
        state=st.none() | st.sampled_from(ReportState),
        category_id=IDS,
        line_id=IDS,
        executor_id=IDS,
        source=st.none() | st.sampled_from(Source),
        repeated=st.none() | st.booleans(),
        emergency=st.booleans(),
        due_from=MOMENTS,
        due_before=MOMENTS,
    ),
    kept=st.sets(st.sampled_from([field.name for field in fields(JournalFilter)]), max_size=4),
)
def test_any_filters_together_find_what_is_found_one_report_at_a_time(town, stirred, wanted, kept):
    """W11: by four filters of twelve at most, on pages of three, to the older and back to the newer."""
    wanted = JournalFilter(**{name: getattr(wanted, name) for name in kept})
    expected = [report.id for report in stirred if wants(wanted, report)]
    page, found = find_reports(town, wanted, limit=3), []
    while page.rows:
        found += [report.id for report in page.rows]
        if page.older is None:
            break
        page = find_reports(town, wanted, before=page.older, limit=3)
    assert found == expected
    assert count_found(town, wanted) in ((None,) if wanted.text else (None, len(expected)))
    if expected:
        nearest = find_reports(town, wanted, after=expected[-1], limit=3)
        assert [report.id for report in nearest.rows] == expected[-4:-1]


def test_what_is_not_cheap_to_count_is_not_counted(town, stirred, monkeypatch):
    monkeypatch.setattr(journal, "_COUNTED", 10_000)
    closed = JournalFilter(state=ReportState.CLOSED)
    online = JournalFilter(state=ReportState.CLOSED, source=Source.ONLINE)
    many, few = count_found(town, closed), count_found(town, online)
    assert 1 < few < many
    monkeypatch.setattr(journal, "MOST_COUNTED", few)
    assert count_found(town, closed) == few + 1  # more than so many
    assert count_found(town, online) == few
    monkeypatch.setattr(journal, "_COUNTED", 2)
    assert count_found(town, online) is None  # many more would have to be walked


def test_each_filter_finds_something_in_the_stirred_town(town, stirred):
    """Else the test above would prove nothing."""
    at = datetime.now(UTC)
    for wanted in (
        {"executor_id": 1},
        {"source": Source.ONLINE},
        {"repeated": True},
        {"repeated": False},
        {"emergency": True},
        {"due_before": at},
        {"due_from": at - timedelta(days=20), "due_before": at + timedelta(days=5)},
        {"text": "не", "executor_id": 2},
        {"state": ReportState.CONSULTATION},
    ):
        assert everything(town, **wanted), wanted


FILTERS = {
    "state": {"state": ReportState.CLOSED},
    "category_id": {"category_id": 1},
    "line_id": {"line_id": 1},
    "executor_id": {"executor_id": 1},
    "source": {"source": Source.ONLINE},
    "repeated": {"repeated": True},
    "emergency": {"emergency": True},
    "open": {"due_before": datetime(2026, 11, 26, tzinfo=UTC), "executor_id": 1, "repeated": False},
    "registered": {"repeated": False},
}


@pytest.mark.parametrize("name", STREAMS)
def test_sqlite_walks_the_filters_index_and_neither_sorts_nor_looks_at_a_report(app, name):
    """What the other filters ask for stands in the index: the table is never read while the stream is walked."""
    statements = []
    event.listen(db.engine, "before_cursor_execute", lambda *args: statements.append((args[2], args[3])))
    others = {"state": ReportState.CLOSED, "category_id": 2, "line_id": 2, "repeated": False} | FILTERS[name]
    wanted = JournalFilter(**(FILTERS[name] if name == "registered" else others))
    walk = journal._Walk(db.session(), True, None, 1000, [], 51)
    journal._first_sqlite(walk, name, wanted, [])
    sql, values = next(found for found in statements if found[0].startswith("SELECT"))
    connection = db.session.connection()
    plan = " ".join(row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values))
    assert f"{index_of(name)} (" in plan or plan.endswith(index_of(name))
    assert "TEMP B-TREE" not in plan
    steps = connection.exec_driver_sql(f"EXPLAIN {sql}", values).all()
    index = next(step.p1 for step in steps if step.opcode == "OpenRead" and step.p1 != 0)
    assert {step.p1 for step in steps if step.opcode == "Column"} <= {index}


def test_of_two_filters_the_sparser_one_is_walked(town, stirred):
    walk = journal._Walk(town, True, None, None, [], 51)
    with transaction() as session:
        for place, report in enumerate(session.scalars(select(Report).where(Report.number.is_not(None)))):
            report.emergency, report.category_id = place < 6, 1  # the oldest, and all
    assert journal._sparsest(walk, JournalFilter(category_id=1, emergency=True)) == "emergency"
    assert journal._sparsest(walk, JournalFilter(category_id=999, source=Source.TELEPHONE)) == "category_id"
