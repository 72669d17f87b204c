"""Whose a draft is: taken, handed over, taken over."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from werkzeug.test import TestResponse

from models.base import db, now, transaction
from models.drafts import LEFT_AFTER
from models.reports import HistoryRow, Report
from tests.desk.one_desk import FORM, Desk, administrators, id_of, stored
from tests.desk_fixtures import PEOPLE


def test_two_who_take_a_draft_at_once_one_gets_it_and_the_other_is_told_who(app, exchange, mine, colleague):
    """A hundred times two browsers at the same moment: one owner each time (design: decided by the database)."""
    names = {user.id: user.name for user in administrators(app)}
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
    to = id_of(app, "cherniavska")
    mine.save(draft, 0, text="Яма")
    assert mine.post(f"/drafts/{draft}/hand-over", {"to": to, "revision": "1", **FORM}).status_code == 200
    assert (stored(app, draft).owner_id, stored(app, draft).text) == (to, "Не горить ліхтар")
    assert mine.post(f"/drafts/{draft}/hand-over", {"to": id_of(app, "tsapkova")}).status_code == 409
    assert colleague.save(draft, 2, text="Далі").status_code == 200


def test_a_draft_that_was_handed_over_is_marked_for_its_new_owner(app, exchange, mine, colleague):
    draft = exchange.call()[1]
    mine.post(f"/drafts/{draft}/hand-over", {"to": id_of(app, "cherniavska")})
    assert "передає вам: Цапкова О. П." in colleague.fetch("/desk/lists").text
    assert "передає вам" not in mine.fetch("/desk/lists").text
    colleague.post(f"/drafts/{draft}/hand-over", {"to": id_of(app, "tsapkova")})
    assert "передає вам: Чернявська С. І." in mine.fetch("/desk/lists").text
    taken = exchange.call()[1]
    mine.post(f"/drafts/{taken}/claim")
    assert mine.fetch("/desk/lists").text.count("передає вам:") == 1


def test_a_draft_that_a_colleague_left_can_be_taken_over(app, exchange, mine, colleague):
    """The supervisor may at once, others half an hour after its last change, nobody while its call goes on."""
    supervisor = Desk(app, "nachalnyk")
    call, draft = exchange.call()
    mine.save(draft, 0, text="Яма", street="Польова")
    assert supervisor.post(f"/drafts/{draft}/take-over").status_code == 409
    exchange.hang_up(call)
    assert colleague.post(f"/drafts/{draft}/take-over").status_code == 409
    assert "Перебрати" not in colleague.fetch(f"/drafts/{draft}").text
    with app.app_context(), transaction() as session:
        session.get_one(Report, draft).saved_at = now() - LEFT_AFTER
    assert "Перебрати" in colleague.fetch(f"/drafts/{draft}").text
    assert "Яма" in colleague.post(f"/drafts/{draft}/take-over").text
    assert stored(app, draft).owner_id == id_of(app, "cherniavska")
    overview = supervisor.page("/").text
    drafts_of = re.search(r'href="(/drafts/of/\d+)">Чернявська С. І.', overview)[1]
    row = supervisor.page(drafts_of).text
    assert f'href="/drafts/{draft}"' in row
    assert "Польова" in row
    assert supervisor.post(f"/drafts/{draft}/take-over").status_code == 200
    assert mine.post(f"/drafts/{draft}/take-over").status_code == 409
    with app.app_context():
        rows = db.session.scalars(db.select(HistoryRow).where(HistoryRow.event == "taken_over").order_by(HistoryRow.id))
        assert [(row.user.name, row.note) for row in rows] == [
            ("Чернявська С. І.", "Цапкова О. П."),
            ("Головна Н. К.", "Чернявська С. І."),
        ]


@pytest.mark.parametrize("to", ["", "x", "999", "9" * 30, "tekhnik"])
def test_a_draft_is_handed_over_only_to_somebody_with_a_desk(app, exchange, mine, to):
    draft = exchange.call()[1]
    to = id_of(app, to) if to in PEOPLE else to
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
