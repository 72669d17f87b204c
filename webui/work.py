"""Work on registered reports: an organisation's day, the control body's decisions, the daily monitoring (W1-W9).

What a person may do with a report, and when, says `models.acts.ACTS`; how each act is called and what it asks for,
`webui.acts`; here stands how it is done.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext
from flask_login import current_user
from sqlalchemy.orm import Session

from jobs.filestore import Checked
from models import work
from models.acts import KEEPERS, Act, NotYours, WordsMissing, concerns
from models.attachments import AttachmentKind, StoredFile, TooManyFiles
from models.base import db, now, transaction
from models.calltasks import lock_question
from models.checking import leave_to_who_asks
from models.clarifications import ask_applicant, call_question_off
from models.dialling import Refusal, Refused
from models.free_days import load_calendar
from models.looks import has_looked, note_look, who_has_not_looked
from models.machine import IllegalMove
from models.monitoring import by_executor, by_late_executor, by_report, daily_monitoring, organisation_day, to_decide
from models.moves import last_moves
from models.people import ORGANISATION_ROLES, Organisation, Role, User, people_of
from models.pressing import to_warn, unaccepted_emergencies
from models.reports import Report, ReportState
from models.workdays import END_OF_DAY, KYIV
from webui import desk, letters, reports
from webui.access import DESK_ROLES, REPORT_ROLES, allow, log_looks_with_answer
from webui.acts import FORMS
from webui.auth import safe_next
from webui.call_words import REFUSALS
from webui.form import LONGEST_TEXT, cleaned
from webui.text import ATTACHMENT_WORDS, kyiv, row_id
from webui.text import day as day_word
from webui.uploads import described, keep_read, read_files

bp = Blueprint("work", __name__)

LATEST_DUE = timedelta(days=2 * 366)


@dataclass(frozen=True)
class Asked:
    """What came with an act: the words, a day, an organisation, files and what they show; how many questions to the
    applicant were ``seen``."""

    words: str = ""
    due: datetime | None = None
    organisation: Organisation | None = None
    files: tuple[StoredFile, ...] = ()
    kind: AttachmentKind = AttachmentKind.OTHER
    seen: int | None = None


DO: dict[Act, Callable[[Session, Report, User, Asked], None]] = {
    Act.INFORM_HEAD: lambda session, report, user, _asked: work.inform_head(session, report, user),
    Act.ACCEPT: lambda session, report, user, _asked: work.accept(session, report, user),
    Act.PLAN: lambda session, report, user, asked: work.plan(session, report, user, asked.due),
    Act.COMPLETE: lambda session, report, user, asked: work.complete(
        session, report, user, asked.words, photos=asked.files
    ),
    Act.GIVE_REASONS: lambda session, report, user, asked: work.give_reasons(session, report, user, asked.words),
    Act.CLOSE_UNSOLVED: lambda session, report, user, asked: work.close_unsolved(session, report, user, asked.words),
    Act.RETURN: lambda session, report, user, asked: work.return_to_work(session, report, user, asked.words, asked.due),
    Act.CONFIRM: lambda session, report, user, asked: work.confirm(session, report, user, asked.words),
    Act.REFUTE: lambda session, report, user, asked: work.refute(session, report, user, asked.words),
    Act.CLOSE: lambda session, report, user, asked: work.close(session, report, user, asked.words),
    Act.REASSIGN: lambda session, report, user, asked: work.reassign(
        session, report, user, asked.organisation, asked.words
    ),
    Act.ADD_EXECUTOR: lambda session, report, user, asked: work.add_executor(session, report, user, asked.organisation),
    Act.WARN: lambda session, report, user, asked: work.warn(session, report, user, asked.words),
    Act.ADD_FILES: lambda session, report, user, asked: work.add_files(session, report, user, asked.files, asked.kind),
    Act.NOTE: lambda session, report, user, asked: work.add_note(session, report, user, asked.words, public=False),
    Act.PUBLIC_NOTE: lambda session, report, user, asked: work.add_note(
        session, report, user, asked.words, public=True
    ),
    Act.ASK: lambda session, report, user, asked: ask_applicant(session, report, user, asked.words, now()),
    Act.CALL_OFF: lambda session, report, user, asked: call_question_off(
        session, report, user, asked.words, now(), asked.seen
    ),
}
# what an applicant's answer is for: not while a colleague asks them just now
SETTLES_CHECK = frozenset({Act.CONFIRM, Act.REFUTE, Act.CLOSE})
# what changes the call in which the applicant is asked
ABOUT_QUESTION = frozenset({Act.ASK, Act.CALL_OFF})
# what changes nothing that another has changed meanwhile: a note, or one's own part
ADDS_ONLY = frozenset(
    {Act.NOTE, Act.PUBLIC_NOTE, Act.WARN, Act.ADD_FILES, Act.ACCEPT, Act.INFORM_HEAD, Act.PLAN, Act.ASK, Act.CALL_OFF}
)


class ChangedMeanwhile(Exception):
    """Somebody moved the report since the page was made."""


@bp.get("/work")
@allow(*ORGANISATION_ROLES)
def day() -> str:
    """The organisation's reports, the nearest deadline first; the first look of a day is kept (R 4.1)."""
    organisation = current_user.organisation or abort(403)
    at, user_id = now(), current_user.id
    if not has_looked(db.session(), organisation.id, at):
        with transaction() as session:
            note_look(session, session.get_one(User, user_id), at)
    named = db.session().get_one(Organisation, organisation.id)
    return render_template("work/day.html", organisation=named, **_lists_of(organisation.id))


@bp.get("/work/lists")
@allow(*ORGANISATION_ROLES)
def day_lists() -> str:
    """The lists alone, for the page's script; nobody is taken to have looked at them by that (R 4.1)."""
    organisation = current_user.organisation or abort(403)
    return render_template("work/day_lists.html", **_lists_of(organisation.id))


def _lists_of(organisation_id: int) -> dict[str, object]:
    session = db.session()
    today = organisation_day(session, organisation_id)
    lists = (today.sent_back, today.new, today.at_work, today.reasons_given, today.completed)
    log_list("our reports", [task.report for listed in lists for task in listed.rows])
    return {"day": today, "emergencies": unaccepted_emergencies(session, organisation_id=organisation_id)}


@bp.get("/decisions")
@allow(Role.CONTROL_BODY)
def decisions() -> str:
    """What waits for a decision of this member of the control body (R 4.4), and what is late at whom they control."""
    session = db.session()
    controlled = {organisation.id for organisation in current_user.controls}
    waiting = to_decide(session, current_user)
    log_list("to decide", waiting.rows)
    return render_template(
        "work/decisions.html",
        waiting=waiting,
        reasons=last_moves(session, [report.id for report in waiting.rows]),
        monitoring=_monitoring(session, controlled) if controlled else None,
        by_report=by_report,
        by_executor=by_executor,
        controls=sorted(current_user.controls, key=lambda organisation: organisation.name),
    )


@bp.get("/monitoring")
@allow(*DESK_ROLES)
def monitoring() -> str:
    """What is overdue, due today and due soon, by organisation; and who has not looked at their reports (S 3.3)."""
    session = db.session()
    today = now().astimezone(KYIV).date()
    works_today = load_calendar(session).is_workday(today)
    late = to_warn(session, now())
    return render_template(
        "work/monitoring.html",
        monitoring=_monitoring(session),
        by_report=by_report,
        by_executor=by_executor,
        by_late_executor=by_late_executor,
        not_looked=who_has_not_looked(session, today) if works_today else [],
        works_today=works_today,
        emergencies=unaccepted_emergencies(session),
        to_warn=late,
        people=people_of(session, {row.organisation_id or row.report.executor_id for row in late.rows}),
        may_warn=current_user.role in KEEPERS,
        letters_seen=current_user.role in letters.READERS,
    )


def _monitoring(session: Session, organisations: set[int] = frozenset()):
    found = daily_monitoring(session, now(), organisations)
    shown = [deadline.report for due in (found.overdue, found.today, found.soon) for deadline in due.rows]
    log_list("the monitoring", shown)
    return found


def log_list(name: str, reports: Sequence[Report]) -> None:
    """Record that places, with their flats, are looked at in a list: by its newest report (A3)."""
    if reports:
        log_looks_with_answer("list", [max(report.id for report in reports)], f"{len(reports)} reports in {name}")


@bp.post("/reports/<int:report_id>/act")
@allow(*REPORT_ROLES)
def act(report_id: int) -> ResponseReturnValue:
    """Do one act (``act``) with a report; what stands in the way is said, and what was typed stays on the page."""
    wanted = next((one for one in DO if one == request.form.get("act")), None) or abort(400)
    read, wrong_file = take_files(report_id, wanted)
    try:
        with transaction() as session:
            if wanted in ABOUT_QUESTION:
                lock_question(session, report_id)
            report = session.get(Report, report_id, with_for_update=True)
            user = session.get_one(User, current_user.id)
            if report is None or not concerns(session, report, user):
                abort(404)
            asked, errors = read_asked(session, wanted, request.form, described(read))
            if wrong_file:
                errors["files"] = wrong_file
            if not errors:
                if wanted not in ADDS_ONLY and request.form.get("revision") != str(report.revision):
                    raise ChangedMeanwhile
                if wanted in SETTLES_CHECK:
                    leave_to_who_asks(session, report, user)
                DO[wanted](session, report, user, asked)
                number, name = report.number, user.name
                keep_read(read)
    except WordsMissing:
        errors = {"words": str(FORMS[wanted].missing)}
    except Refused as refused:
        no_number = refused.why == Refusal.NUMBER and report.contact_number is None and report.call is None
        errors = {"words": _("This report has no telephone to call.") if no_number else str(REFUSALS[refused.why])}
    except TooManyFiles as full:
        errors = {"files": ngettext("Only %(num)d more file fits.", "Only %(num)d more files fit.", full.room)}
    except work.PlannedTooLate as late:
        errors = {
            "due": _(
                "The term ends on %(day)s. Choose a day up to it; if it cannot be done by then, give the reasons: "
                "«Cannot be solved…».",
                day=day_word(late.due),
            )
        }
    except work.ExecutorAlready:
        errors = {"organisation": _("This organisation works on the report already. Choose another one.")}
    except NotYours:
        abort(403)
    except (IllegalMove, ChangedMeanwhile):
        if db.session.get_one(Report, report_id).state == ReportState.DRAFT:
            words = request.form.get("words", "")
            notice = _(
                "This is a draft and no registered report: nothing was recorded. You wrote: «%(words)s»", words=words
            )
            return desk.show(desk.find_draft(report_id), 409, notice=notice)
        notice = _("This report was changed meanwhile; see its history. What you typed is kept below.")
        return reports.page(report_id, status=409, typed=request.form, notice=notice)
    if errors:
        return reports.page(report_id, status=422, typed=request.form, errors=errors)
    if wanted == Act.PLAN:
        flash(_("Recorded: planned for %(day)s.", day=day_word(asked.due)), "ok")
    elif wanted == Act.ASK:
        flash(_("Recorded: the question is with the calls to be made."), "ok")
    elif wanted == Act.WARN:
        flash(
            _(
                "Recorded: %(name)s warned the operator, № %(number)s, %(when)s.",
                name=name,
                number=number,
                when=kyiv(now()),
            ),
            "ok",
        )
    return redirect(safe_next(request.form.get("back")) or url_for("reports.show", report_id=report_id))


def take_files(report_id: int, wanted: Act) -> tuple[list[tuple[Checked, str]], str]:
    """The files that came with the act, with their names; and a sentence about the first that is not taken.

    Not in the act's transaction, for pictures take their time; so whose report it is, is asked here, too.
    """
    if "files" not in FORMS[wanted].asks:
        return [], ""
    report = db.session.get(Report, report_id)
    if report is None or not concerns(db.session(), report, current_user):
        abort(404)
    read, wrong = read_files(request.files.getlist("files"))
    if wanted == Act.ADD_FILES and not read and not wrong:
        wrong = _("Choose a file.")
    return read, wrong


def read_asked(
    session: Session, wanted: Act, form: Mapping[str, str], files: tuple[StoredFile, ...]
) -> tuple[Asked, dict[str, str]]:
    """What the form of an act holds, and a sentence for each field that cannot be meant."""
    errors: dict[str, str] = {}
    words = cleaned(form.get("words")).strip()
    if len(words) > LONGEST_TEXT:
        errors["words"] = _("This is too long: at most %(num)d characters fit here.", num=LONGEST_TEXT)
    organisation, due = None, None
    if "organisation" in FORMS[wanted].asks:
        chosen = row_id(form.get("organisation", ""))
        organisation = session.get(Organisation, chosen) if chosen is not None else None
        if organisation is None or not organisation.active:
            errors["organisation"] = _("Choose one from the list.")
    if "due" in FORMS[wanted].asks:
        due = _end_of(form.get("due", ""))
        if due is None or not now() < due < now() + LATEST_DUE:
            errors["due"] = _("Choose a day from today on, at most two years ahead.")
        elif wanted in (Act.RETURN, Act.PLAN) and (works := load_calendar(session).end_of_days(due, 0)) != due:
            errors["due"] = _(
                "%(day)s is a free day. The next working day is %(next)s.", day=day_word(due), next=day_word(works)
            )
    kind = next((kind for kind in ATTACHMENT_WORDS if kind == form.get("kind")), AttachmentKind.OTHER)
    return Asked(words, due, organisation, files, kind, row_id(form.get("questions", ""))), errors


def _end_of(typed: str) -> datetime | None:
    try:
        return datetime.combine(date.fromisoformat(typed), END_OF_DAY, KYIV)
    except ValueError:
        return None
