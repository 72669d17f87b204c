"""A caller out of hours hears them, leaves a message or reaches the duty phone; whatever fails, it rings (I2)."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from agi.inbound import CLOSED, ROUTE
from agi.out_of_hours import DUTY, HEARD
from jobs.callfacts import Began, CallEnded, apply
from jobs.remarks import keep_remarks
from jobs.speech import AHEAD, speak_hours
from jobs.voice import NoVoice, ready
from models.base import db, now, transaction
from models.calls import Call, CallState
from models.free_days import DayException
from models.hours import OutOfHours
from models.lines import Line
from models.people import Phone
from models.spoken import Sentence
from models.status_script import closed_duty, closed_end, closed_message, closed_told
from models.waiting import missed_calls
from models.workdays import KYIV
from tests.agi_fixtures import call
from tests.desk_fixtures import fill_desks
from tests.helpers import AREA_CODE, eventually
from tests.speech_fixtures import Programs, tone
from tests.test_agi_inbound import serving
from tests.test_agi_talks import GONE, SILENT, SPOKEN, WHOLE, Citizen, Take
from webui.news import load_news

CALL = "romny-77.1"
AT = datetime(2026, 11, 29, 3, 0, tzinfo=KYIV)  # a Sunday


def close_line(workdays: str = "08:00–17:00", other_days: str = "", duty: str = "admin3") -> None:
    with transaction() as session:
        line = session.scalars(select(Line).where(Line.number == "5-32-73")).one()
        line.workday_hours, line.other_hours, line.out_of_hours = workdays, other_days, OutOfHours.MESSAGE
        line.duty_phone = session.scalar(select(Phone).where(Phone.name == duty))


@pytest.fixture
def town(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """A line that is closed on a Sunday night, which it is now."""
    fill_desks()
    close_line()
    for module in ("agi.inbound", "agi.out_of_hours"):
        monkeypatch.setattr(f"{module}.now", lambda: AT)
    monkeypatch.setattr("agi.out_of_hours.RING_WAIT", 20.0)
    return app


@pytest.fixture
def port(town: Flask) -> Iterator[int]:
    with serving(town) as port:
        yield port


@pytest.fixture
def spoken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """All sentences are spoken; each sound is a place in this list."""
    said: list[str] = []

    def sounds(_settings: object, sentences: Sequence[Sentence]) -> list[Path]:
        begins = len(said)
        said.extend(sentence.text for sentence in sentences)
        return [Path(f"/sounds/{at}.wav") for at in range(begins, len(said))]

    def beep(_settings: object) -> Path:
        said.append("(tone)")
        return Path(f"/sounds/{len(said) - 1}.wav")

    monkeypatch.setattr("agi.out_of_hours.ready", sounds)
    monkeypatch.setattr("agi.out_of_hours.tone_of", beep)
    return said


# ---- whom the dialplan is told of


def test_a_closed_line_is_told_and_another_is_not(port: int) -> None:
    told = call(port)
    assert (told[CLOSED], set(told)) == ("yes", {ROUTE, CLOSED})
    assert set(call(port, line="53275", uniqueid="romny-2")) == {ROUTE}


def test_in_hours_nothing_is_told(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agi.inbound.now", lambda: AT + timedelta(days=1, hours=5))
    assert set(call(port)) == {ROUTE}


def test_a_day_off_of_the_towns_own_closes_it(town: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agi.inbound.now", lambda: AT + timedelta(days=1, hours=9))
    with transaction() as session:
        session.add(DayException(day=date(2026, 11, 30), worked=False))
    with serving(town) as port:
        assert call(port)[CLOSED] == "yes"


@pytest.mark.parametrize("away", ["agi.database.timetable", "agi.database.load_calendar", "agi.database.ring_order"])
def test_the_phone_rings_while_the_hours_cannot_be_read(
    town: Flask, monkeypatch: pytest.MonkeyPatch, away: str
) -> None:
    """Promise 1: also when it was known a second ago that the line is closed."""
    monkeypatch.setattr("agi.database.FRESH", 0.0)
    with serving(town) as port:
        assert call(port)[CLOSED] == "yes"

        def broken(*_args: object) -> None:
            raise RuntimeError("away")

        monkeypatch.setattr(away, broken)
        assert set(call(port, uniqueid="romny-2")) == {ROUTE}


def test_no_screen_says_that_a_phone_rings(port: int) -> None:
    call(port, uniqueid=CALL)

    def ringing() -> list[bool]:
        db.session.rollback()
        calls = db.session.scalars(select(Call.id).where(Call.uniqueid == CALL)).all()
        return [bool(one.ringing) for one in load_news(db.session(), calls)]

    assert eventually(ringing, "the call is written") == [False]


# ---- what they hear and do


def talk(port: int, spoken: list[str], keys: dict[str, list] | None = None, **about: object) -> Citizen:
    citizen = Citizen(keys or {}, about.pop("takes", (WHOLE, SPOKEN)))
    return citizen.call(port, spoken, script="out_of_hours", uniqueid=CALL, **about)


def test_the_hours_are_told_and_a_message_is_recorded(port: int, spoken: list[str]) -> None:
    citizen = talk(port, spoken)
    assert citizen.answered
    assert citizen.heard == [
        "Контактний центр міста Ромни. Зараз неробочий час.",
        "Працюємо у робочі дні з восьмої години до сімнадцятої години.",
        "Найближчий робочий час: понеділок, восьма година.",
        *[one.text for one in [*closed_duty(), *closed_message()]],
        "(tone)",
        "(recorded)",
        "(recorded)",
        *[one.text for one in closed_end(True)],
    ]
    assert citizen.recorded == [(f"call-{CALL}", 10_000, 0), (f"call-{CALL}", 110_000, 80_000)]
    assert citizen.variables == {HEARD: "yes"}


def test_who_says_nothing_hears_goodbye(port: int, spoken: list[str]) -> None:
    citizen = talk(port, spoken, takes=SILENT)
    assert citizen.heard[-2:] == ["(recorded)", closed_end(False)[0].text]
    assert citizen.variables == {HEARD: "yes"}


@pytest.mark.parametrize("when", ["Контактний центр", "Якщо сталася аварія", "(tone)"])
def test_the_key_rings_the_duty_phone(port: int, spoken: list[str], when: str) -> None:
    citizen = talk(port, spoken, {when: ["1"]})
    assert citizen.variables == {DUTY: "PJSIP/admin3,30,i"}
    assert citizen.recorded == []


def test_any_other_key_leads_to_the_tone(port: int, spoken: list[str]) -> None:
    citizen = talk(port, spoken, {"Контактний центр": ["5"]})
    assert citizen.heard[1:3] == ["(tone)", "(recorded)"]


def test_when_the_duty_phone_does_not_answer_a_message_is_taken(port: int, spoken: list[str], monkeypatch) -> None:
    monkeypatch.setattr("tests.test_agi_talks.environment", with_second_argument)
    citizen = talk(port, spoken, {"Залиште": ["1"]})
    assert citizen.heard[0] == "На жаль, черговий не відповідає."
    assert closed_duty()[0].text not in citizen.heard
    assert citizen.variables == {HEARD: "yes"}  # the key rings nobody any more


def with_second_argument(**about: str) -> bytes:
    from tests.agi_fixtures import environment

    return environment(**about).removesuffix(b"\n") + b"agi_arg_2: alone\n\n"


def test_without_a_duty_phone_the_key_is_not_offered(town: Flask, spoken: list[str]) -> None:
    close_line(duty="")
    with serving(town) as port:
        citizen = talk(port, spoken, {"Контактний центр": ["1"]})
    assert citizen.variables == {HEARD: "yes"}
    assert closed_duty()[0].text not in spoken


def test_who_hangs_up_while_speaking_has_left_a_message(port: int, spoken: list[str]) -> None:
    citizen = talk(port, spoken, takes=(WHOLE, GONE))
    assert (citizen.variables, len(citizen.recorded)) == ({}, 2)


def test_what_is_not_spoken_is_not_said_and_the_phone_rings(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(*_args: object) -> None:
        raise NoVoice("not spoken yet")

    monkeypatch.setattr("agi.out_of_hours.ready", nothing)
    citizen = talk(port, [])
    assert (citizen.answered, citizen.variables) == (False, {})


def test_a_line_that_has_opened_meanwhile_rings(port: int, spoken: list[str], monkeypatch) -> None:
    monkeypatch.setattr("agi.out_of_hours.now", lambda: AT + timedelta(days=1, hours=5))
    citizen = talk(port, spoken)
    assert (citizen.answered, citizen.variables) == (False, {})


def test_a_call_without_an_id_of_the_exchange_rings(port: int, spoken: list[str]) -> None:
    citizen = Citizen({}).call(port, spoken, script="out_of_hours", uniqueid="../../x.1")
    assert (citizen.answered, citizen.variables) == (False, {})


@pytest.mark.parametrize(
    ("take", "left"), [(Take(2.0, key="#"), 1), (Take(0.3, 2.0, key="#"), 0)], ids=["a message", "nothing"]
)
def test_who_left_a_message_is_a_missed_call(town: Flask, port: int, spoken: list[str], take: Take, left: int) -> None:
    """The machine has spoken with nobody. Who is told that the message is recorded has it beside the missed call."""
    citizen = talk(port, spoken, takes=[take])
    assert citizen.heard[-1] == closed_end(bool(left))[-1].text
    with transaction() as session:
        apply(session, [Began(CALL, "53273", "0671112233", "", now()), CallEnded(CALL, now(), 16)], AREA_CODE)
    assert keep_remarks(town, now()) == ""
    assert db.session.scalars(select(Call.state)).one() == CallState.MISSED
    assert [call.messages for call in missed_calls(db.session())] == [left]


# ---- spoken before the call


def test_it_is_spoken_before_the_line_closes(town: Flask, programs: Programs) -> None:
    programs.install("espeak-ng", 'cat >/dev/null; cp "$SOUND" "$OUT"', tone(9.0))
    settings = town.config["SETTINGS"]
    friday = datetime(2026, 11, 27, 15, 59, tzinfo=KYIV)
    assert speak_hours(town, friday) == ""
    assert programs.runs("espeak-ng") == []
    assert speak_hours(town, friday + timedelta(minutes=1)) == ""
    line = db.session.scalars(select(Line).where(Line.number == "5-32-73")).one()
    closes = friday + timedelta(minutes=1) + AHEAD
    monday = datetime(2026, 11, 30, 8, 0, tzinfo=KYIV)
    assert len(ready(settings, closed_told(line.hours, monday, closes, settings.profile.town))) == 3


def test_without_a_voice_it_is_told(town: Flask, programs: Programs) -> None:
    assert "their hours cannot be spoken" in speak_hours(town, AT)
