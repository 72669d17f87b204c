"""The journal: what is found, in which order, and that pages neither lose nor repeat anything."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import event, select

from jobs.app import bare_app
from jobs.database import prepare_database
from jobs.demo_town import fill_demo_town
from jobs.settings import load_settings
from models.base import db, transaction
from models.journal import JournalFilter, find_reports
from models.reports import REGISTERED_STATES, Report, ReportCounter, ReportState
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


def test_sqlite_walks_the_index_made_for_the_filters_and_sorts_nothing(app):
    """The plan of every combination: one index, no temporary b-tree."""
    statements = []
    event.listen(db.engine, "before_cursor_execute", lambda *args: statements.append((args[2], args[3])))
    full, names = JournalFilter(state=ReportState.CLOSED, category_id=1, line_id=1), ("state", "category_id", "line_id")
    for left_out in ({}, {"state": None}, {"category_id": None}, {"line_id": None}, {"state": None, "line_id": None}):
        statements.clear()
        find_reports(db.session(), replace(full, **left_out), before=1000)
        sql, values = next(found for found in statements if found[0].startswith("SELECT"))
        plan = " ".join(row[3] for row in db.session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values))
        wanted = [*(["registered"] if "state" in left_out else []), *(n for n in names if n not in left_out)]
        assert f"ix_reports_{'_'.join(wanted)}_id (" in plan
        assert "TEMP B-TREE" not in plan
