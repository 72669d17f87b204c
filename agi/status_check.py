"""The machine asks a citizen whether the work is done: one key a report, each kept at once (C3).

Only once the key is kept may who says "not done" also say what.
"""

import time
from collections.abc import Sequence
from datetime import datetime

from agi.asking import Asker
from agi.channel import Channel
from agi.database import Work
from agi.remark import record_remark
from agi.talk import TALK_WAIT
from jobs.attemptfacts import attempt_of
from jobs.remarks import remark_path
from models import status_script as script
from models.base import db
from models.status_questions import ANSWERS, Question, questions_of
from models.status_script import Key
from models.workdays import KYIV


def status_check(channel: Channel, work: Work) -> None:
    """Ask about each report of the attempt, and tell the dialplan whom to dial when a person is wanted."""
    attempt_id = attempt_of(channel.env.get("agi_uniqueid", ""))
    if attempt_id is None:
        return
    asker = Asker(channel, work, attempt_id)
    asker.talk.tell(script.greeting(asker.town))
    questions = work.read(lambda: questions_of(db.session(), attempt_id), time.monotonic() + TALK_WAIT)
    if questions:
        _ask_all(asker, questions)
    else:
        asker.talk.tell(script.check_away() if questions is None else script.check_over())
    asker.through()


def _ask_all(asker: Asker, questions: Sequence[Question]) -> None:
    """The call, from the first question to the good-bye."""
    today = datetime.now(KYIV).date()
    asker.talk.tell(script.how_many(len(questions)))
    for place, question in enumerate(questions):
        asked = script.question(question.asked, today, following=place > 0)
        key = asker.ask(question.task_id, asked, ANSWERS, script.wrong_key, script.no_input)
        if not key:
            asker.talk.tell(script.gives_up())
            return
        if key == Key.PERSON:
            asker.put_through()
            return
        asker.talk.tell(script.answered(Key(key)))
        if key == Key.NOT_ME:
            return
        if key in (Key.NOT_DONE, Key.PARTLY):
            path = remark_path(asker.work.settings, asker.attempt_id, question.task_id)
            record_remark(asker.channel, asker.talk, asker.work.settings, path)
    asker.talk.tell(script.goodbye())
