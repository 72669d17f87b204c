"""The desk's pages and buttons, as a browser asks for them."""

import json
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, func
from werkzeug.test import TestResponse

from jobs.settings import MailServer
from models.base import db, transaction
from models.drafts import DRAFT_FIELDS
from models.people import AccessLog, Organisation, Person, Role, User
from models.places import Category, Street
from models.reports import HistoryRow, Report, ReportState
from tests.desk_fixtures import PASSWORD, PEOPLE, Exchange, fill_desks, user_id
from webui import create_app
from webui.access import DESK_ROLES

PAGE = {"Accept": "text/html", "Sec-Fetch-Dest": "document"}
JSON = {"Content-Type": "application/json"}
FORM = {"category_id": "1", "street": "Київська", "building": "12", "text": "Не горить ліхтар", "executor_id": "1"}


class Desk:
    """One logged-in person's browser. `fetch` and `post` are the page's script; `page` and `submit` work without it."""

    def __init__(self, app: Flask, login: str) -> None:
        self.client: FlaskClient = app.test_client()
        token = self._token(self.client.get("/login", headers=PAGE))
        form = {"login": login, "password": PASSWORD, "csrf_token": token}
        answer = self.client.post("/login", data=form, headers=PAGE)
        assert answer.status_code == 302
        self.token = self._token(self.client.get("/me", headers=PAGE))

    @staticmethod
    def _token(answer: TestResponse) -> str:
        return re.search(r'name="csrf-token" content="([^"]+)"', answer.text)[1]

    def fetch(self, path: str) -> TestResponse:
        return self.client.get(path, headers={"X-CSRFToken": self.token})

    def page(self, path: str) -> TestResponse:
        return self.client.get(path, headers=PAGE)

    def post(self, path: str, data: dict | None = None, json: dict | None = None) -> TestResponse:
        return self.client.post(path, data=data, json=json, headers={"X-CSRFToken": self.token})

    def submit(self, path: str, data: dict) -> TestResponse:
        return self.client.post(path, data=data | {"csrf_token": self.token}, headers=PAGE)

    def save(self, draft: int, revision: int, **fields: object) -> TestResponse:
        return self.post(f"/drafts/{draft}/save", json={"revision": revision, "fields": fields})


@pytest.fixture
def app(settings) -> Iterator[Flask]:
    app = create_app(settings)
    with app.app_context():
        fill_desks()
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def exchange(app) -> Exchange:
    return Exchange(app)


@pytest.fixture
def mine(app) -> Desk:
    """Tsapkova, whose own line is 5-32-73."""
    return Desk(app, "tsapkova")


@pytest.fixture
def colleague(app) -> Desk:
    return Desk(app, "cherniavska")


def stored(app: Flask, draft_id: int) -> Report:
    with app.app_context():
        draft = db.session.get_one(Report, draft_id)
        db.session.expunge(draft)
        return draft


# ---- who may see it


@pytest.mark.parametrize("login", [login for login, (_name, role) in PEOPLE.items() if role in DESK_ROLES])
def test_the_desk_is_for_those_who_answer(app, login):
    assert Desk(app, login).page("/").status_code == 200


@pytest.mark.parametrize(("login", "place"), [("operator", "/work"), ("kerivnyk", "/work"), ("kontrol", "/decisions")])
def test_who_has_no_desk_is_sent_to_their_own_work(app, exchange, login, place):
    draft, person = exchange.call()[1], Desk(app, login)
    assert person.page("/").location == place
    for path in (f"/drafts/{draft}", "/desk/live", "/desk/lists", f"/desk/side/{draft}", "/desk/frame", "/events"):
        assert person.fetch(path).status_code == 403


def test_the_technical_administrator_is_sent_to_the_state_of_the_system(app, exchange):
    draft = exchange.call()[1]
    technician = Desk(app, "tekhnik")
    assert technician.page("/").location == "/status"
    for path in (f"/drafts/{draft}", "/desk/live", "/desk/lists", f"/desk/side/{draft}", "/desk/frame", "/events"):
        assert technician.fetch(path).status_code == 403
    assert technician.save(draft, 0, text="x").status_code == 403


def test_a_role_without_a_desk_is_sent_elsewhere(app, monkeypatch):
    """Who may is listed, not who may not: a new role has no desk by itself."""
    supervisor = Desk(app, "nachalnyk")
    for module in ("desk", "auth"):
        monkeypatch.setattr(f"webui.{module}.DESK_ROLES", frozenset({Role.ADMINISTRATOR}))
    assert supervisor.page("/").location == "/status"


def test_a_stranger_gets_nothing(app, exchange):
    draft = exchange.call()[1]
    stranger = app.test_client()
    assert stranger.get("/", headers=PAGE).location == "/login"
    script = {"X-CSRFToken": "none"}
    assert stranger.get("/desk/live", headers=script).status_code == 401
    assert stranger.post(f"/drafts/{draft}/claim", headers=script).status_code == 401
    assert stranger.get("/events", headers=script).status_code == 401


def test_a_save_without_a_token_is_refused(app, exchange, mine):
    draft = exchange.call()[1]
    answer = mine.client.post(f"/drafts/{draft}/save", json={"revision": 0, "fields": {"text": "x"}})
    assert answer.status_code == 400
    assert stored(app, draft).text == ""


def test_a_draft_that_is_not_there(mine):
    assert mine.page("/drafts/999").status_code == 404
    assert mine.post("/drafts/999/claim").status_code == 404
    assert mine.save(999, 0, text="x").status_code == 404


# ---- live calls


def test_a_call_shows_only_on_the_desks_where_it_rings(exchange, mine, colleague):
    """I2, I3, zammad#2177: first the line's own administrator, then whose phone the exchange reports."""
    call = exchange.call(line="53273")[0]
    assert f'data-call="{call}"' in mine.fetch("/desk/live").text
    assert f'data-call="{call}"' not in colleague.fetch("/desk/live").text
    exchange.ring(call, 1)
    exchange.ring(call, 2)
    assert f'data-call="{call}"' in colleague.fetch("/desk/live").text


def test_an_answered_call_leaves_the_other_desks(exchange, mine, colleague):
    """I3, NethServer#7753: it does not go on ringing after another answered."""
    call = exchange.call()[0]
    exchange.ring(call, 1)
    exchange.ring(call, 2)
    exchange.answer(call, 2)
    assert f'data-call="{call}"' not in mine.fetch("/desk/live").text
    assert "РОЗМОВА" in colleague.fetch("/desk/live").text
    assert mine.fetch(f"/desk/calls/{call}").json["note"] == "Дзвінок прийнято: Чернявська С. І."


def test_the_bar_says_who_it_may_be(app, exchange, mine):
    """I4: the number in full, the line, and who it may be; a look at the number leaves one row (A3)."""
    exchange.call("0671234567")
    exchange.call("anonymous")
    for _look in range(3):
        bars = mine.fetch("/desk/live").text
    assert "+380\u00a067\u00a0123\u00a045\u00a067" in bars
    assert "лінія 5-32-73" in bars
    assert "особа ще невідома" in bars
    assert "номер приховано" in bars
    assert "anonymous" not in bars
    with app.app_context():
        looks = db.session.execute(db.select(AccessLog.subject_id, func.count()).group_by(AccessLog.subject_id)).all()
    assert [tuple(look) for look in looks] == [(1, 1), (2, 1)]


def test_the_live_part_asks_the_same_number_of_questions_for_many_calls_elsewhere(app, exchange, mine):
    """No question for each call: forty calls on other lines cost what one costs."""
    asked: list[str] = []
    with app.app_context():
        event.listen(db.engine, "before_cursor_execute", lambda *args: asked.append(args[2]))

    def cost() -> int:
        asked.clear()
        assert mine.fetch("/desk/live").status_code == 200
        return len(asked)

    exchange.call(line="53275")
    few = cost()
    for number in range(40):
        exchange.call(f"06700000{number:02d}", line="53275")
    assert cost() == few < 12
    exchange.call("0501112200")
    mine.fetch("/desk/live")  # the first look leaves its row
    one = cost()
    for number in range(1, 5):
        exchange.call(f"050111220{number}")
    mine.fetch("/desk/live")
    assert cost() == one


def test_the_bar_of_a_call_that_goes_on_says_what_its_draft_has_become(app, exchange, mine):
    report, consultation = exchange.call()[1], exchange.call()[1]
    assert mine.fetch("/desk/live").text.count("data-claim") == 2
    mine.post(f"/drafts/{report}/register", {**FORM, "revision": "0"})
    mine.post(f"/drafts/{consultation}/end", {"ending": "consulted", "revision": "0"})
    bars = mine.fetch("/desk/live").text
    assert "data-claim" not in bars
    assert "До форми" not in bars
    for draft, words in (
        (report, f'Відкрити повідомлення №\u00a0<span class="number">{stored(app, report).number}</span>'),
        (consultation, "Відкрити запис про дзвінок"),
    ):
        assert re.search(rf'href="/drafts/{draft}"[^>]*>{words} <kbd', bars)


def test_the_strip_of_other_pages_has_what_the_bar_has(app, exchange, mine, colleague):
    """Line, number, where F2 leads by now; a call that rings before the one I speak on; each look leaves a row (A3)."""
    assert mine.fetch("/desk/strip").text.strip() == ""
    first, draft = exchange.call("0671234567")
    strip = mine.fetch("/desk/strip").text
    assert "ДЗВОНИТЬ" in strip
    assert "лінія 5-32-73" in strip
    assert "+380\u00a067\u00a0123\u00a045\u00a067" in strip
    assert re.search(rf'href="/drafts/{draft}">Відкрити чернетку <kbd>F2', strip)
    assert colleague.fetch("/desk/strip").text.strip() == ""
    exchange.ring(first, 1)
    exchange.answer(first, 1)
    assert "РОЗМОВА" in mine.fetch("/desk/strip").text
    mine.post(f"/drafts/{draft}/register", {**FORM, "revision": "0"})
    number = stored(app, draft).number
    assert re.search(
        rf'href="/reports/{draft}">Відкрити повідомлення №\u00a0<span class="number">{number}</span> <kbd>',
        mine.fetch("/desk/strip").text,
    )
    second = exchange.call("anonymous")[0]
    strip = mine.fetch("/desk/strip").text
    assert "номер приховано" in strip
    assert "РОЗМОВА" not in strip
    with app.app_context():
        calls = db.select(AccessLog.user_id, AccessLog.subject_id).where(AccessLog.subject == "call")
        looks = db.session.execute(calls.order_by(AccessLog.id)).all()
    assert [tuple(look) for look in looks] == [(_id(app, "tsapkova"), call) for call in (first, second)]


def test_the_top_bar_counts_for_me(exchange, mine, colleague):
    exchange.missed("0501112233")
    draft = exchange.call(line="53275")[1]
    mine.post(f"/drafts/{draft}/claim")
    frame = mine.fetch("/desk/frame").json
    assert 'data-count="missed">1<' in frame["counts"]
    assert 'data-count="drafts">1<' in frame["counts"]
    assert 'data-count="drafts">0<' in colleague.fetch("/desk/frame").json["counts"]
    assert re.findall(r'data-line="(\d+)" data-state="(\w+)"', frame["lines"]) == [
        ("53273", "free"),
        ("53275", "ringing"),
        ("54286", "free"),
    ]


def test_a_long_list_of_drafts_says_how_many_more_there_are(exchange, mine, monkeypatch):
    monkeypatch.setattr("webui.desk.SHOWN", 2)
    for n in range(3):
        draft = exchange.call(f"067000000{n}")[1]
        mine.save(draft, 0, text=f"Яма {n}")
    lists = mine.fetch("/desk/lists").text.split('id="drafts"')[1].split("</section>")[0]
    assert 'class="tally">3<' in lists
    assert "і ще 1" in lists
    assert "Яма 2" in lists
    assert "Яма 0" not in lists


def test_lists_show_my_drafts_and_missed_calls_masked(exchange, mine):
    draft = exchange.missed("0501112233", timedelta(minutes=9))[1]
    exchange.missed("0501112233")
    mine.save(draft, 0, text="Яма на дорозі")
    lists = mine.fetch("/desk/lists").text
    assert "2\u00a0рази" in lists
    assert "Яма на дорозі" in lists
    assert "111" not in lists.replace("\u00a0", "")


def test_a_missed_call_says_what_to_do_and_who_does_it_already(exchange, mine, colleague):
    """An earlier call of the same number counts too: two must not call the same citizen back."""
    earlier = exchange.missed("0501112233", timedelta(minutes=9))[1]
    draft = exchange.missed("0501112233", timedelta(minutes=5))[1]
    assert "у роботі" not in mine.fetch("/desk/lists").text
    assert "Візьміть чернетку й передзвоніть на" in mine.fetch(f"/drafts/{draft}").text
    mine.post(f"/drafts/{earlier}/claim")
    assert "у роботі: Цапкова О. П." in colleague.fetch("/desk/lists").text
    page = mine.fetch(f"/drafts/{earlier}").text
    assert re.search(r"Передзвоніть на <span class=\"number\">\+380.50.111.22.33</span>\.", page)
    assert "ередзвоніть" not in colleague.fetch(f"/drafts/{earlier}").text


def test_a_missed_calls_buttons_are_said_to_be_for_after_the_call_back(exchange, mine, colleague):
    """C1: any ending takes it off the list, so the screen says when to press, before and after."""
    call, draft = exchange.call("0501112233")
    hint = re.compile(r'id="acts-when" (hidden)?>\s*(\S.*?)\s*</p>', re.DOTALL)
    assert hint.search(mine.fetch(f"/drafts/{draft}").text)[1] == "hidden"
    exchange.hang_up(call)
    hidden, words = hint.search(mine.fetch(f"/drafts/{draft}").text).groups()
    assert hidden is None
    assert "Завершуйте після передзвону:" in words
    assert "Не додзвонилися\u00a0— відкладіть" in words
    answer = mine.post(f"/drafts/{draft}/end", {"ending": "consulted", "revision": "0"})
    assert "У списку пропущених цього дзвінка більше немає." in answer.text
    assert "Пропущених дзвінків немає" in mine.fetch("/desk/lists").text
    withheld = exchange.missed("anonymous")[1]
    assert "Передзвонити нікуди" in hint.search(mine.fetch(f"/drafts/{withheld}").text)[2]
    exchange.answer(exchange.call("0501112299")[0], 1)
    spoken = exchange.missed("0501112244")[1]
    mine.save(spoken, 0, text="Яма")
    assert hint.search(colleague.fetch(f"/drafts/{spoken}").text)[1] == "hidden"


def test_a_draft_that_nobody_works_on_is_listed_and_can_be_taken(app, exchange, mine, colleague):
    """Its owner was switched off: it is on a list of its own, open to all, until somebody takes it."""
    call, draft = exchange.call("0501112233")
    colleague.save(draft, 0, text="Яма на дорозі")
    exchange.answer(call, 2)
    exchange.hang_up(call)
    assert 'id="forsaken"' not in mine.fetch("/desk/lists").text
    with app.app_context(), transaction() as session:
        session.get_one(User, user_id("cherniavska")).active = False
    lists = mine.fetch("/desk/lists").text
    forsaken = lists[lists.index('id="forsaken"') :]
    assert "Яма на дорозі" in forsaken
    assert "розпочато: Чернявська С. І." in forsaken
    page = mine.page(f"/drafts/{draft}").text
    assert 'data-writable="true"' in page
    assert f'formaction="/drafts/{draft}/claim"' in page
    assert mine.post(f"/drafts/{draft}/claim").status_code == 200
    assert stored(app, draft).owner_id == _id(app, "tsapkova")
    assert 'id="forsaken"' not in mine.fetch("/desk/lists").text


# ---- taking


def test_two_who_take_a_draft_at_once_one_gets_it_and_the_other_is_told_who(app, exchange, mine, colleague):
    """A hundred times two browsers at the same moment: one owner each time (design: decided by the database)."""
    names = {user.id: user.name for user in _users(app)}
    winners: list[str] = []
    with ThreadPoolExecutor(2) as pool:
        for number in range(100):
            draft = exchange.call(f"06712{number:05d}")[1]
            together = threading.Barrier(2)

            def claim(desk: Desk, draft: int = draft, together: threading.Barrier = together) -> TestResponse:
                together.wait(10)
                return desk.post(f"/drafts/{draft}/claim")

            answers = list(pool.map(claim, (mine, colleague)))
            assert sorted(answer.status_code for answer in answers) == [200, 409]
            owner = names[stored(app, draft).owner_id]
            winners.append(owner)
            refused = next(answer for answer in answers if answer.status_code == 409)
            assert f"З цією чернеткою працює {owner}" in refused.text
    assert set(winners) <= {"Цапкова О. П.", "Чернявська С. І."}


def test_who_takes_a_finished_draft_sees_what_became_of_it(app, exchange, mine):
    """As after a talk whose draft was registered while it rang: nothing stands in the way, so nothing is refused."""
    draft = exchange.call()[1]
    mine.post(f"/drafts/{draft}/register", {**FORM, "revision": "0"})
    answer = mine.post(f"/drafts/{draft}/claim")
    assert answer.status_code == 200
    assert stored(app, draft).number in answer.text


def test_typing_takes_the_draft(app, exchange, mine, colleague):
    draft = exchange.call()[1]
    assert mine.save(draft, 0, text="Яма").json["revision"] == 1
    answer = colleague.save(draft, 1, text="Інше")
    assert answer.status_code == 409
    assert (answer.json["error"], answer.json["owner"]) == ("taken", "Цапкова О. П.")
    assert stored(app, draft).text == "Яма"


def test_a_colleagues_draft_can_be_read_and_not_written(exchange, mine, colleague):
    draft = exchange.call()[1]
    mine.save(draft, 0, text="Яма на дорозі")
    page = colleague.page(f"/drafts/{draft}").text
    assert "Яма на дорозі" in page
    assert "З цією чернеткою працює Цапкова О. П." in page
    assert re.search(r'<fieldset class="draft-fields" disabled', page)
    assert re.search(r'id="other-endings" inert', page)


def test_a_draft_is_handed_over_with_what_was_typed(app, exchange, mine, colleague):
    draft = exchange.call()[1]
    to = _id(app, "cherniavska")
    mine.save(draft, 0, text="Яма")
    assert mine.post(f"/drafts/{draft}/hand-over", {"to": to, "revision": "1", **FORM}).status_code == 200
    assert (stored(app, draft).owner_id, stored(app, draft).text) == (to, "Не горить ліхтар")
    assert mine.post(f"/drafts/{draft}/hand-over", {"to": _id(app, "tsapkova")}).status_code == 409
    assert colleague.save(draft, 2, text="Далі").status_code == 200


def test_a_draft_that_was_handed_over_is_marked_for_its_new_owner(app, exchange, mine, colleague):
    draft = exchange.call()[1]
    mine.post(f"/drafts/{draft}/hand-over", {"to": _id(app, "cherniavska")})
    assert "передає вам: Цапкова О. П." in colleague.fetch("/desk/lists").text
    assert "передає вам" not in mine.fetch("/desk/lists").text
    colleague.post(f"/drafts/{draft}/hand-over", {"to": _id(app, "tsapkova")})
    assert "передає вам: Чернявська С. І." in mine.fetch("/desk/lists").text
    taken = exchange.call()[1]
    mine.post(f"/drafts/{taken}/claim")
    assert mine.fetch("/desk/lists").text.count("передає вам:") == 1


@pytest.mark.parametrize("to", ["", "x", "999", "9" * 30, "tekhnik"])
def test_a_draft_is_handed_over_only_to_somebody_with_a_desk(app, exchange, mine, to):
    draft = exchange.call()[1]
    to = _id(app, to) if to in PEOPLE else to
    assert mine.post(f"/drafts/{draft}/hand-over", {"to": to}).status_code == 400
    assert stored(app, draft).owner_id is None


def test_a_draft_without_a_call_is_offered_only_endings_that_fit(app, exchange, mine):
    def offered(draft: int) -> list[str]:
        return re.findall(r'name="ending" value="(\w+)"', mine.fetch(f"/drafts/{draft}").text)

    assert offered(exchange.call()[1]) == ["consulted", "redirected", "wrong_number", "nuisance", "dropped"]
    draft = int(mine.post("/drafts/new", {"source": "visit"}).location.rsplit("/", 1)[1])
    assert offered(draft) == ["consulted", "redirected", "dropped"]
    assert "Відкрито помилково" in mine.fetch(f"/drafts/{draft}").text
    ended = mine.post(f"/drafts/{draft}/end", {"ending": "dropped", "revision": "0"}).text
    assert "Відкрито помилково" in ended
    assert "обірвався" not in ended
    with app.app_context(), transaction() as session:
        online = Report(state="draft", source="online", pin="123456")
        session.add(online)
        session.flush()
        sent = online.id
    assert offered(sent) == ["consulted", "redirected", "nuisance"]
    assert "Хуліганське повідомлення" in mine.fetch(f"/drafts/{sent}").text


# ---- saving


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
    assert (answer.json["error"], answer.json["user"]) == ("csrf", _id(app, "sorokina"))
    assert stored(app, draft).owner_id is None


def test_a_repeat_is_warned_of_as_soon_as_kind_and_place_are_chosen(exchange, mine):
    """I10."""
    first, second = (exchange.call()[1] for _call in range(2))
    mine.post(f"/drafts/{first}/register", {**FORM, "revision": "0"})
    assert mine.save(second, 0, category_id="1").json["repeat"] is None
    repeat = mine.save(second, 1, street="Київська", building="12").json["repeat"]
    assert repeat["number"] in mine.page(repeat["url"]).text
    assert repeat["number"] in mine.fetch(f"/drafts/{second}").text


# ---- registering and the other endings


def test_registering_gives_a_number_and_a_deadline(app, exchange, mine):
    """I5."""
    draft = exchange.call()[1]
    answer = mine.post(f"/drafts/{draft}/register", {**FORM, "revision": "0"})
    found = stored(app, draft)
    assert answer.status_code == 200
    assert f"№&nbsp;{found.number}" in answer.text
    assert "строк до" in answer.text
    for fact in ("<dd>Вуличне освітлення", "<dd>Київська, 12", "<dd>КП «Міськсвітло»"):
        assert fact in answer.text  # to be read back to the citizen
    assert "буде нове повідомлення" not in answer.text
    assert f'data-report="{draft}"' in answer.text
    assert (found.state, found.owner_id, found.building) == ("new", _id(app, "tsapkova"), "12")
    assert found.due_at > found.registered_at
    assert "Скасувати" not in answer.text  # the table has no way back from a registered report


def test_registering_works_without_the_script(app, exchange, mine):
    draft = exchange.call()[1]
    answer = mine.submit(f"/drafts/{draft}/register", {**FORM, "revision": "0", "emergency": "on"})
    assert (answer.status_code, answer.location) == (302, f"/drafts/{draft}")
    assert stored(app, draft).number in mine.page(answer.location).text
    assert stored(app, draft).emergency


def test_the_executor_follows_from_the_kind_unless_another_is_chosen(app, exchange, mine):
    first, second = (exchange.call()[1] for _call in range(2))
    mine.post(f"/drafts/{first}/register", {**FORM, "category_id": "2", "executor_id": "", "revision": "0"})
    mine.post(f"/drafts/{second}/register", {**FORM, "category_id": "2", "executor_id": "3", "revision": "0"})
    with app.app_context():
        responsible = db.session.get_one(Category, 2).organisation_id
        assert db.session.get_one(Organisation, responsible).name == "КП «Міськводоканал»"
    assert stored(app, first).executor_id == responsible
    assert stored(app, second).executor_id == 3


@pytest.mark.parametrize(
    ("missing", "field"),
    [("category_id", "category_id"), ("text", "text"), ("street", "street"), ("executor_id", None)],
)
@pytest.mark.parametrize("script", [True, False])
def test_a_form_with_mistakes_keeps_what_was_typed_and_names_the_field(app, exchange, mine, missing, field, script):
    draft = exchange.call()[1]
    form = {**FORM, missing: "", "revision": "0", "applicant_name": "Олена Коваль"}
    answer = (mine.post if script else mine.submit)(f"/drafts/{draft}/register", form)
    if field is None:  # the kind has a responsible organisation
        assert answer.status_code == (200 if script else 302)
        return
    assert answer.status_code == 422
    assert answer.text.count('aria-invalid="true"') == 1
    assert f'id="{field}-error"' in answer.text
    assert 'value="Олена Коваль"' in answer.text
    assert stored(app, draft).applicant_name == "Олена Коваль"
    assert stored(app, draft).state == "draft"


def test_a_street_that_is_not_ours_is_refused_and_kept(app, exchange, mine):
    draft = exchange.call()[1]
    answer = mine.post(f"/drafts/{draft}/register", {**FORM, "street": "Неіснуюча", "revision": "0"})
    assert answer.status_code == 422
    assert 'value="Неіснуюча"' in answer.text
    assert "Такої вулиці немає" in answer.text
    as_landmark = {**FORM, "street": "", "landmark": "Неіснуюча", "revision": "1"}
    assert mine.post(f"/drafts/{draft}/register", as_landmark).status_code == 200


def test_a_field_that_is_too_long_stays_on_the_screen(exchange, mine):
    draft = exchange.call()[1]
    answer = mine.submit(f"/drafts/{draft}/register", {**FORM, "building": "дванадцять дробом", "revision": "0"})
    assert answer.status_code == 422
    assert 'value="дванадцять дробом"' in answer.text
    assert 'id="building-error"' in answer.text


def test_a_form_sent_over_a_newer_save_shows_both(app, exchange, mine):
    draft = exchange.call()[1]
    mine.save(draft, 0, text="перша вкладка")
    answer = mine.submit(f"/drafts/{draft}/register", {**FORM, "text": "друга вкладка", "revision": "0"})
    assert answer.status_code == 409
    assert "перша вкладка" in answer.text
    assert "друга вкладка" in answer.text
    assert stored(app, draft).state == "draft"
    assert 'name="revision" value="1"' in answer.text  # pressed again, the choice on the screen is taken


def test_registering_twice_gives_one_number(app, exchange, mine):
    draft = exchange.call()[1]
    mine.post(f"/drafts/{draft}/register", {**FORM, "revision": "0"})
    number = stored(app, draft).number
    again = mine.post(f"/drafts/{draft}/register", {**FORM, "revision": "1"})
    assert again.status_code == 409
    assert number in again.text
    assert stored(app, draft).number == number


@pytest.mark.parametrize(
    ("ending", "state"),
    [
        ("consulted", "consultation"),
        ("redirected", "redirected"),
        ("wrong_number", "wrong_number"),
        ("nuisance", "nuisance"),
        ("dropped", "dropped"),
    ],
)
def test_a_draft_ends_otherwise_and_the_end_can_be_undone(app, exchange, mine, ending, state):
    """I6: one press, what was typed is kept, and undo instead of "are you sure"."""
    draft = exchange.call()[1]
    answer = mine.post(f"/drafts/{draft}/end", {**FORM, "ending": ending, "revision": "0"})
    assert (answer.status_code, stored(app, draft).state) == (200, state)
    assert "Скасувати" in answer.text
    undone = mine.post(f"/drafts/{draft}/reopen")
    assert 'id="draft-form"' in undone.text
    assert (stored(app, draft).state, stored(app, draft).text) == ("draft", FORM["text"])
    with app.app_context():
        rows = db.session.scalars(db.select(HistoryRow).order_by(HistoryRow.id)).all()
        assert [(row.event, row.to_state) for row in rows[1:]] == [
            ("taken", "draft"),
            (ending, state),
            ("reopened", "draft"),
        ]
        assert {row.user_id for row in rows[1:]} == {user_id("tsapkova")}


def test_who_registers_an_emergency_reads_who_has_to_accept_it_and_whether_a_letter_goes(app, exchange, mine):
    def registered() -> str:
        form = {**FORM, "emergency": "on", "revision": "0"}
        return mine.post(f"/drafts/{exchange.call()[1]}/register", form).text

    assert "«Міськсвітло» ще має прийняти його в роботу" in registered()
    said = re.sub("<[^>]+>", "", registered())
    assert "Листа не надіслано: зателефонуйте підприємству." in said
    assert "Операторська О. О. (оператор), Керівник К. К. (керівник організації)" in said
    settings = app.config["SETTINGS"]
    app.config["SETTINGS"] = replace(settings, mail_server=MailServer("127.0.0.1", 25, encrypted=False))
    told = registered()
    assert "Листа не надіслано" not in told
    assert "має прийняти його в роботу" in told


@pytest.mark.parametrize("ending", ["", "registered", "closed", "attached", "nonsense"])
def test_an_ending_that_does_not_exist(app, exchange, mine, ending):
    draft = exchange.call()[1]
    assert mine.post(f"/drafts/{draft}/end", {"ending": ending, "revision": "0"}).status_code == 400
    assert stored(app, draft).state == "draft"


def test_earlier_calls_say_in_words_what_became_of_them(app, exchange, mine):
    report, added, now_open = (exchange.call()[1] for _call in range(3))
    mine.post(f"/drafts/{report}/register", {**FORM, "revision": "0"})
    number = stored(app, report).number
    mine.post(f"/drafts/{added}/attach", {"revision": "0", "text": "Досі", "street": "", "attach_to": number})
    side = mine.fetch(f"/desk/side/{now_open}").text
    for word in ("зареєстровано", "додано до"):
        assert re.search(rf'{word} <a href="/reports/{report}"[^>]*>№(&nbsp;|\xa0){number}', side)


def test_a_call_about_an_open_report_is_added_to_it(app, exchange, mine):
    """I6, I10: by the button beside the report, or by a typed number; what was typed goes into its history."""
    report, first, second = (exchange.call()[1] for _call in range(3))
    mine.post(f"/drafts/{report}/register", {**FORM, "revision": "0"})
    number = stored(app, report).number
    side = mine.fetch(f"/desk/side/{first}").text
    assert f'name="attach_to" value="{number}"' in side
    form = {"revision": "0", "text": "Досі не горить", "street": "", "attach_typed": ""}
    mine.post(f"/drafts/{first}/attach", form | {"attach_to": number})
    mine.post(f"/drafts/{second}/attach", form | {"attach_typed": str(int(number.split("-")[1]))})
    assert {stored(app, draft).attached_to_id for draft in (first, second)} == {report}
    with app.app_context():
        notes = [row.note for row in db.session.get_one(Report, report).history if row.event == "applicant_called"]
    assert notes == ["Досі не горить"] * 2


@pytest.mark.parametrize("typed", ["", "9999", "2020-0001", "abc", "№"])
def test_a_report_number_that_does_not_exist_keeps_the_form(app, exchange, mine, typed):
    draft = exchange.call()[1]
    form = {"revision": "0", "text": "Досі не горить", "attach_typed": typed}
    answer = mine.post(f"/drafts/{draft}/attach", form)
    assert answer.status_code == 422
    assert 'id="attach_typed-error"' in answer.text
    assert (stored(app, draft).state, stored(app, draft).text) == ("draft", "Досі не горить")


def test_nothing_is_added_to_a_closed_report(app, exchange, mine):
    """It may have been closed since the page was made; nobody would read the note. What was typed is kept."""
    report, draft = (exchange.call()[1] for _call in range(2))
    mine.post(f"/drafts/{report}/register", {**FORM, "revision": "0"})
    number = stored(app, report).number
    with app.app_context(), transaction() as session:
        session.get_one(Report, report).state = ReportState.CLOSED
    form = {"revision": "0", "text": "Досі не горить", "street": "", "attach_typed": "", "attach_to": number}
    answer = mine.post(f"/drafts/{draft}/attach", form)
    assert answer.status_code == 422
    assert f"Повідомлення №\N{NO-BREAK SPACE}{number} вже закрите: зареєструйте нове (F9)." in answer.text
    assert (stored(app, draft).state, stored(app, draft).text) == ("draft", "Досі не горить")
    with app.app_context():
        events = [row.event for row in db.session.get_one(Report, report).history]
    assert "applicant_called" not in events


def test_what_a_citizen_said_is_never_markup(exchange, mine):
    draft = exchange.call()[1]
    nasty = "<script>alert(1)</script>'\"><img src=x>"
    mine.save(draft, 0, text=nasty, applicant_name=nasty[:60], landmark=nasty, street=nasty)
    for path in (f"/drafts/{draft}", "/desk/lists", f"/desk/side/{draft}"):
        assert "<script>alert" not in mine.page(path).text
        assert "<img src" not in mine.fetch(path).text


# ---- who calls


def test_one_press_says_who_calls(app, exchange, mine):
    first, second = (exchange.call()[1] for _call in range(2))
    mine.post(f"/drafts/{first}/register", {**FORM, "applicant_name": "Олена Коваль", "revision": "0"})
    side = mine.fetch(f"/desk/side/{second}").text
    assert "можливо: Олена Коваль" in side
    assert "за 1\u00a0повідомленням: Київська, 12" in side
    answer = mine.post(f"/drafts/{second}/person", {"name": "Олена Коваль", "revision": "0", "text": "Яма"})
    assert answer.json["fields"]["applicant_name"] == "Олена Коваль"
    assert (answer.json["fields"]["text"], answer.json["revision"]) == ("Яма", stored(app, second).revision)
    other = mine.post(f"/drafts/{second}/person", {"other": "1"})
    assert other.json["fields"]["applicant_name"] == ""
    assert "З цього номера дзвонить інша особа" in mine.fetch(f"/desk/side/{second}").text


@pytest.mark.parametrize("called_from", ["0661112233", "anonymous"])
def test_another_telephone_brings_its_people_and_its_open_reports(app, exchange, mine, called_from):
    """Keys go on over both numbers; F6 stands on one report only."""
    report, draft = exchange.call("0671234567")[1], exchange.call(called_from)[1]
    mine.post(f"/drafts/{report}/register", {**FORM, "applicant_name": "Олена Коваль", "revision": "0"})
    assert "Олена Коваль" not in mine.fetch(f"/desk/side/{draft}").text
    mine.save(draft, 0, other_phone="067 123-45-67")
    side = mine.fetch(f"/desk/side/{draft}").text
    assert "можливо: Олена Коваль" in side
    assert 'data-alt="1"' in side
    assert side.count("<kbd>F6</kbd>") == 1
    assert f'data-report="{report}"' in side
    assert ("встановити за ним особу неможливо" in side) is (called_from == "anonymous")
    assert "Запитайте телефон" not in side
    assert "За іншим телефоном" in mine.fetch("/desk/live").text
    answer = mine.post(f"/drafts/{draft}/person", {"name": "Олена Коваль"})
    assert answer.json["fields"]["applicant_name"] == "Олена Коваль"


def test_a_report_of_both_telephones_is_listed_once(app, exchange, mine):
    report, draft = exchange.call("anonymous")[1], exchange.call("0671234567")[1]
    mine.post(f"/drafts/{report}/register", {**FORM, "other_phone": "050 111 22 33", "revision": "0"})
    with app.app_context(), transaction() as session:
        session.get_one(Report, report).call.number = "+380671234567"
    mine.save(draft, 0, other_phone="0501112233")
    assert mine.fetch(f"/desk/side/{draft}").text.count(f'data-report="{report}"') == 1


def test_saying_who_calls_needs_somebody(app, exchange, mine):
    draft = exchange.call()[1]
    for wrong in ({}, {"person": "999"}, {"person": "9" * 30}, {"person": "x"}, {"name": "  "}):
        assert mine.post(f"/drafts/{draft}/person", wrong).status_code == 400
    with app.app_context():
        assert db.session.scalars(db.select(Person)).all() == []


def test_the_page_of_a_draft_opens_again_as_it_was(exchange, mine):
    """I3: a reload and a second tab show the same."""
    draft = exchange.call()[1]
    mine.save(draft, 0, text="Яма на дорозі", building="12")
    first, second = mine.page(f"/drafts/{draft}").text, mine.page(f"/drafts/{draft}").text
    for page in (first, second):
        assert "Яма на дорозі" in page
        assert 'name="revision" value="1"' in page
        assert "<h1" in page


def _users(app: Flask) -> list[User]:
    with app.app_context():
        return list(db.session.scalars(db.select(User).where(User.role == Role.ADMINISTRATOR)))


def _id(app: Flask, login: str) -> int:
    with app.app_context():
        return user_id(login)
