"""A restore: all as it was, killed at any step, refused where it must not be, and what happened since the backup."""

import os
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import NullPool, create_engine, make_url, select

from jobs.app import bare_app
from jobs.archive import BackupTrouble
from jobs.backup import SECRETS, back_up
from jobs.database import prepare_database
from jobs.demo_town import fill_demo_town
from jobs.postgresql import InUse
from jobs.prepare import main as prepare
from jobs.reconcile import Reconciler
from jobs.restore import restore
from jobs.serve import lock_folder
from jobs.settings import Settings, SettingsError, load_secrets
from models.attempts import Attempt, AttemptState
from models.base import db, now, transaction
from models.calling import Outcome
from models.calls import Call
from models.calltasks import TaskState, Why
from models.people import AccessLog, User
from models.reports import Report, ReportState
from models.restored import NOT_KNOWN
from tests.ami_fixtures import fill_town
from tests.backup_fixtures import files, fill_folders, put, rows
from tests.desk_fixtures import fill_desks
from tests.helpers import close_database, record_call
from tests.test_backup import run_cli, sealed
from tests.test_reconcile import append, logged, told_of_ours


@pytest.fixture
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a backup is written to."""
    return tmp_path_factory.mktemp("backups") / "town.zip"


def former(settings: Settings) -> Path:
    """The folder of the state that was put aside."""
    (folder,) = settings.var.glob("before-restore-*")
    return folder


def changed(settings: Settings) -> None:
    """People go on working after the backup."""
    app = bare_app(settings)
    with app.app_context(), transaction() as session:
        record_call(session, uniqueid="after-1")
        session.get_one(User, 1).name = "Інша І. І."
    close_database(app)
    put(settings, "attachments/cc/" + "c" * 64, b"a later photo")
    put(settings, "prompts/keys.wav", b"recorded anew")
    put(settings, "pbx/remarks/8-9.wav", b"said later")


# ---- there and back


@pytest.mark.long
def test_all_is_as_it_was(either: Settings, file: Path) -> None:
    """The demo town, three months of it; and what came later lies aside, whole."""
    app = bare_app(either)
    fill_demo_town(app)
    close_database(app)
    fill_folders(either)
    back_up(either, file)
    held, kept = rows(either), files(either.var)
    changed(either)
    later = (rows(either), files(either.var))
    said = restore(either, file).said
    calls_of_ours = ("call_tasks", "call_task_events", "call_attempts", "line_slots")  # here nobody knows of them
    assert rows(either, calls_of_ours) == {name: held[name] for name in held if name not in calls_of_ours}
    assert files(either.var) == kept
    assert not (either.var / "restoring").exists()
    assert files(former(either)) == later[1]
    assert str(former(either)) in said[0]
    assert rows(aside(either, said[0])) == later[0]


def aside(settings: Settings, said: str) -> Settings:
    """The settings with which the former database is looked at."""
    if settings.database_url.startswith("sqlite"):
        return replace(settings, database_url=f"sqlite:///{former(settings) / 'contact-center.sqlite3'}")
    name = said.partition("the database ")[2].partition(":")[0]
    url = make_url(settings.database_url).set(database=name)
    return replace(settings, database_url=url.render_as_string(hide_password=False))


def test_on_a_new_machine(settings: Settings, file: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Nothing is there yet: no database, no folder."""
    app = bare_app(settings)
    with app.app_context():
        fill_desks()
    close_database(app)
    fill_folders(settings)
    back_up(settings, file)
    var = tmp_path_factory.mktemp("new") / "var"
    new = replace(settings, var=var, database_url=f"sqlite:///{var / 'contact-center.sqlite3'}")
    restore(new, file)
    assert rows(new) == rows(settings)
    assert files(var) == files(settings.var)


def test_a_database_elsewhere_is_put_aside_where_it_lies(settings: Settings, file: Path, tmp_path_factory) -> None:
    place = tmp_path_factory.mktemp("other disk") / "town.sqlite3"
    (settings.var / "contact-center.sqlite3").rename(place)
    settings = replace(settings, database_url=f"sqlite:///{place}")
    back_up(settings, file)
    restore(settings, file)
    names = sorted(path.name.rpartition(".before-restore-")[0] or path.name for path in place.parent.iterdir())
    assert names == ["town.sqlite3", "town.sqlite3"]


def test_everybody_logs_in_again_and_the_exchanges_secrets_stay(settings: Settings, file: Path) -> None:
    """A cookie tells a user's number, and the number may become somebody else's."""
    before = load_secrets(settings)
    back_up(settings, file)
    restore(settings, file)
    after = load_secrets(settings)
    assert after.pop("web") != before.pop("web")
    assert after == before
    assert (settings.var / SECRETS).stat().st_mode & 0o777 == 0o600


def test_two_restores_in_one_second_keep_both_former_states(
    town: Settings, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = now()
    monkeypatch.setattr("jobs.restore.now", lambda: moment)
    for content in (b"first", b"second"):
        put(town, "prompts/keys.wav", content)
        restore(town, file)
    found = sorted(path.read_bytes() for path in town.var.glob("before-restore-*/prompts/keys.wav"))
    assert found == [b"first", b"second"]


def test_an_older_database_comes_forward(settings: Settings, file: Path) -> None:
    (settings.var / "contact-center.sqlite3").unlink()
    app = bare_app(settings)
    prepare_database(app, "0020")
    close_database(app)
    back_up(settings, file)
    restore(settings, file)
    app = bare_app(settings)
    with app.app_context():
        assert db.session.scalar(select(User.id)) is None
        revision = db.session.execute(db.text("SELECT version_num FROM alembic_version")).scalar()
    close_database(app)
    assert revision > "0020"


# ---- refused, and nothing touched


@pytest.fixture
def town(settings: Settings, file: Path) -> Settings:
    """A town with people, backed up, and changed since."""
    app = bare_app(settings)
    with app.app_context():
        fill_desks()
    close_database(app)
    fill_folders(settings)
    back_up(settings, file)
    changed(settings)
    return settings


def everything(settings: Settings) -> tuple[object, ...]:
    """All that a restore may change."""
    secrets = settings.var / SECRETS
    return rows(settings), files(settings.var), secrets.read_bytes() if secrets.exists() else b""


def test_the_service_must_stand(
    town: Settings, file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    before = everything(town)
    with lock_folder(town):
        assert run_cli(monkeypatch, town, "restore", str(file)) == 1
    told = capsys.readouterr().err.splitlines()
    assert told == [
        f"The service, or another restore, runs with {town.var}: stop it first (Ctrl-C where script/server runs, or "
        "systemctl stop contact-center), then restore."
    ]
    assert everything(town) == before


def test_nobody_starts_the_service_meanwhile(town: Settings, file: Path) -> None:
    def tell(_what: str, _done: int, _whole: int) -> None:
        with pytest.raises(SettingsError, match="Another copy runs"):
            lock_folder(town)

    restore(town, file, tell)
    lock_folder(town).close()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"revision": "9999"}, "comes from a newer version of the program"),
        ({"product": "99.0"}, "comes from a newer version of the program"),
        ({"database": "postgresql"}, "holds a database of postgresql, and CC_DATABASE_URL is one of sqlite"),
        ({"profile": "slavutych"}, "is of another town: CC_PROFILE must be slavutych"),
        ({"format": 2}, "comes from a newer version of the program"),
    ],
)
def test_what_does_not_belong_here_is_refused(
    change: dict[str, object], sentence: str, town: Settings, file: Path
) -> None:
    about = {"database": "sqlite", "product": "0.1.0", "revision": "0024", "profile": "romny", "env": "demo"}
    before = everything(town)
    with pytest.raises(BackupTrouble, match=sentence):
        restore(town, sealed(file.with_name("other.zip"), about | change, database=b"x"))
    assert everything(town) == before
    assert not (town.var / "restoring").exists()


def test_a_backup_of_the_demo_town_is_not_for_production(town: Settings, file: Path) -> None:
    with pytest.raises(BackupTrouble, match="holds the demo town, which is not for production"):
        restore(replace(town, env="production"), file)


def test_a_damaged_backup_touches_nothing(town: Settings, file: Path) -> None:
    before, whole = everything(town), file.read_bytes()
    file.write_bytes(whole[:-9000] + bytes(100) + whole[-8900:])
    with pytest.raises(BackupTrouble, match="is damaged"):
        restore(town, file)
    about = {"database": "sqlite", "product": "0.1.0", "revision": "0024", "profile": "romny", "env": "demo"}
    with pytest.raises(BackupTrouble, match="The database in .* cannot be read"):
        restore(town, sealed(file.with_name("other.zip"), about | {"made_at": now().isoformat()}, database=b"x"))
    assert everything(town) == before
    assert not (town.var / "restoring").exists()


def test_a_full_disk_touches_nothing(town: Settings, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = everything(town)
    monkeypatch.setattr("jobs.restore.bring_up", lambda *_: (_ for _ in ()).throw(OSError(28, "full", "x")))
    with pytest.raises(OSError, match="full"):
        restore(town, file)
    assert everything(town) == before
    assert not (town.var / "restoring").exists()


def test_who_is_connected_to_postgresql_is_not_thrown_out(postgres_settings: Settings, file: Path) -> None:
    app = bare_app(postgres_settings)
    prepare_database(app)
    close_database(app)
    back_up(postgres_settings, file)
    with create_engine(postgres_settings.database_url, poolclass=NullPool).connect() as other:
        other.execute(select(User.id))
        with pytest.raises(InUse, match="Others are connected to the database"):
            restore(postgres_settings, file)


def test_who_connects_at_the_last_moment_neither(
    postgres_settings: Settings, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = bare_app(postgres_settings)
    prepare_database(app)
    close_database(app)
    back_up(postgres_settings, file)
    monkeypatch.setattr("jobs.postgresql.others_in", lambda _url: 0)
    with create_engine(postgres_settings.database_url, poolclass=NullPool).connect() as other:
        other.execute(select(User.id))
        with pytest.raises(InUse):
            restore(postgres_settings, file)
    assert not postgres_settings.restore_journal.exists()
    restore(postgres_settings, file)


# ---- killed


def killed(settings: Settings, file: Path, at_step: int, counts: Callable[[str, tuple], bool]) -> bool:
    """Restore in a process that is killed before the step of this number; whether it was."""
    child = os.fork()
    if child == 0:
        step = 0

        def watch(event: str, arguments: tuple) -> None:
            nonlocal step
            if counts(event, arguments):
                step += 1
                if step == at_step:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(watch)
        try:
            restore(settings, file)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def is_a_step(event: str, arguments: tuple) -> bool:
    """Whatever changes names."""
    return event in ("os.rename", "os.remove", "os.rmdir", "os.mkdir")


def is_a_large_step(event: str, arguments: tuple) -> bool:
    """Whatever puts something in another place, every program that is started, the end of what was made ready."""
    return event in ("os.rename", "subprocess.Popen", "shutil.rmtree")


def half_done(settings: Settings) -> bool:
    """Whether the journal is there, so that nothing may look at the data."""
    if not settings.restore_journal.exists():
        return False
    with pytest.raises(SettingsError, match="run contact-center restore once more"):
        bare_app(settings)
    return True


@pytest.mark.long
def test_killed_before_any_step_the_old_state_is_whole_or_the_next_run_finishes(either: Settings, file: Path) -> None:
    app = bare_app(either)
    with app.app_context():
        fill_desks()
    close_database(app)
    fill_folders(either)
    back_up(either, file)
    restore(either, file)  # everything is imported, and the secrets are no more the first ones
    wanted = (rows(either), files(either.var))
    counts = is_a_step if either.database_url.startswith("sqlite") else is_a_large_step
    step, finished, whole = 1, 0, 0
    while True:
        changed_at = f"killed-{step}"
        app = bare_app(either)
        with app.app_context(), transaction() as session:
            record_call(session, uniqueid=changed_at)
        close_database(app)
        put(either, "prompts/keys.wav", changed_at.encode())
        before = (rows(either), files(either.var))
        if not killed(either, file, step, counts):
            break
        if half_done(either):
            assert restore(either, file).finished
            finished += 1
        elif (rows(either), files(either.var)) == before:
            whole += 1
            restore(either, file)
        assert (rows(either), files(either.var)) == wanted
        assert not (either.var / "restoring").exists()
        step += 1
    assert (rows(either), files(either.var)) == wanted
    assert finished >= 5
    assert whole >= 5


def test_the_service_does_not_start_on_half_a_restore(
    town: Settings, file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """The exchange rings by its former files meanwhile, as with every trouble of the data."""

    def is_swapping(event: str, arguments: tuple) -> bool:
        return event == "os.rename" and "before-restore" in str(arguments[1])

    assert killed(town, file, 2, is_swapping)
    assert half_done(town)
    for name, value in {"CC_VAR": town.var, "CC_WEB_PORT": town.web_port, "CC_AGI_PORT": town.agi_port}.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setattr("jobs.prepare.check_machine", lambda *_arguments, **_options: None)
    monkeypatch.setattr("jobs.prepare.write_configuration", lambda *_: None)
    monkeypatch.setattr(sys, "argv", ["prepare"])
    assert prepare() == 1
    assert "A restore of the data" in capsys.readouterr().err
    with pytest.raises(SettingsError, match="A restore of the data"):
        back_up(town, file.with_name("other.zip"))
    assert run_cli(monkeypatch, town, "restore", str(file)) == 0
    assert "A restore had been broken off and is finished now" in capsys.readouterr().out


# ---- what happened since


@pytest.fixture
def cel(app: Flask, settings: Settings) -> Path:
    """The exchange's file of calls, read up to its end; lines and people are there."""
    fill_town(app)
    settings.cel_file.parent.mkdir(parents=True)
    append(settings.cel_file, logged("answered", "before"))
    read(app)
    return settings.cel_file


def read(app: Flask) -> None:
    reconciler = Reconciler(app)
    while reconciler.read_on():
        pass
    close_database(app)


def unique_ids() -> set[str]:
    db.session.rollback()
    return {call.uniqueid.split("-")[1] for call in db.session.scalars(select(Call))}


def test_calls_that_came_after_it_are_found_in_the_exchanges_file(app, settings, cel, file, monkeypatch) -> None:
    """Also those of the last moment, which the reconciler leaves to others while the service runs."""
    back_up(settings, file)
    append(cel, logged("answered", "after1"))
    cel.rename(cel.with_name("cel.csv.1"))
    append(cel, logged("no_answer", "after2"))
    with monkeypatch.context() as recent:
        for module in ("celfile", "reconcile"):
            recent.setattr(f"jobs.{module}.FRESH", 365 * 86_400.0)  # all lines are of the last moment
        said = restore(settings, file).said
    assert "found in the exchange's file: 2;" in said[1]
    assert unique_ids() == {"before", "after1", "after2"}
    assert len(db.session.scalars(select(Report)).all()) == 3
    close_database(app)
    append(cel, logged("abandoned", "later"))  # and it is read on from there
    read(app)
    assert unique_ids() == {"before", "after1", "after2", "later"}


def test_calls_that_nobody_had_read_when_it_was_made_come_with_it(
    app, settings, cel, file, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The reconciler was away, and the disk is lost: the backup's own copy of the file tells."""
    append(cel, logged("answered", "unread"))
    back_up(settings, file)
    close_database(app)
    var = tmp_path_factory.mktemp("new") / "var"
    restore(replace(settings, var=var, database_url=f"sqlite:///{var / 'contact-center.sqlite3'}"), file)
    new = bare_app(replace(settings, var=var, database_url=f"sqlite:///{var / 'contact-center.sqlite3'}"))
    with new.app_context():
        assert unique_ids() == {"before", "unread"}
    close_database(new)


def planned(calls, app) -> int:
    """A call of ours that was planned, and not dialled yet."""
    calls.done()
    calls.sync()
    (attempt,) = calls.plan()
    close_database(app)
    return attempt


def test_what_was_planned_is_not_dialled_again(app, settings, cel, calls, file) -> None:
    """It was dialled a second later, for all that anybody knows: a person decides (C5)."""
    attempt = planned(calls, app)
    back_up(settings, file)
    said = restore(settings, file).said
    assert (calls.attempt(attempt).state, calls.attempt(attempt).outcome) == (AttemptState.UNKNOWN, Outcome.UNKNOWN)
    assert (calls.tasks()[0].state, calls.tasks()[0].why) == (TaskState.PERSON, Why.UNKNOWN)
    calls.at = now()
    assert calls.plan() == []
    assert any("nobody knows whether they were made: 1." in sentence for sentence in said)


def test_how_it_ended_the_exchanges_file_tells(app, settings, cel, calls, file) -> None:
    attempt = planned(calls, app)
    back_up(settings, file)
    task = calls.tasks()[0].id
    close_database(app)
    key = ("CC_KEY", f'{{"extra":"{task}:1"}}')
    append(cel, told_of_ours(attempt, ("ANSWER", ""), key, ("HANGUP", '{"hangupcause":16}'), ("CHAN_END", "")))
    restore(settings, file)
    assert (calls.attempt(attempt).state, calls.attempt(attempt).outcome) == (AttemptState.SETTLED, Outcome.ANSWERED)
    assert calls.tasks()[0].report.state == ReportState.CLOSED


def test_calls_of_which_the_backup_knows_nothing_are_not_made_again(app, settings, cel, calls, file) -> None:
    """Their numbers are not given to others either: what the file tells of them would be taken for those."""
    calls.done()
    calls.sync()
    close_database(app)
    back_up(settings, file)
    append(cel, told_of_ours(57, ("ANSWER", ""), ("CC_KEY", '{"extra":"1:1"}'), ("HANGUP", '{"hangupcause":16}')))
    restore(settings, file)
    assert (calls.tasks()[0].state, calls.tasks()[0].why) == (TaskState.PERSON, Why.UNKNOWN)
    assert calls.tasks()[0].report.state == ReportState.DONE
    assert calls.attempt(57).note == NOT_KNOWN
    with transaction() as session:
        session.add(Attempt(number="+380671234567", planned_at=now()))
    assert max(db.session.scalars(select(Attempt.id))) == 58


def test_what_is_due_waits_on_where_the_file_tells_that_no_call_was_made(app, settings, cel, calls, file) -> None:
    calls.done()
    calls.sync()
    close_database(app)
    back_up(settings, file)
    append(cel, logged("answered", "after"))
    restore(settings, file)
    assert calls.tasks()[0].state == TaskState.WAITING


def test_without_the_file_nobody_knows_what_was_called(app, settings, cel, calls, file) -> None:
    calls.done()
    calls.sync()
    close_database(app)
    back_up(settings, file)
    cel.unlink()
    restore(settings, file)
    assert (calls.tasks()[0].state, calls.tasks()[0].why) == (TaskState.PERSON, Why.UNKNOWN)


def test_on_postgresql_numbers_of_attempts_go_on_after_those_that_the_file_tells(
    postgres_settings: Settings, file: Path
) -> None:
    app = bare_app(postgres_settings)
    prepare_database(app)
    close_database(app)
    back_up(postgres_settings, file)
    postgres_settings.cel_file.parent.mkdir(parents=True)
    append(postgres_settings.cel_file, told_of_ours(57, ("ANSWER", "")))
    restore(postgres_settings, file)
    with app.app_context():
        with transaction() as session:
            session.add(Attempt(number="+380671234567", planned_at=now()))
        assert sorted(db.session.scalars(select(Attempt.id))) == [57, 58]
    close_database(app)


def test_who_was_erased_since_is_told(app, settings, cel, file) -> None:
    back_up(settings, file)
    user = db.session.scalars(select(User.id)).first()
    erased = now() + timedelta(minutes=1)
    with transaction() as session:
        for at, subject in ((erased, "erasure"), (erased, "report"), (now() - timedelta(days=1), "erasure")):
            session.add(AccessLog(user_id=user, at=at, subject=subject, subject_id=1, reason="x"))
    close_database(app)
    (told,) = [sentence for sentence in restore(settings, file).said if "erased since are back" in sentence]
    assert told.startswith("Persons who were erased since are back (1: 20")
    assert "contact-center personal-data erase" in told


def test_who_was_erased_since_is_not_known_without_the_former_database(settings: Settings, file: Path) -> None:
    back_up(settings, file)
    (settings.var / "contact-center.sqlite3").write_bytes(b"no database" * 1000)
    assert any(sentence.startswith("Who was erased since is back") for sentence in restore(settings, file).said)
