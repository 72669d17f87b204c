"""The way out for letters: the mail server that ``CC_SMTP_URL`` names.

A server on another machine gets a password over an encrypted connection alone; one on this machine is spoken to as it
is. What the server refuses for good is shown to people; for everything else there is another try (`models.outbox`).
"""

import logging
import smtplib
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.header import Header
from email.mime.text import MIMEText
from email.utils import format_datetime, formataddr
from enum import StrEnum
from time import monotonic

from flask import Flask

from jobs.settings import MailServer, Settings
from models.addresses import NoAddress, read_address
from models.alerts import keep_told, untold_alerts
from models.base import database_is_away, db, transaction
from models.outbox import (
    Letter,
    LetterState,
    letter_accepted,
    letter_put_off,
    letter_refused,
    letters_to_send,
    take_letter,
)

ANSWER_SECONDS = 20.0  # for each answer of the mail server
ROUND_SECONDS = 120.0  # after which the other jobs have their turn
CLOSING = 421  # the server ends the connection
NO_ADDRESS = "no address"

log = logging.getLogger(__name__)


class MailTrouble(Exception):
    """No letter can be sent now; the message is one sentence, with the cause in brackets."""


def send_letters(app: Flask, at: datetime) -> str:
    """Send the letters whose turn it is, for `ROUND_SECONDS` at most; returns why that cannot be done, in one sentence,
    or "". For any number of processes at once.
    """
    settings: Settings = app.config["SETTINGS"]
    if settings.mail_server is None:
        return ""
    with app.app_context():
        try:
            waiting = letters_to_send(db.session(), at)
            db.session.remove()
            if waiting:
                _send_all(settings, waiting, at)
        except MailTrouble as trouble:
            return str(trouble)
        finally:
            db.session.remove()
            _keep_all_told()
    return ""


def _send_all(settings: Settings, waiting: Sequence[int], at: datetime) -> None:
    began = monotonic()
    with open_mail(settings) as server:
        for letter_id in waiting:
            taken = monotonic() - began
            if taken > ROUND_SECONDS:
                return
            send_letter(server, settings, letter_id, at + timedelta(seconds=taken))


def _keep_all_told() -> None:
    """Keep what the letters that were sent have told; one alert's fault hinders no other, it has a next round."""
    told = untold_alerts(db.session())
    db.session.remove()
    for alert_id in told:
        try:
            with transaction() as session:
                keep_told(session, alert_id)
        except Exception as error:
            if database_is_away(error):
                raise
            log.exception("what the letter of alert %d has told is not kept", alert_id)
        finally:
            db.session.remove()


def send_letter(server: smtplib.SMTP, settings: Settings, letter_id: int, at: datetime) -> None:
    """Send one letter, and keep what became of it. Raises `MailTrouble` when the next one need not be tried.

    That it is being sent is committed before the mail server hears of it, and no transaction is open meanwhile. It
    counts as sent when the mail server has taken it, which may be long after ``at``.
    """
    began = monotonic()
    with transaction() as session:
        letter = take_letter(session, letter_id, at)
        if letter is None:  # another process has it
            return
        attempt, address = letter.attempts, usable(letter.address)
        message = message_of(letter, address, settings)
    answer = hand_in(server, message, settings.mail_from, address) if address else Answer(Verdict.REFUSED, NO_ADDRESS)
    at += timedelta(seconds=monotonic() - began)
    with transaction() as session:
        letter = session.get_one(Letter, letter_id)
        if letter.state == LetterState.SENDING and letter.attempts == attempt:  # else it was given to another
            if answer.verdict == Verdict.TAKEN:
                letter_accepted(session, letter, at)
            elif answer.verdict == Verdict.REFUSED:
                letter_refused(session, letter, answer.reason)
            else:
                letter_put_off(session, letter, answer.reason, at)
    if answer.trouble:
        raise MailTrouble(answer.trouble)


class Verdict(StrEnum):
    TAKEN = "taken"
    REFUSED = "refused"  # for good
    NOT_NOW = "not_now"


@dataclass(frozen=True)
class Answer:
    """What the mail server said of a letter; ``trouble``, when it will say the same of every other."""

    verdict: Verdict
    reason: str = ""
    trouble: str = ""


def hand_in(server: smtplib.SMTP, message: MIMEText, sender: str, address: str) -> Answer:
    """Give the letter to the mail server."""
    try:
        server.send_message(message, sender, [address])
    except smtplib.SMTPSenderRefused as error:
        trouble = f"The mail server does not take letters from the address in CC_MAIL_FROM ({error.smtp_code})."
        return Answer(Verdict.NOT_NOW, answer_of(error, address)[1], trouble)
    except smtplib.SMTPException as error:
        code, reason = answer_of(error, address)
        broken = isinstance(error, smtplib.SMTPServerDisconnected) or code == CLOSING
        if 500 <= code < 600:
            return Answer(Verdict.REFUSED, reason)
        return Answer(Verdict.NOT_NOW, reason, _broken(error) if broken else "")
    except OSError as error:
        return Answer(Verdict.NOT_NOW, type(error).__name__, _broken(error))
    return Answer(Verdict.TAKEN)


def _broken(error: Exception) -> str:
    return f"The mail server breaks the connection off ({type(error).__name__})."


def usable(address: str) -> str:
    """The address, or "" when nothing can be sent to it."""
    try:
        return read_address(address)
    except NoAddress:
        return ""


def message_of(letter: Letter, address: str, settings: Settings) -> MIMEText:
    """The letter as it goes over the wire; each try of it is the same."""
    message = MIMEText(letter.body, "plain", "utf-8")
    message["From"] = formataddr((f"Контактний центр, {settings.profile.town}", settings.mail_from))
    message["To"] = address
    message["Subject"] = Header(letter.subject, "utf-8")  # folded by EmailMessage, it loses spaces between words
    message["Date"] = format_datetime(letter.created_at)
    message["Message-ID"] = f"<{letter.message_id}@{settings.mail_from.partition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"  # nobody's holiday answer comes back
    return message


def answer_of(error: smtplib.SMTPException, address: str) -> tuple[int, str]:
    """The mail server's code and words; code 0 when it said nothing."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, words = error.recipients[address]
    elif isinstance(error, smtplib.SMTPResponseException):
        code, words = error.smtp_code, error.smtp_error
    else:
        return 0, type(error).__name__
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else str(words)
    return code, f"{code} {' '.join(text.split())}"


@contextmanager
def open_mail(settings: Settings) -> Iterator[smtplib.SMTP]:
    """A connection to the mail server, logged in where a login is named. Raises `MailTrouble`."""
    mail = settings.mail_server
    try:
        server = _connect(mail, settings.mail_from.partition("@")[2])
        if mail.user:
            server.login(mail.user, mail.password)
    except smtplib.SMTPAuthenticationError as error:
        raise MailTrouble(f"The mail server refuses the login in CC_SMTP_URL ({error.smtp_code}).") from None
    except ssl.SSLError as error:
        raise MailTrouble(f"The mail server's certificate cannot be trusted ({error.reason}).") from None
    except (OSError, smtplib.SMTPException) as error:
        raise MailTrouble(f"The mail server does not answer ({type(error).__name__}).") from None
    try:
        yield server
    finally:
        with suppress(OSError, smtplib.SMTPException):  # what it took, it has; how it says good-bye is no trouble
            server.quit()
        server.close()


def _connect(mail: MailServer, own_name: str) -> smtplib.SMTP:
    context = ssl.create_default_context()
    where = {"host": mail.host, "port": mail.port, "local_hostname": own_name, "timeout": ANSWER_SECONDS}
    if mail.encrypted:
        return smtplib.SMTP_SSL(**where, context=context)
    server = smtplib.SMTP(**where)
    server.ehlo()
    if not mail.here and server.has_extn("starttls"):
        server.starttls(context=context)
        server.ehlo()
    elif not mail.here and mail.user:
        server.close()
        raise MailTrouble("The mail server does not encrypt, and so gets no password.")
    return server
