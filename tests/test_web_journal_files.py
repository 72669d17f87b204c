"""The journal as a file, and filters kept under a name: what they hold, for whom, which traces they leave (W11, A3)."""

import csv
import io
import json
import re
from datetime import timedelta

import pytest
from flask import Flask
from openpyxl import load_workbook

from models.base import db, now, transaction
from models.people import AccessLog, Role
from models.reports import Report, ReportEvent
from models.saved_filters import MOST_SAVED, SavedFilter
from tests.test_web_journal import ACCEPTED, CLOSED, find, listed
from tests.web_fixtures import Browser, logged_in, register, stored_user
from webui import journal_export

NAMES = ("Заявник", "Телефон", "Інший телефон")
FORMULA = "=cmd|'/C calc'!A0"


@pytest.fixture
def browser(web: Flask) -> Browser:
    return logged_in(web, "tsapkova")


def export(browser: Browser, kind: str = "csv", **values: str):
    return browser.post("/journal/export", {"format": kind, **values}, page="/journal")


def rows_of(answer) -> list[dict[str, str]]:
    assert answer.status_code == 200, answer.status_code
    return list(csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig"), newline=""), delimiter=";"))


def looks(web: Flask) -> list[tuple[str, int, str]]:
    with web.app_context():
        query = db.select(AccessLog.subject, AccessLog.subject_id, AccessLog.reason).order_by(AccessLog.id)
        return [tuple(row) for row in db.session.execute(query) if row.subject.startswith(("export", "search"))]


def test_a_file_holds_what_the_filters_find_and_leaves_a_row(web: Flask, browser: Browser) -> None:
    """W11, A3: no name, no telephone, no flat; the count is in the access log."""
    register(web, "Немає води", category=2, line="53275")
    register(web, FORMULA, applicant_name="Олена Коваль", flat="7", events=CLOSED, other_phone="050 765 43 21")
    answer = export(browser, category="1", state="closed")
    assert re.fullmatch(r"attachment; filename=zhurnal-[\d-]+\.csv", answer.headers["Content-Disposition"])
    (row,) = rows_of(answer)
    year = now().year
    assert row["№"] == f"{year}-0002"
    assert row["Що сталося"] == f"'{FORMULA}"
    assert row["Місце"] == "Київська, 12"
    assert (row["Вид"], row["Виконавець"], row["Лінія"]) == ("Вуличне освітлення", "КП «Міськсвітло»", "5-32-73")
    assert row["Статус"] == "Закрито"
    assert all(re.fullmatch(r"\d\d\.\d\d\.\d{4} \d\d:\d\d", row[name]) for name in ("Виконано", "Закрито", "Строк"))
    assert not set(NAMES) & set(row)
    for secret in ("Коваль", "кв. 7", "671234567", "67 123", "765"):
        assert secret not in answer.data.decode()
    assert looks(web) == [("export", 1, "journal as csv")]


def test_repeated_overdue_and_urgent_are_columns(web: Flask, browser: Browser) -> None:
    first = register(web, "Не горить ліхтар", due_in=timedelta(days=-1), emergency=True)
    register(web, "Зроблено вчасно", due_in=timedelta(days=-1), events=CLOSED[:2])
    second = register(web, "Не горить ліхтар", events=ACCEPTED)
    with web.app_context(), transaction() as session:
        session.get_one(Report, second).repeat_of_id = first
        session.get_one(Report, first).repeat_of_id = None
    newest, done, oldest = rows_of(export(browser))
    assert done["Прострочено"] == ""
    assert (newest["Повторне"], newest["Прострочено"], newest["Аварійне"]) == ("так", "", "")
    assert (oldest["Повторне"], oldest["Прострочено"], oldest["Аварійне"]) == ("", "так", "так")


def test_a_workbook_holds_the_same(web: Flask, browser: Browser) -> None:
    register(web, FORMULA)
    answer = export(browser, "xlsx")
    assert answer.mimetype == "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    sheet = load_workbook(io.BytesIO(answer.data)).active
    assert sheet.title == "Журнал"
    found = {head.value: cell for head, cell in zip(sheet[1], sheet[2], strict=True)}
    assert found["Що сталося"].value == FORMULA
    assert found["Що сталося"].data_type in ("s", "inlineStr")
    assert found["Зареєстровано"].is_date
    assert looks(web) == [("export", 1, "journal as xlsx")]


def test_names_and_telephones_need_a_role_and_a_reason(web: Flask, browser: Browser) -> None:
    """A3: the reason is kept with the count; without one nothing is written, and what was chosen stays."""
    register(web, "Не горить ліхтар", applicant_name="Олена Коваль", flat="7", other_phone="050 765 43 21")
    refused = export(browser, personal="on", state="new")
    assert refused.status_code == 422
    assert "Напишіть, для чого потрібні імена" in refused.text
    assert re.search(r'<input [^>]*name="personal" checked', refused.text)
    assert '<input type="hidden" name="state" value="new">' in refused.text
    assert looks(web) == []
    (row,) = rows_of(export(browser, personal="on", reason="запит прокуратури"))
    assert [row[name] for name in NAMES] == ["Олена Коваль", "'+380\u00a067\u00a0123\u00a045\u00a067", "050 765 43 21"]
    assert row["Місце"] == "Київська, 12, кв. 7"
    assert looks(web) == [("export_names", 1, "запит прокуратури")]
    assert export(logged_in(web, "dyspetcher"), personal="on", reason="цікаво").status_code == 403
    assert len(looks(web)) == 1


def test_without_names_no_telephone_is_in_a_text(web: Flask, browser: Browser) -> None:
    """A3"""
    register(web, "Дзвонити 050 765 43 21", landmark="за 067-123_45_67")
    (row,) = rows_of(export(browser))
    assert row["Що сталося"] == "Дзвонити +380 50 ••• •• 21"
    assert "45" not in row["Місце"]
    (row,) = rows_of(export(browser, personal="on", reason="запит прокуратури"))
    assert row["Що сталося"] == "Дзвонити 050 765 43 21"
    assert "ім’я в тексті все ж може трапитися" in browser.get("/journal").text


def test_a_file_of_what_a_telephone_finds_is_a_search_by_it(web: Flask, browser: Browser) -> None:
    register(web, "Не горить ліхтар", number="0671234567")
    register(web, "Немає води", number="0501112233")
    address, _found = find(browser, text="4567")
    (row,) = rows_of(export(browser, q=address.partition("q=")[2]))
    assert row["Що сталося"] == "Не горить ліхтар"
    assert looks(web)[-2:] == [("search", 4, "telephone in the journal"), ("export", 1, "journal as csv")]


def test_a_file_of_many_pages_is_whole_and_ends_where_the_page_says(
    web: Flask, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [register(web, f"Яма {number}") for number in range(7)]
    monkeypatch.setattr("models.journal_rows._PAGE", 2)
    assert [row["Що сталося"] for row in rows_of(export(browser))] == [f"Яма {n}" for n in range(len(made))][::-1]
    monkeypatch.setattr("models.journal_rows.journal_rows.__defaults__", (5,))
    assert len(rows_of(export(browser))) == 5


def test_what_cannot_be_written_is_a_sentence(web: Flask, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    register(web, "Яма")
    assert export(browser, "exe").status_code == 400
    wrong = export(browser, date_from="2026-11-22", date_to="2026-11-01")
    assert wrong.status_code == 422
    assert "Період закінчується раніше" in wrong.text
    monkeypatch.setattr(journal_export, "AT_ONCE", journal_export.BoundedSemaphore(1))
    with journal_export.AT_ONCE:
        busy = export(browser)
    assert busy.status_code == 503
    assert re.search(r"<p [^>]*autofocus>[^<]*готуються ще два файли", busy.text)
    assert rows_of(export(browser))


def keep(browser: Browser, name: str, **values: str):
    return browser.post("/journal/filters", {"saved_name": name, **values}, page="/journal")


def kept_names(browser: Browser) -> list[str]:
    return re.findall(r'<a href="/journal/filters/\d+"[^>]*>([^<]+?)\s*<', browser.get("/journal").text)


def test_filters_are_kept_opened_and_deleted(web: Flask, browser: Browser) -> None:
    """W11: what was searched for is not in the address it opens at."""
    wanted = register(web, "Не горить ліхтар", events=ACCEPTED)
    register(web, "Немає води", category=2)
    address, _found = find(browser, text="ліхтарі", state="in_progress")
    assert keep(browser, "Ліхтарі в роботі", state="in_progress", q=address.partition("q=")[2]).status_code == 302
    browser = logged_in(web, "tsapkova")  # another day, another session
    page = browser.get("/journal").text
    (opens,) = re.findall(r'<a href="(/journal/filters/\d+)"', page)
    leads = browser.get(opens).location
    assert "state=in_progress" in leads
    assert "ліхтар" not in leads
    assert "%D0" not in leads
    assert listed(browser.get(leads).text) == [wanted]
    assert f'<a href="{opens}" aria-current="true">' in browser.get(leads).text
    assert browser.post(f"{opens}/delete", page="/journal").status_code == 302
    assert kept_names(browser) == []
    assert browser.get(opens).status_code == 404


def test_own_filters_are_ones_own_and_shared_ones_are_for_all_to_open(web: Flask, browser: Browser) -> None:
    """Alice (administrator), Bob (dispatcher): Bob opens what Alice shares, and deletes none of hers."""
    keep(browser, "Моє", state="new")
    keep(browser, "Спільне", state="closed", shared="on")
    bob = logged_in(web, "dyspetcher")
    assert kept_names(browser) == ["Моє", "Спільне"]
    assert kept_names(bob) == ["Спільне"]
    with web.app_context():
        ids = {saved.name: saved.id for saved in db.session.scalars(db.select(SavedFilter))}
    assert bob.get(f"/journal/filters/{ids['Моє']}").status_code == 404
    assert bob.get(f"/journal/filters/{ids['Спільне']}").location == "/journal?state=closed"
    for saved in ids.values():
        assert bob.post(f"/journal/filters/{saved}/delete", page="/journal").status_code == 404
    assert kept_names(browser) == ["Моє", "Спільне"]
    stored_user(web, "tsapkova", active=False)
    assert kept_names(bob) == []


def test_a_dispatcher_keeps_filters_and_shares_none(web: Flask) -> None:
    bob = logged_in(web, "dyspetcher")
    assert stored_user(web, "dyspetcher").role == Role.DISPATCHER
    assert 'name="shared"' not in bob.get("/journal?state=new").text
    assert keep(bob, "Нові", state="new", shared="on").status_code == 403
    assert keep(bob, "Нові", state="new").status_code == 302
    assert kept_names(bob) == ["Нові"]


def test_no_telephone_is_kept_in_a_filter(web: Flask, browser: Browser) -> None:
    """A3: a search by a telephone leaves its trace with who searched, and lives as long as the session."""
    for typed in ("067 123-45-67", "Соборна 4567", "(05448) 2-14-36"):
        address, _found = find(browser, text=typed)
        answer = keep(browser, "Олена", q=address.partition("q=")[2])
        assert answer.status_code == 422
        assert "схоже на телефон" in answer.text
        assert 'value="Олена"' in answer.text
    with web.app_context():
        assert db.session.scalars(db.select(SavedFilter)).all() == []


@pytest.mark.parametrize(
    ("name", "values", "sentence"),
    [
        ("", {"state": "new"}, "Напишіть назву відбору"),
        ("я" * 65, {"state": "new"}, "Задовгий текст"),
        ("Олена 067\u2011123\u201145 67", {"state": "new"}, "номер телефону"),
        ("Усе", {}, "Нічого не відібрано"),
        ("Є вже", {"state": "new"}, "уже є відбір із такою назвою"),
        ("Дата", {"date_from": "вчора"}, "Це не дата"),
    ],
)
def test_what_cannot_be_kept_is_a_sentence(browser: Browser, name: str, values: dict[str, str], sentence: str) -> None:
    keep(browser, "Є вже", state="closed")
    answer = keep(browser, name, **values)
    assert answer.status_code == 422
    assert sentence in answer.text
    assert kept_names(browser) == ["Є вже"]


def test_nobody_keeps_more_than_the_page_can_show(web: Flask, browser: Browser) -> None:
    user = stored_user(web, "tsapkova").id
    with web.app_context(), transaction() as session:
        session.add_all(
            SavedFilter(user_id=user, name=f"№ {n}", shared=False, asked=json.dumps({"state": "new"}))
            for n in range(MOST_SAVED)
        )
    answer = keep(browser, "Ще один", state="new")
    assert answer.status_code == 422
    assert "Видаліть той, що не потрібен" in answer.text


def test_new_filters_find_what_they_say(web: Flask, browser: Browser) -> None:
    """W11: executor, source, repeated, overdue, urgent; what is done, or waits for a decision, is not overdue."""
    late = register(web, "Не горить ліхтар", due_in=timedelta(days=-1), emergency=True)
    water = register(web, "Немає води", category=2, number="0501112233")
    for number, events in enumerate((CLOSED, CLOSED[:2], (ReportEvent.ACCEPTED, ReportEvent.REASONS_GIVEN))):
        register(web, "Інше", due_in=timedelta(days=-1), events=events, number=f"050111223{number + 4}")
    with web.app_context(), transaction() as session:
        session.get_one(Report, water).source = "online"
        session.get_one(Report, water).repeat_of_id = late
    assert find(browser, executor="2")[1] == [water]
    assert find(browser, source="online")[1] == find(browser, repeated="yes")[1] == [water]
    assert water not in find(browser, repeated="no")[1]
    assert find(browser, due="overdue")[1] == find(browser, emergency="yes")[1] == [late]
    assert find(browser, due="today", executor="1")[1] == []
    page = browser.get("/journal?executor=2&repeated=yes").text
    assert '<details class="more-filters" open>' in page
    assert "КП «Міськводоканал»; лише повторні" in page
    assert '<details class="more-filters" >' in browser.get("/journal?state=new").text
