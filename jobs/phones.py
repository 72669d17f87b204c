"""Which desk phones are there, as the exchange told lately (`jobs.listener.write_phones`)."""

import json
import time
from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from jobs.settings import Settings
from models.people import Phone, Role, User

TOLD_SECONDS = 60.0  # after which what was told is too old; it is told every 3 s
UNREACHABLE = ("UNAVAILABLE", "INVALID", "UNKNOWN")
FREE = ("NOT_INUSE",)


def phone_states(settings: Settings) -> dict[str, str] | None:
    """The phones' states by name (``NOT_INUSE``, ``UNAVAILABLE`` …), or None when they are not known."""
    try:
        told = json.loads((settings.run_dir / "phones.json").read_text())
        fresh = time.time() - float(told["at"]) < TOLD_SECONDS
        return {str(name): str(state) for name, state in told["phones"].items()} if fresh else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def reachable(state: str | None) -> bool:
    """Whether a phone in this state would ring."""
    return state is not None and state.upper() not in UNREACHABLE


def free_phones(session: Session, settings: Settings, roles: Collection[Role]) -> list[str]:
    """The names of the phones that nobody uses now, of people with the first of these roles that has any."""
    states = phone_states(settings) or {}
    for role in roles:
        query = (
            select(Phone.name)
            .join(Phone.user)
            .where(User.active, User.role == role, Phone.active)
            .order_by(Phone.extension)
        )
        free = [name for name in session.scalars(query) if states.get(name, "").upper() in FREE]
        if free:
            return free
    return []
