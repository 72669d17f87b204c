"""The CEL file put aside and deleted: no line is lost or read twice, whatever happens in between."""

import os
import random
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from jobs import celfile
from jobs.celfile import KEPT, OLD, Place, delete_read, earlier_files, parse, put_aside, read_lines

NOW = 1_795_000_000.0


def line(number: int, at: float = NOW - 60) -> bytes:
    """A line of the file, of a channel of its own."""
    columns = ("CHAN_START", f"{at:.6f}", f"romny-{number}.1", f"romny-{number}.1", "PJSIP/trunk-00000001")
    return ",".join(f'"{value}"' for value in (*columns, *[""] * 9)).encode() + b"\n"


class Exchange:
    """Writes as Asterisk does: the file is opened for each line, and closed before it is opened for the next."""

    def __init__(self, path: Path) -> None:
        self.written: list[bytes] = []
        self._path = path
        self._rest = b""
        self._file = None

    def begin(self, text: bytes, cut: int = 0) -> None:
        """Open the file and write the first ``cut`` bytes."""
        self._file = self._path.open("ab")
        self._file.write(text[:cut])
        self._file.flush()
        self._rest = text[cut:]
        self.written.append(text)

    def finish(self) -> None:
        if self._file is not None:
            self._file.write(self._rest)
            self._file.close()
            self._file = None

    def write(self, *lines: bytes) -> None:
        for text in lines:
            self.begin(text)
            self.finish()


class Reader:
    """Reads on as the reconciler does, from the place it noted down."""

    def __init__(self, path: Path) -> None:
        self.read: list[bytes] = []
        self.place: Place | None = None
        self._path = path

    def read_on(self) -> bool:
        lines, after = read_lines(self._path, self.place, NOW)
        if after in (None, self.place):
            return False
        self.read += lines
        self.place = after
        return True

    def read_all(self) -> None:
        while self.read_on():
            pass


@pytest.fixture
def cel(tmp_path: Path) -> Path:
    return tmp_path / "cel.csv"


@pytest.fixture
def exchange(cel: Path) -> Iterator[Exchange]:
    exchange = Exchange(cel)
    yield exchange
    exchange.finish()


@pytest.fixture
def reader(cel: Path) -> Reader:
    return Reader(cel)


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file is large enough to be put aside."""
    monkeypatch.setattr(celfile, "LARGE", 1)


def test_a_quoted_caller_name_is_read_whole():
    text = b'"CHAN_START","1.5","u","l","c","x","e","067","a ""b"", c","","","{""extra"":""1""}","",""\n'
    row = parse(text)
    assert (row["name"], row["extra"]) == ('a "b", c', '{"extra":"1"}')


def test_a_large_file_is_put_aside(cel, exchange, monkeypatch):
    exchange.write(line(1))
    monkeypatch.setattr(celfile, "LARGE", 2 * len(line(1)))
    put_aside(cel, NOW)
    assert earlier_files(cel) == []
    exchange.write(line(2))
    put_aside(cel, NOW)
    assert (cel.exists(), [file.name for file in earlier_files(cel)]) == (False, ["cel.csv.1"])


def test_a_file_of_yesterday_is_put_aside_even_when_its_first_line_is_garbled(cel, exchange):
    exchange.write(b"garbled\n", line(1, at=NOW - OLD + 1), line(2))
    put_aside(cel, NOW)
    assert earlier_files(cel) == []
    put_aside(cel, NOW + 1)
    assert len(earlier_files(cel)) == 1


def test_the_tenth_file_comes_after_the_ninth(cel, exchange, reader, always):
    """Their numbers tell the order, not the clock, which may be put back."""
    for number in range(12):
        exchange.write(line(number))
        put_aside(cel, NOW)
    assert [file.name for file in earlier_files(cel)] == [f"cel.csv.{number}" for number in range(1, 13)]
    (cel.parent / "cel.csv.old").write_bytes(line(99))
    reader.read_all()
    assert reader.read == exchange.written


def test_a_line_that_comes_late_into_a_file_put_aside_is_read(cel, exchange, reader, always):
    """Asterisk had the file open when it was renamed. The next file waits until the line is there."""
    exchange.write(line(1))
    exchange.begin(line(2))
    put_aside(cel, NOW)
    reader.read_all()
    exchange.finish()
    exchange.write(line(3))
    reader.read_all()
    assert reader.read == exchange.written


@pytest.mark.parametrize(("owner", "name"), [(celfile, "_size"), (Path, "open")])
def test_a_late_line_and_the_next_come_while_the_file_is_read(owner, name, cel, exchange, reader, always, monkeypatch):
    """The moment at which a later file is looked for, and the one at which it would be opened."""
    exchange.write(line(1))
    exchange.begin(line(2))
    put_aside(cel, NOW)
    reader.read_all()
    known = getattr(owner, name)

    def interrupted(path, *arguments):
        if path == cel and "ab" not in arguments and len(exchange.written) == 2:
            exchange.finish()
            exchange.write(line(3))
        return known(path, *arguments)

    monkeypatch.setattr(owner, name, interrupted)
    reader.read_all()
    monkeypatch.undo()
    exchange.finish()
    exchange.write(line(4))
    reader.read_all()
    assert reader.read == exchange.written


def test_half_a_line_in_a_file_put_aside_waits_for_its_other_half(cel, exchange, reader, always):
    exchange.write(line(1))
    exchange.begin(line(2), cut=50)
    put_aside(cel, NOW)
    reader.read_all()
    assert reader.read == [line(1)]
    exchange.finish()
    reader.read_all()
    assert reader.read == exchange.written


def test_half_a_line_that_nobody_finishes_does_not_stop_the_reading(cel, exchange, reader, always):
    """Asterisk was killed while it wrote. Its next line goes into the next file."""
    cel.write_bytes(line(1)[:50])
    put_aside(cel, NOW)
    exchange.write(line(2))
    reader.read_all()
    assert reader.read == [line(1)[:50], line(2)]


@pytest.mark.parametrize("seed", range(60))
def test_whatever_comes_between_each_line_is_read_once_in_order(seed, cel, exchange, reader, always):
    """Lines begun and ended, the file put aside, what was read deleted, the reader killed: in any order."""
    chance = random.Random(seed)
    number = 0
    for _step in range(80):
        act = chance.choice(["write", "begin", "finish", "put aside", "read", "read", "lose", "delete"])
        if act in ("write", "begin"):
            exchange.finish()
            number += 1
            exchange.begin(line(number), cut=chance.choice([0, 0, 60]))
        if act in ("write", "finish"):
            exchange.finish()
        if act == "put aside":
            put_aside(cel, NOW)
        if act == "read":
            reader.read_on()
        if act == "lose":  # what was read is written down with the place, or both are not
            read_lines(cel, reader.place, NOW)
        if act == "delete":
            delete_read(cel, reader.place, float("inf"))
    exchange.finish()
    reader.read_all()
    assert reader.read == exchange.written


@pytest.mark.parametrize("moment", ["before it is opened", "after it was opened"])
def test_another_process_may_put_the_file_aside_while_it_is_read(moment, cel, exchange, reader, always, monkeypatch):
    """One that starts while the former has not ended yet."""
    exchange.write(line(1))
    reader.read_all()
    exchange.write(line(2))
    name = {"before it is opened": "_position", "after it was opened": "_head"}[moment]
    known = getattr(celfile, name)

    def interrupted(*arguments):
        answer = known(*arguments)
        if (name == "_position" or open_files(cel)) and not earlier_files(cel):
            put_aside(cel, NOW)
            exchange.write(line(3), line(4), line(5))
        return answer

    monkeypatch.setattr(celfile, name, interrupted)
    reader.read_all()
    assert reader.read == exchange.written


def open_files(path: Path) -> int:
    return sum(os.path.realpath(file) == str(path) for file in Path("/proc/self/fd").iterdir())


def test_only_what_was_read_and_is_old_is_deleted(cel, exchange, reader, always):
    for number in range(4):
        exchange.write(line(number))
        put_aside(cel, NOW)
    first, second, third, fourth = earlier_files(cel)
    for file, age in ((first, KEPT + 1), (second, KEPT - 1), (third, KEPT + 1), (fourth, KEPT + 1)):
        os.utime(file, (NOW - age,) * 2)
    delete_read(cel, None, NOW)
    assert len(earlier_files(cel)) == 4
    reader.read_on()
    delete_read(cel, reader.place, NOW)
    assert len(earlier_files(cel)) == 4  # the first is the one being read
    reader.read_on()
    delete_read(cel, reader.place, NOW)
    assert earlier_files(cel) == [second, third, fourth]
    reader.read_all()
    delete_read(cel, reader.place, NOW)
    assert earlier_files(cel) == [second, fourth]  # the last may get a late line
    exchange.write(line(5))
    reader.read_all()
    delete_read(cel, reader.place, NOW)
    assert earlier_files(cel) == [second]
    assert reader.read == exchange.written


def test_with_an_older_database_all_that_came_since_is_read(cel, exchange, reader, always):
    """From a backup: the place is in a file of the day before yesterday, or in one that is deleted already."""
    places = []
    for number in range(4):
        exchange.write(line(number))
        reader.read_all()
        places.append(reader.place)
        put_aside(cel, NOW)
    exchange.write(line(4))
    reader.place, reader.read = places[1], []
    reader.read_all()
    assert reader.read == [line(2), line(3), line(4)]
    earlier_files(cel)[0].unlink()
    reader.place, reader.read = places[0], []
    reader.read_all()
    assert reader.read == [line(1), line(2), line(3), line(4)]


@contextmanager
def no_rights(folder: Path) -> Iterator[None]:
    """Without the right to change anything in the folder."""
    folder.chmod(0o555)
    account = os.geteuid()
    if account == 0:
        os.seteuid(65534)
    yield
    os.seteuid(account)
    folder.chmod(0o755)


def test_in_a_folder_that_may_not_be_written_all_stays_and_is_read(always):
    with tempfile.TemporaryDirectory(prefix="cc-") as folder:
        Path(folder).chmod(0o755)
        cel = Path(folder) / "cel.csv"
        exchange, reader = Exchange(cel), Reader(cel)
        exchange.write(line(1))
        put_aside(cel, NOW)
        exchange.write(line(2))
        reader.read_all()
        with no_rights(cel.parent):
            for act in (lambda: put_aside(cel, NOW), lambda: delete_read(cel, reader.place, float("inf"))):
                with pytest.raises(PermissionError):
                    act()
        exchange.write(line(3))
        reader.read_all()
        assert reader.read == exchange.written
        assert len(earlier_files(cel)) == 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.decode().strip()}")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def fill_up(disk: Path) -> Path:
    """Take all the room there is; returns the file that holds it."""
    filler = disk / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    return filler


def test_on_a_full_disk_the_file_stays_and_takes_what_it_can(small_disk, always):
    """Once there is room it is put aside. What is old is deleted meanwhile."""
    cel = small_disk / "cel.csv"
    exchange, reader = Exchange(cel), Reader(cel)
    exchange.write(line(1))
    put_aside(cel, NOW)
    exchange.write(line(2))
    reader.read_all()
    filler = fill_up(small_disk)
    put_aside(cel, NOW)
    exchange.write(line(3))  # into the room of its last block
    with pytest.raises(OSError, match="No space left"):
        exchange.write(*(line(number, at=NOW + number) for number in range(4, 100)))
    delete_read(cel, reader.place, float("inf"))
    assert earlier_files(cel) == []
    reader.read_on()
    assert reader.read[:3] == [line(1), line(2), line(3)]
    filler.unlink()
    put_aside(cel, NOW)
    assert len(earlier_files(cel)) == 1
