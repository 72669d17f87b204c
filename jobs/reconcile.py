"""Finds in the CEL file what nobody wrote down, and writes it down (I1). One of the periodic jobs of `jobs.rounds`.

Asterisk writes the file by itself, so it knows every call, whatever was dead meanwhile. Its new lines are
turned into the same facts as the listener's; the place up to which the file was read is kept in the database and
moves in the same transaction as the facts.
"""

import logging
import time
from datetime import datetime, timedelta

from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from jobs.callfacts import Answered, CallEnded, Fact, KeyPressed, LegEnded, Ours, Rang, apply
from jobs.callmemory import Legs
from jobs.celfacts import facts_in, suspect
from jobs.celfile import FRESH, Place, delete_read, last_change, parse, put_aside, read_lines
from jobs.settings import Settings
from models.base import database_is_away, db, now, transaction
from models.calls import Call, CallLeg
from models.intake import Began
from models.marks import Mark
from models.settling import AttemptLeg, not_all_known

ALIKE = timedelta(seconds=1)  # by which the sources differ when they tell the same moment
SILENT = 60.0  # seconds by which the file may be older than the newest call

log = logging.getLogger(__name__)


def missing(session: Session, facts: list[Fact]) -> list[Fact]:
    """The facts that the database does not hold yet, or holds with another time; three questions for any number."""
    names = {fact.call for fact in facts if not isinstance(fact, Ours)}
    attempts = not_all_known(session, {fact.attempt_id for fact in facts if isinstance(fact, AttemptLeg)})
    begun = {fact.call for fact in facts if isinstance(fact, Began)}
    calls = {call.uniqueid: call for call in session.scalars(select(Call).where(Call.uniqueid.in_(names)))}
    legs = {
        leg.uniqueid: leg
        for leg in session.scalars(select(CallLeg).where(CallLeg.call_id.in_([call.id for call in calls.values()])))
    }

    def is_earlier(fact: Fact, known: datetime | None) -> bool:
        return known is None or fact.at < known - ALIKE

    def is_missing(fact: Fact) -> bool:
        if isinstance(fact, Ours):
            return isinstance(fact, KeyPressed) or fact.attempt_id in attempts
        call = calls.get(fact.call)
        if call is None:
            return fact.call in begun  # the others are talks among colleagues
        if isinstance(fact, Began) and not fact.dialled:
            return False  # it is only suspected: what is known is better
        if isinstance(fact, Began):
            return call.line_id is None or is_earlier(fact, call.started_at)
        if isinstance(fact, CallEnded):
            if fact.cause is None and call.cause is not None:
                return False
            new_cause = fact.cause is not None and call.cause is None
            return call.ended_at is None or new_cause or fact.at > call.ended_at + ALIKE
        leg = legs.get(fact.leg)
        if leg is None:
            return True
        known = {Rang: leg.rang_at, Answered: leg.answered_at, LegEnded: leg.ended_at}
        return is_earlier(fact, known[type(fact)])

    return [fact for fact in facts if is_missing(fact)]


def mark_name(settings: Settings) -> str:
    """The mark that keeps the place in this site's file: several sites may share a database."""
    return f"cel:{settings.profile.systemname}"


class Reconciler:
    """Reads the file on and writes down what is missing.

    Which call a phone's channel belongs to it remembers from line to line, and not from one start to the next: of a
    call that was transferred before the start and goes on after it, the later lines are told by their ``linkedid``.
    ``stopped``: the service stands, so that nobody else tells of the newest lines and they are read, too.
    """

    def __init__(self, app: Flask, *, stopped: bool = False) -> None:
        settings: Settings = app.config["SETTINGS"]
        self._app, self._settings = app, settings
        self._area_code = settings.profile.area_code
        self._mark = mark_name(settings)
        self._ahead = FRESH if stopped else 0.0
        self._since = now()
        self.read_at = 0.0  # seconds since the epoch: when the file was last read to its end
        self._legs = Legs()

    def catch_up(self) -> str:
        """Read on to the file's end and tidy up. Returns the trouble in one sentence, "" when all is well.

        When the database is away its error is raised, and the next call reads on where this one stopped.
        """
        began = time.time()
        try:
            while self.read_on():
                pass
        except OSError as error:
            detail = f"The CEL file cannot be read ({error.strerror}): see who owns it."
        else:
            self.read_at = began
            untidy = self.tidy()
            detail = self.trouble() or untidy
        return detail

    def read_on(self) -> bool:
        """Take the next piece of the file in; returns whether there was one.

        When the database is away its error is raised, and the next call reads the same piece again.
        """
        with self._app.app_context():
            return self._read_on()

    def trouble(self) -> str:
        """Why the file cannot be believed, in one sentence; empty when all is well.

        A call that came while we run, and that the file knows nothing of, shows that Asterisk writes no more.
        """
        with self._app.app_context():
            newest = db.session.scalar(
                select(func.max(Call.started_at)).where(
                    Call.uniqueid.startswith(f"{self._settings.profile.systemname}-", autoescape=True),
                    Call.started_at.between(self._since, now()),
                )
            )
        changed = last_change(self._settings.cel_file)
        if newest is None or (changed is not None and newest.timestamp() <= changed + SILENT):
            return ""
        if changed is None:
            return "There are calls but no CEL file: see whether Asterisk may write it."
        return "Asterisk writes no more into the CEL file: see whether the disk is full and CEL is on."

    def tidy(self) -> str:
        """Put a large or old file aside and delete what was read and kept long enough, for personal data stand in it.

        Returns why that cannot be done, in one sentence; empty when all is well. For one process at a time.
        """
        with self._app.app_context():
            place = self._place()
        detail = ""
        try:
            put_aside(self._settings.cel_file, time.time())
            delete_read(self._settings.cel_file, place, time.time())
        except OSError as error:
            detail = f"The CEL file cannot be put aside or deleted ({error.strerror}): see who owns its folder."
        return detail

    def _place(self) -> Place | None:
        mark = db.session.get(Mark, self._mark)
        return Place.parse(mark.value) if mark is not None else None

    def _read_on(self) -> bool:
        session = db.session()
        before = self._place()
        lines, after = read_lines(self._settings.cel_file, before, time.time() + self._ahead)
        if after is None or after == before:
            return False
        rows = [parse(line) for line in lines]
        whole = [row for row in rows if row is not None]
        told = [fact for row in whole for fact in facts_in(row, self._legs)]
        if len(whole) < len(lines):
            log.warning("%d cut or garbled lines in the CEL file were left out", len(lines) - len(whole))
            begun = {fact.call for fact in told if isinstance(fact, Began)}
            garbled = [line for line, row in zip(lines, rows, strict=True) if row is None]
            suspected = suspect(garbled, whole, self._settings.profile.systemname)
            told = [began for began in suspected if began.call not in begun] + told
        facts = missing(session, told)
        try:
            self._write(facts, after)
        except Exception as error:
            if database_is_away(error):
                raise
            for fact in facts:  # one of them is to blame: the others shall not suffer
                self._write_alone(fact)
            self._write([], after)
        return True

    def _write(self, facts: list[Fact], after: Place) -> None:
        with transaction() as session:
            apply(session, facts, self._area_code)
            session.merge(Mark(name=self._mark, value=str(after)))

    def _write_alone(self, fact: Fact) -> None:
        try:
            with transaction() as session:
                apply(session, [fact], self._area_code)
        except Exception as error:
            if database_is_away(error):
                raise
            log.error("a fact was left out: %s from %s", type(error).__name__, type(fact).__name__)
