"""Bringing a version of the telephone plan to the exchange: the old plan or the new one, whole, whatever happens.

The tables are the truth. Until they change, with their version, in one transaction, any trouble and any end of this
process lead back to them: the files are rendered from the tables again, and read back. After it they lead forward.

1. The version is checked once more, and everything is rendered into a new folder: also the phones that the plan does
   not use any more, for calls ring by the old order until the tables have changed, and those that came before for as
   long as a call rings.
2. It is tried on an exchange of its own: each line is called (`jobs.trial`).
3. ``etc`` becomes that folder, the exchange reads phones and dialplan anew, and is asked what it has.
4. The tables are written, and the version is the applied one.
5. When no call can ring by a former order any more (`models.plan_versions.still_rung`), the phones that are not used
   are left out: rendered, switched, read back. Until then the version is not settled; broken off, it is done again.

What was broken off is decided by `Applier.look`, which runs every second in `jobs.rounds`, and by a start
(`jobs.prepare`). A version stays *applying* until the exchange is known to have the old plan, or does not run.
"""

import fcntl
import os
import secrets
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from jobs.pbx import Asterisk, PbxError, find_asterisk, rendered
from jobs.pbx_folder import install
from jobs.read_back import Ask, ExchangeAway, ExchangeHangs, console, first_mismatch, reload
from jobs.settings import Settings
from jobs.trial import Candidate, NotReached, NotTried, clear, try_plan
from models.base import db, now, reason, transaction
from models.free_days import load_calendar
from models.people import User
from models.plan import Plan, PlanPhone, read_plan
from models.plan_acts import finish, phone_secrets, roll_back
from models.plan_checks import Site, check_plan
from models.plan_versions import PlanVersion, Trouble, applied_version, applying_version, still_rung
from models.workdays import WorkCalendar

_LOCK = 0x6170706C  # "appl"
Tried = Callable[[Settings, Asterisk, Candidate, datetime], None]
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
    plan: Plan
    site: Site
    leaving: Collection[PlanPhone]  # that the plan does not use any more, and calls still ring at
    secrets: dict[str, str]
    calendar: WorkCalendar
    tried: Tried
    files: Mapping[str, str] = field(default_factory=dict)


def site_of(settings: Settings) -> Site:
    """What a plan is checked against here. A phone may be somebody's who is switched off: a former plan is so."""
    logins = frozenset(db.session.scalars(select(User.login)))
    return Site(settings.profile.area_code, settings.status_line, logins)


def check(work: Work) -> None:
    """The plan has no fault, as when it was ordered. Raises `Stopped`."""
    faults = check_plan(work.plan, work.site)
    if faults:
        raise Stopped(Trouble.CONFIGURATION, ", ".join(fault.line or fault.phone for fault in faults))


def render_all(work: Work) -> None:
    """All files are made, and none is in place yet. Raises `Stopped` for what cannot stand in them."""
    try:
        work.files = rendered(work.plan, work.secrets, work.settings, work.asterisk, work.leaving)
    except PbxError as error:
        raise Stopped(Trouble.CONFIGURATION, str(error)) from error


def try_out(work: Work) -> None:
    """Who calls a line meets what the plan says, on an exchange of its own. Raises `Stopped` where they do not, or
    where there is none."""
    try:
        work.tried(work.settings, work.asterisk, Candidate(work.plan, work.secrets, work.leaving, work.calendar), now())
    except NotReached as error:
        raise Stopped(Trouble.NOT_REACHED, str(error)) from error
    except NotTried as error:
        raise Stopped(Trouble.NOT_TRIED, str(error)) from error
    except PbxError as error:
        raise Stopped(Trouble.CONFIGURATION, str(error)) from error


def switch(work: Work) -> None:
    """The new files are in place, all or none. Raises `Stopped` where they cannot be written."""
    try:
        install(work.settings, work.files)
    except OSError as error:
        raise Stopped(Trouble.FILES, error.strerror or "") from error


def tell(work: Work) -> None:
    """The exchange is told to read them. Raises `Stopped` where it does not answer."""
    try:
        reload(work.ask)
    except (ExchangeAway, ExchangeHangs) as error:
        raise Stopped(Trouble.AWAY) from error


def read_back(work: Work) -> None:
    """It has what was written. Raises `Stopped` where it does not answer, or has anything else."""
    try:
        differs = first_mismatch(work.files, work.ask)
    except (ExchangeAway, ExchangeHangs) as error:
        raise Stopped(Trouble.AWAY) from error
    if differs:
        raise Stopped(Trouble.NOT_READ, differs)


def write_tables(work: Work) -> None:
    """Calls ring by the plan from here on. Raises `Stopped` where it was changed meanwhile by another way, or the
    database cannot be written.
    """
    try:
        with transaction() as session:
            version = session.get_one(PlanVersion, work.version_id)
            if not finish(session, version, work.secrets, now()):  # calls rang by the former order until now
                raise Stopped(Trouble.CHANGED)
    except SQLAlchemyError as error:
        raise Stopped(Trouble.DATABASE, reason(error)) from error


STEPS = (check, render_all, try_out, switch, tell, read_back, write_tables)


def trouble() -> str:
    """What is told while the exchange cannot be brought to what the tables say."""
    return "The exchange does not read the telephone plan: see whether it runs."


@contextmanager
def only_one(settings: Settings) -> Iterator[bool]:
    """Whether we are the one process that works at the plan, of all that use this database; who is killed holds nobody
    up. PostgreSQL may be shared by machines, and keeps the lock itself."""
    if db.engine.dialect.name == "postgresql":
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            alone = bool(connection.scalar(select(func.pg_try_advisory_lock(_LOCK))))
            try:
                yield alone
            finally:
                if alone:
                    with suppress(SQLAlchemyError):  # with its connection the lock is gone
                        connection.execute(select(func.pg_advisory_unlock(_LOCK)))
        return
    settings.run_dir.mkdir(parents=True, exist_ok=True)
    held = os.open(settings.run_dir / "plan.lock", os.O_CREAT | os.O_RDWR, 0o640)
    try:
        alone = False
        with suppress(BlockingIOError):
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            alone = True
        yield alone
    finally:
        os.close(held)


class Applier:
    """Looks for a version to be applied, for one that was broken off, and for one that the exchange is still to be
    told of. ``ask`` is how the exchange is asked; without it, by its console. ``tried`` is how a plan is tried."""

    def __init__(
        self, app: Flask, ask: Ask | None = None, asterisk: Asterisk | None = None, tried: Tried = try_plan
    ) -> None:
        self._app, self._ask, self._asterisk, self._tried = app, ask, asterisk, tried
        self._settings: Settings = app.config["SETTINGS"]
        self._not_before: datetime | None = None
        self._told: tuple[int, frozenset[str]] | None = None  # which version, with which phones that leave

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
        with only_one(self._settings) as alone:
            return self._do(at) if alone else True

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
        former, site, calendar = read_plan(session), site_of(self._settings), load_calendar(session)
        for phone in plan.phones:
            before = former.phone(phone.name)
            same = before is not None and before.key == phone.key
            marks[phone.name] = known[phone.name] if same else secrets.token_urlsafe(24)
        present = {phone.name: phone for phone in (*still_rung(session, at), *former.active_phones)}
        staying = {phone.name for phone in plan.active_phones}
        leaving = [phone for name, phone in present.items() if name not in staying]
        try:
            asterisk, ask = self._exchange()
        except PbxError as error:
            raise Stopped(Trouble.AWAY) from error
        keys = known | marks
        work = Work(self._settings, asterisk, ask, version_id, plan, site, leaving, keys, calendar, self._tried)
        session.rollback()
        for step in STEPS:
            step(work)
        self._told = version_id, frozenset(phone.name for phone in leaving)

    def _back(self, version_id: int, why: Trouble, about: str, at: datetime) -> bool:
        """Go back to what the tables say. Whether the exchange has it, or does not run; else it is tried again. What
        a trial that was broken off left is taken away."""
        with transaction() as session:  # the next try, of whichever process, knows why
            version = session.get_one(PlanVersion, version_id)
            version.trouble, version.trouble_about = why, about
        with suppress(PbxError):
            clear(self._settings, self._exchange()[0])
        if not self._tell_present(at):
            return False
        with transaction() as session:
            roll_back(session, session.get_one(PlanVersion, version_id), why, about, at)
        return True

    def _settle(self, version: PlanVersion, at: datetime) -> bool:
        """The applied plan, with the phones at which calls still ring, and once there are none, without them."""
        version_id = version.id
        leaving = frozenset(phone.name for phone in still_rung(db.session(), at))
        if self._told != (version_id, leaving) and not self._tell_present(at):
            return False
        if not leaving:
            with transaction() as session:
                session.get_one(PlanVersion, version_id).settled_at = at
        return True

    def _tell_present(self, at: datetime) -> bool:
        """Have the exchange be as the tables say; one that does not run is so when it starts."""
        session = db.session()
        plan, known, leaving = read_plan(session), phone_secrets(session), still_rung(session, at)
        applied = applied_version(session)
        told = (applied.id, frozenset(phone.name for phone in leaving)) if applied else None
        session.rollback()
        try:
            asterisk, ask = self._exchange()
            files = rendered(plan, known, self._settings, asterisk, leaving)
            install(self._settings, files)
        except (OSError, PbxError):
            return False
        try:
            reload(ask)
            if first_mismatch(files, ask):
                return False
        except ExchangeAway:
            pass
        except ExchangeHangs:
            return False
        self._told = told
        return True

    def _exchange(self) -> tuple[Asterisk, Ask]:
        """Raises `PbxError`."""
        asterisk = self._asterisk or find_asterisk()
        return asterisk, self._ask or console(self._settings, asterisk)
