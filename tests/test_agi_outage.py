"""A caller from where there is an outage hears of it and may leave; whatever fails, the phone rings (C7, promise 1)."""

import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from agi.database import Work
from agi.inbound import OUTAGE, ROUTE
from agi.outage import LEFT
from jobs.callfacts import Began, CallEnded, OutageHeard, apply
from jobs.speech import speak_outages
from jobs.voice import NoVoice, ready, speak, tidy_voice
from models.base import db, now, transaction
from models.calls import Call, CallState
from models.outage_calls import OutageCaller
from models.outages import Announced, Outage, OutageKind, announced
from models.reports import Report, ReportState
from models.spoken import Sentence
from models.status_script import outage_keys, outage_told
from tests.agi_fixtures import call
from tests.desk_fixtures import fill_desks
from tests.helpers import AREA_CODE, eventually
from tests.outage_fixtures import enter
from tests.speech_fixtures import Programs, tone
from tests.test_agi_inbound import UNHURRIED, serving
from tests.test_agi_talks import GONE, Citizen
from tests.web_fixtures import register
from webui.news import load_news

NUMBER, NEIGHBOUR, CALL = "0671112233", "0671112244", "romny-77.1"


@pytest.fixture
def town(app: Flask) -> Flask:
    """An emergency at Соборна 12–48; one number belongs to the building 12, another to the building 11."""
    fill_desks()
    with transaction() as session:
        enter(session, begins_at=now() - timedelta(minutes=5))
    for number, building in ((NUMBER, "12"), (NEIGHBOUR, "11")):
        register(app, "Не горить ліхтар", number=number, street="Соборна", building=building)
    return app


@pytest.fixture
def port(town: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr("agi.inbound.OUTAGE_WAIT", UNHURRIED)
    monkeypatch.setattr("agi.outage.RING_WAIT", UNHURRIED)
    with serving(town) as port:
        yield port


@pytest.fixture
def spoken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """All sentences are spoken; each sound is a place in this list."""
    said: list[str] = []

    def sounds(_settings, sentences: Sequence[Sentence]):
        for sentence in sentences:
            said.append(sentence.text)
            yield Path(f"/sounds/{len(said) - 1}.wav")

    monkeypatch.setattr("agi.outage.ready", lambda settings, sentences: list(sounds(settings, sentences)))
    return said


def outage_id() -> int:
    return db.session.scalars(select(Outage.id)).one()


def state() -> tuple[CallState, ReportState]:
    db.session.rollback()
    found = db.session.scalars(select(Call).where(Call.uniqueid == CALL)).one()
    draft = db.session.scalars(select(Report).where(Report.call_id == found.id)).one()
    return found.state, draft.state


def left() -> list[bool]:
    db.session.rollback()
    return list(db.session.scalars(select(OutageCaller.left)))


# ---- who hears it


def test_the_one_from_there_is_told_and_the_next_building_is_not(port: int):
    assert call(port, number=NUMBER)[OUTAGE] == str(outage_id())
    for other in (NEIGHBOUR, "0671119999", "unknown"):
        assert set(call(port, number=other, uniqueid=f"romny-{other}")) == {ROUTE}


def test_no_screen_says_that_a_phone_rings_while_the_caller_hears_of_it(port: int):
    """Until the exchange tells of a phone it is the line's first step that rings, but not for the one who is told."""
    call(port, number=NUMBER, uniqueid=CALL)
    call(port, number=NEIGHBOUR, uniqueid="romny-2")

    def ringing() -> list[bool]:
        db.session.rollback()
        calls = db.session.scalars(select(Call.id).where(Call.uniqueid.in_((CALL, "romny-2"))).order_by(Call.id)).all()
        return [bool(one.ringing) for one in load_news(db.session(), calls)]

    eventually(lambda: len(ringing()) == 2, "both calls are written")
    assert ringing() == [False, True]


def test_everybody_hears_of_the_whole_citys(town: Flask, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("agi.inbound.OUTAGE_WAIT", UNHURRIED)
    with transaction() as session:
        city = enter(session, whole_city=True).id
    with serving(town) as port:
        assert call(port, number="unknown")[OUTAGE] == str(city)
        assert call(port, number=NUMBER, uniqueid="romny-2")[OUTAGE] == str(outage_id_of("Соборна"))


def outage_id_of(street: str) -> int:
    return next(one.id for one in db.session.scalars(select(Outage)) if street in one.where)


def test_nobody_is_looked_for_where_nothing_is_announced(app: Flask, monkeypatch: pytest.MonkeyPatch):
    """An ordinary call costs no further question to the database."""
    fill_desks()
    asked: list[str] = []
    monkeypatch.setattr("agi.database.likely_places", lambda _session, number: asked.append(number))
    with serving(app) as port:
        call(port, number=NUMBER)
        call(port, number=NUMBER, uniqueid="romny-2")
    assert asked == []


def test_the_phone_rings_while_outages_cannot_be_read(town: Flask, monkeypatch: pytest.MonkeyPatch):
    """Promise 1."""

    def away(*_args: object) -> None:
        raise RuntimeError("away")

    monkeypatch.setattr("agi.database.announced", away)
    with serving(town) as port:
        assert set(call(port, number=NUMBER)) == {ROUTE}


def test_the_draft_is_written_whatever_breaks_about_outages(town: Flask, monkeypatch: pytest.MonkeyPatch):
    """Promise 2: also what fails outside of the database."""

    def broken(*_args: object) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr("agi.database.to_tell", broken)
    with serving(town) as port:
        call(port, number=NUMBER, uniqueid=CALL)

    def written() -> int:
        db.session.rollback()
        return len(db.session.scalars(select(Call.id).where(Call.uniqueid == CALL)).all())

    eventually(lambda: written() == 1, "the call is written")


def test_an_outage_is_read_once_a_second(town: Flask, monkeypatch: pytest.MonkeyPatch):
    read: list[int] = []

    def counted(session, until):
        read.append(1)
        return announced(session, until)

    monkeypatch.setattr("agi.database.announced", counted)
    work = Work(town)
    found = {work.outage("+380671112233", time.monotonic() + UNHURRIED) for _ in range(5)}
    work.finish(time.monotonic() + 5)
    assert (found, len(read)) == ({outage_id()}, 1)


# ---- what they hear and do


def hears(port: int, keys: dict[str, list] | None = None) -> Citizen:
    """The dialplan's second question: with the outage's id as its argument."""
    with transaction() as session:
        apply(session, [Began(CALL, "53273", NUMBER, "", now())], AREA_CODE)
    return Citizen(keys or {})


def talk(port: int, spoken: list[str], keys: dict[str, list] | None = None) -> Citizen:
    return hears(port, keys).call(port, spoken, script="outage", line=str(outage_id()), uniqueid=CALL, number=NUMBER)


def ends() -> None:
    with transaction() as session:
        apply(session, [CallEnded(CALL, now(), 16)], AREA_CODE)


def test_who_stays_hears_it_and_the_phone_rings(port: int, spoken: list[str]):
    citizen = talk(port, spoken)
    assert citizen.answered
    greeting, what, text, keys = citizen.heard
    assert greeting == "Контактний центр міста Ромни."
    assert what.startswith("Аварійне відключення води до ")
    assert text == "Прорвало трубу."
    assert "натисніть один" in keys
    assert citizen.variables == {}
    eventually(lambda: left() == [False], "it is kept that they heard it")
    ends()
    assert state() == (CallState.MISSED, ReportState.DRAFT)  # nobody answered: to be called back


def test_another_key_lets_the_phone_ring_at_once(port: int, spoken: list[str]):
    citizen = talk(port, spoken, {"Контактний": ["0"]})
    assert len(citizen.heard) == 1
    assert LEFT not in citizen.variables


@pytest.mark.parametrize("sentence", ["Контактний", "Прорвало", "Якщо"])
def test_the_key_to_leave(port: int, spoken: list[str], sentence: str):
    citizen = talk(port, spoken, {sentence: ["1"]})
    assert citizen.variables == {LEFT: "yes"}
    eventually(lambda: left() == [True], "it is kept that they left")
    ends()
    assert state() == (CallState.AFFECTED, ReportState.CONSULTATION)


@pytest.mark.parametrize("understood", [True, False])
def test_a_hang_up_while_it_is_said(port: int, spoken: list[str], monkeypatch: pytest.MonkeyPatch, understood: bool):
    """Who is gone at once has understood nothing: they are called back."""
    monkeypatch.setattr("agi.outage.HEARD_SECONDS", 0 if understood else 60)
    monkeypatch.setattr(Citizen, "_press", lambda _self, _keys: GONE)
    citizen = talk(port, spoken)
    assert len(citizen.heard) == 1
    eventually(lambda: left() == [understood], "it is kept whether they left")
    ends()
    served = (CallState.AFFECTED, ReportState.CONSULTATION)
    assert state() == (served if understood else (CallState.MISSED, ReportState.DRAFT))


@pytest.mark.parametrize("trouble", ["not spoken", "over", "no outage", "database"])
def test_whatever_is_missing_the_call_is_not_even_answered(port: int, monkeypatch, spoken: list[str], trouble: str):
    """Promise 1: a missing sound, or an outage that has just ended, means that it rings."""
    asked = outage_id()
    if trouble == "not spoken":
        monkeypatch.setattr("agi.outage.ready", ready)
    elif trouble == "over":
        with transaction() as session:
            session.get_one(Outage, asked).ended_at = now()
    elif trouble == "no outage":
        asked = 999
    else:
        monkeypatch.setattr("agi.outage.announced", lambda *_args: 1 / 0)
    citizen = hears(port).call(port, spoken, script="outage", line=str(asked), uniqueid=CALL)
    assert (citizen.answered, citizen.heard, citizen.variables) == (False, [], {})


def test_told_twice_or_late_it_is_the_same(town: Flask):
    """The hang-up may be told before the script's word; and a person who did speak counts."""
    heard, gone = OutageHeard(CALL, outage_id(), now(), left=True), CallEnded(CALL, now(), 16)
    with transaction() as session:
        apply(session, [Began(CALL, "53273", NUMBER, "", now()), gone, heard, heard, gone], AREA_CODE)
    assert state() == (CallState.AFFECTED, ReportState.CONSULTATION)
    assert left() == [True]


def test_of_a_call_that_is_not_known_nothing_is_kept(town: Flask):
    with transaction() as session:
        apply(session, [OutageHeard("romny-unknown", outage_id(), now(), left=True)], AREA_CODE)
    assert left() == []


# ---- spoken before the call


@pytest.fixture
def voice(programs: Programs) -> Programs:
    programs.install("espeak-ng", 'cat >/dev/null; cp "$SOUND" "$OUT"', tone(9.0))
    return programs


def said_of(town: Flask) -> list[Sentence]:
    (one,) = announced(db.session(), now())
    return [*outage_told(one, "Ромни"), *outage_keys()]


def test_it_is_spoken_before_anybody_calls_and_only_once(town: Flask, voice: Programs):
    settings = town.config["SETTINGS"]
    with pytest.raises(NoVoice, match="not spoken yet"):
        ready(settings, said_of(town))
    assert voice.runs("espeak-ng") == []  # who calls waits for no program
    assert speak_outages(town, now()) == ""
    runs = voice.runs("espeak-ng")
    assert speak_outages(town, now()) == ""
    assert (len(runs), voice.runs("espeak-ng")) == (4, runs)
    assert ready(settings, said_of(town)) == speak(settings, said_of(town))
    assert tidy_voice(settings, now() + timedelta(days=6)) == 0


def test_what_begins_within_the_hour_is_spoken_and_what_has_ended_is_not(town: Flask, voice: Programs):
    ahead = {"planned": True, "ends_at": now() + timedelta(days=2)}
    with transaction() as session:
        session.get_one(Outage, outage_id()).ended_at = now()
        enter(session, begins_at=now() + timedelta(minutes=70), text="Пізніше", **ahead)
    assert speak_outages(town, now()) == ""
    assert voice.runs("espeak-ng") == []
    assert speak_outages(town, now() + timedelta(minutes=20)) == ""
    assert len(voice.runs("espeak-ng")) == 4


def test_an_outage_that_cannot_be_spoken_silences_no_other(town: Flask, programs: Programs, monkeypatch):
    programs.install("espeak-ng", 'grep -q Пізніше && exit 1; cp "$SOUND" "$OUT"', tone(9.0))
    with transaction() as session:
        enter(session, begins_at=now() - timedelta(minutes=1), text="Пізніше")
    assert speak_outages(town, now()) == "Callers are not told of outages: their words cannot be spoken."
    outage = next(one for one in announced(db.session(), now()) if "Пізніше" not in one.text)
    assert ready(town.config["SETTINGS"], outage_told(outage, "Ромни"))


def test_of_a_text_without_words_nothing_is_said(town: Flask, voice: Programs):
    with transaction() as session:
        session.get_one(Outage, outage_id()).text = "⚡⚡⚡"
    assert speak_outages(town, now()) == ""
    assert len(ready(town.config["SETTINGS"], said_of(town))) == 3


def test_without_a_voice_it_is_said_what_to_do(town: Flask, programs: Programs, caplog: pytest.LogCaptureFixture):
    assert speak_outages(town, now()) == "Callers are not told of outages: their words cannot be spoken."
    assert "No Ukrainian voice is installed" in caplog.text


def test_a_towns_own_recording_is_played(town: Flask, voice: Programs):
    settings = town.config["SETTINGS"]
    settings.prompts_dir.mkdir()
    (settings.prompts_dir / "outage-keys.wav").write_bytes(tone())
    speak_outages(town, now())
    assert ready(settings, outage_keys()) == speak(settings, outage_keys())
    assert len(voice.runs("espeak-ng")) == 3


def announcement(**values: object) -> list[str]:
    begins = now().replace(year=2026, month=11, day=27, hour=6, minute=0)
    known = {
        "id": 1, "kind": OutageKind.HEAT, "planned": True, "whole_city": False, "begins_at": begins,
        "ends_at": begins + timedelta(hours=8, minutes=30), "text": "",
    }  # fmt: skip
    return [sentence.text for sentence in outage_told(Announced(**known | values), "Ромни")][1:]


def test_the_words_of_an_announcement():
    until = "до шістнадцятої години тридцяти хвилин, двадцять сьомого листопада"
    assert announcement() == [f"Планове відключення тепла {until}."]
    assert announcement(kind=OutageKind.REPAIR_WORKS, planned=False, ends_at=None, text="вул. Соборна, буд. 5") == [
        "Аварійні ремонтні роботи.",
        "Вулиця Соборна, будинок п’ять.",
    ]
    long = "Вода з’явиться, щойно бригада замінить засувку на магістралі, " * 5
    assert len(announcement(text=long)[1]) <= 102
    assert len(announcement(text=long, whole_city=True)[1]) <= 62
