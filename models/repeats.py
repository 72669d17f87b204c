"""Whether a draft tells of what is told already: by the same applicant (I10), or by anybody about the same building."""

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, joinedload

from models.reports import OPEN_STATES, Report


def find_repeated(session: Session, draft: Report) -> Report | None:
    """The open report that this draft repeats: the same number and category, and the same place (I10)."""
    if draft.contact_number is None or draft.category_id is None or not (draft.street_id or draft.landmark):
        return None
    query = _open_at_place(draft).where(
        Report.contact_number == draft.contact_number, Report.category_id == draft.category_id
    )
    return session.scalar(query.order_by(Report.id.desc()).limit(1))


def reports_at_place(session: Session, draft: Report, most: int = 3) -> list[Report]:
    """The open reports of anybody about the draft's street and building, those of its category first: the same trouble
    may be told already. None where the place has no building.

    They do not make it a repeated one: that is the same number's (I10, `find_repeated`).
    """
    if draft.street_id is None or not draft.building:
        return []
    its_category_first = func.coalesce(Report.category_id, 0) != (draft.category_id or 0)
    query = _open_at_place(draft).options(joinedload(Report.category))
    return list(session.scalars(query.order_by(its_category_first, Report.id.desc()).limit(most)))


def _open_at_place(draft: Report) -> Select[tuple[Report]]:
    """The other open reports at the draft's street and building, or, where it has no street, at its landmark."""
    if draft.street_id is not None:
        place = (Report.street_id == draft.street_id, Report.building == draft.building)
    else:
        place = (Report.street_id.is_(None), Report.landmark == draft.landmark)
    return select(Report).where(Report.id != draft.id, Report.state.in_(OPEN_STATES), *place)
