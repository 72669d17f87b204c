"""What a trial calls, and what it lets the scripts say: the same as they do."""

import re
import socket
import threading
from contextlib import closing
from datetime import datetime, timedelta

import pytest
from flask import Flask

from agi.inbound import CLOSED, ROUTE
from agi.out_of_hours import DUTY, HEARD
from jobs.pbx import route
from jobs.trial import Candidate, moments
from jobs.trial_calls import MESSAGE, Scripts, Telephones
from models.base import db
from models.hours import Day, Hours, OutOfHours, branch_at, day_kind
from models.plan import DUTY_SECONDS, Plan, PlanLine, PlanPhone, PlanStep, read_plan
from models.workdays import KYIV, WorkCalendar
from tests.agi_fixtures import COMMAND, call
from tests.desk_fixtures import fill_desks
from tests.test_agi_inbound import serving
from tests.test_agi_out_of_hours import close_line

NIGHT, DAY = datetime(2026, 11, 29, 3, tzinfo=KYIV), datetime(2026, 11, 30, 12, tzinfo=KYIV)


def said(scripts: Scripts, script: str, *, alone: bool = False) -> dict[str, str]:
    return dict(COMMAND.fullmatch(command).groups() for command in scripts.commands(script, "53273", alone))


@pytest.mark.parametrize("at", [NIGHT, DAY], ids=["closed", "open"])
def test_the_scripts_of_a_trial_say_what_those_of_a_call_do(
    app: Flask, monkeypatch: pytest.MonkeyPatch, at: datetime
) -> None:
    fill_desks()
    close_line()
    monkeypatch.setattr("agi.inbound.now", lambda: at)
    with serving(app) as port:
        true = call(port)
    plan = read_plan(db.session())
    found = list(Candidate(plan, {}, (), WorkCalendar()).tries(plan.line("53273"), [at]))
    scripts = Scripts()
    scripts.says = found[0][0]
    assert said(scripts, "inbound") == true
    assert true.keys() == ({ROUTE, CLOSED} if at == NIGHT else {ROUTE})
    scripts.says = next(says for says, _way in found if says.duty)
    assert said(scripts, "out_of_hours") == {DUTY: route([(["admin3"], DUTY_SECONDS)])}
    assert said(scripts, "out_of_hours", alone=True) == {HEARD: "yes"}
    assert scripts.met == [MESSAGE]
    scripts.close()


@pytest.mark.parametrize(
    "hours",
    [Hours("08:00–17:00", ""), Hours("", "00:00–23:59"), Hours("00:00–24:00", "00:01–24:00"), Hours("23:58–23:59", "")],
)
def test_a_line_is_tried_open_and_closed_whatever_its_hours(hours: Hours) -> None:
    steps = (PlanStep(("admin1",), 20),)
    line = PlanLine("5-32-73", "+380544853273", "", True, steps, hours, OutOfHours.MESSAGE, "admin2")
    plan = Plan((PlanPhone("admin1", "101"), PlanPhone("admin2", "102")), (line,))
    calendar = WorkCalendar()
    tried = list(Candidate(plan, {}, (), calendar).tries(line, moments(calendar, NIGHT)))
    met = sorted([sorted(step) for step in way] for _says, way in tried)
    assert met == [[[MESSAGE]], [["admin1"]], [["admin2"], [MESSAGE]]]


def test_a_holiday_is_among_the_moments_once_there_are_holidays() -> None:
    line = PlanLine("5-32-73", "+380544853273", hours=Hours("08:00–17:00", ""))
    at_war, peace = WorkCalendar(), WorkCalendar(martial_law_until=NIGHT.date() - timedelta(days=1))
    assert [branch_at(line, at, at_war).open for at in moments(at_war, NIGHT)] == [True, False]
    kinds = [day_kind(at.date(), peace) for at in moments(peace, NIGHT)]
    assert kinds == [Day.WORKING, Day.DAY_OFF, Day.HOLIDAY]


def test_what_is_lost_is_sent_again_and_what_comes_twice_rings_once() -> None:
    """On a busy machine a datagram is dropped, and Asterisk sends an INVITE again whose answer came late."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as exchange:
        exchange.bind(("127.0.0.1", 0))
        exchange.settimeout(20)
        telephones = Telephones(exchange.getsockname()[1])

        def ring() -> None:
            exchange.sendto(
                b'INVITE sip:admin1@127.0.0.1 SIP/2.0\r\nFrom: "53273" <sip:067@127.0.0.1>\r\nCall-ID: one\r\n\r\n',
                ("127.0.0.1", telephones.phones_port),
            )

        def serve() -> None:
            invites = 0
            while invites < 3:
                message, trunk = exchange.recvfrom(65536)
                if not message.startswith(b"INVITE"):
                    continue
                invites += 1
                if invites == 1:  # lost
                    continue
                ring()
                exchange.recvfrom(65536)  # the phone refuses
                call = re.search(rb"Call-ID: (\S+)", message)[1]
                exchange.sendto(b"SIP/2.0 480 Away\r\nTo: <sip:x>;tag=1\r\nCall-ID: " + call + b"\r\n\r\n", trunk)

        serving = threading.Thread(target=serve, daemon=True)
        serving.start()
        with closing(telephones):
            met: list[list[str]] = [[], []]
            assert [telephones.call("53273", "53273", one) for one in met] == [True, True]
        serving.join(20)
    assert met == [["admin1"], []]
