"""Settings: environment variables that begin with ``CC_``, read once and checked before anything starts."""

import ipaddress
import json
import os
import re
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import time
from pathlib import Path
from urllib.parse import unquote, urlsplit

from jobs.files import one_at_a_time, write_whole
from models.addresses import NoAddress, read_address

CHECKOUT = Path(__file__).resolve().parent.parent
_MADE_SECRETS = {"web", "ami_listen", "ami_dial"}


class SettingsError(Exception):
    """A setting is wrong; the message is one sentence that names the variable and what to write."""


@dataclass(frozen=True)
class Profile:
    """What differs between towns: names, area code, words."""

    name: str
    town: str
    area_code: str  # national, without the leading zero
    systemname: str  # Asterisk's systemname: the prefix of every unique id of this site
    planned_outage_hours: int = 24  # before its beginning a planned outage is to be entered (S 4.3)
    emergency_outage_minutes: int = 60  # after its beginning an emergency one is


PROFILES = {
    "romny": Profile("romny", "Ромни", "5448", "romny"),
    "slavutych": Profile("slavutych", "Славутич", "4579", "slavutych"),
}


_IN_HOUSE = tuple(map(ipaddress.IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8")))


@dataclass(frozen=True)
class MailServer:
    """Where letters are handed in. ``encrypted`` from the first byte on (smtps), else once the server offers it."""

    host: str
    port: int
    encrypted: bool
    user: str = ""
    password: str = field(default="", repr=False)

    def __str__(self) -> str:
        """Its address without the password."""
        login = f"{self.user}:…@" if self.user else ""
        return f"{'smtps' if self.encrypted else 'smtp'}://{login}{self.host}:{self.port}"

    @property
    def here(self) -> bool:
        """Whether it is on this machine, where nobody listens in."""
        return self.host in ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class TrunkAccount:
    """The account at a SIP provider, which wants us to log in."""

    user: str
    password: str = field(repr=False)

    def __str__(self) -> str:
        """Without the password."""
        return f"{self.user}:…"


@dataclass(frozen=True)
class Settings:
    """Every setting with its default applied. Paths are absolute; ports are integers."""

    var: Path
    env: str
    profile: Profile
    bind: str
    proxies: int  # how many stand in front of the web
    web_port: int
    sip_port: int
    rtp_start: int
    rtp_end: int
    ami_port: int
    agi_port: int
    trunk_host: str
    database_url: str
    redis_url: str
    trunk_port: int = 5060  # where the gateway takes calls of ours
    trunk_lines: int = 3
    trunk_account: TrunkAccount | None = None  # None: a gateway or provider that knows us by our address
    trunk_calls_from: tuple[str, ...] = ()  # further addresses and networks from which the provider calls
    reserved_lines: int = 1  # of them, left free for citizens whatever we call
    call_hours: tuple[time, time] = (time(9), time(20))  # in Kyiv, when the machine calls citizens
    call_sundays: bool = False  # whether it does on Sundays and holidays, too
    status_line: str = ""  # E.164: the number on which a machine tells the state of reports (W10); "": there is none
    mail_server: MailServer | None = None  # None: no letters are sent
    mail_from: str = ""  # the sender's address
    public_url: str = ""  # where people reach the pages, without a slash at its end
    backup_dir: Path | None = None  # where a backup is made every day; None: none is
    backup_keep: int = 14  # how many of them
    backup_days: int = 0  # how old the last backup may be; 0: nobody expects any

    @property
    def web_host(self) -> str:
        """Where the web listens. Behind a proxy on this machine alone: nobody gets past it and says who they are."""
        return "127.0.0.1" if self.proxies else self.bind

    @property
    def private_redis(self) -> bool:
        """Whether the Redis server is ours to start (its socket lies in ``CC_VAR``)."""
        return self.redis_url == f"unix://{self.redis_socket}"

    @property
    def redis_socket(self) -> Path:
        return self.var / "redis" / "redis.sock"

    @property
    def supervisor_socket(self) -> Path:
        return self.run_dir / "supervisor.sock"

    @property
    def supervisor_configuration(self) -> Path:
        return self.run_dir / "supervisord.conf"

    @property
    def run_dir(self) -> Path:
        """Where each long-running part writes its heartbeat (``jobs.heartbeat``)."""
        return self.var / "run"

    @property
    def attachments_dir(self) -> Path:
        """The photos and documents of reports (``jobs.filestore``)."""
        return self.var / "attachments"

    @property
    def pbx_dir(self) -> Path:
        """Everything that Asterisk reads and writes."""
        return self.var / "pbx"

    @property
    def sounds_dir(self) -> Path:
        """What the machine says on the telephone (``jobs.voice``): Asterisk reads it, and cannot change it."""
        return self.pbx_dir / "sounds"

    @property
    def remarks_dir(self) -> Path:
        """What citizens said after the tone (``jobs.remarks``), until it is kept: Asterisk writes it."""
        return self.pbx_dir / "remarks"

    @property
    def status_dids(self) -> tuple[str, ...]:
        """The forms of the status line's number under which the trunk may deliver a call; none where there is none."""
        beginnings = (f"+380{self.profile.area_code}", "+38", "+", "") if self.status_line else ()
        return tuple(dict.fromkeys(self.status_line.removeprefix(beginning) for beginning in beginnings))

    @property
    def prompts_dir(self) -> Path:
        """Sentences that the town recorded, each by its name: ``keys.wav``."""
        return self.var / "prompts"

    @property
    def cel_file(self) -> Path:
        return self.pbx_dir / "log" / "cel-custom" / "cel.csv"

    @property
    def restore_journal(self) -> Path:
        """What a restore has still to do while it puts things in their places (`jobs.restore`)."""
        return self.var / "restore.json"


def load_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings from ``environ``.

    Raises `SettingsError` for a value that cannot be meant: an unknown profile, a port that is not a number or
    is used twice, an RTP range that is empty.
    """
    env = environ.get("CC_ENV", "demo")
    if env not in ("demo", "production"):
        raise SettingsError(f"CC_ENV is {env!r}: write demo or production.")
    profile = PROFILES.get(environ.get("CC_PROFILE", "romny"))
    if profile is None:
        known = ", ".join(PROFILES)
        raise SettingsError(f"CC_PROFILE is {environ['CC_PROFILE']!r}: write one of {known}.")
    var = Path(environ.get("CC_VAR") or default_var(CHECKOUT)).absolute()
    settings = Settings(
        var=var,
        env=env,
        profile=profile,
        bind=environ.get("CC_BIND", "127.0.0.1"),
        proxies=_proxies(environ),
        web_port=_port(environ, "CC_WEB_PORT", 8000),
        sip_port=_port(environ, "CC_SIP_PORT", 5060),
        rtp_start=_port(environ, "CC_RTP_START", 10000),
        rtp_end=_port(environ, "CC_RTP_END", 10999),
        ami_port=_port(environ, "CC_AMI_PORT", 5038),
        agi_port=_port(environ, "CC_AGI_PORT", 4573),
        trunk_host=environ.get("CC_TRUNK_HOST", "127.0.0.2"),
        database_url=environ.get("CC_DATABASE_URL") or f"sqlite:///{var / 'contact-center.sqlite3'}",
        redis_url=environ.get("CC_REDIS_URL") or f"unix://{var / 'redis' / 'redis.sock'}",
        trunk_port=_port(environ, "CC_TRUNK_PORT", 5060),
        trunk_lines=_count(environ, "CC_TRUNK_LINES", 3),
        trunk_account=_trunk_account(environ),
        trunk_calls_from=_networks(environ, "CC_TRUNK_CALLS_FROM"),
        reserved_lines=_count(environ, "CC_RESERVED_LINES", 1),
        call_hours=_hours(environ, "CC_CALL_HOURS", "09:00-20:00"),
        call_sundays=_yes_or_no(environ, "CC_CALL_SUNDAYS"),
        status_line=_number(environ, "CC_STATUS_LINE", profile.area_code),
        mail_server=_mail_server(environ),
        mail_from=_mail_from(environ),
        public_url=_public_url(environ),
        backup_dir=_folder(environ, "CC_BACKUP_DIR"),
        backup_keep=max(_count(environ, "CC_BACKUP_KEEP", 14), 1),
        backup_days=_count(environ, "CC_BACKUP_DAYS", 1 if environ.get("CC_BACKUP_DIR") else 0),
    )
    _check_ports(settings)
    if len(str(settings.supervisor_socket)) > 90:  # the kernel's limit is 107, and supervisord adds its pid
        raise SettingsError(f"CC_VAR ({settings.var}) is too long a path for sockets: choose a shorter folder.")
    return settings


def shown(settings: Settings) -> dict[str, str]:
    """Every setting as it may be shown to people: without passwords."""
    from sqlalchemy import make_url

    found = {field.name: str(getattr(settings, field.name)) for field in fields(settings)}
    found["profile"] = settings.profile.name
    found["database_url"] = make_url(settings.database_url).render_as_string(hide_password=True)
    if "@" in settings.redis_url:  # a password stands before it
        found["redis_url"] = f"…@{settings.redis_url.rpartition('@')[2]}"
    return found


def refuse_half_restored(settings: Settings) -> None:
    """Raise `SettingsError` while a restore has put only a part of the data in place."""
    if settings.restore_journal.exists():
        raise SettingsError(
            f"A restore of the data in {settings.var} was broken off: run contact-center restore once more with the "
            "same file, it goes on where it stopped."
        )


def demo_only(settings: Settings) -> None:
    """Refuse, before anything is touched, what real citizens must never meet. Raises `SettingsError` in production."""
    if settings.env == "production":
        raise SettingsError("The demo town and its telephones are not for production: this is CC_ENV=production.")


def default_var(checkout: Path) -> Path:
    """Where all data lies unless ``CC_VAR`` says otherwise: ``var/`` in the checkout.

    Started by root, Asterisk runs under an account of its own. To a checkout in a closed folder, such as ``/root``,
    that account cannot pass, so the data lies in ``/var/lib/contact-center`` then.
    """
    open_to_all = all(folder.stat().st_mode & stat.S_IXOTH for folder in (checkout, *checkout.parents))
    return checkout / "var" if open_to_all or os.geteuid() != 0 else Path("/var/lib/contact-center")


def _proxies(environ: Mapping[str, str]) -> int:
    text = environ.get("CC_PROXY") or "0"
    if not re.fullmatch("[0-9]", text):
        raise SettingsError(f"CC_PROXY is {text!r}: write how many proxies stand in front of the web, 0 to 9.")
    return int(text)


def _mail_server(environ: Mapping[str, str]) -> MailServer | None:
    text = environ.get("CC_SMTP_URL", "").strip()
    if not text:
        return None
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    usable = parts.scheme in ("smtp", "smtps") and parts.hostname and parts.path in ("", "/") and port != 0
    if not usable or bool(parts.username) != bool(parts.password):
        # the value itself may hold a password
        raise SettingsError("CC_SMTP_URL cannot be understood: write smtp://USER:PASSWORD@HOST:PORT or smtps://….")
    encrypted = parts.scheme == "smtps"
    return MailServer(
        host=parts.hostname,
        port=port or (465 if encrypted else 587),
        encrypted=encrypted,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
    )


def _trunk_account(environ: Mapping[str, str]) -> TrunkAccount | None:
    user, password = environ.get("CC_TRUNK_USER", "").strip(), environ.get("CC_TRUNK_PASSWORD", "")
    if bool(user) != bool(password):
        missing = "CC_TRUNK_PASSWORD" if user else "CC_TRUNK_USER"
        raise SettingsError(f"{missing} is missing: the provider gave a name and a password, write both.")
    if not re.fullmatch(r"[\w.+-]*", user, re.ASCII):
        raise SettingsError(f"CC_TRUNK_USER is {user!r}: write the account's name alone, without the provider's host.")
    if re.search(r'[\x00-\x20;"\\\x7f]', password):
        raise SettingsError("CC_TRUNK_PASSWORD has a character that Asterisk cannot read: ask for another password.")
    return TrunkAccount(user, password) if user else None


def _networks(environ: Mapping[str, str], name: str) -> tuple[str, ...]:
    try:
        found = [ipaddress.IPv4Network(word) for word in environ.get(name, "").replace(",", " ").split()]
    except ValueError:
        raise SettingsError(
            f"{name} is {environ[name]!r}: write addresses or networks, such as 192.0.2.20, 198.51.100.0/24."
        ) from None
    for network in found:  # who calls from there is taken for the trunk, and can log in with no phone
        if network.prefixlen < 16 or (network.prefixlen < 32 and any(map(network.overlaps, _IN_HOUSE))):
            raise SettingsError(
                f"{name} has {network}, where phones of ours or strangers may be: write the provider's addresses alone."
            )
    return tuple(map(str, found))


def _mail_from(environ: Mapping[str, str]) -> str:
    text = environ.get("CC_MAIL_FROM", "").strip()
    try:
        address = read_address(text)
    except NoAddress:
        raise SettingsError(f"CC_MAIL_FROM is {text!r}: write an address such as center@town.gov.ua.") from None
    if not address and environ.get("CC_SMTP_URL", "").strip():
        raise SettingsError("CC_MAIL_FROM is missing: write the address from which letters come.")
    return address


def _public_url(environ: Mapping[str, str]) -> str:
    """Where people reach the pages; what stands in letters as the beginning of every link."""
    text = environ.get("CC_PUBLIC_URL", "").strip()
    if text and not re.fullmatch(r"https?://[\w.:\[\]-]+(/[\w./~-]*)?", text, re.ASCII):
        raise SettingsError(
            f"CC_PUBLIC_URL is {text!r}: write where people reach the pages, such as https://center.town.ua."
        )
    if not text and environ.get("CC_SMTP_URL", "").strip():
        raise SettingsError("CC_PUBLIC_URL is missing: write where people reach the pages, for the links in letters.")
    return text.rstrip("/")


def _port(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name) or str(default)
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise SettingsError(f"{name} is {text!r}: write a port number between 1 and 65535.")
    return int(text)


def _count(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name) or str(default)
    if not text.isdecimal() or int(text) > 1000:
        raise SettingsError(f"{name} is {text!r}: write how many, such as {default}.")
    return int(text)


def _folder(environ: Mapping[str, str], name: str) -> Path | None:
    text = environ.get(name) or ""
    if text and not text.startswith("/"):
        raise SettingsError(f"{name} is {text!r}: write the whole path of a folder, such as /mnt/backup.")
    return Path(text) if text else None


def _number(environ: Mapping[str, str], name: str, area_code: str) -> str:
    text = environ.get(name, "").strip()
    found = re.fullmatch(r"(?:\+?38)?0(\d{9})|(\d{5})", re.sub(r"[\s()-]", "", text), re.ASCII)
    if text and not found:
        raise SettingsError(f"{name} is {text!r}: write a telephone number, such as 5-11-11 or 05448 5-11-11.")
    return f"+380{found[1] or area_code + found[2]}" if found else ""


def _hours(environ: Mapping[str, str], name: str, default: str) -> tuple[time, time]:
    text = environ.get(name) or default
    begins, _dash, ends = text.partition("-")
    try:
        hours = time.fromisoformat(begins.strip()), time.fromisoformat(ends.strip().replace("24:00", "23:59:59"))
    except ValueError:
        hours = time(1), time(0)
    if hours[0] >= hours[1]:
        raise SettingsError(f"{name} is {text!r}: write from when until when, such as {default}.")
    return hours


def _yes_or_no(environ: Mapping[str, str], name: str) -> bool:
    text = environ.get(name) or "no"
    if text not in ("yes", "no"):
        raise SettingsError(f"{name} is {text!r}: write yes or no.")
    return text == "yes"


def _check_ports(settings: Settings) -> None:
    if settings.rtp_end - settings.rtp_start < 19:
        raise SettingsError("CC_RTP_END must be at least 19 above CC_RTP_START: each call needs two ports.")
    if settings.rtp_start <= settings.sip_port <= settings.rtp_end:
        raise SettingsError("CC_SIP_PORT lies between CC_RTP_START and CC_RTP_END: give calls' audio other ports.")
    named = {
        "CC_WEB_PORT": settings.web_port,
        "CC_AMI_PORT": settings.ami_port,
        "CC_AGI_PORT": settings.agi_port,
    }
    seen: dict[int, str] = {}
    for name, port in named.items():
        if port in seen:
            raise SettingsError(f"{name} and {seen[port]} are both {port}: give each its own port.")
        seen[port] = name


def load_secrets(settings: Settings) -> dict[str, str]:
    """The site's generated secrets, made on first use in ``CC_VAR/secrets.json`` (mode 0600).

    Keys: ``web`` (cookies and CSRF), ``ami_listen`` and ``ami_dial`` (Asterisk manager users). Of several processes
    that come first at once one makes them, and all get the same. Raises `SettingsError` when the file cannot be read
    or is damaged.
    """
    path = settings.var / "secrets.json"
    if (found := _read_secrets(path)).keys() >= _MADE_SECRETS:
        return found
    path.parent.mkdir(parents=True, exist_ok=True)
    with one_at_a_time(path.parent):
        found = _read_secrets(path)
        found |= {name: secrets.token_urlsafe(32) for name in sorted(_MADE_SECRETS - found.keys())}
        write_whole({path: json.dumps(found)}, mode=0o600)
    return found


def _read_secrets(path: Path) -> dict[str, str]:
    """What the file holds; nothing before it is made."""
    try:
        found = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SettingsError(f"{path} cannot be read ({error.strerror}): give it back to this user.") from error
    except ValueError:
        found = None
    usable = isinstance(found, dict) and all(
        isinstance(secret, str) and re.fullmatch(r"[\w-]{20,}", secret) for secret in found.values()
    )
    if not usable:
        raise SettingsError(f"{path} is damaged: move it away and start again, new secrets are made.")
    return found
