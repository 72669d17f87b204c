"""A backup: made while others write, whole or not there at all, told from a damaged one; and one a day."""

import io
import os
import sqlite3
import stat
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import NullPool, create_engine, func, select

from jobs import backup, sqlite_copy
from jobs.app import bare_app
from jobs.archive import BackupTrouble, writing
from jobs.backup import DATABASE, back_up, check_backup, last_backup
from jobs.daily_backup import back_up_daily
from jobs.database import prepare_database
from jobs.rounds import BACKUPS, Rounds
from jobs.settings import Settings, SettingsError, load_settings
from models.base import now, transaction
from models.calls import Call
from models.reports import Report
from models.workdays import KYIV
from tests.backup_fixtures import PHOTO, SPOKEN, fill_folders
from tests.helpers import close_database, eventually, record_call
from tests.test_reconcile import logged
from webui import cli
from webui.backup_probe import probe_backup

NIGHT = datetime(2026, 11, 27, 3, 0, tzinfo=KYIV)


@pytest.fixture
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a backup is written to."""
    return tmp_path_factory.mktemp("backups") / "town.zip"


def run_cli(monkeypatch: pytest.MonkeyPatch, settings: Settings, *arguments: str) -> int:
    monkeypatch.setenv("CC_VAR", str(settings.var))
    monkeypatch.setenv("CC_DATABASE_URL", settings.database_url)
    monkeypatch.setattr(os, "nice", lambda _by: 0)  # it would last for all tests
    monkeypatch.setattr(sys, "argv", ["contact-center", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return ended.value.code or 0


class Writing(threading.Thread):
    """Citizens call without a pause; each call and its draft are one transaction."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(daemon=True)
        self._settings, self._over = settings, threading.Event()
        self.written = 0

    def run(self) -> None:
        app = bare_app(self._settings, lock_seconds=60.0)
        with app.app_context():
            while not self._over.is_set():
                with transaction() as session:
                    record_call(session, uniqueid=f"load-{self.written + 1:06d}")
                self.written += 1
        close_database(app)

    def stop(self) -> None:
        self._over.set()
        self.join(60)


@pytest.fixture
def load(either: Settings) -> Iterator[Writing]:
    load = Writing(either)
    load.start()
    eventually(lambda: load.written >= 20, "some calls")
    yield load
    load.stop()


def restored_rows(settings: Settings, file: Path, folder: Path) -> tuple[list[str], int]:
    """The calls that the backup's database holds, and how many drafts of them."""
    with zipfile.ZipFile(file) as archive:
        database = Path(archive.extract(DATABASE, folder))
    if settings.database_url.startswith("sqlite"):
        url = f"sqlite:///{database}"
    else:
        from jobs.postgresql import load_beside

        url = load_beside(settings.database_url, database, "looked_at")
    with create_engine(url, poolclass=NullPool).connect() as connection:
        calls = list(connection.scalars(select(Call.uniqueid).order_by(Call.id)))
        drafts = connection.scalar(select(func.count(Report.call_id.distinct())))
    return calls, drafts


# ---- made while others write


def test_what_is_written_meanwhile_is_in_it_up_to_one_moment(
    either: Settings, load: Writing, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each call with its draft, none left out before the last: and the writer never waits for the backup."""
    monkeypatch.setattr(sqlite_copy, "_PAGES", 20)
    begun = load.written
    seen: list[int] = []

    def tell(what: str, _done: int, _whole: int) -> None:
        if what == "database" and len(seen) < 5:
            seen.append(load.written)
            eventually(lambda: load.written > seen[-1] + 2, "calls while the database is copied")

    back_up(either, file, tell)
    load.stop()
    calls, drafts = restored_rows(either, file, tmp_path / "looked_at")
    assert calls == [f"load-{number:06d}" for number in range(1, len(calls) + 1)]
    assert drafts == len(calls)
    assert begun <= len(calls) < load.written
    if either.database_url.startswith("sqlite"):
        assert len(seen) == 5
        assert len(calls) <= seen[0] + 1  # the moment at which it began, not that of its last page
    assert check_backup(file)["database"] == either.database_url.partition(":")[0].partition("+")[0]


def test_what_was_said_and_is_taken_over_meanwhile_is_in_it(
    settings: Settings, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`jobs.remarks` takes it to a report that the copied database does not know yet."""
    fill_folders(settings)
    copy = sqlite_copy.copy_database

    def take_over(*arguments: object) -> None:
        copy(*arguments)
        (settings.var / "pbx/remarks/7-9.wav").unlink()

    monkeypatch.setattr(sqlite_copy, "copy_database", take_over)
    back_up(settings, file)
    with zipfile.ZipFile(file) as archive:
        assert archive.read("pbx/remarks/7-9.wav") == SPOKEN


def test_what_is_in_it(settings: Settings, file: Path) -> None:
    fill_folders(settings)
    settings.cel_file.parent.mkdir(parents=True)
    settings.cel_file.write_bytes(logged("answered", "first"))
    settings.cel_file.with_name("cel.csv.4").write_bytes(logged("abandoned", "earlier"))
    for name in ("log/web.log", "pbx/sounds/x.wav", "run/agi.json", "redis/redis.sock", "pbx/etc/pjsip.conf"):
        (settings.var / name).parent.mkdir(parents=True, exist_ok=True)
        (settings.var / name).touch()
    (settings.var / "secrets.json").write_text('{"web": "wwwwwwwwwwwwwwwwwwwwww"}')
    back_up(settings, file)
    manifest = check_backup(file)
    names = {kept["name"] for kept in manifest["files"]}
    photo = next(path for path in settings.attachments_dir.rglob("*") if path.is_file() and not path.suffix)
    assert names == {
        DATABASE,
        f"attachments/{photo.parent.name}/{photo.name}",
        f"attachments/{photo.parent.name}/{photo.name}.small",
        "pbx/remarks/7-9.wav",
        "prompts/keys.wav",
        "prompts/запис міста (1).wav",
        "secrets.json",
        "pbx/log/cel-custom/cel.csv",
        "pbx/log/cel-custom/cel.csv.4",
    }
    assert (manifest["product"], manifest["profile"], manifest["env"]) == (backup.product_version(), "romny", "demo")
    assert now() - datetime.fromisoformat(manifest["made_at"]) < timedelta(minutes=5)
    with zipfile.ZipFile(file) as archive:
        assert archive.read(f"attachments/{photo.parent.name}/{photo.name}") == PHOTO


def test_only_its_owner_reads_it_and_nothing_lies_beside_it(settings: Settings, file: Path) -> None:
    back_up(settings, file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(file.parent.iterdir()) == [file]


def test_what_is_there_is_not_overwritten(
    settings: Settings, file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    file.write_text("something else")
    assert run_cli(monkeypatch, settings, "backup", str(file)) == 1
    assert capsys.readouterr().err == f"{file} is there already and is not overwritten: choose another name.\n"
    assert file.read_text() == "something else"


def test_what_a_killed_backup_left_goes_with_the_next(settings: Settings, file: Path) -> None:
    left = file.with_name(f".{file.name}.unfinished")
    left.mkdir()
    (left / DATABASE).write_bytes(b"half")
    back_up(settings, file)
    assert list(file.parent.iterdir()) == [file]


def test_two_do_not_write_the_same_at_once(settings: Settings, file: Path) -> None:
    def tell(_what: str, _done: int, _whole: int) -> None:
        with pytest.raises(BackupTrouble, match="Another backup is just being written"):
            back_up(settings, file)

    back_up(settings, file, tell)
    check_backup(file)


# ---- what cannot be done is one sentence


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.decode().strip()}")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize("full", ["before", "meanwhile"])
def test_a_full_disk_is_one_sentence_and_leaves_nothing(
    full: str,
    either: Settings,
    small_disk: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    (either.var / "prompts").mkdir()
    (either.var / "prompts" / "keys.wav").write_bytes(os.urandom(400_000))
    if full == "meanwhile":  # others fill it
        monkeypatch.setattr(backup, "_refuse_small_disk", lambda *_: None)
    assert run_cli(monkeypatch, either, "backup", str(small_disk / "town.zip")) == 1
    said = capsys.readouterr().err.splitlines()[-1]
    if full == "before":
        assert said.startswith(f"The disk of {small_disk} is too full for a backup, which may take ")
    else:
        assert said == "The disk is full: free some space and try again."
    assert list(small_disk.iterdir()) == []
    assert last_backup(either) is None


def test_every_write_that_meets_a_full_disk_leaves_nothing(
    settings: Settings, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_folders(settings)
    left = -1

    class Full(io.FileIO):
        def write(self, data: bytes) -> int:
            nonlocal left
            left -= 1
            if left < 0:
                raise OSError(28, os.strerror(28))
            return super().write(data)

    monkeypatch.setattr(backup, "open", lambda handle, _mode: Full(handle, "wb"), raising=False)
    for allowed in range(1000):
        left = allowed
        with suppress(OSError):
            back_up(settings, file)
            break
        assert list(file.parent.iterdir()) == []
    assert 10 < allowed < 999
    check_backup(file)


def test_a_missing_folder_is_one_sentence(
    settings: Settings, file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    assert run_cli(monkeypatch, settings, "backup", str(file.parent / "none" / "town.zip")) == 1
    assert "No such file or directory" in capsys.readouterr().err


@pytest.mark.parametrize("program", ["pg_dump", "pg_restore"])
def test_postgresqls_programs_are_named_where_they_are_missing(
    program: str, postgres_settings: Settings, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if program == "pg_restore":
        app = bare_app(postgres_settings)
        prepare_database(app)
        close_database(app)
        back_up(postgres_settings, file)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BackupTrouble, match=f"{program} is not installed.*apt-get install postgresql-client"):
        check_backup(file) if program == "pg_restore" else back_up(postgres_settings, file)


def test_a_damaged_database_is_not_backed_up_as_if_it_were_well(settings: Settings, file: Path) -> None:
    database = settings.var / "contact-center.sqlite3"
    with database.open("r+b") as torn:
        torn.seek(database.stat().st_size // 2)
        torn.write(os.urandom(20_000))
    with pytest.raises(BackupTrouble, match="is damaged|cannot be copied"):
        back_up(settings, file)
    assert list(file.parent.iterdir()) == []


# ---- whole, or not


@pytest.fixture
def made(settings: Settings, file: Path) -> Path:
    fill_folders(settings)
    back_up(settings, file)
    return file


def test_a_whole_one_is_called_whole(
    settings: Settings, made: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    assert run_cli(monkeypatch, settings, "backup", "--check", str(made)) == 0
    assert f"{made} is whole: made at 2" in capsys.readouterr().out
    assert list(made.parent.iterdir()) == [made]


def test_any_changed_byte_is_noticed(made: Path) -> None:
    whole = made.read_bytes()
    for place in {*range(0, len(whole), len(whole) // 60), *range(len(whole) - 200, len(whole), 13), len(whole) - 1}:
        made.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(BackupTrouble, match="is damaged, or is no backup of ours"):
            check_backup(made)


@pytest.mark.parametrize("change", ["cut", "cut by one", "empty", "longer", "torn", "another file", "another zip"])
def test_what_is_not_whole_is_refused(
    change: str, settings: Settings, made: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    whole = made.read_bytes()
    other = io.BytesIO()
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("manifest.json", "{}")
    made.write_bytes(
        {
            "cut": whole[: len(whole) // 2],
            "cut by one": whole[:-1],
            "empty": b"",
            "longer": whole + b"\n",
            "torn": whole[:9000] + bytes(4096) + whole[9000 + 4096 :],
            "another file": os.urandom(5000),
            "another zip": other.getvalue(),
        }[change]
    )
    assert run_cli(monkeypatch, settings, "backup", "--check", str(made)) == 1
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"{made} is damaged, or is no backup of ours: take another one."
    )


def sealed(file: Path, about: dict[str, object], **contents: bytes) -> Path:
    """A backup that somebody made by hand: its seal is right."""
    with file.open("xb") as target, writing(target) as archive:
        for name, content in contents.items():
            archive.add(name.replace("__", "/"), io.BytesIO(content), 0.0, lambda _size: None, packed=False)
        archive.add_manifest(about)
    return file


def test_a_database_that_cannot_be_read_is_noticed(file: Path) -> None:
    for number, (kind, content) in enumerate([("sqlite", b"SQLite format 3"), ("postgresql", b"PGDMP and no more")]):
        about = {"database": kind, "product": "0.1.0", "revision": "0024"}
        with pytest.raises(BackupTrouble, match="The database in .* cannot be read: take another backup"):
            check_backup(sealed(file.with_name(f"{number}.zip"), about, database=content))


def test_a_database_without_tables_is_no_backup(settings: Settings, file: Path) -> None:
    (settings.var / "contact-center.sqlite3").write_bytes(b"")
    with pytest.raises(BackupTrouble, match="has no tables yet: run contact-center database upgrade"):
        back_up(settings, file)
    with pytest.raises(BackupTrouble, match="The database in .* cannot be read"):
        check_backup(sealed(file, {"database": "sqlite", "revision": "0024"}, database=b""))


@pytest.mark.parametrize("name", ["..__x", "__etc__x", "attachments__..__..__x", "."])
def test_a_name_that_leads_elsewhere_is_refused(name: str, file: Path) -> None:
    with pytest.raises(BackupTrouble, match="is damaged"):
        check_backup(sealed(file, {"database": "sqlite"}, **{name: b"x"}))


# ---- one a day


@pytest.fixture
def daily(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    settings = replace(settings, backup_dir=tmp_path_factory.mktemp("daily"), backup_days=1, backup_keep=3)
    app = bare_app(settings)
    yield app
    close_database(app)


def kept(app: Flask) -> list[str]:
    return sorted(path.name for path in app.config["SETTINGS"].backup_dir.iterdir())


def test_a_backup_is_made_once_a_day_and_the_oldest_goes(daily: Flask) -> None:
    folder = daily.config["SETTINGS"].backup_dir
    (folder / "contact-center-by-hand.zip").touch()
    assert back_up_daily(daily, NIGHT - timedelta(minutes=1)) == ""
    assert len(kept(daily)) == 1
    for day in range(5):
        for hour in (0, 6, 20):
            assert back_up_daily(daily, NIGHT + timedelta(days=day, hours=hour)) == ""
    days = [f"contact-center-2026-{day}.zip" for day in ("11-29", "11-30", "12-01")]
    assert kept(daily) == [*days, "contact-center-by-hand.zip"]
    for day in days:
        check_backup(folder / day)


def test_a_folder_that_is_away_is_told_and_tried_again(daily: Flask) -> None:
    settings = daily.config["SETTINGS"]
    settings.backup_dir.rmdir()
    rounds = Rounds(daily, [replace(BACKUPS[0], run=lambda app, _at: back_up_daily(app, NIGHT))])
    rounds.run_due()
    assert rounds.trouble("backup").startswith("The daily backup cannot be written (No such file or directory)")
    settings.backup_dir.mkdir()
    assert back_up_daily(daily, NIGHT) == ""
    assert len(kept(daily)) == 1


def test_without_a_folder_none_is_made(app: Flask) -> None:
    assert back_up_daily(app, NIGHT) == ""
    assert last_backup(app.config["SETTINGS"]) is None


def test_the_settings_of_backups() -> None:
    plain = load_settings({})
    assert (plain.backup_dir, plain.backup_keep, plain.backup_days) == (None, 14, 0)
    daily = load_settings({"CC_BACKUP_DIR": "/mnt/backup", "CC_BACKUP_KEEP": "30"})
    assert (daily.backup_dir, daily.backup_keep, daily.backup_days) == (Path("/mnt/backup"), 30, 1)
    with pytest.raises(SettingsError, match="CC_BACKUP_DIR is 'backup': write the whole path of a folder"):
        load_settings({"CC_BACKUP_DIR": "backup"})


# ---- on the page of the service's health


def test_the_page_warns_only_where_backups_are_expected(settings: Settings, file: Path) -> None:
    daily = replace(settings, backup_days=1)
    assert (probe_backup(settings).ok, probe_backup(daily).ok) == (True, False)
    assert probe_backup(settings).todo
    back_up(settings, file)
    assert probe_backup(daily).ok
    assert not probe_backup(settings).todo


@pytest.mark.parametrize(("hours", "ok"), [(25, True), (27, False)])
def test_the_page_warns_after_more_than_a_day(settings: Settings, hours: int, ok: bool) -> None:
    at = now() - timedelta(hours=hours)
    (settings.var / "backup.json").write_text(f'{{"at": "{at.isoformat()}", "size": 1}}')
    assert probe_backup(replace(settings, backup_days=1)).ok is ok
    assert probe_backup(replace(settings, backup_days=2)).ok
    (settings.var / "backup.json").write_text("half")
    assert not probe_backup(replace(settings, backup_days=2)).ok


def test_the_copy_needs_no_lock_of_the_database(settings: Settings, file: Path) -> None:
    with closing(sqlite3.connect(settings.var / "contact-center.sqlite3", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        back_up(settings, file)
        check_backup(file)
