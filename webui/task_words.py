"""How the moves of one call of ours read: what happened, why, by whom, and what the citizen said (C1-C5)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flask_babel import gettext as _

from models.attempts import Attempt
from models.calltasks import CallTask, CallTaskEvent, Purpose, TaskEvent
from models.reports import HistoryRow
from webui.call_words import HANDOVER_KEYS, KEYS, TASK_EVENTS, WHYS, how_it_went


@dataclass(frozen=True)
class MoveWords:
    """One move of a task in words, with what was recorded in the same act."""

    move: CallTaskEvent
    what: str
    who: str
    said: Sequence[HistoryRow] = ()


def moves_in_words(
    task: CallTask, tries: Sequence[Attempt], said: Mapping[int, Sequence[HistoryRow]] | None = None
) -> list[MoveWords]:
    """The moves of the task, the first one first; ``tries`` are the calls about it, ``said`` what was recorded."""
    calls = {attempt.id: attempt for attempt in tries}
    return [
        MoveWords(move, _what(move, call), _who(task, move, call), (said or {}).get(move.id, ()))
        for move, call in ((move, calls.get(move.attempt_id)) for move in task.events)
    ]


def _what(move: CallTaskEvent, call: Attempt | None) -> str:
    if move.event == TaskEvent.TRIED and call is not None:
        return _("a call: %(how)s", how=how_it_went(call))
    words = str(TASK_EVENTS[move.event])
    return f"{words}: {WHYS[move.why]}" if move.why else words


def _who(task: CallTask, move: CallTaskEvent, call: Attempt | None) -> str:
    if move.user is not None:
        return move.user.name
    if call is not None:
        return call.user.name if call.user else _("machine")
    if move.event == TaskEvent.CREATED and task.asked_by is not None:
        return task.asked_by.name
    return _("the system")


def key_words(task: CallTask, keys: str) -> str:
    """What the keys that were pressed mean in a call about this task."""
    words = HANDOVER_KEYS if task.purpose == Purpose.HAND_OVER else KEYS
    return ", ".join(str(words.get(key, key)) for key in keys)
