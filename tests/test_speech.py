"""What every call may say is spoken before there is one (C4)."""

import pytest
from flask import Flask

from jobs.speech import speak_prompts
from jobs.voice import NoVoice, ready
from models.base import now
from models.status_script import fixed_sentences
from tests.speech_fixtures import Programs, tone

SPEAKS = 'cat >/dev/null; cp "$SOUND" "$OUT"'


def test_the_prompts_are_spoken_once(app: Flask, programs: Programs):
    settings = app.config["SETTINGS"]
    programs.install("espeak-ng", SPEAKS, tone(5.0))
    for _ in range(2):
        assert speak_prompts(app, now()) == ""
    said = fixed_sentences(settings.profile.town)
    assert len(programs.runs("espeak-ng")) == len(said)
    assert len(ready(settings, said)) == len(said)


def test_a_recording_that_cannot_be_played_is_told_and_keeps_no_other_silent(app: Flask, programs: Programs, caplog):
    settings = app.config["SETTINGS"]
    programs.install("espeak-ng", SPEAKS, tone(5.0))
    said = fixed_sentences(settings.profile.town)
    settings.prompts_dir.mkdir()
    (settings.prompts_dir / f"{said[0].prompt}.wav").write_bytes(b"no sound")
    assert speak_prompts(app, now()) == "Not all that calls say can be spoken or played, see the log of rounds."
    assert f"{said[0].prompt} cannot be said" in caplog.text
    assert len(ready(settings, said[1:])) == len(said) - 1


def test_without_a_voice_the_planner_tells_of_it(app: Flask, programs: Programs):
    assert speak_prompts(app, now()) == ""
    with pytest.raises(NoVoice):
        ready(app.config["SETTINGS"], fixed_sentences("Ромни"))
