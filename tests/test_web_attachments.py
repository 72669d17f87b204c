"""Photos and documents on a report's page: who adds them, who sees them, and how they are sent (R 4.5, A3)."""

import io
import re
import zipfile
from datetime import timedelta
from urllib.parse import unquote

from sqlalchemy import select

from jobs.filestore import keep, stored
from jobs.office import clear_store
from jobs.pictures import check_file
from models.acts import Act
from models.attachments import Attachment
from models.base import db, now, transaction
from models.erasure import anonymise_report
from models.kept import unlocked
from models.people import AccessLog, Organisation, Role, User
from models.redaction import GONE
from models.reports import HistoryRow, Report
from tests.picture_fixtures import PDF, photo
from tests.web_fixtures import Browser, logged_in, register, stored_user

PAGE = {"Accept": "text/html", "Sec-Fetch-Dest": "document"}


def act(web, login, report_id, wanted, *files, **values):
    browser = logged_in(web, login)
    with web.app_context():
        revision = str(db.session.get_one(Report, report_id).revision)
    sent = {"files": [(io.BytesIO(content), name) for content, name in files]} if files else {}
    form = {"act": wanted, "revision": revision, **values, **sent}
    return browser.post(f"/reports/{report_id}/act", form, page="/me", headers=PAGE)


def attached(web):
    with web.app_context():
        return db.session.execute(select(Attachment.name, Attachment.kind, Attachment.type)).all()


def test_the_operator_says_done_with_a_photo_and_the_page_tells_in_order(web):
    """R 4.5, W1"""
    report = register(web, "Не горить ліхтар")
    act(web, "tsapkova", report, Act.ADD_FILES, (photo(), "до.jpg"), kind="before")
    act(web, "operator", report, Act.ACCEPT)
    answer = act(web, "operator", report, Act.COMPLETE, (photo(colour="#fff"), "зроблено.jpg"), words="Замінено лампу")
    assert answer.status_code == 302
    assert attached(web) == [("до.jpg", "before", "image/jpeg"), ("зроблено.jpg", "after", "image/jpeg")]
    page = logged_in(web, "tsapkova").get(f"/reports/{report}").text
    line = page.split('class="timeline"')[1].split("</ol>")[0]
    places = [line.rindex(said) for said in ("до.jpg", "взято в роботу", "зроблено.jpg", "Замінено лампу")]
    assert places == sorted(places)
    assert page.count('/small"') == 2


def test_a_lying_file_is_named_and_the_words_stay(web):
    report = register(web, "Не горить ліхтар")
    act(web, "operator", report, Act.ACCEPT)
    answer = act(web, "operator", report, Act.COMPLETE, (b"<html>", "a.jpg"), words="Замінено лампу")
    assert answer.status_code == 422
    assert "не відповідає" in answer.text.split('id="files-error"')[1].split("</p>")[0]
    assert "Замінено лампу" in answer.text
    assert attached(web) == []
    with web.app_context():
        assert db.session.get_one(Report, report).state == "in_progress"


def test_what_is_refused_is_not_kept_and_what_nobody_names_goes(web):
    """A3"""
    settings, report = web.config["SETTINGS"], register(web, "Не горить ліхтар")
    act(web, "tsapkova", report, Act.ADD_FILES, (photo(), "до.jpg"), kind="before")
    kept = set(stored(settings))
    act(web, "operator", report, Act.ACCEPT)
    refused = act(web, "operator", report, Act.COMPLETE, (photo(colour="#123"), "а.jpg"), words="")
    assert refused.status_code == 422
    assert set(stored(settings)) == kept
    lost = keep(settings, check_file(photo(colour="#456"), "б.jpg"))
    clear_store(web, now())
    assert set(stored(settings)) == kept | {lost}
    clear_store(web, now() + timedelta(hours=2))
    assert set(stored(settings)) == kept
    assert not list(settings.attachments_dir.glob(f"*/{lost}*"))


def test_a_telephone_in_a_name_is_the_centres_alone(web):
    """A3"""
    report = register(web, "Не горить ліхтар")
    act(web, "tsapkova", report, Act.ADD_FILES, (PDF, "Коваль 050 765-43-21.pdf"), kind="other")
    for login, seen in (("tsapkova", True), ("operator", False)):
        browser = logged_in(web, login)
        said = browser.get("/attachments/1").headers["Content-Disposition"]
        assert ("765-43" in unquote(said)) is seen
        assert "765-43" not in browser.get(f"/reports/{report}").text
        assert ("765-43" in browser.post(f"/reports/{report}/number", {"purpose": "visit"}, page="/me").text) is seen


def test_an_erasure_takes_the_files_and_the_export_holds_them(web):
    """A3: neither row, name nor file stays; at the end of a term what colleagues added does, without its name."""
    settings = web.config["SETTINGS"]
    report, old = (
        register(web, text, number=number) for text, number in (("Яма", "0671234567"), ("Лід", "0501112233"))
    )
    act(web, "tsapkova", report, Act.ADD_FILES, (PDF, "Коваль.pdf"), kind="other")
    act(web, "tsapkova", old, Act.ADD_FILES, (photo(), "Петренко.jpg"), kind="other")
    with web.app_context(), transaction() as session:
        for row in session.scalars(select(Report)):
            row.state = "closed"
    head, whom = logged_in(web, "nachalnyk"), {"telephone": "067 123 45 67", "name": ""}
    page = head.post("/personal-data/person", whom, page="/me").text
    assert "буде видалено 1\u00a0файл" in page
    with zipfile.ZipFile(io.BytesIO(head.post("/personal-data/person/export", whom, page="/me").data)) as packed:
        (name,) = [name for name in packed.namelist() if name.startswith("faily/")]
        assert packed.read(name) == PDF
        assert "Коваль.pdf" in packed.read("dani.html").decode()
    sure = {**whom, "reason": "Заява № 5", "sure": "on"}
    assert head.post("/personal-data/person/erase", sure, page="/me").status_code == 302
    with web.app_context(), transaction() as session, unlocked(session):
        anonymise_report(session, session.get_one(Report, old), None, "", texts=False, at=now())
    with web.app_context():
        (kept,) = db.session.scalars(select(Attachment))
        assert (kept.report_id, kept.name) == (old, GONE)
        assert set(stored(settings)) == {kept.sha256}
        notes = db.session.scalars(select(HistoryRow.note).where(HistoryRow.event == "file_added")).all()
        assert notes == [GONE, GONE]


def test_no_file_and_too_many_are_said(web):
    report = register(web, "Не горить ліхтар")
    assert act(web, "tsapkova", report, Act.ADD_FILES, kind="other").status_code == 422
    for n in range(3):
        files = [(photo(size=(10 + n, 10 + m)), f"{n}{m}.jpg") for m in range(3)]
        assert act(web, "tsapkova", report, Act.ADD_FILES, *files, kind="other").status_code == 302
    answer = act(web, "tsapkova", report, Act.ADD_FILES, (PDF, "1.pdf"), (photo(), "2.jpg"), kind="other")
    assert answer.status_code == 422
    assert "лише 1\u00a0файл" in answer.text
    assert len(attached(web)) == 9


def test_a_file_is_sent_so_that_a_browser_runs_nothing_of_it(web):
    report = register(web, "Не горить ліхтар")
    act(web, "tsapkova", report, Act.ADD_FILES, (photo(gps=True), "яма.png.jpg"), (PDF, "акт.pdf"), kind="other")
    browser = logged_in(web, "tsapkova")
    for address, type_, disposition in (
        ("/attachments/1", "image/jpeg", "inline"),
        ("/attachments/1/small", "image/webp", "inline"),
        ("/attachments/2", "application/pdf", "attachment"),
    ):
        answer = browser.get(address)
        assert (answer.status_code, answer.mimetype) == (200, type_)
        assert answer.headers["Content-Disposition"].startswith(disposition)
        assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"
    assert browser.get("/attachments/2/small").status_code == 404
    with web.app_context():
        looks = db.session.execute(
            select(AccessLog.subject, AccessLog.subject_id).where(AccessLog.subject == "attachment")
        ).all()
    assert looks == [("attachment", 1), ("attachment", 2)]


def test_a_file_is_the_business_of_those_whose_report_it_is(web):
    """W2: a foreign organisation's operator gets 404, and can add none."""
    report = register(web, "Не горить ліхтар")
    act(web, "tsapkova", report, Act.ADD_FILES, (photo(), "яма.jpg"), kind="other")
    with web.app_context(), transaction() as session:
        water = session.scalars(select(Organisation).where(Organisation.name.contains("водоканал"))).one()
        mine = session.scalars(select(User).where(User.login == "operator")).one()
        session.add(
            User(login="petro", name="П", password_hash=mine.password_hash, role=Role.OPERATOR, organisation=water)
        )
    for login, status in (("operator", 200), ("kerivnyk", 200), ("kontrol", 200), ("dyspetcher", 200), ("petro", 404)):
        assert logged_in(web, login).get("/attachments/1").status_code == status, login
        assert logged_in(web, login).get("/attachments/1/small").status_code == status, login
    assert logged_in(web, "tekhnik").get("/attachments/1").status_code == 403
    assert Browser(web).get("/attachments/1", **PAGE).status_code == 302
    assert act(web, "petro", report, Act.ADD_FILES, (photo(), "x.jpg"), kind="other").status_code == 404
    assert act(web, "kerivnyk", report, Act.ADD_FILES, (photo(), "x.jpg"), kind="other").status_code == 403
    assert logged_in(web, "tsapkova").get("/attachments/999").status_code == 404


def test_a_drafts_photo_is_the_centres_alone(web):
    report = register(web, "Не горить ліхтар")
    act(web, "tsapkova", report, Act.ADD_FILES, (photo(), "яма.jpg"), kind="other")
    with web.app_context(), transaction() as session:
        draft = Report(source="online")
        session.add(draft)
        session.flush()
        session.scalars(select(Attachment)).one().report_id = draft.id
    assert logged_in(web, "operator").get("/attachments/1").status_code == 404
    assert logged_in(web, "tsapkova").get("/attachments/1").status_code == 200


def test_a_file_that_is_lost_is_no_fault(web):
    report = register(web, "Не горить ліхтар")
    act(web, "tsapkova", report, Act.ADD_FILES, (photo(), "яма.jpg"), kind="other")
    for path in web.config["SETTINGS"].attachments_dir.rglob("*"):
        if path.is_file():
            path.unlink()
    assert logged_in(web, "tsapkova").get("/attachments/1").status_code == 404


def test_the_page_offers_files_to_those_who_may_add_them(web):
    report = register(web, "Не горить ліхтар")
    for login, offered in (("tsapkova", True), ("operator", True), ("kerivnyk", False), ("kontrol", False)):
        page = logged_in(web, login).get(f"/reports/{report}").text
        assert bool(re.search('type="file"', page)) is offered, login
    assert stored_user(web, "operator").role == Role.OPERATOR
