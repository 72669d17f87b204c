"""A plan of lines is tried before the town's exchange learns it: a second one beside it is called on each line (I2).

It is the same Asterisk with the plan's files, in a folder of its own and on free ports of the loopback address; it ends
with us, however we end. Its phones and its trunk are sockets of ours (`jobs.trial_calls`): each phone refuses every
call, and it is written down who was rung after whom. First nobody stands in the place of the AGI server, and calls ring
by the exchange's own files; then somebody does who says what it would at the moment that is tried. How long a phone
rings is not tried: `jobs.read_back` reads it.
"""

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from datetime import time as clock

from jobs.pbx import AS_SERVICE_USER, Asterisk, PbxError, rendered
from jobs.pbx_folder import install
from jobs.read_back import ExchangeAway, ExchangeHangs, console
from jobs.settings import Settings
from jobs.sipp import CITIZEN_HOST, free_udp_port
from jobs.trial_calls import MESSAGE, Says, Scripts, Telephones
from models.hours import END_OF_DAY, Day, Hours, OutOfHours, branch_at, day_kind, read_range
from models.plan import Plan, PlanLine, PlanPhone, Stop, way_of_call
from models.workdays import KYIV, WorkCalendar

START_SECONDS, CALLS_SECONDS = 15.0, 25.0  # that the exchange may take to start, and all calls
RTP_PORTS = 400  # beside those of the town's exchange: two for each phone that rings at once
UNKNOWN = "100"  # a number that no line can have
_LOG = "[general]\ndateformat = %s.%3q\n[logfiles]\ntrial.log = warning,error\n"
# Which parts of Asterisk read configurations: a machine may have other warnings of its own, which are about no plan.
_READERS = re.compile(r"(?:.*/)?(?:config|extconf|pbx|sorcery|res_sorcery|acl|location|pjsip_configuration)\w*\.c")
Way = list[frozenset[str]]  # who is met, step after step: phones that ring at once, or `MESSAGE`


class NotTried(Exception):
    """The second exchange cannot be had: why."""


class NotReached(Exception):
    """Who calls this number does not meet what the plan says."""


@dataclass(frozen=True)
class Candidate:
    """A plan to be tried. ``leaving`` are phones that it does not use any more; ``secrets`` are what phones log in
    with; ``calendar`` is the town's."""

    plan: Plan
    secrets: Mapping[str, str]
    leaving: Collection[PlanPhone]
    calendar: WorkCalendar

    @property
    def everybody(self) -> Way:
        return [frozenset(phone.name for phone in self.plan.active_phones)]

    def way(self, line: PlanLine, at: datetime | None = None, *, key: bool = False) -> Way:
        """Whom a call to the line meets that comes at this moment, or in its hours; with ``key`` the caller wants the
        duty phone."""
        met = []
        for station in way_of_call(self.plan, line, branch_at(line, at, self.calendar) if at else None):
            if station.stop == Stop.RING or (station.stop == Stop.DUTY and key):
                met.append(frozenset(phone.name for phone in station.phones))
            elif station.stop == Stop.MESSAGE:
                met.append(frozenset((MESSAGE,)))
        return met

    def tries(self, line: PlanLine, at: Collection[datetime]) -> Iterator[tuple[Says, Way]]:
        """What scripts say of the line at these moments, and at the ends of its hours on their days, with whom a call
        meets then. The exchange knows no clock: what is the same for it is tried once."""
        steps = tuple((step.phones, step.seconds) for step in line.steps)
        known = set()
        for moment in (*at, *_ends_of_hours(line, at)):
            open_now = branch_at(line, moment, self.calendar).open
            closed = line.out_of_hours == OutOfHours.MESSAGE and not open_now
            for duty in ("", line.duty) if closed else ("",):
                says = Says(line.digits, steps, closed, duty)
                if says not in known:
                    known.add(says)
                    yield says, self.way(line, moment, key=bool(duty))


def try_plan(settings: Settings, asterisk: Asterisk, candidate: Candidate, at: datetime) -> None:
    """Each line is called, in hours and out of them, and numbers that are none. Raises `NotReached` for one that does
    not meet what the plan says, `PbxError` for what the exchange does not read, and `NotTried`."""
    try:
        with beside(settings, asterisk) as exchange:
            exchange.start(candidate)
            exchange.call_lines(candidate, moments(candidate.calendar, at))
            if complaint := exchange.complaint():
                raise PbxError(complaint)
    except OSError as error:
        raise NotTried(error.strerror or "") from error


def clear(settings: Settings, asterisk: Asterisk) -> None:
    """Take away what a trial left that was broken off. Its exchange ended with us, unless we did in the very moment in
    which it began: then it is ended now."""
    own = _own(settings)
    if not own.var.exists():
        return
    if (own.pbx_dir / "etc" / "asterisk.conf").exists():
        with suppress(OSError, subprocess.TimeoutExpired):
            line = asterisk.command(own, "-rx", "core stop now")
            subprocess.run(line, capture_output=True, timeout=10, check=False)
    shutil.rmtree(own.var, ignore_errors=True)


def moments(calendar: WorkCalendar, at: datetime) -> list[datetime]:
    """Noon of the next working day, three o'clock in the night of the next Sunday, and noon of the next holiday, if
    there is one within a year."""
    noon = at.astimezone(KYIV).replace(hour=12, minute=0, second=0, microsecond=0)
    days = [noon + timedelta(days=ahead) for ahead in range(1, 367)]
    working = next((day for day in days if calendar.is_workday(day.date())), noon)
    sunday = next(day for day in days if day.weekday() == 6).replace(hour=3)
    holiday = next((day for day in days if day_kind(day.date(), calendar) == Day.HOLIDAY), None)
    return [working, sunday, *([holiday] if holiday else [])]


def _ends_of_hours(line: PlanLine, at: Collection[datetime]) -> Iterator[datetime]:
    """When the line's hours begin and end on the days of these moments."""
    hours = line.hours or Hours()
    minutes = [minute for text in (hours.workdays, hours.other_days) for minute in read_range(text) or ()]
    for day in {moment.astimezone(KYIV).date() for moment in at}:
        yield from (
            datetime.combine(day, clock(*divmod(minute, 60)), KYIV) for minute in minutes if minute < END_OF_DAY
        )


def _own(settings: Settings) -> Settings:
    return replace(settings, var=settings.var / "trial")


@contextmanager
def beside(settings: Settings, asterisk: Asterisk) -> Iterator["Beside"]:
    """An exchange beside the town's, not started yet, of which nothing is left afterwards."""
    clear(settings, asterisk)
    exchange = Beside(settings, asterisk)
    try:
        yield exchange
    finally:
        exchange.end()


class Beside:
    """An exchange with its phones, its trunk and its scripts; its ``settings`` are the town's in another place."""

    def __init__(self, settings: Settings, asterisk: Asterisk) -> None:
        sip_port, self._scripts = free_udp_port(), Scripts()
        self._asterisk, self._telephones = asterisk, Telephones(sip_port)
        first = settings.rtp_end + 1 if settings.rtp_end + RTP_PORTS < 2**16 else settings.rtp_start - RTP_PORTS
        self.settings = replace(
            _own(settings),
            bind="127.0.0.1",
            sip_port=sip_port,
            ami_port=_free_tcp_port(),
            agi_port=self._scripts.server_address[1],
            trunk_host=CITIZEN_HOST,
            trunk_port=self._telephones.trunk_port,
            trunk_account=None,  # the provider is not to hear of it
            trunk_calls_from=(),
            rtp_start=first,
            rtp_end=first + RTP_PORTS - 1,
        )
        self.ask = console(self.settings, asterisk)
        self._process: subprocess.Popen | None = None
        self._began = 0.0

    def files(self, candidate: Candidate) -> dict[str, str]:
        """The plan's files, but that its phones are at our socket and the log tells more."""
        files = rendered(candidate.plan, candidate.secrets, self.settings, self._asterisk, candidate.leaving)
        contact = rf"\g<0>contact = sip:\1@127.0.0.1:{self._telephones.phones_port}\n"
        phones = re.sub(r"(?m)^\[([\w-]+)\]\ntype = aor\n(?=max_contacts)", contact, files["pjsip.conf"])
        return files | {"pjsip.conf": phones, "logger.conf": _LOG}

    def start(self, candidate: Candidate) -> None:
        """Have it run. Raises `NotTried`, and `OSError` where its files cannot be written."""
        install(self.settings, self.files(candidate))
        guarded = ("setpriv", "--pdeathsig", "KILL", *(AS_SERVICE_USER[1:] if os.geteuid() == 0 else ()), "--")
        command = [*guarded, *self._asterisk.command(self.settings, "-f")]
        none = subprocess.DEVNULL
        self._process = subprocess.Popen(command, stdin=none, stdout=none, stderr=none)
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            with suppress(ExchangeAway, ExchangeHangs):
                self.ask("core waitfullybooted")
                self._began = time.time()
                return
            if (code := self._process.poll()) is not None:
                raise NotTried(f"Asterisk: {code}")
        raise NotTried(f"Asterisk: > {START_SECONDS:.0f} s")

    def end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._telephones.close()
        self._scripts.close()
        shutil.rmtree(self.settings.var, ignore_errors=True)

    def complaint(self) -> str:
        """The first thing that it said against its files when it began; "" for nothing."""
        log = self.settings.pbx_dir / "log" / "trial.log"
        said = re.findall(r"(?m)^\[([\d.]+)\] \w+\[\d+\] (\S+): (.*)$", log.read_text(errors="replace"))
        return next((told for at, by, told in said if float(at) <= self._began and _READERS.fullmatch(by)), "")

    def call_lines(self, candidate: Candidate, at: Collection[datetime]) -> None:
        """Call each line, and numbers that are none, while no script is there; then, with scripts, each line at each of
        the moments, and in the other forms of its number. Raises `NotReached`, and `NotTried` when it takes too long.
        """
        plan, until = candidate.plan, time.monotonic() + CALLS_SECONDS

        def call(about: str, dialled: str, line: str, way: Way, says: Says | None = None) -> None:
            if time.monotonic() > until:
                raise NotTried(f"> {CALLS_SECONDS:.0f} s")
            self._scripts.says, self._scripts.met = says, (met := [])
            if not self._telephones.call(dialled, line, met) or not _is(met, way):
                raise NotReached(about)

        for line in plan.active_lines:
            call(line.number, line.digits, line.digits, candidate.way(line))
        for line in plan.lines:
            if not line.active:
                call(line.number, line.digits, "0", candidate.everybody)
        for number in (UNKNOWN, *self.settings.status_dids):
            call(number, number, "0", candidate.everybody)
        self._scripts.open()
        for line in plan.active_lines:
            for says, way in candidate.tries(line, at):
                call(line.number, line.digits, line.digits, way, says)
            for did in line.dids:  # no phone need ring to show whose number it is
                call(line.number, did, line.digits, [frozenset((MESSAGE,))], Says(line.digits, (), True, ""))


def _is(met: list[str], way: Way) -> bool:
    """Whether these were met, and that is somebody: step after step, of one step in any order."""
    left = list(met)
    for step in way:
        here, left = left[: len(step)], left[len(step) :]
        if len(here) != len(step) or frozenset(here) != step:
            return False
    return bool(met) and not left


def _free_tcp_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]
