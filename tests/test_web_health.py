"""The state of every part: right when all is well, right when a part is down, hung or lies, and never slow."""

import ast
import json
import os
import re
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask

from jobs.heartbeat import Heart
from jobs.settings import CHECKOUT, Settings
from models.base import db, now, transaction
from models.outbox import letter_refused, take_letter, write_letter
from models.people import Phone
from tests.desk_fixtures import PEOPLE, Site, user_id
from tests.helpers import close_database
from tests.mail_fixtures import with_mail
from tests.web_fixtures import Browser, filled_web, logged_in
from webui import probes
from webui.access import DESK_ROLES
from webui.probes import PARTS
from webui.troubles import TROUBLES

BEATING = dict.fromkeys(
    ("agi", "listener", "trunk", "strangers", "reconcile", "rounds", "calls", "worker", "plan", "watchdog"), True
)
PING = b"agi_network: yes\nagi_network_script: ping\n\n"


@contextmanager
def server(port: int, talk: Callable[[socket.socket], None]) -> Iterator[None]:
    """Somebody who listens at the port and talks to each who comes."""
    listening = socket.create_server(("127.0.0.1", port))

    def serve() -> None:
        with suppress(OSError):
            while True:
                peer, _address = listening.accept()
                threading.Thread(target=talk_and_close, args=(peer,), daemon=True).start()

    def talk_and_close(peer: socket.socket) -> None:
        with peer, suppress(OSError):
            talk(peer)

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()


def greet(peer: socket.socket) -> None:
    peer.sendall(b"Asterisk Call Manager/9.0.0\r\n")


def pong(peer: socket.socket) -> None:
    heard = b""
    while not heard.endswith(b"\n\n"):
        heard += peer.recv(100)
    peer.sendall(b"pong\n" if heard == PING else b"what?\n")


def silent(peer: socket.socket) -> None:
    while peer.recv(100):
        pass


def beat(settings: Settings, **parts: bool) -> None:
    for part, ok in parts.items():
        Heart(settings.run_dir, part).beat(ok, "10.0.0.1 refused 0671234567")


def tell_phones(settings: Settings, ago: float = 0.0, **phones: str) -> None:
    settings.run_dir.mkdir(exist_ok=True)
    (settings.run_dir / "phones.json").write_text(json.dumps({"at": time.time() - ago, "phones": phones}))


def asked(app: Flask) -> dict[str, dict[str, object]]:
    """What ``/health`` says of each part."""
    app.extensions["health"]._looked = float("-inf")
    answer = Browser(app).get("/health")
    assert answer.status_code == 200
    return {part["part"]: part for part in answer.json["parts"]}


def broken(app: Flask) -> set[str]:
    return {name for name, part in asked(app).items() if not part["ok"]}


@pytest.fixture
def whole(web: Flask, settings: Settings) -> Iterator[Flask]:
    """A site where every part works."""
    site = Site(settings)
    site.start_redis()
    beat(settings, **BEATING)
    tell_phones(settings, admin1="NOT_INUSE", admin2="INUSE", admin3="RINGING")
    web.extensions["site"] = site
    with server(settings.ami_port, greet), server(settings.agi_port, pong):
        yield web
    site.stop()


def test_all_is_well(whole: Flask) -> None:
    answer = Browser(whole).get("/health").json
    assert answer["ok"] is True
    assert [part["part"] for part in answer["parts"]] == list(PARTS)
    for part in answer["parts"]:
        assert set(part) == {"part", "ok", "since", "detail", "todo"}
        assert part["ok"] is True
        # it lacks a mail server and backups, which is no fault
        assert (part["todo"] == "") is (part["part"] not in ("mail", "backup"))
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", part["since"])


def test_nothing_runs_but_the_web(web: Flask) -> None:
    """Each broken part says what to do; nothing in the answer helps an attacker."""
    parts = asked(web)
    assert {name for name, part in parts.items() if part["ok"]} == {"database", "mail", "backup", "disk"}
    assert all(part["todo"] for part in parts.values() if not part["ok"])
    text = json.dumps(parts, ensure_ascii=False)
    for secret in ("/tmp", "127.0.0.1", "sqlite", "Error", "Traceback", "admin1"):
        assert secret not in text


def test_redis_away(whole: Flask) -> None:
    whole.extensions["site"].kill("redis")
    assert broken(whole) == {"redis"}


def test_database_locked_by_somebody_else(whole: Flask, settings: Settings) -> None:
    other = sqlite3.connect(settings.var / "contact-center.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert broken(whole) == {"database"}
    assert "заблокувала" in asked(whole)["database"]["detail"]
    other.execute("ROLLBACK")
    other.close()
    assert broken(whole) == set()


def test_database_gone_is_not_made_anew(whole: Flask, settings: Settings) -> None:
    for path in settings.var.glob("contact-center.sqlite3*"):
        path.unlink()
    assert "database" in broken(whole)
    assert not (settings.var / "contact-center.sqlite3").exists()


def test_database_without_tables(whole: Flask, settings: Settings) -> None:
    for path in settings.var.glob("contact-center.sqlite3*"):
        path.unlink()
    sqlite3.connect(settings.var / "contact-center.sqlite3").close()
    assert "database" in broken(whole)


def test_beats_too_old_or_missing_or_bad(whole: Flask, settings: Settings) -> None:
    minute_ago = time.time() - 60
    os.utime(settings.run_dir / "listener.json", (minute_ago, minute_ago))
    (settings.run_dir / "watchdog.json").unlink()
    (settings.run_dir / "reconcile.json").write_text('{"half')
    beat(settings, agi=False)
    parts = asked(whole)
    assert {name for name, part in parts.items() if not part["ok"]} == {"listener", "watchdog", "reconcile", "agi"}
    assert parts["listener"]["detail"] == "Зависло або зупинилося."
    assert parts["watchdog"]["detail"] == "Ще не запущено."
    assert parts["agi"]["detail"] == "Запущено, але роботу не виконує."
    assert "0671234567" not in json.dumps(parts)


@pytest.mark.parametrize("strange", [silent, greet], ids=["silent", "another server"])
def test_servers_that_hang_or_are_not_ours(web: Flask, settings: Settings, strange: Callable) -> None:
    beat(settings, agi=True)
    with server(settings.agi_port, strange), server(settings.ami_port, pong if strange is greet else silent):
        parts = asked(web)
    assert not parts["agi"]["ok"]
    assert not parts["asterisk"]["ok"]


def test_one_phone_away_is_told_a_line_without_phones_is_a_fault(whole: Flask, settings: Settings) -> None:
    """Every line rings at all three phones, so one is enough."""
    tell_phones(settings, admin1="UNAVAILABLE", admin2="NOT_INUSE")
    assert asked(whole)["phones"]["detail"] == "Під’єднано 1 із 3."
    assert broken(whole) == set()
    tell_phones(settings, admin1="UNAVAILABLE", admin2="INVALID")
    assert broken(whole) == {"phones"}
    tell_phones(settings, ago=300, admin1="NOT_INUSE")
    assert asked(whole)["phones"]["detail"] == "Невідомо, які телефони під’єднані."
    (settings.run_dir / "phones.json").write_text("[]")
    assert broken(whole) == {"phones"}


def test_little_room_on_the_disk(whole: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "FREE_BYTES", 10**18)
    assert broken(whole) == {"disk"}


def test_since_moves_only_when_the_state_changes(whole: Flask) -> None:
    first = asked(whole)["disk"]["since"]
    whole.extensions["health"]._seen["disk"] = replace(whole.extensions["health"]._seen["disk"], since=1000.0)
    assert asked(whole)["disk"]["since"] == "1970-01-01T00:16:40+00:00" != first
    whole.extensions["health"]._seen["disk"] = replace(whole.extensions["health"]._seen["disk"], ok=False)
    assert asked(whole)["disk"]["since"] >= first


def told_by(path: str) -> set[str]:
    """The sentences on its own trouble in a part's source, without the causes in brackets."""
    telling: list[ast.AST] = []
    for node in ast.walk(ast.parse((CHECKOUT / path).read_text())):
        name = getattr(node.func, "attr", "") or getattr(node.func, "id", "") if isinstance(node, ast.Call) else ""
        if name in ("note", "_beat", "beat", "MailTrouble"):
            telling.append(node)
        elif isinstance(node, ast.FunctionDef) and node.name in ("trouble", "_run", "_broken", "plan_machine_calls"):
            telling += [inner for inner in ast.walk(node) if isinstance(inner, ast.Return)]
        elif isinstance(node, ast.Assign) and re.search("detail|trouble", ast.unparse(node.targets[0])):
            telling.append(node)
    found = [text for node in telling for text in texts(node)]
    return {text.replace(" ()", "") for text in found if text.endswith(".") and " " in text}


def texts(node: ast.AST) -> list[str]:
    """All texts in the code, with nothing in place of what is filled in."""
    if isinstance(node, ast.JoinedStr):
        return ["".join(str(part.value) for part in node.values if isinstance(part, ast.Constant))]
    if isinstance(node, ast.Constant):
        return [str(node.value)]
    return [text for inner in ast.iter_child_nodes(node) for text in texts(inner)]


def test_every_trouble_that_a_part_tells_has_words_on_the_page() -> None:
    parts = (
        "agi/database.py",
        "jobs/factwriter.py",
        "jobs/listener.py",
        "jobs/reconcile.py",
        "jobs/rounds.py",
        "jobs/calling.py",
        "jobs/worker.py",
        "jobs/mail.py",
        "jobs/office.py",
        "jobs/daily_backup.py",
        "jobs/speech.py",
        "jobs/apply_plan.py",
        "jobs/strangers.py",
        "jobs/trunk.py",
        "jobs/remarks.py",
    )
    assert set.union(*map(told_by, parts)) == {known for known in TROUBLES if known.endswith(".")}


def test_a_parts_own_trouble_is_told_in_ukrainian_without_its_cause(whole: Flask, settings: Settings) -> None:
    trouble = "The database cannot be read (OperationalError): calls go on without it."
    Heart(settings.run_dir, "agi").beat(False, trouble)
    Heart(settings.run_dir, "listener").beat(False, "something new")
    found = asked(whole)
    shown = (
        "Базу даних не вдається прочитати: дзвінки йдуть за останнім відомим порядком або за порядком станції, "
        "а того, що записано в базі, по телефону не чути."
    )
    assert found["agi"]["detail"] == shown
    assert found["listener"]["detail"] == "Запущено, але роботу не виконує."


def test_a_probe_that_hangs_or_breaks_hides_no_other(whole: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = whole.extensions["health"]
    release = threading.Event()
    asked_for = []

    def hang() -> probes.Finding:
        asked_for.append(1)
        release.wait(30)
        return probes.Finding(True)

    def break_down() -> probes.Finding:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(probes, "ALL_SECONDS", 1.0)
    watch._probes["redis"], watch._probes["disk"] = hang, break_down
    for _ in range(3):
        parts = asked(whole)
        assert parts["redis"]["detail"] == parts["disk"]["detail"] == "Немає відповіді."
        assert parts["asterisk"]["ok"] is parts["listener"]["ok"] is True
    assert len(asked_for) == 1  # a hung probe is not started again and again
    release.set()


def test_many_who_ask_at_once_cost_one_look(whole: Flask) -> None:
    looks = []
    watch = whole.extensions["health"]
    real = watch._probes["disk"]
    watch._probes["disk"] = lambda: looks.append(1) or real()
    threads = [threading.Thread(target=lambda: Browser(whole).get("/health")) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert 1 <= len(looks) <= 3


def test_health_answers_a_logged_in_person_while_the_database_is_away(whole: Flask, settings: Settings) -> None:
    browser = logged_in(whole, "tsapkova")
    close_database(whole)
    for path in settings.var.glob("contact-center.sqlite3*"):
        path.unlink()
    assert browser.get("/health").status_code == 200


def test_people_see_each_part_and_what_to_do(web: Flask) -> None:
    page = logged_in(web, "tekhnik").get("/status").text
    assert "Телефонна станція (Asterisk)" in page
    assert "Негайно перезапустіть службу." in page
    assert "13\u00a0частин потребують уваги." in page


def test_why_nothing_pops_up_on_my_screen(whole: Flask, settings: Settings) -> None:
    page = logged_in(whole, "tsapkova").get("/status").text
    assert "«admin1», внутрішній номер 101" in page
    assert "Телефон зареєстровано на станції." in page
    assert "дзвінки лінії 5-32-73, крок 1" in page
    assert 'id="event-check"' in page
    tell_phones(settings, admin1="UNAVAILABLE")
    assert "Телефон не зареєстровано на станції" in logged_in(whole, "tsapkova").get("/status").text


def test_red_is_only_what_keeps_calls_from_people(whole: Flask, settings: Settings) -> None:
    """What is as it should be in a role is no alarm; what only delays the screens is told, and not in red."""
    alarm = 'class="part-bad"'
    for login, (_name, role) in PEOPLE.items():
        page = logged_in(whole, login).get("/status").text
        assert alarm not in page, login
        assert ("Чому на моєму екрані" in page) is (role in DESK_ROLES)
    assert "тому дзвінки самі не відкриваються" in logged_in(whole, "dyspetcher").get("/status").text
    beat(settings, **BEATING)  # logging all of them in takes longer than a beat counts
    whole.extensions["site"].kill("redis")
    asked(whole)
    page = logged_in(whole, "tekhnik").get("/status").text
    assert alarm not in page
    assert page.count('class="part-warn"') == 1
    assert "Телефонна станція працює. 1\u00a0частина потребує уваги." in re.sub(r"\s* \s*", " ", page)
    tell_phones(settings, admin1="UNAVAILABLE")
    asked(whole)
    page = logged_in(whole, "tekhnik").get("/status").text
    assert page.count(alarm) == 1
    assert "Дзвінки не доходять до працівників." in page


def test_an_administrator_without_a_phone_is_warned(whole: Flask) -> None:
    with whole.app_context(), transaction() as session:
        session.scalars(db.select(Phone).where(Phone.name == "admin1")).one().user_id = None
    page = logged_in(whole, "tsapkova").get("/status").text
    assert re.search(r'class="part-bad">.*За вами не закріплено телефону, тому дзвінки до вас не надходять', page)


def test_without_a_mail_server_the_page_says_so_and_what_to_do(whole: Flask) -> None:
    mail = asked(whole)["mail"]
    assert mail["ok"]
    assert "поштового сервера не задано" in mail["detail"]
    assert "CC_SMTP_URL" in mail["todo"]
    for login, todo in (("tekhnik", "CC_SMTP_URL"), ("nachalnyk", "Скажіть технічному адміністраторові.")):
        page = logged_in(whole, login).get("/status").text
        row, _backups = re.findall(r'<tr class="part-unset">.*?</tr>', page, re.DOTALL)
        assert todo in row
        assert "✓" not in row
        assert ("CC_SMTP_URL" in row) is (login == "tekhnik")


def test_letters_that_wait_or_failed_are_counted(settings: Settings) -> None:
    """A letter that nobody can send is nothing that calls wait for, and must be seen all the same."""
    web = filled_web(with_mail(settings, 25))
    with web.app_context(), transaction() as session:
        at = now() - timedelta(hours=1)
        for place in range(3):
            write_letter(session, f"test-{place}", "Строки", "Строки", at, user_id=user_id("operator"))
    Heart(settings.run_dir, "mail").beat(False, "The mail server does not answer (TimeoutError).")
    waiting = asked(web)["mail"]
    assert (waiting["ok"], waiting["detail"]) == (False, "Поштовий сервер не відповідає. Листів у черзі: 3.")
    with web.app_context(), transaction() as session:
        letter = take_letter(session, 1, now())
        letter_refused(session, letter, "550 no such user")
    assert asked(web)["mail"]["detail"] == "Листів, яких не вдалося надіслати: 1."
    close_database(web)
