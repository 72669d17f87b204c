"""The centre at a glance: the lines with their calls, what today's calls came to, whose drafts are open (W13)."""

import re
from datetime import timedelta

import pytest
from flask import Flask

from models.base import db, now, transaction
from models.calls import Call
from models.drafts import attach_draft, claim_draft, end_draft
from models.overview import calls_since, drafts_at_work
from models.people import User
from models.reports import Report, ReportEvent
from tests.desk_fixtures import Exchange, user_id
from tests.web_fixtures import logged_in, register


@pytest.fixture
def exchange(web: Flask) -> Exchange:
    return Exchange(web)


def test_calls_are_counted_by_line_and_by_what_they_came_to(web, exchange):
    """Each call in one column: they add up to the calls. A missed one is missed until something came of it."""
    report = register(web, "Яма")
    consulted, attached, wrong, missed = (exchange.call(line="53275")[1] for _call in range(4))
    exchange.missed("0501112233")
    exchange.call("0501112233", line="99999")
    exchange.call(at=now() - timedelta(days=2))
    with web.app_context():
        with transaction() as session:
            me = session.get_one(User, user_id("tsapkova"))
            end_draft(session, session.get_one(Report, consulted), me, ReportEvent.CONSULTED)
            end_draft(session, session.get_one(Report, wrong), me, ReportEvent.WRONG_NUMBER)
            attach_draft(session, session.get_one(Report, attached), me, session.get_one(Report, report))
        exchange.hang_up(session.get_one(Report, missed).call_id)
        rows, total = calls_since(db.session(), now() - timedelta(hours=1))
        counts = [
            (row.line and row.line.number, row.calls, row.missed, row.registered, row.consultations, row.attached,
             row.otherwise, row.drafts)
            for row in rows
        ]  # fmt: skip
    assert counts == [
        ("5-32-73", 2, 1, 1, 0, 0, 0, 0),
        ("5-32-75", 4, 1, 0, 1, 1, 1, 0),
        ("5-42-86", 0, 0, 0, 0, 0, 0, 0),
        (None, 1, 0, 0, 0, 0, 0, 1),
    ]
    assert (total.calls, total.missed, total.drafts) == (7, 2, 1)
    assert all(calls == sum(columns) for _line, calls, *columns in counts)


def test_drafts_at_work_are_counted_by_person_with_the_oldest(web, exchange):
    begun = now() - timedelta(hours=3)
    drafts = [exchange.call(at=begun)[1], exchange.call()[1], exchange.call()[1]]
    with web.app_context(), transaction() as session:
        for draft, login in zip(drafts, ("tsapkova", "tsapkova", "sorokina"), strict=True):
            claim_draft(session, session.get_one(Report, draft), session.get_one(User, user_id(login)))
        found = [(one.user.login, one.drafts, one.oldest == begun) for one in drafts_at_work(session)]
    assert found == [("tsapkova", 2, True), ("sorokina", 1, False)]


@pytest.mark.parametrize("login", ["nachalnyk", "dyspetcher"])
def test_who_oversees_sees_the_lines_and_who_talks(web, exchange, login):
    """No caller's number stands there: whom it rings for and who speaks is enough."""
    talking, ringing = exchange.call("0671234567")[0], exchange.call("0501112233", line="53275")[0]
    exchange.answer(talking, 1)
    exchange.ring(ringing, 2)
    exchange.ring(ringing, 3)
    browser = logged_in(web, login)
    for address in ("/", "/desk/overview"):
        page = browser.get(address).text
        overview = page[page.index('id="overview"') :]
        rows = re.findall(r"<tr>(.*?)</tr>", overview[: overview.index("today-title")], re.S)
        words = [" ".join(re.sub("<[^>]+>", " ", row).split()) for row in rows]
        assert words[1:] == ["5-32-73 ◐ Розмова Цапкова О. П.", "5-32-75 ☎ Дзвонить Сорокіна В. В., Чернявська С. І.",
                             "5-42-86 ○ вільна"]  # fmt: skip
    assert "4567" not in overview


def test_who_hears_of_an_outage_is_not_said_to_ring(web, exchange):
    call, _draft = exchange.call("0671234567")
    with web.app_context(), transaction() as session:
        session.get_one(Call, call).announced = True
    page = logged_in(web, "nachalnyk").get("/desk/overview").text
    assert "Слухає оголошення" in page[: page.index("today-title")]
    assert "Дзвонить" not in page[: page.index("today-title")]


def test_each_count_of_the_overview_has_its_word(web, exchange):
    with web.app_context(), transaction() as session:
        for draft in (exchange.call()[1], exchange.call()[1]):
            claim_draft(session, session.get_one(Report, draft), session.get_one(User, user_id("tsapkova")))
    page = logged_in(web, "nachalnyk").get("/desk/overview").text
    words = " ".join(re.sub("<[^>]+>", " ", page).split())
    assert "Цапкова О. П. — 2 чернетки · найдавніша: сьогодні" in words
    heads = [" ".join(head.split()) for head in re.findall(r'class="count-of">([^<]+)</th>', page)]
    assert heads == re.findall(r'data-word="([^"]+)"', page)[: len(heads)]
    assert heads[0] == "Дзвінки"
    assert heads[-1] == "Не завершено"


def test_an_administrators_desk_has_no_overview(web):
    assert 'id="overview"' not in logged_in(web, "tsapkova").get("/").text
