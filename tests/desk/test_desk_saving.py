"""What is typed into a draft is saved, and what the desk says of it at once."""

import json
import re

import pytest

from models.base import db, transaction
from models.drafts import DRAFT_FIELDS
from models.people import AccessLog, Organisation
from models.places import Street
from models.reports import Report
from tests.desk.one_desk import FORM, JSON, Desk, id_of, stored


def test_the_form_has_the_drafts_fields_each_as_long_as_its_column(app, exchange, mine):
    """The template says where a field stands; the model which there are. The street is one field for two columns."""
    draft = exchange.call()[1]
    form = re.search(r'<fieldset class="draft-fields".*?</fieldset>', mine.page(f"/drafts/{draft}").text, re.S)[0]
    shown = re.findall(r'\bname="(\w+)"', form)
    assert sorted(shown) == sorted({name.replace("street_typed", "street") for name in DRAFT_FIELDS} - {"street_id"})
    longest = {name: int(length) for length, name in re.findall(r'maxlength="(\d+)"[^>]*\bname="(\w+)"', form)}
    assert longest["building"] == Report.building.type.length
    for name, length in longest.items():
        assert mine.save(draft, stored(app, draft).revision, **{name: "я" * length}).json["errors"] == {}
        assert set(mine.save(draft, stored(app, draft).revision, **{name: "я" * (length + 1)}).json["errors"]) == {name}


def test_only_the_sent_fields_are_saved(app, exchange, mine):
    draft = exchange.call()[1]
    mine.save(draft, 0, text="Яма", building=" 12 ", emergency=True)
    mine.save(draft, 1, landmark="біля школи")
    found = stored(app, draft)
    assert (found.text, found.building, found.landmark, found.emergency) == ("Яма", "12", "біля школи", True)


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("Соборна", "Соборна"),
        ("вул. соборна", "Соборна"),
        ("Леніна", "Соборна"),
        ("вулиця Луначарського", "Сумська"),
        ("гетьмана  мазепи", "Гетьмана Мазепи"),
        ("Cj,jhyf", "Соборна"),
        ("Соборн", None),
        ("", None),
    ],
)
def test_a_street_is_found_by_its_present_and_former_name(app, exchange, mine, typed, name):
    """What is no street of ours stays as typed, and is there again after a reload."""
    draft = exchange.call()[1]
    mine.save(draft, 0, street=typed)
    with app.app_context():
        found = db.session.get_one(Report, draft)
        assert (found.street.name if found.street else None) == name
        assert found.street_typed == ("" if name else typed)
    assert f'value="{name or typed}" id="street"' in mine.page(f"/drafts/{draft}").text


def test_a_save_says_at_once_what_the_typed_street_is(app, exchange, mine):
    """Its name now, whichever was typed; and when it is none, or when a street and a square share the name."""
    with app.app_context(), transaction() as session:
        session.add_all([Street(name="вулиця Базарна"), Street(name="площа Базарна")])
    draft = exchange.call()[1]
    answers = [
        mine.save(draft, at, street=typed).json["street"]
        for at, typed in enumerate(("вул. леніна", "Соборна", "базарна", "Невідома", ""))
    ]
    assert [answer["offers"] for answer in answers] == [[], [], ["вулиця Базарна", "площа Базарна"], [], []]
    assert [answer["unknown"] for answer in answers] == [False, False, False, True, False]
    unknown = "Такої вулиці немає у списку: виберіть іншу або запишіть її як орієнтир."
    several = "Таких вулиць кілька: вулиця Базарна, площа Базарна. Виберіть зі списку."
    assert [answer["name"] for answer in answers] == ["Соборна", "Соборна", "", "", ""]
    assert [answer["note"] for answer in answers] == ["✓ Соборна, колишня Леніна", "", several, unknown, ""]
    assert "street" not in mine.save(draft, 5, text="Яма").json
    page = mine.submit(f"/drafts/{draft}/register", {**FORM, "street": "Базарна", "revision": "6"}).text
    assert several in page
    assert unknown not in page


@pytest.mark.parametrize(
    ("called_from", "other_phone", "contact"),
    [
        ("0671234567", "050 111-22-33", "+380671234567"),
        ("0671234567", "через сусідку", "+380671234567"),
        ("anonymous", "050 111-22-33", "+380501112233"),
        ("anonymous", "5-32-99", "+380544853299"),
        ("anonymous", "через сусідку", None),
        ("anonymous", "", None),
    ],
)
def test_the_callers_number_stays_and_another_telephone_stands_in_for_a_withheld_one(
    app, exchange, mine, called_from, other_phone, contact
):
    """The number that was called from is never lost, however the form is saved."""
    draft = exchange.call(called_from)[1]
    mine.save(draft, 0, other_phone=other_phone)
    assert (stored(app, draft).contact_number, stored(app, draft).other_phone) == (contact, other_phone)
    mine.post(f"/drafts/{draft}/register", {**FORM, "other_phone": other_phone, "revision": "1"})
    found = stored(app, draft)
    assert (found.state, found.contact_number, found.other_phone) == ("new", contact, other_phone)


def test_what_was_switched_off_meanwhile_cannot_be_chosen(app, exchange, mine):
    draft = exchange.call()[1]
    with app.app_context(), transaction() as session:
        session.get_one(Organisation, 3).active = False
    answer = mine.submit(f"/drafts/{draft}/register", {**FORM, "executor_id": "3", "revision": "0"})
    assert answer.status_code == 422
    assert "Виберіть зі списку" in answer.text
    assert stored(app, draft).state == "draft"


def test_a_look_up_of_another_telephone_leaves_a_trace(app, exchange, mine):
    """A3: whose it is, and which report they repeat, is told; who tries many is seen."""
    _call, draft = exchange.call("anonymous")
    revision = 0
    for typed in ("0501112233", "через сусідку"):
        revision = mine.save(draft, revision, other_phone=typed).json["revision"]
    for _ in range(2):  # with the whole form; the second time it is no other telephone
        mine.post(f"/drafts/{draft}/claim", {**FORM, "other_phone": "0501112234", "revision": str(revision)})
        revision += 1
    with app.app_context():
        asked = db.session.scalars(db.select(AccessLog).where(AccessLog.subject == "search")).all()
        assert [(row.subject_id, row.reason) for row in asked] == [(12, "another telephone in a draft")] * 2


def test_a_telephone_taken_back_is_no_contact_any_more(app, exchange, mine):
    draft = exchange.call("anonymous")[1]
    mine.save(draft, 0, other_phone="050 111-22-33")
    mine.save(draft, 1, other_phone="через сусідку")
    assert stored(app, draft).contact_number is None


def test_what_is_found_by_another_telephone_is_recorded(app, exchange, mine):
    """A3: by trying numbers, a masked one could be found out."""
    report = exchange.call("0501112233")[1]
    mine.post(f"/drafts/{report}/register", {**FORM, "revision": "0"})
    draft = exchange.call("anonymous")[1]
    for revision, number in enumerate(("050 111-22-34", "050 111-22-33")):
        mine.save(draft, revision, other_phone=number)
        mine.fetch(f"/desk/side/{draft}")
    with app.app_context():
        looks = db.session.scalars(db.select(AccessLog).where(AccessLog.subject == "report")).all()
    assert [(look.subject_id, look.reason) for look in looks] == [
        (report, "PIN on the desk"),  # when it was registered
        (report, "found by a draft's other telephone"),
    ]


def test_a_field_that_cannot_be_saved_is_named_and_the_others_are_saved(app, exchange, mine):
    draft = exchange.call()[1]
    answer = mine.save(draft, 0, text="Яма", building="x" * 17, category_id="999", executor_id="abc")
    assert answer.status_code == 200
    assert set(answer.json["errors"]) == {"building", "category_id", "executor_id"}
    assert "16" in answer.json["errors"]["building"]
    assert (stored(app, draft).text, stored(app, draft).building) == ("Яма", "")


@pytest.mark.parametrize("body", [None, [], {"fields": 1}, {"revision": 0}, "text"])
def test_a_save_that_makes_no_sense_is_refused(exchange, mine, body):
    draft = exchange.call()[1]
    assert mine.post(f"/drafts/{draft}/save", json=body).status_code == 400


@pytest.mark.parametrize("value", [7, 1.5, ["Яма"], {"text": "Яма"}])
@pytest.mark.parametrize("name", ["text", "category_id", "emergency"])
def test_a_field_that_is_no_text_is_refused(app, exchange, mine, name, value):
    draft = exchange.call()[1]
    assert mine.save(draft, 0, **{name: value}).status_code == 400
    assert stored(app, draft).revision == 0


@pytest.mark.parametrize(
    ("body", "status"),
    [('{"fields": ' + "[" * 30_000, 400), ('{"fields": {"text": "' + "x" * 70_000 + '"}}', 413)],
)
def test_a_save_too_deep_or_too_long_to_read_is_refused(exchange, mine, body, status):
    draft = exchange.call()[1]
    answer = mine.client.post(f"/drafts/{draft}/save", data=body, headers=JSON | {"X-CSRFToken": mine.token})
    assert answer.status_code == status


def test_half_a_character_does_not_stop_a_save(app, exchange, mine):
    draft = exchange.call()[1]
    body = json.dumps(
        {"revision": 0, "fields": {"text": "Яма \ud800 велика", "street": "\udfff", "category_id": "\ud800"}}
    )
    answer = mine.client.post(f"/drafts/{draft}/save", data=body, headers=JSON | {"X-CSRFToken": mine.token})
    assert answer.status_code == 200
    assert stored(app, draft).text == "Яма ? велика"


@pytest.mark.parametrize("revision", [-1, 7, None, "x", "9" * 40])
def test_a_save_over_a_newer_one_gets_both_texts(app, exchange, mine, revision):
    """Nobody's text is lost: the answer has what is stored, the browser what was typed."""
    draft = exchange.call()[1]
    mine.save(draft, 0, text="перша вкладка")
    answer = mine.save(draft, revision, text="друга вкладка")
    assert answer.status_code == 409
    assert answer.json["error"] == "saved_meanwhile"
    assert (answer.json["revision"], answer.json["fields"]["text"]) == (1, "перша вкладка")
    assert stored(app, draft).text == "перша вкладка"


def test_a_finished_draft_takes_no_more_text(app, exchange, mine):
    draft = exchange.call()[1]
    mine.post(f"/drafts/{draft}/end", {"ending": "consulted", "revision": "0"})
    answer = mine.save(draft, 1, text="пізно")
    assert (answer.status_code, answer.json["error"]) == (409, "not_a_draft")
    assert stored(app, draft).text == ""


def test_a_lost_session_is_told_to_the_script_and_saves_nothing(app, exchange, mine):
    draft = exchange.call()[1]
    mine.submit("/logout", {})
    answer = mine.save(draft, 0, text="набране")
    assert (answer.status_code, answer.json["error"], answer.json["login"]) == (401, "login", "/login")
    assert stored(app, draft).text == ""


def test_an_old_page_never_saves_for_another_user(app, exchange, mine):
    """A page of Tsapkova, in a browser where Sorokina logged in since: refused, and the script learns who it is."""
    draft = exchange.call()[1]
    mine.client = Desk(app, "sorokina").client
    answer = mine.save(draft, 0, text="набране")
    assert answer.status_code == 400
    assert (answer.json["error"], answer.json["user"]) == ("csrf", id_of(app, "sorokina"))
    assert stored(app, draft).owner_id is None


def test_a_repeat_is_warned_of_as_soon_as_kind_and_place_are_chosen(exchange, mine):
    """I10."""
    first, second = (exchange.call()[1] for _call in range(2))
    mine.post(f"/drafts/{first}/register", {**FORM, "revision": "0"})
    assert mine.save(second, 0, category_id="1").json["repeat"] is None
    repeat = mine.save(second, 1, street="Київська", building="12").json["repeat"]
    assert repeat["number"] in mine.page(repeat["url"]).text
    assert repeat["number"] in mine.fetch(f"/drafts/{second}").text


def test_what_others_told_of_the_same_building_is_said_as_soon_as_it_is_typed(app, exchange, mine, colleague):
    """I10: a hint that tells nothing of the other applicant; it is no repeated one, for it is another number's."""
    numbers = []
    for kind in ("2", "1", "2"):
        told = exchange.call("0501112233")[1]
        form = {**FORM, "category_id": kind, "applicant_name": "Олена Коваль", "flat": "77", "revision": "0"}
        colleague.post(f"/drafts/{told}/register", form)
        numbers.append(stored(app, told).number)
    draft = exchange.call()[1]
    assert mine.save(draft, 0, text="Не горить").json.get("same_place") is None
    assert "№" not in mine.save(draft, 1, street="Київська", category_id="1").json["same_place"]
    hint = mine.save(draft, 2, building="12").json["same_place"]
    assert re.findall(r'name="attach_to" value="([-\d]+)"', hint) == [numbers[1], numbers[2], numbers[0]]
    assert "За цією адресою вже є" in mine.fetch(f"/drafts/{draft}").text
    for private in ("Коваль", "77", "111", "2233"):
        assert private not in hint
    mine.post(f"/drafts/{draft}/register", {**FORM, "revision": "3"})
    assert stored(app, draft).repeat_of_id is None


@pytest.mark.parametrize(
    ("typed", "offered"),
    [("Київска", "Київська"), ("вул. Собрна", "Соборна"), ("мазепа", "Гетьмана Мазепи"), ("Cj,hyf", "Соборна")],
)
def test_a_street_that_is_almost_one_of_ours_is_offered(exchange, mine, typed, offered):
    draft = exchange.call()[1]
    assert mine.save(draft, 0, street=typed).json["street"]["offers"] == [offered]
    page = mine.fetch(f"/drafts/{draft}").text
    assert f'data-street="{offered}"' in page
    assert "записати як орієнтир" in page


def test_the_address_of_a_known_caller_is_offered(app, exchange, mine):
    earlier, draft = (exchange.call()[1] for _call in range(2))
    mine.post(f"/drafts/{earlier}/person", {"name": "Олена Коваль"})
    revision = str(stored(app, earlier).revision)
    mine.post(f"/drafts/{earlier}/register", {**FORM, "flat": "5", "revision": revision})
    assert "Та сама адреса: Київська, 12, кв. 5 <kbd>Alt 2</kbd>" in mine.fetch(f"/desk/side/{draft}").text
    assert "Або:" not in mine.fetch(f"/desk/side/{draft}").text
    mine.post(f"/drafts/{draft}/person", {"name": "Олена Коваль"})
    revision = str(stored(app, draft).revision)
    mine.post(f"/drafts/{draft}/register", {**FORM, "building": "14", "revision": revision})
    third = mine.fetch(f"/desk/side/{exchange.call()[1]}").text
    assert "Та сама адреса: Київська, 14 <kbd>Alt 2</kbd>" in third
    assert "Або: Київська, 12, кв. 5</button>" in third
    other = exchange.call("0501112233")[1]
    assert "Та сама адреса" not in mine.fetch(f"/desk/side/{other}").text


def test_who_did_not_telephone_hides_no_number(app, exchange, mine):
    hidden = exchange.call("anonymous")[1]
    visit = int(mine.post("/drafts/new", {"source": "visit"}).location.rpartition("/")[2])
    for draft in (hidden, visit):
        mine.post(f"/drafts/{draft}/register", {**FORM, "revision": "0"})
    journal = mine.page("/journal").text
    assert (journal.count("номер приховано"), journal.count("не вказано")) == (1, 1)
    assert "номер приховано" in mine.page(f"/reports/{hidden}").text
    assert "номер приховано" not in mine.page(f"/reports/{visit}").text
