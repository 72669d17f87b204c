"""Who gets in: every route, asked by every role and by nobody, about their own and about foreign things (A3, W2).

What is expected stands in tables of literals, apart from what the product says of itself. A route that is in none of
them fails, and so does an answer that nobody expects.
"""

import sqlite3
from collections.abc import Iterator

from flask import Flask
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from jobs.settings import Settings
from models.people import Role
from models.work import Act
from tests.desk_fixtures import PASSWORD
from tests.matrix_fixtures import WHO, Things, things_of
from tests.test_web_access import PUBLIC, TABLE
from tests.web_fixtures import Browser, logged_in

NEW, MISSING = "new", "missing"
IN, TOO_LATE, FORBIDDEN, NOT_THERE, TO_LOGIN = (
    "in",
    "another has it, or it is done",
    "forbidden",
    "not there",
    "to the login page",
)

A, D, S, T = Role.ADMINISTRATOR, Role.DISPATCHER, Role.SUPERVISOR, Role.TECHNICAL_ADMINISTRATOR
OP, H, C = Role.OPERATOR, Role.HEAD, Role.CONTROL_BODY
NOBODY: frozenset[Role] = frozenset()
CENTRE = frozenset({A, D, S})

# The views that `tests.test_web_access` leaves to the desk, by name here.
# fmt: off
DESK = (
    "desk.draft", "desk.lists", "desk.side", "journal.journal", "journal.search",
    "journal_export.export", "drafts.attach", "drafts.claim", "drafts.end", "drafts.hand_over", "drafts.new",
    "drafts.person", "drafts.register", "drafts.reopen", "drafts.save", "live.call_note", "live.live", "live.strip",
    "pressing.emergencies", "reports.show_pin", "saved_filters.delete", "saved_filters.save", "saved_filters.show",
    "shift.hand_over_shift", "shift.sheet", "shift.shift", "shift.take_over_shift", "work.monitoring",
    "checks.checks", "checks.call", "checks.keep_answer", "checks.machine", "checks.state", "checks.number",
    "checks.at_present", "callbacks.calls", "callbacks.call", "callbacks.keep_answer", "callbacks.number",
    "checks.take_back_answer", "tasks.task", "drafts.take_over", "desk.drafts_of", "drafts.outage",
    "outages.ask",
)
# fmt: on
ROLES: dict[str, frozenset[str]] = TABLE | dict.fromkeys(DESK, CENTRE)

# What is asked for, by the names in the route's address; and what is sent with it where the act needs words.
ABOUT: dict[str, str] = {
    **dict.fromkeys(("reports.show", "reports.show_number", "reports.show_pin", "work.act"), "report"),
    **dict.fromkeys(("corrections.form", "corrections.keep", "corrections.show_number"), "report"),
    "checks.take_back_answer": "report",
    **dict.fromkeys(("attachments.show", "attachments.show_small"), "attachment"),
    **dict.fromkeys(("desk.draft", "desk.side"), "draft"),
    "desk.drafts_of": "colleague",
    **{f"drafts.{act}": "draft" for act in ("attach", "claim", "end", "hand_over", "person", "register", "save")},
    "drafts.take_over": "draft",
    "drafts.outage": "draft",
    **{f"outages.{view}": "outage" for view in ("show", "form", "change", "end", "ask")},
    "drafts.reopen": "ended draft",
    "live.call_note": "call",
    "checks.call": "task",
    "checks.keep_answer": "task",
    "checks.number": "task",
    "tasks.task": "task",
    "checks.state": "call of ours",
    "duty.call": "duty task",
    "duty.nobody_reached": "duty task",
    "duty.accepted": "duty task",
    "callbacks.call": "call back",
    "callbacks.keep_answer": "call back",
    "callbacks.number": "call back",
    "letters.again": "letter",
    "saved_filters.show": "filter",
    "saved_filters.delete": "filter",
    "shift.sheet": "sheet",
    "shift.take_over_shift": "sheet",
    **{f"quarterly.{view}": "quarterly report" for view in ("show", "document", "move")},
    "reference.category": "category",
    "reference.keep_category": "category",
    "reference.organisation": "organisation",
    "reference.keep_organisation": "organisation",
    "reference.street": "street",
    "reference.keep_street": "street",
    **{f"reference_people.{view}": "user" for view in ("user", "change", "new_password")},
    **{f"reference_import.{view}": "kind of import" for view in ("form", "template", "upload")},
    **{f"reference_import.{view}": "import" for view in ("look", "apply")},
    **dict.fromkeys(("lines.line", "lines.keep_line"), "line"),
    **dict.fromkeys(("desk_phones.phone", "desk_phones.keep_phone"), "desk phone"),
    **dict.fromkeys(("desk_phones.new_secret", "desk_phones.card"), "desk phone that is there"),
    **{f"line_versions.{view}": "version of the plan" for view in ("show", "go_back")},
    "static": "static file",
}

# Of those whom the route serves: for whom the thing is there. "missing" is there for none and asked for every kind.
FOUND: dict[str, dict[str, frozenset[str]]] = {
    "report": {"own": CENTRE | {OP, H, C}, "foreign": CENTRE, "draft": CENTRE},
    "attachment": {"own": CENTRE | {OP, H, C}, "foreign": CENTRE},
    "draft": {"own": CENTRE, "foreign": CENTRE},
    "ended draft": {"own": CENTRE, "foreign": CENTRE},
    "call": {"any": CENTRE},
    "colleague": {"any": CENTRE},
    "task": {"any": CENTRE},
    "duty task": {"any": frozenset({A, S})},
    "call back": {"any": CENTRE, "question": CENTRE, "of another page": NOBODY},
    "call of ours": {"own": CENTRE, "foreign": NOBODY},
    "letter": {"any": frozenset({A, S, T})},
    "outage": {"own": CENTRE | {OP, H}, "foreign": CENTRE},
    "filter": {"own": CENTRE, "foreign": NOBODY, "shared by another": CENTRE},
    "sheet": {"own": CENTRE, "foreign": CENTRE},
    "quarterly report": {"own": CENTRE | {C}, "foreign": CENTRE, "not sent yet": CENTRE, "on all": CENTRE},
    "category": {"any": frozenset({A, S}), "new": frozenset({A, S})},
    "organisation": {"any": frozenset({A, S}), "new": frozenset({A, S})},
    "street": {"any": frozenset({A, S}), "new": frozenset({A, S})},
    "user": {"own": frozenset({T}), "foreign": frozenset({T}), "new": frozenset({T})},
    "kind of import": {"any": frozenset({A, S})},
    "import": {"own": frozenset({A, S}), "foreign": NOBODY, "own of another kind": NOBODY},
    "line": {"any": frozenset({T}), "new": frozenset({T})},
    "desk phone": {"any": frozenset({T}), "new": frozenset({T})},
    "desk phone that is there": {"any": frozenset({T})},
    "version of the plan": {"any": frozenset({T})},
    "static file": {"any": PUBLIC},
}

# Where a view does otherwise: by view and thing, for these roles.
OTHERWISE: dict[tuple[str, str], dict[Role, str]] = {
    ("auth.logout", ""): dict.fromkeys(Role, TO_LOGIN),
    ("work.act", "own"): {H: FORBIDDEN},  # a head reads; the act asked for is a note
    ("work.act", "draft"): dict.fromkeys(CENTRE, TOO_LATE),  # what was written for a report is shown again
    **{("corrections.keep", which): dict.fromkeys((A, S), TOO_LATE) for which in ("own", "foreign")},  # no revision
    ("line_versions.go_back", "any"): {T: TOO_LATE},  # it is in force
    ("checks.call", "any"): dict.fromkeys(CENTRE, TOO_LATE),  # no phone that is there, or no Redis
    ("callbacks.call", "any"): dict.fromkeys(CENTRE, TOO_LATE),
    ("callbacks.call", "question"): dict.fromkeys(CENTRE, TOO_LATE),
    **{("outages.ask", which): dict.fromkeys(CENTRE, TOO_LATE) for which in ("own", "foreign")},  # it goes on
    **{("outages.change", which): dict.fromkeys((A, D, S, OP), TOO_LATE) for which in ("own", "foreign")},  # nor here
    **{("checks.take_back_answer", which): dict.fromkeys(CENTRE, NOT_THERE) for which in ("own", "foreign", "draft")},
    ("reports.show_pin", "draft"): dict.fromkeys(CENTRE, NOT_THERE),  # a draft has none
    ("saved_filters.delete", "shared by another"): dict.fromkeys(CENTRE, NOT_THERE),
    **{
        (f"drafts.{act}", "foreign"): dict.fromkeys(CENTRE, TOO_LATE)
        for act in (
            "attach",
            "claim",
            "end",
            "hand_over",
            "person",
            "outage",
            "register",
            "reopen",
            "save",
            "take_over",
        )
    },
    # what is sent stays as it is; and one's own password is changed where one knows the old one
    **{("quarterly.move", which): dict.fromkeys((A, S), TOO_LATE) for which in ("own", "foreign", "on all")},
    ("reference_people.new_password", "own"): {T: FORBIDDEN},
    # there is no draft to apply, nor to give up
    ("lines.apply", ""): {T: TOO_LATE},
    ("lines.drop", ""): {T: TOO_LATE},
    ("lines.keep_line", "any"): {T: TOO_LATE},  # a mark of another state
    ("desk_phones.keep_phone", "any"): {T: TOO_LATE},
}

KEPT_WITH_A_REVISION = (
    "reference.keep_category",
    "reference.keep_organisation",
    "reference.keep_street",
    "reference_people.change",
)
NOTE = {"act": Act.NOTE, "words": "Слова", "revision": "0"}
SENT: dict[str, dict[str, object]] = {
    "work.act": {"data": NOTE},
    "checks.keep_answer": {"data": {"anyway": "not_reached"}},
    "callbacks.keep_answer": {"data": {"anyway": "not_reached"}},
    "drafts.new": {"data": {"source": "visit"}},
    "drafts.end": {"data": {"ending": "consulted", "revision": "0"}},
    "drafts.register": {"data": {"revision": "0"}},
    "drafts.attach": {"data": {"revision": "0", "attach_typed": "1"}},
    "drafts.save": {"json": {"revision": 0, "fields": {}}},
    "drafts.hand_over": {"data": {"to": "3"}},
    "drafts.outage": {"data": {"outage": "1"}},
    "drafts.person": {"data": {"name": "Олена Коваль"}},
    "quarterly.move": {"data": {"event": "checked", "steps": "0"}},
    "reports.show_number": {"data": {"purpose": "visit"}},
    **dict.fromkeys(KEPT_WITH_A_REVISION, {"data": {"revision": "0"}}),
    "auth.log_in": {"data": {"login": "operator", "password": PASSWORD}},
    "auth.change_password": {"data": {"old": PASSWORD, "new": "one", "again": "another"}},
    "auth.set_language": {"data": {"language": "uk"}},
    "auth.set_theme": {"data": {"theme": "auto"}},
    "journal_export.export": {"data": {"format": "csv"}},
    "lines.apply": {"data": {"reason": "Відпустка", "revision": "0"}},
}
NOT_THERE_AT_ALL = {"token": "x", "kind": "nothing", "filename": "nothing.css", "version": "1"}
ENDS_A_SESSION = frozenset({"auth.logout", "auth.log_in"})


def outcome(answer: TestResponse) -> str:
    """What became of a request; an answer that none of the tables knows stays a number."""
    if answer.status_code == 401 or (answer.location or "").startswith("/login"):
        return TO_LOGIN
    known = {403: FORBIDDEN, 404: NOT_THERE, 409: TOO_LATE} | dict.fromkeys((200, 204, 302, 303, 422), IN)
    return known.get(answer.status_code, str(answer.status_code))


def expected(endpoint: str, which: str, role: Role | None) -> str:
    served = ROLES[endpoint]
    if served != PUBLIC and role is None:
        return TO_LOGIN
    if served != PUBLIC and role not in served:
        return FORBIDDEN
    if which == MISSING:
        return NOT_THERE
    found = FOUND[ABOUT[endpoint]][which] if which else served
    if found != PUBLIC and role not in found:
        return NOT_THERE
    return OTHERWISE.get((endpoint, which), {}).get(role, IN)


def things_asked_for(rule: Rule, things: Things, role: Role | None) -> Iterator[tuple[str, str]]:
    """Which things of its kind are asked for by this address, and the address of each."""
    if not rule.arguments:
        yield "", rule.rule
        return
    kind = ABOUT[rule.endpoint]
    for which in FOUND[kind]:
        if (which == NEW) is bool(rule.defaults):
            places = ((kind, which, role), (kind, which, None), (kind, "foreign", None))
            yield which, address(rule, next(things[place] for place in places if place in things))
    if not rule.defaults:
        yield MISSING, address(rule, dict.fromkeys(rule.arguments, 999999) | NOT_THERE_AT_ALL)


def address(rule: Rule, names: dict[str, object]) -> str:
    built = rule.build({name: value for name, value in names.items() if name in rule.arguments})
    return built[1]


class Asker:
    """Somebody's browser, logged in once; the database is as before after whatever it did."""

    def __init__(self, web: Flask, settings: Settings, login: str | None) -> None:
        self._web, self._login = web, login
        self._disk = settings.var / "contact-center.sqlite3"
        self._renew()

    def _renew(self) -> None:
        self._browser = logged_in(self._web, self._login) if self._login else Browser(self._web)
        self._token = self._browser.token("/me" if self._login else "/login")

    def ask(self, method: str, rule: Rule, address: str, before: sqlite3.Connection) -> str:
        sent = {"data": {}} if method == "GET" else SENT.get(rule.endpoint, {"data": {}})
        answer = self._browser.client.open(address, method=method, headers={"X-CSRFToken": self._token}, **sent)
        found = outcome(answer)
        answer.close()
        if method == "POST" and found not in (FORBIDDEN, NOT_THERE):
            with sqlite3.connect(self._disk) as disk:
                before.backup(disk)
            disk.close()
        if rule.endpoint in ENDS_A_SESSION:
            self._renew()
        return found


def test_every_route_stands_in_the_tables(web: Flask) -> None:
    """And nothing else does."""
    rules = list(web.url_map.iter_rules())
    assert {rule.endpoint for rule in rules} == set(ROLES)
    assert {rule.endpoint for rule in rules if rule.arguments} == set(ABOUT)
    assert set(ABOUT.values()) == set(FOUND)
    assert all(which in FOUND[ABOUT[endpoint]] for endpoint, which in OTHERWISE if which)


def test_who_gets_in(web: Flask, settings: Settings) -> None:
    """Every route x every role, and nobody logged in x own, foreign and missing things: no surprise."""
    things = things_of(web)
    askers = {role: Asker(web, settings, login) for role, login in WHO.items()}
    assert set(askers) == set(Role)
    askers[None] = Asker(web, settings, None)
    before = sqlite3.connect(":memory:")
    with sqlite3.connect(settings.var / "contact-center.sqlite3") as disk:
        disk.backup(before)
    disk.close()
    surprises, asked = [], 0
    for rule in web.url_map.iter_rules():
        for role, asker in askers.items():
            for which, where in things_asked_for(rule, things, role):
                for method in rule.methods - {"HEAD", "OPTIONS"}:
                    found = asker.ask(method, rule, where, before)
                    wanted = expected(rule.endpoint, which, role)
                    asked += 1
                    if found != wanted:
                        surprises.append(f"{rule.endpoint} {which} {role}: {found}, not {wanted}")
    before.close()
    assert not surprises, "\n".join(surprises)
    assert asked > 1000
