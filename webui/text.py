"""How things read on the screen: times, numbers, states. The template filters and the words for states live here."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import Flask, current_app, request
from flask_babel import format_datetime, lazy_gettext, ngettext
from flask_babel import gettext as _
from flask_wtf.csrf import generate_csrf
from markupsafe import Markup

from models import telephone
from models.attachments import AttachmentKind
from models.base import now
from models.calls import ERASED, Call, CallState
from models.deadlines import DeadlineKind
from models.outbox import LetterState
from models.people import Role
from models.reports import HistoryEvent, Report, ReportEvent, ReportState, Source
from models.workdays import KYIV

NBSP = "\u00a0"


@dataclass(frozen=True)
class Badge:
    """How a state looks: a word, a shape that tells it apart without colour, and a colour's name."""

    word: str
    shape: str
    tone: str


REPORT_BADGES = {
    ReportState.DRAFT: Badge(lazy_gettext("Draft"), "◌", "quiet"),
    ReportState.NEW: Badge(lazy_gettext("New"), "●", "new"),
    ReportState.IN_PROGRESS: Badge(lazy_gettext("In progress"), "◐", "work"),
    ReportState.REASONS_GIVEN: Badge(lazy_gettext("Reasons given"), "◇", "work"),
    ReportState.DONE: Badge(lazy_gettext("Done"), "✓", "done"),
    ReportState.CLOSED: Badge(lazy_gettext("Closed"), "■", "closed"),
    ReportState.CONSULTATION: Badge(lazy_gettext("Consultation given"), "✓", "quiet"),
    ReportState.ATTACHED: Badge(lazy_gettext("Added to a report"), "+", "quiet"),
    ReportState.REDIRECTED: Badge(lazy_gettext("Another body's matter: explained"), "→", "quiet"),
    ReportState.WRONG_NUMBER: Badge(lazy_gettext("Wrong number"), "×", "quiet"),
    ReportState.NUISANCE: Badge(lazy_gettext("Nuisance call"), "!", "quiet"),
    ReportState.DROPPED: Badge(lazy_gettext("The call dropped"), "–", "quiet"),
}
# the same endings of what came without a call
BADGES_WITHOUT_CALL = {
    ReportState.NUISANCE: Badge(lazy_gettext("Nuisance message"), "!", "quiet"),
    ReportState.DROPPED: Badge(lazy_gettext("Opened by mistake"), "–", "quiet"),
}
CALL_BADGES = {
    CallState.RINGING: Badge(lazy_gettext("Ringing"), "☎", "new"),
    CallState.TALKING: Badge(lazy_gettext("Talking"), "◐", "work"),
    CallState.ENDED: Badge(lazy_gettext("Ended"), "■", "closed"),
    CallState.MISSED: Badge(lazy_gettext("Missed"), "✕", "late"),
    CallState.AFFECTED: Badge(lazy_gettext("Heard of the outage"), "■", "closed"),
}
LISTENS_BADGE = Badge(lazy_gettext("Hears an announcement"), "◧", "work")  # of an outage, before any phone rings
LETTER_BADGES = {
    LetterState.QUEUED: Badge(lazy_gettext("Waits"), "◌", "work"),
    LetterState.SENDING: Badge(lazy_gettext("Is being sent"), "◐", "work"),
    LetterState.SENT: Badge(lazy_gettext("Sent"), "✓", "done"),
    LetterState.FAILED: Badge(lazy_gettext("Not sent"), "✕", "late"),
}
ROLE_NAMES = {
    Role.ADMINISTRATOR: lazy_gettext("administrator"),
    Role.DISPATCHER: lazy_gettext("dispatcher"),
    Role.TECHNICAL_ADMINISTRATOR: lazy_gettext("technical administrator"),
    Role.SUPERVISOR: lazy_gettext("head of the contact centre"),
    Role.OPERATOR: lazy_gettext("operator"),
    Role.HEAD: lazy_gettext("head of the organisation"),
    Role.CONTROL_BODY: lazy_gettext("control body"),
}
SOURCE_NAMES = {
    Source.TELEPHONE: lazy_gettext("by telephone"),
    Source.ONLINE: lazy_gettext("web form"),
    Source.LETTER: lazy_gettext("e-mail message"),
    Source.VIDEO: lazy_gettext("video surveillance"),
    Source.VISIT: lazy_gettext("at a visit"),
}
# the same where it stands for what came so
SOURCE_TITLES = {
    Source.TELEPHONE: lazy_gettext("Another telephone"),
    Source.ONLINE: lazy_gettext("Web form"),
    Source.LETTER: lazy_gettext("E-mail message"),
    Source.VIDEO: lazy_gettext("Video surveillance"),
    Source.VISIT: lazy_gettext("Personal visit"),
}
EVENT_WORDS = {
    ReportEvent.CREATED: lazy_gettext("draft opened"),
    ReportEvent.REGISTERED: lazy_gettext("registered"),
    ReportEvent.ACCEPTED: lazy_gettext("taken to work"),
    ReportEvent.COMPLETED: lazy_gettext("marked as done"),
    ReportEvent.CONFIRMED: lazy_gettext("the applicant confirmed it"),
    ReportEvent.REFUTED: lazy_gettext("the applicant says it is not done"),
    ReportEvent.CONFIRM_TAKEN_BACK: lazy_gettext("the answer was taken back: recorded by mistake"),
    ReportEvent.REFUTE_TAKEN_BACK: lazy_gettext("the answer was taken back: recorded by mistake"),
    ReportEvent.LATE_REFUTE_TAKEN_BACK: lazy_gettext("the answer was taken back: recorded by mistake"),
    ReportEvent.CLOSED: lazy_gettext("closed without the applicant's answer"),
    ReportEvent.REASONS_GIVEN: lazy_gettext("reasons given to the control body"),
    ReportEvent.CLOSED_UNSOLVED: lazy_gettext("closed by the control body as not solvable"),
    ReportEvent.RETURNED: lazy_gettext("returned to work by the control body"),
    ReportEvent.REASSIGNED: lazy_gettext("given to another executor"),
    ReportEvent.LEAD_CHANGED: lazy_gettext("given to another executor"),
    ReportEvent.CONSULTED: lazy_gettext("consultation given"),
    ReportEvent.ATTACHED: lazy_gettext("added to a report"),
    ReportEvent.REDIRECTED: lazy_gettext("another body's matter"),
    ReportEvent.WRONG_NUMBER: lazy_gettext("wrong number"),
    ReportEvent.NUISANCE: lazy_gettext("nuisance call"),
    ReportEvent.DROPPED: lazy_gettext("the call dropped"),
    ReportEvent.FORGOTTEN: lazy_gettext("never finished; its term ended"),
    ReportEvent.REOPENED: lazy_gettext("the ending undone"),
    HistoryEvent.TAKEN: lazy_gettext("began to work on the draft"),
    HistoryEvent.HANDED_OVER: lazy_gettext("handed over"),
    HistoryEvent.TAKEN_OVER: lazy_gettext("taken over from a colleague"),
    HistoryEvent.APPLICANT_CALLED: lazy_gettext("the applicant called about it"),
    HistoryEvent.APPLICANT_TOLD_AGAIN: lazy_gettext("the applicant told of it again"),
    HistoryEvent.CALL_DETACHED: lazy_gettext("the call was not about it: undone"),
    HistoryEvent.IDENTIFIED: lazy_gettext("the caller was recognised"),
    HistoryEvent.OTHER_PERSON: lazy_gettext("the caller is another person"),
    HistoryEvent.ASSIGNED: lazy_gettext("executor added"),
    HistoryEvent.RELEASED: lazy_gettext("executor taken off"),
    HistoryEvent.HEAD_INFORMED: lazy_gettext("the head is informed"),
    HistoryEvent.URGENT: lazy_gettext("an emergency now: executors are told anew"),
    HistoryEvent.PART_ACCEPTED: lazy_gettext("taken to work by one more executor"),
    HistoryEvent.PLANNED: lazy_gettext("planned"),
    HistoryEvent.PART_COMPLETED: lazy_gettext("one executor's part is done"),
    HistoryEvent.WARNED: lazy_gettext("the operator was warned"),
    HistoryEvent.CORRECTED: lazy_gettext("corrected"),
    HistoryEvent.NOTE: lazy_gettext("note"),
    HistoryEvent.PUBLIC_NOTE: lazy_gettext("answer to the applicant"),
    HistoryEvent.FILE_ADDED: lazy_gettext("file added"),
    HistoryEvent.CLARIFICATION_ASKED: lazy_gettext("the applicant is to be asked"),
    HistoryEvent.CLARIFICATION_CALLED_OFF: lazy_gettext("the applicant is not asked any more"),
    HistoryEvent.REMARK: lazy_gettext("the applicant left spoken words"),
    HistoryEvent.ANONYMISED: lazy_gettext("the applicant’s personal data were taken out"),
}
ATTACHMENT_WORDS = {  # what somebody who adds a file says of it
    AttachmentKind.BEFORE: lazy_gettext("before"),
    AttachmentKind.AFTER: lazy_gettext("after"),
    AttachmentKind.OTHER: lazy_gettext("other"),
}
DEADLINE_WORDS = {
    DeadlineKind.INFORM_HEAD: lazy_gettext("inform the head"),
    DeadlineKind.ACCEPT: lazy_gettext("take to work"),
    DeadlineKind.WORK: lazy_gettext("do the work"),
    DeadlineKind.REASONS: lazy_gettext("give reasons if it cannot be solved"),
}


def add_filters(app: Flask) -> None:
    """Give the templates their filters and words."""
    app.jinja_env.filters.update(
        kyiv=kyiv,
        dated=dated,
        day=day,
        left=left,
        ago=ago,
        since=since,
        length_of=length,
        phone=phone,
        phone_with_code=phone_with_code,
        line_with_code=line_with_code,
        masked=telephone.masked,
        e164=e164,
        withheld=telephone.withheld,
        without_numbers=without_numbers,
    )
    app.jinja_env.globals.update(
        report_badges=REPORT_BADGES,
        badge_of=badge_of,
        call_badges=CALL_BADGES,
        call_badge=call_badge,
        role_names=ROLE_NAMES,
        source_names=SOURCE_NAMES,
        source_titles=SOURCE_TITLES,
        event_word=lambda event: EVENT_WORDS.get(event, event),
        deadline_words=DEADLINE_WORDS,
        attachment_words=ATTACHMENT_WORDS,
        clause_word=clause_word,
        erased=ERASED,
        now=now,
    )


def badge_of(report: Report, state: ReportState | None = None) -> Badge:
    """The badge of the report's state, or of a ``state`` that it may come to."""
    state = state or report.state
    by_hand = BADGES_WITHOUT_CALL.get(state) if report.call_id is None else None
    return by_hand or REPORT_BADGES[state]


def call_badge(call: Call) -> Badge:
    """The call's state as it is shown; a caller who hears an announcement rings at nobody's."""
    return LISTENS_BADGE if call.listens else CALL_BADGES[call.state]


def clause_word(clause: str) -> str:
    """What sets a deadline: a point of the town's order («R 4.3»), or the type of the report («S 2.3»)."""
    paper, _space, point = clause.partition(" ")
    return _("p. %(point)s of the Order", point=point) if paper == "R" else _("by its type")


def kyiv(at: datetime | None) -> str:
    """A moment as people say it, in Kyiv time: «сьогодні, 14:05», «22 листопада, 14:05», with the year when another."""
    if at is None:
        return ""
    local, today = at.astimezone(KYIV), now().astimezone(KYIV)
    if local.date() == today.date():
        return _("today, %(time)s", time=local.strftime("%H:%M"))
    return format_datetime(at, f"d'{NBSP}'MMMM, HH:mm" if local.year == today.year else f"d'{NBSP}'MMMM y, HH:mm")


def dated(at: datetime) -> str:
    """The whole date, for paper, which is read on another day: «23 листопада 2026, 22:15»."""
    return format_datetime(at, f"d'{NBSP}'MMMM y, HH:mm")


def day(at: datetime | None) -> str:
    """The day alone: «22 листопада»."""
    return format_datetime(at, f"d'{NBSP}'MMMM") if at else ""


def left(due: datetime | None, at: datetime | None = None) -> str:
    """What is left until the deadline, then by how much it is late: «лишилося 5 год», «прострочено на 2 дні»."""
    if due is None:
        return ""
    span = due - (at or now())
    if span >= timedelta(0):
        return _("%(span)s left", span=length(span))
    if -span < timedelta(minutes=1):
        return _("just overdue")
    return _("%(span)s late", span=length(-span))


def ago(at: datetime, moment: datetime | None = None) -> str:
    """How long ago it was: «5 хв тому»."""
    return _("%(span)s ago", span=length(max((moment or now()) - at, timedelta(0))))


def since(begin: datetime, at: datetime | None = None) -> str:
    """How long it has lasted, as a clock shows it: «07:12», «1:07:12»; the page's script counts on (clocks.js).

    From a day on in days and hours.
    """
    seconds = max(0, int(((at or now()) - begin).total_seconds()))
    days, hour = divmod(seconds // 3600, 24)
    if days:
        words = [ngettext("%(num)d day", "%(num)d days", days), ngettext("%(num)d h", "%(num)d h", hour)]
        return " ".join(words[: 2 if hour else 1]).replace(" ", NBSP)
    hours = f"{seconds // 3600}:" if seconds >= 3600 else ""
    return f"{hours}{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def length(span: timedelta) -> str:
    """A length of time in its largest unit: minutes, hours, or days from two days on."""
    minutes = int(span.total_seconds() // 60)
    if minutes < 1:
        return _("less than a minute")
    if minutes < 60:
        return ngettext("%(num)d min", "%(num)d min", minutes).replace(" ", NBSP)
    if minutes < 48 * 60:
        return ngettext("%(num)d h", "%(num)d h", minutes // 60).replace(" ", NBSP)
    return ngettext("%(num)d day", "%(num)d days", minutes // (24 * 60)).replace(" ", NBSP)


def phone(number: str | None, received: str = "") -> str:
    """The full number as people read it; own town's as ``5-32-73``. A look at it leaves a row (`access.log_looks`)."""
    return telephone.readable(number, received, area_code()).replace(" ", NBSP)


def phone_with_code(number: str) -> str:
    """The full number as it is dialled from anywhere, also from a mobile. A look at it leaves a row."""
    return telephone.readable(number).replace(" ", NBSP)


def line_with_code(number: str) -> str:
    """A line of ours for who may call from elsewhere: «(05448) 5-32-73»."""
    return f"(0{area_code()}){NBSP}{number}"


def e164(typed: str) -> str | None:
    """A typed telephone in the one form all are stored and masked in; None when it cannot be understood."""
    return telephone.to_e164(typed, area_code())


def area_code() -> str:
    """The town's, national and without the leading zero."""
    return current_app.config["SETTINGS"].profile.area_code


def without_numbers(text: str, keep: Collection[str] = ()) -> str:
    """What somebody typed, as lists and pages show it: every telephone in it masked but for those to ``keep`` (A3)."""
    return telephone.without_numbers(text, area_code(), keep)


def row_id(typed: object) -> int | None:
    """The whole number in a form's field or an address, not below nought; None for what no row's id can be."""
    text = str(typed)
    return int(text) if text.isdecimal() and len(text) < 10 else None


def hidden_fields() -> Markup:
    """For a small form in the frame: the CSRF token, and the page to come back to."""
    back = request.full_path.rstrip("?") if request.method == "GET" else "/"
    return Markup(
        '<input type="hidden" name="csrf_token" value="{}"><input type="hidden" name="back" value="{}">'
    ).format(generate_csrf(), back)
