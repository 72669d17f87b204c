"""Calls that go on, and the lists beside them, as the desk shows them."""

import re
from datetime import timedelta

from sqlalchemy import event, func

from models.base import db, transaction
from models.calls import Call
from models.hours import OutOfHours
from models.lines import Line
from models.people import AccessLog, Phone, User
from tests.desk.one_desk import FORM, id_of, stored
from tests.desk_fixtures import user_id


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
    assert bars.count("номер приховано") == 1
    assert "Запитайте, на який номер передзвонити." in bars
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
    assert [tuple(look) for look in looks] == [(id_of(app, "tsapkova"), call) for call in (first, second)]


def test_of_two_talks_the_strip_leads_to_the_one_that_was_answered_last(exchange, mine):
    """The other one waits: whoever speaks now is asked what has happened."""
    first, second = (exchange.call(number) for number in ("0671234567", "0501112233"))
    for call, _draft in (first, second):
        exchange.answer(call, 1)
    assert f'href="/drafts/{second[1]}"' in mine.fetch("/desk/strip").text


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


def test_a_caller_who_hears_of_an_outage_rings_at_nobodys_until_a_phone_does(app, exchange, mine):
    """Wherever the state of the call is told (C7)."""
    call, draft = exchange.call(line="53275")
    with app.app_context(), transaction() as session:
        session.get_one(Call, call).announced = True
    mine.post(f"/drafts/{draft}/claim")

    def shown() -> tuple[bool, ...]:
        lines, bars = mine.fetch("/desk/frame").json["lines"], mine.fetch("/desk/live").text
        note = mine.fetch(f"/desk/calls/{call}").json["note"]
        return 'data-line="53275" data-state="listening"' in lines, "СЛУХАЄ ОГОЛОШЕННЯ" in bars, "слухає" in note

    assert shown() == (True, True, True)
    exchange.ring(call, 1)
    assert shown() == (False, False, False)
    assert 'data-line="53275" data-state="ringing"' in mine.fetch("/desk/frame").json["lines"]


def test_who_pressed_the_key_of_an_emergency_out_of_hours_is_told_from_others(app, exchange, mine):
    """I2: where the strip says who calls, on the desk and on the other pages; in hours there is no such word."""
    with app.app_context(), transaction() as session:
        line = session.scalars(db.select(Line).where(Line.number == "5-32-75")).one()
        line.workday_hours, line.other_hours, line.out_of_hours = "", "", OutOfHours.MESSAGE
        line.duty_phone = session.scalars(db.select(Phone).where(Phone.name == "admin1")).one()
    call = exchange.call(line="53275")[0]

    def told(yes: bool) -> None:
        for part in ("/desk/live", "/desk/strip"):
            assert ("неробочий час: натиснули 1\u00a0— аварія" in mine.fetch(part).text) is yes

    exchange.ring(call, 1)
    told(False)  # as where the machine could not speak
    with app.app_context(), transaction() as session:
        session.get_one(Call, call).announced = True
    told(True)
    exchange.answer(call, 1)
    told(True)
    with app.app_context(), transaction() as session:
        session.scalars(db.select(Line).where(Line.number == "5-32-75")).one().workday_hours = None
        session.scalars(db.select(Line).where(Line.number == "5-32-75")).one().other_hours = None
    told(False)


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
    assert stored(app, draft).owner_id == id_of(app, "tsapkova")
    assert 'id="forsaken"' not in mine.fetch("/desk/lists").text
