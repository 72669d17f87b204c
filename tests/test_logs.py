"""Logs hold no number and no name, not even when something breaks."""

import subprocess
import sys

SECRET = "0671234567"
BREAKS = f"""
import logging, threading
from jobs.logs import write_log

def break_it():
    try:
        int("{SECRET}x")
    except ValueError as error:
        raise RuntimeError("{SECRET} is none") from error

write_log()
try:
    break_it()
except RuntimeError:
    logging.getLogger("part").exception("a call was left out")
other = threading.Thread(target=break_it, name="other")
other.start()
other.join()
break_it()
"""


def test_an_error_leaves_its_place_and_its_kind_in_the_log_and_none_of_its_words() -> None:
    """Caught and told, in a thread, and at the end of the process."""
    ended = subprocess.run([sys.executable, "-c", BREAKS], capture_output=True, text=True, timeout=30)
    assert ended.returncode == 1
    assert "part ERROR a call was left out" in ended.stderr
    assert "the thread other ended by a fault" in ended.stderr
    assert ended.stderr.count("in break_it") == 3
    assert ended.stderr.count("\nRuntimeError\n") == 3
    assert SECRET not in ended.stderr + ended.stdout
