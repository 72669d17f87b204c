"""Roles: every route says whom it serves, and serves nobody else."""

from datetime import timedelta

from flask import Flask
from werkzeug.routing import Rule

from jobs.settings import Settings
from models.acts import KEEPERS
from models.base import db, now, transaction
from models.kept import unlocked
from models.people import AccessLog, Role
from tests.desk_fixtures import PEOPLE, fill_desks
from tests.helpers import close_database
from tests.web_fixtures import Browser, logged_in, register, stored_user
from webui import create_app
from webui.access import DESK_ROLES, EVERYBODY, REPORT_ROLES, declared_roles

PUBLIC = frozenset({"public"})
EVERYONE = frozenset(EVERYBODY)
TECHNICAL = frozenset({Role.TECHNICAL_ADMINISTRATOR})
TABLE = {
    "static": PUBLIC,
    "auth.login": PUBLIC,
    "auth.log_in": PUBLIC,
    "auth.set_language": PUBLIC,
    "auth.set_theme": PUBLIC,
    "health.health": PUBLIC,
    "public.form": PUBLIC,
    "public.form_in_english": PUBLIC,
    "public.send": PUBLIC,
    "public.receipt": PUBLIC,
    "public.lookup": PUBLIC,
    "public.lookup_in_english": PUBLIC,
    "public.look": PUBLIC,
    "public.outages": PUBLIC,
    **dict.fromkeys(("outages.outages", "outages.show"), DESK_ROLES | {Role.OPERATOR, Role.HEAD}),  # own: `sees`
    **{f"outages.{view}": DESK_ROLES | {Role.OPERATOR} for view in ("new", "enter", "form", "change", "end")},
    "auth.logout": EVERYONE,
    "auth.me": EVERYONE,
    "auth.change_password": EVERYONE,
    "auth.change_email": EVERYONE,
    "auth.set_sound": EVERYONE,
    "health.status": EVERYONE,
    "health.parts": EVERYONE,
    "events.alive": EVERYONE,
    **dict.fromkeys(("board.board", "board.parts"), DESK_ROLES | TECHNICAL),
    "events.events": DESK_ROLES | TECHNICAL | {Role.OPERATOR, Role.HEAD},
    "desk.frame": DESK_ROLES | {Role.OPERATOR, Role.HEAD},
    "overview.overview": frozenset({Role.SUPERVISOR, Role.DISPATCHER}),
    "desk.desk": EVERYONE,  # sends who has no desk to where their work is
    "reports.show": REPORT_ROLES,  # which reports says `models.acts.concerns`
    "reports.show_number": REPORT_ROLES,
    "attachments.show": REPORT_ROLES,
    "attachments.show_small": REPORT_ROLES,
    **dict.fromkeys(("corrections.form", "corrections.keep", "corrections.show_number", "corrections.street"), KEEPERS),
    "work.act": REPORT_ROLES,  # which acts says `models.acts.ACTS`
    **dict.fromkeys(("work.day", "work.day_lists", "closed.closed"), frozenset({Role.OPERATOR, Role.HEAD})),
    "letters.letters": frozenset({Role.ADMINISTRATOR, Role.SUPERVISOR, Role.TECHNICAL_ADMINISTRATOR}),
    "letters.again": frozenset({Role.ADMINISTRATOR, Role.SUPERVISOR, Role.TECHNICAL_ADMINISTRATOR}),
    "work.decisions": frozenset({Role.CONTROL_BODY}),
    "duty.call": frozenset({Role.ADMINISTRATOR, Role.SUPERVISOR}),
    "duty.nobody_reached": frozenset({Role.ADMINISTRATOR, Role.SUPERVISOR}),
    "duty.accepted": frozenset({Role.ADMINISTRATOR, Role.SUPERVISOR}),
    **dict.fromkeys(
        (
            "privacy.personal_data",
            "privacy.access_log",
            "privacy.retention",
            "personal.person",
            "personal.find",
            "personal.export",
            "personal.erase",
        ),
        frozenset({Role.SUPERVISOR}),
    ),
    **dict.fromkeys(
        ("reference.index", "reference.changes", "reference.categories", "reference.organisations"), KEEPERS | TECHNICAL
    ),
    **dict.fromkeys(("reference.streets", "reference_calendar.calendar"), KEEPERS | TECHNICAL),
    **dict.fromkeys(("reference.category", "reference.organisation", "reference.street"), KEEPERS),
    **dict.fromkeys(("reference.keep_category", "reference.keep_organisation", "reference.keep_street"), KEEPERS),
    **dict.fromkeys(("reference_calendar.look", "reference_calendar.change"), KEEPERS),
    **{f"reference_import.{view}": KEEPERS for view in ("form", "template", "upload", "look", "apply")},
    "reference_people.users": TECHNICAL | {Role.SUPERVISOR},
    **{f"reference_people.{view}": TECHNICAL for view in ("user", "add", "change", "new_password")},
    **{f"lines.{view}": TECHNICAL for view in ("lines", "apply", "drop", "line", "keep_line")},
    **{f"desk_phones.{view}": TECHNICAL for view in ("phone", "keep_phone", "new_secret", "card")},
    **{f"line_versions.{view}": TECHNICAL for view in ("versions", "show", "go_back")},
    "summary.summary": DESK_ROLES | {Role.CONTROL_BODY},  # the control body: of the organisations it controls
    "quarterly.index": DESK_ROLES | {Role.CONTROL_BODY},  # which reports says `models.quarterly.is_seen_by`
    "quarterly.show": DESK_ROLES | {Role.CONTROL_BODY},
    "quarterly.document": DESK_ROLES | {Role.CONTROL_BODY},
    "quarterly.move": KEEPERS,
    "quarterly.prepare": KEEPERS,
}  # every other view: the desk's roles


def rules(app: Flask) -> list[Rule]:
    return list(app.url_map.iter_rules())


def address_of(rule: Rule) -> str:
    """An address of this rule; rows of number 999999 do not exist."""
    return rule.build({name: 999999 if name.endswith("id") else "x" for name in rule.arguments})[1]


def test_every_view_declares_its_roles(web: Flask) -> None:
    undeclared = [rule.endpoint for rule in rules(web) if declared_roles(web, rule.endpoint) is None]
    assert undeclared == []


def test_declared_roles_are_the_table(web: Flask) -> None:
    """No view of the desk is open to more people than the table says."""
    found = {rule.endpoint: frozenset(declared_roles(web, rule.endpoint)) for rule in rules(web)}
    assert found == {endpoint: TABLE.get(endpoint, DESK_ROLES) for endpoint in found}
    assert set(TABLE) <= set(found)


def test_each_route_serves_its_roles_and_no_other(web: Flask) -> None:
    """Role by route, by asking: who may gets anything but 401, 403 and the login page; who may not gets those."""
    browsers = {role: logged_in(web, login) for login, (_name, role) in PEOPLE.items()}
    assert set(browsers) == set(Role)
    asked = 0
    for rule in rules(web):
        allowed = declared_roles(web, rule.endpoint)
        if rule.endpoint in ("static", "auth.logout", "events.events"):  # ends the session; never ends
            continue
        for method in rule.methods - {"HEAD", "OPTIONS"}:
            for role, browser in browsers.items():
                headers = {"X-CSRFToken": browser.token("/status")} if method == "POST" else {}
                answer = browser.client.open(address_of(rule), method=method, headers=headers, data={})
                refused = answer.status_code == 403
                assert refused is (role not in allowed and allowed != PUBLIC), (rule, role, answer.status_code)
                asked += 1
            stranger = Browser(web)
            headers = {"X-CSRFToken": stranger.token()} if method == "POST" else {}
            answer = stranger.client.open(address_of(rule), method=method, headers=headers, data={})
            sent_away = answer.status_code == 401 or "/login" in (answer.location or "")
            if rule.endpoint != "auth.log_in":
                assert sent_away is (allowed != PUBLIC), (rule, "stranger", answer.status_code)
    assert asked > 4 * 15


def test_the_stream_of_events_is_for_the_desk_the_board_and_the_enterprises(web: Flask) -> None:
    assert logged_in(web, "kontrol").get("/events").status_code == 403
    assert Browser(web).get("/events", Accept="text/event-stream").status_code == 401


def test_a_view_without_a_declaration_serves_nobody(settings: Settings) -> None:
    web = create_app(settings)
    web.add_url_rule("/forgotten", "forgotten", lambda: "secret")
    with web.app_context():
        fill_desks()
    for login in PEOPLE:
        answer = logged_in(web, login).get("/forgotten")
        assert answer.status_code == 403
        assert "secret" not in answer.text
    assert Browser(web).get("/forgotten").status_code == 403
    close_database(web)


def test_a_changed_role_counts_from_the_next_request(web: Flask) -> None:
    browser = logged_in(web, "tsapkova")
    assert browser.get("/journal").status_code == 200
    stored_user(web, "tsapkova", role=Role.TECHNICAL_ADMINISTRATOR)
    answer = browser.get("/journal")
    assert answer.status_code == 403
    assert "попросіть технічного адміністратора" in answer.text


def looks(app: Flask) -> list[tuple[str, int, int]]:
    with app.app_context():
        query = db.select(AccessLog.subject, AccessLog.subject_id, AccessLog.user_id).order_by(AccessLog.id)
        return [tuple(row) for row in db.session.execute(query)]


def test_a_look_at_a_number_is_recorded_once_in_a_while(web: Flask) -> None:
    """A3: every look at a full number leaves a row; reloading the page within minutes does not."""
    report_id = register(web, "Не горить ліхтар")
    user = stored_user(web, "tsapkova")
    browser = logged_in(web, "tsapkova")
    for _ in range(3):
        browser.post(f"/reports/{report_id}/number", page="/status")
    assert looks(web) == [("report", report_id, user.id)]
    logged_in(web, "dyspetcher").post(f"/reports/{report_id}/number", page="/status")
    assert len(looks(web)) == 2
    with web.app_context(), transaction() as session, unlocked(session):
        for row in session.scalars(db.select(AccessLog)):
            row.at = now() - timedelta(minutes=6)
    browser.post(f"/reports/{report_id}/number", page="/status")
    assert looks(web)[2:] == [("report", report_id, user.id)]
