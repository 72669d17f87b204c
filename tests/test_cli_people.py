"""Organisations and their people from the command line (A2)."""

import json

import pytest
from click.testing import CliRunner, Result

from webui.cli import cli
from webui.cli_tools import Refused


@pytest.fixture
def run(settings, monkeypatch):
    monkeypatch.setenv("CC_VAR", str(settings.var))

    def invoke(*words: str) -> Result:
        return CliRunner().invoke(cli, list(words))

    for name in ("КП «Міськсвітло»", "КП «Міськводоканал»"):
        assert invoke("organisation", "add", name).exit_code == 0
    return invoke


def test_people_of_an_organisation_and_who_controls_it(run):
    user = ("user", "add", "--generate", "--name", "Хтось")
    assert run(*user, "light", "--role", "operator", "--organisation", "світло").exit_code == 0
    assert run(*user, "luzan", "--role", "control_body").exit_code == 0
    assert "водоканал" in run("organisation", "control", "водоканал", "luzan").output
    listed = json.loads(run("organisation", "list", "--json").stdout)
    assert {row["name"]: row["controlled_by"] for row in listed} == {
        "КП «Міськводоканал»": "luzan",
        "КП «Міськсвітло»": "",
    }
    assert "none" in run("organisation", "control", "водоканал", "luzan", "--end").output


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("user", "add", "x", "--name", "X", "--generate", "--role", "operator"), "have an --organisation"),
        (
            ("user", "add", "x", "--name", "X", "--generate", "--role", "supervisor", "--organisation", "світло"),
            "nobody else",
        ),
        (("user", "add", "x", "--name", "X", "--generate", "--role", "head", "--organisation", "Місь"), "means КП"),
        (("organisation", "add", "КП «Міськсвітло»"), "already"),
        (("organisation", "add", " "), "at most 160"),
        (("organisation", "control", "світло", "nobody"), "no member of the control body"),
    ],
)
def test_what_cannot_be_meant_is_one_sentence(run, words, sentence):
    refused = run(*words)
    assert isinstance(refused.exception, Refused)  # `webui.cli.main` prints its sentence
    assert sentence in str(refused.exception)


def test_addresses_of_people_and_organisations(run):
    user = ("user", "add", "--generate", "--name", "Хтось", "--role", "administrator")
    assert run(*user, "tsapkova", "--email", " tsapkova@romny.example ").exit_code == 0
    assert run("user", "email", "tsapkova", "o.tsapkova@romny.example").exit_code == 0
    assert run("organisation", "email", "світло", "office@light.example").exit_code == 0
    assert run("organisation", "add", "КП «Тепло»", "--email", "heat@romny.example").exit_code == 0
    users = json.loads(run("user", "list", "--json").stdout)
    assert [row["email"] for row in users] == ["o.tsapkova@romny.example"]
    listed = json.loads(run("organisation", "list", "--json").stdout)
    assert {row["email"] for row in listed} == {"", "office@light.example", "heat@romny.example"}
    for words in (("user", "email", "tsapkova", "tsapkova"), ("organisation", "add", "x", "--email", "a@b")):
        refused = run(*words)
        assert isinstance(refused.exception, Refused)
        assert "is no e-mail address" in str(refused.exception)
