"""What became of one call that was to be made: its moves, and each call with its cause (C1-C5)."""

from flask import Blueprint, abort, render_template
from flask.typing import ResponseReturnValue
from flask_login import current_user

from models.base import db
from models.task_history import calls_made, find_task, said_with
from webui import letters
from webui.access import DESK_ROLES, allow, log_looks_with_answer
from webui.call_words import PURPOSES, TASK_BADGES, WHYS, cause_of, how_it_went
from webui.task_words import key_words, moves_in_words

bp = Blueprint("tasks", __name__)


@bp.get("/tasks/<int:task_id>")
@allow(*DESK_ROLES)
def task(task_id: int) -> ResponseReturnValue:
    """The task's page; its number is masked, and the look leaves a row."""
    found = find_task(db.session(), task_id)
    if found is None:
        abort(404)
    log_looks_with_answer("task", [task_id], "the page of a call of ours")
    calls = calls_made(db.session(), task_id)
    return render_template(
        "tasks/task.html",
        task=found,
        calls=calls,
        moves=moves_in_words(found, [call.attempt for call in calls], said_with(db.session(), found)),
        purposes=PURPOSES,
        badges=TASK_BADGES,
        key_words=key_words,
        whys=WHYS,
        how_it_went=how_it_went,
        cause_of=cause_of,
        letters_seen=current_user.role in letters.READERS,
    )
