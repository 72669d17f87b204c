"""What the machine says and which keys it takes: spoken remarks (S 3.2), the status line (W10)."""

import re
import wave
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select

from jobs.callfacts import CallEnded, apply
from jobs.settings import SettingsError, load_settings
from jobs.voice import NoVoice
from models.base import db, now, transaction
from models.calls import Call
from models.intake import Began
from models.lookup import number_by_keys
from models.people import AccessLog
from models.reports import Report, ReportState
from tests.agi_fixtures import Asterisk, environment, fill_town
from tests.call_fixtures import Calls
from tests.helpers import eventually
from tests.speech_fixtures import tone
from tests.test_agi_inbound import serving

COMMAND = re.compile(r'"(?:\\.|[^"])*"|\S+')
NUMBER = "+380671234567"
GONE = object()  # the citizen hangs up


@dataclass(frozen=True)
class Take:
    """What the exchange records at one time of asking: seconds of speech and then of silence, and what ends it: a
    ``key``, or silence ``left`` milliseconds before its time. ``lost``: what it has written cannot be read."""

    speech: float = 0.0
    silence: float = 0.0
    key: str = ""
    left: int = 1  # the time is over; Asterisk had a millisecond left to wait, as it has now and then: no key
    lost: bool = False

    def record(self, path: Path, begins: int) -> str:
        """Write it behind the sample ``begins``; what Asterisk answers."""
        path.parent.mkdir(parents=True, exist_ok=True)
        before = path.read_bytes()[44 : 44 + 2 * begins] if path.exists() else bytes(2 * begins)
        samples = before + tone(self.speech, rate=8000)[44:] + bytes(2 * int(8000 * self.silence))
        with wave.open(str(path), "wb") as file:
            file.setparams((1, 2, 8000, 0, "NONE", ""))
            file.writeframes(samples)
        if self.lost:
            path.unlink()
        how = f"{ord(self.key)} (dtmf)" if self.key else f"{self.left} (timeout)"
        return f"200 result={how} endpos={len(samples) // 2}"


# four seconds of silence end it, of which Asterisk leaves one
STILL_SILENT, SPOKEN, WHOLE = Take(silence=1.0, left=5_980), Take(3.0, 1.0, left=2_980), Take(10.0)
SILENT = (STILL_SILENT, Take(silence=1.0, left=980))


@dataclass
class Citizen:
    """Presses ``keys`` (sentence's name or beginning: the keys, one each time it is heard), and speaks ``takes``."""

    keys: dict[str, list] = field(default_factory=dict)
    takes: Sequence[Take | object] = SILENT
    heard: list[str] = field(default_factory=list)
    recorded: list[tuple[str, int, int]] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)
    answered: bool = False
    typed: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def call(self, port: int, sentences: Sequence[str], **about: str) -> "Citizen":
        """One whole call."""
        talk, takes = Asterisk(port, environment(**about)), iter(self.takes)
        while command := talk.command():
            answer = self._obey(COMMAND.findall(command), sentences, takes)
            if answer is GONE:
                break
            talk.say(f"{answer}\n".encode())
        talk.close()
        return self

    def _obey(self, words: list[str], sentences: Sequence[str], takes: Iterator[Take | object]) -> object:
        if words[:2] == ["STREAM", "FILE"]:
            said = sentences[int(Path(words[2].strip('"')).name)]
            self.heard.append(said)
            return self._press(next((keys for begins, keys in self.keys.items() if said.startswith(begins)), []))
        if words[:3] == ["WAIT", "FOR", "DIGIT"]:
            return f"200 result={ord(self.typed.pop(0))}" if self.typed else "200 result=0"
        if words[:2] == ["RECORD", "FILE"]:
            self.heard.append("(recorded)")
            path, begins = Path(words[2].strip('"')), int(words[6])
            self.recorded.append((path.name, int(words[5]), begins))
            take = next(takes, GONE)
            return GONE if take is GONE else take.record(path.with_name(f"{path.name}.wav"), begins)
        if words[0] == "ANSWER":
            self.answered = True
        elif words[:2] == ["SET", "VARIABLE"]:
            self.variables[words[2].strip('"')] = words[3].strip('"')
        elif words[0] == "EXEC":
            self.heard.append("(key told)")
            self.told.append(words[2].strip('"'))
        return "200 result=1"

    def _press(self, keys: list) -> object:
        """The first key ends the sentence; the others of one word are typed after it."""
        pressed = keys.pop(0) if keys else ""
        if pressed is GONE:
            return GONE
        self.typed += pressed[1:]
        return f"200 result={ord(pressed[0])} endpos=100" if pressed else "200 result=0 endpos=100"


@dataclass
class Town:
    port: int
    calls: Calls
    said: list[str]

    def phone(self, citizen: Citizen, script: str, **about: str) -> Citizen:
        return citizen.call(self.port, self.said, script=script, **about)


@pytest.fixture
def town(app: Flask, calls: Calls, monkeypatch: pytest.MonkeyPatch) -> Iterator[Town]:
    """An AGI server whose voice only notes what it is to say."""
    fill_town()
    said: list[str] = ["tone"]

    def speak(_settings: object, sentences: Sequence) -> list[Path]:
        said.extend(sentence.prompt or sentence.text for sentence in sentences)
        return [Path(f"/{len(said) - len(sentences) + place}.wav") for place in range(len(sentences))]

    for module in ("agi.talk", "agi.status_line"):
        monkeypatch.setattr(f"{module}.speak", speak)
    monkeypatch.setattr("agi.remark.tone_of", lambda _settings: Path("/0.wav"))
    with serving(app) as port:
        yield Town(port, calls, said)


def ask(town: Town, citizen: Citizen, reports: int = 1) -> tuple[Citizen, int]:
    """The machine asks the citizen about reports that are done; the citizen and the attempt's id."""
    for _ in range(reports):
        town.calls.done(NUMBER)
    town.calls.sync()
    (attempt_id,) = town.calls.dial()
    return town.phone(citizen, "status_check", uniqueid=f"romny-att-{attempt_id}"), attempt_id


# ---- spoken remarks


def test_not_done_is_kept_and_then_its_words_are_recorded(town: Town) -> None:
    """S 3.2: the key is told before the recording begins."""
    citizen, attempt_id = ask(town, Citizen({"keys": ["2"]}, takes=(WHOLE, SPOKEN)))
    (task,) = town.calls.tasks()
    assert citizen.told == [f"CC_KEY,{task.id}:2"]
    assert citizen.recorded == [(f"{attempt_id}-{task.id}", 10_000, 0), (f"{attempt_id}-{task.id}", 50_000, 80_000)]
    after = citizen.heard[citizen.heard.index("keys") + 1 :]
    recorded = ["tone", "(recorded)", "(recorded)", "words-kept"]
    assert after == ["(key told)", "answer-not-done", "leave-words", *recorded, "goodbye"]


@pytest.mark.parametrize(("key", "offered"), [("1", False), ("2", True), ("3", True), ("9", False), ("0", False)])
def test_who_says_that_it_is_not_all_done_may_say_what(town: Town, key: str, offered: bool) -> None:
    citizen, _attempt = ask(town, Citizen({"keys": [key]}))
    assert ("leave-words" in citizen.heard) is offered
    assert bool(citizen.recorded) is offered


@pytest.mark.parametrize(
    ("takes", "asked_for"),
    [
        ([SPOKEN], [10_000]),
        ([STILL_SILENT, Take(0.8, left=0), SPOKEN], [10_000, 5_000, 50_000]),
        ([Take(), WHOLE], [10_000]),
        ([*SILENT, WHOLE], [10_000, 5_000]),
        ([WHOLE, Take(50.0), WHOLE], [10_000, 50_000]),
    ],
    ids=["at once", "late", "nothing comes", "silence", "for as long as may be"],
)
def test_who_begins_late_is_waited_for_and_who_says_nothing_not_for_long(
    town: Town, takes: list[Take], asked_for: list[int]
) -> None:
    """Within eight seconds after the tone nobody is too late; a pause of four ends what was said."""
    citizen, _attempt = ask(town, Citizen({"keys": ["2"]}, takes=takes))
    assert [longest for _name, longest, _begins in citizen.recorded] == asked_for
    spoken = any(take.speech for take in takes[: len(asked_for)])
    assert citizen.heard[-2:] == ["words-kept" if spoken else "(recorded)", "goodbye"]


@pytest.mark.parametrize(("speech", "thanked"), [(3.0, True), (0.3, False)])
def test_a_key_ends_the_words_and_answers_nothing_else(town: Town, speech: float, thanked: bool) -> None:
    """Whether they are thanked is what was said, not for how long it was recorded."""
    citizen, _attempt = ask(town, Citizen({"keys": ["2"]}, takes=[Take(speech, 2.0, key="1")]))
    assert len(citizen.recorded) == 1
    assert citizen.heard[-2:] == ["words-kept" if thanked else "(recorded)", "goodbye"]
    assert len(citizen.told) == 1


@pytest.mark.parametrize(
    "takes", [[Take(3.0, key="#", lost=True)], [Take(10.0, lost=True), replace(SPOKEN, lost=True)]]
)
def test_what_cannot_be_read_is_recorded_on_and_promised_to_nobody(town: Town, takes: list[Take]) -> None:
    citizen, _attempt = ask(town, Citizen({"keys": ["2"]}, takes=takes))
    assert len(citizen.recorded) == len(takes)
    assert citizen.heard[-2:] == ["(recorded)", "goodbye"]


@pytest.mark.parametrize("during", ["leave-words", "tone"])
def test_a_key_skips_the_words(town: Town, during: str) -> None:
    citizen, _attempt = ask(town, Citizen({"keys": ["3"], during: ["#"]}))
    assert citizen.recorded == []
    assert citizen.heard[-1] == "goodbye"


def test_each_report_has_words_of_its_own(town: Town) -> None:
    citizen, attempt_id = ask(town, Citizen({"keys": ["2", "2"]}, takes=(WHOLE, SPOKEN, *SILENT)), reports=2)
    names = [f"{attempt_id}-{task.id}" for task in town.calls.tasks()]
    assert [name for name, _longest, _begins in citizen.recorded] == [names[0], names[0], names[1], names[1]]


def test_who_hangs_up_in_the_middle_has_answered(town: Town) -> None:
    ask(town, Citizen({"keys": ["2"]}, takes=(GONE,)))
    report_state = lambda: town.calls.session.scalar(select(Report.state).order_by(Report.id.desc()))  # noqa: E731
    eventually(lambda: town.calls.session.rollback() or report_state() == ReportState.IN_PROGRESS, "the answer")


# ---- the status line


def own_report(town: Town, **values: object) -> Report:
    report = town.calls.done(NUMBER)
    with transaction() as session:
        report = session.get_one(Report, report.id)
        report.state, report.pin, report.due_at = ReportState.IN_PROGRESS, "123456", now() + timedelta(days=3)
        for name, value in values.items():
            setattr(report, name, value)
    return db.session.get_one(Report, report.id)


def looks() -> list[tuple[int, str]]:
    db.session.rollback()
    query = select(AccessLog.subject_id, AccessLog.reason).where(AccessLog.user_id.is_(None)).order_by(AccessLog.id)
    return [tuple(row) for row in db.session.execute(query)]


def told(citizen: Citizen) -> list[str]:
    return [said for said in citizen.heard if said.startswith("Повідомлення номер")]


def test_own_number_is_recognised_and_at_most_three_are_told(town: Town) -> None:
    """W10: the newest first, and no more of each than number and PIN would tell; each look leaves a row."""
    reports = [own_report(town, landmark="за рогом", flat="7").id for _ in range(4)]
    citizen = town.phone(Citizen(), "status_line", line="", number="067 123-45-67")
    assert citizen.answered
    assert len(told(citizen)) == 3
    assert "освітлення: у роботі" in told(citizen)[0]
    assert not [said for said in citizen.heard if "за рогом" in said or "сім" in said.split()]
    assert citizen.heard[-1] == "status-goodbye"
    assert citizen.variables == {"CC_TOLD": "yes"}
    wanted = [(report, "by telephone: own number") for report in reports[:0:-1]]
    eventually(lambda: looks() == wanted, looks)


def test_by_number_and_pin(town: Town) -> None:
    report = own_report(town)
    year, serial = report.number.split("-")
    citizen = Citizen({"status-number": [f"{year}{serial}#"], "status-pin": ["123456#"]})
    town.phone(citizen, "status_line", line="", number="unknown")
    assert citizen.heard[:2] == ["status-greeting", "status-none"]
    assert len(told(citizen)) == 1
    eventually(lambda: looks() == [(report.id, "by telephone: number and PIN")], looks)


def test_another_report_than_ones_own_is_asked_for_by_a_key(town: Town) -> None:
    own_report(town)
    citizen = town.phone(Citizen({"status-more": ["*", "1"]}), "status_line", line="", number=NUMBER)
    assert len(told(citizen)) == 2
    assert citizen.heard.count("status-number") == 3
    assert citizen.heard[-1] == "status-goodbye"


def test_three_wrong_ones_end_the_call_and_leave_no_trace_of_a_look(town: Town) -> None:
    report = own_report(town)
    keys = {"status-number": [f"{report.number.replace('-', '')}#", "999#", "412#"], "status-pin": ["111111#"] * 3}
    citizen = town.phone(Citizen(keys), "status_line", line="", number="0509998877")
    assert citizen.heard.count("status-wrong") == 3
    assert (citizen.heard[-1], told(citizen), looks()) == ("status-goodbye", [], [])


def test_guessing_over_many_calls_is_stopped_with_the_tries_online(town: Town) -> None:
    """Ten an hour for a number, from everywhere together; the eleventh is not even looked up."""
    report = own_report(town)
    number = f"{report.number.replace('-', '')}#"
    for _ in range(5):
        keys = {"status-number": [number] * 2, "status-pin": ["111111#"] * 2}
        town.phone(Citizen(keys), "status_line", line="", number="0509998877")
    citizen = Citizen({"status-number": [number], "status-pin": ["123456#"]})
    town.phone(citizen, "status_line", line="", number="0509998866")
    assert "status-too-often" in citizen.heard
    assert (told(citizen), looks()) == ([], [])


@pytest.mark.parametrize("key", ["", "5", "0"])
def test_a_caller_whom_nobody_answered_may_leave(town: Town, key: str) -> None:
    own_report(town)
    citizen = town.phone(Citizen({"status-offer": [key]}), "status_line", line="offer", number=NUMBER)
    assert citizen.heard == ["status-offer"]


def test_a_caller_whom_nobody_answered_hears_the_state_by_one_key(town: Town) -> None:
    own_report(town)
    citizen = town.phone(Citizen({"status-offer": ["1"]}), "status_line", line="offer", number=NUMBER)
    assert "status-greeting" not in citizen.heard
    assert len(told(citizen)) == 1


def test_who_wants_a_person_gets_one(town: Town) -> None:
    """The dialplan rings for whom nothing was told."""
    citizen = town.phone(Citizen({"status-greeting": ["0"]}), "status_line", line="", number=NUMBER)
    assert citizen.variables == {}


def database_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_any: object) -> None:
        raise OSError

    monkeypatch.setattr("agi.status_line.told_to_caller", fail)


def voice_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_any: object) -> None:
        raise NoVoice("none")

    monkeypatch.setattr("agi.status_line.speak", fail)


@pytest.mark.parametrize("away", [database_away, voice_away])
@pytest.mark.parametrize("line", ["", "offer"])
def test_a_call_for_which_nothing_can_be_told_is_not_answered(
    town: Town, monkeypatch: pytest.MonkeyPatch, away: Callable[[pytest.MonkeyPatch], None], line: str
) -> None:
    """Inbound: it rings, or ends, as without the script."""
    away(monkeypatch)
    citizen = town.phone(Citizen(), "status_line", line=line, number=NUMBER)
    assert (citizen.answered, citizen.heard, citizen.variables) == (False, [], {})


def test_a_call_to_the_status_line_makes_no_draft(town: Town, app: Flask) -> None:
    """Nobody is asked for, so nobody is to call back; when people answer it, the exchange tells of it anew (I1)."""
    app.config["SETTINGS"] = replace(app.config["SETTINGS"], status_line="+380544851111")
    ways = ("51111", "+380544851111", "0544851111")
    began = [Began(f"romny-{way}", way, NUMBER, "", now(), recovered=True) for way in ways]
    ended = [CallEnded(one.call, now(), 16) for one in began]
    rung = replace(began[0], dialled="0")
    for facts, wanted in (([*began, *ended], 0), ([*began, rung, *ended], 1)):
        with transaction() as session:
            apply(session, facts, "5448")
        assert db.session.scalar(select(func.count(Call.id))) == wanted
        assert db.session.scalar(select(func.count(Report.id)).where(Report.state == ReportState.DRAFT)) == wanted


@pytest.mark.parametrize(
    ("keys", "number"),
    [
        ("20260412", "2026-0412"),
        ("2026412", "2026-412"),
        ("2026*0412", "2026-0412"),
        ("412", "412"),
        ("94821035", "94821035"),
        ("*", ""),
    ],
)
def test_a_number_typed_with_keys(keys: str, number: str) -> None:
    assert number_by_keys(keys) == number


def test_the_status_lines_number(tmp_path: Path) -> None:
    wanted = ("51111", "0544851111", "380544851111", "+380544851111")
    for written in ("5-11-11", "05448 5-11-11", "+38 (05448) 51111"):
        assert load_settings({"CC_VAR": str(tmp_path), "CC_STATUS_LINE": written}).status_dids == wanted
    assert load_settings({"CC_VAR": str(tmp_path)}).status_dids == ()
    with pytest.raises(SettingsError, match="CC_STATUS_LINE is '123'"):
        load_settings({"CC_VAR": str(tmp_path), "CC_STATUS_LINE": "123"})
