"""Streets and organisations from a file: what each line would do, and doing it (A2).

Nothing is written before it was shown. What was uploaded waits in the database, for its uploader alone, until it is
applied or a day has passed. A line is recognised by its name; an empty cell leaves what is there; a street or an
organisation that the file does not name stays as it is. A file that is applied twice changes nothing the second time.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import JSON, ForeignKey, String, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.base import Base, UTCDateTime
from models.directories import (
    LONGEST_NAME,
    duty_fault,
    email_fault,
    joined,
    keep_findable,
    long_names,
    name_key,
    responsible_for,
    split_numbers,
    street_words,
)
from models.people import Organisation, User
from models.places import Street, bare_key, street_key
from models.reference import Fault, FaultKind, Subject, as_text, check_name, note_added, tidy, write_entry

KEPT = timedelta(days=1)
MOST_ROWS = 10_000
_YES = {"так", "yes", "true", "1", "+", "діє", "чинна"}
_NO = {"ні", "no", "false", "0", "-", "−", "не діє", "нечинна"}

Row = Mapping[str, str]  # a line of the file: its cells by field


class Verdict(StrEnum):
    NEW = "new"
    CHANGED = "changed"
    SAME = "same"
    WRONG = "wrong"


@dataclass(frozen=True)
class Line:
    """What one line of the file would do. ``place`` counts from 1, the line of titles being the first."""

    place: int
    name: str
    verdict: Verdict
    values: dict[str, object] = field(default_factory=dict)
    row: Street | Organisation | None = None
    fault: Fault | None = None  # why it is wrong; of a good one, what to look at

    @property
    def changes(self) -> list[tuple[str, str, str]]:
        """The fields that change: which, from what, to what."""
        had = {name: as_text(getattr(self.row, name)) if self.row else "" for name in self.values}
        return [(name, had[name], as_text(value)) for name, value in self.values.items() if name != "name"]


class Upload(Base):
    """The lines of a file that somebody uploaded and has not applied yet."""

    __tablename__ = "imports"

    token: Mapped[str] = mapped_column(String(32), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    subject: Mapped[Subject] = mapped_column(String(16))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    rows: Mapped[list[dict[str, str]]] = mapped_column(JSON)


def keep_upload(session: Session, subject: Subject, rows: Sequence[Row], user: User, at: datetime) -> str:
    """Keep the lines until they are applied: the word by which their uploader finds them. Old ones are deleted."""
    session.execute(delete(Upload).where(Upload.created_at < at - KEPT))
    upload = Upload(token=secrets.token_urlsafe(16), user_id=user.id, subject=subject, created_at=at)
    upload.rows = [dict(row) for row in rows]
    session.add(upload)
    session.flush()
    return upload.token


def find_upload(session: Session, subject: Subject, token: str, user: User, at: datetime) -> Upload | None:
    """What this person uploaded under this word; None for what is applied, a day old, or somebody else's."""
    upload = session.get(Upload, token, with_for_update=True)
    if upload is None or (upload.user_id, upload.subject) != (user.id, subject) or upload.created_at < at - KEPT:
        return None
    return upload


def plan(session: Session, subject: Subject, rows: Sequence[Row]) -> list[Line]:
    """What each line would do now; changes nothing."""
    return PLANS[subject](session, rows)


def apply_upload(session: Session, upload: Upload, by: User, at: datetime) -> dict[Verdict, int]:
    """Write every good line, each with its trace, and forget the upload: how many lines of each verdict there were."""
    lines = plan(session, upload.subject, upload.rows)
    table = {Subject.STREET: Street, Subject.ORGANISATION: Organisation}[upload.subject]
    added = [(table(**line.values), line.values) for line in lines if line.verdict == Verdict.NEW]
    session.add_all(row for row, _values in added)
    session.flush()  # all at once: a thousand lines are one statement
    for row, values in added:
        note_added(session, upload.subject, row, values, by, at)
    for line in lines:
        if line.verdict == Verdict.CHANGED:
            known = street_words(line.row) if isinstance(line.row, Street) else None
            write_entry(session, upload.subject, line.row, line.values, by, at)
            if known is not None:
                keep_findable(session, line.row, known)
    session.delete(upload)
    session.flush()
    return {verdict: sum(line.verdict == verdict for line in lines) for verdict in Verdict}


def plan_streets(session: Session, rows: Sequence[Row]) -> list[Line]:
    """A street is the same with «вул.» as with «вулиця», but another one than the square of its name."""
    known = {street_key(street.name): street for street in session.scalars(select(Street))}
    by_bare: dict[str, list[Street]] = {}
    by_former: dict[str, Street] = {}
    for street in known.values():
        by_bare.setdefault(bare_key(street.name), []).append(street)
        by_former |= {bare_key(name): street for name in street.formerly}

    def look(name: str, row: Street | None, values: dict[str, object]) -> tuple[Fault | None, Fault | None]:
        wrong = next(iter(long_names({k: str(v) for k, v in values.items() if k.endswith("_names")}).values()), None)
        if row is not None or wrong:
            return wrong, None
        bare, typed = bare_key(name), street_key(name) != bare_key(name)
        for street in by_bare.get(bare, []):
            if (street_key(street.name) != bare) != typed:  # only one of the two says what kind of street it is
                return Fault(FaultKind.ALIKE, street.name), None
        former = by_former.get(bare)
        return None, Fault(FaultKind.FORMER, former.name) if former else None

    readers = {"former_names": joined, "other_names": joined}
    return _plan(rows, Street, known, street_key, readers, look)


def plan_organisations(session: Session, rows: Sequence[Row]) -> list[Line]:
    """An organisation is the same whatever quotes its name stands in. Its duty numbers are E.164 by now."""
    known = {name_key(one.name): one for one in session.scalars(select(Organisation))}

    def look(_name: str, row: Organisation | None, values: dict[str, object]) -> tuple[Fault | None, Fault | None]:
        wrong = email_fault(str(values.get("email", ""))) or duty_fault(values.get("duty_numbers", ()))
        if wrong is None and row is not None and values.get("active") is False:
            kinds = responsible_for(session, row)
            wrong = Fault(FaultKind.RESPONSIBLE, ", ".join(f"«{kind}»" for kind in kinds)) if kinds else None
        return wrong, None

    readers = {"email": tidy, "duty_numbers": lambda cell: tuple(split_numbers(cell))}
    return _plan(rows, Organisation, known, name_key, readers, look)


def _plan(
    rows: Sequence[Row],
    table: type,
    known: Mapping[str, Street | Organisation],
    key_of: Callable[[str], str],
    readers: Mapping[str, Callable[[str], object]],
    look: Callable[[str, object, dict[str, object]], tuple[Fault | None, Fault | None]],
) -> list[Line]:
    lines, seen = [], {}
    for place, cells in enumerate(rows, 2):
        name = tidy(cells.get("name", ""))
        if not any(cells.values()):
            continue
        key = key_of(name)
        row, (values, wrong) = known.get(key), _values(cells, readers)
        wrong = wrong or check_name(name, LONGEST_NAME[table])
        if wrong is None and key in seen:
            wrong = Fault(FaultKind.REPEATED, str(seen[key]))
        seen.setdefault(key, place)
        remark = None
        if wrong is None:
            wrong, remark = look(name, row, values)
        if wrong:
            lines.append(Line(place, name, Verdict.WRONG, row=row, fault=wrong))
        elif row is None:
            lines.append(Line(place, name, Verdict.NEW, {"name": name, "active": True} | values, fault=remark))
        else:
            changed = {field: value for field, value in values.items() if getattr(row, field) != value}
            lines.append(Line(place, row.name, Verdict.CHANGED if changed else Verdict.SAME, changed, row))
    return lines


def _values(cells: Row, readers: Mapping[str, Callable[[str], object]]) -> tuple[dict[str, object], Fault | None]:
    values: dict[str, object] = {name: read(cells[name]) for name, read in readers.items() if cells.get(name)}
    active = tidy(cells.get("active", "")).lower()
    if active:
        if active not in _YES | _NO:
            return values, Fault(FaultKind.YES_NO)
        values["active"] = active in _YES
    return values, None


PLANS: dict[Subject, Callable[[Session, Sequence[Row]], list[Line]]] = {
    Subject.STREET: plan_streets,
    Subject.ORGANISATION: plan_organisations,
}
