"""Bringing a version of the telephone plan to the exchange: the old plan or the new one, whole, whatever happens.

The tables are the truth. Until they change, with their version, in one transaction, any trouble and any end of this
process lead back to them: the files are rendered from the tables again, and read back. After it they lead forward.

1. The version is checked once more, and everything is rendered into a new folder: also the phones that the plan does
   not use any more, for calls ring by the old order until the tables have changed.
2. ``etc`` becomes that folder, the exchange reads phones and dialplan anew, and is asked what it has.
3. The tables are written, and the version is the applied one.
4. The phones that are not used any more are left out: rendered, switched, read back. Broken off, it is done again.

What was broken off is decided by `Applier.look`, which runs every second in `jobs.rounds`, and by a start
(`jobs.prepare`). A version stays *applying* until the exchange is known to have the old plan, or does not run.
"""

import fcntl
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from flask import Flask
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from jobs.pbx import Asterisk, PbxError, find_asterisk, rendered
from jobs.pbx_folder import install
from jobs.read_back import Ask, ExchangeAway, ExchangeHangs, console, first_mismatch, reload
from jobs.settings import Settings
from models.base import db, reason, transaction
from models.people import User
from models.plan import Plan, read_plan
from models.plan_acts import finish, phone_secrets, roll_back
from models.plan_checks import Site, check_plan
from models.plan_versions import PlanVersion, Trouble, applied_version, applying_version

AGAIN = timedelta(seconds=10)  # after which what did not work is tried again


class Stopped(Exception):
    """A step cannot be done: why, and about what."""

    def __init__(self, trouble: Trouble, about: str = "") -> None:
        super().__init__(f"{trouble}: {about}")
        self.trouble, self.about = trouble, about


@dataclass
class Work:
    """What the steps of one application share."""

    settings: Settings
    asterisk: Asterisk
    ask: Ask
    version_id: int
    at: datetime
    plan: Plan
    former: Plan
    secrets: dict[str, str]
    files: Mapping[str, str] = field(default_factory=dict)


def site_of(settings: Settings) -> Site:
    """What a plan is checked against here. A phone may be somebody's who is switched off: a former plan is so."""
    logins = frozenset(db.session.scalars(select(User.login)))
    return Site(settings.profile.area_code, settings.status_line, logins)


def check(work: Work) -> None:
    faults = check_plan(work.plan, site_of(work.settings))
    if faults:
        raise Stopped(Trouble.CONFIGURATION, ", ".join(fault.line or fault.phone for fault in faults))


def render_all(work: Work) -> None:
    staying = {phone.name for phone in work.plan.active_phones}
    leaving = [phone for phone in work.former.active_phones if phone.name not in staying]
    try:
        work.files = rendered(work.plan, work.secrets, work.settings, work.asterisk, leaving)
    except PbxError as error:
        raise Stopped(Trouble.CONFIGURATION, str(error)) from error


def switch(work: Work) -> None:
    try:
        install(work.settings, work.files)
    except OSError as error:
        raise Stopped(Trouble.FILES, error.strerror or "") from error


def tell(work: Work) -> None:
    try:
        reload(work.ask)
    except (ExchangeAway, ExchangeHangs) as error:
        raise Stopped(Trouble.AWAY) from error


def read_back(work: Work) -> None:
    try:
        differs = first_mismatch(work.files, work.ask)
    except (ExchangeAway, ExchangeHangs) as error:
        raise Stopped(Trouble.AWAY) from error
    if differs:
        raise Stopped(Trouble.NOT_READ, differs)


def write_tables(work: Work) -> None:
    try:
        with transaction() as session:
            version = session.get_one(PlanVersion, work.version_id)
            if not finish(session, version, work.secrets, work.at):
                raise Stopped(Trouble.CHANGED)
    except SQLAlchemyError as error:
        raise Stopped(Trouble.DATABASE, reason(error)) from error


STEPS = (check, render_all, switch, tell, read_back, write_tables)


def trouble() -> str:
    """What is told while the exchange cannot be brought to what the tables say."""
    return "The exchange does not read the telephone plan: see whether it runs."


class Applier:
    """Looks for a version to be applied, for one that was broken off, and for one that the exchange is still to be
    told of. ``ask`` is how the exchange is asked; without it, by its console."""

    def __init__(self, app: Flask, ask: Ask | None = None, asterisk: Asterisk | None = None) -> None:
        self._app, self._ask, self._asterisk = app, ask, asterisk
        self._settings: Settings = app.config["SETTINGS"]
        self._not_before: datetime | None = None

    def look(self, at: datetime) -> str:
        """Do what is to be done; the trouble in one sentence, "" when all is well."""
        if self._not_before is not None and at < self._not_before <= at + AGAIN:
            return trouble()
        with self._app.app_context():
            try:
                well = self._look_alone(at)
            finally:
                db.session.remove()
        self._not_before = None if well else at + AGAIN
        return "" if well else trouble()

    def _look_alone(self, at: datetime) -> bool:
        """Of several processes one works at the plan; who is killed holds nobody up."""
        self._settings.run_dir.mkdir(parents=True, exist_ok=True)
        held = os.open(self._settings.run_dir / "plan.lock", os.O_CREAT | os.O_RDWR, 0o640)
        try:
            with suppress(BlockingIOError):
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return self._do(at)
            return True
        finally:
            os.close(held)

    def _do(self, at: datetime) -> bool:
        waiting, applied = applying_version(db.session()), applied_version(db.session())
        if waiting is not None:
            return self._carry_on(waiting, at)
        if applied is not None and applied.settled_at is None:
            return self._settle(applied, at)
        return True

    def _carry_on(self, version: PlanVersion, at: datetime) -> bool:
        if version.begun_at is not None:
            why = Trouble(version.trouble or Trouble.BROKEN_OFF)
            return self._back(version.id, why, version.trouble_about, at)
        version_id = version.id
        with transaction() as session:
            session.get_one(PlanVersion, version_id).begun_at = at
        try:
            self._apply(version_id, at)
        except Stopped as stopped:
            return self._back(version_id, stopped.trouble, stopped.about, at)
        return self._settle(db.session.get_one(PlanVersion, version_id), at)

    def _apply(self, version_id: int, at: datetime) -> None:
        session = db.session()
        plan, known, marks = session.get_one(PlanVersion, version_id).plan, phone_secrets(session), {}
        former = read_plan(session)
        for phone in plan.phones:
            before = former.phone(phone.name)
            same = before is not None and before.key == phone.key
            marks[phone.name] = known[phone.name] if same else secrets.token_urlsafe(24)
        leaving = {phone.name: known[phone.name] for phone in former.phones if phone.name not in marks}
        try:
            asterisk, ask = self._exchange()
        except PbxError as error:
            raise Stopped(Trouble.AWAY) from error
        work = Work(self._settings, asterisk, ask, version_id, at, plan, former, leaving | marks)
        session.rollback()
        for step in STEPS:
            step(work)

    def _back(self, version_id: int, why: Trouble, about: str, at: datetime) -> bool:
        """Go back to what the tables say. Whether the exchange has it, or does not run; else it is tried again."""
        with transaction() as session:  # the next try, of whichever process, knows why
            version = session.get_one(PlanVersion, version_id)
            version.trouble, version.trouble_about = why, about
        if not self._tell_present():
            return False
        with transaction() as session:
            roll_back(session, session.get_one(PlanVersion, version_id), why, about, at)
        return True

    def _settle(self, version: PlanVersion, at: datetime) -> bool:
        """The applied plan, without what is not used any more."""
        version_id = version.id
        if not self._tell_present():
            return False
        with transaction() as session:
            session.get_one(PlanVersion, version_id).settled_at = at
        return True

    def _tell_present(self) -> bool:
        """Have the exchange be as the tables say; one that does not run is so when it starts."""
        session = db.session()
        plan, known = read_plan(session), phone_secrets(session)
        session.rollback()
        try:
            asterisk, ask = self._exchange()
            files = rendered(plan, known, self._settings, asterisk)
            install(self._settings, files)
        except (OSError, PbxError):
            return False
        try:
            reload(ask)
            return not first_mismatch(files, ask)
        except ExchangeAway:
            return True
        except ExchangeHangs:
            return False

    def _exchange(self) -> tuple[Asterisk, Ask]:
        """Raises `PbxError`."""
        asterisk = self._asterisk or find_asterisk()
        return asterisk, self._ask or console(self._settings, asterisk)
