"""The technical administrator's pages: lines with the way of a call, phones, one draft, versions (I2, A3)."""

import re
from datetime import date

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from jobs.pbx import render
from models.base import db, now, transaction
from models.free_days import DayException
from models.hours import Hours, OutOfHours
from models.lines import RingStep, Timetable, ring_order, timetable
from models.people import AccessLog, Phone
from models.plan_acts import note_present
from models.plan_versions import PlanState, PlanVersion, Trouble, open_draft
from tests.plan_fixtures import NOWHERE, FakeExchange, look
from tests.reference_fixtures import PAGE, errors_of
from tests.web_fixtures import Browser, logged_in, stored_user


@pytest.fixture
def tekhnik(web: Flask) -> Browser:
    """The technical administrator of a town whose present tables are version 1."""
    with web.app_context(), transaction() as session:
        note_present(session, None, now()).settled_at = now()
    return logged_in(web, "tekhnik")


def send(browser: Browser, address: str, values: dict[str, object], page: str = "") -> TestResponse:
    """What the form on ``page`` would send to ``address``, with its hidden fields."""
    shown = browser.get(page or address).text
    hidden = dict(re.findall(r'name="(csrf_token|was|revision)" value="([^"]*)"', shown))
    return browser.client.post(address, data=hidden | values, headers=PAGE)


def step(place: int, phones: list[str], seconds: str) -> dict[str, object]:
    return {f"step-{place}-phones": phones, f"step-{place}-seconds": seconds}


def keep_line(browser: Browser, *steps: tuple[list[str], str], digits: str = "53273", **values: str) -> TestResponse:
    sent: dict[str, object] = {"title": "Перша", "active": "on", "do": "save"} | values
    for place, (phones, seconds) in enumerate(steps, 1):
        sent |= step(place, phones, seconds)
    return send(browser, f"/lines/line/{digits}", sent)


def apply(browser: Browser, reason: str = "Відпустка") -> TestResponse:
    return send(browser, "/lines/apply", {"reason": reason}, "/lines")


def seen(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text).replace("\u00a0", " "))


def test_the_plan_in_force_can_be_checked(web: Flask, tekhnik: Browser) -> None:
    assert "Помилок немає." in tekhnik.get("/lines?check=1").text
    with web.app_context(), transaction() as session:
        for step in session.scalars(select(RingStep)):
            step.seconds = 4
    assert "Лінія 5-32-73, крок 1: Нехай дзвонить від 5 до 60 секунд." in seen(tekhnik.get("/lines?check=1").text)


def test_each_line_is_drawn_as_the_way_of_a_call(tekhnik: Browser) -> None:
    page = tekhnik.get("/lines").text
    way = re.search(r'<ol class="way" aria-label="Шлях дзвінка на 5-32-73">(.*?)</ol>', page, re.S)[1]
    stations = [seen(one).strip() for one in re.findall(r"<li.*?</li>", way, re.S)]
    assert stations == [
        "☎ надходить дзвінок",
        "101 20 с",
        "102 + 103 разом, 25 с",
        "стан повідомлення пропонує машина",
        "■ кінець дзвінка",
    ]


CLOSING = {"workdays": "8:00-17:00", "other_days": "", "out_of_hours": "message", "duty": "admin3"}


def keep_hours(browser: Browser, **values: str) -> TestResponse:
    sent = {"title": "", "active": "on", "do": "save"} | step(1, ["admin1"], "20") | step(2, ["admin2", "admin3"], "25")
    return send(browser, "/lines/line/53273", sent | CLOSING | values)


def stations(page: str) -> list[str]:
    way = re.search(r'<ol class="way" aria-label="Шлях дзвінка на 5-32-73">(.*?)</ol>', page, re.S)[1]
    return [seen(one).strip() for one in re.findall(r"<li.*?</li>", way, re.S)]


def test_hours_are_drafted_applied_and_taken_back(web: Flask, tekhnik: Browser) -> None:
    exchange = FakeExchange(web.config["SETTINGS"])
    assert keep_hours(tekhnik).status_code == 302
    page = seen(tekhnik.get("/lines").text)
    assert "Лінія 5-32-73: години в робочі дні були: цілодобово, будуть: 08:00–17:00" in page
    assert "Лінія 5-32-73: години у вихідні та свята були: цілодобово, будуть: неробочий час" in page
    assert "у неробочий час машина казатиме години роботи й записуватиме повідомлення" in page
    assert "клавіша 1 викликатиме черговий телефон 103" in page
    apply(tekhnik)
    assert look(web, exchange) == ""
    with web.app_context():
        assert timetable(db.session(), "53273") == Timetable(Hours("08:00–17:00"), "admin3")
    form = tekhnik.get("/lines/line/53273").text
    assert 'value="08:00–17:00"' in form
    assert not re.search(r'name="always"[^>]*checked', form)
    send(tekhnik, "/lines/versions/1/return", {"reason": ""}, "/lines/versions/1")
    assert look(web, exchange) == ""
    with web.app_context():
        assert timetable(db.session(), "53273") is None


def test_what_the_form_does_not_show_has_no_effect(web: Flask, tekhnik: Browser) -> None:
    keep_hours(tekhnik, always="on")
    with web.app_context():
        line = open_draft(db.session()).plan.line("53273")
        assert (line.hours, line.out_of_hours, line.duty) == (None, OutOfHours.RING, "")
    keep_hours(tekhnik, out_of_hours="ring")
    with web.app_context():
        line = open_draft(db.session()).plan.line("53273")
        assert (line.hours, line.duty) == (Hours("08:00–17:00"), "")


@pytest.mark.parametrize(
    ("values", "field", "sentence"),
    [
        ({"workdays": "8 до 17"}, "workdays", "Напишіть години так: 08:00–17:00"),
        ({"workdays": "22:00–06:00"}, "workdays", "Години 22:00–06:00 закінчуються раніше, ніж починаються"),
        ({"other_days": "15:00–09:00"}, "other_days", "Години 15:00–09:00 закінчуються раніше"),
        ({"workdays": ""}, "workdays", "Лінія ніколи не працювала б"),
        ({"duty": "admin9"}, "duty", "Телефону admin9 для чергового немає"),
    ],
)
def test_hours_that_cannot_be_are_refused_at_their_field(
    tekhnik: Browser, values: dict[str, str], field: str, sentence: str
) -> None:
    answer = keep_hours(tekhnik, **values)
    assert answer.status_code == 422
    assert sentence in seen(errors_of(answer)[field])
    assert 'value="8:00' not in answer.text  # as it is kept


def test_the_way_of_a_call_is_shown_for_any_moment(web: Flask, tekhnik: Browser) -> None:
    keep_hours(tekhnik)
    for page in ("/lines", "/lines/line/53273"):
        sunday = tekhnik.get(f"{page}?at=2026-11-29T03:00").text
        assert "неділя, 29.11 03:00" in seen(sunday)
        assert 'value="2026-11-29T03:00"' in sunday
        assert stations(sunday) == [
            "☎ надходить дзвінок",
            "☾ тоді неробочий час вихідний, увесь день неробочий",
            "години роботи каже машина",
            "1 103 черговий, за клавішею, 30 с",
            "повідомлення у чернетку, і передзвін",
            "■ кінець дзвінка",
        ]
        monday = stations(tekhnik.get(f"{page}?at=2026-11-30T08:00").text)
        assert monday[1:3] == ["✓ тоді робочий час робочий день, 08:00–17:00", "101 20 с"]
        assert stations(tekhnik.get(f"{page}?at=2026-11-30T17:00").text)[1].startswith(
            "☾ тоді неробочий час робочий день"
        )
    with web.app_context(), transaction() as session:
        session.add(DayException(day=date(2026, 11, 30), worked=False))
    assert (
        stations(tekhnik.get("/lines?at=2026-11-30T08:00").text)[1]
        == "☾ тоді неробочий час свято, увесь день неробочий"
    )
    assert re.match("[✓☾] зараз", stations(tekhnik.get("/lines").text)[1])
    for nonsense in ("x", "", "9999-12-31T23:59", "0001-01-01T00:00"):
        assert tekhnik.get(f"/lines?at={nonsense}").status_code == 200, nonsense


def test_a_draft_says_what_it_changes_and_rings_nowhere(web: Flask, tekhnik: Browser) -> None:
    assert keep_line(tekhnik, (["admin2"], "30"), (["admin1", "admin3"], "20")).status_code == 302
    page = seen(tekhnik.get("/lines").text)
    assert "Лінія 5-32-73: дзвонила 101 (20) → 102 + 103 (25), дзвонитиме 102 (30) → 101 + 103 (20)" in page
    assert "Лінія 5-32-73: назва була «—», буде «Перша»" in page
    with web.app_context():
        assert ring_order(db.session(), "53273")[0] == (["admin1"], 20)
    checked = seen(tekhnik.get("/lines?check=1").text)
    assert "✓ Помилок немає" in checked


def test_a_good_draft_is_applied_and_the_page_says_so(web: Flask, tekhnik: Browser) -> None:
    exchange = FakeExchange(web.config["SETTINGS"])
    keep_line(tekhnik, (["admin2"], "30"))
    assert apply(tekhnik).status_code == 302
    assert "Версію 2 передаємо станції" in seen(tekhnik.get("/lines").text)
    assert look(web, exchange) == ""
    page = seen(tekhnik.get("/lines").text)
    assert "Діє версія 2" in page
    assert "Технічний Т. А.: Відпустка" in page
    assert "Що змінює чернетка" not in page
    with web.app_context():
        assert ring_order(db.session(), "53273") == [(["admin2"], 30)]
    assert "ROUTE_53273 = PJSIP/admin2,30,i\n" in exchange.holds()["extensions.conf"]
    versions = seen(tekhnik.get("/lines/versions").text)
    assert "Відпустка" in versions
    assert "Діяла раніше" in versions
    assert "застосовано" in seen(tekhnik.get("/lines/versions/2").text)


def test_one_click_returns_to_an_earlier_version(web: Flask, tekhnik: Browser) -> None:
    exchange = FakeExchange(web.config["SETTINGS"])
    keep_line(tekhnik, (["admin2"], "30"))
    apply(tekhnik)
    look(web, exchange)
    page = "/lines/versions/1"
    assert "Повернутися до цієї версії" in tekhnik.get(page).text
    assert send(tekhnik, f"{page}/return", {"reason": ""}, page).status_code == 302
    again = send(tekhnik, f"{page}/return", {"reason": ""}, page)
    assert (again.status_code, "саме застосовується" in again.text) == (409, True)
    assert look(web, exchange) == ""
    with web.app_context():
        assert ring_order(db.session(), "53273")[0] == (["admin1"], 20)
        assert db.session.get_one(PlanVersion, 3).reason == "Повернення до версії 1"
    assert "Повернутися до цієї версії" not in tekhnik.get("/lines/versions/3").text  # it is in force


def test_a_version_that_the_exchange_did_not_take_says_why(web: Flask, tekhnik: Browser) -> None:
    exchange = FakeExchange(web.config["SETTINGS"])
    exchange.deaf = True
    with web.app_context():
        render(db.session(), web.config["SETTINGS"], NOWHERE)
    exchange.start()
    keep_line(tekhnik, (["admin2"], "30"))
    apply(tekhnik)
    look(web, exchange)
    page = seen(tekhnik.get("/lines").text)
    assert "Версію 2 не застосовано, діє попередня." in page
    assert "Станція прийняла не те, що записано (ROUTE_53273)" in page
    exchange.deaf = False
    page = "/lines/versions/2"
    assert "Застосувати цю версію ще раз" in tekhnik.get(page).text
    assert send(tekhnik, f"{page}/return", {"reason": ""}, page).status_code == 302
    assert look(web, exchange) == ""
    with web.app_context():
        assert ring_order(db.session(), "53273") == [(["admin2"], 30)]


def test_a_draft_is_not_returned_to(web: Flask, tekhnik: Browser) -> None:
    keep_line(tekhnik, (["admin2"], "30"))
    page = "/lines/versions/2"
    refused = send(tekhnik, f"{page}/return", {"reason": ""}, "/lines")
    assert (refused.status_code, "яку застосовували" in refused.text) == (409, True)


BROKEN: dict[str, tuple[tuple[tuple[list[str], str], ...], str]] = {
    "a phone that does not exist": (((["admin9"], "20"),), "Лінія 5-32-73, крок 1: телефону admin9 немає"),
    "no step": ((), "Лінія 5-32-73: дзвонити нікому: додайте крок із телефоном."),
    "a step without a phone": ((([], "20"),), "Лінія 5-32-73, крок 1: не вибрано жодного телефону"),
    "too short": (((["admin1"], "10"),), "Лінія 5-32-73: усього дзвонить 10 с, так швидко до телефону не встигнути"),
    "without an end": (((["admin1"], "60"),) * 6, "Лінія 5-32-73: усього дзвонить 360 с, так довго ніхто не чекатиме"),
    "twice": (((["admin1", "admin1"], "20"),), "Лінія 5-32-73, крок 1: телефон 101 вказано двічі"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_draft_is_refused_with_a_sentence(web: Flask, tekhnik: Browser, case: str) -> None:
    steps, sentence = BROKEN[case]
    assert keep_line(tekhnik, *steps).status_code == 302
    assert sentence in seen(tekhnik.get("/lines?check=1").text)
    refused = apply(tekhnik, "Навмисно")
    assert refused.status_code == 422
    assert sentence in seen(refused.text)
    assert 'value="Навмисно"' in refused.text
    with web.app_context():
        assert open_draft(db.session()).state == PlanState.REFUSED


@pytest.mark.parametrize(
    ("title", "signs"), [("System(rm)", "( )"), ('a";b', '" ;'), ("${SHELL(id)}", "$ { ( ) }"), ("[trunk]", "[ ]")]
)
def test_a_text_that_would_be_configuration_is_refused_at_its_field(tekhnik: Browser, title: str, signs: str) -> None:
    """And what was typed stays."""
    for answer in (
        keep_line(tekhnik, (["admin1"], "20"), title=title),
        send(tekhnik, "/lines/phones/admin1", {"extension": "101", "title": title, "active": "on"}),
    ):
        assert answer.status_code == 422
        assert f"не можуть стояти в налаштуваннях станції: {signs}." in errors_of(answer)["title"].replace("&#34;", '"')
        assert re.search(r'id="title" name="title"[^>]*value="[^"]+"', answer.text)


def test_a_line_that_cannot_be_is_refused_at_its_field(tekhnik: Browser) -> None:
    new = {"title": "Четверта", "active": "on", "do": "save"} | step(1, ["admin1"], "20")
    for number, words in (
        ("5-32-7", "Напишіть номер як 5-32-73"),
        ("101", "Напишіть номер як 5-32-73"),
        ("5-32-73", "Такий номер уже є"),
    ):
        answer = send(tekhnik, "/lines/line/new", new | {"number": number})
        assert (answer.status_code, words in errors_of(answer)["number"]) == (422, True)
    answer = send(tekhnik, "/lines/line/new", new | {"number": "5-11-12"} | step(1, ["admin1"], "багато"))
    assert "від 5 до 60 секунд" in errors_of(answer)["step-1-seconds"].replace("\u00a0", " ")
    assert send(tekhnik, "/lines/line/new", new | {"number": "5-11-12"}).status_code == 302
    assert "Лінія 5-11-12: додано «Четверта»" in seen(tekhnik.get("/lines").text)


def test_a_phone_that_cannot_be_is_refused_at_its_field(web: Flask, tekhnik: Browser) -> None:
    new = {"name": "admin4", "extension": "104", "title": "Тел. 4", "user": "dyspetcher", "active": "on"}
    for name, value, words in (
        ("name", "Адмін", "малими латинськими"),
        ("name", "trunk", "малими латинськими"),
        ("name", "admin1", "уже є"),
        ("extension", "*8", "двох–восьми цифр"),
        ("extension", "101", "інший телефон"),
        ("extension", "53273", "номер лінії 5-32-73"),
        ("user", "tsapkova", "уже має телефон"),
        ("user", "nobody", "Немає нікого з логіном"),
    ):
        answer = send(tekhnik, "/lines/phones/new", new | {name: value})
        assert (answer.status_code, words in errors_of(answer)[name]) == (422, True), (name, value)
    assert send(tekhnik, "/lines/phones/new", new).status_code == 302
    with web.app_context():
        assert open_draft(db.session()).plan.phone("admin4").user == "dyspetcher"


def test_a_phone_that_is_switched_off_is_nobodys_and_named_where_it_rings(web: Flask, tekhnik: Browser) -> None:
    send(tekhnik, "/lines/phones/admin3", {"extension": "103", "title": "", "user": "sorokina"})
    with web.app_context():
        assert open_draft(db.session()).plan.phone("admin3").user == ""
    page = seen(tekhnik.get("/lines?check=1").text)
    assert "Лінія 5-32-73, крок 2: телефон 103 вимкнено" in page
    assert "▲ admin3 не дзвонить" in page


ACTS: dict[str, tuple[str, list[tuple[list[str], str]]]] = {
    "add": ("step-3", [(["admin1"], "20"), (["admin2", "admin3"], "25"), ([], "25")]),
    "down-1": ("step-2", [(["admin2", "admin3"], "25"), (["admin1"], "20")]),
    "up-2": ("step-1", [(["admin2", "admin3"], "25"), (["admin1"], "20")]),
    "remove-1": ("step-1", [(["admin2", "admin3"], "25")]),
}


@pytest.mark.parametrize("act", ACTS)
def test_steps_are_added_removed_and_moved_without_a_mouse(web: Flask, tekhnik: Browser, act: str) -> None:
    """Nothing is written by it, and the page goes on where the step is."""
    answer = keep_line(tekhnik, (["admin1"], "20"), (["admin2", "admin3"], "25"), do=act, title="Лишається")
    focus, expected = ACTS[act]
    assert answer.status_code == 200
    assert re.search(rf'<fieldset id="{focus}" tabindex="-1" data-go-on>', answer.text)
    assert 'value="Лишається"' in answer.text
    found = []
    for fieldset in re.findall(r"<fieldset.*?</fieldset>", answer.text, re.S):
        seconds = re.search(r'inputmode="numeric" size="4" value="(\d+)"', fieldset)[1]
        found.append((re.findall(r'value="(\w+)" checked', fieldset), seconds))
    assert found == expected
    with web.app_context():
        assert open_draft(db.session()) is None


def edited_by_two(
    web: Flask, address: str, first: dict[str, object], second: dict[str, object]
) -> tuple[Browser, TestResponse]:
    """Both open the form, the first saves, then the second: the second's browser, and what they get."""
    stored_user(web, "cherniavska", role="technical_administrator")
    one, other = logged_in(web, "cherniavska"), logged_in(web, "tekhnik")
    shown = other.get(address).text
    hidden = dict(re.findall(r'name="(csrf_token|was)" value="([^"]*)"', shown))
    assert send(one, address, first).status_code == 302
    return other, other.client.post(address, data=hidden | second, headers=PAGE)


@pytest.mark.usefixtures("tekhnik")
def test_who_saves_second_is_shown_what_the_first_saved(web: Flask) -> None:
    base = {"title": "", "active": "on", "do": "save"}
    first, second = base | step(1, ["admin3"], "40"), base | {"title": "Моя"} | step(1, ["admin2"], "20")
    browser, answer = edited_by_two(web, "/lines/line/53273", first, second)
    assert answer.status_code == 409
    assert "Колега тим часом змінив цю лінію" in answer.text
    assert "☎ надходить дзвінок 103 40 с" in seen(answer.text)
    assert 'value="Моя"' in answer.text
    hidden = dict(re.findall(r'name="(csrf_token|was)" value="([^"]*)"', answer.text))
    assert browser.client.post("/lines/line/53273", data=second | hidden, headers=PAGE).status_code == 302
    with web.app_context():
        assert open_draft(db.session()).plan.line("53273").title == "Моя"


@pytest.mark.usefixtures("tekhnik")
def test_the_same_of_the_hours(web: Flask) -> None:
    base = {"title": "", "active": "on", "do": "save"} | step(1, ["admin1"], "20")
    mine = base | {"always": "on", "workdays": "", "other_days": "", "out_of_hours": "ring", "duty": "", "title": "Моя"}
    _browser, answer = edited_by_two(web, "/lines/line/53273", base | CLOSING, mine)
    assert answer.status_code == 409
    page = seen(answer.text)
    saved = ("за годинами", "08:00–17:00", "машина каже години роботи й записує повідомлення", "103")
    for word in saved:
        assert f"збережено : {word}" in page or f"збережено: {word}" in page, word


@pytest.mark.usefixtures("tekhnik")
def test_the_same_of_a_phone(web: Flask) -> None:
    base = {"extension": "101", "title": "", "user": "tsapkova", "active": "on"}
    _browser, answer = edited_by_two(web, "/lines/phones/admin1", base | {"title": "Вікно"}, base | {"title": "Двері"})
    assert answer.status_code == 409
    assert "Вікно" in answer.text
    assert 'value="Двері"' in answer.text


def test_a_draft_that_was_changed_is_not_applied_unread(web: Flask, tekhnik: Browser) -> None:
    keep_line(tekhnik, (["admin2"], "30"))
    shown = tekhnik.get("/lines").text
    hidden = dict(re.findall(r'name="(csrf_token|revision)" value="([^"]*)"', shown))
    keep_line(tekhnik, (["admin3"], "30"))
    for act in ("apply", "drop"):
        answer = tekhnik.client.post(f"/lines/{act}", data=hidden | {"reason": "Відпустка"}, headers=PAGE)
        assert (answer.status_code, "Чернетка вже не та" in answer.text) == (409, True)
    assert "дзвонитиме 103 (30)" in seen(answer.text)
    assert apply(tekhnik, " ").status_code == 422  # without a reason
    assert send(tekhnik, "/lines/drop", {}, "/lines").status_code == 302
    with web.app_context():
        assert open_draft(db.session()) is None


def secret(web: Flask, name: str) -> str:
    with web.app_context():
        return db.session.scalar(select(Phone.secret).where(Phone.name == name))


def test_a_phone_gets_a_new_secret_when_the_draft_is_applied(web: Flask, tekhnik: Browser) -> None:
    before = secret(web, "admin1")
    page = "/lines/phones/admin1"
    for _twice in range(2):
        assert send(tekhnik, f"{page}/secret", {}, page).status_code == 302
    assert "Телефон 101: новий пароль" in seen(tekhnik.get("/lines").text)
    assert "У чернетці чекає новий пароль" in tekhnik.get(f"{page}/card").text
    assert secret(web, "admin1") == before
    apply(tekhnik, "Телефон поцупили")
    assert look(web, FakeExchange(web.config["SETTINGS"])) == ""
    after = secret(web, "admin1")
    assert after != before
    assert len(after) == 32
    assert after in tekhnik.get(f"{page}/card").text


def looks(web: Flask) -> list[tuple[str, str]]:
    with web.app_context():
        return [(row.subject, row.reason) for row in db.session.scalars(select(AccessLog))]


def test_a_secret_is_shown_on_its_card_alone_and_that_leaves_a_row(web: Flask, tekhnik: Browser) -> None:
    known = secret(web, "admin1")
    for page in ("/lines", "/lines/phones/admin1", "/lines/line/53273", "/lines/versions/1", "/lines/versions"):
        assert known not in tekhnik.get(page).text
    assert looks(web) == []
    card = tekhnik.get("/lines/phones/admin1/card").text
    settings = web.config["SETTINGS"]
    for told in (known, "admin1", settings.bind, str(settings.sip_port)):
        assert told in card
    assert looks(web) == [("phone", "the card of a desk phone")]
    assert "пароль телефону на столі" in logged_in(web, "nachalnyk").get("/personal-data/log").text
    assert tekhnik.get("/lines/phones/admin9/card").status_code == 404


def test_the_pages_speak_english_too(web: Flask, tekhnik: Browser) -> None:
    stored_user(web, "tekhnik", language="en")
    keep_line(tekhnik, (["admin9"], "20"))
    page = seen(tekhnik.get("/lines?check=1").text)
    assert "Line 5-32-73, step 1: there is no phone admin9: choose another, or add it." in page
    assert "Way of a call to 5-32-73" in tekhnik.get("/lines").text


@pytest.mark.parametrize("trouble", Trouble)
def test_why_a_version_was_rolled_back_is_told(web: Flask, tekhnik: Browser, trouble: Trouble) -> None:
    told = seen(tekhnik.get("/lines/versions/1").text)
    with web.app_context(), transaction() as session:
        session.get_one(PlanVersion, 1).trouble = trouble
    assert seen(tekhnik.get("/lines/versions/1").text) != told
