"""Users (A2): accounts, passwords that are shown once, and sessions that end at once."""

import re
import threading

import pytest

from jobs.app import bare_app
from models.accounts import change_user, lock_user
from models.base import db, transaction
from models.base import now as present
from models.people import Organisation, Phone, Role, User
from models.reference import Refused, Subject
from tests.desk_fixtures import fill_desks
from tests.helpers import close_database, eventually
from tests.reference_fixtures import PAGE, changes, entry, errors_of, send
from tests.stream_fixtures import listen
from tests.web_fixtures import Browser, logged_in, stored_user

NEW = {"login": "ivanenko", "name": "Іваненко О. П.", "role": "dispatcher", "organisation_id": "", "email": ""}


def form_of(web, login: str, **values: str) -> dict[str, str]:
    """The form as the page of this user shows it."""
    user = stored_user(web, login)
    form = {"name": user.name, "role": user.role, "email": user.email, "active": "on"}
    return form | {"organisation_id": str(user.organisation_id or ""), "phone_id": ""} | values


def address(web, login: str) -> str:
    return f"/reference/users/{stored_user(web, login).id}"


def shown_password(page: str) -> str:
    return re.findall(r'class="secret">([^<]+)<', page)[1]


def test_a_new_user_logs_in_with_the_password_that_was_shown_once(web):
    technician = logged_in(web, "tekhnik")
    answer = send(technician, "/reference/users/new", NEW | {"login": " Ivanenko "})
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    password = shown_password(answer.text)
    assert Browser(web).log_in("ivanenko", password).status_code == 302
    assert password not in technician.get(address(web, "ivanenko")).text
    found = changes(web, Subject.USER)
    assert ("role", "", "dispatcher") in found
    assert password not in str(found)
    assert "argon2" not in str(found)


@pytest.mark.parametrize(
    ("values", "fields"),
    [
        ({"login": ""}, ["login"]),
        ({"login": "іваненко"}, ["login"]),
        ({"login": "a" * 65}, ["login"]),
        ({"login": "tsapkova"}, ["login"]),
        ({"name": " "}, ["name"]),
        ({"role": ""}, ["role"]),
        ({"role": "king"}, ["role"]),
        ({"role": "operator"}, ["organisation_id"]),
        ({"organisation_id": "1"}, ["organisation_id"]),
        ({"email": "ivanenko"}, ["email"]),
        ({"phone_id": "1"}, ["phone_id"]),
        ({"login": "", "name": "", "role": ""}, ["login", "name", "role"]),
    ],
)
def test_an_account_that_cannot_be_says_why_beside_each_field(web, values, fields):
    answer = send(logged_in(web, "tekhnik"), "/reference/users/new", NEW | values)
    assert (answer.status_code, list(errors_of(answer))) == (422, fields)
    if "name" not in values:
        assert 'value="Іваненко О. П."' in answer.text
    assert entry(web, User, name="Іваненко О. П.") is None


@pytest.mark.parametrize("values", [{"active": ""}, {"role": "dispatcher"}], ids=["switched off", "in another role"])
def test_who_is_switched_off_or_gets_another_role_is_logged_out_everywhere(web, values):
    browsers = [logged_in(web, "tsapkova") for _ in range(2)]
    form = form_of(web, "tsapkova") | values
    form = {name: value for name, value in form.items() if value or name != "active"}
    assert send(logged_in(web, "tekhnik"), address(web, "tsapkova"), form).status_code == 302
    for browser in browsers:
        assert "/login" in browser.get("/journal", **PAGE).location
    again = Browser(web).log_in("tsapkova")
    assert again.status_code == (302 if values.get("role") else 401)


def test_another_name_ends_no_session(web):
    browser = logged_in(web, "tsapkova")
    phone = entry(web, Phone, name="admin1").id
    form = form_of(web, "tsapkova", name="Цапкова-Мороз О. П.", phone_id=str(phone))
    assert send(logged_in(web, "tekhnik"), address(web, "tsapkova"), form).status_code == 302
    assert "Цапкова-Мороз" in browser.get("/journal").text


def test_a_new_password_ends_the_sessions_and_the_old_password(web):
    browser, technician = logged_in(web, "tsapkova"), logged_in(web, "tekhnik")
    answer = technician.post(f"{address(web, 'tsapkova')}/password", page="/me", headers=PAGE)
    assert "/login" in browser.get("/journal", **PAGE).location
    assert Browser(web).log_in("tsapkova").status_code == 401
    assert Browser(web).log_in("tsapkova", shown_password(answer.text)).status_code == 302
    assert ("password", "", "") in changes(web, Subject.USER)


def test_nobody_locks_themselves_out(web):
    """Neither off nor into another role, even where there is a second technical administrator; no own password."""
    send(logged_in(web, "tekhnik"), "/reference/users/new", NEW | {"role": "technical_administrator"})
    browser, own = logged_in(web, "tekhnik"), address(web, "tekhnik")
    for values, field in (({"active": ""}, "active"), ({"role": "supervisor"}, "role")):
        form = {name: value for name, value in (form_of(web, "tekhnik") | values).items() if value or name != "active"}
        answer = send(browser, own, form)
        assert (answer.status_code, field in answer.text) == (422, True)
    assert browser.post(f"{own}/password", page="/me").status_code == 403
    assert stored_user(web, "tekhnik").role == Role.TECHNICAL_ADMINISTRATOR
    assert send(browser, own, form_of(web, "tekhnik", name="Технік Т. Т.")).status_code == 302


@pytest.mark.parametrize("database", ["settings", "postgres_settings"])
def test_of_two_who_switch_each_other_off_one_remains(request, database):
    """The last technical administrator stays, whoever is quicker."""
    app = bare_app(request.getfixturevalue(database))
    with app.app_context():
        fill_desks()
        with transaction() as session:
            session.add(User(login="second", name="Другий", role=Role.TECHNICAL_ADMINISTRATOR, password_hash="!"))
        ids = db.session.scalars(db.select(User.id).where(User.role == Role.TECHNICAL_ADMINISTRATOR)).all()
    together, refused = threading.Barrier(2), []

    def switch_off(by_id: int, user_id: int) -> None:
        with app.app_context():
            together.wait()
            try:
                with transaction() as session:
                    user, by = lock_user(session, user_id), session.get_one(User, by_id)
                    values = {"name": user.name, "role": Role(user.role), "organisation": None, "email": ""}
                    change_user(session, user, by, present(), phone=None, active=False, **values)
            except Refused as error:
                refused.append(error)

    threads = [threading.Thread(target=switch_off, args=pair) for pair in (tuple(ids), tuple(reversed(ids)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    with app.app_context():
        left = db.session.scalars(db.select(User.active).where(User.id.in_(ids))).all()
    close_database(app)
    assert sorted(left) == [False, True]
    assert len(refused) == 1


def test_a_phone_is_given_and_taken(web):
    """The calls of a phone open for whose it is; a user has one phone."""
    technician = logged_in(web, "tekhnik")
    first, third = entry(web, Phone, name="admin1"), entry(web, Phone, name="admin3")
    taken = send(technician, address(web, "dyspetcher"), form_of(web, "dyspetcher", phone_id=str(third.id)))
    assert (taken.status_code, list(errors_of(taken))) == (422, ["phone_id"])
    send(technician, address(web, "sorokina"), form_of(web, "sorokina"))
    send(technician, address(web, "tsapkova"), form_of(web, "tsapkova", phone_id=str(third.id)))
    assert entry(web, Phone, id=third.id).user_id == stored_user(web, "tsapkova").id
    assert entry(web, Phone, id=first.id).user_id is None
    assert (
        send(technician, address(web, "tsapkova"), form_of(web, "tsapkova", phone_id=str(first.id))).status_code == 302
    )
    assert entry(web, Phone, id=first.id).user_id == stored_user(web, "tsapkova").id


def test_who_leaves_the_control_body_controls_nothing(web):
    assert (
        send(logged_in(web, "tekhnik"), address(web, "kontrol"), form_of(web, "kontrol", role="supervisor")).status_code
        == 302
    )
    with web.app_context():
        light = db.session.scalars(db.select(Organisation).where(Organisation.name == "КП «Міськсвітло»")).one()
        assert light.controlled_by == []
    assert ("controls", "КП «Міськсвітло»", "") in changes(web, Subject.USER)


def test_the_second_of_two_technicians_sees_what_the_first_saved(web):
    browser, where = logged_in(web, "tekhnik"), address(web, "dyspetcher")
    token = browser.token(where)
    assert send(browser, where, form_of(web, "dyspetcher", role="supervisor")).status_code == 302
    late = form_of(web, "dyspetcher", role="administrator", email="d@romny.gov.ua")
    answer = browser.client.post(where, data=late | {"revision": "0", "csrf_token": token}, headers=PAGE)
    assert answer.status_code == 409
    assert "начальник контактного центру" in answer.text.split('class="stored"')[1][:150]
    assert 'value="d@romny.gov.ua"' in answer.text
    assert stored_user(web, "dyspetcher").role == Role.SUPERVISOR


def test_the_supervisor_sees_who_there_is_and_changes_nobody(web):
    browser = logged_in(web, "nachalnyk")
    page = browser.get("/reference/users").text
    assert "tsapkova" in page
    assert "/reference/users/1" not in page
    assert browser.post("/reference/users/1/password", page="/me").status_code == 403
    assert logged_in(web, "tsapkova").get("/reference/users").status_code == 403


def test_an_open_stream_of_events_ends_when_its_user_is_switched_off(site):
    """At once, not with the next beat; the others go on."""
    stream, other = listen(site, "tsapkova"), listen(site, "cherniavska")
    told = len(other.got)
    with site.app.app_context(), transaction() as session:
        user = session.scalars(db.select(User).where(User.login == "tsapkova")).one()
        values = {"name": user.name, "role": Role(user.role), "organisation": None, "email": "", "phone": user.phone}
        change_user(session, lock_user(session, user.id), None, present(), active=False, **values)
    eventually(lambda: stream.ended, "the stream ends")
    assert [kind for kind, _id, _data in stream.got if kind == "beat"] == []
    assert not other.ended
    site.exchange.call("0501112233")
    eventually(lambda: other.of("call"), "the other hears on")
    assert {kind for kind, _id, _data in other.got[told:]} <= {"call", "state", "beat"}
