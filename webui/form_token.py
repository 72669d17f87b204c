"""The seal of a web form's page: which page it is and when it was opened, so that neither can be made up."""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from flask import current_app
from itsdangerous import BadData, URLSafeSerializer

QUICKEST = timedelta(seconds=3)  # no person fills the form sooner
OLDEST = timedelta(hours=12)


@dataclass(frozen=True)
class FormPage:
    """One opening of the form: a random word, by which a form sent twice is known, and the moment."""

    key: str
    opened: datetime

    def key_of(self, values: Mapping[str, object]) -> str:
        """The same for the same words of this page alone: what else is sent from it is another report."""
        return hashlib.blake2b(f"{self.key} {sorted(values.items())}".encode(), digest_size=16).hexdigest()

    def seal(self) -> str:
        return _sealer().dumps([self.key, int(self.opened.timestamp())])


def open_page(at: datetime) -> FormPage:
    """A page that is opened now."""
    return FormPage(secrets.token_hex(16), at)


def unseal(text: str) -> FormPage | None:
    """The page with this seal; None for a seal that is not ours."""
    try:
        key, opened = _sealer().loads(text)
    except BadData:
        return None
    return FormPage(key, datetime.fromtimestamp(opened, UTC))


def _sealer() -> URLSafeSerializer:
    return URLSafeSerializer(current_app.secret_key, salt="web form")
