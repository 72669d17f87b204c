"""Words on the screen: every sentence in Ukrainian and in English, plurals, times, numbers."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from babel.messages import pofile
from babel.messages.extract import extract_from_dir
from flask import Flask
from flask_babel import force_locale

from jobs.settings import CHECKOUT
from models.attachments import SPOKEN, AttachmentKind
from models.base import now
from models.calls import CallState
from models.machine import IllegalMove
from models.people import Role
from models.reports import HistoryEvent, ReportEvent, ReportState, Source
from tests.desk_fixtures import PEOPLE, Exchange
from tests.web_fixtures import Browser, logged_in, register
from webui.public_words import STATES
from webui.text import (
    ATTACHMENT_WORDS,
    CALL_BADGES,
    EVENT_WORDS,
    REPORT_BADGES,
    ROLE_NAMES,
    SOURCE_NAMES,
    ago,
    kyiv,
    left,
    length,
    phone,
)

KEYWORDS = {"_": None, "gettext": None, "lazy_gettext": None, "ngettext": (1, 2), "FieldError": (2,)}
METHODS = [("**.py", "python"), ("**/templates/**.html", "jinja2")]
TRANSLATIONS = CHECKOUT / "webui" / "translations" / "uk" / "LC_MESSAGES" / "messages.po"
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]")


def sentences() -> dict[tuple[str, ...], str]:
    """Every sentence that stands in the program, with where it stands."""
    found = {}
    for package in ("webui", "models", "jobs"):
        for name, line, message, _comments, _context in extract_from_dir(
            CHECKOUT / package, METHODS, keywords=KEYWORDS
        ):
            found[message if isinstance(message, tuple) else (message,)] = f"{package}/{name}:{line}"
    return found


def translated() -> dict[str, tuple[str, ...]]:
    with TRANSLATIONS.open("rb") as file:
        catalog = pofile.read_po(file, locale="uk")
    return {
        (message.id[0] if isinstance(message.id, tuple) else message.id): (
            message.string if isinstance(message.string, tuple) else (message.string,)
        )
        for message in catalog
        if message.id
    }


def test_every_sentence_has_a_ukrainian_translation() -> None:
    known = translated()
    used = sentences()
    assert len(used) > 150
    missing = [f"{place}: {message[0]}" for message, place in used.items() if not all(known.get(message[0], ("",)))]
    assert missing == []


def test_translations_keep_the_placeholders_and_all_plural_forms() -> None:
    known = translated()
    for message in sentences():
        forms, wanted = known[message[0]], set(PLACEHOLDER.findall(message[-1]))
        assert len(forms) == (3 if len(message) == 2 else 1), message
        for form in forms:
            assert set(PLACEHOLDER.findall(form)) == wanted, message


def test_translations_are_ukrainian_office_language() -> None:
    """No letters that Ukrainian has not, no straight apostrophes or quotes, and a report is never an appeal."""
    for message, forms in translated().items():
        for form in forms:
            assert not re.search("[ыэъё]", form, re.IGNORECASE), form
            assert not re.search(r"\w'\w", form), form
            assert '"' not in form, form
            assert not re.search("звернен", form, re.IGNORECASE), form
            assert form.endswith(".") == message.endswith("."), form


def test_translations_keep_together_what_is_read_as_one() -> None:
    """A dash does not begin a line; a number stands beside its sign and what it counts, a key beside its name."""
    torn = re.compile(r" —|№ |%\((?:num|size)\)d |\b(?:Alt|Shift) ")
    assert [form for forms in translated().values() for form in forms if torn.search(form)] == []


def test_every_state_event_role_and_source_has_words() -> None:
    assert set(REPORT_BADGES) == set(ReportState)
    assert set(CALL_BADGES) == set(CallState)
    assert set(ROLE_NAMES) == set(Role)
    assert set(SOURCE_NAMES) == set(Source)
    assert set(EVENT_WORDS) == {*ReportEvent, *HistoryEvent}
    assert {*ATTACHMENT_WORDS, *SPOKEN} == set(AttachmentKind)  # those are nobody's to choose
    assert set(STATES) == set(ReportState)
    registered = [REPORT_BADGES[state].shape for state in ("new", "in_progress", "done", "closed")]
    assert len(set(registered)) == 4  # told apart without colour


def test_what_is_left_and_how_late(web: Flask) -> None:
    at = datetime(2026, 11, 22, 12, tzinfo=UTC)
    cases = [
        (timedelta(days=7), "лишилося 7 днів"),
        (timedelta(days=2, hours=3), "лишилося 2 дні"),
        (timedelta(days=21), "лишилося 21 день"),
        (timedelta(hours=47), "лишилося 47 год"),
        (timedelta(hours=5, minutes=59), "лишилося 5 год"),
        (timedelta(minutes=12), "лишилося 12 хв"),
        (timedelta(seconds=30), "лишилося менше хвилини"),
        (timedelta(seconds=-30), "щойно прострочено"),
        (timedelta(hours=-30), "прострочено на 30 год"),
        (timedelta(days=-2), "прострочено на 2 дні"),
        (timedelta(days=-31), "прострочено на 31 день"),
        (timedelta(days=-112), "прострочено на 112 днів"),
    ]
    with web.test_request_context():
        for span, words in cases:
            assert left(at + span, at).replace("\u00a0", " ") == words


def test_times_read_as_people_say_them_in_kyiv(web: Flask) -> None:
    with web.test_request_context():
        year = now().year
        assert kyiv(now()).startswith("сьогодні, ")
        assert kyiv(datetime(year - 1, 7, 1, 21, 5, tzinfo=UTC)) == f"2\u00a0липня {year - 1}, 00:05"
        some_day = datetime(year, 1, 2, 12, 5, tzinfo=UTC)
        assert kyiv(some_day) == "2\u00a0січня, 14:05"
        assert kyiv(None) == left(None) == ""
        assert ago(now() - timedelta(minutes=5)).replace("\u00a0", " ") == "5 хв тому"
        assert ago(now() + timedelta(minutes=5)) == "менше хвилини тому"  # clocks differ a little
        with force_locale("en"):
            assert kyiv(some_day) == "2\u00a0January, 14:05"
            assert length(timedelta(days=3)) == "3\u00a0days"


def test_numbers_read_as_people_write_them(web: Flask) -> None:
    with web.test_request_context():
        assert phone("+380671234567") == "+380\u00a067\u00a0123\u00a045\u00a067"
        assert phone("+380544853273") == "5-32-73"
        assert phone(None, "anonymous") == "anonymous"


@pytest.mark.parametrize("language", ["uk", "en"])
def test_every_page_renders_in_both_languages_for_every_role(web: Flask, language: str) -> None:
    report_id = register(web, "Не горить ліхтар", applicant_name="Олена Коваль", other_phone="0501112233")
    _call, draft_id = Exchange(web).call("0671234567")
    addresses = {
        "/": 200,
        f"/drafts/{draft_id}": 200,
        "/journal": 200,
        "/journal?state=lost": 422,
        f"/reports/{report_id}": 200,
        "/summary": 200,
        "/summary?date_from=2020-01-01&date_to=2100-01-01": 200,
        "/quarterly": 200,
        "/status": 200,
        "/shift": 200,
        "/personal-data/log": 200,
        "/personal-data/person": 200,
        "/personal-data/retention": 200,
        "/me": 200,
        "/nothing": 404,
    }
    for login in PEOPLE:
        browser = logged_in(web, login)
        browser.post("/language", {"language": language}, page="/status")
        for address, status in addresses.items():
            answer = browser.get(address)
            assert answer.status_code in (status, 302, 403), (login, address)
            if answer.status_code != 302:
                assert f'<html lang="{language}"' in answer.text, address
                assert ("Пошта і пароль" in answer.text) is (language == "uk"), address
                assert not re.search(r"%\(\w+\)s|\{\{|None<", answer.text), address


def test_pages_keep_to_the_policy_and_to_the_landmarks(web: Flask) -> None:
    """No inline script or style (the policy would block it), nothing from another host, one main part, named fields."""
    register(web, "Не горить ліхтар")
    person = logged_in(web, "tsapkova")
    public = ("/login", "/povidomyty", "/stan")
    head = logged_in(web, "nachalnyk")
    of_head = ("/shift", "/personal-data/log", "/personal-data/person", "/personal-data/retention")
    counted = ("/summary?date_from=2020-01-01&date_to=2100-01-01", "/quarterly")
    for address in ("/", "/journal", "/reports/1", "/status", "/me", "/nothing", *counted, *public, *of_head):
        page = (Browser(web) if address in public else head if address in of_head else person).get(address).text
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", page), address
        assert not re.search(r"<script(?![^>]*\ssrc=)", page), address
        assert not re.search(r'(?:src|href|action)="(?:https?:)?//', page), address
        assert page.count("<main") == page.count("</main>") == 1
        assert 'class="skip" href="#content"' in page
        ids = re.findall(r'\sid="([^"]+)"', page)
        assert len(ids) == len(set(ids)), address
        labelled = set(re.findall(r'<label[^>]*\sfor="([^"]+)"', page))
        for field in re.findall(r'<(?:input(?![^>]*type="(?:hidden|checkbox|radio)")|select|textarea)[^>]*', page):
            name = re.search(r'\sid="([^"]+)"', field)
            assert (name and name[1] in labelled) or "aria-label" in field, field


def test_a_refusal_of_the_rules_is_a_sentence() -> None:
    assert str(IllegalMove("report", "new", "consulted")).endswith(".")
