"""How a draft ends: registered, added to a report, or otherwise, and back."""

import re
from dataclasses import replace

import pytest

from jobs.settings import MailServer
from models.attempts import switch_machine
from models.base import db, now, transaction
from models.people import Organisation, User
from models.places import Category
from models.reports import HistoryRow, Report, ReportState
from tests.desk.one_desk import FORM, id_of, stored
from tests.desk_fixtures import user_id
from tests.test_web_duty import set_numbers


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
    assert (found.state, found.owner_id, found.building) == ("new", id_of(app, "tsapkova"), "12")
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
    set_numbers(app, "+380671234599")
    told = re.sub("<[^>]+>", "", registered())
    assert "Автодзвінки зупинено: зателефонуйте черговим самі" in told
    assert "Листа не надіслано" not in told
    with app.app_context(), transaction() as session:
        switch_machine(session, session.get_one(User, user_id("nachalnyk")), now(), on=True)
    told = re.sub("<[^>]+>", "", registered())
    assert "Автодзвінок черговим почнеться, щойно звільниться лінія" in told
    assert "зателефонуйте" not in told


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
