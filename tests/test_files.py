"""Files are written whole or not at all."""

import errno
import os
import stat
from pathlib import Path

import pytest

from jobs.files import write_whole


def test_what_is_written_can_be_read_by_nobody_else(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    write_whole({path: "ключ"}, mode=0o600)
    assert path.read_text() == "ключ"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["secrets.json"]


def test_one_file_that_cannot_be_written_leaves_all_as_they_were(tmp_path: Path) -> None:
    first, second = tmp_path / "extensions.conf", tmp_path / "pjsip.conf"
    write_whole({first: "old", second: "old"})
    (tmp_path / "pjsip.conf.new").mkdir()
    with pytest.raises(OSError, match="Is a directory"):
        write_whole({first: "new", second: "new"})
    assert (first.read_text(), second.read_text()) == ("old", "old")


def test_what_stands_there_already_asks_nothing_of_a_full_disk(tmp_path: Path) -> None:
    """A draft at ``/dev/full`` is what a full disk is: no byte goes there."""
    path = tmp_path / "supervisord.conf"
    write_whole({path: "same"})
    (tmp_path / "supervisord.conf.new").symlink_to("/dev/full")
    write_whole({path: "same"})
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        write_whole({path: "other"})
    assert path.read_text() == "same"
