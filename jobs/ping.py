"""Whether the AGI server answers: asked by the watchdog, and before a citizen is rung up."""

import socket

ANSWER_SECONDS = 1.0  # in which the AGI server says that it lives, before somebody is rung up


class Silent(Exception):
    """The part accepted the question and did not answer in time; ``pid`` is which process beat last, if it tells."""

    def __init__(self, text: str, pid: int | None = None) -> None:
        super().__init__(text)
        self.pid = pid


class Absent(Exception):
    """There is nobody to ask: the part is starting, or supervisord is about to start it."""


def probe_agi(port: int, seconds: float) -> None:
    """Ask the AGI server for a sign of life. Raises `Silent` when it took the question and said nothing, `Absent`
    when nobody listens."""
    try:
        with socket.create_connection(("127.0.0.1", port), seconds) as connection:
            connection.settimeout(seconds)
            connection.sendall(b"agi_network_script: ping\n\n")
            connection.recv(16)  # even if it only closes: it is busy, or on its way out
    except TimeoutError:
        raise Silent(f"no answer for {seconds} s") from None
    except OSError as error:
        raise Absent(error.strerror) from None
