"""What the parts write into their logs: no number, no name, nothing that was typed, not even when something breaks."""

import logging
import sys
import threading
import traceback
from types import TracebackType

_Info = tuple[type[BaseException], BaseException, TracebackType | None]


class WithoutWords(logging.Formatter):
    """Tells of an error where it happened and of what kind it is. Its words may hold what a person typed."""

    def formatException(self, ei: _Info) -> str:
        return "".join([*traceback.format_tb(ei[2]), ei[0].__qualname__])


def write_log() -> None:
    """Let this process write to standard error, which supervisord keeps in ``CC_VAR/log``; what ends it, too."""
    handler = logging.StreamHandler()
    handler.setFormatter(WithoutWords("%(asctime)s %(name)s %(levelname)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for library in ("alembic", "flask_wtf", "fontTools"):  # a PDF would fill the log
        logging.getLogger(library).setLevel(logging.WARNING)
    sys.excepthook = lambda *info: logging.critical("ended by a fault", exc_info=info)
    threading.excepthook = lambda told: logging.critical(
        "the thread %s ended by a fault",
        told.thread.name if told.thread else "",
        exc_info=(told.exc_type, told.exc_value, told.exc_traceback),
    )
