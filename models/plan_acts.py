"""What is done with versions of the telephone plan: drafting, ordering, applying, rolling back, returning.

A draft is ordered to be applied only without a fault, and `jobs.apply_plan` brings it to the exchange; the tables
change in the transaction in which its version becomes *applied*. A change of the tables by another way (the command
line, whose phone it is) is a version, too, and a draft takes it over.
"""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.base import one_at_a_time
from models.machine import IllegalMove
from models.people import Phone, User
from models.plan import (
    Change,
    Plan,
    differences,
    differences_to_json,
    read_plan,
    restored,
    to_json,
    write_plan,
)
from models.plan_checks import Fault, Site, check_plan
from models.plan_versions import (
    LONGEST_REASON,
    RETURNABLE,
    PlanEvent,
    PlanState,
    PlanVersion,
    Trouble,
    applied_version,
    applying_version,
    move,
    note,
    open_draft,
)
from models.reference import ChangedMeanwhile

_LOCK = 0x706C616E  # "plan"


class StillApplying(Exception):
    """Another version is on its way to the exchange."""


def note_present(session: Session, author: User | None, at: datetime) -> PlanVersion | None:
    """Make what the tables say the applied version, where it is not: the version added, else None.

    Unless only whose a phone is has changed, the exchange is told of it (`jobs.apply_plan`).
    """
    one_at_a_time(session, _LOCK)
    session.flush()
    present, former = read_plan(session), applied_version(session)
    if former is not None and former.plan == present:
        return None
    version = _begin(session, author, at, present, former)
    if former is not None:
        move(session, former, PlanEvent.REPLACED, author, at)
        if all(one.kind == Change.USER for one in version.differences):
            version.settled_at = former.settled_at  # what the former one is still waiting for is this one's, too
    move(session, version, PlanEvent.FOUND, author, at)
    _carry_draft_over(session, former.plan if former else Plan(), version, author, at)
    return version


def change_draft(session: Session, user: User, at: datetime, change: Callable[[Plan], Plan]) -> PlanVersion:
    """Change the draft, or begin one from the applied plan. ``change`` may raise; the transaction ends with it then."""
    applied, draft = _present(session, at), open_draft(session)
    plan = change(draft.plan if draft else applied.plan)
    if draft is None:
        draft = _begin(session, user, at, plan, applied, slot="draft")
    else:
        _write_draft(session, draft, plan, applied, user, at)
    draft.author = user
    session.flush()
    return draft


def drop_draft(session: Session, user: User, at: datetime, revision: int) -> None:
    """Give the draft up. Raises `ChangedMeanwhile` when it is another than the one that was read."""
    _present(session, at)
    move(session, _draft_as_read(session, revision), PlanEvent.GIVEN_UP, user, at)


def order_draft(session: Session, user: User, at: datetime, revision: int, reason: str, site: Site) -> list[Fault]:
    """Have the draft applied, unless it has faults: those.

    Raises `ChangedMeanwhile` when it is another than the one that was read, `StillApplying`.
    """
    _present(session, at)
    draft = _draft_as_read(session, revision)
    if applying_version(session) is not None:
        raise StillApplying
    draft.author, draft.reason = user, reason[:LONGEST_REASON]
    faults = check_plan(draft.plan, site)
    move(session, draft, PlanEvent.FAULTY if faults else PlanEvent.ORDERED, user, at)
    return faults


def order_return(
    session: Session, version_id: int, user: User, at: datetime, reason: str, site: Site
) -> tuple[PlanVersion | None, list[Fault]]:
    """Have the plan of an earlier version applied anew: the new version, or the faults that it has by now.

    A draft stays a draft. Raises `StillApplying`, and `IllegalMove` for a version that is none of `RETURNABLE`.
    """
    applied = _present(session, at)
    if applying_version(session) is not None:
        raise StillApplying
    wanted = session.get_one(PlanVersion, version_id)
    if wanted.state not in RETURNABLE:
        raise IllegalMove("plan", wanted.state, PlanEvent.ORDERED)
    plan = restored(wanted.plan, applied.plan)
    faults = check_plan(plan, site)
    if faults:
        return None, faults
    version = _begin(session, user, at, plan, applied)
    version.reason = reason[:LONGEST_REASON]
    move(session, version, PlanEvent.ORDERED, user, at)
    return version, []


def finish(session: Session, version: PlanVersion, secrets: dict[str, str], at: datetime) -> bool:
    """Write the tables and make the version the applied one; False, with nothing written, when the plan was changed
    meanwhile by another way. ``secrets`` are what its phones log in with."""
    former = _present(session, at)
    if former.id != version.previous_id:
        return False
    author = session.get(User, version.author_id) if version.author_id else None
    write_plan(session, version.plan, secrets)
    move(session, former, PlanEvent.REPLACED, author, at)
    move(session, version, PlanEvent.DONE, author, at)
    _carry_draft_over(session, former.plan, version, author, at)
    return True


def roll_back(session: Session, version: PlanVersion, trouble: Trouble, about: str, at: datetime) -> None:
    """The version was not applied, and this is why."""
    version.trouble, version.trouble_about = trouble, about[:LONGEST_REASON]
    move(session, version, PlanEvent.FAILED, None, at)


def roll_back_broken_off(session: Session, at: datetime) -> None:
    """For a start, before which nothing runs: a version that was on its way, or waited for it, is not applied."""
    version = applying_version(session)
    if version is not None:
        roll_back(session, version, Trouble(version.trouble or Trouble.BROKEN_OFF), version.trouble_about, at)


def phone_secrets(session: Session) -> dict[str, str]:
    """What each phone logs in with, by its name."""
    return dict(session.execute(select(Phone.name, Phone.secret)).all())


def _present(session: Session, at: datetime) -> PlanVersion:
    """The applied version, which says what the tables say."""
    one_at_a_time(session, _LOCK)
    return note_present(session, None, at) or applied_version(session)


def _draft_as_read(session: Session, revision: int) -> PlanVersion:
    draft = open_draft(session)
    if draft is None or draft.revision != revision:
        raise ChangedMeanwhile
    return draft


def _begin(
    session: Session, author: User | None, at: datetime, plan: Plan, base: PlanVersion | None, slot: str | None = None
) -> PlanVersion:
    version = PlanVersion(author=author, at=at, document=to_json(plan), state=PlanState.DRAFT, slot=slot)
    version.previous_id = base.id if base else None
    version.changes = differences_to_json(differences(base.plan if base else Plan(), plan))
    session.add(version)
    session.flush()
    note(session, version, PlanEvent.BEGUN, author, at, "")
    return version


def _write_draft(
    session: Session, draft: PlanVersion, plan: Plan, base: PlanVersion, user: User | None, at: datetime
) -> None:
    draft.document, draft.at, draft.previous_id = to_json(plan), at, base.id
    draft.changes = differences_to_json(differences(base.plan, plan))
    draft.revision += 1
    move(session, draft, PlanEvent.CHANGED, user, at)


def _carry_draft_over(session: Session, base: Plan, applied: PlanVersion, user: User | None, at: datetime) -> None:
    """Let an open draft differ from the plan that is applied now: what nobody drafted is as it is there."""
    draft = open_draft(session)
    if draft is None:
        return
    plan, present = draft.plan, applied.plan
    for phone in present.phones:
        if plan.phone(phone.name) in (None, base.phone(phone.name)):
            plan = plan.with_phone(phone)
    for line in present.lines:
        if plan.line(line.digits) in (None, base.line(line.digits)):
            plan = plan.with_line(line)
    _write_draft(session, draft, plan, applied, user, at)
