"""The manager interface made safe: whatever is said, however late, nobody waits for ever and nobody gets another's
answer."""

import threading

import pytest

from jobs.ami import Manager, ManagerAuthException, ManagerException, ManagerSocketException, Message, NoAnswer
from tests.ami_fixtures import GREETING, Exchange
from tests.helpers import eventually


@pytest.fixture
def exchange():
    exchange = Exchange(0)
    yield exchange
    exchange.close()


@pytest.fixture
def manager(exchange):
    manager = Manager(action_seconds=2.0)
    manager.connect("127.0.0.1", exchange.port)
    manager.login("listen", "secret")
    yield manager
    manager.close()


def event(**headers: str) -> bytes:
    lines = [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


def hear(manager: Manager):
    heard = manager.next_event(5)
    assert heard is not None
    return heard


def test_the_greeting_gives_title_and_version(manager):
    assert (manager.title, manager.version) == ("Asterisk Call Manager", "11.0.0")
    assert manager.connected()


def test_a_refused_login_raises(exchange):
    exchange.answer = lambda action: (
        f"Response: Error\r\nActionID: {action['ActionID']}\r\nMessage: Authentication failed\r\n\r\n".encode()
    )
    manager = Manager()
    manager.connect("127.0.0.1", exchange.port)
    with pytest.raises(ManagerAuthException, match="Authentication failed"):
        manager.login("listen", "wrong")
    manager.close()


def test_events_come_in_order(exchange, manager):
    exchange.say(*(event(Event="Newstate", Number=str(number)) for number in range(500)))
    assert [hear(manager)["Number"] for _ in range(500)] == [str(number) for number in range(500)]


HOSTILE = {
    "channel variables": b"Event: Newstate\r\nChanVariable: A=1\r\nChanVariable: B\r\nDestChanVariable(x)=: =\r\n\r\n",
    "a repeated header": b"Event: Newstate\r\nUniqueid: 1\r\nUniqueid: 2\r\n\r\n",
    "status will follow": b"Event: Newchannel\r\nCallerIDName: Channel status will follow\r\n\r\n",
    "end of command": b"Event: Newchannel\r\nCallerIDName: --END COMMAND--\r\n\r\n",
    "not UTF-8": "Event: Newchannel\r\nCallerIDName: Олена\r\n\r\n".encode("cp1251"),
    "emoji": "Event: Newchannel\r\nCallerIDName: 📞\r\n\r\n".encode(),
    "an event in a name": b"Event: Newchannel\r\nCallerIDName: x\nEvent: Hangup\r\n\r\n",
    "a lone carriage return": b"Event: Newchannel\r\nCallerIDName: a\rb\r\n\r\n",
    "a line without a colon": b"Event: Newchannel\r\nnothing\r\n: empty\r\n\r\n",
    "a fake response": b"Event: Newchannel\r\nCallerIDName: Response: Follows\r\n\r\n",
    "only nonsense": b"\xff\xfe\x00\r\n\r\n",
    "an unasked response": b"Response: Success\r\nActionID: cc-99999\r\n\r\n",
    "a second event in a number": b"Event: Newchannel\r\nNum: 067\r\n\r\nX: y\r\n\r\nName: x\r\nUniqueid: 1\r\n\r\n",
    "empty lines": b"\r\n\r\n\r\n\r\n",
    "4 kB of name": b"Event: Newchannel\r\nCallerIDName: " + b"x" * 4096 + b"\r\n\r\n",
    "a line without end": b"Event: Newchannel\r\nCallerIDName: " + b"x" * 500_000 + b"\r\n\r\n",
    "ten thousand headers": b"Event: Newchannel\r\n" + b"H: v\r\n" * 10_000 + b"\r\n",
}


@pytest.mark.parametrize("said", HOSTILE.values(), ids=HOSTILE)
def test_hostile_content_does_no_harm(said, exchange, manager):
    """After it the next event is heard, an action gets its answer, and nothing hostile became an event of its own."""
    exchange.say(said, event(Event="After", Mark="1"))
    names = []
    while (heard := hear(manager)).name != "After":
        names.append(heard.name)
    assert "Hangup" not in names
    assert heard["Mark"] == "1"
    assert manager.ping().get_header("Response") == "Success"
    assert manager.connected()


def test_a_header_put_in_by_a_caller_makes_the_message_doubtful():
    """A number with %0d%0a in the SIP address arrives with its line breaks."""
    genuine = ["Event: Newchannel", "CallerIDNum: 067", "Uniqueid: a.1", "ChanVariable: X=1", "ChanVariable: Y=1"]
    assert not Message(genuine).doubtful
    assert Message([*genuine[:2], "Uniqueid: victim", *genuine[2:]]).doubtful


def test_an_answer_that_a_caller_made_up_is_nobodys(exchange, manager):
    exchange.silent = True
    manager._action_seconds = 0.3
    exchange.say(*(f"Response: Success\r\nActionID: cc-{n}\r\n\r\n".encode() for n in range(10)))
    with pytest.raises(NoAnswer):
        manager.ping()


def test_an_overlong_line_is_left_out_and_its_message_stays(exchange, manager):
    exchange.say(b"Event: Newchannel\r\nName: " + b"x" * 200_000 + b"\r\nUniqueid: 7\r\n\r\n")
    heard = hear(manager)
    assert heard["Uniqueid"] == "7"
    assert not heard.has_header("Name")


def test_repeated_headers_and_variables_are_kept():
    message = Message(["Response: Success", "Output: a", "Output: b", "ChanVariable: X=1", "ChanVariable: Y=2=3", "no"])
    assert message["Output"] == "a"
    assert message.get_all("Output") == ["a", "b"]
    assert message["ChanVariable"] == {"X": "1", "Y": "2=3"}
    assert message.data == "no"


@pytest.mark.parametrize("bad", ["a\r\nAction: Command", "a\nb", "a\rb", "a\0b"])
def test_a_value_that_would_be_a_second_header_is_refused(bad, exchange, manager):
    with pytest.raises(ValueError, match="line break"):
        manager.send_action({"Action": "Originate", "Variable": ["fine", bad]})
    with pytest.raises(ValueError, match="line break"):
        manager.send_action({"Action": "Ping", f"X{bad}": "1"})
    manager.ping()
    assert exchange.actions == ["Login", "Ping"]


def test_a_line_longer_than_asterisk_reads_is_refused(exchange, manager):
    longest = 1024 - len("Channel: \r\n")
    manager.send_action({"Action": "Status", "Channel": "x" * longest})
    with pytest.raises(ValueError, match="longer than 1024"):
        manager.send_action({"Action": "Status", "Channel": "x" * (longest + 1)})
    assert exchange.actions == ["Login", "Status"]


def test_an_action_never_carries_the_last_ones_headers(exchange, manager):
    heard = []
    exchange.answer = lambda action: heard.append(action)
    manager.originate("PJSIP/x", "101", context="from-phones", variables={"A": "1"})
    manager.ping()
    assert set(heard[1]) == {"Action", "ActionID"}


def test_eight_threads_get_their_own_answers(exchange, manager):
    """Answers come back in another order than they were asked for."""
    held: list[bytes] = []

    def answer_later(action: dict[str, str]) -> bytes:
        held.append(f"Response: Success\r\nEcho: {action['Key']}\r\nActionID: {action['ActionID']}\r\n\r\n".encode())
        if len(held) < 8:
            return event(Event="Noise", ActionID=action["ActionID"])
        said, held[:] = b"".join(reversed(held)), []
        return said

    exchange.answer = answer_later
    wrong: list[str] = []

    def ask(thread: int) -> None:
        for turn in range(100):
            key = f"{thread}-{turn}"
            if manager.send_action({"Action": "Echo", "Key": key}).get_header("Echo") != key:
                wrong.append(key)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert wrong == []
    assert exchange.actions.count("Echo") == 800


def test_lists_are_gathered_and_other_events_go_on(exchange, manager):
    exchange.channels = [f"Event: CoreShowChannel\r\nUniqueid: {number}\r\n".encode() for number in range(1000)]
    exchange.say(event(Event="Before"))
    assert [found["Uniqueid"] for found in manager.list_action({"Action": "CoreShowChannels"})] == [
        str(number) for number in range(1000)
    ]
    assert hear(manager).name == "Before"
    assert manager.next_event(0) is None


def test_a_refused_list_raises_what_was_said(exchange, manager):
    exchange.answer = lambda action: (
        f"Response: Error\r\nActionID: {action['ActionID']}\r\nMessage: Permission denied\r\n\r\n".encode()
    )
    with pytest.raises(ManagerException, match="Permission denied"):
        manager.list_action({"Action": "CoreShowChannels"})


def test_every_action_has_a_limit(exchange):
    manager = Manager(action_seconds=0.2)
    manager.connect("127.0.0.1", exchange.port)
    exchange.silent = True
    with pytest.raises(NoAnswer):
        manager.ping()
    with pytest.raises(NoAnswer):
        manager.list_action({"Action": "CoreShowChannels"})
    assert manager.connected()
    manager.close()


def test_connecting_has_a_limit(monkeypatch):
    monkeypatch.setattr("tests.ami_fixtures.GREETING", b"")
    exchange = Exchange(0)
    manager = Manager(connect_seconds=0.2)
    with pytest.raises(ManagerSocketException, match="no greeting"):
        manager.connect("127.0.0.1", exchange.port)
    assert not manager.connected()
    exchange.close()
    with pytest.raises(ManagerSocketException, match="cannot connect"):
        Manager(connect_seconds=0.2).connect("127.0.0.1", exchange.port)


def test_a_silent_exchange_is_noticed(exchange):
    manager = Manager(action_seconds=0.1, ping_seconds=0.1)
    manager.connect("127.0.0.1", exchange.port)
    eventually(lambda: exchange.actions.count("Ping") >= 3, "some pings")
    assert manager.connected()
    exchange.silent = True
    with pytest.raises(ManagerSocketException, match="silent"):
        manager.next_event(5)
    assert not manager.connected()
    with pytest.raises(ManagerSocketException, match="silent"):
        manager.ping()


def test_one_missed_ping_is_forgiven(exchange):
    manager = Manager(action_seconds=0.1, ping_seconds=0.1)
    turns = iter(range(1000))
    exchange.answer = lambda action: b"\r\n" if next(turns) % 2 else None
    manager.connect("127.0.0.1", exchange.port)
    eventually(lambda: exchange.actions.count("Ping") >= 6, "pings of which every other is missed")
    assert manager.connected()
    manager.close()


def test_a_cut_connection_frees_who_waits_and_gives_what_came(exchange, manager):
    exchange.silent = True
    exchange.say(event(Event="Last"))
    raised: list[Exception] = []

    def ask() -> None:
        try:
            manager.ping()
        except ManagerException as error:
            raised.append(error)

    waiting = threading.Thread(target=ask)
    waiting.start()
    eventually(lambda: "Ping" in exchange.actions, "the question")
    exchange.drop()
    waiting.join(1)
    assert [type(error) for error in raised] == [ManagerSocketException]
    assert hear(manager).name == "Last"
    with pytest.raises(ManagerSocketException, match="closed the connection"):
        manager.next_event(1)


def test_the_queue_is_bounded(exchange):
    """Who does not take the events loses the connection, not the memory; what was queued stays."""
    manager = Manager(queue_size=100)
    manager.connect("127.0.0.1", exchange.port)
    exchange.say(*(event(Event="Newstate", Number=str(number)) for number in range(101)))
    eventually(lambda: not manager.connected(), "the end of the connection")
    assert [hear(manager)["Number"] for _ in range(100)] == [str(number) for number in range(100)]
    with pytest.raises(ManagerSocketException, match="faster than they were taken"):
        manager.next_event(0)


def test_one_object_is_one_connection(exchange, manager):
    with pytest.raises(ManagerException, match="make a new one"):
        manager.connect("127.0.0.1", exchange.port)
    manager.close()
    manager.close()
    assert not manager.connected()
    with pytest.raises(ManagerSocketException, match="closed"):
        manager.ping()


def test_threads_end_with_the_connection(exchange):
    before = threading.active_count()
    managers = []
    for _ in range(5):
        managers.append(Manager(ping_seconds=0.1))
        managers[-1].connect("127.0.0.1", exchange.port)
    assert GREETING.startswith(managers[-1].title.encode())
    for manager in managers:
        manager.close()
    eventually(lambda: threading.active_count() <= before, "the end of the threads", 5)
