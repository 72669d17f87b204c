"""The pages of the directories: types of reports, organisations, streets, and who changed what (A2)."""

import re

import pytest
from flask import Flask

from models.base import db, transaction
from models.people import Organisation, User
from models.places import Category, Street, meant_streets
from models.reference import ReferenceChange, Subject
from models.reports import Report
from tests.reference_fixtures import PAGE, changes, entry, errors_of, send
from tests.web_fixtures import logged_in, register, stored_user

STREET = {"name": "вулиця Нова", "former_names": "", "other_names": "", "active": "on"}


def category_form(web: Flask, **values: str) -> dict[str, str]:
    light = entry(web, Organisation, name="КП «Міськсвітло»").id
    form = {"name": "Ліфти", "organisation_id": str(light), "working_days": "4", "position": "9", "active": "on"}
    return form | values


def test_a_type_is_added_changed_and_switched_off_and_old_reports_stay_readable(web):
    """A2: every change leaves who, when, from what to what."""
    report = register(web, "Не горить ліхтар")
    browser = logged_in(web, "nachalnyk")
    assert send(browser, "/reference/categories/new", category_form(web)).location == "/reference/categories"
    added = entry(web, Category, name="Ліфти")
    assert (added.working_days, added.position, added.active) == (4, 9, True)
    assert send(browser, f"/reference/categories/{added.id}", category_form(web, working_days="6")).status_code == 302
    assert ("working_days", "4", "6") in changes(web, Subject.CATEGORY, "Ліфти")
    old = entry(web, Category, name="Вуличне освітлення")
    form = category_form(web, name=old.name, working_days="5", position="0")
    del form["active"]
    assert send(browser, f"/reference/categories/{old.id}", form).status_code == 302
    assert changes(web, Subject.CATEGORY, old.name) == [("active", "yes", "no")]
    assert old.name in browser.get(f"/reports/{report}").text
    with web.app_context():
        who = db.session.scalars(db.select(ReferenceChange.user_id)).all()
    assert set(who) == {stored_user(web, "nachalnyk").id}


def test_what_was_sent_without_a_change_leaves_no_trace(web):
    old = entry(web, Category, name="Вуличне освітлення")
    form = category_form(web, name=old.name, working_days="5", position="0")
    assert send(logged_in(web, "tsapkova"), f"/reference/categories/{old.id}", form).status_code == 302
    assert changes(web, Subject.CATEGORY) == []
    assert entry(web, Category, id=old.id).revision == old.revision


@pytest.mark.parametrize(
    ("field", "typed"),
    [
        ("name", ""),
        ("name", "вуличне  ОСВІТЛЕННЯ"),
        ("name", "я" * 129),
        ("working_days", "0"),
        ("working_days", "366"),
        ("working_days", "п’ять"),
        ("working_days", "99999999999999999999"),
        ("position", "-1"),
        ("organisation_id", ""),
        ("organisation_id", "999"),
    ],
)
def test_a_type_that_cannot_be_is_one_sentence_and_keeps_what_was_typed(web, field, typed):
    form = category_form(web, **{"name": "Ліфти й підйомники", field: typed})
    answer = send(logged_in(web, "tsapkova"), "/reference/categories/new", form)
    assert answer.status_code == 422
    assert list(errors_of(answer)) == [field]
    assert f'href="#{field}"' in answer.text
    if field != "name":
        assert 'value="Ліфти й підйомники"' in answer.text
    assert entry(web, Category, name="Ліфти й підйомники") is None


def test_the_second_of_two_sees_the_first_and_loses_nothing(web):
    """Both opened the street; the first saved it. The second sees theirs, and may put their own in its place."""
    street = entry(web, Street, name="Сумська")
    address = f"/reference/streets/{street.id}"
    first, second = logged_in(web, "tsapkova"), logged_in(web, "nachalnyk")
    form = {"name": "Сумська", "former_names": "Жовтнева", "other_names": "", "active": "on"}
    token = second.token(address)
    assert send(first, address, form).status_code == 302
    late = form | {"former_names": "Луначарського", "other_names": "Сумка", "revision": "0", "csrf_token": token}
    answer = second.client.post(address, data=late, headers=PAGE)
    assert answer.status_code == 409
    assert 'value="Луначарського"' in answer.text
    assert 'value="Сумка"' in answer.text
    assert "Жовтнева" in answer.text.split('class="stored"')[1][:120]
    assert entry(web, Street, id=street.id).former_names == "Жовтнева"
    again = late | {"revision": str(entry(web, Street, id=street.id).revision)}
    assert second.client.post(address, data=again, headers=PAGE).status_code == 302
    assert entry(web, Street, id=street.id).former_names == "Луначарського"
    assert changes(web, Subject.STREET, "Сумська")[0] == ("former_names", "Жовтнева, Луначарського", "Жовтнева")


def test_a_form_without_its_revision_overwrites_nothing(web):
    street = entry(web, Street, name="Сумська")
    browser = logged_in(web, "tsapkova")
    answer = browser.post(f"/reference/streets/{street.id}", STREET, page="/me", headers=PAGE)
    assert answer.status_code == 409
    assert entry(web, Street, id=street.id).name == "Сумська"


def test_a_street_is_found_and_meant_by_its_other_name(web):
    browser = logged_in(web, "tsapkova")
    form = STREET | {"name": "вул. Тараса  Шевченка", "former_names": "Радянська; Леніна 2", "other_names": "Шевченка"}
    assert send(browser, "/reference/streets/new", form).status_code == 302
    stored = entry(web, Street, name="вул. Тараса Шевченка")
    assert stored.former_names == "Радянська, Леніна 2"
    with web.app_context():
        assert [(one.id, name) for one, name in meant_streets(db.session(), "вулиця шевченка")] == [
            (stored.id, "Шевченка")
        ]
    for typed, found in (("радянськ", True), ("ШЕВЧ", True), ("Київ", False)):
        assert (stored.name in browser.get(f"/reference/streets?q={typed}").text) is found
    assert "Вулиці з такою назвою немає" in browser.get("/reference/streets?q=ніде").text
    twice = send(browser, "/reference/streets/new", form | {"name": "вулиця Тараса Шевченка"})
    assert (twice.status_code, list(errors_of(twice))) == (422, ["name"])


def test_a_street_and_a_square_of_one_name_are_told_apart_by_their_type(web):
    with web.app_context(), transaction() as session:
        session.add_all([Street(name="Базарна"), Street(name="площа Базарна")])
    with web.app_context():

        def meant(typed: str) -> list[str]:
            return [street.name for street, _called in meant_streets(db.session(), typed)]

        assert meant("пл. базарна") == ["площа Базарна"]
        assert meant("вул. Базарна") == ["Базарна"]
        assert meant("Базарна") == ["Базарна", "площа Базарна"]


def test_a_renamed_street_finds_its_old_reports_by_either_name(web):
    """W11: the journal finds them as the street is called now, too."""
    report = register(web, "Не горить ліхтар", street="Сумська")
    number, street = entry(web, Report, id=report).number, entry(web, Street, name="Сумська")
    browser = logged_in(web, "tsapkova")
    form = STREET | {"name": "Захисників України", "former_names": "Сумська, Жовтнева", "other_names": "Захисна"}
    assert send(browser, f"/reference/streets/{street.id}", form).status_code == 302
    for typed, found in (
        ("захисників", True),
        ("Захисна", True),
        ("сумська", True),
        ("жовтнева", True),
        ("ніде", False),
    ):
        searched = browser.post("/journal", {"text": typed}, page="/me")
        assert (number in browser.get(searched.location).text) is found, typed


def test_many_streets_are_a_page_and_a_search(web):
    with web.app_context():
        db.session.add_all(Street(name=f"вулиця {place:04d}") for place in range(900))
        db.session.commit()
    page = logged_in(web, "tsapkova").get("/reference/streets")
    assert len(re.findall(r'href="/reference/streets/\d', page.text)) == 200
    assert "Ще 704" in page.text.replace("\u00a0", " ")
    assert len(page.data) < 150_000


def test_who_controls_an_organisation_is_set_on_its_page(web):
    """R order 4, S 6.13"""
    member, water = stored_user(web, "kontrol"), entry(web, Organisation, name="КП «Міськводоканал»")
    browser = logged_in(web, "nachalnyk")
    form = {"name": water.name, "email": "voda@romny.gov.ua", "active": "on", "controlled_by": str(member.id)}
    assert send(browser, f"/reference/organisations/{water.id}", form).status_code == 302
    assert changes(web, Subject.ORGANISATION) == [
        ("email", "", "voda@romny.gov.ua"),
        ("controlled_by", "", member.name),
    ]
    assert water.name in logged_in(web, "kontrol").get("/decisions").text
    operator = stored_user(web, "operator")
    refused = send(browser, f"/reference/organisations/{water.id}", form | {"controlled_by": str(operator.id)})
    assert refused.status_code == 422


@pytest.mark.parametrize("email", ["voda", "voda@", "a b@c.ua", "voda@romny", "a@b.ua,c@d.ua", "я" * 161])
def test_an_address_that_is_none(web, email):
    answer = send(
        logged_in(web, "nachalnyk"), "/reference/organisations/new", {"name": "КП «Нове»", "email": email, "active": ""}
    )
    assert (answer.status_code, list(errors_of(answer))) == (422, ["email"])
    assert entry(web, Organisation, name="КП «Нове»") is None


def test_an_organisation_with_types_is_not_switched_off(web):
    light = entry(web, Organisation, name="КП «Міськсвітло»")
    answer = send(
        logged_in(web, "nachalnyk"), f"/reference/organisations/{light.id}", {"name": light.name, "email": ""}
    )
    assert answer.status_code == 422
    assert "«Вуличне освітлення»" in errors_of(answer)["active"]
    assert entry(web, Organisation, id=light.id).active


def test_the_technical_administrator_sees_and_does_not_change(web):
    browser = logged_in(web, "tekhnik")
    assert browser.get("/reference").location == "/reference/users"
    for page in ("categories", "organisations", "streets", "calendar", "changes", "users"):
        assert browser.get(f"/reference/{page}").status_code == 200, page
    assert "/reference/streets/new" not in browser.get("/reference/streets").text
    assert browser.post("/reference/streets/new", STREET, page="/me").status_code == 403
    assert logged_in(web, "tsapkova").get("/reference").location == "/reference/categories"
    for login in ("dyspetcher", "operator", "kerivnyk", "kontrol"):
        assert logged_in(web, login).get("/reference/streets").status_code == 403


def test_an_entry_that_is_not_there(web):
    browser = logged_in(web, "tsapkova")
    for kind in ("categories", "organisations", "streets"):
        assert browser.get(f"/reference/{kind}/999").status_code == 404
        assert browser.post(f"/reference/{kind}/999", {"name": "x", "revision": "0"}, page="/me").status_code == 404


def test_the_changes_are_a_page_for_who_sees_their_subject(web):
    send(logged_in(web, "tsapkova"), "/reference/streets/new", STREET)
    technician = logged_in(web, "tekhnik")
    user = stored_user(web, "dyspetcher")
    form = {"name": "Інша Н. Н.", "role": "dispatcher", "organisation_id": "", "email": "", "active": "on"}
    assert send(technician, f"/reference/users/{user.id}", form).status_code == 302
    assert "Інша Н. Н." in technician.get("/reference/changes").text
    page = logged_in(web, "tsapkova").get("/reference/changes").text
    assert "вулиця Нова" in page
    assert "Інша Н. Н." not in page
    assert "Інша Н. Н." not in logged_in(web, "tsapkova").get("/reference/changes?subject=user").text
    assert "вулиця Нова" not in technician.get("/reference/changes?subject=user").text


def test_what_is_typed_is_never_markup(web):
    browser = logged_in(web, "tsapkova")
    send(browser, "/reference/streets/new", STREET | {"name": "<b>вулиця</b>\x00\x1b Жирна", "former_names": "=cmd()"})
    assert entry(web, Street, name="<b>вулиця</b> Жирна").former_names == "=cmd()"
    for page in ("/reference/streets", "/reference/changes"):
        assert "<b>вулиця" not in browser.get(page).text


def test_every_page_of_the_directories_renders_in_english_too(web):
    stored_user(web, "nachalnyk", language="en")
    stored_user(web, "tekhnik", language="en")
    supervisor, technician = logged_in(web, "nachalnyk"), logged_in(web, "tekhnik")
    pages = ["categories", "categories/new", "categories/1", "organisations", "organisations/1", "streets", "streets/1"]
    pages += ["calendar", "changes", "users", "streets/import", "organisations/import"]
    for browser, path in [*((supervisor, page) for page in pages), (technician, "users/new"), (technician, "users/1")]:
        answer = browser.get(f"/reference/{path}")
        assert answer.status_code == 200, path
        assert '<html lang="en"' in answer.text
        assert "None<" not in answer.text
    with web.app_context():
        assert db.session.scalar(db.select(db.func.count()).select_from(User)) == 9
