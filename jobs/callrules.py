"""The rules of calling that hold now: the town's settings and its working calendar."""

from sqlalchemy.orm import Session

from jobs.settings import Settings
from models.calling import Rules, Window
from models.dialling import Dialler
from models.free_days import load_calendar
from models.leases import Lines


def load_dialler(session: Session, settings: Settings) -> Dialler:
    """The rules of calling that hold now."""
    begins, ends = settings.call_hours
    window = Window(begins, ends, on_sundays=settings.call_sundays, on_holidays=settings.call_sundays)
    lines = Lines(settings.trunk_lines, settings.reserved_lines)
    return Dialler(Rules(window), lines, load_calendar(session))
