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
    assert {"mmdebstrap", "chromium", "libatomic1"} <= set(advice.split())
    assert not (checkout / ".venv").exists()
