"""The way to the mail server: what it refuses for good is seen, all else is tried again; passwords stay private."""

import itertools
import threading
from dataclasses import replace
from datetime import timedelta
from email.header import decode_header

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from sqlalchemy import select

from jobs.mail import MailTrouble, open_mail, send_letters
from jobs.settings import MailServer
from models.base import db, transaction
from models.machine import IllegalMove
from models.outbox import (
    GIVEN_UP_AFTER,
    LETTER_TABLE,
    PAUSES,
    Letter,
    LetterEvent,
    LetterState,
    send_again,
    write_letter,
)
from tests.desk_fixtures import user_id
from tests.helpers import free_port
from tests.mail_fixtures import ADDRESSES, MONDAY, Post

MINUTE = timedelta(minutes=1)


def write(post: Post, login: str = "operator", key: str = "one", subject: str = "Строки: №\u00a02026-0412") -> int:
    with post.app.app_context(), transaction() as session:
        return write_letter(session, key, subject, "Тіло листа — «строки»\n", MONDAY, user_id=user_id(login)).id


def letters(post: Post) -> list[Letter]:
    with post.app.app_context():
        found = list(db.session.scalars(select(Letter).order_by(Letter.id)))
        db.session.remove()
        return found


def test_a_letter_arrives_as_it_was_written(post):
    write(post)
    assert send_letters(post.app, MONDAY) == ""
    (message,) = post.office.got
    assert message["To"] == ADDRESSES["operator"]
    assert message["Subject"] == "Строки: №\u00a02026-0412"
    assert message["From"] == '"Контактний центр, Ромни" <centre@romny.example>'
    assert message["Message-ID"].endswith("@romny.example>")
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.get_content() == "Тіло листа — «строки»\n"
    assert [(letter.state, letter.sent_at) for letter in letters(post)] == [("sent", MONDAY)]
    send_letters(post.app, MONDAY + MINUTE)
    assert len(post.office.got) == 1


def test_a_letter_counts_as_sent_when_the_mail_server_has_taken_it(post, monkeypatch):
    write(post)
    seconds = itertools.count(step=7)
    monkeypatch.setattr("jobs.mail.monotonic", lambda: float(next(seconds)))
    send_letters(post.app, MONDAY)
    assert letters(post)[0].sent_at == MONDAY + timedelta(seconds=14)  # it waited for its turn, and then for the server


def test_no_subject_can_add_a_header(post):
    write(post, subject="Строки\r\nBcc: stranger@example.com")
    send_letters(post.app, MONDAY)
    assert post.office.got[0]["Bcc"] is None
    assert decode_header(post.office.got[0]["Subject"])[0][0] == "Строки Bcc: stranger@example.com"


def test_what_is_refused_for_good_is_shown_and_not_tried_again_and_hinders_no_other(post):
    post.office.refuses[ADDRESSES["operator"]] = "550 5.1.1 no such user"
    write(post), write(post, "kerivnyk", "two")
    assert send_letters(post.app, MONDAY) == ""
    refused, sent = letters(post)
    assert (refused.state, refused.reason, sent.state) == ("failed", "550 5.1.1 no such user", "sent")
    for hours in range(1, 5):
        send_letters(post.app, MONDAY + hours * timedelta(hours=1))
    assert letters(post)[0].attempts == 1
    post.set_address("operator", "new@romny.example")  # mended, and sent again by a click
    with post.app.app_context(), transaction() as session:
        send_again(session, session.get_one(Letter, refused.id), MONDAY + timedelta(hours=5))
    send_letters(post.app, MONDAY + timedelta(hours=5))
    assert [message["To"] for message in post.office.got] == [ADDRESSES["kerivnyk"], "new@romny.example"]
    assert (letters(post)[0].state, letters(post)[0].reason) == ("sent", "")


def test_what_is_put_off_is_tried_again_after_pauses_that_grow_and_given_up_in_the_end(post):
    post.office.refuses[ADDRESSES["operator"]] = "451 4.7.1 come back later"
    write(post)
    at, tried = MONDAY, []
    while letters(post)[0].state != LetterState.FAILED:
        before = letters(post)[0].attempts
        send_letters(post.app, at)
        if letters(post)[0].attempts > before:
            tried.append(at)
        at = max(at + MINUTE, letters(post)[0].next_try_at)
        assert at < MONDAY + 2 * GIVEN_UP_AFTER
    pauses = [later - earlier for earlier, later in zip(tried, tried[1:], strict=False)]
    assert tuple(pauses[: len(PAUSES)]) == PAUSES
    assert set(pauses[len(PAUSES) :]) == {PAUSES[-1]}
    assert letters(post)[0].reason == "451 4.7.1 come back later"


def test_a_person_whose_address_is_gone(post):
    write(post)
    post.set_address("operator", "")
    send_letters(post.app, MONDAY)
    assert [(letter.state, letter.reason) for letter in letters(post)] == [("failed", "no address")]


def test_two_who_send_at_the_same_moment_send_each_letter_once(post):
    for place in range(12):
        write(post, key=f"letter-{place}")
    start = threading.Barrier(3)

    def send() -> None:
        start.wait(30)
        send_letters(post.app, MONDAY)

    threads = [threading.Thread(target=send) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(post.office.got) == len({message["Message-ID"] for message in post.office.got}) == 12
    assert {(letter.state, letter.attempts) for letter in letters(post)} == {("sent", 1)}


def test_a_letter_moves_by_its_table_alone(post):
    letter_id = write(post)
    allowed = {event for state, event in LETTER_TABLE if state == LetterState.QUEUED}
    assert allowed == {LetterEvent.TAKEN}
    with pytest.raises(IllegalMove), post.app.app_context(), transaction() as session:
        send_again(session, session.get_one(Letter, letter_id), MONDAY)


class LoginOnly:
    """A mail server that takes letters only from who logs in, and asks no encryption."""

    async def handle_MAIL(self, server, session, envelope, address, options) -> str:
        envelope.mail_from = address
        return "250 OK"


def login_server(port: int) -> Controller:
    def check(_server, _session, _envelope, _mechanism, data) -> AuthResult:
        return AuthResult(success=data.password == b"right", handled=False)

    return Controller(
        LoginOnly(), hostname="127.0.0.1", port=port, authenticator=check, auth_required=True, auth_require_tls=False
    )


def test_a_wrong_login_is_one_sentence_and_no_letter_suffers(post, caplog):
    port = free_port()
    server = login_server(port)
    server.start()
    try:
        write(post)
        settings = post.app.config["SETTINGS"]
        mail = MailServer("127.0.0.1", port, False, "centre", "geheim")
        post.app.config["SETTINGS"] = replace(settings, mail_server=mail)
        trouble = send_letters(post.app, MONDAY)
        assert trouble.startswith("The mail server refuses the login in CC_SMTP_URL")
        assert [(letter.state, letter.attempts) for letter in letters(post)] == [("queued", 0)]
        assert "geheim" not in trouble + caplog.text
        right = replace(settings, mail_server=replace(mail, password="right"))
        with open_mail(right) as connection:
            assert connection.noop()[0] == 250
    finally:
        server.stop()


def test_a_password_goes_to_no_other_machine_in_clear(post, monkeypatch):
    monkeypatch.setattr(MailServer, "here", False)
    mail = MailServer("127.0.0.1", post.office.port, False, "centre", "geheim")
    settings = replace(post.app.config["SETTINGS"], mail_server=mail)
    with pytest.raises(MailTrouble, match="does not encrypt"), open_mail(settings):
        pass
