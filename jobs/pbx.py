"""The files that Asterisk reads, written from the database; and how Asterisk is found and started."""

import ipaddress
import os
import platform
import pwd
import re
import subprocess
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import jinja2
from sqlalchemy.orm import Session

from jobs.pbx_folder import SERVICE_USER, install
from jobs.settings import CHECKOUT, Settings, load_secrets
from models.base import now
from models.plan import TRIED_AGAIN_SECONDS, Plan, PlanLine, PlanPhone, read_plan
from models.plan_acts import phone_secrets
from models.plan_versions import still_rung

OLDEST = (22, 10, 1)  # twenty advisories were closed in it
AS_SERVICE_USER = ("setpriv", f"--reuid={SERVICE_USER}", f"--regid={SERVICE_USER}", "--clear-groups")

MODULES = (
    # what others stand on
    "res_timing_timerfd", "res_sorcery_config", "res_sorcery_memory", "res_sorcery_astdb", "res_cdrel_custom",
    "res_pjproject", "res_speech",  # res_agi does not load without res_speech
    # SIP
    "res_pjsip", "res_pjsip_session", "res_pjsip_acl", "res_pjsip_authenticator_digest", "res_pjsip_caller_id",
    "res_pjsip_dtmf_info", "res_pjsip_endpoint_identifier_ip",
    "res_pjsip_endpoint_identifier_user", "res_pjsip_header_funcs", "res_pjsip_nat",
    "res_pjsip_outbound_authenticator_digest", "res_pjsip_pubsub",
    "res_pjsip_refer",
    "res_pjsip_registrar", "res_pjsip_rfc3326", "res_pjsip_sdp_rtp", "res_rtp_asterisk", "chan_pjsip",
    # bridging, codecs, formats
    "bridge_simple", "bridge_native_rtp", "bridge_softmix", "bridge_holding", "bridge_builtin_features",
    "codec_alaw", "codec_ulaw", "codec_a_mu", "codec_resample",
    "format_pcm", "format_wav", "format_sln",
    # dialplan
    "pbx_config", "res_agi", "app_dial", "app_celgenuserevent",
    "func_callerid", "func_cut", "func_global",
    "func_strings",
    # being heard from
    "cel_custom", "res_manager_devicestate",
)  # fmt: skip


REGISTRATION = "res_pjsip_outbound_registration"  # with an account at a provider


class PbxError(Exception):
    """Asterisk cannot be used as it is; the message is a sentence that says what to do."""


@dataclass(frozen=True)
class Asterisk:
    """An Asterisk on this machine: ``root`` is "/" or the private Debian root it was unpacked into."""

    root: Path

    @property
    def _loader(self) -> list[str]:
        """How a program of the private root is run with the root's own libraries (empty for the system's)."""
        if self.root == Path("/"):
            return []
        libraries = self.root / "usr" / "lib" / f"{platform.machine()}-linux-gnu"
        loader = next(libraries.glob("ld-linux*.so.*"), libraries / "ld-linux.so")
        return [str(loader), "--library-path", str(libraries)]

    def program(self, name: str) -> list[str]:
        """The command line that runs ``name`` (``usr/sbin/asterisk``, ``usr/bin/sipp``) from this root."""
        return [*self._loader, str(self.root / name)]

    def command(self, settings: Settings, *arguments: str) -> list[str]:
        """The command line that runs Asterisk on the site's configuration."""
        return [*self.program("usr/sbin/asterisk"), "-C", str(settings.pbx_dir / "etc" / "asterisk.conf"), *arguments]

    def version(self) -> tuple[int, ...]:
        """Its version, such as ``(22, 10, 1)``; empty when it does not start."""
        try:
            said = subprocess.run(
                [*self.program("usr/sbin/asterisk"), "-V"], capture_output=True, text=True, timeout=20, check=False
            ).stdout
        except OSError:
            return ()
        found = re.search(r"Asterisk (\d+)\.(\d+)\.(\d+)", said)
        return tuple(int(part) for part in found.groups()) if found else ()


def private_root() -> Path:
    """Where the private Asterisk root is kept between checkouts: the user's cache, or ``CC_CACHE``."""
    if chosen := os.environ.get("CC_CACHE"):
        cache = Path(chosen)
    elif os.geteuid() == 0:
        cache = Path("/var/cache/contact-center")
    else:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "contact-center"
    return cache / "asterisk"


def find_asterisk() -> Asterisk:
    """The system's Asterisk when it is new enough, else the private root's. Raises `PbxError` when neither is."""
    found = [Asterisk(root) for root in (Path("/"), private_root()) if (root / "usr/sbin/asterisk").exists()]
    for asterisk in found:
        if asterisk.version() >= OLDEST:
            return asterisk
    wanted = ".".join(map(str, OLDEST))
    if found:
        has = ".".join(map(str, found[-1].version())) or "one that does not start"
        raise PbxError(
            f"Asterisk {wanted} or later is needed, {has} was found in {found[-1].root}: "
            "run script/setup, which fetches a private one."
        )
    raise PbxError(f"Asterisk {wanted} or later is not installed: run script/setup.")


def check_account(settings: Settings) -> None:
    """Raise `PbxError` when Asterisk's own account, under which it runs for root, is not there or cannot reach its
    files."""
    if os.geteuid() != 0:
        return
    try:
        pwd.getpwnam(SERVICE_USER)
    except KeyError:
        raise PbxError(f"There is no account {SERVICE_USER}, under which Asterisk runs: run script/setup.") from None
    asked = subprocess.run(
        [*AS_SERVICE_USER, "--", "test", "-x", settings.var.parent], capture_output=True, check=False
    )
    if asked.returncode != 0:
        raise PbxError(
            f"The account {SERVICE_USER}, under which Asterisk runs, cannot reach {settings.var}: "
            "set CC_VAR to a folder that it can reach, such as /var/lib/contact-center."
        )


def render(session: Session, settings: Settings, asterisk: Asterisk) -> Path:
    """Write the site's Asterisk configuration from the database, with the phones at which calls may still ring;
    returns the folder.

    All files are made before the first is put in place, so a mistake leaves the present ones as they are.
    """
    leaving = still_rung(session, now())
    return install(settings, rendered(read_plan(session), phone_secrets(session), settings, asterisk, leaving))


def rendered(
    plan: Plan,
    secrets: Mapping[str, str],
    settings: Settings,
    asterisk: Asterisk,
    leaving: Collection[PlanPhone] = (),
) -> dict[str, str]:
    """The files of Asterisk's configuration for this plan, by their names. ``secrets`` are what phones log in with.

    ``leaving`` are phones that the plan does not use any more and calls still ring at. Raises `PbxError` for what
    cannot stand there.
    """
    names = [phone.name for phone in plan.active_phones]
    everybody = route([(names, 60)])
    own = load_secrets(settings)
    values = {
        "pbx_dir": settings.pbx_dir,
        "root": str(asterisk.root).rstrip("/"),
        "machine": platform.machine(),
        "systemname": settings.profile.systemname,
        "modules": (*MODULES, REGISTRATION) if settings.trunk_account else MODULES,
        "bind": settings.bind,
        "sip_port": settings.sip_port,
        "rtp_start": settings.rtp_start,
        "rtp_end": settings.rtp_end,
        "ami_port": settings.ami_port,
        "agi_port": settings.agi_port,
        "trunk_host": settings.trunk_host,
        "trunk_port": settings.trunk_port,
        "trunk_address": _address(settings.trunk_host),
        "trunk_account": settings.trunk_account,
        "trunk_calls_from": settings.trunk_calls_from,
        "status_dids": _status_dids(plan, settings),
        "account": settings.trunk_account.user if settings.trunk_account else "",
        "account_leads_to": _account_leads_to(plan, settings),
        "ami_listen_secret": own["ami_listen"],
        "ami_dial_secret": own["ami_dial"],
        "phones": plan.active_phones,
        "registering": (*plan.active_phones, *leaving),
        "secrets": secrets,
        "lines": [{"line": line, "route": _route_of(plan, line) or everybody} for line in plan.active_lines],
        "everybody": everybody,
        "tried_again_seconds": TRIED_AGAIN_SECONDS,
    }
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(CHECKOUT / "asterisk_conf"),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,
        finalize=_one_word_of_configuration,
    )
    return {name: templates.get_template(name).render(values) for name in templates.list_templates()}


def _route_of(plan: Plan, line: PlanLine) -> str:
    """Who rings for the line; "" where nobody would: then everybody rings."""
    active = {phone.name for phone in plan.active_phones}
    steps = [([name for name in step.phones if name in active], step.seconds) for step in line.steps]
    return route([(names, seconds) for names, seconds in steps if names])


def _status_dids(plan: Plan, settings: Settings) -> tuple[str, ...]:
    """The forms of the status line's number. Raises `PbxError` where a line has it that rings."""
    line = next((line for line in plan.active_lines if line.e164 == settings.status_line), None)
    if line is not None:
        raise PbxError(f"CC_STATUS_LINE is the line {line.number}, which people answer: give it a number of its own.")
    return settings.status_dids


def _account_leads_to(plan: Plan, settings: Settings) -> str:
    """Where a call goes to the account at the provider that names no other number: to the line whose number it is."""
    account = settings.trunk_account.user if settings.trunk_account else ""
    if account in settings.status_dids:
        return "status-line,s,1"
    line = next((line for line in plan.active_lines if account in line.dids), None)
    return f"inbound,{line.digits if line else 0},1"


def _one_word_of_configuration(value: object) -> object:
    """Let no value from the database become a line of configuration of its own. Raises `PbxError`."""
    if isinstance(value, str) and re.search(r'[\x00-\x1f;"\\]', value):
        raise PbxError(
            f"{value!r} cannot stand in Asterisk's configuration: leave out quotes, semicolons and line breaks."
        )
    return value


def route(steps: list[tuple[list[str], int]]) -> str:
    """A ring order as the dialplan reads it: what it hands to ``Dial`` for each step, a colon between two steps."""
    return ":".join(f"{together(phones)},{seconds},i" for phones, seconds in steps)


def together(phones: list[str]) -> str:
    """Phones that ring at the same time, as ``Dial`` takes them."""
    return "&".join(f"PJSIP/{phone}" for phone in phones)


def _address(host: str) -> str:
    """The host if it is an address, else nothing: an access list knows no names."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return ""
