"""A call out of hours on the real exchange: the hours, a message, the duty phone; it rings whatever is away (I2)."""

import itertools
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, select

from jobs.app import bare_app
from jobs.apply_plan import site_of
from jobs.filestore import path_of
from jobs.sipp import SILENCE, SPEECH, start_citizen
from jobs.sound import is_spoken, seconds_of
from jobs.voice import NoVoice, ready
from models.attachments import Attachment
from models.base import db, now, transaction
from models.free_days import DayException, load_calendar
from models.hours import Hours, OutOfHours, opens_at
from models.lines import timetable
from models.people import Role, User
from models.plan import DUTY_SECONDS, Plan, PlanLine
from models.plan_acts import change_draft, order_draft
from models.reports import Report
from models.status_script import closed_duty, closed_end, closed_message, closed_told
from models.workdays import KYIV
from tests.helpers import eventually
from tests.pbx.town import Town, read_trace

pytestmark = pytest.mark.pbx

LINE, DUTY = "54286", "admin2"
ANY_DAY = "00:00–24:00"
TO_THE_TONE, SPEAKS = (3_000, "5"), (2_500, SPEECH)  # any key but the duty's leads to the tone
SAID = 3  # seconds of it that are kept at the least
_NUMBERS = itertools.count(7_300_000)


@dataclass
class Line:
    """One line of the town, of which the hours change."""

    town: Town
    rang: dict[str, Path]

    def has(self, hours: Hours | None) -> None:
        """Have the plan with these hours applied, and wait until callers can be told of them."""
        message = (OutOfHours.MESSAGE, DUTY) if hours else (OutOfHours.RING, "")

        def changed(plan: Plan) -> Plan:
            line: PlanLine = plan.line(LINE)
            return plan.with_line(replace(line, hours=hours, out_of_hours=message[0], duty=message[1]))

        app = bare_app(self.town.settings)
        with app.app_context(), transaction() as session:
            me = session.scalars(select(User).where(User.role == Role.TECHNICAL_ADMINISTRATOR)).first()
            draft = change_draft(session, me, now(), changed)
            assert order_draft(session, me, now(), draft.revision, "Години", site_of(self.town.settings)) == []
            number = draft.id
        query = "SELECT settled_at FROM plan_versions WHERE id = :number"
        eventually(lambda: self.town.value(query, number=number) is not None, "the exchange has it", 60)

    def is_closed_by_hours(self) -> None:
        """It opened, or will open, hours from now: on every day."""
        hour = "12:00–13:00" if now().astimezone(KYIV).hour >= 15 else "21:00–22:00"
        self.has(Hours(hour, hour))
        self.can_be_told()

    def can_be_told(self) -> None:
        """Wait until the periodic jobs have spoken the hours."""
        app, settings = bare_app(self.town.settings), self.town.settings

        def spoken() -> bool:
            with app.app_context():
                line, calendar, at = timetable(db.session(), LINE), load_calendar(db.session()), now()
                told = closed_told(line.hours, opens_at(line, at, calendar), at, settings.profile.town)
            try:
                said = [*told, *closed_duty(), *closed_message(), *closed_end(True), *closed_end(False)]
                return bool(ready(settings, said))
            except NoVoice:
                return False

        eventually(spoken, "the hours are spoken", 90)

    def calls(self, **how: object) -> tuple[str, subprocess.Popen, Path]:
        number = f"+38067{next(_NUMBERS)}"
        folder = self.town.folder("hours")
        process = start_citizen(
            self.town.settings, folder, "-m", "1", "-trace_msg",
            caller=f"<sip:{number}@127.0.0.2>", line=LINE, **{"talk_ms": 60_000, "patience_ms": 60_000} | how,
        )  # fmt: skip
        return number, process, folder

    def state(self, number: str) -> object:
        return self.town.value("SELECT state FROM calls WHERE number = :number", number=number)

    def rings(self, number: str) -> list[str]:
        return [phone for _at, phone in self.town.rings(self.rang).get(number, [])]

    def is_missed(self, number: str) -> None:
        """It is to be called back, and no phone has rung."""
        eventually(lambda: self.state(number) == "missed", "the call is missed", 30)
        tasks = "SELECT count(*) FROM call_tasks WHERE number = :number AND settled_at IS NULL"
        eventually(lambda: self.town.value(tasks, number=number) == 1, "a call-back waits", 30)
        assert self.rings(number) == []

    def message(self, number: str) -> bytes:
        """What stands with the draft of the call, once it is there."""

        def kept() -> str | None:
            query = """SELECT sha256 FROM attachments JOIN reports ON reports.id = report_id
                JOIN calls ON calls.id = call_id WHERE calls.number = :number AND kind = 'message'"""
            return self.town.value(query, number=number)

        return path_of(self.town.settings, eventually(kept, "the message is kept", 60)).read_bytes()

    def answers_at_once(self) -> None:
        """The phones ring, and nobody but a person answers."""
        number, process, folder = self.calls()
        assert process.wait(120) == 0
        (answered,) = [
            message.at
            for message in read_trace(folder)
            if not message.sent and message.text.startswith(b"SIP/2.0 200") and b"INVITE" in message.header(b"CSeq")
        ][:1]
        rung = self.town.rings(self.rang)[number]
        assert min(rung)[0] < answered
        eventually(lambda: self.state(number) == "ended", "a person has spoken with them")


@pytest.fixture(scope="module")
def line(town: Town) -> Iterator[Line]:
    line = Line(town, town.start_phones(ring_ms=100, talk_ms=1000))
    yield line
    line.has(None)


@pytest.fixture(scope="module")
def closed(line: Line) -> Line:
    line.is_closed_by_hours()
    return line


@pytest.mark.parametrize(
    ("keys", "talk_ms"),
    [([(12_000, "#")], 30_000), ([], 10_000)],
    ids=["a key ends it", "hangs up in the middle"],
)
def test_the_message_stands_with_the_missed_call(closed: Line, keys: list, talk_ms: int) -> None:
    number, process, folder = closed.calls(keys=[TO_THE_TONE, SPEAKS, *keys], talk_ms=talk_ms)
    assert process.wait(120) == 0
    if keys:  # the machine says goodbye and hangs up
        assert [message.sent for message in read_trace(folder) if message.method == b"BYE"] == [False]
    closed.is_missed(number)
    assert is_spoken(closed.message(number), SAID)
    with bare_app(closed.town.settings).app_context():
        file = db.session.scalars(select(Attachment).order_by(Attachment.id.desc())).first()
        assert file.spoken
        assert "remark" in [row.event for row in db.session.get_one(Report, file.report_id).history]
    assert list(closed.town.settings.remarks_dir.iterdir()) == []


@pytest.mark.parametrize(
    ("takes", "speeches"),
    [([SPEAKS, (25_000, SPEECH)], 2), ([(8_500, SPEECH)], 1), ([(1_000, SILENCE), (7_100, SPEECH)], 1)],
    ids=["speaks on after a long pause", "begins late", "begins late on a line that sends silence"],
)
def test_a_pause_cuts_nobody_off(closed: Line, takes: list, speeches: int) -> None:
    """What SIPp plays is all that it sends: before it, between two and after them the exchange gets nothing."""
    number, process, _folder = closed.calls(keys=[TO_THE_TONE, *takes, (10_000, "#")], talk_ms=30_000)
    assert process.wait(120) == 0
    closed.is_missed(number)
    content = closed.message(number)
    assert is_spoken(content, SAID * speeches)
    assert seconds_of(content) > 6 * speeches  # each lasts seven: it plays whole


def test_who_hangs_up_before_the_tone_is_a_missed_call_without_a_message(closed: Line) -> None:
    number, process, _folder = closed.calls(talk_ms=2_000)
    assert process.wait(120) == 0
    closed.is_missed(number)
    query = """SELECT count(*) FROM attachments JOIN reports ON reports.id = report_id
        JOIN calls ON calls.id = call_id WHERE calls.number = :number"""
    assert closed.town.value(query, number=number) == 0


def test_the_key_rings_the_duty_phone_and_no_other(closed: Line) -> None:
    number, process, _folder = closed.calls(keys=[(3_000, "1")])
    assert process.wait(120) == 0
    assert closed.rings(number) == [DUTY]
    eventually(lambda: closed.state(number) == "ended", "the duty has spoken with them")


@pytest.mark.long
def test_when_the_duty_phone_does_not_answer_a_message_is_taken(closed: Line) -> None:
    closed.rang |= closed.town.start_phones(ring_ms=90_000, talk_ms=1000, only=(DUTY,))
    try:
        keys = [(3_000, "1"), ((DUTY_SECONDS + 5) * 1000, "5"), SPEAKS, (12_000, "#")]
        number, process, _folder = closed.calls(keys=keys)
        assert process.wait(180) == 0
        assert closed.rings(number) == [DUTY]
        eventually(lambda: closed.state(number) == "missed", "nobody has spoken with them", 30)
        assert is_spoken(closed.message(number), SAID)
    finally:
        closed.rang |= closed.town.start_phones(ring_ms=100, talk_ms=1000, only=(DUTY,))


def test_with_the_agi_server_away_the_phone_rings_out_of_hours_too(closed: Line) -> None:
    """Promise 1."""
    closed.town.stop_part("agi")
    try:
        number, process, _folder = closed.calls()
        assert process.wait(120) == 0
        assert closed.rings(number) != []
    finally:
        closed.town.start_part("agi")
    eventually(lambda: not closed.town.unwell(), closed.town.unwell, 60)


def test_what_is_not_spoken_is_not_said_and_the_phone_rings(closed: Line) -> None:
    """Promise 1: the sounds are gone, and so is the part that makes them."""
    closed.town.stop_part("rounds")
    try:
        for path in closed.town.settings.sounds_dir.glob("*.wav"):
            path.unlink()
        closed.answers_at_once()
    finally:
        closed.town.start_part("rounds")
    closed.can_be_told()


def test_in_hours_the_phone_rings_and_on_a_holiday_it_does_not(line: Line) -> None:
    """The calendar decides from the next call on; nothing is applied anew."""
    app, today = bare_app(line.town.settings), now().astimezone(KYIV).date()
    days = [today, today + timedelta(days=1)]  # it may be midnight meanwhile

    def set_days(worked: bool) -> None:
        with app.app_context(), transaction() as session:
            session.execute(delete(DayException).where(DayException.day.in_(days)))
            session.add_all([DayException(day=day, worked=worked) for day in days])

    try:
        set_days(worked=True)
        line.has(Hours(ANY_DAY, ""))
        line.answers_at_once()
        set_days(worked=False)
        line.can_be_told()
        number, process, _folder = line.calls(keys=[TO_THE_TONE, SPEAKS, (12_000, "#")])
        assert process.wait(120) == 0
        line.is_missed(number)
        assert is_spoken(line.message(number), SAID)
    finally:
        with app.app_context(), transaction() as session:
            session.execute(delete(DayException).where(DayException.day.in_(days)))
