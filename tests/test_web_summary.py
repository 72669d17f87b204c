"""Pages of the summaries and of the quarterly report, and the command (S 3.3, R 4.6, W12, W13)."""

import re
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
from docx import Document
from flask import Flask
from sqlalchemy import select

from models.base import db, now
from models.outbox import Letter
from models.people import User
from models.periods import Quarter
from models.quarterly import QuarterlyReport, prepare_due, reports_on
from models.workdays import KYIV
from tests.mail_fixtures import with_mail
from tests.summary_fixtures import kyiv
from tests.test_models_summary import fill
from tests.web_fixtures import Browser, logged_in, stored_user
from webui import cli

QUARTER = Quarter(2026, 3)
THIRD = "date_from=2026-07-01&date_to=2026-09-30"
PAGE = {"Accept": "text/html", "Sec-Fetch-Dest": "document"}


@pytest.fixture
def town(web: Flask) -> Flask:
    """The web of a town with the reports of the summaries' tests."""
    with web.app_context():
        fill(db.session())
        db.session.remove()
    return web


@pytest.fixture
def prepared(town: Flask) -> dict[str, int]:
    """The third quarter's reports: their ids by the control body's login, "" for all organisations."""
    with town.app_context():
        prepare_due(db.session(), kyiv("2026-10-01 00:05"))
        found = reports_on(db.session(), QUARTER)
        return {report.control_body.login if report.control_body else "": report.id for report in found}


def figure(page: str, word: str) -> int:
    """One of the figures on top."""
    return int(re.search(rf"<dt>{word}</dt><dd[^>]*>(\d+)", page)[1])


def row(page: str, table: str, name: str) -> str:
    """The row of this name in the table with this id, without its tags."""
    inside = page.split(f'id="{table}"')[1].split("</section>")[0]
    found = next(part for part in inside.split("<tr>") if name in part)
    return " ".join(re.sub(r"<[^>]+>", " ", found).split())


def move(browser: Browser, report_id: int, event: str, **values: str):
    """What the page as it is now would send; or what one with so many ``steps`` would."""
    seen = re.search(r'name="steps" value="(\d+)"', browser.get(f"/quarterly/{report_id}").text)
    values = {"steps": seen[1] if seen else "", **values}
    return browser.post(f"/quarterly/{report_id}/move", {"event": event, **values}, page="/me", headers=PAGE)


def test_the_summary_of_a_quarter(town):
    """W13: its figures, and each part as a row with its number in text."""
    page = logged_in(town, "tsapkova").get(f"/summary?{THIRD}")
    assert page.status_code == 200
    assert figure(page.text, "Надійшло") == 6
    assert figure(page.text, "Повторних") == 1
    assert row(page.text, "by-category", "Водопостачання").startswith("Водопостачання 2 0 1 0 1")
    assert row(page.text, "by-hour", "23:00") == "23:00 1 17%"
    assert row(page.text, "outcomes", "заявник підтвердив") == "заявник підтвердив виконання 1 17%"
    assert row(page.text, "endings", "Консультацію надано") == "Консультацію надано 1 100%"


def test_a_figure_leads_to_the_journal_with_so_many_rows(town):
    browser = logged_in(town, "tsapkova")
    page = browser.get(f"/summary?{THIRD}").text
    links = set(re.findall(r'href="(/journal\?[^"]+)"[^>]*>[^<]+</a></th>\s*<td class="bar-count">(\d+)', page))
    assert len(links) > 4
    shown = (
        r'href="(/journal\?[^"]+executor=[^"]+)"[^>]*>[^<]+</a></th>\s*<td class="bar-cell">.*?</td>\s*<td[^>]*>(\d+)'
    )
    executors = re.findall(shown, page, re.DOTALL)
    assert len(executors) == 3
    for address, count in [*links, *executors]:
        listed = browser.get(address.replace("&amp;", "&")).text
        assert listed.count('<th scope="row"><a href="/reports/') == int(count), address


def test_the_control_body_sees_the_reports_of_its_organisations(town):
    """And no way to the journal, which is the centre's; another organisation is not on its list."""
    browser = logged_in(town, "kontrol")
    page = browser.get(f"/summary?{THIRD}").text
    assert figure(page, "Надійшло") == 3
    assert "Міськводоканал" not in page
    assert "/journal" not in page
    assert browser.get(f"/summary?{THIRD}&executor=2").status_code == 422
    assert figure(browser.get(f"/summary?{THIRD}&executor=1").text, "Надійшло") == 3


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("date_from=2026-09-30&date_to=2026-07-01", "Період закінчується раніше"),
        ("date_from=nonsense&date_to=2026-07-01", "Це не дата"),
        ("date_from=0001-01-01&date_to=9999-12-31", "Це не дата"),
        ("executor=999", "Виберіть зі списку"),
        ("executor=' OR 1=1", "Виберіть зі списку"),
    ],
)
def test_a_question_that_cannot_be_meant_is_answered_beside_its_field(town, query, said):
    answer = logged_in(town, "tsapkova").get(f"/summary?{query}")
    assert answer.status_code == 422
    assert said in answer.text
    typed = re.search(r"date_from=([^&]+)", query)
    assert not typed or f'value="{typed[1]}"' in answer.text


def test_this_month_is_shown_first(web):
    today = now().astimezone(KYIV).date()
    page = logged_in(web, "nachalnyk").get("/summary").text
    assert f'value="{today.replace(day=1).isoformat()}"' in page
    assert "За цей період повідомлень немає" in page


def test_from_prepared_to_sent(town, prepared):
    """R 4.6, W12: checked with a remark, taken back, checked again, sent; then it stays as it is."""
    browser, report = logged_in(town, "tsapkova"), prepared["kontrol"]
    page = browser.get(f"/quarterly/{report}").text
    assert "ІНФОРМАЦІЯ (проєкт)" in page
    heading = re.search(r"<h1>([^<]+)</h1>", page)[1]
    assert stored_user(town, "kontrol").name in heading  # of several reports on one quarter, whose it is
    assert "5\u00a0жовтня 2026\u00a0року" in page
    for event, remark in (("renewed", ""), ("checked", "Насос"), ("taken_back", ""), ("checked", "Насос замінено")):
        assert move(browser, report, event, remark=remark).status_code == 302
    assert logged_in(town, "kontrol").get(f"/quarterly/{report}").status_code == 404  # not sent yet
    assert move(browser, report, "sent").status_code == 302
    assert move(browser, report, "checked", remark="Інше").status_code == 409
    assert move(browser, report, "renewed").status_code == 409
    page = logged_in(town, "kontrol").get(f"/quarterly/{report}").text
    assert "Насос замінено" in page
    assert "проєкт" not in page
    assert "Цапкова О. П." in page
    assert 'name="event"' not in page


def test_nobody_signs_figures_that_were_counted_anew_since(town, prepared):
    """R 4.6: of two who have the page open, the second is shown what the first did."""
    browser, report = logged_in(town, "tsapkova"), prepared["kontrol"]
    assert move(browser, report, "renewed").status_code == 302
    refused = move(browser, report, "checked", steps="1", remark="Насос")
    assert refused.status_code == 409
    assert "Насос" in refused.text
    assert move(browser, report, "checked", remark="Насос").status_code == 302


def test_a_refused_move_keeps_the_remark(town, prepared):
    browser, report = logged_in(town, "tsapkova"), prepared[""]
    move(browser, report, "checked", remark="Перше")
    second = move(logged_in(town, "nachalnyk"), report, "checked", remark="Друге зауваження")
    assert second.status_code == 409
    assert "Друге зауваження" in second.text
    long = move(browser, prepared["kontrol"], "checked", remark="я" * 5001)
    assert long.status_code == 422
    assert "5000" in long.text
    assert "я" * 5001 in long.text
    for event in ("", "prepared", "nonsense"):
        assert move(browser, report, event).status_code == 400


def test_what_is_another_figure_today(town, prepared):
    browser = logged_in(town, "tsapkova")
    page = browser.get(f"/quarterly/{prepared['']}?compare=1").text
    assert "сьогодні всі показники такі самі" not in page  # the report of the last minute is overdue by now
    assert row(page, "compared", "Міськводоканал").startswith("КП «Міськводоканал»")
    assert "compared" not in logged_in(town, "kontrol").get("/quarterly?compare=1").text


def test_whom_it_is_sent_to_is_told_by_letter(town, prepared):
    """R 4.6. The one on all organisations goes to nobody alone; without a mail server nothing is written."""
    browser = logged_in(town, "tsapkova")
    town.config["SETTINGS"] = with_mail(town.config["SETTINGS"], 25)
    for report in prepared.values():
        for event in ("checked", "sent"):
            assert move(browser, report, event, remark="").status_code == 302
    with town.app_context():
        (letter,) = db.session.scalars(select(Letter)).all()
        assert letter.user.login == "kontrol"
        assert letter.subject == "Звіт за 3-й квартал 2026 року"
        assert f"/quarterly/{prepared['kontrol']}\n" in letter.body


def test_who_sees_which(town, prepared):
    """The control body its own, once sent: no other, no document of another; the centre all."""
    kontrol, clerk = logged_in(town, "kontrol"), logged_in(town, "tsapkova")
    for report in prepared.values():
        assert kontrol.get(f"/quarterly/{report}").status_code == 404
        assert kontrol.get(f"/quarterly/{report}/document/docx").status_code == 404
        assert logged_in(town, "dyspetcher").get(f"/quarterly/{report}").status_code == 200
        move(clerk, report, "checked")
        move(clerk, report, "sent")
    assert kontrol.get(f"/quarterly/{prepared['kontrol']}/document/docx").status_code == 200
    assert kontrol.get(f"/quarterly/{prepared['']}").status_code == 404
    assert kontrol.get(f"/quarterly/{prepared['']}/document/pdf").status_code == 404
    listed = kontrol.get("/quarterly").text
    assert f"/quarterly/{prepared['kontrol']}" in listed
    assert f'/quarterly/{prepared[""]}"' not in listed
    assert kontrol.post("/quarterly/prepare", page="/me").status_code == 403
    assert move(logged_in(town, "dyspetcher"), prepared[""], "taken_back").status_code == 403


@pytest.mark.parametrize("kind", ["docx", "xlsx", "pdf"])
def test_the_documents_are_downloaded_in_ukrainian(town, prepared, kind):
    browser = logged_in(town, "tsapkova")
    browser.post("/language", {"language": "en"}, page="/me")
    answer = browser.get(f"/quarterly/{prepared['']}/document/{kind}")
    assert answer.status_code == 200
    assert answer.headers["Content-Disposition"] == f'attachment; filename="kvartalnyi-zvit-2026-3.{kind}"'
    if kind == "docx":
        assert "повідомлених громадянами" in " ".join(p.text for p in Document(BytesIO(answer.data)).paragraphs)
    assert browser.get(f"/quarterly/{prepared['']}/document/exe").status_code == 404


def test_what_the_system_has_not_prepared_can_be_asked_for(town):
    browser = logged_in(town, "nachalnyk")
    assert "Підготувати зараз" in browser.get("/quarterly").text
    for _ in range(2):
        assert browser.post("/quarterly/prepare", page="/me").status_code == 302
    assert "Підготувати зараз" not in browser.get("/quarterly").text
    with town.app_context():
        whose = db.session.scalars(
            select(User.login).select_from(QuarterlyReport).outerjoin(User, User.id == QuarterlyReport.control_body_id)
        ).all()
    assert sorted(str(login) for login in whose) == ["None", "kontrol"]


def run(arguments: list[str], monkeypatch: pytest.MonkeyPatch, folder: Path) -> int:
    monkeypatch.setenv("CC_VAR", str(folder))
    monkeypatch.setattr("sys.argv", ["contact-center", "report", "quarterly", *arguments])
    try:
        cli.main()
    except SystemExit as ended:
        return ended.code or 0
    return 0


def test_the_command_writes_three_files_for_all_and_for_each_control_body(town, settings, monkeypatch, tmp_path):
    assert run(["2026Q3", "--output", str(tmp_path / "out")], monkeypatch, settings.var) == 0
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == sorted(
        f"kvartalnyi-zvit-2026-3{whose}.{kind}" for whose in ("", "-kontrol") for kind in ("docx", "xlsx", "pdf")
    )
    told = Document(tmp_path / "out" / "kvartalnyi-zvit-2026-3-kontrol.docx").tables[0].rows[-1].cells[1].text
    assert told == "3"


def test_the_command_refuses_what_is_no_quarter_in_one_sentence(town, settings, monkeypatch, tmp_path, capsys):
    running = (now() + timedelta(days=1)).astimezone(KYIV).date()
    present = Quarter(running.year, (running.month + 2) // 3)
    for typed in ("2026Q5", "третій", str(present)):
        assert run([typed, "--output", str(tmp_path / "out")], monkeypatch, settings.var) == 1
        told = capsys.readouterr().err.strip()
        assert told.count("\n") == 0
        assert typed in told
    assert not (tmp_path / "out").exists()
