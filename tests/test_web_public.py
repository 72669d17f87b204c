"""The pages for everybody: the web form and the look-up by number and PIN, against good and bad hands (I9, W10)."""

import io
import logging
import re
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from jobs.filestore import stored
from models.attachments import Attachment
from models.base import db, now, transaction
from models.drafts import register_draft
from models.online import OnlineIntake
from models.people import AccessLog, User
from models.reports import Report, ReportState, Source
from tests.desk_fixtures import user_id
from tests.picture_fixtures import PDF, bomb, photo
from tests.web_fixtures import Browser, logged_in, register
from webui.form_token import OLDEST, FormPage

TYPED = {
    "text": "Не горить ліхтар біля під’їзду",
    "street": "Леніна",
    "building": "12",
    "applicant_name": "Олена Коваль",
    "other_phone": "067 123-45-67",
}
PAGE = {"Accept": "text/html", "Sec-Fetch-Dest": "document"}
NUMBER = re.compile(r'<dd class="number">([^<]+)</dd>')


def seal(web: Flask, key: str = "k" * 32, ago: timedelta = timedelta(minutes=1)) -> str:
    with web.app_context():
        return FormPage(key, now() - ago).seal()


def send(web: Flask, browser: Browser | None = None, files: tuple[tuple[bytes, str], ...] = (), **changes: str):
    values = {"page": seal(web), **TYPED, **changes}
    if files:
        values["files"] = [(io.BytesIO(content), name) for content, name in files]
    return (browser or Browser(web)).post("/povidomyty", values, page="/povidomyty", headers=PAGE)


def drafts(web: Flask) -> list[Report]:
    with web.app_context():
        return list(db.session.scalars(select(Report).where(Report.source == Source.ONLINE).order_by(Report.id)))


def receipt(browser: Browser) -> tuple[str, str]:
    """The intake number and the PIN that the receipt shows."""
    number, pin = NUMBER.findall(browser.get("/povidomyty/pryiniato").text)
    return number, pin.replace("&nbsp;", "").replace("\u00a0", "")


def look(web: Flask, number: str, pin: str):
    return Browser(web).post("/stan", {"number": number, "pin": pin}, page="/stan", headers=PAGE)


def test_a_citizen_sends_the_form_and_gets_a_number_and_a_pin(web):
    """I9"""
    browser = Browser(web)
    answer = send(web, browser, ((photo(gps=True), "яма.jpg"),))
    assert (answer.status_code, answer.location) == (303, "/povidomyty/pryiniato")
    number, pin = receipt(browser)
    assert look(web, number, pin).status_code == 200
    (draft,) = drafts(web)
    with web.app_context():
        draft = db.session.get_one(Report, draft.id)
        assert (draft.street.name, draft.building, draft.contact_number) == ("Соборна", "12", "+380671234567")
        (kept,) = db.session.scalars(select(Attachment))
        assert (kept.name, kept.kind, kept.user_id) == ("яма.jpg", "before", None)
    assert Browser(web).get("/povidomyty/pryiniato").status_code == 302  # nobody else's browser


def test_the_desk_sees_it_takes_it_and_registers_it(web):
    """I9: with the same form and the same keys, and the applicant follows it."""
    browser = Browser(web)
    send(web, browser, ((photo(), "яма.jpg"),))
    number, pin = receipt(browser)
    draft_id = drafts(web)[0].id
    desk = logged_in(web, "tsapkova")
    page = desk.get("/").text
    assert TYPED["text"] in page.split('id="online"')[1].split("</section>")[0]
    frame = desk.client.get("/desk/frame", headers={"Accept": "application/json"}).json
    assert 'data-count="online">1<' in frame["counts"]
    page = desk.get(f"/drafts/{draft_id}", **PAGE).text
    assert "/attachments/1/small" in page
    form = {"revision": "0", **TYPED, "street": "Соборна", "category_id": "1"}
    answer = desk.post(f"/drafts/{draft_id}/register", form, page="/me", headers=PAGE)
    assert answer.status_code == 302
    result = desk.get(f"/drafts/{draft_id}", **PAGE).text
    assert f"{pin[:3]}&nbsp;{pin[3:]}" in result
    with web.app_context():
        assert "PIN on the desk" in set(db.session.scalars(select(AccessLog.reason)))
        registered = db.session.get_one(Report, draft_id).number
    assert 'id="online"' not in desk.get("/desk/lists").text
    for typed in (number, registered):
        told = look(web, typed, pin).text
        assert registered in told
        assert "передано виконавцеві" in told
        for personal in ("Олена", "067", "123", TYPED["text"], "яма.jpg", "/attachments/"):
            assert personal not in told.split('id="told"')[1].split("</section>")[0]


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("text", "а" * 100_000, "щонайбільше"),
        ("text", " \n ", "що сталося"),
        ("applicant_name", "я" * 200, "щонайбільше"),
        ("other_phone", "12345678901234", "номер"),
        ("category_id", "999", "зі списку"),
        ("street", "", "орієнтир"),
    ],
)
def test_what_cannot_stay_so_is_said_at_its_field_and_nothing_is_lost(web, field, value, said):
    answer = send(web, **{field: value})
    assert answer.status_code == 422
    wrong = answer.text.split(f'id="{field}-error"')[1].split("</p>")[0]
    assert said in wrong
    for name, typed in (TYPED | {field: value}).items():
        if name != "category_id":
            assert typed.strip() in answer.text, name
    assert drafts(web) == []


def test_a_street_that_is_not_in_the_register_is_kept_as_it_was_typed(web):
    assert send(web, street="Невідома, 5").status_code == 303
    assert (drafts(web)[0].street_id, drafts(web)[0].street_typed) == (None, "Невідома, 5")


def test_bad_input_is_only_text(web):
    """HTML, a formula, control characters: kept or dropped, never run."""
    text = "<script>alert(1)</script>\x00\x07\x1b[31m\n=cmd()|' /C calc'!A0 \ud800".encode("utf-8", "replace").decode()
    assert send(web, text=text, applicant_name="=cmd()\x08").status_code == 303
    draft = drafts(web)[0]
    assert draft.applicant_name == "=cmd()"
    assert not re.search(r"[\x00-\x08\x0b-\x1f]", draft.text)
    page = logged_in(web, "tsapkova").get(f"/drafts/{draft.id}", **PAGE).text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"website": "http://spam"}, "Вебсайт"),
        ({"page": ""}, "надто довго"),
        ({"page": "WyJhIiwxXQ.forged"}, "надто довго"),
    ],
)
def test_what_a_program_sends_is_refused_with_a_way_for_people(web, changes, said):
    answer = send(web, **changes)
    assert answer.status_code == 422
    assert said in answer.text
    assert TYPED["text"] in answer.text
    assert drafts(web) == []


@pytest.mark.parametrize("ago", [-timedelta(minutes=1), OLDEST + timedelta(minutes=1)])
def test_too_quick_and_too_old_a_page_can_be_sent_again(web, ago):
    browser = Browser(web)
    answer = send(web, browser, page=seal(web, ago=ago))
    assert answer.status_code == 422
    assert TYPED["text"] in answer.text
    again = re.search(r'name="page" value="([^"]+)"', answer.text)[1]
    with web.app_context():
        assert FormPage("k" * 32, now() - ago).seal() != again or ago < OLDEST


def test_a_form_sent_twice_is_one_report_with_its_photos_once(web):
    browser = Browser(web)
    for _ in range(2):
        assert send(web, browser, ((photo(), "a.jpg"),)).status_code == 303
    assert len(drafts(web)) == 1
    with web.app_context():
        assert len(db.session.scalars(select(Attachment)).all()) == 1


def test_other_words_sent_from_the_same_page_are_another_report(web):
    """Nothing that a citizen wrote is lost, whatever the browser makes of "back"."""
    browser, page = Browser(web), seal(web, "a" * 32)
    for text in ("Не горить ліхтар", "Немає води"):
        assert send(web, browser, page=page, text=text).status_code == 303
    assert [draft.text for draft in drafts(web)] == ["Не горить ліхтар", "Немає води"]


def test_the_same_text_again_and_too_many_are_refused_in_words(web, monkeypatch):
    assert send(web).status_code == 303
    answer = send(web, page=seal(web, "b" * 32))
    assert answer.status_code == 409
    assert "уже надійшло" in answer.text
    monkeypatch.setattr("models.online.FROM_ONE_ADDRESS", 1)
    answer = send(web, page=seal(web, "c" * 32), text="Інше")
    assert answer.status_code == 429
    assert "Телефонуйте: (05448) 5-32-73" in answer.text.replace("\u00a0", " ")
    assert "Інше" in answer.text
    assert len(drafts(web)) == 1


def test_a_form_that_is_refused_leaves_no_file(web, monkeypatch):
    """A3: neither the same text again, nor one too many."""
    send(web, files=((photo(), "a.jpg"),))
    kept = set(stored(web.config["SETTINGS"]))
    assert send(web, files=((photo(colour="#123"), "b.jpg"),), page=seal(web, "b" * 32)).status_code == 409
    monkeypatch.setattr("models.online.FROM_ONE_ADDRESS", 1)
    answer = send(web, files=((photo(colour="#456"), "c.jpg"),), page=seal(web, "c" * 32), text="Інше")
    assert answer.status_code == 429
    assert len(kept) == 1
    assert set(stored(web.config["SETTINGS"])) == kept


def test_who_sends_without_end_is_stopped_and_keeps_the_text(web):
    browser = Browser(web)
    answers = [send(web, browser, text="") for _ in range(41)]
    assert [answer.status_code for answer in answers] == [422] * 40 + [429]
    assert TYPED["applicant_name"] in answers[-1].text


@pytest.mark.parametrize(
    ("content", "name", "said"),
    [
        (b"<html>", "фото.jpg", "не відповідає"),
        (b"MZ", "a.exe", "не приймається"),
        (bomb(), "a.png", "завелике"),
        (b"\xff\xd8\xff broken", "a.jpg", "пошкоджено"),
        (b"x" * (10 * 1024 * 1024 + 1), "a.jpg", "більший"),
    ],
)
def test_a_file_that_is_not_taken_is_named_and_what_was_typed_stays(web, content, name, said):
    answer = send(web, files=((content, name),))
    assert answer.status_code == 422
    wrong = answer.text.split('id="files-error"')[1].split("</p>")[0]
    assert name in wrong
    assert said in wrong
    for typed in TYPED.values():
        assert typed in answer.text
    assert drafts(web) == []


def test_too_many_files_and_too_long_a_request(web):
    assert send(web, files=((PDF, "a.pdf"),) * 4).status_code == 422
    answer = send(web, files=((b"x" * 33_000_000, "a.jpg"),))
    assert answer.status_code == 413
    assert "завеликі" in answer.text
    assert Browser(web).post("/stan", {"number": "1" * 2_000_000}, page="/stan").status_code == 413


def test_good_fields_with_a_mistake_ask_for_the_photo_again(web):
    answer = send(web, files=((photo(), "a.jpg"),), text="")
    assert answer.status_code == 422
    assert "Виберіть фото ще раз" in answer.text
    answer = send(web, files=((photo(), "a.jpg"), (b"MZ", "a.exe")))
    assert "не приймається" in answer.text
    assert "Виберіть фото ще раз" in answer.text


def test_every_mistake_stands_in_the_summary_and_the_first_wrong_field_has_the_focus(web):
    page = send(web, files=((photo(), "a.jpg"),), other_phone="12345678901234").text
    summary = page.split('class="error-summary"')[1].split("</div>")[0]
    listed = re.findall(r'href="#(\w+)"', summary)
    assert listed == [name for name in re.findall(r'id="(\w+)" name=', page) if name in ("other_phone", "files")]
    assert "Виберіть фото ще раз" in summary
    assert re.findall(r'id="(\w+)"[^>]*autofocus', page) == listed[:1]
    assert "error-summary" in send(web, text=" ").text  # one mistake, too
    assert re.search(r'role="alert" tabindex="-1" autofocus', send(web, website="http://a").text)


def test_every_refusal_asks_for_the_photo_again(web, monkeypatch):
    """But for a report that came already: it is not to be sent again."""
    files = ((photo(), "a.jpg"),)
    for refused in ({"page": seal(web, ago=-timedelta(minutes=1))}, {"website": "http://a"}, {"page": "nonsense"}):
        answer = send(web, files=files, **refused)
        assert answer.status_code == 422
        assert "Виберіть фото ще раз" in answer.text.split('role="alert"')[1].split("</p>")[0]
        assert "Виберіть фото ще раз" in answer.text.split('id="files-error"')[1].split("</p>")[0]
    assert send(web, files=files).status_code == 303
    assert "Виберіть фото ще раз" not in send(web, files=files, page=seal(web, "b" * 32)).text
    monkeypatch.setattr("models.online.FROM_ONE_ADDRESS", 1)
    assert "Виберіть фото ще раз" in send(web, files=files, page=seal(web, "c" * 32), text="Інше").text


def test_a_name_that_is_a_path_is_only_a_name(web):
    assert send(web, files=((photo(), "../../../secrets.json.jpg"),)).status_code == 303
    with web.app_context():
        assert db.session.scalar(select(Attachment.name)) == "secrets.json.jpg"


def test_a_wrong_pin_and_an_unknown_number_get_the_same_answer(web):
    """W10"""
    report = register(web, "Не горить ліхтар")
    with web.app_context():
        number, pin = db.session.execute(select(Report.number, Report.pin)).one()
    wrong = f"{(int(pin) + 1) % 10**6:06d}"
    known, unknown = (look(web, typed, wrong) for typed in (number, number[:-4] + "9999"))
    assert known.status_code == unknown.status_code == 422
    plain = lambda answer, typed: re.sub('(value|content)="[^"]*"', "", answer.text.replace(typed, ""))  # noqa: E731
    assert plain(known, number) == plain(unknown, number[:-4] + "9999")
    assert wrong not in known.text
    assert look(web, number, pin).status_code == 200
    assert report


def test_guessing_a_pin_ends_soon_whatever_the_number_looks_like_and_others_go_on(web):
    register(web, "Не горить ліхтар")
    register(web, "Немає води", category=2)
    with web.app_context():
        (number, pin), (other, its) = db.session.execute(select(Report.number, Report.pin).order_by(Report.id)).all()
    year, place = number.split("-")
    arabic = number.translate({ord(digit): 0x660 + int(digit) for digit in "0123456789"})
    spellings = (
        number,
        f"{year}/{int(place)}",
        f"№ {number}",
        f" {year} – {place}",
        str(int(place)),
        arabic,
        f"{number}{' ' * 50}",
    )
    answers = [look(web, spellings[n % len(spellings)], f"{n:06d}").status_code for n in range(11)]
    assert answers[-1] == 429
    assert look(web, number, pin).status_code == 429
    assert look(web, other, its).status_code == 200


def test_one_address_asks_sixty_times_an_hour(web):
    answers = [look(web, f"2026-{n}", "1").status_code for n in range(1, 62)]
    assert set(answers[:60]) == {422}
    assert answers[60] == 429


def test_neither_pin_nor_number_nor_name_gets_into_the_log_or_an_address(web, caplog):
    caplog.set_level(logging.DEBUG)
    browser = Browser(web)
    answer = send(web, browser)
    number, pin = receipt(browser)
    for _ in range(11):
        look(web, number, "1")
    look(web, number, pin)
    said = caplog.text + answer.location
    for secret in (pin, number, number.replace("-", ""), "Олена", "671234567"):
        assert secret not in said


def test_the_pin_on_the_reports_page_leaves_a_trace_and_a_report_of_before_gets_its_own(web):
    report = register(web, "Не горить ліхтар")
    with web.app_context(), transaction() as session:
        session.get_one(Report, report).pin = None
    browser = logged_in(web, "tsapkova")
    assert "Показати PIN" in browser.get(f"/reports/{report}").text
    page = browser.post(f"/reports/{report}/pin", page="/me").text
    with web.app_context():
        pin = db.session.get_one(Report, report).pin
        assert "PIN on the report's page" in set(db.session.scalars(select(AccessLog.reason)))
    assert f"PIN {pin[:3]}&nbsp;{pin[3:]}" in page
    assert browser.post(f"/reports/{report}/pin", page="/me").text.count(pin[3:]) >= 1
    operator = logged_in(web, "operator")
    assert operator.post(f"/reports/{report}/pin", page="/me").status_code == 403
    assert "PIN" not in operator.get(f"/reports/{report}").text
    assert browser.post("/reports/999/pin", page="/me").status_code == 404


def test_by_hand_a_draft_begins_without_a_call(web):
    """I9: entry by hand with a source, to the end."""
    browser = logged_in(web, "tsapkova")
    for wrong in ("", "pigeon"):
        assert browser.post("/drafts/new", {"source": wrong}, page="/me").status_code == 400
    answer = browser.post("/drafts/new", {"source": "visit"}, page="/me")
    assert answer.status_code == 303
    page = browser.get(answer.location, **PAGE).text
    assert "Особистий прийом" in page
    assert "приховано" not in page.split('id="side"')[1].split("</section>")[0]
    assert answer.location in browser.get("/desk/lists").text
    form = {"revision": "0", **TYPED, "street": "Соборна", "category_id": "1"}
    browser.post(f"{answer.location}/register", form, page="/me", headers=PAGE)
    with web.app_context():
        report = db.session.scalars(select(Report)).one()
        assert (report.state, report.source, report.call_id) == (ReportState.NEW, Source.VISIT, None)
        number = report.number
    assert number in browser.get("/journal").text
    assert "на особистому прийомі" in browser.get(f"/reports/{report.id}").text


def test_a_draft_without_a_call_of_a_colleague_is_seen_and_not_taken(web):
    answer = logged_in(web, "tsapkova").post("/drafts/new", {"source": "video"}, page="/me")
    other = logged_in(web, "cherniavska")
    assert "Цапкова" in other.get(answer.location, **PAGE).text
    assert other.post(f"{answer.location}/claim", page="/me", headers=PAGE).status_code == 409


def test_who_types_a_telephone_into_a_draft_without_a_call_leaves_a_trace(web):
    """A3: their open reports are shown for it."""
    register(web, "Не горить ліхтар", number="0509998877")
    browser = logged_in(web, "cherniavska")
    place = browser.post("/drafts/new", {"source": "visit"}, page="/me").location
    saved = {"revision": 0, "fields": {"other_phone": "050 999-88-77"}}
    token = browser.token("/me")
    assert browser.client.post(f"{place}/save", json=saved, headers={"X-CSRFToken": token}).status_code == 200
    side = browser.get(place.replace("/drafts/", "/desk/side/")).text
    assert "Вуличне освітлення" in side
    with web.app_context():
        reasons = set(db.session.scalars(select(AccessLog.reason).where(AccessLog.user_id == user_id("cherniavska"))))
    assert {"another telephone in a draft", "found by a draft's other telephone"} <= reasons


def test_the_old_words_and_the_language(web):
    assert Browser(web).get("/report").location == "/povidomyty"
    assert Browser(web).get("/state").location == "/stan"
    browser = Browser(web)
    assert "Повідомити про проблему в місті" in browser.get("/povidomyty").text
    browser.post("/language", {"language": "en", "back": "/povidomyty"}, page="/povidomyty")
    assert "Report a problem in the town" in browser.get("/povidomyty").text


def test_a_receipt_is_forgotten_after_half_an_hour(web):
    browser = Browser(web)
    send(web, browser)
    with browser.client.session_transaction() as session:
        intake, sent_at = session["intake"]
        session["intake"] = [intake, sent_at - 1801]
    assert browser.get("/povidomyty/pryiniato").status_code == 302


def test_what_came_online_can_be_registered_once_only_by_one(web):
    send(web)
    draft_id = drafts(web)[0].id
    with web.app_context(), transaction() as session:
        draft, user = session.get_one(Report, draft_id), session.get_one(User, user_id("tsapkova"))
        draft.category_id = 1
        register_draft(session, draft, user)
    with web.app_context():
        assert db.session.scalars(select(OnlineIntake)).one().report.number is not None
    assert logged_in(web, "cherniavska").post(f"/drafts/{draft_id}/claim", page="/me", headers=PAGE).status_code == 302


def test_the_lines_stand_with_the_area_code_and_the_login_page_leads_to_the_outages(web):
    """Who reads them may call from a mobile, or from another town."""
    stranger = Browser(web)
    assert ">(05448) 5-32-73</a>" in stranger.get("/povidomyty").text.replace("\u00a0", " ")
    assert 'href="/vidkliuchennia"' in stranger.get("/login").text


def test_who_wrote_by_the_form_has_their_pin_and_it_is_dictated_to_nobody(web):
    send(web)
    browser, draft_id = logged_in(web, "tsapkova"), drafts(web)[0].id
    with web.app_context(), transaction() as session:
        draft, user = session.get_one(Report, draft_id), session.get_one(User, user_id("tsapkova"))
        draft.category_id = 1
        register_draft(session, draft, user)
    page = browser.get(f"/drafts/{draft_id}").text
    assert "Зареєстровано" in page
    assert "Продиктуйте" not in page
    assert "PIN заявник уже отримав" in page
