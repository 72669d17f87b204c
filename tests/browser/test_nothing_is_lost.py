"""Nothing typed is lost: servers die, people log out, answers come late, refusals are final (I3)."""

import json

import pytest
from playwright.sync_api import Route, expect

from tests.browser.at_the_desk import bar, form_of, id_of, kept_texts, missed_elsewhere, refuse, ring, saved
from tests.browser.conftest import hears_events, log_in
from tests.helpers import eventually

pytestmark = pytest.mark.browser


def test_nothing_is_lost_when_the_server_dies_while_somebody_types(site, desk):
    """Nothing typed is ever lost: it is kept here, said so, and sent when the server is back."""
    call, draft = ring(site)
    site.exchange.answer(call, 1)
    desk.fill("#text", "Перше речення.")
    saved(desk)
    site.kill("web")
    desk.locator("#text").press_sequentially(" Друге речення.")
    expect(desk.locator("#save-state")).to_have_text("не збережено на сервері: текст у цьому браузері")
    expect(desk.locator("#strip")).to_contain_text("Телефони дзвонять як звичайно")
    desk.keyboard.press("F9")
    expect(desk.locator("#draft-notice")).to_contain_text("Немає зв’язку")
    assert desk.input_value("#text") == "Перше речення. Друге речення."
    assert site.draft(draft).text == "Перше речення."
    missed = site.exchange.missed("0501112233")[1]
    site.start_web()
    saved(desk)
    assert site.draft(draft).text == "Перше речення. Друге речення."
    expect(desk.locator("#strip")).to_be_hidden()
    expect(desk.locator(f'#missed [data-draft-link="{missed}"]')).to_be_visible()


def test_nothing_is_lost_when_the_page_goes_before_it_was_saved(site, desk):
    """The server dies, the page is closed, the laptop is switched on again: the text comes back and is sent."""
    call, draft = ring(site)
    site.exchange.answer(call, 1)
    desk.fill("#text", "Перше.")
    saved(desk)
    site.kill("web")
    desk.locator("#text").press_sequentially(" Друге.")
    desk.close(run_before_unload=False)
    site.start_web()
    again = desk.context.new_page()
    again.goto("/")  # not even the draft's own page: what waits is sent all the same
    hears_events(again)
    eventually(lambda: site.draft(draft).text == "Перше. Друге.", "it is sent after all")


def test_a_text_that_another_tab_goes_on_with_is_not_taken_for_saved(site, desk):
    """What waits is sent by whichever page comes first; meanwhile its own tab has kept more."""
    call, draft = ring(site)
    site.exchange.answer(call, 1)
    form_of(desk, draft)
    desk.route("**/save", lambda route: route.abort())
    desk.fill("#text", "Перше.")
    key = f"cc-draft:{desk.locator('body').get_attribute('data-user')}:{draft}"
    eventually(lambda: desk.evaluate("key => localStorage.getItem(key)", key), "the text waits in the browser")
    newer = desk.evaluate("key => localStorage.getItem(key).replace('Перше.', 'Перше. Друге.')", key)
    other = desk.context.new_page()
    desk.evaluate("Storage.prototype.setItem = () => {}")  # it tries again, and would keep its own words
    types_on = f"""const real = window.fetch;
        window.fetch = async (...asked) => {{
          const answer = await real(...asked);
          if (String(asked[0]).endsWith("/save")) localStorage.setItem({json.dumps(key)}, {json.dumps(newer)});
          return answer;
        }};"""
    other.add_init_script(types_on)
    other.goto("/")
    eventually(lambda: site.draft(draft).text == "Перше.", "the first text is sent")
    hears_events(other)
    assert other.evaluate("key => localStorage.getItem(key)", key) == newer


def test_nothing_is_lost_by_logging_out_while_typing(site, desk):
    """Logged out in another tab: kept here, not shown to the next user, sent after the same user's login."""
    call, draft = ring(site)
    site.exchange.answer(call, 1)
    desk.fill("#text", "Перше.")
    saved(desk)
    site.exchange.hang_up(call)
    other = desk.context.new_page()
    other.goto("/journal")
    other.click(".topbar > details[data-menu] > summary")
    other.click("[data-logout]")
    expect(other.locator("#login")).to_be_visible()
    desk.locator("#text").press_sequentially(" Друге.")
    expect(desk.locator("#strip a")).to_have_attribute("href", "/login")
    expect(desk.locator("#save-state")).to_have_text("не збережено на сервері: текст у цьому браузері")
    expect(desk.locator("#strip")).not_to_contain_text("збережено")
    assert desk.input_value("#text") == "Перше. Друге."
    assert site.draft(draft).text == "Перше."

    log_in(other, "sorokina")
    other.goto(f"/drafts/{draft}")
    assert other.input_value("#text") == "Перше."
    desk.locator("#text").press_sequentially(" Третє.")
    expect(desk.locator("#draft-notice")).to_contain_text("працює інша особа")
    assert site.draft(draft).text == "Перше."

    other.context.clear_cookies()
    desk.close()
    log_in(other, "tsapkova")
    eventually(lambda: site.draft(draft).text == "Перше. Друге. Третє.", "it is sent for the one who typed it")


def test_two_browsers_type_into_one_field_and_the_person_chooses(site, desk, new_browser):
    """Both texts are shown; nothing is overwritten before somebody chose."""
    call, draft = ring(site)
    site.exchange.answer(call, 1)
    eventually(lambda: site.draft(draft).owner_id is not None, "the draft is mine")
    home = new_browser().new_page()
    log_in(home, "tsapkova")
    home.goto(f"/drafts/{draft}")
    desk.fill("#text", "за столом")
    saved(desk)
    home.fill("#building", "7")
    home.fill("#text", "вдома")
    box = home.locator(".conflict")
    expect(box).to_contain_text("за столом")
    expect(box).to_contain_text("вдома")
    assert site.draft(draft).text == "за столом"
    box.locator('[data-keep="ours"]').click()
    saved(home)
    assert (site.draft(draft).text, site.draft(draft).building) == ("вдома", "7")


def test_who_calls_said_in_one_tab_stands_in_the_other(site, desk):
    """I4: the button's answer goes to all tabs, and so no tab sends an empty name afterwards."""
    earlier = site.exchange.call()[1]
    site.draft(earlier, state="consultation", applicant_name="Олена Коваль")
    call, draft = ring(site)
    site.exchange.answer(call, 1)
    eventually(lambda: site.draft(draft).owner_id is not None, "the draft is mine")
    other = desk.context.new_page()
    other.goto(f"/drafts/{draft}")
    hears_events(other)
    expect(form_of(desk, draft)).to_be_visible()
    other.keyboard.press("Alt+1")
    expect(other.locator("#applicant_name")).to_have_value("Олена Коваль")
    expect(desk.locator("#applicant_name")).to_have_value("Олена Коваль")
    other.fill("#text", "Яма на дорозі")
    expect(desk.locator("#text")).to_have_value("Яма на дорозі")
    desk.bring_to_front()
    desk.keyboard.press("F4")
    expect(desk.locator("[data-finished]")).to_be_visible()
    ended = site.draft(draft)
    assert (ended.applicant_name, ended.text) == ("Олена Коваль", "Яма на дорозі")


def test_a_tab_that_did_not_hear_of_every_save_asks_what_is_stored(site, desk, new_browser):
    """Saved at home, then in a second tab here: the first tab hears only of the second save, and has both."""
    call, draft = ring(site)
    site.exchange.answer(call, 1)
    eventually(lambda: site.draft(draft).owner_id is not None, "the draft is mine")
    expect(form_of(desk, draft)).to_be_visible()
    other = desk.context.new_page()
    other.goto(f"/drafts/{draft}")
    hears_events(other)
    home = new_browser().new_page()
    log_in(home, "tsapkova")
    home.goto(f"/drafts/{draft}")
    hears_events(home)
    expect(home.locator("#category_id")).to_be_focused()  # the talk is theirs: the form has opened for it
    home.fill("#applicant_name", "Олена Коваль")
    saved(home)
    other.fill("#text", "Яма на дорозі")
    expect(desk.locator("#text")).to_have_value("Яма на дорозі")
    expect(desk.locator("#applicant_name")).to_have_value("Олена Коваль")
    desk.bring_to_front()
    desk.keyboard.press("F4")
    expect(desk.locator("[data-finished]")).to_be_visible()
    ended = site.draft(draft)
    assert (ended.applicant_name, ended.text) == ("Олена Коваль", "Яма на дорозі")


def test_a_conflict_that_is_settled_in_the_other_tab_is_none_any_more(site, desk):
    call, draft = ring(site)
    site.exchange.answer(call, 1)
    eventually(lambda: site.draft(draft).owner_id is not None, "the draft is mine")
    expect(form_of(desk, draft)).to_be_visible()
    other = desk.context.new_page()
    other.goto(f"/drafts/{draft}")
    hears_events(other)
    desk.route("**/save", lambda route: route.abort())
    desk.fill("#text", "вдома")
    desk.fill("#building", "7")
    other.fill("#text", "за столом")
    expect(desk.locator(".conflict")).to_contain_text("за столом")
    desk.unroute("**/save")
    other.fill("#text", "вдома")
    expect(desk.locator(".conflict")).to_have_count(0)
    saved(desk)
    assert (site.draft(draft).text, site.draft(draft).building) == ("вдома", "7")


def test_an_answer_that_is_not_our_servers_counts_as_none(site, desk):
    """A proxy's own page: what was typed is kept and sent again, and nothing that is shown is replaced."""
    call, draft = ring(site)
    site.exchange.answer(call, 1)
    expect(desk.locator("#category_id")).to_be_focused()
    desk.route("**/save", lambda route: route.fulfill(content_type="text/html", body="<h1>Proxy</h1>"), times=1)
    with desk.expect_response("**/save"):
        desk.fill("#text", "Яма на дорозі")
    saved(desk)
    assert site.draft(draft).text == "Яма на дорозі"
    page = lambda route: route.fulfill(content_type="text/html", body="<h1>Proxy</h1>")  # noqa: E731
    desk.route(f"**/drafts/{draft}", page)
    with desk.expect_response(f"**/drafts/{draft}"), site.app.app_context():
        site.app.extensions["publisher"].publish("report", draft)
    desk.keyboard.press("F4")
    expect(desk.locator("[data-finished]")).to_be_visible()


def test_of_those_who_ask_for_a_part_while_it_is_fetched_the_last_is_heard(desk):
    asked = desk.evaluate(
        """async () => {
          const desk = document.querySelector('script[src$="desk.js"]').src;
          const { refresh } = await import(desk.replace("desk.js", "parts.js"));
          const loaded = [];
          let answer;
          const first = refresh("part", () => new Promise((later) => (answer = later)));
          for (const name of ["second", "third"]) refresh("part", async () => loaded.push(name));
          answer();
          await first;
          return loaded;
        }"""
    )
    assert asked == ["third"]


@pytest.mark.parametrize("opens_another", [True, False])
def test_a_late_answer_of_a_closed_form_touches_nothing(site, desk, opens_another):
    """It neither writes into the draft that is open now, nor fails where there is none."""
    first, draft = ring(site)
    site.exchange.answer(first, 1)
    expect(desk.locator("#category_id")).to_be_focused()
    held: list[Route] = []
    desk.route(f"**/drafts/{draft}/save", lambda route: held.append(route))
    with desk.expect_request(f"**/drafts/{draft}/save"):
        desk.fill("#text", "Яма")
    if opens_another:
        other = missed_elsewhere(site)
        desk.click(f'#missed [data-draft-link="{other}"]')
        expect(form_of(desk, other)).to_be_visible()
    else:
        desk.click("[data-close]")
        expect(desk.locator(".desk-empty")).to_be_visible()
    answer = {"revision": 9, "errors": {"flat": "Задовго"}, "repeat": {"number": "2026-0001", "url": "/reports/1"}}
    held[0].fulfill(json=answer)
    eventually(lambda: not kept_texts(desk), "the answer came: nothing waits in the browser")
    expect(desk.locator("#pane")).not_to_contain_text("2026-0001")
    expect(desk.locator("#pane")).not_to_contain_text("Задовго")


def test_a_refusal_is_one_sentence_and_replaces_nothing(site, desk):
    earlier = missed_elsewhere(site)
    desk.route(f"**/drafts/{earlier}", lambda route: refuse(route, 404, "Такої сторінки немає"), times=1)
    desk.click(f'#missed [data-draft-link="{earlier}"]')
    expect(desk.locator("#pane > .notice")).to_have_text(
        "Такої сторінки немає. Нічого не змінено, набране збережено. Оновіть сторінку й спробуйте ще раз."
    )
    expect(desk.locator(".desk-empty")).to_be_visible()

    call, draft = ring(site)
    expect(form_of(desk, draft)).to_be_visible()
    site.exchange.answer(call, 1)
    expect(bar(desk, call)).to_contain_text("Перейти до форми")
    desk.fill("#text", "Яма")
    saved(desk)
    desk.route("**/desk/side/*", lambda route: refuse(route, 403, "Не для вашої посади"))
    desk.route("**/desk/live", lambda route: refuse(route, 429, "Забагато спроб"))
    desk.route("**/register", lambda route: refuse(route, 413, "Забагато тексту"))
    with desk.expect_response("**/desk/side/*"), desk.expect_response("**/desk/live"):
        site.exchange.hang_up(call)
    desk.keyboard.press("F9")
    expect(desk.locator("#draft-notice")).to_contain_text("Забагато тексту. Нічого не змінено")
    assert desk.input_value("#text") == "Яма"
    assert "{" not in desk.locator("#desk").inner_text()
    expect(desk.locator("#side")).to_contain_text("Хто дзвонить із цього номера, ще невідомо")


def test_a_text_that_is_refused_for_good_is_offered_to_discard_and_sent_no_more(site, desk):
    call, draft = ring(site)
    site.exchange.answer(call, 1)
    expect(desk.locator("#category_id")).to_be_focused()
    eventually(lambda: site.draft(draft).owner_id is not None, "the draft is mine")
    desk.route("**/save", lambda route: route.abort())
    desk.fill("#text", "Яма біля школи")
    desk.click("[data-close]")
    expect(desk.locator(".desk-empty")).to_be_visible()
    site.exchange.hang_up(call)
    site.draft(draft, owner_id=id_of(site, "cherniavska"))
    desk.unroute("**/save")
    with desk.expect_response("**/save") as answer:
        desk.reload()
    assert answer.value.status == 409
    refused = desk.locator("#refused")
    expect(refused).to_contain_text("Яма біля школи")
    discard = refused.get_by_role("button")
    box = eventually(lambda: discard.bounding_box(), "the button, which each news draws anew")
    assert box["height"] < 40  # a word in one piece

    sent: list[str] = []
    desk.on("request", lambda request: request.url.endswith("/save") and sent.append(request.url))
    desk.reload()
    hears_events(desk)
    expect(refused).to_contain_text("Яма біля школи")
    refused.get_by_role("button", name="Видалити").click()
    expect(refused).to_have_count(0)
    desk.reload()
    hears_events(desk)
    expect(refused).to_have_count(0)
    assert sent == []


def test_texts_do_not_wait_in_the_browser_for_ever(site, desk):
    """Fourteen days; those of other users of this browser too."""
    desk.evaluate(
        """(me) => {
          const kept = (days) => JSON.stringify({ fields: { text: "Яма" }, base: {}, revision: 0, refused: true,
            at: Date.now() - days * 24 * 3600 * 1000 });
          localStorage.setItem(`cc-draft:${me}:901`, kept(15));
          localStorage.setItem(`cc-draft:${me}:902`, kept(13));
          localStorage.setItem("cc-draft:999:903", kept(15));
        }""",
        id_of(site, "tsapkova"),
    )
    desk.reload()
    eventually(lambda: [key.split(":")[2] for key in kept_texts(desk)] == ["902"], "only the newer one is left")


def test_what_is_typed_before_the_script_has_come_is_not_lost(site, desk):
    """A slow computer shows the form first."""
    call, draft = ring(site)
    site.exchange.answer(call, 1)
    expect(form_of(desk, draft)).to_be_visible()
    held = []
    desk.route("**/js/draft.js", lambda route: held.append(route))
    desk.reload(wait_until="commit")
    desk.fill("#text", "Швидко")
    eventually(lambda: held or desk.wait_for_timeout(50), "the script is asked for")
    held[0].continue_()
    eventually(lambda: site.draft(draft).text == "Швидко", "it is saved")
