"""Who sees the desk, and what a stranger gets."""

import pytest

from models.people import Role
from tests.desk.one_desk import PAGE, Desk, stored
from tests.desk_fixtures import PEOPLE
from webui.access import DESK_ROLES


@pytest.mark.parametrize("login", [login for login, (_name, role) in PEOPLE.items() if role in DESK_ROLES])
def test_the_desk_is_for_those_who_answer(app, login):
    assert Desk(app, login).page("/").status_code == 200


@pytest.mark.parametrize(("login", "place"), [("operator", "/work"), ("kerivnyk", "/work"), ("kontrol", "/decisions")])
def test_who_has_no_desk_is_sent_to_their_own_work(app, exchange, login, place):
    draft, person = exchange.call()[1], Desk(app, login)
    assert person.page("/").location == place
    for path in (f"/drafts/{draft}", "/desk/live", "/desk/lists", f"/desk/side/{draft}"):
        assert person.fetch(path).status_code == 403
    frame = person.fetch("/desk/frame")
    if login == "kontrol":
        assert frame.status_code == 403
    else:  # an enterprise's pages hear of new reports, and of no line
        assert (frame.json["lines"], frame.json["counts"]) == ("", "")


def test_the_technical_administrator_is_sent_to_the_state_of_the_system(app, exchange):
    draft = exchange.call()[1]
    technician = Desk(app, "tekhnik")
    assert technician.page("/").location == "/status"
    for path in (f"/drafts/{draft}", "/desk/live", "/desk/lists", f"/desk/side/{draft}", "/desk/frame"):
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
