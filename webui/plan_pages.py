"""What the pages of the telephone plan share: the plan that is edited, their frame, and how an entry is kept."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flask import current_app, render_template, url_for
from flask_babel import gettext as _
from flask_login import current_user
from sqlalchemy.orm import Session

from jobs.apply_plan import site_of
from models.base import now
from models.people import Role, User
from models.plan import Plan, PlanLine, PlanPhone, read_plan
from models.plan_acts import change_draft
from models.plan_checks import Fault, FaultKind, check_plan
from models.plan_versions import PlanVersion, open_draft
from webui.plan_words import fault_sentence

TECHNICAL = Role.TECHNICAL_ADMINISTRATOR


@dataclass(frozen=True)
class Stands:
    """The plan that is edited: the draft's, else the one in force."""

    plan: Plan
    draft: PlanVersion | None


class Refused(Exception):
    """What was typed cannot be so: a sentence for each field."""

    def __init__(self, errors: dict[str, str]) -> None:
        super().__init__(", ".join(errors))
        self.errors = errors


class Conflict(Exception):
    """Somebody else changed the same entry of the draft meanwhile."""


def stands(session: Session) -> Stands:
    draft = open_draft(session)
    return Stands(draft.plan if draft else read_plan(session), draft)


def plan_page(template: str, **parts: object) -> str:
    """A page of the plan, with the others beside it."""
    pages = (
        (url_for("lines.lines"), _("Lines and phones")),
        (url_for("line_versions.versions"), _("Versions of the plan")),
    )
    return render_template(template, plan_pages=pages, **parts)


def keep(session: Session, change: Callable[[Plan], Plan]) -> None:
    """Change the draft as the one who is logged in."""
    change_draft(session, session.get_one(User, current_user.id), now(), change)


def mark(entry: PlanLine | PlanPhone | None) -> str:
    """What tells whether an entry is the one that was read."""
    return hashlib.sha256(repr(entry).encode()).hexdigest()[:16]


def faults_of(plan: Plan) -> list[Fault]:
    return check_plan(plan, site_of(current_app.config["SETTINGS"]))


def at_fields(faults: list[Fault], fields: Mapping[FaultKind, str]) -> dict[str, str]:
    """The first sentence at each field."""
    found: dict[str, str] = {}
    for fault in faults:
        if fault.kind in fields:
            found.setdefault(fields[fault.kind].format(step=fault.step), fault_sentence(fault))
    return found
