"""The command line on a full disk: one sentence, whatever the command was about to write."""

import errno
import hashlib
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.settings import Settings
from jobs.sipp import scenario
from tests.static_fixtures import compressed_anew
from webui import cli

CALLER = {
    "caller": "<sip:0671234567@127.0.0.2>",
    "line": "53273",
    "patience_ms": 60_000,
    "talk_ms": 60_000,
    "keys": [],
    "account": "",
    "to": "",
}


def is_full(path: Path) -> None:
    """Whatever is written to this file meets a full disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to("/dev/full")


def before_a_call(settings: Settings, _monkeypatch: pytest.MonkeyPatch) -> None:
    settings.supervisor_socket.parent.mkdir()
    settings.supervisor_socket.touch()  # a service runs
    name = hashlib.sha256(scenario("citizen", **CALLER).encode()).hexdigest()[:12]
    is_full(settings.var / "demo" / "citizen" / f"{name}.xml")


def before_the_secrets(settings: Settings, _monkeypatch: pytest.MonkeyPatch) -> None:
    (settings.var / "secrets.json").unlink()
    is_full(settings.var / "secrets.json.new")


def before_a_copy(_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def copy(*_arguments: object, **_options: object) -> None:
        raise shutil.Error([("app.css", "run/app.css", str(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))))])

    monkeypatch.setattr(shutil, "copytree", copy)
    monkeypatch.setattr("webui.static_files.compressed", compressed_anew)


@pytest.mark.usefixtures("exchange")
@pytest.mark.parametrize(
    ("fill", "command"),
    [
        (before_a_call, "demo call --from 0671234567 --to 5-32-73"),
        (before_the_secrets, "line list"),
        (before_a_copy, "health"),
    ],
)
def test_a_full_disk_is_said_in_one_sentence(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
    fill: Callable[[Settings, pytest.MonkeyPatch], None],
    command: str,
) -> None:
    fill(settings, monkeypatch)
    monkeypatch.setenv("CC_VAR", str(settings.var))
    monkeypatch.setattr(sys, "argv", ["contact-center", *command.split()])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    assert capsys.readouterr().err == "The disk is full: free some space and try again.\n"
