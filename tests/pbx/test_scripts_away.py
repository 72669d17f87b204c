"""While our scripts are away nobody is rung up to hear nothing (C3): the machine's calls wait."""

import pytest

from models.reports import ReportState
from tests.helpers import eventually
from tests.pbx.citizens import Asked, Citizens, invited
from tests.pbx.town import Town

pytestmark = [pytest.mark.pbx, pytest.mark.long]


def test_nobody_is_rung_while_the_scripts_are_away(town: Town) -> None:
    citizens = Citizens(town)
    (report,) = citizens.done()
    waits = "Сервер AGI не відповідає: автодзвінки чекають."
    town.stop_part("agi")
    with citizens.at_home(refusal="486 Busy Here") as folder, citizens.machine_calls():
        eventually(lambda: waits in str(town.unwell()), town.unwell, 60)
        assert invited(folder) == []
        town.start_part("agi")
        assert citizens.asked(report, 60).outcome == "busy"


def test_scripts_that_die_while_it_rings_use_up_no_try(town: Town) -> None:
    citizens = Citizens(town)
    (report,) = citizens.done()
    with citizens.at_home(ring_ms=4000) as folder, citizens.machine_calls():
        eventually(lambda: invited(folder), "it rings", 60)
        town.stop_part("agi")
        became = citizens.asked(report, 60)
    town.start_part("agi")
    assert became == Asked("trunk_trouble", "", ReportState.DONE, "waiting", None)


def test_scripts_that_die_in_the_middle_of_the_question_use_up_no_try(town: Town) -> None:
    citizens = Citizens(town)
    (report,) = citizens.done()
    with citizens.at_home(talk_ms=60_000), citizens.machine_calls():
        answered = "SELECT count(*) FROM call_attempts WHERE answered_at IS NOT NULL AND settled_at IS NULL"
        eventually(lambda: town.value(answered) == 1, "somebody has answered", 60)
        town.stop_part("agi")
        became = citizens.asked(report, 60)
    town.start_part("agi")
    assert became == Asked("trunk_trouble", "", ReportState.DONE, "waiting", None)
