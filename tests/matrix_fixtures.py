"""A town where everybody has something of their own, and something is foreign to everybody."""

import io

from flask import Flask
from sqlalchemy import select

from models import quarterly
from models.attempts import Attempt
from models.base import db, now, transaction
from models.calls import Call
from models.calltasks import Purpose, add_task
from models.drafts import claim_draft, end_draft
from models.imports import keep_upload
from models.outbox import letter_refused, take_letter, write_letter
from models.people import Organisation, Role, User
from models.periods import quarter_of
from models.plan_acts import note_present
from models.reference import Subject
from models.reports import Report, ReportEvent, ReportState
from models.saved_filters import save_filter
from models.shifts import hand_over, take_over
from models.work import Act
from models.workdays import KYIV
from tests.desk_fixtures import PEOPLE, Exchange, user_id
from tests.helpers import AREA_CODE
from tests.outage_fixtures import enter
from tests.picture_fixtures import photo
from tests.web_fixtures import logged_in, register

WHO = {role: login for login, (_name, role) in reversed(PEOPLE.items())}  # of each role the first
Things = dict[tuple[str, str, Role | None], dict[str, object]]  # None: the same for everybody


def things_of(web: Flask) -> Things:
    """A town where everybody has something of their own; what is foreign is Cherniavska's, or another organisation's.

    Who has nothing of a kind has no entry of their own.
    """
    things: Things = {}
    reports = {"own": register(web, "Не горить ліхтар"), "foreign": register(web, "Немає води", category=2)}
    admin = logged_in(web, "tsapkova")
    for attachment_id, (which, report_id) in enumerate(reports.items(), 1):
        things["report", which, None] = {"report_id": report_id}
        files = {"act": Act.ADD_FILES, "kind": "other", "revision": "0", "files": (io.BytesIO(photo()), "a.jpg")}
        assert admin.post(f"/reports/{report_id}/act", files, page="/me").status_code == 302
        things["attachment", which, None] = {"attachment_id": attachment_id}
    things |= desk_things(web, "cherniavska", None)
    for role in (Role.ADMINISTRATOR, Role.DISPATCHER, Role.SUPERVISOR):
        things |= desk_things(web, WHO[role], role)
    for subject in ("category", "organisation", "street"):
        things[subject, "any", None] = {f"{subject}_id": 1}
        things[subject, "new", None] = {}
    things["user", "new", None] = {}
    with web.app_context():
        things["colleague", "any", None] = {"user_id": user_id("cherniavska")}
    things["kind of import", "any", None] = {"kind": "streets"}
    for kind in ("line", "desk phone"):
        things[kind, "new", None] = {}
    things["line", "any", None] = {"digits": "53273"}
    things["desk phone", "any", None] = things["desk phone that is there", "any", None] = {"name": "admin1"}
    with web.app_context(), transaction() as session:
        version = note_present(session, None, now())
        things["version of the plan", "any", None] = {"version_id": version.id}
    things["static file", "any", None] = {"filename": "icon.svg", "version": "1"}
    missed_id, _draft = Exchange(web).missed("0501112244")
    with web.app_context(), transaction() as session:
        task = add_task(session, Purpose.STATUS_CHECK, now(), now(), report_id=reports["own"], number="+380671234567")
        session.get_one(Report, reports["own"]).state = ReportState.DONE
        things["task", "any", None] = {"task_id": task.id}
        duty = add_task(
            session, Purpose.WARN_OPERATOR, now(), now(), report_id=reports["foreign"], organisation_id=2, number=None
        )
        things["duty task", "any", None] = {"task_id": duty.id}
        things["call back", "of another page", None] = {"task_id": task.id}
        missed = session.get_one(Call, missed_id)
        back = add_task(session, Purpose.CALL_BACK, now(), now(), call_id=missed.id, number=missed.number)
        things["call back", "any", None] = {"task_id": back.id}
        asked = add_task(
            session, Purpose.CLARIFICATION, now(), now(), report_id=reports["foreign"], number=missed.number
        )
        things["call back", "question", None] = {"task_id": asked.id}
        things["outage", "own", None] = {"outage_id": enter(session).id}
        others = session.scalars(select(Organisation).where(Organisation.name == "КП «Комунальник»")).one()
        things["outage", "foreign", None] = {"outage_id": enter(session, "dyspetcher", organisation=others).id}
        operator, water = user_id("operator"), session.get_one(Organisation, 2)
        letter = write_letter(session, "one", "Строк минув", "№ 2026-0412", now(), user_id=operator)
        letter_refused(session, take_letter(session, letter.id, now()), "550 no such user")
        things["letter", "any", None] = {"letter_id": letter.id}
        for role, login in WHO.items():
            things["user", "own", role] = {"user_id": user_id(login)}
        things["user", "foreign", None] = {"user_id": user_id("cherniavska")}
        other = User(login="inshyi", name="Інший І. І.", role=Role.CONTROL_BODY, password_hash="-")
        other.controls = [water]
        session.add(other)
    return things | quarterly_things(web)


def desk_things(web: Flask, login: str, role: Role | None) -> Things:
    """What somebody of the centre has; with ``role`` as that role's own, without as foreign to everybody."""
    which = "own" if role else "foreign"
    things: Things = {}
    call_id, draft_id = Exchange(web).call("0501112233")
    _call, ended_id = Exchange(web).call("0501112233")
    with web.app_context(), transaction() as session:
        user = session.get_one(User, user_id(login))
        claim_draft(session, session.get_one(Report, draft_id), user)
        ended = session.get_one(Report, ended_id)
        claim_draft(session, ended, user)
        end_draft(session, ended, user, ReportEvent.DROPPED)
        saved = save_filter(session, user, "Мій", {"state": "new"}, shared=False, area_code=AREA_CODE, at=now())
        sheet = hand_over(session, user, "", now())
        take_over(session, sheet, user, now())
        rows = [{"name": "вулиця Нова"}]
        streets = keep_upload(session, Subject.STREET, rows, user, now())
        organisations = keep_upload(session, Subject.ORGANISATION, rows, user, now())
        things["call", "any", None] = {"call_id": call_id}
        things["filter", which, role] = {"filter_id": saved.id}
        things["sheet", which, role] = {"sheet_id": sheet.id}
        if role is None:
            shared = save_filter(
                session, user, "Спільний", {"state": "new"}, shared=True, area_code=AREA_CODE, at=now()
            )
            things["filter", "shared by another", None] = {"filter_id": shared.id}
        attempt = Attempt(number="+380501112233", user_id=user.id, planned_at=now(), settled_at=now())
        session.add(attempt)
        session.flush()
        things["call of ours", which, role] = {"attempt_id": attempt.id}
    things["draft", which, role] = {"draft_id": draft_id}
    things["ended draft", which, role] = {"draft_id": ended_id}
    things["report", "draft", None] = {"report_id": draft_id}
    things["import", which, role] = {"kind": "streets", "token": streets}
    if role:
        things["import", "own of another kind", role] = {"kind": "streets", "token": organisations}
    return things


def quarterly_things(web: Flask) -> Things:
    """The last quarter's report to each member of the control body, sent; and one that is not."""
    things: Things = {}
    with web.app_context():
        quarterly.prepare_due(db.session(), now())
        ended = quarter_of(now().astimezone(KYIV).date()).before
        names = {"kontrol": "own", "inshyi": "foreign", "": "on all"}
        with transaction() as session:
            keeper = session.get_one(User, user_id("tsapkova"))
            for report in quarterly.reports_on(session, ended):
                quarterly.check(session, report, keeper, "", now())
                quarterly.send(session, report, keeper, now())
                which = names[report.control_body.login if report.control_body else ""]
                things["quarterly report", which, None] = {"report_id": report.id, "kind": "docx"}
            waits = quarterly.QuarterlyReport(year=ended.year - 1, number=1, data=dict(report.data))
            waits.control_body_id = user_id("kontrol")
            session.add(waits)
            session.flush()
            things["quarterly report", "not sent yet", None] = {"report_id": waits.id, "kind": "docx"}
    return things
