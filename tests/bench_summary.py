"""What `bench_journal` measures besides the journal: summaries and the quarterly report."""

from collections.abc import Callable
from datetime import timedelta

from sqlalchemy.orm import Session

from models.answers import answers_by_executor
from models.base import now
from models.periods import Period, quarter_of
from models.quarterly_figures import count_figures
from models.summary import summarise
from models.workdays import KYIV

SUMMARY_WANTED_MS = 3000


def _last_quarter():
    return quarter_of(now().astimezone(KYIV).date()).before


def _all_years() -> Period:
    today = now().astimezone(KYIV).date()
    return Period(today - timedelta(days=4 * 365), today)


SUMMARIES: dict[str, Callable[[Session], object]] = {
    "quarterly report": lambda session: count_figures(session, _last_quarter(), None, now()),
    "summary of a quarter": lambda session: summarise(session, _last_quarter().period, now()),
    "summary of all years": lambda session: summarise(session, _all_years(), now()),
    "answers of a quarter": lambda session: answers_by_executor(session, _last_quarter().period),
    "answers of all years": lambda session: answers_by_executor(session, _all_years()),
}
