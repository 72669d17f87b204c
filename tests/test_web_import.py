"""Streets and organisations from a file (A2): looked at first, applied once, wrong lines named."""

import io
import re
from datetime import timedelta

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from models.base import db, now, transaction
from models.imports import KEPT, Upload, Verdict, apply_upload, keep_upload, plan
from models.people import Organisation, User
from models.places import Street
from models.reference import FaultKind, Subject
from tests.reference_fixtures import PAGE, changes, entry, errors_of
from tests.test_sheets import xlsx
from tests.web_fixtures import Browser, logged_in

STREETS = (
    "Назва;Колишні назви;Діє;Примітка\n"
    "Київська;Катерининська;так;стара\n"  # changed
    "соборна;;;\n"  # the same
    "вулиця Нова;Піонерська;;\n"  # new
    "вул. Нова;;;\n"  # the same as the line before
    ";Безіменна;;\n"
    "Сумська;;можливо;\n"
    "вулиця Леніна;;ні;\n"  # new, with a remark: Соборна was called so
    "вулиця Київська;;;\n"  # there is Київська without «вулиця»
)


def upload(browser: Browser, content: bytes, kind: str = "streets", name: str = "file.csv") -> TestResponse:
    data = {"csrf_token": browser.token("/me"), "file": (io.BytesIO(content), name)}
    return browser.client.post(f"/reference/{kind}/import", data=data, headers=PAGE)


def apply(browser: Browser, where: str) -> TestResponse:
    return browser.post(where, page="/me", headers=PAGE)


def section(page: str, verdict: str) -> str:
    found = re.search(rf'<section aria-labelledby="{verdict}">(.*?)</section>', page, re.S)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", found[1])) if found else ""


def stored_streets(web: Flask) -> dict[str, tuple[str, bool]]:
    with web.app_context():
        return {one.name: (one.former_names, one.active) for one in db.session.scalars(db.select(Street))}


def test_what_each_line_would_do_is_shown_and_nothing_is_written(web):
    before = stored_streets(web)
    browser = logged_in(web, "nachalnyk")
    sent = upload(browser, STREETS.encode("cp1251"))
    assert sent.status_code == 302
    page = browser.get(sent.location).text
    wrong = section(page, "wrong")
    for place, sentence in (
        (5, "Те саме є в рядку 4"),
        (6, "Напишіть назву"),
        (7, "«так» або «ні»"),
        (9, "Уже є «Київська»"),
    ):
        assert re.search(rf"\b{place} [^▲]*?{sentence}", wrong), (place, wrong)
    assert "Катерининська" in section(page, "changed")
    assert "Так називалася «Соборна»" in section(page, "new")
    assert stored_streets(web) == before


def test_applying_writes_the_good_lines_once_with_their_traces(web):
    browser = logged_in(web, "nachalnyk")
    where = upload(browser, STREETS.encode("utf-8-sig")).location
    assert apply(browser, where).location == "/reference/streets"
    streets = stored_streets(web)
    assert streets["Київська"] == ("Катерининська", True)
    assert streets["Соборна"] == ("Леніна", True)
    assert streets["вулиця Нова"] == ("Піонерська", True)
    assert streets["вулиця Леніна"] == ("", False)
    assert "вул. Нова" not in streets
    assert ("former_names", "", "Катерининська") in changes(web, Subject.STREET, "Київська")
    assert changes(web, Subject.STREET, "вулиця Нова") == [("added", "", ""), ("former_names", "", "Піонерська")]
    traces = len(changes(web, Subject.STREET))
    again = apply(browser, where)
    assert again.status_code == 404
    assert "уже внесено" in again.text
    page = browser.get(upload(browser, STREETS.encode()).location).text
    assert section(page, "new") == section(page, "changed") == ""
    assert len(changes(web, Subject.STREET)) == traces
    assert stored_streets(web) == streets


def test_somebody_elses_upload_and_an_old_one_are_not_there(web):
    browser = logged_in(web, "nachalnyk")
    where = upload(browser, STREETS.encode()).location
    other = logged_in(web, "tsapkova")
    assert other.get(where).status_code == 404
    assert apply(other, where).status_code == 404
    assert browser.get(where.replace("streets", "organisations")).status_code == 404
    with web.app_context(), transaction() as session:
        session.scalars(db.select(Upload)).one().created_at = now() - KEPT - timedelta(minutes=1)
    assert browser.get(where).status_code == 404
    upload(browser, STREETS.encode())
    with web.app_context():
        assert len(db.session.scalars(db.select(Upload)).all()) == 1  # the old one is deleted


def test_organisations_from_a_workbook_with_formulas(web):
    """A formula is its own text; what would leave a type without its organisation is refused."""
    rows = [
        ["Електронна пошта", "НАЗВА", "Діє", "Формула"],
        ["voda@romny.gov.ua", 'КП "Міськводоканал"', None, "=1+1"],
        ["nova@romny.gov.ua", "=cmd()", True, None],
        ["не адреса", "КП «Третє»", None, None],
        [None, "КП «Міськсвітло»", "ні", None],
    ]
    browser = logged_in(web, "tsapkova")
    where = upload(browser, xlsx(rows), "organisations", "file.xlsx").location
    page = browser.get(where).text
    assert "name@example.gov.ua" in section(page, "wrong")
    assert "«Вуличне освітлення»" in section(page, "wrong")
    assert apply(browser, where).status_code == 302
    assert entry(web, Organisation, name="КП «Міськводоканал»").email == "voda@romny.gov.ua"
    assert entry(web, Organisation, name="=cmd()").email == "nova@romny.gov.ua"
    assert entry(web, Organisation, name="КП «Третє»") is None
    assert entry(web, Organisation, name="КП «Міськсвітло»").active


@pytest.mark.parametrize(
    ("content", "status", "words"),
    [
        (b"", 422, "Виберіть файл"),
        ("Вулиця\nНова\n".encode(), 422, "«Назва»"),
        ("Вулиця\nНова\n".encode(), 422, "Інші назви"),
        ("Вулиця\nНова\n".encode(), 422, "У вас: «Вулиця»"),
        (b"\xd0\xcf\x11\xe0" + b"\0" * 100, 422, "старого Excel"),
        (b"PK\x03\x04nothing", 422, "пошкоджено"),
        (b"\x89PNG\0\0", 422, "не таблиця"),
        ("Назва\n".encode() + b"x\n" * 10_001, 422, "забагато рядків"),
        (b"x" * 1_100_000, 413, "завеликий"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_sentence(web, content, status, words):
    answer = upload(logged_in(web, "tsapkova"), content)
    assert (answer.status_code, words in errors_of(answer)["file"]) == (status, True)


def test_columns_that_are_not_known_and_lines_without_a_name_are_said(web):
    browser = logged_in(web, "tsapkova")
    sent = upload(browser, "тип;Назва;колишні\nвул.;Нова;\nпл.;;\n;;\n".encode())
    page = browser.get(sent.location).text
    assert "Стовпці «тип», «колишні» не враховано" in page
    assert re.search(r"\b3 [^▲]*?Напишіть назву", section(page, "wrong"))
    assert "Нова" in section(page, "new")
    assert 'data-most-bytes="1000000"' in browser.get("/reference/streets/import").text


def test_ten_thousand_lines_are_one_short_transaction(web):
    """Nobody's call waits long for the database meanwhile; the page stays light."""
    lines = "".join(f"вулиця Тестова {place};Колишня {place}\n" for place in range(10_000))
    browser = logged_in(web, "tsapkova")
    sent = upload(browser, ("Назва;Колишні назви\n" + lines).encode())
    page = browser.get(sent.location)
    assert len(page.data) < 150_000
    assert apply(browser, sent.location).status_code == 302
    assert len(stored_streets(web)) == 10_004
    assert len(browser.get("/reference/streets").data) < 150_000


def test_the_empty_file_can_be_uploaded_again(web):
    browser = logged_in(web, "tsapkova")
    for kind, titles in (
        ("streets", "Назва;Колишні назви;Інші назви;Діє"),
        ("organisations", "Назва;Електронна пошта;Телефони чергових;Діє"),
    ):
        answer = browser.get(f"/reference/{kind}/template")
        assert answer.data.decode("utf-8-sig").strip() == titles
        assert answer.headers["Content-Disposition"] == f'attachment; filename="{kind}.csv"'
        page = browser.get(upload(browser, answer.data, kind).location).text
        assert "Вносити нічого" in page
    assert browser.get("/reference/users/template").status_code == 404


@pytest.mark.parametrize("database", ["settings", "postgres_settings"])
def test_a_line_that_became_wrong_meanwhile_stays_out(request, database):
    """Between looking and applying a colleague adds the same street: it is not added twice."""
    from jobs.app import bare_app
    from tests.desk_fixtures import fill_desks
    from tests.helpers import close_database

    app = bare_app(request.getfixturevalue(database))
    with app.app_context():
        fill_desks()
        rows = [{"name": "вулиця Нова", "former_names": "Стара"}, {"name": "вулиця Друга"}, {"name": "вул. Друга"}]
        with transaction() as session:
            user = session.scalars(db.select(User).where(User.login == "nachalnyk")).one()
            token = keep_upload(session, Subject.STREET, rows, user, now())
            assert [line.verdict for line in plan(session, Subject.STREET, rows)][:2] == [Verdict.NEW, Verdict.NEW]
        with transaction() as session:
            session.add(Street(name="вул. Нова"))
        with transaction() as session:
            counts = apply_upload(session, session.get_one(Upload, token), session.get_one(User, user.id), now())
        assert counts == {Verdict.NEW: 1, Verdict.CHANGED: 1, Verdict.SAME: 0, Verdict.WRONG: 1}
        lines = plan(db.session(), Subject.STREET, rows)
        assert [line.verdict for line in lines] == [Verdict.SAME, Verdict.SAME, Verdict.WRONG]
        assert lines[2].fault.kind == FaultKind.REPEATED
    close_database(app)
