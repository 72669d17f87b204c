"""``script/setup`` on a machine where something is missing."""

import os
import shutil
import subprocess
from pathlib import Path

from jobs.settings import CHECKOUT


def test_who_may_not_install_packages_is_told_all_of_them_at_once(tmp_path: Path) -> None:
    """An ordinary user asks for one apt-get, not for one after the other; nothing is begun before."""
    checkout, programs = tmp_path / "checkout", tmp_path / "bin"
    (checkout / "script").mkdir(parents=True)
    for name in ("script/setup", "pyproject.toml", "constraints.txt"):
        shutil.copy(CHECKOUT / name, checkout / name)
    programs.mkdir()
    for name, text in (("id", "echo 1000"), ("dpkg-query", "exit 1")):  # an ordinary user, nothing installed
        (programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (programs / name).chmod(0o755)
    environ = os.environ | {"PATH": f"{programs}:/usr/bin:/bin", "CC_CACHE": str(tmp_path / "cache")}
    done = subprocess.run(
        [checkout / "script" / "setup", "--test"], env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    (advice,) = [line for line in done.stderr.splitlines() if "apt-get install" in line]
    assert {"mmdebstrap", "chromium", "libatomic1", "espeak-ng"} <= set(advice.split())
    assert not (checkout / ".venv").exists()


def test_the_set_up_goes_on_without_the_better_voice(tmp_path: Path) -> None:
    """RHVoice is asked for only where Debian's non-free is among the sources, once a day; espeak-ng is there else."""
    checkout, programs, sources = tmp_path / "checkout", tmp_path / "bin", tmp_path / "apt"
    (checkout / "script").mkdir(parents=True)
    for name in ("pyproject.toml", "constraints.txt"):
        shutil.copy(CHECKOUT / name, checkout / name)
    setup = checkout / "script" / "setup"
    setup.write_text((CHECKOUT / "script" / "setup").read_text().replace("/etc/apt", str(sources)))
    setup.chmod(0o755)
    for folder in (programs, sources):
        folder.mkdir()
    asked = tmp_path / "asked"
    for name, text in (("id", "echo 0"), ("dpkg-query", "exit 1"), ("apt-get", f'echo "$@" >>{asked}; exit 100')):
        (programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (programs / name).chmod(0o755)
    environ = os.environ | {"PATH": f"{programs}:/usr/bin:/bin", "CC_CACHE": str(tmp_path / "cache")}

    def run() -> list[str]:
        asked.write_text("")
        done = subprocess.run([setup], env=environ, capture_output=True, text=True, timeout=60, check=False)
        assert "espeak-ng" in done.stderr  # it fails at what it cannot do without, and not before
        return asked.read_text().splitlines()

    (sources / "sources.list").write_text("# deb http://mirror bookworm non-free\ndeb http://mirror bookworm main\n")
    assert len(run()) == 1
    (sources / "sources.list").write_text("deb http://mirror bookworm main non-free-firmware\n")
    assert len(run()) == 1
    (sources / "sources.list").write_text("deb http://mirror bookworm main contrib non-free\n")
    assert len(run()) == 2
    assert len(run()) == 1
