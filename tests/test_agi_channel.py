"""The AGI conversation: what is sent is one command a line, and nothing that arrives breaks it."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agi.channel import (
    COMMAND_BYTES,
    AGIInvalidCommand,
    AGIUnknownError,
    AGIUsageError,
    Channel,
    HungUp,
)

PATIENCE = 15.0


class Pair:
    """A channel that has read ``environment``, and the other end of its socket."""

    def __init__(self, environment: bytes = b"agi_uniqueid: 1.1\n\n", seconds: float = PATIENCE) -> None:
        self.ours, self.theirs = socket.socketpair()
        self.theirs.settimeout(PATIENCE)
        self.theirs.sendall(environment)
        self.channel = Channel(self.ours, time.monotonic() + seconds)

    def sent(self) -> bytes:
        return self.theirs.recv(65536)

    def close(self) -> None:
        self.ours.close()
        self.theirs.close()


@pytest.fixture
def pair() -> Iterator[Pair]:
    pair = Pair()
    yield pair
    pair.close()


def environment_of(said: bytes, *, hang_up: bool = False, seconds: float = PATIENCE) -> dict[str, str]:
    """The environment the channel reads when the peer says this."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        talk = threading.Thread(target=theirs.sendall, args=(said,), daemon=True)
        talk.start()
        if hang_up:
            talk.join(PATIENCE)
            theirs.close()
        try:
            return Channel(ours, time.monotonic() + seconds).env
        finally:
            ours.close()
            talk.join(PATIENCE)


def unquoted(text: bytes) -> str:
    """A quoted argument as Asterisk reads it."""
    assert text[:1] == text[-1:] == b'"'
    read, escaped = bytearray(), False
    for byte in text[1:-1]:
        if not escaped and byte == ord("\\"):
            escaped = True
            continue
        assert escaped or byte != ord('"'), "the quotes end inside the argument"
        read.append(byte)
        escaped = False
    assert not escaped
    return read.decode()


# ---- the environment


def test_environment_is_read_up_to_the_empty_line() -> None:
    env = environment_of(
        b"agi_callerid: 0671234567\nagi_calleridname: A: B \r\nno colon\nagi_arg_1:53273\n\nlater: no\n"
    )
    assert env == {"agi_callerid": "0671234567", "agi_calleridname": "A: B", "agi_arg_1": "53273"}


def test_first_value_of_a_doubled_key_wins() -> None:
    assert environment_of(b"agi_uniqueid: first\nagi_uniqueid: second\n\n") == {"agi_uniqueid": "first"}


def test_bytes_that_are_not_utf_8_are_kept_as_replacements() -> None:
    name = environment_of(b"agi_calleridname: " + "Іван".encode("cp1251") + b" 7\n\n")["agi_calleridname"]
    assert name.endswith(" 7")
    assert "�" in name


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(b"agi_x: y\n" * 201 + b"\n", id="201 lines"),
        pytest.param(b"agi_x: " + b"y" * 70_000 + b"\n\n", id="one line of 70 kB"),
        pytest.param(b"agi_x: " + b"y" * 70_000, id="70 kB without an end"),
        pytest.param((b"agi_x: " + b"y" * 1000 + b"\n") * 70 + b"\n", id="70 lines of 1 kB"),
    ],
)
def test_environment_without_measure_is_a_hang_up(said: bytes) -> None:
    with pytest.raises(HungUp):
        environment_of(said)


def test_environment_that_breaks_off_is_a_hang_up() -> None:
    with pytest.raises(HungUp):
        environment_of(b"agi_uniqueid: 1.1\nagi_calle", hang_up=True)


def test_deadline_ends_the_wait_for_a_silent_peer() -> None:
    with pytest.raises(HungUp):
        environment_of(b"agi_uniqueid: 1.1\n", seconds=0.05)


@given(st.binary(max_size=400))
def test_any_bytes_are_an_environment_or_a_hang_up(said: bytes) -> None:
    try:
        env = environment_of(said, hang_up=True)
    except HungUp:
        return
    assert all(isinstance(value, str) and "\n" not in value for value in env.values())


# ---- commands


@given(st.text(max_size=300))
def test_any_value_is_one_argument_of_one_line(text: str) -> None:
    pair = Pair()
    pair.theirs.sendall(b"200 result=1\n")
    pair.channel.set_variable("CC_X", text)
    line = pair.sent()
    pair.close()
    assert line.startswith(b'SET VARIABLE "CC_X" ')
    assert line.index(b"\n") == len(line) - 1
    kept = text.translate({ord("\r"): None, ord("\n"): None, 0: None}).encode("utf-8", "replace").decode()
    assert unquoted(line.removeprefix(b'SET VARIABLE "CC_X" ').removesuffix(b"\n")) == kept


@given(st.text(max_size=100))
def test_arguments_that_pyst2_leaves_unquoted_are_one_argument_too(text: str) -> None:
    pair = Pair()
    pair.theirs.sendall(b"200 result=1\n")
    pair.channel.set_callerid(text)
    line = pair.sent().decode()
    pair.close()
    assert line.count("\n") == 1
    argument = line.removeprefix("SET CALLERID").strip()
    assert argument[:1] == '"' or all(letter not in argument for letter in ' "\\\r')


def test_a_command_that_would_not_fit_is_not_sent(pair: Pair) -> None:
    with pytest.raises(ValueError, match="at most 8000"):
        pair.channel.set_variable("CC_X", '"' * (COMMAND_BYTES // 2))
    pair.theirs.sendall(b"200 result=1\n")
    pair.channel.noop()
    assert pair.sent() == b"NOOP\n"


@pytest.mark.parametrize(
    ("command", "args", "line"),
    [
        ("stream_file", ("beep", "12"), b'STREAM FILE beep "12" 0\n'),
        ("stream_file", ("a b\nHANGUP",), b'STREAM FILE "a bHANGUP" "" 0\n'),
        ("say_digits", ("0412",), b'SAY DIGITS "0412" ""\n'),
        ("appexec", ("Playback", 'x&"y"'), b'EXEC Playback "x&\\"y\\""\n'),
        ("channel_status", (), b"CHANNEL STATUS\n"),
        ("wait_for_digit", (5000,), b"WAIT FOR DIGIT 5000\n"),
        ("verbose", ("it's $x",), b'VERBOSE "it\'s $x" 1\n'),
        ("database_put", ("f", "k", "v"), b'DATABASE PUT "f" "k" "v"\n'),
    ],
)
def test_commands_of_pyst2_work(pair: Pair, command: str, args: tuple, line: bytes) -> None:
    pair.theirs.sendall(b"200 result=50\n")
    getattr(pair.channel, command)(*args)
    assert pair.sent() == line


# ---- replies


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        (b"200 result=1 (0671234567)\n", "0671234567"),
        (b"200 result=1 (hangup)\n", "hangup"),
        (b"200 result=1 (HANGUP)\n", "HANGUP"),
        (b"200 result=1 (a) (b)\n", "a) (b"),
        (b"200 result=1 (x endpos=3)\n", "x endpos=3"),
        (b"200 result=1 (result=-1)\n", "result=-1"),
        (b"200 result=1 ()\n", ""),
        (b"200 result=0\n", ""),
        (b"200 result=1 (one\r\nHANGUP\n511 three)\n", "one\nHANGUP\n511 three"),
        (b"200 result=1 (\xff)\n", "�"),
    ],
)
def test_a_value_is_a_value_whatever_it_says(pair: Pair, reply: bytes, value: str) -> None:
    pair.theirs.sendall(reply + b"200 result=1 (next)\n")
    assert pair.channel.get_variable("X") == value
    assert pair.channel.get_variable("Y") == "next"


def test_digits_and_end_position_are_told_apart(pair: Pair) -> None:
    pair.theirs.sendall(b"200 result=0 endpos=16000\n200 result= (timeout)\n200 result=42 (timeout)\n")
    assert pair.channel.execute("STREAM FILE", "beep", '""', 0) == {"result": ("0", ""), "endpos": ("16000", "")}
    assert pair.channel.get_data("beep") == ""
    assert pair.channel.get_data("beep") == "42"


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(b"511 Command Not Permitted on a dead channel or intercept routine\n", id="511"),
        pytest.param(b"200 result=-1\n", id="-1"),
        pytest.param(b"200 result=-1 (hangup) endpos=0\n", id="-1 with data"),
        pytest.param(b"HANGUP\n", id="HANGUP"),
        pytest.param(b"HANGUP\n200 result=1\n", id="HANGUP before the reply"),
        pytest.param(b"520-Invalid command syntax.\nHANGUP\n", id="HANGUP within a usage text"),
        pytest.param(b"200 result=1 (half\n" + b"x" * 70_000, id="a value without an end"),
        pytest.param(b"200 result=1 (half\n" + b"\n" * 70_000, id="a value of line ends"),
        pytest.param(b"x" * 70_000, id="a line without an end"),
        pytest.param(b"520-Usage\n" + b"more\n" * 20_000, id="a usage text without an end"),
    ],
)
def test_end_of_the_call_is_a_hang_up(pair: Pair, reply: bytes) -> None:
    talk = threading.Thread(target=pair.theirs.sendall, args=(reply,), daemon=True)
    talk.start()
    with pytest.raises(HungUp):
        pair.channel.set_variable("X", "1")
    pair.ours.close()
    talk.join(PATIENCE)


def test_hang_up_between_two_replies_is_noticed_at_the_next_command(pair: Pair) -> None:
    pair.theirs.sendall(b"200 result=1\nHANGUP\n200 result=1\n")
    pair.channel.set_variable("X", "1")
    with pytest.raises(HungUp):
        pair.channel.set_variable("Y", "1")


def test_closed_connection_is_a_hang_up(pair: Pair) -> None:
    pair.theirs.close()
    for _ in range(3):
        with pytest.raises(HungUp):
            pair.channel.set_variable("X", "1")


def test_silence_is_a_hang_up(pair: Pair) -> None:
    pair.channel.deadline = time.monotonic() + 0.05
    with pytest.raises(HungUp):
        pair.channel.set_variable("X", "1")


def test_peer_that_reads_nothing_is_a_hang_up(pair: Pair) -> None:
    pair.channel.deadline = time.monotonic() + 0.1

    def speak() -> None:
        for _ in range(10_000):
            pair.channel.send_command("NOOP", "x" * 7000)

    with pytest.raises(HungUp):
        speak()


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (b"510 Invalid or unknown command\n", AGIInvalidCommand),
        (b"520 Invalid command syntax.  Proper usage not available.\n", AGIUsageError),
        (b"520-Invalid command syntax.  Proper usage follows:\nUsage: X\n520 End of proper usage.\n", AGIUsageError),
        (b"\xff\xfe\x00garbage\n", AGIUnknownError),
        (b"\n", AGIUnknownError),
        (b"200 result=1 garbage\n", AGIUnknownError),
        (b"SIP/2.0 200 OK\n", AGIUnknownError),
    ],
)
def test_refusal_is_an_error_and_the_next_reply_is_the_next_commands(
    pair: Pair, reply: bytes, error: type[Exception]
) -> None:
    pair.theirs.sendall(reply + b"200 result=1 (next)\n")
    with pytest.raises(error):
        pair.channel.set_variable("X", "1")
    assert pair.channel.get_variable("Y") == "next"


@given(st.binary(max_size=300))
def test_any_bytes_are_a_result_an_error_of_agi_or_a_hang_up(reply: bytes) -> None:
    pair = Pair()
    pair.theirs.sendall(reply)
    pair.theirs.shutdown(socket.SHUT_WR)
    try:
        value, data = pair.channel.execute("GET VARIABLE", "X")["result"]
    except (HungUp, AGIInvalidCommand, AGIUnknownError, AGIUsageError):
        return
    finally:
        pair.close()
    assert reply.startswith(b"200 result=")
    assert value != "-1"


def test_nothing_is_written_to_the_standard_streams(pair: Pair, capfd: pytest.CaptureFixture[str]) -> None:
    pair.theirs.sendall(b"200 result=1 (secret)\n")
    assert pair.channel.get_variable("X") == "secret"
    assert capfd.readouterr() == ("", "")
