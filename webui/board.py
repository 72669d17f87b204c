"""The live board: each line of the trunk, the calls that are to be made, and whether the machine calls (C5, C6).

It follows the events as the desk does, and is fetched anew every few seconds, for time makes tasks due. No number and
no name of a citizen stands on it: the technical administrator sees it, too.
"""

from functools import partial

from flask import Blueprint, current_app, render_template
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from flask_login import current_user

from jobs.callrules import load_dialler
from jobs.heartbeat import read_beat
from models.base import db, now
from models.board import NextCall, WaitsFor, lines_now, machine_now, next_machine_calls, tasks_now
from webui import letters
from webui.access import LISTENERS, allow
from webui.call_words import PURPOSES, call_now
from webui.probes import probe_asterisk
from webui.troubles import in_words

bp = Blueprint("board", __name__)

WAITS_FOR = {
    WaitsFor.SWITCH: lazy_gettext("machine calls are stopped"),
    WaitsFor.HOURS: lazy_gettext("once the hours for calls begin"),
    WaitsFor.TRUNK: lazy_gettext("once the trunk is tried again: calls failed in a row"),
    WaitsFor.TIME: lazy_gettext("at its own time"),
    WaitsFor.LINE: lazy_gettext("once a line is free"),
    WaitsFor.NOTHING: lazy_gettext("at once"),
}


@bp.get("/board")
@allow(*LISTENERS)
def board() -> str:
    """The whole page."""
    return render_template("board/board.html", letters_seen=current_user.role in letters.READERS, **_parts())


@bp.get("/board/parts")
@allow(*LISTENERS)
def parts() -> str:
    """What changes, for the page's script."""
    return render_template("board/parts.html", **_parts())


def _parts() -> dict[str, object]:
    session, at, settings = db.session(), now(), current_app.config["SETTINGS"]
    dialler = load_dialler(session, settings)
    machine = machine_now(session, dialler, at)
    beat = read_beat(settings.run_dir, "calls")
    exchange = probe_asterisk(settings).ok
    trouble = in_words(beat.detail) if exchange and beat is not None and not beat.ok else ""
    return {
        "lines_now": lines_now(session, dialler.lines, at),
        "tasks_now": tasks_now(session, at),
        "next_calls": next_machine_calls(session, dialler, machine, at),
        "waits_for": partial(_waits_for, able=exchange and not trouble),
        "machine": machine,
        "exchange": exchange,
        "trouble": trouble,
        "at": at,
        "purposes": PURPOSES,
        "call_now": call_now,
    }


def _waits_for(call: NextCall, *, able: bool) -> object:
    """What the call waits for, in words; ``able``: what dials is well."""
    if not able and call.waits_for in (WaitsFor.LINE, WaitsFor.NOTHING):
        return _("once what is said on top of the page is mended")
    return WAITS_FOR[call.waits_for]
