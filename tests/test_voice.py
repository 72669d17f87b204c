"""Speech really spoken by what is installed, and measured; and what is refused before anybody is dialled."""

import os
import threading
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from jobs import voice
from jobs.settings import Settings, load_settings
from jobs.sound import for_telephone
from jobs.voice import NoVoice, find_voice, installed_voices, speak, tidy_voice
from models.hours import Hours
from models.outages import Announced, OutageKind
from models.plan import ANNOUNCEMENT_SECONDS
from models.reports import ReportState
from models.spoken import Sentence
from models.status_script import (
    LONGEST_PROMPT,
    Asked,
    Emergency,
    closed_duty,
    closed_message,
    closed_told,
    fixed_sentences,
    gives_up,
    greeting,
    handover_keys,
    handover_report,
    how_many,
    leave_words,
    no_input,
    outage_keys,
    outage_told,
    question,
    status_line,
    wrong_key,
)
from models.workdays import KYIV
from tests.speech_fixtures import measure, tone

TABLE = "Speech"
TODAY = date(2026, 11, 26)
BURST = Emergency(
    "2026-10412", "Порив водопроводу", "Прорвало трубу біля буд. 4, вода тече у 3-й під'їзд, люди не можуть вийти",
    street="1-й провулок Героїв Роменщини", building="125а", flat="112",
)  # fmt: skip
LONG_OUTAGE = Announced(
    1,
    OutageKind.OTHER,
    True,
    False,
    datetime(2026, 11, 27, 6, tzinfo=UTC),
    datetime(2026, 11, 28, 21, 55, tzinfo=UTC),
    "Замінюють засувку на магістралі біля вул. Соборної, 125а, вода з'явиться поступово, спершу на 1-му поверсі",
)
PROMPTS = {
    "greeting": greeting("Ромни"),
    "how many": how_many(3),
    "question": question(Asked(date(2026, 11, 14), "Вуличне освітлення", "вул. Соборна"), TODAY),
    "question, long": question(
        Asked(date(2026, 2, 23), "Паркування та порушення благоустрою", "1-й провулок Героїв Роменщини"),
        TODAY, following=True,
    ),
    "question, longest": question(
        Asked(date(2025, 8, 28), "Дитячі та спортивні майданчики й дворові лавки", "Площа 95-річчя Незалежності міста"),
        TODAY, following=True,
    ),
    "leave words": leave_words(),
    "wrong key": wrong_key(),
    "no input": no_input(),
    "gives up": gives_up(),
    "status line": status_line("2026-0412", ReportState.IN_PROGRESS, date(2027, 1, 28), TODAY),
    "status, refused": status_line("2026-0412", ReportState.REDIRECTED, None, TODAY),
    "hand-over": handover_report(BURST),
    "hand-over, keys": handover_keys(BURST),
    "outage, longest": [*outage_told(LONG_OUTAGE, "Славутич"), *outage_keys()],
    **{sentence.prompt: [sentence] for sentence in fixed_sentences("Славутич")},
}  # fmt: skip
# the hour and the day that take longest to say, more than six days ahead
LONG_HOURS = [
    *closed_told(
        Hours("22:54–23:54", "22:54–23:54"),
        datetime(2026, 11, 24, 22, 54, tzinfo=KYIV), datetime(2026, 11, 14, 3, tzinfo=KYIV), "Славутич",
    ),
    *closed_duty(),
    *closed_message(),
]  # fmt: skip
HELLO = Sentence("Добрий день! Це контактний центр.", "greeting")
STREET = Sentence("Вулиця Соборна, будинок чотири.")
SPEAKS = 'cat "$SOUND" >"$OUT"'


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A site in which each prompt is spoken once."""
    return load_settings({"CC_VAR": str(tmp_path_factory.mktemp("speech"))})


@pytest.fixture
def site(tmp_path: Path) -> Settings:
    return load_settings({"CC_VAR": str(tmp_path)})


def sounds_in(site: Settings) -> list[Path]:
    return list(site.sounds_dir.iterdir()) if site.sounds_dir.is_dir() else []


each_voice = pytest.mark.parametrize(
    "spoken_by",
    installed_voices() or [pytest.param(None, marks=pytest.mark.skip("no Ukrainian voice is installed: script/setup"))],
    ids=lambda found: found.name if found else "no voice",
)


@each_voice
def test_the_longest_hours_are_told_before_the_phone_rings_all_the_same(kept, spoken_by):
    """At night: with the tone after them, and some seconds in reserve."""
    seconds = sum(measure(path.read_bytes()).seconds for path in speak(kept, LONG_HOURS, spoken_by))
    assert seconds + 3 < ANNOUNCEMENT_SECONDS


@pytest.mark.parametrize("name", PROMPTS)
@each_voice
def test_each_prompt_is_short_of_one_level_and_not_clipped(kept, spoken_by, name, table):
    """C3: at most 20 s; -16 to -20 dBFS; no sample at full scale; no silence at the ends."""
    found = [measure(path.read_bytes()) for path in speak(kept, PROMPTS[name], spoken_by)]
    seconds = sum(one.seconds for one in found)
    table.add(
        voice=spoken_by.name,
        prompt=name,
        sentences=len(found),
        seconds=f"{seconds:.1f}",
        rms=f"{min(one.rms for one in found):.1f}…{max(one.rms for one in found):.1f}",
        peak=f"{max(one.peak for one in found):.1f}",
        full=sum(one.at_full_scale for one in found),
        flat=max(one.flat for one in found),
        silence=f"{max(one.silent_before for one in found):.2f} {max(one.silent_behind for one in found):.2f}",
    )
    assert seconds <= LONGEST_PROMPT
    for one in found:
        assert (one.rate, one.channels) == (8000, 1)
        assert -20 <= one.rms <= -16
        assert one.peak <= -1
        assert one.at_full_scale == 0
        assert one.flat <= 4
        assert one.silent_before <= 0.15
        assert one.silent_behind <= 0.25


def test_what_was_spoken_is_not_spoken_again(site, programs):
    programs.install("espeak-ng", SPEAKS, tone())
    first = speak(site, [HELLO, STREET, HELLO])
    assert first == speak(site, [HELLO, STREET, HELLO])
    assert len(programs.runs("espeak-ng")) == 2
    assert sorted(sounds_in(site)) == sorted(set(first))


def test_two_who_ask_at_once_have_it_spoken_once(site, programs):
    programs.install("espeak-ng", SPEAKS, tone())
    found = []
    threads = [threading.Thread(target=lambda: found.extend(speak(site, [STREET]))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found)) == 1
    assert len(programs.runs("espeak-ng")) == 1


def test_rhvoice_speaks_where_it_has_its_voice_and_else_espeak(site, programs, tmp_path, monkeypatch):
    """Of a voice that is not there RHVoice says nothing about, and takes another language's."""
    programs.install("espeak-ng", SPEAKS, tone())
    programs.install("RHVoice-test", SPEAKS, tone())
    assert find_voice().name == "espeak-ng"
    (tmp_path / "data" / "voices" / "natalia").mkdir(parents=True)
    (tmp_path / "data" / "voices" / "natalia" / "voice.info").write_text("language=Ukrainian\n")
    monkeypatch.setenv("RHVOICE_DATA_PATH", str(tmp_path / "data"))
    assert find_voice().name == "RHVoice"
    speak(site, [STREET])
    assert (len(programs.runs("RHVoice-test")), len(programs.runs("espeak-ng"))) == (1, 0)


def test_no_text_becomes_a_name_an_argument_or_a_log(site, programs, caplog):
    """A3: an address is said, and stands in no list of processes, no folder and no log."""
    programs.install("espeak-ng", SPEAKS + '\ncat >"$SOUND.text"', tone())
    (path,) = speak(site, [Sentence("Вулиця П’ятихатська [[x]] <b>, будинок чотири\nквартира два.")])
    assert (programs.folder / "espeak-ng.wav.text").read_text() == (
        "Вулиця П'ятихатська x b , будинок чотири квартира два.\n"
    )
    assert "ихатськ" not in programs.runs("espeak-ng")[0]
    assert len(path.stem) == 64
    assert set(path.stem) <= set("0123456789abcdef")
    assert caplog.text == ""


def test_asterisk_reads_the_sounds_and_cannot_change_them(site, programs):
    programs.install("espeak-ng", SPEAKS, tone())
    (path,) = speak(site, [STREET])
    assert path.stat().st_mode & 0o777 == 0o640
    assert path.stat().st_gid == site.sounds_dir.stat().st_gid
    if os.geteuid() == 0:
        assert site.sounds_dir.stat().st_mode & 0o7777 == 0o2750
        assert (path.stat().st_uid, site.sounds_dir.stat().st_uid) == (0, 0)
        assert path.stat().st_gid != 0


def test_without_a_voice_it_says_what_to_do_before_anybody_is_dialled(site, programs):
    with pytest.raises(NoVoice, match=r"^No Ukrainian voice is installed: .*espeak-ng.*\.$"):
        speak(site, [HELLO])
    assert sounds_in(site) == []


def test_a_recording_of_the_town_comes_before_every_voice(site, programs):
    programs.install("espeak-ng", SPEAKS, tone())
    site.prompts_dir.mkdir()
    (site.prompts_dir / "greeting.wav").write_bytes(tone(2.0, rate=44100, channels=2, loud=0.9))
    (recorded, spoken) = speak(site, [HELLO, STREET])
    assert len(programs.runs("espeak-ng")) == 1
    found = measure(recorded.read_bytes())
    assert (found.rate, found.channels) == (8000, 1)
    assert found.seconds == pytest.approx(2.0, abs=0.05)
    assert found.rms == pytest.approx(-18, abs=1)
    assert spoken != recorded


def test_recordings_alone_are_enough_and_a_new_one_replaces_the_former(site, programs):
    """No voice is installed: what is recorded is played, what is not is refused."""
    site.prompts_dir.mkdir()
    (site.prompts_dir / "greeting.wav").write_bytes(tone(1.0))
    former = speak(site, [HELLO])
    (site.prompts_dir / "greeting.wav").write_bytes(tone(2.0))
    assert speak(site, [HELLO]) != former
    with pytest.raises(NoVoice, match="No Ukrainian voice"):
        speak(site, [HELLO, STREET])


@pytest.mark.parametrize(
    ("content", "trouble"),
    [
        (b"ID3 an MP3", "is no WAV file"),
        (tone()[:-1000], "is cut off"),
        (tone(loud=0.0), "is silent"),
        (tone(rate=6000), "is no WAV file of 16 bits"),
    ],
)
def test_a_recording_that_cannot_be_played_is_named(site, programs, content, trouble):
    site.prompts_dir.mkdir()
    (site.prompts_dir / "greeting.wav").write_bytes(content)
    with pytest.raises(NoVoice, match=rf"greeting\.wav {trouble}.*record it again"):
        speak(site, [HELLO])
    assert sounds_in(site) == []


@pytest.mark.parametrize(
    ("script", "sound", "trouble"),
    [
        ('head -c 9000 "$SOUND" >"$OUT"; exit 3', tone(), "fails"),
        ("exit 0", b"", "fails"),
        ('head -c 9000 "$SOUND" >"$OUT"', tone(), "is cut off"),
        (SPEAKS, b"", "is no WAV"),
        (SPEAKS, tone(loud=0.0), "is silent"),
        (SPEAKS, tone(0.2), "left words out"),
        ("kill -9 $$", b"", "fails"),
    ],
    ids=["exits with an error", "writes nothing", "half a file", "empty", "silent", "too little", "killed"],
)
def test_a_program_that_fails_leaves_nothing_behind(site, programs, script, sound, trouble):
    programs.install("espeak-ng", script, sound)
    with pytest.raises(NoVoice, match=trouble):
        speak(site, [STREET])
    assert sounds_in(site) == []
    programs.install("espeak-ng", SPEAKS, tone())
    assert speak(site, [STREET])[0].is_file()


def test_a_program_that_hangs_is_ended(site, programs, monkeypatch):
    monkeypatch.setattr(voice, "LONGEST", 0.2)
    programs.install("espeak-ng", 'head -c 9000 "$SOUND" >"$OUT"; exec sleep 600', tone())
    with pytest.raises(NoVoice, match="did not end within"):
        speak(site, [STREET])
    assert sounds_in(site) == []


def test_a_program_that_cannot_be_started_is_named(site, programs):
    programs.install("espeak-ng", "")
    (programs.folder / "espeak-ng").write_text("#!/nowhere\n")
    with pytest.raises(NoVoice, match="cannot be started"):
        speak(site, [STREET])


def test_a_full_disk_leaves_nothing_to_be_played(site, programs):
    programs.install("espeak-ng", SPEAKS, tone())
    (path,) = speak(site, [STREET])
    path.unlink()
    path.with_name(f"{path.name}.new").symlink_to("/dev/full")
    with pytest.raises(NoVoice, match=r"cannot be kept in .*No space left.*make room"):
        speak(site, [STREET])
    assert not path.exists()


def test_a_folder_that_cannot_be_made_is_named(site, programs):
    programs.install("espeak-ng", SPEAKS, tone())
    site.pbx_dir.mkdir()
    site.sounds_dir.write_text("no folder")
    with pytest.raises(NoVoice, match="cannot be kept in"):
        speak(site, [STREET])


def test_sounds_that_nobody_asked_for_go(site, programs):
    """A3: what was said about one address is kept for a week; what is said in every call stays."""
    programs.install("espeak-ng", SPEAKS, tone())
    hello, street = speak(site, [HELLO, STREET])
    (site.sounds_dir / "speaking-broken-off").mkdir()
    at = datetime(2026, 11, 26, 12, tzinfo=UTC)
    for path in sounds_in(site):
        os.utime(path, ((at - timedelta(days=8)).timestamp(),) * 2)
    speak(site, [HELLO])
    assert tidy_voice(site, at) == 1
    assert sounds_in(site) == [hello]
    assert tidy_voice(replace(site, var=site.var / "new"), at) == 0


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 24000, 44100, 48000])
def test_a_tone_keeps_its_pitch_and_length_at_every_rate(rate):
    found = measure(for_telephone(tone(1.0, hertz=1000, rate=rate)))
    assert found.seconds == pytest.approx(1.0, abs=0.02)
    assert found.rms == pytest.approx(-18, abs=0.6)
    assert _crossings(for_telephone(tone(1.0, hertz=1000, rate=rate))) == pytest.approx(2000, abs=4)


@pytest.mark.parametrize("rate", [16000, 22050, 24000, 48000])
def test_what_a_telephone_does_not_pass_is_filtered_out_and_does_not_come_back_lower(rate):
    """A tone of 5 kHz would be heard as one of 3 kHz: of it and a far quieter one of 1 kHz the latter stays alone."""
    assert _crossings(for_telephone(tone(1.0, hertz=5000, below=1000, rate=rate))) == pytest.approx(2000, abs=4)


def _crossings(content: bytes) -> int:
    samples = memoryview(content[44:]).cast("h")
    return sum((one < 0) != (other < 0) for one, other in zip(samples, samples[1:], strict=False))
