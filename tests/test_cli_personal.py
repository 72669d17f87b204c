"""Personal data from the command line: retention, export, erasure (A3)."""

import json
import zipfile

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from models.base import db
from models.people import AccessLog
from models.reports import Report
from tests.privacy_fixtures import NAME, fill_olena, make_old
from webui.cli import cli
from webui.cli_tools import Refused


@pytest.fixture
def run(web, settings, monkeypatch):
    monkeypatch.setenv("CC_VAR", str(settings.var))
    return lambda *words, typed="": CliRunner().invoke(cli, ["personal-data", *words], input=typed)


def test_the_dry_run_changes_nothing_and_the_run_ends_it(web, run):
    ids = fill_olena(web)
    make_old(web, 6)
    due = {row["kind"]: row["due"] for row in json.loads(run("retention", "--dry-run", "--json").stdout)}
    assert (due["reports"], due["consultations"]) == (2, 1)
    with web.app_context():
        assert db.session.get_one(Report, ids["closed"]).applicant_name == NAME
    ended = {row["kind"]: row["ended"] for row in json.loads(run("retention", "--json").stdout)}
    assert (ended["reports"], ended["consultations"], ended["persons"]) == (2, 1, 1)
    assert not any(row["due"] for row in json.loads(run("retention", "--dry-run", "--json").stdout))


def test_an_export_is_written_for_its_owner_alone_and_recorded(web, run, tmp_path):
    fill_olena(web)
    file = tmp_path / "dani.zip"
    done = run("export", "--as", "nachalnyk", "--output", str(file), typed="067 123 45 67\n\n")
    assert done.exit_code == 0, done.output
    assert file.stat().st_mode & 0o077 == 0
    with zipfile.ZipFile(file) as packed:
        assert len(json.loads(packed.read("dani.json"))["reports"]) == 3
    with web.app_context():
        assert "a person's data: export" in set(db.session.scalars(select(AccessLog.reason)))


def test_an_erasure_asks_why_and_once_more(web, run):
    ids = fill_olena(web)
    whom = "067 123 45 67\n\nЗаява № 5\n"
    assert run("erase", "--as", "nachalnyk", typed=f"{whom}n\n").exit_code == 1
    with web.app_context():
        assert db.session.get_one(Report, ids["closed"]).applicant_name == NAME
    done = run("erase", "--as", "nachalnyk", typed=f"{whom}y\n")
    assert done.exit_code == 0, done.output
    with web.app_context():
        assert db.session.get_one(Report, ids["closed"]).applicant_name == ""


@pytest.mark.parametrize(
    ("login", "typed", "sentence"),
    [
        ("tsapkova", "0671234567\n\n", "no supervisor"),
        ("nachalnyk", "12 яблук\n\n", "cannot be understood"),
        ("nachalnyk", "\n\n", "a name, or both"),
        ("nachalnyk", "0990000000\n\n", "Nothing is held"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(run, tmp_path, login, typed, sentence):
    for words in (("export", "--output", str(tmp_path / "x.zip")), ("erase",)):
        refused = run(*words, "--as", login, typed=typed)
        assert isinstance(refused.exception, Refused)
        assert sentence in str(refused.exception)
    assert not (tmp_path / "x.zip").exists()
