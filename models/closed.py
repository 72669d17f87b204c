"""An organisation's reports that are closed, for its own people to look up by number or street (W2, W11)."""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session, joinedload

from models.executions import Execution
from models.lists import Listed, first_of
from models.places import Street, bare_key
from models.reports import HistoryRow, Report, ReportState, read_number, stands
from models.search import search_words, words_of

LATELY = timedelta(days=183)
MOST = 100  # reports of one list


def closed_reports(session: Session, organisation_id: int, typed: str, at: datetime) -> Listed[Report]:
    """The closed reports of the last half a year in which the organisation has a part, the last closed first; at most
    `MOST`.

    ``typed`` is a report's number, of whatever year, or a street with or without the building: nothing else is looked
    for, so that nobody finds out a name or a telephone by it (A3). What is neither finds nothing.
    """
    ours = select(Execution.report_id).where(Execution.organisation_id == organisation_id)
    wanted = [Report.id.in_(ours), Report.state == ReportState.CLOSED]
    if number := read_number(typed):
        wanted.append(Report.number == number)
    else:
        wanted.append(Report.created_at >= at - LATELY)
        if typed.strip():
            wanted += _at_place(session, typed)
    last_move = select(func.max(HistoryRow.at)).where(
        HistoryRow.report_id == Report.id, HistoryRow.to_state == ReportState.CLOSED, stands()
    )
    last_move = last_move.correlate(Report).scalar_subquery()
    rows = select(Report).options(*(joinedload(part) for part in (Report.category, Report.street, Report.executor)))
    rows = rows.where(*wanted).order_by(last_move.desc(), Report.id.desc())
    return first_of(session, rows, select(Report.id).where(*wanted), MOST)


def _at_place(session: Session, typed: str) -> list[ColumnElement[bool]]:
    """On a street whose present, former or other name has all these words; a last one with a digit is the building."""
    *words, last = typed.replace(",", " ").split()
    building = last if words and last[0].isdigit() else ""
    sought = search_words(bare_key(" ".join(words if building else [*words, last])))
    streets = [
        street.id
        for street in session.scalars(select(Street))
        if sought and _has_all(words_of(street.name, street.former_names, street.other_names), sought)
    ]
    at_place: list[ColumnElement[bool]] = [Report.street_id.in_(streets)]
    return [*at_place, Report.building.in_({building, building.lower(), building.upper()})] if building else at_place


def _has_all(names: list[str], sought: list[str]) -> bool:
    return all(any(name.startswith(word) for name in names) for word in sought)
