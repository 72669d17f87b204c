"""What journal and summaries cost over a million reports: ``python -m tests.bench_journal`` (``--help`` says more)."""

import argparse
import itertools
import random
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from argon2 import PasswordHasher
from flask import Flask
from sqlalchemy import Connection, insert, text

from jobs.database import prepare_database
from jobs.demo_places import CATEGORIES, ORGANISATIONS, STREETS
from jobs.demo_stories import CONSULTATIONS, GIVEN_NAMES, STORIES, SURNAMES
from jobs.settings import load_settings
from models.base import db
from models.journal import JournalFilter, find_reports
from models.lines import Line
from models.people import Organisation, Role, User
from models.places import Category, Street
from models.reports import Report, ReportCounter, ReportState
from models.search import plain, telephone_word
from tests import bench_summary
from tests.helpers import AREA_CODE
from webui import create_app

WANTED_MS = 50
RUNS = 40
OTHERS = 0.3  # drafts that ended otherwise, for each registered report
FREQUENT, LOGIN, PASSWORD = "+380671234567", "bench", "bench-journal"
SYLLABLES = (
    "ба",
    "ве",
    "ги",
    "ло",
    "му",
    "не",
    "по",
    "ра",
    "си",
    "ту",
    "фа",
    "хо",
    "це",
    "чи",
    "шу",
    "яр",
    "ків",
    "ен",
    "ор",
    "ат",
)
COLUMNS = (  # what `_rows` gives, in its order
    "id", "number", "state", "source", "line_id", "revision", "category_id", "text", "street_id",
    "street_typed", "building", "flat", "landmark", "executor_id", "emergency", "applicant_name",
    "contact_number", "other_phone", "created_at", "registered_at", "due_at", "search_text",
)  # fmt: skip


def fill_bulk(connection: Connection, reports: int, seed: int = 1) -> None:
    """Write ``reports`` registered reports of three years, and drafts that ended otherwise between them.

    With a rare category (15 reports), a line hardly called, and a number that made a hundredth of all reports.
    """
    chance = random.Random(seed)
    lines = [(1, "5-32-73"), (2, "5-32-75"), (3, "5-42-86"), (4, "5-00-00")]
    connection.execute(insert(Line), [{"id": i, "number": n, "e164": f"+380{AREA_CODE}{n}"} for i, n in lines])
    connection.execute(insert(Organisation), [{"id": i, "name": n} for i, n in enumerate(ORGANISATIONS, 1)])
    connection.execute(insert(Street), [{"id": i, "name": n} for i, (n, _former) in enumerate(STREETS, 1)])
    kinds = [
        {"id": i, "name": n, "organisation_id": o + 1, "working_days": d} for i, (n, o, d) in enumerate(CATEGORIES, 1)
    ]
    connection.execute(insert(Category), kinds)
    connection.execute(
        insert(User),
        [{"login": LOGIN, "name": LOGIN, "password_hash": PasswordHasher().hash(PASSWORD), "role": Role.ADMINISTRATOR}],
    )
    begun = datetime.now(UTC) - timedelta(days=3 * 365)
    rows = _rows(chance, reports, begun)
    if connection.dialect.name == "sqlite":
        _insert_sqlite(connection, rows)
    else:
        with connection.connection.cursor().copy(f"COPY reports ({', '.join(COLUMNS)}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
    years = range(begun.year, datetime.now(UTC).year + 1)
    connection.execute(insert(ReportCounter), [{"year": year, "last": reports} for year in years])


def _insert_sqlite(connection: Connection, rows: Iterator[tuple]) -> None:
    """Indexes, and the triggers that keep the full-text index, are made again once all rows are there."""
    query = text(
        "SELECT type, name, sql FROM sqlite_master "
        "WHERE tbl_name = 'reports' AND type IN ('index', 'trigger') AND sql IS NOT NULL"
    )
    made = connection.execute(query).all()
    for kind, name, _sql in made:
        connection.exec_driver_sql(f"DROP {kind} {name}")
    marks = ", ".join("?" * len(COLUMNS))
    cursor = connection.connection.cursor()
    cursor.executemany(
        f"INSERT INTO reports ({', '.join(COLUMNS)}) VALUES ({marks})",
        (tuple(v.isoformat(" ") if isinstance(v, datetime) else v for v in row) for row in rows),
    )
    connection.exec_driver_sql("INSERT INTO report_words(report_words) VALUES ('rebuild')")
    for _kind, _name, sql in made:
        connection.exec_driver_sql(sql)


def _rows(chance: random.Random, reports: int, begun: datetime) -> Iterator[tuple]:
    total = int(reports * (1 + OTHERS))
    step = timedelta(days=3 * 365) / total
    vocabulary = ["".join(chance.choices(SYLLABLES, k=chance.randint(3, 5))) for _ in range(20000)]
    words_by_weight = list(itertools.accumulate(1 / (place + 10) for place in range(len(vocabulary))))
    usual = len(CATEGORIES) - 1
    kinds_by_weight = list(itertools.accumulate([1 / (place + 1) for place in range(usual)] + [6e-5]))
    stories = [[plain(story) for story in STORIES[name]] for name, _organisation, _days in CATEGORIES]
    streets = [plain(name) for name, _former in STREETS]
    organisations = [plain(name).replace("«", "").replace("»", "") for name in ORGANISATIONS]
    endings = ("consultation", "attached", "redirected", "wrong_number", "dropped")
    numbered = {}
    for row_id in range(1, total + 1):
        at = (begun + step * row_id).replace(tzinfo=None)
        line = 4 if chance.random() < 0.001 else chance.choice((1, 1, 2, 3))
        extra = " ".join(chance.choices(vocabulary, cum_weights=words_by_weight, k=6))
        number = FREQUENT if chance.random() < 0.01 else f"+38050{chance.randrange(200_000):07d}"
        street, building = chance.randrange(len(streets)), str(chance.randint(1, 140))
        name = f"{chance.choice(GIVEN_NAMES)} {chance.choice(SURNAMES)}"
        if chance.random() < OTHERS / (1 + OTHERS):
            state = chance.choices(endings, (70, 10, 8, 5, 7))[0]
            told = plain(chance.choice(CONSULTATIONS))
            yield (
                row_id, None, state, "telephone", line, 1, None, told, None, "", "", "", "",
                None, False, "", number, "", at, None, None, f"{told} {extra} {telephone_word(number)}",
            )  # fmt: skip
            continue
        category = chance.choices(range(len(CATEGORIES)), cum_weights=kinds_by_weight)[0]
        organisation = CATEGORIES[category][1]
        recent = total - row_id < total * 0.03
        open_states = ("new", "in_progress", "done", "closed")
        state = chance.choices(open_states, (1, 5, 3, 20) if recent else (0, 1, 0, 1000))[0]
        numbered[at.year] = numbered.get(at.year, 0) + 1
        given = f"{at.year}-{numbered[at.year]:04d}"
        told = f"{chance.choice(stories[category])} {extra}"
        words = f"{given} {told} {streets[street]} {building} {name} {organisations[organisation]}"
        found_by = " ".join([*re.findall(r"[^\W_]+", plain(words)), telephone_word(number)])
        yield (
            row_id, given, state, "telephone", line, 1, category + 1, told, street + 1, "", building, "", "",
            organisation + 1, False, name, number, "", at, at, at, found_by,
        )  # fmt: skip


def cases(total: int) -> dict[str, Callable[[random.Random], tuple[JournalFilter, dict[str, int]]]]:
    """What people look for; each run of a case asks for something slightly different."""
    month = (date.today() - timedelta(days=400)).replace(day=1)
    season = {"date_from": month, "date_to": month + timedelta(days=91)}
    closed, new, progress = ReportState.CLOSED, ReportState.NEW, ReportState.IN_PROGRESS
    rare = len(CATEGORIES)

    def somewhere(chance: random.Random) -> dict[str, int]:
        return {chance.choice(("before", "after")): chance.randrange(total // 100, total)}

    return {
        "first page": lambda c: (JournalFilter(), {}),
        "deep page": lambda c: (JournalFilter(), somewhere(c)),
        "three filters": lambda c: (JournalFilter(state=closed, category_id=c.randint(1, 20), line_id=2), somewhere(c)),
        "three filters and period": lambda c: (
            JournalFilter(state=closed, category_id=c.randint(1, 20), line_id=c.randint(1, 3), **season),
            {},
        ),
        "rare filters": lambda c: (
            JournalFilter(state=c.choice((new, progress)), category_id=c.randint(20, rare), line_id=4),
            {},
        ),
        "rare category": lambda c: (JournalFilter(category_id=rare), {}),
        "common word": lambda c: (JournalFilter(text=c.choice(("ліхтарі", "сміття", "води"))), somewhere(c)),
        "common word and period": lambda c: (JournalFilter(text=c.choice(("ліхтарі", "води")), **season), {}),
        "common word, three filters": lambda c: (
            JournalFilter(text="ліхтарі", state=closed, category_id=1, line_id=c.randint(1, 3)),
            somewhere(c),
        ),
        "common word, rare filters": lambda c: (JournalFilter(text="ліхтарі", state=new, line_id=4), {}),
        "common word, wrong category": lambda c: (JournalFilter(text="ліхтарі", category_id=c.randint(5, 20)), {}),
        "rare word": lambda c: (JournalFilter(text="".join(c.choices(SYLLABLES, k=4))), {}),
        "two words": lambda c: (JournalFilter(text=c.choice(("не горить ліхтар", "вулиця Соборна"))), {}),
        "street, building, name": lambda c: (JournalFilter(text=f"Коржівська {c.randint(1, 140)} Гриценко"), {}),
        "telephone": lambda c: (JournalFilter(text=f"050 {c.randrange(200_000):07d}"), {}),
        "telephone of many": lambda c: (JournalFilter(text="067 123-45-67"), somewhere(c)),
        "end of a telephone": lambda c: (JournalFilter(text=f"{c.randrange(100):02d}-{c.randrange(100):02d}"), {}),
        "end of the telephone of many": lambda c: (JournalFilter(text="45-67"), somewhere(c)),
        "end of a telephone, filters": lambda c: (JournalFilter(text="4567", state=new, line_id=c.randint(1, 4)), {}),
        "report number": lambda c: (JournalFilter(text=str(c.randint(1, 9999))), {}),
    }


def measure(act: Callable[[random.Random], object], runs: int = RUNS, before: int = 3) -> tuple[float, float]:
    """Median and 95th percentile in milliseconds, after some runs that do not count."""
    chance, taken = random.Random(2), []
    for run in range(runs + before):
        began = time.perf_counter()
        act(chance)
        if run >= before:
            taken.append((time.perf_counter() - began) * 1000)
    taken.sort()
    return taken[len(taken) // 2], taken[int(len(taken) * 0.95)]


def run(app: Flask, total: int) -> list[tuple[str, float, float]]:
    """Name, median and p95 of every case; the last two are whole pages as the browser gets them."""
    results = []
    with app.app_context():
        for name, make in cases(total).items():

            def ask(chance: random.Random, make: Callable = make) -> None:
                wanted, where = make(chance)
                find_reports(db.session(), wanted, **where)
                db.session.rollback()
                db.session.expunge_all()

            results.append((name, *measure(ask)))
    app.config["WTF_CSRF_ENABLED"] = False
    client = app.test_client()
    client.post("/login", data={"login": LOGIN, "password": PASSWORD})
    for name, path in (("first page, HTML", "/journal"), ("deep page, HTML", f"/journal?before={total // 2}")):
        assert client.get(path).text.count("<tr") > 50, f"{path} shows no journal"
        results.append((name, *measure(lambda chance, path=path: client.get(path))))
    return results


def print_summaries(app: Flask) -> None:
    """What a summary costs: a few runs each, for it is read a few times a day."""
    wanted = bench_summary.WANTED_MS
    with app.app_context():
        for name, count in bench_summary.cases().items():

            def ask(_chance: random.Random, count: Callable = count) -> None:
                count()
                db.session.rollback()

            median, p95 = measure(ask, runs=5, before=1)
            print(f"summary: {name:<30}{p95:>8.1f} ms   p50 {median:.1f} ms (wanted {wanted} ms for a quarter)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reports", type=int, default=1_000_000)
    parser.add_argument(
        "--database", default="", help="an empty PostgreSQL database; SQLite in a temporary folder else"
    )
    parser.add_argument("--keep", type=Path, help="a folder to keep the filled database in, and to find it again")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        environ = {"CC_VAR": str(chosen.keep or folder), "CC_DATABASE_URL": chosen.database}
        app = create_app(load_settings(environ))
        prepare_database(app)
        with app.app_context():
            total = int(chosen.reports * (1 + OTHERS))
            if not db.session.get(Report, total):
                db.session.remove()
                began = time.monotonic()
                with db.engine.begin() as connection:
                    fill_bulk(connection, chosen.reports)
                    bench_summary.fill_work(connection)
                if db.engine.dialect.name != "sqlite":
                    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                        connection.execute(text("VACUUM ANALYZE"))
                print(
                    f"{total} rows, {chosen.reports} reports, written in {time.monotonic() - began:.0f} s", flush=True
                )
            db.session.remove()
        slowest = 0.0
        with suppress(KeyboardInterrupt):
            for name, median, p95 in run(app, total):
                slowest = max(slowest, p95)
                late = "" if p95 <= WANTED_MS else "  too slow"
                print(f"journal: {name:<30}{p95:>8.1f} ms   p50 {median:.1f} ms (wanted {WANTED_MS} ms){late}")
            print_summaries(app)
        print(f"journal, slowest p95        {slowest:>9.1f} ms   {chosen.reports} reports (wanted {WANTED_MS} ms)")


if __name__ == "__main__":
    main()
