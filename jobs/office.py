"""The centre's own periodic work: the quarterly report (R 4.6), and the terms of personal data (A3)."""

from datetime import datetime

from flask import Flask

from models.base import db, transaction
from models.quarterly import prepare_due
from models.retention import run_retention


def prepare_quarterly_reports(app: Flask, at: datetime) -> str:
    """Prepare what is to be reported on the last quarter, once. A job of `jobs.rounds`."""
    with app.app_context():
        prepare_due(db.session(), at)
    return ""


def end_terms(app: Flask, at: datetime) -> str:
    """End the holding of all personal data whose term is over. A job of `jobs.rounds`."""
    with app.app_context():
        ended = True
        while ended:
            with transaction() as session:
                ended = any(run_retention(session, at).values())
    return ""
