"""What a citizen says after "not done": a real recording of a real call, kept with the report (S 3.2)."""

import io
import wave

import pytest
from sqlalchemy import select

from jobs.filestore import path_of
from jobs.sipp import SPEECH
from models.attachments import Attachment
from models.attempts import Attempt
from models.base import db
from models.reports import Report, ReportState
from tests.helpers import eventually
from tests.pbx.citizens import Citizens
from tests.pbx.town import Town

pytestmark = [pytest.mark.pbx, pytest.mark.long]

IN_THE_QUESTION, AFTER_THE_TONE = 9_000, 16_000  # milliseconds


@pytest.mark.parametrize(
    ("keys", "talk_ms"),
    [([(12_000, "#")], 30_000), ([], 7_000)],
    ids=["a key ends it", "hangs up in the middle"],
)
def test_the_words_are_kept_with_the_report(town: Town, keys: list, talk_ms: int) -> None:
    citizens = Citizens(town)
    (report_id,) = citizens.done()
    takes = [(IN_THE_QUESTION, "2"), (AFTER_THE_TONE, SPEECH), *keys]
    with citizens.at_home(keys=takes, talk_ms=talk_ms), citizens.machine_calls():
        became = citizens.asked(report_id, 120)
    assert (became.outcome, became.keys, became.report) == ("answered", "2", ReportState.IN_PROGRESS)

    def kept() -> Attachment | None:
        with citizens.app.app_context():
            return db.session.scalar(select(Attachment).where(Attachment.report_id == report_id))

    file = eventually(kept, "the words are kept", 60)
    with citizens.app.app_context():
        assert db.session.get_one(Attempt, file.attempt_id).keys == "2"
        assert "remark" in [row.event for row in db.session.get_one(Report, report_id).history]
    content = path_of(town.settings, file.sha256).read_bytes()
    with wave.open(io.BytesIO(content)) as sound:
        assert (sound.getframerate(), sound.getnchannels()) == (8000, 1)
        assert sound.getnframes() / 8000 > 5
    assert list(town.settings.remarks_dir.iterdir()) == []
