"""Whether letters go out: what waits for long, what failed, and what the mail server says."""

from datetime import timedelta

from flask import Flask
from flask_babel import lazy_gettext as _
from sqlalchemy.orm import Session

from jobs.heartbeat import read_beat
from jobs.settings import Settings
from models.base import db, now
from models.outbox import count_letters
from webui.findings import Finding
from webui.troubles import in_words

LETTERS_WAIT = timedelta(minutes=30)  # as long as it takes a mail server to be started anew


def probe_mail(settings: Settings, app: Flask) -> Finding:
    """Letters that wait for long or have failed need a person; without a mail server it is only told."""
    if settings.mail_server is None:
        return Finding(
            True,
            _("No letters are sent: no mail server is set."),
            _("Set CC_SMTP_URL, CC_MAIL_FROM and CC_PUBLIC_URL, and restart the service."),
        )
    with app.app_context(), Session(db.engine) as session:
        waiting, failed = count_letters(session, now() - LETTERS_WAIT)
    beat = read_beat(settings.run_dir, "mail")
    detail = in_words(beat.detail) if beat and not beat.ok else _("It sends letters.")
    if failed:
        detail = _("Letters that could not be sent: %(failed)d.", failed=failed)
        return Finding(False, detail, _("See the page «Letters»: mend the address, and send them again."))
    if waiting:
        detail = _("%(trouble)s Letters that wait: %(waiting)d.", trouble=detail, waiting=waiting)
    ok = not waiting and (beat is None or beat.ok)
    return Finding(ok, detail, "" if ok else _("See whether the mail server answers, and CC_SMTP_URL."))
