"""Warnings by letter, as `models.alerts.RULES` says: made once, then written into the outbox (W3, W4, W9, I8).

Each step is a transaction of its own. Whatever ends between two of them is made up for in the next round: an alert
without a letter gets one, a letter without its sending is sent, what a sent letter has told is kept.
"""

from collections.abc import Collection
from datetime import datetime

from flask import Flask
from sqlalchemy.orm import Session

from jobs.letters import compose
from jobs.settings import Settings
from models.alerts import RULES, AlertKind, alerts_to_write
from models.base import db, transaction
from models.due_alerts import emergencies_to_tell, make_alerts
from models.outbox import write_letter


def warn_of_emergencies(app: Flask, at: datetime) -> str:
    """Write to the executors of new emergencies at once (I8). Returns no trouble."""
    if not _letters_go_out(app):
        return ""
    with app.app_context():
        if emergencies_to_tell(db.session(), at):
            _warn(app.config["SETTINGS"], at, (AlertKind.EMERGENCY,))
    return ""


def warn_of_deadlines(app: Flask, at: datetime) -> str:
    """Make all warnings that are due, and write the letters whose time it is. Returns no trouble."""
    if not _letters_go_out(app):
        return ""
    with app.app_context():
        _warn(app.config["SETTINGS"], at, tuple(RULES))
    return ""


def _letters_go_out(app: Flask) -> bool:
    """Without a mail server nothing is put into the outbox: the first letters would be about what is long over."""
    return app.config["SETTINGS"].mail_server is not None


def _warn(settings: Settings, at: datetime, kinds: Collection[AlertKind]) -> None:
    made = True
    while made:  # all of them before the day's summary is written
        with transaction() as session:
            made = make_alerts(session, at, kinds) > 0
    with transaction() as session:
        write_letters(session, settings, at)


def write_letters(session: Session, settings: Settings, at: datetime) -> None:
    """Put the alerts into letters; a summary that is written already takes no more, they wait for the next one."""
    for key, alerts in alerts_to_write(session, at).items():
        subject, body = compose(alerts, at, settings)
        recipient = {"user_id": alerts[0].to_user_id, "organisation_id": alerts[0].to_organisation_id}
        letter = write_letter(session, key, subject, body, at, **recipient)
        if letter is not None:
            for alert in alerts:
                alert.letter_id = letter.id
