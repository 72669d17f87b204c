"""What the journal and the monitoring cost over a million reports: ``python -m tests.bench_journal`` (``--help``)."""

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import date, timedelta
from pathlib import Path

from flask import Flask
from sqlalchemy import select, text

from jobs.database import prepare_database
from jobs.demo_places import CATEGORIES
from jobs.settings import load_settings
from models.base import db, now
from models.journal import count_found, find_reports
from models.journal_filters import JournalFilter
from models.monitoring import daily_monitoring
from models.reports import Report, ReportState, Source
from tests.bench_fill import LOGIN, OTHERS, PASSWORD, SYLLABLES, fill_bulk
from tests.bench_summary import SUMMARIES, SUMMARY_WANTED_MS
from tests.postgres_fixtures import new_database, private_server
from tests.web_fixtures import Browser, first_visit
from webui import create_app

WANTED_MS = 50
WANTED_BYTES = 150_000
RUNS, FEW_RUNS = 40, 5
SIZES = (10_000, 1_000_000)

Act = Callable[[random.Random], object]


def cases(total: int) -> dict[str, Callable[[random.Random], tuple[JournalFilter, dict[str, int]]]]:
    """What people look for, and what is hardest to find; each run of a case asks for something slightly different."""
    month = (date.today() - timedelta(days=400)).replace(day=1)
    season = {"date_from": month, "date_to": month + timedelta(days=91)}
    closed, new, progress = ReportState.CLOSED, ReportState.NEW, ReportState.IN_PROGRESS
    consulted, telephone, online = ReportState.CONSULTATION, Source.TELEPHONE, Source.ONLINE
    rare = len(CATEGORIES)
    own, other = CATEGORIES[0][1] + 1, CATEGORIES[1][1] + 1  # executors of the most frequent types

    def somewhere(chance: random.Random) -> dict[str, int]:
        return {chance.choice(("before", "after")): chance.randrange(total // 100, total)}

    def ask(where: bool = False, **wanted: object) -> Callable:
        """``wanted`` holds values, or functions that choose one."""
        return lambda chance: (
            JournalFilter(**{name: value(chance) if callable(value) else value for name, value in wanted.items()}),
            somewhere(chance) if where else {},
        )

    def some_type(chance: random.Random) -> int:
        return chance.randint(1, 20)

    def some_open(chance: random.Random) -> ReportState:
        return chance.choice((new, progress))

    def some_line(chance: random.Random) -> int:
        return chance.randint(1, 3)

    return {
        "first page": ask(),
        "deep page": ask(where=True),
        "status, type, line": ask(where=True, state=closed, category_id=some_type, line_id=2),
        "executor, source, repeated": ask(where=True, executor_id=own, source=online, repeated=True),
        "type, line, not repeated": ask(where=True, category_id=some_type, line_id=some_line, repeated=False),
        "three filters and period": ask(state=closed, category_id=some_type, line_id=some_line, **season),
        "overdue, executor, line": ask(due_before=now(), executor_id=own, line_id=some_line),
        "emergency, type, status": ask(emergency=True, category_id=some_type, state=closed),
        "rare filters": ask(
            state=lambda c: c.choice((new, progress)), category_id=lambda c: c.randint(20, rare), line_id=4
        ),
        "rare type": ask(category_id=rare),
        "in vain: type, executor, status": ask(where=True, category_id=1, executor_id=other, state=closed),
        "in vain: type, executor": ask(category_id=1, executor_id=other),
        "in vain: line, online, repeated": ask(line_id=1, source=online, repeated=False),
        "in vain: consultation, type, line": ask(state=consulted, category_id=1, line_id=1),
        "in vain: overdue, closed, type": ask(due_before=now(), state=closed, category_id=1),
        "in vain: new of years ago": ask(state=new, source=telephone, repeated=False, **season),
        "common word": ask(where=True, text=lambda c: c.choice(("ліхтарі", "сміття", "води"))),
        "common word and period": ask(text=lambda c: c.choice(("ліхтарі", "води")), **season),
        "common word, three filters": ask(where=True, text="ліхтарі", state=closed, category_id=1, line_id=some_line),
        "common word, rare filters": ask(text="ліхтарі", state=new, line_id=4),
        "common word, wrong type": ask(text="ліхтарі", category_id=lambda c: c.randint(5, 20)),
        "common word, wrong executor": ask(text="ліхтарі", executor_id=other, source=telephone),
        "rare word": ask(text=lambda c: "".join(c.choices(SYLLABLES, k=4))),
        "two words": ask(text=lambda c: c.choice(("не горить ліхтар", "вулиця Соборна"))),
        "street, building, name": ask(text=lambda c: f"Коржівська {c.randint(1, 140)} Гриценко"),
        "telephone": ask(text=lambda c: f"050 {c.randrange(200_000):07d}"),
        "telephone of many": ask(where=True, text="067 123-45-67"),
        "end of a telephone": ask(text=lambda c: f"{c.randrange(100):02d}-{c.randrange(100):02d}"),
        "end of the telephone of many": ask(where=True, text="45-67"),
        "end of a telephone, filters": ask(text="4567", state=new, line_id=lambda c: c.randint(1, 4)),
        "report number": ask(text=lambda c: str(c.randint(1, 9999))),
    }


def acts(app: Flask, total: int) -> Iterator[tuple[str, Act]]:
    """Everything that is measured, inside the application's context; the last ones are whole pages."""

    def found(make: Callable) -> Act:
        def act(chance: random.Random) -> None:
            wanted, where = make(chance)
            find_reports(db.session(), wanted, **where)

        return act

    def counted(make: Callable) -> Act:
        return lambda chance: count_found(db.session(), make(chance)[0])

    for name, make in cases(total).items():
        yield name, found(make)
        if not make(random.Random(1))[0].text:
            yield f"{name}: counted", counted(make)
    for name, count in SUMMARIES.items():
        yield name, lambda _chance, count=count: count(db.session())
    yield "daily monitoring", lambda _chance: daily_monitoring(db.session(), now())
    yield "monitoring of two organisations", lambda _chance: daily_monitoring(db.session(), now(), {1, 2})
    app.config["WTF_CSRF_ENABLED"] = False
    client = app.test_client()
    client.post("/login", data={"login": LOGIN, "password": PASSWORD})
    for name, path in (
        ("first page, HTML", "/journal"),
        ("three filters, HTML", "/journal?state=closed&category=1&line=1"),
        ("monitoring, HTML", "/monitoring"),
    ):
        assert client.get(path).text.count("<tr") > 20, f"{path} shows nothing"
        yield name, lambda _chance, path=path: client.get(path)


def measure(app: Flask, act: Act, runs: int) -> tuple[float, float]:
    """Median and 95th percentile in milliseconds, after three runs that do not count."""
    chance, taken = random.Random(2), []
    for run in range(runs + 3):
        with app.app_context():
            began = time.perf_counter()
            act(chance)
            if run >= 3:
                taken.append((time.perf_counter() - began) * 1000)
    taken.sort()
    return taken[len(taken) // 2], taken[int(len(taken) * 0.95)]


@contextmanager
def filled(reports: int, database: str, keep: Path | None) -> Iterator[Flask]:
    """The application on a database with so many reports; ``keep`` is a folder to find it in again."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if database == "postgresql":
            database = new_database(stack.enter_context(private_server()))
        elif keep is not None:
            folder = keep / str(reports)
        app = create_app(load_settings({"CC_VAR": str(folder), "CC_DATABASE_URL": database}))
        prepare_database(app)
        with app.app_context():
            if db.session.scalar(select(Report.id).limit(1)) is None:
                db.session.remove()
                began = time.monotonic()
                with db.engine.begin() as connection:
                    fill_bulk(connection, reports)
                if db.engine.dialect.name != "sqlite":  # what its autovacuum does, sooner
                    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                        connection.execute(text("SET statement_timeout = 0"))
                        connection.execute(text("VACUUM ANALYZE"))
                print(f"{reports} reports written in {time.monotonic() - began:.0f} s", flush=True)
            db.session.remove()
        yield app
        with app.app_context():
            db.engine.dispose()


def measure_size(
    reports: int, database: str, keep: Path | None, only: str
) -> tuple[dict[str, tuple[float, float]], int]:
    """Median and p95 by name; and the bytes of the journal's first visit."""
    with filled(reports, database, keep) as app:
        results = {}
        for name, act in acts(app, int(reports * (1 + OTHERS))):
            if only in name:
                results[name] = measure(app, act, FEW_RUNS if name in SUMMARIES else RUNS)
                print(f"  {name}: p95 {results[name][1]:.1f} ms", flush=True)
        browser = Browser(app)
        browser.log_in(LOGIN, PASSWORD)
        return results, sum(first_visit(browser, "/journal").values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reports", type=int, nargs="+", default=SIZES, help="one size, or several to see the growth")
    parser.add_argument(
        "--database",
        default="",
        help="SQLite in a temporary folder; 'postgresql' starts a private server; or the address of an empty database",
    )
    parser.add_argument("--keep", type=Path, help="a folder to keep SQLite's filled databases in, and find them again")
    parser.add_argument("--only", default="", help="only the cases with these words in their name")
    chosen = parser.parse_args()
    found = {size: measure_size(size, chosen.database, chosen.keep, chosen.only) for size in chosen.reports}
    kind = "PostgreSQL" if chosen.database else "SQLite"
    print(
        f"\n{kind}, p95 (p50) in ms at so many reports; wanted: p95 at most {WANTED_MS} ms, "
        f"of summaries {SUMMARY_WANTED_MS} ms"
    )
    print(f"{'':<36}" + "".join(f"{size:>20,}" for size in found))
    for name in next(iter(found.values()))[0]:
        line = "".join(f"{p95:>12.1f} ({p50:>5.1f})" for p50, p95 in (results[name] for results, _ in found.values()))
        wanted = SUMMARY_WANTED_MS if name in SUMMARIES else WANTED_MS
        late = "" if all(results[name][1] <= wanted for results, _bytes in found.values()) else "  too slow"
        print(f"{name:<36}{line}{late}")
    for size, (results, weight) in found.items():
        slowest = max((p95 for name, (_p50, p95) in results.items() if name not in SUMMARIES), default=0.0)
        print(f"slowest p95 at {size:,} reports: {slowest:.1f} ms (wanted {WANTED_MS})")
        print(f"first visit of the journal: {weight:,} bytes (wanted {WANTED_BYTES:,})")


if __name__ == "__main__":
    main()
