"""Who calls, and what is known of another telephone."""

import pytest

from models.base import db, transaction
from models.people import Person
from models.reports import Report
from tests.desk.one_desk import FORM, stored


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
    """Keys go on over both numbers."""
    report, draft = exchange.call("0671234567")[1], exchange.call(called_from)[1]
    mine.post(f"/drafts/{report}/register", {**FORM, "applicant_name": "Олена Коваль", "revision": "0"})
    assert "Олена Коваль" not in mine.fetch(f"/desk/side/{draft}").text
    mine.save(draft, 0, other_phone="067 123-45-67")
    side = mine.fetch(f"/desk/side/{draft}").text
    assert "можливо: Олена Коваль" in side
    assert 'data-alt="1"' in side
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
