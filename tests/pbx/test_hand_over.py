"""An emergency is handed over by telephone: the duty numbers in turn, and one key accepts it (I8)."""

import pytest
from sqlalchemy import select

from models.attempts import Attempt
from models.base import db, now, transaction
from models.calling import Outcome
from models.calltasks import CallTask, TaskState, Why
from models.reports import HistoryRow, Report, ReportEvent, ReportState
from tests.helpers import eventually
from tests.pbx.citizens import Citizens, invited_numbers
from tests.pbx.town import Town

pytestmark = pytest.mark.pbx

FIRST, SECOND = "+380671540071", "+380671540072"
IN_THE_REPORT = 9_000  # milliseconds


def test_the_first_number_does_not_answer_and_the_second_accepts(town: Town) -> None:
    citizens = Citizens(town)
    report_id = citizens.emergency(FIRST, SECOND)

    def outcomes() -> list[Outcome | None]:
        with citizens.app.app_context():
            made = select(Attempt.outcome).where(Attempt.number.in_((FIRST, SECOND)), Attempt.settled_at.is_not(None))
            return list(db.session.scalars(made.order_by(Attempt.id)))

    with citizens.machine_calls():
        with citizens.at_home(refusal="480 Temporarily Unavailable") as folder:
            eventually(lambda: outcomes() == [Outcome.NO_ANSWER], "the first number is called in vain", 60)
            heard = invited_numbers(folder)
        with citizens.at_home(keys=[(IN_THE_REPORT, "1")]) as folder:
            with citizens.app.app_context(), transaction() as session:  # the minute between two calls is over
                session.scalars(select(CallTask).where(CallTask.report_id == report_id)).one().due_at = now()
            eventually(lambda: outcomes() == [Outcome.NO_ANSWER, Outcome.ANSWERED], "the second number accepts", 60)
            heard += invited_numbers(folder)
    assert heard == {FIRST: 1, SECOND: 1}
    with citizens.app.app_context():
        task = db.session.scalars(select(CallTask).where(CallTask.report_id == report_id)).one()
        assert (task.state, task.why) == (TaskState.SETTLED, Why.ACCEPTED)
        assert db.session.get_one(Report, report_id).state == ReportState.IN_PROGRESS
        accepted = select(HistoryRow.note).where(
            HistoryRow.report_id == report_id, HistoryRow.event == ReportEvent.ACCEPTED
        )
        assert "черговий номер 2" in db.session.scalars(accepted).one()
    eventually(lambda: town.channels() == 0, "channels gone")
