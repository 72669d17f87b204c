"""What calls will say is spoken before there is one: a call seldom waits for a program that speaks (C4, C7, I2)."""

import logging
from contextlib import suppress
from datetime import datetime, timedelta

from flask import Flask

from jobs.voice import NoVoice, find_voice, speak
from models.base import db
from models.free_days import load_calendar
from models.hours import branch_at, opens_at
from models.lines import timetables
from models.outages import announced
from models.status_script import closed_told, fixed_sentences, outage_keys, outage_told

AHEAD = timedelta(hours=1)  # before its beginning an outage is spoken, and before a line closes that it is closed

log = logging.getLogger(__name__)


def speak_outages(app: Flask, at: datetime) -> str:
    """Speak what is announced now or within `AHEAD`; what is spoken already stays for as long as it is told. A job of
    `jobs.rounds`."""
    with app.app_context():
        settings = app.config["SETTINGS"]
        told = [one for one in announced(db.session(), at + AHEAD) if one.ends_at is None or at < one.ends_at]
        trouble = ""
        for one in told:
            try:
                speak(settings, [*outage_told(one, settings.profile.town), *outage_keys()])
            except NoVoice as error:
                log.warning("the outage %d cannot be spoken: %s", one.id, error)
                trouble = "Callers are not told of outages: their words cannot be spoken."
    return trouble


def speak_hours(app: Flask, at: datetime) -> str:
    """Speak what callers hear of lines that are closed now or in `AHEAD`. A job of `jobs.rounds`."""
    with app.app_context():
        settings, session = app.config["SETTINGS"], db.session()
        calendar, trouble = load_calendar(session), ""
        for line in timetables(session):
            for moment in (at, at + AHEAD):
                if branch_at(line, moment, calendar).open:
                    continue
                opens = opens_at(line, moment, calendar)
                try:
                    speak(settings, closed_told(line.hours, opens, moment, settings.profile.town))
                except NoVoice as error:
                    log.warning("the hours cannot be spoken: %s", error)
                    trouble = "Out of hours lines ring instead of taking messages: their hours cannot be spoken."
    return trouble


def speak_prompts(app: Flask, _at: datetime) -> str:
    """Speak what every call may say. A job of `jobs.rounds`; without any voice it is the planner that tells of it."""
    settings = app.config["SETTINGS"]
    with suppress(NoVoice):
        voice, trouble = find_voice(), ""
        for sentence in fixed_sentences(settings.profile.town):
            try:
                speak(settings, [sentence], voice)
            except NoVoice as error:
                log.warning("%s cannot be said: %s", sentence.prompt, error)
                trouble = "Not all that calls say can be spoken or played, see the log of rounds."
        return trouble
    return ""
