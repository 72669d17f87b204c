"""A town of years, written at once: reports with their history, executors' parts and deadlines, for the benches."""

import itertools
import random
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from argon2 import PasswordHasher
from sqlalchemy import Connection, insert, text

from jobs.demo_places import CATEGORIES, ORGANISATIONS, STREETS
from jobs.demo_stories import CONSULTATIONS, GIVEN_NAMES, STORIES, SURNAMES
from models.lines import Line
from models.people import Organisation, Role, User
from models.places import Category, Street
from models.reports import ReportCounter
from models.search import plain, telephone_word
from tests.helpers import AREA_CODE

OTHERS = 0.3  # drafts that ended otherwise, for each registered report
FREQUENT, LOGIN, PASSWORD = "+380671234567", "bench", "bench-journal"
SYLLABLES = (
    *("ба", "ве", "ги", "ло", "му", "не", "по", "ра", "си", "ту"),
    *("фа", "хо", "це", "чи", "шу", "яр", "ків", "ен", "ор", "ат"),
)
ENDINGS = ("consultation", "attached", "redirected", "wrong_number", "dropped")
YEARS = timedelta(days=3 * 365)
OPEN_DEADLINES = {  # what still runs, by the report's state
    "new": ("inform_head", "accept", "work", "reasons"),
    "in_progress": ("work", "reasons"),
}
CLAUSES = {"inform_head": "R 4.2", "accept": "R 4.3", "work": "S 2.3", "reasons": "R 4.4"}
MOVES = {  # three rows of history each
    "new": (("created", ""), ("registered", "new"), ("warned", "new")),
    "in_progress": (("registered", "new"), ("accepted", "in_progress"), ("note", "in_progress")),
    "done": (("registered", "new"), ("accepted", "in_progress"), ("completed", "done")),
    "closed": (("accepted", "in_progress"), ("completed", "done"), ("confirmed", "closed")),
}
REPORTS = (  # the columns that `_reports` gives, in its order
    "id", "number", "state", "source", "line_id", "revision", "category_id", "text", "street_id",
    "street_typed", "building", "flat", "landmark", "executor_id", "emergency", "applicant_name",
    "contact_number", "other_phone", "created_at", "registered_at", "due_at", "repeat_of_id", "search_text",
)  # fmt: skip
HISTORY = ("report_id", "at", "user_id", "event", "from_state", "to_state", "note")
EXECUTIONS = ("report_id", "organisation_id", "assigned_at", "informed_at", "accepted_at", "completed_at", "done")
DEADLINES = ("report_id", "organisation_id", "kind", "clause", "began_at", "due_at", "met_at")


def fill_bulk(connection: Connection, reports: int, seed: int = 1) -> None:
    """Write ``reports`` registered reports of three years with all that belongs to them, three rows of history each,
    and drafts that ended otherwise between them.

    With a rare category (15 reports), a line hardly called, and a number that made a hundredth of all reports.
    """
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
    until = datetime.now(UTC).replace(tzinfo=None)
    begun = until - YEARS
    known: list[tuple[int, str, datetime, datetime, int]] = []  # id, state, registered, due, executor
    with _bare(connection, "reports"):
        _load(connection, "reports", REPORTS, _reports(random.Random(seed), reports, begun, known))
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("INSERT INTO report_words(report_words) VALUES ('rebuild')")
    for table, columns, rows in (
        ("report_history", HISTORY, _history(known)),
        ("executions", EXECUTIONS, _executions(known)),
        ("deadlines", DEADLINES, _deadlines(known)),
    ):
        with _bare(connection, table):
            _load(connection, table, columns, rows)
    years = range(begun.year, until.year + 1)
    connection.execute(insert(ReportCounter), [{"year": year, "last": reports} for year in years])


@contextmanager
def _bare(connection: Connection, table: str) -> Iterator[None]:
    """Without its indexes, and without the triggers that keep the full-text index, until all rows are there."""
    if connection.dialect.name == "sqlite":
        query = "SELECT type, name, sql FROM sqlite_master WHERE tbl_name = :of AND type IN ('index', 'trigger')"
    else:
        query = "SELECT 'index', indexname, indexdef FROM pg_indexes WHERE tablename = :of AND indexdef !~ 'UNIQUE'"
    made = [row for row in connection.execute(text(query), {"of": table}).all() if row[2] is not None]
    for kind, name, _sql in made:
        connection.exec_driver_sql(f"DROP {kind} {name}")
    yield
    for _kind, _name, sql in made:
        connection.exec_driver_sql(sql)


def _load(connection: Connection, table: str, columns: Sequence[str], rows: Iterable[tuple]) -> None:
    if connection.dialect.name == "sqlite":
        connection.connection.cursor().executemany(
            f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})",
            (tuple(v.isoformat(" ", "microseconds") if isinstance(v, datetime) else v for v in row) for row in rows),
        )
    else:
        with connection.connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0")
            cursor.execute("SET LOCAL session_replication_role = replica")  # what the rows refer to is there
            with cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)


def _reports(chance: random.Random, reports: int, begun: datetime, known: list[tuple]) -> Iterator[tuple]:
    total = int(reports * (1 + OTHERS))
    step = YEARS / total
    vocabulary = ["".join(chance.choices(SYLLABLES, k=chance.randint(3, 5))) for _ in range(20000)]
    words_by_weight = list(itertools.accumulate(1 / (place + 10) for place in range(len(vocabulary))))
    usual = len(CATEGORIES) - 1
    kinds_by_weight = list(itertools.accumulate([1 / (place + 1) for place in range(usual)] + [6e-5]))
    stories = [[plain(story) for story in STORIES[name]] for name, _organisation, _days in CATEGORIES]
    streets = [plain(name) for name, _former in STREETS]
    organisations = [plain(name).replace("«", "").replace("»", "") for name in ORGANISATIONS]
    numbered = {}
    for row_id in range(1, total + 1):
        at = begun + step * row_id
        line = 4 if chance.random() < 0.001 else chance.choice((1, 1, 2, 3))
        extra = " ".join(chance.choices(vocabulary, cum_weights=words_by_weight, k=6))
        number = FREQUENT if chance.random() < 0.01 else f"+38050{chance.randrange(200_000):07d}"
        street, building = chance.randrange(len(streets)), str(chance.randint(1, 140))
        name = f"{chance.choice(GIVEN_NAMES)} {chance.choice(SURNAMES)}"
        if chance.random() < OTHERS / (1 + OTHERS):
            state = chance.choices(ENDINGS, (70, 10, 8, 5, 7))[0]
            told = plain(chance.choice(CONSULTATIONS))
            yield (
                row_id, None, state, "telephone", line, 1, None, told, None, "", "", "", "",
                None, False, "", number, "", at, None, None, None, f"{told} {extra} {telephone_word(number)}",
            )  # fmt: skip
            continue
        category = chance.choices(range(len(CATEGORIES)), cum_weights=kinds_by_weight)[0]
        _name, organisation, days = CATEGORIES[category]
        source = chance.choices(("telephone", "online", "video", "visit"), (84, 12, 2, 2))[0]
        recent = total - row_id < total * 0.03
        state = chance.choices(tuple(MOVES), (1, 5, 3, 20) if recent else (0, 1, 0, 1000))[0]
        due = at + timedelta(days=days * 7 / 5)
        repeat_of = chance.choice(known)[0] if known and chance.random() < 0.08 else None
        numbered[at.year] = numbered.get(at.year, 0) + 1
        given = f"{at.year}-{numbered[at.year]:04d}"
        told = f"{chance.choice(stories[category])} {extra}"
        words = f"{given} {told} {streets[street]} {building} {name} {organisations[organisation]}"
        found_by = " ".join([*re.findall(r"[^\W_]+", plain(words)), telephone_word(number)])
        known.append((row_id, state, at, due, organisation + 1))
        yield (
            row_id, given, state, source, line if source == "telephone" else None, 1, category + 1, told, street + 1,
            "", building, "", "", organisation + 1, chance.random() < 0.005, name, number, "", at, at, due,
            repeat_of, found_by,
        )  # fmt: skip


def _history(known: list[tuple]) -> Iterator[tuple]:
    for report_id, state, at, _due, _organisation in known:
        before = ""
        for hours, (event, after) in enumerate(MOVES[state]):
            yield report_id, at + timedelta(hours=5 * hours), None, event, before, after, ""
            before = after


def _executions(known: list[tuple]) -> Iterator[tuple]:
    for report_id, state, at, due, organisation in known:
        accepted = None if state == "new" else at + timedelta(hours=5)
        yield report_id, organisation, at, accepted, accepted, due if state in ("done", "closed") else None, ""


def _deadlines(known: list[tuple]) -> Iterator[tuple]:
    for report_id, state, at, due, organisation in known:
        runs = OPEN_DEADLINES.get(state, ())
        for kind, clause in CLAUSES.items():
            days = {"inform_head": 1, "accept": 2, "reasons": 30}.get(kind)
            until = due if days is None else at + timedelta(days=days)
            met = None if kind in runs else at + timedelta(hours=5)
            yield report_id, organisation if kind in ("inform_head", "accept") else None, kind, clause, at, until, met
