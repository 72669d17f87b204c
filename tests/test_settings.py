"""Wrong settings: one clear sentence each, before anything starts."""

import json
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE

import pytest

from jobs.prepare import check_ports_free
from jobs.settings import SettingsError, default_var, load_secrets, load_settings, shown
from tests.helpers import free_port


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        ({"CC_ENV": "test"}, "CC_ENV is 'test': write demo or production."),
        ({"CC_PROXY": "nginx"}, "CC_PROXY is 'nginx': write how many proxies stand in front of the web, 0 to 9."),
        ({"CC_PROFILE": "kyiv"}, "CC_PROFILE is 'kyiv': write one of romny, slavutych."),
        ({"CC_WEB_PORT": "eighty"}, "CC_WEB_PORT is 'eighty': write a port number between 1 and 65535."),
        ({"CC_AMI_PORT": "70000"}, "CC_AMI_PORT is '70000': write a port number between 1 and 65535."),
        ({"CC_AMI_PORT": "8000"}, "CC_AMI_PORT and CC_WEB_PORT are both 8000: give each its own port."),
        ({"CC_RTP_START": "10000", "CC_RTP_END": "10001"}, "CC_RTP_END must be at least 19 above CC_RTP_START"),
        ({"CC_SMTP_URL": "mail.town.ua"}, "CC_SMTP_URL cannot be understood: write smtp://USER:PASSWORD@HOST:PORT"),
        ({"CC_SMTP_URL": "smtp://geheim@host"}, "CC_SMTP_URL cannot be understood"),
        ({"CC_SMTP_URL": "smtp://host:99999"}, "CC_SMTP_URL cannot be understood"),
        ({"CC_SMTP_URL": "smtp://host"}, "CC_MAIL_FROM is missing: write the address from which letters come."),
        ({"CC_MAIL_FROM": "center"}, "CC_MAIL_FROM is 'center': write an address such as center@town.gov.ua."),
        (
            {"CC_SMTP_URL": "smtp://host", "CC_MAIL_FROM": "a@b.ua"},
            "CC_PUBLIC_URL is missing: write where people reach",
        ),
        ({"CC_PUBLIC_URL": "center.town.ua"}, "CC_PUBLIC_URL is 'center.town.ua': write where people reach the pages"),
        ({"CC_TRUNK_USER": "romny"}, "CC_TRUNK_PASSWORD is missing: the provider gave a name and a password"),
        ({"CC_TRUNK_PASSWORD": "geheim"}, "CC_TRUNK_USER is missing"),
        ({"CC_TRUNK_USER": "a@b", "CC_TRUNK_PASSWORD": "x"}, "CC_TRUNK_USER is 'a@b': write the account's name alone"),
        ({"CC_TRUNK_USER": "a", "CC_TRUNK_PASSWORD": "x;y"}, "CC_TRUNK_PASSWORD has a character that Asterisk cannot"),
        ({"CC_TRUNK_CALLS_FROM": "sip.ua"}, "CC_TRUNK_CALLS_FROM is 'sip.ua': write addresses or networks"),
        ({"CC_TRUNK_CALLS_FROM": "2001:db8::1"}, "CC_TRUNK_CALLS_FROM is '2001:db8::1': write addresses or networks"),
        ({"CC_TRUNK_CALLS_FROM": "0.0.0.0/0"}, "CC_TRUNK_CALLS_FROM has 0.0.0.0/0, where phones of ours or strangers"),
        ({"CC_TRUNK_CALLS_FROM": "192.168.1.0/24"}, "write the provider's addresses alone."),
        ({"CC_VAR": "/tmp/" + "x" * 90}, "is too long a path for sockets: choose a shorter folder."),
    ],
)
def test_a_wrong_setting_is_one_sentence(environ: dict[str, str], sentence: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(environ)
    assert sentence in str(caught.value)


def test_the_account_at_a_provider_is_read_and_its_password_is_shown_nowhere() -> None:
    environ = {
        "CC_TRUNK_USER": "romny",
        "CC_TRUNK_PASSWORD": "geheim",
        "CC_TRUNK_CALLS_FROM": "192.0.2.7, 198.51.100.0/24",
    }
    settings = load_settings(environ)
    assert (settings.trunk_account.user, settings.trunk_account.password) == ("romny", "geheim")
    assert settings.trunk_calls_from == ("192.0.2.7/32", "198.51.100.0/24")
    assert "geheim" not in f"{settings} {shown(settings)}"
    assert load_settings({}).trunk_account is None


def test_the_mail_server_is_read_and_its_password_is_shown_nowhere() -> None:
    environ = {"CC_MAIL_FROM": "center@romny.example", "CC_PUBLIC_URL": "https://center.romny.example/"}
    settings = load_settings(environ | {"CC_SMTP_URL": "smtps://center%40romny:ge%3Aheim@mail.romny.example"})
    mail = settings.mail_server
    assert (mail.host, mail.port, mail.encrypted, mail.user, mail.password) == (
        "mail.romny.example", 465, True, "center@romny", "ge:heim",
    )  # fmt: skip
    assert "heim" not in f"{settings} {mail}"
    assert settings.public_url == "https://center.romny.example"
    assert load_settings(environ | {"CC_SMTP_URL": "smtp://127.0.0.1"}).mail_server.port == 587
    assert load_settings(environ).mail_server is None


def test_defaults_stay_in_the_data_folder(tmp_path: Path) -> None:
    settings = load_settings({"CC_VAR": str(tmp_path)})
    assert settings.database_url == f"sqlite:///{tmp_path}/contact-center.sqlite3"
    assert settings.private_redis
    assert settings.bind == "127.0.0.1"
    assert not load_settings({"CC_VAR": str(tmp_path), "CC_REDIS_URL": "redis://127.0.0.1:1"}).private_redis


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts Asterisk under another account")
def test_the_data_of_a_checkout_in_a_closed_folder_lie_where_the_exchange_reaches_them(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    checkout.mkdir(mode=0o755)
    tmp_path.chmod(0o700)
    assert default_var(checkout) == Path("/var/lib/contact-center")
    assert default_var(Path("/usr/bin")) == Path("/usr/bin/var")


def test_secrets_are_made_once_and_kept_private(tmp_path: Path) -> None:
    settings = load_settings({"CC_VAR": str(tmp_path)})
    made = load_secrets(settings)
    assert load_secrets(settings) == made
    assert len(set(made.values())) == len(made) == 3
    assert min(len(secret) for secret in made.values()) >= 32
    assert stat.S_IMODE(os.stat(tmp_path / "secrets.json").st_mode) == 0o600
    assert json.loads((tmp_path / "secrets.json").read_text()) == made


def test_processes_that_come_first_at_once_get_the_same_secrets(tmp_path: Path) -> None:
    """Each would overwrite what another has taken already: Asterisk and the listener would not know each other."""
    program = "import sys; from jobs.settings import *; sys.stdin.read(); print(load_secrets(load_settings()))"
    environ = {**os.environ, "CC_VAR": str(tmp_path / "var")}
    first_ones = [
        subprocess.Popen([sys.executable, "-c", program], env=environ, stdin=PIPE, stdout=PIPE, text=True)
        for _ in range(8)
    ]
    for process in first_ones:
        process.stdin.close()  # they begin together
    told = {process.stdout.read() for process in first_ones}
    assert [process.wait(30) for process in first_ones] == [0] * 8
    assert told == {f"{load_secrets(load_settings({'CC_VAR': str(tmp_path / 'var')}))}\n"}


@pytest.mark.parametrize("content", ["{", "[]", "null", '"x"', '{"web": 5}', '{"web": "a\\nb"}', ""])
def test_damaged_secrets_are_one_sentence(tmp_path: Path, content: str) -> None:
    (tmp_path / "secrets.json").write_text(content)
    with pytest.raises(SettingsError, match="is damaged: move it away"):
        load_secrets(load_settings({"CC_VAR": str(tmp_path)}))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("CC_WEB_PORT", socket.SOCK_STREAM),
        ("CC_AMI_PORT", socket.SOCK_STREAM),
        ("CC_AGI_PORT", socket.SOCK_STREAM),
        ("CC_SIP_PORT", socket.SOCK_DGRAM),
    ],
)
def test_a_taken_port_is_named(tmp_path: Path, name: str, kind: socket.SocketKind) -> None:
    environ = {"CC_VAR": str(tmp_path), "CC_SIP_PORT": str(free_port())}
    environ |= {other: str(free_port()) for other in ("CC_WEB_PORT", "CC_AMI_PORT", "CC_AGI_PORT")}
    check_ports_free(load_settings(environ))
    with socket.socket(socket.AF_INET, kind) as taker:
        taker.bind(("127.0.0.1", int(environ[name])))
        if kind == socket.SOCK_STREAM:
            taker.listen()
        with pytest.raises(SettingsError, match=f"set {name} to another"):
            check_ports_free(load_settings(environ))


def test_secrets_that_cannot_be_read_are_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "secrets.json").mkdir()
    with pytest.raises(SettingsError, match="cannot be read"):
        load_secrets(load_settings({"CC_VAR": str(tmp_path)}))
