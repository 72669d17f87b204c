"""Pages of the work on reports: an organisation's day, decisions, monitoring, and the acts on a report (W1-W9)."""

import logging
import re
from datetime import timedelta
from html import unescape

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from models import work
from models.acts import Act
from models.base import db, now, transaction
from models.deadlines import Deadline
from models.executions import Execution
from models.free_days import DayException
from models.looks import DailyLook
from models.people import AccessLog, Organisation, Role, User
from models.places import Category
from models.reports import HistoryEvent, HistoryRow, Report, note_history
from models.workdays import KYIV, WorkCalendar
from tests.helpers import record_call
from tests.web_fixtures import Browser, logged_in, register, stored_user

PAGE = {"Accept": "text/html", "Sec-Fetch-Dest": "document"}


def stored(web: Flask, report_id: int) -> Report:
    with web.app_context():
        report = db.session.get_one(Report, report_id)
        db.session.expunge(report)
        return report


def act(web: Flask, login: str, report_id: int, wanted: Act, **values: str):
    """What this person's page would send for an act; without a ``revision`` the present one."""
    browser = logged_in(web, login)
    form = {"act": wanted, "revision": str(stored(web, report_id).revision), **values}
    return browser.post(f"/reports/{report_id}/act", form, page="/me", headers=PAGE)


def test_from_new_to_closed_by_the_pages(web):
    """The order's way of a report: taken to work, done, not done, done, confirmed (W1, W7, W8)."""
    report = register(web, "Не горить ліхтар")
    day = logged_in(web, "operator").get("/work")
    assert stored(web, report).number in day.text
    for login, wanted, words in (
        ("operator", Act.INFORM_HEAD, ""),
        ("operator", Act.ACCEPT, ""),
        ("operator", Act.COMPLETE, "Замінено лампу"),
        ("dyspetcher", Act.REFUTE, "Знову темно"),
        ("operator", Act.COMPLETE, "Замінено дріт"),
        ("dyspetcher", Act.CONFIRM, ""),
    ):
        answer = act(web, login, report, wanted, words=words)
        assert (answer.status_code, answer.location) == (302, f"/reports/{report}"), (wanted, answer.status_code)
    assert stored(web, report).state == "closed"
    page = logged_in(web, "tsapkova").get(f"/reports/{report}").text
    for said in ("Замінено лампу", "Знову темно", "Замінено дріт"):
        assert said in page


def test_what_cannot_be_solved_goes_to_the_control_body_and_back(web):
    """R 4.4, W6"""
    report = register(web, "Провалився асфальт")
    act(web, "operator", report, Act.ACCEPT)
    act(web, "operator", report, Act.GIVE_REASONS, words="Коштів немає")
    number = stored(web, report).number
    assert number in logged_in(web, "kontrol").get("/decisions").text
    late = act(web, "kontrol", report, Act.RETURN, words="Виконати", due="2020-01-01")
    assert late.status_code == 422
    assert "Виконати" in late.text
    sunday = WorkCalendar().end_of_days(now(), 20).date()
    sunday += timedelta(days=6 - sunday.weekday())
    day = sunday + timedelta(days=1)
    free = act(web, "kontrol", report, Act.RETURN, words="Виконати", due=sunday.isoformat())
    assert free.status_code == 422
    assert f"Найближчий робочий день — {day.day}" in free.text.replace("\u00a0", " ")
    assert act(web, "kontrol", report, Act.RETURN, words="Виконати", due=day.isoformat()).status_code == 302
    moved = stored(web, report)
    assert (moved.state, moved.due_at.astimezone(KYIV).date()) == ("in_progress", day)


def test_the_planned_day_is_shown_to_those_who_work_and_to_the_applicant(web):
    """R 4.4, W5: in place of the term; a day after it is refused with what to do."""
    report = register(web, "Не горить ліхтар", due_in=timedelta(days=14))
    act(web, "operator", report, Act.ACCEPT)

    def told() -> str:
        found = stored(web, report)
        page = Browser(web).post("/stan", {"number": found.number, "pin": found.pin}, page="/stan", headers=PAGE).text
        return page.split('<dl class="facts">')[1].split("</dl>")[0]

    assert "<dt>Строк</dt>" in told()
    after, day = (WorkCalendar().end_of_working_days(now(), days).astimezone(KYIV).date() for days in (20, 2))
    late = act(web, "operator", report, Act.PLAN, due=after.isoformat())
    assert late.status_code == 422
    assert "Неможливо вирішити" in late.text.split('id="due-error"')[1].split("</p>")[0]
    assert act(web, "operator", report, Act.PLAN, due=day.isoformat()).status_code == 302
    assert f"заплановано на {day.day}" in logged_in(web, "tsapkova").get(f"/reports/{report}").text.replace(
        "\u00a0", " "
    )
    assert f"<dt>Заплановано</dt><dd>на {day.day}" in told().replace("\u00a0", " ")


def correction(web: Flask, report: int, **changes: str) -> dict[str, str]:
    """The form of the correction as it is filled in."""
    page = logged_in(web, "tsapkova").get(f"/reports/{report}/correct").text
    inputs = (dict(re.findall(r'(name|value)="([^"]*)"', one)) for one in re.findall(r"<input [^>]*>", page))
    fields = {"revision", "street", "building", "flat", "landmark", "applicant_name", "other_phone", "was", "shown"}
    form = {one["name"]: unescape(one["value"]) for one in inputs if one.get("name") in fields}
    text = unescape(re.search(r"<textarea [^>]*name=\"text\"[^>]*>([^<]*)<", page)[1])
    chosen = re.search(r'<option value="(\d+)" selected', page)[1]
    return form | {"category_id": chosen, "text": text, "reason": ""} | changes


def test_a_keeper_corrects_what_was_taken_down_wrongly(web):
    """R 2.5: a former street's name is understood as at intake; of two at once the second is shown the first."""
    report = register(web, "Не горить ліхтар", landmark="біля школи")
    where, keeper = f"/reports/{report}/correct", logged_in(web, "nachalnyk")
    assert where in keeper.get(f"/reports/{report}").text
    assert where not in logged_in(web, "operator").get(f"/reports/{report}").text
    form = correction(web, report, street="Леніна", building="", applicant_name="Ольга Коваль", reason="Передзвонила")
    assert keeper.post(where, form, page="/me", headers=PAGE).location == f"/reports/{report}"
    page = keeper.get(f"/reports/{report}").text
    assert "Вулиця: Київська → Соборна; Будинок: 12 → —; Ім’я заявника: виправлено; Передзвонила" in page
    second = keeper.post(where, form | {"building": "99", "street": "Набережна"}, page="/me", headers=PAGE)
    assert second.status_code == 409
    assert re.search(r'value="99"[^>]*>\s*<p class="stored">', second.text)
    assert re.search(
        r'value="Набережна"[^>]*>\s*<p class="stored"><span class="muted">[^<]*</span> Соборна', second.text
    )
    wrong = keeper.post(where, correction(web, report, street="Ніде", flat="7", text=" "), page="/me", headers=PAGE)
    assert wrong.status_code == 422
    assert 'id="street-error"' in wrong.text
    assert 'id="text-error"' in wrong.text
    assert 'value="7"' in wrong.text
    with web.app_context():
        kept = db.session.get_one(Report, report)
        assert (kept.street.name, kept.applicant_name, kept.flat) == ("Соборна", "Ольга Коваль", "")
        corrected = select(HistoryRow.note).where(HistoryRow.event == "corrected")
        assert "Ольга" not in db.session.scalars(corrected).one()
        assert "the correction of the report" in set(db.session.scalars(select(AccessLog.reason)))


def test_what_turns_out_to_be_an_emergency_is_one_from_then_on(web):
    """I8: its words too; the page on which nobody ticks it any more makes it none."""
    report = register(web, "Гуде щитова")
    where, keeper = f"/reports/{report}/correct", logged_in(web, "tsapkova")
    form = correction(web, report, text="Іскрить щитова", emergency="on")
    assert keeper.post(where, form, page="/me").status_code == 302
    assert (stored(web, report).text, stored(web, report).emergency) == ("Іскрить щитова", True)
    assert "Зі слів заявника: Гуде щитова → Іскрить щитова; Аварійне: ні → так" in keeper.get(f"/reports/{report}").text
    assert stored(web, report).number in keeper.get("/desk/emergencies").text
    second = keeper.post(where, form | {"text": "Іскрить, дим"}, page="/me", headers=PAGE)
    assert second.status_code == 409
    assert "Іскрить, дим" in second.text
    assert "</span> Іскрить щитова" in second.text
    assert keeper.post(where, correction(web, report), page="/me").status_code == 302
    assert not stored(web, report).emergency


@pytest.mark.parametrize(
    ("accepted", "said"),
    [
        (-timedelta(days=1), "(уже було в роботі, коли стало аварійним)"),
        (timedelta(seconds=20), "(узято в роботу менш ніж за хвилину)"),
    ],
)
def test_what_was_at_work_when_it_was_found_urgent_was_not_accepted_within_a_minute(web, accepted, said):
    report_id, at = register(web, "Тече"), now() - timedelta(minutes=5)
    with web.app_context(), transaction() as session:
        report = session.get_one(Report, report_id)
        (part,) = session.scalars(select(Execution).where(Execution.report_id == report_id))
        report.registered_at = part.assigned_at = at - timedelta(days=3)
        work.accept(session, report, stored_by(session, "operator"), at + accepted)
        report.emergency = True
        work.found_urgent(session, report, stored_by(session, "tsapkova"), at)
    assert said in logged_in(web, "tsapkova").get(f"/reports/{report_id}").text


def stored_by(session: Session, login: str) -> User:
    return session.scalars(select(User).where(User.login == login)).one()


def test_a_colleagues_correction_of_the_telephone_is_not_written_over(web):
    """Neither has looked at the number: the second is told that there is another one, and not which."""
    report = register(web, "Не горить ліхтар", other_phone="050 999-88-77")
    where = f"/reports/{report}/correct"
    first, second = (correction(web, report, other_phone=phone) for phone in ("067 111-22-33", "067 444-55-66"))
    assert logged_in(web, "sorokina").post(where, first, page="/me").status_code == 302
    late = logged_in(web, "tsapkova").post(where, second, page="/me", headers=PAGE)
    assert late.status_code == 409
    assert "067 444-55-66" in late.text
    assert re.search(r'<p class="stored"><span class="muted">[^<]*</span> \+380 67 ••• •• 33', late.text)
    assert stored(web, report).other_phone == "+380671112233"
    assert logged_in(web, "tsapkova").post(where, second | {"was": "[" * 100_000}, page="/me").status_code == 409


def test_what_is_another_enterprises_is_said_once_the_kind_is_corrected(web):
    report = register(web, "Прорвало трубу")
    with web.app_context():
        other = db.session.scalars(
            select(Category).where(Category.organisation_id != db.session.get_one(Report, report).executor_id)
        ).first()
        kind, name = str(other.id), other.organisation.name
    keeper = logged_in(web, "tsapkova")
    keeper.post(f"/reports/{report}/correct", correction(web, report, category_id=kind), page="/me")
    assert f"Такий вид зазвичай виконує {name}" in keeper.get(f"/reports/{report}").text


def test_the_telephone_is_corrected_without_being_seen_or_shown_by_a_click_that_leaves_a_trace(web, caplog):
    """A3: masked; what is typed elsewhere in the form stays; an empty field changes nothing unless it was shown."""
    caplog.set_level(logging.DEBUG)
    report = register(web, "Не горить ліхтар", number="anonymous", other_phone="050 999-88-77")
    where, keeper = f"/reports/{report}/correct", logged_in(web, "tsapkova")

    def kept() -> tuple[str, str | None]:
        with web.app_context():
            stored = db.session.get_one(Report, report)
            return stored.other_phone, stored.contact_number

    def reasons() -> set[str]:
        with web.app_context():
            return set(db.session.scalars(select(AccessLog.reason).where(AccessLog.subject_id == report)))

    page = keeper.get(where).text
    assert "+380 50 ••• •• 77" in page
    assert "999-88" not in page
    before = correction(web, report, landmark="біля церкви")
    assert keeper.post(where, correction(web, report, landmark="біля школи"), page="/me").status_code == 302
    assert kept() == ("050 999-88-77", "+380509998877")
    assert "number on the correction of the report" not in reasons()
    old = keeper.post(f"{where}/number", before, page="/me").text
    assert re.search(r'value="біля церкви"[^>]*>\s*<p class="stored"><span class="muted">[^<]*</span> біля школи', old)
    shown = keeper.post(f"{where}/number", correction(web, report, landmark="біля церкви"), page="/me").text
    assert 'value="050 999-88-77"' in shown
    assert 'value="біля церкви"' in shown
    assert "number on the correction of the report" in reasons()
    wrong = keeper.post(where, correction(web, report, other_phone="12345678901234"), page="/me", headers=PAGE)
    assert wrong.status_code == 422
    assert 'id="other_phone-error"' in wrong.text
    assert keeper.post(where, correction(web, report, other_phone="067 765-43-21"), page="/me").status_code == 302
    assert kept() == ("+380677654321", "+380677654321")
    history = keeper.get(f"/reports/{report}").text
    assert "Телефон заявника: виправлено" in history
    assert "7654321" not in history.replace(" ", "")
    assert keeper.post(where, correction(web, report, shown="yes"), page="/me").status_code == 302
    assert kept() == ("", None)
    assert "7654321" not in re.sub(r"\D", "", caplog.text)
    assert "номер показано під час виправлення" in logged_in(web, "nachalnyk").get("/personal-data/log").text


def test_the_correction_helps_with_the_street_as_the_intake_does(web):
    report = register(web, "Не горить ліхтар")
    keeper = logged_in(web, "tsapkova")
    page = keeper.get(f"/reports/{report}/correct").text
    assert re.search(r'<option value="Соборна" data-called="Леніна">', page)
    assert re.search(r'id="street-offers" hidden', page)
    answer = keeper.post("/reports/street", {"street": "Собрна"}, page="/me").json
    assert (answer["offers"], answer["unknown"]) == (["Соборна"], True)
    wrong = keeper.post(
        f"/reports/{report}/correct", correction(web, report, street="Собрна"), page="/me", headers=PAGE
    )
    assert 'data-street="Соборна"' in wrong.text


def test_a_closed_report_is_not_corrected_and_what_was_typed_is_shown(web):
    report = register(web, "Не горить ліхтар")
    form = correction(web, report, landmark="біля церкви")
    act(web, "operator", report, Act.ACCEPT)
    act(web, "operator", report, Act.COMPLETE, words="Замінено лампу")
    act(web, "dyspetcher", report, Act.CONFIRM)
    keeper = logged_in(web, "tsapkova")
    answer = keeper.post(f"/reports/{report}/correct", form, page="/me", headers=PAGE)
    assert answer.status_code == 409
    assert "біля церкви" in answer.text
    assert keeper.get(f"/reports/{report}/correct").location == f"/reports/{report}"


def test_an_organisation_finds_its_own_closed_reports_by_number_and_street_and_by_nothing_else(web):
    """W2, A3"""
    report = register(web, "Не горить ліхтар")
    foreign = register(web, "Немає води", category=2)
    act(web, "operator", report, Act.ACCEPT)
    browser = logged_in(web, "operator")

    def found(text: str = "") -> bool:
        page = browser.post("/work/closed", {"text": text}, page="/me", headers=PAGE).text
        assert f'href="/reports/{foreign}"' not in page
        return f'href="/reports/{report}"' in page

    assert not found()  # it is open
    act(web, "operator", report, Act.COMPLETE, words="Замінено лампу")
    act(web, "dyspetcher", report, Act.CONFIRM)
    assert 'href="/work/closed"' in browser.get("/work").text
    for text in ("", stored(web, report).number, "Київська", "київська 12", "вул. Київська, 12"):
        assert found(text), text
    for text in ("0671234567", "380671234567", "ліхтар", "Київська 13", stored(web, foreign).number, "%", "12"):
        assert not found(text), text
    with web.app_context():
        reasons = set(db.session.scalars(select(AccessLog.reason)))
    assert "1 reports in our closed reports" in reasons


def test_who_records_a_warning_is_told_so(web):
    """R 4.3"""
    report = register(web, "Не горить ліхтар")
    with web.app_context(), transaction() as session:
        for deadline in session.scalars(select(Deadline).where(Deadline.kind == "accept")):
            deadline.due_at = now() - timedelta(hours=3)
    browser = logged_in(web, "tsapkova")
    form = {"act": "warn", "back": "/monitoring"}
    assert browser.post(f"/reports/{report}/act", form, page="/me", headers=PAGE).location == "/monitoring"
    page = browser.get("/monitoring").text
    assert re.search(rf"оператора попереджено, №.{stored(web, report).number}, сьогодні", page)


def test_an_operator_is_not_told_that_nobody_called_where_the_history_says_otherwise(web):
    report = register(web, "Не горить ліхтар")
    with web.app_context(), transaction() as session:
        found = session.get_one(Report, report)
        found.call_id = None
        note_history(session, found, HistoryEvent.APPLICANT_CALLED, None, "Знову темно")
    page = logged_in(web, "operator").get(f"/reports/{report}").text
    calls = page.split('id="calls"')[1].split("</section>")[0]
    assert "видно в історії" in calls
    assert "не дзвонили" not in calls


def test_an_act_without_its_words_names_the_field(web):
    report = register(web, "Не горить ліхтар")
    act(web, "operator", report, Act.ACCEPT)
    answer = act(web, "operator", report, Act.COMPLETE, words="  ")
    assert answer.status_code == 422
    assert re.search(r'<a href="#words">', answer.text)
    assert re.search(r'<details class="act" open>\s*<summary[^>]*>Виконано', answer.text)
    assert stored(web, report).state == "in_progress"


def test_the_second_of_two_is_shown_the_first_and_keeps_their_words(web):
    """Both had the page; the first moved the report."""
    report = register(web, "Не горить ліхтар")
    act(web, "operator", report, Act.ACCEPT)
    seen = stored(web, report).revision
    act(web, "operator", report, Act.COMPLETE, words="Замінено лампу")
    second = act(web, "operator", report, Act.COMPLETE, words="Інші слова", revision=str(seen))
    assert second.status_code == 409
    assert "Замінено лампу" in second.text
    assert "Інші слова" in second.text
    with web.app_context():
        notes = db.session.scalars(select(HistoryRow.note).where(HistoryRow.event == "completed")).all()
    assert notes == ["Замінено лампу"]


ACCEPTED = (("operator", Act.ACCEPT, {}),)
AT_ONCE = {
    "two administrators give it to others": (
        (),
        ("tsapkova", Act.REASSIGN, {"words": "Це водогін", "organisation": "2"}),
        ("cherniavska", Act.REASSIGN, {"words": "Це сміття", "organisation": "3"}),
    ),
    "the control body closes it, and returns it in another window": (
        (*ACCEPTED, ("operator", Act.GIVE_REASONS, {"words": "Коштів немає"})),
        ("kontrol", Act.CLOSE_UNSOLVED, {"words": "Причини поважні"}),
        (
            "kontrol",
            Act.RETURN,
            {"words": "Виконати до свят", "due": WorkCalendar().end_of_days(now(), 9).date().isoformat()},
        ),
    ),
    "one hears from the applicant yes, the other no": (
        (*ACCEPTED, ("operator", Act.COMPLETE, {"words": "Замінено лампу"})),
        ("dyspetcher", Act.CONFIRM, {"words": "Світить, дякують"}),
        ("nachalnyk", Act.REFUTE, {"words": "Знову темно"}),
    ),
}


@pytest.mark.parametrize("case", AT_ONCE)
def test_of_two_who_act_at_once_the_second_is_shown_the_first(web, case):
    """Each had the page open as it was before: nothing of the second's is done, and nothing of it is lost."""
    before, first, second = AT_ONCE[case]
    report = register(web, "Не горить ліхтар")
    for login, wanted, values in before:
        assert act(web, login, report, wanted, **values).status_code == 302
    seen = str(stored(web, report).revision)
    login, wanted, values = first
    assert act(web, login, report, wanted, **values, revision=seen).status_code == 302
    done = stored(web, report)
    login, wanted, values = second
    answer = act(web, login, report, wanted, **values, revision=seen)
    assert answer.status_code == 409
    assert "Тим часом повідомлення змінили" in answer.text
    assert first[2]["words"] in answer.text.split('class="timeline"')[1]
    assert values["words"] in answer.text.split('class="timeline"')[0]
    after = stored(web, report)
    assert (after.state, after.executor_id, after.revision) == (done.state, done.executor_id, done.revision)
    with web.app_context():
        assert values["words"] not in db.session.scalars(select(HistoryRow.note)).all()


def test_a_note_does_not_mind_what_another_changed(web):
    report = register(web, "Не горить ліхтар")
    seen = stored(web, report).revision
    act(web, "operator", report, Act.ACCEPT)
    assert act(web, "tsapkova", report, Act.NOTE, words="Дзвонили двічі", revision=str(seen)).status_code == 302


@pytest.mark.parametrize("kind", [Act.NOTE, Act.PUBLIC_NOTE])
def test_a_note_sent_twice_is_one(web, kind):
    """A double click: both answers are the report's page. Another person, other words or another report are not it."""
    first, second = register(web, "Не горить ліхтар"), register(web, "Яма")
    for login, report, words in (
        ("tsapkova", first, "Дзвонили двічі"),
        ("tsapkova", first, "Дзвонили двічі"),
        ("operator", first, "Дзвонили двічі"),
        ("tsapkova", first, "Дзвонили тричі"),
        ("tsapkova", second, "Дзвонили двічі"),
    ):
        answer = act(web, login, report, kind, words=words)
        assert (answer.status_code, answer.location) == (302, f"/reports/{report}")
    with web.app_context():
        rows = db.session.execute(
            select(HistoryRow.report_id, HistoryRow.note).where(HistoryRow.event == kind).order_by(HistoryRow.id)
        ).all()
    assert rows == [(first, "Дзвонили двічі")] * 2 + [(first, "Дзвонили тричі"), (second, "Дзвонили двічі")]


def test_words_that_are_sent_to_a_draft_are_not_lost(web):
    with web.app_context(), transaction() as session:
        draft = record_call(session)[1].id
    answer = act(web, "tsapkova", draft, Act.NOTE, words="Дзвонили двічі")
    assert answer.status_code == 409
    assert "нічого не записано. Ви написали: «Дзвонили двічі»" in answer.text


@pytest.mark.parametrize("login", ["operator", "kerivnyk", "kontrol"])
def test_a_report_of_others_is_not_there(web, login):
    """W2: another organisation's report: no page, no number, no act; nor a draft."""
    foreign = register(web, "Немає води", category=2)
    browser = logged_in(web, login)
    assert browser.get(f"/reports/{foreign}").status_code == 404
    assert browser.post(f"/reports/{foreign}/number", {"purpose": "visit"}, page="/me").status_code == 404
    assert browser.post(f"/reports/{foreign}/act", {"act": "accept", "revision": "0"}, page="/me").status_code == 404
    assert stored(web, foreign).number not in browser.get(browser.get("/").location or "/").text


def test_an_operator_sees_the_number_masked_and_a_look_at_it_is_kept(web):
    """A3"""
    report = register(web, "Не горить ліхтар")
    browser = logged_in(web, "operator")
    assert "123" not in re.sub(r"\s", "", browser.get(f"/reports/{report}").text.split("Заявник")[1][:600])
    shown = browser.post(f"/reports/{report}/number", {"purpose": "visit"}, page="/me")
    assert shown.status_code == 200
    with web.app_context():
        reasons = set(db.session.scalars(select(AccessLog.reason).where(AccessLog.subject == "report")))
    assert "number on the report's page: visit" in reasons


@pytest.mark.parametrize("wanted", ["", "nonsense", "registered"])
def test_an_act_that_does_not_exist(web, wanted):
    report = register(web, "Не горить ліхтар")
    browser = logged_in(web, "tsapkova")
    assert browser.post(f"/reports/{report}/act", {"act": wanted}, page="/me").status_code == 400


def test_an_act_that_is_anothers_is_refused(web):
    """W6: only the control body closes what is not solved."""
    report = register(web, "Не горить ліхтар")
    for login, wanted in (("tsapkova", Act.ACCEPT), ("operator", Act.CLOSE_UNSOLVED), ("kerivnyk", Act.ACCEPT)):
        assert act(web, login, report, wanted, words="Слова").status_code == 403
    assert stored(web, report).state == "new"


def test_an_executor_that_is_not_on_the_list(web):
    report = register(web, "Не горить ліхтар")
    for chosen in ("", "999", "x"):
        assert act(web, "tsapkova", report, Act.REASSIGN, words="Не їхнє", organisation=chosen).status_code == 422
    with web.app_context():
        water = db.session.scalar(select(Organisation.id).where(Organisation.name.contains("водоканал")))
    assert act(web, "tsapkova", report, Act.REASSIGN, words="Не їхнє", organisation=str(water)).status_code == 302
    assert logged_in(web, "operator").get(f"/reports/{report}").status_code == 404


def test_an_executor_that_is_one_already(web):
    """The page says so at the field, and nothing is changed."""
    report = register(web, "Не горить ліхтар")
    leads = stored(web, report).executor_id
    for wanted, words in ((Act.ADD_EXECUTOR, ""), (Act.REASSIGN, "Не їхнє")):
        answer = act(web, "tsapkova", report, wanted, words=words, organisation=str(leads))
        assert answer.status_code == 422
        assert "вже є виконавцем" in answer.text
        assert words in answer.text
    assert stored(web, report).revision == 2


def test_the_first_look_of_a_day_is_kept_and_who_did_not_look_is_listed(web):
    """R 4.1, W2"""
    register(web, "Не горить ліхтар")
    register(web, "Немає води", category=2)
    browser = logged_in(web, "operator")
    browser.get("/work")
    browser.get("/work")
    with web.app_context():
        assert [look.user_id for look in db.session.scalars(select(DailyLook))] == [stored_user(web, "operator").id]
    with web.app_context(), transaction() as session:  # whatever day it is
        session.merge(DayException(day=now().astimezone(KYIV).date(), worked=True, note=""))
    page = logged_in(web, "tsapkova").get("/monitoring").text
    not_looked = page.split('id="not-looked"')[1].split("</section>")[0]
    assert "Міськводоканал" in not_looked
    assert "Міськсвітло" not in not_looked


def test_the_monitoring_counts_by_organisation_what_is_late(web):
    """S 3.3, W9"""
    report = register(web, "Не горить ліхтар")
    with web.app_context(), transaction() as session:
        for deadline in session.scalars(select(Deadline).where(Deadline.report_id == report)):
            if deadline.kind == "work":
                deadline.due_at = now() - timedelta(hours=3)
    page = logged_in(web, "nachalnyk").get("/monitoring").text
    overdue = page.split('id="overdue"')[1].split("</section>")[0]
    assert stored(web, report).number in overdue
    assert "3 год" in overdue.replace("\u00a0", " ")
    tally = page.split('id="by-organisation"')[1].split("</section>")[0]
    assert re.findall(r'executor=\d+">[^<]*Міськсвітло»</a></th><td[^>]*>(\d+)</td><td[^>]*>(\d+)</td>', tally) == [
        ("1", "0")
    ]


def test_a_user_without_an_organisation_has_no_day(web):
    stored_user(web, "operator", organisation_id=None)
    assert logged_in(web, "operator").get("/work").status_code == 403


def test_everybody_begins_where_their_work_is(web):
    for login, place in (("operator", "/work"), ("kerivnyk", "/work"), ("kontrol", "/decisions"), ("tsapkova", "/")):
        browser = Browser(web)
        assert browser.log_in(login).location == place
    with web.app_context():
        assert set(db.session.scalars(select(User.role))) == set(Role)


def said(page: str) -> str:
    """The words of a page or of a part of it, without its marks."""
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def test_from_lists_that_were_fetched_anew_an_act_leads_back_to_the_page(web):
    register(web, "Тече")
    browser = logged_in(web, "operator")
    assert '<input type="hidden" name="back" value="/work">' in browser.get("/work/lists").text
    assert '<input type="hidden" name="back" value="/work">' in browser.get("/work").text


def test_what_came_back_stands_on_top_of_the_organisations_day_with_its_words(web):
    """From the applicant and from the control body; what is done again goes away from there."""
    refuted, returned, other = (register(web, text) for text in ("Не горить ліхтар", "Стовп", "Темно"))
    for report in (refuted, returned, other):
        act(web, "operator", report, Act.ACCEPT)
    act(web, "operator", refuted, Act.COMPLETE, words="Замінено лампу")
    act(web, "dyspetcher", refuted, Act.REFUTE, words="Темно на третьому, дзвонити 067 555 44 33")
    act(web, "operator", returned, Act.GIVE_REASONS, words="Коштів немає")
    day = WorkCalendar().end_of_days(now(), 20).date()
    act(web, "kontrol", returned, Act.RETURN, words="Кошти є", due=day.isoformat())
    page = logged_in(web, "operator").get("/work").text
    assert page.index('id="sent-back"') < page.index('id="new"')
    came_back = page.split('id="sent-back"')[1].split("</section>")[0]
    for words in ("заявник каже, що не виконано", "Темно на третьому", "органом контролю", "Кошти є", f"до {day.day} "):
        assert words in said(came_back).replace("\u00a0", " ")
    assert "555 44 33" not in came_back
    assert stored(web, other).number not in came_back
    act(web, "operator", refuted, Act.COMPLETE, words="Замінено дріт")
    assert "Темно на третьому" not in logged_in(web, "operator").get("/work").text


def test_the_control_body_reads_the_reasons_in_the_list_and_beside_the_decision(web):
    """Neither decision is the page's main button."""
    report = register(web, "Провалився асфальт")
    act(web, "operator", report, Act.ACCEPT)
    act(web, "operator", report, Act.GIVE_REASONS, words="Коштів немає до весни")
    browser = logged_in(web, "kontrol")
    row = said(browser.get("/decisions").text.split("<tbody>")[1].split("</tbody>")[0])
    for words in ("Коштів немає до весни", "Операторська О. О.", "сьогодні", "призупинено", "строк був до"):
        assert words in row
    acts = browser.get(f"/reports/{report}").text.split('class="sheet acts')[1].split("</section>")[0]
    assert "Коштів немає до весни" in acts
    assert 'summary class="btn btn-primary"' not in acts


def test_the_header_says_of_the_deadline_what_the_panel_says(web):
    report = register(web, "Не горить ліхтар")

    def header() -> str:
        page = logged_in(web, "operator").get(f"/reports/{report}").text
        return said(page.split('class="page-head"')[1].split("<button")[0])

    assert "5 робочих днів" in header().replace("\u00a0", " ")
    act(web, "operator", report, Act.ACCEPT)
    act(web, "operator", report, Act.GIVE_REASONS, words="Коштів немає")
    assert "призупинено" in header()
    assert "лишилося" not in header()
    day = WorkCalendar().end_of_days(now(), 20).date()
    act(web, "kontrol", report, Act.RETURN, words="Виконати", due=day.isoformat())
    assert "лишилося" in header()
    assert "для цього виду" not in header()
    act(web, "operator", report, Act.COMPLETE, words="Замінено")
    assert "лишилося" not in header()


def test_deadlines_of_before_a_refusal_stand_apart(web):
    report = register(web, "Не горить ліхтар")
    for login, wanted, words in (
        ("operator", Act.ACCEPT, ""),
        ("operator", Act.COMPLETE, "Замінено"),
        ("dyspetcher", Act.REFUTE, "Темно"),
    ):
        act(web, login, report, wanted, words=words)
    panel = logged_in(web, "operator").get(f"/reports/{report}").text.split('id="deadlines"')[1].split("</section>")[0]
    assert '<span class="no-print">— <span class="deadline' in panel  # on paper the term stands once
    present, former = map(said, panel.split("<h3"))
    assert present.count("виконати роботу") == former.count("виконати роботу") == 1
    assert "лишилося" in present
    assert "лишилося" not in former
    assert "дотримано" in former


def test_the_operators_main_button_takes_to_work_and_closing_unasked_is_last(web):
    """S 3.2: the centre asks the applicant."""
    report = register(web, "Не горить ліхтар", emergency=True)

    def buttons() -> list[tuple[str, str]]:
        page = logged_in(web, "operator").get(f"/reports/{report}").text
        acts = page.split('class="sheet acts')[1].split("</section>")[0]
        found = re.findall(r'<(?:summary|button) class="btn (btn-[\w-]+)"[^>]*>([^<]+)<', acts)
        return [(look, word) for look, word in found if word != "Записати"]

    assert buttons()[0] == ("btn-primary", "Взяти в роботу")
    assert ("btn-outline-secondary", "Керівника повідомлено") in buttons()
    act(web, "operator", report, Act.ACCEPT)
    assert buttons()[0] == ("btn-primary", "Виконано…")
    act(web, "operator", report, Act.COMPLETE, words="Замінено")
    assert buttons()[-1] == ("btn-pale", "Закрити без підтвердження…")
    assert "btn-primary" not in dict(buttons())
