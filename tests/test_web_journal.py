"""The journal and a report's page: filters, search, paging, and numbers that stay masked (W11, A3)."""

import re
from datetime import timedelta

import pytest
from cryptography.fernet import Fernet
from flask import Flask

from jobs.settings import Settings
from models.base import db, now, transaction
from models.drafts import attach_draft, end_draft
from models.people import AccessLog, User
from models.reports import Report, ReportEvent
from models.workdays import KYIV
from tests.desk_fixtures import Exchange
from tests.web_fixtures import Browser, logged_in, register
from webui.journal import PAGE
from webui.journal_question import LONGEST_SEARCH, SEARCHES_KEPT

ACCEPTED = (ReportEvent.ACCEPTED,)
CLOSED = (ReportEvent.ACCEPTED, ReportEvent.COMPLETED, ReportEvent.CONFIRMED)


@pytest.fixture
def browser(web: Flask) -> Browser:
    return logged_in(web, "tsapkova")


def listed(page: str) -> list[int]:
    """The ids of the reports in the list, as they stand."""
    return [int(found) for found in re.findall(r'<th scope="row"><a href="/reports/(\d+)"', page)]


def find(browser: Browser, **values: str) -> tuple[str, list[int]]:
    """Fill the journal's form in: the address it leads to, and the reports listed there."""
    answer = browser.post("/journal", values, page="/journal")
    assert answer.status_code == 302
    return answer.location, listed(browser.get(answer.location).text)


def test_an_empty_journal_says_what_will_be_here(browser: Browser) -> None:
    assert "Повідомлень ще немає" in browser.get("/journal").text


def test_newest_first_with_all_that_is_needed(web: Flask, browser: Browser) -> None:
    first = register(web, "Не горить ліхтар", applicant_name="Олена Коваль", emergency=True)
    second = register(web, "Немає води", category=2, street="Соборна")
    page = browser.get("/journal").text
    assert listed(page) == [second, first]
    for words in (
        "Київська, 12",
        "КП «Міськсвітло»",
        "Олена Коваль",
        "аварійне",
        "5-32-73",
        "Нове",
        "лишилося 5\u00a0год",
    ):
        assert words in page


def test_filters_alone_and_together(web: Flask, browser: Browser) -> None:
    light = register(web, "Не горить ліхтар", line="53273", events=ACCEPTED)
    water = register(web, "Немає води", category=2, line="53275")
    both = register(web, "Темно в парку", line="53275", events=ACCEPTED)
    assert find(browser, state="in_progress")[1] == [both, light]
    assert find(browser, category="2")[1] == [water]
    assert find(browser, line="2")[1] == [both, water]
    assert find(browser, state="in_progress", line="2", category="1")[1] == [both]
    assert find(browser, state="closed")[1] == []
    assert "Знайдено: 2\u00a0повідомлення" in browser.get("/journal?line=2").text
    assert "Знайдено" not in browser.get("/journal").text


def test_a_street_is_found_by_its_former_name(web: Flask, browser: Browser) -> None:
    soborna, _kyivska = register(web, "Яма", street="Соборна"), register(web, "Яма")
    assert find(browser, text="Леніна")[1] == find(browser, text="Соборна")[1] == [soborna]


def test_what_is_done_awaits_the_applicants_word(web: Flask, browser: Browser) -> None:
    report_id = register(web, "Яма", events=(*ACCEPTED, ReportEvent.COMPLETED))
    page = browser.get("/journal?state=done").text
    assert listed(page) == [report_id]
    assert "<small>очікує підтвердження</small>" in page
    assert "selected>Виконано, очікує підтвердження</option>" in page


def test_period_counts_days_in_kyiv_both_included(web: Flask, browser: Browser) -> None:
    old, new = register(web, "Давнє"), register(web, "Сьогоднішнє")
    today = now().astimezone(KYIV).date()
    last_week = today - timedelta(days=7)
    with web.app_context(), transaction() as session:
        report = session.get_one(Report, old)
        report.created_at = report.registered_at = now() - timedelta(days=7)
    assert find(browser, date_from=str(today), date_to=str(today))[1] == [new]
    assert find(browser, date_from=str(last_week), date_to=str(last_week))[1] == [old]
    assert find(browser, date_from=str(last_week))[1] == [new, old]


def test_one_box_finds_by_number_telephone_street_and_text(web: Flask, browser: Browser) -> None:
    """W11. What was typed stays in the box and out of every address."""
    wanted = register(web, "Не горить ліхтар", applicant_name="Олена Коваль")
    register(web, "Немає води", number="0509998877", category=2, street="Соборна")
    number = f"{now().astimezone(KYIV).year}-0001"
    telephones = ("067 123 45 67", "+380671234567", "80671234567")
    for typed in (*telephones, "ліхтарі", "київська", number, "1", "Коваль"):
        address, found = find(browser, text=typed)
        assert found == [wanted], typed
        assert re.fullmatch(r"/journal\?q=[\w-]{8}", address)
        assert f'value="{typed}"' in browser.get(address).text


def test_words_in_the_latin_layout_find_what_the_same_keys_write_in_ours(web: Flask, browser: Browser) -> None:
    """Only where they find nothing as they are; the box shows what was looked for."""
    wanted = register(web, "Немає води", street="Соборна")
    latin = register(web, "Не працює wifi")
    address, found = find(browser, text="cj,jhyf")
    assert found == [wanted]
    assert 'value="соборна"' in browser.get(address).text
    assert find(browser, text="wifi")[1] == [latin]


def test_search_goes_on_over_the_pages_with_its_filters(web: Flask, browser: Browser) -> None:
    ids = [register(web, "Не горить ліхтар", number="0671112233") for _ in range(PAGE + 3)]
    address, first = find(browser, text="067 111 22 33", state="new")
    assert first == ids[::-1][:PAGE]
    older = re.search(r'rel="next" href="([^"]+)"', browser.get(address).text)[1].replace("&amp;", "&")
    assert "067" not in older
    assert "state=new" in older
    page = browser.get(older).text
    assert listed(page) == ids[::-1][PAGE:]
    assert 'rel="next"' not in page
    newer = re.search(r'rel="prev" href="([^"]+)"', page)[1].replace("&amp;", "&")
    assert listed(browser.get(newer).text) == first


def test_what_was_searched_for_is_not_shown_to_another_person(web: Flask, browser: Browser) -> None:
    register(web, "Не горить ліхтар")
    address, _found = find(browser, text="0671234567")
    page = logged_in(web, "dyspetcher").get(address).text
    assert "0671234567" not in page
    assert "Наберіть його ще раз" in page
    assert listed(page) == []


def test_what_was_searched_for_cannot_be_read_in_the_cookie(web: Flask, browser: Browser, settings: Settings) -> None:
    """It is signed, but everybody who has the computer can read it."""
    for typed in ("0671234567", "Олена Коваль"):
        address, _found = find(browser, text=typed)
    cookie = browser.client.get_cookie(f"cc_{settings.web_port}")
    readable = str(web.session_interface.get_signing_serializer(web).loads(cookie.value))
    assert "_user_id" in readable
    assert "0671234567" not in readable
    assert "Коваль" not in readable
    assert 'value="Олена Коваль"' in browser.get(address).text


def test_an_old_search_asks_to_search_again(browser: Browser) -> None:
    oldest, _found = find(browser, text="найдавніше")
    for number in range(SEARCHES_KEPT):
        find(browser, text=f"новіше {number}")
    assert "Наберіть його ще раз" in browser.get(oldest).text


def test_what_was_kept_under_another_secret_is_forgotten(web: Flask, browser: Browser) -> None:
    address, _found = find(browser, text="Коваль")
    with browser.client.session_transaction() as session:
        session["searched"] = Fernet(Fernet.generate_key()).encrypt(b"{}").decode()
    assert "Наберіть його ще раз" in browser.get(address).text


def traces(web: Flask, *, pages: bool = False) -> list[tuple[str, int, str]]:
    """The rows of looks by searching, or by looking through ``pages``."""
    with web.app_context():
        query = db.select(AccessLog.subject, AccessLog.subject_id, AccessLog.reason).order_by(AccessLog.id)
        return [tuple(row) for row in db.session.execute(query) if (row.subject == "journal") is pages]


def test_who_looks_through_names_and_flats_is_seen(web: Flask, browser: Browser) -> None:
    """A3: a row for each page, once in a while."""
    register(web, "Не горить ліхтар")
    newest = register(web, "Немає води")
    for _again in range(2):
        browser.get("/journal")
    assert traces(web, pages=True) == [("journal", newest, "a page of 2 in the journal")]


def test_who_finds_a_masked_number_out_digit_by_digit_is_seen(web: Flask, browser: Browser) -> None:
    """A3: each search by a telephone leaves a row, found or not, and each report found by it one for each length."""
    report_id = register(web, "Не горить ліхтар", number="0671234567")
    for guess in ("4067", "4167", "4567", "4567", "34567"):
        find(browser, text=guess)
    searched, found = "telephone in the journal", "found by {} digits of a telephone"
    assert traces(web) == [
        ("search", 4, searched),
        ("search", 4, searched),
        ("search", 4, searched),
        ("report", report_id, found.format(4)),
        ("search", 4, searched),
        ("search", 5, searched),
        ("report", report_id, found.format(5)),
    ]


def test_there_is_no_other_way_to_search_by_digits_of_a_telephone(web: Flask, browser: Browser) -> None:
    """Neither by the word that the index holds nor by a letter at which a database begins a new word."""
    register(web, "Не горить ліхтар", number="0671234567")
    for typed in ("t7", "T7654", "\U0001e900t7654", "міськсвітло\U0001e900t7654", "567", "Київська 4567"):
        assert find(browser, text=typed)[1] == [], typed
    assert traces(web) == []


def test_words_and_report_numbers_leave_no_trace(web: Flask, browser: Browser) -> None:
    report_id = register(web, "Не горить ліхтар", number="0671230001")
    for typed in ("ліхтар", f"{now().astimezone(KYIV).year}-0001", "1"):
        assert find(browser, text=typed)[1] == [report_id]
    assert traces(web) == []


def test_what_is_found_by_its_own_number_is_not_said_to_be_found_by_a_telephone(web: Flask, browser: Browser) -> None:
    numbered = register(web, "Не горить ліхтар", number="0671234567")
    called = register(web, "Немає води", number="0501110001")
    assert find(browser, text="0001")[1] == [called, numbered]
    assert traces(web)[1:] == [("report", called, "found by 4 digits of a telephone")]


def test_the_cookie_stays_small_however_much_is_searched_for(browser: Browser, settings: Settings) -> None:
    """A browser drops a cookie above 4096 bytes, and with it the session."""
    letters = "абвгґдеєжзиіїйклмнопрстуфхцчшщьюя"
    for n in range(SEARCHES_KEPT + 3):
        find(browser, text="".join(letters[(n * 7 + k * k) % len(letters)] for k in range(LONGEST_SEARCH + 50)))
    cookie = browser.client.get_cookie(f"cc_{settings.web_port}")
    assert len(cookie.value) < 3900
    assert browser.get("/journal").status_code == 200


def test_mistakes_are_named_and_what_was_chosen_stays(browser: Browser) -> None:
    mistakes = [
        ("date_from=yesterday", "Це не дата"),
        ("date_from=2026-13-45", "Це не дата"),
        ("date_from=0001-01-01", "Це не дата"),
        ("date_to=0001-01-01", "Це не дата"),
        ("date_to=9999-12-31", "Це не дата"),
        ("date_from=2026-11-22&date_to=2026-11-01", "Період закінчується раніше"),
        ("state=lost", "Такого статусу немає"),
        ("category=x", "Такого запису немає"),
        ("line=99999999999999999999", "Такого запису немає"),
        ("executor=x", "Такого запису немає"),
        ("source=pigeon", "Такого запису немає"),
        ("repeated=perhaps", "Такого запису немає"),
        ("due=number%20DESC", "Такого запису немає"),
        ("emergency=1", "Такого запису немає"),
        ("sort=contact_number", "немає ні фільтра, ні порядку «sort»"),
        ("order=id%3BDROP%20TABLE%20reports", "немає ні фільтра, ні порядку «order»"),
        ("applicant_name=Коваль", "немає ні фільтра, ні порядку «applicant_name»"),
        ("q=unknown", "Наберіть його ще раз"),
    ]
    for query, sentence in mistakes:
        page = browser.get(f"/journal?{query}")
        assert page.status_code == 422
        assert sentence in page.text, query
        assert listed(page.text) == []
        name, _equals, value = query.split("&")[0].partition("=")
        if name.startswith("date"):
            assert f'value="{value}"' in page.text


def test_all_mistakes_are_told_together(browser: Browser) -> None:
    page = browser.get("/journal?date_to=x&category=x&line=x").text
    assert "Це не дата" in page
    assert page.count("Такого запису немає") == 2
    assert page.count('aria-invalid="true"') == 3


def test_after_a_search_the_keyboard_stands_on_what_was_found(web: Flask, browser: Browser) -> None:
    report_id = register(web, "Не горить ліхтар")
    assert "autofocus" not in browser.get("/journal").text
    found = browser.get(find(browser, text="ліхтар")[0]).text
    assert re.findall(r"<a [^>]*autofocus", found) == re.findall(
        rf'<a href="/reports/{report_id}"[^>]*autofocus', found
    )
    assert found.count("autofocus") == 1
    assert re.search(r'<input [^>]*id="text"[^>]*autofocus', browser.get(find(browser, text="вулкан")[0]).text)


def test_a_mistyped_page_does_not_break_the_journal(web: Flask, browser: Browser) -> None:
    register(web, "Не горить ліхтар")
    for query in ("before=x", "before=-5", "after=0", "before=99999999999999999999999", "before=1&after=1"):
        assert browser.get(f"/journal?{query}").status_code == 200, query


def test_numbers_are_masked_in_the_list_and_on_the_report(web: Flask, browser: Browser) -> None:
    """A3: the full number is nowhere in the page, in no form."""
    report_id = register(web, "Не горить ліхтар", number="0671234567", other_phone="050 765 43 21")
    for address in ("/journal", f"/reports/{report_id}"):
        page = browser.get(address).text
        digits = re.sub(r"[^\d]", "", page)
        assert "671234567" not in digits
        assert "1234567" not in re.sub(r"[\s\u00a0-]", "", page)
        assert "7654321" not in re.sub(r"[\s\u00a0-]", "", page)
        assert "+380 67 ••• •• 67" in page
    assert "+380 50 ••• •• 21" in page


def test_the_number_is_shown_on_request(web: Flask, browser: Browser) -> None:
    report_id = register(web, "Не горить ліхтар", number="0671234567", other_phone="050 765 43 21")
    page = browser.post(f"/reports/{report_id}/number", page="/journal").text.replace("\u00a0", " ")
    assert "+380 67 123 45 67" in page
    assert "+380 50 765 43 21" in page
    assert browser.post("/reports/999999/number", page="/journal").status_code == 404


def test_a_report_shows_its_facts_history_calls_and_repeats(web: Flask, browser: Browser) -> None:
    report_id = register(web, "Не горить ліхтар", flat="7", applicant_name="Олена Коваль", events=ACCEPTED)
    repeat_id = register(web, "Досі не горить")
    exchange = Exchange(web)
    call_id, draft_id = exchange.call("0671234567")
    exchange.answer(call_id, 1)
    with web.app_context(), transaction() as session:
        user = session.scalars(db.select(User).where(User.login == "tsapkova")).one()
        draft = session.get_one(Report, draft_id)
        draft.text = "Питає, коли полагодять"
        session.flush()
        attach_draft(session, draft, user, session.get_one(Report, report_id))
    page = browser.get(f"/reports/{report_id}").text
    year = now().astimezone(KYIV).year
    for words in (
        f"№&nbsp;{year}-0001",
        "Київська, 12, кв. 7",
        "взято в роботу",
        "зареєстровано",
        "чернетку створено",
        "заявник дзвонив щодо повідомлення",
        "Питає, коли полагодять",
        f'<a href="/reports/{draft_id}">',
        "дзвінок прийнято: ",
        f"№&nbsp;{year}-0002",
        "лишилося 5\u00a0год",
    ):
        assert words in page, words
    assert f"№&nbsp;{year}-0001" in browser.get(f"/reports/{repeat_id}").text


def test_the_orders_are_quoted_in_words_and_not_by_our_clause_numbers(web: Flask, browser: Browser) -> None:
    report_id = register(web, "Не горить ліхтар")
    page = browser.get(f"/reports/{report_id}").text
    assert "5\u00a0робочих днів для цього виду" in page
    for address in ("/", "/journal", f"/reports/{report_id}", "/status"):
        assert not re.search(r"\b[RS] \d\.\d", browser.get(address).text), address


def test_a_look_at_a_report_is_recorded(web: Flask, browser: Browser) -> None:
    """A3: its page shows a name and a flat."""
    report_id = register(web, "Не горить ліхтар", applicant_name="Олена Коваль")
    for _look in range(2):
        browser.get(f"/reports/{report_id}")
    with web.app_context():
        looks = db.session.scalars(db.select(AccessLog).where(AccessLog.subject == "report")).all()
    assert [(look.subject_id, look.reason) for look in looks] == [(report_id, "the report's page")]


def test_what_a_citizen_says_is_text_and_never_markup(web: Flask, browser: Browser) -> None:
    nasty = "<script>alert(1)</script>"
    report_id = register(web, nasty, applicant_name='"><img src=x>', landmark=nasty)
    for address in ("/journal", f"/reports/{report_id}"):
        page = browser.get(address).text
        assert "<script>alert" not in page
        assert "<img" not in page


def test_an_ended_draft_is_listed_when_asked_for_and_has_a_page(web: Flask, browser: Browser) -> None:
    _call, draft_id = Exchange(web).call("0671234567")
    with web.app_context(), transaction() as session:
        user = session.scalars(db.select(User).where(User.login == "tsapkova")).one()
        end_draft(session, session.get_one(Report, draft_id), user, ReportEvent.CONSULTED)
    assert find(browser)[1] == []
    assert find(browser, state="consultation")[1] == [draft_id]
    assert "Консультацію надано" in browser.get(f"/reports/{draft_id}").text


def test_an_open_draft_is_worked_on_at_its_own_address(web: Flask, browser: Browser) -> None:
    _call, draft_id = Exchange(web).call("0671234567")
    assert browser.get(f"/reports/{draft_id}").location == f"/drafts/{draft_id}"
    for nothing in ("999999", "99999999999999999999999", "-1", "x"):
        assert browser.get(f"/reports/{nothing}").status_code == 404


def test_late_reports_say_by_how_much(web: Flask, browser: Browser) -> None:
    late = register(web, "Не горить ліхтар", due_in=timedelta(days=-2, minutes=-5))
    assert "прострочено на 2\u00a0дні" in browser.get("/journal").text
    assert "прострочено на 2\u00a0дні" in browser.get(f"/reports/{late}").text
    for events in (CLOSED, CLOSED[:2], (ReportEvent.ACCEPTED, ReportEvent.REASONS_GIVEN)):
        other = register(web, "Інше", due_in=timedelta(days=-3), events=events)
        assert "прострочено" not in browser.get(f"/reports/{other}").text
    journal = browser.get("/journal").text.split("<table")[1]
    assert journal.count("прострочено на 2\u00a0дні") == journal.count("прострочено") == 1
