"""What stops the service from starting is one clear sentence, a non-zero exit, and nothing half-written."""

import os
import platform
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.serve import lock_folder
from jobs.settings import CHECKOUT, load_settings
from tests.helpers import free_port


@pytest.fixture
def var() -> Iterator[Path]:
    """A data folder that Asterisk's account can reach, not made yet."""
    with tempfile.TemporaryDirectory(prefix="cc-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder) / "var"


def start(var: Path, **environ: str) -> tuple[int, str]:
    """Try to start; the exit code and what was said as an error."""
    chosen = {"CC_VAR": str(var)}
    chosen |= {name: str(free_port()) for name in ("CC_WEB_PORT", "CC_AMI_PORT", "CC_AGI_PORT", "CC_SIP_PORT")}
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CC_")}
    done = subprocess.run(
        [sys.executable, "-m", "jobs.serve"], cwd=CHECKOUT, env=clean | chosen | environ, capture_output=True,
        text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.returncode, done.stderr.strip()


def written(var: Path) -> set[str]:
    """What lies in the folder, besides the lock that a start takes."""
    return {path.name for path in var.rglob("*") if path.is_file()} - {"lock"}


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        ({"CC_ENV": "test"}, "CC_ENV is 'test': write demo or production."),
        ({"CC_DATABASE_URL": "mysqlite:/x"}, "CC_DATABASE_URL cannot be understood"),
        ({"CC_CACHE": "/nonexistent", "PATH": "/usr/bin"}, "Asterisk 22.10.1 or later"),
    ],
)
def test_a_trouble_is_one_sentence(var: Path, environ: dict[str, str], sentence: str) -> None:
    code, said = start(var, **environ)
    assert code == 1
    assert sentence in said
    assert len(said.splitlines()) == 1
    assert written(var) == set()


def test_a_taken_port_is_one_sentence(var: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taker:
        code, said = start(var, CC_WEB_PORT=str(taker.getsockname()[1]))
    assert (code, len(said.splitlines())) == (1, 1)
    assert "set CC_WEB_PORT to another" in said
    assert written(var) == set()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts Asterisk under another account")
def test_a_folder_closed_to_the_exchange_is_one_sentence(var: Path) -> None:
    """Asterisk runs under its own account, which cannot pass through a folder such as /root."""
    var.parent.chmod(0o700)
    code, said = start(var)
    assert (code, len(said.splitlines())) == (1, 1)
    assert "set CC_VAR to a folder that it can reach" in said
    assert written(var) == set()


def test_an_old_asterisk_is_one_sentence(tmp_path: Path, var: Path) -> None:
    """An Asterisk before 22.10.1 has known holes: it is named and not used."""
    program = tmp_path / "cache" / "asterisk" / "usr" / "sbin" / "asterisk"
    program.parent.mkdir(parents=True)
    libraries = tmp_path / "cache" / "asterisk" / "usr" / "lib" / f"{platform.machine()}-linux-gnu"
    loader = libraries / "ld-linux-x86-64.so.2"
    loader.parent.mkdir(parents=True)
    program.touch()
    loader.write_text("#!/bin/sh\necho Asterisk 20.6.0~dfsg\n")
    loader.chmod(0o755)
    code, said = start(var, CC_CACHE=str(tmp_path / "cache"))
    assert (code, len(said.splitlines())) == (1, 1)
    if not Path("/usr/sbin/asterisk").exists():
        assert "20.6.0 was found" in said
    assert "script/setup" in said


@pytest.mark.parametrize("env", ["demo", "production"])
def test_a_database_of_a_newer_version_is_left_alone(var: Path, migrated_database: Path, env: str) -> None:
    """Neither can ring: the demo does not try, and production has never run here (tests/pbx/test_starts_again.py)."""
    var.mkdir()
    if env == "demo":
        (var / "pbx" / "etc").mkdir(parents=True)
        (var / "pbx" / "etc" / "extensions.conf").touch()
    copy = var / "contact-center.sqlite3"
    shutil.copy(migrated_database, copy)
    with sqlite3.connect(copy) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    code, said = start(var, CC_ENV=env)
    assert (code, len(said.splitlines())) == (1, 1)
    assert "newer version" in said
    with sqlite3.connect(copy) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == ("9999",)
    connection.close()
    assert not (var / "pbx" / "etc" / "asterisk.conf").exists()


def test_a_second_copy_on_one_folder_is_refused(tmp_path: Path) -> None:
    """It would write its own ports into the files that the first one's exchange reads at its next restart."""
    lock = lock_folder(load_settings({"CC_VAR": str(tmp_path)}))
    code, said = start(tmp_path)
    lock.close()
    assert (code, len(said.splitlines())) == (1, 1)
    assert "Another copy runs" in said
    assert written(tmp_path) == set()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_the_systemd_unit_is_understood(tmp_path: Path) -> None:
    """systemd itself finds nothing wrong with it, nor an unknown word; it is told where this checkout is."""
    unit = tmp_path / "contact-center.service"
    unit.write_text((CHECKOUT / "script" / unit.name).read_text().replace("/opt/contact-center", str(CHECKOUT)))
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
